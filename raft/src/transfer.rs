//! Leadership transfer (thesis §3.10).

use crate::role::{Follower, Role, Transfer};
use crate::{Body, Ignored, NodeId, Raft, Term, TransferError};

impl Raft {
    pub(crate) fn handle_transfer(&mut self, to: NodeId) -> Result<(), TransferError> {
        let deadline = self.now + self.config.election_timeout;
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
        if !leader.follower_mut(to).is_some_and(|progress| progress.votes().incoming) {
            return Err(TransferError::NotAVoter { to });
        }
        leader.transfer = Some(Transfer { to, deadline, told: false });
        leader.replication_due = true;
        self.maybe_tell_transfer_target(to);
        Ok(())
    }

    /// Once the target has the whole log, it is told to campaign.
    pub(crate) fn maybe_tell_transfer_target(&mut self, acknowledged: NodeId) {
        let last_index = self.log.last_index();
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(Transfer { to, deadline, told: false }) = leader.transfer else { return };
        let caught_up = leader.follower_mut(to).is_some_and(|progress| progress.match_index == last_index);
        if to == acknowledged && caught_up {
            leader.transfer = Some(Transfer { to, deadline, told: true });
            leader.lease_ended = true;
            self.send(to, Body::TimeoutNow);
        }
    }

    /// The leader wants this node to lead: it campaigns at once, and asks nobody before.
    pub(crate) fn handle_timeout_now(&mut self, from: NodeId) -> Result<(), Ignored> {
        let Role::Follower(Follower { leader: Some(heard), .. }) = &self.role else {
            return Err(Ignored::CannotCampaign);
        };
        if heard.leader != from || !self.may_campaign() || self.current_term() == Term(u64::MAX) {
            return Err(Ignored::CannotCampaign);
        }
        self.become_candidate(true);
        self.maybe_count_own_vote();
        Ok(())
    }
}
