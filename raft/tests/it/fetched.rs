//! Entries that come back from disk: those of no use are asked for again, but never at once; wrong ones go nowhere.

use squall_raft::{
    Action, AppendEntriesResponse, AppendResult, Body, Config, Entry, Fetch, FetchPurpose, Handover,
    HandoverReason, HardState, HeartbeatResponse, LogIndex, LogPosition, Message, NodeId, Raft, Recovered,
    RepairRequest, RequestVoteResponse, RoleKind, Session, SnapshotAction, SnapshotId, SnapshotRequest, Term,
};

use crate::cluster::entry;

const FOR_N2: FetchPurpose = FetchPurpose::Replicate(NodeId(2));

/// A leader of term 3, whose log 1@1 1@2 2@3 is on disk only, and what it has asked its driver to read.
struct Leader {
    raft: Raft,
    fetches: Vec<Fetch>,
    sent: Vec<Message>,
    handed_over: bool,
}

/// So many ticks a disk may bring nothing.
fn patience() -> u64 {
    4 * Config::new(NodeId(1), vec![NodeId(1)]).election_timeout
}

impl Leader {
    fn elected() -> Self {
        let recovered = Recovered {
            boot: 1,
            hard_state: HardState { current_term: Term(2), ..HardState::default() },
            terms: vec![LogPosition::new(1, 1), LogPosition::new(2, 3)],
            last_index: LogIndex(3),
            ..Recovered::default()
        };
        let voters = vec![NodeId(1), NodeId(2), NodeId(3)];
        let raft = Raft::new(Config::new(NodeId(1), voters), &recovered).expect("a sound log");
        let mut leader = Self { raft, fetches: Vec::new(), sent: Vec::new(), handed_over: false };
        leader.raft.campaign();
        leader.drain();
        leader.receive(
            3,
            Body::RequestVoteResponse(RequestVoteResponse { granted: true, is_conditional: false }),
        );
        leader
    }

    /// Node 2 has nothing, so that it must be sent the log from its beginning.
    fn asked_for_node_2() -> Self {
        let mut leader = Self::elected();
        leader.answer(
            2,
            AppendResult::Conflict { rejected: LogIndex(3), hint: LogPosition::ZERO, is_uncertain: false },
        );
        assert_eq!(leader.fetched_since(), [(FOR_N2, 1, 3)]);
        leader.sent.clear();
        leader
    }

    /// Node 3 has everything, so that all is committed, and is to be applied.
    fn asked_for_the_state_machine() -> Self {
        let mut leader = Self::elected();
        leader.answer(3, AppendResult::Matched(LogIndex(4)));
        assert_eq!(leader.fetched_since(), [(FetchPurpose::Apply, 1, 3)]);
        leader
    }

    fn answer(&mut self, from: u64, result: AppendResult) {
        let session = Session::default();
        self.receive(from, Body::AppendEntriesResponse(AppendEntriesResponse { session, result }));
    }

    fn receive(&mut self, from: u64, body: Body) {
        let message = Message { from: NodeId(from), to: NodeId(1), term: Term(3), body };
        self.raft.receive(message).expect("an answer that is awaited");
        self.drain();
    }

    fn tick(&mut self, ticks: u64) {
        self.raft.tick(ticks);
        self.drain();
    }

    fn fetched(&mut self, purpose: FetchPurpose, entries: Vec<Entry>) {
        self.raft.fetched(purpose, entries);
        self.drain();
    }

    /// Both others answer each heartbeat; node 3 says what it would be worth as a leader.
    fn go_on(&mut self, ticks: u64, worth_of_node_3: u64) {
        for _ in 0..ticks {
            self.tick(1);
            for message in core::mem::take(&mut self.sent) {
                let (to, Body::Heartbeat(heartbeat)) = (message.to, &message.body) else {
                    self.handed_over |= message.body == Body::TimeoutNow;
                    continue;
                };
                let answer = HeartbeatResponse {
                    session: heartbeat.session,
                    round: heartbeat.round,
                    received: LogIndex::ZERO,
                    promise: 0,
                    clock: 0,
                    priority: if to == NodeId(3) { worth_of_node_3 } else { 1 },
                    snapshot_received: 0,
                };
                self.receive(to.0, Body::HeartbeatResponse(answer));
            }
        }
    }

    /// What was asked for since the last look: for whom, from where, up to where.
    fn fetched_since(&mut self) -> Vec<(FetchPurpose, u64, u64)> {
        self.fetches.drain(..).map(|fetch| (fetch.purpose, fetch.first.0, fetch.last.0)).collect()
    }

