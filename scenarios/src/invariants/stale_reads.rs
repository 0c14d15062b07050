//! Reads are not stale (Raft, §8; thesis §6.4): a linearizable read sees at least what anybody knew to be committed
//! when it was asked for, which is no less than what was acknowledged to anyone.

use std::collections::VecDeque;

use squall_raft::{LogIndex, NodeId, ReadId};

use crate::Violation;

/// The open reads of one node, with the index that each has to see.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenReads {
    open: VecDeque<(ReadId, LogIndex)>,
}

impl OpenReads {
    pub(super) fn ask(&mut self, read: ReadId, committed: LogIndex) {
        self.open.push_back((read, committed));
    }

    /// The node may not answer any more: it stopped.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    /// All up to `up_to` are settled: served from `index` on, or, without one, not at all.
    pub(super) fn check_settled(
        &mut self,
        node: NodeId,
        up_to: ReadId,
        index: Option<LogIndex>,
    ) -> Result<(), Violation> {
        let mut result = Ok(());
        while let Some((read, needed)) = self.open.front().copied().filter(|(read, _)| *read <= up_to) {
            self.open.pop_front();
            if let Some(index) = index {
                result = result.and(check_index(node, read, needed, index));
            }
        }
        result
    }

    /// This one is served from `index` on, and says nothing of the others.
    pub(super) fn check_served(
        &mut self,
        node: NodeId,
        read: ReadId,
        index: LogIndex,
    ) -> Result<(), Violation> {
        let place = self.open.iter().position(|(open, _)| *open == read);
        let Some((read, needed)) = place.and_then(|place| self.open.remove(place)) else { return Ok(()) };
        check_index(node, read, needed, index)
    }
}

fn check_index(node: NodeId, read: ReadId, needed: LogIndex, index: LogIndex) -> Result<(), Violation> {
    if index >= needed {
        return Ok(());
    }
    let message = format!(
        "{node} serves its read {} from {index} on; {needed} was committed before it was asked for",
        read.0
    );
    Err(Violation { class: "StaleRead", message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_misses_what_was_committed_before_it_is_stale() {
        let settle = |index| {
            let mut reads = OpenReads::default();
            reads.ask(ReadId(1), LogIndex(4));
            reads.ask(ReadId(2), LogIndex(7));
            reads.ask(ReadId(3), LogIndex(9));
            reads.check_settled(NodeId(1), ReadId(2), index)
        };
        assert_eq!(settle(Some(LogIndex(7))), Ok(()));
        assert_eq!(settle(None), Ok(()), "whoever is not answered reads nothing");
        assert_eq!(settle(Some(LogIndex(6))).map_err(|violation| violation.class), Err("StaleRead"));
    }

    #[test]
    fn a_read_that_is_served_by_itself_is_held_to_what_it_needs_and_no_other_is() {
        let mut reads = OpenReads::default();
        reads.ask(ReadId(1), LogIndex(4));
        reads.ask(ReadId(2), LogIndex(7));
        let mut serve = |read, index| {
            reads.check_served(NodeId(1), ReadId(read), LogIndex(index)).map_err(|violation| violation.class)
        };
        assert_eq!(serve(2, 7), Ok(()));
        assert_eq!(serve(1, 3), Err("StaleRead"), "it was overtaken, and is still open");
        assert_eq!(serve(1, 3), Ok(()), "it was served before");
    }
}
