//! The configurations of a node's log: which is in force, who may campaign by it, and which may follow it (§6; thesis
//! §4.2.2, §4.3).

use squall_raft::{LogIndex, RoleKind};

use super::model::Model;
use super::rule::Rule;
use crate::membership::{Membership, NodeSet};

impl Model {
    /// The last one in the log, committed or not.
    pub(super) fn in_force(&self) -> Membership {
        self.configurations.last().map_or_else(Membership::default, |(_, membership)| *membership)
    }

    /// Whether these were a majority when the input came in, or are one after it: a node that answers a read and then goes
    /// on to another configuration shows both together.
    pub(super) fn had_quorum(&self, agreeing: NodeSet) -> bool {
        self.in_force_before.has_quorum(agreeing) || self.in_force().has_quorum(agreeing)
    }

    pub(super) fn configuration_index(&self) -> LogIndex {
        self.configurations.last().map_or(LogIndex::ZERO, |(index, _)| *index)
    }

    /// A node campaigns if it votes, or if it did until an entry that may not be committed: then those who vote may need
    /// it, for its log (thesis §4.2.2, Figure 4.6).
    pub(super) fn check_may_campaign(&mut self) {
        self.require(!self.is_witness(), Rule::WitnessCampaigned, |model| {
            format!("{}; {}", model.id, model.in_force())
        });
        let is_open = self.configuration_index() > self.commit_index;
        let before = self.configurations.iter().rev().nth(1).filter(|_| is_open);
        let knows = !self.configuration_is_unknown;
        let votes =
            self.in_force().is_voter(self.id) || before.is_some_and(|(_, last)| last.is_voter(self.id));
        self.require(knows && votes, Rule::CampaignWithoutVote, |model| {
            let (id, commit, since) = (model.id, model.commit_index, model.configuration_index());
            format!("{id}, committed up to {commit}; {} since {since}", model.in_force())
        });
    }

    /// The entry appended last puts `next` in force.
    pub(super) fn configured(&mut self, next: Membership) {
        if self.role == RoleKind::Leader {
            self.check_change(next);
            self.note_newcomers(next);
        }
        let index = self.log.last_index();
        // A recovered one that a snapshot stands for is the snapshot's to tell.
        if self.to_restore.is_none_or(|snapshot| snapshot.last.index < index) {
            self.configurations.push((index, next));
        }
    }

    fn check_change(&mut self, next: Membership) {
        let committed = self.log.term_at(self.commit_index);
        self.require(committed == Some(self.current_term), Rule::ConfigurationNotReady, |model| {
            let (id, term, commit) = (model.id, model.current_term, model.commit_index);
            format!("{id} leads term {term} and has committed up to {commit}, of term {committed:?}; {next}")
        });
        self.require(self.configuration_index() <= self.commit_index, Rule::ConfigurationTwice, |model| {
            let (id, since, commit) = (model.id, model.configuration_index(), model.commit_index);
            format!("{id} has {} since {since} and has committed up to {commit}; {next}", model.in_force())
        });
        let last = self.in_force();
        let may_follow = if last.is_joint() {
            !next.is_joint() && next.voters == last.voters
        } else if next.is_joint() {
            next.outgoing == last.voters
        } else {
            next.voters == last.voters
        };
        self.require(may_follow, Rule::ConfigurationLeap, |model| {
            format!("{} went from {last} to {next}", model.id)
        });
    }
}
