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
use crate::membership::NodeSet;
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
        self.witnesses.appended.clear();
    }

    /// An answer of this term came in.
    pub(super) fn was_in_reach(&mut self, node: NodeId) {
        if !self.witnesses.all.is_empty() {
            self.witnesses.heard_at.insert(node, self.ticks);
        }
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
        let Witnesses { all, election_timeout, since, heard_at, appended } = &self.witnesses;
        let owed = appended.front().map_or(self.log.last_index(), |(_, before)| *before);
        let is_within_reach = |node: &NodeId| {
            let heard_at = heard_at.get(node).unwrap_or(since);
            let matched = self.match_index.get(node).copied().unwrap_or_default();
            let matched = self.repairs.told_of.get(node).map_or(matched, |before| matched.min(*before));
            heard_at + election_timeout >= self.ticks && matched >= owed
        };
        let others = (0..64).map(NodeId).filter(|node| self.knows(*node) && !all.has(*node));
        others.filter(|node| *node == self.id || is_within_reach(node)).collect()
    }

    /// Whether the configuration did not change in this term. Where it did, what came from a former stay of a member may have
    /// been ignored, and a member was heard when it came.
    fn is_settled(&self) -> bool {
        self.configuration_index() < self.first_own
    }

    /// Whether these copies, which are within reach for sure, are to commit without the witnesses.
    fn suffice(&self, reach: NodeSet) -> bool {
        self.is_settled() && self.in_force().has_quorum(reach)
    }

    /// The witnesses that may have been heard of late.
    fn heard_witnesses(&self) -> NodeSet {
        let Witnesses { all, election_timeout, since, heard_at, .. } = &self.witnesses;
        if !self.is_settled() {
            return *all;
        }
        let is_heard = |node: &NodeId| heard_at.get(node).unwrap_or(since) + election_timeout >= self.ticks;
        (0..64).map(NodeId).filter(|node| all.has(*node) && is_heard(node)).collect()
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
    /// all copies that are left, and elects none of them.
    pub(super) fn check_told(&mut self, to: NodeId, index: LogIndex) {
        if !self.witnesses.all.has(to) || index <= self.commit_index {
            return;
        }
        let reach = self.copies_within_reach();
        let holders = self.told_to_hold(index);
        let copies = holders.without(self.witnesses.all);
        let counted = if self.suffice(reach) { copies } else { holders.or(self.heard_witnesses()) };
        self.require(self.had_quorum(counted), Rule::WitnessToldTooMuch, |model| {
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
