//! One bug, one trial: build the sources that hold it, sweep until it shows, and make sure that it is the bug that shows.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::bug::Bug;
use super::families::{FAULT_FAMILIES, FaultFamily};
use crate::clock::{self, Stopwatch};
use crate::interrupt;

/// What one bug may cost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Budget {
    /// Of each sweep.
    pub(crate) seeds: u64,
    /// Of each sweep.
    pub(crate) time: Duration,
    pub(crate) jobs: u16,
    /// How many sweeps, each over seeds of its own.
    pub(crate) sweeps: u64,
    /// Seeds of each sweep with a family of faults switched off; 0 is none.
    pub(crate) ablation_seeds: u64,
    /// How long to shrink the first seed that fails, if at all.
    pub(crate) shrink: Option<Duration>,
}

/// How a trial went.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Trial {
    /// One for each sweep.
    pub(crate) sweeps: Vec<Sweep>,
    /// The oracle that fired in the bug's own scenario, which was tried where no seed showed the bug.
    pub(crate) scenario: Option<String>,
    /// Everything that fires on the seeds that failed, where the run goes on after the first violation.
    pub(crate) fired: BTreeSet<String>,
    /// What is caught with a family of faults switched off, and at first with none.
    pub(crate) ablation: Vec<Ablation>,
    /// What was left of the first seed that failed.
    pub(crate) shrunk: Option<Shrunk>,
    /// What else is worth knowing of a bug that escaped.
    pub(crate) remark: Option<String>,
}

/// What is left of a failure.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Shrunk {
    /// Faults and decided events, before and after.
    pub(crate) events: [u64; 2],
    /// Stated parameters, before and after.
    pub(crate) parameters: [u64; 2],
    pub(crate) wall_seconds: f64,
    /// Whether nothing simpler was left to try.
    pub(crate) complete: bool,
}

/// One sweep, up to its first failure.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Sweep {
    /// Its first seed.
    pub(crate) start: u64,
    /// How many seeds were run.
    pub(crate) seeds: u64,
    /// How many of these runs had no verdict.
    pub(crate) inconclusive: u64,
    pub(crate) cpu_seconds: f64,
    /// The seed that failed.
    pub(crate) seed: Option<u64>,
    /// The oracle that fired first.
    pub(crate) oracle: Option<String>,
}

/// What became of the bug without a family of faults.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Ablation {
    /// The family; empty where all were on.
    pub(crate) family: String,
    /// How many seeds it took, if it was caught.
    pub(crate) seeds: Option<u64>,
}

/// The first seeds of two sweeps are so far apart, at least.
const BETWEEN_SWEEPS: u64 = 1_000_000;

/// A run that has not ended long after its sweep should have is lost in a loop.
const GRACE: Duration = Duration::from_secs(60);

/// The part of a sweep's report that matters here.
#[derive(Deserialize)]
struct Report {
    seeds: u64,
    busy_seconds: f64,
    failed: Vec<Failure>,
    inconclusive: u64,
    doubts: Vec<Doubt>,
}

#[derive(Deserialize)]
struct Doubt {
    seed: u64,
    parting: Option<String>,
}

#[derive(Deserialize)]
struct Failure {
    seed: u64,
    class: String,
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
        return Err(format!("the sources in {} do not build: {}", tree.display(), why(output.status, &said)));
    }
    Ok(target.join("zoo/squall"))
}

/// Why a build failed: the compiler's errors, or, where it was stopped before it had any, how it ended and its last words.
fn why(status: ExitStatus, said: &str) -> String {
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error")).collect();
    if !errors.is_empty() {
        return errors.join("; ");
    }
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    let last = last.map(|line| format!(", having said: {}", line.trim())).unwrap_or_default();
    format!("cargo ended with {status}{last}")
}

/// What the report of a replay says that matters here.
#[derive(Deserialize)]
struct Replayed {
    verdict: String,
    class: Option<String>,
    also_fired: Vec<String>,
}

/// The program with the bug, the one without it, and where both find scenarios.
pub(super) struct Programs<'a> {
    pub(super) patched: &'a Path,
    pub(super) reference: &'a Path,
    pub(super) scenarios: &'a Path,
}

