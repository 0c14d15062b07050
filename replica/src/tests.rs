//! Replicas among themselves: what becomes of requests when leaders come and go.

mod sessions;
mod shutdown;
mod snapshots;
mod witnesses;

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use squall_raft::{
    AppendEntries, Body, Config, Entries, Entry, LogIndex, LogPosition, Message, NodeId, Payload,
    ProposeError, ReadError, ReadId, Recovered, RoleKind, Session, SnapshotId, Term, WriteToken,
};

use crate::kv::{Command, KeyValue, Reply};
use crate::{Consistency, LoadError, Outcome, Output, Replica, RequestId, SnapshotJob, StateMachine};

/// Replicas on perfect disks, joined by links that deliver at once or, where cut, never.
struct Cluster {
    replicas: Vec<Replica<KeyValue>>,
    cut: BTreeSet<(u64, u64)>,
    answers: Vec<(u64, RequestId, Outcome)>,
    apply_by_itself: bool,
    /// The snapshots of each replica: the whole ones, and one that is being received.
    shelves: Vec<Shelf>,
    /// What the first is asked to serve waits here, where there is such a queue.
    held: Option<VecDeque<SnapshotJob>>,
}

#[derive(Clone, Default)]
struct Shelf {
    whole: Vec<(SnapshotId, Bytes)>,
    receiving: Vec<u8>,
}

impl Cluster {
    fn new(size: u64) -> Self {
        let nodes: Vec<NodeId> = (1..=size).map(NodeId).collect();
        let replica = |&id| {
            let config = config(id, &nodes);
            Replica::new(config, &Recovered::default(), KeyValue::default()).unwrap()
        };
        let replicas = nodes.iter().map(replica).collect();
        let shelves = vec![Shelf::default(); nodes.len()];
        Self {
            replicas,
            cut: BTreeSet::new(),
            answers: Vec::new(),
            apply_by_itself: true,
            shelves,
            held: None,
        }
    }

    fn replica(&mut self, node: u64) -> &mut Replica<KeyValue> {
        &mut self.replicas[node as usize - 1]
    }

    fn cut_off(&mut self, node: u64) {
        for other in 1..=self.replicas.len() as u64 {
            self.cut.extend([(node, other), (other, node)]);
        }
    }

    fn elect(&mut self, node: u64) {
        self.replica(node).campaign();
        self.settle();
        assert_eq!(self.replica(node).status().role, RoleKind::Leader);
    }

    fn put(&mut self, node: u64, request: u128, value: &'static str) -> Result<LogPosition, ProposeError> {
        let put = Command::Put { key: Bytes::from("k"), value: Bytes::from(value) };
        self.replica(node).request(RequestId(request), put.encode())
    }

    /// Carries out all outputs until there are none.
    fn settle(&mut self) {
        let mut messages = VecDeque::new();
        loop {
            for node in 1..=self.replicas.len() as u64 {
                self.drain(node, &mut messages);
            }
            let Some(message): Option<Message> = messages.pop_front() else { return };
            // Refusals are part of the story; the test sees what became of it.
            let _ = self.replica(message.to.0).receive(message);
        }
    }

    fn drain(&mut self, node: u64, messages: &mut VecDeque<Message>) {
        let Self { replicas, cut, answers, apply_by_itself, shelves, held } = self;
        let replica = &mut replicas[node as usize - 1];
        loop {
            let mut written: Option<WriteToken> = None;
            match replica.next_output() {
                Some(Output::Send(message)) if cut.contains(&(message.from.0, message.to.0)) => {}
                Some(Output::Send(message)) => messages.push_back(message),
                Some(Output::Persist(write)) => written = Some(write.token),
                Some(Output::Fetch(fetch)) => panic!("everything is in memory, and yet {fetch:?}"),
                Some(Output::Apply) if !*apply_by_itself => {}
                Some(Output::ReadsSettled { .. }) => {}
                Some(Output::Apply) => assert!(replica.apply(u64::MAX) > 0),
                Some(Output::Snapshot(job @ SnapshotJob::Serve { .. })) if node == 1 && held.is_some() => {
                    held.as_mut().expect("it was just looked at").push_back(job);
                }
                Some(Output::Snapshot(job)) => shelves[node as usize - 1].carry_out(job, replica),
                Some(Output::Respond { request, outcome }) => answers.push((node, request, outcome)),
                None => return,
            }
            if let Some(token) = written {
                replica.persisted(token);
            }
        }
    }

