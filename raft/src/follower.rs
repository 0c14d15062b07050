//! A follower's side of replication (§5.3).

use alloc::sync::Arc;

use crate::role::{Follower, Heard, Role};
use crate::{
    AppendEntries, AppendEntriesResponse, AppendResult, Body, Entries, Entry, Heartbeat, HeartbeatResponse,
    Ignored, LogIndex, LogPosition, NodeId, Payload, Raft, Term,
};

impl Raft {
    /// Appends what the leader sends, where it fits; the acknowledgement waits for the disk.
    pub(crate) fn handle_append_entries(
        &mut self,
        from: NodeId,
        request: AppendEntries,
    ) -> Result<(), Ignored> {
        let AppendEntries { session, prev_log, mut entries, leader_commit } = request;
        let (last_new, is_withheld) = self.check_shape(prev_log, &entries)?;
        if self.config.is_witness() {
            entries.withhold();
        } else if is_withheld {
            // Without its data it would be acknowledged for a copy.
            return Err(Ignored::OtherStanding);
        }
        self.follow(from)?;
        if !self.log.agrees_with(prev_log) {
            let index = prev_log.index.min(self.log.last_index());
            let Some(hint) = self.log.latest_within(index, prev_log.term) else {
                return Err(Ignored::ContradictsCommitted);
            };
            let is_uncertain = !self.head_is_certain();
            let result = AppendResult::Conflict { rejected: prev_log.index, hint, is_uncertain };
            self.send(from, Body::AppendEntriesResponse(AppendEntriesResponse { session, result }));
            return Ok(());
        }
        let brings_news = entries.last().is_some_and(|entry| !self.log.agrees_with(entry.position()));
        if brings_news && !(self.has_room() && self.ledger.takes_writes()) {
            return Err(Ignored::Busy);
        }
        let brings_back = !self.faults.is_empty() && self.take_back(&entries);
        self.append_missing(entries)?;
        let is_sound = self.faults.is_empty();
        let follower = self.follower_mut();
        follower.session = follower.session.max(session);
        follower.matched = follower.matched.max(last_new);
        // Behind an entry whose data has come back, the log has been compared already.
        let owed = if is_sound { last_new } else { follower.matched };
        follower.owed = Some(follower.owed.map_or(owed, |earlier| earlier.max(owed)));
        let commit = leader_commit.min(follower.matched);
        self.advance_commit(commit);
        if !brings_news && !brings_back {
            self.maybe_acknowledge(true);
        }
        Ok(())
    }

    /// A heartbeat is answered at once, whatever the disk does: what the leader can do with a follower whose disk
    /// hangs, the leader judges itself.
    pub(crate) fn handle_heartbeat(&mut self, from: NodeId, request: Heartbeat) -> Result<(), Ignored> {
        self.follow(from)?;
        self.follower_mut().outranked = request.outranked;
        self.await_leader();
        let follower = self.follower_mut();
        let received = follower.matched;
        let commit = request.commit.min(follower.matched);
        self.advance_commit(commit);
        let Heartbeat { session, round, .. } = request;
        let (promise, clock) = (self.give_promise(), self.now);
        let snapshot_received = self.snapshots.receiving().map_or(0, |(_, bytes)| bytes);
        let priority = self.worth();
        let response =
            HeartbeatResponse { session, round, received, promise, clock, priority, snapshot_received };
        self.send(from, Body::HeartbeatResponse(response));
        self.maybe_ask_again();
        self.maybe_pull_lost_snapshot();
        Ok(())
    }

    /// Acknowledges what is both owed and durable: never more than was received, never more than the disk has. What
    /// was acknowledged before is repeated only where the leader has `asked_again`: the answer may have been lost.
    #[inline]
    pub(crate) fn maybe_acknowledge(&mut self, asked_again: bool) {
        let durable = self.ledger.durable_index();
        let term_is_durable = self.ledger.hard_state_is_durable();
        let Role::Follower(follower) = &mut self.role else { return };
        let (Some(heard), Some(owed)) = (follower.leader, follower.owed) else { return };
        if !term_is_durable || (durable < owed && durable <= follower.acknowledged && !asked_again) {
            return;
        }
        let index = owed.min(durable);
        follower.acknowledged = follower.acknowledged.max(index);
        if index == owed {
            follower.owed = None;
        }
        let session = follower.session;
        let lacking = self.faults.lacking().next().map(|faulty| faulty.index);
        let result = match lacking.filter(|first| *first == index.next() && *first <= owed) {
            Some(first) => AppendResult::Lacking { first, named: owed.min(self.ledger.named_index()) },
            None if self.config.is_witness() => AppendResult::Witnessed(index),
            None => AppendResult::Matched(index),
        };
        self.send(heard.leader, Body::AppendEntriesResponse(AppendEntriesResponse { session, result }));
    }

