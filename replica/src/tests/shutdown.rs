//! Replicas that are shut down while clients are waiting.

use squall_raft::{NodeId, ProposeError, ReadError, RoleKind};

use super::{Cluster, applied, get};
use crate::{Consistency, Outcome, RequestId};

const PATIENCE: u64 = 60;

#[test]
fn a_leader_that_shuts_down_hands_over_and_answers_what_it_took_before() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.put(1, 7, "v").unwrap();
    cluster.replica(1).shut_down(PATIENCE);
    assert!(!cluster.replica(1).may_stop(), "it leads, and a request waits");
    assert_eq!(cluster.put(1, 8, "w"), Err(ProposeError::ShuttingDown));
    assert_eq!(get(&mut cluster, 1, 9, Consistency::Serializable), Err(ReadError::ShuttingDown));
    cluster.settle();
    assert_eq!(cluster.answers, [(1, RequestId(7), applied(1, 2))]);
    assert_eq!(cluster.replica(2).status().role, RoleKind::Leader);
    assert!(cluster.replica(1).may_stop());
    cluster.put(2, 8, "w").unwrap();
    cluster.settle();
    assert_eq!(cluster.answers[1..], [(2, RequestId(8), applied(2, 4))], "nobody had to wait");
}

#[test]
fn a_follower_that_shuts_down_may_stop_at_once() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    assert!(!cluster.replica(2).may_stop(), "it was not told to");
    cluster.replica(2).shut_down(PATIENCE);
    assert!(cluster.replica(2).may_stop());
    assert_eq!(cluster.put(2, 7, "v"), Err(ProposeError::ShuttingDown));
}

#[test]
fn one_that_is_alone_leads_until_its_requests_are_answered() {
    let mut cluster = Cluster::new(1);
    cluster.elect(1);
    cluster.apply_by_itself = false;
    cluster.put(1, 7, "v").unwrap();
    cluster.settle();
    cluster.replica(1).shut_down(PATIENCE);
    cluster.settle();
    assert!(!cluster.replica(1).may_stop());
    cluster.replica(1).apply(u64::MAX);
    cluster.settle();
    assert_eq!(cluster.answers, [(1, RequestId(7), applied(1, 2))]);
    assert!(cluster.replica(1).may_stop());
}

#[test]
fn when_patience_is_over_it_says_of_every_request_that_it_does_not_know() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.cut_off(1);
    cluster.put(1, 7, "v").unwrap();
    get(&mut cluster, 1, 8, Consistency::Linearizable).unwrap();
    cluster.settle();
    cluster.replica(1).shut_down(PATIENCE);
    cluster.settle();
    let due = cluster.replica(1).ticks_until_due();
    assert!(due <= PATIENCE, "{due} ticks");
    cluster.replica(1).tick(PATIENCE - 1);
    cluster.settle();
    assert!(!cluster.replica(1).may_stop(), "the request may still be decided");
    cluster.replica(1).tick(1);
    assert!(!cluster.replica(1).may_stop(), "answers are to be given first");
    cluster.settle();
    let fates = [(1, RequestId(7), Outcome::Unknown), (1, RequestId(8), Outcome::Dropped)];
    assert_eq!(cluster.answers, fates);
    assert!(cluster.replica(1).may_stop());
}

#[test]
fn one_that_is_shutting_down_takes_no_office_that_is_handed_to_it() {
    let mut cluster = Cluster::new(3);
    cluster.elect(1);
    cluster.replica(2).shut_down(PATIENCE);
    assert!(cluster.replica(1).transfer_leadership(NodeId(2)).is_ok(), "n1 does not know yet");
    cluster.settle();
    assert_eq!(cluster.replica(2).status().role, RoleKind::Follower);
}
