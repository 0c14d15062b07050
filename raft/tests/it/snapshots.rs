//! Snapshots and compaction, where a script would not show it: races, restarts, refusals, hostile words.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use squall_raft::{
    Action, Body, Config, Configuration, Entries, HardState, Heartbeat, Ignored, InstallSnapshot, LogIndex,
    LogPosition, Member, Message, NodeId, Payload, PreVote, PreVoteResponse, Raft, Recovered, RepairResponse,
    RoleKind, Round, Session, SnapshotAction, SnapshotChunk, SnapshotId, SnapshotRequest, Standing, Term,
};

use crate::cluster::{Cluster, entry, hard_state};
use crate::hostile::append;
use crate::state;

const N3: NodeId = NodeId(3);

/// n1 leads term 2 and has compacted its log up to entry 4; n3, which has `log`, has just been offered the snapshot,
/// which is a little longer than one part.
fn offered_to(log: &[u64]) -> Cluster {
    offered_in_parts(log, |config| config.max_snapshot_chunk_bytes = 50)
}

fn offered_in_parts(log: &[u64], configure: fn(&mut Config)) -> Cluster {
    let full = (vec![1, 1, 1], hard_state(1));
    let nodes = [full.clone(), full, (log.to_vec(), hard_state(1))];
    let mut cluster = Cluster::recovered(&nodes, configure);
    cluster.campaign(1);
    cluster.settle_among(&[1, 2]);
    cluster.snapshot(1);
    cluster.compact(1, 4);
    cluster.writes_at_once = false;
    let offer = cluster.network.remove(0);
    assert!(matches!(offer.body, Body::InstallSnapshot(_)), "{offer}");
    cluster.deliver(offer).expect("an offer of the leader");
    do_all(&mut cluster, N3);
    cluster
}

/// Writes all that waits, and does all jobs.
fn do_all(cluster: &mut Cluster, node: NodeId) {
    while cluster.write_one(node) || cluster.job_one(node) {}
}

/// Delivers all messages, and lets everybody write and do jobs, but n3.
fn settle_but_n3(cluster: &mut Cluster) {
    for _ in 0..20 {
        cluster.settle();
        for node in [1, 2].map(NodeId) {
            if cluster.is_up(node) {
                do_all(cluster, node);
            }
        }
    }
}

fn of_n1(cluster: &mut Cluster) -> SnapshotId {
    cluster.node(1).snapshot().expect("n1 has taken one")
}

fn to_n3(from: u64, term: u64, body: Body) -> Message {
    Message { from: NodeId(from), to: N3, term: Term(term), body }
}

fn offer(from: u64, term: u64, snapshot: SnapshotId) -> Message {
    to_n3(
        from,
        term,
        Body::InstallSnapshot(InstallSnapshot { session: Session::default(), snapshot, in_force: None }),
    )
}

fn chunk(from: u64, snapshot: SnapshotId, offset: u64, data: &[u8]) -> Message {
    let data = Bytes::copy_from_slice(data);
    to_n3(from, 2, Body::SnapshotChunk(SnapshotChunk { snapshot, offset, data }))
}

#[test]
fn a_log_that_agrees_when_the_snapshot_is_whole_keeps_its_tail() {
    let mut cluster = offered_to(&[]);
    settle_but_n3(&mut cluster);
    let entries = vec![entry(1, 1), entry(1, 2), entry(1, 3), entry(2, 4), entry(2, 5)];
    cluster.deliver(to_n3(1, 2, append((0, 0), entries, 0))).expect("from the leader, by another way");
    do_all(&mut cluster, N3);
    let snapshot = of_n1(&mut cluster);
    assert_eq!(cluster.node(3).snapshot(), Some(snapshot), "it has arrived as well");
    let status = cluster.status(3);
    assert_eq!(status.last_log, LogPosition::new(2, 5), "what follows the snapshot stays");
    assert_eq!((status.commit_index, status.last_applied), (LogIndex(4), LogIndex(4)));
    assert_eq!(cluster.node(3).base(), LogPosition::ZERO, "nothing was taken from it");
    cluster.compact(3, 9);
    assert_eq!(cluster.node(3).base(), LogPosition::new(2, 4), "it may be, now");
}