    /// Lets heartbeats go out.
    fn heartbeat(&mut self, leader: u64) {
        self.replica(leader).tick(5);
        self.settle();
    }
}

impl Shelf {
    fn carry_out(&mut self, job: SnapshotJob, replica: &mut Replica<KeyValue>) {
        match job {
            SnapshotJob::Take { last } => {
                let parts =
                    std::iter::repeat_with(|| replica.read_image(7)).take_while(|part| !part.is_empty());
                let bytes = Bytes::from(parts.collect::<Vec<Bytes>>().concat());
                let snapshot = snapshot_id(last, &bytes);
                self.whole.push((snapshot, bytes));
                replica.snapshot_taken(snapshot);
            }
            SnapshotJob::Load { snapshot, offset, max_bytes } => {
                let part = self.read(snapshot, offset, max_bytes);
                replica.loaded(snapshot, offset, part.as_deref()).unwrap();
            }
            SnapshotJob::Serve { to, snapshot, offset, max_bytes } => {
                replica.snapshot_read(to, snapshot, offset, self.read(snapshot, offset, max_bytes));
            }
            SnapshotJob::Store { snapshot, offset, data } => {
                self.receiving.truncate(offset as usize);
                self.receiving.extend_from_slice(&data);
                replica.snapshot_stored(snapshot, self.receiving.len() as u64);
                if self.receiving.len() as u64 == snapshot.bytes {
                    assert_eq!(snapshot_id(snapshot.last, &self.receiving), snapshot);
                    self.whole.push((snapshot, std::mem::take(&mut self.receiving).into()));
                    replica.snapshot_received(snapshot);
                }
            }
        }
    }

    fn read(&self, snapshot: SnapshotId, offset: u64, max_bytes: u64) -> Option<Bytes> {
        let (_, bytes) = self.whole.iter().find(|(whole, _)| *whole == snapshot)?;
        Some(bytes.slice(offset as usize..bytes.len().min((offset + max_bytes) as usize)))
    }
}

/// The name of the snapshot with these bytes; its checksum is FNV-1a.
fn snapshot_id(last: LogPosition, bytes: &[u8]) -> SnapshotId {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    SnapshotId { last, bytes: bytes.len() as u64, checksum: bytes.iter().fold(0xcbf2_9ce4_8422_2325, step) }
}

fn config(id: NodeId, nodes: &[NodeId]) -> Config {
    Config {
        pre_vote: false,
        check_quorum: false,
        max_snapshot_chunk_bytes: 50,
        ..Config::new(id, nodes.to_vec())
    }
}

fn applied(term: u64, index: u64) -> Outcome {
    Outcome::Applied { position: LogPosition::new(term, index), result: Reply::Done.encode() }
}

#[test]
fn a_request_is_answered_once_its_entry_is_applied_and_not_before() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.apply_by_itself = false;
    assert_eq!(cluster.put(1, 7, "v"), Ok(LogPosition::new(1, 2)));
    cluster.settle();
    assert_eq!(cluster.replica(1).apply_backlog(), 1, "committed");
    assert_eq!(cluster.answers, []);
    assert_eq!(cluster.replica(1).apply(10), 1);
    cluster.settle();
    assert_eq!(cluster.answers, [(1, RequestId(7), applied(1, 2))]);
    assert_eq!(cluster.replica(1).pending_requests(), 0);
}

