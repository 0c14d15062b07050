//! A node whose log may lack what it acknowledged helps nobody to office who may lack it, too.

use squall_raft::{HardState, LogIndex, LogPosition, NodeId, Raft, Recovered, RoleKind, SnapshotId, Term};

use crate::cluster::{Cluster, hard_state};

/// Nodes with these logs, as the terms of their entries, all in term 2.
fn with_logs(logs: &[&[u64]]) -> Cluster {
    let nodes: Vec<(Vec<u64>, HardState)> = logs.iter().map(|log| (log.to_vec(), hard_state(2))).collect();
    Cluster::recovered(&nodes, |_| {})
}

/// The end of a node's log is damaged while it is down, from this entry on, and it starts again.
fn lose_end(cluster: &mut Cluster, id: u64, from: u64) {
    cluster.crash(NodeId(id));
    cluster.lose_end(id, from);
    cluster.restart(NodeId(id));
}

fn elect(cluster: &mut Cluster, id: u64, reach: &[u64]) {
    cluster.campaign(id);
    cluster.settle_among(reach);
}

#[test]
fn an_acknowledged_entry_outlives_the_loss_of_one_copy() {
    let mut cluster = with_logs(&[&[1], &[1], &[1]]);
    elect(&mut cluster, 1, &[1, 2, 3]);
    cluster.propose(1, "x").expect("it leads");
    cluster.settle_among(&[1, 2]);
    assert_eq!(cluster.status(1).commit_index, LogIndex(3), "n1 and n2 have it");
    lose_end(&mut cluster, 2, 3);
    cluster.crash(NodeId(1));
    for candidate in [2, 3] {
        elect(&mut cluster, candidate, &[2, 3]);
        assert_eq!(cluster.status(candidate).role, RoleKind::Candidate, "n1 may have what n2 lost");
    }
    cluster.restart(NodeId(1));
    let patience = cluster.node(1).config().election_timeout * 8;
    (0..patience).for_each(|_| cluster.pass(1));
    assert_eq!(cluster.leader(), Some(1));
    assert!(
        cluster.terms_on_disk(2).starts_with(&[1, 3, 3]) && cluster.terms_on_disk(3).starts_with(&[1, 3, 3])
    );
}

#[test]
fn who_has_an_entry_of_a_later_term_is_certain_again_and_who_has_none_stays_as_it_is() {
    let mut cluster = with_logs(&[&[1, 2], &[1, 2], &[1, 2]]);
    lose_end(&mut cluster, 2, 2);
    assert!(!cluster.node(2).is_certain() && cluster.node(3).is_certain());
    assert_eq!([2, 3].map(|id| cluster.node(id).uncertain()), [Some(Term(2)), None]);
    cluster.crash(NodeId(2));
    cluster.restart(NodeId(2));
    assert!(!cluster.node(2).is_certain(), "a start clears nothing");
    elect(&mut cluster, 1, &[1, 2]);
    assert_eq!(cluster.leader(), None, "of three only one word is certain");
    elect(&mut cluster, 1, &[1, 2, 3]);
    assert_eq!(cluster.leader(), Some(1));
    assert!(cluster.node(2).is_certain());
    cluster.transfer(1, 2).expect("it leads");
    cluster.settle_among(&[1, 2]);
    assert_eq!(cluster.status(2).role, RoleKind::Leader, "by its own word and that of n1");
}

#[test]
fn every_voters_word_elects_one_though_none_is_certain() {
    let mut cluster = with_logs(&[&[1, 2], &[1, 2], &[1, 2]]);
    (1..=3).for_each(|id| lose_end(&mut cluster, id, 2));
    elect(&mut cluster, 1, &[1, 2]);
    assert_eq!(cluster.leader(), None);
    elect(&mut cluster, 1, &[1, 2, 3]);
    assert_eq!(cluster.leader(), Some(1));
    assert!((1..=3).all(|id| cluster.node(id).is_certain()));
}

#[test]
fn a_pre_vote_is_conditional_too_and_spares_a_term_that_nobody_could_win() {
    let mut cluster = with_logs(&[&[1], &[1], &[1]]);
    lose_end(&mut cluster, 2, 1);
    let timeout = cluster.node(1).config().election_timeout * 2;
    cluster.crash(NodeId(3));
    for _ in 0..5 {
        cluster.tick(1, timeout);
        cluster.settle_among(&[1, 2]);
    }
    assert_eq!((cluster.status(1).role, cluster.status(1).current_term), (RoleKind::PreCandidate, Term(2)));
    cluster.restart(NodeId(3));
    cluster.tick(1, timeout);
    cluster.settle_among(&[1, 2, 3]);
    assert_eq!(cluster.leader(), Some(1));
}

