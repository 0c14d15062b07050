//! `squall run`: one seed, seen closely. Its report serves `replay` too.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use squall_scenarios::log::{self, Detail};
use squall_scenarios::run::{self as storm, Outcome, RunOptions};
use squall_scenarios::{marks, profile, script};
use squall_sim::scenario::Section;
use squall_sim::trace;
use tracing_subscriber::filter::LevelFilter;

use crate::args::{RunArguments, ShowArguments};
use crate::clock::Stopwatch;
use crate::exit::{Exit, Refusal};
use crate::output::Words;
use crate::summary::{self, Judgement, Row};
use crate::{output, panics, repeat, report};

/// What is told of a single run; as JSON, the object that `--json` prints.
#[derive(Serialize, Debug)]
pub(crate) struct Report {
    /// The profile or the scenario file.
    pub(crate) source: String,
    /// A scenario has none.
    pub(crate) seed: Option<u64>,
    /// `passed`, `failed` or `inconclusive`.
    pub(crate) verdict: &'static str,
    /// The invariant that was violated first.
    pub(crate) class: Option<String>,
    /// How it was violated, or why there is no verdict.
    pub(crate) message: Option<String>,
    pub(crate) also_fired: Vec<String>,
    pub(crate) hash: String,
    /// Whether a second run of the seed went the same way, if there was one.
    pub(crate) repeats: Option<bool>,
    /// The first event at which two runs of the seed part, on either side.
    pub(crate) parting: Option<String>,
    pub(crate) events: u64,
    pub(crate) virtual_seconds: f64,
    pub(crate) safety_seconds: f64,
    pub(crate) operations: u64,
    pub(crate) wall_seconds: f64,
    pub(crate) parameters: BTreeMap<String, String>,
    /// What of them a scenario must state, line by line.
    #[serde(skip)]
    pub(crate) stated: Vec<Section>,
    /// The marks that this run reached.
    pub(crate) marks: Vec<&'static str>,
    /// The steps of a scenario that is made of them; `events` of them led to another state.
    pub(crate) steps: Option<u64>,
    /// The decisions of a scenario that nobody asked for.
    pub(crate) unasked_decisions: u64,
    /// Those that could not be as they are stated.
    pub(crate) clamped_decisions: u64,
    /// Whether they are named in a report.
    #[serde(skip)]
    pub(crate) names_marks: bool,
    /// Where the run differs from what its scenario file says of it.
    pub(crate) remark: Option<String>,
    /// The command that runs it again.
    pub(crate) replay: String,
}

/// Runs the command.
pub(crate) fn command(arguments: &RunArguments) -> Result<Exit, Refusal> {
    let is_file = profile::names().all(|name| name != arguments.profile);
    output::keep_apart(&[
        ("the profile", is_file.then_some(Path::new(&arguments.profile))),
        ("--emit", arguments.emit.as_deref()),
        ("--trace", arguments.show.trace.as_deref()),
    ])?;
    let profile = arguments.less.profile(&arguments.profile)?;
    let options = RunOptions {
        ignored: arguments.less.ignore.classes(),
        ..options(&arguments.show, arguments.emit.is_some())
    };
    let clock = Stopwatch::start();
    let outcome = panics::catch(|| storm::run_seed(&profile, arguments.seed, &options));
    let wall = clock.elapsed();
    if let (Some(path), Ok(outcome)) = (&arguments.emit, &outcome) {
        let scenario = outcome.scenario.as_ref().expect("a run that was asked to record holds its scenario");
        output::save(path, scenario.to_string().as_bytes())?;
    }
    let again = summary::replay_command(&arguments.profile, arguments.seed, &arguments.less.words());
    let mut report = Report::of(&arguments.profile, Some(arguments.seed), again);
    if arguments.check_determinism {
        let first = Row::new(arguments.seed, outcome.clone());
        report.parting = repeat::parting(&first, &|seed, asked| {
            let RunOptions { ignored, keep_going, .. } = options.clone();
            storm::run_seed(&profile, seed, &RunOptions { ignored, keep_going, ..asked.clone() })
        });
        report.repeats = Some(report.parting.is_none());
        report.replay.push_str(" --check-determinism");
    }
    conclude(&arguments.show, outcome, wall, report)
}

