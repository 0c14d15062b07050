//! Entries whose data was lost on disk come back, or are given up where nobody can have committed them.

use squall_raft::{
    Body, Change, Config, Entries, Faulty, Found, HardState, Ignored, LogIndex, LogPosition, Message, NodeId,
    Raft, Recovered, RepairRequest, RepairResponse, RoleKind, SnapshotId, Term,
};

use crate::cluster::{Cluster, hard_state};

/// Nodes with these logs, as the terms of their entries, all in term 2.
fn with_logs(logs: &[&[u64]]) -> Cluster {
    let nodes: Vec<(Vec<u64>, HardState)> = logs.iter().map(|log| (log.to_vec(), hard_state(2))).collect();
    Cluster::recovered(&nodes, |_| {})
}

/// The data of these entries of a node goes bad while it is down, and it starts again.
fn lose(cluster: &mut Cluster, id: u64, entries: &[u64], is_doubtful: bool) {
    cluster.crash(NodeId(id));
    for index in entries {
        cluster.lose(id, *index, is_doubtful);
    }
    cluster.restart(NodeId(id));
}

/// Elects a node and lets all that follows from it happen among those within reach.
fn elect(cluster: &mut Cluster, id: u64, reach: &[u64]) {
    cluster.campaign(id);
    cluster.settle_among(reach);
}

/// The leader n1 reaches everybody with its next heartbeat.
fn goes_on(cluster: &mut Cluster) {
    let interval = cluster.node(1).config().heartbeat_interval;
    cluster.tick(1, interval);
    cluster.settle_among(&[1, 2, 3]);
}

fn names(cluster: &mut Cluster, id: u64) -> Vec<u64> {
    cluster.node(id).faulty().map(|faulty| faulty.index.0).collect()
}

/// How many entries each AppendEntries to a node carried, since the journal began.
fn entries_sent(cluster: &Cluster, to: &str) -> Vec<String> {
    let is_append = |line: &&String| line.contains(&format!(">{to} ")) && line.contains("AppendEntries prev");
    cluster.journal.iter().filter(is_append).cloned().collect()
}

#[test]
fn a_follower_is_sent_what_it_lacks_and_counts_for_it_no_sooner() {
    let mut cluster = with_logs(&[&[1, 1, 1, 2, 2], &[1, 1, 1, 2, 2], &[1, 1, 1, 2, 2]]);
    lose(&mut cluster, 2, &[2, 4], false);
    assert_eq!(cluster.status(2).durable_index, LogIndex(1));
    assert_eq!(cluster.status(2).last_log, LogPosition::new(2, 5), "it votes by its names");
    elect(&mut cluster, 1, &[1, 2]);
    assert_eq!((cluster.leader(), cluster.status(1).commit_index), (Some(1), LogIndex(6)));
    assert_eq!(cluster.status(2).durable_index, LogIndex(6));
    assert_eq!(cluster.data_on_disk(2), cluster.data_on_disk(1));
    let acknowledged = cluster.journal.iter().filter(|line| line.contains("n2>n1") && line.contains("lacks"));
    assert!(acknowledged.count() >= 1, "{:#?}", cluster.journal);
}

#[test]
fn a_follower_that_lacks_one_entry_of_many_is_not_sent_all_that_follow() {
    let long = vec![1; 200];
    let nodes = vec![(long.clone(), hard_state(1)), (long.clone(), hard_state(1)), (long, hard_state(1))];
    let mut cluster = Cluster::recovered(&nodes, |config| config.max_message_bytes = 200);
    lose(&mut cluster, 2, &[2, 100], false);
    elect(&mut cluster, 1, &[1, 2]);
    assert_eq!(cluster.status(1).commit_index, LogIndex(201));
    let sent = entries_sent(&cluster, "n2");
    assert!(sent.len() < 20, "{} messages: {sent:#?}", sent.len());
}

