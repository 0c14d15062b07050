//! The replica: core, replicated state and pending requests, driven together.
//!
//! The way of one command (docs/architecture.md): `request` proposes it; `next_output` hands out the writes and
//! messages that follow; once it is committed and durable here, `apply` gives it to the state machine, and the
//! answer is the next output. The driver paces `apply`, so that a slow state machine is the driver's to model.

use std::collections::VecDeque;

use bytes::Bytes;
use squall_raft::{
    Action, Body, Change, ChangeError, Config, ConfigError, Entry, Fetch, FetchPurpose, ForwardResponse,
    Ignored, LogIndex, LogPosition, Message, NodeId, Raft, ReadError, ReadId, Recovered, SnapshotAction,
    SnapshotId, Status, TransferError, Write, WriteToken,
};

use crate::forwards::Forwards;
use crate::image::{InForce, LogSummary, ReplicaImage};
use crate::pending::Pending;
use crate::reads::{Reads, Waiting};
use crate::snapshot::{Restoring, SnapshotJob, SnapshotPolicy, Taking};
use crate::state::Effect;
use crate::{
    Consistency, LoadError, Outcome, Proposal, RequestId, SessionLimits, State, StateMachine, open_proposal,
};

/// Requests that may wait at one replica unless [`Replica::limit_pending_requests`] says otherwise.
pub const MAX_PENDING_REQUESTS: u64 = 1 << 16;

/// One replica.
#[derive(Clone, Debug)]
pub struct Replica<S: StateMachine> {
    pub(crate) raft: Raft,
    pub(crate) state: State<S>,
    pub(crate) pending: Pending,
    pub(crate) forwards: Forwards,
    pub(crate) max_pending_requests: u64,
    pub(crate) session_limits: SessionLimits,
    pub(crate) is_forwarding: bool,
    /// Ticks since the start of this life.
    pub(crate) now: u64,
    /// Where it shuts down: when nobody is waited for any more.
    pub(crate) stops_at: Option<u64>,
    /// The last entry given to the state machine.
    /// Invariant: `applied <= apply_until`.
    pub(crate) applied: LogIndex,
    /// The last entry that the core asked to apply.
    apply_until: LogIndex,
    /// Bytes that the entries up to `applied` count for, and those up to the last snapshot that was taken or loaded here.
    applied_bytes: u64,
    snapshot_bytes: u64,
    pub(crate) answers: VecDeque<(RequestId, Outcome)>,
    pub(crate) reads: Reads,
    snapshot_policy: Option<SnapshotPolicy>,
    taking: Option<Taking<S>>,
    restoring: Option<Restoring<S>>,
}

/// One thing for the driver to do, in the order in which it is handed out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output<'a> {
    /// Send it; it may always go out at once.
    Send(Message),
    /// Write it after all writes before, and say `persisted` when it is durable.
    Persist(Write<'a>),
    /// Read entries from disk and hand them to `fetched`.
    Fetch(Fetch),
    /// Entries wait for the state machine: call `apply` when it may work. Nothing else is lost by waiting.
    Apply,
    /// The core settled the reads up to this one; there is nothing to do, but for who watches it.
    ReadsSettled {
        /// The last of them.
        up_to: ReadId,
        /// From which index on they are served, where they are.
        index: Option<LogIndex>,
    },
    /// Do something with snapshots on disk.
    Snapshot(SnapshotJob),
    /// Answer a request.
    Respond {
        /// Whose.
        request: RequestId,
        /// What became of it.
        outcome: Outcome,
    },
}

impl<S: StateMachine> Replica<S> {
    /// A replica at the start of one life, with what its storage recovered, and a state machine in its first state: where
    /// there is a snapshot, the first outputs put the machine into it. It takes none itself until it is told when
    /// ([`take_snapshots`](Self::take_snapshots)).
    ///
    /// # Errors
    /// Names what is wrong with the configuration.
    pub fn new(config: Config, recovered: &Recovered, machine: S) -> Result<Self, ConfigError> {
        Ok(Self {
            raft: Raft::new(config, recovered)?,
            state: State::new(machine),
            pending: Pending::default(),
            forwards: Forwards::new(recovered.boot),
            max_pending_requests: MAX_PENDING_REQUESTS,
            session_limits: SessionLimits::default(),
            is_forwarding: false,
            now: 0,
            stops_at: None,
            applied: LogIndex::ZERO,
            apply_until: LogIndex::ZERO,
            applied_bytes: 0,
            snapshot_bytes: 0,
            answers: VecDeque::new(),
            reads: Reads::default(),
            snapshot_policy: None,
            taking: None,
            restoring: None,
        })
    }

