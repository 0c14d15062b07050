//! The trusted driver of one core, with a disk in memory, and what it checks.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use squall_raft::{
    Action, AppendResult, Body, Change, Config, Configuration, ENTRY_OVERHEAD_BYTES, Entry, Fetch,
    FetchPurpose, LogIndex, LogPosition, Message, NodeId, ProposeError, Raft, ReadId, Recovered, RoleKind,
    Round, Session, SnapshotAction, SnapshotId, SnapshotRequest, Status, Term, WriteToken,
};

use crate::disk::{Disk, OwnedWrite};
use crate::input::Setup;
use crate::message::{Context, HostileMessage};
use crate::promises::{check_progress, check_promise};
use crate::{Input, Mark};

pub(crate) const SELF: NodeId = NodeId(1);

/// One core, its disk and its state machine.
pub struct Driver {
    config: Config,
    raft: Raft,
    boot: u64,
    /// What the disk shows to a reader: all that was written.
    written: Disk,
    /// What would survive a restart.
    durable: Disk,
    /// Writes that are not durable, in order.
    writes: VecDeque<OwnedWrite>,
    /// Completed writes of all lives.
    completed: Vec<WriteToken>,
    fetches: Vec<Fetch>,
    /// What is to be done with snapshots, in order.
    snapshot_jobs: VecDeque<SnapshotAction>,
    /// The latest request for a part of a snapshot, which an honest peer would answer.
    wanted: SnapshotRequest,
    /// What this node asked for last as a leader.
    lacking: Vec<LogPosition>,
    /// What of the `Apply` under way is not yet reported.
    applying: Option<(LogIndex, LogIndex)>,
    /// The last entry that this life has been asked to apply.
    last_asked: LogPosition,
    /// The last entry of the snapshot that this life has been asked to restore last.
    restored: LogPosition,
    last_status: Status,
    session: Session,
    round: Round,
    /// The previous entry of the latest AppendEntries.
    asked: LogPosition,
    /// The last read of this life, and the last whose fate was told.
    last_read: ReadId,
    settled_read: ReadId,
    /// Up to where the log is known to match that of the leader of a term.
    matched: (Term, LogIndex),
    /// What this run came across.
    pub(crate) reached: BTreeSet<Mark>,
}

