//! What comes from outside is refused with a clear error or it is sound: no panic, no nonsense taken for sense.
//!
//! Each crate tests its own reader on any bytes; here stands what only shows where they meet. A profile that is
//! accepted draws runs that can be simulated, a scenario that is accepted can be run, and a disk full of garbage
//! never makes a node believe what nobody wrote.

mod disks;

use proptest::prelude::*;
use proptest::sample::Index;
use squall_scenarios::profile::Plan;
use squall_scenarios::run::{self, RunOptions};
use squall_scenarios::{marks, profile, script};
use squall_sim::scenario::{self, Scenario};
use squall_sim::{Choice, Verdict};

use crate::worlds::{cluster, storm};

/// How much of a run is tried.
const EVENTS: u64 = 3_000;

/// Numbers and words at the edges of what a reader may expect.
fn oddity() -> impl Strategy<Value = String> {
    let numbers = prop_oneof![
        Just(0_u64),
        Just(1),
        Just(u64::from(u32::MAX)),
        Just(1 << 32),
        Just(1 << 40),
        Just(u64::MAX),
        0..1_000_u64,
        any::<u64>(),
    ];
    prop_oneof![
        6 => numbers.prop_map(|number| number.to_string()),
        1 => "[a-z0-9=#@> \n,:/\\[\\]\"_.-]{0,8}",
    ]
}

/// The text with one of its numbers replaced; its unit stays.
fn with_another_number(text: &str, place: Index, oddity: &str) -> String {
    let is_digit = |byte: u8| byte.is_ascii_digit() || byte == b'_';
    let bytes = text.as_bytes();
    let begins = |at: &usize| bytes[*at].is_ascii_digit() && !bytes[*at - 1].is_ascii_alphanumeric();
    let numbers: Vec<usize> = (1..bytes.len()).filter(|at| begins(at) && bytes[*at - 1] != b'_').collect();
    let start = *place.get(&numbers);
    let end = (start..bytes.len()).find(|at| !is_digit(bytes[*at])).unwrap_or(bytes.len());
    format!("{}{oddity}{}", &text[..start], &text[end..])
}

/// The storms' parameters and faults as the text of a scenario.
fn stated(seed: u64) -> Scenario {
    let plan = storm().resolve(&mut Choice::from_seed(seed));
    Scenario { sections: script::sections_of(&plan), events: plan.faults, ..Scenario::default() }
}

/// What goes wrong at the beginning of a run, if anything. That it settles, nobody can promise of odd parameters.
fn failure(mut plan: Plan, choice: Choice) -> Option<Verdict> {
    plan.parameters.limits.events = EVENTS;
    plan.parameters.limits.liveness_us = 0;
    let verdict = cluster(plan, choice).run().verdict;
    matches!(verdict, Verdict::Failed(_)).then_some(verdict)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_profile_with_an_odd_number_is_refused_or_draws_runs_that_a_scenario_can_state(
        name in prop::sample::select(profile::names().collect::<Vec<_>>()),
        changes in prop::collection::vec((any::<Index>(), oddity()), 1..3),
        seed: u64,
    ) {
        let text = match name {
            "storm" => include_str!("../../scenarios/profiles/storm.toml"),
            "lite" => include_str!("../../scenarios/profiles/lite.toml"),
            _ => include_str!("../../scenarios/profiles/calm.toml"),
        };
        let odd = changes.iter().fold(text.to_owned(), |text, (place, oddity)| {
            with_another_number(&text, *place, oddity)
        });
        match profile::parse(&odd, "odd.toml") {
            Err(error) => prop_assert!(error.contains("odd.toml"), "{}", error),
            Ok(profile) => {
                let plan = profile.resolve(&mut Choice::from_seed(seed));
                let sections = script::sections_of(&plan);
                let stated = Scenario { sections, events: plan.faults.clone(), ..Scenario::default() };
                let read = scenario::parse(&stated.to_string(), "odd.scn");
                let read = read.expect("what is written can be read");
                prop_assert_eq!(script::plan_of(&read), Ok(plan.clone()));
                prop_assert_eq!(failure(plan, Choice::from_seed(seed)), None);
            }
        }
    }

    #[test]
    fn a_scenario_with_an_odd_number_is_refused_or_can_be_run(
        seed in 0..20_u64,
        changes in prop::collection::vec((any::<Index>(), oddity()), 1..3),
    ) {
        let odd = changes.iter().fold(stated(seed).to_string(), |text, (place, oddity)| {
            with_another_number(&text, *place, oddity)
        });
        let scenario = match scenario::parse(&odd, "odd.scn") {
            Ok(scenario) => scenario,
            Err(error) => {
                prop_assert!(error.to_string().contains("odd.scn:"), "{}", error);
                return Ok(());
            }
        };
        match script::plan_of(&scenario) {
            Err(error) => prop_assert!(error.to_string().contains("expected"), "{}", error),
            Ok(plan) => prop_assert_eq!(failure(plan, scenario.choice()), None),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn whatever_bytes_decide_a_run_the_cluster_holds_and_the_run_repeats(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let run = || {
            let mut choice = Choice::from_bytes(&bytes);
            let mut plan = storm().resolve(&mut choice);
            plan.parameters.limits.events = 5_000;
            cluster(plan, choice).run()
        };
        let result = run();
        prop_assert!(!matches!(result.verdict, Verdict::Failed(_)), "{:?}", result.verdict);
        prop_assert_eq!(run(), result);
    }
}

#[test]
fn a_network_that_damages_every_third_message_breaks_nothing() {
    let text = include_str!("../../scenarios/profiles/storm.toml");
    let text = text.replace("[swarm]\n", "[swarm]\ncorruption = '1/1'\n");
    let text = format!("{text}\n[network]\ncorruption = '1/3'\n");
    let profile = profile::parse(&text, "damage.toml").expect("the section is not stated before");
    let refused = marks::all().position(|mark| mark == "a damaged frame was refused").expect("it is a mark");
    for seed in 0..4 {
        let outcome = run::run_seed(&profile, seed, &RunOptions::default());
        assert_eq!(outcome.verdict, Verdict::Passed, "seed {seed}");
        assert!(outcome.marks[refused], "seed {seed}");
    }
}
