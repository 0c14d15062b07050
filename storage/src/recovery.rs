//! What `open` does: find what is durable, copy forward what may not be, count the start.
//!
//! The order is the argument. (1) Every file is synced before it is read: a device that fails shall say so before
//! anything is built on it. (What follows would be right without it.) (2) The last group, which alone a lying
//! page cache can show, goes into a new segment that is complete and durable before it has a name. Where the tail is
//! uncertain, that is in the hard state before: for good, since nobody finds that tail any more afterwards. (3) The hard
//! state, with the boot counted and the first segment named, is written anew. (4) Files that hold nothing any more are
//! removed. A crash before the name of (2) is durable leaves the log as it was. After it, the new segment voids the old copy of the group
//! and all behind it, a dropped tail included, and no group has been written behind it yet: the next `open` finds
//! the same log, copies the same group once more, and removes what this one left. (3) replaces a file as a whole,
//! so the boot is counted or not, and no process acted upon a boot that was not. The new name of the snapshot is
//! durable with that of (2) or (3), before the core hears of it; until then either name leads to the same file.

use std::sync::Arc;

use bytes::Bytes;
use squall_disk::Disk;
use squall_raft::{Configuration, LogIndex, LogPosition, Payload, Recovered};

use crate::hard_state::HardRecord;
use crate::live::Live;
use crate::record::{self, Encoder, Kind, RECORD_OVERHEAD_BYTES, Record};
use crate::scan::{Scan, Tail};
use crate::segment::Segment;
use crate::slot::{Slot, size_of};
use crate::snapshots::Found;
use crate::storage::{Storage, is_ours};
use crate::{Identity, Options, StorageError, envelope, hard_state, identity, segment, survey};

/// What the segments say, the last group still apart.
struct Replayed {
    live: Live,
    /// Where the last group is: which segment, and its slots; none in an empty log.
    last_group: Vec<Slot>,
    last_segment: usize,
    tail: Tail,
    next_group: u64,
    next_sequence: u64,
}

pub(crate) fn open(
    disk: &mut impl Disk,
    identity: Identity,
    options: &Options,
) -> Result<(Storage, Recovered), StorageError> {
    options.validate()?;
    disk.sync_dir()?;
    let names = disk.list()?;
    if !names.iter().any(|name| name == identity::FILE) {
        return Err(survey::not_formatted(names));
    }
    identity.check_file(disk)?;
    let hard = HardRecord::read(disk, identity)?;
    for name in names.iter().filter(|name| envelope::unfinished(name).is_some_and(is_ours)) {
        disk.remove(name)?;
    }

    let (segments, mut void) = open_segments(disk, identity, &hard, &names)?;
    let replayed = replay(disk, &segments)?;
    let records = read_group(disk, segments.get(replayed.last_segment), &replayed.last_group)?;
    let base = replayed.live.base_after(&replayed.last_group);
    let position = |index| replayed.live.position_after(&replayed.last_group, index);
    let found = Found::search(disk, identity, &names)?;
    let snapshots = found.open(disk, identity, (base, &position), segments.first(), &mut void)?;
    let Replayed { live, last_group, tail, next_group, next_sequence, .. } = replayed;
    let first = last_group.first().map(|slot| (slot.header.group, slot.header.sequence));
    let (next_group, next_sequence) = first.unwrap_or((next_group, next_sequence));
    let mut storage = Storage {
        identity,
        options: options.clone(),
        hard,
        segments,
        segments_gone: 0,
        live,
        compact_to: base.index,
        void,
        spares: Vec::new(),
        files_reused: 0,
        snapshots,
        next_group,
        next_sequence,
        tail,
        encoder: Encoder::default(),
        is_dead: false,
    };
    storage.keep_uncertainty(disk)?;
    storage.carry_forward(disk, &last_group, &records)?;
    storage.count_boot(disk)?;
    while !storage.void.is_empty() {
        storage.sweep(disk)?;
    }
    storage.begin_repair(disk)?;
    let recovered = storage.recovered(disk)?;
    Ok((storage, recovered))
}

