//! The storage itself: commit a group, read entries back.

use bytes::Bytes;
use squall_disk::Disk;
use squall_raft::{ENTRY_OVERHEAD_BYTES, Entry, Faulty, LogIndex, Recovered, Term, WriteToken};

use crate::group::Operation;
use crate::hard_state::{self, HardRecord};
use crate::live::Live;
use crate::places::Place;
use crate::record::{self, Encoder, RECORD_OVERHEAD_BYTES};
use crate::segment::{self, Layout, Segment};
use crate::slot::{Cursor, Slot};
use crate::snapshots::{self, Snapshots};
use crate::{Group, Identity, Options, StorageError, Tail, identity, recovery};

/// One replica's durable log and hard state. See the crate's page for how and why.
///
/// ```
/// use squall_disk::{Disk, RealDisk};
/// use squall_raft::{HardState, NodeId, Term, Write, WriteToken};
/// use squall_storage::{Group, Identity, Options, Storage};
///
/// let path = std::env::temp_dir().join(format!("squall-storage-example-{}", std::process::id()));
/// std::fs::create_dir(&path)?;
/// let mut disk = RealDisk::open(&path)?;
/// let (identity, options) = (Identity { node: NodeId(1), cluster: 7, incarnation: 0 }, Options::default());
/// Storage::format(&mut disk, identity, &options)?;
/// let (mut storage, recovered) = Storage::open(&mut disk, identity, &options)?;
///
/// let token = WriteToken { boot: recovered.boot, sequence: 1 };
/// let vote = HardState { current_term: Term(1), voted_for: Some(NodeId(1)), longest_promise: 0 };
/// let mut group = Group::default();
/// let write = Write { token, hard_state: Some(vote), truncate_from: None, reset_to: None, compact_to: None, repairs: &[], entries: (&[], &[]) };
/// group.add(&write);
/// assert_eq!(storage.commit(&mut group, &mut disk)?, token);
///
/// let (_, recovered) = Storage::open(&mut disk, identity, &options)?;
/// assert_eq!((recovered.boot, recovered.hard_state), (2, vote));
/// # std::fs::remove_dir_all(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Storage {
    pub(crate) identity: Identity,
    pub(crate) options: Options,
    pub(crate) hard: HardRecord,
    /// Oldest first; the last one is appended to. Invariant: never empty.
    pub(crate) segments: Vec<Segment>,
    /// How many segments this life knew that came before the first of these.
    pub(crate) segments_gone: u32,
    pub(crate) live: Live,
    /// Entries up to here are not needed. Invariant: the newest snapshot stands for them.
    pub(crate) compact_to: LogIndex,
    /// Files that nothing durable refers to any more.
    pub(crate) void: Vec<String>,
    /// Segments that were let go, of which the files are used again. Invariant: their numbers are below that of the first
    /// segment, and so they hold nothing that counts; their layout is that of the options.
    pub(crate) spares: Vec<Segment>,
    pub(crate) files_reused: u64,
    pub(crate) snapshots: Snapshots,
    pub(crate) next_group: u64,
    pub(crate) next_sequence: u64,
    pub(crate) tail: Tail,
    pub(crate) encoder: Encoder,
    /// Whether a call failed: nothing is known of what it wrote, so nothing may build on it.
    pub(crate) is_dead: bool,
}

impl Storage {
    /// Makes an empty directory a new node's. An explicit step, so that a lost disk cannot come back under its
    /// old identity as a voter that forgot its votes.
    ///
    /// # Errors
    /// Where the directory is not empty, an option makes no sense, or the disk fails.
    pub fn format(disk: &mut impl Disk, identity: Identity, options: &Options) -> Result<(), StorageError> {
        options.validate()?;
        if let Some(found) = disk.list()?.into_iter().next() {
            return Err(StorageError::NotEmpty { found });
        }
        HardRecord::default().write(disk, identity)?;
        identity.write_file(disk)
    }

    /// Recovers what is durable, and counts the start.
    ///
    /// # Errors
    /// Where the directory was never formatted, belongs to another, is damaged, or the disk fails.
    pub fn open(
        disk: &mut impl Disk,
        identity: Identity,
        options: &Options,
    ) -> Result<(Self, Recovered), StorageError> {
        recovery::open(disk, identity, options)
    }

