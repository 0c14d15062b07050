//! Snapshots on their way: over slow links, past those who ask too much, beside elections and handovers.

use std::collections::{BTreeSet, VecDeque};

use squall_raft::{
    Action, AppendEntriesResponse, AppendResult, Body, Change, Config, Configuration, Entries, Fetch,
    FetchPurpose, HardState, Heartbeat, Ignored, InstallSnapshot, LogIndex, LogPosition, Message, NodeId,
    Raft, Recovered, RepairResponse, RequestVoteResponse, RoleKind, Round, Session, SnapshotAction,
    SnapshotChunk, SnapshotId, SnapshotRequest, Term, TransferError,
};

use crate::cluster::{Cluster, entry, hard_state};

const SNAPSHOT: SnapshotId = SnapshotId { last: LogPosition::new(1, 20), bytes: 4080, checksum: 7 };

fn to_n3(from: u64, term: u64, body: Body) -> Message {
    Message { from: NodeId(from), to: NodeId(3), term: Term(term), body }
}

fn offer(from: u64, term: u64, snapshot: SnapshotId) -> Message {
    let (session, in_force) = (Session::default(), None);
    to_n3(from, term, Body::InstallSnapshot(InstallSnapshot { session, snapshot, in_force }))
}

fn heartbeat(from: u64, term: u64) -> Message {
    let (session, round, commit) = (Session::default(), Round(1), LogIndex(0));
    to_n3(from, term, Body::Heartbeat(Heartbeat { session, round, commit, outranked: false }))
}

fn n3(recovered: &Recovered) -> Raft {
    Raft::new(Config::new(NodeId(3), (1..=3).map(NodeId).collect()), recovered).expect("a sound start")
}

fn in_term_1() -> Recovered {
    let hard_state = HardState { current_term: Term(1), ..HardState::default() };
    Recovered { boot: 1, hard_state, ..Recovered::default() }
}

/// n1 leads, has compacted all of its log, and n3 has nothing.
fn compacted(entries: usize, part_bytes: fn(&mut Config)) -> Cluster {
    let full = (vec![1; entries], hard_state(1));
    let mut cluster = Cluster::recovered(&[full.clone(), full, (vec![], hard_state(1))], part_bytes);
    cluster.campaign(1);
    cluster.settle_among(&[1, 2]);
    cluster.tick(1, 5);
    cluster.settle_among(&[1, 2]);
    cluster.snapshot(1);
    cluster.compact(1, 1_000);
    cluster
}

/// Sends n3 its snapshot over a link that carries a part in so many ticks, one after the other. Returns how many parts
/// were sent, and how many waited to be carried, at most; `None` where n3 never has it.
fn over_a_slow_link(ticks_per_part: u64) -> Option<(usize, usize)> {
    let mut cluster = compacted(150, |config| config.max_snapshot_chunk_bytes = 100);
    let mut link: VecDeque<Message> = VecDeque::new();
    let (mut sent, mut longest, mut carried) = (0, 0, 0);
    for _ in 0..32 * ticks_per_part * 4 {
        for id in 1..=3 {
            cluster.tick(id, 1);
        }
        while !cluster.network.is_empty() {
            for message in std::mem::take(&mut cluster.network) {
                match (message.from.0, message.to.0) {
                    (1, 3) => {
                        sent += usize::from(matches!(message.body, Body::SnapshotChunk(_)));
                        link.push_back(message);
                    }
                    (2, 3) | (3, 2) => {}
                    _ => _ = cluster.deliver(message),
                }
            }
        }
        longest = longest.max(link.len());
        carried += 1;
        while let Some(front) = link.front() {
            let takes = if matches!(front.body, Body::SnapshotChunk(_)) { ticks_per_part } else { 0 };
            if carried < takes {
                break;
            }
            carried -= takes;
            let message = link.pop_front().expect("it was just looked at");
            let _ignored = cluster.deliver(message);
        }
        if link.is_empty() {
            carried = 0;
        }
        if cluster.node(3).snapshot().is_some() {
            return Some((sent, longest));
        }
    }
    None
}

#[test]
fn a_slow_link_carries_a_snapshot_about_once() {
    for ticks_per_part in [1, 3, 5, 10, 30] {
        let (sent, longest) = over_a_slow_link(ticks_per_part).expect("it arrives");
        assert!(sent <= 60, "{ticks_per_part} ticks a part: {sent} of 33 parts were sent");
        assert!(longest <= 60, "{ticks_per_part} ticks a part: {longest} messages waited");
    }
}