#[test]
fn a_leader_that_learns_of_a_loss_no_longer_counts_what_was_acknowledged() {
    let mut cluster = with_logs(&[&[1, 2], &[1, 2], &[1, 2]]);
    elect(&mut cluster, 1, &[1, 2, 3]);
    cluster.propose(1, "x").expect("it leads");
    cluster.settle_among(&[1, 2]);
    assert_eq!(cluster.status(1).commit_index, LogIndex(4));
    lose(&mut cluster, 2, &[4], false);
    cluster.propose(1, "y").expect("it leads");
    let matched = |cluster: &mut Cluster| {
        cluster.node(1).followers().find(|follower| follower.id == NodeId(2)).expect("n2").match_index
    };
    let mut lowest = matched(&mut cluster);
    for _ in 0..300 {
        let Some(message) = cluster.network.iter().position(|message| message.to != NodeId(3)) else {
            cluster.pass(1);
            continue;
        };
        let message = cluster.network.remove(message);
        let _ = cluster.deliver(message);
        lowest = lowest.min(matched(&mut cluster));
    }
    assert_eq!(lowest, LogIndex(3), "the fourth is lost");
    assert_eq!(matched(&mut cluster), LogIndex(5), "and was sent again");
}

#[test]
fn a_leader_is_told_what_it_lacks_before_it_appends_anything() {
    let mut cluster = with_logs(&[&[1, 1, 2, 2], &[1, 1, 2, 2], &[1]]);
    lose(&mut cluster, 1, &[2, 4], false);
    cluster.campaign(1);
    cluster.settle_among(&[1, 3]);
    assert_eq!((cluster.leader(), names(&mut cluster, 1)), (Some(1), vec![2, 4]), "n3 does not have it");
    assert_eq!(cluster.status(1).last_log, LogPosition::new(2, 4), "not even its no-op");
    cluster.propose(1, "x").expect_err("its office has not begun");
    cluster.change(1, &[Change::AddLearner { id: NodeId(9), promote: false }]).expect_err("nor that");
    goes_on(&mut cluster);
    assert_eq!(names(&mut cluster, 1), []);
    assert_eq!(cluster.status(1).commit_index, LogIndex(5));
    assert_eq!(cluster.data_on_disk(1), cluster.data_on_disk(2));
    cluster.propose(1, "x").expect("its office has begun");
}

/// Where the first entry of such a leader will stand depends on how its repair ends.
#[test]
fn reads_that_come_in_while_a_leader_lacks_entries_are_served_from_its_first_entry_on() {
    let repaired: [&[u64]; 3] = [&[1, 2, 2], &[1, 2, 2], &[1]];
    let given_up: [&[u64]; 3] = [&[1, 2, 2], &[1], &[1]];
    for (logs, first) in [(repaired, 4), (given_up, 2)] {
        let mut cluster = with_logs(&logs);
        lose(&mut cluster, 1, &[2], false);
        elect(&mut cluster, 1, &[1, 3]);
        let early = [1, 3].map(|id| cluster.read(id).expect("it knows who leads"));
        cluster.settle_among(&[1, 3]);
        assert_eq!(names(&mut cluster, 1), [2], "n2 may have it");
        assert_eq!(cluster.reads.values().flatten().count(), 0, "nor does it know what was committed");
        for _ in 0..3 {
            goes_on(&mut cluster);
        }
        let late = [1, 3].map(|id| cluster.read(id).expect("it knows who leads"));
        for _ in 0..3 {
            goes_on(&mut cluster);
        }
        assert_eq!(cluster.status(1).commit_index, LogIndex(first));
        for (place, id) in [1, 3].into_iter().enumerate() {
            let served = [early[place], late[place]].map(|read| (read, Some(LogIndex(first))));
            assert_eq!(cluster.reads[&NodeId(id)], served, "n{id}");
        }
    }
}

#[test]
fn what_a_majority_never_had_is_given_up_with_all_behind_it() {
    let mut cluster = with_logs(&[&[1, 2, 2, 2], &[1], &[1]]);
    lose(&mut cluster, 1, &[3], false);
    elect(&mut cluster, 1, &[1, 2]);
    assert_eq!(cluster.status(1).last_log, LogPosition::new(2, 4), "two of three may have it");
    elect(&mut cluster, 1, &[1, 2, 3]);
    goes_on(&mut cluster);
    let term = cluster.status(1).current_term.0;
    assert_eq!(cluster.terms_on_disk(1), [1, 2, term], "of 2@3 and 2@4 nobody heard again");
    assert_eq!(cluster.status(1).commit_index, LogIndex(3));
}

