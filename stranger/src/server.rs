//! One server: a node of the `raft` crate, Squall's storage beside it, and the driver between them, which does what the
//! crate's documentation asks of an application with asynchronous writes ("Processing the `Ready` State").
//!
//! It is what `scenarios/src/server/` is to Squall's own core: the same requests, answers, disk and clock. No sessions, no
//! witnesses, no changes of the membership; see `limits.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use raft::eraftpb::{Entry, Message, MessageType};
use raft::{RawNode, Ready, StateRole};
use squall_raft::{
    HardState, LogIndex, LogPosition, NodeId, ProposeError, ReadError, SnapshotId, Status, Term, WriteToken,
};
use squall_replica::{Consistency, Proposal, StateMachine, open_proposal, seal_proposal};
use squall_scenarios::machine::{Command, Machine};
use squall_scenarios::marks;
use squall_scenarios::observation::{Observation, Step};
use squall_scenarios::rest::Member;
use squall_scenarios::server::{Ask, Response, Setup, request_id};
use squall_sim::{Env, LocalTime, OperationId, Process, ProcessId, SimDisk, sometimes};
use squall_storage::{Storage, StorageError};

use crate::disk::{Batch, Line, hard_state_to_stored, to_stored};
use crate::log::Log;
use crate::messages::{self, node_id, process_id, snapshot_id};
use crate::reads::Reads;
use crate::setup::{Fault, Manners, TikvSetup};
use crate::snapshots::Snapshots;
use crate::timeouts::Timeouts;

/// One server of the cluster.
pub struct TikvServer {
    pub(crate) setup: Setup,
    pub(crate) manners: Manners,
    pub(crate) id: ProcessId,
    pub(crate) boot: u64,
    pub(crate) node: RawNode<Log>,
    pub(crate) timeouts: Timeouts,
    pub(crate) storage: Storage,
    /// Term and vote as the last write leaves them.
    pub(crate) written: HardState,
    pub(crate) line: Line,
    /// What the disk is at work on, and since which tick.
    pub(crate) job: Option<(Job, u64)>,
    pub(crate) snapshots: Snapshots,
    pub(crate) machine: Machine,
    /// Committed entries that wait for the state machine.
    pub(crate) committed: VecDeque<Entry>,
    pub(crate) applied: LogIndex,
    /// When a slow state machine may work again.
    pub(crate) apply_at: LocalTime,
    /// Who waits for which entry, by index.
    pub(crate) proposed: BTreeMap<LogIndex, (Term, OperationId)>,
    pub(crate) reads: Reads,
    /// The reads that followers passed on, by the names that they gave them.
    pub(crate) passed_on: BTreeSet<Vec<u8>>,
    /// Up to when ticks have been fed, and how many.
    pub(crate) ticked_at: LocalTime,
    pub(crate) ticks: u64,
    /// The state as the oracles know it.
    pub(crate) shown: Status,
    /// What happened since the oracles last looked.
    pub(crate) observation: Observation,
}

/// A disk job under way; its result is known, and counts when the disk is done.
#[derive(Debug)]
pub(crate) enum Job {
    /// The writes up to this one.
    Written(u64),
    /// A snapshot of the server's own state, with its bytes.
    Taken(SnapshotId, Vec<u8>),
    /// A snapshot that came with this message; none where it is not what it was said to be.
    Stored(Option<SnapshotId>, Message),
}

impl Process for TikvServer {
    type Setup = TikvSetup;
    type Message = Message;
    type Request = Ask;
    type Response = Response;

