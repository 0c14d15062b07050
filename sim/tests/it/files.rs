//! From a profile to a run, to a file, and back: the run that a file states is the run that was drawn.

use crate::beacon::{Beacon, BeaconWorld, Counting, Habits, Lenient};
use squall_sim::profile::{Limits, Numbers, Profile, Resolved, Shape};
use squall_sim::scenario::{self, Expected, Scenario};
use squall_sim::trace::{self, Header, Keep, Recorder, Trace};
use squall_sim::{Choice, FaultEvent, Parameters, Process, RunResult, Verdict, World, plan};

fn build(parameters: Parameters, events: Vec<FaultEvent>, choice: Choice) -> BeaconWorld {
    let habits = Habits { writes_each_round: 1, syncs: true, interval_us: 20_000, ..Habits::default() };
    let (oracle, workload) = (Lenient::default(), Counting::default());
    World::new(habits, parameters, events, choice, oracle, workload, Recorder::new(Keep::Records))
        .expect("the parameters are possible")
}

/// The storm, over beacons and for some seconds.
fn profile() -> Profile {
    let limits = Limits {
        safety_us: Numbers { low: 4_000_000, high: 6_000_000 },
        liveness_us: Numbers::only(2_000_000),
        ..Limits::default()
    };
    let text = "[network]\npartition = { every_us = [200_000, 900_000], lasts = ['1/2', 3] }\n\
        [process]\ncrash = { every_us = [500_000, 2_000_000], lasts = ['1/10', 2] }\ncommands = 3\n";
    Profile { limits, ..Profile::parse(text, "beacons.toml").expect("it is right") }
}

fn verdict(result: &RunResult) -> Option<Expected> {
    match &result.verdict {
        Verdict::Passed => Some(Expected::Passed),
        Verdict::Failed(violation) => Some(Expected::Failed(violation.class.to_owned())),
        Verdict::Inconclusive(_) => None,
    }
}

fn finished(world: BeaconWorld, profile: &str) -> Trace {
    let header = Header { program: Beacon::message_kind_name(0).into(), profile: profile.into(), seed: 0 };
    world.into_recorder().into_trace(header)
}

#[test]
fn a_run_drawn_from_a_profile_is_the_same_again_from_its_scenario_file_without_the_seed() {
    let shape = Shape { processes: 3, core_size: 2, timeout_us: 150_000 };
    let mut faults = 0;
    for seed in 0..12 {
        let choice = &mut Choice::from_seed(seed);
        let Resolved { parameters, plan } = profile().resolve(choice, shape);
        let events = plan::draw(&plan, choice);
        faults += events.len();
        let mut drawn = build(parameters.clone(), events.clone(), Choice::from_seed(seed).recording());
        let original = drawn.run();

        let file = Scenario {
            notes: vec![format!("seed {seed}")],
            sections: scenario::sections_of(&parameters),
            events,
            decisions: drawn.take_decisions(),
            steps: Vec::new(),
            expected: verdict(&original),
            hash: Some(original.hash),
        }
        .to_string();
        let stated = scenario::parse(&file, "drawn.scn").expect("it was written by us");
        let parameters = stated.parameters().expect("they were possible before");
        let mut replayed = build(parameters, stated.events.clone(), stated.choice());
        let again = replayed.run();

        let (drawn, replayed) = (finished(drawn, "beacons.toml"), finished(replayed, "drawn.scn"));
        if let Some(divergence) = trace::diff(&drawn, &replayed) {
            panic!("seed {seed}: {divergence}");
        }
        assert_eq!((&again, stated.hash, &stated.expected), (&original, Some(again.hash), &verdict(&again)));
        assert_eq!(trace::read(&trace::write(&drawn)), Ok(drawn));
    }
    assert!(faults > 50, "a storm has faults: {faults}");
}
