//! Witnesses and copies that are taken for one another: nothing is ever counted for a copy that is none.

use std::sync::Arc;

use bytes::Bytes;
use squall_raft::{
    Action, AppendEntries, AppendEntriesResponse, AppendResult, Body, Change, Config, Configuration, Entries,
    Entry, Faulty, Ignored, InstallSnapshot, LogIndex, LogPosition, Message, NodeId, Payload, Raft,
    Recovered, RoleKind, Session, SnapshotChunk, SnapshotId, SnapshotRequest, Term,
};

use crate::cluster::{Cluster, hard_state};

/// n1 leads n2, which keeps data, and n3, which is a witness.
fn two_copies_and_a_witness() -> Cluster {
    let empty = vec![Default::default(); 3];
    let mut cluster = Cluster::with_witnesses(&empty, &[NodeId(3)], |_| {});
    cluster.campaign(1);
    cluster.settle();
    cluster
}

fn from_n1(to: u64, body: Body) -> Message {
    Message { from: NodeId(1), to: NodeId(to), term: Term(1), body }
}

fn append(payload: Payload) -> Body {
    let entries = Entries::One(Entry { term: Term(1), index: LogIndex(2), payload });
    let prev_log = LogPosition::new(1, 1);
    let (session, leader_commit) = (Session::default(), LogIndex::ZERO);
    Body::AppendEntries(AppendEntries { session, prev_log, entries, leader_commit })
}

#[test]
fn a_witness_that_is_told_to_campaign_does_not() {
    let mut cluster = two_copies_and_a_witness();
    assert_eq!(cluster.deliver(from_n1(3, Body::TimeoutNow)), Err(Ignored::CannotCampaign));
    cluster.campaign(3);
    assert_eq!(cluster.status(3).role, RoleKind::Follower);
}

#[test]
fn an_entry_without_its_data_is_no_copy() {
    let mut cluster = two_copies_and_a_witness();
    assert_eq!(cluster.deliver(from_n1(2, append(Payload::Withheld))), Err(Ignored::OtherStanding));
    assert_eq!(cluster.status(2).last_log, LogPosition::new(1, 1));
    let command = Payload::Command(Bytes::from_static(b"data"));
    assert_eq!(cluster.deliver(from_n1(3, append(command))), Ok(()));
    assert_eq!(cluster.withheld_on_disk(3), [true, true], "nor was the no-op told");
}

#[test]
fn an_acknowledgement_counts_for_what_its_sender_is_known_as() {
    let lacking = AppendResult::Lacking { first: LogIndex(2), named: LogIndex(2) };
    for (from, result) in
        [(2, AppendResult::Witnessed(LogIndex(2))), (3, AppendResult::Matched(LogIndex(2))), (3, lacking)]
    {
        let mut cluster = two_copies_and_a_witness();
        cluster.propose(1, "data").expect("n1 leads");
        let body = Body::AppendEntriesResponse(AppendEntriesResponse { session: Session::default(), result });
        let message = Message { from: NodeId(from), to: NodeId(1), term: Term(1), body };
        assert_eq!(cluster.deliver(message), Err(Ignored::OtherStanding));
        assert_eq!(cluster.status(1).commit_index, LogIndex(1));
    }
}

#[test]
fn a_snapshot_is_offered_to_a_copy_and_a_position_to_a_witness() {
    let snapshot = SnapshotId { last: LogPosition::new(1, 9), bytes: 10, checksum: 7 };
    let offer = |in_force| {
        let session = Session::default();
        Body::InstallSnapshot(InstallSnapshot { session, snapshot, in_force })
    };
    let position =
        |index, voters: &[NodeId]| offer(Some((LogIndex(index), Arc::new(Configuration::first(voters)))));
    let voters = [NodeId(1), NodeId(2)];
    let mut cluster = two_copies_and_a_witness();
    for (to, body, expected) in [
        (2, position(3, &voters), Ignored::OtherStanding),
        (3, offer(None), Ignored::OtherStanding),
        (3, position(10, &voters), Ignored::Malformed),
        (3, position(3, &[]), Ignored::Malformed),
    ] {
        assert_eq!(cluster.deliver(from_n1(to, body)), Err(expected));
    }
    assert_eq!(cluster.deliver(from_n1(3, position(3, &voters))), Ok(()));
    assert_eq!(cluster.status(3).last_log, LogPosition::new(1, 9));
    cluster.network.clear();
    let request = SnapshotRequest { snapshot, offset: 0, max_bytes: 10 };
    assert_eq!(cluster.deliver(from_n1(3, Body::SnapshotRequest(request))), Ok(()));
    let nothing = SnapshotChunk { snapshot, offset: 0, data: Bytes::new() };
    assert_eq!(cluster.network[0].body, Body::SnapshotChunk(nothing), "a witness has nothing to serve");
}

