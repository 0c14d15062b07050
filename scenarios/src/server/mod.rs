//! The cluster under test: one server is a replica, its storage beside it, and the driver between them.
//!
//! The driver does what a production driver does, with virtual time for a clock and the simulated disk for a disk,
//! and nothing more. What it observes of the core, for the oracles, stands in `observe.rs`.

mod clients;
mod observe;
mod observe_membership;
mod observe_milestones;
mod observe_witnesses;
mod operator;
mod setup;
mod snapshots;
mod view;

use std::collections::VecDeque;

use squall_raft::{
    Body, Entry, Faulty, Fetch, FetchPurpose, LogIndex, LogPosition, Message, NodeId, Recovered, RoleKind,
    Status, Term, WriteToken,
};
use squall_replica::{Output, Replica};
use squall_sim::process::Extent;
use squall_sim::{Env, LocalTime, OperationId, Process, ProcessId, SimDisk, passes, sometimes};
use squall_storage::{Group, Storage, StorageError};

use crate::atlas;
use crate::machine::Machine;
use crate::marks;
use crate::membership::NodeSet;
use crate::milestones;
use crate::observation::{Observation, Step};
use crate::rest::Member;
use observe_witnesses::Told;
use operator::{Deed, Servers};
use snapshots::{Done, Snapshots};

pub use clients::{Ask, Response, operation_id, request_id};
pub use operator::{DEEDS, RESTART};
pub use setup::{MESSAGE_BYTES_MAX, Setup, SlowApply, TICK_US_MAX, node_id, process_id};
pub use view::DiskView;

/// One server of the cluster.
#[derive(Clone, Debug)]
pub struct Server {
    setup: Setup,
    replica: Replica<Machine>,
    storage: Storage,
    /// Writes that wait for the disk.
    group: Group,
    fetches: VecDeque<Fetch>,
    snapshots: Snapshots,
    /// What the disk did last.
    turn: Turn,
    /// How long it is down once it has shut down, where it was told to.
    rests_us: Option<u64>,
    /// What the disk is doing.
    job: Option<Job>,
    /// Up to when ticks have been fed.
    ticked_at: LocalTime,
    /// When a slow state machine may work again.
    apply_at: LocalTime,
    /// The log's last index as the writes asked for so far leave it.
    written_index: LogIndex,
    /// The state as the oracles know it.
    shown: Status,
    /// Up to which term its log may have lost entries, and whose votes of this term it was given without a condition.
    uncertain: Term,
    certain_votes: NodeSet,
    /// What happened since the oracles last looked.
    pub observation: Observation,
    /// Sync groups committed in this life.
    pub groups: u64,
}

/// A disk job under way; its result is known, and counts when the disk is done.
#[derive(Clone, Debug)]
enum Job {
    Write(WriteToken),
    Read(FetchPurpose, Vec<Entry>),
    Snapshot(Done),
}

/// What the disk does next, where there is more than one thing to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    Writes,
    Reads,
    Snapshots,
}

impl Turn {
    fn next(self) -> Self {
        match self {
            Self::Writes => Self::Reads,
            Self::Reads => Self::Snapshots,
            Self::Snapshots => Self::Writes,
        }
    }
}

/// Why a server stops whose storage gave it what no storage may: damage is to be told, and not believed.
pub(crate) const BELIEVED: &str = "recovered what contradicts itself";

/// For so many election timeouts a server that shuts down waits for what it has under way.
const SHUTDOWN_TIMEOUTS: u64 = 4;

impl Process for Server {
    type Setup = Setup;
    type Message = Message;
    type Request = Ask;
    type Response = Response;

