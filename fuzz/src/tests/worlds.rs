//! Runs that bytes decide: they repeat, they come to different states, they can be written down and replayed.

use std::collections::BTreeSet;
use std::sync::Arc;

use squall_scenarios::run::{self, RunOptions};
use squall_sim::scenario;

use super::bytes;
use crate::World;

const RUNS: u64 = 60;

/// A run with this many blows.
fn world(seed: u64, blows: u8) -> World {
    let mut bytes = bytes(seed, 400);
    bytes[7] = blows;
    World::from_bytes(&bytes)
}

fn states(world: &World) -> BTreeSet<u64> {
    let mut states = BTreeSet::new();
    world.go(&Arc::default(), &mut |state| {
        states.insert(state);
    });
    states
}

#[test]
fn a_run_is_the_same_every_time_and_others_come_to_other_states() {
    let mut all = BTreeSet::new();
    for seed in 0..RUNS {
        let world = world(seed, (seed % 16) as u8);
        let seen = states(&world);
        assert_eq!(seen, states(&world), "{world:?}");
        all.extend(seen);
    }
    assert!(all.len() > 100, "{} states", all.len());
}

#[test]
fn a_run_is_written_down_as_a_scenario_that_replays_it() {
    for seed in 0..RUNS {
        let text = world(seed, (seed % 16) as u8).scenario().to_string();
        let read = scenario::parse(&text, "world.scn").expect("what is written can be read");
        let options =
            RunOptions { events_max: Some(super::super::world::EVENTS_MAX), ..RunOptions::default() };
        let outcome = run::replay(&read, &options).expect("it was run before");
        assert_eq!(run::compare(&read, &outcome), Ok(()), "{text}");
    }
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