#[test]
fn of_an_even_number_of_voters_half_that_never_had_it_are_enough() {
    let mut cluster = with_logs(&[&[1, 2], &[1, 2], &[1], &[1]]);
    lose(&mut cluster, 1, &[2], false);
    lose(&mut cluster, 2, &[2], false);
    elect(&mut cluster, 1, &[1, 2, 3]);
    assert_eq!(cluster.status(1).last_log, LogPosition::new(2, 2), "three of four may have it");
    let interval = cluster.node(1).config().heartbeat_interval;
    cluster.tick(1, interval);
    cluster.settle_among(&[1, 2, 3, 4]);
    let term = cluster.status(1).current_term.0;
    assert_eq!(cluster.terms_on_disk(1), [1, term], "two of four committed nothing");
}

#[test]
fn what_one_lost_for_certain_and_nobody_has_is_waited_for() {
    let mut cluster = with_logs(&[&[1, 2], &[1, 2], &[1]]);
    lose(&mut cluster, 1, &[2], false);
    lose(&mut cluster, 2, &[2], false);
    for _ in 0..20 {
        cluster.pass(40);
    }
    assert!(cluster.ids().iter().all(|id| cluster.status(id.0).commit_index == LogIndex::ZERO));
    assert!([1, 2].iter().all(|id| cluster.terms_on_disk(*id) == [1, 2]), "it may have been committed");
}

#[test]
fn what_every_voter_has_answered_for_and_none_had_for_certain_is_given_up() {
    for (second, is_given_up) in [(Some(true), true), (Some(false), false), (None, false)] {
        let mut cluster = with_logs(&[&[1, 2], &[1, 2], &[1]]);
        lose(&mut cluster, 1, &[2], true);
        if let Some(is_doubtful) = second {
            lose(&mut cluster, 2, &[2], is_doubtful);
        }
        elect(&mut cluster, 1, &[1, 3]);
        assert_eq!(cluster.terms_on_disk(1), [1, 2], "n2 may have it");
        goes_on(&mut cluster);
        let is_gone = cluster.terms_on_disk(1).get(1) != Some(&2);
        assert_eq!(is_gone, is_given_up, "{second:?}: {:#?}", cluster.journal);
    }
}

#[test]
fn the_only_voter_asks_those_that_learn_before_it_gives_up_what_is_in_doubt() {
    for learner_has_it in [true, false] {
        let mut cluster = with_logs(&[&[1]]);
        elect(&mut cluster, 1, &[1]);
        cluster.join(2);
        cluster.change(1, &[Change::AddLearner { id: NodeId(2), promote: false }]).expect("it leads");
        cluster.settle_among(&[1, 2]);
        cluster.propose(1, "x").expect("it leads");
        let position = cluster.status(1).last_log;
        cluster.settle_among(if learner_has_it { &[1, 2] } else { &[1] });
        lose(&mut cluster, 1, &[position.index.0], true);
        elect(&mut cluster, 1, &[1, 2]);
        goes_on(&mut cluster);
        let last = cluster.status(1).last_log;
        assert_eq!(last.index.0, position.index.0 + u64::from(learner_has_it));
        assert_eq!(cluster.status(1).commit_index, last.index);
    }
}

#[test]
fn a_doubtful_entry_that_a_witness_knows_of_is_given_up_where_no_copy_has_it() {
    let nodes = [(vec![1, 2], hard_state(2)), (vec![1], hard_state(2)), (vec![1, 2], hard_state(2))];
    let mut cluster = Cluster::with_witnesses(&nodes, &[NodeId(3)], |_| {});
    lose(&mut cluster, 1, &[2], true);
    elect(&mut cluster, 1, &[1, 2, 3]);
    goes_on(&mut cluster);
    assert_ne!(cluster.terms_on_disk(1).get(1), Some(&2));
    assert_eq!(cluster.status(1).commit_index, LogIndex(2));
}

