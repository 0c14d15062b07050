//! The driver's disk, in memory: what was written to it, and what a restart finds.

use squall_raft::{
    Entry, Faulty, HardState, LogIndex, LogPosition, Payload, Recovered, SnapshotId, Term, Write, WriteToken,
};

/// A disk's contents.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) hard_state: HardState,
    pub(crate) base: LogPosition,
    /// Those after the base.
    pub(crate) entries: Vec<Entry>,
    pub(crate) snapshot: Option<SnapshotId>,
    /// The entries whose data is lost.
    pub(crate) faulty: Vec<Faulty>,
    /// A snapshot that is being received, and so many of its bytes.
    pub(crate) receiving: Option<(SnapshotId, u64)>,
    /// Up to which term entries were lost at the log's end.
    pub(crate) uncertain: Term,
}

/// A write that outlives the core's next input.
#[derive(Debug)]
pub(crate) struct OwnedWrite {
    pub(crate) token: WriteToken,
    pub(crate) hard_state: Option<HardState>,
    pub(crate) truncate_from: Option<LogIndex>,
    pub(crate) reset_to: Option<LogPosition>,
    pub(crate) compact_to: Option<LogPosition>,
    pub(crate) repairs: Vec<Entry>,
    pub(crate) entries: Vec<Entry>,
}

impl Disk {
    pub(crate) fn last_index(&self) -> LogIndex {
        LogIndex(self.base.index.0 + self.entries.len() as u64)
    }

    /// An entry, with its data.
    pub(crate) fn whole(&self, index: LogIndex) -> Option<&Entry> {
        self.entry(index).filter(|_| self.faulty.iter().all(|faulty| faulty.index != index))
    }

    /// The data of some of the last entries goes bad: of those that have any, and whose bit is set.
    pub(crate) fn lose(&mut self, bits: u16, is_doubtful: bool) {
        for (place, entry) in self.entries.iter().rev().take(16).enumerate() {
            let has_data = matches!(entry.payload, Payload::Command(_));
            let is_known = self.faulty.iter().any(|faulty| faulty.index == entry.index);
            if bits & 1 << place != 0 && has_data && !is_known {
                self.faulty.push(Faulty { index: entry.index, is_doubtful });
            }
        }
        self.faulty.sort_by_key(|faulty| faulty.index);
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
            self.faulty.retain(|faulty| faulty.index < from);
        }
        if let Some(base) = write.reset_to {
            (self.base, self.entries, self.faulty) = (base, Vec::new(), Vec::new());
        }
        if let Some(base) = write.compact_to {
            self.entries.retain(|entry| entry.index > base.index);
            self.faulty.retain(|faulty| faulty.index > base.index);
            self.base = base;
        }
        for repair in &write.repairs {
            let place = self.entries.iter().position(|entry| entry.position() == repair.position());
            let place = place.expect("what is repaired is in the log");
            let known = self.faulty.iter().position(|faulty| faulty.index == repair.index);
            self.faulty.remove(known.expect("what is repaired was lost"));
            self.entries[place] = repair.clone();
        }
        self.entries.extend_from_slice(&write.entries);
    }

    pub(crate) fn recover(&self, boot: u64, tail: usize) -> Recovered {
        let mut terms: Vec<LogPosition> = self.entries.iter().map(Entry::position).collect();
        terms.dedup_by_key(|position| position.term);
        let last_faulty = self.faulty.last().map_or(LogIndex::ZERO, |faulty| faulty.index);
        let tail = self.entries[self.entries.len().saturating_sub(tail)..].iter();
        let tail = tail.filter(|entry| entry.index > last_faulty).cloned().collect();
        let configurations = self.entries.iter().filter_map(|entry| match &entry.payload {
            Payload::Configuration(configuration) => Some((entry.index, configuration.clone())),
            Payload::Noop | Payload::Command(_) | Payload::Withheld => None,
        });
        let configurations = configurations.collect();
        let Self { hard_state, base, snapshot, receiving, uncertain, .. } = *self;
        let last_index = self.last_index();
        let is_withheld = self.entries.iter().any(|entry| entry.payload == Payload::Withheld);
        Recovered {
            boot,
            hard_state,
            snapshot,
            lost_snapshot: None,
            receiving,
            base,
            terms,
            last_index,
            tail,
            faulty: self.faulty.clone(),
            configurations,
            is_withheld,
            uncertain,
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
            repairs: write.repairs.to_vec(),
            entries: write.iter().cloned().collect(),
        }
    }
}
