//! A leader's side of replication (§5.3), and what it takes to commit (§5.4.2).

use alloc::vec::Vec;

use bytes::Bytes;

use crate::progress::{Mode, Progress};
use crate::role::Role;
use crate::{
    AppendEntries, AppendEntriesResponse, AppendResult, Body, Config, Entries, Entry, Fetch, FetchPurpose,
    Heartbeat, HeartbeatResponse, Ignored, LogIndex, LogPosition, NodeId, Payload, ProposeError, Raft,
    Session,
};

/// A quorum that takes nothing for so many election timeouts is of no use to its leader. One timeout would depose leaders
/// of followers whose disks are slow and work.
pub(crate) const STUCK_TIMEOUTS: u64 = 4;

impl Raft {
    pub(crate) fn handle_proposal(&mut self, data: Bytes) -> Result<LogPosition, ProposeError> {
        let Role::Leader(leader) = &self.role else {
            return Err(ProposeError::NotLeader { leader: self.leader() });
        };
        if self.retires {
            return Err(ProposeError::ShuttingDown);
        }
        if leader.repair.is_some() {
            return Err(ProposeError::Busy);
        }
        if let Some(transfer) = leader.transfer {
            return Err(ProposeError::Transferring { to: transfer.to });
        }
        let (size, max) = (data.len() as u64, self.config.max_proposal_bytes);
        if size > max {
            return Err(ProposeError::TooLarge { size, max });
        }
        let uncommitted = leader.uncommitted_bytes;
        let too_much =
            uncommitted > 0 && uncommitted.saturating_add(size) > self.config.max_uncommitted_bytes;
        let is_behind = self.commit_index.0 - self.last_applied.0 >= self.config.max_unapplied_entries;
        if too_much || is_behind || !self.has_room() || self.log.last_index().0 >= u64::MAX - 1 {
            return Err(ProposeError::Busy);
        }
        self.append_own(Payload::Command(data));
        Ok(self.log.last())
    }

    /// A leader sends every follower what it may be sent, where there is reason to look, and the next round that its reads
    /// wait for, once the one before is answered. So does a follower with the next question to its leader.
    #[inline]
    pub(crate) fn maybe_send(&mut self) {
        if let Role::Leader(leader) = &mut self.role {
            let replicates = core::mem::take(&mut leader.replication_due);
            let owes_a_round = leader.owes_a_round();
            if replicates {
                for position in 0..leader.followers.len() {
                    self.replicate_to(position);
                }
            }
            if owes_a_round {
                self.send_round(false);
            }
        } else if let Role::Follower(follower) = &self.role
            && self.reads.are_to_be_asked(follower.asked_up_to)
        {
            self.send_read_index();
        }
    }

    /// Sends one follower what its mode and its window allow.
    fn replicate_to(&mut self, position: usize) {
        loop {
            let Role::Leader(leader) = &self.role else { return };
            let progress = &leader.followers[position];
            let (next, is_witness) = (progress.next_index, progress.is_witness);
            if matches!(progress.mode, Mode::Snapshot(_)) || next <= self.untold_up_to(is_witness) {
                return self.offer_snapshot(position);
            }
            let last_index =
                if is_witness { self.witness_told_up_to(leader, progress) } else { self.log.last_index() };
            let last_index = last_index.min(self.faults.sound_to());
            let first_in_memory = self.log.first_in_memory();
            let Role::Leader(leader) = &mut self.role else { return };
            let progress = &mut leader.followers[position];
            let ready = match &progress.mode {
                Mode::Probe { asked } => !asked,
                Mode::Replicate(window) => next <= last_index && window.has_room(&self.config),
                Mode::Snapshot(_) => false,
            };
            if !ready || progress.fetching {
                return;
            }
            if next <= last_index && next < first_in_memory && !is_witness {
                if self.fetches_pause {
                    return;
                }
                progress.fetching = true;
                let purpose = FetchPurpose::Replicate(progress.id);
                let (last, max_bytes) = (first_in_memory.prev(), self.config.max_message_bytes);
                self.fetch(Fetch { purpose, first: next, last, max_bytes });
                return;
            }
            let (entries, bytes) = if next <= last_index && is_witness {
                self.identifiers(next, last_index)
            } else if next <= last_index {
                let (end, bytes) = self.log.batch_end(next, last_index, self.config.max_message_bytes);
                (self.log.copy(next, end), bytes)
            } else {
                (Entries::Empty, 0)
            };
            self.send_append_entries(position, entries, bytes);
        }
    }

