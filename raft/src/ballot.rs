//! One count of votes (§5.2).

use alloc::vec::Vec;

use crate::{Configuration, NodeId};

/// The answers to one campaign, each voter counted once however often its answer arrives.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Ballot {
    answers: Vec<(NodeId, Vote)>,
}

/// What a voter says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Vote {
    /// Yes.
    Unconditional,
    /// Yes, if all others say so: its log may lack what it acknowledged (`certainty.rs`).
    Conditional,
    /// No.
    Refused,
}

/// How a count stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Count {
    /// A majority granted without a condition, or all did.
    Won,
    /// Too many refused for either.
    Lost,
    /// Neither yet.
    Open,
}

impl Vote {
    /// What an answer says.
    pub(crate) fn of(granted: bool, is_conditional: bool) -> Self {
        match (granted, is_conditional) {
            (false, _) => Self::Refused,
            (true, true) => Self::Conditional,
            (true, false) => Self::Unconditional,
        }
    }

    pub(crate) fn is_granted(self) -> bool {
        self != Self::Refused
    }
}

impl Ballot {
    /// Counts an answer. Returns `false` where this voter has answered before.
    pub(crate) fn record(&mut self, from: NodeId, vote: Vote) -> bool {
        if self.answers.iter().any(|(voter, _)| *voter == from) {
            return false;
        }
        self.answers.push((from, vote));
        true
    }

    /// Counts the answers of the voters; who has no vote may say what he likes.
    pub(crate) fn count(&self, voters: &Configuration) -> Count {
        let said =
            |voter: NodeId| self.answers.iter().find(|(from, _)| *from == voter).map(|(_, vote)| *vote);
        let is_unconditional = |vote| vote == Vote::Unconditional;
        let somebody_votes = voters.voters().next().is_some();
        if voters.has_quorum(|voter| said(voter).is_some_and(is_unconditional))
            || (somebody_votes && voters.voters().all(|voter| said(voter).is_some_and(Vote::is_granted)))
        {
            Count::Won
        } else if voters.has_quorum(|voter| said(voter).is_none_or(is_unconditional))
            || (somebody_votes && voters.voters().all(|voter| said(voter).is_none_or(Vote::is_granted)))
        {
            Count::Open
        } else {
            Count::Lost
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Vote::{Conditional as IF_ALL_DO, Refused as NO, Unconditional as YES};
    use super::*;
    use crate::{Member, Session, Standing};

    fn voters(count: u64) -> Configuration {
        Configuration::first(&(1..=count).map(NodeId).collect::<Vec<_>>())
    }

    #[test]
    fn a_repeated_answer_counts_once() {
        let mut ballot = Ballot::default();
        assert!(ballot.record(NodeId(1), YES));
        assert!(ballot.record(NodeId(2), YES));
        assert!(!ballot.record(NodeId(2), YES));
        assert_eq!(ballot.count(&voters(5)), Count::Open);
        assert!(ballot.record(NodeId(3), YES));
        assert_eq!(ballot.count(&voters(5)), Count::Won);
    }

    #[test]
    fn two_of_four_are_no_majority_and_two_refusals_are_enough() {
        let mut ballot = Ballot::default();
        ballot.record(NodeId(1), YES);
        ballot.record(NodeId(2), YES);
        ballot.record(NodeId(3), NO);
        assert_eq!(ballot.count(&voters(4)), Count::Open);
        ballot.record(NodeId(4), NO);
        assert_eq!(ballot.count(&voters(4)), Count::Lost);
    }

    #[test]
    fn a_majority_of_refusals_ends_the_count() {
        let mut ballot = Ballot::default();
        ballot.record(NodeId(1), YES);
        ballot.record(NodeId(2), NO);
        ballot.record(NodeId(3), NO);
        assert_eq!(ballot.count(&voters(3)), Count::Lost);
    }

    #[test]
    fn an_answer_of_one_that_does_not_vote_counts_for_nothing() {
        let mut ballot = Ballot::default();
        ballot.record(NodeId(1), YES);
        for stranger in 4..9 {
            ballot.record(NodeId(stranger), if stranger % 2 == 0 { YES } else { NO });
        }
        assert_eq!(ballot.count(&voters(3)), Count::Open);
    }

    /// How a count of these answers stands, those of n1, n2 and so on.
    fn counted(voters: &Configuration, votes: &[Vote]) -> Count {
        let mut ballot = Ballot::default();
        for (id, vote) in (1..).map(NodeId).zip(votes) {
            ballot.record(id, *vote);
        }
        ballot.count(voters)
    }

    #[test]
    fn conditional_votes_are_no_majority_unless_everybody_grants() {
        let three = voters(3);
        assert_eq!(counted(&three, &[YES, IF_ALL_DO]), Count::Open);
        assert_eq!(counted(&three, &[YES, IF_ALL_DO, YES]), Count::Won);
        assert_eq!(counted(&three, &[YES, IF_ALL_DO, IF_ALL_DO]), Count::Won);
        assert_eq!(counted(&three, &[IF_ALL_DO; 3]), Count::Won);
        assert_eq!(
            counted(&three, &[YES, IF_ALL_DO, NO]),
            Count::Lost,
            "two certain votes cannot come together"
        );
        assert_eq!(counted(&voters(5), &[YES, YES, IF_ALL_DO, NO]), Count::Open);
        assert_eq!(counted(&voters(5), &[YES, YES, IF_ALL_DO, NO, YES]), Count::Won);
        assert_eq!(counted(&voters(1), &[IF_ALL_DO]), Count::Won, "one that is alone is all");
        assert_eq!(counted(&Configuration::default(), &[]), Count::Lost, "nobody is not all");
    }

    #[test]
    fn of_a_joint_configuration_each_half_needs_certain_votes_or_all_do() {
        let member = |id, standing, outgoing| Member {
            id: NodeId(id),
            session: Session::default(),
            standing,
            outgoing,
        };
        let joint = Configuration::of(alloc::vec![
            member(1, Standing::Voter, true),
            member(2, Standing::Voter, true),
            member(3, Standing::Voter, false),
            member(4, Standing::Leaving { witness: false }, true),
        ])
        .expect("a configuration");
        assert_eq!(counted(&joint, &[YES, YES]), Count::Won);
        assert_eq!(
            counted(&joint, &[YES, IF_ALL_DO, YES]),
            Count::Open,
            "of the half that goes only one is certain"
        );
        assert_eq!(counted(&joint, &[YES, IF_ALL_DO, YES, YES]), Count::Won);
        assert_eq!(counted(&joint, &[YES, IF_ALL_DO, YES, NO]), Count::Lost);
    }
}
