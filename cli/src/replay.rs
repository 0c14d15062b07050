//! `squall replay`: a scenario file, run as it stands, without a seed.

use std::path::Path;

use squall_scenarios::run::{self as storm, Outcome, RunOptions};
use squall_scenarios::script;
use squall_sim::choice::Unheeded;
use squall_sim::scenario::{self, Scenario};
use squall_sim::text;

use crate::args::ReplayArguments;
use crate::clock::Stopwatch;
use crate::exit::{Exit, Refusal};
use crate::run::{self, Report};
use crate::{output, panics, words};

/// A scenario is read by people; beyond this size it is something else.
const SCENARIO_BYTES_MAX: u64 = 64 << 20;

/// How many decisions that had no effect are told.
const UNHEEDED_TOLD: usize = 5;

/// Reads a scenario: what it is called, its text, and what it says. A line that could not take effect in any run is refused.
pub(crate) fn load(path: &Path) -> Result<(String, String, Scenario), Refusal> {
    let name = path.display().to_string();
    let bytes = output::load(path, SCENARIO_BYTES_MAX)?;
    let expected = "a scenario, which begins with `squall-scenario 1`";
    let text = text::decode(bytes, &name, expected).map_err(Refusal::bad_input)?;
    let scenario = scenario::parse(&text, &name).map_err(|error| Refusal::bad_input(error.to_string()))?;
    script::check_effects(&scenario)
        .map_err(|misfit| Refusal::bad_input(misfit.at(&text, &name).to_string()))?;
    Ok((name, text, scenario))
}

/// Runs the command.
pub(crate) fn command(arguments: &ReplayArguments) -> Result<Exit, Refusal> {
    output::keep_apart(&[
        ("the scenario", Some(&arguments.file)),
        ("--trace", arguments.show.trace.as_deref()),
    ])?;
    let (name, text, scenario) = load(&arguments.file)?;
    if arguments.show.trace.is_some() && storm::is_of_steps(&scenario) {
        return Err(Refusal::bad_input(format!(
            "{name} is made of steps, which have no time and leave no trace; expected no --trace: -v tells each step"
        )));
    }
    let ignored = arguments.ignore.classes();
    let options = RunOptions { ignored, ..run::options(&arguments.show, false) };
    let clock = Stopwatch::start();
    let outcome = match panics::catch(|| storm::replay(&scenario, &options)) {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(misfit)) => return Err(Refusal::bad_input(misfit.at(&text, &name).to_string())),
        Err(panic) => Err(panic),
    };
    let again = format!("{} replay {}{}", words::program(), words::quoted(&name), arguments.ignore.words());
    let mut report = Report::of(&name, None, again);
    report.steps = storm::is_of_steps(&scenario).then_some(scenario.steps.len() as u64);
    if let Ok(outcome) = &outcome {
        report.remark = remark(&scenario, outcome);
    }
    run::conclude(&arguments.show, outcome, clock.elapsed(), report)
}

/// A word to the reader, not a verdict: whether an invariant held does not depend on what a file expects.
fn remark(scenario: &Scenario, outcome: &Outcome) -> Option<String> {
    let unexpected = "the scenario states no `expect`, so its verdict is compared with nothing";
    let silent = || scenario.expected.is_none().then(|| unexpected.to_owned());
    let compared = storm::compare(scenario, outcome).err().or_else(silent);
    let remarks = outcome.missed.iter().cloned().chain(unheeded(&outcome.unheeded)).chain(compared);
    let remarks: Vec<String> = remarks.collect();
    (!remarks.is_empty()).then(|| remarks.join("; "))
}

/// The decisions that had no effect, or another than they state.
fn unheeded(unheeded: &Unheeded) -> Vec<String> {
    let Unheeded { unasked, clamped } = unheeded;
    let told = |all: Vec<String>| {
        let more = all.len().saturating_sub(UNHEEDED_TOLD);
        let told = all.into_iter().take(UNHEEDED_TOLD).collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{told} and {more} more") } else { told }
    };
    let mut remarks = Vec::new();
    if !unasked.is_empty() {
        let were = if unasked.len() == 1 { "decision was" } else { "decisions were" };
        let all = told(unasked.iter().map(|decision| format!("`{decision}`")).collect());
        remarks.push(format!("{} {were} not asked for: {all}", unasked.len()));
    }
    if !clamped.is_empty() {
        let were = if clamped.len() == 1 { "decision" } else { "decisions" };
        let all = clamped.iter().map(|(decision, value)| format!("`{decision}` was taken as {value}"));
        remarks.push(format!("{} {were} could not be as stated: {}", clamped.len(), told(all.collect())));
    }
    remarks
}
