//! A fixed set of seeds passes: what a change must not break before anybody sweeps.
//!
//! It looks for nothing new; that is the sweep's work (`squall sweep`). A seed that fails here says which one command
//! runs it again.

use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};

use squall_scenarios::run::{self, Outcome, RunOptions};
use squall_scenarios::{marks, profile};
use squall_sim::Verdict;

#[test]
fn calm_seeds_pass_and_answer_their_clients() {
    for outcome in all_pass("calm", 0..2) {
        assert!(outcome.operations > 1_000, "seed {} answered {}", outcome.seed, outcome.operations);
    }
}

#[test]
fn lite_seeds_pass() {
    all_pass("lite", 0..20);
}

#[test]
fn storm_seeds_pass_and_do_not_leave_much_out() {
    check_storms(0..50);
}

#[test]
fn more_storm_seeds_pass_and_do_not_leave_much_out() {
    check_storms(50..100);
}

#[test]
fn a_seed_that_fails_says_which_command_runs_it_again() {
    let profile = profile::load("lite").expect("it is built in");
    let failure = complaint(&profile.name, 7, Err("index out of bounds".to_owned()));
    assert_eq!(
        failure.expect("a panic is a failure"),
        "seed 7 of lite: panicked: index out of bounds\n    cargo run -p squall -- run --profile lite --seed 7 -v"
    );
}

/// A storm that has quietly become a breeze would pass too: together they must reach four marks of five.
fn check_storms(seeds: Range<u64>) {
    let outcomes = all_pass("storm", seeds);
    let is_reached = |place: usize| outcomes.iter().any(|outcome| outcome.marks[place]);
    let missed: Vec<&str> =
        marks::all().enumerate().filter(|(place, _)| !is_reached(*place)).map(|(_, name)| name).collect();
    assert!(missed.len() * 5 <= marks::all().count(), "they missed {missed:#?}");
}

/// Runs the seeds, and fails with all that did not pass.
fn all_pass(name: &str, seeds: Range<u64>) -> Vec<Outcome> {
    let profile = profile::load(name).expect("the profile is built in and right");
    let mut complaints = Vec::new();
    let mut outcomes = Vec::new();
    for seed in seeds {
        let run = || run::run_seed(&profile, seed, &RunOptions::default());
        let result = panic::catch_unwind(AssertUnwindSafe(run)).map_err(|payload| words_of(&*payload));
        complaints.extend(complaint(
            name,
            seed,
            result.as_ref().map(|outcome| &outcome.verdict).map_err(Clone::clone),
        ));
        outcomes.extend(result);
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
    outcomes
}

/// What is wrong with a run, and the command that shows it; nothing where it passed.
fn complaint(profile: &str, seed: u64, verdict: Result<&Verdict, String>) -> Option<String> {
    let what = match verdict {
        Ok(Verdict::Passed) => return None,
        Ok(Verdict::Failed(violation)) => format!("failed {}: {}", violation.class, violation.message),
        Ok(Verdict::Inconclusive(reason)) => format!("inconclusive: {reason}"),
        Err(panic) => format!("panicked: {panic}"),
    };
    let command = format!("cargo run -p squall -- run --profile {profile} --seed {seed} -v");
    Some(format!("seed {seed} of {profile}: {what}\n    {command}"))
}

/// What a panic said.
fn words_of(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without words").to_owned()
}
