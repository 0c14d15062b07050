//! A cluster whose messages and writes are moved by hand. It decides nothing: each test says what is delivered,
//! lost, written, and when.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use squall_raft::{
    Action, Change, ChangeError, Config, Configuration, Entry, Faulty, FetchPurpose, HardState, Ignored,
    LogIndex, LogPosition, Message, NodeId, Payload, ProposeError, Raft, ReadError, ReadId, Recovered,
    RoleKind, SnapshotAction, SnapshotId, Status, Term, TransferError, WriteToken,
};

use crate::state;

/// What a node's disk holds, and what waits to be written.
#[derive(Clone, Debug, Default)]
struct Disk {
    boot: u64,
    hard_state: HardState,
    base: LogPosition,
    log: Vec<Entry>,
    /// The entries whose data is lost.
    faulty: Vec<Faulty>,
    /// Up to which term entries were lost at the log's end.
    uncertain: Term,
    waiting: Vec<Waiting>,
    /// The last two whole snapshots, and the beginning of one that is being received.
    snapshots: Vec<(SnapshotId, Bytes)>,
    receiving: Option<(SnapshotId, Vec<u8>)>,
    /// A state of the machine that is to become a snapshot.
    image: Option<(LogPosition, Bytes)>,
    jobs: VecDeque<SnapshotAction>,
}

#[derive(Clone, Debug)]
struct Waiting {
    token: WriteToken,
    hard_state: Option<HardState>,
    reset_to: Option<LogPosition>,
    compact_to: Option<LogPosition>,
    truncate_from: Option<LogIndex>,
    repairs: Vec<Entry>,
    entries: Vec<Entry>,
}

/// Some nodes, the messages between them in the order they were sent, and what each has applied.
#[derive(Clone)]
pub(crate) struct Cluster {
    nodes: BTreeMap<NodeId, Raft>,
    disks: BTreeMap<NodeId, Disk>,
    /// With whom the cluster begins; all others join it.
    first: Vec<NodeId>,
    /// Who is a witness, now or once it joins.
    pub(crate) witnesses: Vec<NodeId>,
    pub(crate) network: Vec<Message>,
    pub(crate) applied: BTreeMap<NodeId, Vec<Entry>>,
    /// The fate of each node's reads: up to which one, and from which index on they may be served.
    pub(crate) reads: BTreeMap<NodeId, Vec<(ReadId, Option<LogIndex>)>>,
    /// What the nodes have done, a line for each message, write and apply.
    pub(crate) journal: Vec<String>,
    /// Whose state machines apply nothing any more.
    pub(crate) stuck: BTreeSet<NodeId>,
    /// Writes are done as soon as they are asked for.
    pub(crate) writes_at_once: bool,
    configure: fn(&mut Config),
}

impl Cluster {
    /// Nodes `n1..` with empty logs.
    pub(crate) fn new(size: u64) -> Self {
        Self::with(size, |_| {})
    }

    pub(crate) fn with(size: u64, configure: fn(&mut Config)) -> Self {
        let empty = vec![(Vec::new(), HardState::default()); usize::try_from(size).expect("a small cluster")];
        Self::recovered(&empty, configure)
    }

    /// One node for each log, given as the terms of its entries, with its hard state.
    pub(crate) fn recovered(nodes: &[(Vec<u64>, HardState)], configure: fn(&mut Config)) -> Self {
        Self::with_witnesses(nodes, &[], configure)
    }

    /// The same, where some of them are witnesses, or will be once they join.
    pub(crate) fn with_witnesses(
        nodes: &[(Vec<u64>, HardState)],
        witnesses: &[NodeId],
        configure: fn(&mut Config),
    ) -> Self {
        let mut cluster = Self {
            nodes: BTreeMap::new(),
            disks: BTreeMap::new(),
            first: Vec::new(),
            witnesses: Vec::new(),
            network: Vec::new(),
            applied: BTreeMap::new(),
            reads: BTreeMap::new(),
            journal: Vec::new(),
            stuck: BTreeSet::new(),
            writes_at_once: true,
            configure,
        };
        for (number, (terms, hard_state)) in nodes.iter().enumerate() {
            let id = NodeId(number as u64 + 1);
            let mut log: Vec<Entry> =
                terms.iter().enumerate().map(|(offset, term)| entry(*term, offset as u64 + 1)).collect();
            if witnesses.contains(&id) {
                log.iter_mut().for_each(|entry| entry.payload = Payload::Withheld);
            }
            cluster.disks.insert(id, Disk { hard_state: *hard_state, log, ..Disk::default() });
        }
        (cluster.first, cluster.witnesses) = (cluster.ids(), witnesses.to_vec());
        for id in cluster.ids() {
            cluster.restart(id);
        }
        cluster
    }

