//! State Machine Safety (Raft, Figure 3, §5.4.3): no two nodes apply different entries at one index.
//!
//! There is one global sequence of applied entries: each apply matches it or extends it, and every state
//! machine has the same digest at the same index. A restarted node applies from the start again, and is
//! compared again.

use squall_raft::{LogPosition, NodeId};

use crate::Violation;

const CLASS: &str = "StateMachineSafety";

/// The entries that were applied, and by whom first.
#[derive(Clone, Debug, Default)]
pub(super) struct StateMachineSafety {
    applied: Vec<Applied>,
    operations: Vec<u128>,
}

/// What an apply showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Applied {
    pub(super) node: NodeId,
    pub(super) position: LogPosition,
    pub(super) payload_hash: u64,
    pub(super) state_digest: u64,
}

impl StateMachineSafety {
    /// The client operations in log order (0 where an entry carries none): the entry at index `i` at `i - 1`.
    pub(super) fn operations(&self) -> &[u128] {
        &self.operations
    }

    /// `node` put its state machine into the state after `position`, where it has this digest.
    pub(super) fn check_restored(
        &self,
        node: NodeId,
        position: LogPosition,
        state_digest: u64,
    ) -> Result<(), Violation> {
        let place = position.index.0.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let applied = place.and_then(|place| self.applied.get(place));
        let message = match applied {
            Some(first) if first.position == position && first.state_digest == state_digest => return Ok(()),
            Some(first) if first.position == position => {
                format!("restored at {position} the state of {node} differs from that of {}", first.node)
            }
            Some(first) => {
                format!("{node} restored {position}, where {} applied {}", first.node, first.position)
            }
            None => format!("{node} restored {position}; all have applied {} entries", self.applied.len()),
        };
        Err(Violation { class: CLASS, message })
    }

    pub(super) fn check_apply(&mut self, now: Applied, operation: u128) -> Result<(), Violation> {
        let (node, position) = (now.node, now.position);
        let place = position.index.0.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        match place.filter(|place| *place <= self.applied.len()) {
            None => {
                let message =
                    format!("{node} applied {position}; all have applied {} entries", self.applied.len());
                Err(Violation { class: CLASS, message })
            }
            Some(place) if place == self.applied.len() => {
                self.applied.push(now);
                self.operations.push(operation);
                Ok(())
            }
            Some(place) => now.check_same(&self.applied[place]),
        }
    }
}

impl Applied {
    fn check_same(&self, first: &Self) -> Result<(), Violation> {
        let (node, position) = (self.node, self.position);
        let message = if position != first.position || self.payload_hash != first.payload_hash {
            format!(
                "{node} applied {position}, where {} applied another entry, {}",
                first.node, first.position
            )
        } else if self.state_digest != first.state_digest {
            format!("after {position} the state of {node} differs from that of {}", first.node)
        } else {
            return Ok(());
        };
        Err(Violation { class: CLASS, message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(node: u64, term: u64, index: u64, payload_hash: u64, state_digest: u64) -> Applied {
        Applied { node: NodeId(node), position: LogPosition::new(term, index), payload_hash, state_digest }
    }

    fn after_one_apply() -> StateMachineSafety {
        let mut oracle = StateMachineSafety::default();
        assert_eq!(oracle.check_apply(apply(1, 2, 1, 7, 70), 99), Ok(()));
        oracle
    }

    #[test]
    fn another_entry_at_an_applied_index_is_caught() {
        let violation =
            after_one_apply().check_apply(apply(2, 3, 1, 7, 70), 99).expect_err("2@1 was applied");
        assert_eq!(violation.message, "n2 applied 3@1, where n1 applied another entry, 2@1");
        assert!(after_one_apply().check_apply(apply(2, 2, 1, 8, 70), 99).is_err(), "another payload");
    }

    #[test]
    fn a_state_machine_that_drifts_is_caught() {
        let violation = after_one_apply().check_apply(apply(3, 2, 1, 7, 71), 99).expect_err("another digest");
        assert_eq!(violation.message, "after 2@1 the state of n3 differs from that of n1");
    }

    #[test]
    fn an_apply_that_leaves_a_gap_is_caught() {
        assert!(after_one_apply().check_apply(apply(1, 2, 3, 7, 70), 99).is_err());
    }

    #[test]
    fn a_restored_state_is_held_against_that_of_whoever_applied_so_far() {
        let oracle = after_one_apply();
        let restored =
            |term, index, digest| oracle.check_restored(NodeId(2), LogPosition::new(term, index), digest);
        assert_eq!(restored(2, 1, 70), Ok(()));
        for (term, index, digest) in [(2, 1, 71), (3, 1, 70), (2, 2, 70), (0, 0, 70)] {
            assert!(restored(term, index, digest).is_err(), "{term}@{index} with digest {digest}");
        }
    }

    #[test]
    fn the_same_entries_again_and_further_ones_are_right() {
        let mut oracle = after_one_apply();
        assert_eq!(oracle.check_apply(apply(2, 2, 1, 7, 70), 99), Ok(()));
        assert_eq!(oracle.check_apply(apply(2, 2, 2, 8, 71), 0), Ok(()));
        assert_eq!(oracle.operations(), &[99, 0]);
    }
}