#[test]
fn the_driver_paces_the_state_machine_entry_by_entry() {
    let mut cluster = Cluster::new(1);
    cluster.elect(1);
    cluster.apply_by_itself = false;
    for request in 0..3 {
        cluster.put(1, request, "v").unwrap();
    }
    cluster.settle();
    let mut seen = Vec::new();
    for left in [2, 1, 0] {
        let applied = cluster
            .replica(1)
            .apply_observed(1, |entry, _, state| seen.push((entry.index.0, state.digest())));
        assert_eq!(applied, 1);
        assert_eq!(cluster.replica(1).apply_backlog(), left);
    }
    assert_eq!(cluster.replica(1).apply(1), 0);
    assert_eq!(seen.iter().map(|seen| seen.0).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(seen[2].1, cluster.replica(1).state().digest());
}

#[test]
fn a_replica_that_does_not_lead_refuses_and_never_answers() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    assert_eq!(cluster.put(2, 7, "v"), Err(ProposeError::NotLeader { leader: Some(NodeId(1)) }));
    cluster.settle();
    assert_eq!(cluster.answers, []);
}

#[test]
fn a_deposed_leader_reports_its_request_dropped_when_another_entry_is_applied_in_its_place() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.cut_off(1);
    cluster.put(1, 7, "lost").unwrap();
    cluster.settle();
    cluster.elect(2);
    cluster.put(2, 8, "won").unwrap();
    cluster.settle();
    assert_eq!(cluster.answers, [(2, RequestId(8), applied(2, 3))]);
    cluster.cut.clear();
    cluster.heartbeat(2);
    assert_eq!(cluster.answers[1..], [(1, RequestId(7), Outcome::Dropped)]);
    let value = cluster.replica(1).machine().get(b"k").cloned();
    assert_eq!(value, Some(Bytes::from("won")));
}

#[test]
fn a_deposed_leader_reports_its_request_applied_when_its_successor_commits_it() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.cut.extend([(2, 1), (1, 3), (3, 1)]);
    cluster.put(1, 7, "kept").unwrap();
    cluster.settle();
    assert_eq!(cluster.answers, [], "node 2 has the entry, and node 1 does not know");
    cluster.elect(2);
    cluster.cut.clear();
    cluster.heartbeat(2);
    assert_eq!(cluster.answers, [(1, RequestId(7), applied(1, 2))]);
}

#[test]
fn a_leader_with_a_full_table_refuses_and_accepts_again_when_answers_were_given() {
    let mut cluster = Cluster::new(1);
    cluster.elect(1);
    cluster.replica(1).limit_pending_requests(1);
    cluster.put(1, 1, "a").unwrap();
    assert_eq!(cluster.put(1, 2, "b"), Err(ProposeError::Busy));
    cluster.settle();
    cluster.put(1, 3, "c").unwrap();
    cluster.settle();
    assert_eq!(cluster.answers, [(1, RequestId(1), applied(1, 2)), (1, RequestId(3), applied(1, 3))]);
}

#[test]
fn a_new_office_makes_room_by_giving_up_the_oldest_request_of_a_former_one() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.apply_by_itself = false;
    cluster.replica(1).limit_pending_requests(1);
    cluster.put(1, 7, "a").unwrap();
    cluster.settle();
    cluster.elect(2);
    cluster.elect(1);
    let position = cluster.put(1, 8, "b").unwrap();
    assert_eq!(cluster.put(1, 9, "c"), Err(ProposeError::Busy));
    cluster.apply_by_itself = true;
    cluster.replica(1).apply(u64::MAX);
    cluster.settle();
    let outcome = Outcome::Applied { position, result: Reply::Done.encode() };
    assert_eq!(cluster.answers, [(1, RequestId(7), Outcome::Unknown), (1, RequestId(8), outcome)]);
}

