//! Who leads, and for how long: leaders that could not serve, and nodes that are preferred.

use std::cell::Cell;

use squall_raft::{
    Body, Change, Config, HandoverReason, LogPosition, Message, NodeId, Raft, Recovered, RequestVote,
    RoleKind, Term,
};

use crate::cluster::{Cluster, hard_state};

/// The shortest election timeout, and the interval between heartbeats.
const TIMEOUT: u64 = 15;
const BEAT: u64 = 5;

/// n1 leads, and each node has applied all there is.
fn led_by_n1(mut cluster: Cluster) -> Cluster {
    cluster.campaign(1);
    cluster.settle();
    cluster.pass(BEAT);
    cluster
}

/// As many nodes, of which those with higher numbers are preferred.
fn with_priorities(size: u64) -> Cluster {
    Cluster::with(size, |config| config.priority = config.id.0)
}

fn stick(cluster: &mut Cluster, nodes: &[u64]) {
    cluster.stuck.extend(nodes.iter().copied().map(NodeId));
}

fn pass_beats(cluster: &mut Cluster, beats: u64) {
    for _ in 0..beats {
        cluster.pass(BEAT);
    }
}

/// So much time passes, and some messages are lost each time.
fn pass_losing(cluster: &mut Cluster, ticks: u64, is_lost: impl Fn(&Message) -> bool) {
    for id in 1..=3 {
        cluster.tick(id, ticks);
    }
    while !cluster.network.is_empty() {
        let message = cluster.network.remove(0);
        if !is_lost(&message) {
            let _ignored = cluster.deliver(message);
        }
    }
}

fn is_timeout_now(message: &Message) -> bool {
    message.body == Body::TimeoutNow
}

#[test]
fn a_leader_whose_state_machine_stands_still_hands_over_to_one_whose_does_not() {
    let mut cluster = led_by_n1(Cluster::new(3));
    stick(&mut cluster, &[1, 2]);
    cluster.propose(1, "one").expect("it leads");
    cluster.settle();
    pass_beats(&mut cluster, 11);
    assert_eq!(cluster.leader(), Some(1), "not before four election timeouts are over");
    pass_beats(&mut cluster, 4);
    assert_eq!(cluster.leader(), Some(3));
    assert_eq!(cluster.status(3).current_term, Term(2), "nobody had to lose patience");
    pass_beats(&mut cluster, 100);
    assert_eq!(cluster.leader(), Some(3));
}

#[test]
fn a_state_machine_that_gets_on_however_slowly_keeps_its_leader_in_office() {
    let mut cluster = led_by_n1(Cluster::new(3));
    stick(&mut cluster, &[1]);
    for _ in 0..10 {
        cluster.propose(1, "again").expect("it leads");
        cluster.propose(1, "and again").expect("it leads");
        cluster.settle();
        pass_beats(&mut cluster, 11);
        let applied = cluster.status(1).last_applied.next();
        cluster.node(1).applied(applied);
        assert_eq!((cluster.leader(), cluster.node(1).handover()), (Some(1), None));
    }
    assert_eq!(cluster.status(1).commit_index.0 - cluster.status(1).last_applied.0, 10);
}

#[test]
fn where_nobody_could_serve_better_a_leader_stays() {
    let mut cluster = led_by_n1(Cluster::new(3));
    stick(&mut cluster, &[1, 2, 3]);
    cluster.propose(1, "one").expect("it leads");
    cluster.settle();
    pass_beats(&mut cluster, 100);
    assert_eq!((cluster.leader(), cluster.status(1).current_term), (Some(1), Term(1)));
    cluster.propose(1, "two").expect("it still leads");
}

#[test]
fn an_abdication_that_nobody_takes_up_ends_the_office_and_another_is_elected() {
    let mut cluster = led_by_n1(Cluster::new(3));
    stick(&mut cluster, &[1]);
    cluster.propose(1, "one").expect("it leads");
    cluster.settle();
    let mut ticks = 0;
    while cluster.status(1).role == RoleKind::Leader {
        pass_losing(&mut cluster, 1, is_timeout_now);
        ticks += 1;
        assert!(ticks <= 6 * TIMEOUT, "it lets go all the same");
    }
    let patience = cluster.node(1).ticks_until_due();
    assert!(
        (2 * TIMEOUT..3 * TIMEOUT).contains(&patience),
        "it lets others go first, and waits {patience} ticks"
    );
    while cluster.leader().is_none() {
        cluster.pass(1);
    }
    assert_ne!(cluster.leader(), Some(1));
}

#[test]
fn one_that_could_not_serve_leads_where_its_log_is_needed_and_no_longer() {
    let logs = [(vec![1; 40], hard_state(1)), (vec![1; 3], hard_state(1)), (Vec::new(), hard_state(1))];
    let mut cluster = Cluster::recovered(&logs, |config| config.max_message_bytes = 1);
    cluster.crash(NodeId(3));
    stick(&mut cluster, &[1]);
    let mut has_led = false;
    for _ in 0..40 {
        cluster.pass(BEAT);
        has_led |= cluster.leader() == Some(1);
    }
    assert!(has_led, "n2 could not be elected: its log is shorter");
    assert_eq!(cluster.leader(), Some(2));
}