impl Driver {
    /// Starts a core on an empty disk.
    ///
    /// # Panics
    /// Where the core does.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let config = config(setup);
        let raft = Raft::new(config.clone(), &Recovered::default()).expect("the configuration is sound");
        Self {
            last_status: raft.status(),
            config,
            raft,
            boot: 0,
            written: Disk::default(),
            durable: Disk::default(),
            writes: VecDeque::new(),
            completed: Vec::new(),
            fetches: Vec::new(),
            snapshot_jobs: VecDeque::new(),
            wanted: SnapshotRequest { snapshot: SnapshotId::default(), offset: 0, max_bytes: 0 },
            lacking: Vec::new(),
            applying: None,
            last_asked: LogPosition::ZERO,
            restored: LogPosition::ZERO,
            session: Session::default(),
            round: Round::default(),
            asked: LogPosition::ZERO,
            last_read: ReadId::default(),
            settled_read: ReadId::default(),
            matched: (Term::ZERO, LogIndex::ZERO),
            reached: BTreeSet::new(),
        }
    }

    /// Feeds one input.
    ///
    /// # Panics
    /// Where the core does, or its answer is wrong.
    pub fn input(&mut self, input: Input) {
        match input {
            Input::Tick(ticks) => self.raft.tick(u64::from(ticks)),
            Input::TickUntilDue => self.raft.tick(self.raft.ticks_until_due().min(1 << 40)),
            Input::TickFar(ticks) => self.raft.tick(u64::from(ticks) << 8),
            Input::Propose(bytes) => self.propose(bytes),
            Input::Receive(message) => self.receive(message),
            Input::Persisted(writes) => {
                self.complete(writes);
                if let Some(&token) = self.completed.last()
                    && token.boot == self.boot
                {
                    self.raft.persisted(token);
                }
            }
            Input::PersistedLongAgo(which) => {
                if let Some(&token) = choose(&self.completed, which) {
                    self.raft.persisted(token);
                }
            }
            Input::Applied(entries) => self.report_applied(entries),
            Input::Transfer(to) => {
                let _ = self.raft.transfer_leadership(NodeId(1 + u64::from(to % 5)));
            }
            Input::Read => {
                if let Ok(read) = self.raft.read() {
                    assert!(read > self.last_read, "{read:?} after {:?}", self.last_read);
                    self.last_read = read;
                }
            }
            Input::Change { first, second } => self.change(first, second),
            Input::Campaign => self.raft.campaign(),
            Input::Fetched { fetch, entries } => self.answer_fetch(fetch, entries),
            Input::TakeSnapshot { bytes } => self.take_snapshot(bytes),
            Input::Compact { keep } => {
                let applied = self.raft.status().last_applied.0;
                self.raft.compact(LogIndex(applied.saturating_sub(u64::from(keep % 64))));
            }
            Input::SnapshotJob { outcome } => self.do_snapshot_job(outcome),
            Input::Restart { writes, tail, lost } => self.restart(writes, tail, lost),
        }
    }

    /// Carries out what the core wants, at most so many actions.
    ///
    /// # Panics
    /// Where the core does, or breaks a promise by an action.
    pub fn carry_out(&mut self, at_most: u64) {
        for _ in 0..at_most {
            // Written out in full, as the action borrows from the core.
            match self.raft.next_action() {
                None => return,
                Some(Action::Send(message)) => {
                    check_promise(&message, &self.durable);
                    crate::check_wire(&message);
                    self.note_sent(&message);
                }
                Some(Action::Persist(write)) => {
                    let write = OwnedWrite::new(&write);
                    self.check_write(&write);
                    self.reached.extend(write.truncate_from.map(|_| Mark::Truncates));
                    self.reached.extend(write.reset_to.map(|_| Mark::BeginsAnew));
                    self.reached.extend(write.compact_to.map(|_| Mark::Compacts));
                    self.reached.extend(write.repairs.first().map(|_| Mark::Repairs));
                    self.written.write(&write);
                    self.writes.push_back(write);
                }
                Some(Action::Apply { first, last }) => self.start_applying(first, last),
                Some(Action::Fetch(fetch)) => {
                    let readable = self.written.last_index();
                    assert!(
                        fetch.first <= fetch.last && fetch.last <= readable,
                        "{fetch:?} of {readable} entries"
                    );
                    self.reached.insert(match fetch.purpose {
                        FetchPurpose::Replicate(_) => Mark::FetchesToReplicate,
                        FetchPurpose::Apply => Mark::FetchesToApply,
                        FetchPurpose::Repair(_) => Mark::FetchesToRepair,
                    });
                    self.fetches.push(fetch);
                }
                Some(Action::ReadReady { up_to, .. }) => {
                    self.reached.insert(Mark::ServesReads);
                    self.settle_read(up_to);
                }
                Some(Action::ReadDropped { up_to }) => self.settle_read(up_to),
                Some(Action::Snapshot(action)) => self.start_snapshot_job(action),
            }
        }
    }

    /// Checks what holds at any time.
    ///
    /// # Panics
    /// Where it does not.
    pub fn check(&mut self) {
        let status = self.raft.status();
        let covered = self.durable.snapshot.map_or(LogIndex::ZERO, |snapshot| snapshot.last.index);
        check_progress(&self.last_status, &status, covered);
        let is_witness = self.config.is_witness();
        assert!(!is_witness || status.role == RoleKind::Follower, "a witness waits for others: {status:?}");
        if status.role == RoleKind::Leader || status.role == RoleKind::Candidate {
            assert_eq!(status.voted_for, Some(SELF), "{status:?}");
        }
        let configuration = self.raft.configuration();
        self.reached.extend(configuration.is_joint().then_some(Mark::IsJoint));
        if status.role == RoleKind::Leader && configuration.voters().count() > 1 {
            self.reached.insert(Mark::Leads);
            if status.commit_index > self.last_status.commit_index {
                self.reached.insert(Mark::CommitsAsLeader);
            }
        }
        self.last_status = status;
    }

    /// The fate of a read is told once, and of none that was not asked for.
    fn settle_read(&mut self, up_to: ReadId) {
        assert!(
            self.settled_read < up_to && up_to <= self.last_read,
            "{up_to:?} after {:?}",
            self.settled_read
        );
        self.settled_read = up_to;
    }

    fn propose(&mut self, bytes: u8) {
        let before = self.raft.status();
        let result = self.raft.propose(Bytes::from(vec![0x5a; usize::from(bytes)]));
        let after = self.raft.status();
        match result {
            Ok(position) => {
                assert_eq!(before.role, RoleKind::Leader);
                assert_eq!(position.index, before.last_log.index.next());
                assert_eq!(position, after.last_log);
            }
            Err(error) => {
                // That room was made in memory is nobody's concern.
                let before = Status { first_in_memory: after.first_in_memory, ..before };
                assert_eq!(before, after, "a refusal ({error}) has no effect");
                self.reached.extend((error == ProposeError::Busy).then_some(Mark::RefusesForWantOfRoom));
            }
        }
    }

    /// One change or two, or none.
    fn change(&mut self, first: u8, second: u8) {
        let before = self.raft.status();
        let was_joint = self.raft.configuration().is_joint();
        let changes: Vec<Change> = [first, second].into_iter().filter_map(change).collect();
        let result = self.raft.change_membership(&changes);
        let after = self.raft.status();
        match result {
            Ok(position) => {
                assert_eq!((before.role, was_joint), (RoleKind::Leader, false));
                assert!(
                    before.configuration_index <= before.commit_index,
                    "one change at a time: {before:?}"
                );
                assert_eq!(position.index, before.last_log.index.next());
                assert_eq!((position, position.index), (after.last_log, after.configuration_index));
                self.reached.insert(Mark::ChangesMembership);
            }
            Err(error) => {
                let before = Status { first_in_memory: after.first_in_memory, ..before };
                assert_eq!(before, after, "a refusal ({error}) has no effect");
                assert!(!error.to_string().is_empty());
            }
        }
    }

    fn receive(&mut self, message: HostileMessage) {
        let status = self.raft.status();
        let context = Context {
            receiver: SELF,
            term: status.current_term,
            last_log: status.last_log,
            commit_index: status.commit_index,
            session: self.session,
            round: self.round,
            asked: self.asked,
            wanted: self.wanted,
            lacking: &self.lacking,
            snapshot: self.durable.snapshot,
        };
        let message = message.resolve(&context, |index| self.raft.term_at(index));
        let claimed = last_position(&message);
        // Whether it is ignored, and why, is the core's to say.
        let accepted = self.raft.receive(message).is_ok();
        let after = self.raft.status();
        if let Some(claimed) = claimed
            && accepted
            && self.raft.term_at(claimed.index) == Some(claimed.term)
        {
            let before = if self.matched.0 == after.current_term { self.matched.1 } else { LogIndex::ZERO };
            self.matched = (after.current_term, before.max(claimed.index));
        }
        if after.role == RoleKind::Follower && after.commit_index > status.commit_index {
            let within = after.current_term == self.matched.0 && after.commit_index <= self.matched.1;
            assert!(within, "{after:?} commits more than matches the leader's log: {:?}", self.matched);
        }
    }

    /// Makes the first writes under way durable: so many, modulo their number, and one at least.
    fn complete(&mut self, writes: u8) {
        let count = usize::from(writes).checked_rem(self.writes.len()).map_or(0, |rest| rest + 1);
        for write in self.writes.drain(..count) {
            self.durable.write(&write);
            self.completed.push(write.token);
        }
    }

    fn start_applying(&mut self, first: LogIndex, last: LogIndex) {
        assert_eq!(self.applying, None, "one apply at a time");
        assert_eq!(first, self.last_asked.index.next(), "entries are applied one after the other");
        assert!(
            first <= last && last <= self.raft.status().commit_index,
            "only what is committed is applied"
        );
        let (front, back) = self.raft.committed(first, last);
        for entry in front.iter().chain(back) {
            let position = entry.position();
            assert_eq!(position.index, self.last_asked.index.next());
            assert!(position.term >= self.last_asked.term, "terms never fall along a log");
            assert_eq!(self.durable.entry(position.index), Some(entry), "only what is durable is applied");
            self.last_asked = position;
        }
        assert_eq!(self.last_asked.index, last);
        self.applying = Some((first, last));
        self.reached.insert(Mark::Applies);
    }

    fn report_applied(&mut self, entries: u8) {
        let Some((first, last)) = self.applying else { return };
        let up_to = LogIndex(first.0 + u64::from(entries) % (last.0 - first.0 + 1));
        self.raft.applied(up_to);
        self.applying = (up_to < last).then(|| (up_to.next(), last));
    }

    fn answer_fetch(&mut self, fetch: u8, entries: u8) {
        let Some(position) = usize::from(fetch).checked_rem(self.fetches.len()) else { return };
        let fetch = self.fetches.remove(position);
        // The log may have been cut since the question was asked.
        let readable = (fetch.first.0..=fetch.last.0).map_while(|index| self.written.whole(LogIndex(index)));
        let answer = readable.take(usize::from(entries)).cloned().collect();
        self.raft.fetched(fetch.purpose, answer);
    }

    /// The state machine's state, as far as it was reported, becomes a snapshot at once.
    fn take_snapshot(&mut self, bytes: u8) {
        let index = self.raft.status().last_applied;
        if self.config.is_witness() {
            return self.raft.compact(index);
        }
        let Some(term) = self.raft.term_at(index).filter(|_| index > LogIndex::ZERO) else { return };
        let (bytes, checksum) = (u64::from(bytes) % 20 + 1, u64::from(bytes));
        let snapshot = SnapshotId { last: LogPosition { term, index }, bytes, checksum };
        self.written.keep(snapshot);
        self.durable.keep(snapshot);
        self.raft.snapshot_taken(snapshot);
        let newest = self.raft.snapshot();
        assert_eq!(newest, self.durable.snapshot, "the newest of all that are there");
    }

    fn start_snapshot_job(&mut self, action: SnapshotAction) {
        match &action {
            SnapshotAction::Read { snapshot, offset, max_bytes, .. } => {
                let end = offset.checked_add(*max_bytes);
                assert!(*max_bytes > 0 && end.is_some_and(|end| end <= snapshot.bytes), "{action:?}");
            }
            SnapshotAction::Store { snapshot, offset, data } => {
                let part_bytes = self.config.max_snapshot_chunk_bytes;
                assert!((1..=part_bytes).contains(&(data.len() as u64)), "{action:?}");
                assert!(offset + data.len() as u64 <= snapshot.bytes, "{action:?}");
            }
            SnapshotAction::TakePosition { last, index, configuration } => {
                assert!(self.config.is_witness() && index <= &last.index, "{action:?}");
                assert!(!configuration.members().is_empty(), "{action:?}");
            }
            SnapshotAction::Restore(snapshot) => {
                assert_eq!(Some(*snapshot), self.durable.snapshot, "only the newest is restored");
                assert!(
                    snapshot.last.index > self.last_asked.index,
                    "{action:?} takes back what was applied"
                );
                (self.applying, self.last_asked, self.restored) = (None, snapshot.last, snapshot.last);
            }
        }
        self.snapshot_jobs.push_back(action);
    }

    /// Does the first job; what comes of it is drawn.
    fn do_snapshot_job(&mut self, outcome: u8) {
        match self.snapshot_jobs.pop_front() {
            None => {}
            Some(SnapshotAction::Read { to, snapshot, offset, max_bytes }) => {
                let bytes = usize::from(outcome).min(usize::try_from(max_bytes).unwrap_or(usize::MAX));
                let data = (bytes > 0).then(|| Bytes::from(vec![0x3c; bytes]));
                self.raft.snapshot_read(to, snapshot, offset, data);
            }
            Some(SnapshotAction::Store { snapshot, offset, data }) => {
                self.store(snapshot, offset, &data, outcome)
            }
            Some(SnapshotAction::TakePosition { last, .. }) => {
                let snapshot = SnapshotId { last, bytes: 1, checksum: 0 };
                self.raft.snapshot_taken(snapshot);
                // As with one that is received.
                if self.raft.snapshot() == Some(snapshot) {
                    self.durable.keep(snapshot);
                    self.written.keep(snapshot);
                }
                self.reached.insert(Mark::TakesPosition);
            }
            Some(SnapshotAction::Restore(snapshot)) => {
                let Config { voters, witnesses, .. } = self.raft.config();
                let configuration = Configuration::first_with_witnesses(voters, witnesses);
                self.raft.configuration_restored(snapshot, LogIndex::ZERO, configuration);
                self.raft.restored(snapshot);
                self.reached.insert(Mark::Restores);
            }
        }
    }

    fn store(&mut self, snapshot: SnapshotId, offset: u64, data: &[u8], outcome: u8) {
        let kept =
            self.durable.receiving.filter(|(id, _)| *id == snapshot && offset > 0).map_or(0, |kept| kept.1);
        assert_eq!(kept, offset, "parts of {snapshot:?} are stored in order");
        let bytes = offset + data.len() as u64;
        self.durable.receiving = (bytes < snapshot.bytes).then_some((snapshot, bytes));
        self.raft.snapshot_stored(snapshot, bytes);
        if bytes == snapshot.bytes && outcome < 200 {
            self.raft.snapshot_received(snapshot);
            // One that contradicts what the core knows comes from no leader of its cluster. To start from it would be
            // sound, but not what the rest of this run is about.
            if self.raft.snapshot() == Some(snapshot) {
                self.durable.keep(snapshot);
            }
        } else if bytes == snapshot.bytes {
            self.raft.snapshot_refused(snapshot);
        }
        let Disk { snapshot, receiving, .. } = self.durable;
        (self.written.snapshot, self.written.receiving) = (snapshot, receiving);
    }

    /// Everything that is not durable is lost, and some of the writes under way are durable all the same.
    fn restart(&mut self, writes: u8, tail: u8, lost: u16) {
        if writes > 0 {
            self.complete(writes);
        }
        // Some of the last entries, now and then, and perhaps for ever.
        if tail >= 128 {
            self.durable.lose(lost, tail >= 192);
        }
        self.writes.clear();
        self.fetches.clear();
        self.snapshot_jobs.clear();
        self.applying = None;
        (self.last_asked, self.restored) = (LogPosition::ZERO, LogPosition::ZERO);
        (self.last_read, self.settled_read) = (ReadId::default(), ReadId::default());
        self.matched = (Term::ZERO, LogIndex::ZERO);
        self.written = self.durable.clone();
        self.boot += 1;
        let recovered = self.durable.recover(self.boot, usize::from(tail));
        self.raft = Raft::new(self.config.clone(), &recovered).expect("what was written is sound");
        self.last_status = self.raft.status();
        let last_index = self.durable.recovered_last_index();
        assert_eq!(self.last_status.last_log.index, last_index);
        let lost = self.raft.faulty().next().map_or(last_index, |first| LogIndex(first.index.0 - 1));
        assert_eq!(self.last_status.durable_index, lost);
        self.reached.extend((recovered.last_index > LogIndex::ZERO).then_some(Mark::Recovers));
    }

    fn check_write(&self, write: &OwnedWrite) {
        let previous = self.writes.back().map(|write| write.token).or(self.completed.last().copied());
        assert!(previous < Some(write.token), "{:?} after {previous:?}", write.token);
        assert_eq!(write.token.boot, self.boot);
        if let Some(hard_state) = write.hard_state {
            let old = self.written.hard_state;
            assert!(
                hard_state.current_term >= old.current_term,
                "terms never fall: {old:?} to {hard_state:?}"
            );
            let changed_mind = hard_state.current_term == old.current_term
                && old.voted_for.is_some()
                && hard_state.voted_for != old.voted_for;
            assert!(!changed_mind, "one vote in a term: {old:?} to {hard_state:?}");
        }
        if let Some(from) = write.truncate_from {
            // A snapshot that was restored may be ahead of what the log has written.
            let is_applied = from <= self.last_asked.index && self.last_asked != self.restored;
            assert!(!is_applied, "what is applied is never removed, as {write:?} would");
        }
        for given_up in write.reset_to.iter().chain(&write.compact_to) {
            let stands_for =
                self.durable.snapshot.is_some_and(|snapshot| snapshot.last.index >= given_up.index);
            assert!(stands_for, "{write:?} gives up entries for no snapshot");
        }
        if let Some(base) = write.reset_to {
            assert!(base.index >= self.last_asked.index, "what is applied stays, but not after {write:?}");
            assert_eq!(write.truncate_from, None, "nothing is left to truncate: {write:?}");
        }
        let end = write.reset_to.map_or(self.written.last_index(), |base| base.index);
        let kept = write.truncate_from.map_or(end.0, |from| from.0 - 1);
        assert!(kept <= end.0, "{write:?} leaves a hole");
        for (index, entry) in (kept + 1..).zip(&write.entries) {
            assert_eq!(entry.index, LogIndex(index), "{write:?} leaves a hole");
        }
    }

    /// Keeps what an honest peer would echo.
    fn note_sent(&mut self, message: &Message) {
        let mark = match &message.body {
            Body::AppendEntries(append) => {
                (self.session, self.asked) = (append.session, append.prev_log);
                None
            }
            Body::Heartbeat(heartbeat) => {
                (self.session, self.round) = (heartbeat.session, heartbeat.round);
                None
            }
            Body::RequestVoteResponse(response) => response.granted.then_some(Mark::Votes),
            Body::AppendEntriesResponse(response) => Some(match response.result {
                AppendResult::Matched(_) => Mark::Acknowledges,
                AppendResult::Witnessed(_) => Mark::Witnesses,
                AppendResult::Lacking { .. } => Mark::Lacks,
                AppendResult::Conflict { .. } => Mark::Contradicts,
            }),
            Body::RepairRequest(request) => {
                self.lacking.clone_from(&request.lacking);
                Some(Mark::AsksForRepair)
            }
            Body::RepairResponse(_) => Some(Mark::AnswersRepair),
            Body::TimeoutNow => Some(Mark::HandsOver),
            Body::InstallSnapshot(offer) => {
                self.session = offer.session;
                Some(Mark::OffersSnapshot)
            }
            Body::SnapshotRequest(request) => {
                self.wanted = *request;
                None
            }
            Body::SnapshotChunk(chunk) => (!chunk.data.is_empty()).then_some(Mark::ServesSnapshot),
            Body::PreVote(_)
            | Body::PreVoteResponse(_)
            | Body::RequestVote(_)
            | Body::HeartbeatResponse(_)
            | Body::ReadIndex(_)
            | Body::ReadIndexResponse(_)
            | Body::Forward(_)
            | Body::ForwardResponse(_) => None,
        };
        self.reached.extend(mark);
    }
}

