//! What can go wrong on a disk, with the file and the operation.

use std::fmt;

/// A failed disk operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiskError {
    /// What was tried.
    pub operation: Operation,
    /// On which file; empty for the directory.
    pub file: String,
    /// What kind of failure it is.
    pub kind: DiskErrorKind,
    /// The system's own words.
    pub detail: String,
}

/// An operation of the [`Disk`](crate::Disk) trait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Operation {
    /// `create`.
    Create,
    /// `open`.
    Open,
    /// `len`.
    Len,
    /// `read_at`.
    Read,
    /// `write_at`.
    Write,
    /// `sync`.
    Sync,
    /// `set_len`.
    SetLen,
    /// `rename`.
    Rename,
    /// `remove`.
    Remove,
    /// `list`.
    List,
    /// `sync_dir`.
    SyncDir,
}

/// A kind of failure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DiskErrorKind {
    /// No such file.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// The handle or the name is not valid.
    InvalidInput,
    /// Another process uses the directory.
    InUse,
    /// No space left.
    NoSpace,
    /// The device failed.
    Io,
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = if self.file.is_empty() { "the directory" } else { &self.file };
        write!(f, "{:?} on {file} failed: {}", self.operation, self.detail)
    }
}

impl std::error::Error for DiskError {}
