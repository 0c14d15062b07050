//! Snapshots: when they are taken, what they hold, who gets on with them.

use bytes::{BufMut, BytesMut};
use squall_raft::{Change, Configuration, HardState};

use super::*;
use crate::image::{InForce, LogSummary, ReplicaImage, ReplicaLoader};
use crate::{PairsImage, Proposal, SessionId, SessionLimits, SnapshotPolicy, State, Ticket, seal_proposal};

const POLICY: SnapshotPolicy =
    SnapshotPolicy { every_entries: 10, every_bytes: u64::MAX, keep_entries: 3, wait_bytes: 2_000 };

/// Three replicas that take snapshots, led by the first.
fn cluster(policy: SnapshotPolicy) -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.replicas.iter_mut().for_each(|replica| replica.take_snapshots(policy).unwrap());
    cluster.elect(1);
    cluster
}

impl Cluster {
    fn put_many(&mut self, node: u64, requests: std::ops::Range<u128>) {
        for request in requests {
            let (key, value) = (Bytes::from(format!("k{}", request % 7)), Bytes::from(format!("v{request}")));
            self.replica(node).request(RequestId(request), Command::Put { key, value }.encode()).unwrap();
            self.settle();
        }
        self.heartbeat(node);
    }

    fn snapshots(&self, node: usize) -> Vec<SnapshotId> {
        self.shelves[node - 1].whole.iter().map(|(snapshot, _)| *snapshot).collect()
    }

    fn base(&mut self, node: u64) -> u64 {
        self.replica(node).raft().base().index.0
    }
}

#[test]
fn replicas_take_the_same_snapshots_at_the_same_entries() {
    let mut cluster = cluster(POLICY);
    cluster.put_many(1, 0..25);
    let taken = cluster.snapshots(1);
    assert_eq!(taken.iter().map(|snapshot| snapshot.last.index.0).collect::<Vec<_>>(), [10, 20]);
    for node in [2, 3] {
        assert_eq!(cluster.snapshots(node), taken, "byte by byte, on node {node}");
    }
    assert_eq!([1, 2, 3].map(|node| cluster.base(node)), [17; 3], "three entries are kept behind it");
}

#[test]
fn bytes_of_the_log_make_a_snapshot_due_too() {
    let entry_bytes = 32 + 16 + 1 + 4 + 2 + 4 + 2;
    let policy = SnapshotPolicy {
        every_entries: u64::MAX,
        every_bytes: 4 * entry_bytes,
        keep_entries: 0,
        wait_bytes: 0,
    };
    let mut cluster = cluster(policy);
    cluster.put_many(1, 0..10);
    let taken = cluster.snapshots(1);
    // The no-op has 32 bytes.
    assert_eq!(taken.iter().map(|snapshot| snapshot.last.index.0).collect::<Vec<_>>(), [5, 9]);
    assert_eq!(cluster.snapshots(2), taken);
}

#[test]
fn a_replica_that_was_away_for_long_is_put_into_the_state_of_the_others() {
    let mut cluster = cluster(POLICY);
    cluster.cut_off(3);
    cluster.put_many(1, 0..25);
    assert_eq!(cluster.replica(3).status().last_applied, LogIndex(0));
    cluster.cut.clear();
    (0..5).for_each(|_| cluster.heartbeat(1));
    assert_eq!(cluster.snapshots(3), cluster.snapshots(1)[1..], "it took none, and was given the newest");
    assert_eq!(cluster.replica(3).status().last_applied, LogIndex(26), "and applied what follows it");
    let [first, third] = [0, 2].map(|place| cluster.replicas[place].machine());
    assert_eq!((third, third.digest()), (first, first.digest()));
    cluster.put_many(1, 25..30);
    assert_eq!(
        cluster.snapshots(3)[1..],
        cluster.snapshots(1)[2..],
        "from there on it takes the same as they do"
    );
}

/// Its last entry is one that the sessions or the configuration in it name.
#[test]
fn a_snapshot_may_end_with_a_new_session_or_a_new_configuration() {
    let newest: [fn(&mut Replica<KeyValue>); 2] = [
        |leader| _ = leader.open_session(RequestId(1)).unwrap(),
        |leader| _ = leader.change_membership(&[Change::Demote { id: NodeId(3) }]).unwrap(),
    ];
    for newest in newest {
        let mut cluster = cluster(SnapshotPolicy { every_entries: 1, keep_entries: 0, ..POLICY });
        cluster.cut_off(3);
        newest(cluster.replica(1));
        cluster.settle();
        cluster.heartbeat(1);
        let last = cluster.replica(1).status().last_log;
        assert_eq!(cluster.replica(1).raft().snapshot().map(|snapshot| snapshot.last), Some(last));
        cluster.cut.clear();
        (0..5).for_each(|_| cluster.heartbeat(1));
        let [first, third] = [0, 2].map(|place| cluster.replicas[place].state());
        assert_eq!((third, cluster.replicas[2].status().last_applied), (first, last.index));
    }
}

