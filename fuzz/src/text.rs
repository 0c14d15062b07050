//! Profiles and scenarios: what a person writes. A text is refused with the place and the reason, or it is meant so and can be
//! run.

use squall_scenarios::profile::Plan;
use squall_scenarios::run::{self, RunOptions};
use squall_scenarios::{profile, script};
use squall_sim::scenario::{self, Scenario};
use squall_sim::{Choice, Verdict};

/// The name that the texts are read under.
const FILE: &str = "fuzz.file";

/// How many runs are drawn from a profile.
const SEEDS: u64 = 3;

/// So much of a run is tried.
const EVENTS: u64 = 2_000;

/// A world of more servers or clients takes too long for a fuzzer.
const SERVERS_MAX: u32 = 9;
const CLIENTS_MAX: u32 = 20;

/// Reads any text as a profile, and draws some runs from it.
///
/// # Panics
/// Where an error does not say what is wrong and where, or a profile that was taken draws a run that cannot be stated or simulated.
pub fn check_profile(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let profile = match profile::parse(text, FILE) {
        Ok(profile) => profile,
        Err(error) => return check_words(&error, text),
    };
    for seed in 0..SEEDS {
        let plan = profile.resolve(&mut Choice::from_seed(seed));
        let sections = script::sections_of(&plan);
        let stated = Scenario { sections, events: plan.faults.clone(), ..Scenario::default() };
        let read = scenario::parse(&stated.to_string(), FILE).expect("what is written can be read");
        assert_eq!(script::plan_of(&read).as_ref(), Ok(&plan), "a scenario states the run that was drawn");
        if seed == 0 && is_small(&plan) {
            check_run(&run::run_seed(&profile, seed, &options()).verdict);
        }
    }
}

/// Reads any text as a scenario, and runs its beginning.
///
/// # Panics
/// Where an error does not say what is wrong and where, a scenario reads otherwise when it is printed, or one that was taken
/// cannot be run, or breaks what it cannot break.
pub fn check_scenario(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let scenario = match scenario::parse(text, FILE) {
        Ok(scenario) => scenario,
        Err(error) => return check_words(&error.to_string(), text),
    };
    let printed = scenario.to_string();
    assert_eq!(scenario::parse(&printed, FILE).as_ref(), Ok(&scenario), "it reads otherwise: {printed}");
    if run::is_of_steps(&scenario) {
        return match run::replay(&scenario, &options()) {
            Err(misfit) => check_words(&misfit.at(text, FILE).to_string(), text),
            Ok(outcome) => check_run(&outcome.verdict),
        };
    }
    match script::plan_of(&scenario) {
        Err(misfit) => check_words(&misfit.at(text, FILE).to_string(), text),
        Ok(plan) if is_small(&plan) => {
            let outcome = run::replay(&scenario, &options()).expect("it was just read");
            check_run(&outcome.verdict);
        }
        Ok(_) => {}
    }
}

/// An error begins with the file, a line and a column that the text has, and says something.
fn check_words(error: &str, text: &str) {
    let place = error.strip_prefix(FILE).and_then(|rest| rest.strip_prefix(':')).unwrap_or("");
    let mut parts = place.splitn(3, ':');
    let mut number = || parts.next().and_then(|word| word.parse::<usize>().ok()).unwrap_or(0);
    let (line, column, lines) = (number(), number(), text.split('\n').count());
    assert!((1..=lines).contains(&line) && column > 0, "of {lines} lines: {error}");
    assert!(parts.next().is_some_and(|what| what.trim().len() > 3), "it says nothing: {error}");
}

fn is_small(plan: &Plan) -> bool {
    plan.setup.servers <= SERVERS_MAX && plan.parameters.clients.count <= CLIENTS_MAX
}

fn options() -> RunOptions {
    RunOptions { events_max: Some(EVENTS), ..RunOptions::default() }
}

/// That a run settles in time, nobody can promise of odd parameters; safe it is.
fn check_run(verdict: &Verdict) {
    let Verdict::Failed(violation) = verdict else { return };
    assert_eq!(violation.class, "Liveness", "{}", violation.message);
}
