//! `squall explore`: every interleaving of what may happen to a few nodes, within bounds.
//!
//! The search itself is a value without a clock (`squall_scenarios::search`); here it is given a time, and what it says is printed.

use serde::Serialize;
use squall_scenarios::search::{self, Bounds, DiskPace, End, Progress, Start};

use crate::args::ExploreArguments;
use crate::clock::Stopwatch;
use crate::exit::{Exit, Refusal};
use crate::words::{self, thousands};
use crate::{interrupt, output, panics};

/// What is told of a search; as JSON, the object that `--json` prints.
#[derive(Serialize, Debug)]
struct Report {
    /// `held`, `violated`, or `stopped` where the search did not come to its end.
    verdict: &'static str,
    /// What stopped it.
    stopped_by: Option<&'static str>,
    class: Option<&'static str>,
    message: Option<String>,
    /// How the violation comes about, step by step.
    steps: Vec<String>,
    states: u64,
    transitions: u64,
    depth: u32,
    waiting: u64,
    node_states: u64,
    messages: u64,
    core_steps: u64,
    restarts: u32,
    /// That a state was overlooked, for its fingerprint is another's, has a chance of one in so many.
    by_chance_one_in: u64,
    wall_seconds: f64,
    states_per_second: u64,
}

/// Runs the command.
pub(crate) fn command(arguments: &ExploreArguments) -> Result<Exit, Refusal> {
    let bounds = bounds(arguments)?;
    interrupt::listen();
    let clock = Stopwatch::start();
    let mut stopped_by = None;
    let searched = panics::catch(|| {
        search::search(bounds, |progress| {
            stopped_by = stop(arguments, clock, progress);
            stopped_by.is_none()
        })
    });
    let (end, progress) =
        searched.map_err(|panic| Refusal::harness(format!("the search itself: {panic}")))?;
    let wall = clock.elapsed();
    let report = report(&end, &progress, stopped_by, wall.as_secs_f64());
    if let (End::Violated(found), Some(path)) = (&end, &arguments.output) {
        let scenario = search::scenario_of(&bounds, found);
        output::save(path, scenario.to_string().as_bytes())?;
    }
    if arguments.json {
        output::print_json(&report)?;
    } else {
        output::print(&in_words(&report, arguments, wall))?;
    }
    Ok(match end {
        End::Complete => Exit::Held,
        End::Stopped => Exit::Harness,
        End::Violated(_) => Exit::Violated,
    })
}

fn bounds(arguments: &ExploreArguments) -> Result<Bounds, Refusal> {
    let bounds = Bounds {
        spares: arguments.spares,
        start: if arguments.elected { Start::Elected } else { Start::Fresh },
        elections: arguments.elections,
        proposals: arguments.proposals,
        crashes: arguments.crashes,
        changes: arguments.changes,
        heartbeats: arguments.heartbeats,
        duplicates: arguments.duplicates.0,
        disk: if arguments.prompt_disk { DiskPace::Prompt } else { DiskPace::Free },
        one_entry_messages: arguments.one_entry_messages,
        symmetry: !arguments.no_symmetry,
        drops_spent: !arguments.keep_messages,
        ..Bounds::of(arguments.nodes)
    };
    let refuse = |(key, what, expected)| Refusal::bad_input(format!("--{key}: {what}; give {expected}"));
    bounds.check().map_err(refuse)?;
    Ok(bounds)
}

/// What ends the search before it is complete, if anything.
fn stop(arguments: &ExploreArguments, clock: Stopwatch, progress: &Progress) -> Option<&'static str> {
    if interrupt::requested() {
        Some("an interrupt")
    } else if arguments.time.is_some_and(|time| clock.elapsed() >= time) {
        Some("--time")
    } else if progress.states >= arguments.states_max {
        Some("--states-max")
    } else if arguments.depth_max.is_some_and(|depth| progress.depth >= depth) {
        Some("--depth-max")
    } else {
        None
    }
}

fn report(end: &End, progress: &Progress, stopped_by: Option<&'static str>, wall_seconds: f64) -> Report {
    let found = match end {
        End::Violated(found) => Some(found),
        End::Complete | End::Stopped => None,
    };
    let line = |step: &squall_sim::scenario::Step| format!("s{} {}", step.id, step.words.join(" "));
    let [node_states, messages, core_steps] = progress.local;
    Report {
        verdict: match end {
            End::Complete => "held",
            End::Stopped => "stopped",
            End::Violated(_) => "violated",
        },
        stopped_by,
        class: found.map(|found| found.violation.class),
        message: found.map(|found| found.violation.message.clone()),
        steps: found.map_or_else(Vec::new, |found| found.steps.iter().map(line).collect()),
        states: progress.states,
        transitions: progress.steps,
        depth: progress.depth,
        waiting: progress.waiting,
        node_states,
        messages,
        core_steps,
        restarts: progress.restarts,
        by_chance_one_in: progress.by_chance_one_in(),
        wall_seconds,
        states_per_second: (progress.states as f64 / wall_seconds.max(1e-9)) as u64,
    }
}

fn in_words(report: &Report, arguments: &ExploreArguments, wall: std::time::Duration) -> String {
    let verdict = match (report.class, report.stopped_by) {
        (Some(class), _) => format!("VIOLATED {class}: {}", report.message.as_deref().unwrap_or_default()),
        (None, Some(by)) => format!(
            "not complete, stopped by {by}: {} are unexplored; nothing was violated so far",
            words::count(report.waiting, "known state")
        ),
        (None, None) => format!(
            "complete: every state within the bounds was met, and nothing was violated\n\
             (that a state was overlooked, for its fingerprint is another's, has a chance of one in {})",
            thousands(report.by_chance_one_in)
        ),
    };
    let mut text = format!(
        "{verdict}\n\n  states      {}, by {}; {} per second\n  depth       {}\n  the core    {} of single nodes, {}, {}\n  time        {}\n",
        thousands(report.states),
        words::count(report.transitions, "step"),
        thousands(report.states_per_second),
        words::count(report.depth.into(), "step"),
        words::count(report.node_states, "state"),
        words::count(report.messages, "different message"),
        words::count(report.core_steps, "step"),
        words::duration(wall),
    );
    if !report.steps.is_empty() {
        text.push('\n');
        report.steps.iter().for_each(|step| text.extend(["  ", step, "\n"]));
        text.push('\n');
        text.push_str(&match &arguments.output {
            Some(path) => {
                let path = words::quoted(&path.display().to_string());
                format!("replay it: {} replay -v {path}\n", words::program())
            }
            None => "give -o FILE.scn to keep it for `squall replay`\n".to_owned(),
        });
    }
    text
}