impl Programs<'_> {
    /// Sweeps with the patched program until a seed fails, and has the unpatched one run that seed too. What no seed shows is
    /// tried with the bug's own scenario, where it has one.
    pub(super) fn catch(&self, bug: &Bug, budget: &Budget) -> Result<Trial, String> {
        let scenario = bug.scenario.as_ref().map(|name| self.scenarios.join(name));
        if let Some(path) = &scenario {
            let Replayed { verdict, .. } = self.replay(self.reference, path)?;
            if verdict != "passed" {
                return Err(format!("without the bug {} is {verdict}: mend that first", path.display()));
            }
        }
        let mut trial = Trial::default();
        // Two sweeps have no seed in common.
        let apart = budget.seeds.max(BETWEEN_SWEEPS);
        for start in (0..budget.sweeps).map(|number| number.saturating_mul(apart)) {
            let sweep = self.sweep(bug, start, budget.seeds, budget, &[])?;
            trial.fired.extend(sweep.oracle.clone());
            if let Some(seed) = sweep.seed {
                trial.fired.extend(self.fired(bug, seed)?);
            }
            trial.sweeps.push(sweep);
        }
        let is_seen = trial.sweeps.iter().any(|sweep| sweep.seed.is_some());
        let unjudged: u64 = trial.sweeps.iter().map(|sweep| sweep.inconclusive).sum();
        let mut remarks = Vec::new();
        if !is_seen && unjudged > 0 {
            remarks.push(format!("{unjudged} runs without a verdict"));
        }
        if let Some(path) = scenario.filter(|_| !is_seen) {
            let Replayed { verdict, class, also_fired } = self.replay_on(self.patched, &path)?;
            if verdict != "failed" {
                remarks.push(format!("its scenario is {verdict}"));
            }
            trial.fired.extend(class.iter().cloned().chain(also_fired));
            trial.scenario = class;
        }
        trial.remark = (!remarks.is_empty()).then(|| remarks.join("; "));
        if budget.ablation_seeds > 0 && is_seen {
            trial.ablation = self.ablate(bug, budget)?;
        }
        let seed = trial.sweeps.iter().find_map(|sweep| sweep.seed);
        if let (Some(time), Some(seed)) = (budget.shrink, seed) {
            trial.shrunk = Some(self.shrink(bug, seed, time, budget)?);
        }
        Ok(trial)
    }

    /// Sweeps over few seeds with everything on, then without each family of faults.
    fn ablate(&self, bug: &Bug, budget: &Budget) -> Result<Vec<Ablation>, String> {
        let everything = FaultFamily { name: "", classes: &[] };
        let mut ablation = Vec::new();
        for family in [everything].iter().chain(&FAULT_FAMILIES) {
            let sweep = self.sweep(bug, 0, budget.ablation_seeds, budget, family.classes)?;
            let seeds = sweep.seed.map(|_| sweep.seeds);
            if seeds.is_none() && sweep.seeds < budget.ablation_seeds {
                let (ran, all, name) = (sweep.seeds, budget.ablation_seeds, family.name);
                return Err(format!(
                    "{ran} of {all} seeds without {name} took all the time: give more, or fewer seeds"
                ));
            }
            ablation.push(Ablation { family: family.name.to_owned(), seeds });
            if interrupt::requested() {
                break;
            }
        }
        Ok(ablation)
    }

    /// One sweep of the patched program.
    fn sweep(
        &self,
        bug: &Bug,
        start: u64,
        seeds: u64,
        budget: &Budget,
        without: &[&str],
    ) -> Result<Sweep, String> {
        let mut command = Command::new(self.patched);
        command
            .args([
                "sweep",
                "--profile",
                &bug.profile,
                "--start",
                &start.to_string(),
                "--fail-fast",
                "--json",
            ])
            .args(["--seeds", &seeds.to_string(), "--jobs", &budget.jobs.to_string()])
            .args(["--time", &format!("{}ms", budget.time.as_millis())])
            .args(off(without));
        let report: Report = report(command, &self.patched.with_extension("json"), budget.time + GRACE)?;
        if let Some(doubt) = report.doubts.iter().find(|doubt| doubt.parting.is_some()) {
            let (seed, profile) = (doubt.seed, &bug.profile);
            return Err(format!(
                "seed {seed} of {profile} goes another way each time: the patch breaks the seed"
            ));
        }
        let failure = report.failed.into_iter().next();
        let (seed, oracle) = failure.map(|failure| (failure.seed, failure.class)).unzip();
        if let (Some(seed), Some(oracle)) = (seed, &oracle)
            && !self.passes_unpatched(bug, seed, without)?
        {
            let profile = &bug.profile;
            return Err(format!(
                "seed {seed} of {profile} fails without the bug too ({oracle}): mend that first"
            ));
        }
        let Report { seeds, inconclusive, busy_seconds: cpu_seconds, .. } = report;
        Ok(Sweep { start, seeds, inconclusive, cpu_seconds, seed, oracle })
    }

    /// All that fires on a seed until the end of its run.
    fn fired(&self, bug: &Bug, seed: u64) -> Result<Vec<String>, String> {
        let mut command = Command::new(self.patched);
        command.args([
            "run",
            "--profile",
            &bug.profile,
            "--seed",
            &seed.to_string(),
            "--keep-going",
            "--json",
        ]);
        let Replayed { class, also_fired, .. } =
            report(command, &self.patched.with_extension("json"), GRACE)?;
        Ok(class.into_iter().chain(also_fired).collect())
    }

    /// Shrinks a seed that fails, and sees that what is left fails, and only with the bug.
    fn shrink(&self, bug: &Bug, seed: u64, time: Duration, budget: &Budget) -> Result<Shrunk, String> {
        let left = self.patched.with_file_name(format!("{}.scn", bug.id));
        let mut command = Command::new(self.patched);
        command
            .args(["shrink", "--profile", &bug.profile, "--seed", &seed.to_string(), "--json"])
            .args(["--time", &format!("{}ms", time.as_millis()), "--jobs", &budget.jobs.to_string()])
            .arg("--output")
            .arg(&left);
        let shrunk = report(command, &self.patched.with_extension("json"), time + GRACE)?;
        for (program, expected) in [(self.patched, "failed"), (self.reference, "passed")] {
            let Replayed { verdict, .. } = self.replay(program, &left)?;
            if verdict != expected {
                let (program, left) = (program.display(), left.display());
                return Err(format!("{left}, which is left of seed {seed}, {verdict} with {program}"));
            }
        }
        Ok(shrunk)
    }

    fn replay(&self, program: &Path, scenario: &Path) -> Result<Replayed, String> {
        report(replay(program, scenario), &program.with_extension("json"), GRACE)
    }

    /// The same, to the end of the run, whatever fires before it.
    fn replay_on(&self, program: &Path, scenario: &Path) -> Result<Replayed, String> {
        let mut command = replay(program, scenario);
        command.arg("--keep-going");
        report(command, &program.with_extension("json"), GRACE)
    }

    /// Whether the unpatched program passes this seed.
    fn passes_unpatched(&self, bug: &Bug, seed: u64, without: &[&str]) -> Result<bool, String> {
        let mut command = Command::new(self.reference);
        command.args(["run", "--profile", &bug.profile, "--seed", &seed.to_string(), "--json"]);
        let status = command.args(off(without)).stdout(Stdio::null()).status();
        status
            .map(|status| status.success())
            .map_err(|error| format!("the unpatched program cannot be run: {error}"))
    }
}

fn replay(program: &Path, scenario: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("replay").arg(scenario).arg("--json");
    command
}

/// The arguments that switch classes of faults off.
fn off(classes: &[&str]) -> Vec<String> {
    if classes.is_empty() { Vec::new() } else { vec!["--without".to_owned(), classes.join(",")] }
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

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_build_that_failed_has_a_reason_even_where_cargo_was_killed() {
        let failed = ExitStatus::from_raw(101 << 8);
        let said = "warning: slow\nerror[E0308]: mismatched types\n --> a.rs\nerror: could not compile\n";
        assert_eq!(why(failed, said), "error[E0308]: mismatched types; error: could not compile");
        let killed = ExitStatus::from_raw(9);
        assert_eq!(why(killed, ""), "cargo ended with signal: 9 (SIGKILL)");
        assert_eq!(
            why(killed, "warning: slow\n\n"),
            "cargo ended with signal: 9 (SIGKILL), having said: warning: slow"
        );
    }
}