fn config(setup: Setup) -> Config {
    let voters = (1..=u64::from(setup.voters % 5).max(1)).map(NodeId).collect();
    let mut config = Config::new(SELF, voters);
    if config.voters.len() >= 3 {
        config.witnesses = match setup.voters / 5 % 4 {
            3 => vec![SELF],
            2 => vec![NodeId(3)],
            _ => Vec::new(),
        };
    }
    config.pre_vote = setup.pre_vote;
    config.check_quorum = setup.check_quorum || setup.leases;
    config.lease_drift_ppm = setup.leases.then_some(1_000);
    config.seed = u64::from(setup.seed);
    if setup.tight {
        config.max_message_bytes = 2 * ENTRY_OVERHEAD_BYTES;
        config.max_in_flight_messages = 2;
        config.max_in_flight_bytes = 6 * ENTRY_OVERHEAD_BYTES;
        config.max_proposal_bytes = 200;
        config.max_uncommitted_bytes = 10 * ENTRY_OVERHEAD_BYTES;
        config.cache_bytes = 2 * ENTRY_OVERHEAD_BYTES;
        config.max_log_bytes = 20 * ENTRY_OVERHEAD_BYTES;
        config.max_apply_bytes = 3 * ENTRY_OVERHEAD_BYTES;
        config.max_snapshot_chunk_bytes = 3;
        config.max_snapshot_in_flight = 2;
    }
    config
}

