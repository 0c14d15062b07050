//! What the key-value machine answers, and its bytes.

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::{DecodeError, Reader, encoded_len, put_bytes};

/// An answer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reply {
    /// To `Get`: the value, where there is one.
    Value(Option<Bytes>),
    /// To `Put`, `Append` and `Delete`.
    Done,
    /// To `CompareAndSet`: whether the value was as expected, and is the new one now.
    Swapped(bool),
    /// To what is no command: nothing changed.
    Malformed,
}

const NO_VALUE: u8 = 0;
const VALUE: u8 = 1;
const DONE: u8 = 2;
const NOT_SWAPPED: u8 = 3;
const SWAPPED: u8 = 4;
const MALFORMED: u8 = 5;

impl Reply {
    /// Its bytes. Only a value takes an allocation.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        Bytes::from_static(match self {
            Self::Value(value) => return Self::encode_value(value.as_deref()),
            Self::Done => &[DONE],
            Self::Swapped(false) => &[NOT_SWAPPED],
            Self::Swapped(true) => &[SWAPPED],
            Self::Malformed => &[MALFORMED],
        })
    }

    /// The bytes of a `Value`, of which nothing is owned.
    pub(super) fn encode_value(value: Option<&[u8]>) -> Bytes {
        let Some(value) = value else { return Bytes::from_static(&[NO_VALUE]) };
        let mut out = BytesMut::with_capacity(1 + encoded_len(value));
        out.put_u8(VALUE);
        put_bytes(&mut out, value);
        out.freeze()
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// Says what is wrong with the bytes, and where.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let reply = match reader.tag("reply", MALFORMED)? {
            NO_VALUE => Self::Value(None),
            VALUE => Self::Value(Some(Bytes::copy_from_slice(reader.bytes("value")?))),
            DONE => Self::Done,
            NOT_SWAPPED => Self::Swapped(false),
            SWAPPED => Self::Swapped(true),
            _ => Self::Malformed,
        };
        reader.finish()?;
        Ok(reply)
    }
}
