//! `squall shrink`: a failure is made as simple as it can be within a time, on all cores, and written down as a scenario.
//!
//! What is simpler, and in which order it is tried, is for [`squall_sim::shrink`] to say. Here candidates are run, several at
//! once; of those that still fail the first counts, so that the result does not depend on the number of cores.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rayon::prelude::*;
use serde::Serialize;
use squall_scenarios::run::{self as storm, Outcome, RunOptions};
use squall_scenarios::script;
use squall_sim::process::Violation;
use squall_sim::scenario::{Expected, Scenario};
use squall_sim::shrink::{self, Candidate, Judge, Run, Size};
use squall_sim::world::Verdict;

use crate::args::ShrinkArguments;
use crate::clock::Stopwatch;
use crate::exit::{Exit, Refusal};
use crate::progress::Progress;
use crate::{interrupt, output, repeat, replay, report, threads, words};

/// How a failure is run, if violations of these classes do not count.
pub(crate) fn options(ignored: Vec<&'static str>) -> RunOptions {
    RunOptions { record: true, ignored, ..repeat::OPTIONS }
}

/// A candidate that takes more than twice the events of the best scenario, and so many more, is no simplification.
const MORE_EVENTS: u64 = 10_000;

/// How to shrink, and where what is left goes.
pub(crate) struct Request<'a> {
    pub(crate) output: &'a Path,
    /// Where it goes as a test.
    pub(crate) test: Option<&'a Path>,
    pub(crate) time: Duration,
    pub(crate) jobs: u16,
    /// Without a progress bar.
    pub(crate) quiet: bool,
    /// How what failed was run.
    pub(crate) options: RunOptions,
    /// What of it does not count, as words of a command.
    pub(crate) ignore: String,
}

/// What was made of a failure.
#[derive(Serialize)]
pub(crate) struct Shrunk {
    /// The profile and the seed, or the file, that failed.
    pub(crate) source: String,
    pub(crate) class: &'static str,
    pub(crate) message: String,
    /// Faults, and events of which something is decided, before and after.
    pub(crate) events: [u64; 2],
    /// Stated parameters, before and after.
    pub(crate) parameters: [u64; 2],
    /// The length of the run in virtual time, before and after.
    pub(crate) virtual_seconds: [f64; 2],
    pub(crate) runs: u64,
    pub(crate) wall_seconds: f64,
    pub(crate) jobs: u16,
    /// Whether nothing simpler was left to try.
    pub(crate) complete: bool,
    /// Whether an interrupt came, and not the end of its time.
    pub(crate) interrupted: bool,
    pub(crate) file: String,
    /// The regression test.
    pub(crate) test: Option<String>,
    /// The scenario itself.
    pub(crate) scenario: String,
    pub(crate) replay: String,
}

/// Runs the command.
pub(crate) fn command(arguments: &ShrinkArguments) -> Result<Exit, Refusal> {
    output::keep_apart(&[
        ("the scenario", arguments.file.as_deref()),
        ("--output", arguments.output.as_deref()),
        ("--test", arguments.test.as_deref()),
    ])?;
    if let Some(path) = &arguments.test {
        check_test(path)?;
    }
    let options = options(arguments.less.ignore.classes());
    let (source, outcome) = failure(arguments, &options)?;
    let output = arguments.output.clone().map_or_else(|| own_name(arguments, &source, &outcome), Ok)?;
    interrupt::listen();
    let request = Request {
        output: &output,
        test: arguments.test.as_deref(),
        time: arguments.time,
        jobs: arguments.jobs.count(None),
        quiet: arguments.json,
        options,
        ignore: arguments.less.ignore.words(),
    };
    let shrunk = make_small(source, &outcome, &request)?;
    if arguments.json {
        output::print_json(&shrunk)?;
    } else {
        output::print(&report::shrunk(&shrunk))?;
    }
    Ok(Exit::Held)
}