    const MARKS: &'static [&'static str] = marks::NAMES;
    const MILESTONES: &'static [&'static str] = milestones::NAMES;

    fn format(setup: &Setup, id: ProcessId, disk: &mut SimDisk) {
        Storage::format(disk, setup.identity(id), &setup.storage)
            .expect("an empty simulated disk can be formatted");
    }

    fn start(setup: &Setup, id: ProcessId, env: &mut Env<'_, Self>) -> Result<Self, String> {
        let opened = Storage::open(env.disk(), setup.identity(id), &setup.storage);
        let (storage, recovered) = opened.map_err(|error| error.to_string())?;
        observe::mark_recovery(&storage, env);
        let log = read_whole_log(&storage, &recovered, env.disk())?;
        let config = setup.config(id);
        if let Some(lost) = recovered.lost_snapshot.filter(|_| config.is_witness()) {
            return Err(format!("{lost} is damaged, and nobody else has what a witness's holds"));
        }
        let mut replica = Replica::new(config, &recovered, Machine::new(setup.files))
            .map_err(|error| format!("{BELIEVED}: {error}"))?;
        replica.limit_pending_requests(setup.pending_requests_max);
        replica.limit_sessions(setup.session_limits(id));
        replica.forward_requests(setup.forwards);
        if let Some(policy) = setup.snapshots {
            replica
                .take_snapshots(policy)
                .map_err(|error| format!("a snapshot policy that makes no sense: {error}"))?;
        }
        let mut server = Self {
            setup: setup.clone(),
            shown: replica.status(),
            uncertain: recovered.uncertain,
            certain_votes: NodeSet::EMPTY,
            replica,
            storage,
            group: Group::default(),
            fetches: VecDeque::new(),
            snapshots: Snapshots::new(setup.snapshot_rest_us),
            turn: Turn::Snapshots,
            job: None,
            ticked_at: env.now(),
            apply_at: env.now(),
            written_index: recovered.last_index,
            observation: Observation::default(),
            rests_us: None,
            groups: 0,
        };
        server.observe_start(&recovered, &log);
        passes!(env, milestones::NAMES, "starts", true);
        sometimes!(
            env,
            marks::NAMES,
            "a server lost bytes of its snapshot",
            recovered.lost_snapshot.is_some()
        );
        sometimes!(env, marks::NAMES, "a server started from a snapshot", recovered.snapshot.is_some());
        if recovered.lost_snapshot.or(recovered.snapshot).is_some() {
            // What the core asks for at once is shown with the start, and done when recovery is: before that nobody has seen
            // this life, and the disk is not to have more of it than recovery itself.
            server.drain_outputs(env);
        }
        server.set_timer(env);
        Ok(server)
    }

    fn receive(&mut self, _from: ProcessId, message: Message, env: &mut Env<'_, Self>) {
        self.feed_ticks(env);
        self.observe_message(&message, env);
        let (told, before) = (Told::by(&message), self.shown);
        let is_witness = self.setup.witnesses().any(|witness| witness == message.from);
        let result = self.replica.receive(message);
        self.observe_reception(result, told.acknowledged(), env);
        self.mark_told(told, is_witness, [&before, &self.shown], env);
        self.drain(env);
    }

    fn wake(&mut self, env: &mut Env<'_, Self>) {
        self.feed_ticks(env);
        self.drain(env);
    }

    fn disk_done(&mut self, env: &mut Env<'_, Self>) {
        self.feed_ticks(env);
        self.finish_job(env);
        self.drain(env);
    }

    fn request(&mut self, operation: OperationId, ask: Ask, env: &mut Env<'_, Self>) {
        self.feed_ticks(env);
        self.submit(operation, ask, env);
        self.drain(env);
    }

    fn administer(&mut self, command: u64, env: &mut Env<'_, Self>) {
        self.feed_ticks(env);
        let (count, witnesses) = (self.setup.servers, self.setup.witnesses().collect());
        let configuration = self.replica.raft().configuration();
        match operator::deed(command, Servers { count, witnesses }, configuration) {
            Deed::Transfer(to) => {
                self.observation.steps.push(Step::Administered);
                let begun = self.replica.transfer_leadership(to).is_ok();
                sometimes!(env, marks::NAMES, "a leadership transfer was begun", begun);
                self.observe_change(env);
            }
            Deed::Restart { outage_us } => {
                self.rests_us = Some(outage_us);
                self.observation.steps.push(Step::Administered);
                let patience = self.setup.raft.election_timeout * SHUTDOWN_TIMEOUTS;
                self.replica.shut_down(patience);
                self.observe_change(env);
            }
            Deed::Change(changes) => {
                let result = self.replica.change_membership(&changes);
                self.observe_membership_change(&changes, result, env);
            }
        }
        self.drain(env);
    }

    fn prominence(&self) -> u64 {
        let status = self.replica.status();
        if status.role == RoleKind::Leader { status.current_term.0.saturating_add(1) } else { 0 }
    }

    fn extents(_setup: &Setup, _id: ProcessId, disk: &SimDisk) -> Vec<Extent> {
        atlas::extents(disk)
    }

    fn message_kind(message: &Message) -> u8 {
        match message.body {
            Body::PreVote(_) => 0,
            Body::PreVoteResponse(_) => 1,
            Body::RequestVote(_) => 2,
            Body::RequestVoteResponse(_) => 3,
            Body::AppendEntries(_) => 4,
            Body::AppendEntriesResponse(_) => 5,
            Body::Heartbeat(_) => 6,
            Body::HeartbeatResponse(_) => 7,
            Body::TimeoutNow => 8,
            Body::ReadIndex(_) => 9,
            Body::ReadIndexResponse(_) => 10,
            Body::InstallSnapshot(_) => 11,
            Body::SnapshotRequest(_) => 12,
            Body::SnapshotChunk(_) => 13,
            Body::Forward(_) => 15,
            Body::ForwardResponse(_) => 16,
            Body::RepairRequest(_) => 17,
            Body::RepairResponse(_) => 18,
        }
    }

    fn message_kind_name(kind: u8) -> &'static str {
        const NAMES: [&str; 19] = [
            "PreVote",
            "PreVoteResponse",
            "RequestVote",
            "RequestVoteResponse",
            "AppendEntries",
            "AppendEntriesResponse",
            "Heartbeat",
            "HeartbeatResponse",
            "TimeoutNow",
            "ReadIndex",
            "ReadIndexResponse",
            "InstallSnapshot",
            "SnapshotRequest",
            "SnapshotChunk",
            "",
            "Forward",
            "ForwardResponse",
            "RepairRequest",
            "RepairResponse",
        ];
        NAMES.get(usize::from(kind)).copied().unwrap_or("unknown")
    }

    fn encode(message: &Message, out: &mut Vec<u8>) {
        squall_wire::encode(message, out).expect("the core sends no message that is too large for a frame");
    }

    fn decode(bytes: &[u8]) -> Result<Message, String> {
        match squall_wire::decode(bytes) {
            Ok((message, consumed)) if consumed == bytes.len() => Ok(message),
            Ok((_, consumed)) => Err(format!("{} bytes behind the frame", bytes.len() - consumed)),
            Err(error) => Err(error.to_string()),
        }
    }

    fn digest_message(message: &Message) -> u64 {
        observe::digest_message(message)
    }

    fn digest(&self) -> u64 {
        observe::digest_status(&self.replica.status(), self.replica.state().digest())
    }
}

