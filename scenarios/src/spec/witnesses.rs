//! Witnesses: voters without data (Pâris, "Voting with witnesses"; thesis §11.7.2). They vote and acknowledge by
//! identifiers, and do nothing else; their acknowledgements count for a commit only where the others that are within reach
//! are no majority by themselves.
//!
//! Whether a leader could know better is judged by what it was told, and to its favour where that is open: of who was heard
//! within an election timeout, and of what each has acknowledged of the entries that are older than that.

use std::collections::{BTreeMap, VecDeque};

use squall_raft::{LogIndex, LogPosition, NodeId, RoleKind};

use super::model::Model;
use super::rule::Rule;
use crate::membership::{Membership, NodeSet};
use crate::observation::WITHHELD;

/// Who the witnesses are, and what a leader knows of the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Witnesses {
    /// All of them, members or not.
    pub(super) all: NodeSet,
    election_timeout: u64,
    /// As a leader of this term: since when, and at which tick it last heard each of the others.
    since: u64,
    heard_at: BTreeMap<NodeId, u64>,
    /// Who became a member in this term: what came from a former stay may have been ignored, and it was heard when it came.
    newcomers: NodeSet,
    /// Up to where its log is whole: it sends no more.
    whole: LogIndex,
    /// When that grew of late, and what it was before.
    grown: VecDeque<(u64, LogIndex)>,
}

impl Witnesses {
    pub(super) fn new(all: NodeSet, election_timeout: u64) -> Self {
        Self { all, election_timeout, ..Self::default() }
    }
}

impl Model {
    pub(super) fn is_witness(&self) -> bool {
        self.witnesses.all.has(self.id)
    }

    /// It leads from now on: everybody is taken to be within reach.
    pub(super) fn began_to_reach(&mut self) {
        let whole = self.whole_up_to();
        let Witnesses { all, election_timeout, .. } = self.witnesses;
        let grown = VecDeque::from([(self.ticks, LogIndex::ZERO)]);
        self.witnesses =
            Witnesses { since: self.ticks, whole, grown, ..Witnesses::new(all, election_timeout) };
    }

    /// An answer of this term came in.
    pub(super) fn was_in_reach(&mut self, node: NodeId) {
        if !self.witnesses.all.is_empty() {
            self.witnesses.heard_at.insert(node, self.ticks);
        }
    }

    /// A leader goes back to an earlier configuration: who stays may be back from another stay.
    pub(super) fn note_members_gone(&mut self, from: LogIndex) {
        let gone = self.configurations.iter().filter(|(index, _)| *index >= from);
        let gone = gone.map(|(_, membership)| membership.members());
        self.witnesses.newcomers = gone.fold(self.witnesses.newcomers, NodeSet::or);
    }

    /// A leader goes on to another configuration.
    pub(super) fn note_newcomers(&mut self, next: Membership) {
        let newcomers = next.members().without(self.in_force().members());
        self.witnesses.newcomers = self.witnesses.newcomers.or(newcomers);
    }

    /// A leader may have got more to send.
    pub(super) fn note_whole(&mut self) {
        if self.role != RoleKind::Leader || self.witnesses.all.is_empty() {
            return;
        }
        self.forget_old_growth();
        let (now, whole) = (self.ticks, self.whole_up_to());
        let before = std::mem::replace(&mut self.witnesses.whole, whole);
        if whole > before && self.witnesses.grown.back().is_none_or(|(at, _)| *at < now) {
            self.witnesses.grown.push_back((now, before));
        }
    }

    fn forget_old_growth(&mut self) {
        let Witnesses { grown, election_timeout, .. } = &mut self.witnesses;
        while grown.front().is_some_and(|(at, _)| at + *election_timeout <= self.ticks) {
            grown.pop_front();
        }
    }