    /// Takes snapshots from now on, and has the log compacted behind them. When one is due the policy says alone, and nobody
    /// can ask for one: so replicas take theirs at the same entries, and serve each other's.
    ///
    /// # Errors
    /// Where the policy asks for one after each 0 entries or bytes; then nothing changes.
    pub fn take_snapshots(&mut self, policy: SnapshotPolicy) -> Result<(), ConfigError> {
        policy.validate()?;
        self.snapshot_policy = Some(policy);
        Ok(())
    }

    /// Lets time pass; ticks that are due are fed before any other input.
    pub fn tick(&mut self, ticks: u64) {
        self.now = self.now.saturating_add(ticks);
        self.expire_forwards();
        self.raft.tick(ticks);
        self.maybe_give_up_requests();
    }

    /// Takes a message from another replica.
    ///
    /// # Errors
    /// Says why it was ignored.
    pub fn receive(&mut self, message: Message) -> Result<(), Ignored> {
        let from = message.from;
        let refused = match &message.body {
            // Whatever else is passed on could take effect twice.
            Body::Forward(forward) if !is_in_session(&forward.data) => return Err(Ignored::Malformed),
            Body::ForwardResponse(response) => Some(*response),
            Body::Forward(_)
            | Body::PreVote(_)
            | Body::PreVoteResponse(_)
            | Body::RequestVote(_)
            | Body::RequestVoteResponse(_)
            | Body::AppendEntries(_)
            | Body::AppendEntriesResponse(_)
            | Body::Heartbeat(_)
            | Body::HeartbeatResponse(_)
            | Body::TimeoutNow
            | Body::ReadIndex(_)
            | Body::ReadIndexResponse(_)
            | Body::InstallSnapshot(_)
            | Body::SnapshotRequest(_)
            | Body::SnapshotChunk(_)
            | Body::RepairRequest(_)
            | Body::RepairResponse(_) => None,
        };
        self.raft.receive(message)?;
        if let Some(ForwardResponse { number, refusal }) = refused
            && let Some(request) = self.forwards.refuse(number, from)
        {
            self.answers.push_back((request, Outcome::Refused(refusal)));
        }
        Ok(())
    }

    /// This write, and all before it, are durable.
    pub fn persisted(&mut self, token: WriteToken) {
        self.raft.persisted(token);
    }

    /// Entries that a `Fetch` asked for; none, where the read failed. See [`Raft::fetched`].
    ///
    /// # Panics
    /// Where the core does.
    pub fn fetched(&mut self, purpose: FetchPurpose, entries: Vec<Entry>) {
        self.raft.fetched(purpose, entries);
    }

    /// Hands leadership to another replica (thesis §3.10).
    ///
    /// # Errors
    /// Says why it cannot be done.
    pub fn transfer_leadership(&mut self, to: NodeId) -> Result<(), TransferError> {
        self.raft.transfer_leadership(to)
    }

    /// Changes who belongs to the cluster (§6). See [`Raft::change_membership`].
    ///
    /// # Errors
    /// Says why it was refused; then it has no effect.
    pub fn change_membership(&mut self, changes: &[Change]) -> Result<LogPosition, ChangeError> {
        self.raft.change_membership(changes)
    }

    /// Campaigns at once, as if the election timeout had passed; not while a promise to a leader is in force.
    pub fn campaign(&mut self) {
        self.raft.campaign();
    }

    /// Asks the state machine, without an entry in the log. A `Respond` for it follows in this life; a linearizable read
    /// waits for the word of a leader, which may be another replica, and for this one to apply what is committed. Returns the number that the
    /// core gave it, where it is linearizable.
    ///
    /// # Errors
    /// Says why it was refused; then it gets no `Respond`.
    pub fn read(
        &mut self,
        request: RequestId,
        query: impl AsRef<[u8]>,
        consistency: Consistency,
    ) -> Result<Option<ReadId>, ReadError> {
        if self.is_shutting_down() {
            return Err(ReadError::ShuttingDown);
        }
        let (size, max) = (query.as_ref().len() as u64, self.raft.config().max_proposal_bytes);
        if size > max {
            return Err(ReadError::TooLarge { size, max });
        }
        if self.is_witness() {
            return Err(ReadError::Witness);
        }
        match consistency {
            Consistency::Serializable => {
                let result = self.state.machine().query(query.as_ref());
                self.answers.push_back((request, Outcome::Read { applied: self.applied, result }));
                Ok(None)
            }
            Consistency::Linearizable => {
                let config = self.raft.config();
                let is_full = self.reads.len() >= config.max_pending_reads
                    || self.reads.bytes().saturating_add(size) > config.max_uncommitted_bytes.max(max);
                if is_full {
                    return Err(ReadError::Busy);
                }
                let id = self.raft.read()?;
                let query = Bytes::copy_from_slice(query.as_ref());
                self.reads.ask(id, Waiting { request, query });
                Ok(Some(id))
            }
        }
    }

