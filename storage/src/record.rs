//! Records and their slots, byte by byte. Little-endian, fixed layout.
//!
//! A record is a header, a payload, and a CRC32C over both. Its slot repeats the header and says where the record
//! is and what its checksum is, so that either can stand in for the other's damage. All checksums begin from the
//! segment's salt: bytes of another segment never validate.

use bytes::{Buf, BufMut, Bytes};
use squall_raft::{Entry, LogIndex, LogPosition, Payload, Term};

use crate::group::Operation;

pub(crate) const HEADER_BYTES: u64 = 48;
pub(crate) const CRC_BYTES: u64 = 4;
/// What a record takes beside its payload.
pub(crate) const RECORD_OVERHEAD_BYTES: u64 = HEADER_BYTES + CRC_BYTES;
pub(crate) const SLOT_BYTES: u64 = 64;

/// What a record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Noop = 1,
    Command = 2,
    /// Removes the entries from its index on; its term is 0.
    Truncate = 3,
}

/// Names a record: what it is, and its place among all records and in its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) payload_bytes: u32,
    pub(crate) kind: Kind,
    /// Its place in its group, from 0.
    pub(crate) ordinal: u32,
    /// How many records its group has.
    pub(crate) count: u32,
    /// Its place in the log's whole life, from 1; consecutive.
    pub(crate) sequence: u64,
    /// Its group's place in the log's whole life, from 1; consecutive.
    pub(crate) group: u64,
    pub(crate) position: LogPosition,
}

/// Names a record from afar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot {
    pub(crate) header: Header,
    /// Where the record begins in the file.
    pub(crate) offset: u64,
    pub(crate) record_crc: u32,
}

impl Header {
    pub(crate) fn record_bytes(&self) -> u64 {
        RECORD_OVERHEAD_BYTES + u64::from(self.payload_bytes)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32_le(self.payload_bytes);
        out.put_u32_le(self.kind as u32);
        out.put_u32_le(self.ordinal);
        out.put_u32_le(self.count);
        out.put_u64_le(self.sequence);
        out.put_u64_le(self.group);
        out.put_u64_le(self.position.term.0);
        out.put_u64_le(self.position.index.0);
    }

    /// The header at the front of `bytes`, where they can be one; whether they are, the checksum tells.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() < HEADER_BYTES as usize {
            return None;
        }
        let payload_bytes = bytes.get_u32_le();
        let kind = match bytes.get_u32_le() {
            1 => Kind::Noop,
            2 => Kind::Command,
            3 => Kind::Truncate,
            _ => return None,
        };
        let (ordinal, count) = (bytes.get_u32_le(), bytes.get_u32_le());
        let (sequence, group) = (bytes.get_u64_le(), bytes.get_u64_le());
        let position = LogPosition::new(bytes.get_u64_le(), bytes.get_u64_le());
        let is_sound = ordinal < count
            && sequence > u64::from(ordinal)
            && group > 0
            && (payload_bytes == 0 || kind == Kind::Command);
        is_sound.then_some(Self { payload_bytes, kind, ordinal, count, sequence, group, position })
    }
}

impl Slot {
    fn encode(&self, seed: u32, out: &mut Vec<u8>) {
        let start = out.len();
        self.header.encode(out);
        out.put_u64_le(self.offset);
        out.put_u32_le(self.record_crc);
        let crc = crc32c::crc32c_append(seed, &out[start..]);
        out.put_u32_le(crc);
    }

    /// The slot in `bytes`, if its checksum holds.
    pub(crate) fn decode(seed: u32, bytes: &[u8]) -> Option<Self> {
        let (slot, mut crc) = bytes.get(..SLOT_BYTES as usize)?.split_at((SLOT_BYTES - CRC_BYTES) as usize);
        let header = Header::decode(slot)?;
        if crc.get_u32_le() != crc32c::crc32c_append(seed, slot) {
            return None;
        }
        let mut rest = &slot[HEADER_BYTES as usize..];
        Some(Self { header, offset: rest.get_u64_le(), record_crc: rest.get_u32_le() })
    }
}

/// Where the checksums of a segment begin.
pub(crate) fn seed(salt: u64) -> u32 {
    crc32c::crc32c(&salt.to_le_bytes())
}

/// A group in the making: the bytes for both regions. Reused from group to group.
#[derive(Clone, Default, Debug)]
pub(crate) struct Encoder {
    pub(crate) records: Vec<u8>,
    pub(crate) slots: Vec<u8>,
}

impl Encoder {
    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.slots.clear();
    }

    /// Appends the record of `operation` and its slot. `next` is the slot's header as far as the group knows it;
    /// `start` is where the group's records begin in the file.
    pub(crate) fn push(&mut self, operation: &Operation, next: GroupPlace, start: u64, seed: u32) -> Slot {
        let (kind, position) = match operation {
            Operation::Append(entry) => match entry.payload {
                Payload::Noop => (Kind::Noop, entry.position()),
                Payload::Command(_) => (Kind::Command, entry.position()),
            },
            Operation::Truncate(index) => (Kind::Truncate, LogPosition { term: Term::ZERO, index: *index }),
        };
        let payload = operation.payload();
        let payload_bytes = u32::try_from(payload.len()).expect("a group checks its payloads");
        let GroupPlace { group, sequence, ordinal, count } = next;
        let header = Header { payload_bytes, kind, ordinal, count, sequence, group, position };

        let begin = self.records.len();
        header.encode(&mut self.records);
        self.records.extend_from_slice(payload);
        let record_crc = crc32c::crc32c_append(seed, &self.records[begin..]);
        self.records.put_u32_le(record_crc);
        let slot = Slot { header, offset: start + begin as u64, record_crc };
        slot.encode(seed, &mut self.slots);
        slot
    }
}

/// A record's place in its group, and its group's in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupPlace {
    pub(crate) group: u64,
    pub(crate) sequence: u64,
    pub(crate) ordinal: u32,
    pub(crate) count: u32,
}

/// Decodes a whole record, if its checksum holds. The payload shares memory with `record`.
pub(crate) fn decode(seed: u32, record: &Bytes) -> Option<Operation> {
    let header = Header::decode(record)?;
    if header.record_bytes() != record.len() as u64 {
        return None;
    }
    let body_end = record.len() - CRC_BYTES as usize;
    let crc = (&record[body_end..]).get_u32_le();
    if crc != crc32c::crc32c_append(seed, &record[..body_end]) {
        return None;
    }
    let LogPosition { term, index } = header.position;
    Some(match header.kind {
        Kind::Noop => Operation::Append(Entry { term, index, payload: Payload::Noop }),
        Kind::Command => {
            let data = record.slice(HEADER_BYTES as usize..body_end);
            Operation::Append(Entry { term, index, payload: Payload::Command(data) })
        }
        Kind::Truncate => Operation::Truncate(LogIndex(index.0)),
    })
}
