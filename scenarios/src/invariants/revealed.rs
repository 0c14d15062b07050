//! The vote and the term are durable (Raft, §5.2, §5.4; Figure 2, "Persistent state").
//!
//! Judged by what a node revealed in messages that it sent: its term never falls, not even across restarts,
//! and in one term it votes for one candidate, ever. A candidate that asks for votes has voted for itself, and
//! so has a leader. What a node thought but never said may be forgotten.

use squall_raft::{HardState, NodeId, Term};

use crate::Violation;
use crate::observation::{Content, Envelope};

/// What one node has revealed.
#[derive(Clone, Debug, Default)]
pub(super) struct Revealed {
    term: Term,
    vote: Option<NodeId>,
}

/// The vote that a message reveals, if it does.
pub(super) fn vote_revealed_by(message: &Envelope) -> Option<NodeId> {
    match message.content {
        Content::RequestVoteResponse { granted: true, .. } => Some(message.to),
        Content::RequestVote { .. }
        | Content::AppendEntries { .. }
        | Content::Heartbeat { .. }
        | Content::TimeoutNow
        | Content::ReadIndexResponse { .. }
        | Content::InstallSnapshot { .. } => Some(message.from),
        Content::PreVote { .. }
        | Content::PreVoteResponse { .. }
        | Content::RequestVoteResponse { granted: false, .. }
        | Content::AppendAcknowledged { .. }
        | Content::AppendRefused { .. }
        | Content::HeartbeatResponse { .. }
        | Content::ReadIndex { .. }
        | Content::Forward
        | Content::ForwardRefused
        | Content::SnapshotRequest { .. }
        | Content::SnapshotChunk { .. }
        | Content::AppendLacking { .. }
        | Content::RepairRequest { .. }
        | Content::RepairResponse { .. } => None,
    }
}

impl Revealed {
    /// A message left the node.
    pub(super) fn check_sent(&mut self, message: &Envelope) -> Result<(), Violation> {
        if message.term < self.term {
            let message =
                format!("{} speaks for term {} after term {}", message.from, message.term, self.term);
            return Err(Violation { class: "TermIsDurable", message });
        }
        if message.term > self.term {
            *self = Self { term: message.term, vote: None };
        }
        let Some(vote) = vote_revealed_by(message) else { return Ok(()) };
        let former = *self.vote.get_or_insert(vote);
        if former == vote {
            return Ok(());
        }
        let message =
            format!("in term {} {} voted for {former}, and then for {vote}", self.term, message.from);
        Err(Violation { class: "OneVotePerTerm", message })
    }

    /// The node came back with the hard state that its storage kept.
    pub(super) fn check_recovered(&self, node: NodeId, recovered: HardState) -> Result<(), Violation> {
        if recovered.current_term < self.term {
            let (now, then) = (recovered.current_term, self.term);
            let message = format!("{node} came back in term {now}; it had spoken for term {then}");
            return Err(Violation { class: "TermIsDurable", message });
        }
        let forgot =
            recovered.current_term == self.term && self.vote.is_some() && recovered.voted_for != self.vote;
        if !forgot {
            return Ok(());
        }
        let show = |vote: Option<NodeId>| vote.map_or_else(|| "nobody".to_owned(), |vote| vote.to_string());
        let (now, then) = (show(recovered.voted_for), show(self.vote));
        let message = format!("{node} came back with a vote for {now} in term {}; it was {then}", self.term);
        Err(Violation { class: "OneVotePerTerm", message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_raft::Round;

    const N1: NodeId = NodeId(1);
    const N2: NodeId = NodeId(2);
    const N3: NodeId = NodeId(3);

    fn says(to: NodeId, term: u64, content: Content) -> Envelope {
        Envelope { from: N1, to, term: Term(term), content }
    }

    fn after_a_vote_for_n2_in_term_5() -> Revealed {
        let mut oracle = Revealed::default();
        assert_eq!(oracle.check_sent(&says(N2, 5, crate::stage::vote_response(true))), Ok(()));
        oracle
    }

    fn recovered(term: u64, vote: Option<NodeId>) -> HardState {
        HardState { current_term: Term(term), voted_for: vote, longest_promise: 0 }
    }

    #[test]
    fn a_second_vote_in_one_term_is_caught() {
        let mut oracle = after_a_vote_for_n2_in_term_5();
        let violation = oracle
            .check_sent(&says(N3, 5, crate::stage::vote_response(true)))
            .expect_err("n2 has the vote of term 5");
        assert_eq!(violation.message, "in term 5 n1 voted for n2, and then for n3");
    }

    #[test]
    fn a_campaign_or_an_office_in_the_term_of_a_vote_for_another_is_caught() {
        for content in [
            Content::RequestVote { last_log: squall_raft::LogPosition::ZERO, leadership_transfer: false },
            Content::Heartbeat { round: Round(1), commit: squall_raft::LogIndex::ZERO },
        ] {
            let violation = after_a_vote_for_n2_in_term_5().check_sent(&says(N3, 5, content));
            assert_eq!(violation.map_err(|violation| violation.class), Err("OneVotePerTerm"));
        }
    }

    #[test]
    fn a_term_that_falls_is_caught() {
        let mut oracle = after_a_vote_for_n2_in_term_5();
        assert!(
            oracle
                .check_sent(&says(N3, 4, Content::HeartbeatResponse { round: Round(1), promise: 0 }))
                .is_err()
        );
        assert!(oracle.check_recovered(N1, recovered(4, None)).is_err());
    }

    #[test]
    fn a_vote_lost_in_a_restart_is_caught() {
        let violation = after_a_vote_for_n2_in_term_5()
            .check_recovered(N1, recovered(5, None))
            .expect_err("it was revealed");
        assert_eq!(violation.message, "n1 came back with a vote for nobody in term 5; it was n2");
    }

    #[test]
    fn the_same_vote_twice_and_another_in_a_later_term_are_right() {
        let mut oracle = after_a_vote_for_n2_in_term_5();
        assert_eq!(oracle.check_recovered(N1, recovered(5, Some(N2))), Ok(()));
        assert_eq!(oracle.check_sent(&says(N2, 5, crate::stage::vote_response(true))), Ok(()));
        assert_eq!(oracle.check_recovered(N1, recovered(6, None)), Ok(()));
        assert_eq!(oracle.check_sent(&says(N3, 6, crate::stage::vote_response(true))), Ok(()));
    }
}
