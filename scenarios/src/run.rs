//! One run, from a seed or from a scenario, to its outcome.

use squall_sim::choice::Unheeded;
use squall_sim::process::Violation;
use squall_sim::scenario::{Expected, Misfit, Scenario, Section};
use squall_sim::trace::{Header, Keep, Recorder, Trace};
use squall_sim::world::{RunResult, Verdict, World};
use squall_sim::{Choice, Oracle, Process, mark};

use crate::log::Detail;
use crate::oracles::Oracles;
use crate::profile::{Plan, Profile};
use crate::script;
use crate::server::{Ask, Response, Server};
use crate::workload::Clients;
use crate::{marks, search};

/// What to keep of a run, beside its verdict, and how to hold it.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Keep a record of each event.
    pub keep_trace: bool,
    /// Keep every decision, so that the run can be written down as a scenario.
    pub record: bool,
    /// Tell so much of what happens, through `tracing`.
    pub log: Detail,
    /// Give the run up, without a verdict, after so many events.
    pub events_max: Option<u64>,
    /// What catches a panic inside the run, which is then a violation of the class `Panic`. Without it the panic goes its way.
    pub catch: Option<Catch>,
    /// Go on after a violation, so that every oracle that would fire is seen.
    pub keep_going: bool,
    /// The classes of violations that do not count, as if their oracles were off.
    pub ignored: Vec<&'static str>,
}

/// Calls what it is given, and returns the words of its panic, if it panics.
pub type Catch = fn(&mut dyn FnMut()) -> Result<(), String>;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed; 0 for a scenario.
    pub seed: u64,
    /// How it ended.
    pub verdict: Verdict,
    /// The classes of everything that fired.
    pub also_fired: Vec<&'static str>,
    /// The hash of everything that happened.
    pub hash: u128,
    /// Events that did something.
    pub events: u64,
    /// Its length in virtual time.
    pub virtual_us: u64,
    /// How much of that was the safety phase.
    pub safety_us: u64,
    /// Operations of clients that took place and were answered.
    pub operations: u64,
    /// For each of [`crate::marks::all`] whether it was reached.
    pub marks: Vec<bool>,
    /// For each fault that waited for something in vain, what that was; each that did nothing when its turn came; and each step
    /// that could not be taken.
    pub missed: Vec<String>,
    /// The numbers of these faults.
    pub vain: Vec<u32>,
    /// What a scenario decides, and nobody asked for, or took otherwise.
    pub unheeded: Unheeded,
    /// The resolved parameters.
    pub parameters: Vec<Section>,
    /// The trace, if it was kept; a scenario of steps has none.
    pub trace: Option<Trace>,
    /// The run as a scenario, if decisions were kept.
    pub scenario: Option<Scenario>,
}

/// Runs one seed of a profile.
///
/// # Panics
/// Where the profile draws what cannot be simulated, or a server breaks an assertion.
#[must_use]
pub fn run_seed(profile: &Profile, seed: u64, options: &RunOptions) -> Outcome {
    let mut choice = Choice::from_seed(seed);
    let plan = profile.resolve(&mut choice);
    if options.record {
        choice = choice.recording();
    }
    let mut outcome = run(plan, choice, options, &Header { seed, ..header(&profile.name) });
    outcome.seed = seed;
    if let Some(scenario) = &mut outcome.scenario {
        scenario.notes = vec![format!("Seed {seed} of profile {}.", profile.name)];
    }
    outcome
}

/// Runs a scenario.
///
/// # Errors
/// Where one of its lines makes no sense.
///
/// # Panics
/// Where a server breaks an assertion.
pub fn replay(scenario: &Scenario, options: &RunOptions) -> Result<Outcome, Misfit> {
    replay_drawn(scenario, scenario.choice(), options)
}

/// Runs a scenario whose decisions come from elsewhere.
///
/// # Errors
/// As [`replay`].
///
/// # Panics
/// As [`replay`].
pub fn replay_drawn(
    scenario: &Scenario,
    mut choice: Choice,
    options: &RunOptions,
) -> Result<Outcome, Misfit> {
    if is_of_steps(scenario) {
        return replay_steps(scenario, options);
    }
    let plan = script::plan_of(scenario)?;
    if options.record {
        choice = choice.recording();
    }
    Ok(run(plan, choice, options, &header("scenario")))
}

/// Whether a scenario is the way of a search through the states of the core, and no run of a cluster.
#[must_use]
pub fn is_of_steps(scenario: &Scenario) -> bool {
    !scenario.steps.is_empty() || scenario.section(search::SECTION).is_some()
}

