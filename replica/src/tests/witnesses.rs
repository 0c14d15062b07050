//! Witnesses: replicas without a state.

use squall_raft::HardState;

use super::*;
use crate::{SessionId, SnapshotPolicy, Ticket};

const POLICY: SnapshotPolicy =
    SnapshotPolicy { every_entries: 10, every_bytes: u64::MAX, keep_entries: 3, wait_bytes: 2_000 };

fn config_of(node: u64) -> Config {
    let nodes: Vec<NodeId> = (1..=3).map(NodeId).collect();
    Config { witnesses: vec![NodeId(3)], ..config(NodeId(node), &nodes) }
}

/// Two replicas and a witness that take snapshots, led by the first.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new(3);
    for node in 1..=3 {
        let mut replica = Replica::new(config_of(node), &Recovered::default(), KeyValue::default()).unwrap();
        replica.take_snapshots(POLICY).unwrap();
        *cluster.replica(node) = replica;
    }
    cluster.elect(1);
    cluster
}

fn put_many(cluster: &mut Cluster, requests: std::ops::Range<u128>) {
    for request in requests {
        cluster.put(1, request, "value").unwrap();
        cluster.settle();
    }
    cluster.heartbeat(1);
}

fn newest(cluster: &Cluster, node: usize) -> SnapshotId {
    cluster.shelves[node - 1].whole.last().expect("one was taken").0
}

#[test]
fn a_witness_compacts_its_log_behind_a_snapshot_that_holds_no_state() {
    let mut cluster = cluster();
    put_many(&mut cluster, 0..25);
    let position = newest(&cluster, 3);
    assert!(position.last.index >= LogIndex(20) && position.bytes < 128, "{position:?}");
    assert_eq!(cluster.replica(3).raft().base(), position.last);
    assert_eq!(cluster.replica(3).machine(), &KeyValue::default());

    let recovered = Recovered {
        boot: 1,
        hard_state: HardState { current_term: Term(1), ..HardState::default() },
        snapshot: Some(position),
        base: position.last,
        last_index: position.last.index,
        ..Recovered::default()
    };
    *cluster.replica(3) = Replica::new(config_of(3), &recovered, KeyValue::default()).unwrap();
    put_many(&mut cluster, 25..30);
    let [first, third] = [1, 3].map(|node| cluster.replica(node).status().last_applied);
    assert_eq!(third, first, "a new life goes on from there");
    assert_eq!(cluster.replica(3).raft().configuration().to_string(), "voters n1 n2 n3, witnesses n3");

    let refused = LoadError::new("the newest snapshot is a witness's, and holds no state");
    let config = Config { witnesses: vec![], ..config_of(3) };
    let mut copy = Replica::new(config, &recovered, KeyValue::default()).unwrap();
    let bytes = &cluster.shelves[2].whole.iter().find(|(id, _)| *id == position).expect("it is kept").1;
    assert_eq!(copy.loaded(position, 0, Some(bytes)), Ok(()), "nobody asked yet");
    assert!(matches!(copy.next_output(), Some(Output::Snapshot(SnapshotJob::Load { .. }))));
    assert_eq!(copy.loaded(position, 0, Some(bytes)), Err(refused), "nor is it a start for a copy");
}

#[test]
fn a_witness_that_was_away_for_long_goes_on_where_the_leader_begins() {
    let mut cluster = cluster();
    cluster.cut_off(3);
    put_many(&mut cluster, 0..25);
    cluster.cut.clear();
    (0..5).for_each(|_| cluster.heartbeat(1));
    assert_eq!(newest(&cluster, 3).last, newest(&cluster, 1).last, "of the same entry");
    assert!(newest(&cluster, 3).bytes < newest(&cluster, 1).bytes, "but without the state");
    let [first, third] = [1, 3].map(|node| cluster.replica(node).status().last_log);
    assert_eq!(third, first);
}

#[test]
fn a_witness_answers_no_client_and_says_who_leads() {
    let mut cluster = cluster();
    let session = SessionId(cluster.replica(1).open_session(RequestId(9)).unwrap().index.0);
    cluster.settle();
    cluster.heartbeat(1);
    let witness = cluster.replica(3);
    witness.forward_requests(true);
    let asks_n1 = Err(ProposeError::NotLeader { leader: Some(NodeId(1)) });
    assert_eq!(witness.request(RequestId(1), "command").map(|_| ()), asks_n1);
    let ticket = Ticket { session, sequence: 1, acknowledged_below: 1 };
    assert_eq!(witness.request_in_session(RequestId(2), ticket, "command").map(|_| ()), asks_n1);
    for consistency in [Consistency::Linearizable, Consistency::Serializable] {
        assert_eq!(witness.read(RequestId(3), "key", consistency), Err(ReadError::Witness));
    }
}