#[test]
fn a_snapshot_taken_while_a_newer_one_is_installed_takes_nothing_back() {
    let mut cluster =
        Cluster::recovered(&[(vec![1, 1, 1], hard_state(1)), (Vec::new(), hard_state(1))], |_| {});
    let entries = append((0, 0), vec![entry(1, 1), entry(1, 2)], 2);
    cluster.deliver(Message { to: NodeId(2), ..to_n3(1, 1, entries) }).expect("two entries");
    cluster.take_image(NodeId(2));
    cluster.campaign(1);
    cluster.settle();
    let bytes = state::encode(&[entry(1, 1), entry(1, 2), entry(1, 3), entry(2, 4), entry(2, 5)]);
    let newer = state::name(LogPosition::new(2, 5), &bytes);
    let to_n2 = |message: Message| Message { to: NodeId(2), ..message };
    cluster.deliver(to_n2(offer(1, 2, newer))).expect("an offer");
    cluster.deliver(to_n2(chunk(1, newer, 0, &bytes))).expect("all of it");
    assert_eq!(cluster.status(2).last_applied, LogIndex(5));
    cluster.finish_snapshot(NodeId(2));
    assert_eq!(cluster.node(2).snapshot(), Some(newer));
    assert_eq!(cluster.applied[&NodeId(2)].len(), 5);
    cluster.compact(2, 9);
    assert_eq!(cluster.node(2).base(), LogPosition::new(2, 5));
}

/// The same last entry, the same length, other bytes: of another snapshot, and of no use to this one.
#[test]
fn a_part_counts_only_for_the_snapshot_that_it_names() {
    let mut cluster = offered_to(&[]);
    let snapshot = of_n1(&mut cluster);
    let other = SnapshotId { checksum: snapshot.checksum ^ 1, ..snapshot };
    assert_eq!(cluster.deliver(chunk(1, other, 0, &[0; 50])), Err(Ignored::StaleResponse));
    settle_but_n3(&mut cluster);
    do_all(&mut cluster, N3);
    cluster.settle();
    settle_but_n3(&mut cluster);
    do_all(&mut cluster, N3);
    assert_eq!(cluster.node(3).snapshot(), Some(snapshot));
}

#[test]
fn a_snapshot_that_is_not_what_its_name_says_is_drawn_anew_and_of_the_leader_alone() {
    let mut cluster = offered_to(&[]);
    let snapshot = of_n1(&mut cluster);
    let requests: Vec<(u64, u64)> = requests(&mut cluster);
    assert_eq!(requests, [(1, 0), (2, 50)]);
    cluster.deliver(chunk(2, snapshot, 50, &vec![0; snapshot.bytes as usize - 50])).expect("wrong bytes");
    cluster.deliver(chunk(1, snapshot, 0, &[0; 50])).expect("wrong bytes");
    do_all(&mut cluster, N3);
    assert_eq!(cluster.node(3).snapshot(), None);
    assert_eq!(self::requests(&mut cluster), [(1, 0), (1, 50)]);
}

/// Takes the requests for parts off the network: of whom, from where.
fn requests(cluster: &mut Cluster) -> Vec<(u64, u64)> {
    let network = std::mem::take(&mut cluster.network);
    let request = |message: &Message| {
        let Body::SnapshotRequest(request) = &message.body else { return None };
        Some((message.to.0, request.offset))
    };
    network.iter().filter_map(request).collect()
}

#[test]
fn a_crash_between_the_snapshot_and_the_logs_new_beginning_is_made_up_for() {
    for log in [&[][..], &[1], &[1, 1, 1, 1, 1, 1]] {
        let mut cluster = offered_to(log);
        for _ in 0..4 {
            settle_but_n3(&mut cluster);
            while cluster.job_one(N3) {}
        }
        assert_eq!(cluster.status(3).last_log, LogPosition::new(2, 4), "the snapshot is installed");
        assert_eq!(cluster.terms_on_disk(3), log, "but the log is what it was");
        cluster.crash(N3);
        cluster.restart(N3);
        let status = cluster.status(3);
        assert_eq!((status.last_log, status.durable_index), (LogPosition::new(2, 4), LogIndex(4)));
        do_all(&mut cluster, N3);
        assert_eq!(cluster.terms_on_disk(3), []);
        assert_eq!((cluster.status(3).last_applied, cluster.applied[&N3].len()), (LogIndex(4), 4));
    }
}

#[test]
fn a_life_begins_where_the_newest_snapshot_ends_and_goes_on_with_the_log() {
    let mut cluster = Cluster::new(1);
    cluster.campaign(1);
    for _ in 0..3 {
        cluster.propose(1, "put").expect("it leads");
    }
    cluster.snapshot(1);
    cluster.compact(1, 2);
    cluster.propose(1, "put").expect("it leads");
    cluster.restart(NodeId(1));
    let status = cluster.status(1);
    assert_eq!((status.commit_index, status.last_applied), (LogIndex(4), LogIndex(4)));
    assert_eq!(cluster.node(1).base(), LogPosition::new(1, 2));
    cluster.campaign(1);
    assert_eq!(cluster.applied[&NodeId(1)].len(), 6, "all entries, and a no-op");
}