    /// Makes a group durable and empties it; returns the last of its writes' names. Its hard state is durable
    /// before its first record is written.
    ///
    /// # Errors
    /// Where the disk fails. The storage takes nothing after that: the process's life ends.
    ///
    /// # Panics
    /// Where the group is empty, does not continue the log, or gives up entries for which no whole snapshot stands: a bug
    /// of the caller.
    pub fn commit(&mut self, group: &mut Group, disk: &mut impl Disk) -> Result<WriteToken, StorageError> {
        let token = group.last_token().expect("an empty group is not committed");
        self.check_covered(group);
        self.attempt(|storage| {
            storage.commit_group(group, disk)?;
            storage.allow_compaction(group);
            storage.sweep(disk)
        })?;
        group.clear();
        Ok(token)
    }

    /// Reads the entries `first..=last`, as many as there are and as fit in `max_bytes`; at least one, if the log
    /// has it. The log may have become shorter since they were asked for, at either end; where it has lost the first,
    /// there are none. It stops before an entry of which only the name is known.
    ///
    /// # Errors
    /// Where the disk fails, or a record is no longer what was written.
    pub fn read(
        &self,
        first: LogIndex,
        last: LogIndex,
        max_bytes: u64,
        disk: &mut impl Disk,
    ) -> Result<Vec<Entry>, StorageError> {
        self.check_alive()?;
        let mut entries = Vec::new();
        if first < self.live.first_index() {
            return Ok(entries);
        }
        let mut next = first;
        let last = last.min(self.live.last_index());
        let last = self.live.next_faulty(first).map_or(last, |faulty| last.min(faulty.prev()));
        let mut bytes_left = max_bytes;
        while next <= last {
            let in_slot = self.live.next_in_slot(next);
            let last = match in_slot.filter(|entry| entry.index <= last) {
                Some(entry) if entry.index == next => {
                    entries.push(entry.clone());
                    next = next.next();
                    continue;
                }
                Some(entry) => entry.index.prev(),
                None => last,
            };
            let run = self.run_of_records(next, last, &mut bytes_left, entries.is_empty());
            if run == 0 {
                break;
            }
            next = self.read_run(next, run, &mut entries, disk)?;
        }
        Ok(entries)
    }

    /// The last entry's index.
    #[must_use]
    pub fn last_index(&self) -> LogIndex {
        self.live.last_index()
    }

    /// The entries of which only the name is known, in log order: their data was damaged.
    pub fn faulty(&self) -> impl Iterator<Item = Faulty> {
        self.live.faulty()
    }

    /// How the log ended when it was opened.
    #[must_use]
    pub fn tail(&self) -> Tail {
        self.tail
    }

    pub(crate) fn check_alive(&self) -> Result<(), StorageError> {
        if self.is_dead { Err(StorageError::Dead) } else { Ok(()) }
    }

    /// Changes files. Where that fails, nothing is done after it.
    pub(crate) fn attempt<T>(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        self.check_alive()?;
        self.is_dead = true;
        let value = change(self)?;
        self.is_dead = false;
        Ok(value)
    }

    fn commit_group(&mut self, group: &Group, disk: &mut impl Disk) -> Result<(), StorageError> {
        let operations = group.operations();
        let size = size_of(operations);
        let is_new_segment = !operations.is_empty() && !self.last_segment().has_room(size);
        if is_new_segment {
            self.encoder.clear();
            let header = self.next_header(size, false);
            let spare = self.take_spare(header.layout);
            self.files_reused += u64::from(spare.is_some());
            self.segments.push(Segment::create(disk, self.identity, header, &self.encoder, spare)?);
            self.hard.newest_segment = header.number;
        }
        if let Some(state) = group.hard_state() {
            assert!(
                state.current_term >= self.hard.state.current_term,
                "the term falls from {} to {}",
                self.hard.state.current_term,
                state.current_term
            );
            self.hard.state = state;
        }
        if is_new_segment || group.hard_state().is_some() {
            self.write_hard_state(disk)?;
        }
        if operations.is_empty() {
            return Ok(());
        }
        self.encode(operations);
        self.segments.last_mut().expect("an open storage has a segment").append(disk, &self.encoder)
    }

    /// Encodes the next group for the last segment, and takes it into the live log.
    fn encode(&mut self, operations: &[Operation]) {
        let segment = self.segments.last().expect("an open storage has a segment");
        self.encoder.begin(segment.next_slot_at(), segment.next_record_at(), segment.seed);
        let count = u32::try_from(operations.len()).expect("a group has fewer than 2^32 writes");
        for (operation, ordinal) in operations.iter().zip(0..count) {
            let written = self.live.describe(operation).and_then(|position| {
                let (kind, payload_bytes) = (operation.kind(), operation.payload_bytes());
                let (sequence, group) = (self.next_sequence, self.next_group);
                let header =
                    record::Header { payload_bytes, kind, ordinal, count, sequence, group, position };
                let slot = self.encoder.push(header, &operation.payload());
                self.take(&slot, self.newest_place())
            });
            if let Err(what) = written {
                panic!(
                    "{operation} cannot be written: {what}; the log ends with {}",
                    self.live.last_position()
                );
            }
        }
        self.encoder.fill_pages();
        self.next_group += 1;
    }

