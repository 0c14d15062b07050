//! Elections: timeouts, pre-votes and votes (§5.2, §5.4.1; thesis §9.6).

use crate::ballot::{Count, Vote};
use crate::role::Role;
use crate::{Body, Ignored, NodeId, PreVote, PreVoteResponse, Raft, RequestVote, RequestVoteResponse, Term};

impl Raft {
    /// The election timeout has passed without a word from a leader, or without a winner. Who has no vote waits on: a
    /// learner, and a node that is no member (thesis §4.2.1, §4.2.3).
    pub(crate) fn handle_election_timeout(&mut self) {
        if !self.may_campaign() {
            self.become_follower(self.current_term());
            return self.maybe_pull_lost_snapshot();
        }
        if self.config.pre_vote {
            self.become_pre_candidate();
        } else {
            self.become_candidate(false);
        }
        self.maybe_count_own_vote();
    }

    /// Would this node vote for `from` in the term after `term`? Changes no term, no vote, no timer.
    pub(crate) fn handle_pre_vote(
        &mut self,
        from: NodeId,
        term: Term,
        request: PreVote,
    ) -> Result<(), Ignored> {
        let granted = request.last_log >= self.log.last() && !self.leader_is_heard() && !self.is_promised();
        let is_conditional = granted && !self.head_is_certain();
        self.send(from, Body::PreVoteResponse(PreVoteResponse { asked_in: term, granted, is_conditional }));
        self.note_neighbour(from);
        Ok(())
    }

    pub(crate) fn handle_pre_vote_response(
        &mut self,
        from: NodeId,
        response: PreVoteResponse,
    ) -> Result<(), Ignored> {
        let (term, voters) = (self.current_term(), self.configurations.latest());
        let Role::PreCandidate(ballot) = &mut self.role else { return Err(Ignored::StaleResponse) };
        if !voters.votes(from).any() {
            return Err(Ignored::UnknownSender);
        }
        let vote = Vote::of(response.granted, response.is_conditional);
        if response.asked_in != term || !ballot.record(from, vote) {
            return Err(Ignored::StaleResponse);
        }
        match ballot.count(voters) {
            Count::Won => {
                self.become_candidate(false);
                self.maybe_count_own_vote();
            }
            Count::Lost => self.become_follower(term),
            Count::Open => {}
        }
        Ok(())
    }

    /// One vote in a term, first come first served, for a log that is at least as up to date (§5.4.1). Whether this node
    /// or the candidate is a voter is for the candidate to know: this node's log may not tell it yet (thesis §4.1). The
    /// answer waits until the vote is durable.
    pub(crate) fn handle_request_vote(&mut self, from: NodeId, request: RequestVote) -> Result<(), Ignored> {
        if self.is_promised() && !request.leadership_transfer {
            return Err(Ignored::LeaderIsHeard);
        }
        let voted_for = self.hard_state.voted_for;
        let free = match &self.role {
            Role::Follower(follower) => {
                voted_for == Some(from) || (voted_for.is_none() && follower.leader.is_none())
            }
            Role::PreCandidate(_) => voted_for.is_none() || voted_for == Some(from),
            Role::Candidate(_) | Role::Leader(_) => false,
        };
        let granted = free && request.last_log >= self.log.last();
        if granted && voted_for.is_none() {
            let current_term = self.current_term();
            // A node that gives its vote gives the candidate time.
            self.become_follower(current_term);
            self.set_term_and_vote(current_term, Some(from));
        }
        let is_conditional = granted && !self.head_is_certain();
        self.send(from, Body::RequestVoteResponse(RequestVoteResponse { granted, is_conditional }));
        self.note_neighbour(from);
        Ok(())
    }

    pub(crate) fn handle_request_vote_response(
        &mut self,
        from: NodeId,
        response: RequestVoteResponse,
    ) -> Result<(), Ignored> {
        let Role::Candidate(candidate) = &mut self.role else { return Err(Ignored::StaleResponse) };
        if !self.configurations.latest().votes(from).any() {
            return Err(Ignored::UnknownSender);
        }
        if !candidate.ballot.record(from, Vote::of(response.granted, response.is_conditional)) {
            return Err(Ignored::StaleResponse);
        }
        self.maybe_win();
        Ok(())
    }

    /// A candidate's own vote counts like any other: once it is durable.
    pub(crate) fn maybe_count_own_vote(&mut self) {
        let (id, own_vote) = (self.config.id, self.own_vote());
        let durable = self.ledger.hard_state_is_durable();
        if let Role::Candidate(candidate) = &mut self.role
            && durable
            && candidate.ballot.record(id, own_vote)
        {
            self.maybe_win();
        }
    }

    fn maybe_win(&mut self) {
        let Role::Candidate(candidate) = &self.role else { return };
        match candidate.ballot.count(self.configurations.latest()) {
            Count::Won => self.become_leader(),
            Count::Lost => self.become_follower(self.current_term()),
            Count::Open => {}
        }
    }
}