    /// Gives up to `max_entries` committed entries to the state machine; returns how many there were.
    pub fn apply(&mut self, max_entries: u64) -> u64 {
        self.apply_observed(max_entries, |_, _, _| {})
    }

    /// Does what [`apply`](Self::apply) does, and shows each entry, what came of it, and the state after it.
    pub fn apply_observed(
        &mut self,
        max_entries: u64,
        mut observe: impl FnMut(&Entry, &Outcome, &State<S>),
    ) -> u64 {
        let count = self.apply_backlog().min(max_entries);
        if count == 0 {
            return 0;
        }
        let last = LogIndex(self.applied.0 + count);
        let bytes_since = self.applied_bytes - self.snapshot_bytes;
        let policy = self.snapshot_policy.filter(|policy| !policy.waits(&self.raft, bytes_since));
        let Self { raft, state, pending, forwards, answers, reads, applied, applied_bytes, taking, .. } =
            self;
        let (head, rest) = raft.committed(applied.next(), last);
        for entry in head.iter().chain(rest) {
            assert_eq!(entry.index, applied.next(), "entries are applied one after the other");
            let Effect { ticket, outcome } = state.apply(entry);
            let log = LogSummary { last: entry.position(), bytes: *applied_bytes + entry.size_bytes() };
            // A node that others added does not know who was a member before they did.
            if taking.is_none()
                && policy.is_some_and(|policy| policy.is_due(*applied_bytes, log))
                && let Some(in_force) = raft.configuration_at(entry.index)
                && !in_force.1.members().is_empty()
            {
                let image = ReplicaImage::new(log, state, in_force);
                *taking = Some(Taking { log, image, told: false });
            }
            (*applied, *applied_bytes) = (entry.index, log.bytes);
            pending.settle(entry.position(), |request, own| {
                let outcome = if own { outcome.clone() } else { Outcome::Dropped };
                answers.push_back((request, outcome));
            });
            if let Some(request) = ticket.and_then(|ticket| forwards.settle(ticket)) {
                answers.push_back((request, outcome.clone()));
            }
            observe(entry, &outcome, state);
        }
        assert_eq!(*applied, last, "the core holds every entry that it asked to apply");
        raft.applied(last);
        serve_reads(reads, state.machine(), last, answers);
        count
    }

    /// How many committed entries wait for the state machine.
    #[must_use]
    pub fn apply_backlog(&self) -> u64 {
        self.apply_until.0 - self.applied.0
    }

