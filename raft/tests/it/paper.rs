//! The paper's own figures, as tables.

use squall_raft::{
    AppendEntries, Body, LogIndex, LogPosition, Message, NodeId, RequestVote, RoleKind, Session, Term,
};

use crate::cluster::{Cluster, entry, hard_state};

/// Figure 7: the leader of term 8, and the logs that its followers may have.
const LEADER: [u64; 10] = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
const FOLLOWERS: [(&str, &[u64]); 6] = [
    ("a: lacks the last entry", &[1, 1, 1, 4, 4, 5, 5, 6, 6]),
    ("b: lacks six entries", &[1, 1, 1, 4]),
    ("c: has one entry more of term 6", &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]),
    ("d: has two entries of term 7", &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]),
    ("e: lacks five and has two of term 4", &[1, 1, 1, 4, 4, 4, 4]),
    ("f: was leader in terms 2 and 3", &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]),
];

/// §5.4.1 applied to Figure 7: who would vote for whom.
#[test]
fn figure_7_a_vote_goes_to_logs_that_are_at_least_as_up_to_date() {
    let logs: Vec<&[u64]> =
        std::iter::once(&LEADER[..]).chain(FOLLOWERS.iter().map(|(_, log)| *log)).collect();
    let mut table = String::new();
    for candidate in &logs {
        for voter in &logs {
            let mut cluster = Cluster::recovered(&vec![(voter.to_vec(), hard_state(7)); 2], |_| {});
            let last_log = LogPosition::new(candidate[candidate.len() - 1], candidate.len() as u64);
            let body = Body::RequestVote(RequestVote { last_log, leadership_transfer: false });
            let request = Message { from: NodeId(2), to: NodeId(1), term: Term(8), body };
            cluster.deliver(request).expect("a request of a higher term is heard");
            let granted = cluster.status(1).voted_for == Some(NodeId(2));
            table.push(if granted { 'Y' } else { '-' });
        }
        table.push('\n');
    }
    // Rows: the candidate; columns: the voter; both in the order leader, a, b, c, d, e, f.
    let expected = "\
YYY--YY
-YY--YY
--Y---Y
YYYY-YY
YYYYYYY
--Y--YY
------Y
";
    assert_eq!(table, expected);
}

/// §5.3 applied to Figure 7: the leader brings every one of these logs to its own.
#[test]
fn figure_7_every_follower_is_repaired() {
    let mut repaired = LEADER.to_vec();
    repaired.push(8);
    for (name, log) in FOLLOWERS {
        // Three voters, so that the leader can win its election with one vote from a log like its own.
        let nodes =
            vec![(LEADER.to_vec(), hard_state(7)), (log.to_vec(), hard_state(7)), (vec![1], hard_state(7))];
        let mut cluster = Cluster::recovered(&nodes, |_| {});
        cluster.campaign(1);
        cluster.settle_among(&[1, 3]);
        assert_eq!(cluster.status(1).role, RoleKind::Leader, "{name}");
        assert_eq!(cluster.status(1).current_term, Term(8), "{name}");
        cluster.tick(1, 5);
        cluster.settle();
        cluster.tick(1, 5);
        cluster.settle();
        cluster.tick(1, 5);
        cluster.settle();
        assert_eq!(cluster.terms_on_disk(2), repaired, "{name}");
        assert_eq!(cluster.status(2).commit_index, LogIndex(11), "{name}");
    }
}

/// Figure 8 (c): S1 leads term 4, and its entry 2, of term 2, stands on a majority. S5 holds entry 2 of term 3.
fn figure_8_c() -> Cluster {
    let nodes = [
        (vec![1, 2], hard_state(3)),
        (vec![1, 2], hard_state(3)),
        (vec![1], hard_state(3)),
        (vec![1], hard_state(3)),
        (vec![1, 3], hard_state(3)),
    ];
    let mut cluster = Cluster::recovered(&nodes, |config| {
        config.pre_vote = false;
        config.check_quorum = false;
    });
    cluster.crash(NodeId(5));
    cluster.campaign(1);
    let requests = std::mem::take(&mut cluster.network);
    for request in requests.into_iter().filter(|message| [2, 3].contains(&message.to.0)) {
        cluster.deliver(request).expect("a vote request of a new term");
    }
    for vote in std::mem::take(&mut cluster.network) {
        cluster.deliver(vote).expect("a vote for the candidate");
        if cluster.status(1).role == RoleKind::Leader {
            break;
        }
    }
    // What the leader sends on its own, its entry of term 4 among it, is lost; entry 2 alone reaches S3.
    cluster.network.clear();
    let entries = vec![entry(2, 2)].into();
    let (session, leader_commit) = (Session::default(), LogIndex(0));
    let prev_log = LogPosition::new(1, 1);
    let body = Body::AppendEntries(AppendEntries { session, prev_log, entries, leader_commit });
    cluster
        .deliver(Message { from: NodeId(1), to: NodeId(3), term: Term(4), body })
        .expect("from the leader");
    for answer in std::mem::take(&mut cluster.network) {
        cluster.deliver(answer).expect("an acknowledgement");
    }
    cluster.network.clear();
    cluster
}