#[test]
fn a_leader_that_gets_no_further_lets_others_go_first() {
    let mut cluster = with_logs(&[&[1, 2], &[1, 2], &[1, 2], &[1], &[1]]);
    lose(&mut cluster, 1, &[2], false);
    elect(&mut cluster, 1, &[1, 4, 5]);
    assert_eq!(cluster.leader(), Some(1));
    let mut led = 0;
    for _ in 0..200 {
        cluster.tick(1, 1);
        cluster.tick(4, 1);
        cluster.tick(5, 1);
        cluster.settle_among(&[1, 4, 5]);
        led += usize::from(cluster.status(1).role == RoleKind::Leader);
    }
    assert!((40..160).contains(&led), "it led for {led} of 200 ticks");
    assert_eq!(cluster.terms_on_disk(1), [1, 2], "two of five do not have it");
}

#[test]
fn a_leader_that_lacks_entries_is_given_four_election_timeouts() {
    let mut cluster = with_logs(&[&[1, 2], &[1, 2], &[1]]);
    lose(&mut cluster, 1, &[2], false);
    elect(&mut cluster, 1, &[1, 3]);
    let mut ticks = 0;
    while cluster.status(1).role == RoleKind::Leader {
        for id in [1, 3] {
            cluster.tick(id, 1);
        }
        cluster.settle_among(&[1, 3]);
        ticks += 1;
    }
    let timeout = cluster.node(1).config().election_timeout;
    assert!((4 * timeout + 1..=6 * timeout).contains(&ticks), "it led for {ticks} ticks");
}

#[test]
fn who_asks_for_more_than_64_entries_at_once_is_no_leader_of_this_kind() {
    let mut cluster = with_logs(&[&[1], &[1], &[1]]);
    for (asked, expected) in [(64, Ok(())), (65, Err(Ignored::Malformed)), (66, Err(Ignored::Malformed))] {
        let lacking = (1..=asked).map(|index| LogPosition::new(1, index)).collect();
        let body = Body::RepairRequest(RepairRequest { lacking });
        let request = Message { from: NodeId(2), to: NodeId(1), term: Term(3), body };
        assert_eq!(cluster.deliver(request), expected, "{asked}");
    }
}

/// Who answers for entries and has a snapshot beside is heard on both.
#[test]
fn an_answer_counts_beside_a_snapshot_that_is_of_no_use() {
    let mut cluster = with_logs(&[&[1, 2], &[1, 2], &[1]]);
    lose(&mut cluster, 1, &[2], true);
    elect(&mut cluster, 1, &[1, 3]);
    let snapshot = SnapshotId { last: LogPosition::new(1, 1), bytes: 9, checksum: 9 };
    let term = cluster.status(1).current_term;
    let mut says = |entry_term| {
        let answers = vec![(LogPosition::new(entry_term, 2), Found::Absent)];
        let response = RepairResponse { answers, entries: Entries::default(), snapshot: Some(snapshot) };
        let body = Body::RepairResponse(Box::new(response));
        assert_eq!(cluster.deliver(Message { from: NodeId(2), to: NodeId(1), term, body }), Ok(()));
        cluster.terms_on_disk(1)
    };
    assert_eq!(says(1), [1, 2], "of another entry");
    assert_eq!(says(2), [1, term.0], "all have answered, and none has it");
}

/// Whoever had the newer one is out of reach. An office ends sooner than a part is waited for, and in the next one it is asked for again.
#[test]
fn a_leader_turns_to_an_older_snapshot_that_would_do_where_a_newer_one_does_not_come() {
    let mut cluster = with_logs(&[&[1; 6], &[1; 6], &[1; 6]]);
    lose(&mut cluster, 1, &[2], false);
    lose(&mut cluster, 3, &[2], false);
    let [older, newer] =
        [4, 6].map(|index| SnapshotId { last: LogPosition::new(1, index), bytes: 60, checksum: index });
    let names = |cluster: &mut Cluster, from, snapshot| {
        let term = cluster.status(1).current_term;
        let response =
            RepairResponse { answers: Vec::new(), entries: Entries::default(), snapshot: Some(snapshot) };
        let body = Body::RepairResponse(Box::new(response));
        let _no_use = cluster.deliver(Message { from: NodeId(from), to: NodeId(1), term, body });
    };
    elect(&mut cluster, 1, &[1, 3]);
    names(&mut cluster, 2, newer);
    let receiving = |cluster: &mut Cluster| cluster.node(1).receiving_snapshot();
    let mut rounds = 0;
    while receiving(&mut cluster) == Some((newer, 0)) {
        rounds += 1;
        assert!(rounds < 2_000, "it waits for good");
        if cluster.status(1).role == RoleKind::Leader {
            let interval = cluster.node(1).config().heartbeat_interval;
            cluster.tick(1, interval);
            cluster.settle_among(&[1, 3]);
        } else {
            let patience = cluster.node(3).config().election_timeout;
            cluster.tick(3, patience);
            elect(&mut cluster, 1, &[1, 3]);
        }
        names(&mut cluster, 3, older);
    }
    assert_eq!(receiving(&mut cluster), Some((older, 0)));
    assert!(rounds > 4, "it may be on its way");
}