impl Member for Server {
    fn status(&self) -> Status {
        self.replica.status()
    }

    fn state_digest(&self) -> Option<u64> {
        let is_witness = self.replica.raft().config().is_witness();
        (!is_witness).then(|| self.replica.state().digest())
    }

    fn knows(&self, id: NodeId) -> bool {
        self.replica.raft().configuration().member(id).is_some()
    }

    fn is_joint(&self) -> bool {
        self.replica.raft().configuration().is_joint()
    }

    fn snapshot_bytes(&self) -> u64 {
        self.replica.raft().receiving_snapshot().map_or(0, |(_, bytes)| bytes)
    }

    fn election_timeout_us(&self) -> u64 {
        self.setup.election_timeout_us()
    }
}

impl Server {
    /// The replica, to look at.
    #[must_use]
    pub fn replica(&self) -> &Replica<Machine> {
        &self.replica
    }

    /// The storage, to look at.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// What it was built from.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The state at a glance.
    #[must_use]
    pub fn status(&self) -> Status {
        self.replica.status()
    }

    /// Feeds the ticks that are due, before any other input.
    fn feed_ticks(&mut self, env: &mut Env<'_, Self>) {
        let ticks = env.now().since(self.ticked_at) / self.setup.tick_us;
        if ticks == 0 {
            return;
        }
        self.ticked_at = self.ticked_at.after(ticks * self.setup.tick_us);
        self.observation.ticks += ticks;
        let is_due = ticks >= self.replica.ticks_until_due();
        self.replica.tick(ticks);
        if is_due {
            self.observation.steps.push(Step::Ticked);
            self.observe_change(env);
            self.drain_outputs(env);
        }
    }

    /// Does what the replica asks for, gives the disk its next job, and sets the timer.
    fn drain(&mut self, env: &mut Env<'_, Self>) {
        loop {
            self.drain_outputs(env);
            let worked = self.replica.apply_backlog() > 0 && self.apply(env);
            if !worked && !self.begin_job(env) {
                break;
            }
        }
        self.set_timer(env);
        self.maybe_rest(env);
    }

