//! Clients that ask again: within their sessions, of other servers, and of followers that pass it on.

use squall_raft::Forward;

use super::*;
use crate::{Proposal, SessionId, SessionLimits, Submitted, Ticket, seal_proposal};

/// Three replicas, the first of which leads, and a client's session.
fn with_session() -> (Cluster, SessionId) {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    let session = open(&mut cluster);
    (cluster, session)
}

fn open(cluster: &mut Cluster) -> SessionId {
    let position = cluster.replica(1).open_session(RequestId(100)).unwrap();
    cluster.settle();
    let session = SessionId(position.index.0);
    assert_eq!(cluster.answers.pop(), Some((1, RequestId(100), Outcome::Opened { session })));
    cluster.heartbeat(1);
    session
}

/// Appends to the value, so that whatever takes effect twice shows.
fn append(
    cluster: &mut Cluster,
    node: u64,
    request: u128,
    session: SessionId,
    sequence: u64,
) -> Result<Submitted, ProposeError> {
    let ticket = Ticket { session, sequence, acknowledged_below: 0 };
    let command = Command::Append { key: Bytes::from("k"), value: Bytes::from(sequence.to_string()) };
    cluster.replica(node).request_in_session(RequestId(request), ticket, command.encode())
}

fn value(cluster: &mut Cluster, node: u64) -> Option<Bytes> {
    cluster.replica(node).machine().get(b"k").cloned()
}

#[test]
fn a_retry_that_meets_its_first_copy_in_the_log_is_an_entry_without_effect() {
    let (mut cluster, session) = with_session();
    for position in [LogPosition::new(1, 3), LogPosition::new(1, 4)] {
        assert_eq!(append(&mut cluster, 1, 7, session, 5), Ok(Submitted::Proposed(position)));
    }
    cluster.settle();
    assert_eq!(cluster.answers, [(1, RequestId(7), applied(1, 3)), (1, RequestId(7), applied(1, 3))]);
    assert_eq!(value(&mut cluster, 1), Some(Bytes::from("5")));
}

#[test]
fn a_retry_of_what_took_effect_is_answered_by_any_replica_that_applied_it_without_an_entry() {
    let (mut cluster, session) = with_session();
    append(&mut cluster, 1, 7, session, 5).unwrap();
    cluster.settle();
    cluster.heartbeat(1);
    for node in 1..=3 {
        let before = cluster.replica(node).status().last_log;
        assert_eq!(append(&mut cluster, node, 7, session, 5), Ok(Submitted::Decided(applied(1, 3))));
        assert_eq!(cluster.replica(node).status().last_log, before);
        assert_eq!(value(&mut cluster, node), Some(Bytes::from("5")));
    }
}

#[test]
fn a_retry_with_the_successor_of_a_leader_that_lost_its_copy_takes_effect_once() {
    let (mut cluster, session) = with_session();
    cluster.cut_off(1);
    append(&mut cluster, 1, 7, session, 5).unwrap();
    cluster.settle();
    cluster.elect(2);
    append(&mut cluster, 2, 7, session, 5).unwrap();
    cluster.settle();
    cluster.cut.clear();
    cluster.heartbeat(2);
    assert_eq!(cluster.answers, [(2, RequestId(7), applied(2, 4)), (1, RequestId(7), Outcome::Dropped)]);
    assert_eq!(append(&mut cluster, 1, 7, session, 5), Ok(Submitted::Decided(applied(2, 4))));
    assert_eq!(value(&mut cluster, 1), Some(Bytes::from("5")));
}

#[test]
fn replicas_of_different_bounds_make_the_same_state_of_one_log() {
    let (mut cluster, _) = with_session();
    for node in 1..=3 {
        let limits = SessionLimits { max_sessions: node, max_answers: node, max_answer_bytes: node };
        cluster.replica(node).limit_sessions(limits);
    }
    for leader in [1, 2, 3, 2, 1] {
        cluster.elect(leader);
        for _ in 0..3 {
            let position = cluster.replica(leader).open_session(RequestId(8)).unwrap();
            for sequence in 0..4 {
                append(&mut cluster, leader, 9, SessionId(position.index.0), sequence).unwrap();
            }
            cluster.settle();
        }
        cluster.heartbeat(leader);
        let states = [1, 2, 3].map(|node| cluster.replica(node).state().clone());
        assert!(states.iter().all(|state| *state == states[0]), "after the office of {leader}");
        assert_eq!(states[0].sessions().len(), leader, "the leader's bound holds");
    }
}