/// What is found where there is a snapshot of term 1, and nothing behind it.
fn begins_with(snapshot: SnapshotId) -> Recovered {
    Recovered {
        boot: 1,
        hard_state: HardState { current_term: Term(1), ..HardState::default() },
        snapshot: Some(snapshot),
        base: snapshot.last,
        last_index: snapshot.last.index,
        ..Recovered::default()
    }
}

#[test]
fn a_life_begins_with_the_newest_snapshot() {
    let mut cluster = cluster(POLICY);
    cluster.put_many(1, 0..9);
    let snapshot = cluster.snapshots(1)[0];
    let recovered = begins_with(snapshot);
    let before = cluster.replica(1).machine().clone();
    let nodes: Vec<NodeId> = (1..=3).map(NodeId).collect();
    *cluster.replica(1) = Replica::new(config(NodeId(1), &nodes), &recovered, KeyValue::default()).unwrap();
    cluster.settle();
    assert_eq!(cluster.replica(1).machine(), &before);
    assert_eq!(cluster.replica(1).status().last_applied, LogIndex(10));
}

#[test]
fn a_life_whose_snapshot_is_not_what_it_should_be_ends() {
    let snapshot = SnapshotId { last: LogPosition::new(1, 10), bytes: 100, checksum: 7 };
    let recovered = begins_with(snapshot);
    let start = || {
        let config = config(NodeId(1), &[NodeId(1)]);
        let mut replica = Replica::new(config, &recovered, KeyValue::default()).unwrap();
        let job = SnapshotJob::Load { snapshot, offset: 0, max_bytes: 50 };
        assert_eq!(replica.next_output(), Some(Output::Snapshot(job)));
        replica
    };
    let told = |data: Option<&[u8]>| start().loaded(snapshot, 0, data).map_err(|error| error.to_string());
    assert_eq!(told(None), Err("the newest snapshot is gone".into()));
    assert_eq!(told(Some(b"")), Err("the newest snapshot ends too early".into()));
    let foreign = "these bytes are no snapshot of a replica, or one of another version";
    assert_eq!(told(Some(b"SqX\x01")), Err(foreign.into()));
    assert_eq!(told(Some(b"SqI")), Ok(()));
    assert_eq!(start().loaded(snapshot, 50, None), Ok(()), "nobody asked for that part");
}

/// Its parts may be gone by then.
#[test]
fn a_snapshot_that_a_newer_one_overtook_is_not_asked_for_any_more() {
    let [older, newer] =
        [10, 20].map(|index| SnapshotId { last: LogPosition::new(1, index), bytes: 100, checksum: 7 });
    let recovered = begins_with(older);
    let config = config(NodeId(1), &[1, 2, 3].map(NodeId));
    let mut replica = Replica::new(config, &recovered, KeyValue::default()).unwrap();
    let load = |snapshot| Output::Snapshot(SnapshotJob::Load { snapshot, offset: 0, max_bytes: 50 });
    assert_eq!(replica.next_output(), Some(load(older)));
    replica.snapshot_received(newer);
    assert_eq!(replica.loaded(older, 0, None), Ok(()));
    while replica.next_output().expect("the newer one has yet to be loaded") != load(newer) {}
}

#[test]
fn a_request_that_a_snapshot_passes_over_is_answered_with_what_is_known_of_it() {
    let mut cluster = cluster(POLICY);
    cluster.cut_off(1);
    cluster.put(1, 100, "whose").unwrap();
    cluster.settle();
    cluster.elect(2);
    cluster.put_many(2, 0..25);
    assert!(!cluster.answers.iter().any(|(node, ..)| *node == 1));
    cluster.cut.clear();
    for _ in 0..3 {
        cluster.heartbeat(2);
    }
    let of_the_first: Vec<_> = cluster.answers.iter().filter(|(node, ..)| *node == 1).collect();
    assert_eq!(of_the_first, [&(1, RequestId(100), Outcome::Unknown)]);
}

#[test]
fn a_leader_waits_with_its_next_snapshot_while_a_follower_gets_on_with_the_last() {
    let mut cluster = cluster(POLICY);
    cluster.cut_off(3);
    cluster.put_many(1, 0..12);
    // The third gets what it asks of the first, and waits for what it asks of the second.
    cluster.cut = BTreeSet::from([(2, 3)]);
    (0..5).for_each(|_| cluster.heartbeat(1));
    assert!(cluster.replica(1).raft().is_sending_snapshot());
    cluster.cut_off(3);
    cluster.put_many(1, 12..30);
    assert_eq!(cluster.snapshots(1).len(), 1, "none at 20 and 30");
    assert_eq!(cluster.snapshots(2).len(), 3, "the others need not wait");
    cluster.put_many(1, 30..60);
    assert_eq!(cluster.snapshots(1).last().map(|last| last.last.index.0), Some(60), "but not for ever");
}

