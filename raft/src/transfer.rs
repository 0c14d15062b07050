//! Leadership transfer (thesis §3.10): because an operator wishes it, because another is preferred, or because this
//! leader cannot serve, or may not, any more.

use core::cmp::Reverse;

use crate::leader::STUCK_TIMEOUTS;
use crate::progress::Progress;
use crate::role::{Follower, Role, Transfer};
use crate::{Body, HandoverReason, Ignored, NodeId, Raft, Term, TransferError};

/// So many election timeouts in office a node waits at most before it gives way to one that is preferred.
const GIVE_WAY_TIMEOUTS_MAX: u64 = 64;

impl Raft {
    pub(crate) fn handle_transfer(&mut self, to: NodeId) -> Result<(), TransferError> {
        let known_leader = self.leader();
        let Role::Leader(leader) = &mut self.role else {
            return Err(TransferError::NotLeader { leader: known_leader });
        };
        if to == self.config.id {
            return Err(TransferError::AlreadyLeader);
        }
        if let Some(transfer) = leader.transfer {
            return Err(TransferError::Transferring { to: transfer.to });
        }
        match leader.follower_mut(to) {
            Some(progress) if progress.is_witness => return Err(TransferError::Witness { to }),
            Some(progress) if progress.votes().incoming && progress.priority == Some(0) => {
                return Err(TransferError::CannotServe { to });
            }
            Some(progress) if progress.votes().incoming => {}
            Some(_) | None => return Err(TransferError::NotAVoter { to }),
        }
        self.begin_transfer(to, HandoverReason::Asked);
        Ok(())
    }

    /// Proposals are refused from now on, until the other leads or an election timeout has passed.
    pub(crate) fn begin_transfer(&mut self, to: NodeId, reason: HandoverReason) {
        let deadline = self.now + self.config.election_timeout;
        let Role::Leader(leader) = &mut self.role else { panic!("only a leader hands its office over") };
        leader.transfer = Some(Transfer { to, reason, deadline, told: false });
        leader.replication_due = true;
        self.maybe_tell_transfer_target(to);
    }

    /// Of the voters that may be told to campaign the one that is likely to win: it was heard lately, could serve, and has
    /// all that is committed. Of several the preferred one, then the one with most of the log.
    pub(crate) fn likely_successor(&self, may_be: impl Fn(&Progress) -> bool) -> Option<NodeId> {
        let Role::Leader(leader) = &self.role else { return None };
        let may_lead = |progress: &&Progress| progress.votes().incoming && !progress.is_witness;
        let voters = leader.followers.iter().filter(may_lead).filter(|progress| may_be(progress));
        let best = voters.max_by_key(|progress| {
            let keeps_up = progress.match_index >= self.commit_index;
            let is_likely = (self.was_heard(progress), progress.could_serve(), keeps_up);
            (is_likely, progress.priority, progress.match_index, Reverse(progress.id))
        });
        best.map(|progress| progress.id)
    }

    /// Whether a follower was heard within the shortest election timeout.
    pub(crate) fn was_heard(&self, follower: &Progress) -> bool {
        follower.heard_at + self.config.election_timeout >= self.now
    }

    /// A leader whose own disk hangs tells one that has the whole log to campaign at once, so that nobody has to lose
    /// patience first; its office ends within an election timeout. Returns `false` where there is nobody like that.
    pub(crate) fn abdicates_at_once(&mut self) -> bool {
        let last_index = self.log.last_index();
        let is_ready = |progress: &Progress| {
            self.was_heard(progress) && progress.could_serve() && progress.match_index == last_index
        };
        self.let_go(self.likely_successor(is_ready), HandoverReason::Unfit)
    }

    /// This node is about to stop. Where it leads, the best of the others is to lead; as long as there is none that takes
    /// over, it leads on, and tries again: its log may be needed.
    pub(crate) fn handle_retirement(&mut self) {
        self.retires = true;
        match self.role {
            Role::Follower(_) => {}
            Role::PreCandidate(_) | Role::Candidate(_) => self.become_follower(self.current_term()),
            Role::Leader(_) => {
                self.let_go(self.likely_successor(|_| true), HandoverReason::Retiring);
            }
        }
    }

