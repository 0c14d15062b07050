//! Equal worlds run equally, and a change to one decision changes no other.

use crate::beacon::{BeaconWorld, Counting, Habits, Lenient, calm, plan};
use proptest::prelude::*;
use squall_sim::choice::Decision;
use squall_sim::fault::{CrashKind, CrashWhen, Cut, DiskFailure, Fault, PausedClock, Target};
use squall_sim::mark::{FRAMEWORK, Marks};
use squall_sim::trace::{Keep, Recorder};
use squall_sim::{Choice, FaultEvent, Parameters, ProcessId, ProcessSet, Purpose, Ratio, Time, World};

/// Everything at once.
fn storm() -> (Habits, Parameters, Vec<FaultEvent>) {
    let habits = Habits { writes_each_round: 2, syncs: true, interval_us: 2_000, ..Habits::default() };
    let mut parameters = calm();
    parameters.network.delay_us_mean = 3_000;
    parameters.network.loss = Ratio::new(1, 10);
    parameters.network.duplication = Ratio::new(1, 10);
    parameters.network.duplicate_delay_us_mean = 20_000;
    parameters.network.tail = Ratio::new(1, 100);
    parameters.network.tail_factor_max = 100;
    parameters.network.capacity = 4;
    parameters.network.ghosts = Ratio::new(1, 50);
    parameters.network.ghost_delay_us_max = 300_000;
    parameters.network.codec = true;
    parameters.network.corruption = Ratio::new(1, 20);
    parameters.clients.count = 3;
    parameters.clients.loss = Ratio::new(1, 20);
    parameters.clients.delay_us_mean = 1_000;
    parameters.clocks[1].rate = Ratio::new(3, 2);
    parameters.limits.liveness_us = 1_000_000;
    parameters.limits.core_size = 2;
    parameters.limits.liveness_operations = 5;
    let anyone = Target::MostProminent;
    let process = |id| Target::Process(ProcessId(id));
    let when = CrashWhen::AfterDiskOperations(3);
    let side: ProcessSet = [ProcessId(0)].into_iter().collect();
    let error = |id, failure, after, outage_us| Fault::DiskError {
        process: process(id),
        failure,
        after,
        times: 2,
        duration_us: 50_000,
        outage_us,
    };
    let power_loss = Fault::Crash {
        process: process(1),
        kind: CrashKind::PowerLoss,
        when: CrashWhen::Now,
        outage_us: 1_000,
    };
    let faults = plan([
        (100_000, Fault::Crash { process: process(1), kind: CrashKind::PowerLoss, when, outage_us: 30_000 }),
        (150_000, Fault::Partition { cut: Cut::Split(side), duration_us: 80_000 }),
        (200_000, Fault::Pause { process: process(2), duration_us: 50_000, clock: PausedClock::Frozen }),
        (240_000, Fault::ClockFreeze { process: ProcessId(2), duration_us: 40_000 }),
        (300_000, Fault::CrashAll { kind: CrashKind::PowerLoss, outage_us: 40_000 }),
        (400_000, Fault::DiskStall { process: process(0), duration_us: 60_000 }),
        (450_000, Fault::Clog { cut: Cut::Isolate(anyone), duration_us: 30_000 }),
        (500_000, Fault::ClockRate { process: ProcessId(0), rate: Ratio::new(2, 3) }),
        (520_000, Fault::ClockJump { process: ProcessId(0), wall_delta_us: -1_000 }),
        (550_000, Fault::Administer { process: process(1), command: 5 }),
        (
            600_000,
            Fault::CrashLoop {
                process: anyone,
                kind: CrashKind::Process,
                times: 3,
                up_us: 9_000,
                outage_us: 9_000,
            },
        ),
        (700_000, error(1, DiskFailure::Sync, 2, 20_000)),
        (710_000, power_loss.clone()),
        (720_000, error(0, DiskFailure::Write, 1, 1_000)),
        (740_000, error(2, DiskFailure::Space, 0, 20_000)),
        (800_000, error(1, DiskFailure::Read, 0, 1_000)),
        (810_000, power_loss),
        (930_000, Fault::OldImage { process: process(0), duration_us: 9_000, outage_us: 1_000 }),
        (950_000, Fault::LoseDisk { process: process(2), outage_us: 1_000 }),
    ]);
    (habits, parameters, faults)
}

