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
