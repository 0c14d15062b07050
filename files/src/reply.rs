//! What the file system answers, and its bytes.

use bytes::{BufMut, Bytes, BytesMut};
use squall_replica::codec::{DecodeError, Reader, put_bytes};

use crate::{Content, Error, Inode, InodeId, Kind};

/// An answer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reply {
    /// To `Create` and `MakeDirectory`: what was made.
    Made(InodeId),
    /// To `Update`: the version that the file has now.
    Updated {
        /// That version.
        version: u64,
    },
    /// To `Rename`.
    Moved {
        /// What was there, and is no more.
        replaced: Option<InodeId>,
    },
    /// To `Remove` and `RemoveDirectory`: what is no more.
    Removed(InodeId),
    /// To `RemoveTree`.
    RemovedTree {
        /// How many files and directories are no more.
        inodes: u64,
    },
    /// To `Stat`: what is there.
    Found(Inode),
    /// To `List`.
    Listed {
        /// The entries, by name.
        entries: Vec<Entry>,
        /// There are more behind the last.
        more: bool,
    },
    /// To anything: nothing has changed, and this is why.
    Failed(Error),
}

/// An entry of a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Entry {
    /// Its name there.
    pub name: Bytes,
    /// The inode's name for ever.
    pub id: InodeId,
    /// What it is.
    pub kind: Kind,
}

const MADE: u8 = 0;
const UPDATED: u8 = 1;
const MOVED: u8 = 2;
const MOVED_OVER: u8 = 3;
const REMOVED: u8 = 4;
const REMOVED_TREE: u8 = 5;
const FOUND_DIRECTORY: u8 = 6;
const FOUND_FILE: u8 = 7;
const LISTED: u8 = 8;
const OTHER_VERSION: u8 = 9;
/// From here on, the errors that have nothing more to say.
const FAILED: u8 = 10;

const ERRORS: [Error; 12] = [
    Error::NotFound,
    Error::Exists,
    Error::NotADirectory,
    Error::IsADirectory,
    Error::NotEmpty,
    Error::IntoItself,
    Error::IsRoot,
    Error::BadPath,
    Error::NameTooLong,
    Error::BlobTooLarge,
    Error::NoSpace,
    Error::Malformed,
];

impl Reply {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(32);
        let mut put = |tag, numbers: &[u64]| {
            out.put_u8(tag);
            numbers.iter().for_each(|number| out.put_u64_le(*number));
        };
        match self {
            Self::Made(id) => put(MADE, &[id.0]),
            Self::Updated { version } => put(UPDATED, &[*version]),
            Self::Moved { replaced: None } => put(MOVED, &[]),
            Self::Moved { replaced: Some(id) } => put(MOVED_OVER, &[id.0]),
            Self::Removed(id) => put(REMOVED, &[id.0]),
            Self::RemovedTree { inodes } => put(REMOVED_TREE, &[*inodes]),
            Self::Found(Inode::Directory { id }) => put(FOUND_DIRECTORY, &[id.0]),
            Self::Found(Inode::File { id, version, content: Content { size, modified, blob } }) => {
                put(FOUND_FILE, &[id.0, *version, *size, *modified]);
                put_bytes(&mut out, blob);
            }
            Self::Listed { entries, more } => {
                put(LISTED, &[entries.len() as u64]);
                out.put_u8(u8::from(*more));
                for Entry { name, id, kind } in entries {
                    put_bytes(&mut out, name);
                    out.put_u64_le(id.0);
                    out.put_u8(u8::from(*kind == Kind::File));
                }
            }
            Self::Failed(Error::OtherVersion { version }) => put(OTHER_VERSION, &[*version]),
            Self::Failed(error) => {
                let place = ERRORS.iter().position(|other| other == error).expect("all errors are listed");
                put(FAILED + place as u8, &[]);
            }
        }
        out.freeze()
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// Says what is wrong with the bytes, and where.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let reply = match reader.tag("reply", FAILED + ERRORS.len() as u8 - 1)? {
            MADE => Self::Made(InodeId(reader.u64("id")?)),
            UPDATED => Self::Updated { version: reader.u64("version")? },
            MOVED => Self::Moved { replaced: None },
            MOVED_OVER => Self::Moved { replaced: Some(InodeId(reader.u64("id")?)) },
            REMOVED => Self::Removed(InodeId(reader.u64("id")?)),
            REMOVED_TREE => Self::RemovedTree { inodes: reader.u64("inodes")? },
            FOUND_DIRECTORY => Self::Found(Inode::Directory { id: InodeId(reader.u64("id")?) }),
            FOUND_FILE => {
                let (id, version) = (InodeId(reader.u64("id")?), reader.u64("version")?);
                let (size, modified) = (reader.u64("size")?, reader.u64("modified")?);
                let blob = Bytes::copy_from_slice(reader.bytes("blob")?);
                Self::Found(Inode::File { id, version, content: Content { size, modified, blob } })
            }
            LISTED => {
                let (count, more) = (reader.u64("entries")?, reader.flag("more")?);
                let mut entries = Vec::new();
                for _ in 0..count {
                    entries.push(entry(&mut reader)?);
                }
                Self::Listed { entries, more }
            }
            OTHER_VERSION => Self::Failed(Error::OtherVersion { version: reader.u64("version")? }),
            tag => Self::Failed(ERRORS[usize::from(tag - FAILED)]),
        };
        reader.finish()?;
        Ok(reply)
    }
}

fn entry(reader: &mut Reader<'_>) -> Result<Entry, DecodeError> {
    let name = Bytes::copy_from_slice(reader.bytes("name")?);
    let id = InodeId(reader.u64("id")?);
    let kind = if reader.flag("kind")? { Kind::File } else { Kind::Directory };
    Ok(Entry { name, id, kind })
}

impl From<Result<Self, Error>> for Reply {
    fn from(result: Result<Self, Error>) -> Self {
        result.unwrap_or_else(Self::Failed)
    }
}
