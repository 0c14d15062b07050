//! Reads a segment group by group, and tells a torn tail from damage.
//!
//! Of each record there are two witnesses, itself and its slot, and each tells where the next one stands. A group is *known*
//! where of each of its records one can be read. Where only the slot of a command can, the entry is *lost*: its name is
//! known, and nothing else of it. Of all else the slot says everything. If a group is not known:
//!
//! - A later group leaves a valid slot or record: its sync returned before that group began. *Damage* beyond knowing.
//! - A later segment begins behind it, or it was copied into this segment before the segment had its name: the same.
//! - It is the last of all, and in the gap the slot's place is as it was made, all zeros, to the end of its page: the slot
//!   never arrived. One sync covered slot and record, so it did not return, and the group was not acknowledged. *Torn*, and
//!   dropped. (Where so little is left of a page that only a brief slot finds room, the next page is to be zeros, too.)
//! - It is the last of all, and something stands there that is no slot: a write that tore with garbage looks like this, and
//!   so would damage to what was acknowledged. The group is dropped, for nobody can tell what was in it; but that it may
//!   have been acknowledged is not forgotten. *Uncertain*.
//!
//! So an acknowledged group is taken for torn only where the slot was *zeroed* and its record damaged as well, and no slot
//! of its page stands behind it. That no checksum can tell. What stands in the record's place is no evidence: what a write
//! leaves of a record that did not arrive as a whole may be anything.
//!
//! Of the last group of all, a lost entry may also have been torn: a tear looks like this, and so would damage; no log can
//! tell ("Protocol-Aware Recovery", §3.3.2). It is *doubtful*: kept, as lost, and said to be so.

use core::ops::Range;

use squall_disk::Disk;
use squall_raft::LogPosition;

use crate::pages::zeros;
use crate::record::{HEADER_BYTES, Header, RECORD_OVERHEAD_BYTES};
use crate::segment::{Layout, Segment};
use crate::slot::{BRIEF_BYTES, Brief, Cursor, SLOT_ALIGNMENT, SLOT_BYTES, Slot};
use crate::window::{WINDOW_BYTES, Window};
use crate::{PAGE_BYTES, StorageError};

/// How the log ended when it was opened. What was dropped stays dropped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Tail {
    /// With a whole group.
    #[default]
    Whole,
    /// With a group that provably was never acknowledged, and was dropped.
    Torn {
        /// The group's number.
        group: u64,
    },
    /// With a group that was dropped, although it may have been acknowledged: neither a record nor its slot can be read, and
    /// the slot's place is not as it was before it was written.
    Uncertain {
        /// The group's number.
        group: u64,
    },
    /// With a group of which every slot is there and a record is not: never acknowledged, unless a record that
    /// was durable went bad. It was kept; what it lacks is lost.
    Doubtful {
        /// The group's number.
        group: u64,
        /// The first entry that cannot be read.
        position: LogPosition,
    },
}

/// One segment while it is read. `group` and `sequence` are what comes next.
pub(crate) struct Scan<'a, D> {
    disk: &'a mut D,
    segment: &'a Segment,
    pub(crate) used: Layout,
    pub(crate) group: u64,
    pub(crate) sequence: u64,
    /// Where the last slot found of the group ends.
    slots_end: u64,
    slots: Window,
    records: Window,
}

impl<'a, D: Disk> Scan<'a, D> {
    pub(crate) fn new(disk: &'a mut D, segment: &'a Segment) -> Self {
        let (group, sequence) = (segment.header.first_group, segment.header.first_sequence);
        let (slots, records) = (Window::default(), Window::default());
        Self { disk, segment, used: Layout::NONE, group, sequence, slots_end: 0, slots, records }
    }

    /// Reads the next group's slots into `found`; of a record that cannot be read the slot says what is left of it. Returns
    /// false at the end: before group `limit`, with which the next segment begins, or, in the last segment, where
    /// `tail` then says how.
    pub(crate) fn next(
        &mut self,
        limit: Option<u64>,
        found: &mut Vec<Slot>,
        tail: &mut Tail,
    ) -> Result<bool, StorageError> {
        if limit == Some(self.group) {
            return Ok(false);
        }
        let layout = self.segment.header.layout;
        let is_full = !self.used.plus(Layout { slot_pages: 1, record_pages: 1 }).fits_in(layout);
        if !is_full && self.read_group(found)? {
            self.pass(found);
            return Ok(true);
        }
        if limit.is_some() || self.is_carried(self.group) {
            return Err(self.damaged(if is_full { &[] } else { found }));
        }
        let has_remains = self.has_remains(found)?;
        if !is_full && !self.slot_never_arrived()? {
            *tail = Tail::Uncertain { group: self.group };
        } else if has_remains {
            *tail = Tail::Torn { group: self.group };
        }
        Ok(false)
    }

