//! The requests that wait for their entries.
//!
//! A request is decided by what stands at its index when that index is applied, and by nothing else: a leader
//! that loses its office may see its entry committed by another, even after its own log held a different one
//! there. So requests of former offices stay, until their index is applied or room is needed.

use std::collections::VecDeque;

use squall_raft::{LogIndex, LogPosition, Term};

use crate::RequestId;

/// Requests by the position of their entry. It holds few offices at a time: almost always one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    /// Invariant: terms rise from one office to the next. Only a sole office may be empty: it keeps its buffer.
    offices: VecDeque<Office>,
    /// How many requests there are.
    len: u64,
}

/// The requests that were accepted in one term of office.
#[derive(Clone, Debug)]
struct Office {
    term: Term,
    /// Invariant: indices rise.
    requests: VecDeque<(LogIndex, RequestId)>,
}

impl Pending {
    /// How many requests wait.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether a request of an earlier term than `term` waits.
    pub(crate) fn has_before(&self, term: Term) -> bool {
        self.offices.front().is_some_and(|office| office.term < term && !office.requests.is_empty())
    }

    /// Adds the request whose entry was just proposed at `position`.
    pub(crate) fn push(&mut self, position: LogPosition, request: RequestId) {
        let office = self.office(position.term);
        if let Some((last, _)) = office.requests.back() {
            assert!(*last < position.index, "{position} was proposed after index {last} of the same term");
        }
        office.requests.push_back((position.index, request));
        self.len += 1;
    }

    /// The office of a term that is no earlier than any before it.
    fn office(&mut self, term: Term) -> &mut Office {
        if let Some(last) = self.offices.back_mut() {
            assert!(last.term <= term, "a proposal of term {term} after one of term {}", last.term);
            if last.requests.is_empty() {
                last.term = term;
            }
        }
        if self.offices.back().is_none_or(|last| last.term < term) {
            self.offices.push_back(Office { term, requests: VecDeque::new() });
        }
        self.offices.back_mut().expect("there was one, or it was pushed above")
    }

    /// Takes out the oldest request of the oldest office.
    pub(crate) fn evict(&mut self) -> Option<RequestId> {
        let (_, request) = self.offices.front_mut()?.requests.pop_front()?;
        self.len -= 1;
        self.drop_empty_offices();
        Some(request)
    }

    /// Takes out the requests that wait for the index of an applied entry, each with whether the entry is its own.
    ///
    /// Indices are to be settled one after the other, none left out.
    pub(crate) fn settle(&mut self, applied: LogPosition, mut decided: impl FnMut(RequestId, bool)) {
        let mut emptied = false;
        for office in &mut self.offices {
            let Some(&(index, request)) = office.requests.front() else { continue };
            assert!(index >= applied.index, "index {index} of term {} was passed over", office.term);
            if index == applied.index {
                office.requests.pop_front();
                self.len -= 1;
                emptied |= office.requests.is_empty();
                decided(request, office.term == applied.term);
            }
        }
        if emptied {
            self.drop_empty_offices();
        }
    }

    /// Takes out the requests that wait for an index up to `last`, of which nobody here will know what became.
    pub(crate) fn abandon(&mut self, last: LogIndex, mut abandoned: impl FnMut(RequestId)) {
        for office in &mut self.offices {
            while let Some(&(index, request)) = office.requests.front()
                && index <= last
            {
                office.requests.pop_front();
                self.len -= 1;
                abandoned(request);
            }
        }
        self.drop_empty_offices();
    }

    fn drop_empty_offices(&mut self) {
        if self.offices.len() > 1 {
            self.offices.retain(|office| !office.requests.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(pending: &mut Pending, term: u64, index: u64) -> Vec<(u128, bool)> {
        let mut decided = Vec::new();
        pending.settle(LogPosition::new(term, index), |request, own| decided.push((request.0, own)));
        decided
    }

    #[test]
    fn a_request_is_decided_by_the_entry_that_is_applied_at_its_index() {
        let mut pending = Pending::default();
        pending.push(LogPosition::new(1, 2), RequestId(12));
        pending.push(LogPosition::new(1, 3), RequestId(13));
        assert_eq!(settled(&mut pending, 1, 1), []);
        assert_eq!(settled(&mut pending, 1, 2), [(12, true)]);
        assert_eq!(settled(&mut pending, 2, 3), [(13, false)]);
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn two_offices_that_wait_for_one_index_are_decided_together() {
        let mut pending = Pending::default();
        pending.push(LogPosition::new(1, 5), RequestId(15));
        pending.push(LogPosition::new(1, 6), RequestId(16));
        pending.push(LogPosition::new(3, 5), RequestId(35));
        assert_eq!(
            settled(&mut pending, 1, 5),
            [(15, true), (35, false)],
            "the older entry may win after all"
        );
        assert_eq!(settled(&mut pending, 4, 6), [(16, false)]);
        pending.push(LogPosition::new(5, 7), RequestId(57));
        assert_eq!(settled(&mut pending, 5, 7), [(57, true)]);
    }

    #[test]
    fn what_a_snapshot_has_passed_over_is_abandoned_and_nothing_else() {
        let mut pending = Pending::default();
        pending.push(LogPosition::new(1, 5), RequestId(15));
        pending.push(LogPosition::new(1, 6), RequestId(16));
        pending.push(LogPosition::new(3, 6), RequestId(36));
        pending.push(LogPosition::new(3, 7), RequestId(37));
        let mut abandoned = Vec::new();
        pending.abandon(LogIndex(6), |request| abandoned.push(request.0));
        assert_eq!((abandoned, pending.len()), (vec![15, 16, 36], 1));
        assert_eq!(settled(&mut pending, 3, 7), [(37, true)]);
    }

    #[test]
    fn room_is_made_by_the_oldest_request_of_the_oldest_office() {
        let mut pending = Pending::default();
        assert_eq!(pending.evict(), None);
        pending.push(LogPosition::new(1, 9), RequestId(19));
        pending.push(LogPosition::new(2, 4), RequestId(24));
        assert!(pending.has_before(Term(2)) && !pending.has_before(Term(1)));
        assert_eq!(pending.evict(), Some(RequestId(19)));
        assert!(!pending.has_before(Term(2)));
        assert_eq!(settled(&mut pending, 2, 4), [(24, true)]);
        assert!(!pending.has_before(Term(9)), "an emptied office holds nobody");
    }
}
