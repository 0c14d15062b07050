//! What a sweep found: one row for each run, and the totals that `--json` prints.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};
use squall_scenarios::marks;
use squall_scenarios::run::Outcome;
use squall_sim::Verdict;
use xxhash_rust::xxh3::xxh3_128;

use crate::args::Shard;
use crate::exit::Exit;
use crate::sweep::Plan;
use crate::words;

/// What was found out about one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Judgement {
    /// All invariants held.
    Passed,
    /// An invariant was violated, or the code under test panicked.
    Failed { class: String, message: String, also_fired: Vec<String> },
    /// The run came to no verdict: a budget ran out.
    Inconclusive(String),
}

/// One run, as far as totals need it.
pub(crate) struct Row {
    pub(crate) seed: u64,
    pub(crate) judgement: Judgement,
    pub(crate) hash: u128,
    pub(crate) events: u64,
    pub(crate) virtual_us: u64,
    pub(crate) safety_us: u64,
    pub(crate) operations: u64,
    /// For each of `marks::all`.
    pub(crate) marks: Vec<bool>,
    /// How long a thread was busy with it.
    pub(crate) busy: Duration,
    /// What fired in a run that passed, for it does not count.
    pub(crate) ignored: Vec<&'static str>,
    /// Where a second run of the seed went another way, if it did.
    pub(crate) parting: Option<String>,
}

impl Row {
    /// The row of a run that ended with an outcome, or with a panic that said this.
    pub(crate) fn new(seed: u64, outcome: Result<Outcome, String>) -> Row {
        let mut row = Row {
            seed,
            judgement: Judgement::Passed,
            hash: 0,
            events: 0,
            virtual_us: 0,
            safety_us: 0,
            operations: 0,
            marks: Vec::new(),
            busy: Duration::ZERO,
            ignored: Vec::new(),
            parting: None,
        };
        match outcome {
            Ok(outcome) => {
                row.ignored = ignored(&outcome).to_vec();
                row.judgement = judgement(outcome.verdict, &outcome.also_fired);
                row.hash = outcome.hash;
                row.events = outcome.events;
                row.virtual_us = outcome.virtual_us;
                row.safety_us = outcome.safety_us;
                row.operations = outcome.operations;
                row.marks = outcome.marks;
            }
            Err(message) => row.judgement = panicked(message),
        }
        row
    }
}

/// What fired in a run that passed.
pub(crate) fn ignored(outcome: &Outcome) -> &[&'static str] {
    if outcome.verdict == Verdict::Passed { &outcome.also_fired } else { &[] }
}

/// A verdict in the words of reports. `fired` may name the class that fired first too.
pub(crate) fn judgement(verdict: Verdict, fired: &[&str]) -> Judgement {
    match verdict {
        Verdict::Passed => Judgement::Passed,
        Verdict::Failed(violation) => Judgement::Failed {
            class: violation.class.to_owned(),
            message: violation.message,
            also_fired: fired
                .iter()
                .filter(|class| **class != violation.class)
                .map(|class| (*class).to_owned())
                .collect(),
        },
        Verdict::Inconclusive(reason) => Judgement::Inconclusive(reason),
    }
}

/// A panic is the violation of an assertion.
pub(crate) fn panicked(message: String) -> Judgement {
    Judgement::Failed { class: "Panic".to_owned(), message, also_fired: Vec::new() }
}

/// A run in which an invariant was violated.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Failure {
    pub(crate) seed: u64,
    pub(crate) class: String,
    pub(crate) message: String,
    pub(crate) also_fired: Vec<String>,
    /// The command that runs it again.
    pub(crate) replay: String,
}

/// A run that is a fault of the harness: without a verdict, or not repeatable.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Doubt {
    pub(crate) seed: u64,
    pub(crate) reason: String,
    /// The first event at which two runs of the seed part, on either side; none where they do not.
    pub(crate) parting: Option<String>,
    /// The command that runs it again.
    pub(crate) replay: String,
}

