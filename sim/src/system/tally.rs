//! What came of many seeds. Tallies can be merged in any order: what they tell does not depend on who ran which seed.

use std::collections::BTreeMap;
use std::fmt;

use crate::mark::{FRAMEWORK, Marks};
use crate::world::{RunResult, Verdict};

/// What came of many seeds; printed, a report without the time that it took.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tally {
    /// How many seeds were run.
    pub seeds: u64,
    /// Those in which everything held.
    pub passed: u64,
    /// The failures, by their class.
    pub failures: BTreeMap<&'static str, Failures>,
    /// Those that say nothing: how many, the first, and why.
    pub inconclusive: Option<Failures>,
    /// Those that went another way when they were run again: how many, and the first.
    pub unrepeatable: Option<Failures>,
    /// How many events did something.
    pub events: u64,
    /// How long it took, in virtual time.
    pub virtual_us: u64,
    /// How many operations of clients were answered.
    pub operations: u64,
    marks: Marks,
    user_marks: Marks,
    user_names: &'static [&'static str],
}

/// Seeds to which the same happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failures {
    /// How many.
    pub seeds: u64,
    /// The first of them.
    pub first: u64,
    /// What was said of that one.
    pub message: String,
}

impl Tally {
    pub(super) fn new(user_names: &'static [&'static str]) -> Tally {
        Tally {
            seeds: 0,
            passed: 0,
            failures: BTreeMap::new(),
            inconclusive: None,
            unrepeatable: None,
            events: 0,
            virtual_us: 0,
            operations: 0,
            marks: Marks::default(),
            user_marks: Marks::default(),
            user_names,
        }
    }

    pub(super) fn add(&mut self, seed: u64, result: &RunResult, repeats: bool) {
        let alone = |message: &str| Failures { seeds: 1, first: seed, message: message.to_owned() };
        self.seeds += 1;
        self.events += result.events;
        self.virtual_us += result.virtual_us;
        self.operations += result.operations;
        self.marks.add(result.marks);
        self.user_marks.add(result.user_marks);
        if !repeats {
            join(&mut self.unrepeatable, alone("a second run of the seed went another way"));
        }
        match &result.verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(violation) => self.add_failure(violation.class, alone(&violation.message)),
            Verdict::Inconclusive(reason) => join(&mut self.inconclusive, alone(reason)),
        }
    }

    fn add_failure(&mut self, class: &'static str, failures: Failures) {
        let mut known = self.failures.remove(class);
        join(&mut known, failures);
        self.failures.extend(known.map(|known| (class, known)));
    }

    /// The same, with what came of other seeds of the same system.
    #[must_use]
    pub fn merge(mut self, other: Tally) -> Tally {
        assert_eq!(self.user_names, other.user_names, "tallies of two systems say nothing together");
        self.seeds += other.seeds;
        self.passed += other.passed;
        self.events += other.events;
        self.virtual_us += other.virtual_us;
        self.operations += other.operations;
        self.marks.add(other.marks);
        self.user_marks.add(other.user_marks);
        for (class, failures) in other.failures {
            self.add_failure(class, failures);
        }
        other.inconclusive.into_iter().for_each(|more| join(&mut self.inconclusive, more));
        other.unrepeatable.into_iter().for_each(|more| join(&mut self.unrepeatable, more));
        self
    }

    /// The first seed that failed.
    #[must_use]
    pub fn first_failure(&self) -> Option<u64> {
        self.failures.values().map(|failures| failures.first).min()
    }

    /// Whether every seed passed, and those that were run twice went the same way both times.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.passed == self.seeds && self.unrepeatable.is_none()
    }

    /// The situations that no seed reached, of the simulator's and of the system's own.
    pub fn never(&self) -> impl Iterator<Item = &'static str> {
        [(FRAMEWORK, self.marks), (self.user_names, self.user_marks)].into_iter().flat_map(
            |(names, marks)| {
                let reached: Vec<bool> = marks.reached(names).collect();
                names.iter().copied().zip(reached).filter(|(_, reached)| !reached).map(|(name, _)| name)
            },
        )
    }
}

/// Adds seeds to those to which the same happened.
fn join(known: &mut Option<Failures>, more: Failures) {
    *known = Some(match known.take() {
        None => more,
        Some(known) => {
            let seeds = known.seeds + more.seeds;
            let first = if more.first < known.first { more } else { known };
            Failures { seeds, ..first }
        }
    });
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed: u64 = self.failures.values().map(|failures| failures.seeds).sum();
        let without = self.inconclusive.as_ref().map_or(0, |failures| failures.seeds);
        let (hours, tenths) = (self.virtual_us / 3_600_000_000, self.virtual_us / 360_000_000 % 10);
        writeln!(f, "  verdicts    {} passed, {failed} failed, {without} without one", self.passed)?;
        writeln!(f, "  simulated   {hours}.{tenths} h; {} events", self.events)?;
        writeln!(f, "  clients     {} operations answered", self.operations)?;
        for name in self.never() {
            writeln!(f, "  never       {name}")?;
        }
        let mut tell = |what: &str, Failures { seeds, first, message }: &Failures| {
            writeln!(f, "{what}, {seeds} of the seeds, first seed {first}:\n  {message}")
        };
        for (class, failures) in &self.failures {
            tell(&format!("FAILED {class}"), failures)?;
        }
        self.inconclusive.iter().try_for_each(|failures| tell("NO VERDICT", failures))?;
        self.unrepeatable.iter().try_for_each(|failures| tell("NOT REPEATABLE", failures))
    }
}