    const MARKS: &'static [&'static str] = marks::NAMES;

    fn format(TikvSetup { setup, .. }: &TikvSetup, id: ProcessId, disk: &mut SimDisk) {
        Storage::format(disk, setup.identity(id), &setup.storage)
            .expect("an empty simulated disk can be formatted");
    }

    fn start(setup: &TikvSetup, id: ProcessId, env: &mut Env<'_, Self>) -> Result<Self, String> {
        let mut server = Self::recover(setup, id, env)?;
        server.carry_out(env);
        server.observe_end(env);
        server.set_timer(env);
        Ok(server)
    }

    fn receive(&mut self, _from: ProcessId, message: Message, env: &mut Env<'_, Self>) {
        self.feed_ticks(env);
        let term = Term(message.term);
        let envelope = messages::envelope(&mut self.observation, &message, term, LogIndex(u64::MAX));
        self.observation.steps.push(Step::Received(envelope));
        if self.manners.reads_once && self.is_repeated_read(&message) {
            return self.drain(env);
        }
        let is_snapshot = message.get_msg_type() == MessageType::MsgSnapshot;
        let message = if is_snapshot { self.hold_snapshot(message) } else { Some(message) };
        if let Some(message) = message {
            // What the crate does not want is lost, as a message may be.
            let _ = self.node.step(message);
        }
        self.observe_change(env);
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
        match ask {
            Ask::Command(command) => self.propose(operation, &command, env),
            Ask::Read { query, consistency } => self.read(operation, &query, consistency, env),
            Ask::OpenSession | Ask::InSession(..) | Ask::CloseSession(_) => {
                unreachable!("a plan with sessions is refused")
            }
        }
        self.drain(env);
    }

    /// A command names the server to which the leader hands its office.
    fn administer(&mut self, command: u64, env: &mut Env<'_, Self>) {
        self.feed_ticks(env);
        self.observation.steps.push(Step::Administered);
        let leads = self.node.raft.state == StateRole::Leader;
        if leads {
            self.node.transfer_leader(command + 1);
        }
        sometimes!(env, marks::NAMES, "a leadership transfer was begun", leads);
        self.observe_change(env);
        self.drain(env);
    }

    fn prominence(&self) -> u64 {
        if self.node.raft.state == StateRole::Leader { self.node.raft.term + 1 } else { 0 }
    }

    fn message_kind(message: &Message) -> u8 {
        messages::kind(message)
    }

    fn message_kind_name(kind: u8) -> &'static str {
        messages::KINDS.get(usize::from(kind)).copied().unwrap_or("unknown")
    }

    fn encode(message: &Message, out: &mut Vec<u8>) {
        messages::encode(message, out);
    }

    fn decode(bytes: &[u8]) -> Result<Message, String> {
        messages::decode(bytes)
    }

    fn digest_message(message: &Message) -> u64 {
        messages::digest(message)
    }

    fn digest(&self) -> u64 {
        let Status { role, current_term, voted_for, last_log, durable_index, commit_index, .. } =
            self.status();
        messages::mix(&[
            role as u64 ^ current_term.0 << 2,
            voted_for.map_or(u64::MAX, |node| node.0),
            last_log.term.0 << 32 ^ last_log.index.0,
            durable_index.0 << 32 ^ commit_index.0,
            self.applied.0,
            self.machine.digest(),
        ])
    }
}

impl Member for TikvServer {
    fn status(&self) -> Status {
        self.status_now()
    }

    fn state_digest(&self) -> Option<u64> {
        Some(self.machine.digest())
    }

    fn knows(&self, id: NodeId) -> bool {
        self.node.raft.prs().get(id.0 + 1).is_some()
    }

    fn is_joint(&self) -> bool {
        false
    }

    fn snapshot_bytes(&self) -> u64 {
        0
    }

    fn election_timeout_us(&self) -> u64 {
        self.setup.election_timeout_us()
    }
}

impl TikvServer {
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

    /// Whether this is a read that was passed on before.
    fn is_repeated_read(&mut self, message: &Message) -> bool {
        let is_read = message.get_msg_type() == MessageType::MsgReadIndex;
        is_read && !self.passed_on.insert(message.get_entries()[0].data.to_vec())
    }

    /// Feeds the ticks that are due, before any other input.
    fn feed_ticks(&mut self, env: &mut Env<'_, Self>) {
        let ticks = env.now().since(self.ticked_at) / self.setup.tick_us;
        self.ticked_at = self.ticked_at.after(ticks * self.setup.tick_us);
        for _ in 0..ticks {
            self.ticks += 1;
            self.observation.ticks += 1;
            if self.node.tick() {
                self.observation.steps.push(Step::Ticked);
                self.observe_change(env);
                self.carry_out(env);
            }
            if self.manners.abdicates {
                self.maybe_abdicate(env);
            }
            self.report_snapshots(env);
        }
        let patience = 2 * self.setup.raft.election_timeout;
        while let Some(read) = self.reads.give_up(self.ticks.saturating_sub(patience)) {
            env.respond(read.operation, Response::ReadRefused(ReadError::NoLeader));
        }
    }

