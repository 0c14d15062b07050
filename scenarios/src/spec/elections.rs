//! Terms, votes and roles: UpdateTerm, Timeout, HandleRequestVote*, BecomeLeader (§5.1, §5.2, §5.4.1), and
//! pre-votes (thesis §9.6).
//!
//! A node shows the state that an input led to; here the steps are found that lead there, or the rule that
//! forbids it. To ignore an input is always legal, and so is to give up a campaign or an office.

use squall_raft::{LogIndex, LogPosition, NodeId, RoleKind, Round, Status, Term};

use super::certainty::Tally;
use super::model::{Cause, Model};
use super::rule::Rule;
use crate::membership::NodeSet;
use crate::observation::{Content, Envelope};

impl Model {
    /// A message arrived; what it licenses at once is noted. One of a higher term has to be adopted first.
    pub(super) fn receive(&mut self, message: &Envelope) {
        if !self.knows(message.from) {
            return;
        }
        if message.term <= self.current_term {
            self.receive_of_any_term(message);
        }
        if message.term == self.current_term {
            self.receive_of_this_term(message);
        }
    }

    /// What counts although its sender may be in an earlier term.
    fn receive_of_any_term(&mut self, message: &Envelope) {
        match message.content {
            Content::PreVoteResponse { granted: true, is_conditional }
                if self.role == RoleKind::PreCandidate =>
            {
                self.pre_votes = self.pre_votes.with(message.from, is_conditional);
            }
            Content::AppendEntries { prev_log, .. } => {
                self.heard = self.heard.with(message.from);
                if message.term < self.current_term {
                    self.may_refuse(message.from, prev_log);
                }
            }
            Content::Heartbeat { .. } | Content::InstallSnapshot { .. } => {
                self.heard = self.heard.with(message.from);
            }
            Content::Forward => self.passed_on = self.passed_on.with(message.from),
            Content::PreVote { .. }
            | Content::PreVoteResponse { .. }
            | Content::RequestVote { .. }
            | Content::RequestVoteResponse { .. }
            | Content::AppendAcknowledged { .. }
            | Content::AppendRefused { .. }
            | Content::AppendLacking { .. }
            | Content::RepairRequest { .. }
            | Content::RepairResponse { .. }
            | Content::HeartbeatResponse { .. }
            | Content::TimeoutNow
            | Content::ReadIndex { .. }
            | Content::ReadIndexResponse { .. }
            | Content::ForwardRefused
            | Content::SnapshotRequest { .. }
            | Content::SnapshotChunk { .. } => {}
        }
    }

    fn receive_of_this_term(&mut self, message: &Envelope) {
        match message.content {
            Content::RequestVoteResponse { granted: true, is_conditional }
                if self.role == RoleKind::Candidate =>
            {
                self.votes = self.votes.with(message.from, is_conditional);
            }
            Content::AppendEntries { prev_log, entries, leader_commit } => {
                if self.hears_leader(message.from) {
                    self.receive_offer(message.from, prev_log, entries, leader_commit);
                }
            }
            Content::Heartbeat { commit, round } => {
                if self.hears_leader(message.from) {
                    self.heard_round(round);
                    // What it acknowledged in this term still stands, even where a restart forgot the match.
                    let bound = commit.min(self.matched.max(self.acknowledged));
                    self.known_committed = self.known_committed.max(bound);
                }
            }
            Content::AppendAcknowledged { match_index, as_witness } => {
                self.was_in_reach(message.from);
                let is_itself = as_witness == self.witnesses.all.has(message.from);
                if self.role == RoleKind::Leader && is_itself && match_index <= self.log.last_index() {
                    let matched = self.match_index.entry(message.from).or_default();
                    *matched = match_index.max(*matched);
                    if let Some(before) = self.repairs.told_of.get_mut(&message.from) {
                        *before = match_index.max(*before);
                    }
                }
            }
            Content::InstallSnapshot { snapshot, .. } => {
                if self.hears_leader(message.from) {
                    self.offered_snapshot(snapshot);
                }
            }
            Content::AppendLacking { first, .. } => {
                self.was_in_reach(message.from);
                let before = LogIndex(first.0.saturating_sub(1));
                self.repairs.told_of.insert(message.from, before);
                if self.role == RoleKind::Leader && before <= self.log.last_index() {
                    let matched = self.match_index.entry(message.from).or_default();
                    *matched = before.max(*matched);
                }
            }
            Content::AppendRefused { rejected, is_uncertain, .. } => {
                self.was_in_reach(message.from);
                if is_uncertain && self.matched_by(message.from) == rejected {
                    self.repairs.told_of.insert(message.from, LogIndex::ZERO);
                }
            }
            Content::RepairRequest { .. } => {
                self.hears_leader(message.from);
            }
            Content::RepairResponse { .. } => self.was_in_reach(message.from),
            Content::TimeoutNow => {
                self.hears_leader(message.from);
            }
            Content::HeartbeatResponse { round, promise } => {
                // One of no round answers a word of an earlier term, which may have been for a former stay.
                if round > Round::default() || self.witnesses.all.has(message.from) {
                    self.was_in_reach(message.from);
                }
                if self.role == RoleKind::Leader {
                    self.answered_round(message.from, round, promise);
                }
            }
            Content::ReadIndex { boot, up_to } => self.heard_question((message.from, boot, up_to)),
            Content::ReadIndexResponse { up_to, index, .. } => {
                if self.role == RoleKind::Follower && self.leader == Some(message.from) {
                    self.heard_word(up_to, index);
                }
            }
            Content::PreVote { .. }
            | Content::PreVoteResponse { .. }
            | Content::RequestVote { .. }
            | Content::RequestVoteResponse { .. }
            | Content::Forward
            | Content::ForwardRefused
            | Content::SnapshotChunk { .. } => {}
            Content::SnapshotRequest { snapshot } => self.was_asked_for_snapshot(snapshot),
        }
    }