    /// Sends `entries` of `bytes`, which begin at the follower's next index, and notes that they are under way.
    fn send_append_entries(&mut self, position: usize, entries: Entries, bytes: u64) {
        let Role::Leader(leader) = &mut self.role else { return };
        let progress = &mut leader.followers[position];
        let (to, session) = (progress.id, progress.session);
        let prev_index = progress.next_index.prev();
        match &mut progress.mode {
            Mode::Probe { asked } => *asked = true,
            Mode::Replicate(window) => {
                if let Some(last) = entries.last() {
                    window.add(last.index, bytes);
                    progress.next_index = last.index.next();
                }
            }
            Mode::Snapshot(_) => panic!("{to} is sent entries before its snapshot"),
        }
        let term = self.log.term_at(prev_index).expect("a next index is at most one past the log");
        let prev_log = LogPosition { term, index: prev_index };
        let leader_commit = self.commit_index;
        self.send(to, Body::AppendEntries(AppendEntries { session, prev_log, entries, leader_commit }));
    }

    /// Asks a follower to acknowledge once more what it has up to `index`.
    fn send_reminder(&mut self, to: NodeId, session: Session, index: LogIndex) {
        // What was compacted since then is asked for as a whole.
        let index = index.max(self.log.base().index);
        let term = self.log.term_at(index).expect("what was sent is in the log");
        let request = AppendEntries {
            session,
            prev_log: LogPosition { term, index },
            entries: Entries::Empty,
            leader_commit: self.commit_index,
        };
        self.send(to, Body::AppendEntries(request));
    }

    pub(crate) fn handle_append_entries_response(
        &mut self,
        from: NodeId,
        response: AppendEntriesResponse,
    ) -> Result<(), Ignored> {
        // More than this leader has whole it has sent to nobody.
        let last_index = self.log.last_index().min(self.faults.sound_to());
        let (now, timeout, log) = (self.now, self.config.election_timeout, &self.log);
        let Role::Leader(leader) = &mut self.role else { return Err(Ignored::StaleResponse) };
        let Some(progress) = leader.follower_mut(from) else { return Err(Ignored::UnknownSender) };
        if response.session != progress.session {
            return Err(Ignored::StaleResponse);
        }
        progress.heard_at = now;
        match response.result {
            AppendResult::Matched(_) | AppendResult::Lacking { .. } if progress.is_witness => {
                return Err(Ignored::OtherStanding);
            }
            AppendResult::Witnessed(_) if !progress.is_witness => return Err(Ignored::OtherStanding),
            AppendResult::Matched(index) | AppendResult::Witnessed(index) => {
                if index > last_index {
                    return Err(Ignored::BeyondLog);
                }
                let news = progress.acknowledge(index);
                progress.end_round(last_index, now, timeout);
                let lacks_some = progress.next_index <= last_index;
                // What a witness is told depends on what others have acknowledged.
                leader.replication_due |= lacks_some || leader.has_witnesses;
                if news {
                    self.maybe_commit(index);
                    self.maybe_tell_transfer_target(from);
                    self.maybe_move_membership();
                }
            }
            AppendResult::Lacking { first, named } => {
                if named > last_index {
                    return Err(Ignored::BeyondLog);
                }
                if first == LogIndex::ZERO || named < first {
                    return Err(Ignored::Malformed);
                }
                progress.lacks(first);
                leader.replication_due = true;
                self.maybe_commit(first.prev());
            }
            AppendResult::Conflict { rejected, hint, is_uncertain } => {
                let current = match &progress.mode {
                    Mode::Probe { .. } => rejected == progress.next_index.prev(),
                    Mode::Replicate(_) => rejected < progress.next_index,
                    Mode::Snapshot(_) => false,
                };
                // Who may have lost what it acknowledged, and refuses the last of it, has (`certainty.rs`).
                let has_lost_it = is_uncertain && rejected == progress.match_index;
                if !current || (rejected <= progress.match_index && !has_lost_it) || hint.index > rejected {
                    return Err(Ignored::StaleResponse);
                }
                if has_lost_it {
                    progress.match_index = LogIndex::ZERO;
                }
                // Where the logs part before this one begins, what the follower lacks first was compacted.
                let may_agree = log.latest_within(hint.index, hint.term);
                let next_index = may_agree.map_or(log.base().index, |position| position.index.next());
                progress.become_probe(next_index.min(rejected));
                leader.replication_due = true;
            }
        }
        Ok(())
    }