#[test]
fn the_log_keeps_what_no_snapshot_stands_for() {
    let mut cluster = Cluster::new(1);
    cluster.campaign(1);
    cluster.propose(1, "put").expect("it leads");
    cluster.compact(1, 2);
    assert_eq!(cluster.node(1).base(), LogPosition::ZERO, "there is no snapshot");
    cluster.snapshot(1);
    cluster.propose(1, "put").expect("it leads");
    cluster.compact(1, 3);
    assert_eq!(cluster.node(1).base(), LogPosition::new(1, 2));
    assert_eq!(cluster.node(1).term_at(LogIndex(1)), None);
    cluster.compact(1, 1);
    assert_eq!(cluster.node(1).base(), LogPosition::new(1, 2), "nothing comes back");
}

#[test]
fn a_higher_term_in_an_offer_deposes_a_leader() {
    let mut cluster = Cluster::new(3);
    cluster.campaign(3);
    cluster.settle();
    assert_eq!(cluster.status(3).role, RoleKind::Leader);
    let snapshot = SnapshotId { last: LogPosition::new(2, 9), bytes: 100, checksum: 7 };
    cluster.deliver(offer(1, 2, snapshot)).expect("an offer of the leader of term 2");
    let status = cluster.status(3);
    assert_eq!((status.role, status.current_term), (RoleKind::Follower, Term(2)));
}

/// Time passes, with a heartbeat round in each stretch of five ticks. Returns whether it still leads.
fn leads_for(cluster: &mut Cluster, rounds: u64, mut each: impl FnMut(&mut Cluster, u64)) -> bool {
    for round in 0..rounds {
        each(cluster, round);
        cluster.tick(1, 5);
        settle_but_n3(cluster);
        cluster.tick(3, 5);
    }
    cluster.status(1).role == RoleKind::Leader
}

/// A leader of three, one of them dead: without n3 there is no quorum. What is committed waits for its snapshot.
#[test]
fn a_leader_waits_for_a_snapshot_that_gets_on_and_not_for_one_that_does_not() {
    for gets_on in [true, false] {
        let mut cluster = offered_in_parts(&[], |config| config.max_snapshot_chunk_bytes = 10);
        cluster.crash(NodeId(2));
        cluster.propose(1, "waits").expect("it leads");
        let mut done = 0;
        let leads = leads_for(&mut cluster, 28, |cluster, round| {
            // One part every 25 ticks: a slow disk. The other case is one that hangs after the first.
            if round % 5 == 4 && (gets_on || done == 0) {
                done += u64::from(cluster.job_one(N3));
            }
        });
        assert_eq!(done, if gets_on { 5 } else { 1 });
        assert_eq!(leads, gets_on, "a transfer that gets on: {gets_on}");
        assert_eq!(cluster.node(1).is_sending_snapshot(), gets_on);
    }
}

#[test]
fn others_get_entries_and_commit_while_a_snapshot_is_drawn() {
    let mut cluster = offered_to(&[]);
    for number in 0..50 {
        cluster.propose(1, &format!("put {number}")).expect("it leads");
        settle_but_n3(&mut cluster);
    }
    assert_eq!(cluster.status(1).commit_index, LogIndex(54));
    assert_eq!(cluster.status(3).last_log, LogPosition::ZERO);
}

#[test]
fn a_leader_that_compacts_beyond_what_it_offered_offers_what_is_newer() {
    let mut cluster = offered_to(&[]);
    cluster.network.clear();
    cluster.propose(1, "more").expect("it leads");
    settle_but_n3(&mut cluster);
    cluster.snapshot(1);
    do_all(&mut cluster, NodeId(1));
    assert!(cluster.network.is_empty(), "what was offered still does: the log goes on behind it");
    cluster.compact(1, 5);
    let offered: Vec<Option<SnapshotId>> = cluster
        .node(1)
        .followers()
        .filter(|follower| follower.id == N3)
        .map(|follower| follower.snapshot)
        .collect();
    assert_eq!(offered, [cluster.node(1).snapshot()]);
    assert!(matches!(&cluster.network[..], [Message { body: Body::InstallSnapshot(_), .. }]));
}

