//! Disks that are slow, and work.

use squall_raft::{NodeId, RoleKind, Term};

use crate::cluster::Cluster;

/// Longer than the shortest election timeout.
const WRITE_TICKS: u64 = 20;

/// Carries out writes as storage does: what waits when a group begins is durable when it ends.
struct SlowDisk {
    node: NodeId,
    group: usize,
}

impl SlowDisk {
    fn end_group(&mut self, cluster: &mut Cluster) {
        for _ in 0..self.group {
            assert!(cluster.write_one(self.node), "a write that the group took in");
        }
        self.group = cluster.waiting_writes(self.node);
    }
}

#[test]
fn followers_whose_every_write_takes_longer_than_an_election_timeout_keep_their_leader() {
    let mut cluster = Cluster::new(3);
    cluster.campaign(1);
    cluster.settle();
    cluster.writes_at_once = false;
    let mut disks = [2, 3].map(|id| SlowDisk { node: NodeId(id), group: 0 });
    for tick in 1..=1_000 {
        for id in 1..=3 {
            cluster.tick(id, 1);
        }
        cluster.propose(1, "again").expect("a leader takes a proposal at each tick");
        while cluster.write_one(NodeId(1)) {}
        if tick % WRITE_TICKS == 0 {
            disks.iter_mut().for_each(|disk| disk.end_group(&mut cluster));
        }
        cluster.settle();
    }
    let status = cluster.status(1);
    assert_eq!((status.role, status.current_term), (RoleKind::Leader, Term(1)));
    assert!(status.commit_index.0 > 900, "all but the last groups: {status:?}");
}

#[test]
fn what_is_durable_of_what_came_is_acknowledged_once() {
    let mut cluster = Cluster::new(3);
    cluster.campaign(1);
    cluster.settle();
    cluster.writes_at_once = false;
    for data in ["one", "two"] {
        cluster.propose(1, data).expect("n1 leads");
        cluster.settle();
    }
    assert!(cluster.write_one(NodeId(2)), "the first of two writes");
    let before = cluster.journal.len();
    for _ in 0..3 {
        cluster.tick(2, 1);
    }
    assert_eq!(cluster.journal[before..], [""; 0], "the other one is owed, and nothing is said twice");
    let acknowledged = cluster.journal[..before].iter().rfind(|line| line.contains("n2>n1"));
    assert!(acknowledged.is_some_and(|line| line.contains("matched 2")), "{:#?}", cluster.journal);
}
