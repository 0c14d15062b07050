//! Slots: what they say, and where they stand.
//!
//! A slot names a record from afar, so that either can stand in for the other's damage. A *full* one repeats the record's
//! header, and says where the record is and what its checksum is. Where entries follow one another, as most do in a large
//! group, the slots of all but the first are *brief*: how long the payload is; all else is what the record before says, one
//! further. The record before is always known where such a slot is read, from itself or from its own slot; else
//! there is a gap, and what stands behind it is nobody's. A brief slot names its group, for those who find it and nothing
//! before it, and its checksum is of its place, too: it is none anywhere else.
//!
//! Each slot stands behind the one before, and on one sector, for sectors arrive or are lost apart; but for the payload of a
//! configuration, which stands behind its slot.

use core::ops::Range;

use bytes::{Buf, BufMut, Bytes};
use squall_raft::LogPosition;

use crate::PAGE_BYTES;
use crate::pages::Pages;
use crate::record::{CRC_BYTES, HEADER_BYTES, Header, Kind};
use crate::segment::Layout;

/// What a full slot takes, without the payload of a configuration.
pub(crate) const SLOT_BYTES: u64 = 64;
/// What a brief one takes.
pub(crate) const BRIEF_BYTES: u64 = 12;
/// Slots begin at multiples of this.
pub(crate) const SLOT_ALIGNMENT: u64 = 4;
const SECTOR_BYTES: u64 = 512;

/// Names a record from afar. Of a configuration it holds all: a node that knows that there is one knows which.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Slot {
    pub(crate) header: Header,
    /// Where the record begins in the file.
    pub(crate) offset: u64,
    /// The record's checksum. A brief slot does not tell.
    pub(crate) record_crc: Option<u32>,
    /// Of a configuration the record's payload.
    pub(crate) payload: Option<Bytes>,
    /// Whether the record can be read, too. Not on disk: it is what was found.
    pub(crate) has_record: bool,
}

/// What a brief slot says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Brief {
    pub(crate) payload_bytes: u32,
    /// The lower half of its group's number.
    pub(crate) group: u32,
}

/// Goes from slot to slot of a group, in one file.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Cursor {
    /// Where the slot before ends.
    at: u64,
    /// The record before, where a brief slot may follow.
    last: Option<(Kind, LogPosition)>,
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

    /// Writes it as a full one.
    pub(crate) fn encode(&self, record_crc: u32, seed: u32, out: &mut Pages) {
        let mut bytes = [0; SLOT_BYTES as usize];
        let (head, crc) = bytes.split_at_mut((SLOT_BYTES - CRC_BYTES) as usize);
        head[..HEADER_BYTES as usize].copy_from_slice(&self.header.encode());
        let mut rest = &mut head[HEADER_BYTES as usize..];
        rest.put_u64_le(self.offset);
        rest.put_u32_le(record_crc);
        let payload = self.payload.as_deref().unwrap_or_default();
        let checksum = checksum(seed, head, payload);
        crc.copy_from_slice(&checksum.to_le_bytes());
        out.push(&bytes);
        if !payload.is_empty() {
            out.push(payload);
            out.push_zeros_to(out.used().next_multiple_of(SLOT_ALIGNMENT as usize));
        }
    }

    /// How long the full slot at the front of `bytes` is, where that can be one.
    pub(crate) fn length(bytes: &[u8]) -> Option<u64> {
        Header::decode(bytes).map(|header| full_bytes(header.kind, header.payload_bytes))
    }

    /// The full slot at the front of `bytes`, if its checksum holds.
    pub(crate) fn decode(seed: u32, bytes: &[u8]) -> Option<Self> {
        let (slot, mut crc) = bytes.get(..SLOT_BYTES as usize)?.split_at((SLOT_BYTES - CRC_BYTES) as usize);
        let header = Header::decode(slot)?;
        let in_slot = if header.kind == Kind::Configuration { header.payload_bytes as usize } else { 0 };
        let payload = bytes[SLOT_BYTES as usize..].get(..in_slot)?;
        if crc.get_u32_le() != checksum(seed, slot, payload) {
            return None;
        }
        let mut rest = &slot[HEADER_BYTES as usize..];
        let (offset, record_crc) = (rest.get_u64_le(), Some(rest.get_u32_le()));
        let payload = (!payload.is_empty()).then(|| Bytes::copy_from_slice(payload));
        Some(Self { header, offset, record_crc, payload, has_record: true })
    }
}

/// The checksum of a full slot; as a rule there is no payload in it.
fn checksum(seed: u32, head: &[u8], payload: &[u8]) -> u32 {
    let checksum = crc32c::crc32c_append(seed, head);
    if payload.is_empty() { checksum } else { crc32c::crc32c_append(checksum, payload) }
}

/// What a full slot takes.
fn full_bytes(kind: Kind, payload_bytes: u32) -> u64 {
    let in_slot = if kind == Kind::Configuration { u64::from(payload_bytes) } else { 0 };
    SLOT_BYTES + in_slot.next_multiple_of(SLOT_ALIGNMENT)
}

