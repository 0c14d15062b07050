//! Messages that no honest node sends: refused for a reason, and never believed.

use std::sync::Arc;

use squall_raft::{
    AppendEntries, AppendEntriesResponse, AppendResult, Body, Config, Configuration, Entry, Heartbeat,
    Ignored, LogIndex, LogPosition, Message, NodeId, Payload, Raft, Recovered, RequestVote,
    RequestVoteResponse, RoleKind, Round, Session, Term,
};

use crate::cluster::{Cluster, entry, hard_state};

fn from_n2(term: u64, body: Body) -> Message {
    Message { from: NodeId(2), to: NodeId(1), term: Term(term), body }
}

pub(crate) fn append(prev: (u64, u64), entries: Vec<Entry>, commit: u64) -> Body {
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
    let (session, round, commit) = (Session::default(), Round(1), LogIndex(9));
    let heartbeat = Heartbeat { session, round, commit, outranked: false };
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

/// Whoever asks is answered, member or not; but not all of them at once, while the disk hangs.
#[test]
fn a_crowd_of_strangers_makes_a_hanging_disk_hold_back_a_bounded_number_of_answers() {
    let mut cluster = Cluster::new(3);
    cluster.writes_at_once = false;
    for stranger in 0..5_000 {
        let body = Body::RequestVote(RequestVote { last_log: LogPosition::ZERO, leadership_transfer: false });
        let request = Message { from: NodeId(9_000 + stranger), to: NodeId(1), term: Term(1), body };
        cluster.deliver(request).expect("a request of the present term");
    }
    while cluster.write_one(NodeId(1)) {}
    let answers = cluster.network.len();
    assert!((1..=1024).contains(&answers), "{answers} answers");
}

#[test]
fn answers_of_strangers_count_for_nothing() {
    let mut cluster = Cluster::new(3);
    cluster.campaign(1);
    for stranger in 4..9 {
        let body = Body::RequestVoteResponse(RequestVoteResponse { granted: true, is_conditional: false });
        let vote = Message { from: NodeId(stranger), to: NodeId(1), term: Term(1), body };
        assert_eq!(cluster.deliver(vote), Err(Ignored::UnknownSender));
    }
    assert_eq!(cluster.status(1).role, RoleKind::Candidate);
    cluster.settle();
    let result = AppendResult::Matched(LogIndex(1));
    let body = Body::AppendEntriesResponse(AppendEntriesResponse { session: Session::default(), result });
    let matched = Message { from: NodeId(4), to: NodeId(1), term: Term(1), body };
    assert_eq!(cluster.deliver(matched), Err(Ignored::UnknownSender));
}

#[test]
fn what_storage_recovers_of_configurations_must_fit_its_log() {
    let configuration = Arc::new(Configuration::first(&[NodeId(1), NodeId(2)]));
    let payload = Payload::Configuration(Arc::clone(&configuration));
    let recovered = |configurations: &[u64]| Recovered {
        hard_state: hard_state(1),
        terms: vec![LogPosition::new(1, 1)],
        last_index: LogIndex(3),
        tail: vec![Entry { term: Term(1), index: LogIndex(3), payload: payload.clone() }],
        configurations: configurations.iter().map(|at| (LogIndex(*at), Arc::clone(&configuration))).collect(),
        ..Recovered::default()
    };
    let start = |configurations: &[u64]| {
        Raft::new(Config::new(NodeId(1), vec![NodeId(1)]), &recovered(configurations)).map(|_| ())
    };
    assert_eq!(start(&[1, 3]), Ok(()));
    for wrong in [&[1, 2][..], &[3, 1], &[3, 3], &[0, 3], &[3, 4], &[]] {
        let error = start(wrong).expect_err("entry 3 alone of the tail is a configuration");
        assert_eq!(error.field, "recovered.configurations", "{wrong:?}");
    }
}

#[test]
fn the_end_of_time_is_reached_without_a_panic() {
    let mut cluster = Cluster::new(1);
    cluster.tick(1, u64::MAX);
    cluster.tick(1, u64::MAX);
    cluster.settle();
    cluster.propose(1, "still here").expect("a cluster of one leads");
}

#[test]
fn a_refusal_of_what_was_acknowledged_or_with_a_hint_beyond_itself_is_no_refusal() {
    let mut cluster = Cluster::new(3);
    cluster.campaign(1);
    cluster.settle();
    for _ in 0..4 {
        cluster.propose(1, "x").expect("n1 leads");
    }
    cluster.network.clear(); // n2 has acknowledged one entry of five, and four are under way.
    for (rejected, hint) in [(1, 1), (1, 0), (3, 4)] {
        let hint = LogPosition::new(1.min(hint), hint);
        let result = AppendResult::Conflict { rejected: LogIndex(rejected), hint, is_uncertain: false };
        let answer = AppendEntriesResponse { session: Session::default(), result };
        let result = cluster.deliver(from_n2(1, Body::AppendEntriesResponse(answer)));
        assert_eq!(result, Err(Ignored::StaleResponse), "{rejected}, {hint}");
    }
    assert!(cluster.node(1).followers().all(|follower| follower.is_replicating));
}
