//! A segment file: its layout, its header, its making, and the append of a group.
//!
//! ```text
//! page 0           header
//! pages 1..        slots      a quarter of the file
//! pages ..         records    the rest
//! last page        header, once more
//! ```
//!
//! A segment gets its name only when its length and its header are durable, so a file of another length is damaged.
//! The length reserves no space: on a disk that fills up, a later write into the segment fails, and ends the life of
//! the process like any other failed write. A segment may stand in the file of one that was let go. Its slots are then made
//! zeros, all that may have been written, before it has its name; so slots that were never written are zeros in any segment. Its records are
//! not: where no record was written there are zeros or records of an older segment, and those never pass for this one's, for
//! they are numbered lower, and their checksums begin from another salt. The header says with which group the segment begins: from that group
//! on, earlier segments are void. It also says with which entry the log ended before, so that a segment may be the first.

use core::ops::Range;

use bytes::{Buf, BufMut};
use squall_disk::{Disk, FileId};
use squall_raft::LogPosition;

use crate::pages::zeros;
use crate::record::{self, Encoder, INDEX_END};
use crate::{Identity, PAGE_BYTES, StorageError, envelope};

const MAGIC: &[u8; 8] = b"sqlsegmt";
const HEADER_BYTES: usize = Identity::BYTES + 9 * 8;
const NAME_PREFIX: &str = "log-";
const NUMBER_DIGITS: usize = 20;
/// How much of a used file is zeroed with one write.
const ZEROED_BYTES: u64 = 1 << 20;

/// The pages of both regions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    pub(crate) slot_pages: u64,
    pub(crate) record_pages: u64,
}

/// What a segment says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) number: u64,
    pub(crate) first_group: u64,
    /// The sequence number of the first record.
    pub(crate) first_sequence: u64,
    /// The entry with which the log ended when the segment began, so that it can be read from here on.
    pub(crate) last: LogPosition,
    /// Mixed into all checksums.
    pub(crate) salt: u64,
    /// Whether the first group is a copy that was durable before the segment had its name.
    pub(crate) carries: bool,
    pub(crate) layout: Layout,
}

/// An open segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) file: FileId,
    pub(crate) header: Header,
    /// Where checksums begin.
    pub(crate) seed: u32,
    /// What may have been written, in both regions.
    pub(crate) used: Layout,
}

impl Layout {
    pub(crate) const NONE: Self = Self { slot_pages: 0, record_pages: 0 };

    /// Divides a file of `segment_bytes`: a group of one small record takes one page of each region, a large
    /// record many pages of one.
    pub(crate) fn divide(segment_bytes: u64) -> Self {
        let pages = segment_bytes / PAGE_BYTES - 2;
        let slot_pages = (pages / 4).max(1);
        Self { slot_pages, record_pages: pages - slot_pages }
    }

    /// What a group takes of which slots and records are so long.
    pub(crate) fn of_group(slot_bytes: u64, record_bytes: u64) -> Self {
        Self { slot_pages: slot_bytes.div_ceil(PAGE_BYTES), record_pages: record_bytes.div_ceil(PAGE_BYTES) }
    }

    /// What this many pages are.
    fn bytes(self) -> u64 {
        (self.slot_pages + self.record_pages) * PAGE_BYTES
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self {
            slot_pages: self.slot_pages.max(other.slot_pages),
            record_pages: self.record_pages.max(other.record_pages),
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            slot_pages: self.slot_pages + other.slot_pages,
            record_pages: self.record_pages + other.record_pages,
        }
    }

    pub(crate) fn fits_in(self, other: Self) -> bool {
        self.slot_pages <= other.slot_pages && self.record_pages <= other.record_pages
    }

    /// Where a page of the slot region begins.
    pub(crate) fn slots_at(&self, page: u64) -> u64 {
        (1 + page) * PAGE_BYTES
    }

    /// Where a page of the record region begins.
    pub(crate) fn records_at(&self, page: u64) -> u64 {
        (1 + self.slot_pages + page) * PAGE_BYTES
    }

    /// The file's length, or `None` for numbers that no file has.
    pub(crate) fn file_bytes(&self) -> Option<u64> {
        self.slot_pages.checked_add(self.record_pages)?.checked_add(2)?.checked_mul(PAGE_BYTES)
    }
}

impl Header {
    /// Groups and records are numbered from 1, and never so far that a sum could wrap around.
    const NUMBERS: Range<u64> = 1..1 << 62;

    fn encode(&self, identity: Identity) -> Vec<u8> {
        let mut body = Vec::with_capacity(HEADER_BYTES);
        identity.encode(&mut body);
        let words = [
            self.number,
            self.first_group,
            self.first_sequence,
            self.last.term.0,
            self.last.index.0,
            self.salt,
            u64::from(self.carries),
            self.layout.slot_pages,
            self.layout.record_pages,
        ];
        for word in words {
            body.put_u64_le(word);
        }
        envelope::seal(MAGIC, &body)
    }

    fn decode(identity: Identity, name: &str, mut body: &[u8]) -> Result<Self, StorageError> {
        identity.check(name, &mut body)?;
        Ok(Self::take(body))
    }

    /// What stands behind the identity.
    fn take(mut body: &[u8]) -> Self {
        Self {
            number: body.get_u64_le(),
            first_group: body.get_u64_le(),
            first_sequence: body.get_u64_le(),
            last: LogPosition::new(body.get_u64_le(), body.get_u64_le()),
            salt: body.get_u64_le(),
            carries: body.get_u64_le() != 0,
            layout: Layout { slot_pages: body.get_u64_le(), record_pages: body.get_u64_le() },
        }
    }
}