    /// The entries that were sent to node 2.
    fn sent_to_node_2(&self) -> Vec<Entry> {
        let to_node_2 = self.sent.iter().filter(|message| message.to == NodeId(2));
        let entries = to_node_2.filter_map(|message| match &message.body {
            Body::AppendEntries(append) => Some(append.entries.to_vec()),
            Body::PreVote(_)
            | Body::PreVoteResponse(_)
            | Body::RequestVote(_)
            | Body::RequestVoteResponse(_)
            | Body::AppendEntriesResponse(_)
            | Body::Heartbeat(_)
            | Body::HeartbeatResponse(_)
            | Body::TimeoutNow
            | Body::ReadIndex(_)
            | Body::ReadIndexResponse(_)
            | Body::Forward(_)
            | Body::ForwardResponse(_)
            | Body::InstallSnapshot(_)
            | Body::SnapshotRequest(_)
            | Body::SnapshotChunk(_)
            | Body::RepairRequest(_)
            | Body::RepairResponse(_) => None,
        });
        entries.flatten().collect()
    }

    /// Writes at once, and applies at once.
    fn drain(&mut self) {
        loop {
            match self.raft.next_action() {
                None => break,
                Some(Action::Send(message)) => self.sent.push(message),
                Some(Action::Persist(write)) => {
                    let token = write.token;
                    self.raft.persisted(token);
                }
                Some(Action::Apply { last, .. }) => self.raft.applied(last),
                Some(Action::Fetch(fetch)) => self.fetches.push(fetch),
                Some(Action::ReadReady { .. } | Action::ReadDropped { .. }) => unreachable!("nobody reads"),
                Some(Action::Snapshot(SnapshotAction::Read { .. })) => {}
                Some(Action::Snapshot(action)) => panic!("nothing was compacted, and yet {action:?}"),
            }
        }
    }
}

fn log_on_disk() -> Vec<Entry> {
    vec![entry(1, 1), entry(1, 2), entry(2, 3)]
}

#[test]
fn a_read_that_fails_at_once_is_tried_again_at_each_tick_and_no_sooner() {
    for (mut leader, purpose) in
        [(Leader::asked_for_node_2(), FOR_N2), (Leader::asked_for_the_state_machine(), FetchPurpose::Apply)]
    {
        for _ in 0..3 {
            leader.fetched(purpose, Vec::new());
            leader.tick(0);
            assert_eq!(leader.fetched_since(), [], "no time has passed");
            assert_eq!(leader.raft.ticks_until_due(), 1);
            leader.tick(1);
            assert_eq!(leader.fetched_since(), [(purpose, 1, 3)]);
        }
    }
}

#[test]
fn what_was_read_before_the_log_changed_is_not_sent_but_asked_for_again() {
    for overtaken in [vec![entry(1, 2), entry(2, 3)], vec![entry(1, 1), entry(1, 2), entry(1, 3)]] {
        let mut leader = Leader::asked_for_node_2();
        leader.fetched(FOR_N2, overtaken);
        leader.tick(1);
        assert_eq!(leader.sent_to_node_2(), []);
        assert_eq!(leader.fetched_since(), [(FOR_N2, 1, 3)]);
        leader.fetched(FOR_N2, log_on_disk());
        assert_eq!(leader.sent_to_node_2(), log_on_disk());
    }
}

#[test]
fn the_state_machine_gets_what_was_read_and_then_what_is_in_memory() {
    let mut leader = Leader::asked_for_the_state_machine();
    leader.fetched(FetchPurpose::Apply, log_on_disk());
    assert_eq!(leader.raft.status().last_applied, LogIndex(4));
}

/// What stood there was replaced while the driver read.
#[test]
fn what_was_read_beyond_what_was_asked_for_is_not_applied() {
    let mut leader = Leader::asked_for_the_state_machine();
    let beyond = entry(2, 4);
    leader.fetched(FetchPurpose::Apply, [log_on_disk(), vec![beyond]].concat());
    assert_eq!(leader.raft.status().last_applied, LogIndex(4), "the fourth is the leader's own, from memory");
}

#[test]
#[should_panic(expected = "2@3 was read from disk as what follows 1@1")]
fn a_driver_that_leaves_out_an_entry_is_wrong() {
    Leader::asked_for_node_2().fetched(FOR_N2, vec![entry(1, 1), entry(2, 3)]);
}

#[test]
#[should_panic(expected = "1@3 was read from disk, and is not what is committed")]
fn a_disk_that_holds_another_entry_than_the_committed_one_is_wrong() {
    let entries = vec![entry(1, 1), entry(1, 2), entry(1, 3)];
    Leader::asked_for_the_state_machine().fetched(FetchPurpose::Apply, entries);
}

#[test]
#[should_panic(expected = "another entry was read from disk than the next to be applied")]
fn a_driver_that_reads_from_another_place_than_the_next_to_be_applied_is_wrong() {
    Leader::asked_for_the_state_machine().fetched(FetchPurpose::Apply, vec![entry(1, 2), entry(2, 3)]);
}