/// §5.4.2: a majority holds the entry, and yet it is not committed, because it is of an earlier term.
#[test]
fn figure_8_c_an_entry_of_an_earlier_term_is_not_committed_by_counting() {
    let cluster = figure_8_c();
    assert_eq!((cluster.status(1).role, cluster.status(1).current_term), (RoleKind::Leader, Term(4)));
    for id in [1, 2, 3] {
        assert_eq!(cluster.terms_on_disk(id)[..2], [1, 2], "entry 2 is on S{id}");
    }
    assert_eq!(cluster.status(1).commit_index, LogIndex(0));
}

/// Figure 8 (d): it was right not to commit it, for S5 may still be elected and overwrite it.
#[test]
fn figure_8_d_the_entry_may_still_be_overwritten() {
    let mut cluster = figure_8_c();
    cluster.crash(NodeId(1));
    cluster.restart(NodeId(5));
    // S5 has not heard of term 4: its first campaign teaches it, its second is for term 5.
    for _ in 0..2 {
        cluster.campaign(5);
        cluster.settle_among(&[2, 3, 4, 5]);
    }
    assert_eq!((cluster.status(5).role, cluster.status(5).current_term), (RoleKind::Leader, Term(5)));
    for id in [2, 3, 4] {
        assert_eq!(cluster.terms_on_disk(id), [1, 3, 5], "S{id} has the log of S5");
    }
}

/// Figure 8 (e): had the entry of term 4 reached a majority, entry 2 would be committed with it.
#[test]
fn figure_8_e_an_entry_of_the_own_term_commits_what_stands_before_it() {
    let mut cluster = figure_8_c();
    for _ in 0..3 {
        cluster.tick(1, 5);
        cluster.settle_among(&[1, 2, 3]);
    }
    assert_eq!(cluster.status(1).commit_index, LogIndex(3));
    cluster.crash(NodeId(1));
    cluster.restart(NodeId(5));
    for _ in 0..3 {
        cluster.campaign(5);
        cluster.settle_among(&[2, 3, 4, 5]);
        assert_ne!(cluster.status(5).role, RoleKind::Leader, "S5 cannot win an election any more");
    }
}

/// §5.2: one vote in a term, first come first served, whatever the voter does meanwhile.
#[test]
fn one_that_asks_whether_it_could_win_keeps_the_vote_it_gave() {
    let mut cluster = Cluster::new(3);
    let ask = |cluster: &mut Cluster, from: u64| {
        let body = Body::RequestVote(RequestVote { last_log: LogPosition::ZERO, leadership_transfer: false });
        let request = Message { from: NodeId(from), to: NodeId(1), term: Term(1), body };
        cluster.deliver(request).expect("a request of the present term");
        let answer = |message: &Message| {
            let Body::RequestVoteResponse(response) = &message.body else { return None };
            Some((message.to.0, response.granted))
        };
        std::mem::take(&mut cluster.network).iter().find_map(answer)
    };
    assert_eq!(ask(&mut cluster, 2), Some((2, true)));
    let timeout = cluster.node(1).config().election_timeout;
    cluster.tick(1, 2 * timeout);
    cluster.network.clear();
    assert_eq!((cluster.status(1).role, cluster.status(1).current_term), (RoleKind::PreCandidate, Term(1)));
    assert_eq!(ask(&mut cluster, 3), Some((3, false)));
    assert_eq!(ask(&mut cluster, 2), Some((2, true)), "the answer may have been lost");
}