/// Runs a scenario of steps, which has no time, no clients, no marks and no trace.
fn replay_steps(scenario: &Scenario, options: &RunOptions) -> Result<Outcome, Misfit> {
    script::check_expected(scenario.expected.as_ref())?;
    let replayed = search::replay(scenario)?;
    let counts = |violation: &Violation| !options.ignored.contains(&violation.class);
    if options.log != Detail::Nothing {
        replayed.story.iter().for_each(|line| tracing::info!("{line}"));
    }
    Ok(Outcome {
        seed: 0,
        also_fired: replayed.violation.iter().map(|violation| violation.class).collect(),
        verdict: replayed.violation.filter(counts).map_or(Verdict::Passed, Verdict::Failed),
        hash: replayed.hash,
        events: replayed.taken,
        virtual_us: 0,
        safety_us: 0,
        operations: 0,
        missed: replayed.missed,
        vain: Vec::new(),
        unheeded: Unheeded::default(),
        marks: marks::all().map(|_| false).collect(),
        parameters: scenario.sections.clone(),
        trace: None,
        scenario: None,
    })
}

/// Whether an outcome is what a scenario states.
///
/// # Errors
/// Says what was stated and what came instead.
pub fn compare(scenario: &Scenario, outcome: &Outcome) -> Result<(), String> {
    let came = match &outcome.verdict {
        Verdict::Passed => "passed".to_owned(),
        Verdict::Failed(Violation { class, .. }) => format!("failed {class}"),
        Verdict::Inconclusive(reason) => format!("had no verdict: {reason}"),
    };
    let stated = match &scenario.expected {
        None => None,
        Some(Expected::Passed) => Some("passed".to_owned()),
        Some(Expected::Failed(class)) => Some(format!("failed {class}")),
    };
    if let Some(stated) = stated
        && stated != came
    {
        return Err(format!("the scenario expects `{stated}`; the run {came}"));
    }
    match scenario.hash {
        Some(hash) if hash != outcome.hash => Err(format!(
            "the scenario states hash {hash:032x}; the run has {:032x}: the file or the code has changed since this line \
             was written; take the `hash` line out if you edited the file",
            outcome.hash
        )),
        Some(_) | None => Ok(()),
    }
}

/// What a trace says of the run of a profile.
#[must_use]
pub fn header(profile: &str) -> Header {
    Header { program: env!("CARGO_PKG_VERSION").to_owned(), profile: profile.to_owned(), seed: 0 }
}

fn run(plan: Plan, choice: Choice, options: &RunOptions, header: &Header) -> Outcome {
    let setup = plan.setup.clone();
    let oracles = Oracles::new(&setup, options.log).ignoring(options.ignored.as_slice().into());
    carry_out::<Server, _>(plan, setup, oracles, Oracles::fired, choice, options, header)
}

/// Carries a plan out on processes of any kind that are asked what Squall's servers are asked. `oracle` judges them, and
/// `fired` tells the classes of everything that it found.
///
/// # Panics
/// Where the plan cannot be simulated, or a process breaks an assertion.
pub fn carry_out<P, O>(
    plan: Plan,
    setup: P::Setup,
    oracle: O,
    fired: impl Fn(&O) -> Vec<&'static str>,
    choice: Choice,
    options: &RunOptions,
    header: &Header,
) -> Outcome
where
    P: Process<Request = Ask, Response = Response>,
    O: Oracle<P>,
{
    let sections = script::sections_of(&plan);
    let mut world = build(plan, setup, oracle, choice, options);
    let result = go(&mut world, options, |world| match options.events_max {
        None => world.run(),
        Some(events) => world.run_for(events),
    });
    let result = result.unwrap_or_else(|panicked| *panicked);
    let fired = fired(world.oracle());
    outcome(world, result, fired, sections, options, header)
}

/// The world of a plan, before it begins.
pub(crate) fn build<P, O>(
    plan: Plan,
    setup: P::Setup,
    oracle: O,
    choice: Choice,
    options: &RunOptions,
) -> World<P, O, Clients>
where
    P: Process<Request = Ask, Response = Response>,
    O: Oracle<P>,
{
    let Plan { parameters, workload, faults, setup: _ } = plan;
    let clients = Clients::new(
        workload,
        parameters.clients.count,
        parameters.processes(),
        parameters.limits.liveness_operations,
    );
    let recorder = Recorder::new(if options.keep_trace { Keep::Records } else { Keep::Hash });
    let world = World::new(setup, parameters, faults, choice, oracle, clients, recorder)
        .expect("what a profile draws or a scenario may state can be simulated")
        .ignoring(options.ignored.as_slice().into());
    if options.keep_going { world.keep_going() } else { world }
}

