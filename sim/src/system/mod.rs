//! A system under test, and what is done with it: a seed is run, many are swept, a run is replayed from its scenario, a failure
//! is made small.
//!
//! It serves systems whose profiles and scenarios have the simulator's own sections and no others; who has more builds each
//! [`World`] from what they say. It knows no threads and no files: a sweep is over the seeds it is handed, on the
//! thread that asks, and the tallies of several threads are merged.

mod shrink;
mod tally;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::choice::Choice;
use crate::fault::FaultEvent;
use crate::parameters::Parameters;
use crate::plan;
use crate::process::{Oracle, Process, Violation, Workload};
use crate::profile::{Profile, Resolved, Shape};
use crate::scenario::{self, Expected, Misfit, Scenario, ScenarioError, Section, Subject, sections_of};
use crate::trace::{Keep, Recorder};
use crate::world::{RunResult, Verdict, World};

pub use shrink::Shrunk;
pub use tally::{Failures, Tally};

/// The class of a violation that is a panic of process, oracle or workload.
pub const PANIC: &str = "Panic";

/// One seed in so many of a sweep is run twice.
const REPEATED_ONE_IN: usize = 64;

/// What runs, what is held against it, who uses it, and the weather. Each run begins with copies of these.
#[derive(Clone, Debug)]
pub struct System<P: Process, O: Oracle<P>, W: Workload<P>> {
    /// What all processes are built from.
    pub setup: P::Setup,
    /// What is held against them, as it is before a run.
    pub oracle: O,
    /// What the clients do, as they are before a run.
    pub workload: W,
    /// How many processes there are, how many of them must be able to serve once the storm is over, and their patience.
    pub shape: Shape,
    /// The weather.
    pub profile: Profile,
}

/// What came of a run, and the scenario that repeats it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorded {
    /// What came of it.
    pub result: RunResult,
    /// Its parameters, faults and decisions.
    pub scenario: Scenario,
}

impl<P: Process, O: Oracle<P>, W: Workload<P>> System<P, O, W> {
    /// Runs a seed. A panic is a violation of the class [`PANIC`].
    #[must_use]
    pub fn run(&self, seed: u64) -> RunResult {
        let (parameters, faults, choice) = self.draw(seed);
        go(&mut self.world(parameters, faults, choice))
    }

    /// The same run, written down. That takes longer, and changes nothing.
    #[must_use]
    pub fn record(&self, seed: u64) -> Recorded {
        let (parameters, faults, choice) = self.draw(seed);
        let mut recorded = self.carry_out(parameters, faults, choice);
        recorded.scenario.notes = vec![format!("Seed {seed}.")];
        recorded
    }

    /// Runs these seeds one after the other. One in 64 is run twice: where the second run is another, the system depends on
    /// something that it was not handed.
    #[must_use]
    pub fn sweep(&self, seeds: impl IntoIterator<Item = u64>) -> Tally {
        let mut tally = Tally::new(P::MARKS);
        for (nth, seed) in seeds.into_iter().enumerate() {
            let result = self.run(seed);
            let repeats = !nth.is_multiple_of(REPEATED_ONE_IN) || self.run(seed) == result;
            tally.add(seed, &result, repeats);
        }
        tally
    }

    /// Runs a scenario from its text, which is the file called `file`.
    ///
    /// # Errors
    /// Says which line makes no sense, and what would.
    pub fn replay(&self, text: &str, file: &str) -> Result<Recorded, ScenarioError> {
        let scenario = scenario::parse(text, file)?;
        self.rerun(&scenario, scenario.choice()).map_err(|misfit| misfit.at(text, file))
    }

    /// Runs a scenario, whose decisions may come from elsewhere.
    ///
    /// # Errors
    /// Where one of its lines makes no sense.
    pub fn rerun(&self, scenario: &Scenario, choice: Choice) -> Result<Recorded, Misfit> {
        let parameters = scenario.parameters()?;
        scenario.check_milestones(P::MILESTONES)?;
        let is_unknown = |section: &&Section| !scenario::is_parameter_section(&section.name);
        if let Some(section) = scenario.sections.iter().find(is_unknown) {
            let expected = format!("one of `{}`", scenario::section_names().join("`, `"));
            return Err(Misfit::of_section(&section.name, "no such section is known", expected));
        }
        if let Some(step) = scenario.steps.first() {
            return Err(Misfit {
                subject: Subject::Step { id: step.id, word: 0 },
                what: "it is a step of a search".to_owned(),
                expected: "a run in time, of faults and decisions".to_owned(),
            });
        }
        let processes = self.shape.processes;
        if parameters.processes() != processes {
            let what = format!("there are {} processes", parameters.processes());
            return Err(Misfit::of_key("processes", "count", what, format!("`processes count={processes}`")));
        }
        Ok(self.carry_out(parameters, scenario.events.clone(), choice))
    }

    /// What a seed says.
    fn draw(&self, seed: u64) -> (Parameters, Vec<FaultEvent>, Choice) {
        let mut choice = Choice::from_seed(seed);
        let Resolved { parameters, plan } = self.profile.resolve(&mut choice, self.shape);
        let faults = plan::draw(&plan, &mut choice);
        (parameters, faults, choice)
    }

    fn world(&self, parameters: Parameters, faults: Vec<FaultEvent>, choice: Choice) -> World<P, O, W> {
        let (setup, oracle, workload) = (self.setup.clone(), self.oracle.clone(), self.workload.clone());
        World::new(setup, parameters, faults, choice, oracle, workload, Recorder::new(Keep::Hash))
            .expect("what a profile draws or a scenario may state can be simulated")
    }

    fn carry_out(&self, parameters: Parameters, faults: Vec<FaultEvent>, choice: Choice) -> Recorded {
        let (sections, events) = (sections_of(&parameters), faults.clone());
        let mut world = self.world(parameters, faults, choice.recording());
        let result = go(&mut world);
        let mut scenario =
            Scenario { sections, events, decisions: world.take_decisions(), ..Scenario::default() };
        scenario.sort_decisions();
        scenario.hash = Some(result.hash);
        scenario.expected = match &result.verdict {
            Verdict::Passed => Some(Expected::Passed),
            Verdict::Failed(violation) => Some(Expected::Failed(violation.class.to_owned())),
            Verdict::Inconclusive(_) => None,
        };
        Recorded { result, scenario }
    }
}

/// Runs a world to its end, or to its panic.
fn go<P: Process, O: Oracle<P>, W: Workload<P>>(world: &mut World<P, O, W>) -> RunResult {
    // What the panic left half-done is asked how far it came, and no more.
    let payload = match catch_unwind(AssertUnwindSafe(|| world.run())) {
        Ok(result) => return result,
        Err(payload) => payload,
    };
    let words = payload.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| payload.downcast_ref::<&str>().copied());
    let violation =
        Violation { class: PANIC, message: words.unwrap_or("a panic that is not text").to_owned() };
    let mut result = world.result();
    result.violations.push(violation.clone());
    RunResult { verdict: Verdict::Failed(violation), ..result }
}