    /// A leader whose disk hangs replicates and commits, and answers nobody: another is told to campaign, once in an election
    /// timeout.
    fn maybe_abdicate(&mut self, env: &mut Env<'_, Self>) {
        let timeout = self.setup.raft.election_timeout;
        let Some((_, since)) = &self.job else { return };
        let hung = self.ticks - since;
        let raft = &self.node.raft;
        if raft.state != StateRole::Leader || hung < 2 * timeout || !hung.is_multiple_of(timeout) {
            return;
        }
        // Whoever has most of the log, and with each try another of those that have.
        let others = || raft.prs().iter().filter(|(id, _)| **id != raft.id);
        let most = others().map(|(_, follower)| follower.matched).max();
        let mut heirs: Vec<u64> =
            others().filter(|(_, heir)| Some(heir.matched) == most).map(|(id, _)| *id).collect();
        heirs.sort_unstable();
        let Some(heir) = heirs.get((hung / timeout) as usize % heirs.len().max(1)).copied() else { return };
        self.node.transfer_leader(heir);
        self.observation.steps.push(Step::Administered);
        self.observe_change(env);
        self.carry_out(env);
        sometimes!(env, marks::NAMES, "a leader that could not serve abdicated", true);
    }

    /// Does what the crate asks for, gives the disk its next job, and sets the timer.
    fn drain(&mut self, env: &mut Env<'_, Self>) {
        loop {
            self.carry_out(env);
            let worked = !self.committed.is_empty() && self.apply(env);
            self.serve_reads(env);
            if !worked && !self.begin_job(env) {
                break;
            }
        }
        self.observe_end(env);
        self.set_timer(env);
    }

    /// The duties that come with each `Ready`.
    fn carry_out(&mut self, env: &mut Env<'_, Self>) {
        while self.node.has_ready() {
            let mut ready = self.node.ready();
            let term = Term(self.node.raft.term);
            for message in ready.take_messages() {
                self.send(message, term, LogIndex(u64::MAX), env);
            }
            for state in ready.take_read_states() {
                self.settle(&state.request_ctx, LogIndex(state.index), env);
            }
            self.write(&mut ready, term, env);
            self.committed.extend(ready.take_committed_entries());
            self.node.advance_append_async(ready);
            self.release(env);
        }
    }

    /// Puts what is to be written, and what must not be said before, into the line to the disk.
    fn write(&mut self, ready: &mut Ready, term: Term, env: &mut Env<'_, Self>) {
        let messages = ready.take_persisted_messages();
        let token = WriteToken { boot: self.boot, sequence: ready.number() };
        let hard_state = ready.hs().map(hard_state_to_stored).map(|state| self.vote_to_write(state));
        let hard_state = hard_state.filter(|state| *state != self.written);
        let entries: Vec<squall_raft::Entry> = ready.entries().iter().map(to_stored).collect();
        let last_before = self.node.store().last().index;
        let snapshot = ready.snapshot();
        let is_installed = !snapshot.is_empty();
        let reset_to = is_installed.then(|| self.install(snapshot.clone(), env));
        let log = self.node.mut_store();
        let kept = log.last().index;
        let first = entries.first().map(|entry| entry.index);
        let truncate_from = first.filter(|first| *first <= kept);
        log.append(ready.entries());
        let last_index = log.last().index;
        if let Some(state) = hard_state {
            self.written = state;
        }
        let batch = Batch { token, hard_state, truncate_from, reset_to, entries: &entries, last_index };
        self.observe_write(&batch, last_before, env);
        if is_installed {
            let (snapshot, state_digest) = (snapshot_id(ready.snapshot()), self.machine.digest());
            self.observation.steps.push(Step::Restored { snapshot, state_digest });
        }
        if self.manners.fault == Some(Fault::SpeaksBeforeSync) {
            self.line.add(&batch, term, Vec::new());
            messages.into_iter().for_each(|message| self.send(message, term, LogIndex(u64::MAX), env));
        } else {
            self.line.add(&batch, term, messages);
        }
    }

    /// What is written of term and vote: all of it, but for an adapter that is to be caught.
    fn vote_to_write(&self, state: HardState) -> HardState {
        let forgets = self.manners.fault == Some(Fault::ForgetsVote);
        if forgets { HardState { voted_for: None, ..state } } else { state }
    }

    /// What waits for nothing any more is over: the crate is told, and its messages leave.
    fn release(&mut self, env: &mut Env<'_, Self>) {
        while let Some(free) = self.line.release() {
            self.node.on_persist_ready(free.number);
            self.observe_change(env);
            self.tell_applied();
            let standing = self.line.standing_behind(free.number);
            for message in free.messages {
                self.send(message, free.term, standing, env);
            }
        }
    }

    fn send(&mut self, message: Message, term: Term, standing: LogIndex, env: &mut Env<'_, Self>) {
        self.observe_sent(&message, term, standing, env);
        if message.get_msg_type() == MessageType::MsgSnapshot {
            self.note_sent_snapshot(message.to);
        }
        env.send(process_id(message.to), message);
    }

