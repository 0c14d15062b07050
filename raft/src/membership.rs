//! A leader changes the membership: joint consensus as the one general way (§6; thesis §4.3).
//!
//! A change that gives or takes votes goes through a joint configuration, which the leader of the time leaves by itself
//! once it is committed; a change of learners alone is one entry. One change at a time, and none before an entry of the
//! leader's own term is committed (Ongaro, "bug in single-server membership changes", raft-dev 2015). A configuration
//! is in force as soon as it stands in a log, and goes with its entry.

use alloc::sync::Arc;

use crate::progress::{Part, Progress};
use crate::role::{Leader, Role};
use crate::{
    Change, ChangeError, Configuration, HandoverReason, LogIndex, LogPosition, NodeId, Payload, Raft,
    Standing,
};

impl Raft {
    /// Whether this node may campaign: it votes, or it did before an entry that may not be committed yet. Without
    /// the latter nobody could be elected where the node that has that entry is needed for a majority by those who do
    /// not have it, and refuses them for their shorter logs (thesis §4.2.2, Figure 4.6). Until a snapshot that is being
    /// restored has said who is a member, it does not know; a witness has nothing to lead with. Who is about to stop lets others go
    /// first, and campaigns all the same: its log may be needed.
    pub(crate) fn may_campaign(&self) -> bool {
        if self.config.is_witness() || self.snapshots.configuration_is_unknown {
            return false;
        }
        let index = self.configurations.latest_index();
        let had_vote = || self.configurations.at(index.prev()).votes(self.config.id).any();
        self.configurations.own_votes().any() || (index > self.commit_index && had_vote())
    }

    pub(crate) fn handle_change(&mut self, changes: &[Change]) -> Result<LogPosition, ChangeError> {
        let Role::Leader(leader) = &self.role else {
            return Err(ChangeError::NotLeader { leader: self.leader() });
        };
        if let Some(transfer) = leader.transfer {
            return Err(ChangeError::Transferring { to: transfer.to });
        }
        if self.commit_index < leader.first_index {
            return Err(ChangeError::NotReady);
        }
        let (index, configuration) = (self.configurations.latest_index(), self.configurations.latest());
        if index > self.commit_index || configuration.is_joint() {
            return Err(ChangeError::UnderWay { index });
        }
        let next = configuration.changed(changes, self.log.last_index().next())?;
        self.check_promotions(leader, changes)?;
        self.check_quorum_of(leader, &next)?;
        if !self.has_room() || self.log.last_index().0 >= u64::MAX - 2 {
            return Err(ChangeError::Busy);
        }
        self.append_configuration(next);
        Ok(self.log.last())
    }

    /// A learner becomes a voter when it can keep up: a voter that lags would hold up every commit (thesis §4.2.1).
    fn check_promotions(&self, leader: &Leader, changes: &[Change]) -> Result<(), ChangeError> {
        for change in changes {
            if let Change::Promote { id } = *change {
                let follower = leader.followers.iter().find(|progress| progress.id == id);
                if let Some(follower) = follower
                    && !self.has_caught_up(follower)
                {
                    let behind = self.log.last_index().0 - follower.match_index.0;
                    return Err(ChangeError::NotCaughtUp { id, behind });
                }
            }
        }
        Ok(())
    }

    fn has_caught_up(&self, follower: &Progress) -> bool {
        self.was_heard(follower)
            && match &follower.part {
                Part::Learner(catch_up) => catch_up.is_quick || follower.match_index == self.log.last_index(),
                Part::Voter(_) | Part::Departing(_) => false,
            }
    }

    /// What nobody can commit nobody can take back either: so the voters that come are to be there.
    fn check_quorum_of(&self, leader: &Leader, next: &Configuration) -> Result<(), ChangeError> {
        let was_heard = |id: NodeId| {
            let is_heard = |progress: &Progress| progress.id == id && self.was_heard(progress);
            id == self.config.id || leader.followers.iter().any(is_heard)
        };
        let next = next.without_outgoing();
        if next.has_quorum(was_heard) {
            return Ok(());
        }
        let heard = next.voters().filter(|id| was_heard(*id)).count();
        Err(ChangeError::WouldLoseQuorum { heard, voters: next.voters().count() })
    }

    fn append_configuration(&mut self, next: Configuration) {
        let next = Arc::new(next);
        self.append_own(Payload::Configuration(Arc::clone(&next)));
        self.configurations.push(self.log.last_index(), next);
        let from = self.log.last_index();
        self.enter_configurations(from);
    }