#[test]
fn a_follower_passes_a_request_on_and_answers_it_when_it_applies_it() {
    let (mut cluster, session) = with_session();
    cluster.replica(2).forward_requests(true);
    assert_eq!(append(&mut cluster, 2, 7, session, 5), Ok(Submitted::Forwarded(NodeId(1))));
    assert_eq!(cluster.replica(2).forwarded_requests(), 1);
    cluster.settle();
    assert_eq!(cluster.answers, [], "the leader has committed it, and node 2 does not know");
    cluster.heartbeat(1);
    assert_eq!(cluster.answers, [(2, RequestId(7), applied(1, 3))]);
    assert_eq!(cluster.replica(2).forwarded_requests(), 0);
}

#[test]
fn a_follower_passes_on_only_what_takes_effect_once() {
    let (mut cluster, session) = with_session();
    let refused = Err(ProposeError::NotLeader { leader: Some(NodeId(1)) });
    assert_eq!(append(&mut cluster, 2, 7, session, 5).map(|_| ()), refused, "it is not told to");
    cluster.replica(2).forward_requests(true);
    assert_eq!(cluster.put(2, 7, "v").map(|_| ()), refused);
    assert_eq!(cluster.replica(2).open_session(RequestId(7)).map(|_| ()), refused);
    assert_eq!(cluster.replica(2).close_session(RequestId(7), session).map(|_| ()), refused);
    let data = seal_proposal(RequestId(7), Proposal::Command(b"twice"));
    let body = Body::Forward(Forward { number: 1, data });
    let message = Message { from: NodeId(2), to: NodeId(1), term: Term(1), body };
    assert_eq!(cluster.replica(1).receive(message), Err(squall_raft::Ignored::Malformed));
}

#[test]
fn who_does_not_lead_refuses_what_is_passed_on_and_passes_it_to_nobody() {
    let (mut cluster, session) = with_session();
    for node in 2..=3 {
        cluster.replica(node).forward_requests(true);
    }
    // Node 3 leads now, and node 2 has not heard of it.
    cluster.cut.extend([(1, 2), (3, 2)]);
    cluster.elect(3);
    cluster.cut.clear();
    append(&mut cluster, 2, 7, session, 5).unwrap();
    cluster.settle();
    let refused = Outcome::Refused(ProposeError::NotLeader { leader: Some(NodeId(3)) });
    assert_eq!(cluster.answers, [(2, RequestId(7), refused)]);
    assert_eq!(value(&mut cluster, 3), None);
}

#[test]
fn a_follower_that_hears_nothing_of_what_it_passed_on_says_so_after_four_election_timeouts() {
    let (mut cluster, session) = with_session();
    let patience = 4 * cluster.replica(2).raft().config().election_timeout;
    cluster.replica(2).forward_requests(true);
    cluster.cut_off(2);
    append(&mut cluster, 2, 7, session, 5).unwrap();
    for (ticks, answers) in [(patience - 1, 0), (1, 1)] {
        cluster.replica(2).tick(ticks);
        cluster.settle();
        assert_eq!(cluster.answers.len(), answers);
    }
    assert_eq!(cluster.answers, [(2, RequestId(7), Outcome::Unknown)]);
}

#[test]
fn a_message_that_arrives_twice_is_two_entries_and_one_effect() {
    let (mut cluster, session) = with_session();
    let ticket = Ticket { session, sequence: 5, acknowledged_below: 0 };
    let command = Command::Append { key: "k", value: "5" }.encode();
    let data = seal_proposal(RequestId(7), Proposal::InSession(ticket, &command));
    for _ in 0..2 {
        let body = Body::Forward(Forward { number: 1, data: data.clone() });
        let message = Message { from: NodeId(2), to: NodeId(1), term: Term(1), body };
        cluster.replica(1).receive(message).unwrap();
    }
    cluster.settle();
    assert_eq!(cluster.replica(1).status().last_log, LogPosition::new(1, 4));
    assert_eq!(value(&mut cluster, 1), Some(Bytes::from("5")));
}

#[test]
fn a_follower_that_has_passed_on_as_much_as_may_wait_refuses_more() {
    let (mut cluster, session) = with_session();
    cluster.replica(2).forward_requests(true);
    cluster.replica(2).limit_pending_requests(1);
    append(&mut cluster, 2, 7, session, 5).unwrap();
    assert_eq!(append(&mut cluster, 2, 8, session, 6), Err(ProposeError::Busy));
}