/// Shrinks a run that failed, and writes what is left. The whole is written first, so that there is something whatever happens.
pub(crate) fn make_small(
    source: String,
    outcome: &Outcome,
    request: &Request<'_>,
) -> Result<Shrunk, Refusal> {
    let violation = failed(&source, outcome)?;
    let before = scenario_of(outcome);
    save(request.output, &before, &source, violation)?;
    let mut runs = Runs::new(violation.class, outcome.events, request)?;
    let after = shrink::shrink(before.clone(), run_of(outcome), &mut runs);
    runs.progress.finish();

    let again =
        storm::replay(&after, &request.options).map_err(|misfit| Refusal::harness(misfit.to_string()))?;
    let (after, again) = without_vain_faults(after, again, runs.class, &request.options);
    let Some(violation) = failing(&again, runs.class) else {
        return Err(Refusal::harness(format!("the shrunk run of {source} does not fail so any more")));
    };
    let text = save(request.output, &after, &source, violation)?;
    if let Some(path) = request.test {
        output::save(path, regression_test(&after, violation).to_string().as_bytes())?;
    }
    let (size_before, size_after) = (Size::of(&before), Size::of(&after));
    let file = request.output.display().to_string();
    Ok(Shrunk {
        source,
        class: violation.class,
        message: violation.message.clone(),
        events: [size_before.events, size_after.events],
        parameters: [size_before.parameters, size_after.parameters],
        virtual_seconds: [outcome.virtual_us, again.virtual_us].map(|us| us as f64 / 1e6),
        runs: runs.runs,
        wall_seconds: runs.clock.elapsed().as_secs_f64(),
        jobs: request.jobs,
        complete: !runs.is_over(),
        interrupted: interrupt::requested(),
        replay: format!("{} replay {}{}", words::program(), words::quoted(&file), request.ignore),
        file,
        test: request.test.map(|path| path.display().to_string()),
        scenario: text,
    })
}

/// How a run failed, if it failed so.
fn failing<'a>(outcome: &'a Outcome, class: &str) -> Option<&'a Violation> {
    match &outcome.verdict {
        Verdict::Failed(violation) if violation.class == class => Some(violation),
        Verdict::Passed | Verdict::Failed(_) | Verdict::Inconclusive(_) => None,
    }
}

/// The scenario without the faults that came to nothing, and its run: a test that holds such a one never passes. One that others wait for
/// cannot go, and what makes the run another one stays.
fn without_vain_faults(
    mut scenario: Scenario,
    mut run: Outcome,
    class: &str,
    options: &RunOptions,
) -> (Scenario, Outcome) {
    let replay_without = |scenario: &Scenario, vain: &[u32]| {
        let mut less = scenario.clone();
        less.events.retain(|event| !vain.contains(&event.id));
        let outcome = storm::replay(&less, options).ok()?;
        failing(&outcome, class).is_some().then_some((less, outcome))
    };
    let vain = run.vain.clone();
    if vain.is_empty() {
        return (scenario, run);
    }
    if let Some(all_at_once) = replay_without(&scenario, &vain) {
        return all_at_once;
    }
    for event in vain {
        if let Some(less) = replay_without(&scenario, &[event]) {
            (scenario, run) = less;
        }
    }
    (scenario, run)
}

/// A test may be a story already, which somebody wrote: it is not overwritten.
fn check_test(path: &Path) -> Result<(), Refusal> {
    if path.symlink_metadata().is_ok() {
        let path = path.display();
        return Err(Refusal::bad_input(format!(
            "{path} is there already, and a test is not overwritten: give --test another name, or remove it"
        )));
    }
    output::check_place(path)
}

/// Where the simplest scenario goes if the user does not say: a file of this name must not be there.
fn own_name(arguments: &ShrinkArguments, source: &str, outcome: &Outcome) -> Result<PathBuf, Refusal> {
    let class = failed(source, outcome)?.class;
    let seed = arguments.seed.map(|seed| seed.to_string());
    let of_file = || arguments.file.as_ref()?.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stem =
        seed.or_else(of_file).expect("clap asks for a file or a seed, and a file that was read has a name");
    let name = PathBuf::from(format!("{stem}-{class}.scn"));
    // A link that leads nowhere is in the way, too.
    if name.symlink_metadata().is_ok() {
        let name = name.display();
        return Err(Refusal::bad_input(format!(
            "{name} is there already, and is not overwritten unless you say so: give -o {name}, or another name"
        )));
    }
    Ok(name)
}

/// The violation that is to stay.
fn failed<'a>(source: &str, outcome: &'a Outcome) -> Result<&'a Violation, Refusal> {
    match &outcome.verdict {
        Verdict::Failed(violation) => Ok(violation),
        Verdict::Passed | Verdict::Inconclusive(_) => {
            Err(Refusal::bad_input(format!("{source} does not fail: there is nothing to shrink")))
        }
    }
}

/// What failed, and how.
fn failure(arguments: &ShrinkArguments, options: &RunOptions) -> Result<(String, Outcome), Refusal> {
    if let Some(path) = &arguments.file {
        let (name, text, scenario) = replay::load(path)?;
        if !scenario.steps.is_empty() {
            return Err(Refusal::bad_input(format!(
                "{name} is made of steps, as a search writes them, and a search has found the shortest way already"
            )));
        }
        let outcome = storm::replay(&scenario, options);
        return outcome
            .map(|outcome| (name.clone(), outcome))
            .map_err(|misfit| Refusal::bad_input(misfit.at(&text, &name).to_string()));
    }
    let seed = arguments.seed.expect("clap asks for a file or a seed");
    let profile = arguments.less.profile(&arguments.profile)?;
    let source = format!("seed {seed} of {}{}", arguments.profile, arguments.less.words());
    Ok((source, storm::run_seed(&profile, seed, options)))
}

