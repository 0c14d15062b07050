//! The log in memory: the terms of its entries, and the latest entries themselves. What was compacted is gone.
//!
//! Older entries live on disk only and come back by `Fetch`. Nothing here is durable by itself.

use alloc::collections::VecDeque;
use alloc::vec::{Drain, Vec};

use crate::terms::Terms;
use crate::{Entries, Entry, LogIndex, LogPosition, Recovered, Term};

/// The replicated log (Figure 2, `log[]`).
///
/// Invariant: `entries` are the log's last ones, contiguous, and end at the last index.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Log {
    terms: Terms,
    entries: VecDeque<Entry>,
    bytes: u64,
}

impl Log {
    /// The log that storage found. Returns `None` where it contradicts itself.
    pub(crate) fn recover(recovered: &Recovered) -> Option<Self> {
        let Recovered { base, last_index, .. } = *recovered;
        let terms = Terms::from_runs(base, recovered.terms.clone(), last_index)?;
        let mut expected = last_index;
        for entry in recovered.tail.iter().rev() {
            if expected == base.index || entry.index != expected || terms.at(entry.index) != Some(entry.term)
            {
                return None;
            }
            expected = expected.prev();
        }
        let bytes = recovered.tail.iter().map(Entry::size_bytes).sum();
        Some(Self { terms, entries: recovered.tail.iter().cloned().collect(), bytes })
    }

    pub(crate) fn last(&self) -> LogPosition {
        self.terms.last()
    }

    /// The entry before the first: a snapshot stands for all up to it.
    pub(crate) fn base(&self) -> LogPosition {
        self.terms.base()
    }

    pub(crate) fn last_index(&self) -> LogIndex {
        self.terms.last().index
    }

    /// The first entry in memory, or the place after the last where none is.
    pub(crate) fn first_in_memory(&self) -> LogIndex {
        self.entries.front().map_or_else(|| self.last_index().next(), |entry| entry.index)
    }

    /// Bytes that the entries in memory count for.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn term_at(&self, index: LogIndex) -> Option<Term> {
        self.terms.at(index)
    }

    pub(crate) fn contains(&self, position: LogPosition) -> bool {
        self.terms.at(position.index) == Some(position.term)
    }

    /// Whether the entry stands in the log, or did: what was compacted is committed, and a leader has it.
    pub(crate) fn agrees_with(&self, position: LogPosition) -> bool {
        position.index < self.base().index || self.contains(position)
    }

    /// See [`Terms::latest_within`].
    pub(crate) fn latest_within(&self, index: LogIndex, term: Term) -> Option<LogPosition> {
        self.terms.latest_within(index, term)
    }

    pub(crate) fn append(&mut self, entry: Entry) {
        self.terms.push(entry.position());
        self.bytes += entry.size_bytes();
        self.entries.push_back(entry);
    }

    /// Appends entries that follow one another, and moves all of them into memory at once.
    pub(crate) fn append_all(&mut self, entries: Drain<'_, Entry>) {
        for entry in entries.as_slice() {
            self.terms.push(entry.position());
            self.bytes += entry.size_bytes();
        }
        self.entries.extend(entries);
    }

    /// Removes the entries from `from` on (§5.3).
    pub(crate) fn truncate(&mut self, from: LogIndex) {
        self.terms.truncate(from);
        while self.entries.back().is_some_and(|entry| entry.index >= from) {
            let entry = self.entries.pop_back().expect("the loop has just seen it");
            self.bytes -= entry.size_bytes();
        }
    }

    /// Forgets the entries up to `to`, for which a snapshot stands.
    pub(crate) fn compact(&mut self, to: LogIndex) {
        self.terms.compact(to);
        self.evict(to, 0);
    }

    /// Empties the log: a snapshot stands for all up to `base`.
    pub(crate) fn reset(&mut self, base: LogPosition) {
        self.terms.reset(base);
        self.entries.clear();
        self.bytes = 0;
    }

    /// The entries `first..=last`, all of which are in memory.
    pub(crate) fn slices(&self, first: LogIndex, last: LogIndex) -> (&[Entry], &[Entry]) {
        if last < first {
            return (&[], &[]);
        }
        let in_memory = self.first_in_memory();
        assert!(first >= in_memory, "entry {first} is not in memory, which begins at {in_memory}");
        assert!(last <= self.last_index(), "entry {last} is past the end of the log");
        let (start, end) = (offset(in_memory, first), offset(in_memory, last) + 1);
        if first == last {
            return (core::slice::from_ref(&self.entries[start]), &[]);
        }
        let (front, back) = self.entries.as_slices();
        if start >= front.len() {
            (&back[start - front.len()..end - front.len()], &[])
        } else if end <= front.len() {
            (&front[start..end], &[])
        } else {
            (&front[start..], &back[..end - front.len()])
        }
    }

    /// Where a batch that begins at `first` ends: as many entries as `max_bytes` takes, and at least one.
    /// Returns its last index and its bytes. `first` is in memory and `last` is not past the end.
    pub(crate) fn batch_end(&self, first: LogIndex, last: LogIndex, max_bytes: u64) -> (LogIndex, u64) {
        assert!(first <= last, "a batch has at least one entry");
        let (front, back) = self.slices(first, last);
        let mut bytes = 0;
        let mut end = first.prev();
        for entry in front.iter().chain(back) {
            if end >= first && bytes + entry.size_bytes() > max_bytes {
                break;
            }
            bytes += entry.size_bytes();
            end = entry.index;
        }
        (end, bytes)
    }

    /// A copy of the entries `first..=last` for a message.
    pub(crate) fn copy(&self, first: LogIndex, last: LogIndex) -> Entries {
        let (front, back) = self.slices(first, last);
        match (front, back) {
            ([], []) => Entries::Empty,
            ([entry], []) => Entries::One(entry.clone()),
            (front, []) => Entries::Many(front.to_vec()),
            (front, back) => {
                let mut entries = Vec::with_capacity(front.len() + back.len());
                entries.extend_from_slice(front);
                entries.extend_from_slice(back);
                Entries::Many(entries)
            }
        }
    }

    /// Drops entries up to `up_to` from memory, oldest first, while more than `keep_bytes` are held.
    pub(crate) fn evict(&mut self, up_to: LogIndex, keep_bytes: u64) {
        while self.bytes > keep_bytes && self.entries.front().is_some_and(|entry| entry.index <= up_to) {
            let entry = self.entries.pop_front().expect("the loop has just seen it");
            self.bytes -= entry.size_bytes();
        }
    }
}