#[test]
fn a_leader_whose_disk_hangs_and_who_has_no_heir_steps_down() {
    let mut cluster = led_by_n1(Cluster::new(3));
    cluster.writes_at_once = false;
    cluster.propose(1, "one").expect("it leads");
    for _ in 0..5 {
        assert_eq!(cluster.status(1).role, RoleKind::Leader);
        pass_losing(&mut cluster, BEAT, |message| matches!(message.body, Body::AppendEntries(_)));
    }
    assert_eq!(cluster.status(1).role, RoleKind::Follower, "no follower has the entry");
}

#[test]
fn an_operator_may_make_anybody_lead_and_the_preferred_one_leads_again_later() {
    let mut cluster = led_by_n1(with_priorities(3));
    cluster.transfer(1, 2).expect("a transfer that can begin");
    cluster.settle();
    pass_beats(&mut cluster, 11);
    assert_eq!(cluster.leader(), Some(2), "it is given its time");
    pass_beats(&mut cluster, 4);
    assert_eq!(cluster.leader(), Some(3));
}

/// What is told to campaign has the whole log, and would lag again behind a leader that went on by itself.
#[test]
fn a_leader_that_hands_over_leaves_a_joint_configuration_only_when_it_has_given_up() {
    let mut cluster = led_by_n1(Cluster::new(3));
    let joint = cluster.change(1, &[Change::Remove { id: NodeId(3) }]).expect("n1 and n2 stay");
    cluster.transfer(1, 2).expect("n2 votes");
    let told = Cell::new(0);
    pass_losing(&mut cluster, 0, |message| {
        told.set(told.get() + u64::from(is_timeout_now(message)));
        is_timeout_now(message)
    });
    assert_eq!((told.get(), cluster.status(1).commit_index), (1, joint.index));
    assert_eq!(cluster.status(1).last_log, joint, "n2 was told to campaign");
    pass_losing(&mut cluster, TIMEOUT - 1, is_timeout_now);
    assert_eq!(cluster.status(1).last_log, joint);
    pass_losing(&mut cluster, 1, is_timeout_now);
    assert_eq!(cluster.status(1).last_log.index, joint.index.next(), "it leads on");
}

#[test]
fn one_that_is_preferred_and_lags_is_not_handed_the_office() {
    let mut cluster = led_by_n1(with_priorities(3));
    for _ in 0..100 {
        let leader = cluster.leader().expect("nobody is down");
        let _refused = cluster.propose(leader, "more");
        // n3 answers heartbeats, and no entry gets through to it.
        pass_losing(&mut cluster, BEAT, |message| {
            message.to == NodeId(3) && matches!(message.body, Body::AppendEntries(_))
        });
        let handover = cluster.leader().and_then(|leader| cluster.node(leader).handover());
        assert_ne!(
            handover.map(|handover| handover.to),
            Some(NodeId(3)),
            "proposals would be refused for nothing"
        );
    }
    assert_eq!(cluster.leader(), Some(2), "the next best");
}

#[test]
fn a_change_of_the_membership_goes_before_who_is_preferred() {
    for changes in [false, true] {
        let mut cluster = led_by_n1(with_priorities(3));
        cluster.transfer(1, 2).expect("a transfer that can begin");
        cluster.settle();
        pass_beats(&mut cluster, 11);
        assert_eq!(cluster.leader(), Some(2), "it is given its time");
        if changes {
            let learner = Change::AddLearner { id: NodeId(4), promote: false };
            cluster.change(2, &[learner]).expect("n2 leads");
            cluster.network.clear();
        }
        let mut hands_over = false;
        for _ in 0..8 {
            pass_losing(&mut cluster, BEAT, |message| matches!(message.body, Body::AppendEntries(_)));
            hands_over |= cluster.status(2).role != RoleKind::Leader || cluster.node(2).handover().is_some();
        }
        assert_eq!(hands_over, !changes);
    }
}

#[test]
fn a_preferred_node_that_never_takes_over_is_asked_after_ever_longer_times() {
    let mut cluster = led_by_n1(with_priorities(3));
    let mut began = Vec::new();
    let mut under_way = None;
    for tick in 0..3_000 {
        pass_losing(&mut cluster, 1, is_timeout_now);
        let before = std::mem::replace(&mut under_way, cluster.node(1).handover());
        if let (None, Some(handover)) = (before, under_way) {
            assert_eq!((handover.to, handover.reason), (NodeId(3), HandoverReason::Outranked));
            began.push(tick);
        }
    }
    assert_eq!(cluster.status(1).role, RoleKind::Leader);
    let timeouts: Vec<u64> = began.windows(2).map(|pair| (pair[1] - pair[0]) / TIMEOUT).collect();
    assert_eq!(timeouts, [8, 16, 32, 64, 64]);
}