#[test]
fn the_disk_of_a_witness_makes_no_copy() {
    let recovered = Recovered { is_withheld: true, ..Recovered::default() };
    let nodes: Vec<NodeId> = (1..4).map(NodeId).collect();
    let start = |witnesses: &[u64]| {
        let witnesses = witnesses.iter().copied().map(NodeId).collect();
        let config = Config { witnesses, ..Config::new(NodeId(3), nodes.clone()) };
        Raft::new(config, &recovered).map(|_| ()).map_err(|error| (error.field, error.value))
    };
    assert_eq!(start(&[3]), Ok(()));
    assert_eq!(start(&[2]), Err(("witnesses", 3)));
    assert_eq!(start(&[2, 3]), Err(("witnesses", 2)), "so many that the others are no majority");
    assert_eq!(start(&[4]), Err(("witnesses", 4)), "no voter");
}

#[test]
fn a_disk_that_lacks_data_is_no_witness_s() {
    let recovered = Recovered {
        hard_state: hard_state(1),
        terms: vec![LogPosition::new(1, 1)],
        last_index: LogIndex(2),
        faulty: vec![Faulty { index: LogIndex(2), is_doubtful: false }],
        ..Recovered::default()
    };
    let start = |witnesses: Vec<NodeId>| {
        let config = Config { witnesses, ..Config::new(NodeId(3), (1..4).map(NodeId).collect()) };
        Raft::new(config, &recovered).map(|_| ()).map_err(|error| (error.field, error.value))
    };
    assert_eq!(start(Vec::new()), Ok(()));
    assert_eq!(start(vec![NodeId(3)]), Err(("recovered.faulty", 1)));
}

/// Lets time pass until somebody leads; returns who.
fn elected(cluster: &mut Cluster) -> Option<u64> {
    for _ in 0..200 {
        cluster.pass(1);
        if let Some(leader) = cluster.leader() {
            return Some(leader);
        }
    }
    None
}

/// What is under way when the leader dies reaches some of the others and not the rest; nothing of it was committed.
#[test]
fn copies_survive_a_leader_whose_last_entry_went_to_the_witnesses_alone() {
    for (size, witnesses) in [(3, &[3][..]), (5, &[4, 5])] {
        let empty = vec![Default::default(); size];
        let witnesses: Vec<NodeId> = witnesses.iter().copied().map(NodeId).collect();
        let mut cluster = Cluster::with_witnesses(&empty, &witnesses, |_| {});
        cluster.campaign(1);
        cluster.settle();
        cluster.pass(5);
        cluster.propose(1, "under way").expect("it leads");
        cluster.network.retain(|message| witnesses.contains(&message.to));
        cluster.settle();
        assert_eq!(cluster.status(1).commit_index, LogIndex(1));
        cluster.crash(NodeId(1));
        assert!(elected(&mut cluster).is_some(), "{size} servers, one of them down");
    }
}

#[test]
fn a_copy_survives_a_leader_that_came_and_went_while_it_was_away() {
    let mut cluster = two_copies_and_a_witness();
    cluster.pass(5);
    cluster.crash(NodeId(1));
    assert_eq!(elected(&mut cluster), Some(2));
    assert_eq!(cluster.status(2).commit_index, LogIndex(1), "its no-op is on no other copy");
    cluster.crash(NodeId(2));
    cluster.restart(NodeId(1));
    assert_eq!(elected(&mut cluster), Some(1));
}

