//! One run of the stranger, from a seed or from a scenario, to its outcome.

use squall_scenarios::profile::{Plan, Profile};
use squall_scenarios::run::{self, Outcome, RunOptions};
use squall_scenarios::script;
use squall_sim::Choice;
use squall_sim::scenario::Scenario;
use squall_sim::trace::Header;

use crate::limits;
use crate::oracles::Oracles;
use crate::server::TikvServer;
use crate::setup::{Manners, TikvSetup};

/// Runs one seed of a profile.
///
/// # Errors
/// Where the seed draws what the stranger cannot serve.
///
/// # Panics
/// Where the crate, or the adapter, breaks an assertion.
pub fn run_seed(
    profile: &Profile,
    seed: u64,
    manners: Manners,
    options: &RunOptions,
) -> Result<Outcome, String> {
    let mut choice = Choice::from_seed(seed);
    let plan = profile.resolve(&mut choice);
    if options.record {
        choice = choice.recording();
    }
    let header = Header { seed, ..run::header(&profile.name) };
    let mut outcome = carry_out(plan, manners, choice, options, &header)
        .map_err(|error| format!("seed {seed}: {error}"))?;
    outcome.seed = seed;
    if let Some(scenario) = &mut outcome.scenario {
        scenario.notes =
            vec![format!("Seed {seed} of profile {}, by the `raft` crate of TiKV.", profile.name)];
    }
    Ok(outcome)
}

/// Runs a scenario.
///
/// # Errors
/// Where one of its lines makes no sense, or asks for what the stranger cannot serve.
///
/// # Panics
/// Where the crate, or the adapter, breaks an assertion.
pub fn replay(
    scenario: &Scenario,
    (text, file): (&str, &str),
    manners: Manners,
    options: &RunOptions,
) -> Result<Outcome, String> {
    if run::is_of_steps(scenario) {
        return Err(format!(
            "{file}: it is made of steps, which are of Squall's core; expected a run in time"
        ));
    }
    let plan = script::plan_of(scenario).map_err(|misfit| misfit.at(text, file).to_string())?;
    let mut choice = scenario.choice();
    if options.record {
        choice = choice.recording();
    }
    carry_out(plan, manners, choice, options, &run::header("scenario"))
        .map_err(|error| format!("{file}: {error}"))
}

fn carry_out(
    plan: Plan,
    manners: Manners,
    choice: Choice,
    options: &RunOptions,
    header: &Header,
) -> Result<Outcome, String> {
    limits::check(&plan)?;
    let (setup, oracles) = (TikvSetup { setup: plan.setup.clone(), manners }, Oracles::new(&plan.setup));
    Ok(run::carry_out::<TikvServer, _>(plan, setup, oracles, Oracles::fired, choice, options, header))
}