#[test]
fn who_forgets_its_draw_campaigns_after_the_shortest_timeout() {
    for seed in 0..20 {
        let config = Config { seed, ..Config::new(NodeId(1), [1, 2, 3].map(NodeId).to_vec()) };
        let mut raft = Raft::new(config, &Recovered::default()).expect("a sound configuration");
        raft.forget_draw();
        assert_eq!(raft.ticks_until_due(), raft.config().election_timeout);
    }
}

#[test]
fn who_is_outranked_lets_the_other_go_first_and_then_campaigns_itself() {
    let mut cluster = led_by_n1(with_priorities(3));
    cluster.pass(BEAT);
    cluster.crash(NodeId(1));
    cluster.crash(NodeId(3));
    let patience = cluster.node(2).ticks_until_due();
    assert!((2 * TIMEOUT..3 * TIMEOUT).contains(&patience), "{patience} ticks");
    cluster.tick(2, patience);
    assert_eq!(cluster.status(2).role, RoleKind::PreCandidate);
    assert!(cluster.node(2).ticks_until_due() < 2 * TIMEOUT, "it has waited once");
}

/// The heir lags by much more than an election timeout's worth of log.
#[test]
fn a_leader_that_retires_leads_on_until_its_heir_has_the_whole_log() {
    let logs = [(vec![1; 60], hard_state(1)), (vec![1; 60], hard_state(1)), (Vec::new(), hard_state(1))];
    let mut cluster = Cluster::recovered(&logs, |config| {
        (config.max_message_bytes, config.max_in_flight_messages) = (1, 1);
    });
    cluster.crash(NodeId(3));
    cluster.campaign(1);
    cluster.settle();
    cluster.pass(5);
    cluster.crash(NodeId(2));
    cluster.restart(NodeId(3));
    cluster.node(1).retire();
    let mut without_leader = 0;
    for _ in 0..600 {
        // Each message takes a tick.
        for message in std::mem::take(&mut cluster.network) {
            let _ignored = cluster.deliver(message);
        }
        [1, 3].into_iter().for_each(|id| cluster.tick(id, 1));
        without_leader += u64::from(cluster.leader().is_none());
    }
    assert_eq!(cluster.leader(), Some(3));
    assert!(without_leader < 60, "{without_leader} of 600 ticks");
}

#[test]
fn one_that_retires_campaigns_where_its_log_is_needed() {
    let mut cluster = led_by_n1(Cluster::new(3));
    cluster.transfer(1, 2).expect("n2 votes");
    cluster.settle();
    cluster.pass(5);
    assert_eq!(cluster.leader(), Some(2));
    cluster.propose(2, "on n1 and n2").expect("n2 leads");
    cluster.network.retain(|message| message.to != NodeId(3));
    cluster.settle();
    cluster.node(1).retire();
    cluster.crash(NodeId(2));
    (0..200).for_each(|_| cluster.pass(1));
    assert_eq!(cluster.leader(), Some(3), "n1 was elected, and handed over once n3 had its log");
}

#[test]
fn a_leader_that_is_deposed_lets_others_go_first_only_where_one_of_them_is_preferred() {
    for (cluster, head_start) in [(Cluster::new(3), 0), (with_priorities(3), TIMEOUT)] {
        let mut cluster = led_by_n1(cluster);
        let body = Body::RequestVote(RequestVote { last_log: LogPosition::ZERO, leadership_transfer: true });
        let of_n2 = Message { from: NodeId(2), to: NodeId(1), term: Term(2), body };
        cluster.deliver(of_n2).expect("a request of a higher term");
        assert_eq!((cluster.status(1).role, cluster.status(1).voted_for), (RoleKind::Follower, None));
        let patience = cluster.node(1).ticks_until_due();
        assert!((head_start + TIMEOUT..head_start + 2 * TIMEOUT).contains(&patience), "{patience} ticks");
    }
}

#[test]
fn a_promise_to_a_leader_holds_for_an_election_timeout_and_no_longer() {
    for patience in [TIMEOUT - 1, TIMEOUT] {
        let mut cluster = led_by_n1(Cluster::with(3, |config| config.lease_drift_ppm = Some(0)));
        cluster.tick(2, patience);
        cluster.network.clear();
        let last_log = cluster.status(3).last_log;
        let body = Body::RequestVote(RequestVote { last_log, leadership_transfer: false });
        let request = Message { from: NodeId(3), to: NodeId(2), term: Term(2), body };
        let _kept = cluster.deliver(request);
        let vote = cluster.status(2).voted_for.filter(|_| cluster.status(2).current_term == Term(2));
        assert_eq!(vote, (patience == TIMEOUT).then_some(NodeId(3)), "after {patience} ticks");
    }
}