/// The other copy is away, so that the witness counts; the leader dies before its own disk has the entry.
#[test]
fn copies_survive_a_leader_whose_last_entry_was_in_its_memory_alone() {
    let mut cluster = two_copies_and_a_witness();
    cluster.crash(NodeId(2));
    cluster.pass(5);
    cluster.propose(1, "committed with the witness").expect("it leads");
    (0..4).for_each(|_| cluster.pass(5));
    assert_eq!(cluster.status(1).commit_index, LogIndex(2), "the witness counts");
    cluster.writes_at_once = false;
    cluster.propose(1, "in memory").expect("it leads");
    cluster.settle();
    while cluster.write_one(NodeId(3)) {}
    assert_eq!(cluster.withheld_on_disk(3).len(), 2, "it is named before any copy has it");
    cluster.crash(NodeId(1));
    cluster.writes_at_once = true;
    cluster.restart(NodeId(1));
    cluster.restart(NodeId(2));
    assert!(elected(&mut cluster).is_some());
}

/// What the leader alone has durably it could not commit without another copy, for that one is within reach. One copy is away, and
/// the other does not hear of the entry before the leader dies; nor, perhaps, do witnesses that are away, or lately went, or
/// whose messages are lost.
#[test]
fn copies_survive_a_leader_whose_last_entry_no_witness_could_commit() {
    for (size, witnesses, away, gone, deaf) in [
        (4, &[4][..], &[3][..], &[][..], &[2][..]),
        (5, &[4, 5], &[3, 4], &[], &[2]),
        (5, &[4, 5], &[3], &[5], &[2]),
        (5, &[4, 5], &[3], &[], &[2, 5]),
        (5, &[4, 5], &[3], &[], &[2]),
    ] {
        let empty = vec![Default::default(); size];
        let witnesses: Vec<NodeId> = witnesses.iter().copied().map(NodeId).collect();
        let mut cluster = Cluster::with_witnesses(&empty, &witnesses, |_| {});
        cluster.campaign(1);
        cluster.settle();
        away.iter().for_each(|id| cluster.crash(NodeId(*id)));
        (0..4).for_each(|_| cluster.pass(5));
        cluster.propose(1, "on two copies").expect("it leads");
        cluster.settle();
        assert_eq!(cluster.status(1).commit_index, LogIndex(2), "the witness counts");
        gone.iter().for_each(|id| cluster.crash(NodeId(*id)));
        cluster.propose(1, "on one").expect("it leads");
        cluster.network.retain(|message| !deaf.contains(&message.to.0));
        cluster.settle();
        let status = cluster.status(1);
        assert_eq!((status.durable_index, status.commit_index), (LogIndex(3), LogIndex(2)));
        cluster.crash(NodeId(1));
        cluster.restart(NodeId(3));
        let is_led = elected(&mut cluster).is_some();
        assert!(is_led, "of {size} two copies and a witness are a majority; {away:?} {gone:?} {deaf:?}");
    }
}

/// n4 is to take the place of n3, and never answers: what the leader alone has they could not commit together.
#[test]
fn a_witness_that_never_answered_is_not_counted_on() {
    let empty = vec![Default::default(); 3];
    let mut cluster = Cluster::with_witnesses(&empty, &[NodeId(3)], |_| {});
    cluster.witnesses.push(NodeId(4));
    cluster.campaign(1);
    cluster.settle();
    cluster.crash(NodeId(2));
    cluster.pass(9);
    let changes = [Change::AddWitness { id: NodeId(4) }, Change::Remove { id: NodeId(3) }];
    cluster.change(1, &changes).expect("n2 was heard of late");
    (0..12).for_each(|_| cluster.pass(1));
    assert_eq!(cluster.status(3).last_log, LogPosition::new(1, 1));
    cluster.crash(NodeId(1));
    cluster.restart(NodeId(2));
    cluster.join(4);
    assert!(elected(&mut cluster).is_some(), "two of three, and two of three");
}

