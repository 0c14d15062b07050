//! The trusted driver of one core, with a disk in memory, and what it checks.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use squall_raft::{
    Action, AppendResult, Body, Change, Config, ENTRY_OVERHEAD_BYTES, Entry, Fetch, FetchPurpose, HardState,
    LogIndex, LogPosition, Message, NodeId, Payload, ProposeError, Raft, ReadId, Recovered, RoleKind, Round,
    Session, Status, Term, Write, WriteToken,
};

use crate::input::Setup;
use crate::message::{Context, HostileMessage};
use crate::{Input, Mark};

const SELF: NodeId = NodeId(1);

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
    /// What of the `Apply` under way is not yet reported.
    applying: Option<(LogIndex, LogIndex)>,
    /// The last entry that this life has been asked to apply.
    last_asked: LogPosition,
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

/// A disk's contents.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Disk {
    hard_state: HardState,
    entries: Vec<Entry>,
}

/// A write that outlives the core's next input.
#[derive(Debug)]
struct OwnedWrite {
    token: WriteToken,
    hard_state: Option<HardState>,
    truncate_from: Option<LogIndex>,
    entries: Vec<Entry>,
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
            applying: None,
            last_asked: LogPosition::ZERO,
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
            Input::Restart { writes, tail } => self.restart(writes, tail),
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
                    self.written.write(&write);
                    self.writes.push_back(write);
                }
                Some(Action::Apply { first, last }) => self.start_applying(first, last),
                Some(Action::Fetch(fetch)) => {
                    let readable = LogIndex(self.written.entries.len() as u64);
                    assert!(
                        fetch.first <= fetch.last && fetch.last <= readable,
                        "{fetch:?} of {readable} entries"
                    );
                    self.reached.insert(match fetch.purpose {
                        FetchPurpose::Replicate(_) => Mark::FetchesToReplicate,
                        FetchPurpose::Apply => Mark::FetchesToApply,
                    });
                    self.fetches.push(fetch);
                }
                Some(Action::ReadReady { up_to, .. }) => {
                    self.reached.insert(Mark::ServesReads);
                    self.settle_read(up_to);
                }
                Some(Action::ReadDropped { up_to }) => self.settle_read(up_to),
            }
        }
    }

    /// Checks what holds at any time.
    ///
    /// # Panics
    /// Where it does not.
    pub fn check(&mut self) {
        let status = self.raft.status();
        check_progress(&self.last_status, &status);
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
        let readable = (fetch.first.0..=fetch.last.0).map_while(|index| self.written.entry(LogIndex(index)));
        let answer = readable.take(usize::from(entries)).cloned().collect();
        self.raft.fetched(fetch.purpose, answer);
    }

    /// Everything that is not durable is lost, and some of the writes under way are durable all the same.
    fn restart(&mut self, writes: u8, tail: u8) {
        if writes > 0 {
            self.complete(writes);
        }
        self.writes.clear();
        self.fetches.clear();
        self.applying = None;
        self.last_asked = LogPosition::ZERO;
        (self.last_read, self.settled_read) = (ReadId::default(), ReadId::default());
        self.matched = (Term::ZERO, LogIndex::ZERO);
        self.written = self.durable.clone();
        self.boot += 1;
        let recovered = self.durable.recover(self.boot, usize::from(tail));
        self.raft = Raft::new(self.config.clone(), &recovered).expect("what was written is sound");
        self.last_status = self.raft.status();
        assert_eq!(self.last_status.last_log.index, recovered.last_index);
        assert_eq!(self.last_status.durable_index, recovered.last_index);
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
            assert!(from > self.last_asked.index, "what is applied is never removed, as {write:?} would");
        }
        let kept = write.truncate_from.map_or(self.written.entries.len() as u64, |from| from.0 - 1);
        assert!(kept <= self.written.entries.len() as u64, "{write:?} leaves a hole");
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
                AppendResult::Conflict { .. } => Mark::Contradicts,
            }),
            Body::TimeoutNow => Some(Mark::HandsOver),
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
    }
    config
}

/// The last entry that an AppendEntries speaks of.
fn last_position(message: &Message) -> Option<LogPosition> {
    let Body::AppendEntries(append) = &message.body else { return None };
    Some(append.entries.last().map_or(append.prev_log, Entry::position))
}