    /// Gives an idle disk its next job. Returns whether that was done in no time at all.
    fn begin_job(&mut self, env: &mut Env<'_, Self>) -> bool {
        if self.job.is_some() {
            return false;
        }
        match self.next_job(env) {
            Ok(Some(job)) => self.job = Some((job, self.ticks)),
            Ok(None) => return false,
            Err(error) => {
                env.halt(error.to_string());
                return false;
            }
        }
        let is_done = env.disk().is_idle();
        if is_done {
            self.finish_job(env);
        }
        is_done
    }

    /// What waits to be written is one sync group; snapshots come in turn with it.
    fn next_job(&mut self, env: &mut Env<'_, Self>) -> Result<Option<Job>, StorageError> {
        if let Some(job) = self.begin_snapshot_job(env)? {
            return Ok(Some(job));
        }
        if self.line.group.is_empty() {
            return Ok(None);
        }
        let token = self.storage.commit(&mut self.line.group, env.disk())?;
        Ok(Some(Job::Written(token.sequence)))
    }

    fn finish_job(&mut self, env: &mut Env<'_, Self>) {
        match self.job.take() {
            None => {}
            Some((Job::Written(sequence), _)) => {
                self.line.persisted(sequence);
                let durable_index = self.line.durable_index();
                self.observation.steps.push(Step::Persisted { sequence, durable_index });
                self.release(env);
            }
            Some((Job::Taken(id, bytes), _)) => self.snapshot_taken(id, bytes, env),
            Some((Job::Stored(id, message), _)) => self.snapshot_stored(id, message, env),
        }
    }

    fn propose(&mut self, operation: OperationId, command: &Command, env: &mut Env<'_, Self>) {
        let data = seal_proposal(request_id(operation), Proposal::Command(&command.encode()));
        let result = self.try_propose(data.to_vec(), env);
        let accepted = result.ok();
        self.observation.steps.push(Step::Proposed { accepted });
        self.observe_change(env);
        match result {
            Ok(LogPosition { term, index }) => {
                self.proposed.insert(index, (term, operation));
            }
            Err(error) => env.respond(operation, Response::Refused(error)),
        }
    }

    /// Only a leader takes a command; the crate would pass it on, and never tell what became of it.
    fn try_propose(&mut self, data: Vec<u8>, env: &mut Env<'_, Self>) -> Result<LogPosition, ProposeError> {
        let (size, max) = (data.len() as u64, self.setup.raft.max_proposal_bytes);
        if self.node.raft.state != StateRole::Leader {
            return Err(ProposeError::NotLeader { leader: node_id(self.node.raft.leader_id) });
        }
        sometimes!(env, marks::NAMES, "a proposal was refused because of its size", size > max);
        if size > max {
            return Err(ProposeError::TooLarge { size, max });
        }
        let in_transfer = self.node.raft.lead_transferee;
        sometimes!(env, marks::NAMES, "a proposal was refused during a transfer", in_transfer.is_some());
        if let Some(to) = in_transfer.and_then(node_id) {
            return Err(ProposeError::Transferring { to });
        }
        let is_full = self.proposed.len() as u64 >= self.setup.pending_requests_max
            || self.committed.len() as u64 >= self.setup.raft.max_unapplied_entries;
        let result = if is_full { None } else { self.node.propose(Vec::new(), data).ok() };
        sometimes!(env, marks::NAMES, "a proposal was refused because of a bound", result.is_none());
        result.ok_or(ProposeError::Busy)?;
        let raft = &self.node.raft;
        Ok(LogPosition { term: Term(raft.term), index: LogIndex(raft.raft_log.last_index()) })
    }

    fn read(
        &mut self,
        operation: OperationId,
        query: &Command,
        consistency: Consistency,
        env: &mut Env<'_, Self>,
    ) {
        let query = query.encode();
        if consistency == Consistency::Serializable {
            let (applied, reply) = (self.applied, self.machine.query(&query));
            return env.respond(operation, Response::Read { applied, reply });
        }
        let refused = if self.node.raft.leader_id == raft::INVALID_ID {
            Some(ReadError::NoLeader)
        } else if self.reads.len() >= self.setup.raft.max_pending_reads {
            sometimes!(env, marks::NAMES, "a read was refused because of a bound", true);
            Some(ReadError::Busy)
        } else {
            None
        };
        if let Some(error) = refused {
            self.observation.steps.push(Step::ReadAsked { read: None });
            return env.respond(operation, Response::ReadRefused(error));
        }
        let (read, context) = self.reads.ask(operation, query, self.ticks);
        self.observation.steps.push(Step::ReadAsked { read: Some(read) });
        if self.manners.fault == Some(Fault::AsksNobody) {
            self.settle(&context, LogIndex(self.node.raft.raft_log.committed), env);
        } else {
            self.node.read_index(context);
        }
    }

