//! One count of votes (§5.2).

use alloc::vec::Vec;

use crate::{Configuration, NodeId};

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
    /// Too many refused for a majority to grant.
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

    /// Counts the answers of the voters; who has no vote may say what he likes.
    pub(crate) fn count(&self, voters: &Configuration) -> Count {
        let said = |voter: NodeId, what: bool| self.answers.contains(&(voter, what));
        if voters.has_quorum(|voter| said(voter, true)) {
            Count::Won
        } else if voters.has_quorum(|voter| !said(voter, false)) {
            Count::Open
        } else {
            Count::Lost
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voters(count: u64) -> Configuration {
        Configuration::first(&(1..=count).map(NodeId).collect::<Vec<_>>())
    }

    #[test]
    fn a_repeated_answer_counts_once() {
        let mut ballot = Ballot::default();
        assert!(ballot.record(NodeId(1), true));
        assert!(ballot.record(NodeId(2), true));
        assert!(!ballot.record(NodeId(2), true));
        assert_eq!(ballot.count(&voters(5)), Count::Open);
        assert!(ballot.record(NodeId(3), true));
        assert_eq!(ballot.count(&voters(5)), Count::Won);
    }

    #[test]
    fn two_of_four_are_no_majority_and_two_refusals_are_enough() {
        let mut ballot = Ballot::default();
        ballot.record(NodeId(1), true);
        ballot.record(NodeId(2), true);
        ballot.record(NodeId(3), false);
        assert_eq!(ballot.count(&voters(4)), Count::Open);
        ballot.record(NodeId(4), false);
        assert_eq!(ballot.count(&voters(4)), Count::Lost);
    }

    #[test]
    fn a_majority_of_refusals_ends_the_count() {
        let mut ballot = Ballot::default();
        ballot.record(NodeId(1), true);
        ballot.record(NodeId(2), false);
        ballot.record(NodeId(3), false);
        assert_eq!(ballot.count(&voters(3)), Count::Lost);
    }

    #[test]
    fn an_answer_of_one_that_does_not_vote_counts_for_nothing() {
        let mut ballot = Ballot::default();
        ballot.record(NodeId(1), true);
        for stranger in 4..9 {
            ballot.record(NodeId(stranger), stranger % 2 == 0);
        }
        assert_eq!(ballot.count(&voters(3)), Count::Open);
    }
}