fn offset(from: LogIndex, to: LogIndex) -> usize {
    usize::try_from(to.0 - from.0).expect("entries in memory are counted by usize")
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use bytes::Bytes;

    use super::*;
    use crate::Payload;

    fn entry(term: u64, index: u64, len: usize) -> Entry {
        Entry {
            term: Term(term),
            index: LogIndex(index),
            payload: Payload::Command(Bytes::from(vec![7; len])),
        }
    }

    fn log(len: u64) -> Log {
        let mut log = Log::default();
        for index in 1..=len {
            log.append(entry(1, index, 10));
        }
        log
    }

    #[test]
    fn eviction_keeps_terms_and_drops_the_oldest_entries_first() {
        let mut log = log(10);
        let one = log.bytes() / 10;
        log.evict(LogIndex(8), 4 * one);
        assert_eq!(log.first_in_memory(), LogIndex(7));
        assert_eq!(log.bytes(), 4 * one);
        assert_eq!(log.term_at(LogIndex(2)), Some(Term(1)));
        log.evict(LogIndex(8), 0);
        assert_eq!(log.first_in_memory(), LogIndex(9), "what may not go stays, whatever it weighs");
    }

    #[test]
    fn a_truncation_below_what_is_in_memory_empties_it() {
        let mut log = log(10);
        log.evict(LogIndex(8), 0);
        log.truncate(LogIndex(5));
        assert_eq!(log.bytes(), 0);
        assert_eq!(log.first_in_memory(), LogIndex(5));
        log.append(entry(2, 5, 3));
        assert_eq!(log.last(), LogPosition::new(2, 5));
        assert_eq!(log.slices(LogIndex(5), LogIndex(5)).0.len(), 1);
    }

    #[test]
    fn a_compacted_log_forgets_entries_in_memory_and_a_reset_one_all() {
        let mut log = log(10);
        let one = log.bytes() / 10;
        log.compact(LogIndex(7));
        assert_eq!((log.base(), log.first_in_memory()), (LogPosition::new(1, 7), LogIndex(8)));
        assert_eq!(log.bytes(), 3 * one);
        assert!(!log.contains(LogPosition::new(1, 6)) && log.agrees_with(LogPosition::new(1, 6)));
        assert!(!log.agrees_with(LogPosition::new(2, 7)), "the term of the base is known");
        log.compact(LogIndex(10));
        assert_eq!((log.bytes(), log.last()), (0, LogPosition::new(1, 10)));
        log.append(entry(1, 11, 10));
        log.reset(LogPosition::new(4, 30));
        assert_eq!((log.bytes(), log.first_in_memory()), (0, LogIndex(31)));
    }

    #[test]
    fn a_batch_takes_what_fits_and_never_less_than_one() {
        let log = log(10);
        let one = log.bytes() / 10;
        assert_eq!(log.batch_end(LogIndex(3), LogIndex(10), 3 * one), (LogIndex(5), 3 * one));
        assert_eq!(log.batch_end(LogIndex(3), LogIndex(10), 1), (LogIndex(3), one));
        assert_eq!(log.batch_end(LogIndex(3), LogIndex(4), u64::MAX), (LogIndex(4), 2 * one));
    }

    #[test]
    fn slices_and_copies_agree_wherever_the_ring_wraps() {
        let mut log = log(7);
        for index in 8..40 {
            log.evict(LogIndex(index - 3), 0);
            log.append(entry(1, index, index as usize));
            let first = log.first_in_memory();
            let (front, back) = log.slices(first, LogIndex(index));
            let joined: Vec<Entry> = front.iter().chain(back).cloned().collect();
            assert_eq!(joined, log.copy(first, LogIndex(index)).to_vec());
            assert_eq!(joined.last().map(|entry| entry.index), Some(LogIndex(index)));
        }
    }

    #[test]
    fn a_recovered_tail_that_does_not_fit_its_terms_is_refused() {
        let recovered = |tail| Recovered {
            terms: vec![LogPosition::new(1, 1), LogPosition::new(2, 3)],
            last_index: LogIndex(4),
            tail,
            ..Recovered::default()
        };
        assert!(Log::recover(&recovered(vec![entry(2, 3, 1), entry(2, 4, 1)])).is_some());
        assert!(Log::recover(&recovered(vec![])).is_some());
        assert!(Log::recover(&recovered(vec![entry(2, 3, 1)])).is_none(), "does not reach the end");
        assert!(Log::recover(&recovered(vec![entry(1, 4, 1)])).is_none(), "has another term");
    }
}
