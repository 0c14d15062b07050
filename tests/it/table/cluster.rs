//! A cluster of replicas on disks in memory. Time is ticks; what is sent arrives at once, but where the story cuts a link.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use squall_raft::{
    Config, Entry, Fetch, LogIndex, LogPosition, Message, NodeId, Payload, RoleKind, Status, Term,
};
use squall_replica::kv::{Command, KeyValue};
use squall_replica::{
    Outcome, Output, Proposal, Replica, RequestId, SnapshotJob, SnapshotPolicy, seal_proposal,
};
use squall_storage::{Group, Identity, Options, Storage, StorageError};

use super::disk::MemoryDisk;

/// The request by which a cluster shows that it serves.
const FRESH: RequestId = RequestId(u128::MAX);
/// More messages than that within one tick: they would never end.
const MESSAGES_MAX: u32 = 100_000;

/// Small segments, so that a log has several.
pub(crate) fn options() -> Options {
    Options { segment_bytes: 64 << 10, tail_bytes: 2_000, salt_seed: 11 }
}

pub(crate) fn identity(node: usize) -> Identity {
    Identity { node: node_id(node), cluster: 0x7AB1_E000, incarnation: 0 }
}

fn node_id(node: usize) -> NodeId {
    NodeId(node as u64 + 1)
}

fn node_of(id: NodeId) -> usize {
    usize::try_from(id.0 - 1).expect("few nodes")
}

/// What was promised, and what was ever asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// What clients were told that it was written.
    pub(crate) acknowledged: BTreeMap<Bytes, Bytes>,
    /// What state machines were given, by whichever of them first.
    pub(crate) applied: BTreeMap<LogIndex, Entry>,
    /// All entries that any log ever held when the cluster was stopped.
    pub(crate) written: BTreeMap<LogPosition, Payload>,
    /// The last term before that.
    pub(crate) last_term: Term,
}

/// A process.
struct Life {
    replica: Replica<KeyValue>,
    storage: Storage,
    group: Group,
    fetches: VecDeque<Fetch>,
    jobs: VecDeque<SnapshotJob>,
}

/// Nodes, each with its disk, and with a process where that is up.
pub(crate) struct Cluster {
    disks: Vec<MemoryDisk>,
    lives: Vec<Option<Life>>,
    network: VecDeque<Message>,
    /// Links over which nothing comes, in either direction.
    cut: BTreeSet<(usize, usize)>,
    now: u64,
    ticked: Vec<u64>,
    policies: Vec<Option<SnapshotPolicy>>,
    seed: u64,
    pub(crate) ledger: Ledger,
    puts: BTreeMap<RequestId, (Bytes, Bytes)>,
    /// Who was asked for a fresh write last, in which term.
    asked: Option<(usize, Term)>,
    is_served: bool,
}

fn fresh() -> Command<&'static [u8]> {
    Command::Put { key: b"fresh", value: b"write" }
}

impl Cluster {
    /// Nodes that were just formatted, all down, one for each policy.
    pub(crate) fn formatted(policies: Vec<Option<SnapshotPolicy>>) -> Self {
        let disk = |node| {
            let mut disk = MemoryDisk::default();
            Storage::format(&mut disk, identity(node), &options()).expect("the disk is empty");
            disk
        };
        Self::of((0..policies.len()).map(disk).collect(), Ledger::default(), policies, 0)
    }

