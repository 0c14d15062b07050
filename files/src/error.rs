//! Why a command failed. It changed nothing then, on any replica.

use std::fmt;

/// Why a command failed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Error {
    /// There is nothing of this name, or no such directory on the way to it.
    NotFound,
    /// There is something of this name already.
    Exists,
    /// A file stands where a directory should.
    NotADirectory,
    /// A directory stands where a file should.
    IsADirectory,
    /// The directory has entries.
    NotEmpty,
    /// A directory would become part of itself.
    IntoItself,
    /// The root can be neither moved nor replaced nor removed.
    IsRoot,
    /// A path begins with `/`; its names are neither empty nor `.` nor `..`, and have no zero byte.
    BadPath,
    /// A name has more bytes than are allowed.
    NameTooLong,
    /// A blob has more bytes than are allowed.
    BlobTooLarge,
    /// There are as many inodes as are allowed.
    NoSpace,
    /// The file has another version than was expected.
    OtherVersion {
        /// The one that it has.
        version: u64,
    },
    /// These bytes are no command, or no question.
    Malformed,
}

impl Error {
    /// What POSIX calls it.
    #[must_use]
    pub fn errno(self) -> &'static str {
        match self {
            Self::NotFound => "ENOENT",
            Self::Exists => "EEXIST",
            Self::NotADirectory => "ENOTDIR",
            Self::IsADirectory => "EISDIR",
            Self::NotEmpty => "ENOTEMPTY",
            Self::IntoItself | Self::BadPath | Self::Malformed => "EINVAL",
            Self::IsRoot => "EBUSY",
            Self::NameTooLong => "ENAMETOOLONG",
            Self::BlobTooLarge => "EFBIG",
            Self::NoSpace => "ENOSPC",
            Self::OtherVersion { .. } => "ESTALE",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::NotFound => "there is nothing of this name",
            Self::Exists => "there is something of this name already",
            Self::NotADirectory => "this is no directory",
            Self::IsADirectory => "this is a directory",
            Self::NotEmpty => "the directory is not empty",
            Self::IntoItself => "a directory cannot become part of itself",
            Self::IsRoot => "the root stays where it is",
            Self::BadPath => "this is no path; expected names that each follow a slash, as in /a/b",
            Self::NameTooLong => "the name is too long",
            Self::BlobTooLarge => "the blob is too large",
            Self::NoSpace => "there are as many files and directories as there may be",
            Self::OtherVersion { version } => {
                return write!(f, "ESTALE: the file has version {version}");
            }
            Self::Malformed => "these bytes are no command",
        };
        write!(f, "{}: {what}", self.errno())
    }
}

impl std::error::Error for Error {}
