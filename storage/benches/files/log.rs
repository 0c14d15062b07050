//! A log that is appended to, group by group, and compacted now and then or never.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use squall_disk::{Disk, DiskError, FileId, RealDisk};
use squall_raft::{Entry, HardState, LogIndex, LogPosition, NodeId, Payload, Term, Write, WriteToken};
use squall_storage::{Group, Identity, Options, Storage};

pub(crate) const ENTRY_BYTES: usize = 256;
pub(crate) const IDENTITY: Identity = Identity { node: NodeId(1), cluster: 1, incarnation: 0 };
const TERM: Term = Term(1);

pub(crate) struct Log<D> {
    disk: D,
    storage: Storage,
    group: Group,
    entries: Vec<Entry>,
    next: LogIndex,
    /// After so many groups a snapshot is taken, and the log may go up to there.
    groups_kept: Option<u64>,
    since_snapshot: u64,
}

/// Real files without the slots: what is written to their places is dropped.
pub(crate) struct WithoutSlots(pub(crate) RealDisk);

impl Log<RealDisk> {
    pub(crate) fn create(path: &Path) -> RealDisk {
        std::fs::create_dir(path).expect("the name is free");
        RealDisk::open(path).expect("it was just made")
    }
}

impl<D: Disk> Log<D> {
    /// A new log for groups of so many entries.
    pub(crate) fn new(mut disk: D, group_entries: usize, groups_kept: Option<u64>) -> Self {
        let options = Options::default();
        Storage::format(&mut disk, IDENTITY, &options).expect("the directory is empty");
        let (mut storage, _) = Storage::open(&mut disk, IDENTITY, &options).expect("it was just formatted");
        let mut group = Group::default();
        let hard_state = HardState { current_term: TERM, voted_for: None, longest_promise: 0 };
        group.add(&Write { hard_state: Some(hard_state), ..write(&[]) });
        storage.commit(&mut group, &mut disk).expect("the disk is sound");
        let payload = Payload::Command(Bytes::from(vec![0x5a; ENTRY_BYTES]));
        let entry = Entry { term: TERM, index: LogIndex(0), payload };
        let entries = vec![entry; group_entries];
        Self { disk, storage, group, entries, next: LogIndex(1), groups_kept, since_snapshot: 0 }
    }

    /// Appends one group; the time is that of the commit.
    pub(crate) fn run(&mut self) -> Duration {
        let compact_to = self.take_snapshot();
        for entry in &mut self.entries {
            entry.index = self.next;
            self.next = self.next.next();
        }
        self.group.add(&Write { compact_to, ..write(&self.entries) });
        let start = Instant::now();
        self.storage.commit(&mut self.group, &mut self.disk).expect("the disk is sound");
        start.elapsed()
    }

    fn take_snapshot(&mut self) -> Option<LogPosition> {
        self.since_snapshot += 1;
        self.groups_kept.filter(|kept| self.since_snapshot > *kept)?;
        self.since_snapshot = 0;
        let last = LogPosition { term: TERM, index: LogIndex(self.next.0 - 1) };
        let (storage, disk) = (&mut self.storage, &mut self.disk);
        storage.begin_snapshot(last, disk).expect("the disk is sound");
        storage.write_snapshot(b"image", disk).expect("the disk is sound");
        storage.finish_snapshot(disk).expect("the disk is sound");
        Some(last)
    }
}

fn write(entries: &[Entry]) -> Write<'_> {
    let token = WriteToken { boot: 1, sequence: 1 };
    let entries = (entries, &[][..]);
    Write {
        token,
        hard_state: None,
        truncate_from: None,
        reset_to: None,
        compact_to: None,
        repairs: &[],
        entries,
    }
}

impl Disk for WithoutSlots {
    fn create(&mut self, name: &str) -> Result<FileId, DiskError> {
        self.0.create(name)
    }

    fn open(&mut self, name: &str) -> Result<FileId, DiskError> {
        self.0.open(name)
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        self.0.len(file)
    }

    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        self.0.read_at(file, offset, buffer)
    }

    /// A segment has slots in the second of its pages and in a quarter of all; so long is no other file here.
    fn write_at(&mut self, file: FileId, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        let is_slot =
            (4096..16 << 20).contains(&offset) && self.0.len(file)? == Options::default().segment_bytes;
        if is_slot { Ok(()) } else { self.0.write_at(file, offset, data) }
    }

    fn sync(&mut self, file: FileId) -> Result<(), DiskError> {
        self.0.sync(file)
    }

    fn set_len(&mut self, file: FileId, len: u64) -> Result<(), DiskError> {
        self.0.set_len(file, len)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.0.rename(from, to)
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.0.remove(name)
    }

    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        self.0.list()
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        self.0.sync_dir()
    }
}
