//! `squall sweep`: many seeds on many threads, one world per thread.
//!
//! Which seeds are run may depend on the clock; what is told of them does not depend on threads or order. Seeds are handed
//! out in order and each one begun is finished, so that a sweep has always run its first so-and-so many seeds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use squall_scenarios::run::{self as storm, Outcome, RunOptions};

use crate::args::{Shard, SweepArguments, check_seeds};
use crate::clock::Stopwatch;
use crate::exit::{Exit, Refusal};
use crate::progress::Progress;
use crate::summary::{Judgement, Row, Summary};
use crate::{interrupt, output, repeat, report, threads};

/// One seed in so many is run twice: a run that does not repeat is worth more than any bug it finds.
const REPEATED_ONE_IN: u64 = 64;

/// What to run, and when to stop.
pub(crate) struct Plan {
    pub(crate) start: u64,
    pub(crate) seeds_max: Option<u64>,
    pub(crate) shard: Shard,
    pub(crate) jobs: u16,
    pub(crate) time: Option<Duration>,
    pub(crate) fail_fast: bool,
    /// What is switched off, as words of a command.
    pub(crate) less: String,
    /// Run every seed twice, not only one in so many.
    pub(crate) check_determinism: bool,
}

impl Plan {
    /// The seed number `nth` of this shard, while there are any.
    pub(crate) fn seed(&self, nth: u64) -> Option<u64> {
        let offset = nth.checked_mul(self.shard.of)?.checked_add(self.shard.index)?;
        if self.seeds_max.is_some_and(|seeds| offset >= seeds) {
            return None;
        }
        self.start.checked_add(offset)
    }

    /// How many seeds this shard has, if their number is bounded.
    pub(crate) fn seeds(&self) -> Option<u64> {
        let before = self.seeds_max?.saturating_sub(self.shard.index);
        Some(before.div_ceil(self.shard.of))
    }
}

/// Runs the command.
pub(crate) fn command(arguments: &SweepArguments) -> Result<Exit, Refusal> {
    let profile = arguments.less.profile(&arguments.profile)?;
    check_seeds(arguments.start, arguments.seeds_max())?;
    let mut plan = Plan {
        start: arguments.start,
        seeds_max: arguments.seeds_max(),
        shard: arguments.shard,
        jobs: 1,
        time: arguments.time,
        fail_fast: arguments.fail_fast,
        less: arguments.less.words(),
        check_determinism: arguments.check_determinism,
    };
    plan.jobs = arguments.jobs.count(plan.seeds());
    interrupt::listen();
    let progress = Progress::new(plan.seeds(), plan.time, arguments.json);
    let clock = Stopwatch::start();
    let ignored = arguments.less.ignore.classes();
    let run = |seed, options: &RunOptions| {
        storm::run_seed(&profile, seed, &RunOptions { ignored: ignored.clone(), ..options.clone() })
    };
    let show = |done, failed| progress.show(done, failed);
    let rows = sweep(&plan, show, run)?;
    let mut summary = Summary::new(&arguments.profile, &plan, rows, clock.elapsed());
    // An interrupt that came when all was done took nothing away.
    summary.interrupted = interrupt::requested() && plan.seeds().is_none_or(|seeds| summary.seeds < seeds);
    progress.finish();
    let missed = if arguments.require_marks { summary.unreached() } else { Vec::new() };
    if arguments.json {
        output::print_json(&summary)?;
    } else {
        output::print(&report::sweep(&summary, &plan, &missed))?;
    }
    let exit = summary.exit();
    if exit != Exit::Held || missed.is_empty() {
        return Ok(exit);
    }
    if arguments.json {
        output::say(&format!("squall: never reached:\n  {}", missed.join("\n  ")));
    }
    Ok(Exit::Harness)
}

/// Runs the plan's seeds by `run`. The rows come in the order of their seeds. `show` is told how many are done and failed.
pub(crate) fn sweep(
    plan: &Plan,
    show: impl Fn(u64, u64) + Sync,
    run: impl Fn(u64, &RunOptions) -> Outcome + Sync,
) -> Result<Vec<Row>, Refusal> {
    let pool = threads::pool(plan.jobs)?;
    let clock = Stopwatch::start();
    let next = AtomicU64::new(0);
    let first_failure = AtomicU64::new(u64::MAX);
    let (done, failed) = (AtomicU64::new(0), AtomicU64::new(0));

    let worker = || {
        let mut rows = Vec::new();
        while !interrupt::requested() && plan.time.is_none_or(|time| clock.elapsed() < time) {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if plan.fail_fast && nth > first_failure.load(Ordering::Relaxed) {
                break;
            }
            let Some(seed) = plan.seed(nth) else { break };
            let row = judge(seed, plan, &run);
            if matches!(row.judgement, Judgement::Failed { .. }) {
                first_failure.fetch_min(nth, Ordering::Relaxed);
                failed.fetch_add(1, Ordering::Relaxed);
            }
            rows.push((nth, row));
            show(done.fetch_add(1, Ordering::Relaxed) + 1, failed.load(Ordering::Relaxed));
        }
        rows
    };
    let mut rows: Vec<(u64, Row)> = pool.broadcast(|_| worker()).into_iter().flatten().collect();

    rows.sort_by_key(|(nth, _)| *nth);
    if plan.fail_fast {
        // Other threads ran ahead. How far depends on luck, and so it is not told.
        let last = first_failure.into_inner();
        rows.retain(|(nth, _)| *nth <= last);
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// Runs one seed, twice now and then or if asked, and keeps what the summary needs.
fn judge(seed: u64, plan: &Plan, run: &impl Fn(u64, &RunOptions) -> Outcome) -> Row {
    let clock = Stopwatch::start();
    let mut row = repeat::row(seed, run);
    row.busy = clock.elapsed();
    // Of the seeds of each shard, and not of all: else one shard of 64 would do it for all of them.
    if plan.check_determinism || (seed / plan.shard.of).is_multiple_of(REPEATED_ONE_IN) {
        row.parting = repeat::parting(&row, run);
    }
    row
}

#[cfg(test)]
mod tests;
