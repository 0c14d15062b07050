//! What a message may at most be, checked before anything is allocated for it.
//!
//! The bound on bytes alone is not enough: an empty entry takes two bytes on the wire and some fifty in
//! memory, so that entries are counted first. A core is to be configured so that it meets neither:
//! [`check_config`] says whether it is.

use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use squall_raft::{Config, ConfigError};

use crate::DecodeError;
use crate::schema::tag;

/// The longest body of a frame, in bytes.
pub const MAX_BODY_BYTES: u32 = 64 << 20;

/// The most entries of one message.
pub const MAX_ENTRIES: u32 = 1 << 20;

/// The most that `max_message_bytes`, `max_proposal_bytes` and `max_snapshot_chunk_bytes` of a core may be. An entry counts there for
/// [`ENTRY_OVERHEAD_BYTES`](squall_raft::ENTRY_OVERHEAD_BYTES) beside its payload, and takes no more here, so that
/// neither bound is met.
pub const MAX_CONFIG_BYTES: u64 = 32 << 20;

/// Checks that whatever a core of this configuration sends fits into a frame. All replicas are to be bounded alike:
/// each passes on what another has proposed.
///
/// # Errors
/// Names the field that is too large.
pub fn check_config(config: &Config) -> Result<(), ConfigError> {
    let fields = [
        ("max_message_bytes", config.max_message_bytes),
        ("max_proposal_bytes", config.max_proposal_bytes),
        ("max_snapshot_chunk_bytes", config.max_snapshot_chunk_bytes),
    ];
    for (field, value) in fields {
        if value > MAX_CONFIG_BYTES {
            let expected = "at most 2^25 bytes, so that each message fits into a frame";
            return Err(ConfigError { field, value, expected });
        }
    }
    Ok(())
}

/// Where a body may hold many of something: the tag of the kind, and that of the field in it.
const LISTS: [(u32, u32); 4] = [
    (tag::APPEND_ENTRIES, tag::ENTRIES),
    (tag::REPAIR_REQUEST, tag::LACKING),
    (tag::REPAIR_RESPONSE, tag::ANSWERS),
    (tag::REPAIR_RESPONSE, tag::REPAIRS),
];

/// Refuses a body with more than [`MAX_ENTRIES`] entries, or names of entries, wherever in it they are hidden.
pub(crate) fn check_entry_count(body: &[u8]) -> Result<(), DecodeError> {
    let mut count = 0;
    for (kind, list) in LISTS {
        for_each_nested(body, kind, |nested| {
            for_each_nested(nested, list, |_| {
                count += 1;
                if count > MAX_ENTRIES {
                    return Err(DecodeError::TooManyEntries { max: u64::from(MAX_ENTRIES) });
                }
                Ok(())
            })
        })?;
    }
    Ok(())
}

/// Visits the bytes of each length-delimited field `tag` of one protobuf message, in the order in which the
/// decoder proper will meet them, and stops where that one will: at the first malformed field.
fn for_each_nested(
    mut message: &[u8],
    tag: u32,
    mut visit: impl FnMut(&[u8]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    while !message.is_empty() {
        let (field, wire_type) = decode_key(&mut message)?;
        if field != tag || wire_type != WireType::LengthDelimited {
            skip_field(wire_type, field, &mut message, DecodeContext::default())?;
            continue;
        }
        let length = decode_varint(&mut message)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(message.len());
        visit(&message[..length])?;
        message.advance(length);
    }
    Ok(())
}