#[test]
fn an_older_offer_does_not_stop_a_newer_snapshot_that_gets_on() {
    let mut cluster = offered_to(&[]);
    let present = of_n1(&mut cluster);
    requests(&mut cluster);
    let older = SnapshotId { last: LogPosition::new(1, 3), ..present };
    cluster.deliver(offer(1, 2, older)).expect("an offer");
    assert_eq!(requests(&mut cluster), [], "the newer one goes on");
    cluster.deliver(chunk(1, present, 0, &[])).expect("the leader has it no more");
    cluster.deliver(chunk(2, present, 50, &[])).expect("nor has n2");
    cluster.deliver(chunk(2, present, 0, &[])).expect("nor has n2");
    requests(&mut cluster);
    cluster.deliver(offer(1, 2, older)).expect("an offer");
    assert_eq!(requests(&mut cluster), [(1, 0), (2, 50)], "nobody is left who has the newer one");
}

/// n1 has only an older one by now, and n2 is silent: as long as n3 asked one after the other, it was never at a loss.
#[test]
fn a_newer_snapshot_that_nobody_has_any_more_gives_way_to_the_one_that_is_offered() {
    let mut cluster = offered_to(&[]);
    let present = of_n1(&mut cluster);
    let older = SnapshotId { last: LogPosition::new(1, 3), ..present };
    for _ in 0..100 {
        for message in std::mem::take(&mut cluster.network) {
            let Body::SnapshotRequest(request) = message.body else { continue };
            if request.snapshot == older {
                return;
            }
            if message.to == NodeId(1) {
                let nothing = chunk(1, request.snapshot, request.offset, &[]);
                cluster.deliver(nothing).expect("a word from who was asked");
            }
        }
        cluster.tick(3, 5);
        cluster.deliver(offer(1, 2, older)).expect("an offer with each heartbeat");
    }
    panic!("n3 was never at a loss");
}

/// One part at a time, and one of the two that have it is silent: the leader, whose offers still arrive, or the other.
#[test]
fn whoever_keeps_silent_holds_up_a_small_part_of_a_transfer() {
    for silent in [1, 2].map(NodeId) {
        let mut cluster = offered_in_parts(&[], |config| {
            (config.max_snapshot_chunk_bytes, config.max_snapshot_in_flight) = (1, 1);
        });
        cluster.tick(1, 5);
        cluster.settle_among(&[1, 2]);
        cluster.snapshot(2);
        let snapshot = of_n1(&mut cluster);
        let mut ticks = 0;
        while cluster.node(3).snapshot().is_none() {
            let mut got_on = false;
            for _ in 0..5 {
                got_on |= draw_for_a_tick(&mut cluster, silent);
                ticks += 1;
            }
            let limit = 3 * snapshot.bytes;
            assert!(
                ticks <= limit,
                "{limit} ticks did not do for {} parts, while {silent} was silent",
                snapshot.bytes
            );
            if !got_on {
                cluster
                    .deliver(offer(1, 2, snapshot))
                    .expect("an offer with each heartbeat in which nothing came");
            }
        }
    }
}

/// Requests for parts, and parts, are delivered, but for those of one who is silent; n3 sees a tick pass. Returns whether
/// a part came.
fn draw_for_a_tick(cluster: &mut Cluster, silent: NodeId) -> bool {
    let mut got_on = false;
    for message in std::mem::take(&mut cluster.network) {
        let is_part = matches!(message.body, Body::SnapshotChunk(_));
        if message.to != silent && (is_part || matches!(message.body, Body::SnapshotRequest(_))) {
            cluster.deliver(message).expect("it was asked for");
            got_on |= is_part;
        }
    }
    for node in [1, 2, 3].map(NodeId) {
        do_all(cluster, node);
    }
    cluster.tick(3, 1);
    got_on
}