impl Segment {
    /// Makes a segment, durable when this returns; where it carries a group, `encoder` holds it. It gets a new file, or
    /// that of a segment that was let go.
    pub(crate) fn create(
        disk: &mut impl Disk,
        identity: Identity,
        header: Header,
        encoder: &Encoder,
        spare: Option<Self>,
    ) -> Result<Self, StorageError> {
        assert_eq!(header.carries, !encoder.slots.is_empty(), "what a segment carries is encoded for it");
        let layout = header.layout;
        let file_bytes = layout.file_bytes().expect("options and groups are far below the end of u64");
        let name = name(header.number);
        let head = header.encode(identity);
        let file = match spare {
            Some(spare) => spare.recycle(disk, &name, &header)?,
            None => {
                let file = envelope::create_aside(disk, &name)?;
                disk.set_len(file, file_bytes)?;
                file
            }
        };
        disk.write_at(file, 0, &head)?;
        disk.write_at(file, file_bytes - PAGE_BYTES, &head)?;
        let mut segment = Self { file, header, seed: record::seed(header.salt), used: Layout::NONE };
        if header.carries {
            segment.write(disk, encoder)?;
        }
        envelope::publish(disk, &name, file)?;
        Ok(segment)
    }

    /// Makes this file, which nothing durable refers to any more, the one of which `header` will tell: under the name of
    /// an unfinished file, with slots that are all zeros. The old header and the old records are left where they are.
    fn recycle(self, disk: &mut impl Disk, name: &str, header: &Header) -> Result<FileId, StorageError> {
        let layout = self.header.layout;
        assert_eq!(layout, header.layout, "{} becomes {name}", self.name());
        assert!(
            self.header.number < header.number && self.header.salt != header.salt,
            "{:?} {header:?}",
            self.header
        );
        disk.rename(&self.name(), &envelope::aside(name))?;
        let (mut at, end) = (layout.slots_at(0), layout.slots_at(self.used.slot_pages));
        while at < end {
            let count = (end - at).min(ZEROED_BYTES);
            disk.write_at(self.file, at, zeros(count))?;
            at += count;
        }
        Ok(self.file)
    }

    /// Opens a segment, after a sync: what is acted upon must be durable.
    pub(crate) fn open(disk: &mut impl Disk, identity: Identity, name: &str) -> Result<Self, StorageError> {
        let damaged = |what| StorageError::damaged(name, 0, what);
        let number = parse_name(name).ok_or_else(|| damaged("a segment is named log- and 20 digits"))?;
        let file = disk.open(name)?;
        disk.sync(file)?;
        let file_bytes = disk.len(file)?;
        let copies = [0, file_bytes.saturating_sub(PAGE_BYTES)];
        let body = envelope::read_copies(disk, file, name, MAGIC, HEADER_BYTES, copies)?;
        let header = Header::decode(identity, name, &body)?;
        if header.number != number {
            return Err(damaged("its header has another number than its name"));
        }
        if header.layout.file_bytes() != Some(file_bytes) {
            return Err(damaged("it is longer or shorter than it was made"));
        }
        let numbers = [header.first_group, header.first_sequence];
        let are_sound = numbers.iter().all(|number| Header::NUMBERS.contains(number));
        if !are_sound || header.last.index.0 >= INDEX_END {
            return Err(damaged("it begins with a group or a record that no log has"));
        }
        // Nothing is appended to it, and nobody knows what an earlier life wrote there.
        Ok(Self { file, header, seed: record::seed(header.salt), used: header.layout })
    }

    /// What the body of a header says, whosever it is.
    pub(crate) fn parse_header(body: &[u8]) -> Option<Header> {
        (body.len() == HEADER_BYTES).then(|| Header::take(&body[Identity::BYTES..]))
    }

    pub(crate) fn name(&self) -> String {
        name(self.header.number)
    }

    /// Whether a group finds room.
    pub(crate) fn has_room(&self, group: Layout) -> bool {
        self.used.plus(group).fits_in(self.header.layout)
    }

    /// Where the slots of the next group begin.
    pub(crate) fn next_slot_at(&self) -> u64 {
        self.header.layout.slots_at(self.used.slot_pages)
    }

    /// Where the records of the next group begin.
    pub(crate) fn next_record_at(&self) -> u64 {
        self.header.layout.records_at(self.used.record_pages)
    }

    /// Writes a group and syncs it: one write to each region, one sync.
    pub(crate) fn append(&mut self, disk: &mut impl Disk, encoder: &Encoder) -> Result<(), StorageError> {
        self.write(disk, encoder)?;
        Ok(disk.sync(self.file)?)
    }

    fn write(&mut self, disk: &mut impl Disk, encoder: &Encoder) -> Result<(), StorageError> {
        let (records, slots) = (&encoder.records, &encoder.slots);
        let group = Layout::of_group(slots.len() as u64, records.len() as u64);
        assert_eq!(group.bytes(), (slots.len() + records.len()) as u64, "a group is whole pages");
        assert!(self.has_room(group), "{}: {group:?} after {:?}", self.name(), self.used);
        disk.write_at(self.file, self.next_record_at(), records)?;
        disk.write_at(self.file, self.next_slot_at(), slots)?;
        self.used = self.used.plus(group);
        Ok(())
    }
}

pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(NAME_PREFIX)
}

fn name(number: u64) -> String {
    format!("{NAME_PREFIX}{number:020}")
}

/// The number in a segment's name, where it is one.
pub(crate) fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(NAME_PREFIX)?;
    let is_number = digits.len() == NUMBER_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}
