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
            if let Some(index) = index
                && index < needed
            {
                let message = format!(
                    "{node} serves its read {} from {index} on; {needed} was committed before it was asked for",
                    read.0
                );
                result = Err(Violation { class: "StaleRead", message });
            }
        }
        result
    }
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
}
