//! The specification, stepped beside each node: a deliberately naive transliteration of Figure 2 and of the
//! actions of Ongaro's TLA+ specification, with crash and partial persistence.
//!
//! Every input a node was given and every change it showed must be a legal step, or a short sequence of legal
//! steps; otherwise the rule is named that it broke. Each node is judged by its own inputs alone: what holds
//! between nodes is the business of the invariants, and progress is judged elsewhere. It shares no code with
//! the core.

mod certainty;
mod configurations;
mod disk;
mod elections;
mod model;
mod reads;
mod repair;
mod replication;
mod rule;
mod sends;
mod snapshots;
#[cfg(test)]
mod tests;
mod witnesses;

use squall_raft::{LogIndex, LogPosition, NodeId};

use crate::Violation;
use crate::membership::{Membership, NodeSet};
use crate::observation::Observation;
use model::Model;

/// The rules, each in one word: the classes of the specification's violations.
pub fn rules() -> impl Iterator<Item = &'static str> {
    rule::Rule::ALL.iter().map(|rule| rule.class())
}

/// The specification of one cluster.
#[derive(Clone, Debug)]
pub struct Spec {
    models: Vec<Model>,
    violations: Vec<Violation>,
}

impl Spec {
    /// The specification of a cluster of these nodes, before any of them has started; it begins with these voters. With
    /// a drift of clocks, they serve reads by leases.
    ///
    /// # Panics
    /// Where a node's number is 64 or more.
    #[must_use]
    pub fn new(nodes: &[NodeId], voters: &[NodeId], lease_drift_ppm: Option<u32>) -> Self {
        let all: NodeSet = nodes.iter().copied().collect();
        let first = Membership::first(voters);
        let begins_with = |id| if first.voters.has(id) { first } else { Membership::default() };
        let model = |id: &NodeId| Model::new(*id, all, begins_with(*id), lease_drift_ppm);
        Self { models: nodes.iter().map(model).collect(), violations: Vec::new() }
    }

    /// The same, where these nodes are witnesses, members or not; the shortest election timeout is so many ticks.
    #[must_use]
    pub fn with_witnesses(mut self, witnesses: NodeSet, election_timeout: u64) -> Self {
        for model in &mut self.models {
            model.name_witnesses(witnesses, election_timeout);
        }
        self
    }

    /// Judges what was observed of `node` in one event.
    ///
    /// # Errors
    /// The first rule of this event that was broken; its class is the rule's. All are kept, the first of
    /// each class.
    ///
    /// # Panics
    /// Where `node` is none of the nodes.
    pub fn observe(&mut self, node: NodeId, observation: &Observation) -> Result<(), Violation> {
        let model =
            self.models.iter_mut().find(|model| model.id == node).expect("only known nodes are observed");
        let result = model.observe(observation);
        if let Err(violation) = &result
            && self.violations.iter().all(|known| known.class != violation.class)
        {
            self.violations.push(violation.clone());
        }
        result
    }

    /// The data of an entry has gone bad on the disk of `node`.
    ///
    /// # Panics
    /// Where `node` is none of the nodes.
    pub fn rotted(&mut self, node: NodeId, position: LogPosition) {
        self.model_of(node).rotted.insert(position);
    }

    /// A chunk of a snapshot up to `last` has gone bad on the disk of `node`.
    ///
    /// # Panics
    /// Where `node` is none of the nodes.
    pub fn snapshot_rotted(&mut self, node: NodeId, last: LogIndex) {
        self.model_of(node).rotted_snapshots.insert(last);
    }

    fn model_of(&mut self, node: NodeId) -> &mut Model {
        self.models.iter_mut().find(|model| model.id == node).expect("only known nodes have disks")
    }

    /// Whatever was durable on the disk of `node` may have been ruined: it may lack its snapshots, where its log does without.
    ///
    /// # Panics
    /// Where `node` is none of the nodes.
    pub fn ruined(&mut self, node: NodeId) {
        let model =
            self.models.iter_mut().find(|model| model.id == node).expect("only known nodes have disks");
        model.is_ruined = true;
    }

    /// The rules that were broken in this run, the first violation of each, in order.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}