    /// The follower is alive; what it has received tells what was lost on the way.
    pub(crate) fn handle_heartbeat_response(
        &mut self,
        from: NodeId,
        response: HeartbeatResponse,
    ) -> Result<(), Ignored> {
        let now = self.now;
        let Role::Leader(leader) = &mut self.role else { return Err(Ignored::StaleResponse) };
        let Ok(position) = leader.followers.binary_search_by_key(&from, |progress| progress.id) else {
            return Err(Ignored::UnknownSender);
        };
        let progress = &mut leader.followers[position];
        let session = progress.session;
        if response.session != session || response.round > leader.round {
            return Err(Ignored::StaleResponse);
        }
        progress.heard_at = now;
        if response.round >= progress.confirmed {
            progress.priority = Some(response.priority);
        }
        if progress.knows_it_departs(response.round) {
            leader.followers.remove(position);
            return Ok(());
        }
        progress.confirmed = progress.confirmed.max(response.round);
        self.renew_lease(position, &response);
        self.maybe_confirm_reads(false);
        let Role::Leader(leader) = &mut self.role else { panic!("to answer reads ends no office") };
        let progress = &mut leader.followers[position];
        if response.round < progress.round
            || core::mem::replace(&mut progress.answered, true)
            || progress.fetching
        {
            return Ok(());
        }
        // What was sent before the round before this one has had more than a heartbeat's time to arrive.
        let sent = progress.next_at_previous_round.prev();
        match &mut progress.mode {
            // The probe or its answer was lost, or waits for the follower's disk: ask again, without entries.
            Mode::Probe { asked: true } => {
                let index = progress.next_index.prev();
                self.send_reminder(from, session, index);
            }
            Mode::Probe { asked: false } => {}
            Mode::Replicate(_) if response.received < sent => {
                progress.become_probe(response.received.next());
                leader.replication_due = true;
            }
            // All was received; the acknowledgement was lost, or waits for the follower's disk.
            Mode::Replicate(_) if progress.match_index < sent => self.send_reminder(from, session, sent),
            Mode::Replicate(_) => {}
            // A transfer that gets on needs no word; else the offer was lost, or there is nobody left to ask.
            Mode::Snapshot(offer) => {
                offer.sent = offer.advance(response.snapshot_received, now);
                leader.replication_due |= !offer.sent;
            }
        }
        Ok(())
    }

    /// Commits what a quorum has, durably, if it is of this term (§5.4.2): entries of earlier terms are
    /// committed with it, never by counting. Only a newly acknowledged `index` can move the quorum, or, where there are
    /// witnesses, time.
    pub(crate) fn maybe_commit(&mut self, index: LogIndex) {
        let own = self.ledger.durable_index();
        let heard_since = self.now.saturating_sub(self.config.election_timeout);
        let Role::Leader(leader) = &self.role else { return };
        if index <= self.commit_index {
            return;
        }
        let committed = leader.acknowledged_by_quorum(own, self.commit_index, heard_since);
        if committed > self.commit_index && committed >= leader.first_index {
            self.advance_commit(committed);
            self.maybe_confirm_reads(false);
            self.maybe_move_membership();
        }
    }

