//! Reads and what must not confirm them.

use squall_raft::{Body, Message, NodeId, RoleKind, Round, Term};

use crate::cluster::Cluster;

/// Takes a message out of the network.
fn take(cluster: &mut Cluster, is_wanted: impl Fn(&Message) -> bool) -> Message {
    let position = cluster.network.iter().position(is_wanted).expect("it is under way");
    cluster.network.remove(position)
}

fn pass(cluster: &mut Cluster, nodes: &[u64], ticks: u64) {
    for _ in 0..ticks {
        for id in nodes {
            cluster.tick(*id, 1);
        }
        cluster.network.clear();
    }
}

/// Rounds are numbered anew in each term. A heartbeat of n1's term 1 comes late and is answered in term 2, which n1 leads
/// as well by then; that answer comes late, too. It says nothing about the round of the same number in term 2.
#[test]
fn the_late_answer_to_a_round_of_an_earlier_term_confirms_no_read() {
    let mut cluster = Cluster::new(3);
    cluster.campaign(1);
    cluster.settle();
    for _ in 0..3 {
        cluster.tick(1, 5);
        cluster.settle();
    }
    cluster.tick(1, 5);
    let of_round_4 =
        |message: &Message| matches!(message.body, Body::Heartbeat(beat) if beat.round == Round(4));
    let slow = take(&mut cluster, |message| message.to == NodeId(3) && of_round_4(message));
    cluster.network.clear();
    cluster.crash(NodeId(1));
    cluster.restart(NodeId(1));
    pass(&mut cluster, &[2, 3], 15);
    cluster.campaign(1);
    cluster.settle();
    assert_eq!((cluster.status(1).role, cluster.status(1).current_term), (RoleKind::Leader, Term(2)));
    let _stale = cluster.deliver(slow);
    let slow = take(&mut cluster, |message| message.from == NodeId(3));

    // n1 is cut off, and holds its office for a while yet; n3 leads term 3, and commits.
    pass(&mut cluster, &[1, 2, 3], 17);
    assert_eq!(cluster.status(1).role, RoleKind::Leader);
    cluster.campaign(3);
    cluster.settle_among(&[2, 3]);
    let written = cluster.propose(3, "new").expect("n3 leads");
    cluster.settle_among(&[2, 3]);
    assert!(cluster.status(3).last_applied >= written.index);

    let _read = cluster.read(1).expect("n1 believes that it leads");
    cluster.network.clear();
    let _stale = cluster.deliver(slow);
    assert_eq!(cluster.reads[&NodeId(1)], [], "nobody has confirmed that n1 leads");
}

/// n2 hears its leader, which does not hear n2.
#[test]
fn a_follower_drops_reads_that_its_leader_does_not_answer() {
    let mut cluster = Cluster::new(3);
    cluster.campaign(1);
    cluster.settle();
    cluster.tick(1, 5);
    cluster.settle();
    let read = cluster.read(2).expect("n2 hears a leader");
    cluster.network.clear();
    for _ in 0..13 {
        for id in [1, 2, 3] {
            cluster.tick(id, 5);
        }
        while let Some(message) = cluster.network.pop() {
            if message.from != NodeId(2) {
                let _stale = cluster.deliver(message);
            }
        }
    }
    assert_eq!(cluster.status(2).leader, Some(NodeId(1)));
    assert_eq!(cluster.reads[&NodeId(2)], [(read, None)]);
}

/// Without CheckQuorum a leader that is cut off keeps its office, and cannot serve.
#[test]
fn a_leader_that_nobody_answers_drops_its_reads_whatever_it_thinks_of_its_office() {
    let mut cluster = Cluster::with(3, |config| config.check_quorum = false);
    cluster.campaign(1);
    cluster.settle();
    let read = cluster.read(1).expect("n1 leads");
    pass(&mut cluster, &[1], 100);
    assert_eq!(cluster.status(1).role, RoleKind::Leader);
    assert_eq!(cluster.reads[&NodeId(1)], [(read, None)]);
}
