//! Why bytes are no message, or a message fits no frame.

use std::fmt;

use squall_raft::ConfigurationError;

/// Why a frame was refused.
///
/// After [`Incomplete`](Self::Incomplete) a reader waits for more bytes. After any other error the stream
/// has lost its frame boundaries, or its sender is not to be trusted: close it.
#[derive(Clone, PartialEq, Debug)]
pub enum DecodeError {
    /// The frame goes on beyond the bytes at hand.
    Incomplete {
        /// Bytes from the frame's first on without which nothing more can be said.
        needed: u64,
    },
    /// The bytes do not begin with a frame's mark.
    NotAFrame {
        /// What stands there instead; zeros beyond the end of the bytes.
        found: [u8; 4],
    },
    /// The frame announces a body longer than any may be.
    BodyTooLong {
        /// The announced bytes.
        length: u64,
        /// The bound.
        max: u64,
    },
    /// The frame was damaged on its way.
    ChecksumMismatch {
        /// What the frame says.
        stored: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// The message carries more entries than any may.
    TooManyEntries {
        /// The bound.
        max: u64,
    },
    /// An entry holds a configuration that can be none.
    Configuration(ConfigurationError),
    /// The body is no protobuf, or not of this schema.
    Protobuf(prost::DecodeError),
    /// A field is absent that has no meaning by its absence.
    Missing {
        /// The field, as `message.field`.
        field: &'static str,
    },
    /// None of the kinds known here: from a newer version, or left out.
    UnknownKind {
        /// Of what.
        of: &'static str,
    },
}

/// Why a message was not encoded. No bytes were written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EncodeError {
    /// Its body would be longer than any receiver accepts.
    BodyTooLong {
        /// Its bytes.
        length: u64,
        /// The bound.
        max: u64,
    },
    /// It carries more entries than any receiver accepts.
    TooManyEntries {
        /// Its entries.
        count: u64,
        /// The bound.
        max: u64,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete { needed } => {
                write!(f, "the frame is cut short: at least {needed} bytes are needed")
            }
            Self::NotAFrame { found } => {
                write!(f, "a frame begins with {:02x?}, found {found:02x?}", crate::frame::MARK)
            }
            Self::BodyTooLong { length, max } => {
                write!(f, "the frame announces a body of {length} bytes; at most {max} are accepted")
            }
            Self::ChecksumMismatch { stored, computed } => {
                write!(
                    f,
                    "the frame is damaged: its checksum says {stored:08x}, its bytes give {computed:08x}"
                )
            }
            Self::TooManyEntries { max } => {
                write!(f, "the message carries more than {max} entries, the most that are accepted")
            }
            Self::Configuration(error) => write!(f, "an entry's configuration is none: {error}"),
            Self::Protobuf(error) => write!(f, "the body is not of this schema: {error}"),
            Self::Missing { field } => write!(f, "{field} is missing"),
            Self::UnknownKind { of } => {
                write!(f, "the kind of the {of} is unknown: it comes from a newer version, or was left out")
            }
        }
    }
}

impl std::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Protobuf(error) => Some(error),
            Self::Configuration(error) => Some(error),
            Self::Incomplete { .. }
            | Self::NotAFrame { .. }
            | Self::BodyTooLong { .. }
            | Self::ChecksumMismatch { .. }
            | Self::TooManyEntries { .. }
            | Self::Missing { .. }
            | Self::UnknownKind { .. } => None,
        }
    }
}

impl From<prost::DecodeError> for DecodeError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Protobuf(error)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BodyTooLong { length, max } => {
                write!(f, "the message takes {length} bytes; at most {max} are accepted")
            }
            Self::TooManyEntries { count, max } => {
                write!(f, "the message carries {count} entries; at most {max} are accepted")
            }
        }
    }
}

impl std::error::Error for EncodeError {}