    /// Tells every follower that the office is held, and what it may take as committed. Only rounds that are `timed` tell
    /// what was lost on the way: those for reads may follow one another at any pace.
    pub(crate) fn send_round(&mut self, timed: bool) {
        let (now, commit_index, timeout) = (self.now, self.commit_index, self.config.election_timeout);
        let Role::Leader(leader) = &mut self.role else { return };
        let best = leader.best_priority(now.saturating_sub(timeout), commit_index);
        (leader.round, leader.round_at) = (leader.round.next(), self.now);
        if timed {
            leader.heartbeat_at = self.now + self.config.heartbeat_interval;
        }
        let round = leader.round;
        for position in 0..leader.followers.len() {
            let Role::Leader(leader) = &mut self.role else { return };
            let progress = &mut leader.followers[position];
            let (to, session) = (progress.id, progress.session);
            let commit = commit_index.min(progress.match_index);
            if timed {
                progress.begin_round(round, commit, self.now);
            }
            let outranked = progress.priority.is_some_and(|priority| priority < best);
            self.send(to, Body::Heartbeat(Heartbeat { session, round, commit, outranked }));
        }
        if timed {
            self.go_on_with_repair();
        }
    }

    /// A leader that no quorum has answered for an election timeout steps down (thesis §6.2): somebody else may be able to
    /// serve. So does one whose quorum hears and takes nothing, because a disk hangs, say: as long as it held its office,
    /// whoever hears it would vote for nobody else. One that could not serve itself hands over.
    pub(crate) fn check_quorum(&mut self) {
        let (now, timeout, commit_index) = (self.now, self.config.election_timeout, self.commit_index);
        let (durable, last_index) = (self.ledger.durable_index(), self.log.last_index());
        let Role::Leader(leader) = &mut self.role else { return };
        leader.check_at = now + timeout;
        // More than is whole it has sent to nobody.
        let whole = last_index.min(self.faults.sound_to());
        (leader.owed_index, leader.last_at_check) = (leader.last_at_check, whole);
        leader.followers.retain_mut(|progress| progress.outlasts_check(commit_index));
        let reached = leader.reached_by_quorum(durable, LogIndex::ZERO, |progress| progress.match_index);
        if reached > leader.quorum_match || reached == last_index {
            (leader.quorum_match, leader.advanced_at) = (reached, now);
        }
        let voters = leader.followers.iter().filter(|progress| progress.votes().any());
        let transfers = voters.filter_map(Progress::transfer_advanced_at);
        leader.advanced_at = transfers.fold(leader.advanced_at, u64::max);
        let quorum_is_heard = leader.has_quorum(|progress| progress.heard_at + timeout >= now);
        let quorum_advances = leader.advanced_at + timeout * STUCK_TIMEOUTS >= now;
        let alone = leader.followers.iter().all(|progress| !progress.votes().any());
        let has_quorum = quorum_is_heard && quorum_advances;
        if !alone && self.repair_is_stuck() {
            return self.give_up_repair();
        }
        if self.config.check_quorum
            && !alone
            && !(has_quorum && (!self.disk_hangs() || self.abdicates_at_once()))
        {
            return self.become_follower(self.current_term());
        }
        // While the office is handed over the membership stays as it is.
        self.maybe_move_membership();
        self.maybe_give_way();
        self.drop_reads_nobody_answers();
    }

    /// Entries from disk for a follower that lags behind. They are of no use where the read failed, or where the
    /// follower's next index or the log changed in the meantime.
    pub(crate) fn handle_fetched_for(&mut self, to: NodeId, entries: Vec<Entry>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let Ok(position) = leader.followers.binary_search_by_key(&to, |progress| progress.id) else { return };
        let progress = &mut leader.followers[position];
        if !core::mem::take(&mut progress.fetching) {
            return;
        }
        leader.replication_due = true;
        let next = progress.next_index;
        let of_use = next > self.log.base().index
            && entries.first().is_some_and(|entry| entry.index == next)
            && may_send(progress, &self.config)
            && entries.iter().all(|entry| self.log.contains(entry.position()));
        if of_use {
            let bytes = entries.iter().map(Entry::size_bytes).sum();
            self.send_append_entries(position, Entries::from(entries), bytes);
        } else {
            self.fetches_pause = true;
        }
    }
}

fn may_send(progress: &Progress, config: &Config) -> bool {
    match &progress.mode {
        Mode::Probe { asked } => !asked,
        Mode::Replicate(window) => window.has_room(config),
        Mode::Snapshot(_) => false,
    }
}
