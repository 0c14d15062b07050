//! When a healed core is at rest, and when it is not.

use squall_raft::{LogIndex, LogPosition, NodeId, RoleKind, Status, Term};
use squall_sim::client::CallOutcome;
use squall_sim::{Mark, Verdict};

use super::*;
use crate::rest::are_level;
use crate::small_world::{Cluster, cluster};

/// The shortest election timeout of these clusters.
const TIMEOUT_US: u64 = 150_000;
/// How long a core must be at rest.
const REST_US: u64 = 5 * TIMEOUT_US;

/// Five servers without clients: their only entries are those that leaders begin with.
fn quiet(events: &str) -> Cluster {
    cluster(&format!("processes count=5\nclients count=0\nlimits safety=20s\n{events}"))
}

fn set(processes: &[u32]) -> ProcessSet {
    processes.iter().copied().map(ProcessId).collect()
}

/// Whether the oracle is content with the core, if all is `later_us` from now as it is now.
fn is_content(oracles: &mut Oracles, world: &Cluster, core: ProcessSet, later_us: u64) -> bool {
    oracles.standing(world.now().after(later_us), core, &world.processes()) == Standing::AtRest
}

fn leader_of_all(world: &Cluster) -> Option<(ProcessId, Term)> {
    world.oracle().rest.clone().leader(ProcessSet::first(5), &world.processes())
}

#[test]
fn a_core_has_come_to_rest_when_it_was_at_rest_for_five_election_timeouts() {
    let mut world = quiet("");
    let mut oracles = world.oracle().clone();
    assert!(!is_content(&mut oracles, &world, ProcessSet::first(5), REST_US), "nobody leads yet");
    world.run_until(Time(2_000_000));
    for (later_us, expected) in [(0, false), (REST_US - 1, false), (REST_US, true)] {
        let content = is_content(&mut oracles, &world, ProcessSet::first(5), later_us);
        assert_eq!(content, expected, "after {later_us} us");
    }
}

#[test]
fn a_run_ends_no_sooner_than_five_election_timeouts_after_its_clients_were_served() {
    let mut world = cluster(
        "processes count=3\nclients count=2\nlimits safety=2s liveness=10s core_size=3 liveness_operations=2\n",
    );
    let result = world.run();
    assert_eq!(result.verdict, Verdict::Passed);
    let answered = world.history().iter().filter_map(|call| match call.outcome {
        CallOutcome::Returned { at, .. } => Some(at),
        CallOutcome::Unknown => None,
    });
    let served = answered.max().expect("clients were served");
    let rest_us = result.virtual_us - served.0;
    assert!((REST_US..2 * REST_US).contains(&rest_us), "it ended {rest_us} us after the last answer");
}

#[test]
fn a_leader_that_changed_between_two_looks_is_at_rest_since_the_second() {
    let away = "e1 @1s administer most-prominent command=3\ne2 @3s administer n3 command=1\n";
    let and_back = format!("{away}e3 @4s administer n1 command=3\n");
    for (events, leader) in [(away, 1), (&and_back, 3)] {
        let mut world = quiet(events);
        let mut oracles = world.oracle().clone();
        world.run_until(Time(2_500_000));
        let before = leader_of_all(&world).expect("n3 leads, and all is quiet");
        assert_eq!(before.0, ProcessId(3));
        assert!(!is_content(&mut oracles, &world, ProcessSet::first(5), 0));
        world.run_until(Time(6_000_000));
        let after = leader_of_all(&world).expect("one leads, and all is quiet");
        assert!(after.0 == ProcessId(leader) && after.1 > before.1, "{before:?}, then {after:?}");
        for (later_us, expected) in [(0, false), (REST_US - 1, false), (REST_US, true)] {
            let content = is_content(&mut oracles, &world, ProcessSet::first(5), later_us);
            assert_eq!(content, expected, "n{leader} after {later_us} us");
        }
    }
}

/// n3 leads; something befalls n0; then n4 takes over with an entry that n0 may lack, and time goes by. Whether the
/// core is at rest, and whether somebody was excused.
fn rest_and_excuse(events: &str, core: ProcessSet) -> (bool, bool) {
    let mut world = quiet(&format!(
        "e1 @1s administer most-prominent command=3\n{events}e9 @3s administer n3 command=4\n"
    ));
    world.run_until(Time(6_000_000));
    let leader = world.processes().process(ProcessId(4)).expect("it is up").status();
    assert_eq!(leader.role, RoleKind::Leader);
    let mut oracles = world.oracle().clone();
    let at_once = is_content(&mut oracles, &world, core, 0);
    assert!(!at_once);
    let excused = Mark::named(marks::NAMES, "a member of the core was cut off from an outside leader");
    (is_content(&mut oracles, &world, core, REST_US), oracles.marks().has(excused))
}

#[test]
fn a_member_cut_off_from_an_outside_leader_in_either_direction_is_excused() {
    for fault in ["partition links=n4>n0", "partition links=n0>n4", "clog links=n4>n0", "clog links=n0>n4"] {
        let event = format!("e2 @2s {fault} for=60s\n");
        assert_eq!(rest_and_excuse(&event, set(&[0, 1, 2])), (true, true), "{fault}");
    }
}