#[test]
fn absurd_offers_and_requests_are_refused() {
    let mut cluster = offered_to(&[1, 1]);
    let fine = SnapshotId { last: LogPosition::new(2, 9), bytes: 100, checksum: 7 };
    let at = |term, index| SnapshotId { last: LogPosition::new(term, index), ..fine };
    for absurd in [at(2, 0), at(0, 9), at(3, 9), at(2, u64::MAX), SnapshotId { bytes: 0, ..fine }] {
        assert_eq!(cluster.deliver(offer(1, 2, absurd)), Err(Ignored::Malformed), "{absurd:?}");
    }
    assert_eq!(cluster.deliver(offer(2, 2, fine)), Err(Ignored::SecondLeader));
    let mut request = |snapshot, offset, max_bytes| {
        let body = Body::SnapshotRequest(SnapshotRequest { snapshot, offset, max_bytes });
        cluster.deliver(to_n3(2, 2, body))
    };
    assert_eq!(request(fine, 100, 1), Err(Ignored::Malformed));
    assert_eq!(request(fine, u64::MAX, 1), Err(Ignored::Malformed));
    assert_eq!(request(fine, 0, 0), Err(Ignored::Malformed));
    assert_eq!(request(fine, 0, u64::MAX), Ok(()));
    assert_eq!(request(fine, 0, u64::MAX), Err(Ignored::Busy), "it is being read");
    for offset in 1..4 {
        assert_eq!(request(fine, offset, 1), Ok(()));
    }
    assert_eq!(request(fine, 4, 1), Err(Ignored::Busy), "four at a time");
}

#[test]
fn a_log_whose_beginning_no_snapshot_stands_for_is_refused() {
    let recovered = Recovered {
        hard_state: HardState { current_term: Term(3), ..HardState::default() },
        base: LogPosition::new(1, 20),
        last_index: LogIndex(20),
        ..Recovered::default()
    };
    let start = |recovered: &Recovered| Raft::new(Config::new(NodeId(1), vec![NodeId(1)]), recovered);
    let refusal = start(&recovered).expect_err("nobody has the first entries").to_string();
    assert_eq!(
        refusal,
        "recovered.base is 20; expected 0, where no snapshot stands for the entries up to there"
    );
    let snapshot = SnapshotId { last: LogPosition::new(1, 20), bytes: 9, checksum: 7 };
    assert!(start(&Recovered { snapshot: Some(snapshot), ..recovered.clone() }).is_ok());
    let of_the_future = SnapshotId { last: LogPosition::new(4, 30), ..snapshot };
    assert!(start(&Recovered { snapshot: Some(of_the_future), ..recovered }).is_err());
}

/// Its name counts in a vote; nothing is applied and no campaign begun before it is here again.
#[test]
fn who_lost_its_snapshot_draws_it_from_whoever_asks_for_its_vote_and_then_may_lead() {
    let (own, other) = (NodeId(1), NodeId(2));
    let lost = SnapshotId { last: LogPosition::new(1, 20), bytes: 9, checksum: 7 };
    let recovered = Recovered {
        hard_state: HardState { current_term: Term(3), ..HardState::default() },
        lost_snapshot: Some(lost),
        receiving: Some((lost, 4)),
        base: lost.last,
        last_index: LogIndex(20),
        ..Recovered::default()
    };
    // n2 came later.
    let mut raft = Raft::new(Config::new(own, vec![own]), &recovered).expect("it may start");
    assert_eq!((raft.lost_snapshot(), raft.status().commit_index), (Some(lost), LogIndex(20)));
    raft.tick(1_000);
    raft.campaign();
    assert_eq!((raft.status().role, raft.next_action()), (RoleKind::Follower, None), "it knows no members");
    let behind = Body::PreVote(PreVote { last_log: LogPosition::new(1, 19) });
    let ask = Message { from: other, to: own, term: Term(3), body: behind };
    raft.receive(ask).expect("anyone may ask");
    let refusal =
        Body::PreVoteResponse(PreVoteResponse { asked_in: Term(3), granted: false, is_conditional: false });
    let rest = Body::SnapshotRequest(SnapshotRequest { snapshot: lost, offset: 4, max_bytes: 5 });
    for expected in [refusal, rest] {
        let Some(Action::Send(message)) = raft.next_action() else { panic!("it sends {expected:?}") };
        assert_eq!((message.to, message.body), (other, expected));
    }
    let data = Bytes::from_static(b"chunk");
    let chunk = Body::SnapshotChunk(SnapshotChunk { snapshot: lost, offset: 4, data });
    raft.receive(Message { from: other, to: own, term: Term(3), body: chunk }).expect("it was asked for");
    assert!(matches!(raft.next_action(), Some(Action::Snapshot(SnapshotAction::Store { offset: 4, .. }))));
    raft.snapshot_stored(lost, 9);
    raft.snapshot_received(lost);
    assert_eq!(raft.next_action(), Some(Action::Snapshot(SnapshotAction::Restore(lost))));
    raft.configuration_restored(lost, LogIndex(0), Configuration::first(&[own, other]));
    raft.restored(lost);
    assert_eq!((raft.lost_snapshot(), raft.status().last_applied), (None, LogIndex(20)));
    raft.campaign();
    assert_eq!(raft.status().role, RoleKind::Candidate);
}