#[test]
fn a_start_is_refused_that_lost_an_entry_which_a_snapshot_stands_for() {
    let snapshot = SnapshotId { last: LogPosition::new(1, 5), bytes: 9, checksum: 9 };
    let start = |index| {
        let recovered = Recovered {
            boot: 1,
            hard_state: hard_state(2),
            snapshot: Some(snapshot),
            base: snapshot.last,
            terms: vec![LogPosition::new(2, 6)],
            last_index: LogIndex(7),
            faulty: vec![Faulty { index: LogIndex(index), is_doubtful: false }],
            ..Recovered::default()
        };
        let voters = [1, 2, 3].map(NodeId).to_vec();
        Raft::new(Config::new(NodeId(1), voters), &recovered).map(|_| ()).map_err(|error| error.field)
    };
    assert_eq!([5, 6].map(start), [Err("recovered.faulty"), Ok(())]);
}

#[test]
fn what_a_snapshot_stands_for_is_not_missed() {
    let mut cluster = with_logs(&[&[1, 1, 1], &[1, 1, 1], &[1, 1, 1]]);
    elect(&mut cluster, 1, &[1, 2, 3]);
    cluster.propose(1, "x").expect("it leads");
    goes_on(&mut cluster);
    cluster.snapshot(2);
    let covered = cluster.status(2).last_applied.0;
    lose(&mut cluster, 2, &[1, 3], false);
    assert_eq!((names(&mut cluster, 2), cluster.node(2).base().index.0), (vec![], covered));
    assert_eq!(cluster.status(2).durable_index, cluster.status(2).last_log.index);
    goes_on(&mut cluster);
    assert_eq!(cluster.status(2).last_applied, cluster.status(1).last_log.index);
}

#[test]
fn a_follower_is_sent_a_snapshot_for_what_its_leader_has_given_up() {
    let mut cluster = with_logs(&[&[1, 1, 1], &[1, 1, 1], &[1, 1, 1]]);
    elect(&mut cluster, 1, &[1, 2, 3]);
    cluster.propose(1, "x").expect("it leads");
    cluster.settle();
    cluster.snapshot(1);
    let covered = cluster.status(1).last_log.index.0;
    cluster.compact(1, covered);
    cluster.propose(1, "y").expect("it leads");
    cluster.settle();
    lose(&mut cluster, 2, &[2], false);
    for _ in 0..4 {
        goes_on(&mut cluster);
    }
    assert_eq!((names(&mut cluster, 2), cluster.node(2).base().index.0), (vec![], covered));
    assert_eq!(cluster.status(2).last_applied.0, covered + 1, "what stood behind it was kept");
    assert_eq!(cluster.status(2).durable_index.0, covered + 1);
}

#[test]
fn what_a_log_lacked_that_a_snapshot_takes_the_place_of_is_not_missed_behind_it() {
    let mut cluster = with_logs(&[&[1, 2, 2], &[1, 2, 2], &[1, 1, 1, 1, 1, 1, 1, 1]]);
    lose(&mut cluster, 3, &[7], false);
    elect(&mut cluster, 1, &[1, 2]);
    cluster.propose(1, "x").expect("it leads");
    cluster.settle_among(&[1, 2]);
    cluster.snapshot(1);
    let covered = cluster.status(1).last_log.index.0;
    cluster.compact(1, covered);
    for _ in 0..4 {
        goes_on(&mut cluster);
    }
    assert_eq!((cluster.node(3).base().index.0, names(&mut cluster, 3)), (covered, vec![]));
    for _ in covered..8 {
        cluster.propose(1, "y").expect("it leads");
    }
    cluster.settle();
    assert_eq!((cluster.status(3).durable_index.0, names(&mut cluster, 3)), (8, vec![]));
}

