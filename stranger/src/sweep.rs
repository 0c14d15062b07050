//! Many seeds on many threads, one world per thread, and what is told of them: the same whatever the threads.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe};

use rayon::prelude::*;
use squall_scenarios::marks;
use squall_scenarios::profile::Profile;
use squall_scenarios::run::{Outcome, RunOptions};
use squall_sim::Verdict;
use xxhash_rust::xxh3::xxh3_128;

use crate::run::run_seed;
use crate::setup::Manners;

/// One seed in so many is run twice.
const REPEATED_ONE_IN: u64 = 64;

/// What came of one seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The seed.
    pub seed: u64,
    /// The class of what fired, and what it said; a panic of the crate or the adapter is of the class `Panic`.
    pub failure: Option<(String, String)>,
    /// Why the run came to no verdict, or that a second run of the seed went another way.
    pub doubt: Option<String>,
    hash: u128,
    events: u64,
    operations: u64,
    virtual_us: u64,
    marks: Vec<bool>,
}

/// What came of many.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Seeds that were run.
    pub seeds: u64,
    /// Those in which nothing fired, and of which nothing is in doubt.
    pub passed: u64,
    /// By class: the seeds in which it fired, and what was said of it in the first.
    pub failures: BTreeMap<String, (Vec<u64>, String)>,
    /// Runs without a verdict, or that do not repeat: the seed, and why.
    pub doubts: Vec<(u64, String)>,
    /// Over the hashes of all runs, in order.
    pub hash: u128,
    events: u64,
    operations: u64,
    virtual_us: u64,
    marks: Vec<u64>,
}

/// Runs so many seeds from `start` on.
///
/// # Errors
/// Where a seed draws what the stranger cannot serve; the first such seed.
pub fn sweep(profile: &Profile, start: u64, seeds: u64, manners: Manners) -> Result<Summary, String> {
    let seeds = (start..start.saturating_add(seeds)).into_par_iter();
    let rows: Vec<Result<Row, String>> = seeds.map(|seed| judge(profile, seed, manners)).collect();
    let rows = rows.into_iter().collect::<Result<Vec<Row>, String>>()?;
    Ok(Summary::of(&rows))
}

/// Runs one seed, twice now and then.
fn judge(profile: &Profile, seed: u64, manners: Manners) -> Result<Row, String> {
    let mut row = run_once(profile, seed, manners)?;
    if seed.is_multiple_of(REPEATED_ONE_IN) && run_once(profile, seed, manners)? != row {
        row.doubt = Some("a second run of the seed went another way".to_owned());
    }
    Ok(row)
}

fn run_once(profile: &Profile, seed: u64, manners: Manners) -> Result<Row, String> {
    match caught(|| run_seed(profile, seed, manners, &RunOptions::default())) {
        Ok(outcome) => outcome.map(|outcome| Row::of(seed, outcome)),
        Err(message) => Ok(Row { failure: Some(("Panic".to_owned(), message)), ..Row::empty(seed) }),
    }
}

/// Runs something that may panic.
///
/// # Errors
/// The words of its panic.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    // Whatever the run left half-done is dropped with its world.
    panic::catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let words = payload.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| payload.downcast_ref::<&str>().copied());
        words.unwrap_or("a panic that is not text").to_owned()
    })
}

impl Row {
    fn empty(seed: u64) -> Self {
        Self {
            seed,
            failure: None,
            doubt: None,
            hash: 0,
            events: 0,
            operations: 0,
            virtual_us: 0,
            marks: Vec::new(),
        }
    }

    fn of(seed: u64, outcome: Outcome) -> Self {
        let (failure, doubt) = match outcome.verdict {
            Verdict::Passed => (None, None),
            Verdict::Failed(violation) => (Some((violation.class.to_owned(), violation.message)), None),
            Verdict::Inconclusive(reason) => (None, Some(reason)),
        };
        Self {
            failure,
            doubt,
            hash: outcome.hash,
            events: outcome.events,
            operations: outcome.operations,
            virtual_us: outcome.virtual_us,
            marks: outcome.marks,
            ..Self::empty(seed)
        }
    }
}

impl Summary {
    fn of(rows: &[Row]) -> Self {
        let mut summary = Self { seeds: rows.len() as u64, ..Self::default() };
        summary.marks = vec![0; marks::all().count()];
        let mut hashes = Vec::with_capacity(rows.len() * 16);
        for row in rows {
            hashes.extend_from_slice(&row.hash.to_le_bytes());
            summary.passed += u64::from(row.failure.is_none() && row.doubt.is_none());
            summary.events += row.events;
            summary.operations += row.operations;
            summary.virtual_us += row.virtual_us;
            for (count, reached) in summary.marks.iter_mut().zip(&row.marks) {
                *count += u64::from(*reached);
            }
            if let Some((class, message)) = &row.failure {
                let first = || (Vec::new(), message.clone());
                summary.failures.entry(class.clone()).or_insert_with(first).0.push(row.seed);
            }
            summary.doubts.extend(row.doubt.clone().map(|doubt| (row.seed, doubt)));
        }
        summary.hash = xxh3_128(&hashes);
        summary
    }

    /// The report of a sweep.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = String::new();
        let failed: u64 = self.failures.values().map(|(seeds, _)| seeds.len() as u64).sum();
        let passed = self.passed;
        let mut line = |line: String| writeln!(text, "{line}").expect("a string takes all");
        line(format!(
            "{} seeds: {passed} passed, {failed} failed, {} in doubt",
            self.seeds,
            self.doubts.len()
        ));
        for (class, (seeds, message)) in &self.failures {
            line(format!("  {class}: {}, first seed {}: {message}", seeds.len(), seeds[0]));
            let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
            line(format!("  {class}: seeds {}", seeds.join(" ")));
        }
        for (seed, doubt) in &self.doubts {
            line(format!("  in doubt: seed {seed}: {doubt}"));
        }
        let seconds = self.virtual_us / 1_000_000;
        line(format!("{} events, {} operations, {seconds} virtual seconds", self.events, self.operations));
        line("marks, and in how many seeds each was reached:".to_owned());
        for (name, count) in marks::all().zip(&self.marks).filter(|(_, count)| **count > 0) {
            line(format!("  {count:>6}  {name}"));
        }
        line(format!("hash {:032x}", self.hash));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_leaves_its_words() {
        assert_eq!(caught(|| 7), Ok(7));
        assert_eq!(caught(|| panic!("raft log is {}", "short")), Err("raft log is short".to_owned()));
    }

    #[test]
    fn a_seed_may_fail_and_be_in_doubt() {
        let failure = Some(("Liveness".to_owned(), "it never came to rest".to_owned()));
        let doubt = Some("a second run of the seed went another way".to_owned());
        let report = Summary::of(&[Row { failure, doubt, ..Row::empty(0) }]).report();
        assert!(report.starts_with("1 seeds: 0 passed, 1 failed, 1 in doubt\n"), "{report}");
    }
}