/// The core carries what it is given: an entry that no replica sealed is passed over by all of them alike.
#[test]
fn an_entry_that_nobody_sealed_changes_nothing_and_is_passed_over() {
    let mut cluster = Cluster::new(3);
    let entry = Entry { term: Term(1), index: LogIndex(1), payload: Payload::Command(Bytes::from("short")) };
    let append = AppendEntries {
        session: Session::default(),
        prev_log: LogPosition::ZERO,
        entries: Entries::One(entry),
        leader_commit: LogIndex(1),
    };
    let (from, to) = (NodeId(2), NodeId(1));
    let message = Message { from, to, term: Term(1), body: Body::AppendEntries(append) };
    cluster.cut_off(1);
    cluster.replica(1).receive(message).unwrap();
    cluster.settle();
    assert_eq!(cluster.replica(1).status().last_applied, LogIndex(1));
    assert_eq!(cluster.replica(1).machine(), &KeyValue::default());
}

fn get(
    cluster: &mut Cluster,
    node: u64,
    request: u128,
    consistency: Consistency,
) -> Result<Option<ReadId>, ReadError> {
    let query = Command::Get { key: Bytes::from("k") };
    cluster.replica(node).read(RequestId(request), query.encode(), consistency)
}

fn read(applied: u64, value: Option<&'static str>) -> Outcome {
    let result = Reply::Value(value.map(Bytes::from)).encode();
    Outcome::Read { applied: LogIndex(applied), result }
}

#[test]
fn a_linearizable_read_at_a_follower_sees_what_the_leader_has_committed() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.put(1, 7, "v").unwrap();
    cluster.settle();
    cluster.answers.clear();
    assert_eq!(cluster.replica(2).status().last_applied, LogIndex(1), "it has not heard of the commit");
    get(&mut cluster, 2, 8, Consistency::Serializable).unwrap();
    get(&mut cluster, 2, 9, Consistency::Linearizable).unwrap();
    cluster.settle();
    assert_eq!(cluster.answers, [(2, RequestId(8), read(1, None)), (2, RequestId(9), read(2, Some("v")))]);
}

#[test]
fn a_leader_that_was_replaced_behind_its_back_answers_no_linearizable_read() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.cut_off(1);
    cluster.elect(2);
    cluster.put(2, 7, "v").unwrap();
    cluster.settle();
    cluster.answers.clear();
    get(&mut cluster, 1, 8, Consistency::Serializable).unwrap();
    get(&mut cluster, 1, 9, Consistency::Linearizable).unwrap();
    cluster.settle();
    assert_eq!(cluster.answers, [(1, RequestId(8), read(1, None))]);
    cluster.cut.clear();
    cluster.heartbeat(2);
    assert_eq!(cluster.answers[1..], [(1, RequestId(9), Outcome::Dropped)]);
}

#[test]
fn who_hears_no_leader_or_is_asked_too_much_refuses_to_read() {
    let mut cluster = Cluster::new(3);
    assert_eq!(get(&mut cluster, 1, 7, Consistency::Linearizable), Err(ReadError::NoLeader));
    let config =
        Config { max_pending_reads: 1, max_proposal_bytes: 6, ..Config::new(NodeId(1), vec![NodeId(1)]) };
    let mut replica = Replica::new(config, &Recovered::default(), KeyValue::default()).unwrap();
    let read =
        |replica: &mut Replica<_>, query: &[u8]| replica.read(RequestId(7), query, Consistency::Linearizable);
    assert_eq!(read(&mut replica, b"1234567"), Err(ReadError::TooLarge { size: 7, max: 6 }));
    replica.campaign();
    while let Some(output) = replica.next_output() {
        if let Output::Persist(write) = output {
            let token = write.token;
            replica.persisted(token);
            break;
        }
    }
    assert_eq!(read(&mut replica, b""), Ok(Some(ReadId(1))), "it leads, and has committed nothing yet");
    assert_eq!(read(&mut replica, b""), Err(ReadError::Busy));
}

#[test]
fn an_operator_hands_the_office_to_another_at_once() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.replica(1).transfer_leadership(NodeId(2)).unwrap();
    cluster.settle();
    assert_eq!(cluster.replica(2).status().role, RoleKind::Leader);
    let due = cluster.replica(2).ticks_until_due();
    assert!((1..=5).contains(&due), "its next heartbeat is due after {due} ticks");
}