/// What the leader itself has is not asked for: while its disk hangs, another copy and the witnesses commit.
#[test]
fn witnesses_count_with_a_copy_while_the_disk_of_the_leader_hangs() {
    let empty = vec![Default::default(); 5];
    let mut cluster = Cluster::with_witnesses(&empty, &[NodeId(4), NodeId(5)], |_| {});
    cluster.campaign(1);
    cluster.settle();
    cluster.crash(NodeId(2));
    (0..4).for_each(|_| cluster.pass(5));
    cluster.writes_at_once = false;
    cluster.propose(1, "on one copy").expect("it leads");
    cluster.settle();
    for id in [3, 4, 5] {
        while cluster.write_one(NodeId(id)) {}
        cluster.settle();
    }
    let status = cluster.status(1);
    assert_eq!((status.durable_index, status.commit_index), (LogIndex(1), LogIndex(2)));
}

/// As soon as the leader's disk has the entry, its witness hears of it, with no need of a heartbeat.
#[test]
fn a_witness_is_told_what_the_disk_of_its_leader_has() {
    let mut cluster = two_copies_and_a_witness();
    cluster.crash(NodeId(2));
    (0..4).for_each(|_| cluster.pass(5));
    cluster.writes_at_once = false;
    cluster.propose(1, "soon on disk").expect("it leads");
    cluster.settle();
    assert_eq!(cluster.waiting_writes(NodeId(3)), 0);
    while cluster.write_one(NodeId(1)) {}
    cluster.settle();
    while cluster.write_one(NodeId(3)) {}
    cluster.settle();
    assert_eq!(cluster.status(1).commit_index, LogIndex(2));
}

/// A restart refuses a snapshot of a later term than its hard state.
#[test]
fn a_witness_makes_its_term_durable_before_a_position_of_that_term() {
    let config =
        Config { witnesses: vec![NodeId(3)], ..Config::new(NodeId(3), (1..=3).map(NodeId).collect()) };
    let recovered = Recovered { boot: 1, hard_state: hard_state(5), ..Recovered::default() };
    let mut witness = Raft::new(config, &recovered).expect("a sound start");
    let snapshot = SnapshotId { last: LogPosition::new(9, 70), bytes: 10, checksum: 7 };
    let first = Configuration::first(&[NodeId(1), NodeId(2)]);
    let in_force = Some((LogIndex(3), Arc::new(first)));
    let offer = Body::InstallSnapshot(InstallSnapshot { session: Session::default(), snapshot, in_force });
    let offer = Message { from: NodeId(1), to: NodeId(3), term: Term(9), body: offer };
    assert_eq!(witness.receive(offer.clone()), Err(Ignored::Busy));
    let mut token = None;
    while let Some(action) = witness.next_action() {
        let Action::Persist(write) = action else { panic!("before the term is durable: {action:?}") };
        token = Some(write.token);
    }
    witness.persisted(token.expect("the term is written"));
    assert_eq!(witness.receive(offer), Ok(()));
}

/// Whether it brings the entry at `index`, or one behind it.
fn brings(message: &Message, index: u64) -> bool {
    let Body::AppendEntries(append) = &message.body else { return false };
    append.entries.iter().any(|entry| entry.index >= LogIndex(index))
}

/// n1 leads, and waits for an entry that it lost for longer than two election timeouts; n2, which has it, is heard all the
/// time. The others are witnesses, but for those that are away.
fn leads_and_lacks(logs: &[Vec<u64>], witnesses: &[u64], away: &[u64], lost: &[u64]) -> Cluster {
    let nodes: Vec<_> = logs.iter().map(|log| (log.clone(), hard_state(1))).collect();
    let witnesses: Vec<NodeId> = witnesses.iter().copied().map(NodeId).collect();
    let mut cluster = Cluster::with_witnesses(&nodes, &witnesses, |_| {});
    cluster.crash(NodeId(1));
    lost.iter().for_each(|index| cluster.lose(1, *index, false));
    cluster.restart(NodeId(1));
    away.iter().for_each(|id| cluster.crash(NodeId(*id)));
    cluster.campaign(1);
    let is_answer = |message: &Message| matches!(message.body, Body::RepairResponse(_));
    cluster.settle_without(is_answer);
    for _ in 0..8 {
        cluster.pass_without(5, is_answer);
    }
    assert_eq!((cluster.leader(), cluster.status(1).last_log.term), (Some(1), Term(1)), "it still lacks");
    cluster
}