/// How many commands are answered until the third has a snapshot, where one part of it travels with each. It has some 50
/// parts, and one is due after each 10 entries.
fn commands_until_the_third_has_a_snapshot(wait_bytes: u64) -> Option<u128> {
    let policy = SnapshotPolicy { wait_bytes, ..POLICY };
    let mut cluster = cluster(policy);
    cluster.cut_off(3);
    let large = Command::Put { key: Bytes::from("large"), value: Bytes::from(vec![7; 2_000]) };
    cluster.replica(1).request(RequestId(1 << 64), large.encode()).unwrap();
    cluster.settle();
    cluster.put_many(1, 0..30);
    cluster.cut = BTreeSet::from([(2, 3), (3, 2)]);
    cluster.held = Some(VecDeque::new());
    for request in 30..600 {
        let put = Command::Put { key: Bytes::from("small"), value: Bytes::from(format!("{request}")) };
        cluster.replica(1).request(RequestId(request), put.encode()).unwrap();
        cluster.settle();
        for node in 1..=3 {
            cluster.replica(node).tick(1);
        }
        cluster.settle();
        if let Some(job) = cluster.held.as_mut().and_then(VecDeque::pop_front) {
            cluster.shelves[0].carry_out(job, &mut cluster.replicas[0]);
            cluster.settle();
        }
        if !cluster.shelves[2].whole.is_empty() {
            return Some(request - 30);
        }
    }
    None
}

#[test]
fn a_transfer_ends_where_the_leader_waits_for_as_much_log_as_is_written_meanwhile() {
    assert_eq!(
        commands_until_the_third_has_a_snapshot(0),
        None,
        "each time the next one is taken, it begins anew"
    );
    let commands = commands_until_the_third_has_a_snapshot(1 << 20).expect("a leader that waits");
    assert!(commands < 120, "{commands}");
}

/// The state after an entry with this proposal.
fn apply(state: &mut State<KeyValue>, index: u64, proposal: Proposal<'_>) {
    let payload = Payload::Command(seal_proposal(RequestId(u128::from(index)), proposal));
    state.apply(&Entry { term: Term(1), index: LogIndex(index), payload });
}

/// A state with some pairs and a session, and another that came by them in another way.
fn two_ways() -> [State<KeyValue>; 2] {
    let made_of = |keys: Vec<u32>| {
        let mut state = State::new(KeyValue::default());
        apply(&mut state, 1, Proposal::OpenSession(SessionLimits::default()));
        for key in keys {
            let (key, value) = (Bytes::from(format!("key {key}")), Bytes::from(vec![7; key as usize % 90]));
            apply(&mut state, 2, Proposal::Command(&Command::Put { key, value }.encode()));
        }
        let ticket = Ticket { session: SessionId(1), sequence: 4, acknowledged_below: 2 };
        apply(
            &mut state,
            3,
            Proposal::InSession(ticket, &Command::Get { key: Bytes::from("key 9") }.encode()),
        );
        state
    };
    [made_of((0..300).collect()), made_of((0..300).rev().collect())]
}

fn in_force() -> Configuration {
    Configuration::first(&[NodeId(1), NodeId(2), NodeId(5)])
}

fn image(state: &State<KeyValue>) -> ReplicaImage<PairsImage> {
    ReplicaImage::new(
        LogSummary { last: LogPosition::new(3, 400), bytes: 9_999 },
        state,
        (LogIndex(7), &in_force()),
    )
}

fn bytes_of(mut image: ReplicaImage<PairsImage>, part_bytes: u64) -> Vec<u8> {
    std::iter::repeat_with(|| image.read(part_bytes)).take_while(|part| !part.is_empty()).flatten().collect()
}

#[test]
fn equal_states_have_equal_bytes_however_they_came_about_and_are_read() {
    let [up, down] = two_ways();
    let bytes = bytes_of(image(&up), 1 << 20);
    for part_bytes in [1, 13, 4096] {
        assert_eq!(bytes_of(image(&down), part_bytes), bytes);
    }
    for part_bytes in [1, 13, 4096] {
        let mut loader = ReplicaLoader::<KeyValue>::new();
        bytes.chunks(part_bytes).for_each(|part| loader.load(part).unwrap());
        let (last, InForce { index, configuration }) =
            loader.take_in_force().expect("it stands in the image");
        assert_eq!((last, index, configuration), (LogPosition::new(3, 400), LogIndex(7), in_force()));
        let (log, state) = loader.finish().unwrap();
        assert_eq!((log.last, log.bytes), (LogPosition::new(3, 400), 9_999));
        let state = state.expect("no witness's");
        assert_eq!((&state, state.digest()), (&up, up.digest()));
    }
}

