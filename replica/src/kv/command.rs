//! What a client can ask of the key-value machine, and its bytes.

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::{DecodeError, Reader, encoded_len, put_bytes, put_optional_bytes};

/// A command, over owned bytes or (as [`Command::borrow`] gives it) over the bytes that it was read from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Command<B = Bytes> {
    /// Reads the key's value.
    Get {
        /// The key.
        key: B,
    },
    /// Sets the key's value.
    Put {
        /// The key.
        key: B,
        /// Its new value.
        value: B,
    },
    /// Sets the key's value if it is as expected.
    CompareAndSet {
        /// The key.
        key: B,
        /// The value it must have; `None` where it must have none.
        expected: Option<B>,
        /// Its new value.
        value: B,
    },
    /// Adds to the end of the key's value; a key without one gets it.
    Append {
        /// The key.
        key: B,
        /// What to add.
        value: B,
    },
    /// Removes the key.
    Delete {
        /// The key.
        key: B,
    },
}

const GET: u8 = 0;
const PUT: u8 = 1;
const COMPARE_AND_SET: u8 = 2;
const APPEND: u8 = 3;
const DELETE: u8 = 4;

impl Command {
    /// Reads a command and copies its fields.
    ///
    /// # Errors
    /// Says what is wrong with the bytes, and where.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let copy = Bytes::copy_from_slice;
        Ok(match Command::borrow(bytes)? {
            Command::Get { key } => Self::Get { key: copy(key) },
            Command::Put { key, value } => Self::Put { key: copy(key), value: copy(value) },
            Command::CompareAndSet { key, expected, value } => {
                Self::CompareAndSet { key: copy(key), expected: expected.map(copy), value: copy(value) }
            }
            Command::Append { key, value } => Self::Append { key: copy(key), value: copy(value) },
            Command::Delete { key } => Self::Delete { key: copy(key) },
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
        let tag = reader.tag("command", DELETE)?;
        let key = reader.bytes("key")?;
        let command = match tag {
            GET => Self::Get { key },
            PUT => Self::Put { key, value: reader.bytes("value")? },
            COMPARE_AND_SET => Self::CompareAndSet {
                key,
                expected: reader.optional_bytes("expected")?,
                value: reader.bytes("value")?,
            },
            APPEND => Self::Append { key, value: reader.bytes("value")? },
            _ => Self::Delete { key },
        };
        reader.finish()?;
        Ok(command)
    }
}

impl<B: AsRef<[u8]>> Command<B> {
    /// The key that it is about.
    pub fn key(&self) -> &B {
        match self {
            Self::Get { key }
            | Self::Put { key, .. }
            | Self::CompareAndSet { key, .. }
            | Self::Append { key, .. }
            | Self::Delete { key } => key,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.encoded_len());
        match self {
            Self::Get { key } => put_head(&mut out, GET, key),
            Self::Put { key, value } => {
                put_head(&mut out, PUT, key);
                put_bytes(&mut out, value.as_ref());
            }
            Self::CompareAndSet { key, expected, value } => {
                put_head(&mut out, COMPARE_AND_SET, key);
                put_optional_bytes(&mut out, expected.as_ref().map(B::as_ref));
                put_bytes(&mut out, value.as_ref());
            }
            Self::Append { key, value } => {
                put_head(&mut out, APPEND, key);
                put_bytes(&mut out, value.as_ref());
            }
            Self::Delete { key } => put_head(&mut out, DELETE, key),
        }
        out.freeze()
    }

    fn encoded_len(&self) -> usize {
        let len = |bytes: &B| encoded_len(bytes.as_ref());
        1 + match self {
            Self::Get { key } | Self::Delete { key } => len(key),
            Self::Put { key, value } | Self::Append { key, value } => len(key) + len(value),
            Self::CompareAndSet { key, expected, value } => {
                len(key) + 1 + expected.as_ref().map_or(0, len) + len(value)
            }
        }
    }
}

fn put_head(out: &mut BytesMut, tag: u8, key: &impl AsRef<[u8]>) {
    out.put_u8(tag);
    put_bytes(out, key.as_ref());
}