/// n1 leads, and a snapshot of several parts stands for the whole log: at n1 and n2, and at n3 if it has one.
fn compacted(at: &[u64]) -> Cluster {
    let logs = vec![(vec![1, 1, 1], hard_state(2)); 3];
    let mut cluster = Cluster::recovered(&logs, |config| config.max_snapshot_chunk_bytes = 20);
    elect(&mut cluster, 1, &[1, 2, 3]);
    cluster.propose(1, "x").expect("it leads");
    goes_on(&mut cluster);
    for id in at {
        cluster.snapshot(*id);
        let covered = cluster.status(*id).last_applied.0;
        cluster.compact(*id, covered);
    }
    cluster
}

/// A node that lost entry 2 leads; then it goes on with one other.
fn leads_without_entry_2(cluster: &mut Cluster, id: u64, other: u64) {
    let patience = cluster.node(other).config().election_timeout;
    cluster.tick(other, 2 * patience);
    cluster.network.clear();
    elect(cluster, id, &[id, other]);
    assert_eq!(cluster.leader(), Some(id));
    for _ in 0..10 {
        let interval = cluster.node(id).config().heartbeat_interval;
        cluster.tick(id, interval);
        cluster.settle_among(&[id, other]);
    }
    assert_eq!((cluster.leader(), names(cluster, id)), (Some(id), vec![]));
}

#[test]
fn a_part_that_a_leader_asked_for_in_vain_it_asks_of_another() {
    let mut cluster = compacted(&[2, 3]);
    lose(&mut cluster, 1, &[2], false);
    cluster.crash(NodeId(2));
    leads_without_entry_2(&mut cluster, 1, 3);
}

#[test]
fn who_comes_to_lead_does_not_wait_for_a_former_leader_to_send_a_part() {
    let mut cluster = compacted(&[1, 2]);
    lose(&mut cluster, 3, &[2], false);
    let interval = cluster.node(1).config().heartbeat_interval;
    cluster.tick(1, interval);
    let mut requests = 0;
    while !cluster.network.is_empty() {
        let message = cluster.network.remove(0);
        if matches!(message.body, Body::SnapshotRequest(_)) {
            requests += 1;
        } else {
            cluster.deliver(message).ok();
        }
    }
    assert!(requests > 0, "n1 has compacted what n3 lacks");
    cluster.crash(NodeId(1));
    leads_without_entry_2(&mut cluster, 3, 2);
}

#[test]
fn nobody_takes_back_an_entry_of_another_kind_or_twice() {
    let mut cluster = with_logs(&[&[1, 2], &[1, 2], &[1, 2]]);
    lose(&mut cluster, 2, &[2], false);
    elect(&mut cluster, 1, &[1]);
    let noise = cluster.network.clone();
    elect(&mut cluster, 1, &[1, 2]);
    for mut message in noise {
        if let Body::AppendEntries(request) = &mut message.body {
            request.leader_commit = LogIndex(9);
        }
        let _ = cluster.deliver(message);
    }
    cluster.settle_among(&[1, 2, 3]);
    assert_eq!(cluster.data_on_disk(2), cluster.data_on_disk(1));
}

#[test]
fn all_that_a_leader_lacks_comes_with_one_answer_where_it_is_in_memory_and_from_disk_where_it_is_not() {
    for lacking in [[4, 5], [1, 2]] {
        let mut cluster = with_logs(&[&[1, 1, 1, 2, 2], &[1, 1, 1, 2, 2], &[1]]);
        lose(&mut cluster, 1, &lacking, false);
        cluster.crash(NodeId(2));
        cluster.restart(NodeId(2)); // With the last three entries in memory.
        cluster.campaign(1);
        cluster.settle_among(&[1, 3]);
        goes_on(&mut cluster);
        assert_eq!(names(&mut cluster, 1), [], "{lacking:?}");
        let answers =
            cluster.journal.iter().filter(|line| line.contains("n2>n1 ") && line.contains("RepairResponse"));
        assert_eq!(answers.count(), 1, "{lacking:?}: {:#?}", cluster.journal);
    }
}