/// Opens the segments, oldest first, without those that were let go or that a later one voids; of these the names.
fn open_segments(
    disk: &mut impl Disk,
    identity: Identity,
    hard: &HardRecord,
    names: &[String],
) -> Result<(Vec<Segment>, Vec<String>), StorageError> {
    let (mut segments, mut void) = (Vec::<Segment>::new(), Vec::new());
    // Names are sorted, and numbers have leading zeros: this is the order of the numbers.
    for name in names.iter().filter(|name| segment::is_name(name) && envelope::unfinished(name).is_none()) {
        match segment::parse_name(name) {
            Some(number) if number < hard.oldest_segment => void.push(name.clone()),
            Some(_) | None => segments.push(Segment::open(disk, identity, name)?),
        }
    }
    let [oldest, newest] =
        [segments.first(), segments.last()].map(|found| found.map_or(0, |found| found.header.number));
    if newest < hard.newest_segment {
        let what = "the newest segment is missing: the hard state names it, no file has its number";
        return Err(StorageError::damaged(hard_state::FILE, 0, what));
    }
    if hard.oldest_segment != 0 && oldest != hard.oldest_segment {
        let what = "the oldest segment is missing: the hard state names it, no file has its number";
        return Err(StorageError::damaged(hard_state::FILE, 0, what));
    }
    let mut limit = u64::MAX;
    segments.reverse();
    segments.retain(|segment| {
        let is_live = segment.header.first_group < limit;
        if is_live {
            limit = segment.header.first_group;
        } else {
            void.push(segment.name());
        }
        is_live
    });
    segments.reverse();
    Ok((segments, void))
}

/// Reads all segments and rebuilds the log, but for the last group.
fn replay(disk: &mut impl Disk, segments: &[Segment]) -> Result<Replayed, StorageError> {
    let first = segments.first().map(|segment| &segment.header);
    let mut replayed = Replayed {
        live: Live::after(first.map_or(LogPosition::ZERO, |first| first.last)),
        last_group: Vec::new(),
        last_segment: 0,
        tail: Tail::Whole,
        next_group: first.map_or(1, |first| first.first_group),
        next_sequence: first.map_or(1, |first| first.first_sequence),
    };
    let mut found = Vec::new();
    for (place, segment) in segments.iter().enumerate() {
        let header = &segment.header;
        if (header.first_group, header.first_sequence) != (replayed.next_group, replayed.next_sequence) {
            let what = "it does not begin where the log before it ends: a segment is missing";
            return Err(StorageError::damaged(&segment.name(), 0, what));
        }
        let limit = segments.get(place + 1).map(|next| next.header.first_group);
        let mut scan = Scan::new(disk, segment);
        while scan.next(limit, &mut found, &mut replayed.tail)? {
            replayed.apply_last_group(segments)?;
            core::mem::swap(&mut replayed.last_group, &mut found);
            replayed.last_segment = place;
        }
        (replayed.next_group, replayed.next_sequence) = (scan.group, scan.sequence);
    }
    replayed.doubt_last_group(segments);
    Ok(replayed)
}

impl Replayed {
    /// What the last group lacks was perhaps never there; but for a group after which the disk holds anything, or of which it
    /// holds a copy that was durable before it had a name.
    fn doubt_last_group(&mut self, segments: &[Segment]) {
        let Some(first) = self.last_group.first() else { return };
        let (group, header) = (first.header.group, &segments[self.last_segment].header);
        let is_copy = header.carries && header.first_group == group;
        let is_last = self.tail == Tail::Whole && self.last_segment + 1 == segments.len();
        if is_copy || !is_last {
            return;
        }
        let lost = |slot: &&mut Slot| !slot.has_record && slot.header.kind.is_lost();
        for slot in self.last_group.iter_mut().filter(lost) {
            slot.header.kind = Kind::Lost { is_doubtful: true };
            if self.tail == Tail::Whole {
                self.tail = Tail::Doubtful { group, position: slot.header.position };
            }
        }
    }

    fn apply_last_group(&mut self, segments: &[Segment]) -> Result<(), StorageError> {
        let place = u32::try_from(self.last_segment).expect("a disk holds fewer than 2^32 segments");
        for slot in &self.last_group {
            self.live.apply(slot, place).map_err(|what| StorageError::Damaged {
                file: segments[self.last_segment].name(),
                offset: slot.offset,
                position: Some(slot.header.position),
                what,
            })?;
        }
        Ok(())
    }
}

/// Reads the records of a group that was found; of one that is lost the name is all there is.
fn read_group(
    disk: &mut impl Disk,
    segment: Option<&Segment>,
    group: &[Slot],
) -> Result<Vec<Record>, StorageError> {
    let Some(segment) = segment else { return Ok(Vec::new()) };
    let mut records = Vec::with_capacity(group.len());
    for slot in group {
        if !slot.has_record {
            records.push(Record::of_slot(slot));
            continue;
        }
        let mut bytes = vec![0; slot.header.record_bytes() as usize];
        let count = disk.read_at(segment.file, slot.offset, &mut bytes)?;
        bytes.truncate(count);
        let record = record::decode(segment.seed, &Bytes::from(bytes));
        records.push(record.filter(|record| record.header == slot.header).ok_or_else(|| {
            StorageError::Damaged {
                file: segment.name(),
                offset: slot.offset,
                position: Some(slot.header.position),
                what: "a record reads differently each time",
            }
        })?);
    }
    Ok(records)
}

