//! A failing run made small: candidates are run one after the other, as many as there may be.

use super::{Recorded, System};
use crate::process::{Oracle, Process, Workload};
use crate::scenario::Scenario;
use crate::shrink::{self, Candidate, Judge, Run};
use crate::world::{RunResult, Verdict};

/// Runs that a failure may be shrunk in.
const RUNS_MAX: u64 = 5_000;

/// A candidate that takes more than twice the steps of the best scenario, and so many more, is no simplification.
const MORE_EVENTS: u64 = 10_000;

/// What is left of a failure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shrunk {
    /// The simplest scenario that was found.
    pub scenario: Scenario,
    /// How many runs that took.
    pub runs: u64,
}

impl<P: Process, O: Oracle<P>, W: Workload<P>> System<P, O, W> {
    /// The simplest scenario that is found which fails in the same class; none where the run did not fail.
    #[must_use]
    pub fn shrink(&self, failed: &Recorded) -> Option<Shrunk> {
        let Verdict::Failed(violation) = &failed.result.verdict else { return None };
        let mut judge =
            Reruns { system: self, class: violation.class, events: failed.result.events, runs: 0 };
        let scenario = shrink::shrink(failed.scenario.clone(), run_of(failed), &mut judge);
        Some(Shrunk { scenario, runs: judge.runs })
    }
}

/// What the shrinker wants to know of a run.
fn run_of(recorded: &Recorded) -> Run {
    let RunResult { virtual_us, safety_us, .. } = recorded.result;
    Run { decisions: recorded.scenario.decisions.clone(), virtual_us, safety_us }
}

/// Tells whether a candidate fails as the first run did: it runs it.
struct Reruns<'a, P: Process, O: Oracle<P>, W: Workload<P>> {
    system: &'a System<P, O, W>,
    class: &'static str,
    /// How many events the best run so far took.
    events: u64,
    runs: u64,
}

impl<P: Process, O: Oracle<P>, W: Workload<P>> Reruns<'_, P, O, W> {
    fn failing(&mut self, candidate: &Candidate) -> Option<Run> {
        self.runs += 1;
        let recorded = self.system.rerun(&candidate.scenario, candidate.choice()).ok()?;
        let Verdict::Failed(violation) = &recorded.result.verdict else { return None };
        let events = recorded.result.events;
        let is_longer = events > self.events.saturating_mul(2).saturating_add(MORE_EVENTS);
        let run = run_of(&recorded);
        if violation.class != self.class || is_longer || !candidate.takes(&run) {
            return None;
        }
        self.events = events;
        Some(run)
    }
}

impl<P: Process, O: Oracle<P>, W: Workload<P>> Judge for Reruns<'_, P, O, W> {
    fn first_failing(&mut self, candidates: &mut dyn Iterator<Item = Candidate>) -> Option<(Candidate, Run)> {
        while !self.is_over() {
            let candidate = candidates.next()?;
            if let Some(run) = self.failing(&candidate) {
                return Some((candidate, run));
            }
        }
        None
    }

    fn is_over(&self) -> bool {
        self.runs >= RUNS_MAX
    }

    fn improved(&mut self, _: &Scenario) {}

    fn fit(&self, _: &mut Scenario, _: u32) {}
}
