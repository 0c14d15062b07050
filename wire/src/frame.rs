//! One message, one frame: a header of twelve bytes, then the body.
//!
//! ```text
//! 0  4  the mark: "SqW" and the version of this layout
//! 4  4  the body's length in bytes, little-endian
//! 8  4  CRC32C of the mark, the length and the body, little-endian
//! 12 .. the body: protobuf, see `schema.rs`
//! ```
//!
//! The length is checked against its bound before a byte is waited for or allocated, the checksum before a
//! byte of the body is believed. The checksum finds accidents; it does not stop an attacker.

use bytes::Bytes;
use prost::Message as _;
use squall_raft::Message;

use crate::limits::{MAX_BODY_BYTES, MAX_ENTRIES, check_entry_count};
use crate::{DecodeError, EncodeError, schema};

/// A frame's first bytes; the last of them is the layout's version.
pub(crate) const MARK: [u8; 4] = *b"SqW\x01";

/// Length of a frame's header in bytes.
pub const HEADER_BYTES: usize = 12;

/// Where the checksum stands in the header; it covers all bytes before it, and the body.
const CHECKSUM_AT: usize = 8;

/// Appends the frame of one message to `out`.
///
/// # Errors
/// Refuses what no receiver would accept; `out` is then as it was.
pub fn encode(message: &Message, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if let squall_raft::Body::AppendEntries(append) = &message.body
        && append.entries.len() > MAX_ENTRIES as usize
    {
        let count = append.entries.len() as u64;
        return Err(EncodeError::TooManyEntries { count, max: u64::from(MAX_ENTRIES) });
    }
    let body: schema::Message = message.into();
    let length = body.encoded_len() as u64;
    let length_field = u32::try_from(length)
        .ok()
        .filter(|&length| length <= MAX_BODY_BYTES)
        .ok_or(EncodeError::BodyTooLong { length, max: u64::from(MAX_BODY_BYTES) })?;

    let start = out.len();
    out.reserve(HEADER_BYTES + length_field as usize);
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&length_field.to_le_bytes());
    out.extend_from_slice(&[0; HEADER_BYTES - CHECKSUM_AT]);
    body.encode(out).expect("a Vec takes all that it has memory for");

    let frame = &mut out[start..];
    assert_eq!(frame.len() as u64, HEADER_BYTES as u64 + length, "an encoder writes what it announced");
    let checksum = checksum(frame);
    frame[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    Ok(())
}

/// Reads the frame at the head of `bytes`, and says how many bytes it took. Payloads are copied.
///
/// # Errors
/// [`DecodeError::Incomplete`] where more bytes are needed; else what is wrong with these.
pub fn decode(bytes: &[u8]) -> Result<(Message, usize), DecodeError> {
    let consumed = check_frame(bytes)?;
    let body = schema::Message::decode(&bytes[HEADER_BYTES..consumed])?;
    Ok((Message::try_from(body)?, consumed))
}

/// As [`decode`], but payloads are slices of `bytes`, not copies: they keep the whole buffer alive.
///
/// # Errors
/// The same.
pub fn decode_bytes(bytes: &Bytes) -> Result<(Message, usize), DecodeError> {
    let consumed = check_frame(bytes)?;
    let body = schema::Message::decode(bytes.slice(HEADER_BYTES..consumed))?;
    Ok((Message::try_from(body)?, consumed))
}

/// Checks all of a frame but its body's meaning, and returns its length.
fn check_frame(bytes: &[u8]) -> Result<usize, DecodeError> {
    let seen = bytes.len().min(MARK.len());
    if bytes[..seen] != MARK[..seen] {
        let mut found = [0; MARK.len()];
        found[..seen].copy_from_slice(&bytes[..seen]);
        return Err(DecodeError::NotAFrame { found });
    }
    let header: &[u8; HEADER_BYTES] =
        bytes.first_chunk().ok_or(DecodeError::Incomplete { needed: HEADER_BYTES as u64 })?;
    let length = read_u32(header, MARK.len());
    if length > MAX_BODY_BYTES {
        return Err(DecodeError::BodyTooLong { length: u64::from(length), max: u64::from(MAX_BODY_BYTES) });
    }
    let frame_bytes = HEADER_BYTES + length as usize;
    let frame = bytes.get(..frame_bytes).ok_or(DecodeError::Incomplete { needed: frame_bytes as u64 })?;
    let (stored, computed) = (read_u32(header, CHECKSUM_AT), checksum(frame));
    if stored != computed {
        return Err(DecodeError::ChecksumMismatch { stored, computed });
    }
    check_entry_count(&frame[HEADER_BYTES..])?;
    Ok(frame_bytes)
}

/// The checksum of a whole frame: of all its bytes but the checksum's own.
fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..CHECKSUM_AT]), &frame[HEADER_BYTES..])
}

fn read_u32(header: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}