/// Whom a node asks for parts of which snapshot, and from where on.
fn asked(raft: &mut Raft) -> Vec<(NodeId, SnapshotId, u64)> {
    let mut asked = Vec::new();
    while let Some(action) = raft.next_action() {
        if let Action::Send(Message { to, body: Body::SnapshotRequest(request), .. }) = action {
            asked.push((to, request.snapshot, request.offset));
        }
    }
    asked.sort_unstable_by_key(|(to, _, offset)| (*to, *offset));
    asked
}

fn newer(index: u64) -> SnapshotId {
    SnapshotId { last: LogPosition::new(2, index), bytes: 20, checksum: index }
}

/// n1 learns in term 3 that this snapshot would do.
fn named_by(from: NodeId, snapshot: SnapshotId) -> Message {
    let (answers, entries) = (Vec::new(), Entries::from(vec![]));
    let named = RepairResponse { answers, entries, snapshot: Some(snapshot) };
    Message { from, to: NodeId(1), term: Term(3), body: Body::RepairResponse(Box::new(named)) }
}

/// It may be the only voter that is left: then nobody else campaigns.
#[test]
fn who_lost_its_snapshot_and_hears_nobody_asks_those_that_were_members_at_first() {
    let [own, witness, silent, other] = [1, 2, 3, 4].map(NodeId);
    let lost = SnapshotId { last: LogPosition::new(1, 20), bytes: 60, checksum: 7 };
    let recovered = Recovered {
        hard_state: HardState { current_term: Term(3), ..HardState::default() },
        lost_snapshot: Some(lost),
        base: lost.last,
        last_index: LogIndex(20),
        ..Recovered::default()
    };
    let voters = vec![own, witness, silent, other];
    let config =
        Config { max_snapshot_chunk_bytes: 20, witnesses: vec![witness], ..Config::new(own, voters) };
    let mut raft = Raft::new(config, &recovered).expect("it may start");
    assert_eq!(asked(&mut raft), [], "a leader may be about to speak");
    raft.tick(2 * raft.config().election_timeout);
    let first = asked(&mut raft);
    let nodes =
        |asked: &[(NodeId, SnapshotId, u64)]| asked.iter().map(|(to, ..)| *to).collect::<BTreeSet<_>>();
    assert_eq!(nodes(&first), BTreeSet::from([silent, other]));
    for (_, snapshot, offset) in first.into_iter().filter(|(to, ..)| *to == other) {
        let gone = Body::SnapshotChunk(SnapshotChunk { snapshot, offset, data: Bytes::new() });
        raft.receive(Message { from: other, to: own, term: Term(3), body: gone }).expect("it was asked");
    }
    assert_eq!(nodes(&asked(&mut raft)), BTreeSet::from([silent]));
    assert_eq!(raft.receive(named_by(other, newer(40))), Ok(()), "n3 may keep silent for good");
    assert_eq!(asked(&mut raft), [(other, newer(40), 0)]);
    assert_eq!(raft.receive(named_by(other, newer(40))), Err(Ignored::StaleResponse), "it is on its way");
}

/// It knows nobody that was a member at first; but the last changes of the membership stand in its log. Who was removed by them may
/// be the only one that has the snapshot.
#[test]
fn who_joined_later_and_lost_its_snapshot_asks_all_that_its_log_names() {
    let [own, removed, behind, other] = [1, 2, 3, 4].map(NodeId);
    let lost = SnapshotId { last: LogPosition::new(1, 20), bytes: 80, checksum: 7 };
    let member = |id, standing| Member { id, session: Session::default(), standing, outgoing: false };
    let members = vec![
        member(own, Standing::Voter),
        member(behind, Standing::Learner { promote: false }),
        member(other, Standing::Learner { promote: false }),
    ];
    let before = [&members[..1], &[member(removed, Standing::Voter)], &members[1..]].concat();
    let named = [before, members].map(|members| Configuration::of(members).expect("one has a vote"));
    let recovered = Recovered {
        hard_state: HardState { current_term: Term(3), ..HardState::default() },
        lost_snapshot: Some(lost),
        base: lost.last,
        terms: vec![LogPosition::new(3, 21)],
        last_index: LogIndex(22),
        configurations: [LogIndex(21), LogIndex(22)].into_iter().zip(named.map(Into::into)).collect(),
        ..Recovered::default()
    };
    let asks = |max_snapshot_in_flight| {
        let config =
            Config { max_snapshot_chunk_bytes: 20, max_snapshot_in_flight, ..Config::new(own, Vec::new()) };
        let mut raft = Raft::new(config, &recovered).expect("it may start");
        raft.tick(2 * raft.config().election_timeout);
        let asked: BTreeSet<NodeId> = asked(&mut raft).into_iter().map(|(to, ..)| to).collect();
        (raft, asked)
    };
    assert_eq!(asks(1).1, BTreeSet::from([behind]), "who was removed may be gone");
    let (mut raft, all) = asks(4);
    assert_eq!(all, BTreeSet::from([behind, other, removed]));
    assert_eq!(raft.receive(named_by(other, newer(40))), Ok(()), "n2 never was so far");
    assert_eq!(asked(&mut raft), [(other, newer(40), 0)]);
}

