//! Whether this node is fit to lead, and how much it is worth as a leader beside the others.
//!
//! A leader whose state machine stands still answers nobody, and keeps everybody from electing another: its word is
//! heard. So each node judges itself, by its own clock, and tells its leader with each answer to a heartbeat. Slow is
//! not stuck: whatever gets on, however slowly, is fit.

use crate::leader::STUCK_TIMEOUTS;
use crate::role::Role;
use crate::{LogIndex, Raft};

/// So many times the usual patience is had, at most, with a disk that was slow and was taken for one that hangs.
const PATIENCE_MAX: u64 = 4;

/// What the disk was asked to read, for whomever, and has not brought.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct DiskReads {
    under_way: u64,
    /// Since when they are, or since the last one ended.
    since: u64,
    /// How many times the usual patience is had.
    patience: u64,
}

impl DiskReads {
    pub(crate) fn new() -> Self {
        Self { under_way: 0, since: 0, patience: 1 }
    }

    fn hang(&self, patience: u64, now: u64) -> bool {
        self.under_way > 0 && self.since + patience * self.patience <= now
    }
}

impl Raft {
    /// Its priority; nothing, while it could not serve, as a witness never can, or not all.
    pub(crate) fn worth(&self) -> u64 {
        if self.serves_nobody() || self.reads_hang() { 0 } else { self.config.priority }
    }

    /// Whether it could serve nobody, or would soon be in nobody's way.
    pub(crate) fn serves_nobody(&self) -> bool {
        self.config.is_witness()
            || self.retires
            || self.machine_stands_still()
            || self.disk_hangs()
            || self.snapshots.restoring.is_some()
            || !self.faults.is_empty()
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

    /// Whether the disk has brought nothing for so long of what others, or the state machine, wait for: with nothing to write, nobody
    /// would notice otherwise.
    pub(crate) fn reads_hang(&self) -> bool {
        self.disk_reads.hang(self.config.election_timeout * STUCK_TIMEOUTS, self.now)
    }

    /// The disk is asked for something more.
    pub(crate) fn note_read_begins(&mut self) {
        if self.disk_reads.under_way == 0 {
            self.disk_reads.since = self.now;
        }
        self.disk_reads.under_way += 1;
    }

    /// It has brought something, or failed to. Where that was not hoped for any more it was slow, and next time gets longer: an office
    /// that goes round among slow disks brings nobody anything.
    pub(crate) fn note_read_ended(&mut self) {
        if self.reads_hang() {
            self.disk_reads.patience = (self.disk_reads.patience * 2).min(PATIENCE_MAX);
        }
        self.disk_reads.since = self.now;
        self.disk_reads.under_way = self.disk_reads.under_way.saturating_sub(1);
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