    /// Goes down in good order, once there is nothing left to wait for.
    fn maybe_rest(&self, env: &mut Env<'_, Self>) {
        if let Some(rests_us) = self.rests_us
            && self.replica.may_stop()
        {
            sometimes!(env, marks::NAMES, "a server was shut down in good order", true);
            env.rest(rests_us);
        }
    }

    fn drain_outputs(&mut self, env: &mut Env<'_, Self>) {
        let leads = self.shown.role == RoleKind::Leader;
        let is_writing = matches!(self.job, Some(Job::Write(_)));
        let Self { replica, observation, group, fetches, snapshots, written_index, shown, .. } = self;
        while let Some(output) = replica.next_output() {
            match output {
                Output::Send(message) => {
                    observe::sent(observation, &message, shown.is_voter, env);
                    env.send(process_id(message.to), message);
                }
                Output::Persist(write) => {
                    observe::written(observation, &write, written_index, env);
                    sometimes!(
                        env,
                        marks::NAMES,
                        "entries were taken out of a log while its disk was writing",
                        is_writing && write.truncate_from.is_some()
                    );
                    group.add(&write);
                }
                Output::Fetch(fetch) => {
                    let lags = matches!(fetch.purpose, FetchPurpose::Replicate(_));
                    sometimes!(env, marks::NAMES, "a follower was sent entries from disk", lags);
                    fetches.push_back(fetch);
                }
                Output::Apply => {}
                Output::ReadsSettled { up_to, index } => {
                    observe::settled(observation, up_to, index, leads, env);
                }
                Output::Snapshot(job) => snapshots.add(job),
                Output::Respond { request, outcome } => clients::respond(request, outcome, env),
            }
        }
    }

    /// Lets the state machine work, at its pace. Returns whether it did. Kept out of line, since most events call for
    /// none of it.
    #[inline(never)]
    fn apply(&mut self, env: &mut Env<'_, Self>) -> bool {
        let mut entries = u64::MAX;
        if let Some(slow) = self.setup.slow_apply {
            if env.now() < self.apply_at {
                return false;
            }
            entries = slow.entries;
            self.apply_at = env.now().after(slow.rest_us);
        }
        let observation = &mut self.observation;
        let mut before = observe::Witness::of(self.replica.state());
        let applied = self.replica.apply_observed(entries, |entry, outcome, state| {
            observe::applied(observation, &mut before, entry, outcome, state, env);
        });
        applied > 0
    }

    /// Gives an idle disk its next job: what waits to be written is one sync group. Writes, reads, and steps of work on snapshots take
    /// turns. Returns whether a job was done in no time at all.
    fn begin_job(&mut self, env: &mut Env<'_, Self>) -> bool {
        if self.job.is_some() {
            return false;
        }
        let waits = |turn: &Turn| match turn {
            Turn::Writes => !self.group.is_empty(),
            Turn::Reads => !self.fetches.is_empty(),
            Turn::Snapshots => self.snapshots.has_work(env.now()),
        };
        let next = self.turn.next();
        let Some(turn) = [next, next.next(), self.turn].into_iter().find(waits) else { return false };
        self.turn = turn;
        self.give_job(env)
    }

    /// Kept out of line, since most events give the disk nothing to do.
    #[inline(never)]
    fn give_job(&mut self, env: &mut Env<'_, Self>) -> bool {
        let job = match self.turn {
            Turn::Writes => {
                self.groups += 1;
                let reused = self.storage.files_reused();
                let written = self.storage.commit(&mut self.group, env.disk());
                let is_reused = self.storage.files_reused() > reused;
                sometimes!(env, marks::NAMES, "a segment was made in a file that was used before", is_reused);
                written.map(Job::Write)
            }
            Turn::Reads => {
                let Some(Fetch { purpose, first, last, max_bytes }) = self.fetches.pop_front() else {
                    return false;
                };
                let last = last.min(self.storage.last_index());
                let read = self.storage.read(first, last, max_bytes, env.disk());
                read.map(|entries| Job::Read(purpose, entries))
            }
            Turn::Snapshots => {
                let Self { snapshots, replica, storage, .. } = self;
                snapshots.step(env.now(), replica, storage, env.disk()).map(Job::Snapshot)
            }
        };
        match job {
            Ok(job) => self.job = Some(job),
            // What has gone bad it finds again when it starts, and gets back from the others.
            Err(StorageError::Damaged { .. }) => {
                sometimes!(env, marks::NAMES, "a server met damage while it ran, and started anew", true);
                env.rest(self.setup.election_timeout_us());
                return false;
            }
            Err(error) => {
                env.halt(error.to_string());
                return false;
            }
        }
        if env.disk().is_idle() {
            self.finish_job(env);
            return true;
        }
        false
    }

