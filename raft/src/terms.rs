//! The terms of the whole log, as runs: where each term begins.
//!
//! Terms never fall along a log (§5.3), so that a log of any length has as many runs as it saw leaders. The
//! consistency check and the back-off over conflicts need terms only, and so never wait for a disk.

use alloc::vec::Vec;

use crate::{LogIndex, LogPosition, Term};

/// The term of every entry of the log.
///
/// Invariant: `runs` rises strictly, in terms and in indices; `last_index` is not below the last run's start.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Terms {
    runs: Vec<LogPosition>,
    last_index: LogIndex,
}

impl Terms {
    /// The terms that storage found. Returns `None` where they contradict themselves.
    pub(crate) fn from_runs(runs: Vec<LogPosition>, last_index: LogIndex) -> Option<Self> {
        let rising = runs.windows(2).all(|pair| pair[0].term < pair[1].term && pair[0].index < pair[1].index);
        let begins = runs.first().map_or(last_index == LogIndex::ZERO, |run| run.index == LogIndex(1));
        let ends = runs.last().is_none_or(|run| run.index <= last_index);
        (rising && begins && ends).then_some(Self { runs, last_index })
    }

    pub(crate) fn last(&self) -> LogPosition {
        let term = self.runs.last().map_or(Term::ZERO, |run| run.term);
        LogPosition { term, index: self.last_index }
    }

    /// The term of the entry at `index`: zero at 0, `None` past the end.
    pub(crate) fn at(&self, index: LogIndex) -> Option<Term> {
        if index > self.last_index {
            return None;
        }
        // Nearly every question is about the end of the log.
        match self.runs.last() {
            Some(run) if run.index <= index => Some(run.term),
            Some(_) | None => Some(self.run_of(index).map_or(Term::ZERO, |run| run.term)),
        }
    }

    pub(crate) fn push(&mut self, position: LogPosition) {
        let last = self.last();
        assert_eq!(position.index, last.index.next(), "entries are appended one after the other");
        assert!(position.term >= last.term, "terms never fall along a log: {position} after {last}");
        if position.term > last.term {
            self.runs.push(position);
        }
        self.last_index = position.index;
    }

    /// Removes the entries from `from` on.
    pub(crate) fn truncate(&mut self, from: LogIndex) {
        assert!(from > LogIndex::ZERO, "the log begins at 1");
        while self.runs.last().is_some_and(|run| run.index >= from) {
            self.runs.pop();
        }
        self.last_index = self.last_index.min(from.prev());
    }

    /// The latest entry whose index is at most `index` and whose term is at most `term`: where two logs may
    /// still agree, as seen from one of them.
    pub(crate) fn latest_within(&self, index: LogIndex, term: Term) -> LogPosition {
        let mut index = index.min(self.last_index);
        while let Some(run) = self.run_of(index) {
            if run.term <= term {
                return LogPosition { term: run.term, index };
            }
            index = run.index.prev();
        }
        LogPosition::ZERO
    }

    fn run_of(&self, index: LogIndex) -> Option<&LogPosition> {
        let following = self.runs.partition_point(|run| run.index <= index);
        following.checked_sub(1).map(|position| &self.runs[position])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(of_entries: &[u64]) -> Terms {
        let mut terms = Terms::default();
        for (offset, term) in of_entries.iter().enumerate() {
            terms.push(LogPosition::new(*term, offset as u64 + 1));
        }
        terms
    }

    #[test]
    fn each_entry_has_the_term_it_was_pushed_with() {
        let of_entries = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
        let terms = terms(&of_entries);
        assert_eq!(terms.at(LogIndex(0)), Some(Term(0)));
        for (offset, term) in of_entries.iter().enumerate() {
            assert_eq!(terms.at(LogIndex(offset as u64 + 1)), Some(Term(*term)));
        }
        assert_eq!(terms.at(LogIndex(11)), None);
    }

    #[test]
    fn truncation_forgets_runs_and_shortens_the_one_it_cuts() {
        let mut terms = terms(&[1, 1, 2, 2, 3]);
        terms.truncate(LogIndex(4));
        assert_eq!(terms.last(), LogPosition::new(2, 3));
        terms.truncate(LogIndex(3));
        assert_eq!(terms.last(), LogPosition::new(1, 2));
        terms.truncate(LogIndex(1));
        assert_eq!(terms.last(), LogPosition::ZERO);
    }

    #[test]
    fn the_back_off_lands_on_the_latest_entry_within_both_bounds() {
        let terms = terms(&[1, 1, 1, 4, 4, 5, 5, 6, 6, 6]);
        assert_eq!(terms.latest_within(LogIndex(10), Term(6)), LogPosition::new(6, 10));
        assert_eq!(terms.latest_within(LogIndex(10), Term(5)), LogPosition::new(5, 7));
        assert_eq!(terms.latest_within(LogIndex(10), Term(3)), LogPosition::new(1, 3));
        assert_eq!(terms.latest_within(LogIndex(2), Term(9)), LogPosition::new(1, 2));
        assert_eq!(terms.latest_within(LogIndex(9), Term(0)), LogPosition::ZERO);
    }

    #[test]
    fn runs_that_contradict_themselves_are_refused() {
        let run = |term, index| LogPosition::new(term, index);
        assert!(Terms::from_runs(alloc::vec![run(1, 1), run(3, 4)], LogIndex(9)).is_some());
        assert!(Terms::from_runs(alloc::vec![], LogIndex(0)).is_some());
        assert!(Terms::from_runs(alloc::vec![], LogIndex(1)).is_none(), "entries without a term");
        assert!(Terms::from_runs(alloc::vec![run(1, 2)], LogIndex(9)).is_none(), "does not begin at 1");
        assert!(Terms::from_runs(alloc::vec![run(3, 1), run(1, 4)], LogIndex(9)).is_none(), "terms fall");
        assert!(Terms::from_runs(alloc::vec![run(1, 1), run(3, 4)], LogIndex(3)).is_none(), "ends early");
    }
}
