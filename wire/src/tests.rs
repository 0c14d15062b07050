//! Round trips, golden bytes, and what is refused.

mod golden;
mod limits;
mod properties;
mod refused;

use bytes::Bytes;
use squall_raft::{Body, Entry, LogIndex, Message, NodeId, Payload, Term};

/// A message from n1 to n2 in term 3.
fn message(body: Body) -> Message {
    Message { from: NodeId(1), to: NodeId(2), term: Term(3), body }
}

fn entry(term: u64, index: u64, payload: Payload) -> Entry {
    Entry { term: Term(term), index: LogIndex(index), payload }
}

fn command(bytes: &'static [u8]) -> Payload {
    Payload::Command(Bytes::from_static(bytes))
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    crate::encode(message, &mut bytes).expect("the message is small");
    bytes
}

/// A frame with an honest header around any body, as a hostile sender would make it.
fn framed(body: &[u8]) -> Vec<u8> {
    let mut frame = crate::frame::MARK.to_vec();
    frame.extend_from_slice(&u32::try_from(body.len()).expect("a test's body is short").to_le_bytes());
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&frame), body);
    frame.extend_from_slice(&checksum.to_le_bytes());
    frame.extend_from_slice(body);
    frame
}