impl Brief {
    /// The slot that stands at `at` in its file.
    pub(crate) fn encode(self, seed: u32, at: u64) -> [u8; BRIEF_BYTES as usize] {
        let mut bytes = [0; BRIEF_BYTES as usize];
        bytes[..4].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.group.to_le_bytes());
        bytes[8..].copy_from_slice(&self.checksum(seed, at).to_le_bytes());
        bytes
    }

    /// The one at the front of `bytes`, which stand at `at` in their file, if its checksum holds.
    pub(crate) fn decode(seed: u32, at: u64, mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() < BRIEF_BYTES as usize {
            return None;
        }
        let brief = Self { payload_bytes: bytes.get_u32_le(), group: bytes.get_u32_le() };
        (bytes.get_u32_le() == brief.checksum(seed, at)).then_some(brief)
    }

    fn checksum(self, seed: u32, at: u64) -> u32 {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.group.to_le_bytes());
        bytes[8..].copy_from_slice(&at.to_le_bytes());
        crc32c::crc32c_append(seed, &bytes)
    }
}

impl Cursor {
    /// Before the first slot of a group, which begins at `at`.
    pub(crate) fn new(at: u64) -> Self {
        Self { at, last: None }
    }

    /// Where the slot before ends.
    pub(crate) fn end(&self) -> u64 {
        self.at
    }

    /// Where the next slot stands if it is a full one.
    pub(crate) fn full_at(&self) -> u64 {
        on_one_sector(self.at, SLOT_BYTES)
    }

    /// Where it stands if it is a brief one, and may be.
    pub(crate) fn brief_at(&self) -> Option<u64> {
        self.last.map(|_| on_one_sector(self.at, BRIEF_BYTES))
    }

    /// Whether a brief slot says all of this record.
    pub(crate) fn is_brief(&self, kind: Kind, position: LogPosition) -> bool {
        let follows = |(before, last): (Kind, LogPosition)| {
            kind == before && position.term == last.term && position.index == last.index.next()
        };
        self.last.is_some_and(follows)
    }

    /// Goes on behind the slot of the next record. Returns where that stands.
    pub(crate) fn pass(&mut self, kind: Kind, position: LogPosition, payload_bytes: u32) -> Range<u64> {
        let is_brief = self.is_brief(kind, position);
        let bytes = if is_brief { BRIEF_BYTES } else { full_bytes(kind, payload_bytes) };
        let start = on_one_sector(self.at, bytes.min(SLOT_BYTES));
        self.at = start + bytes;
        self.last = matches!(kind, Kind::Command | Kind::Withheld).then_some((kind, position));
        start..self.at
    }
}

/// Where so many bytes stand that come next: here, or where the next sector begins.
fn on_one_sector(at: u64, bytes: u64) -> u64 {
    let left = SECTOR_BYTES - at % SECTOR_BYTES;
    if bytes <= left { at } else { at + left }
}

/// What a group takes in both regions when it is written anew.
pub(crate) fn size_of(group: &[Slot]) -> Layout {
    let (Some(first), Some(last)) = (group.first(), group.last()) else { return Layout::NONE };
    let mut cursor = Cursor::default();
    for Slot { header, .. } in group {
        cursor.pass(header.kind, header.position, header.payload_bytes);
    }
    Layout::of_group(cursor.end(), last.offset + last.header.record_bytes() - first.offset)
}

// No slot is torn in two by a page's edge either.
const _: () = assert!(PAGE_BYTES.is_multiple_of(SECTOR_BYTES) && SECTOR_BYTES.is_multiple_of(SLOT_ALIGNMENT));

#[cfg(test)]
mod tests {
    use super::*;

    fn pass_all(kinds: &[(Kind, u64)]) -> Vec<Range<u64>> {
        let mut cursor = Cursor::new(PAGE_BYTES);
        let passed = kinds.iter().map(|(kind, index)| cursor.pass(*kind, LogPosition::new(1, *index), 9));
        passed.map(|range| range.start - PAGE_BYTES..range.end - PAGE_BYTES).collect()
    }

    #[test]
    fn an_entry_that_follows_its_like_has_a_brief_slot_and_no_slot_stands_on_two_sectors() {
        let kinds = [(Kind::Command, 1), (Kind::Command, 2), (Kind::Command, 4), (Kind::Withheld, 5)];
        assert_eq!(pass_all(&kinds), [0..64, 64..76, 76..140, 140..204]);
        let kinds = [(Kind::Configuration, 1), (Kind::Command, 2), (Kind::Noop, 3), (Kind::Noop, 4)];
        assert_eq!(pass_all(&kinds), [0..76, 76..140, 140..204, 204..268]);
        let many: Vec<_> = (1..200).map(|index| (Kind::Command, index)).collect();
        let ranges = pass_all(&many);
        assert!(ranges.iter().all(|range| range.start / 512 == (range.end - 1) / 512), "{ranges:?}");
        assert!(ranges.windows(2).all(|pair| pair[1].start - pair[0].end < BRIEF_BYTES), "{ranges:?}");
        let ends_sector = [(Kind::Noop, 1); 8];
        assert_eq!(pass_all(&ends_sector)[7], 448..512);
        let (last, full) =
            (pass_all(&many[..38]).pop(), pass_all(&[&many[..38], &[(Kind::Noop, 39)]].concat()));
        assert_eq!((last, full.last()), (Some(496..508), Some(&(512..576))));
    }

    #[test]
    fn a_brief_slot_is_one_in_its_own_place_alone() {
        let brief = Brief { payload_bytes: 77, group: 5 };
        let bytes = brief.encode(9, 4096);
        assert_eq!(Brief::decode(9, 4096, &bytes), Some(brief));
        assert_eq!(Brief::decode(9, 4100, &bytes), None);
        assert_eq!(Brief::decode(8, 4096, &bytes), None);
        assert_eq!(Brief::decode(9, 4096, &bytes[..11]), None);
    }
}
