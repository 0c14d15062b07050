//! openraft 0.9, in a runtime of one thread, with a log in memory and calls for a network.
//!
//! It is async by design: each node is several tasks. Commands go in by `client_write_ff`, all that are
//! outstanding at once, and their answers are awaited, which is the leanest way it offers.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::io::Cursor;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use openraft::error::{InstallSnapshotError, RPCError, RaftError, RemoteError};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::storage::{LogFlushed, LogState, RaftLogStorage, RaftStateMachine};
use openraft::{
    EntryPayload, LogId, OptionalSend, Raft, RaftLogReader, RaftSnapshotBuilder, Snapshot, SnapshotMeta,
    SnapshotPolicy, StorageError, StoredMembership, Vote,
};
use tokio::runtime::Runtime;

use super::{Applied, Cluster, NODES};
use crate::{ENTRIES_KEPT, ENTRIES_PER_COMPACTION, Load};

openraft::declare_raft_types!(
    /// Commands are shared bytes; they answer nothing.
    Types:
        D = Bytes,
        R = (),
        NodeId = u64,
        Node = (),
);

type Entry = openraft::Entry<Types>;
type StorageResult<T> = Result<T, StorageError<u64>>;

/// Three nodes of openraft; 1 leads.
pub struct OpenraftCluster {
    runtime: Runtime,
    leader: Raft<Types>,
    leader_machine: Machine,
    /// Answers that are awaited.
    answers: Vec<
        <openraft::impls::OneshotResponder<Types> as openraft::raft::responder::Responder<Types>>::Receiver,
    >,
}

impl OpenraftCluster {
    /// Starts three nodes and lets 1 be elected.
    ///
    /// # Panics
    /// Where that fails.
    #[must_use]
    pub fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime starts");
        let (leader, leader_machine) = runtime.block_on(start());
        Self { runtime, leader, leader_machine, answers: Vec::new() }
    }
}

async fn start() -> (Raft<Types>, Machine) {
    let config = openraft::Config {
        enable_tick: false,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(ENTRIES_PER_COMPACTION as u64),
        max_in_snapshot_log_to_keep: ENTRIES_KEPT as u64,
        ..openraft::Config::default()
    };
    let config = Arc::new(config.validate().expect("the configuration is sound"));
    let router = Router::default();
    let machines: Vec<Machine> = (0..NODES).map(|_| Machine::default()).collect();
    for (id, machine) in (1..).zip(&machines) {
        let node = Raft::new(id, config.clone(), router.clone(), Log::default(), machine.clone()).await;
        router.lock().insert(id, node.expect("the node starts"));
    }
    let nodes: Vec<Raft<Types>> = router.lock().values().cloned().collect();
    let members: BTreeMap<u64, ()> = (1..=NODES as u64).map(|id| (id, ())).collect();
    nodes[0].initialize(members).await.expect("the cluster is new");
    nodes[0].wait(None).current_leader(1, "1 leads").await.expect("1 is elected");
    (nodes[0].clone(), machines[0].clone())
}

impl Default for OpenraftCluster {
    fn default() -> Self {
        Self::new()
    }
}

impl Cluster for OpenraftCluster {
    fn name(&self) -> &'static str {
        "openraft"
    }

    fn run(&mut self, load: Load) {
        let (leader, answers) = (&self.leader, &mut self.answers);
        self.runtime.block_on(async {
            for _ in 0..load.rounds() {
                for _ in 0..load.outstanding {
                    answers.push(leader.client_write_ff(load.payload()).await.expect("1 runs"));
                }
                for answer in answers.drain(..) {
                    answer.await.expect("1 runs").expect("1 leads");
                }
            }
        });
    }

    fn applied(&self) -> Applied {
        self.leader_machine.lock().applied
    }

    fn tick_idle_follower(&mut self, _ticks: u64) -> bool {
        false
    }
}

/// Calls the receiver's node directly.
#[derive(Clone, Default)]
struct Router(Arc<Mutex<BTreeMap<u64, Raft<Types>>>>);

struct Connection {
    router: Router,
    target: u64,
    /// The target, once it has started.
    node: Option<Raft<Types>>,
}

impl Router {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Raft<Types>>> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

impl Connection {
    fn node(&mut self) -> &Raft<Types> {
        self.node.get_or_insert_with(|| self.router.lock()[&self.target].clone())
    }
}

impl RaftNetworkFactory<Types> for Router {
    type Network = Connection;

    async fn new_client(&mut self, target: u64, _node: &()) -> Connection {
        Connection { router: self.clone(), target, node: None }
    }
}

type CallResult<T, E = RaftError<u64>> = Result<T, RPCError<u64, (), E>>;

impl RaftNetwork<Types> for Connection {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> CallResult<AppendEntriesResponse<u64>> {
        let target = self.target;
        let result = self.node().append_entries(request).await;
        result.map_err(|error| RPCError::RemoteError(RemoteError::new(target, error)))
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<Types>,
        _option: RPCOption,
    ) -> CallResult<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>> {
        panic!("all followers keep up, and yet {request:?}")
    }