#[test]
fn a_snapshot_that_is_said_to_be_all_there_and_is_not_installed_is_drawn_anew() {
    let mut raft = n3(&Recovered { receiving: Some((SNAPSHOT, SNAPSHOT.bytes)), ..in_term_1() });
    raft.receive(offer(1, 1, SNAPSHOT)).expect("an offer of the leader");
    let actions = std::iter::from_fn(|| raft.next_action().map(|action| format!("{action:?}")));
    assert!(actions.collect::<String>().contains("SnapshotRequest"), "something is asked for");
}

#[test]
fn a_follower_whose_new_term_waits_for_the_disk_is_not_due_all_the_time() {
    let mut raft = n3(&in_term_1());
    raft.receive(offer(1, 1, SNAPSHOT)).expect("an offer of the leader");
    while raft.next_action().is_some() {}
    raft.tick(9);
    raft.receive(heartbeat(2, 2)).expect("a heartbeat of another leader");
    while raft.next_action().is_some() {}
    raft.tick(1);
    assert_ne!(raft.ticks_until_due(), 0, "the request is overdue, and nothing can be asked");
}

#[test]
fn parts_that_wait_to_be_read_are_bounded_however_many_names_ask() {
    let mut raft = n3(&Recovered::default());
    let ask = Body::SnapshotRequest(SnapshotRequest { snapshot: SNAPSHOT, offset: 0, max_bytes: 1 });
    let is_taken = |name: &u64| raft.receive(to_n3(*name, 0, ask.clone())) != Err(Ignored::Busy);
    assert_eq!((10..5_000).filter(is_taken).count(), 1024);
    let is_read = |action: &Action<'_>| matches!(action, Action::Snapshot(SnapshotAction::Read { .. }));
    let reads = std::iter::from_fn(|| raft.next_action().map(|action| is_read(&action)));
    assert_eq!(reads.filter(|is_read| *is_read).count(), 1024);
}

#[test]
fn a_snapshot_of_no_entry_or_of_the_last_of_all_numbers_is_refused() {
    for index in [0, (1 << 62) + 1, u64::MAX] {
        let snapshot = SnapshotId { last: LogPosition::new(1, index), ..SNAPSHOT };
        let recovered = Recovered { snapshot: Some(snapshot), ..in_term_1() };
        let config = Config::new(NodeId(3), (1..=3).map(NodeId).collect());
        let error = Raft::new(config, &recovered).expect_err("no such snapshot");
        assert_eq!((error.field, error.value), ("recovered.snapshot", index));
        assert_eq!(n3(&in_term_1()).receive(offer(1, 1, snapshot)), Err(Ignored::Malformed));
    }
}

/// Whether n1 keeps its office although the disks of all voters hang, while a learner draws a snapshot.
fn stays_in_office(with_learner: bool) -> bool {
    let full = (vec![1; 100], hard_state(1));
    let mut cluster = Cluster::recovered(&[full.clone(), full.clone(), full], |config| {
        config.max_snapshot_chunk_bytes = 10;
    });
    cluster.campaign(1);
    cluster.settle();
    cluster.tick(1, 5);
    cluster.settle();
    cluster.snapshot(1);
    cluster.compact(1, 200);
    if with_learner {
        cluster.join(4);
        cluster.change(1, &[Change::AddLearner { id: NodeId(4), promote: false }]).expect("a sound change");
        cluster.settle_among(&[1, 2, 3]);
        cluster.tick(1, 5);
        cluster.settle_among(&[1, 2, 3]);
    }
    cluster.writes_at_once = false;
    cluster.propose(1, "nobody takes it").expect("n1 leads");
    for tick in 0..400 {
        for id in cluster.ids() {
            cluster.tick(id.0, 1);
        }
        cluster.settle();
        while cluster.write_one(NodeId(1)) || cluster.job_one(NodeId(1)) {
            cluster.settle();
        }
        if with_learner && tick % 20 == 0 {
            while cluster.write_one(NodeId(4)) {}
            cluster.job_one(NodeId(4));
        }
    }
    cluster.status(1).role == RoleKind::Leader && cluster.status(1).current_term == Term(2)
}