#[test]
fn nobody_is_excused_for_anything_else() {
    for (events, core, what) in [
        ("e2 @2s partition links=n4>n0 for=60s\n", set(&[0, 1, 4]), "the leader is of the core"),
        ("e2 @2s crash n0 kind=power outage=60s\n", set(&[0, 1, 2]), "n0 is down"),
        ("e2 @2s pause n0 for=60s clock=running\n", set(&[0, 1, 2]), "n0 is paused"),
        ("e2 @2s partition isolate=n0 for=60s\n", set(&[0, 1, 4]), "n0 is alone, and the leader of the core"),
    ] {
        assert_eq!(rest_and_excuse(events, core), (false, false), "{what}");
    }
    let another = "e2 @2s partition links=n4>n1 for=60s\ne3 @2s crash n0 kind=power outage=60s\n";
    assert_eq!(rest_and_excuse(another, set(&[0, 1, 2])), (false, false), "n1 is excused, n0 is not");
    let elsewhere = "e2 @2s partition links=n3>n0,n0>n3 for=60s\n";
    assert_eq!(rest_and_excuse(elsewhere, set(&[0, 1, 2])), (true, false), "n0 needs no excuse");
}

#[test]
fn a_member_that_is_down_or_differs_in_anything_is_not_level_with_the_others() {
    const LEADER: NodeId = NodeId(1);
    let last_log = LogPosition::new(3, 7);
    let level = Status {
        id: NodeId(2),
        role: RoleKind::Follower,
        current_term: Term(3),
        voted_for: None,
        leader: Some(LEADER),
        last_log,
        durable_index: last_log.index,
        commit_index: last_log.index,
        last_applied: last_log.index,
        first_in_memory: LogIndex(1),
        configuration_index: LogIndex::ZERO,
        is_voter: true,
    };
    let are_level = |other: Option<(Status, Option<u64>)>| {
        are_level([Some((level, Some(9))), other].into_iter(), LEADER, last_log)
    };
    assert!(are_level(Some((Status { id: NodeId(3), ..level }, Some(9)))));
    assert!(!are_level(None), "it is down");
    assert!(!are_level(Some((level, Some(8)))), "its state is another");
    assert!(are_level(Some((level, None))), "a witness has none");
    for (what, status) in [
        ("it follows nobody", Status { leader: None, ..level }),
        ("it follows another", Status { leader: Some(NodeId(3)), ..level }),
        ("its log is shorter", Status { last_log: LogPosition::new(3, 6), ..level }),
        ("its last entry is another", Status { last_log: LogPosition::new(2, 7), ..level }),
        ("an entry is not durable", Status { durable_index: LogIndex(6), ..level }),
        ("an entry is not committed", Status { commit_index: LogIndex(6), ..level }),
        ("an entry is not applied", Status { last_applied: LogIndex(6), ..level }),
    ] {
        assert!(!are_level(Some((status, Some(9)))), "{what}");
    }
}

/// Three members, and two servers that are none.
#[test]
fn who_is_no_member_need_not_follow() {
    let mut world = cluster("cluster voters=3\nprocesses count=5\nclients count=0\nlimits safety=20s\n");
    world.run_until(Time(2_000_000));
    for core in [&[0, 1, 2, 3, 4][..], &[0, 1], &[1, 2, 4]] {
        let mut oracles = world.oracle().clone();
        assert!(!is_content(&mut oracles, &world, set(core), 0));
        assert!(is_content(&mut oracles, &world, set(core), REST_US), "{core:?}");
    }
    let stranger = world.processes().process(ProcessId(4)).expect("it is up").status();
    assert_eq!((stranger.leader, stranger.last_log), (None, LogPosition::ZERO));
}

#[test]
fn who_does_not_start_is_excused_where_its_disk_is_to_blame_and_only_there() {
    let n1 = ProcessId(1);
    let fresh = quiet("").oracle().clone();
    let excused = |blame: fn(&mut Oracles), reason| {
        let mut oracles = fresh.clone();
        blame(&mut oracles);
        oracles.excuses(n1, reason)
    };
    let contradicts = "recovered what contradicts itself: no entry 7";
    assert!(!excused(|_| {}, "damaged"));
    assert!(!excused(|oracles| oracles.disk_lost(ProcessId(2)), "it was never formatted"));
    assert!(excused(|oracles| oracles.disk_lost(ProcessId(1)), "it was never formatted"));
    let ruin: fn(&mut Oracles) = |oracles| oracles.ruined(ProcessId(1), Ruin::MissingFile, &[]);
    assert!(excused(ruin, "damaged") && !excused(ruin, contradicts), "damage is not to be believed");
    assert!(excused(|oracles| oracles.image_restored(ProcessId(0)), contradicts), "all is open then");
}

#[test]
fn a_disk_that_forgets_disarms_the_oracles_but_for_what_nobody_asked_for() {
    let mut world = cluster("processes count=3\nclients count=2\nlimits safety=5s\n");
    world.run_until(Time(2_000_000));
    let mut oracles = world.oracle().clone();
    oracles.image_restored(ProcessId(0));
    assert_eq!(oracles.finished(world.history(), &world.processes()), Ok(()));
    oracles.applied.insert(7 << 64 | 7);
    let violation = oracles.finished(world.history(), &world.processes()).expect_err("no client 7");
    assert_eq!(violation.class, "AppliedAndDenied");
}
