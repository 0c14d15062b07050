//! Whole runs in the simulator, decided by a fuzzer's bytes.
//!
//! The cluster is the one that sweeps run, and so are the oracles; only the decisions come from elsewhere. What the fuzzer is
//! told besides the code that a run came through are the abstract states that the cluster came through (`state.rs`).
//! A violation is a panic; the run that led to it prints itself as a scenario, which `squall replay` replays.
//!
//! Three words of the environment say what to search, and for what. `SQUALL_PROFILE` names a profile: the cluster, its weather and its faults are those
//! that it draws, of a seed that the first bytes make; the blows come on top, or change what was drawn. `SQUALL_IGNORE` names classes of
//! violations that do not count, with commas in between; `spec` is every rule of the specification. `SQUALL_STATES=off` tells the fuzzer
//! nothing of the states.

mod counters;
mod input;
mod mutate;
mod plan;
mod state;

use std::fmt;
use std::sync::{Arc, OnceLock};

use arbitrary::{Arbitrary, Unstructured};
use squall_scenarios::log::Detail;
use squall_scenarios::oracles::Oracles;
use squall_scenarios::profile::{self, Plan, Profile};
use squall_scenarios::run::{self, Outcome, RunOptions};
use squall_scenarios::server::Server;
use squall_scenarios::workload::Clients;
use squall_scenarios::{classes, script, spec};
use squall_sim::process::Violation;
use squall_sim::scenario::Scenario;
use squall_sim::trace::{Keep, Recorder};
use squall_sim::{Choice, Verdict};

use plan::WEATHER;
use xxhash_rust::xxh3::xxh3_64;

pub use input::World;
pub use mutate::{cross_over, mutate};

type Cluster = squall_sim::World<Server, Oracles, Clients>;

/// A run that takes more events is given up.
pub(crate) const EVENTS_MAX: u64 = 100_000;

/// What the environment says.
#[derive(Default)]
struct Settings {
    ignored: Arc<[&'static str]>,
    tells_states: bool,
    profile: Option<Profile>,
}

#[expect(clippy::disallowed_methods, reason = "what a run is does not depend on it, only what is made of it")]
fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let words = std::env::var("SQUALL_IGNORE").unwrap_or_default();
        let named = |class: &&str| {
            let is_rule = spec::rules().any(|rule| rule == *class);
            words.split(',').any(|word| word == *class || (word == "spec" && is_rule))
        };
        let is_off = std::env::var("SQUALL_STATES").is_ok_and(|word| word == "off");
        let name = std::env::var("SQUALL_PROFILE").ok();
        let profile = name.map(|name| profile::load(&name).unwrap_or_else(|complaint| panic!("{complaint}")));
        Settings { ignored: classes::all().filter(named).collect(), tells_states: !is_off, profile }
    })
}

impl World {
    /// Runs it.
    ///
    /// # Panics
    /// Where the cluster breaks a promise, or an assertion.
    pub fn check(&self) {
        let Settings { ignored, tells_states, profile } = settings();
        let mut reached = |state| {
            if *tells_states {
                counters::reached(state);
            }
        };
        let mut verdict = Verdict::Passed;
        let mut go = || verdict = self.go(profile.as_ref(), ignored, &mut reached);
        if ignored.contains(&"Panic") {
            // What an assertion ended has broken nothing that counts.
            let _ = caught(&mut go);
        } else {
            go();
        }
        if let Verdict::Failed(Violation { class, message }) = verdict {
            panic!("{class}: {message}");
        }
    }

    /// Runs it and tells of each abstract state that the cluster comes to.
    pub(crate) fn go(
        &self,
        profile: Option<&Profile>,
        ignored: &Arc<[&'static str]>,
        reached: &mut dyn FnMut(u64),
    ) -> Verdict {
        let Plan { setup, parameters, workload, faults } = self.plan(profile);
        let oracles = Oracles::new(&setup, Detail::Nothing).ignoring(Arc::clone(ignored));
        let clients = Clients::new(workload, parameters.clients.count, parameters.processes(), 0);
        let recorder = Recorder::new(Keep::Hash);
        let world = Cluster::new(setup, parameters, faults, self.choice(profile), oracles, clients, recorder);
        let mut world = world.expect("what the bytes say can be simulated").ignoring(Arc::clone(ignored));
        let (mut before, mut now) = (state::Statuses::new(), state::Statuses::new());
        for _ in 0..EVENTS_MAX {
            if !world.step() {
                break;
            }
            state::statuses(&world.processes(), &mut now);
            if now != before {
                reached(state::abstracted(&now, &world.processes()));
                core::mem::swap(&mut now, &mut before);
            }
        }
        world.result().verdict
    }

    /// The run that these bytes decide; any bytes decide one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::arbitrary_take_rest(Unstructured::new(bytes)).expect("bytes that are missing are zeros")
    }

    /// What decides: the bytes, each where it stands, and when they are used up everything goes as by default. Or, in bad weather and in
    /// that of a profile, all that a sweep would draw, of a seed that they make.
    fn choice(&self, profile: Option<&Profile>) -> Choice {
        if profile.is_none() && self.size.traits & WEATHER == 0 {
            Choice::from_bytes(&self.decisions)
        } else {
            Choice::from_seed(xxh3_64(&self.decisions))
        }
    }

    /// What is known before the run: its parameters and its faults.
    fn stated(&self, profile: Option<&Profile>) -> Scenario {
        let plan = self.plan(profile);
        let sections = script::without_defaults(&script::sections_of(&plan));
        Scenario { sections, events: plan.faults, ..Scenario::default() }
    }

    /// The run as a scenario, with all that was decided and how it ended.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        self.scenario_in(settings().profile.as_ref())
    }

    pub(crate) fn scenario_in(&self, profile: Option<&Profile>) -> Scenario {
        let options = RunOptions {
            record: true,
            events_max: Some(EVENTS_MAX),
            catch: Some(caught),
            ignored: settings().ignored.to_vec(),
            ..RunOptions::default()
        };
        let outcome = run::replay_drawn(&self.stated(profile), self.choice(profile), &options);
        let Outcome { scenario, .. } = outcome.expect("a plan that was stated is a scenario");
        let mut scenario = scenario.expect("it was recorded");
        scenario.sections = script::without_defaults(&scenario.sections);
        scenario
    }
}

/// `cargo fuzz fmt` prints it: the run as a scenario.
impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scenario().fmt(f)
    }
}

/// Calls what it is given, and returns the words of its panic.
fn caught(call: &mut dyn FnMut()) -> Result<(), String> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
    std::panic::set_hook(hook);
    result.map_err(|words| {
        let text = words.downcast_ref::<String>().cloned();
        text.or_else(|| words.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}