/// Others that were asked for parts of the old one may keep silent for good.
#[test]
fn who_lost_its_snapshot_takes_the_newer_one_that_its_leader_names() {
    let [own, leader, other] = [1, 2, 3].map(NodeId);
    let lost = SnapshotId { last: LogPosition::new(1, 20), bytes: 60, checksum: 7 };
    let recovered = Recovered {
        hard_state: HardState { current_term: Term(3), ..HardState::default() },
        lost_snapshot: Some(lost),
        receiving: Some((lost, 0)),
        base: lost.last,
        last_index: LogIndex(20),
        ..Recovered::default()
    };
    let config = Config { max_snapshot_chunk_bytes: 20, ..Config::new(own, vec![own, leader, other]) };
    let mut raft = Raft::new(config, &recovered).expect("it may start");
    let (session, round, commit) = (Session::default(), Round(1), LogIndex(20));
    let body = Body::Heartbeat(Heartbeat { session, round, commit, outranked: false });
    raft.receive(Message { from: leader, to: own, term: Term(3), body }).expect("n2 leads");
    let first = asked(&mut raft);
    assert!([leader, other].iter().all(|id| first.iter().any(|(to, _, _)| to == id)), "{first:?}");
    assert_eq!(raft.receive(named_by(leader, newer(40))), Ok(()));
    assert_eq!(asked(&mut raft), [(leader, newer(40), 0)]);
    assert_eq!(raft.receive(named_by(leader, newer(30))), Err(Ignored::StaleResponse), "it comes late");
    raft.tick(raft.config().election_timeout);
    let body = Body::Heartbeat(Heartbeat { session, round: Round(2), commit, outranked: false });
    raft.receive(Message { from: leader, to: own, term: Term(3), body }).expect("n2 leads");
    assert_eq!(asked(&mut raft), [(other, newer(40), 0)], "the leader kept silent");
    let gone = Body::SnapshotChunk(SnapshotChunk { snapshot: newer(40), offset: 0, data: Bytes::new() });
    raft.receive(Message { from: other, to: own, term: Term(3), body: gone }).expect("it was asked");
    assert_eq!(asked(&mut raft), [(leader, newer(40), 0)], "it has it");
}

/// It was acknowledged before the log began anew behind it, and of that log it is not known which entries were ever committed.
#[test]
fn a_lost_snapshot_that_contradicts_the_log_counts_in_its_place() {
    let lost = SnapshotId { last: LogPosition::new(2, 20), bytes: 9, checksum: 7 };
    let recovered = Recovered {
        hard_state: HardState { current_term: Term(3), ..HardState::default() },
        lost_snapshot: Some(lost),
        terms: vec![LogPosition::new(1, 1)],
        last_index: LogIndex(25),
        ..Recovered::default()
    };
    let config = Config::new(NodeId(1), vec![NodeId(1), NodeId(2)]);
    let mut raft = Raft::new(config, &recovered).expect("it may start");
    let status = raft.status();
    assert_eq!((status.last_log, status.durable_index), (lost.last, lost.last.index));
    let Some(Action::Persist(write)) = raft.next_action() else { panic!("the log begins anew") };
    assert_eq!((write.reset_to, write.entries), (Some(lost.last), (&[][..], &[][..])));
}

/// n3 puts its state machine into the older of two snapshots, of entries 20 and 25, and has been offered the newer one.
fn restoring_the_older_of_two() -> (Raft, [SnapshotId; 2]) {
    let [older, newer] = [20, 25].map(|index| state::name(LogPosition::new(1, index), b"state"));
    let recovered = Recovered {
        boot: 1,
        hard_state: hard_state(1),
        snapshot: Some(older),
        base: older.last,
        last_index: older.last.index,
        ..Recovered::default()
    };
    let mut config = Config::new(N3, (1..=3).map(NodeId).collect());
    config.cache_bytes = 0;
    let mut raft = Raft::new(config, &recovered).expect("a sound start");
    raft.receive(offer(1, 1, newer)).expect("n3 does not have entry 25");
    (raft, [older, newer])
}