    /// A node with an empty disk, which waits to be made a member; a former one has lost its disk.
    pub(crate) fn join(&mut self, id: u64) {
        let id = NodeId(id);
        self.first.retain(|first| *first != id);
        self.disks.insert(id, Disk::default());
        self.restart(id);
    }

    pub(crate) fn ids(&self) -> Vec<NodeId> {
        self.disks.keys().copied().collect()
    }

    pub(crate) fn node(&mut self, id: u64) -> &mut Raft {
        self.nodes.get_mut(&NodeId(id)).expect("a node that is up")
    }

    pub(crate) fn status(&self, id: u64) -> Status {
        self.nodes[&NodeId(id)].status()
    }

    pub(crate) fn is_up(&self, id: NodeId) -> bool {
        self.nodes.contains_key(&id)
    }

    /// Loses memory and whatever waits to be written.
    pub(crate) fn crash(&mut self, id: NodeId) {
        self.nodes.remove(&id);
        let disk = self.disks.get_mut(&id).expect("a known node");
        disk.waiting.clear();
        disk.jobs.clear();
        disk.image = None;
    }

    /// Starts a node with what its disk holds.
    pub(crate) fn restart(&mut self, id: NodeId) {
        let is_first = self.first.contains(&id);
        let voters = if is_first { self.first.clone() } else { Vec::new() };
        let is_named = |witness: &NodeId| if is_first { voters.contains(witness) } else { *witness == id };
        let witnesses = self.witnesses.iter().copied().filter(is_named).collect();
        let disk = self.disks.get_mut(&id).expect("a known node");
        disk.boot += 1;
        let mut terms: Vec<LogPosition> = Vec::new();
        for entry in &disk.log {
            if terms.last().is_none_or(|run| run.term < entry.term) {
                terms.push(entry.position());
            }
        }
        let recovered = Recovered {
            boot: disk.boot,
            hard_state: disk.hard_state,
            snapshot: disk.snapshots.last().map(|(id, _)| *id),
            lost_snapshot: None,
            receiving: disk.receiving.as_ref().map(|(id, bytes)| (*id, bytes.len() as u64)),
            base: disk.base,
            terms,
            last_index: disk.log.last().map_or(disk.base.index, |entry| entry.index),
            tail: disk.log.iter().rev().take(3).take_while(|entry| disk.has(entry)).cloned().collect(),
            faulty: disk.faulty.clone(),
            configurations: disk.log.iter().filter_map(configuration_of).collect(),
            is_withheld: disk.log.iter().any(|entry| entry.payload == Payload::Withheld),
            uncertain: disk.uncertain,
        };
        let recovered = Recovered { tail: recovered.tail.into_iter().rev().collect(), ..recovered };
        let mut config = Config { witnesses, ..Config::new(id, voters) };
        (self.configure)(&mut config);
        self.nodes.insert(id, Raft::new(config, &recovered).expect("a sound configuration"));
        self.applied.insert(id, Vec::new());
        self.reads.insert(id, Vec::new());
        self.drain(id);
    }

    pub(crate) fn tick(&mut self, id: u64, ticks: u64) {
        self.node(id).tick(ticks);
        self.drain(NodeId(id));
    }

    /// Time passes for all that are up; then all that it caused is delivered.
    pub(crate) fn pass(&mut self, ticks: u64) {
        self.pass_without(ticks, |_| false);
    }

