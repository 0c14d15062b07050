//! `squall branch`: runs that come into a rare situation are sent on many ways from there.
//!
//! Which situations are rare the first seeds tell; they, too, are branched off from then. A branch that fails is named so that it
//! can be run alone, and written as a scenario.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;
use squall_scenarios::branch::{self, Branch};
use squall_scenarios::marks;
use squall_scenarios::profile::Profile;
use squall_scenarios::run::{self as storm, Outcome, RunOptions};
use squall_sim::world::Verdict;

use crate::args::{BranchArguments, check_seeds};
use crate::clock::Stopwatch;
use crate::exit::{Exit, Refusal};
use crate::progress::Progress;
use crate::{interrupt, output, repeat, report, summary, threads, words};

/// The file of commands that write one, where none is named.
const FILE: &str = "FILE.scn";

/// So many seeds tell what is rare.
const PILOT_SEEDS: u64 = 100;

/// What came of it.
#[derive(Serialize, Default)]
pub(crate) struct Branches {
    pub(crate) profile: String,
    pub(crate) start: u64,
    pub(crate) seeds: u64,
    /// Whether an interrupt ended it before its time.
    pub(crate) interrupted: bool,
    pub(crate) branches: u64,
    /// Events of the seeds and of their branches.
    pub(crate) events: u64,
    pub(crate) wall_seconds: f64,
    pub(crate) jobs: u16,
    /// The rare situations.
    pub(crate) rare: Vec<Rare>,
    /// Situations that branches came into, and no seed.
    pub(crate) only_in_branches: Vec<&'static str>,
    /// The first failure of each class.
    pub(crate) failed: BTreeMap<String, Failure>,
    pub(crate) inconclusive: u64,
    /// In how many runs that passed something fired that does not count.
    pub(crate) ignored: BTreeMap<&'static str, u64>,
    /// What was switched off, as words of a command.
    #[serde(skip)]
    pub(crate) less: String,
}

/// A situation that few seeds come into.
#[derive(Serialize)]
pub(crate) struct Rare {
    /// Its number, in the names of branches.
    pub(crate) number: usize,
    pub(crate) situation: &'static str,
    /// How many branches began there: none where runs came into it only as they ended.
    pub(crate) branches: u64,
    /// The name of the first of them.
    pub(crate) first: Option<String>,
}

/// A failure, and where it was.
#[derive(Serialize)]
pub(crate) struct Failure {
    /// The first run that failed so: a branch, or a seed.
    pub(crate) name: String,
    pub(crate) message: String,
    /// How many runs failed in this class.
    pub(crate) runs: u64,
    pub(crate) replay: String,
    /// The command that makes it small; for a branch, once `replay` has written its file.
    pub(crate) shrink: String,
}

/// What is kept of one run.
struct Row {
    branch: Option<Branch>,
    seed: u64,
    verdict: Verdict,
    ignored: Vec<&'static str>,
    marks: Vec<bool>,
    events: u64,
}

/// Runs the command.
pub(crate) fn command(arguments: &BranchArguments) -> Result<Exit, Refusal> {
    let profile = arguments.less.profile(&arguments.profile)?;
    check_seeds(arguments.start, Some(arguments.seeds))?;
    if let Some(branch) = arguments.only {
        return one(arguments, &profile, branch);
    }
    interrupt::listen();
    let jobs = arguments.jobs.count(Some(arguments.seeds));
    let pool = threads::pool(jobs)?;
    let clock = Stopwatch::start();
    let progress = Progress::new(Some(arguments.seeds), arguments.time, arguments.json);
    let options = RunOptions { ignored: arguments.less.ignore.classes(), ..repeat::OPTIONS };
    let rare = pool.install(|| rare(arguments, &profile, &options));
    let is_over = || interrupt::requested() || arguments.time.is_some_and(|time| clock.elapsed() >= time);
    let rows: Vec<Vec<Row>> = pool.install(|| {
        let seeds = (0..arguments.seeds).into_par_iter().filter_map(|nth| arguments.start.checked_add(nth));
        let run = |seed| {
            let (trunk, branches) = branch::run_branches(&profile, seed, &rare, arguments.ways, &options);
            let rows = branches.into_iter().map(|(branch, outcome)| row(Some(branch), outcome));
            [row(None, trunk)].into_iter().chain(rows).collect()
        };
        seeds.filter(|_| !is_over()).map(run).collect()
    });
    progress.finish();
    let mut summary = Branches {
        profile: arguments.profile.clone(),
        start: arguments.start,
        seeds: rows.len() as u64,
        interrupted: interrupt::requested() && (rows.len() as u64) < arguments.seeds,
        wall_seconds: clock.elapsed().as_secs_f64(),
        jobs,
        less: arguments.less.words(),
        ..Branches::default()
    };
    summary.add(arguments, &rare, rows.into_iter().flatten().collect());
    if arguments.json {
        output::print_json(&summary)?;
    } else {
        output::print(&report::branches(&summary))?;
    }
    Ok(match (summary.failed.is_empty(), summary.inconclusive) {
        (false, _) => Exit::Violated,
        (true, 1..) => Exit::Harness,
        (true, 0) if summary.interrupted => Exit::Harness,
        (true, 0) => Exit::Held,
    })
}

