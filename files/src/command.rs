//! What a client can ask of the file system, and its bytes.

use bytes::{BufMut, Bytes, BytesMut};
use squall_replica::codec::{DecodeError, Reader, put_bytes};

use crate::Content;

/// A command, over owned bytes or (as [`Command::borrow`] gives it) over the bytes that it was read from.
///
/// `Stat` and `List` are questions too, which a replica answers without an entry in the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Command<B = Bytes> {
    /// Makes a file where there is nothing.
    Create {
        /// Its path.
        path: B,
        /// What it begins with.
        content: Content<B>,
    },
    /// Makes an empty directory where there is nothing.
    MakeDirectory {
        /// Its path.
        path: B,
    },
    /// Gives a file another content.
    Update {
        /// Its path.
        path: B,
        /// The version that it must have, where that matters.
        expected: Option<u64>,
        /// The new content.
        content: Content<B>,
    },
    /// Gives a file or a directory, with all in it, another path. What is there is replaced: a file by a file, an
    /// empty directory by a directory. There is no moment at which neither path, or both, lead to it.
    Rename {
        /// The path that it has.
        from: B,
        /// The path that it is to have.
        to: B,
    },
    /// Removes a file.
    Remove {
        /// Its path.
        path: B,
    },
    /// Removes an empty directory.
    RemoveDirectory {
        /// Its path.
        path: B,
    },
    /// Removes a file or a directory, with all in it, at once.
    RemoveTree {
        /// Its path.
        path: B,
    },
    /// Asks what is there.
    Stat {
        /// Its path.
        path: B,
    },
    /// Asks for a directory's entries, by name, a part at a time.
    List {
        /// The directory's path.
        path: B,
        /// Only names behind this one: the last of the part before; empty to begin.
        after: B,
        /// At most so many, and at most [`LIST_ENTRIES_MAX`](crate::LIST_ENTRIES_MAX).
        max_entries: u32,
    },
}

const CREATE: u8 = 0;
const MAKE_DIRECTORY: u8 = 1;
const UPDATE: u8 = 2;
const RENAME: u8 = 3;
const REMOVE: u8 = 4;
const REMOVE_DIRECTORY: u8 = 5;
const REMOVE_TREE: u8 = 6;
const STAT: u8 = 7;
const LIST: u8 = 8;

impl Command {
    /// Reads a command and copies its fields.
    ///
    /// # Errors
    /// Says what is wrong with the bytes, and where.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let copy = Bytes::copy_from_slice;
        let copy_content = |content: Content<&[u8]>| Content {
            size: content.size,
            modified: content.modified,
            blob: copy(content.blob),
        };
        Ok(match Command::borrow(bytes)? {
            Command::Create { path, content } => {
                Self::Create { path: copy(path), content: copy_content(content) }
            }
            Command::MakeDirectory { path } => Self::MakeDirectory { path: copy(path) },
            Command::Update { path, expected, content } => {
                Self::Update { path: copy(path), expected, content: copy_content(content) }
            }
            Command::Rename { from, to } => Self::Rename { from: copy(from), to: copy(to) },
            Command::Remove { path } => Self::Remove { path: copy(path) },
            Command::RemoveDirectory { path } => Self::RemoveDirectory { path: copy(path) },
            Command::RemoveTree { path } => Self::RemoveTree { path: copy(path) },
            Command::Stat { path } => Self::Stat { path: copy(path) },
            Command::List { path, after, max_entries } => {
                Self::List { path: copy(path), after: copy(after), max_entries }
            }
        })
    }
}

impl<'a> Command<&'a [u8]> {
    /// Reads a command without copying.
    ///
    /// # Errors
    /// Says what is wrong with the bytes, and where.
    pub fn borrow(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let tag = reader.tag("command", LIST)?;
        let path = reader.bytes("path")?;
        let command = match tag {
            CREATE => Self::Create { path, content: content(&mut reader)? },
            MAKE_DIRECTORY => Self::MakeDirectory { path },
            UPDATE => {
                let is_expected = reader.flag("expected")?;
                let expected = if is_expected { Some(reader.u64("version")?) } else { None };
                Self::Update { path, expected, content: content(&mut reader)? }
            }
            RENAME => Self::Rename { from: path, to: reader.bytes("to")? },
            REMOVE => Self::Remove { path },
            REMOVE_DIRECTORY => Self::RemoveDirectory { path },
            REMOVE_TREE => Self::RemoveTree { path },
            STAT => Self::Stat { path },
            _ => Self::List { path, after: reader.bytes("after")?, max_entries: reader.u32("max_entries")? },
        };
        reader.finish()?;
        Ok(command)
    }
}

impl<B: AsRef<[u8]>> Command<B> {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        let mut put_head = |tag, path: &B| {
            out.put_u8(tag);
            put_bytes(&mut out, path.as_ref());
        };
        match self {
            Self::Create { path, content } => {
                put_head(CREATE, path);
                put_content(&mut out, content);
            }
            Self::MakeDirectory { path } => put_head(MAKE_DIRECTORY, path),
            Self::Update { path, expected, content } => {
                put_head(UPDATE, path);
                out.put_u8(u8::from(expected.is_some()));
                if let Some(version) = expected {
                    out.put_u64_le(*version);
                }
                put_content(&mut out, content);
            }
            Self::Rename { from, to } => {
                put_head(RENAME, from);
                put_bytes(&mut out, to.as_ref());
            }
            Self::Remove { path } => put_head(REMOVE, path),
            Self::RemoveDirectory { path } => put_head(REMOVE_DIRECTORY, path),
            Self::RemoveTree { path } => put_head(REMOVE_TREE, path),
            Self::Stat { path } => put_head(STAT, path),
            Self::List { path, after, max_entries } => {
                put_head(LIST, path);
                put_bytes(&mut out, after.as_ref());
                out.put_u32_le(*max_entries);
            }
        }
        out.freeze()
    }
}

fn content<'a>(reader: &mut Reader<'a>) -> Result<Content<&'a [u8]>, DecodeError> {
    Ok(Content { size: reader.u64("size")?, modified: reader.u64("modified")?, blob: reader.bytes("blob")? })
}

fn put_content(out: &mut BytesMut, content: &Content<impl AsRef<[u8]>>) {
    out.put_u64_le(content.size);
    out.put_u64_le(content.modified);
    put_bytes(out, content.blob.as_ref());
}
