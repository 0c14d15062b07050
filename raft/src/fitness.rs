//! Whether this node is fit to lead, and how much it is worth as a leader beside the others.
//!
//! A leader whose state machine stands still answers nobody, and keeps everybody from electing another: its word is
//! heard. So each node judges itself, by its own clock, and tells its leader with each answer to a heartbeat. Slow is
//! not stuck: whatever gets on, however slowly, is fit.

use crate::leader::STUCK_TIMEOUTS;
use crate::role::Role;
use crate::{LogIndex, Raft};

impl Raft {
    /// Its priority; nothing, while it could not serve, as a witness never can.
    pub(crate) fn worth(&self) -> u64 {
        if self.config.is_witness()
            || self.retires
            || self.machine_stands_still()
            || self.disk_hangs()
            || self.reads_hang()
            || self.snapshots.restoring.is_some()
            || !self.faults.is_empty()
        {
            return 0;
        }
        self.config.priority
    }

    /// Whether this node leads, and hears a voter that is worth more and likely to win.
    pub(crate) fn is_outranked(&self) -> bool {
        let oldest = self.now.saturating_sub(self.config.election_timeout);
        match &self.role {
            Role::Leader(leader) => self.worth() < leader.best_priority(oldest, self.commit_index),
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => false,
        }
    }

    /// Whether the state machine has got no further for so long, although there is more for it.
    pub(crate) fn machine_stands_still(&self) -> bool {
        let patience = self.config.election_timeout * STUCK_TIMEOUTS;
        self.machine_owes_since.is_some_and(|since| since + patience <= self.now)
    }

    /// Whether a write has waited longer than an election timeout: no vote of this node would get out either.
    pub(crate) fn disk_hangs(&self) -> bool {
        self.ledger.waiting_since().is_some_and(|since| since + self.config.election_timeout < self.now)
    }

    /// Whether it leads, and what a follower lacks has been read from the disk for so long without an end: with nothing to write, nobody
    /// would notice otherwise.
    fn reads_hang(&self) -> bool {
        let patience = self.config.election_timeout * STUCK_TIMEOUTS;
        let Role::Leader(leader) = &self.role else { return false };
        leader
            .followers
            .iter()
            .filter_map(|progress| progress.fetching)
            .any(|since| since + patience <= self.now)
    }

    /// What the state machine may be given.
    pub(crate) fn may_apply_up_to(&self) -> LogIndex {
        self.commit_index.min(self.ledger.durable_index())
    }

    /// There may be more for the state machine than there was.
    pub(crate) fn note_machine_owes(&mut self) {
        if self.last_applied < self.may_apply_up_to() {
            self.machine_owes_since.get_or_insert(self.now);
        }
    }

    /// The state machine got further: its time begins anew.
    pub(crate) fn note_machine_advanced(&mut self) {
        self.machine_owes_since = None;
        self.note_machine_owes();
    }
}