    /// The same, but some messages are lost.
    pub(crate) fn pass_without(&mut self, ticks: u64, is_lost: impl Fn(&Message) -> bool) {
        for id in self.ids() {
            if self.is_up(id) {
                self.tick(id.0, ticks);
            }
        }
        self.settle_without(is_lost);
    }

    pub(crate) fn campaign(&mut self, id: u64) {
        self.node(id).campaign();
        self.drain(NodeId(id));
    }

    pub(crate) fn propose(&mut self, id: u64, data: &str) -> Result<LogPosition, ProposeError> {
        let result = self.node(id).propose(Bytes::copy_from_slice(data.as_bytes()));
        self.drain(NodeId(id));
        result
    }

    pub(crate) fn read(&mut self, id: u64) -> Result<ReadId, ReadError> {
        let result = self.node(id).read();
        self.drain(NodeId(id));
        result
    }

    pub(crate) fn change(&mut self, id: u64, changes: &[Change]) -> Result<LogPosition, ChangeError> {
        let result = self.node(id).change_membership(changes);
        self.drain(NodeId(id));
        result
    }

    /// A client's proposal for the leader that this node follows.
    pub(crate) fn forward(&mut self, id: u64, data: &str) -> Result<NodeId, ProposeError> {
        let result = self.node(id).forward(7, Bytes::copy_from_slice(data.as_bytes()));
        self.drain(NodeId(id));
        result
    }

    pub(crate) fn transfer(&mut self, from: u64, to: u64) -> Result<(), TransferError> {
        let result = self.node(from).transfer_leadership(NodeId(to));
        self.drain(NodeId(from));
        result
    }

    /// Delivers one message; a node that is down never sees it.
    pub(crate) fn deliver(&mut self, message: Message) -> Result<(), Ignored> {
        let to = message.to;
        let Some(node) = self.nodes.get_mut(&to) else { return Ok(()) };
        let result = node.receive(message);
        self.drain(to);
        result
    }

    /// Delivers everything, in order, until nothing is under way, but for what is lost.
    pub(crate) fn settle_without(&mut self, is_lost: impl Fn(&Message) -> bool) {
        for _ in 0..10_000 {
            if self.network.is_empty() {
                return;
            }
            let message = self.network.remove(0);
            if !is_lost(&message) {
                let _ignored = self.deliver(message);
            }
        }
        panic!("the cluster does not come to rest");
    }

    /// Delivers everything among the nodes that `reach` names.
    pub(crate) fn settle_among(&mut self, reach: &[u64]) {
        self.settle_without(|message| !(reach.contains(&message.from.0) && reach.contains(&message.to.0)));
    }

    pub(crate) fn settle(&mut self) {
        self.settle_without(|_| false);
    }

    /// Carries out one waiting write. Returns `false` where none waits.
    pub(crate) fn write_one(&mut self, id: NodeId) -> bool {
        let disk = self.disks.get_mut(&id).expect("a known node");
        if disk.waiting.is_empty() {
            return false;
        }
        let write = disk.waiting.remove(0);
        if !self.writes_at_once {
            self.journal.push(format!("{id} has written{write}"));
        }
        disk.hard_state = write.hard_state.unwrap_or(disk.hard_state);
        if let Some(base) = write.reset_to {
            assert!(disk.stands_for(base), "{id} begins its log after {base} without a snapshot");
            (disk.base, disk.log, disk.faulty) = (base, Vec::new(), Vec::new());
        }
        if let Some(base) = write.compact_to {
            assert!(disk.stands_for(base), "{id} removes entries up to {base} without a snapshot");
            disk.log.retain(|entry| entry.index > base.index);
            disk.faulty.retain(|faulty| faulty.index > base.index);
            disk.base = base;
        }
        if let Some(from) = write.truncate_from {
            disk.log.retain(|entry| entry.index < from);
            disk.faulty.retain(|faulty| faulty.index < from);
        }
        for entry in write.repairs {
            let first = disk.base.index.0 + 1;
            let place = usize::try_from(entry.index.0 - first).expect("a small log");
            assert_eq!(disk.log[place].position(), entry.position(), "{id} repairs another entry");
            assert!(!disk.has(&entry), "{id} repairs what is not lost");
            disk.faulty.retain(|faulty| faulty.index != entry.index);
            disk.log[place] = entry;
        }
        disk.log.extend(write.entries);
        let first = disk.base.index.0 + 1;
        assert!(
            (first..).zip(&disk.log).all(|(index, entry)| entry.index.0 == index),
            "{id} has a hole in its log"
        );
        self.nodes.get_mut(&id).expect("a node that is up").persisted(write.token);
        self.drain(id);
        true
    }

