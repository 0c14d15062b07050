//! Inodes: what a name stands for, and its bytes in the tree.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Names an inode for ever: ids are given in order, and none is given twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct InodeId(pub u64);

impl InodeId {
    /// The directory that is always there.
    pub const ROOT: Self = Self(0);
}

/// What a client keeps of a file; the machine only hands it back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Content<B = Bytes> {
    /// Bytes of the data.
    pub size: u64,
    /// When it was changed, by the client's clock.
    pub modified: u64,
    /// Where the data is, say.
    pub blob: B,
}

/// A file or a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Inode {
    /// A directory.
    Directory {
        /// Its name for ever.
        id: InodeId,
    },
    /// A file.
    File {
        /// Its name for ever.
        id: InodeId,
        /// 1 when it is created, and one more with each update.
        version: u64,
        /// What the client keeps of it.
        content: Content,
    },
}

/// What an inode is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file.
    File,
}

const DIRECTORY: u8 = 0;
const FILE: u8 = 1;

const DIRECTORY_BYTES: usize = 1 + size_of::<u64>();
/// Bytes of a file without its blob.
const FILE_BYTES: usize = 1 + 4 * size_of::<u64>();

impl Inode {
    /// Its name for ever.
    #[must_use]
    pub fn id(&self) -> InodeId {
        match self {
            Self::Directory { id } | Self::File { id, .. } => *id,
        }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Directory { .. } => Kind::Directory,
            Self::File { .. } => Kind::File,
        }
    }

    /// Its bytes: a kind, the id, and of a file the version, the size, the time and the blob, up to the end.
    pub(crate) fn encode(&self) -> Bytes {
        match self {
            Self::Directory { id } => {
                let mut out = BytesMut::with_capacity(DIRECTORY_BYTES);
                out.put_u8(DIRECTORY);
                out.put_u64_le(id.0);
                out.freeze()
            }
            Self::File { id, version, content: Content { size, modified, blob } } => {
                let mut out = BytesMut::with_capacity(FILE_BYTES + blob.len());
                out.put_u8(FILE);
                for number in [id.0, *version, *size, *modified] {
                    out.put_u64_le(number);
                }
                out.put_slice(blob);
                out.freeze()
            }
        }
    }

    /// Reads one; the blob is not copied. `None` where the bytes are no inode.
    pub(crate) fn decode(mut bytes: Bytes) -> Option<Self> {
        match (bytes.first()?, bytes.len()) {
            (&DIRECTORY, DIRECTORY_BYTES) => {
                bytes.advance(1);
                Some(Self::Directory { id: InodeId(bytes.get_u64_le()) })
            }
            (&FILE, FILE_BYTES..) => {
                bytes.advance(1);
                let [id, version, size, modified] = std::array::from_fn(|_| bytes.get_u64_le());
                let content = Content { size, modified, blob: bytes };
                Some(Self::File { id: InodeId(id), version, content })
            }
            _ => None,
        }
    }
}
