//! Reading and writing the bytes of commands and replies: a tag, then fields; byte strings with their length in front,
//! all numbers little-endian. Every value has exactly one encoding.
//!
//! Reading allocates nothing, and believes no length before it was compared with what is there.
//!
//! ```
//! use bytes::{BufMut, BytesMut};
//! use squall_replica::codec::{Reader, put_bytes};
//!
//! let mut out = BytesMut::from(&[1][..]);
//! put_bytes(&mut out, b"a name");
//! out.put_u64_le(5_000_000_000);
//! let mut reader = Reader::new(&out);
//! assert_eq!((reader.tag("command", 4)?, reader.bytes("name")?), (1, &b"a name"[..]));
//! assert_eq!(reader.u64("inode")?, 5_000_000_000);
//! reader.finish()?;
//! # Ok::<(), squall_replica::codec::DecodeError>(())
//! ```

use std::fmt;

use bytes::{BufMut, BytesMut};

/// Bytes that are no command or no reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DecodeError {
    /// They end too early.
    Truncated {
        /// The field that is not whole.
        field: &'static str,
        /// Bytes that it takes.
        expected: u64,
        /// Bytes that are left.
        found: u64,
    },
    /// A tag or a flag with a value that means nothing.
    UnknownTag {
        /// The field.
        field: &'static str,
        /// What was found.
        found: u8,
        /// The highest value that has a meaning.
        max: u8,
    },
    /// They go on after the end.
    TrailingBytes {
        /// How many there are too many.
        count: u64,
    },
}

/// Reads fields from the front of a slice.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads these bytes from their beginning.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// One byte of at most `max`.
    ///
    /// # Errors
    /// Names the field, and says what is wrong with it.
    pub fn tag(&mut self, field: &'static str, max: u8) -> Result<u8, DecodeError> {
        let found = self.take(field, 1)?[0];
        if found > max {
            return Err(DecodeError::UnknownTag { field, found, max });
        }
        Ok(found)
    }

    /// One byte, 0 or 1.
    ///
    /// # Errors
    /// Names the field, and says what is wrong with it.
    pub fn flag(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        Ok(self.tag(field, 1)? == 1)
    }

    /// A number of four bytes.
    ///
    /// # Errors
    /// Names the field, and says what is wrong with it.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// A number of eight bytes.
    ///
    /// # Errors
    /// Names the field, and says what is wrong with it.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// A length, and so many bytes.
    ///
    /// # Errors
    /// Names the field, and says what is wrong with it.
    pub fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = self.u32(field)?;
        self.take(field, u64::from(length))
    }

    /// A flag, and a byte string where it is set.
    ///
    /// # Errors
    /// Names the field, and says what is wrong with it.
    pub fn optional_bytes(&mut self, field: &'static str) -> Result<Option<&'a [u8]>, DecodeError> {
        if self.flag(field)? { self.bytes(field).map(Some) } else { Ok(None) }
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Says how much is.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() as u64 {
            0 => Ok(()),
            count => Err(DecodeError::TrailingBytes { count }),
        }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(field, N as u64)?);
        Ok(array)
    }

    fn take(&mut self, field: &'static str, expected: u64) -> Result<&'a [u8], DecodeError> {
        let found = self.rest.len() as u64;
        if expected > found {
            return Err(DecodeError::Truncated { field, expected, found });
        }
        // No truncation: it is at most a length in memory.
        let (taken, rest) = self.rest.split_at(expected as usize);
        self.rest = rest;
        Ok(taken)
    }
}

/// Bytes that a byte string takes.
#[must_use]
pub fn encoded_len(bytes: &[u8]) -> usize {
    4 + bytes.len()
}

/// Writes a length, and so many bytes.
///
/// # Panics
/// Where `bytes` is 4 GiB or longer, which no log entry can be.
pub fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32_le(u32::try_from(bytes.len()).expect("no field of a log entry reaches 4 GiB"));
    out.put_slice(bytes);
}

/// Writes a flag, and the byte string where there is one.
pub fn put_optional_bytes(out: &mut BytesMut, bytes: Option<&[u8]>) {
    out.put_u8(u8::from(bytes.is_some()));
    if let Some(bytes) = bytes {
        put_bytes(out, bytes);
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { field, expected, found } => {
                write!(f, "{field} takes {expected} bytes; {found} are left")
            }
            Self::UnknownTag { field, found, max } => write!(f, "{field} is {found}; expected 0 to {max}"),
            Self::TrailingBytes { count } => write!(f, "{count} bytes follow the end"),
        }
    }
}

impl std::error::Error for DecodeError {}
