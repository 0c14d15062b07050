//! Records, byte by byte, and a group of them in the making. Little-endian, fixed layout.
//!
//! A record is a header, a payload, and a CRC32C over both; its slot names it once more (see `slot.rs`). All checksums
//! begin from the segment's salt: bytes of another segment never validate.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use squall_raft::{Configuration, Entry, LogPosition, Payload};

use crate::pages::Pages;
use crate::slot::{Brief, Cursor, Slot};

pub(crate) const HEADER_BYTES: u64 = 48;
pub(crate) const CRC_BYTES: u64 = 4;
/// What a record takes beside its payload.
pub(crate) const RECORD_OVERHEAD_BYTES: u64 = HEADER_BYTES + CRC_BYTES;
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

impl Header {
    pub(crate) fn record_bytes(&self) -> u64 {
        RECORD_OVERHEAD_BYTES + u64::from(self.payload_bytes)
    }

    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES as usize] {
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

    /// What a brief slot says of the record behind this one.
    pub(crate) fn following(&self, payload_bytes: u32) -> Option<Self> {
        let LogPosition { term, index } = self.position;
        let (ordinal, sequence) = (self.ordinal + 1, self.sequence.checked_add(1)?);
        let position = LogPosition { term, index: index.next() };
        let is_sound = ordinal < self.count
            && position.index.0 < INDEX_END
            && (payload_bytes == 0 || self.kind == Kind::Command);
        is_sound.then_some(Self { payload_bytes, ordinal, sequence, position, ..*self })
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

/// Where the checksums of a segment begin.
pub(crate) fn seed(salt: u64) -> u32 {
    crc32c::crc32c(&salt.to_le_bytes())
}

/// A group in the making: the bytes for both regions. Reused from group to group.
#[derive(Clone, Default, Debug)]
pub(crate) struct Encoder {
    pub(crate) records: Pages,
    pub(crate) slots: Pages,
    /// Where both begin in the file.
    records_at: u64,
    slots_at: u64,
    cursor: Cursor,
    seed: u32,
}

impl Encoder {
    /// Empties it.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.slots.clear();
    }

    /// Begins a group of which the slots and the records begin there in the file.
    pub(crate) fn begin(&mut self, slots_at: u64, records_at: u64, seed: u32) {
        self.clear();
        (self.slots_at, self.records_at, self.seed) = (slots_at, records_at, seed);
        self.cursor = Cursor::new(slots_at);
    }

    /// Fills up the last pages, so that the system need not read them before they are written.
    pub(crate) fn fill_pages(&mut self) {
        self.records.fill();
        self.slots.fill();
    }

    /// Appends a record and its slot.
    pub(crate) fn push(&mut self, header: Header, payload: &[u8]) -> Slot {
        assert_eq!(
            u64::from(header.payload_bytes),
            payload.len() as u64,
            "a header tells its payload's length"
        );
        let begin = self.records.used();
        self.records.push(&header.encode());
        self.records.push(payload);
        let record_crc = crc32c::crc32c_append(self.seed, &self.records[begin..self.records.used()]);
        self.records.push(&record_crc.to_le_bytes());
        let is_in_slot = header.kind == Kind::Configuration && !payload.is_empty();
        let payload = is_in_slot.then(|| Bytes::copy_from_slice(payload));
        let offset = self.records_at + begin as u64;
        let slot = Slot { header, offset, record_crc: Some(record_crc), payload, has_record: true };
        self.push_slot(&slot, record_crc);
        slot
    }

    fn push_slot(&mut self, slot: &Slot, record_crc: u32) {
        let Header { kind, position, payload_bytes, group, .. } = slot.header;
        let is_brief = self.cursor.is_brief(kind, position);
        let at = self.cursor.pass(kind, position, payload_bytes).start;
        self.slots.push_zeros_to((at - self.slots_at) as usize);
        if is_brief {
            let brief = Brief { payload_bytes, group: group as u32 };
            self.slots.push(&brief.encode(self.seed, at));
        } else {
            slot.encode(record_crc, self.seed, &mut self.slots);
        }
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
        let payload = slot.payload.clone().unwrap_or_default();
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

    #[test]
    fn a_header_that_contradicts_itself_is_none() {
        let position = LogPosition::new(1, 4);
        let sound = Header {
            payload_bytes: 9,
            kind: Kind::Command,
            ordinal: 1,
            count: 2,
            sequence: 5,
            group: 3,
            position,
        };
        let read = |header: Header| Header::decode(&header.encode());
        assert_eq!(read(sound), Some(sound));
        for wrong in [
            Header { ordinal: 2, ..sound },
            Header { position: LogPosition::new(1, INDEX_END), ..sound },
            Header { sequence: 1, ..sound },
            Header { group: 0, ..sound },
            Header { kind: Kind::Noop, ..sound },
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