    /// Takes `from` for the leader of the current term, whose word has just been heard.
    #[inline]
    pub(crate) fn follow(&mut self, from: NodeId) -> Result<(), Ignored> {
        match &self.role {
            Role::Leader(_) => return Err(Ignored::SecondLeader),
            Role::Follower(Follower { leader: Some(heard), .. }) if heard.leader != from => {
                return Err(Ignored::SecondLeader);
            }
            Role::Follower(_) => {}
            Role::PreCandidate(_) | Role::Candidate(_) => self.become_follower(self.current_term()),
        }
        let now = self.now;
        self.follower_mut().leader = Some(Heard { leader: from, at: now });
        self.await_leader();
        Ok(())
    }

    /// Waits for the leader's next word. Whoever is outranked lets the other go first: once, for it forgets that with its
    /// role, so that it does not wait for ever for one that does not come.
    fn await_leader(&mut self) {
        let head_start = if self.follower_mut().outranked { self.config.election_timeout } else { 0 };
        self.election_at = (self.now + self.election_timeout + head_start).max(self.promised_until);
    }

    /// Whether the entries follow one another from `prev_log` on, in no term of the future. Returns the index
    /// of the last one, and whether the data of any is withheld.
    fn check_shape(&self, prev_log: LogPosition, entries: &[Entry]) -> Result<(LogIndex, bool), Ignored> {
        // The last place of all is never used, so that there always is a next one.
        let last_new = prev_log.index.checked_add(entries.len() as u64).filter(|last| last.0 < u64::MAX);
        let Some(last_new) = last_new else { return Err(Ignored::Malformed) };
        let (mut previous, mut is_withheld) = (prev_log, false);
        for entry in entries {
            if entry.index != previous.index.next() || entry.term < previous.term || entry.term == Term::ZERO
            {
                return Err(Ignored::Malformed);
            }
            is_withheld |= matches!(entry.payload, Payload::Withheld);
            previous = entry.position();
        }
        let well_formed =
            previous.term <= self.current_term() && (prev_log.index.0 == 0) == (prev_log.term.0 == 0);
        if well_formed { Ok((last_new, is_withheld)) } else { Err(Ignored::Malformed) }
    }

    /// Skips what the log has, removes what conflicts, appends the rest (§5.3).
    fn append_missing(&mut self, entries: Entries) -> Result<(), Ignored> {
        let known = entries.iter().take_while(|entry| self.log.agrees_with(entry.position())).count();
        let new = &entries[known..];
        let Some(from) = new.first().map(|entry| entry.index) else { return Ok(()) };
        if from <= self.log.last_index() {
            // No leader takes back what is committed, nor what it has sent itself.
            if from <= self.commit_index.max(self.follower_mut().matched) {
                return Err(Ignored::ContradictsCommitted);
            }
            self.log.truncate(from);
            self.ledger.truncated(from);
            self.configurations.truncate(from);
            self.faults.truncate(from);
            self.note_sound();
        }
        for entry in new {
            if let Payload::Configuration(configuration) = &entry.payload {
                self.configurations.push(entry.index, Arc::clone(configuration));
            }
        }
        match entries {
            Entries::Empty => {}
            Entries::One(entry) => self.log.append(entry),
            Entries::Many(mut entries) => self.log.append_all(entries.drain(known..)),
        }
        Ok(())
    }

    /// Takes from what the leader sends the data that is lost here. Returns whether there was any.
    fn take_back(&mut self, entries: &[Entry]) -> bool {
        let mut brings_back = false;
        for entry in entries {
            brings_back |= self.log.contains(entry.position()) && self.repair(entry);
        }
        brings_back
    }

    pub(crate) fn follower_mut(&mut self) -> &mut Follower {
        match &mut self.role {
            Role::Follower(follower) => follower,
            Role::PreCandidate(_) | Role::Candidate(_) | Role::Leader(_) => {
                panic!("a leader's word was accepted by one that does not follow")
            }
        }
    }
}