/// Whoever keeps snapshots keeps the last two: the one that the state machine is being put into is gone when two more have come.
#[test]
fn a_newer_snapshot_that_comes_while_one_is_being_restored_takes_its_place() {
    let (mut raft, [older, newer]) = restoring_the_older_of_two();
    let mut written = None;
    let mut restored = |raft: &mut Raft| {
        let mut restored = Vec::new();
        while let Some(action) = raft.next_action() {
            if let Action::Snapshot(SnapshotAction::Restore(snapshot)) = action {
                restored.push(snapshot);
            } else if let Action::Persist(write) = action {
                written = Some(write.token);
            }
        }
        restored
    };
    assert_eq!((restored(&mut raft), raft.restoring_snapshot()), (vec![older], Some(older)));
    let entries = (21..=26).map(|index| entry(1, index)).collect();
    raft.receive(to_n3(1, 1, append((1, 20), entries, 20))).expect("they come by another way");
    raft.snapshot_received(newer);
    assert_eq!((restored(&mut raft), raft.restoring_snapshot()), (vec![newer], Some(newer)));
    raft.snapshot_received(newer);
    assert_eq!(restored(&mut raft), vec![], "who is told twice that it is whole begins once");
    raft.configuration_restored(newer, LogIndex::ZERO, Configuration::first(&raft.config().voters.clone()));
    raft.restored(older);
    raft.restored(newer);
    let status = raft.status();
    assert_eq!((status.last_applied, status.last_log), (LogIndex(25), LogPosition::new(1, 26)));
    raft.compact(LogIndex(25));
    assert_eq!(raft.base(), older.last, "of the entries up to the newer one none is durable yet");
    raft.persisted(written.expect("the entries are to be written"));
    raft.compact(LogIndex(25));
    assert_eq!(raft.base(), newer.last);
}

/// Nothing is asked for again of what the log holds, and nothing restored that the log leads to.
#[test]
fn a_snapshot_that_the_log_agrees_with_is_kept_and_no_more() {
    let (mut raft, [older, newer]) = restoring_the_older_of_two();
    raft.configuration_restored(older, LogIndex::ZERO, Configuration::first(&raft.config().voters.clone()));
    raft.restored(older);
    let entries = (21..=26).map(|index| entry(1, index)).collect();
    raft.receive(to_n3(1, 1, append((1, 20), entries, 20))).expect("they come by another way");
    let newest = SnapshotId { last: LogPosition::new(1, 26), ..newer };
    raft.receive(offer(1, 1, newest)).expect("another one");
    assert_eq!((raft.receiving_snapshot(), raft.status().commit_index), (Some((newer, 0)), LogIndex(26)));
    raft.snapshot_received(newer);
    assert_eq!((raft.snapshot(), raft.restoring_snapshot()), (Some(newer), None));
    raft.tick(raft.ticks_until_due());
    assert_eq!(raft.status().role, RoleKind::PreCandidate);
    raft.snapshot_received(newest);
    assert_eq!((raft.snapshot(), raft.restoring_snapshot()), (Some(newest), None));
}

/// Which configuration is in force behind it is for the newer one to say, and nothing of what is still to be written goes from memory.
#[test]
fn a_newer_snapshot_that_takes_the_place_of_another_is_ahead_of_what_is_written() {
    let (mut raft, [_, newer]) = restoring_the_older_of_two();
    let mut entries: Vec<_> = (21..=26).map(|index| entry(1, index)).collect();
    let two = Configuration::first(&[NodeId(1), N3]);
    entries[3].payload = Payload::Configuration(Arc::new(two.clone()));
    raft.receive(to_n3(1, 1, append((1, 20), entries.clone(), 20))).expect("they come by another way");
    raft.snapshot_received(newer);
    raft.configuration_restored(newer, LogIndex(24), two.clone());
    raft.restored(newer);
    let in_force = raft.configuration_at(LogIndex(26)).map(|(index, members)| (index, members.clone()));
    assert_eq!(in_force, Some((LogIndex(24), two)));
    let written = std::iter::from_fn(|| {
        raft.next_action().map(|action| {
            let Action::Persist(write) = action else { return Vec::new() };
            [write.entries.0, write.entries.1].concat()
        })
    });
    assert_eq!(written.flatten().collect::<Vec<_>>(), entries);
}