    /// The data of an entry goes bad on disk; perhaps it never was there. The next start finds it so.
    pub(crate) fn lose(&mut self, id: u64, index: u64, is_doubtful: bool) {
        let (index, disk) = (LogIndex(index), self.disks.get_mut(&NodeId(id)).expect("a known node"));
        let found = disk.log.iter_mut().find(|entry| entry.index == index).expect("the entry is there");
        assert!(matches!(found.payload, Payload::Command(_)), "only commands lose their data");
        found.payload = Payload::Command(Bytes::from_static(b"damaged"));
        disk.faulty.push(Faulty { index, is_doubtful });
        disk.faulty.sort_by_key(|faulty| faulty.index);
    }

    /// Nothing can be read any more from an entry on: its disk holds no names of what stood there.
    pub(crate) fn lose_end(&mut self, id: u64, from: u64) {
        let disk = self.disks.get_mut(&NodeId(id)).expect("a known node");
        disk.log.retain(|entry| entry.index.0 < from);
        disk.faulty.retain(|faulty| faulty.index.0 < from);
        disk.uncertain = disk.hard_state.current_term;
    }

    /// The data on disk of a node's entries, as far as it is there.
    pub(crate) fn data_on_disk(&self, id: u64) -> Vec<Option<Payload>> {
        let disk = &self.disks[&NodeId(id)];
        disk.log.iter().map(|entry| disk.has(entry).then(|| entry.payload.clone())).collect()
    }

    /// Takes an image of a node's state machine, which becomes a snapshot with `finish_snapshot`.
    pub(crate) fn take_image(&mut self, id: NodeId) {
        if let Some(last) = self.applied[&id].last() {
            let image = (last.position(), state::encode(&self.applied[&id]));
            self.disks.get_mut(&id).expect("a known node").image = Some(image);
        }
    }

    pub(crate) fn finish_snapshot(&mut self, id: NodeId) {
        let disk = self.disks.get_mut(&id).expect("a known node");
        let Some((last, bytes)) = disk.image.take() else { return };
        let snapshot = state::name(last, &bytes);
        disk.keep(snapshot, bytes);
        self.nodes.get_mut(&id).expect("a node that is up").snapshot_taken(snapshot);
        self.drain(id);
    }

    pub(crate) fn snapshot(&mut self, id: u64) {
        self.take_image(NodeId(id));
        self.finish_snapshot(NodeId(id));
    }

    pub(crate) fn compact(&mut self, id: u64, up_to: u64) {
        self.node(id).compact(LogIndex(up_to));
        self.drain(NodeId(id));
    }