    /// The next thing to do; `None` when there is nothing until the next input.
    pub fn next_output(&mut self) -> Option<Output<'_>> {
        if let Some((request, outcome)) = self.answers.pop_front() {
            return Some(Output::Respond { request, outcome });
        }
        if self.is_witness() {
            self.pass_over();
        }
        if let Some(job) = self.next_snapshot_job() {
            return Some(Output::Snapshot(job));
        }
        let max_part_bytes = self.raft.config().max_snapshot_chunk_bytes;
        Some(match self.raft.next_action()? {
            Action::Send(message) => Output::Send(message),
            Action::Persist(write) => Output::Persist(write),
            Action::Fetch(fetch) => Output::Fetch(fetch),
            Action::ReadReady { up_to, index } => {
                self.reads.make_ready(up_to, index);
                serve_reads(&mut self.reads, self.state.machine(), self.applied, &mut self.answers);
                Output::ReadsSettled { up_to, index: Some(index) }
            }
            Action::ReadDropped { up_to } => {
                while let Some(Waiting { request, .. }) = self.reads.take_asked(up_to) {
                    self.answers.push_back((request, Outcome::Dropped));
                }
                Output::ReadsSettled { up_to, index: None }
            }
            Action::Apply { first, last } => {
                assert_eq!(first, self.apply_until.next(), "the core asks for entries one after the other");
                assert!(last >= first, "the core asks for no empty stretch");
                self.apply_until = last;
                Output::Apply
            }
            Action::Snapshot(action) => {
                if matches!(action, SnapshotAction::Restore(_)) {
                    self.apply_until = self.applied;
                }
                Output::Snapshot(job_for(action, &mut self.restoring, &mut self.taking, max_part_bytes))
            }
        })
    }

    /// The core, to look at.
    #[must_use]
    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    /// The replicated state, to look at.
    #[must_use]
    pub fn state(&self) -> &State<S> {
        &self.state
    }

    /// The state machine, to look at.
    #[must_use]
    pub fn machine(&self) -> &S {
        self.state.machine()
    }

    /// The core's state at a glance.
    #[must_use]
    #[inline]
    pub fn status(&self) -> Status {
        self.raft.status()
    }

    /// How many requests wait for their entries.
    #[must_use]
    pub fn pending_requests(&self) -> u64 {
        self.pending.len()
    }

    /// How many requests were sent on, and are not decided yet.
    #[must_use]
    pub fn forwarded_requests(&self) -> u64 {
        self.forwards.len()
    }

    /// How many ticks may pass before it has anything to do; `u64::MAX` is for ever.
    #[must_use]
    pub fn ticks_until_due(&self) -> u64 {
        let own = [self.forwards.due_at(), self.stops_at.filter(|stops_at| *stops_at > self.now)];
        let ticks_until = |due_at: u64| due_at.saturating_sub(self.now);
        own.into_iter().flatten().map(ticks_until).fold(self.raft.ticks_until_due(), u64::min)
    }
}

/// Snapshots.
impl<S: StateMachine> Replica<S> {
    /// The next bytes of the snapshot that a `Take` asked for, at most so many; none where there are no more.
    ///
    /// # Panics
    /// Where none is being taken.
    pub fn read_image(&mut self, max_bytes: u64) -> Bytes {
        let taking = self.taking.as_mut().expect("a snapshot is being taken");
        taking.image.read(max_bytes)
    }

    /// The snapshot that a `Take` asked for is whole and durable.
    ///
    /// # Panics
    /// Where another one was asked for.
    pub fn snapshot_taken(&mut self, snapshot: SnapshotId) {
        let taken = self.taking.take().expect("a snapshot is being taken");
        assert_eq!(taken.log.last, snapshot.last, "{snapshot} was taken");
        self.snapshot_bytes = self.snapshot_bytes.max(taken.log.bytes);
        self.raft.snapshot_taken(snapshot);
        self.compact();
    }

    /// A part of a snapshot, for another replica. See [`Raft::snapshot_read`].
    ///
    /// # Panics
    /// Where the core does.
    pub fn snapshot_read(&mut self, to: NodeId, snapshot: SnapshotId, offset: u64, data: Option<Bytes>) {
        self.raft.snapshot_read(to, snapshot, offset, data);
    }

    /// So many first bytes of a snapshot that is being received are stored. See [`Raft::snapshot_stored`].
    pub fn snapshot_stored(&mut self, snapshot: SnapshotId, bytes: u64) {
        self.raft.snapshot_stored(snapshot, bytes);
    }

    /// A snapshot that was being received is whole, verified and durable.
    pub fn snapshot_received(&mut self, snapshot: SnapshotId) {
        self.raft.snapshot_received(snapshot);
        let restoring = self.raft.restoring_snapshot();
        self.restoring.take_if(|overtaken| restoring != Some(overtaken.snapshot));
        if self.raft.base().index > self.applied {
            // What was to be applied is gone from the log: the snapshot takes its place.
            self.apply_until = self.applied;
        }
        self.compact();
    }

    /// A snapshot that was received is not what its name says, and is gone.
    pub fn snapshot_refused(&mut self, snapshot: SnapshotId) {
        self.raft.snapshot_refused(snapshot);
    }

