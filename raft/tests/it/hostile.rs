//! Messages that no honest node sends: refused for a reason, and never believed.

use squall_raft::{
    AppendEntries, Body, Entry, Heartbeat, Ignored, LogIndex, LogPosition, Message, NodeId, Round, Session,
    Term,
};

use crate::cluster::{Cluster, entry};

fn from_n2(term: u64, body: Body) -> Message {
    Message { from: NodeId(2), to: NodeId(1), term: Term(term), body }
}

fn append(prev: (u64, u64), entries: Vec<Entry>, commit: u64) -> Body {
    Body::AppendEntries(AppendEntries {
        session: Session::default(),
        prev_log: LogPosition::new(prev.0, prev.1),
        entries: entries.into(),
        leader_commit: LogIndex(commit),
    })
}

/// A follower that has ten entries of term 1 from the leader of term 2.
fn follower_of_ten() -> Cluster {
    let mut cluster = Cluster::new(3);
    let entries = (1..=10).map(|index| entry(1, index)).collect();
    cluster.deliver(from_n2(2, append((0, 0), entries, 0))).expect("ten entries");
    cluster
}

#[test]
fn a_leader_that_takes_back_what_it_sent_is_refused() {
    let mut cluster = follower_of_ten();
    let taken_back = from_n2(2, append((1, 5), vec![entry(2, 6)], 10));
    assert_eq!(cluster.deliver(taken_back), Err(Ignored::ContradictsCommitted));
    let heartbeat = Heartbeat { session: Session::default(), round: Round(1), commit: LogIndex(9) };
    cluster.deliver(from_n2(2, Body::Heartbeat(heartbeat))).expect("a heartbeat of the leader");
    assert_eq!(cluster.status(1).last_log, LogPosition::new(1, 10));
    assert_eq!(cluster.status(1).commit_index, LogIndex(9));
}

#[test]
fn terms_that_rise_without_end_ask_a_hanging_disk_for_a_bounded_number_of_writes() {
    let mut cluster = Cluster::new(3);
    cluster.writes_at_once = false;
    for term in 1..5_000 {
        cluster.deliver(from_n2(term, append((0, 0), vec![entry(term, 1)], 0))).ok();
    }
    assert!(cluster.waiting_writes(NodeId(1)) <= 1024);
    assert_eq!(cluster.status(1).current_term, Term(4_999));
}

#[test]
fn the_end_of_time_is_reached_without_a_panic() {
    let mut cluster = Cluster::new(1);
    cluster.tick(1, u64::MAX);
    cluster.tick(1, u64::MAX);
    cluster.settle();
    cluster.propose(1, "still here").expect("a cluster of one leads");
}
