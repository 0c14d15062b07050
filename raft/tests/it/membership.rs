//! Who is a member, as of which entry.

use squall_raft::{Change, ChangeError, LogIndex, NodeId};

use crate::cluster::Cluster;

/// n1 leads n2 and n3, and all of them know it.
fn led_by_n1() -> Cluster {
    let mut cluster = Cluster::new(3);
    cluster.campaign(1);
    cluster.settle();
    cluster
}

#[test]
fn a_learner_that_has_caught_up_becomes_a_voter_only_if_it_is_to() {
    for promote in [false, true] {
        let mut cluster = led_by_n1();
        cluster.join(4);
        cluster.change(1, &[Change::AddLearner { id: NodeId(4), promote }]).expect("n1 leads");
        for _ in 0..8 {
            cluster.pass(5);
        }
        let last = cluster.status(1).last_log.index;
        let fourth = cluster.node(1).followers().find(|follower| follower.id == NodeId(4)).expect("a member");
        assert_eq!((fourth.match_index, fourth.votes.incoming), (last, promote));
    }
}

#[test]
fn a_configuration_is_in_force_from_its_entry_on() {
    let mut cluster = led_by_n1();
    let learner = Change::AddLearner { id: NodeId(4), promote: false };
    let added = cluster.change(1, &[learner]).expect("n1 leads").index;
    let in_force = |cluster: &mut Cluster, index: LogIndex| {
        let (entry, configuration) = cluster.node(1).configuration_at(index).expect("nothing was given up");
        (entry, configuration.members().len())
    };
    assert_eq!(in_force(&mut cluster, added.prev()), (LogIndex::ZERO, 3));
    assert_eq!(in_force(&mut cluster, added), (added, 4));
    assert_eq!(in_force(&mut cluster, added.next()), (added, 4));
}

#[test]
fn a_change_needs_room_in_memory() {
    let mut cluster = Cluster::with(3, |config| (config.max_log_bytes, config.cache_bytes) = (100, 0));
    cluster.campaign(1);
    cluster.settle();
    let learner = Change::AddLearner { id: NodeId(4), promote: false };
    while cluster.propose(1, "more").is_ok() {}
    assert_eq!(cluster.change(1, &[learner]), Err(ChangeError::Busy));
    cluster.settle();
    assert!(cluster.change(1, &[learner]).is_ok());
}

#[test]
fn a_change_waits_for_the_one_before_it_however_plain() {
    let mut cluster = led_by_n1();
    let learner = |id| Change::AddLearner { id: NodeId(id), promote: false };
    let index = cluster.change(1, &[learner(4)]).expect("n1 leads").index;
    assert_eq!(cluster.change(1, &[learner(5)]), Err(ChangeError::UnderWay { index }));
    cluster.settle();
    assert!(cluster.change(1, &[learner(5)]).is_ok());
}