    /// Nodes with these disks, all down. The seed draws their timeouts.
    pub(crate) fn of(
        disks: Vec<MemoryDisk>,
        ledger: Ledger,
        policies: Vec<Option<SnapshotPolicy>>,
        seed: u64,
    ) -> Self {
        let count = disks.len();
        Self {
            disks,
            lives: (0..count).map(|_| None).collect(),
            network: VecDeque::new(),
            cut: BTreeSet::new(),
            now: 0,
            ticked: vec![0; count],
            policies,
            seed,
            ledger,
            puts: BTreeMap::new(),
            asked: None,
            is_served: false,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.disks.len()
    }

    /// Starts a node, if its storage lets it.
    pub(crate) fn start(&mut self, node: usize) -> Result<(), StorageError> {
        let (storage, recovered) = Storage::open(&mut self.disks[node], identity(node), &options())?;
        let voters = (0..self.count()).map(node_id).collect();
        let config = Config { seed: self.seed, ..Config::new(node_id(node), voters) };
        let mut replica = Replica::new(config, &recovered, KeyValue::default())
            .unwrap_or_else(|error| panic!("node {node} recovered what contradicts itself: {error}"));
        if let Some(policy) = self.policies[node] {
            replica.take_snapshots(policy).expect("the policy makes sense");
        }
        let (group, fetches, jobs) = (Group::default(), VecDeque::new(), VecDeque::new());
        self.lives[node] = Some(Life { replica, storage, group, fetches, jobs });
        self.ticked[node] = self.now;
        Ok(())
    }

    /// Stops a node dead.
    pub(crate) fn stop(&mut self, node: usize) {
        self.lives[node] = None;
    }

    /// Cuts all links but those among these nodes.
    pub(crate) fn only(&mut self, nodes: std::ops::Range<usize>) {
        let pairs = (0..self.count()).flat_map(|from| (0..self.count()).map(move |to| (from, to)));
        self.cut = pairs.filter(|(from, to)| !nodes.contains(from) || !nodes.contains(to)).collect();
    }

    pub(crate) fn status(&self, node: usize) -> Option<Status> {
        self.lives[node].as_ref().map(|life| life.replica.status())
    }

    fn leader(&self) -> Option<usize> {
        let leads = |node: &usize| self.status(*node).is_some_and(|status| status.role == RoleKind::Leader);
        let term = |node: &usize| self.status(*node).map(|status| status.current_term);
        (0..self.count()).filter(leads).max_by_key(term)
    }

    /// Has a node take the lead: from whoever leads, if anybody does.
    pub(crate) fn elect(&mut self, node: usize) {
        for _ in 0..50 {
            let leader = self.leader();
            if leader == Some(node) {
                return;
            }
            let life = self.lives[leader.unwrap_or(node)].as_mut().expect("it is up");
            match leader {
                // It is refused while the node lags; then it is asked again.
                Some(_) => drop(life.replica.transfer_leadership(node_id(node))),
                None => life.replica.campaign(),
            }
            self.settle();
            self.pass(10);
        }
        panic!("node {node} is not elected");
    }

    /// Asks a node, which leads, for writes that travel together. Whether they are answered, the ledger tells.
    pub(crate) fn put(&mut self, node: usize, writes: &[(&str, usize)]) {
        for (key, bytes) in writes {
            let request = RequestId(self.puts.len() as u128);
            let value: Vec<u8> = (0..*bytes)
                .map(|at| u8::try_from((at * 7 + key.len() + at / 251) % 256).expect("a byte"))
                .collect();
            let (key, value) = (Bytes::copy_from_slice(key.as_bytes()), Bytes::from(value));
            let command = Command::Put { key: key.clone(), value: value.clone() };
            let life = self.lives[node].as_mut().expect("it is up");
            life.replica.request(request, command.encode()).expect("it leads");
            self.puts.insert(request, (key, value));
        }
        self.settle();
    }

    /// Lets so many ticks pass, and the clock jump to what is due.
    pub(crate) fn pass(&mut self, ticks: u64) {
        let end = self.now + ticks;
        self.run_until(end, |_| false);
    }

    /// The same until something holds; returns whether it does.
    pub(crate) fn run_until(&mut self, end: u64, holds: impl Fn(&mut Self) -> bool) -> bool {
        loop {
            self.settle();
            if holds(self) {
                return true;
            }
            if self.now >= end {
                return false;
            }
            let due = self.lives.iter().flatten().map(|life| life.replica.ticks_until_due()).min();
            self.now += due.unwrap_or(u64::MAX).clamp(1, end - self.now);
        }
    }

    /// Asks whoever leads for one more write, until it is acknowledged and everybody who is up has applied all.
    pub(crate) fn serves(&mut self) -> bool {
        let office = self.leader().and_then(|leader| Some((leader, self.status(leader)?.current_term)));
        if let Some((leader, _)) = office
            && !self.is_served
            && self.asked != office
        {
            let life = self.lives[leader].as_mut().expect("it leads");
            // A leader that is not ready refuses it, and is asked again.
            if life.replica.request(FRESH, fresh().encode()).is_ok() {
                self.asked = office;
                self.settle();
            }
        }
        self.is_served && self.is_level()
    }

    pub(crate) fn is_served(&self) -> bool {
        self.is_served
    }

    /// Whether all who are up have applied all of the leader's log.
    fn is_level(&self) -> bool {
        let last = self.leader().and_then(|leader| self.status(leader)).map(|status| status.last_log.index);
        last.is_some_and(|last| {
            (0..self.count()).filter_map(|node| self.status(node)).all(|status| status.last_applied == last)
        })
    }

    /// What was acknowledged is in every state machine, and they are equal, and so are the logs on disk. All are level.
    pub(crate) fn check_level(&self) -> Result<(), String> {
        let replicas: Vec<(usize, &Replica<KeyValue>)> =
            (0..self.count()).filter_map(|node| Some((node, &self.lives[node].as_ref()?.replica))).collect();
        let (_, first) = replicas.first().expect("somebody is up");
        for (node, replica) in &replicas {
            let machine = replica.machine();
            for (key, value) in &self.ledger.acknowledged {
                if machine.get(key) != Some(value) {
                    return Err(format!("node {node} has lost {key:?}, which was acknowledged"));
                }
            }
            if machine.get(b"fresh").is_none_or(|value| value != "write") {
                return Err(format!("node {node} has no fresh write"));
            }
            if replica.state().digest() != first.state().digest() {
                return Err(format!("node {node} is in another state"));
            }
            self.check_log(*node)?;
        }
        Ok(())
    }

    /// What a node has on disk behind its snapshot is all that was applied, and nothing else.
    fn check_log(&self, node: usize) -> Result<(), String> {
        let storage = &self.lives[node].as_ref().expect("it is up").storage;
        let covered = storage.snapshot().map_or(LogIndex::ZERO, |snapshot| snapshot.last.index);
        let first = storage.base().index.max(covered).next();
        let log = storage.read(first, storage.last_index(), u64::MAX, &mut self.disks[node].clone());
        let log = log.map_err(|error| format!("node {node} cannot read its log: {error}"))?;
        let applied = self.ledger.applied.range(first..).map(|(_, entry)| entry);
        if applied.eq(&log) { Ok(()) } else { Err(format!("node {node} has another log on disk: {log:?}")) }
    }

    /// Delivers until nothing is under way.
    fn settle(&mut self) {
        for node in 0..self.count() {
            self.step(node, None);
        }
        for _ in 0..MESSAGES_MAX {
            let Some(message) = self.network.pop_front() else { return };
            let (from, to) = (node_of(message.from), node_of(message.to));
            if !self.cut.contains(&(from, to)) {
                self.step(to, Some(message));
            }
        }
        panic!("messages without end: {:?}", self.network.front());
    }

    fn step(&mut self, node: usize, message: Option<Message>) {
        let Some(life) = &mut self.lives[node] else { return };
        life.replica.tick(self.now - self.ticked[node]);
        self.ticked[node] = self.now;
        if let Some(message) = message {
            // What is ignored has done no harm.
            let _ignored = life.replica.receive(message);
        }
        loop {
            while let Some(output) = life.replica.next_output() {
                match output {
                    Output::Send(message) => self.network.push_back(message),
                    Output::Persist(write) => life.group.add(&write),
                    Output::Fetch(fetch) => life.fetches.push_back(fetch),
                    Output::ReadsSettled { .. } | Output::Apply => {}
                    Output::Snapshot(job) => life.jobs.push_back(job),
                    Output::Respond { request, outcome } => {
                        let is_applied = matches!(outcome, Outcome::Applied { .. });
                        if request == FRESH {
                            self.is_served |= is_applied;
                        } else if let Some((key, value)) = self.puts.get(&request).filter(|_| is_applied) {
                            self.ledger.acknowledged.insert(key.clone(), value.clone());
                        }
                    }
                }
            }
            let ledger = &mut self.ledger;
            if life.replica.apply_observed(u64::MAX, |entry, _, _| ledger.note_applied(entry)) > 0 {
                continue;
            }
            let disk = &mut self.disks[node];
            if !life.work(disk).expect("what recovery has read can be read again") {
                return;
            }
        }
    }
}

impl Life {
    /// Does what waits for the disk. Returns whether there was something.
    fn work(&mut self, disk: &mut MemoryDisk) -> Result<bool, StorageError> {
        if !self.group.is_empty() {
            self.replica.persisted(self.storage.commit(&mut self.group, disk)?);
        } else if let Some(Fetch { purpose, first, last, max_bytes }) = self.fetches.pop_front() {
            self.replica.fetched(purpose, self.storage.read(first, last, max_bytes, disk)?);
        } else if let Some(job) = self.jobs.pop_front() {
            self.carry_out(job, disk)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn carry_out(&mut self, job: SnapshotJob, disk: &mut MemoryDisk) -> Result<(), StorageError> {
        let Self { replica, storage, .. } = self;
        match job {
            SnapshotJob::Take { last } => {
                storage.begin_snapshot(last, disk)?;
                loop {
                    let bytes = replica.read_image(64 << 10);
                    if bytes.is_empty() {
                        break;
                    }
                    storage.write_snapshot(&bytes, disk)?;
                }
                replica.snapshot_taken(storage.finish_snapshot(disk)?);
            }
            SnapshotJob::Load { snapshot, offset, max_bytes } => {
                let data = storage.read_snapshot(snapshot, offset, max_bytes, disk)?;
                replica.loaded(snapshot, offset, data.as_deref()).expect("a replica wrote it");
            }
            SnapshotJob::Serve { to, snapshot, offset, max_bytes } => {
                let data = storage.read_snapshot(snapshot, offset, max_bytes, disk)?;
                replica.snapshot_read(to, snapshot, offset, data);
            }
            SnapshotJob::Store { snapshot, offset, data } => {
                let Some(bytes) = storage.store_received(snapshot, offset, &data, disk)? else {
                    return Ok(());
                };
                replica.snapshot_stored(snapshot, bytes);
                if bytes == snapshot.bytes {
                    match storage.finish_received(disk)? {
                        Ok(received) => replica.snapshot_received(received),
                        Err(_mismatch) => replica.snapshot_refused(snapshot),
                    }
                }
            }
        }
        Ok(())
    }
}

impl Ledger {
    /// A state machine is given an entry: the one that others were given there, and one that somebody asked for.
    fn note_applied(&mut self, entry: &Entry) {
        if let Some(known) = self.applied.get(&entry.index) {
            assert_eq!(known, entry, "two entries were committed at {}", entry.index);
            return;
        }
        let position = entry.position();
        let is_known = match self.written.get(&position) {
            Some(payload) => *payload == entry.payload,
            None => entry.term > self.last_term && self.is_asked_for(&entry.payload),
        };
        assert!(is_known, "{position} was never written: {entry:?}");
        self.applied.insert(entry.index, entry.clone());
    }

    /// Whether it may be an entry of the time after the stop. Before that everything may be.
    fn is_asked_for(&self, payload: &Payload) -> bool {
        let fresh = seal_proposal(FRESH, Proposal::Command(&fresh().encode()));
        self.last_term == Term::ZERO || *payload == Payload::Noop || *payload == Payload::Command(fresh)
    }
}

impl Cluster {
    /// Stops all for good: the disks, what is known of them, and when they take snapshots.
    pub(crate) fn into_parts(mut self) -> (Vec<MemoryDisk>, Ledger, Vec<Option<SnapshotPolicy>>) {
        for node in 0..self.count() {
            let mut disk = self.disks[node].clone();
            let (storage, recovered) =
                Storage::open(&mut disk, identity(node), &options()).expect("nothing has happened to it");
            let first = recovered.base.index.next();
            for entry in storage.read(first, recovered.last_index, u64::MAX, &mut disk).expect("it is sound")
            {
                self.ledger.written.insert(entry.position(), entry.payload);
            }
            self.ledger.last_term = self.ledger.last_term.max(recovered.hard_state.current_term);
        }
        (self.disks, self.ledger, self.policies)
    }
}
