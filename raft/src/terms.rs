//! The terms of the log, as runs: where each term begins.
//!
//! Terms never fall along a log (§5.3), so that a log of any length has as many runs as it saw leaders. The
//! consistency check and the back-off over conflicts need terms only, and so never wait for a disk.

use alloc::vec::Vec;

use crate::{LogIndex, LogPosition, Term};

/// The term of every entry of the log, and of the one before its first.
///
/// Invariant: `runs` rises strictly, in terms and in indices, and begins right after `base`; `last_index` is not
/// below the last run's start.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Terms {
    /// The entry before the first; a snapshot stands for all up to it.
    base: LogPosition,
    runs: Vec<LogPosition>,
    last_index: LogIndex,
}

impl Terms {
    /// The terms that storage found. Returns `None` where they contradict themselves.
    pub(crate) fn from_runs(base: LogPosition, runs: Vec<LogPosition>, last_index: LogIndex) -> Option<Self> {
        let rising = runs.windows(2).all(|pair| pair[0].term < pair[1].term && pair[0].index < pair[1].index);
        let follows = |run: &LogPosition| {
            run.term >= base.term && run.term > Term::ZERO && Some(run.index) == base.index.checked_add(1)
        };
        let begins = runs.first().map_or(last_index == base.index, follows);
        let ends = runs.last().is_none_or(|run| run.index <= last_index);
        (rising && begins && ends).then_some(Self { base, runs, last_index })
    }

    pub(crate) fn base(&self) -> LogPosition {
        self.base
    }

    pub(crate) fn last(&self) -> LogPosition {
        let term = self.runs.last().map_or(self.base.term, |run| run.term);
        LogPosition { term, index: self.last_index }
    }

    /// The term of the entry at `index`: zero at 0, `None` past the end, and where only a snapshot knows.
    pub(crate) fn at(&self, index: LogIndex) -> Option<Term> {
        if index > self.last_index || index < self.base.index {
            return None;
        }
        // Nearly every question is about the end of the log.
        match self.runs.last() {
            Some(run) if run.index <= index => Some(run.term),
            Some(_) | None => Some(self.run_of(index).map_or(self.base.term, |run| run.term)),
        }
    }

    pub(crate) fn push(&mut self, position: LogPosition) {
        let last = self.last();
        assert_eq!(position.index, last.index.next(), "entries are appended one after the other");
        assert!(position.term >= last.term, "terms never fall along a log: {position} after {last}");
        if position.term > last.term || self.runs.is_empty() {
            self.runs.push(position);
        }
        self.last_index = position.index;
    }

    /// Removes the entries from `from` on.
    pub(crate) fn truncate(&mut self, from: LogIndex) {
        assert!(from > self.base.index, "the log begins after {}, and is cut from {from} on", self.base);
        while self.runs.last().is_some_and(|run| run.index >= from) {
            self.runs.pop();
        }
        self.last_index = self.last_index.min(from.prev());
    }

    /// Forgets the entries up to `to`: a snapshot stands for them.
    pub(crate) fn compact(&mut self, to: LogIndex) {
        let term = self.at(to).expect("a log is compacted up to one of its entries");
        let passed = self.runs.partition_point(|run| run.index <= to);
        let end = self.runs.get(passed).map_or(self.last_index, |run| run.index.prev());
        let goes_on = passed > 0 && end > to;
        if goes_on {
            self.runs[passed - 1].index = to.next();
        }
        self.runs.drain(..passed - usize::from(goes_on));
        self.base = LogPosition { term, index: to };
    }

    /// Forgets everything: the log is empty, and a snapshot stands for all up to `base`.
    pub(crate) fn reset(&mut self, base: LogPosition) {
        self.runs.clear();
        (self.base, self.last_index) = (base, base.index);
    }

    /// The latest entry whose index is at most `index` and whose term is at most `term`: where two logs may
    /// still agree, as seen from one of them. `None` where that lies before the log's beginning.
    pub(crate) fn latest_within(&self, index: LogIndex, term: Term) -> Option<LogPosition> {
        let mut index = index.min(self.last_index);
        while let Some(run) = self.run_of(index) {
            if run.term <= term {
                return Some(LogPosition { term: run.term, index });
            }
            index = run.index.prev();
        }
        (index >= self.base.index && self.base.term <= term).then_some(self.base)
    }

