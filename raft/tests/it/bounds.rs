//! What is full says so, and takes more once there is room.

use bytes::Bytes;
use squall_raft::{Action, Config, Ignored, LogIndex, Message, NodeId, ProposeError, Raft, Recovered, Term};

use crate::cluster::{Cluster, entry};
use crate::hostile::append;

/// Does all that a node of its own asks for but apply; returns up to where it asked for that.
fn drive(raft: &mut Raft) -> LogIndex {
    let mut apply_to = LogIndex::ZERO;
    loop {
        let token = match raft.next_action() {
            None => return apply_to,
            Some(Action::Persist(write)) => write.token,
            Some(Action::Apply { last, .. }) => {
                apply_to = last;
                continue;
            }
            Some(action) => panic!("a node of its own has no use for {action:?}"),
        };
        raft.persisted(token);
    }
}

#[test]
fn a_leader_whose_state_machine_is_too_far_behind_takes_no_more_until_it_gets_on() {
    let config = Config { max_unapplied_entries: 3, ..Config::new(NodeId(1), vec![NodeId(1)]) };
    let mut raft = Raft::new(config, &Recovered::default()).expect("a sound configuration");
    raft.campaign();
    assert_eq!(drive(&mut raft), LogIndex(1), "the no-op");
    for index in 2..=3 {
        let position = raft.propose(Bytes::from("more")).expect("two wait at most");
        assert_eq!(position.index, LogIndex(index));
        drive(&mut raft);
    }
    assert_eq!(raft.propose(Bytes::from("too much")), Err(ProposeError::Busy));
    raft.applied(LogIndex(1));
    drive(&mut raft);
    assert!(raft.propose(Bytes::from("more")).is_ok());
}

#[test]
fn one_proposal_may_be_larger_than_what_may_be_uncommitted_and_then_it_is_alone() {
    let mut cluster = Cluster::with(3, |config| config.max_uncommitted_bytes = 4);
    cluster.campaign(1);
    cluster.settle();
    for _ in 0..2 {
        cluster.propose(1, "more than four bytes").expect("nothing is uncommitted");
        assert_eq!(cluster.propose(1, "more"), Err(ProposeError::Busy));
        cluster.settle();
    }
}

/// n1 follows n2, has room for ten entries in memory, and is sent one after the other, of which so many are committed.
/// Returns how many it takes.
fn taken(cluster: &mut Cluster, commit: u64) -> u64 {
    let takes = |index: &u64| {
        let prev = if *index == 1 { (0, 0) } else { (1, index - 1) };
        let body = append(prev, vec![entry(1, *index)], commit.min(*index));
        let result = cluster.deliver(Message { from: NodeId(2), to: NodeId(1), term: Term(1), body });
        assert!(matches!(result, Ok(()) | Err(Ignored::Busy)), "{result:?}");
        result.is_ok()
    };
    (1..=100).take_while(takes).count() as u64
}

fn with_room_for_ten() -> Cluster {
    Cluster::with(3, |config| (config.max_log_bytes, config.cache_bytes) = (360, 0))
}

#[test]
fn memory_that_is_full_makes_room_by_what_is_durable_committed_or_not() {
    assert_eq!(taken(&mut with_room_for_ten(), 0), 100);
}

#[test]
fn what_is_being_applied_stays_in_memory_and_where_that_is_full_nothing_more_is_taken() {
    let mut cluster = with_room_for_ten();
    cluster.stuck.insert(NodeId(1));
    let taken = taken(&mut cluster, 1);
    assert!((10..=12).contains(&taken), "{taken} of 100 entries");
    let (front, back) = cluster.node(1).committed(LogIndex(1), LogIndex(1));
    assert_eq!(front.iter().chain(back).cloned().collect::<Vec<_>>(), [entry(1, 1)]);
}