    /// Takes up who is a member by the configuration in force at `from` and those after it. Who is none any more is
    /// still told so, and then forgotten.
    pub(crate) fn enter_configurations(&mut self, from: LogIndex) {
        let (now, own) = (self.now, self.config.id);
        let last_index = self.log.last_index();
        let next_index = last_index.min(self.faults.sound_to()).next();
        let Role::Leader(leader) = &mut self.role else { panic!("only a leader replicates") };
        for (index, configuration) in self.configurations.from(from) {
            for progress in &mut leader.followers {
                let member = configuration.member(progress.id);
                match member.filter(|member| member.session == progress.session) {
                    Some(member) => progress.take_part(member, last_index, now),
                    None => progress.depart(*index),
                }
            }
            for member in configuration.members().iter().filter(|member| member.id != own) {
                let place = leader.followers.binary_search_by_key(&member.id, |progress| progress.id);
                let fresh = || Progress::new(member, next_index, now);
                match place {
                    Ok(place) if leader.followers[place].session == member.session => {}
                    Ok(place) => leader.followers[place] = fresh(),
                    Err(place) => leader.followers.insert(place, fresh()),
                }
            }
        }
        let configuration = self.configurations.latest();
        leader.quorum = configuration.quorum();
        leader.votes = configuration.votes(own);
        leader.has_witnesses = leader.followers.iter().any(|progress| progress.is_witness);
        leader.is_settled = is_settled(configuration, own);
        // The new majority may stand elsewhere than the old one did; it is given its time.
        (leader.quorum_match, leader.advanced_at) = (LogIndex::ZERO, now);
        leader.replication_due = true;
    }

    /// What a leader does of its own accord once the configuration in force is committed: it leaves a joint one, steps
    /// aside where it has no vote any more, and promotes learners that have caught up. While it hands its office over it
    /// does nothing of that: who is told to campaign has the whole log, and is to go on having it.
    #[inline]
    pub(crate) fn maybe_move_membership(&mut self) {
        if matches!(&self.role, Role::Leader(leader) if !leader.is_settled) {
            self.move_membership();
        }
    }

    fn move_membership(&mut self) {
        let Role::Leader(leader) = &self.role else { return };
        if leader.transfer.is_some() {
            return;
        }
        let settled_at = leader.first_index.max(self.configurations.latest_index());
        if self.commit_index < settled_at || self.log.last_index().0 >= u64::MAX - 2 {
            return;
        }
        let configuration = self.configurations.latest();
        if configuration.is_joint() {
            self.append_configuration(configuration.without_outgoing());
        } else if !leader.votes.incoming {
            self.step_aside();
        } else {
            self.maybe_promote();
        }
    }

    fn maybe_promote(&mut self) {
        let Role::Leader(leader) = &self.role else { return };
        let waits = |progress: &&Progress| {
            let standing = self.configurations.latest().member(progress.id).map(|member| member.standing);
            standing == Some(Standing::Learner { promote: true }) && self.has_caught_up(progress)
        };
        if let Some(id) = leader.followers.iter().find(waits).map(|progress| progress.id) {
            // Where it is refused, a later moment is better.
            let _refused = self.handle_change(&[Change::Promote { id }]);
        }
    }

    /// A leader without a vote has done its duty: those who vote know that it has none, or are told by the next
    /// leader. It hands the office to the voter that is likely to win (thesis §4.2.2, §3.10).
    fn step_aside(&mut self) {
        let to =
            self.likely_successor(|_| true).expect("a configuration has a voter, and the leader is none");
        self.begin_transfer(to, HandoverReason::Removed);
    }

    /// Whether no change of the membership is under way.
    pub(crate) fn is_membership_at_rest(&self) -> bool {
        self.configurations.latest_index() <= self.commit_index && !self.configurations.latest().is_joint()
    }

    /// Whether this leader has no vote, and that is final.
    pub(crate) fn is_out_of_office(&self) -> bool {
        self.is_membership_at_rest() && !self.configurations.own_votes().incoming
    }
}

/// Whether a leader has nothing to do about the membership by itself.
fn is_settled(configuration: &Configuration, own: NodeId) -> bool {
    let waits = Standing::Learner { promote: true };
    !configuration.is_joint()
        && configuration.votes(own).incoming
        && configuration.members().iter().all(|member| member.standing != waits)
}
