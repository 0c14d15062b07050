//! Proposals that are passed on: to whom, by whom, and what is said where nobody takes them.

use bytes::Bytes;
use squall_raft::{
    Body, Forward, ForwardResponse, HardState, Ignored, LogPosition, Message, NodeId, ProposeError, RoleKind,
    Term,
};

use crate::cluster::Cluster;

/// Three nodes that follow n1.
fn followers_of_n1() -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.campaign(1);
    cluster.settle();
    assert_eq!(cluster.status(2).leader, Some(NodeId(1)));
    cluster
}

fn forward(from: u64, to: u64, term: u64) -> Message {
    let body = Body::Forward(Forward { number: 7, data: Bytes::from_static(b"passed on") });
    Message { from: NodeId(from), to: NodeId(to), term: Term(term), body }
}

fn not_leader(leader: Option<u64>) -> ProposeError {
    ProposeError::NotLeader { leader: leader.map(NodeId) }
}

/// What is under way to `to` of what was passed on and refused.
fn refusals(cluster: &Cluster, to: u64) -> Vec<(Term, ForwardResponse)> {
    let to = cluster.network.iter().filter(|message| message.to == NodeId(to));
    let refusals = to.filter_map(|message| match &message.body {
        Body::ForwardResponse(response) => Some((message.term, *response)),
        Body::PreVote(_)
        | Body::PreVoteResponse(_)
        | Body::RequestVote(_)
        | Body::RequestVoteResponse(_)
        | Body::AppendEntries(_)
        | Body::AppendEntriesResponse(_)
        | Body::Heartbeat(_)
        | Body::HeartbeatResponse(_)
        | Body::TimeoutNow
        | Body::Forward(_)
        | Body::ReadIndex(_)
        | Body::ReadIndexResponse(_)
        | Body::InstallSnapshot(_)
        | Body::SnapshotRequest(_)
        | Body::SnapshotChunk(_)
        | Body::RepairRequest(_)
        | Body::RepairResponse(_) => None,
    });
    refusals.collect()
}

#[test]
fn only_a_follower_that_hears_a_leader_passes_anything_on() {
    let mut cluster = Cluster::new(3);
    assert_eq!(cluster.forward(2, "nobody leads"), Err(not_leader(None)));
    let mut cluster = followers_of_n1();
    assert_eq!(cluster.forward(1, "it leads itself"), Err(not_leader(Some(1))));
    assert_eq!(cluster.forward(2, "a follower"), Ok(NodeId(1)));
}

#[test]
fn what_is_too_large_for_the_leader_is_not_passed_on() {
    let mut cluster = Cluster::with(3, |config| config.max_proposal_bytes = 3);
    cluster.campaign(1);
    cluster.settle();
    assert_eq!(cluster.forward(2, "long"), Err(ProposeError::TooLarge { size: 4, max: 3 }));
    assert_eq!(cluster.forward(2, "not"), Ok(NodeId(1)));
}

/// It would wait for the disk, and what waits there has room for one message of a kind.
#[test]
fn a_follower_whose_term_is_not_durable_passes_nothing_on() {
    let mut cluster = Cluster::new(3);
    cluster.campaign(1);
    cluster.settle_among(&[1, 3]);
    cluster.network.clear();
    cluster.writes_at_once = false;
    cluster.tick(1, 5);
    let heartbeat = cluster.network.iter().find(|message| message.to == NodeId(2)).cloned();
    cluster.deliver(heartbeat.expect("a heartbeat for n2")).expect("it is of a new term");
    assert_eq!(cluster.status(2).leader, Some(NodeId(1)));
    assert_eq!(cluster.forward(2, "one"), Err(not_leader(Some(1))));
    assert!(cluster.write_one(NodeId(2)));
    assert_eq!(cluster.forward(2, "one"), Ok(NodeId(1)));
}

#[test]
fn what_is_passed_on_to_a_follower_is_refused_with_the_leader_and_goes_no_further() {
    let mut cluster = followers_of_n1();
    assert_eq!(cluster.deliver(forward(3, 2, 1)), Ok(()));
    let refusal = ForwardResponse { number: 7, refusal: not_leader(Some(1)) };
    assert_eq!(refusals(&cluster, 3), [(Term(1), refusal)]);
    assert_eq!(cluster.network.len(), 1, "and nothing else is said: {:?}", cluster.network);
}

#[test]
fn what_is_passed_on_in_an_earlier_term_is_refused_in_the_present_one_even_by_its_leader() {
    let mut cluster = followers_of_n1();
    cluster.transfer(1, 2).expect("a transfer that can begin");
    cluster.settle();
    assert_eq!(cluster.status(2).role, RoleKind::Leader);
    assert_eq!(cluster.deliver(forward(3, 2, 1)), Err(Ignored::StaleTerm));
    let refusal = ForwardResponse { number: 7, refusal: not_leader(Some(2)) };
    assert_eq!(refusals(&cluster, 3), [(Term(2), refusal)]);
    assert_eq!(cluster.status(2).last_log, LogPosition::new(2, 2));
}

#[test]
fn a_refusal_of_an_earlier_term_is_heard() {
    let logs = vec![(Vec::new(), HardState { current_term: Term(5), ..HardState::default() }); 3];
    let mut cluster = Cluster::recovered(&logs, |_| {});
    let body = Body::ForwardResponse(ForwardResponse { number: 7, refusal: ProposeError::Busy });
    let refusal = |term| Message { from: NodeId(2), to: NodeId(1), term: Term(term), body: body.clone() };
    assert_eq!(cluster.deliver(refusal(4)), Ok(()));
    assert_eq!(cluster.deliver(refusal(6)), Ok(()));
    assert_eq!(cluster.status(1).current_term, Term(6));
}