#[test]
fn what_a_learner_draws_does_not_keep_a_leader_that_commits_nothing_in_office() {
    assert!(!stays_in_office(false));
    assert!(!stays_in_office(true));
}

/// n5 was removed and does not know; n4 lags, does not know either, and asks it for parts. Returns in which terms
/// somebody led.
fn terms_led_beside_one_that_was_removed() -> BTreeSet<u64> {
    let (full, old) = ((vec![1; 60], hard_state(1)), (vec![1], hard_state(1)));
    let logs = [full.clone(), full.clone(), full, old.clone(), old];
    let mut cluster = Cluster::recovered(&logs, |config| {
        (config.max_snapshot_chunk_bytes, config.pre_vote) = (50, false);
    });
    cluster.campaign(1);
    cluster.settle_among(&[1, 2, 3]);
    cluster.change(1, &[Change::Remove { id: NodeId(5) }]).expect("a sound change");
    for _ in 0..20 {
        (1..=3).for_each(|id| cluster.tick(id, 5));
        cluster.settle_among(&[1, 2, 3]);
    }
    cluster.snapshot(1);
    cluster.compact(1, 200);
    for _ in 0..100 {
        cluster.tick(5, 1);
        cluster.settle_among(&[5]);
    }
    assert!(cluster.status(5).current_term > cluster.status(1).current_term, "n5 campaigned in vain");
    cluster.writes_at_once = false;
    let mut led = BTreeSet::new();
    for tick in 0..300 {
        (1..=5).for_each(|id| cluster.tick(id, 1));
        // n4 has heard its leader before n5 is heard again.
        let reach: &[u64] = if tick < 10 { &[1, 2, 3, 4] } else { &[1, 2, 3, 4, 5] };
        for _ in 0..5 {
            cluster.settle_among(reach);
            for id in 1..=5 {
                while cluster.write_one(NodeId(id)) || (id != 4 && cluster.job_one(NodeId(id))) {}
            }
        }
        if tick % 15 == 0 {
            cluster.job_one(NodeId(4));
        }
        cluster.settle_among(reach);
        let status = cluster.ids().into_iter().map(|id| cluster.status(id.0));
        let leaders = status.filter(|status| status.role == RoleKind::Leader);
        led.extend(leaders.map(|status| status.current_term.0));
    }
    led
}

#[test]
fn to_ask_one_that_was_removed_for_a_part_deposes_nobody() {
    assert_eq!(terms_led_beside_one_that_was_removed(), BTreeSet::from([2]));
}

/// The others may need it, for its log: they do not wait until a large state is read.
#[test]
fn one_that_begins_with_a_snapshot_campaigns_as_soon_as_that_says_who_is_a_member() {
    let mut raft = n3(&Recovered { snapshot: Some(SNAPSHOT), ..in_term_1() });
    let asks_for_votes = |raft: &mut Raft| {
        raft.tick(100);
        let is_pre_vote =
            |action: Action<'_>| matches!(action, Action::Send(Message { body: Body::PreVote(_), .. }));
        std::iter::from_fn(|| raft.next_action().map(is_pre_vote)).filter(|is_pre_vote| *is_pre_vote).count()
    };
    assert_eq!(asks_for_votes(&mut raft), 0);
    let members = (1..=3).map(NodeId).collect::<Vec<_>>();
    raft.configuration_restored(SNAPSHOT, LogIndex(4), Configuration::first(&members));
    assert_eq!(asks_for_votes(&mut raft), 2);
    assert_eq!(raft.status().last_applied, LogIndex::ZERO, "its state machine is not there yet");
    raft.restored(SNAPSHOT);
    assert_eq!(raft.status().last_applied, SNAPSHOT.last.index);
}

#[test]
fn an_operator_cannot_hand_the_office_to_one_that_is_being_put_into_a_snapshot() {
    let mut cluster = Cluster::new(3);
    cluster.campaign(1);
    cluster.settle();
    cluster.propose(1, "a").expect("n1 leads");
    cluster.settle();
    cluster.tick(1, 5);
    cluster.settle();
    cluster.snapshot(3);
    cluster.writes_at_once = false;
    cluster.crash(NodeId(3));
    cluster.restart(NodeId(3));
    for _ in 0..20 {
        (1..=3).for_each(|id| cluster.tick(id, 1));
        for _ in 0..2 {
            cluster.settle();
            (1..=3).for_each(|id| while cluster.write_one(NodeId(id)) {});
        }
    }
    let refused = cluster.node(1).transfer_leadership(NodeId(3));
    assert_eq!(refused, Err(TransferError::CannotServe { to: NodeId(3) }));
    assert!(cluster.propose(1, "served on").is_ok());
}