/// The last entry of which a leader says that it has it.
fn last_position(message: &Message) -> Option<LogPosition> {
    match &message.body {
        Body::AppendEntries(append) => Some(append.entries.last().map_or(append.prev_log, Entry::position)),
        Body::InstallSnapshot(offer) => Some(offer.snapshot.last),
        Body::PreVote(_)
        | Body::PreVoteResponse(_)
        | Body::RequestVote(_)
        | Body::RequestVoteResponse(_)
        | Body::AppendEntriesResponse(_)
        | Body::Heartbeat(_)
        | Body::HeartbeatResponse(_)
        | Body::TimeoutNow
        | Body::ReadIndex(_)
        | Body::ReadIndexResponse(_)
        | Body::Forward(_)
        | Body::ForwardResponse(_)
        | Body::SnapshotRequest(_)
        | Body::SnapshotChunk(_)
        | Body::RepairRequest(_)
        | Body::RepairResponse(_) => None,
    }
}

/// A change of one of the first six nodes, or none.
fn change(bits: u8) -> Option<Change> {
    let id = NodeId(1 + u64::from(bits >> 3) % 6);
    match bits % 8 {
        0 => Some(Change::AddLearner { id, promote: false }),
        1 => Some(Change::AddLearner { id, promote: true }),
        2 | 3 => Some(Change::Promote { id }),
        4 => Some(Change::Demote { id }),
        5 => Some(Change::Remove { id }),
        6 => Some(Change::AddWitness { id }),
        _ => None,
    }
}

fn choose<T>(items: &[T], which: u8) -> Option<&T> {
    items.get(usize::from(which).checked_rem(items.len())?)
}
