//! Witnesses: voters without data (Pâris, "Voting with witnesses"; thesis §11.7.2). They vote and acknowledge by
//! identifiers, and do nothing else; their acknowledgements count for a commit only where the others that are within reach
//! are no majority by themselves.
//!
//! Whether a leader could know better is judged by what it was told, and to its favour where that is open: of who was heard
//! within an election timeout, and of what each has acknowledged of the entries that are older than that.

use std::collections::{BTreeMap, VecDeque};

use squall_raft::{LogIndex, LogPosition, NodeId};

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
    /// When it appended of late, and where its log ended before.
    appended: VecDeque<(u64, LogIndex)>,
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
        self.witnesses.since = self.ticks;
        self.witnesses.heard_at.clear();
        self.witnesses.newcomers = NodeSet::EMPTY;
        self.witnesses.appended.clear();
    }

    /// An answer of this term came in.
    pub(super) fn was_in_reach(&mut self, node: NodeId) {
        if !self.witnesses.all.is_empty() {
            self.witnesses.heard_at.insert(node, self.ticks);
        }
    }

    /// A leader goes on to another configuration.
    pub(super) fn note_newcomers(&mut self, next: Membership) {
        let newcomers = next.members().without(self.in_force().members());
        self.witnesses.newcomers = self.witnesses.newcomers.or(newcomers);
    }

    /// A leader is about to append an entry.
    pub(super) fn note_own_append(&mut self) {
        if self.witnesses.all.is_empty() {
            return;
        }
        let (now, last) = (self.ticks, self.log.last_index());
        self.forget_old_appends();
        if self.witnesses.appended.back().is_none_or(|(at, _)| *at < now) {
            self.witnesses.appended.push_back((now, last));
        }
    }

    fn forget_old_appends(&mut self) {
        let Witnesses { appended, election_timeout, .. } = &mut self.witnesses;
        while appended.front().is_some_and(|(at, _)| at + *election_timeout <= self.ticks) {
            appended.pop_front();
        }
    }

    /// Those that keep data, count, and are within reach for sure, the leader itself among them.
    fn copies_within_reach(&mut self) -> NodeSet {
        self.forget_old_appends();
        let Witnesses { all, election_timeout, since, heard_at, newcomers, appended } = &self.witnesses;
        let owed = appended.front().map_or(self.log.last_index(), |(_, before)| *before);
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
    /// all copies that are left, and elects none of them. So a majority of copies has it, or its word is needed for one, and
    /// each copy within reach has it.
    pub(super) fn check_told(&mut self, to: NodeId, index: LogIndex) {
        if !self.witnesses.all.has(to) || index <= self.commit_index {
            return;
        }
        let reach = self.copies_within_reach();
        let holders = self.told_to_hold(index);
        let copies = holders.without(self.witnesses.all);
        let voters = self.in_force_before.voting().and(self.in_force().voting());
        let all_within_reach_have_it = reach.and(voters).without(copies.with(self.id)).is_empty();
        let is_needed = !self.suffice(reach) && all_within_reach_have_it;
        let is_right =
            self.had_quorum(copies) || is_needed && self.had_quorum(holders.or(self.heard_witnesses()));
        self.require(is_right, Rule::WitnessToldTooMuch, |model| {
            let (id, in_force) = (model.id, model.in_force());
            format!("{id} told {to} of {index}, told by {holders}; {reach} are within reach; {in_force}")
        });
    }

    /// An entry is in the log without its data.
    pub(super) fn check_withheld(&mut self, position: LogPosition, payload_hash: u64) {
        let is_right = payload_hash != WITHHELD || self.is_witness();
        self.require(is_right, Rule::WithheldFromCopy, |model| format!("{} holds {position}", model.id));
    }
}