    fn run_of(&self, index: LogIndex) -> Option<&LogPosition> {
        let following = self.runs.partition_point(|run| run.index <= index);
        following.checked_sub(1).map(|position| &self.runs[position])
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

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
    fn runs_that_contradict_themselves_are_none() {
        let begins_in =
            |term| Terms::from_runs(LogPosition::ZERO, vec![LogPosition::new(term, 1)], LogIndex(1));
        assert_eq!(begins_in(0), None, "no entry is of term 0");
        assert!(begins_in(1).is_some());
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
        let mut terms = terms(&[1, 1, 1, 4, 4, 5, 5, 6, 6, 6]);
        let within = |terms: &Terms, index, term| terms.latest_within(LogIndex(index), Term(term));
        assert_eq!(within(&terms, 10, 6), Some(LogPosition::new(6, 10)));
        assert_eq!(within(&terms, 10, 5), Some(LogPosition::new(5, 7)));
        assert_eq!(within(&terms, 10, 3), Some(LogPosition::new(1, 3)));
        assert_eq!(within(&terms, 2, 9), Some(LogPosition::new(1, 2)));
        assert_eq!(within(&terms, 9, 0), Some(LogPosition::ZERO));
        terms.compact(LogIndex(4));
        assert_eq!(within(&terms, 10, 4), Some(LogPosition::new(4, 5)));
        assert_eq!(within(&terms, 4, 4), Some(LogPosition::new(4, 4)), "the base itself is known");
        assert_eq!(within(&terms, 10, 3), None, "what stood before the base is not");
        assert_eq!(within(&terms, 3, 9), None);
    }

    /// Every place at which ten entries can be cut: what is left answers as before, what went is unknown.
    #[test]
    fn a_compacted_log_knows_the_terms_from_its_base_on() {
        let of_entries = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
        let term = |index: u64| if index == 0 { 0 } else { of_entries[index as usize - 1] };
        for to in 0..=10 {
            let mut terms = terms(&of_entries);
            terms.compact(LogIndex(to / 2));
            terms.compact(LogIndex(to));
            assert_eq!(terms.base(), LogPosition::new(term(to), to));
            assert_eq!(terms.last(), LogPosition::new(6, 10));
            for index in 0..=10 {
                let known = (index >= to).then_some(Term(term(index)));
                assert_eq!(terms.at(LogIndex(index)), known, "entry {index}, cut after {to}");
            }
            let Terms { base, runs, last_index } = terms.clone();
            assert_eq!(Terms::from_runs(base, runs, last_index), Some(terms.clone()), "it may be recovered");
            terms.truncate(LogIndex(to + 1));
            terms.push(LogPosition::new(7, to + 1));
            assert_eq!(
                (terms.at(LogIndex(to + 1)), terms.at(LogIndex(to))),
                (Some(Term(7)), Some(Term(term(to))))
            );
        }
    }

    #[test]
    fn a_log_that_was_reset_goes_on_in_the_term_of_its_base() {
        let mut terms = terms(&[1, 1, 2]);
        terms.reset(LogPosition::new(5, 20));
        assert_eq!(terms.last(), LogPosition::new(5, 20));
        assert_eq!(terms.at(LogIndex(3)), None);
        terms.push(LogPosition::new(5, 21));
        assert_eq!(terms.at(LogIndex(21)), Some(Term(5)));
    }

    #[test]
    fn runs_that_contradict_themselves_are_refused() {
        let run = |term, index| LogPosition::new(term, index);
        let sound = |base, runs: &[LogPosition], last| {
            Terms::from_runs(base, runs.to_vec(), LogIndex(last)).is_some()
        };
        let empty = LogPosition::ZERO;
        assert!(sound(empty, &[run(1, 1), run(3, 4)], 9));
        assert!(sound(empty, &[], 0));
        assert!(!sound(empty, &[], 1), "entries without a term");
        assert!(!sound(empty, &[run(1, 2)], 9), "does not begin at 1");
        assert!(!sound(empty, &[run(3, 1), run(1, 4)], 9), "terms fall");
        assert!(!sound(empty, &[run(1, 1), run(3, 4)], 3), "ends early");
        assert!(sound(run(3, 20), &[run(3, 21)], 21));
        assert!(sound(run(3, 20), &[], 20));
        assert!(!sound(run(3, 20), &[run(2, 21)], 21), "a term below that of the base");
        assert!(!sound(run(3, 20), &[run(3, 22)], 22), "does not begin after the base");
        assert!(!sound(run(3, u64::MAX), &[run(3, 1)], 1), "nothing follows the last index of all");
    }
}
