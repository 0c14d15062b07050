//! Why a storage cannot go on: the file, the place, and what would be right.

use std::fmt;

use squall_disk::DiskError;
use squall_raft::LogPosition;

use crate::{FORMAT_VERSION, Identity};

/// What an operator does about damage that storage cannot mend: nothing here knows the directory's name.
const REMEDY: &str = "`squall log` shows what else the node's directory holds; remove the node from the cluster, and add a new one with a fresh directory";

/// Why a storage cannot go on. Each of them ends the process's life; nothing is retried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StorageError {
    /// The disk failed. After it, nothing is known of what the failed call wrote.
    Disk(DiskError),
    /// An earlier call failed; this storage takes no more.
    Dead,
    /// An option makes no sense.
    InvalidOption {
        /// Which one.
        field: &'static str,
        /// Its value.
        value: u64,
        /// What would be right.
        expected: &'static str,
    },
    /// The directory was never formatted, or not to the end.
    NotFormatted {
        /// A file of a node that stands in it nevertheless.
        found: Option<String>,
        /// A file that is none of a node's.
        foreign: Option<String>,
    },
    /// Formatting was asked for where something is already.
    NotEmpty {
        /// A file that stands there.
        found: String,
    },
    /// The files belong to another node or another cluster.
    Foreign {
        /// Which file says so.
        file: String,
        /// Whose it is.
        found: Identity,
        /// Who asks.
        expected: Identity,
    },
    /// A file has another format than this build reads.
    UnknownVersion {
        /// Which file.
        file: String,
        /// Its version.
        found: u32,
    },
    /// Bytes that were durable are not what was written.
    Damaged {
        /// In which file.
        file: String,
        /// Where in it.
        offset: u64,
        /// The entry that is hit, where its name could still be read.
        position: Option<LogPosition>,
        /// What is wrong.
        what: &'static str,
    },
}

impl StorageError {
    pub(crate) fn damaged(file: &str, offset: u64, what: &'static str) -> Self {
        Self::Damaged { file: file.to_owned(), offset, position: None, what }
    }
}

impl From<DiskError> for StorageError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(error) => error.fmt(f),
            Self::Dead => f.write_str("an earlier write failed; restart the node, so that it recovers from its disk"),
            Self::InvalidOption { field, value, expected } => write!(f, "{field} is {value}; expected {expected}"),
            Self::NotFormatted { found: None, foreign: None } => {
                f.write_str("the directory is empty: mount the file system that holds the node's files; a new node needs an explicit format, and one that lost its disk must come back as a new member")
            }
            Self::NotFormatted { found: None, foreign: Some(file) } => write!(
                f,
                "this is no data directory: it holds {file}, which is no file of a node, and no `identity`; give the directory of a node, or an empty one to format"
            ),
            Self::NotFormatted { found: Some(file), foreign: None } => write!(
                f,
                "the directory holds {file} but no `identity`: its formatting was not finished, or the identity was lost; empty it and format a new member"
            ),
            Self::NotFormatted { found: Some(file), foreign: Some(other) } => write!(
                f,
                "the directory holds {file} but no `identity`: its formatting was not finished, or the identity was lost; it holds {other} as well, which is no file of a node: see whose that is, and format a new member elsewhere"
            ),
            Self::NotEmpty { found } => {
                write!(f, "the directory holds {found}; only an empty directory can be formatted")
            }
            Self::Foreign { file, found, expected } => {
                write!(f, "{file} belongs to {found}; this is {expected}: check the directory and the configuration")
            }
            Self::UnknownVersion { file, found } => {
                write!(f, "{file} has format {found}; this build reads format {FORMAT_VERSION}")
            }
            Self::Damaged { file, offset, position, what } => {
                write!(f, "{file} at byte {offset}")?;
                if let Some(position) = position {
                    write!(f, ", {position}")?;
                }
                write!(f, ": {what}. {REMEDY}")
            }
        }
    }
}

impl std::error::Error for StorageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Disk(error) => Some(error),
            Self::Dead
            | Self::InvalidOption { .. }
            | Self::NotFormatted { .. }
            | Self::NotEmpty { .. }
            | Self::Foreign { .. }
            | Self::UnknownVersion { .. }
            | Self::Damaged { .. } => None,
        }
    }
}