    /// Whether `from` may be this term's leader: the first that acted as one is.
    fn hears_leader(&mut self, from: NodeId) -> bool {
        self.role != RoleKind::Leader && *self.leader.get_or_insert(from) == from
    }

    /// Forgets what belonged to another term, and follows.
    pub(super) fn adopt_term(&mut self, term: Term) {
        self.current_term = term;
        self.voted_for = None;
        self.role = RoleKind::Follower;
        self.leader = None;
        self.matched = LogIndex::ZERO;
        self.acknowledged = LogIndex::ZERO;
        self.refusals.clear();
        self.heard = NodeSet::EMPTY;
        self.votes = Tally::default();
        self.pre_votes = Tally::default();
        self.reads.adopt_term();
        self.repairs.adopt_term();
    }

    /// The node shows another state.
    pub(super) fn changed(&mut self, status: &Status) {
        self.check_pre_vote_changes_nothing(status);
        if status.current_term > self.current_term {
            if status.voted_for == Some(self.id) && is_campaign(status.role) {
                self.check_campaign(status);
                self.adopt_term(status.current_term);
                self.role = RoleKind::Candidate;
                self.voted_for = status.voted_for;
            } else {
                self.update_term(status.current_term);
            }
        } else if status.current_term < self.current_term {
            self.require(false, Rule::TermFell, |model| {
                format!("{} went from term {} to {}", model.id, model.current_term, status.current_term)
            });
            self.adopt_term(status.current_term);
        }
        self.check_vote(status.voted_for);
        self.check_role(status);
        self.check_leader(status);
        self.check_commit(status.commit_index);
    }

    /// To ignore a vote request is legal, but for one that the leader itself wished (thesis §4.2.3).
    pub(super) fn check_transfer_is_heard(&mut self) {
        let wished =
            |content: &Content| matches!(content, Content::RequestVote { leadership_transfer: true, .. });
        if let Some(request) = self.handling(wished) {
            self.require(self.current_term >= request.term, Rule::TransferIgnored, |model| {
                format!("{} stayed in term {} on {request:?}", model.id, model.current_term)
            });
        }
    }

    fn check_pre_vote_changes_nothing(&mut self, status: &Status) {
        if self.handling(|content| matches!(content, Content::PreVote { .. })).is_none() {
            return;
        }
        let same = status.current_term == self.current_term
            && status.voted_for == self.voted_for
            && status.role == self.role
            && status.commit_index == self.commit_index;
        self.require(same, Rule::PreVoteChangedState, |model| {
            let (id, role, term) = (model.id, model.role, model.current_term);
            format!(
                "{id} went from {role:?} in term {term} to {:?} in term {}",
                status.role, status.current_term
            )
        });
    }

    /// UpdateTerm(i, j): a message of a higher term was taken up.
    fn update_term(&mut self, term: Term) {
        let message = self.handling(|_| true).filter(|message| message.term == term);
        self.require(message.is_some(), Rule::TermRose, |model| {
            format!("{} went from term {} to {term} on {:?}", model.id, model.current_term, model.cause)
        });
        self.adopt_term(term);
        if let Some(message) = message {
            self.receive(&message);
        }
    }

    /// Timeout(i): a new term, a vote for itself. On request of the leader it may follow an UpdateTerm.
    fn check_campaign(&mut self, status: &Status) {
        let asked = self.handling(|content| matches!(content, Content::TimeoutNow));
        let base = asked.map_or(self.current_term, |message| message.term.max(self.current_term));
        self.require(base.next() == Some(status.current_term), Rule::TermRose, |model| {
            format!("{} campaigns in term {} after term {base}", model.id, status.current_term)
        });
        let details = |model: &Self| {
            let (id, role, term) = (model.id, model.role, model.current_term);
            format!(
                "{id}, {role:?} of term {term}, campaigns in term {} on {:?}",
                status.current_term, model.cause
            )
        };
        self.require(self.role != RoleKind::Leader, Rule::CampaignInOffice, details);
        self.check_may_campaign();
        let pre_votes = self.pre_votes.with(self.id, !self.is_certain());
        let pre_elected = self.role == RoleKind::PreCandidate && pre_votes.elects(&self.in_force());
        match self.cause {
            Cause::Administered => {}
            Cause::Ticked => {
                self.check_promise();
                let skips = self.role == RoleKind::PreCandidate && !pre_elected;
                self.require(!skips, Rule::CampaignWithoutPreVotes, details);
            }
            Cause::Received(Envelope { content: Content::PreVoteResponse { .. }, .. }) => {
                self.check_promise();
                self.require(pre_elected, Rule::CampaignWithoutPreVotes, details);
            }
            Cause::Received(Envelope { content: Content::TimeoutNow, term, .. }) => {
                self.require(term >= self.current_term, Rule::CampaignUnprompted, details);
            }
            Cause::Received(_)
            | Cause::Nothing
            | Cause::Started
            | Cause::Proposed(_)
            | Cause::Persisted
            | Cause::Fetched
            | Cause::Asked
            | Cause::Snapshot => self.require(false, Rule::CampaignUnprompted, details),
        }
    }

