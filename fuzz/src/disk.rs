//! The driver's disk, in memory: what was written to it, and what a restart finds.

use squall_raft::{
    Entry, HardState, LogIndex, LogPosition, Payload, Recovered, SnapshotId, Write, WriteToken,
};

/// A disk's contents.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) hard_state: HardState,
    pub(crate) base: LogPosition,
    /// Those after the base.
    pub(crate) entries: Vec<Entry>,
    pub(crate) snapshot: Option<SnapshotId>,
    /// A snapshot that is being received, and so many of its bytes.
    pub(crate) receiving: Option<(SnapshotId, u64)>,
}

/// A write that outlives the core's next input.
#[derive(Debug)]
pub(crate) struct OwnedWrite {
    pub(crate) token: WriteToken,
    pub(crate) hard_state: Option<HardState>,
    pub(crate) truncate_from: Option<LogIndex>,
    pub(crate) reset_to: Option<LogPosition>,
    pub(crate) compact_to: Option<LogPosition>,
    pub(crate) entries: Vec<Entry>,
}

impl Disk {
    pub(crate) fn last_index(&self) -> LogIndex {
        LogIndex(self.base.index.0 + self.entries.len() as u64)
    }

    pub(crate) fn entry(&self, index: LogIndex) -> Option<&Entry> {
        self.entries.get(usize::try_from(index.0.checked_sub(self.base.index.0 + 1)?).ok()?)
    }

    /// Where the log of a core ends that starts from here: a snapshot that the log does not lead up to replaces it.
    pub(crate) fn recovered_last_index(&self) -> LogIndex {
        let Some(snapshot) = self.snapshot else { return self.last_index() };
        let entry = self.entry(snapshot.last.index).map(Entry::position);
        let agrees = entry.unwrap_or(self.base) == snapshot.last;
        if agrees { self.last_index() } else { snapshot.last.index }
    }

    /// A whole snapshot is durable.
    pub(crate) fn keep(&mut self, snapshot: SnapshotId) {
        if self.snapshot.is_none_or(|newest| newest.last.index < snapshot.last.index) {
            self.snapshot = Some(snapshot);
        }
    }

    pub(crate) fn write(&mut self, write: &OwnedWrite) {
        self.hard_state = write.hard_state.unwrap_or(self.hard_state);
        if let Some(from) = write.truncate_from {
            self.entries.retain(|entry| entry.index < from);
        }
        if let Some(base) = write.reset_to {
            (self.base, self.entries) = (base, Vec::new());
        }
        if let Some(base) = write.compact_to {
            self.entries.retain(|entry| entry.index > base.index);
            self.base = base;
        }
        self.entries.extend_from_slice(&write.entries);
    }

    pub(crate) fn recover(&self, boot: u64, tail: usize) -> Recovered {
        let mut terms: Vec<LogPosition> = self.entries.iter().map(Entry::position).collect();
        terms.dedup_by_key(|position| position.term);
        let tail = self.entries[self.entries.len().saturating_sub(tail)..].to_vec();
        let configurations = self.entries.iter().filter_map(|entry| match &entry.payload {
            Payload::Configuration(configuration) => Some((entry.index, configuration.clone())),
            Payload::Noop | Payload::Command(_) | Payload::Withheld => None,
        });
        let configurations = configurations.collect();
        let Self { hard_state, base, snapshot, receiving, .. } = *self;
        let last_index = self.last_index();
        let is_withheld = self.entries.iter().any(|entry| entry.payload == Payload::Withheld);
        Recovered {
            boot,
            hard_state,
            snapshot,
            receiving,
            base,
            terms,
            last_index,
            tail,
            configurations,
            is_withheld,
        }
    }
}

impl OwnedWrite {
    pub(crate) fn new(write: &Write<'_>) -> Self {
        Self {
            token: write.token,
            hard_state: write.hard_state,
            truncate_from: write.truncate_from,
            reset_to: write.reset_to,
            compact_to: write.compact_to,
            entries: write.iter().cloned().collect(),
        }
    }
}