    /// Takes a record of the segment at `place` into the live log; where it cannot come next, says why.
    pub(crate) fn take(&mut self, slot: &Slot, place: u32) -> Result<(), &'static str> {
        self.live.apply(slot, place)?;
        self.next_sequence += 1;
        self.check_term(slot.header.position.term)
    }

    /// No entry is of a later term than the hard state, which was durable before it.
    pub(crate) fn check_term(&self, term: Term) -> Result<(), &'static str> {
        if term > self.hard.state.current_term { Err("its term is above the hard state's") } else { Ok(()) }
    }

    /// The header of the segment after the newest, with room for a first group of `size`.
    pub(crate) fn next_header(&self, size: Layout, carries: bool) -> segment::Header {
        let number = self.hard.newest_segment + 1;
        segment::Header {
            number,
            first_group: self.next_group,
            first_sequence: self.next_sequence,
            last: self.live.last_position(),
            salt: self.options.salt(number),
            carries,
            layout: Layout::divide(self.options.segment_bytes).union(size),
        }
    }

    fn last_segment(&self) -> &Segment {
        self.segments.last().expect("an open storage has a segment")
    }

    /// How many records from `first` on stand one behind the other and fit in `bytes_left`; one fits always if
    /// `must_take`.
    fn run_of_records(
        &self,
        first: LogIndex,
        last: LogIndex,
        bytes_left: &mut u64,
        mut must_take: bool,
    ) -> u64 {
        let mut count = 0;
        let mut end: Option<Place> = None;
        for index in first.0..=last.0 {
            let place = self.live.place(LogIndex(index));
            let bytes = u64::from(place.record_bytes) - RECORD_OVERHEAD_BYTES + ENTRY_OVERHEAD_BYTES;
            let follows = end.is_none_or(|end| {
                place.segment == end.segment && place.offset == end.offset + u64::from(end.record_bytes)
            });
            if !follows || (bytes > *bytes_left && !must_take) {
                break;
            }
            *bytes_left = bytes_left.saturating_sub(bytes);
            must_take = false;
            end = Some(place);
            count += 1;
        }
        count
    }

    /// Reads `count` records that stand one behind the other in one go; their payloads share its memory.
    fn read_run(
        &self,
        first: LogIndex,
        count: u64,
        entries: &mut Vec<Entry>,
        disk: &mut impl Disk,
    ) -> Result<LogIndex, StorageError> {
        let start = self.live.place(first);
        let end = self.live.place(LogIndex(first.0 + count - 1));
        let segment = self.segment(start.segment);
        let mut bytes = vec![0; (end.offset + u64::from(end.record_bytes) - start.offset) as usize];
        let filled = disk.read_at(segment.file, start.offset, &mut bytes)?;
        bytes.truncate(filled);
        let bytes = Bytes::from(bytes);
        let mut at = 0;
        for index in first.0..first.0 + count {
            let place = self.live.place(LogIndex(index));
            let next = (at + place.record_bytes as usize).min(bytes.len());
            let position = self.live.position(LogIndex(index));
            let entry = record::decode(segment.seed, &bytes.slice(at.min(next)..next))
                .and_then(record::Record::into_entry)
                .filter(|entry| Some(entry.position()) == position);
            entries.push(entry.ok_or_else(|| StorageError::Damaged {
                file: segment.name(),
                offset: place.offset,
                position,
                what: "a record that was durable cannot be read",
            })?);
            at = next;
        }
        Ok(LogIndex(first.0 + count))
    }
}

/// What a group takes.
fn size_of(operations: &[Operation]) -> Layout {
    let (mut slots, mut records) = (Cursor::default(), 0);
    for operation in operations {
        let payload_bytes = operation.payload_bytes();
        slots.pass(operation.kind(), operation.position(), payload_bytes);
        records += RECORD_OVERHEAD_BYTES + u64::from(payload_bytes);
    }
    Layout::of_group(slots.end(), records)
}

/// Whether a file of this name is one of a storage's.
pub(crate) fn is_ours(name: &str) -> bool {
    name == identity::FILE || name == hard_state::FILE || segment::is_name(name) || snapshots::is_name(name)
}