    /// HandleRequestVoteRequest(i, j): one vote per term, for a log that is not behind.
    fn check_vote(&mut self, vote: Option<NodeId>) {
        let former = std::mem::replace(&mut self.voted_for, vote);
        if vote != former {
            self.voted_certain = self.is_certain();
        }
        let Some(candidate) = vote.filter(|_| vote != former) else {
            self.require(vote == former, Rule::VoteForgotten, |model| {
                format!("{} had voted for {former:?} in term {}", model.id, model.current_term)
            });
            return;
        };
        let term = self.current_term;
        self.require(former.is_none(), Rule::SecondVote, |model| {
            format!("{} voted for {former:?} in term {term}, and then for {candidate}", model.id)
        });
        self.require(candidate != self.id, Rule::CampaignSameTerm, |model| {
            format!("{} voted for itself within term {term}", model.id)
        });
        let request = self.handling(|content| matches!(content, Content::RequestVote { .. }));
        match request.filter(|message| message.from == candidate && message.term == term) {
            Some(Envelope { content: Content::RequestVote { last_log, leadership_transfer }, .. }) => {
                if !leadership_transfer {
                    self.check_promise();
                }
                self.require(!self.is_behind(last_log), Rule::VoteForStaleLog, |model| {
                    format!("{}, with {}, voted for {candidate}, with {last_log}", model.id, model.log.last())
                });
            }
            Some(_) | None => self.require(false, Rule::VoteUnasked, |model| {
                format!("{} voted for {candidate} in term {term} on {:?}", model.id, model.cause)
            }),
        }
    }

    /// Whether a log that ends with `last_log` is less up to date than this node's (§5.4.1): first its last term
    /// counts, and between equals its length. Spelled out, so that it rests on nobody else's order.
    pub(super) fn is_behind(&self, last_log: LogPosition) -> bool {
        let own = self.log.last();
        last_log.term.0 < own.term.0 || (last_log.term.0 == own.term.0 && last_log.index.0 < own.index.0)
    }

    fn check_role(&mut self, status: &Status) {
        let former = std::mem::replace(&mut self.role, status.role);
        if former == status.role {
            return;
        }
        match status.role {
            // To give up is always legal.
            RoleKind::Follower => {}
            RoleKind::PreCandidate => {
                let details = |model: &Self| {
                    format!("{}, {former:?} of term {}, on {:?}", model.id, model.current_term, model.cause)
                };
                self.require(former != RoleKind::Leader, Rule::CampaignInOffice, details);
                let prompted = matches!(self.cause, Cause::Ticked | Cause::Administered);
                self.require(prompted, Rule::CampaignUnprompted, details);
                self.check_may_campaign();
                self.pre_votes = Tally::default();
            }
            RoleKind::Candidate => self.require(false, Rule::CampaignSameTerm, |model| {
                format!("{}, {former:?} of term {}", model.id, model.current_term)
            }),
            RoleKind::Leader => self.become_leader(former),
        }
    }

    /// BecomeLeader(i): the votes of a quorum were received in this term, and its own is durable.
    fn become_leader(&mut self, former: RoleKind) {
        let term = self.current_term;
        self.require(former == RoleKind::Candidate, Rule::LeaderNotCandidate, |model| {
            format!("{} was {former:?} of term {term}", model.id)
        });
        self.check_elected();
        let kept = self.disk.hard_state;
        let durable = kept.current_term == term && kept.voted_for == Some(self.id);
        self.require(durable, Rule::LeaderVoteNotDurable, |model| {
            format!("{} leads term {term}; {kept:?} is durable", model.id)
        });
        self.match_index.clear();
        self.began_to_reach();
        self.first_own = self.log.last_index().next();
        self.repairs.adopt_term();
    }

    fn check_leader(&mut self, status: &Status) {
        let Some(leader) = status.leader else { return };
        let known = if status.role == RoleKind::Leader { Some(self.id) } else { self.leader };
        self.require(known == Some(leader), Rule::UnheardLeader, |model| {
            format!("{} follows {leader} in term {}; it heard {known:?}", model.id, model.current_term)
        });
    }
}

fn is_campaign(role: RoleKind) -> bool {
    match role {
        RoleKind::Candidate | RoleKind::Leader => true,
        RoleKind::Follower | RoleKind::PreCandidate => false,
    }
}
