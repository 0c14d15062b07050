//! The reads that wait: for the core's word that they may be served, and then for the state machine to come that far.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use squall_raft::{LogIndex, ReadId};

use crate::RequestId;

/// What a read is to see (thesis §6.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Consistency {
    /// Everything that was answered anywhere before it was asked for: it is as though it went through the log.
    Linearizable,
    /// Whatever this replica has applied, which may be long ago. It asks nobody and never waits.
    Serializable,
}

/// A read that was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Waiting {
    pub(crate) request: RequestId,
    pub(crate) query: Bytes,
}

/// Reads in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reads {
    /// Wait for the core's word.
    /// Invariant: ids rise.
    asked: VecDeque<(ReadId, Waiting)>,
    /// Wait until the state machine has applied an index: by that, and then in the order in which they came.
    ready: BTreeMap<(LogIndex, ReadId), Waiting>,
    /// What all of them ask takes.
    bytes: u64,
}

impl Reads {
    pub(crate) fn ask(&mut self, id: ReadId, waiting: Waiting) {
        assert!(self.asked.back().is_none_or(|(last, _)| *last < id), "{id:?} comes out of order");
        self.bytes += waiting.query.len() as u64;
        self.asked.push_back((id, waiting));
    }

    /// Those up to `up_to` may be served from `index` on.
    pub(crate) fn make_ready(&mut self, up_to: ReadId, index: LogIndex) {
        while let Some((id, waiting)) = self.pop_asked(up_to) {
            self.ready.insert((index, id), waiting);
        }
    }

    /// Takes out one that still waits for the core's word, up to `up_to`.
    pub(crate) fn take_asked(&mut self, up_to: ReadId) -> Option<Waiting> {
        let (_, waiting) = self.pop_asked(up_to)?;
        self.bytes -= waiting.query.len() as u64;
        Some(waiting)
    }

    fn pop_asked(&mut self, up_to: ReadId) -> Option<(ReadId, Waiting)> {
        if self.asked.front()?.0 > up_to { None } else { self.asked.pop_front() }
    }

    /// Takes out one that may be served now, where so much is applied.
    pub(crate) fn serve_next(&mut self, applied: LogIndex) -> Option<Waiting> {
        let first = self.ready.first_entry().filter(|first| first.key().0 <= applied)?;
        let waiting = first.remove();
        self.bytes -= waiting.query.len() as u64;
        Some(waiting)
    }

    /// Takes out one, whatever it waits for.
    pub(crate) fn give_up(&mut self) -> Option<RequestId> {
        let asked = self.asked.pop_front().map(|(_, waiting)| waiting);
        let waiting = asked.or_else(|| self.ready.pop_first().map(|(_, waiting)| waiting))?;
        self.bytes -= waiting.query.len() as u64;
        Some(waiting.request)
    }

    /// What all that wait ask takes, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many wait.
    pub(crate) fn len(&self) -> u64 {
        self.asked.len() as u64 + self.ready.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(number: u128) -> Waiting {
        Waiting { request: RequestId(number), query: Bytes::new() }
    }

    fn served(reads: &mut Reads, applied: u64) -> Vec<u128> {
        std::iter::from_fn(|| reads.serve_next(LogIndex(applied))).map(|read| read.request.0).collect()
    }

    #[test]
    fn a_read_is_served_once_the_core_has_spoken_and_the_state_machine_is_there() {
        let mut reads = Reads::default();
        for number in 1..=3 {
            reads.ask(ReadId(number), waiting(u128::from(number)));
        }
        assert_eq!(served(&mut reads, 9), []);
        reads.make_ready(ReadId(2), LogIndex(10));
        assert_eq!(served(&mut reads, 9), []);
        assert_eq!(served(&mut reads, 10), [1, 2]);
        assert_eq!(reads.take_asked(ReadId(3)), Some(waiting(3)));
        assert_eq!((reads.len(), reads.bytes()), (0, 0));
    }

    #[test]
    fn a_read_that_waits_for_what_never_comes_holds_up_no_other() {
        let mut reads = Reads::default();
        reads.ask(ReadId(1), waiting(1));
        reads.make_ready(ReadId(1), LogIndex(u64::MAX));
        reads.ask(ReadId(2), waiting(2));
        reads.make_ready(ReadId(2), LogIndex(7));
        assert_eq!(served(&mut reads, 7), [2]);
    }
}