/// Entries for a follower come from the disk; meanwhile the log was compacted up to the first of them, and the driver has
/// not drained in between.
/// So nobody hands the office to it.
#[test]
fn a_follower_whose_disk_never_brings_what_another_asks_for_says_that_it_is_not_fit() {
    let mut raft = n3(&in_term_1());
    let priority = |raft: &mut Raft| {
        raft.receive(heartbeat(1, 1)).expect("n1 leads");
        let mut priority = None;
        while let Some(action) = raft.next_action() {
            if let Action::Send(Message { body: Body::HeartbeatResponse(response), .. }) = action {
                priority = Some(response.priority);
            }
        }
        priority.expect("an answer")
    };
    let asks = SnapshotRequest { snapshot: SNAPSHOT, offset: 0, max_bytes: 9 };
    raft.receive(to_n3(2, 1, Body::SnapshotRequest(asks))).expect("it may ask");
    let timeout = raft.config().election_timeout;
    for timeouts in 0..=4 {
        assert_eq!(priority(&mut raft), u64::from(timeouts < 4), "{timeouts}");
        raft.tick(timeout);
    }
    raft.snapshot_read(NodeId(2), SNAPSHOT, 0, None);
    assert_eq!(priority(&mut raft), 1);
}

#[test]
fn entries_that_were_compacted_while_they_were_read_are_not_sent() {
    let voters = (1..=3).map(NodeId).collect();
    let config = Config { pre_vote: false, cache_bytes: 0, ..Config::new(NodeId(1), voters) };
    let terms = vec![LogPosition::new(1, 1)];
    let recovered = Recovered { terms, last_index: LogIndex(30), ..in_term_1() };
    let mut raft = Raft::new(config, &recovered).expect("a sound start");
    let of_term_2 = |from: u64, body| Message { from: NodeId(from), to: NodeId(1), term: Term(2), body };
    let answer =
        |result| Body::AppendEntriesResponse(AppendEntriesResponse { session: Session::default(), result });
    raft.campaign();
    drive(&mut raft);
    let vote = Body::RequestVoteResponse(RequestVoteResponse { granted: true, is_conditional: false });
    raft.receive(of_term_2(2, vote)).expect("a vote");
    drive(&mut raft);
    raft.receive(of_term_2(2, answer(AppendResult::Matched(LogIndex(31))))).expect("an acknowledgement");
    drive(&mut raft);
    assert_eq!(raft.status().last_applied, LogIndex(31));
    let refusal =
        AppendResult::Conflict { rejected: LogIndex(30), hint: LogPosition::new(1, 9), is_uncertain: false };
    raft.receive(of_term_2(3, answer(refusal))).expect("a refusal");
    let fetch = drive(&mut raft).expect("what n3 lacks is on disk");
    assert_eq!(fetch.first, LogIndex(10));

    raft.snapshot_taken(SnapshotId { last: LogPosition::new(2, 31), ..SNAPSHOT });
    raft.compact(LogIndex(10));
    raft.fetched(fetch.purpose, (10..=20).map(|index| entry(1, index)).collect());
    let is_offer =
        |action: Action<'_>| matches!(action, Action::Send(Message { body: Body::InstallSnapshot(_), .. }));
    let offered = std::iter::from_fn(|| raft.next_action().map(is_offer));
    assert_eq!(offered.filter(|is_offer| *is_offer).count(), 1, "n3 is offered the snapshot");
}

/// Does all that a node asks for, but for reads for its followers: the last of those is returned.
fn drive(raft: &mut Raft) -> Option<Fetch> {
    let mut for_follower = None;
    loop {
        let (mut written, mut applied, mut read) = (None, None, None);
        match raft.next_action() {
            None => return for_follower,
            Some(Action::Persist(write)) => written = Some(write.token),
            Some(Action::Apply { last, .. }) => applied = Some(last),
            Some(Action::Fetch(fetch)) if fetch.purpose == FetchPurpose::Apply => read = Some(fetch),
            Some(Action::Fetch(fetch)) => for_follower = Some(fetch),
            Some(_) => {}
        }
        if let Some(token) = written {
            raft.persisted(token);
        }
        if let Some(last) = applied {
            raft.applied(last);
        }
        if let Some(Fetch { purpose, first, last, .. }) = read {
            raft.fetched(purpose, (first.0..=last.0).map(|index| entry(1, index)).collect());
        }
    }
}

