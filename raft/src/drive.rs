//! Time, the disk and the state machine: what becomes due, durable, applied.

use alloc::vec::Vec;

use crate::role::Role;
use crate::{Entry, Fetch, FetchPurpose, LogIndex, Raft, WriteToken};

impl Raft {
    /// The tick at which something is due next.
    pub(crate) fn due_at(&self) -> u64 {
        let Role::Leader(leader) = &self.role else { return self.election_at.min(self.pull_due_at()) };
        let due = leader.heartbeat_at.min(leader.check_at);
        leader.transfer.map_or(due, |transfer| due.min(transfer.deadline))
    }

    pub(crate) fn handle_time(&mut self) {
        let Role::Leader(leader) = &self.role else {
            if self.now >= self.election_at {
                return self.handle_election_timeout();
            }
            return self.maybe_pull_snapshot();
        };
        let gives_up = leader.transfer.is_some_and(|transfer| self.now >= transfer.deadline);
        if gives_up {
            self.give_up_transfer();
        }
        let Role::Leader(leader) = &self.role else { return };
        let (heartbeat_is_due, check_is_due) = (self.now >= leader.heartbeat_at, self.now >= leader.check_at);
        if check_is_due {
            self.check_quorum();
        } else if gives_up {
            self.maybe_move_membership();
        }
        if heartbeat_is_due {
            self.maybe_count_witnesses();
            self.send_round(true);
        }
    }

    /// More is durable: held messages may go, votes and matches count.
    pub(crate) fn handle_persisted(&mut self, token: WriteToken) {
        if !self.ledger.persisted(token) {
            return;
        }
        if !self.faults.is_empty() {
            self.faults.persisted(token.sequence);
            self.note_sound();
            self.maybe_finish_repair();
        }
        if self.ledger.hard_state_is_durable() {
            if !self.held.is_empty() {
                self.outbox.extend(self.held.drain(..));
            }
            self.maybe_count_own_vote();
            self.maybe_pull_snapshot();
        }
        self.note_machine_owes();
        self.maybe_acknowledge(false);
        self.maybe_commit(self.ledger.durable_index());
        if let Role::Leader(leader) = &mut self.role {
            // What a witness is told depends on what is durable here.
            leader.replication_due |= leader.has_witnesses;
        }
    }

    pub(crate) fn handle_applied(&mut self, index: LogIndex) {
        assert!(
            index <= self.applying,
            "entry {index} is reported applied, but {} was asked for",
            self.applying
        );
        if self.snapshots.restoring.is_some() {
            // It was applied to a state that a snapshot replaces.
            return;
        }
        if index > self.last_applied {
            self.last_applied = index;
            self.note_machine_advanced();
        }
        if self.last_applied == self.applying {
            self.fetched_for_apply.clear();
        }
        self.log.evict(self.last_applied.min(self.ledger.named_index()), self.config.cache_bytes);
    }

    /// Whether memory takes more entries. Where it is full, whatever is durable makes room, applied or not: it
    /// comes back from disk when it is needed. Only what is being applied stays, and what a leader still counts.
    pub(crate) fn has_room(&mut self) -> bool {
        let max_bytes = self.config.max_log_bytes;
        if self.log.bytes() > max_bytes {
            let mut up_to = self.ledger.named_index();
            if self.last_applied < self.applying && self.snapshots.restoring.is_none() {
                up_to = up_to.min(self.last_applied);
            }
            if let Role::Leader(leader) = &self.role {
                up_to = up_to.min(self.commit_index.max(leader.first_index.prev()));
            }
            self.log.evict(up_to, max_bytes);
        }
        self.log.bytes() <= max_bytes
    }

    /// The next entries to apply, where some are committed and durable and none are being applied. Entries
    /// that are no longer in memory are fetched first.
    pub(crate) fn maybe_apply(&mut self) -> Option<(LogIndex, LogIndex)> {
        let limit = self.may_apply_up_to();
        if self.last_applied < self.applying || self.applying >= limit {
            return None;
        }
        if self.config.is_witness() {
            self.pass_over(limit);
            return None;
        }
        let first = self.applying.next();
        let first_in_memory = self.log.first_in_memory();
        if let Some(fetched) = self.fetched_for_apply.last() {
            self.applying = fetched.index;
        } else if first < first_in_memory {
            if self.fetching_for_apply.is_none() && !self.fetches_pause {
                let last = limit.min(first_in_memory.prev());
                self.fetching_for_apply = Some(last);
                let max_bytes = self.config.max_apply_bytes;
                self.fetch(Fetch { purpose: FetchPurpose::Apply, first, last, max_bytes });
            }
            return None;
        } else {
            self.applying = self.log.batch_end(first, limit, self.config.max_apply_bytes).0;
        }
        Some((first, self.applying))
    }

    /// Has entries read that are no longer in memory.
    pub(crate) fn fetch(&mut self, fetch: Fetch) {
        self.note_read_begins();
        self.fetches.push_back(fetch);
    }

    pub(crate) fn handle_fetched(&mut self, purpose: FetchPurpose, entries: Vec<Entry>) {
        self.note_read_ended();
        for pair in entries.windows(2) {
            let (entry, next) = (pair[0].position(), pair[1].position());
            let follows = entry.index.checked_add(1) == Some(next.index);
            assert!(follows, "{next} was read from disk as what follows {entry}");
        }
        match purpose {
            FetchPurpose::Replicate(to) => self.handle_fetched_for(to, entries),
            FetchPurpose::Apply => self.handle_fetched_for_apply(entries),
            FetchPurpose::Repair(to) => self.handle_fetched_for_repair(to, entries),
        }
    }

    fn handle_fetched_for_apply(&mut self, mut entries: Vec<Entry>) {
        let Some(last) = self.fetching_for_apply.take() else { return };
        if last <= self.applying {
            // A snapshot has overtaken it.
            return;
        }
        let Some(first) = entries.first() else {
            self.fetches_pause = true;
            return;
        };
        let expected = self.applying.next();
        assert_eq!(first.index, expected, "another entry was read from disk than the next to be applied");
        // What was asked for was committed and durable; what was read beyond may have been replaced since.
        entries.retain(|entry| entry.index <= last);
        for entry in &entries {
            let (read, term) = (entry.position(), self.log.term_at(entry.index));
            assert_eq!(Some(read.term), term, "{read} was read from disk, and is not what is committed");
        }
        self.fetched_for_apply = entries;
    }

    /// Time has passed: what could not be read may be asked for again.
    pub(crate) fn resume_fetches(&mut self) {
        if core::mem::take(&mut self.fetches_pause)
            && let Role::Leader(leader) = &mut self.rouse().role
        {
            leader.replication_due = true;
        }
    }
}
