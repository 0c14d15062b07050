//! One bug, one trial: build the sources that hold it, sweep until it shows, and make sure that it is the bug that shows.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::bug::Bug;
use crate::clock::{self, Stopwatch};
use crate::interrupt;

/// What one bug may cost.
pub(crate) struct Budget {
    pub(crate) seeds: u64,
    pub(crate) time: Duration,
    pub(crate) jobs: u16,
}

/// How a trial went.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Trial {
    /// The oracle that fired first, if one did.
    pub(crate) oracle: Option<String>,
    /// The seed on which it fired; none where it did not, or only in a scenario.
    pub(crate) seed: Option<u64>,
    pub(crate) also_fired: Vec<String>,
    /// How many seeds were run.
    pub(crate) seeds: u64,
    pub(crate) cpu_seconds: f64,
    /// What else is worth knowing of a bug that escaped.
    pub(crate) remark: Option<String>,
}

/// A run that has not ended long after its sweep should have is lost in a loop.
const GRACE: Duration = Duration::from_secs(60);

/// The part of a sweep's report that matters here.
#[derive(Deserialize)]
struct Report {
    seeds: u64,
    busy_seconds: f64,
    failed: Vec<Failure>,
    inconclusive: u64,
}

#[derive(Deserialize)]
struct Failure {
    seed: u64,
    class: String,
    also_fired: Vec<String>,
}

/// Builds the program in `tree`, and returns where it is.
pub(super) fn build(tree: &Path, target: &Path) -> Result<PathBuf, String> {
    let output = Command::new("cargo")
        .args(["build", "--quiet", "--locked", "--package", "squall", "--profile", "zoo", "--target-dir"])
        .arg(target)
        .current_dir(tree)
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error")).collect();
        return Err(format!("the sources in {} do not build: {}", tree.display(), errors.join("; ")));
    }
    Ok(target.join("zoo/squall"))
}

/// What the report of a replay says that matters here.
#[derive(Deserialize)]
struct Replayed {
    verdict: String,
    class: Option<String>,
    also_fired: Vec<String>,
}

/// Sweeps with the patched program until a seed fails, and has the unpatched one run that seed too. What no seed shows is
/// tried with the bug's own scenario, below `scenarios`, where it has one.
pub(super) fn catch(
    program: &Path,
    reference: &Path,
    scenarios: &Path,
    bug: &Bug,
    budget: &Budget,
) -> Result<Trial, String> {
    let scenario = bug.scenario.as_ref().map(|name| scenarios.join(name));
    if let Some(path) = &scenario {
        let Replayed { verdict, .. } = replay(reference, path)?;
        if verdict != "passed" {
            return Err(format!("without the bug {} is {verdict}: mend that first", path.display()));
        }
    }
    let report = sweep(program, bug, budget)?;
    let mut trial = Trial {
        oracle: None,
        seed: None,
        also_fired: Vec::new(),
        seeds: report.seeds,
        cpu_seconds: report.busy_seconds,
        remark: (report.inconclusive > 0).then(|| format!("{} runs without a verdict", report.inconclusive)),
    };
    let Some(failure) = report.failed.into_iter().next() else {
        if let Some(path) = &scenario {
            let Replayed { verdict, class, also_fired } = replay(program, path)?;
            (trial.oracle, trial.also_fired) = (class, also_fired);
            if verdict != "failed" {
                trial.remark = Some(format!("its scenario is {verdict}"));
            }
        }
        return Ok(trial);
    };
    if !passes(reference, &bug.profile, failure.seed)? {
        let Failure { seed, class, .. } = failure;
        return Err(format!(
            "seed {seed} of {} fails without the bug too ({class}): mend that first",
            bug.profile
        ));
    }
    trial.oracle = Some(failure.class);
    trial.seed = Some(failure.seed);
    trial.also_fired = failure.also_fired;
    Ok(trial)
}

fn sweep(program: &Path, bug: &Bug, budget: &Budget) -> Result<Report, String> {
    let mut command = Command::new(program);
    command
        .args(["sweep", "--profile", &bug.profile, "--start", "0", "--fail-fast", "--json"])
        .args(["--seeds", &budget.seeds.to_string(), "--jobs", &budget.jobs.to_string()])
        .args(["--time", &format!("{}ms", budget.time.as_millis())]);
    report(command, &program.with_extension("json"), budget.time + GRACE)
}

fn replay(program: &Path, scenario: &Path) -> Result<Replayed, String> {
    let mut command = Command::new(program);
    command.arg("replay").arg(scenario).arg("--json");
    report(command, &program.with_extension("json"), GRACE)
}

/// Runs the program, which leaves its report at `path`, and reads that.
fn report<T: DeserializeOwned>(mut command: Command, path: &Path, time: Duration) -> Result<T, String> {
    let file =
        File::create(path).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    let status = run_bounded(command.stdin(Stdio::null()).stdout(file), time)?;
    let text =
        fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| {
        format!("{} ended ({status}) without a report: {error}", command.get_program().display())
    })
}

/// Waits for a process, but not for ever.
fn run_bounded(command: &mut Command, time: Duration) -> Result<ExitStatus, String> {
    let refuse = |error| format!("the patched program cannot be run: {error}");
    let mut child = command.spawn().map_err(refuse)?;
    let clock = Stopwatch::start();
    loop {
        if let Some(status) = child.try_wait().map_err(refuse)? {
            return Ok(status);
        }
        if clock.elapsed() > time || interrupt::requested() {
            child.kill().and_then(|()| child.wait()).map_err(refuse)?;
            return Err(format!("a run had not ended after {} s; it was stopped", clock.elapsed().as_secs()));
        }
        clock::pause();
    }
}

/// Whether the unpatched program passes this seed.
fn passes(reference: &Path, profile: &str, seed: u64) -> Result<bool, String> {
    let mut command = Command::new(reference);
    command.args(["run", "--profile", profile, "--seed", &seed.to_string(), "--json"]);
    let status = command.stdout(Stdio::null()).status();
    status
        .map(|status| status.success())
        .map_err(|error| format!("the unpatched program cannot be run: {error}"))
}