    /// Those that keep data, count, and are within reach for sure, the leader itself among them.
    fn copies_within_reach(&mut self) -> NodeSet {
        self.forget_old_growth();
        let Witnesses { all, election_timeout, since, heard_at, newcomers, whole, grown } = &self.witnesses;
        let owed = grown.front().map_or(*whole, |(_, before)| *before);
        let is_within_reach = |node: &NodeId| {
            let heard_at = heard_at.get(node).unwrap_or(since);
            heard_at + election_timeout >= self.ticks && self.matched_by(*node) >= owed
        };
        let copies = (0..64).map(NodeId).filter(|node| self.knows(*node) && !all.has(*node));
        let is_known = |node: &NodeId| !newcomers.has(*node) && is_within_reach(node);
        copies.filter(|node| *node == self.id || is_known(node)).collect()
    }

    /// Whether these copies, which are within reach for sure, are to commit without the witnesses: as things stand, and as they
    /// stood before the input that led to this.
    fn suffice(&self, reach: NodeSet) -> bool {
        self.in_force_before.has_quorum(reach) && self.in_force().has_quorum(reach)
    }

    /// The witnesses that may have been heard of late.
    fn heard_witnesses(&self) -> NodeSet {
        let Witnesses { all, election_timeout, heard_at, .. } = &self.witnesses;
        let heard =
            heard_at.iter().filter(|(node, at)| all.has(**node) && **at + election_timeout >= self.ticks);
        heard.map(|(node, _)| *node).collect()
    }

    /// A leader committed `index`, which these were told to hold.
    pub(super) fn check_counted_witnesses(&mut self, index: LogIndex, holders: NodeSet) {
        let in_force = self.in_force();
        let copies = holders.without(self.witnesses.all);
        if in_force.witnesses.is_empty() || in_force.has_quorum(copies) {
            return;
        }
        let reach = self.copies_within_reach();
        self.require(!self.suffice(reach), Rule::CommitByWitness, |model| {
            format!("{} committed {index}, told by {holders}; {reach} are within reach; {in_force}", model.id)
        });
    }

    /// A leader tells `to` of its log up to `index`. A witness that knows more than it could help to commit may be ahead of
    /// all copies that are left, and elects none of them. So a majority of copies has it; or its word is needed for one, and
    /// each copy within reach has it that may have a vote.
    pub(super) fn check_told(&mut self, to: NodeId, index: LogIndex) {
        if !self.witnesses.all.has(to) || index <= self.commit_index {
            return;
        }
        let (reach, holders, heard) =
            (self.copies_within_reach(), self.told_to_hold(index), self.heard_witnesses());
        let copies = holders.without(self.witnesses.all);
        let is_needed =
            !self.suffice(reach) && reach.and(self.may_vote()).without(copies.with(self.id)).is_empty();
        let may_be_told = |membership: &Membership| {
            let comes_first = if membership.outgoing.has(to) {
                membership.voters.without(membership.outgoing)
            } else {
                NodeSet::EMPTY
            };
            let can_commit = || membership.has_quorum(holders.or(heard.without(comes_first)));
            membership.is_voter(to) && (membership.has_quorum(copies) || is_needed && can_commit())
        };
        let is_right = may_be_told(&self.in_force_before) || may_be_told(&self.in_force());
        self.require(is_right, Rule::WitnessToldTooMuch, |model| {
            let (id, in_force) = (model.id, model.in_force());
            format!("{id} told {to} of {index}, told by {holders}; {reach} are within reach; {in_force}")
        });
    }

    /// Who votes in a configuration that may be in force.
    fn may_vote(&self) -> NodeSet {
        let committed = self.configurations.partition_point(|(index, _)| *index <= self.commit_index);
        let possible = self.configurations[committed.saturating_sub(1)..].iter();
        possible.map(|(_, membership)| membership.voting()).fold(NodeSet::EMPTY, NodeSet::or)
    }

    /// An entry is in the log without its data.
    pub(super) fn check_withheld(&mut self, position: LogPosition, payload_hash: u64) {
        let is_right = payload_hash != WITHHELD || self.is_witness();
        self.require(is_right, Rule::WithheldFromCopy, |model| format!("{} holds {position}", model.id));
    }
}