    /// Carries out one waiting job of the snapshots. Returns `false` where none waits.
    pub(crate) fn job_one(&mut self, id: NodeId) -> bool {
        let node = self.nodes.get_mut(&id).expect("a node that is up");
        let disk = self.disks.get_mut(&id).expect("a known node");
        match disk.jobs.pop_front() {
            None => return false,
            Some(SnapshotAction::Read { to, snapshot, offset, max_bytes }) => {
                let part = disk.snapshots.iter().find(|(id, _)| *id == snapshot).map(|(_, bytes)| {
                    let end = bytes.len().min(usize::try_from(offset + max_bytes).expect("a short snapshot"));
                    bytes.slice(usize::try_from(offset).expect("a short snapshot")..end)
                });
                node.snapshot_read(to, snapshot, offset, part);
            }
            Some(SnapshotAction::Store { snapshot, offset, data }) => {
                disk.store(snapshot, offset, &data, node);
            }
            Some(SnapshotAction::TakePosition { last, index, configuration }) => {
                let payload = Payload::Configuration(configuration);
                let bytes = state::encode(&[Entry { term: Term(0), index, payload }]);
                let snapshot = state::name(last, &bytes);
                disk.keep(snapshot, bytes);
                node.snapshot_taken(snapshot);
            }
            Some(SnapshotAction::Restore(snapshot)) => {
                let (_, bytes) = disk
                    .snapshots
                    .iter()
                    .find(|(id, _)| *id == snapshot)
                    .expect("only a whole one is restored");
                let entries = state::decode(bytes);
                let (index, configuration) = entries.iter().rev().find_map(configuration_of).map_or_else(
                    || {
                        let of_first = |witness: &&NodeId| self.first.contains(witness);
                        let witnesses: Vec<NodeId> =
                            self.witnesses.iter().filter(of_first).copied().collect();
                        let first = Configuration::first_with_witnesses(&self.first, &witnesses);
                        (LogIndex::ZERO, first)
                    },
                    |(index, last)| (index, Configuration::clone(&last)),
                );
                if !self.witnesses.contains(&id) {
                    self.applied.insert(id, entries);
                }
                node.configuration_restored(snapshot, index, configuration);
                node.restored(snapshot);
            }
        }
        self.drain(id);
        true
    }

    /// How many writes wait.
    pub(crate) fn waiting_writes(&self, id: NodeId) -> usize {
        self.disks[&id].waiting.len()
    }

    /// The terms of a node's log on disk.
    pub(crate) fn terms_on_disk(&self, id: u64) -> Vec<u64> {
        self.disks[&NodeId(id)].log.iter().map(|entry| entry.term.0).collect()
    }

    /// Of which entries of its log a node's disk does not hold the data.
    pub(crate) fn withheld_on_disk(&self, id: u64) -> Vec<bool> {
        self.disks[&NodeId(id)].log.iter().map(|entry| entry.payload == Payload::Withheld).collect()
    }

    /// The one leader of the highest term, where there is one.
    pub(crate) fn leader(&self) -> Option<u64> {
        let leads = |status: &Status| status.role == RoleKind::Leader;
        let leaders = self.nodes.values().map(Raft::status).filter(leads);
        leaders.max_by_key(|status| status.current_term).map(|status| status.id.0)
    }

    /// Carries out what a node asks for.
    fn drain(&mut self, id: NodeId) {
        loop {
            let node = self.nodes.get_mut(&id).expect("a node that is up");
            let disk = self.disks.get_mut(&id).expect("a known node");
            match node.next_action() {
                None => break,
                Some(Action::Send(message)) => {
                    self.journal.push(message.to_string());
                    self.network.push(message);
                }
                Some(Action::Persist(write)) => {
                    let waiting = Waiting {
                        token: write.token,
                        hard_state: write.hard_state,
                        reset_to: write.reset_to,
                        compact_to: write.compact_to,
                        truncate_from: write.truncate_from,
                        repairs: write.repairs.to_vec(),
                        entries: write.iter().cloned().collect(),
                    };
                    self.journal.push(format!("{id} writes{waiting}"));
                    disk.waiting.push(waiting);
                }
                Some(Action::Apply { .. }) if self.stuck.contains(&id) => {}
                Some(Action::Apply { first, last }) => {
                    let (front, back) = node.committed(first, last);
                    let applied = self.applied.get_mut(&id).expect("a known node");
                    applied.extend(front.iter().chain(back).cloned());
                    self.journal.push(format!("{id} applies {first} to {last}"));
                    node.applied(last);
                }
                Some(Action::ReadReady { up_to, index }) => {
                    self.journal.push(format!("{id} may serve reads up to {} from {index} on", up_to.0));
                    self.reads.get_mut(&id).expect("a known node").push((up_to, Some(index)));
                }
                Some(Action::ReadDropped { up_to }) => {
                    self.journal.push(format!("{id} drops its reads up to {}", up_to.0));
                    self.reads.get_mut(&id).expect("a known node").push((up_to, None));
                }
                Some(Action::Fetch(fetch)) => {
                    let (first, last) = (fetch.first, fetch.last);
                    self.journal.push(format!("{id} reads entries {first} to {last} from disk"));
                    let wanted = |entry: &&Entry| first <= entry.index && entry.index <= last;
                    let enough = if fetch.purpose == FetchPurpose::Apply { 2 } else { 5 };
                    let found = disk.log.iter().filter(wanted).take(enough);
                    let entries = found.take_while(|entry| disk.has(entry)).cloned().collect();
                    node.fetched(fetch.purpose, entries);
                }
                Some(Action::Snapshot(action)) => {
                    self.journal.push(format!("{id} {}", state::Shown(&action)));
                    disk.jobs.push_back(action);
                }
            }
        }
        if self.writes_at_once {
            while self.write_one(id) || self.job_one(id) {}
        }
    }
}