/// What came of a world that has ended so, and in which these classes fired.
pub(crate) fn outcome<P, O>(
    mut world: World<P, O, Clients>,
    result: RunResult,
    fired: Vec<&'static str>,
    sections: Vec<Section>,
    options: &RunOptions,
    header: &Header,
) -> Outcome
where
    P: Process<Request = Ask, Response = Response>,
    O: Oracle<P>,
{
    let scenario = options.record.then(|| {
        let mut scenario = Scenario {
            notes: Vec::new(),
            sections: sections.clone(),
            events: world.plan().to_vec(),
            decisions: world.take_decisions(),
            steps: Vec::new(),
            expected: expected(&result.verdict),
            hash: Some(result.hash),
        };
        scenario.sort_decisions();
        // A branch has the faults of another seed, whose storm may be longer.
        scenario.drop_late();
        scenario
    });
    let mut also_fired = fired;
    for violation in &result.violations {
        if !also_fired.contains(&violation.class) {
            also_fired.push(violation.class);
        }
    }
    let reached = result.marks.reached(mark::FRAMEWORK).chain(result.user_marks.reached(P::MARKS));
    Outcome {
        seed: 0,
        hash: result.hash,
        events: result.events,
        virtual_us: result.virtual_us,
        safety_us: result.safety_us,
        operations: result.operations,
        marks: reached.collect(),
        missed: in_vain(&result),
        vain: vain(&result),
        unheeded: result.unheeded,
        also_fired,
        verdict: result.verdict,
        parameters: sections,
        trace: options.keep_trace.then(|| world.into_recorder().into_trace(header.clone())),
        scenario,
    }
}

/// What was planned and came to nothing.
fn in_vain(result: &RunResult) -> Vec<String> {
    let missed = result.missed.iter().map(ToString::to_string);
    missed.chain(result.idle.iter().map(ToString::to_string)).collect()
}

/// The numbers of the faults among that.
fn vain(result: &RunResult) -> Vec<u32> {
    let missed = result.missed.iter().map(|missed| missed.event);
    missed.chain(result.idle.iter().map(|idle| idle.event)).collect()
}

/// Lets a world go on, and says what came of that; or, where a panic ended it and is to be caught, what is left of the run.
pub(crate) fn go<P, O, T>(
    world: &mut World<P, O, Clients>,
    options: &RunOptions,
    on: impl FnOnce(&mut World<P, O, Clients>) -> T,
) -> Result<T, Box<RunResult>>
where
    P: Process<Request = Ask, Response = Response>,
    O: Oracle<P>,
{
    let Some(catch) = options.catch else { return Ok(on(world)) };
    let (mut on, mut come) = (Some(on), None);
    let caught = catch(&mut || come = on.take().map(|on| on(world)));
    let Err(words) = caught else { return Ok(come.expect("what did not panic has come to its end")) };
    let mut result = world.result();
    result.violations.push(Violation { class: "Panic", message: words });
    let counts = |violation: &&Violation| !options.ignored.contains(&violation.class);
    // Nobody knows how a run would have gone on that a panic ended.
    let unknown = || Verdict::Inconclusive("a panic ended it, which does not count".to_owned());
    result.verdict = result.violations.iter().find(counts).cloned().map_or_else(unknown, Verdict::Failed);
    Err(Box::new(result))
}

fn expected(verdict: &Verdict) -> Option<Expected> {
    match verdict {
        Verdict::Passed => Some(Expected::Passed),
        Verdict::Failed(violation) => Some(Expected::Failed(violation.class.to_owned())),
        Verdict::Inconclusive(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile;

    /// As if the run had ended in a panic.
    fn panicking(run: &mut dyn FnMut()) -> Result<(), String> {
        run();
        Err("commit index fell".to_owned())
    }

    #[test]
    fn a_panic_that_does_not_count_leaves_no_verdict() {
        let lite = profile::load("lite").expect("it is built in");
        let verdict = |ignored| {
            let options = RunOptions { catch: Some(panicking), ignored, ..RunOptions::default() };
            let outcome = run_seed(&lite, 0, &options);
            assert_eq!(outcome.also_fired, ["Panic"]);
            outcome.verdict
        };
        assert!(matches!(verdict(Vec::new()), Verdict::Failed(violation) if violation.class == "Panic"));
        assert!(matches!(verdict(vec!["Panic"]), Verdict::Inconclusive(_)));
    }
}