/// The totals of a sweep; as JSON, the object that `--json` prints.
#[derive(Serialize, Debug)]
pub(crate) struct Summary {
    pub(crate) profile: String,
    /// What was switched off, as words of a command.
    #[serde(skip)]
    pub(crate) less: String,
    pub(crate) start: u64,
    /// This machine's share of the seeds, such as `2/4`; nothing where it has them all.
    pub(crate) shard: Option<String>,
    /// How many seeds were run.
    pub(crate) seeds: u64,
    /// Whether an interrupt ended it before its time.
    pub(crate) interrupted: bool,
    pub(crate) passed: u64,
    pub(crate) failed: Vec<Failure>,
    pub(crate) inconclusive: u64,
    /// In how many runs that passed something fired that does not count.
    pub(crate) ignored: BTreeMap<&'static str, u64>,
    /// Why runs were inconclusive, and which runs did not repeat.
    pub(crate) doubts: Vec<Doubt>,
    /// Combined over all runs: the same for the same seeds, whatever the threads and their order.
    pub(crate) hash: String,
    pub(crate) virtual_seconds: f64,
    pub(crate) median_safety_seconds: f64,
    pub(crate) wall_seconds: f64,
    /// Summed over threads.
    pub(crate) busy_seconds: f64,
    pub(crate) jobs: u16,
    pub(crate) events: u64,
    pub(crate) events_per_second_per_job: f64,
    pub(crate) virtual_per_wall: f64,
    /// Client operations that were answered.
    pub(crate) operations: u64,
    pub(crate) median_operations: u64,
    /// In how many runs each mark was reached.
    #[serde(serialize_with = "as_map")]
    pub(crate) marks: Vec<(&'static str, u64)>,
}

impl Summary {
    pub(crate) fn new(profile: &str, plan: &Plan, rows: Vec<Row>, wall: Duration) -> Summary {
        let total = |field: fn(&Row) -> u64| rows.iter().map(field).sum::<u64>();
        let (virtual_us, events) = (total(|row| row.virtual_us), total(|row| row.events));
        let busy: Duration = rows.iter().map(|row| row.busy).sum();
        let wall_seconds = wall.as_secs_f64();
        let mut summary = Summary {
            profile: profile.to_owned(),
            less: plan.less.clone(),
            start: plan.start,
            shard: (plan.shard != Shard::WHOLE).then(|| plan.shard.to_string()),
            seeds: rows.len() as u64,
            interrupted: false,
            passed: 0,
            failed: Vec::new(),
            inconclusive: 0,
            ignored: BTreeMap::new(),
            doubts: Vec::new(),
            hash: format!("{:032x}", combined_hash(&rows)),
            virtual_seconds: seconds(virtual_us),
            median_safety_seconds: seconds(median(&rows, |row| row.safety_us)),
            wall_seconds,
            busy_seconds: busy.as_secs_f64(),
            jobs: plan.jobs,
            events,
            events_per_second_per_job: ratio(events as f64, wall_seconds * f64::from(plan.jobs)),
            virtual_per_wall: ratio(seconds(virtual_us), wall_seconds),
            operations: total(|row| row.operations),
            median_operations: median(&rows, |row| row.operations),
            marks: count_marks(&rows),
        };
        for row in rows {
            summary.judge(row);
        }
        summary
    }

    fn judge(&mut self, row: Row) {
        let replay = replay_command(&self.profile, row.seed, &self.less);
        if row.parting.is_some() {
            let reason = "two runs of this seed went different ways".to_owned();
            let replay = format!("{replay} --check-determinism");
            self.doubts.push(Doubt { seed: row.seed, reason, parting: row.parting, replay });
        }
        for class in row.ignored {
            *self.ignored.entry(class).or_default() += 1;
        }
        match row.judgement {
            Judgement::Passed => self.passed += 1,
            Judgement::Failed { class, message, also_fired } => {
                self.failed.push(Failure { seed: row.seed, class, message, also_fired, replay });
            }
            Judgement::Inconclusive(reason) => {
                self.inconclusive += 1;
                self.doubts.push(Doubt { seed: row.seed, reason, parting: None, replay });
            }
        }
    }

    /// What does not repeat can vouch for nothing. Else a violation weighs more than a doubt: it is what the sweep was for.
    pub(crate) fn exit(&self) -> Exit {
        if self.partings().next().is_some() {
            Exit::Harness
        } else if !self.failed.is_empty() {
            Exit::Violated
        } else if !self.doubts.is_empty() || self.interrupted {
            Exit::Harness
        } else {
            Exit::Held
        }
    }

    /// The doubts about runs that do not repeat.
    pub(crate) fn partings(&self) -> impl Iterator<Item = &Doubt> {
        self.doubts.iter().filter(|doubt| doubt.parting.is_some())
    }

    /// The marks that no run reached.
    pub(crate) fn unreached(&self) -> Vec<&'static str> {
        self.marks.iter().filter(|(_, runs)| *runs == 0).map(|(name, _)| *name).collect()
    }
}

/// The command that runs this seed again.
pub(crate) fn replay_command(profile: &str, seed: u64, less: &str) -> String {
    format!("{} run --profile {} --seed {seed}{less}", words::program(), words::quoted(profile))
}

/// Each run's hash is bound to its seed and the sum forgets the order, so that threads and shards may finish as they like.
pub(crate) fn combined_hash(rows: &[Row]) -> u128 {
    rows.iter().fold(0, |sum: u128, row| {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&row.seed.to_le_bytes());
        bytes[8..].copy_from_slice(&row.hash.to_le_bytes());
        sum.wrapping_add(xxh3_128(&bytes))
    })
}

/// Pairs as an object whose fields keep their order.
fn as_map<S: Serializer>(pairs: &[(&'static str, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

fn count_marks(rows: &[Row]) -> Vec<(&'static str, u64)> {
    let reached = |mark: usize| rows.iter().filter(|row| row.marks.get(mark) == Some(&true)).count() as u64;
    marks::all().enumerate().map(|(mark, name)| (name, reached(mark))).collect()
}

/// The lower median; zero of nothing.
fn median(rows: &[Row], field: impl Fn(&Row) -> u64) -> u64 {
    let mut values: Vec<u64> = rows.iter().map(field).collect();
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

/// Zero instead of what is no number in JSON.
fn ratio(whole: f64, part: f64) -> f64 {
    if part > 0.0 { whole / part } else { 0.0 }
}