impl Disk {
    /// Whether the entries up to `base` are no longer needed.
    fn stands_for(&self, base: LogPosition) -> bool {
        self.snapshots.last().is_some_and(|(snapshot, _)| snapshot.last.index >= base.index)
    }

    /// Whether the data of an entry is there.
    fn has(&self, entry: &Entry) -> bool {
        self.faulty.iter().all(|faulty| faulty.index != entry.index)
    }

    fn keep(&mut self, snapshot: SnapshotId, bytes: Bytes) {
        self.snapshots.push((snapshot, bytes));
        self.snapshots.sort();
        self.snapshots.dedup();
        let surplus = self.snapshots.len().saturating_sub(2);
        self.snapshots.drain(..surplus);
    }

    fn store(&mut self, snapshot: SnapshotId, offset: u64, data: &[u8], node: &mut Raft) {
        let kept = self.receiving.take().filter(|(id, _)| *id == snapshot && offset > 0);
        let mut bytes = kept.map_or_else(Vec::new, |(_, bytes)| bytes);
        assert_eq!(bytes.len() as u64, offset, "parts of {snapshot} are stored in order");
        bytes.extend_from_slice(data);
        node.snapshot_stored(snapshot, bytes.len() as u64);
        if (bytes.len() as u64) < snapshot.bytes {
            self.receiving = Some((snapshot, bytes));
        } else if state::name(snapshot.last, &bytes) == snapshot {
            self.keep(snapshot, bytes.into());
            node.snapshot_received(snapshot);
        } else {
            node.snapshot_refused(snapshot);
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(HardState { current_term, voted_for, longest_promise }) = self.hard_state {
            write!(f, " term {current_term}")?;
            match voted_for {
                Some(node) => write!(f, " vote {node}")?,
                None => write!(f, " no vote")?,
            }
            if longest_promise > 0 {
                write!(f, " promise {longest_promise}")?;
            }
        }
        if let Some(base) = self.reset_to {
            write!(f, " a new log after {base}")?;
        }
        if let Some(base) = self.compact_to {
            write!(f, " no need of what is up to {base}")?;
        }
        if let Some(from) = self.truncate_from {
            write!(f, " truncate from {from}")?;
        }
        if !self.repairs.is_empty() {
            f.write_str(" repairs")?;
            self.repairs.iter().try_for_each(|entry| write!(f, " {}", entry.position()))?;
        }
        match &self.entries[..] {
            [] => Ok(()),
            [only] => write!(f, " entry {}", only.position()),
            [first, .., last] => write!(f, " entries {} to {}", first.position(), last.position()),
        }
    }
}

fn configuration_of(entry: &Entry) -> Option<(LogIndex, Arc<Configuration>)> {
    match &entry.payload {
        Payload::Configuration(configuration) => Some((entry.index, Arc::clone(configuration))),
        Payload::Noop | Payload::Command(_) | Payload::Withheld => None,
    }
}

/// An entry whose command is its own name.
pub(crate) fn entry(term: u64, index: u64) -> Entry {
    let payload = Payload::Command(Bytes::from(format!("{term}@{index}")));
    Entry { term: Term(term), index: LogIndex(index), payload }
}

pub(crate) fn hard_state(term: u64) -> HardState {
    HardState { current_term: Term(term), ..HardState::default() }
}
