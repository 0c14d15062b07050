//! Heads that are uncertain: a node that may have lost what it acknowledged votes on condition, and who is elected needs
//! the certain votes of a quorum, or everybody's (Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage",
//! FAST '18, §3.4.2).
//!
//! Whether a head is uncertain is judged by what the node's storage said when it started, and by the log that it has shown
//! since. Nothing forbids a node to make a condition that it need not make.

use squall_raft::{HardState, LogPosition, NodeId, Term};

use super::model::Model;
use super::rule::Rule;
use crate::membership::{Membership, NodeSet};

/// The votes of one campaign.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// On condition or not.
    pub(super) granted: NodeSet,
    unconditional: NodeSet,
}

impl Tally {
    pub(super) fn with(self, voter: NodeId, is_conditional: bool) -> Self {
        let Self { granted, unconditional } = self;
        let unconditional = if is_conditional { unconditional } else { unconditional.with(voter) };
        Self { granted: granted.with(voter), unconditional }
    }

    /// Whether they are enough in this configuration.
    pub(super) fn elects(self, membership: &Membership) -> bool {
        let voters = membership.voting();
        let are_all = !voters.is_empty() && voters.without(self.granted).is_empty();
        are_all || membership.has_quorum(self.unconditional)
    }
}

impl Model {
    /// Whether its log has all that it ever acknowledged.
    pub(super) fn is_certain(&self) -> bool {
        self.uncertain == Term::ZERO || self.log.last().term > self.uncertain
    }

    /// Whether its log may have had this entry.
    pub(super) fn may_have_lost(&self, position: LogPosition) -> bool {
        !self.is_certain() && position.term <= self.uncertain
    }

    /// It came back with this: what it knew before, or that it has lost something now.
    pub(super) fn recovered_uncertain(&mut self, uncertain: Term, hard_state: HardState) {
        let former = std::mem::replace(&mut self.uncertain, uncertain);
        let is_right = uncertain == former || (uncertain > former && uncertain == hard_state.current_term);
        self.require(is_right, Rule::RecoveredUncertain, |model| {
            let (id, term) = (model.id, hard_state.current_term);
            format!("{id} was uncertain up to term {former}, and is up to {uncertain}; it is in {term}")
        });
        self.voted_certain = false;
    }

    /// It says to `to` that it votes so, or would.
    pub(super) fn check_condition(&mut self, to: NodeId, is_conditional: bool, was_certain: bool) {
        let may = is_conditional || was_certain || self.is_certain();
        self.require(may, Rule::VoteUnconditional, |model| {
            let (id, last, uncertain) = (model.id, model.log.last(), model.uncertain);
            format!("{id} granted {to} with {last}; it may have lost entries up to term {uncertain}")
        });
    }

    /// With its own vote it has those of a quorum.
    pub(super) fn check_elected(&mut self) {
        let votes = self.votes.with(self.id, !self.is_certain());
        let term = self.current_term;
        self.require(self.in_force().has_quorum(votes.granted), Rule::LeaderWithoutQuorum, |model| {
            let (id, granted) = (model.id, votes.granted);
            format!("{id} has the votes of {granted} in term {term}; {}", model.in_force())
        });
        self.require(votes.elects(&self.in_force()), Rule::LeaderUncertain, |model| {
            let (id, Tally { granted, unconditional }) = (model.id, votes);
            format!(
                "{id} has the votes of {granted} in term {term}, of {unconditional} without a condition; {}",
                model.in_force()
            )
        });
    }
}