#[test]
fn a_snapshot_on_its_way_is_told_with_what_is_stored_of_it() {
    let mut raft = n3(&Recovered { receiving: Some((SNAPSHOT, 100)), ..in_term_1() });
    raft.receive(offer(1, 1, SNAPSHOT)).expect("an offer of the leader");
    assert_eq!(raft.receiving_snapshot(), Some((SNAPSHOT, 100)));
    raft.snapshot_stored(SNAPSHOT, 150);
    assert_eq!(raft.receiving_snapshot(), Some((SNAPSHOT, 100)), "nothing was handed out");
    assert_eq!(n3(&in_term_1()).receiving_snapshot(), None);
}

/// n3 has lost the first of these snapshots, and draws the second, which is newer, in parts of ten bytes: n2 has said so.
fn told_of_a_newer_one() -> (Raft, [SnapshotId; 2]) {
    let [lost, newer] =
        [20, 40].map(|index| SnapshotId { last: LogPosition::new(1, index), bytes: 60, checksum: index });
    let recovered =
        Recovered { lost_snapshot: Some(lost), base: lost.last, last_index: lost.last.index, ..in_term_1() };
    let config =
        Config { max_snapshot_chunk_bytes: 10, ..Config::new(NodeId(3), (1..=3).map(NodeId).collect()) };
    let mut raft = Raft::new(config, &recovered).expect("a sound start");
    raft.receive(named_by_n2(newer)).expect("it would do");
    (raft, [lost, newer])
}

fn named_by_n2(snapshot: SnapshotId) -> Message {
    let (answers, entries) = (Vec::new(), Entries::default());
    let named = RepairResponse { answers, entries, snapshot: Some(snapshot) };
    to_n3(2, 1, Body::RepairResponse(Box::new(named)))
}

/// Whoever had the newer one is out of reach, and nobody else has one as new; but some still have that which was lost.
#[test]
fn who_lost_its_snapshot_asks_for_that_one_again_where_a_newer_one_does_not_come() {
    let (mut raft, [lost, newer]) = told_of_a_newer_one();
    let asked_after = |raft: &mut Raft, ticks: u64| {
        let mut asked = BTreeSet::new();
        for _ in 0..ticks {
            raft.tick(1);
            while let Some(action) = raft.next_action() {
                if let Action::Send(Message { body: Body::SnapshotRequest(request), .. }) = action {
                    asked.insert(request.snapshot.last.index.0);
                }
            }
        }
        asked
    };
    let patience = raft.config().election_timeout * 4;
    for _ in 0..2 {
        assert_eq!(asked_after(&mut raft, patience), BTreeSet::from([40]), "it may be on its way");
        asked_after(&mut raft, 400);
        assert_eq!(raft.receiving_snapshot(), Some((lost, 0)));
        assert_eq!(asked_after(&mut raft, patience), BTreeSet::from([20]));
        raft.receive(named_by_n2(newer)).expect("it would do");
    }
}

/// Each part takes longer than four election timeouts to come, and comes.
#[test]
fn who_lost_its_snapshot_draws_a_newer_one_over_a_slow_link() {
    let (mut raft, [_, newer]) = told_of_a_newer_one();
    let (mut link, mut stored) = (VecDeque::new(), 0);
    for now in 0..2_000 {
        raft.tick(1);
        while link.front().is_some_and(|(at, _)| *at <= now) {
            let (_, offset) = link.pop_front().expect("it was just looked at");
            let chunk = SnapshotChunk { snapshot: newer, offset, data: vec![5; 10].into() };
            let _late = raft.receive(to_n3(2, 1, Body::SnapshotChunk(chunk)));
        }
        while let Some(action) = raft.next_action() {
            if let Action::Send(Message { to: NodeId(2), body: Body::SnapshotRequest(request), .. }) = action
            {
                assert_eq!(request.snapshot, newer);
                link.push_back((now + 100, request.offset));
            } else if let Action::Snapshot(SnapshotAction::Store { offset, data, .. }) = action {
                stored = offset + data.len() as u64;
                raft.snapshot_stored(newer, stored);
            }
        }
    }
    assert_eq!(stored, 60);
}
