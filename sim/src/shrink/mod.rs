//! Makes a failing scenario small: what is left when nothing more can be taken away without the failure going, too.
//!
//! A scenario is data, and whoever runs it is a [`Judge`]: it tells whether a candidate still fails in the same class. Every
//! step proposes candidates that are simpler than the best one so far, and the first that still fails takes its
//! place. That works because a decision is keyed by what it decides (see [`crate::choice`]): what is left means what it meant.
//!
//! In the order of what they save: all decisions or all faults at once; small worlds with the same kinds of faults; the time after the
//! failure; clients and processes; then delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002) over faults, parameters and decisions, these
//! first by the heap; in the end single words, which go or get rounder. All of it again, until nothing changes.
//!
//! It is as deterministic as its judge: candidates have an order, and the first that fails counts, however many are
//! tried at once.

mod limits;
mod numbers;
mod pieces;
mod sample;
mod take_out;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeSet;

use crate::choice::{Choice, Decision, DrawKey, Sparsity};
use crate::scenario::Scenario;

/// Runs candidates.
pub trait Judge {
    /// The first of these, in their order, that still fails as it must and [takes](Candidate::takes) its run. None where none does,
    /// or where there is no more time.
    fn first_failing(&mut self, candidates: &mut dyn Iterator<Item = Candidate>) -> Option<(Candidate, Run)>;

    /// Whether there is no more time: the best scenario so far is the result.
    fn is_over(&self) -> bool;

    /// The failing scenario has become simpler.
    fn improved(&mut self, best: &Scenario);

    /// Makes the user's own sections fit so many processes. The simulator's own do already.
    fn fit(&self, scenario: &mut Scenario, processes: u32);
}

/// A scenario that may fail like the best one so far, and is simpler.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its number among those that are tried for one thing.
    pub number: usize,
    /// The scenario.
    pub scenario: Scenario,
    drawn: Option<Drawn>,
}

/// Decisions that are not stated but drawn, and few of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Drawn {
    seed: u64,
    sparsity: Sparsity,
    /// With as many decided events or more the scenario is no simpler.
    events_max: u64,
}

impl Candidate {
    /// The decisions as a source for a run.
    #[must_use]
    pub fn choice(&self) -> Choice {
        match self.drawn {
            Some(Drawn { seed, sparsity, .. }) => Choice::from_seed_sparsely(seed, sparsity),
            None => self.scenario.choice(),
        }
    }

    /// Whether it is simpler, now that its decisions are known.
    #[must_use]
    pub fn takes(&self, run: &Run) -> bool {
        self.drawn.is_none_or(|drawn| decided(&run.decisions) < drawn.events_max)
    }
}

/// How the run of a scenario went that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// The decisions that were asked for and are not the default: all that matter.
    pub decisions: Vec<Decision>,
    /// When it ended, in virtual time.
    pub virtual_us: u64,
    /// How much of that was the safety phase.
    pub safety_us: u64,
}

/// How large a scenario is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Size {
    /// Faults, and events of which something is decided: the lines that tell what happens.
    pub events: u64,
    /// The parameters that are stated.
    pub parameters: u64,
}

impl Size {
    /// The size of this one.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Size {
        let parameters: usize = scenario.sections.iter().map(|section| section.values.len()).sum();
        let events = scenario.events.len() as u64 + decided(&scenario.decisions);
        Size { events, parameters: parameters as u64 }
    }
}

/// Of how many events something is decided.
fn decided(decisions: &[Decision]) -> u64 {
    let events: BTreeSet<DrawKey> = decisions.iter().map(|decision| decision.key).collect();
    events.len() as u64
}

/// The simplest scenario that is found which fails as `scenario` does, whose run is given. Its notes and its hash are gone: they told of
/// another run. Its faults are numbered from 1 on.
#[must_use]
pub fn shrink(scenario: Scenario, run: Run, judge: &mut impl Judge) -> Scenario {
    let best = Scenario { notes: Vec::new(), hash: None, ..scenario };
    let mut shrinker = Shrinker { origin: best.clone(), best, ends: Ends::AtOnce, judge };
    shrinker.note(run);
    shrinker.origin = shrinker.best.clone();
    for round in 0.. {
        let before = shrinker.best.clone();
        shrinker.round(round);
        if shrinker.judge.is_over() || shrinker.best == before {
            break;
        }
    }
    numbers::renumber(&mut shrinker.best);
    shrinker.best
}

/// A scenario on its way.
struct Shrinker<'a, J> {
    /// What failed first, up to its failure.
    origin: Scenario,
    /// The simplest that is known to fail.
    best: Scenario,
    ends: Ends,
    judge: &'a mut J,
}

/// What ends the run of the best scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ends {
    /// The violation of a step, in the safety phase: what lies behind it does not matter.
    AtOnce,
    /// What is judged at the end of a phase; the safety phase is so long.
    AfterPhase { safety_us: u64 },
}

impl<J: Judge> Shrinker<'_, J> {
    /// Tries every way to make it simpler, once.
    fn round(&mut self, round: u64) {
        self.take_out_at_once();
        self.sample(round);
        self.shorten();
        self.dismiss_clients();
        self.dismiss_processes();
        self.take_out(pieces::faults(&self.best));
        self.take_out(pieces::sections(&self.best));
        for heap in pieces::HEAPS {
            self.take_out(pieces::decisions(&self.best, heap));
        }
        self.take_out(pieces::parameters(&self.best));
        self.polish();
    }

    /// Perhaps nothing need happen, or nothing be decided.
    fn take_out_at_once(&mut self) {
        let undecided = Scenario { decisions: Vec::new(), ..self.best.clone() };
        let uneventful = Scenario { events: Vec::new(), ..undecided.clone() };
        let unstated = Scenario { sections: Vec::new(), ..uneventful.clone() };
        self.try_first([unstated, uneventful, undecided].into_iter());
    }

    /// Takes over the first of these that still fails, if one does; its number.
    fn try_first(&mut self, scenarios: impl Iterator<Item = Scenario>) -> Option<usize> {
        self.try_first_drawn(scenarios.map(|scenario| (scenario, None)))
    }

    /// The same for scenarios whose decisions may be drawn.
    fn try_first_drawn(
        &mut self,
        scenarios: impl Iterator<Item = (Scenario, Option<Drawn>)>,
    ) -> Option<usize> {
        let best = &self.best;
        let mut candidates = scenarios
            .enumerate()
            .map(|(number, (mut scenario, drawn))| {
                limits::bound(&mut scenario, best);
                scenario.drop_late();
                Candidate { number, scenario, drawn }
            })
            .filter(|candidate| candidate.scenario != *best);
        let (found, run) = self.judge.first_failing(&mut candidates)?;
        self.best = found.scenario;
        self.note(run);
        self.judge.improved(&self.best);
        Some(found.number)
    }

    /// The best scenario went so: whatever had no part in it goes.
    fn note(&mut self, run: Run) {
        let Run { decisions, virtual_us, safety_us } = run;
        self.best.decisions = decisions;
        self.best.sort_decisions();
        self.best.events.retain(|event| event.after.is_some() || event.at.0 <= virtual_us);
        self.best.drop_orphans();
        self.ends = limits::cut(&mut self.best, virtual_us, safety_us);
        self.best.drop_late();
    }
}