    /// Whether the group is the copy with which the segment was made: it was durable before the segment had its name.
    fn is_carried(&self, group: u64) -> bool {
        self.segment.header.carries && group == self.segment.header.first_group
    }

    /// Reads a group. Returns false where it is not known; `found` has what comes before the gap.
    fn read_group(&mut self, found: &mut Vec<Slot>) -> Result<bool, StorageError> {
        if self.read_slots(found)? && self.check_records(found)? {
            return Ok(true);
        }
        self.piece_together(found)
    }

    /// Whether all records are what their slots say.
    fn check_records(&mut self, group: &[Slot]) -> Result<bool, StorageError> {
        let end = group.last().map_or(0, |last| last.offset + last.header.record_bytes());
        let (file, seed) = (self.segment.file, self.segment.seed);
        for slot in group {
            // The header first: a record may move the window on.
            let is_the_one = slot.record_crc.is_some() || self.has_header(slot, end)?;
            let bytes = slot.header.record_bytes();
            let crc = self.records.check_record(self.disk, file, seed, slot.offset, bytes, end)?;
            let is_as_told = crc.is_some_and(|crc| slot.record_crc.is_none_or(|told| crc == told));
            if !is_the_one || !is_as_told {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the record begins as its slot says.
    fn has_header(&mut self, slot: &Slot, end: u64) -> Result<bool, StorageError> {
        let file = self.segment.file;
        let bytes = self.records.get(self.disk, file, slot.offset, HEADER_BYTES, end)?;
        Ok(bytes.starts_with(&slot.header.encode()))
    }

    /// The slots of the group, if all are there and make sense.
    fn read_slots(&mut self, found: &mut Vec<Slot>) -> Result<bool, StorageError> {
        found.clear();
        let layout = self.segment.header.layout;
        let start = layout.slots_at(self.used.slot_pages);
        let mut cursor = Cursor::new(start);
        let mut record_at = layout.records_at(self.used.record_pages);
        // Where the last slot ends, at most; but those of configurations.
        let mut end = start;
        loop {
            let last = found.last().map(|last| &last.header);
            let Some(slot) = self.slot_behind(&cursor, last, record_at, end)? else { return Ok(false) };
            let Slot { header, offset, .. } = &slot;
            let first = found.first().map_or(header, |first| &first.header);
            let is_next = *offset == record_at && self.is_next(header, first, found.len());
            record_at += header.record_bytes();
            cursor.pass(header.kind, header.position, header.payload_bytes);
            let is_within =
                cursor.end() <= layout.records_at(0) && record_at <= layout.records_at(layout.record_pages);
            if !is_next || !is_within {
                return Ok(false);
            }
            let count = header.count;
            end = start + u64::from(count) * SLOT_BYTES;
            found.push(slot);
            if found.len() as u64 == u64::from(count) {
                self.slots_end = cursor.end();
                return Ok(true);
            }
        }
    }

    /// The same where something cannot be read: each record from itself or, failing that, from its slot.
    fn piece_together(&mut self, found: &mut Vec<Slot>) -> Result<bool, StorageError> {
        found.clear();
        let layout = self.segment.header.layout;
        let mut record_at = layout.records_at(self.used.record_pages);
        let mut cursor = Cursor::new(layout.slots_at(self.used.slot_pages));
        let mut last = None::<Header>;
        loop {
            self.slots_end = cursor.end();
            let is_next = |scan: &Self, slot: &Slot| {
                let first = found.first().map_or(slot.header, |first| first.header);
                slot.offset == record_at && scan.is_next(&slot.header, &first, found.len())
            };
            let record = self.record_at(record_at)?.filter(|record| is_next(self, record));
            let slot = self.slot_behind(&cursor, last.as_ref(), record_at, 0)?;
            let slot = slot.filter(|slot| is_next(self, slot));
            let Some(header) = record.as_ref().or(slot.as_ref()).map(|known| known.header) else {
                return Ok(false);
            };
            cursor.pass(header.kind, header.position, header.payload_bytes);
            if cursor.end() > layout.records_at(0) {
                return Ok(false);
            }
            record_at += header.record_bytes();
            last = Some(header);
            found.extend(record.or(slot.map(Slot::without_record)));
            if found.len() as u64 == u64::from(header.count) {
                self.slots_end = cursor.end();
                return Ok(self.used.plus(self.size_of(found)).fits_in(layout));
            }
        }
    }

    /// Whether a header is that of the group's record number `ordinal`.
    fn is_next(&self, header: &Header, first: &Header, ordinal: usize) -> bool {
        header.group == self.group
            && header.sequence == self.sequence + ordinal as u64
            && u64::from(header.ordinal) == ordinal as u64
            && header.count == first.count
    }

    /// What the group takes that was found, up to its last slot.
    fn size_of(&self, found: &[Slot]) -> Layout {
        let layout = self.segment.header.layout;
        let records_end = found.last().map_or(0, |last| last.offset + last.header.record_bytes());
        let slots = self.slots_end - layout.slots_at(self.used.slot_pages);
        Layout::of_group(slots, records_end - layout.records_at(self.used.record_pages))
    }

    /// Goes on behind a group.
    fn pass(&mut self, found: &[Slot]) {
        self.used = self.used.plus(self.size_of(found));
        self.group += 1;
        self.sequence += found.len() as u64;
    }

    /// Makes sure that nothing valid of a later group stands behind the group that is not known: no slot, and no record at a
    /// page's begin, where the first of each group stands. Returns whether
    /// anything of that group itself does.
    fn has_remains(&mut self, found: &[Slot]) -> Result<bool, StorageError> {
        let layout = self.segment.header.layout;
        let mut has_remains = false;
        for page in self.used.slot_pages..layout.slot_pages {
            for at in self.written_in(layout.slots_at(page))?.step_by(SLOT_ALIGNMENT as usize) {
                let group = self.group_of_slot_at(at)?;
                if group.is_some_and(|group| group != self.group) {
                    return Err(self.damaged(found));
                }
                has_remains |= group.is_some();
            }
        }
        for page in self.used.record_pages..layout.record_pages {
            if let Some(record) = self.record_at(layout.records_at(page))? {
                if record.header.group != self.group {
                    return Err(self.damaged(found));
                }
                has_remains = true;
            }
        }
        Ok(has_remains)
    }

    /// Where in a page of slots anything may stand: nowhere, if it is all zeros.
    fn written_in(&mut self, page_at: u64) -> Result<Range<u64>, StorageError> {
        let end = self.segment.header.layout.records_at(0);
        let bytes = self.slots.get(self.disk, self.segment.file, page_at, PAGE_BYTES, end)?;
        let is_zero = bytes.starts_with(zeros(PAGE_BYTES));
        Ok(page_at..if is_zero { page_at } else { page_at + PAGE_BYTES })
    }

    /// The group of the valid slot at `at`, whatever stands before.
    fn group_of_slot_at(&mut self, at: u64) -> Result<Option<u64>, StorageError> {
        let layout = self.segment.header.layout;
        let end = layout.records_at(0);
        let bytes = self.slots.get(self.disk, self.segment.file, at, BRIEF_BYTES, end)?;
        if let Some(brief) = Brief::decode(self.segment.seed, at, bytes) {
            // Of this group, or of as many behind it as have room for their slots.
            let behind = u64::from(brief.group.wrapping_sub(self.group as u32));
            if behind < layout.slot_pages {
                return Ok(Some(self.group + behind));
            }
        }
        Ok(self.slot_at(at, end)?.map(|slot| slot.header.group))
    }

    /// Whether the slot that is lacking behind what was found of a group, and those behind it in its page, were never
    /// written. If it is not known which page that is, neither of both may have anything.
    fn slot_never_arrived(&mut self) -> Result<bool, StorageError> {
        let (at, region_end) = (self.slots_end, self.segment.header.layout.records_at(0));
        let next_at = Cursor::new(at).full_at();
        let end = (next_at + 1).next_multiple_of(PAGE_BYTES).min(region_end).max(at);
        let bytes = self.slots.get(self.disk, self.segment.file, at, end - at, end)?;
        Ok(bytes.starts_with(zeros(end - at)))
    }

    /// The valid slot where `cursor` stands, behind that of `last`; its record would be at `record_at`. The window may read on
    /// to `end`.
    fn slot_behind(
        &mut self,
        cursor: &Cursor,
        last: Option<&Header>,
        record_at: u64,
        end: u64,
    ) -> Result<Option<Slot>, StorageError> {
        let region_end = self.segment.header.layout.records_at(0);
        if let (Some(at), Some(last)) = (cursor.brief_at(), last)
            && at < region_end
        {
            let end = end.max(at + BRIEF_BYTES).min(region_end);
            let bytes = self.slots.get(self.disk, self.segment.file, at, BRIEF_BYTES, end)?;
            let brief = Brief::decode(self.segment.seed, at, bytes);
            let brief = brief.filter(|brief| brief.group == self.group as u32);
            if let Some(header) = brief.and_then(|brief| last.following(brief.payload_bytes)) {
                let offset = record_at;
                return Ok(Some(Slot { header, offset, record_crc: None, payload: None, has_record: true }));
            }
        }
        let at = cursor.full_at();
        if at >= region_end {
            return Ok(None);
        }
        let slot = self.slot_at(at, end.max(at + SLOT_BYTES).min(region_end))?;
        // Of what a brief one would say there is no full one.
        Ok(slot.filter(|slot| !cursor.is_brief(slot.header.kind, slot.header.position)))
    }

    /// The valid full slot at `at`; the window may read on to `end`.
    fn slot_at(&mut self, at: u64, end: u64) -> Result<Option<Slot>, StorageError> {
        let region_end = self.segment.header.layout.records_at(0);
        let bytes = self.slots.get(self.disk, self.segment.file, at, SLOT_BYTES, end)?;
        if let Some(slot) = Slot::decode(self.segment.seed, bytes) {
            return Ok(Some(slot));
        }
        // That of a configuration may go on behind what is at hand; what is no slot may claim any length.
        let at_hand = bytes.len() as u64;
        let is_longer =
            |length: &u64| (at_hand + 1..=WINDOW_BYTES).contains(length) && at + *length <= region_end;
        let Some(length) = Slot::length(bytes).filter(is_longer) else { return Ok(None) };
        let bytes = self.slots.get(self.disk, self.segment.file, at, length, at + length)?;
        Ok(Slot::decode(self.segment.seed, bytes))
    }

    /// The slot that the record at `at` ought to have, if there is a valid record that could follow.
    fn record_at(&mut self, at: u64) -> Result<Option<Slot>, StorageError> {
        let layout = self.segment.header.layout;
        let region_end = layout.records_at(layout.record_pages);
        let left = region_end.saturating_sub(at);
        if left < RECORD_OVERHEAD_BYTES {
            return Ok(None);
        }
        let bytes = self.records.get(self.disk, self.segment.file, at, HEADER_BYTES, at + HEADER_BYTES)?;
        let Some(header) = Header::decode(bytes) else { return Ok(None) };
        // Cheap refusals first: what is no record seldom gets as far as its checksum.
        let is_plausible = (self.group..self.group + layout.slot_pages).contains(&header.group)
            && (self.sequence..self.sequence + region_end).contains(&header.sequence)
            && header.record_bytes() <= left;
        if !is_plausible {
            return Ok(None);
        }
        let end = at + header.record_bytes();
        let (file, seed) = (self.segment.file, self.segment.seed);
        let crc = self.records.check_record(self.disk, file, seed, at, header.record_bytes(), end)?;
        Ok(crc.map(|_| Slot { header, offset: at, record_crc: crc, payload: None, has_record: true }))
    }

    /// Says where the group that comes next has its gap, behind what was found of it.
    fn damaged(&self, found: &[Slot]) -> StorageError {
        let layout = self.segment.header.layout;
        let start = layout.records_at(self.used.record_pages.min(layout.record_pages));
        let offset = found.last().map_or(start, |last| last.offset + last.header.record_bytes());
        let what = "a durable record is missing: neither it nor its slot can be read, so nobody can tell what stood here";
        StorageError::Damaged { file: self.segment.name(), offset, position: None, what }
    }
}