    fn finish_job(&mut self, env: &mut Env<'_, Self>) {
        match self.job.take() {
            None => {}
            Some(Job::Write(token)) => {
                self.replica.persisted(token);
                let durable_index = self.replica.status().durable_index;
                self.observation.steps.push(Step::Persisted { sequence: token.sequence, durable_index });
                self.observe_change(env);
            }
            Some(Job::Read(purpose, entries)) => {
                self.replica.fetched(purpose, entries);
                self.observation.steps.push(Step::Fetched);
                self.observe_change(env);
            }
            Some(Job::Snapshot(done)) => self.finish_snapshot_step(done, env),
        }
    }

    fn finish_snapshot_step(&mut self, done: Done, env: &mut Env<'_, Self>) {
        self.observe_snapshot(&done, env);
        match done {
            Done::Step => {}
            Done::Taken(snapshot) => self.replica.snapshot_taken(snapshot),
            Done::Loaded { snapshot, offset, data } => {
                let before = self.replica.status().last_applied;
                let was_known = self.replica.raft().knows_configuration();
                if let Err(error) = self.replica.loaded(snapshot, offset, data.as_deref()) {
                    env.halt(format!("{BELIEVED}: {snapshot} cannot be loaded: {error}"));
                }
                if self.replica.raft().knows_configuration() != was_known {
                    self.observe_configuration_restored(snapshot);
                }
                if self.replica.status().last_applied != before {
                    self.observe_restored(snapshot);
                }
            }
            Done::Served { to, snapshot, offset, data } => {
                self.replica.snapshot_read(to, snapshot, offset, data);
            }
            Done::Stored { snapshot, bytes, .. } => self.replica.snapshot_stored(snapshot, bytes),
            Done::Received(snapshot) => self.replica.snapshot_received(snapshot),
            Done::Refused(snapshot) => self.replica.snapshot_refused(snapshot),
        }
        self.observe_quietly();
    }

    /// Wakes when the core has something to do, or a slow state machine may work, or a snapshot goes on.
    fn set_timer(&self, env: &mut Env<'_, Self>) {
        let ticks = self.replica.ticks_until_due().max(1);
        let mut at = self.ticked_at.after(ticks.saturating_mul(self.setup.tick_us));
        if self.replica.apply_backlog() > 0 {
            at = at.min(self.apply_at);
        }
        if self.job.is_none() {
            at = self.snapshots.due_at().map_or(at, |due_at| at.min(due_at));
        }
        env.wake_at(at);
    }
}

/// The whole log, for the oracles to see that what was recovered is what was written.
fn read_whole_log(
    storage: &Storage,
    recovered: &Recovered,
    disk: &mut SimDisk,
) -> Result<Vec<Recalled>, String> {
    let (mut log, mut read, last) = (Vec::new(), recovered.base.index, recovered.last_index);
    let (mut faulty, mut term) = (recovered.faulty.iter().copied().peekable(), recovered.base.term);
    let mut runs = recovered.terms.iter().peekable();
    while read < last {
        let index = read.next();
        while let Some(run) = runs.next_if(|run| run.index <= index) {
            term = run.term;
        }
        if let Some(faulty) = faulty.next_if(|faulty| faulty.index == index) {
            log.push(Recalled::Lost(term, faulty));
            read = index;
            continue;
        }
        let entries = storage.read(index, last, u64::MAX, disk).map_err(|error| error.to_string())?;
        if entries.is_empty() {
            return Err(format!("entry {index} of {last} cannot be read"));
        }
        read = LogIndex(read.0 + entries.len() as u64);
        log.extend(entries.into_iter().map(Recalled::Whole));
    }
    Ok(log)
}

/// An entry of a log that was recovered.
enum Recalled {
    Whole(Entry),
    /// Of which only the name is known.
    Lost(Term, Faulty),
}

impl Recalled {
    fn position(&self) -> LogPosition {
        match self {
            Self::Whole(entry) => entry.position(),
            Self::Lost(term, faulty) => LogPosition { term: *term, index: faulty.index },
        }
    }
}