#[test]
fn one_that_is_alone_leads_by_its_own_word() {
    let mut cluster = with_logs(&[&[1, 1, 2]]);
    lose_end(&mut cluster, 1, 3);
    elect(&mut cluster, 1, &[1]);
    assert_eq!((cluster.leader(), cluster.terms_on_disk(1)), (Some(1), vec![1, 1, 3]));
}

#[test]
fn one_that_takes_over_on_request_is_not_believed_any_more_than_others() {
    let mut cluster = with_logs(&[&[1], &[1], &[1]]);
    elect(&mut cluster, 1, &[1, 2, 3]);
    lose_end(&mut cluster, 2, 2);
    cluster.propose(1, "x").expect("it leads");
    let interval = cluster.node(1).config().heartbeat_interval;
    for _ in 0..4 {
        cluster.tick(1, interval);
        cluster.settle_among(&[1, 2, 3]);
    }
    assert_eq!(cluster.terms_on_disk(2), [1, 3, 3], "it has all again, of the term that it lost some of");
    assert!(!cluster.node(2).is_certain());
    cluster.transfer(1, 2).expect("it leads");
    cluster.settle_among(&[1, 2]);
    assert_eq!(cluster.status(2).role, RoleKind::Candidate, "its own word and that of n1 are not enough");
}

/// What n2, which lost 2@3, says of it, and of an entry of a later term.
#[test]
fn what_may_have_been_lost_is_not_denied() {
    let mut cluster = with_logs(&[&[1, 1, 2], &[1, 1, 2], &[1, 1]]);
    lose_end(&mut cluster, 2, 3);
    cluster.crash(NodeId(1));
    cluster.lose(1, 3, true);
    cluster.restart(NodeId(1));
    elect(&mut cluster, 1, &[1, 2, 3]);
    let said = |from: &str, what: &str| {
        let line = |line: &&String| line.contains(&format!("{from}>n1")) && line.contains("RepairResponse");
        cluster.journal.iter().filter(line).any(|line| line.contains(what))
    };
    assert!(said("n2", "2@3 Doubtful") && !said("n2", "Absent"));
    assert!(said("n3", "2@3 Absent"));
    assert_eq!(cluster.terms_on_disk(1), [1, 1, 3], "all have answered, and none has it for certain");
}

#[test]
fn a_head_that_is_uncertain_beyond_the_durable_term_is_no_sound_recovery() {
    let mut cluster = with_logs(&[&[1]]);
    let config = cluster.node(1).config().clone();
    let hard_state = HardState { current_term: Term(3), ..HardState::default() };
    let recovered = |uncertain| Recovered { boot: 1, hard_state, uncertain, ..Recovered::default() };
    assert!(Raft::new(config.clone(), &recovered(Term(3))).is_ok());
    let error = Raft::new(config, &recovered(Term(4))).expect_err("a term of the future");
    assert_eq!(error.field, "recovered.uncertain");
}

#[test]
fn what_a_follower_lost_of_what_it_acknowledged_it_is_sent_again_within_the_term() {
    let mut cluster = with_logs(&[&[1], &[1], &[1]]);
    elect(&mut cluster, 1, &[1, 2, 3]);
    cluster.propose(1, "x").expect("it leads");
    cluster.settle();
    assert_eq!(cluster.terms_on_disk(2), [1, 3, 3]);
    lose_end(&mut cluster, 2, 2);
    let interval = cluster.node(1).config().heartbeat_interval;
    for _ in 0..4 {
        cluster.tick(1, interval);
        cluster.settle();
    }
    assert_eq!((cluster.terms_on_disk(2), cluster.leader()), (vec![1, 3, 3], Some(1)));
    assert_eq!(cluster.data_on_disk(2), cluster.data_on_disk(1));
}

/// A log of three entries, the last of term 3, some of whose end may have been lost up to term 2.
#[test]
fn a_snapshot_takes_the_place_of_a_logs_head_only_where_the_log_does_not_lead_to_it() {
    let last = |term, index| SnapshotId { last: LogPosition::new(term, index), bytes: 1, checksum: 7 };
    let cases = [
        (None, true),
        (Some(last(1, 2)), true),  // Behind it the log goes on.
        (Some(last(2, 2)), false), // The log has another entry there.
        (Some(last(2, 9)), false),
        (Some(last(3, 9)), true),
    ];
    for (snapshot, is_certain) in cases {
        let log = Recovered {
            terms: vec![LogPosition::new(1, 1), LogPosition::new(3, 3)],
            last_index: LogIndex(3),
            uncertain: Term(2),
            ..Recovered::default()
        };
        let whole = Recovered { snapshot, ..log.clone() };
        assert_eq!(whole.has_certain_head(), is_certain, "{snapshot:?}");
        let lost = Recovered { lost_snapshot: snapshot, ..log };
        assert_eq!(lost.has_certain_head(), is_certain, "lost: {snapshot:?}");
    }
}