#[test]
fn an_image_stays_what_it_was_while_the_machine_works_on() {
    let [mut state, _] = two_ways();
    let expected = bytes_of(image(&state), 100);
    let mut image = image(&state);
    let mut read = image.read(5_000).to_vec();
    for key in 0..300 {
        let delete = Command::Delete { key: Bytes::from(format!("key {key}")) };
        apply(&mut state, 4, Proposal::Command(&delete.encode()));
    }
    read.extend(bytes_of(image, 100));
    assert_eq!(read, expected);
}

#[test]
fn bytes_that_are_no_snapshot_are_refused_with_what_is_wrong() {
    let told = |bytes: &[u8]| {
        let mut loader = ReplicaLoader::<KeyValue>::new();
        loader.load(bytes).and_then(|()| loader.finish().map(drop)).unwrap_err().to_string()
    };
    let good = bytes_of(image(&two_ways()[0]), 100);
    assert_eq!(told(b"another"), "these bytes are no snapshot of a replica, or one of another version");
    assert_eq!(told(&good[..20]), "the snapshot is cut short");
    assert_eq!(told(&good[..good.len() - 1]), "the snapshot is cut short");
    assert_eq!(told(&[&good[..], b"more"].concat()), "the snapshot is cut short");
    let unknown_part = [&good[..], &[9; 9]].concat();
    assert_eq!(told(&unknown_part), "a part of the snapshot is unknown, or not in its place");

    // The mark, the part about the log with its head, the head of the next part: then the index, and three members of 17
    // bytes.
    let index_at = 4 + 9 + 24 + 9;
    let later = [&good[..index_at], &401_u64.to_le_bytes(), &good[index_at + 8..]].concat();
    assert_eq!(told(&later), "the configuration is of an entry after the snapshot");
    let members_end = index_at + 8 + 3 * 17;
    let unknown_standing = [&good[..members_end - 1], &[9], &good[members_end..]].concat();
    assert_eq!(told(&unknown_standing), "an unknown standing");

    // No session is as old as entry 2, and the configuration is of no entry.
    // The mark, the head of the part about the log, the term: then the index.
    let earlier =
        [&good[..21], &2_u64.to_le_bytes(), &good[29..index_at], &[0; 8], &good[index_at + 8..]].concat();
    assert_eq!(told(&earlier), "a session's last entry is one after the snapshot");

    let of_machine = |machine: &[u8]| {
        let mut bytes = BytesMut::from(&good[..members_end]);
        bytes.put_u8(3);
        bytes.put_u64_le(machine.len() as u64);
        bytes.put_slice(machine);
        let no_sessions = [&[4][..], &8_u64.to_le_bytes(), &0_u64.to_le_bytes()].concat();
        bytes.put_slice(&no_sessions);
        told(&bytes)
    };
    let head = |pairs: u64| [9_u64.to_le_bytes(), pairs.to_le_bytes()].concat();
    let (a, b) = (b"\x01\0\0\0a\0\0\0\0", b"\x01\0\0\0b\0\0\0\0");
    assert_eq!(of_machine(&head(1)), "the pairs are cut short");
    assert_eq!(
        of_machine(&[&head(u64::MAX)[..], a, b"\xff\xff\xff\xff"].concat()),
        "the pairs are cut short"
    );
    let more = "more pairs than are announced";
    assert_eq!(of_machine(&[&head(1)[..], a, b].concat()), more);
    let disorder = "the pairs are not in order";
    assert_eq!(of_machine(&[&head(2)[..], b, a].concat()), disorder);
    assert_eq!(of_machine(&[&head(2)[..], a, a].concat()), disorder);
}

#[test]
fn a_policy_that_would_never_come_to_an_end_is_refused() {
    let mut cluster = Cluster::new(1);
    for (policy, expected) in [
        (
            SnapshotPolicy { every_entries: 0, ..SnapshotPolicy::default() },
            "every_entries is 0; expected at least 1",
        ),
        (
            SnapshotPolicy { every_bytes: 0, ..SnapshotPolicy::default() },
            "every_bytes is 0; expected at least 1",
        ),
    ] {
        let said = cluster.replica(1).take_snapshots(policy).unwrap_err().to_string();
        assert!(said.starts_with(expected), "{said}");
    }
}