#[test]
fn a_leader_that_asks_again_for_what_it_lacks_has_nothing_read_twice_at_once() {
    let recovered = Recovered {
        boot: 1,
        hard_state: HardState { current_term: Term(2), ..HardState::default() },
        terms: vec![LogPosition::new(1, 1), LogPosition::new(2, 3)],
        last_index: LogIndex(3),
        ..Recovered::default()
    };
    let mut raft = Raft::new(Config::new(NodeId(1), vec![NodeId(1), NodeId(2)]), &recovered).expect("sound");
    let mut reads = |entries: Option<Vec<Entry>>| {
        if let Some(entries) = entries {
            raft.fetched(FetchPurpose::Repair(NodeId(2)), entries);
        }
        let lacking = vec![LogPosition::new(1, 1), LogPosition::new(1, 2)];
        let body = Body::RepairRequest(RepairRequest { lacking });
        raft.receive(Message { from: NodeId(2), to: NodeId(1), term: Term(3), body })
            .expect("a leader's request");
        let mut reads = Vec::new();
        while let Some(action) = raft.next_action() {
            if let Action::Fetch(fetch) = action {
                reads.push((fetch.first.0, fetch.last.0));
            }
        }
        reads
    };
    assert_eq!(reads(None), [(1, 2)]);
    assert_eq!(reads(None), [], "the first has not come back");
    assert_eq!(reads(Some(vec![entry(1, 1), entry(1, 2)])), [(1, 2)], "the answer may have been lost");
}

/// Node 3 has all, and says what it would be worth; node 2, which always could serve, is the one that waits.
#[test]
fn a_leader_whose_read_for_a_follower_never_ends_hands_over_to_another_that_keeps_up_or_stays() {
    for (worth_of_node_3, ends, expected) in [(1, false, true), (0, false, false), (1, true, false)] {
        let mut leader = Leader::asked_for_node_2();
        leader.answer(3, AppendResult::Matched(LogIndex(4)));
        leader.fetched(FetchPurpose::Apply, log_on_disk());
        leader.go_on(patience() - 1, worth_of_node_3);
        assert!(!leader.handed_over, "slow is not stuck");
        if ends {
            leader.fetched(FOR_N2, log_on_disk());
        }
        leader.go_on(patience(), worth_of_node_3);
        assert_eq!(leader.handed_over, expected, "{worth_of_node_3} {ends}");
        let stays = (leader.raft.status().role, leader.raft.handover()) == (RoleKind::Leader, None);
        assert_eq!(stays, !expected, "{worth_of_node_3} {ends}");
    }
}

#[test]
fn a_part_of_a_snapshot_that_is_never_read_is_as_bad() {
    for (ends, expected) in [(false, true), (true, false)] {
        let mut leader = Leader::elected();
        for node in [2, 3] {
            leader.answer(node, AppendResult::Matched(LogIndex(4)));
        }
        leader.fetched(FetchPurpose::Apply, log_on_disk());
        let snapshot = SnapshotId { last: LogPosition::new(1, 2), bytes: 9, checksum: 7 };
        leader.receive(2, Body::SnapshotRequest(SnapshotRequest { snapshot, offset: 0, max_bytes: 9 }));
        leader.go_on(patience() - 1, 1);
        assert!(!leader.handed_over, "slow is not stuck");
        if ends {
            leader.raft.snapshot_read(NodeId(2), snapshot, 0, None);
        }
        leader.go_on(patience(), 1);
        assert_eq!(leader.handed_over, expected, "{ends}");
    }
}

/// What is brought in the end was slow. Else two slow disks would pass the office to and fro, and neither read be of use.
#[test]
fn who_was_slow_and_taken_for_stuck_is_given_more_time() {
    for (slow_reads, patiences) in [(0, 1), (1, 2), (2, 4), (3, 4)] {
        let mut leader = Leader::asked_for_node_2();
        leader.answer(3, AppendResult::Matched(LogIndex(4)));
        leader.fetched(FetchPurpose::Apply, log_on_disk());
        for _ in 0..slow_reads {
            leader.fetched_since();
            leader.go_on(4 * patience(), 0);
            leader.fetched(FOR_N2, Vec::new());
            leader.go_on(1, 0);
            assert_eq!(leader.fetched_since(), [(FOR_N2, 1, 3)], "it is asked for again");
        }
        leader.go_on(patiences * patience() - 2, 1);
        assert!(!leader.handed_over, "{slow_reads}");
        leader.go_on(patience() / 2, 1);
        assert!(leader.handed_over, "{slow_reads}");
    }
}

/// Then it serves nobody, and whoever hears it votes for nobody else.
#[test]
fn a_leader_whose_state_machine_waits_for_its_disk_lets_go_though_nobody_that_could_serve_keeps_up() {
    let mut leader = Leader::asked_for_node_2();
    leader.answer(3, AppendResult::Matched(LogIndex(4)));
    leader.go_on(patience() - 1, 0);
    assert_eq!(leader.raft.handover(), None);
    leader.go_on(10, 0);
    let handover = Handover { to: NodeId(2), reason: HandoverReason::Unfit };
    assert_eq!(leader.raft.handover(), Some(handover));
    leader.go_on(patience(), 0);
    assert_ne!(leader.raft.status().role, RoleKind::Leader);
}
