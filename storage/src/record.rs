//! Records and their slots, byte by byte. Little-endian, fixed layout.
//!
//! A record is a header, a payload, and a CRC32C over both. Its slot repeats the header and says where the record
//! is and what its checksum is, so that either can stand in for the other's damage. All checksums begin from the
//! segment's salt: bytes of another segment never validate.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use squall_raft::{Configuration, Entry, LogPosition, Payload};

use crate::pages::Pages;

pub(crate) const HEADER_BYTES: u64 = 48;
pub(crate) const CRC_BYTES: u64 = 4;
/// What a record takes beside its payload.
pub(crate) const RECORD_OVERHEAD_BYTES: u64 = HEADER_BYTES + CRC_BYTES;
pub(crate) const SLOT_BYTES: u64 = 64;
/// No log goes so far, and no sum of two indices wraps around.
pub(crate) const INDEX_END: u64 = 1 << 62;

/// What a record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Noop,
    Command,
    /// Removes the entries from its index on. Its term is that of the entry which is the last then, so that the log can
    /// be read from any segment on.
    Truncate,
    /// Its payload is the core's own encoding, and stands in its slot, too.
    Configuration,
    /// Discards the whole log, which begins anew after the position that it names.
    Reset,
    /// An entry whose data was not told to this node, a witness.
    Withheld,
    /// A command whose data was lost before the record was written; it never gets a checksum again. A *doubtful* one was of
    /// the last group when that was found: perhaps the data never was there.
    Lost {
        is_doubtful: bool,
    },
    /// The data of a command that was lost.
    Repaired,
}

impl Kind {
    /// In the order of their numbers.
    const ALL: [Self; 9] = [
        Self::Noop,
        Self::Command,
        Self::Truncate,
        Self::Configuration,
        Self::Reset,
        Self::Withheld,
        Self::Lost { is_doubtful: false },
        Self::Lost { is_doubtful: true },
        Self::Repaired,
    ];

    fn number(self) -> u32 {
        match self {
            Self::Noop => 1,
            Self::Command => 2,
            Self::Truncate => 3,
            Self::Configuration => 4,
            Self::Reset => 5,
            Self::Withheld => 6,
            Self::Lost { is_doubtful: false } => 7,
            Self::Lost { is_doubtful: true } => 8,
            Self::Repaired => 9,
        }
    }

    fn of_number(number: u32) -> Option<Self> {
        Self::ALL.get((number as usize).checked_sub(1)?).copied()
    }

    /// Whether it is an entry of which only the name is known.
    pub(crate) fn is_lost(self) -> bool {
        matches!(self, Self::Lost { .. })
    }
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

/// Names a record from afar. Of a configuration it holds all: a node that knows that there is one knows which.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Slot {
    pub(crate) header: Header,
    /// Where the record begins in the file.
    pub(crate) offset: u64,
    pub(crate) record_crc: u32,
    /// Of a configuration the record's payload.
    pub(crate) payload: Bytes,
    /// Whether the record can be read, too. Not on disk: it is what was found.
    pub(crate) has_record: bool,
}

impl Header {
    pub(crate) fn record_bytes(&self) -> u64 {
        RECORD_OVERHEAD_BYTES + u64::from(self.payload_bytes)
    }

    /// What its slot takes.
    pub(crate) fn slot_bytes(&self) -> u64 {
        slot_bytes(self.kind == Kind::Configuration, u64::from(self.payload_bytes))
    }

    fn encode(&self) -> [u8; HEADER_BYTES as usize] {
        let mut bytes = [0; HEADER_BYTES as usize];
        let mut out = &mut bytes[..];
        out.put_u32_le(self.payload_bytes);
        out.put_u32_le(self.kind.number());
        out.put_u32_le(self.ordinal);
        out.put_u32_le(self.count);
        out.put_u64_le(self.sequence);
        out.put_u64_le(self.group);
        out.put_u64_le(self.position.term.0);
        out.put_u64_le(self.position.index.0);
        bytes
    }

    /// The header at the front of `bytes`, where they can be one; whether they are, the checksum tells.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() < HEADER_BYTES as usize {
            return None;
        }
        let payload_bytes = bytes.get_u32_le();
        let kind = Kind::of_number(bytes.get_u32_le())?;
        let (ordinal, count) = (bytes.get_u32_le(), bytes.get_u32_le());
        let (sequence, group) = (bytes.get_u64_le(), bytes.get_u64_le());
        let position = LogPosition::new(bytes.get_u64_le(), bytes.get_u64_le());
        let is_sound = ordinal < count
            && position.index.0 < INDEX_END
            && sequence > u64::from(ordinal)
            && group > 0
            && (payload_bytes == 0 || matches!(kind, Kind::Command | Kind::Configuration | Kind::Repaired));
        is_sound.then_some(Self { payload_bytes, kind, ordinal, count, sequence, group, position })
    }
}

impl Slot {
    /// What it tells where its record cannot be read: all, but for the data of a command.
    pub(crate) fn without_record(mut self) -> Self {
        self.has_record = false;
        if self.header.payload_bytes > 0 && matches!(self.header.kind, Kind::Command | Kind::Repaired) {
            self.header.kind = Kind::Lost { is_doubtful: false };
        }
        self
    }

