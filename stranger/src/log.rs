//! The log as the `raft` crate reads it: all of it in memory, ahead of the disk.
//!
//! The crate wants to read at once what it has handed out to be written ([`RawNode::advance_append_async`]); what is durable
//! is `disk.rs`'s to know.
//!
//! [`RawNode::advance_append_async`]: raft::RawNode::advance_append_async

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::util::limit_size;
use raft::{Error, GetEntriesContext, RaftState, Result, StorageError};
use squall_raft::{LogIndex, LogPosition, Term};

/// A log behind an entry up to which a snapshot stands for it.
#[derive(Debug)]
pub(crate) struct Log {
    /// What it began this life with.
    begin: RaftState,
    base: LogPosition,
    entries: Vec<Entry>,
    /// The newest snapshot, with its bytes.
    snapshot: Snapshot,
}

impl Log {
    pub(crate) fn new(
        hard_state: HardState,
        conf_state: ConfState,
        base: LogPosition,
        entries: Vec<Entry>,
        snapshot: Snapshot,
    ) -> Self {
        Self { begin: RaftState { hard_state, conf_state }, base, entries, snapshot }
    }

    pub(crate) fn conf_state(&self) -> &ConfState {
        &self.begin.conf_state
    }

    pub(crate) fn last(&self) -> LogPosition {
        self.entries.last().map_or(self.base, position)
    }

    pub(crate) fn base(&self) -> LogPosition {
        self.base
    }

    pub(crate) fn position(&self, index: LogIndex) -> Option<LogPosition> {
        if index == self.base.index {
            return Some(self.base);
        }
        let place = index.0.checked_sub(self.base.index.0 + 1)?;
        self.entries.get(usize::try_from(place).ok()?).map(position)
    }

    /// Appends entries, in the place of those that stand there.
    pub(crate) fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        let kept = first.index.checked_sub(self.base.index.0 + 1).expect("what is compacted is committed");
        assert!(
            kept <= self.entries.len() as u64,
            "entry {} leaves a gap after {}",
            first.index,
            self.last()
        );
        self.entries.truncate(kept as usize);
        self.entries.extend_from_slice(entries);
    }

    /// A snapshot takes the place of the log.
    pub(crate) fn reset(&mut self, snapshot: Snapshot) {
        let metadata = snapshot.get_metadata();
        self.base = LogPosition { term: Term(metadata.term), index: LogIndex(metadata.index) };
        self.entries.clear();
        self.snapshot = snapshot;
    }

    /// A snapshot stands for the log up to where it ends; the entries up to `base` go.
    pub(crate) fn compact(&mut self, snapshot: Snapshot, base: LogPosition) {
        self.snapshot = snapshot;
        let gone = base.index.0.saturating_sub(self.base.index.0);
        self.entries.drain(..gone as usize);
        self.base = base;
    }
}

fn position(entry: &Entry) -> LogPosition {
    LogPosition { term: Term(entry.term), index: LogIndex(entry.index) }
}

impl raft::Storage for Log {
    fn initial_state(&self) -> Result<RaftState> {
        Ok(self.begin.clone())
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        let first = self.base.index.0 + 1;
        if low < first {
            return Err(Error::Store(StorageError::Compacted));
        }
        let mut entries = self.entries[(low - first) as usize..(high - first) as usize].to_vec();
        limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> Result<u64> {
        if index < self.base.index.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        let position = self.position(LogIndex(index));
        position.map(|position| position.term.0).ok_or(Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.base.index.0 + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last().index.0)
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> Result<Snapshot> {
        if self.snapshot.get_metadata().index < request_index.max(1) {
            return Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable));
        }
        Ok(self.snapshot.clone())
    }
}