impl Storage {
    /// What was dropped, and may have been acknowledged, is of no later term than the hard state's, which was durable before it.
    /// This alone is written: nothing has changed as yet, and a crash changes nothing either. Though the mark may stand there
    /// already, it is written again: it was perhaps read from a cache, and is to be durable before the tail is voided.
    fn keep_uncertainty(&mut self, disk: &mut impl Disk) -> Result<(), StorageError> {
        if !matches!(self.tail, Tail::Uncertain { .. }) {
            return Ok(());
        }
        self.hard.uncertain = self.hard.state.current_term;
        self.hard.write(disk, self.identity)
    }

    /// Writes the last group anew, into a new segment, and takes it into the log.
    fn carry_forward(
        &mut self,
        disk: &mut impl Disk,
        group: &[Slot],
        records: &[Record],
    ) -> Result<(), StorageError> {
        let newest = self.segments.last().map_or(0, |segment| segment.header.number);
        self.hard.newest_segment = self.hard.newest_segment.max(newest);
        let header = self.next_header(size_of(group), !group.is_empty());
        self.hard.newest_segment = header.number;
        // What begins with this group, or behind it, holds nothing that counts any more.
        let file = self.segments.last().map_or_else(String::new, Segment::name);
        while let Some(segment) = self.segments.pop_if(|last| last.header.first_group >= header.first_group) {
            self.void.push(segment.name());
        }
        let place = u32::try_from(self.segments.len()).expect("a disk holds fewer than 2^32 segments");
        let layout = header.layout;
        self.encoder.begin(layout.slots_at(0), layout.records_at(0), record::seed(header.salt));
        let damaged = |position, what| {
            let (file, position) = (file.clone(), Some(position));
            StorageError::Damaged { file, offset: 0, position, what }
        };
        for Record { header, payload } in records {
            let slot = self.encoder.push(*header, payload);
            self.take(&slot, place).map_err(|what| damaged(header.position, what))?;
        }
        let last = self.live.last_position();
        self.check_term(last.term).map_err(|what| damaged(last, what))?;
        self.next_group += u64::from(!group.is_empty());
        self.encoder.fill_pages();
        self.segments.push(Segment::create(disk, self.identity, header, &self.encoder, None)?);
        Ok(())
    }

    fn count_boot(&mut self, disk: &mut impl Disk) -> Result<(), StorageError> {
        let exhausted = || StorageError::damaged(hard_state::FILE, 0, "no node was ever started so often");
        self.hard.boot = self.hard.boot.checked_add(1).ok_or_else(exhausted)?;
        self.write_hard_state(disk)
    }

    /// What the core is told, with the last entries as far as they fit.
    fn recovered(&self, disk: &mut impl Disk) -> Result<Recovered, StorageError> {
        let last_index = self.live.last_index();
        let mut first = last_index.next();
        let mut bytes_left = self.options.tail_bytes;
        let last_faulty = self.live.faulty().next_back().map(|faulty| faulty.index);
        let limit = last_faulty.map_or(self.live.first_index(), LogIndex::next);
        while first > limit {
            let record_bytes = u64::from(self.live.place(first.prev()).record_bytes);
            let bytes = record_bytes - RECORD_OVERHEAD_BYTES + squall_raft::ENTRY_OVERHEAD_BYTES;
            let Some(left) = bytes_left.checked_sub(bytes) else { break };
            bytes_left = left;
            first = first.prev();
        }
        Ok(Recovered {
            boot: self.hard.boot,
            hard_state: self.hard.state,
            snapshot: self.snapshot(),
            lost_snapshot: self.lost_snapshot(),
            receiving: self.received_snapshot(),
            base: self.base(),
            terms: self.live.terms().to_vec(),
            last_index,
            tail: self.read(first, last_index, u64::MAX, disk)?,
            faulty: self.live.faulty().collect(),
            configurations: self.configurations(disk)?,
            is_withheld: self.live.is_withheld(),
            uncertain: self.hard.uncertain,
        })
    }

    /// The configurations of the log. They are few: each is read by itself.
    fn configurations(
        &self,
        disk: &mut impl Disk,
    ) -> Result<Vec<(LogIndex, Arc<Configuration>)>, StorageError> {
        let mut configurations = Vec::with_capacity(self.live.configurations().len());
        for index in self.live.configurations() {
            for entry in self.read(*index, *index, u64::MAX, disk)? {
                if let Payload::Configuration(configuration) = entry.payload {
                    configurations.push((*index, configuration));
                }
            }
        }
        Ok(configurations)
    }
}