/// Runs one branch alone.
fn one(arguments: &BranchArguments, profile: &Profile, branch: Branch) -> Result<Exit, Refusal> {
    let options = RunOptions { record: true, ignored: arguments.less.ignore.classes(), ..repeat::OPTIONS };
    let name = branch_name(branch);
    let outcome = branch::run_branch(profile, branch, &options).ok_or_else(|| {
        let (seed, situation) = (branch.seed, situation(branch.mark));
        Refusal::bad_input(format!("{name}: seed {seed} never comes into this situation: {situation}"))
    })?;
    if let Some(path) = &arguments.emit {
        let scenario = outcome.scenario.as_ref().expect("a run that was asked to record holds its scenario");
        output::save(path, scenario.to_string().as_bytes())?;
    }
    let file = arguments.emit.as_ref().map_or_else(|| FILE.to_owned(), |path| path.display().to_string());
    let (text, exit) = match &outcome.verdict {
        Verdict::Passed => {
            let ignored = summary::ignored(&outcome).iter().map(|class| (*class, 1)).collect();
            (report::held(&ignored), Exit::Held)
        }
        Verdict::Failed(violation) => {
            let mut text = format!("FAILED {}: {}\n\n", violation.class, violation.message);
            let (again, small) = (replay_command(arguments, branch, &file), shrink_command(arguments, &file));
            report::branch_commands(&mut text, &again, &small);
            (text, Exit::Violated)
        }
        Verdict::Inconclusive(reason) => (format!("No verdict: {reason}"), Exit::Harness),
    };
    output::print(&format!(
        "{}, branch {name}: seed {}, way {} from where it comes into situation {}: {}\n\n{text}\n  hash {:032x}\n",
        arguments.profile,
        branch.seed,
        branch.way,
        branch.mark,
        situation(branch.mark),
        outcome.hash
    ))?;
    Ok(exit)
}

/// The situations that few of the first seeds come into, and some do.
fn rare(arguments: &BranchArguments, profile: &Profile, options: &RunOptions) -> Vec<usize> {
    let pilot = arguments.seeds.min(PILOT_SEEDS);
    let runs: Vec<Vec<bool>> = (0..pilot)
        .into_par_iter()
        .filter_map(|nth| arguments.start.checked_add(nth))
        .map(|seed| storm::run_seed(profile, seed, options).marks)
        .collect();
    let count = |mark: usize| runs.iter().filter(|marks| marks[mark]).count() as u64;
    let is_rare = |mark: &usize| (1..=(pilot * arguments.rare / 100).max(1)).contains(&count(*mark));
    (0..marks::all().count()).filter(is_rare).collect()
}

fn row(branch: Option<Branch>, outcome: Outcome) -> Row {
    let ignored = summary::ignored(&outcome).to_vec();
    let Outcome { seed, verdict, marks, events, .. } = outcome;
    Row { branch, seed, verdict, ignored, marks, events }
}

fn branch_name(branch: Branch) -> String {
    format!("{}/{}/{}", branch.seed, branch.mark, branch.way)
}

fn situation(mark: usize) -> &'static str {
    marks::all().nth(mark).expect("the arguments were checked")
}

/// The command that runs this branch again, and writes it to a file.
fn replay_command(arguments: &BranchArguments, branch: Branch, file: &str) -> String {
    let (program, profile) = (words::program(), words::quoted(&arguments.profile));
    let (name, less) = (branch_name(branch), arguments.less.words());
    format!("{program} branch --profile {profile} --only {name}{less} --emit {}", words::quoted(file))
}

/// The command that makes small what is in this file.
fn shrink_command(arguments: &BranchArguments, file: &str) -> String {
    let (program, ignore) = (words::program(), arguments.less.ignore.words());
    format!("{program} shrink {}{ignore} -o SMALL.scn", words::quoted(file))
}

/// A failure that was not seen before.
fn failure(arguments: &BranchArguments, branch: Option<Branch>, seed: u64, message: String) -> Failure {
    let (name, replay, shrink) = match branch {
        Some(branch) => (
            format!("branch {}", branch_name(branch)),
            replay_command(arguments, branch, FILE),
            shrink_command(arguments, FILE),
        ),
        None => {
            let replay = summary::replay_command(&arguments.profile, seed, &arguments.less.words());
            let shrink = format!("{} -o SMALL.scn", replay.replacen(" run ", " shrink ", 1));
            (format!("seed {seed}"), replay, shrink)
        }
    };
    Failure { name, message, runs: 0, replay, shrink }
}

impl Branches {
    fn add(&mut self, arguments: &BranchArguments, rare: &[usize], rows: Vec<Row>) {
        let names: Vec<&'static str> = marks::all().collect();
        let reached = |in_branch: bool, mark: usize| {
            rows.iter().any(|row| row.branch.is_some() == in_branch && row.marks[mark])
        };
        let is_new = |mark: &usize| reached(true, *mark) && !reached(false, *mark);
        self.only_in_branches = (0..names.len()).filter(is_new).map(|mark| names[mark]).collect();
        let of = |mark: usize| {
            let begun = || rows.iter().filter_map(|row| row.branch).filter(move |branch| branch.mark == mark);
            let (branches, first) = (begun().count() as u64, begun().next().map(branch_name));
            Rare { number: mark, situation: names[mark], branches, first }
        };
        self.rare = rare.iter().map(|mark| of(*mark)).collect();
        for row in rows {
            self.branches += u64::from(row.branch.is_some());
            self.events += row.events;
            for class in row.ignored {
                *self.ignored.entry(class).or_default() += 1;
            }
            match row.verdict {
                Verdict::Passed => {}
                Verdict::Inconclusive(_) => self.inconclusive += 1,
                Verdict::Failed(violation) => {
                    let first = || failure(arguments, row.branch, row.seed, violation.message);
                    self.failed.entry(violation.class.to_owned()).or_insert_with(first).runs += 1;
                }
            }
        }
    }
}
