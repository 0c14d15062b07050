//! Records and their slots, byte by byte. Little-endian, fixed layout.
//!
//! A record is a header, a payload, and a CRC32C over both. Its slot repeats the header and says where the record
//! is and what its checksum is, so that either can stand in for the other's damage. All checksums begin from the
//! segment's salt: bytes of another segment never validate.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use squall_raft::{Configuration, Entry, LogPosition, Payload};

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
    /// An entry with data.
    Entry(Data),
    /// Removes the entries from its index on. Its term is that of the entry which is the last then, so that the log can
    /// be read from any segment on.
    Truncate,
    /// Discards the whole log, which begins anew after the position that it names.
    Reset,
    /// An entry whose data was not told to this node, a witness.
    Withheld,
    /// An entry whose data was lost before the record was written; it never gets a checksum again. A *doubtful* one was of
    /// the last group when that was found: perhaps the data never was there.
    Lost {
        data: Data,
        is_doubtful: bool,
    },
    /// The data of an entry that was lost.
    Repaired(Data),
}

/// What an entry's data is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Data {
    Command,
    /// In the core's own encoding.
    Configuration,
}

impl Kind {
    /// In the order of their numbers.
    const ALL: [Self; 12] = [
        Self::Noop,
        Self::Entry(Data::Command),
        Self::Truncate,
        Self::Entry(Data::Configuration),
        Self::Reset,
        Self::Withheld,
        Self::Lost { data: Data::Command, is_doubtful: false },
        Self::Lost { data: Data::Configuration, is_doubtful: false },
        Self::Lost { data: Data::Command, is_doubtful: true },
        Self::Lost { data: Data::Configuration, is_doubtful: true },
        Self::Repaired(Data::Command),
        Self::Repaired(Data::Configuration),
    ];

    fn number(self) -> u32 {
        match self {
            Self::Noop => 1,
            Self::Entry(Data::Command) => 2,
            Self::Truncate => 3,
            Self::Entry(Data::Configuration) => 4,
            Self::Reset => 5,
            Self::Withheld => 6,
            Self::Lost { data: Data::Command, is_doubtful: false } => 7,
            Self::Lost { data: Data::Configuration, is_doubtful: false } => 8,
            Self::Lost { data: Data::Command, is_doubtful: true } => 9,
            Self::Lost { data: Data::Configuration, is_doubtful: true } => 10,
            Self::Repaired(Data::Command) => 11,
            Self::Repaired(Data::Configuration) => 12,
        }
    }

    fn of_number(number: u32) -> Option<Self> {
        Self::ALL.get((number as usize).checked_sub(1)?).copied()
    }

    /// What is left of it without its data.
    pub(crate) fn without_data(self, is_doubtful: bool) -> Self {
        match self {
            Self::Entry(data) | Self::Repaired(data) | Self::Lost { data, .. } => {
                Self::Lost { data, is_doubtful }
            }
            Self::Noop | Self::Truncate | Self::Reset | Self::Withheld => self,
        }
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

/// Names a record from afar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Slot {
    pub(crate) header: Header,
    /// Where the record begins in the file.
    pub(crate) offset: u64,
    pub(crate) record_crc: u32,
    /// Whether the record can be read, too. Not on disk: it is what was found.
    pub(crate) has_record: bool,
}

impl Header {
    pub(crate) fn record_bytes(&self) -> u64 {
        RECORD_OVERHEAD_BYTES + u64::from(self.payload_bytes)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32_le(self.payload_bytes);
        out.put_u32_le(self.kind.number());
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
        let kind = Kind::of_number(bytes.get_u32_le())?;
        let (ordinal, count) = (bytes.get_u32_le(), bytes.get_u32_le());
        let (sequence, group) = (bytes.get_u64_le(), bytes.get_u64_le());
        let position = LogPosition::new(bytes.get_u64_le(), bytes.get_u64_le());
        let is_sound = ordinal < count
            && position.index.0 < INDEX_END
            && sequence > u64::from(ordinal)
            && group > 0
            && (payload_bytes == 0 || matches!(kind, Kind::Entry(_) | Kind::Repaired(_)));
        is_sound.then_some(Self { payload_bytes, kind, ordinal, count, sequence, group, position })
    }
}

impl Slot {
    /// What it tells where its record cannot be read: all, where there was no data.
    pub(crate) fn without_record(mut self) -> Self {
        self.has_record = false;
        if self.header.payload_bytes > 0 {
            self.header.kind = self.header.kind.without_data(false);
        }
        self
    }

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
        Some(Self { header, offset: rest.get_u64_le(), record_crc: rest.get_u32_le(), has_record: true })
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

    /// Appends a record and its slot; `start` is where the group's records begin in the file.
    pub(crate) fn push(&mut self, header: Header, payload: &[u8], start: u64, seed: u32) -> Slot {
        assert_eq!(
            u64::from(header.payload_bytes),
            payload.len() as u64,
            "a header tells its payload's length"
        );
        let begin = self.records.len();
        header.encode(&mut self.records);
        self.records.extend_from_slice(payload);
        let record_crc = crc32c::crc32c_append(seed, &self.records[begin..]);
        self.records.put_u32_le(record_crc);
        let slot = Slot { header, offset: start + begin as u64, record_crc, has_record: true };
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
    /// What a record without data says, for its slot says all of it.
    pub(crate) fn of_slot(slot: &Slot) -> Self {
        Self { header: Header { payload_bytes: 0, ..slot.header }, payload: Bytes::new() }
    }

    /// The entry that it holds, if it holds one.
    pub(crate) fn into_entry(self) -> Option<Entry> {
        let LogPosition { term, index } = self.header.position;
        let payload = match self.header.kind {
            Kind::Noop => Payload::Noop,
            Kind::Withheld => Payload::Withheld,
            Kind::Entry(Data::Command) | Kind::Repaired(Data::Command) => Payload::Command(self.payload),
            Kind::Entry(Data::Configuration) | Kind::Repaired(Data::Configuration) => {
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