/// It could send them nothing of what it lacked: they do not lag.
#[test]
fn copies_do_not_lag_behind_a_leader_that_lacked_entries() {
    for (size, witnesses, away, deaf) in [(3, &[3][..], &[][..], &[2][..]), (5, &[4, 5], &[3], &[2, 5])] {
        let mut cluster = leads_and_lacks(&vec![vec![1, 1, 1]; size], witnesses, away, &[2]);
        cluster.pass_without(5, |message| deaf.contains(&message.to.0) && brings(message, 4));
        let status = cluster.status(1);
        assert_eq!((status.last_log.index, status.commit_index), (LogIndex(4), LogIndex::ZERO));
        cluster.crash(NodeId(1));
        assert!(elected(&mut cluster).is_some(), "{size} servers");
    }
}

/// n2 has the first of the entries that the leader lacks, and not the second.
#[test]
fn copies_do_not_lag_behind_a_leader_that_lacks_entries_still() {
    let logs = [vec![1, 1, 1], vec![1, 1], vec![1, 1, 1], vec![1], vec![1]];
    let mut cluster = leads_and_lacks(&logs, &[4, 5], &[3], &[2, 3]);
    cluster.pass_without(5, |message| message.to == NodeId(2) && brings(message, 2));
    assert_eq!(cluster.data_on_disk(1)[..2], cluster.data_on_disk(2), "the first is repaired");
    assert_eq!(cluster.status(4).last_log, LogPosition::new(1, 1), "n2 may still say in time that it has it");
}

/// n6 takes the place of n2, and is away like n3. Until it is certain that n2 is no member, it may have to lead.
#[test]
fn a_copy_on_its_way_out_has_the_last_entry_before_a_witness() {
    let empty = vec![Default::default(); 5];
    let mut cluster = Cluster::with_witnesses(&empty, &[NodeId(4), NodeId(5)], |_| {});
    cluster.join(6);
    cluster.campaign(1);
    cluster.settle();
    cluster.change(1, &[Change::AddLearner { id: NodeId(6), promote: false }]).expect("it leads");
    (0..4).for_each(|_| cluster.pass(5));
    [3, 6].iter().for_each(|id| cluster.crash(NodeId(*id)));
    let changes = [Change::Promote { id: NodeId(6) }, Change::Remove { id: NodeId(2) }];
    let joint = cluster.change(1, &changes).expect("n6 was heard of late").index;
    let is_lost = |message: &Message| message.to != NodeId(4) && brings(message, joint.next().0);
    while cluster.status(1).commit_index < joint {
        cluster.pass_without(1, is_lost);
    }
    (0..9).for_each(|_| cluster.pass_without(1, is_lost));
    assert_eq!(cluster.status(1).last_log.index, joint.next(), "n2 is to leave");
    assert_eq!(cluster.status(4).last_log.index, joint);
    cluster.crash(NodeId(1));
    cluster.restart(NodeId(6));
    assert_eq!(elected(&mut cluster), Some(2));
}

/// n4 takes the place of n3 while n2 is away, and n1 dies at the worst moment. Who does not know that n4 is a member asks n3
/// alone: so it hears of n4 last, and of its own end when that is certain.
#[test]
fn a_witness_on_its_way_out_hears_of_the_change_last() {
    let mut cluster = two_copies_and_a_witness();
    cluster.witnesses.push(NodeId(4));
    cluster.join(4);
    cluster.crash(NodeId(2));
    cluster.pass(9);
    let changes = [Change::AddWitness { id: NodeId(4) }, Change::Remove { id: NodeId(3) }];
    let joint = cluster.change(1, &changes).expect("n2 was heard of late").index;
    let mut told = LogIndex::ZERO;
    for _ in 0..30 {
        cluster.ids().into_iter().filter(|id| *id != NodeId(2)).for_each(|id| cluster.tick(id.0, 1));
        while !cluster.network.is_empty() {
            let message = cluster.network.remove(0);
            cluster.deliver(message).expect("nothing is out of place");
            told = cluster.status(3).last_log.index;
            let is_known = told < joint || cluster.status(4).last_log.index >= told;
            let is_certain = told <= joint || cluster.status(1).commit_index >= told;
            assert!(is_known && is_certain, "n3 has {told}");
        }
    }
    assert_eq!(told, joint.next(), "it is told");
}