fn build(choice: Choice, faults: Vec<FaultEvent>) -> BeaconWorld {
    let (habits, parameters, _) = storm();
    let (oracle, workload) = (Lenient::default(), Counting::default());
    World::new(habits, parameters, faults, choice, oracle, workload, Recorder::new(Keep::Hash))
        .expect("the parameters are possible")
}

#[test]
fn the_same_seed_is_the_same_run_and_another_seed_is_another() {
    let run = |seed| build(Choice::from_seed(seed), storm().2).run();
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).hash, run(8).hash);
}

#[test]
fn a_clone_taken_on_the_way_comes_to_the_same_end() {
    for at in [0, 123_456, 333_333, 620_000, 1_000_100] {
        let mut world = build(Choice::from_seed(7), storm().2);
        world.run_until(Time(at));
        let mut clone = world.clone();
        let original = world.run();
        assert_eq!(clone.run(), original, "cloned at {at}");
    }
}

#[test]
fn a_recorded_run_replays_from_its_decisions_without_the_seed() {
    for seed in 0..5 {
        let mut recorded = build(Choice::from_seed(seed).recording(), storm().2);
        let original = recorded.run();
        let decisions = recorded.take_decisions();
        let mut keys: Vec<_> = decisions.iter().map(|decision| (decision.key, &decision.field)).collect();
        keys.dedup();
        assert_eq!(keys.len(), decisions.len(), "each field of each event was decided once");
        let replayed = build(Choice::from_script(decisions), storm().2).run();
        assert_eq!(replayed, original, "seed {seed}");
    }
}

#[test]
fn taking_one_fault_out_leaves_every_other_decision_as_it_was() {
    let decisions = |faults| {
        let mut world = build(Choice::from_seed(3).recording(), faults);
        world.run();
        world.take_decisions()
    };
    let (all, mut fewer) = (storm().2, storm().2);
    fewer.remove(4);
    let (with, without) = (decisions(all), decisions(fewer));
    let is_message = |decision: &&Decision| decision.key.purpose == Purpose::Network;
    let mut compared = 0;
    for decision in with.iter().filter(is_message) {
        let other =
            without.binary_search_by(|other| (other.key, &other.field).cmp(&(decision.key, &decision.field)));
        // How full a link is depends on what happened; what is drawn for a message does not.
        if let Ok(place) = other
            && decision.field != "evicted"
        {
            assert_eq!(without[place].value, decision.value, "{decision:?}");
            compared += 1;
        }
    }
    assert!(compared > 1_000, "{compared} decisions in common");
}

#[test]
fn a_few_storms_reach_every_mark_of_the_framework_but_those_that_need_another_process() {
    let mut marks = Marks::default();
    for seed in 0..40 {
        marks.add(build(Choice::from_seed(seed), storm().2).run().marks);
    }
    let missed = FRAMEWORK.iter().zip(marks.reached(FRAMEWORK)).filter(|(_, reached)| !reached);
    let missed: Vec<&str> = missed.map(|(name, _)| *name).collect();
    // A beacon's codec believes nothing that is damaged, it makes no files and lets none grow, says of nothing that it may rot,
    // and its clients are neither refused nor stubborn.
    let expected = [
        "a power loss lost a directory entry",
        "a power loss left a length without its data",
        "a disk rotted",
        "a write was lost",
        "a write was misdirected",
        "a file was truncated",
        "a file went missing",
        "all that was kept twice of something was lost",
        "a client asked again",
        "a request was tried elsewhere",
    ];
    assert_eq!(missed, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever bytes a fuzzer thinks of, the world stands, and a second run is the same.
    #[test]
    fn a_run_driven_by_any_bytes_ends_and_is_the_same_again(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let run = || build(Choice::from_bytes(&bytes), storm().2).run();
        prop_assert_eq!(run(), run());
    }
}
