//! Snapshots: taken by the server's own policy, sent whole in one message, stored before the crate hears of them.
//!
//! A snapshot that arrives is durable before the message is given to the crate, so that no log is reset to what may be
//! lost. The crate pauses a follower to which it has sent one until it is told what became of it: nobody can tell here, so
//! it is told of a failure after a while, unless the follower has answered.

use std::collections::{BTreeMap, VecDeque};

use bytes::BytesMut;
use raft::eraftpb::{Message, Snapshot};
use raft::{ProgressState, SnapshotStatus};
use squall_raft::{LogIndex, LogPosition, SnapshotId, Write, WriteToken};
use squall_replica::{Image, Loader, StateMachine};
use squall_scenarios::machine::{Machine, MachineLoader};
use squall_scenarios::marks;
use squall_scenarios::observation::Step;
use squall_sim::{Env, SimDisk, sometimes};
use squall_storage::{Storage, StorageError};

use crate::messages::snapshot_id;
use crate::server::{Job, TikvServer};

/// What is under way with snapshots.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    /// Messages with snapshots that are to be stored; few.
    arrived: VecDeque<Message>,
    /// To whom one was sent, and at which tick.
    sent: BTreeMap<u64, u64>,
    /// Up to where the newest of its own stands, and the bytes of entries applied since.
    pub(crate) newest: LogIndex,
    pub(crate) bytes_since: u64,
    /// The disk's next job is one for a snapshot, where there is one.
    turn: bool,
}

/// More snapshots than this do not wait for the disk: they are lost, as a message may be.
const ARRIVED_MAX: usize = 2;

/// After so many election timeouts a snapshot that was sent counts as lost.
const PATIENCE_TIMEOUTS: u64 = 4;

impl Snapshots {
    /// Of a life that begins with a snapshot up to here.
    pub(crate) fn new(newest: LogIndex) -> Self {
        Self { newest, ..Self::default() }
    }
}

impl TikvServer {
    /// A message with a snapshot waits until that is durable, where there is anything in it. Returns the message where it need
    /// not.
    pub(crate) fn hold_snapshot(&mut self, message: Message) -> Option<Message> {
        let index = LogIndex(message.get_snapshot().get_metadata().index);
        let is_new = message.term >= self.node.raft.term && index.0 > self.node.raft.raft_log.committed;
        // What storage has may not be durable yet.
        if matches!(self.job, Some((Job::Stored(..), _))) {
            return None;
        }
        if !is_new || self.storage.snapshot().is_some_and(|newest| newest.last.index >= index) {
            return Some(message);
        }
        if self.snapshots.arrived.len() < ARRIVED_MAX {
            self.snapshots.arrived.push_back(message);
        }
        None
    }

    /// Gives the disk a snapshot to store or to take, in turn with the log's writes.
    pub(crate) fn begin_snapshot_job(
        &mut self,
        env: &mut Env<'_, Self>,
    ) -> Result<Option<Job>, StorageError> {
        let may = self.snapshots.turn || self.line.group.is_empty();
        self.snapshots.turn = !self.snapshots.turn;
        if !may {
            return Ok(None);
        }
        if let Some(message) = self.snapshots.arrived.pop_front() {
            return store(&mut self.storage, &message, env.disk()).map(|id| Some(Job::Stored(id, message)));
        }
        if !self.is_snapshot_due() {
            return Ok(None);
        }
        let (last, bytes) = (self.applied_position(), image_of(&self.machine));
        self.storage.begin_snapshot(last, env.disk())?;
        self.storage.write_snapshot(&bytes, env.disk())?;
        let id = self.storage.finish_snapshot(env.disk())?;
        Ok(Some(Job::Taken(id, bytes)))
    }

    fn is_snapshot_due(&self) -> bool {
        let Some(policy) = self.setup.snapshots else { return false };
        let stored = self.storage.snapshot().map_or(LogIndex::ZERO, |newest| newest.last.index);
        let entries = self.applied.0.saturating_sub(self.snapshots.newest.0);
        let is_enough = entries >= policy.every_entries || self.snapshots.bytes_since >= policy.every_bytes;
        entries > 0 && is_enough && self.applied > stored
    }

    fn applied_position(&self) -> LogPosition {
        self.node.store().position(self.applied).expect("what is applied is in the log, or its base")
    }