    async fn vote(&mut self, request: VoteRequest<u64>, _option: RPCOption) -> CallResult<VoteResponse<u64>> {
        let target = self.target;
        let result = self.node().vote(request).await;
        result.map_err(|error| RPCError::RemoteError(RemoteError::new(target, error)))
    }
}

/// A log in memory, shared between a node and its replication tasks.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<LogContents>>);

#[derive(Default)]
struct LogContents {
    vote: Option<Vote<u64>>,
    purged: Option<LogId<u64>>,
    /// Contiguous; begins after `purged`.
    entries: VecDeque<Entry>,
}

impl Log {
    fn lock(&self) -> std::sync::MutexGuard<'_, LogContents> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

impl LogContents {
    fn first_index(&self) -> u64 {
        self.purged.map_or(0, |purged| purged.index + 1)
    }

    /// Where the entry of `index` stands, at most one past the end.
    fn position(&self, index: u64) -> usize {
        let distance = index.saturating_sub(self.first_index());
        usize::try_from(distance).expect("usize has 64 bits here").min(self.entries.len())
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<R>(&mut self, range: R) -> StorageResult<Vec<Entry>>
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let log = self.lock();
        let start = match range.start_bound() {
            Bound::Included(index) => log.position(*index),
            Bound::Excluded(index) => log.position(*index + 1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(index) => log.position(*index + 1),
            Bound::Excluded(index) => log.position(*index),
            Bound::Unbounded => log.entries.len(),
        };
        Ok(log.entries.range(start..end.max(start)).cloned().collect())
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> StorageResult<LogState<Types>> {
        let log = self.lock();
        let last_log_id = log.entries.back().map_or(log.purged, |entry| Some(entry.log_id));
        Ok(LogState { last_purged_log_id: log.purged, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> StorageResult<()> {
        self.lock().vote = Some(*vote);
        Ok(())
    }

    async fn read_vote(&mut self) -> StorageResult<Option<Vote<u64>>> {
        Ok(self.lock().vote)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> StorageResult<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.lock().entries.extend(entries);
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId<u64>) -> StorageResult<()> {
        panic!("nobody contradicts 1, and yet the log is cut at {log_id}")
    }

    async fn purge(&mut self, log_id: LogId<u64>) -> StorageResult<()> {
        let mut log = self.lock();
        let end = log.position(log_id.index + 1);
        log.entries.drain(..end);
        log.purged = Some(log_id);
        Ok(())
    }
}

/// The state machine; its snapshots hold nothing, as nobody installs them.
#[derive(Clone, Default)]
struct Machine(Arc<Mutex<MachineState>>);

#[derive(Default)]
struct MachineState {
    applied: Applied,
    last_applied: Option<LogId<u64>>,
    membership: StoredMembership<u64, ()>,
    snapshot: Option<SnapshotMeta<u64, ()>>,
}

impl Machine {
    fn lock(&self) -> std::sync::MutexGuard<'_, MachineState> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

fn snapshot(meta: SnapshotMeta<u64, ()>) -> Snapshot<Types> {
    Snapshot { meta, snapshot: Box::new(Cursor::new(Vec::new())) }
}

impl RaftSnapshotBuilder<Types> for Machine {
    async fn build_snapshot(&mut self) -> StorageResult<Snapshot<Types>> {
        let mut machine = self.lock();
        let meta = SnapshotMeta {
            last_log_id: machine.last_applied,
            last_membership: machine.membership.clone(),
            snapshot_id: String::new(),
        };
        machine.snapshot = Some(meta.clone());
        Ok(snapshot(meta))
    }
}

impl RaftStateMachine<Types> for Machine {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> StorageResult<(Option<LogId<u64>>, StoredMembership<u64, ()>)> {
        let machine = self.lock();
        Ok((machine.last_applied, machine.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> StorageResult<Vec<()>>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut machine = self.lock();
        let mut answers = Vec::new();
        for entry in entries {
            machine.last_applied = Some(entry.log_id);
            match entry.payload {
                EntryPayload::Blank => {}
                EntryPayload::Normal(data) => machine.applied.apply(&data),
                EntryPayload::Membership(membership) => {
                    machine.membership = StoredMembership::new(Some(entry.log_id), membership);
                }
            }
            answers.push(());
        }
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> StorageResult<Box<Cursor<Vec<u8>>>> {
        panic!("all followers keep up")
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u64, ()>,
        _snapshot: Box<Cursor<Vec<u8>>>,
    ) -> StorageResult<()> {
        panic!("all followers keep up, and yet {meta:?}")
    }

    async fn get_current_snapshot(&mut self) -> StorageResult<Option<Snapshot<Types>>> {
        Ok(self.lock().snapshot.clone().map(snapshot))
    }
}