/// What a run must keep so that it can be shown as asked.
pub(crate) fn options(show: &ShowArguments, record: bool) -> RunOptions {
    let log = match show.verbose {
        0 => Detail::Nothing,
        1 => Detail::Turns,
        2.. => Detail::Everything,
    };
    if log != Detail::Nothing {
        // No wall clock in the lines: the log of a run is as repeatable as the run.
        let lines = tracing_subscriber::fmt().with_writer(|| Words).with_max_level(LevelFilter::INFO);
        lines.without_time().with_level(false).with_target(false).init();
        output::say(log::HEADING);
    }
    RunOptions {
        keep_trace: show.trace.is_some(),
        record,
        log,
        keep_going: show.keep_going,
        ..repeat::OPTIONS
    }
}

/// Saves and prints what was asked for, and says how the command ends.
pub(crate) fn conclude(
    show: &ShowArguments,
    outcome: Result<Outcome, String>,
    wall: Duration,
    mut report: Report,
) -> Result<Exit, Refusal> {
    if let (Some(path), Ok(outcome)) = (&show.trace, &outcome) {
        let trace = outcome.trace.as_ref().expect("a run that was asked to keep its trace holds it");
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            let mut lines = String::new();
            trace::write_json_lines(trace, &mut lines).expect("a string takes what is written to it");
            output::save(path, lines.as_bytes())?;
        } else {
            output::save(path, &trace::write(trace))?;
        }
    }
    report.wall_seconds = wall.as_secs_f64();
    report.names_marks = show.verbose > 0;
    let verdict = report.fill(outcome);
    let exit = if report.parting.is_some() { Exit::Harness } else { verdict };
    if show.json {
        output::print_json(&report)?;
    } else {
        output::print(&report::run(&report))?;
    }
    Ok(exit)
}

impl Report {
    /// A report about a run of which nothing is known yet.
    pub(crate) fn of(source: &str, seed: Option<u64>, replay: String) -> Report {
        Report {
            source: source.to_owned(),
            seed,
            verdict: "passed",
            class: None,
            message: None,
            also_fired: Vec::new(),
            hash: format!("{:032x}", 0),
            repeats: None,
            parting: None,
            events: 0,
            virtual_seconds: 0.0,
            safety_seconds: 0.0,
            operations: 0,
            wall_seconds: 0.0,
            parameters: BTreeMap::new(),
            stated: Vec::new(),
            marks: Vec::new(),
            steps: None,
            unasked_decisions: 0,
            clamped_decisions: 0,
            names_marks: false,
            remark: None,
            replay,
        }
    }

    /// Takes over what a run, or its panic, said.
    fn fill(&mut self, outcome: Result<Outcome, String>) -> Exit {
        let judgement = match outcome {
            Ok(outcome) => {
                self.hash = format!("{:032x}", outcome.hash);
                self.events = outcome.events;
                self.virtual_seconds = outcome.virtual_us as f64 / 1e6;
                self.safety_seconds = outcome.safety_us as f64 / 1e6;
                self.operations = outcome.operations;
                self.unasked_decisions = outcome.unheeded.unasked.len() as u64;
                self.clamped_decisions = outcome.unheeded.clamped.len() as u64;
                self.parameters = script::flatten(&outcome.parameters).into_iter().collect();
                self.stated = script::without_defaults(&outcome.parameters);
                let reached = marks::all().zip(&outcome.marks).filter(|(_, reached)| **reached);
                self.marks = reached.map(|(name, _)| name).collect();
                self.also_fired = outcome.also_fired.iter().map(|class| (*class).to_owned()).collect();
                summary::judgement(outcome.verdict, &outcome.also_fired)
            }
            Err(panic) => summary::panicked(panic),
        };
        let (verdict, exit) = match judgement {
            Judgement::Passed => ("passed", Exit::Held),
            Judgement::Failed { class, message, also_fired } => {
                self.class = Some(class);
                self.message = Some(message);
                self.also_fired = also_fired;
                ("failed", Exit::Violated)
            }
            Judgement::Inconclusive(reason) => {
                self.message = Some(reason);
                ("inconclusive", Exit::Harness)
            }
        };
        self.verdict = verdict;
        exit
    }
}
