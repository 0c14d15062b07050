//! Runs that bytes decide: they repeat, they come to different states, they can be written down and replayed.

use std::collections::BTreeSet;
use std::sync::Arc;

use squall_scenarios::profile::{self, Profile};
use squall_scenarios::run::{self, RunOptions};
use squall_sim::fault::FaultEvent;
use squall_sim::scenario;

use super::bytes;
use crate::World;

const RUNS: u64 = 60;

/// A kind of blow that changes a fault.
const CHANGE: u8 = 200;

/// A run with this many blows.
fn world(seed: u64, blows: u8) -> World {
    let mut bytes = bytes(seed, 400);
    bytes[7] = blows;
    World::from_bytes(&bytes)
}

fn states(world: &World, profile: Option<&Profile>) -> BTreeSet<u64> {
    let mut states = BTreeSet::new();
    world.go(profile, &Arc::default(), &mut |state| {
        states.insert(state);
    });
    states
}

#[test]
fn a_run_is_the_same_every_time_and_others_come_to_other_states() {
    let mut all = BTreeSet::new();
    for seed in 0..RUNS {
        let world = world(seed, (seed % 16) as u8);
        let seen = states(&world, None);
        assert_eq!(seen, states(&world, None), "{world:?}");
        all.extend(seen);
    }
    assert!(all.len() > 100, "{} states", all.len());
}

#[test]
fn a_run_is_written_down_as_a_scenario_that_replays_it() {
    for seed in 0..RUNS {
        replays(&world(seed, (seed % 16) as u8), None);
    }
}

fn replays(world: &World, profile: Option<&Profile>) {
    let text = world.scenario_in(profile).to_string();
    let read = scenario::parse(&text, "world.scn").expect("what is written can be read");
    let options = RunOptions { events_max: Some(super::super::world::EVENTS_MAX), ..RunOptions::default() };
    let outcome = run::replay(&read, &options).expect("it was run before");
    assert_eq!(run::compare(&read, &outcome), Ok(()), "{text}");
}

/// The first bytes decide what is drawn; blows add to it, take from it and change it.
#[test]
fn the_runs_of_a_profile_are_drawn_and_changed_by_blows_and_replay() {
    let profile = profile::load("schism").expect("a profile of the house");
    let (mut faults, mut all) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..RUNS / 4 {
        for blows in [0, 8] {
            let world = world(seed, blows);
            replays(&world, Some(&profile));
            faults.insert(world.scenario_in(Some(&profile)).events.len());
            all.extend(states(&world, Some(&profile)));
        }
    }
    assert!(faults.len() > 10 && all.len() > 50, "{faults:?}, {} states", all.len());
    let plain = world(1, 0).scenario_in(Some(&profile)).events;
    let with = |blow: [u8; 8]| {
        let mut bytes = bytes(1, 400);
        bytes[7] = 1;
        bytes.splice(8..8, blow);
        let events = World::from_bytes(&bytes).scenario_in(Some(&profile)).events;
        let times_of_others = |these: &[FaultEvent], those: &[FaultEvent]| -> Vec<u64> {
            these.iter().filter(|event| !those.contains(event)).map(|event| event.at.0).collect()
        };
        (times_of_others(&plain, &events), times_of_others(&events, &plain))
    };
    let third = plain[2].at.0;
    assert_eq!(with([0, 0, 1, 0, 9, 0, 0, 7]), (vec![], vec![112_000]), "one more");
    assert_eq!(with([CHANGE, 0, 2, 0, 0, 0, 0, 0]), (vec![third], vec![]), "one less");
    assert_eq!(with([CHANGE, 0, 2, 1, 0, 0, 0, 100]), (vec![third], vec![1_600_000]), "one at another time");
}

#[test]
fn no_cluster_has_leases_where_a_clock_stands_still() {
    let (mut leases, mut freezes) = (0, 0);
    for seed in 0..RUNS {
        let scenario = world(seed, 8).scenario().to_string();
        let (has_leases, freezes_one) = (scenario.contains("leases=yes"), scenario.contains("clock-freeze"));
        assert!(!has_leases || !freezes_one, "{scenario}");
        leases += u64::from(has_leases);
        freezes += u64::from(freezes_one);
    }
    assert!(leases > 0 && freezes > 0, "{leases} have leases, in {freezes} a clock stands still");
}

#[test]
fn bytes_of_any_number_decide_a_run() {
    for length in 0..40 {
        World::from_bytes(&bytes(1, length)).check();
    }
}