/// The run as a scenario that states no default.
fn scenario_of(outcome: &Outcome) -> Scenario {
    let scenario = outcome.scenario.clone().expect("a run that was asked to record holds its scenario");
    Scenario { sections: script::without_defaults(&scenario.sections), ..scenario }
}

fn run_of(outcome: &Outcome) -> Run {
    let scenario = outcome.scenario.as_ref().expect("a run that was asked to record holds its scenario");
    let Outcome { virtual_us, safety_us, .. } = *outcome;
    Run { decisions: scenario.decisions.clone(), virtual_us, safety_us }
}

/// Writes the scenario with what it shows, and returns its text.
fn save(path: &Path, scenario: &Scenario, source: &str, violation: &Violation) -> Result<String, Refusal> {
    let mut scenario = Scenario { hash: None, ..scenario.clone() };
    scenario.notes = vec![format!("Shrunk from {source}."), one_line(&violation.message)];
    let text = scenario.to_string();
    output::save(path, text.as_bytes())?;
    Ok(text)
}

/// The same run as a test: it holds once the bug is fixed.
fn regression_test(scenario: &Scenario, violation: &Violation) -> Scenario {
    let notes = vec![
        "What went wrong, in one sentence.".to_owned(),
        String::new(),
        "What happens here, and which rule forbids it. The oracle said:".to_owned(),
        format!("{}: {}", violation.class, one_line(&violation.message)),
    ];
    Scenario { notes, expected: Some(Expected::Passed), hash: None, ..scenario.clone() }
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// Runs candidates, several at once.
struct Runs {
    class: &'static str,
    options: RunOptions,
    pool: rayon::ThreadPool,
    jobs: u16,
    clock: Stopwatch,
    time: Duration,
    runs: u64,
    progress: Progress,
}

impl Runs {
    fn new(class: &'static str, events: u64, request: &Request<'_>) -> Result<Runs, Refusal> {
        let pool = threads::pool(request.jobs)?;
        Ok(Runs {
            class,
            options: RunOptions { events_max: Some(events_max(events)), ..request.options.clone() },
            pool,
            jobs: request.jobs,
            clock: Stopwatch::start(),
            time: request.time,
            runs: 0,
            progress: Progress::new(None, Some(request.time), request.quiet),
        })
    }

    /// How the run went and how many events it took, if it still fails. What cannot be replayed is no simplification: rounder numbers may
    /// ask for what there is not.
    fn failing(&self, candidate: &Candidate) -> Option<(Run, u64)> {
        script::check_effects(&candidate.scenario).ok()?;
        let outcome = storm::replay_drawn(&candidate.scenario, candidate.choice(), &self.options).ok()?;
        let fails = matches!(&outcome.verdict, Verdict::Failed(violation) if violation.class == self.class);
        let run = run_of(&outcome);
        (fails && candidate.takes(&run)).then_some((run, outcome.events))
    }
}

impl Judge for Runs {
    fn first_failing(&mut self, candidates: &mut dyn Iterator<Item = Candidate>) -> Option<(Candidate, Run)> {
        while !self.is_over() {
            let mut tried: Vec<Candidate> = candidates.take(usize::from(self.jobs)).collect();
            if tried.is_empty() {
                return None;
            }
            let runs: Vec<Option<(Run, u64)>> =
                self.pool.install(|| tried.par_iter().map(|candidate| self.failing(candidate)).collect());
            self.runs += runs.len() as u64;
            let first = runs.into_iter().enumerate().find_map(|(place, run)| Some((place, run?)));
            if let Some((place, (run, events))) = first {
                self.options.events_max = self.options.events_max.min(Some(events_max(events)));
                return Some((tried.swap_remove(place), run));
            }
        }
        None
    }

    fn is_over(&self) -> bool {
        interrupt::requested() || self.clock.elapsed() >= self.time
    }

    fn improved(&mut self, best: &Scenario) {
        let (runs, size) = (self.runs, Size::of(best));
        self.progress.tell(|| {
            let (decided, parameters) =
                (words::faults_and_decisions(size.events), words::count(size.parameters, "parameter"));
            format!("{decided}, {parameters} left after {}", words::count(runs, "run"))
        });
    }

    fn fit(&self, scenario: &mut Scenario, processes: u32) {
        script::fit(scenario, processes);
    }
}

fn events_max(events: u64) -> u64 {
    events.saturating_mul(2).saturating_add(MORE_EVENTS)
}

#[cfg(test)]
mod tests;