    /// Hands the office to `successor`, or to whom a handover is under way, and ends it in any case. Returns `false` where
    /// there is neither.
    fn let_go(&mut self, successor: Option<NodeId>, reason: HandoverReason) -> bool {
        let Role::Leader(leader) = &mut self.role else { return false };
        match (&mut leader.transfer, successor) {
            (Some(transfer), _) => transfer.reason = reason,
            (None, Some(to)) => self.begin_transfer(to, reason),
            (None, None) => return false,
        }
        true
    }

    /// A leader that could not serve abdicates in favour of one that could; where nobody can, it stays, for then it is as good as any.
    /// Where only its reads hang it serves those that keep up, and can bring up to date no other: it abdicates in favour of one of them.
    /// One that is outranked gives way to a voter that keeps up: when it has been in office for a while, and each time only after twice
    /// as long, so that one that is preferred and cannot win does little harm.
    pub(crate) fn maybe_give_way(&mut self) {
        let (worth, serves_nobody) = (self.worth(), self.serves_nobody());
        let Role::Leader(leader) = &self.role else { return };
        let may_give_way = self.now >= leader.gives_way_at && self.is_membership_at_rest();
        if leader.transfer.is_some() || leader.repair.is_some() || (worth > 0 && !may_give_way) {
            return;
        }
        let is_better = |progress: &Progress| {
            let keeps_up = serves_nobody || progress.match_index >= self.commit_index;
            self.was_heard(progress) && progress.priority > Some(worth) && keeps_up
        };
        let Some(to) = self.likely_successor(is_better) else { return };
        if worth == 0 {
            let reason = if self.retires { HandoverReason::Retiring } else { HandoverReason::Unfit };
            return self.begin_transfer(to, reason);
        }
        self.give_way_timeouts = (self.give_way_timeouts * 2).min(GIVE_WAY_TIMEOUTS_MAX);
        let gives_way_at = self.gives_way_at();
        let Role::Leader(leader) = &mut self.role else { return };
        leader.gives_way_at = gives_way_at;
        self.begin_transfer(to, HandoverReason::Outranked);
    }

    /// From when on a leader that begins its office, or has just tried, gives way.
    pub(crate) fn gives_way_at(&self) -> u64 {
        self.now + self.config.election_timeout * self.give_way_timeouts
    }

    /// Once the target has the whole log, it is told to campaign.
    pub(crate) fn maybe_tell_transfer_target(&mut self, acknowledged: NodeId) {
        let last_index = self.log.last_index();
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(transfer) = leader.transfer.filter(|transfer| !transfer.told) else { return };
        let to = transfer.to;
        let caught_up = leader.follower_mut(to).is_some_and(|progress| progress.match_index == last_index);
        if to == acknowledged && caught_up {
            leader.transfer = Some(Transfer { told: true, ..transfer });
            leader.lease_ended = true;
            self.send(to, Body::TimeoutNow);
        }
    }

    /// The office was not taken over in time. The leader serves on; where it cannot, those who vote elect somebody
    /// themselves.
    pub(crate) fn give_up_transfer(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(transfer) = leader.transfer.take() else { return };
        if transfer.reason.is_final() || self.is_out_of_office() {
            self.become_follower(self.current_term());
        }
    }

    /// The leader wants this node to lead: it campaigns at once, and asks nobody before.
    pub(crate) fn handle_timeout_now(&mut self, from: NodeId) -> Result<(), Ignored> {
        let Role::Follower(Follower { leader: Some(heard), .. }) = &self.role else {
            return Err(Ignored::CannotCampaign);
        };
        if heard.leader != from
            || !self.may_campaign()
            || self.retires
            || self.current_term() == Term(u64::MAX)
        {
            return Err(Ignored::CannotCampaign);
        }
        self.become_candidate(true);
        self.maybe_count_own_vote();
        Ok(())
    }
}

/// So many election timeouts a new life is in office before it gives way for the first time.
pub(crate) const GIVE_WAY_TIMEOUTS: u64 = STUCK_TIMEOUTS;
