//! The state machine of these tests: the entries that it was given, and their bytes, which are its snapshots.

use std::fmt;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use squall_raft::{Configuration, Entry, LogPosition, Payload, SnapshotAction, SnapshotId};

/// Stands where the length of a command plus one stands, which is less.
const CONFIGURATION: u8 = 255;

pub(crate) fn encode(entries: &[Entry]) -> Bytes {
    let mut bytes = BytesMut::new();
    for entry in entries {
        bytes.put_u64(entry.term.0);
        bytes.put_u64(entry.index.0);
        match &entry.payload {
            Payload::Noop => bytes.put_u8(0),
            Payload::Withheld => panic!("{} was applied without its data", entry.position()),
            Payload::Command(data) => {
                bytes.put_u8(1 + u8::try_from(data.len()).expect("a short command"));
                bytes.put_slice(data);
            }
            Payload::Configuration(configuration) => {
                let mut encoded = Vec::new();
                configuration.encode(&mut encoded);
                bytes.put_u8(CONFIGURATION);
                bytes.put_u16(u16::try_from(encoded.len()).expect("at most 64 members"));
                bytes.put_slice(&encoded);
            }
        }
    }
    bytes.freeze()
}

pub(crate) fn decode(bytes: &Bytes) -> Vec<Entry> {
    let mut rest = bytes.clone();
    let mut entries = Vec::new();
    while rest.has_remaining() {
        let LogPosition { term, index } = LogPosition::new(rest.get_u64(), rest.get_u64());
        let payload = match rest.get_u8() {
            0 => Payload::Noop,
            CONFIGURATION => {
                let length = usize::from(rest.get_u16());
                let configuration = Configuration::decode(&rest.split_to(length));
                Payload::Configuration(Arc::new(configuration.expect("as it was encoded")))
            }
            length => Payload::Command(rest.split_to(usize::from(length) - 1)),
        };
        entries.push(Entry { term, index, payload });
    }
    entries
}

/// The name of the snapshot that has these bytes (its checksum is FNV-1a).
pub(crate) fn name(last: LogPosition, bytes: &[u8]) -> SnapshotId {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let checksum = bytes.iter().fold(0xcbf2_9ce4_8422_2325, step);
    SnapshotId { last, bytes: bytes.len() as u64, checksum }
}

/// What a node does with a snapshot, in words.
pub(crate) struct Shown<'a>(pub(crate) &'a SnapshotAction);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SnapshotAction::Read { to, snapshot, offset, max_bytes } => {
                write!(f, "reads {snapshot} from {offset}, {max_bytes} bytes, for {to}")
            }
            SnapshotAction::Store { snapshot, offset, data } => {
                write!(f, "stores {snapshot} from {offset}, {} bytes of {}", data.len(), snapshot.bytes)
            }
            SnapshotAction::TakePosition { last, index, configuration } => {
                write!(f, "takes a snapshot of {last} without data; since {index}: {configuration}")
            }
            SnapshotAction::Restore(snapshot) => write!(f, "restores {snapshot}"),
        }
    }
}
