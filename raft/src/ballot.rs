//! One count of votes (§5.2).

use alloc::vec::Vec;

use crate::NodeId;

/// The answers to one campaign, each voter counted once however often its answer arrives.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Ballot {
    answers: Vec<(NodeId, bool)>,
}

/// How a count stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Count {
    /// A majority granted.
    Won,
    /// A majority refused.
    Lost,
    /// Neither yet.
    Open,
}

impl Ballot {
    /// Counts an answer. Returns `false` where this voter has answered before.
    pub(crate) fn record(&mut self, from: NodeId, granted: bool) -> bool {
        if self.answers.iter().any(|(voter, _)| *voter == from) {
            return false;
        }
        self.answers.push((from, granted));
        true
    }

    pub(crate) fn count(&self, quorum: usize) -> Count {
        let granted = self.answers.iter().filter(|(_, granted)| *granted).count();
        if granted >= quorum {
            Count::Won
        } else if self.answers.len() - granted >= quorum {
            Count::Lost
        } else {
            Count::Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_answer_counts_once() {
        let mut ballot = Ballot::default();
        assert!(ballot.record(NodeId(1), true));
        assert!(ballot.record(NodeId(2), true));
        assert!(!ballot.record(NodeId(2), true));
        assert_eq!(ballot.count(3), Count::Open);
        assert!(ballot.record(NodeId(3), true));
        assert_eq!(ballot.count(3), Count::Won);
    }

    #[test]
    fn two_of_four_are_no_majority() {
        let mut ballot = Ballot::default();
        ballot.record(NodeId(1), true);
        ballot.record(NodeId(2), true);
        ballot.record(NodeId(3), false);
        ballot.record(NodeId(4), false);
        assert_eq!(ballot.count(3), Count::Open);
    }

    #[test]
    fn a_majority_of_refusals_ends_the_count() {
        let mut ballot = Ballot::default();
        ballot.record(NodeId(1), true);
        ballot.record(NodeId(2), false);
        ballot.record(NodeId(3), false);
        assert_eq!(ballot.count(2), Count::Lost);
    }
}