    fn encode(&self, seed: u32, out: &mut Pages) {
        let start = out.used();
        let mut bytes = [0; SLOT_BYTES as usize];
        let (head, crc) = bytes.split_at_mut((SLOT_BYTES - CRC_BYTES) as usize);
        head[..HEADER_BYTES as usize].copy_from_slice(&self.header.encode());
        let mut rest = &mut head[HEADER_BYTES as usize..];
        rest.put_u64_le(self.offset);
        rest.put_u32_le(self.record_crc);
        let checksum = slot_checksum(seed, head, &self.payload);
        crc.copy_from_slice(&checksum.to_le_bytes());
        out.push(&bytes);
        out.push(&self.payload);
        out.push_zeros_to(start + self.header.slot_bytes() as usize);
    }

    /// How long the slot at the front of `bytes` is, where that can be one.
    pub(crate) fn length(bytes: &[u8]) -> Option<u64> {
        Header::decode(bytes).map(|header| header.slot_bytes())
    }

    /// The slot at the front of `bytes`, if its checksum holds.
    pub(crate) fn decode(seed: u32, bytes: &[u8]) -> Option<Self> {
        let (slot, mut crc) = bytes.get(..SLOT_BYTES as usize)?.split_at((SLOT_BYTES - CRC_BYTES) as usize);
        let header = Header::decode(slot)?;
        let in_slot = if header.kind == Kind::Configuration { header.payload_bytes as usize } else { 0 };
        let payload = bytes[SLOT_BYTES as usize..].get(..in_slot)?;
        if crc.get_u32_le() != slot_checksum(seed, slot, payload) {
            return None;
        }
        let mut rest = &slot[HEADER_BYTES as usize..];
        let (offset, record_crc) = (rest.get_u64_le(), rest.get_u32_le());
        let payload = if payload.is_empty() { Bytes::new() } else { Bytes::copy_from_slice(payload) };
        Some(Self { header, offset, record_crc, payload, has_record: true })
    }
}

/// The checksum of a slot; as a rule there is no payload in it.
fn slot_checksum(seed: u32, head: &[u8], payload: &[u8]) -> u32 {
    let checksum = crc32c::crc32c_append(seed, head);
    if payload.is_empty() { checksum } else { crc32c::crc32c_append(checksum, payload) }
}

/// What the slot of a record takes.
pub(crate) fn slot_bytes(is_configuration: bool, payload_bytes: u64) -> u64 {
    SLOT_BYTES + if is_configuration { payload_bytes.next_multiple_of(SLOT_BYTES) } else { 0 }
}

/// Where the checksums of a segment begin.
pub(crate) fn seed(salt: u64) -> u32 {
    crc32c::crc32c(&salt.to_le_bytes())
}

/// A group in the making: the bytes for both regions. Reused from group to group.
#[derive(Clone, Default, Debug)]
pub(crate) struct Encoder {
    pub(crate) records: Pages,
    pub(crate) slots: Pages,
}

impl Encoder {
    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.slots.clear();
    }

    /// Fills up the last pages, so that the system need not read them before they are written.
    pub(crate) fn fill_pages(&mut self) {
        self.records.fill();
        self.slots.fill();
    }

    /// Appends a record and its slot; `start` is where the group's records begin in the file.
    pub(crate) fn push(&mut self, header: Header, payload: &[u8], start: u64, seed: u32) -> Slot {
        assert_eq!(
            u64::from(header.payload_bytes),
            payload.len() as u64,
            "a header tells its payload's length"
        );
        let begin = self.records.used();
        self.records.push(&header.encode());
        self.records.push(payload);
        let record_crc = crc32c::crc32c_append(seed, &self.records[begin..self.records.used()]);
        self.records.push(&record_crc.to_le_bytes());
        let is_in_slot = header.kind == Kind::Configuration;
        let payload = if is_in_slot { Bytes::copy_from_slice(payload) } else { Bytes::new() };
        let offset = start + begin as u64;
        let slot = Slot { header, offset, record_crc, payload, has_record: true };
        slot.encode(seed, &mut self.slots);
        slot
    }
}

/// A whole record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) header: Header,
    pub(crate) payload: Bytes,
}

/// Decodes a whole record, if its checksum holds. The payload shares memory with `record`.
pub(crate) fn decode(seed: u32, record: &Bytes) -> Option<Record> {
    let header = Header::decode(record)?;
    if header.record_bytes() != record.len() as u64 {
        return None;
    }
    let body_end = record.len() - CRC_BYTES as usize;
    let crc = (&record[body_end..]).get_u32_le();
    let is_intact = crc == crc32c::crc32c_append(seed, &record[..body_end]);
    is_intact.then(|| Record { header, payload: record.slice(HEADER_BYTES as usize..body_end) })
}

impl Record {
    /// What a slot tells of a record that cannot be read.
    pub(crate) fn of_slot(slot: &Slot) -> Self {
        let payload = slot.payload.clone();
        Self { header: Header { payload_bytes: payload.len() as u32, ..slot.header }, payload }
    }

    /// The entry that it holds, if it holds one.
    pub(crate) fn into_entry(self) -> Option<Entry> {
        let LogPosition { term, index } = self.header.position;
        let payload = match self.header.kind {
            Kind::Noop => Payload::Noop,
            Kind::Withheld => Payload::Withheld,
            Kind::Command | Kind::Repaired => Payload::Command(self.payload),
            Kind::Configuration => {
                Payload::Configuration(Arc::new(Configuration::decode(&self.payload).ok()?))
            }
            Kind::Truncate | Kind::Reset | Kind::Lost { .. } => return None,
        };
        Some(Entry { term, index, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_number_that_leads_back_to_it() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_number(kind.number()), Some(kind));
        }
        assert_eq!([0, 13, u32::MAX].map(Kind::of_number), [None; 3]);
    }
}