    /// A snapshot of the server's own state is durable: the log is compacted behind it.
    pub(crate) fn snapshot_taken(&mut self, id: SnapshotId, bytes: Vec<u8>, env: &mut Env<'_, Self>) {
        self.observation.steps.push(Step::SnapshotTaken(id));
        sometimes!(env, marks::NAMES, "a snapshot was taken", true);
        (self.snapshots.newest, self.snapshots.bytes_since) = (id.last.index, 0);
        let keep = self.setup.snapshots.map_or(0, |policy| policy.keep_entries);
        let log = self.node.mut_store();
        // The log was reset to a newer one meanwhile.
        if log.base().index > id.last.index {
            return;
        }
        let kept = LogIndex(id.last.index.0.saturating_sub(keep)).max(log.base().index);
        let base = log.position(kept).expect("it is not before the base, and not behind the snapshot");
        let conf_state = log.conf_state().clone();
        let is_compacted = base.index > log.base().index;
        log.compact(snapshot_of(id, bytes, conf_state), base);
        if is_compacted {
            let token = WriteToken { boot: self.boot, sequence: self.line.last_number() };
            self.line.group.add(&Write {
                token,
                hard_state: None,
                truncate_from: None,
                reset_to: None,
                compact_to: Some(base),
                repairs: &[],
                entries: (&[], &[]),
            });
            self.observation.steps.push(Step::Compacted { base });
            sometimes!(env, marks::NAMES, "the log was compacted", true);
        }
    }

    /// A snapshot that was sent to this server is durable, or is not what it was said to be.
    pub(crate) fn snapshot_stored(
        &mut self,
        id: Option<SnapshotId>,
        message: Message,
        env: &mut Env<'_, Self>,
    ) {
        let Some(id) = id else { return };
        self.observation.steps.push(Step::SnapshotReceived(id));
        // What the crate does not want is lost, as a message may be.
        let _ = self.node.step(message);
        self.observe_change(env);
    }

    /// The crate hands out a snapshot to be taken over: the log begins anew, and so does the state machine.
    pub(crate) fn install(&mut self, snapshot: Snapshot, env: &mut Env<'_, Self>) -> LogPosition {
        let id = snapshot_id(&snapshot);
        self.machine = load(snapshot.get_data()).expect("it was checked against its name");
        self.committed.clear();
        self.applied = id.last.index;
        self.proposed = self.proposed.split_off(&id.last.index.next());
        (self.snapshots.newest, self.snapshots.bytes_since) = (id.last.index, 0);
        self.node.mut_store().reset(snapshot);
        sometimes!(env, marks::NAMES, "a snapshot was installed", true);
        id.last
    }

    pub(crate) fn note_sent_snapshot(&mut self, to: u64) {
        self.snapshots.sent.insert(to, self.ticks);
    }

    /// Tells the crate of snapshots that were sent long ago.
    pub(crate) fn report_snapshots(&mut self, env: &mut Env<'_, Self>) {
        let patience = PATIENCE_TIMEOUTS * self.setup.raft.election_timeout;
        let ticks = self.ticks;
        let mut overdue = self.snapshots.sent.iter().filter(|(_, sent)| **sent + patience <= ticks);
        let Some(to) = overdue.next().map(|(to, _)| *to) else { return };
        self.snapshots.sent.remove(&to);
        let progress = self.node.raft.prs().get(to);
        if progress.is_some_and(|progress| progress.state == ProgressState::Snapshot) {
            self.node.report_snapshot(to, SnapshotStatus::Failure);
            self.observe_change(env);
        }
    }

    /// In how many ticks a snapshot that was sent counts as lost.
    pub(crate) fn ticks_until_report(&self) -> Option<u64> {
        let patience = PATIENCE_TIMEOUTS * self.setup.raft.election_timeout;
        let first = self.snapshots.sent.values().min()?;
        Some((first + patience).saturating_sub(self.ticks))
    }
}

fn store(
    storage: &mut Storage,
    message: &Message,
    disk: &mut SimDisk,
) -> Result<Option<SnapshotId>, StorageError> {
    let (id, data) = (snapshot_id(message.get_snapshot()), message.get_snapshot().get_data());
    if storage.store_received(id, 0, data, disk)? != Some(id.bytes) {
        return Ok(None);
    }
    storage.finish_received(disk).map(Result::ok)
}

fn image_of(machine: &Machine) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    machine.image().read(u64::MAX, &mut bytes);
    bytes.to_vec()
}

/// The state machine that these bytes say.
pub(crate) fn load(bytes: &[u8]) -> Result<Machine, String> {
    let mut loader = MachineLoader::default();
    loader.load(bytes).and_then(|()| loader.finish()).map_err(|error| error.to_string())
}

/// A snapshot as the crate knows it.
pub(crate) fn snapshot_of(id: SnapshotId, bytes: Vec<u8>, conf_state: raft::eraftpb::ConfState) -> Snapshot {
    let mut snapshot = Snapshot { data: bytes.into(), ..Snapshot::default() };
    let metadata = snapshot.mut_metadata();
    (metadata.index, metadata.term) = (id.last.index.0, id.last.term.0);
    metadata.set_conf_state(conf_state);
    snapshot
}
