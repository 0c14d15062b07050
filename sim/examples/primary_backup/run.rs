//! One run, from a seed or from a scenario; and a failing scenario made small.

use squall_sim::profile::{Profile, Resolved, Shape};
use squall_sim::scenario::{Expected, Scenario, sections_of};
use squall_sim::shrink::{self, Candidate, Judge, Run};
use squall_sim::trace::{Keep, Recorder};
use squall_sim::{Choice, FaultEvent, Parameters, Process, RunResult, Verdict, World, plan};

use super::oracle::Promises;
use super::process::{Bug, Replica};
use super::workload::Clients;

/// What a profile does not say.
const SHAPE: Shape = Shape { processes: 2, core_size: 2, timeout_us: 200_000 };

/// Runs that a failure may be shrunk in.
const RUNS_MAX: u64 = 5_000;

/// What came of a run, and the scenario that repeats it, if its decisions were recorded.
pub(crate) struct Outcome {
    pub(crate) result: RunResult,
    pub(crate) scenario: Option<Scenario>,
}

/// The weather.
pub(crate) fn storm() -> Profile {
    Profile::parse(include_str!("storm.toml"), "storm.toml").expect("a test reads it")
}

/// Runs a seed of a profile. Recording takes time, and changes nothing.
pub(crate) fn run_seed(profile: &Profile, seed: u64, bug: Option<Bug>, record: bool) -> Outcome {
    let mut choice = Choice::from_seed(seed);
    let Resolved { parameters, plan } = profile.resolve(&mut choice, SHAPE);
    let faults = plan::draw(&plan, &mut choice);
    run(parameters, faults, if record { choice.recording() } else { choice }, bug)
}

/// Runs a scenario, whose decisions may come from elsewhere.
///
/// # Errors
/// Says which line makes no sense.
pub(crate) fn replay(scenario: &Scenario, choice: Choice, bug: Option<Bug>) -> Result<Outcome, String> {
    let parameters = scenario.parameters().map_err(|misfit| misfit.to_string())?;
    scenario.check_milestones(Replica::MILESTONES).map_err(|misfit| misfit.to_string())?;
    if !scenario.steps.is_empty() {
        return Err("it is made of steps, as a search writes them; expected times or anchors".to_owned());
    }
    if parameters.processes() != SHAPE.processes {
        return Err(format!("{} processes; expected `processes count=2`", parameters.processes()));
    }
    Ok(run(parameters, scenario.events.clone(), choice.recording(), bug))
}

fn run(parameters: Parameters, faults: Vec<FaultEvent>, choice: Choice, bug: Option<Bug>) -> Outcome {
    let mut scenario = choice.is_recording().then(|| Scenario {
        sections: sections_of(&parameters),
        events: faults.clone(),
        ..Scenario::default()
    });
    let (oracle, recorder) = (Promises::default(), Recorder::new(Keep::Hash));
    let mut world = World::new(bug, parameters, faults, choice, oracle, Clients, recorder)
        .expect("what a profile draws or a scenario may state can be simulated");
    let result = world.run();
    if let Some(scenario) = &mut scenario {
        scenario.decisions = world.take_decisions();
        scenario.sort_decisions();
        scenario.hash = Some(result.hash);
        scenario.expected = match &result.verdict {
            Verdict::Passed => Some(Expected::Passed),
            Verdict::Failed(violation) => Some(Expected::Failed(violation.class.to_owned())),
            Verdict::Inconclusive(_) => None,
        };
    }
    Outcome { result, scenario }
}

/// The simplest scenario that is found which fails in the same class, and how many runs that took. The outcome is that of a
/// recorded run that failed.
pub(crate) fn shrink(outcome: Outcome, class: &'static str, bug: Option<Bug>) -> (Scenario, u64) {
    let mut judge = Reruns { class, bug, events: outcome.result.events, runs: 0 };
    let (scenario, run) = parts(outcome);
    (shrink::shrink(scenario, run, &mut judge), judge.runs)
}

/// What the shrinker wants to know of a run that failed.
fn parts(outcome: Outcome) -> (Scenario, Run) {
    let scenario = outcome.scenario.expect("the run was recorded");
    let RunResult { virtual_us, safety_us, .. } = outcome.result;
    let run = Run { decisions: scenario.decisions.clone(), virtual_us, safety_us };
    (scenario, run)
}

/// Tells whether a candidate fails as the first run did: it runs it.
struct Reruns {
    class: &'static str,
    bug: Option<Bug>,
    /// How many the best run so far took.
    events: u64,
    runs: u64,
}

impl Reruns {
    fn failing(&mut self, candidate: &Candidate) -> Option<Run> {
        self.runs += 1;
        let outcome = replay(&candidate.scenario, candidate.choice(), self.bug).ok()?;
        let Verdict::Failed(violation) = &outcome.result.verdict else { return None };
        let (events, fails) = (outcome.result.events, violation.class == self.class);
        // One that takes far longer is no simplification.
        let is_longer = events > self.events.saturating_mul(2).saturating_add(10_000);
        let (_, run) = parts(outcome);
        if !fails || is_longer || !candidate.takes(&run) {
            return None;
        }
        self.events = events;
        Some(run)
    }
}

impl Judge for Reruns {
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