    /// A read may be served from this index on.
    fn settle(&mut self, context: &[u8], index: LogIndex, env: &mut Env<'_, Self>) {
        let Some(read) = self.reads.settle(context, index) else { return };
        let leads = self.node.raft.state == StateRole::Leader;
        sometimes!(env, marks::NAMES, "a round of heartbeats served a read", leads);
        sometimes!(env, marks::NAMES, "a follower served a read", !leads);
        self.observation.steps.push(Step::ReadServed { read, index });
    }

    fn serve_reads(&mut self, env: &mut Env<'_, Self>) {
        while let Some(read) = self.reads.serve(self.applied) {
            let (applied, reply) = (self.applied, self.machine.query(&read.query));
            env.respond(read.operation, Response::Read { applied, reply });
        }
    }

    /// Lets the state machine work, at its pace. Returns whether it did.
    fn apply(&mut self, env: &mut Env<'_, Self>) -> bool {
        let mut entries = u64::MAX;
        if let Some(slow) = self.setup.slow_apply {
            if env.now() < self.apply_at {
                return false;
            }
            entries = slow.entries;
            self.apply_at = env.now().after(slow.rest_us);
        }
        while entries > 0
            && let Some(entry) = self.committed.pop_front()
        {
            self.apply_entry(&entry, env);
            entries -= 1;
        }
        self.tell_applied();
        true
    }

    /// Tells the crate how far the state machine has come. Of a snapshot that is being installed it wants to hear when the
    /// log is.
    fn tell_applied(&mut self) {
        let log = &self.node.raft.raft_log;
        let applied = self.applied.0.min(log.persisted).min(log.committed);
        if applied > log.applied {
            self.node.advance_apply_to(applied);
        }
    }

    fn apply_entry(&mut self, entry: &Entry, env: &mut Env<'_, Self>) {
        let position = messages::position(entry);
        let command = match open_proposal(&entry.data) {
            Some((request, Proposal::Command(command))) => Some((request, command)),
            Some((_, Proposal::OpenSession(_) | Proposal::InSession(..) | Proposal::CloseSession(_))) => {
                unreachable!("nobody proposes sessions here")
            }
            None => None,
        };
        let result = command.map(|(_, command)| self.machine.apply(position, command));
        self.applied = position.index;
        self.snapshots.bytes_since += entry.data.len() as u64;
        let operation = command.map_or(0, |(request, _)| request.0);
        self.observe_applied(entry, operation);
        let Some((term, waiting)) = self.proposed.remove(&position.index) else { return };
        match result.filter(|_| term == position.term) {
            Some(result) => env.respond(waiting, Response::Applied(result)),
            // Another entry stands in its place, for good.
            None => env.respond(waiting, Response::Dropped),
        }
    }

    /// Wakes when the crate has something to do, or a read has waited too long, or a slow state machine may work.
    fn set_timer(&self, env: &mut Env<'_, Self>) {
        let raft = &self.node.raft;
        let until = |timeout: usize, elapsed: usize| timeout.saturating_sub(elapsed) as u64;
        let election = raft.election_elapsed;
        let mut ticks = if raft.state == StateRole::Leader {
            let heartbeat = until(raft.heartbeat_timeout(), raft.heartbeat_elapsed());
            heartbeat.min(until(raft.election_timeout(), election))
        } else {
            until(raft.randomized_election_timeout(), election)
        };
        if let Some(asked_at) = self.reads.oldest() {
            let patience = 2 * self.setup.raft.election_timeout;
            ticks = ticks.min((asked_at + patience + 1).saturating_sub(self.ticks));
        }
        if let Some(until_report) = self.ticks_until_report() {
            ticks = ticks.min(until_report);
        }
        if let Some((_, since)) = self.job.as_ref().filter(|_| self.manners.abdicates) {
            let timeout = self.setup.raft.election_timeout;
            ticks = ticks.min(timeout - (self.ticks - since) % timeout);
        }
        let mut at = self.ticked_at.after(ticks.max(1).saturating_mul(self.setup.tick_us));
        if !self.committed.is_empty() {
            at = at.min(self.apply_at);
        }
        env.wake_at(at);
    }
}