/// n1 gives up the entry with which n4 was to take the place of n3, and an earlier one, which comes back, is not on its disk yet.
#[test]
fn a_leader_that_gives_up_a_change_goes_by_the_members_of_before() {
    let mut cluster = two_copies_and_a_witness();
    cluster.witnesses.push(NodeId(4));
    cluster.join(4);
    cluster.propose(1, "2").expect("it leads");
    cluster.propose(1, "comes back").expect("it leads");
    cluster.settle();
    cluster.pass(5);
    cluster.propose(1, "given up").expect("it leads");
    let changes = [Change::AddWitness { id: NodeId(4) }, Change::Remove { id: NodeId(3) }];
    cluster.change(1, &changes).expect("it leads");
    cluster.settle_without(|_| true);
    cluster.crash(NodeId(1));
    cluster.crash(NodeId(2));
    [3, 4].iter().for_each(|index| cluster.lose(1, *index, false));
    cluster.restart(NodeId(1));
    cluster.tick(3, 28);
    cluster.restart(NodeId(2));
    cluster.campaign(1);
    let is_answer_of_n2 =
        |message: &Message| message.from == NodeId(2) && matches!(message.body, Body::RepairResponse(_));
    cluster.settle_without(|message| is_answer_of_n2(message) || message.to == NodeId(4));
    let gives_up = |cluster: &mut Cluster| cluster.status(1).configuration_index == LogIndex::ZERO;
    assert!(cluster.leader() == Some(1) && !gives_up(&mut cluster));
    cluster.writes_at_once = false;
    for _ in 0..4 {
        cluster.pass(5);
        for id in [2, 3, 4] {
            while cluster.write_one(NodeId(id)) {}
        }
    }
    assert!(cluster.leader() == Some(1) && gives_up(&mut cluster));
    assert_eq!(cluster.status(4).last_log, LogPosition::ZERO, "it is no member");
}

/// n4 left and came back before n1 lost an entry and was elected; it may have a vote, for all that n1 knows.
#[test]
fn a_leader_that_gives_up_an_entry_remembers_what_a_copy_that_came_back_has() {
    let empty = vec![Default::default(); 4];
    let mut cluster = Cluster::with_witnesses(&empty, &[NodeId(3)], |_| {});
    cluster.campaign(1);
    cluster.settle();
    cluster.change(1, &[Change::Remove { id: NodeId(4) }]).expect("n2 and n3 were heard of late");
    (0..4).for_each(|_| cluster.pass(5));
    cluster.change(1, &[Change::AddLearner { id: NodeId(4), promote: false }]).expect("it leads");
    (0..4).for_each(|_| cluster.pass(5));
    let lost = cluster.propose(1, "given up").expect("it leads").index;
    cluster.settle_without(|_| true);
    [1, 2].iter().for_each(|id| cluster.crash(NodeId(*id)));
    cluster.lose(1, lost.0, false);
    cluster.tick(3, 28);
    [1, 2].iter().for_each(|id| cluster.restart(NodeId(*id)));
    cluster.campaign(1);
    let answers = |message: &Message| matches!(message.body, Body::RepairResponse(_));
    let answers_of_n3 = |message: &Message| message.from == NodeId(3) && answers(message);
    cluster.settle_without(answers_of_n3);
    cluster.crash(NodeId(2));
    (0..8).for_each(|_| cluster.pass_without(5, answers_of_n3));
    assert_eq!((cluster.leader(), cluster.status(1).last_log.index), (Some(1), lost));
    cluster.pass_without(5, |message| message.to == NodeId(4) && brings(message, lost.0));
    assert_eq!(cluster.status(1).last_log, LogPosition::new(cluster.status(1).current_term.0, lost.0));
    assert_eq!(cluster.status(3).last_log.index, lost.prev());
}