/// Between two looks at one life, some things only ever rise, and some never pass others.
pub(crate) fn check_progress(before: &Status, now: &Status) {
    assert!(before.current_term <= now.current_term, "terms never fall: {before:?} to {now:?}");
    let changed_mind = before.current_term == now.current_term
        && before.voted_for.is_some()
        && before.voted_for != now.voted_for;
    assert!(!changed_mind, "one vote in a term: {before:?} to {now:?}");
    assert!(before.commit_index <= now.commit_index, "what is committed stays: {before:?} to {now:?}");
    assert!(before.last_applied <= now.last_applied, "what is applied stays: {before:?} to {now:?}");
    assert!(now.last_applied <= now.commit_index, "only what is committed is applied: {now:?}");
    assert!(now.last_applied <= now.durable_index, "only what is durable is applied: {now:?}");
    assert!(now.commit_index <= now.last_log.index, "what is committed is in the log: {now:?}");
    assert!(now.durable_index <= now.last_log.index, "what is durable is in the log: {now:?}");
    assert!(now.last_log.term <= now.current_term, "no entry is of the future: {now:?}");
}

/// What a message promises must be durable when it is sent.
pub(crate) fn check_promise(message: &Message, durable: &Disk) {
    assert_eq!(message.from, SELF);
    assert_ne!(message.to, SELF);
    let hard_state = durable.hard_state;
    let voted_for = |candidate| {
        assert_eq!(hard_state.voted_for, Some(candidate), "{message:?} reveals a vote that is not durable");
    };
    // Even a message without promise reveals its term, in which a restarted node must not begin anew.
    assert!(message.term <= hard_state.current_term, "{message:?} reveals a term that is not durable");
    if message.term < hard_state.current_term {
        // It was due when its term was; what it promised then binds nobody now.
        return;
    }
    match &message.body {
        Body::RequestVote(_) => voted_for(SELF),
        Body::RequestVoteResponse(response) if response.granted => voted_for(message.to),
        Body::AppendEntriesResponse(response) => match response.result {
            AppendResult::Matched(index) => {
                assert!(durable.last_index() >= index, "{message:?} acknowledges what is not durable");
            }
            AppendResult::Conflict { rejected, hint } => assert!(hint.index <= rejected, "{message:?}"),
        },
        Body::AppendEntries(append) => {
            voted_for(SELF);
            let mut previous = append.prev_log;
            for entry in append.entries.iter() {
                assert_eq!(entry.index, previous.index.next(), "{message:?} leaves a hole");
                assert!(entry.term >= previous.term && entry.term <= message.term, "{message:?}");
                previous = entry.position();
            }
        }
        Body::Heartbeat(_) | Body::TimeoutNow | Body::ReadIndexResponse(_) => voted_for(SELF),
        Body::HeartbeatResponse(response) => {
            let kept = durable.hard_state.longest_promise;
            assert!(response.promise <= kept, "{message:?} promises what a restart forgets");
        }
        Body::PreVote(_)
        | Body::PreVoteResponse(_)
        | Body::RequestVoteResponse(_)
        | Body::ReadIndex(_)
        | Body::Forward(_)
        | Body::ForwardResponse(_) => {}
    }
}

impl Disk {
    fn last_index(&self) -> LogIndex {
        LogIndex(self.entries.len() as u64)
    }

    fn entry(&self, index: LogIndex) -> Option<&Entry> {
        self.entries.get(usize::try_from(index.0.checked_sub(1)?).ok()?)
    }

    fn write(&mut self, write: &OwnedWrite) {
        self.hard_state = write.hard_state.unwrap_or(self.hard_state);
        if let Some(from) = write.truncate_from {
            self.entries.retain(|entry| entry.index < from);
        }
        self.entries.extend_from_slice(&write.entries);
    }

    fn recover(&self, boot: u64, tail: usize) -> Recovered {
        let mut terms: Vec<LogPosition> = self.entries.iter().map(Entry::position).collect();
        terms.dedup_by_key(|position| position.term);
        let tail = self.entries[self.entries.len().saturating_sub(tail)..].to_vec();
        let configurations = self.entries.iter().filter_map(|entry| match &entry.payload {
            Payload::Configuration(configuration) => Some((entry.index, configuration.clone())),
            Payload::Noop | Payload::Command(_) => None,
        });
        Recovered {
            boot,
            hard_state: self.hard_state,
            terms,
            last_index: self.last_index(),
            tail,
            configurations: configurations.collect(),
            ..Recovered::default()
        }
    }
}

impl OwnedWrite {
    fn new(write: &Write<'_>) -> Self {
        Self {
            token: write.token,
            hard_state: write.hard_state,
            truncate_from: write.truncate_from,
            entries: write.iter().cloned().collect(),
        }
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
        _ => None,
    }
}

fn choose<T>(items: &[T], which: u8) -> Option<&T> {
    items.get(usize::from(which).checked_rem(items.len())?)
}