    /// A part of the newest snapshot that a `Load` asked for; `None` where it cannot be had.
    ///
    /// # Errors
    /// Where the bytes are no state of this state machine, or are not there: what was applied and acknowledged is lost,
    /// and with it this replica's life.
    pub fn loaded(
        &mut self,
        snapshot: SnapshotId,
        offset: u64,
        data: Option<&[u8]>,
    ) -> Result<(), LoadError> {
        let awaited = |restoring: &mut Restoring<S>| restoring.awaits(snapshot, offset);
        let Some(mut restoring) = self.restoring.take_if(awaited) else { return Ok(()) };
        let data = data.ok_or(LoadError::new("the newest snapshot is gone"))?;
        let is_whole = restoring.load(data)?;
        if let Some(InForce { index, configuration }) = restoring.take_in_force() {
            self.raft.configuration_restored(snapshot, index, configuration);
        }
        if !is_whole {
            self.restoring = Some(restoring);
            return Ok(());
        }
        let (log, state) = restoring.finish()?;
        match state {
            _ if self.is_witness() => {}
            Some(state) => self.state = state,
            None => return Err(LoadError::new("the newest snapshot is a witness's, and holds no state")),
        }
        (self.applied, self.apply_until) = (log.last.index, log.last.index);
        (self.applied_bytes, self.snapshot_bytes) = (log.bytes, log.bytes);
        let answers = &mut self.answers;
        // Whether their entries took effect is in the state, but not whose they were.
        self.pending.abandon(log.last.index, |request| answers.push_back((request, Outcome::Unknown)));
        self.raft.restored(snapshot);
        serve_reads(&mut self.reads, self.state.machine(), self.applied, &mut self.answers);
        self.compact();
        Ok(())
    }

    /// Has the log compacted behind the newest snapshot, as far as the policy lets it.
    fn compact(&mut self) {
        if let Some(policy) = self.snapshot_policy
            && let Some(newest) = self.raft.snapshot()
        {
            // A witness has nobody to serve who lags.
            let keep_entries = if self.is_witness() { 0 } else { policy.keep_entries };
            self.raft.compact(LogIndex(newest.last.index.0.saturating_sub(keep_entries)));
        }
    }

    /// At a witness: what is committed needs no state machine, and goes from the log when the policy says so.
    fn pass_over(&mut self) {
        let (before, done) = (self.applied, self.raft.status().last_applied);
        if done > before {
            (self.applied, self.apply_until) = (done, done);
            if self.snapshot_policy.is_some_and(|policy| policy.is_due_without_data(before, done)) {
                self.raft.compact(done);
            }
        }
    }

    pub(crate) fn is_witness(&self) -> bool {
        self.raft.config().is_witness()
    }

    fn next_snapshot_job(&mut self) -> Option<SnapshotJob> {
        if let Some(taking) = &mut self.taking
            && !std::mem::replace(&mut taking.told, true)
        {
            return Some(SnapshotJob::Take { last: taking.log.last });
        }
        let max_bytes = self.raft.config().max_snapshot_chunk_bytes;
        self.restoring.as_mut()?.next_job(max_bytes)
    }
}

/// What an action of the core comes to.
fn job_for<S: StateMachine>(
    action: SnapshotAction,
    restoring: &mut Option<Restoring<S>>,
    taking: &mut Option<Taking<S>>,
    max_bytes: u64,
) -> SnapshotJob {
    match action {
        SnapshotAction::TakePosition { last, index, configuration } => {
            let image = ReplicaImage::without_state(last, index, &configuration);
            let log = LogSummary { last, bytes: 0 };
            let taken = taking.replace(Taking { log, image, told: true });
            assert!(taken.is_none(), "a witness takes one snapshot at a time");
            SnapshotJob::Take { last }
        }
        SnapshotAction::Read { to, snapshot, offset, max_bytes } => {
            SnapshotJob::Serve { to, snapshot, offset, max_bytes }
        }
        SnapshotAction::Store { snapshot, offset, data } => SnapshotJob::Store { snapshot, offset, data },
        SnapshotAction::Restore(snapshot) => {
            let restoring = restoring.insert(Restoring::new(snapshot));
            restoring.next_job(max_bytes).expect("nothing has been asked for yet")
        }
    }
}

/// Serves the reads that wait for no more than what is applied.
fn serve_reads<S: StateMachine>(
    reads: &mut Reads,
    machine: &S,
    applied: LogIndex,
    answers: &mut VecDeque<(RequestId, Outcome)>,
) {
    while let Some(Waiting { request, query }) = reads.serve_next(applied) {
        answers.push_back((request, Outcome::Read { applied, result: machine.query(&query) }));
    }
}

/// Whether a proposal is a request of a session.
fn is_in_session(proposal: &[u8]) -> bool {
    matches!(open_proposal(proposal), Some((_, Proposal::InSession(..))))
}
