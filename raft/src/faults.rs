//! What a damaged disk leaves of entries: their names, without their data ("Protocol-Aware Recovery for Consensus-Based
//! Storage", Alagappan et al., FAST '18).
//!
//! A name is enough to vote by, and to compare logs. So a node with faulty entries follows, votes and leads like any other;
//! but nothing from its first faulty entry on counts as durable here, nor is applied, until that entry's data has come
//! back and is durable.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::{Entry, LogIndex, Payload, Recovered};

/// A command of which only index and term are known: its data was lost on disk. Storage keeps configurations with their
/// names, so that a node knows all of those that its log has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Faulty {
    /// Where it stands.
    pub index: LogIndex,
    /// It was of the last sync group that the disk held when its data was found missing. Then nobody can tell whether the
    /// data was ever there, and so whether it was acknowledged.
    pub is_doubtful: bool,
}

/// The faulty entries of a log.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Faults {
    /// Those whose data is not durable again, in log order.
    entries: Vec<Faulty>,
    /// Data that came back: what no write carries yet, what the latest one carries, and by which write which entry is made
    /// durable.
    due: Vec<Entry>,
    written: Vec<Entry>,
    in_flight: VecDeque<(u64, LogIndex)>,
}

impl Faults {
    /// Those that storage found. Returns `None` where they contradict the rest of what it found.
    pub(crate) fn recover(recovered: &Recovered) -> Option<Self> {
        let entries = recovered.faulty.clone();
        let in_memory = recovered.tail.first().map_or(recovered.last_index.next(), |entry| entry.index);
        let is_sound = entries.is_sorted_by(|a, b| a.index < b.index)
            && entries.first().is_none_or(|first| first.index > recovered.base.index)
            && entries.last().is_none_or(|last| last.index < in_memory);
        is_sound.then(|| Self { entries, ..Self::default() })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first one.
    pub(crate) fn first(&self) -> Option<LogIndex> {
        self.entries.first().map(|faulty| faulty.index)
    }

    /// All entries up to here are whole.
    pub(crate) fn sound_to(&self) -> LogIndex {
        self.first().map_or(LogIndex(u64::MAX), LogIndex::prev)
    }

    /// All of them, in log order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Faulty> {
        self.entries.iter().copied()
    }

    /// Those whose data has not come back, in log order.
    pub(crate) fn lacking(&self) -> impl Iterator<Item = Faulty> {
        self.entries().filter(|faulty| !self.has_come(faulty.index))
    }

    fn has_come(&self, index: LogIndex) -> bool {
        self.due.iter().any(|entry| entry.index == index)
            || self.in_flight.iter().any(|(_, written)| *written == index)
    }

    /// The one at `index`, where it is faulty.
    pub(crate) fn at(&self, index: LogIndex) -> Option<Faulty> {
        let place = self.entries.binary_search_by_key(&index, |faulty| faulty.index);
        place.ok().map(|place| self.entries[place])
    }

    /// Takes the data of an entry of this log, where it is lacking. Returns whether it was.
    pub(crate) fn take(&mut self, entry: &Entry) -> bool {
        let is_lacking = self.at(entry.index).is_some() && !self.has_come(entry.index);
        if !is_lacking || !matches!(entry.payload, Payload::Command(_)) {
            return false;
        }
        self.due.push(entry.clone());
        true
    }

    /// Whether a write is due.
    pub(crate) fn are_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// All that came, if anything, is written by this write.
    #[inline]
    pub(crate) fn write(&mut self, sequence: u64) {
        if self.due.is_empty() && self.written.is_empty() {
            return;
        }
        core::mem::swap(&mut self.due, &mut self.written);
        self.due.clear();
        self.in_flight.extend(self.written.iter().map(|entry| (sequence, entry.index)));
    }

    /// What the latest write carries.
    pub(crate) fn written(&self) -> &[Entry] {
        &self.written
    }

    /// The writes up to this one are durable.
    pub(crate) fn persisted(&mut self, sequence: u64) {
        while let Some((_, index)) = self.in_flight.front().copied().filter(|(write, _)| *write <= sequence) {
            self.in_flight.pop_front();
            if let Ok(place) = self.entries.binary_search_by_key(&index, |faulty| faulty.index) {
                self.entries.remove(place);
            }
        }
    }

    /// The entries from `from` on are gone.
    pub(crate) fn truncate(&mut self, from: LogIndex) {
        self.retain(|index| index < from);
    }

    /// The entries up to `to` are not needed any more.
    pub(crate) fn compact(&mut self, to: LogIndex) {
        self.retain(|index| index > to);
    }

    fn retain(&mut self, is_kept: impl Fn(LogIndex) -> bool) {
        self.entries.retain(|faulty| is_kept(faulty.index));
        self.due.retain(|entry| is_kept(entry.index));
        self.in_flight.retain(|(_, index)| is_kept(*index));
    }
}
