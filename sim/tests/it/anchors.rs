//! Faults that wait for something: they strike when it has come, and so long after it; or it is told that it never came.
//!
//! A beacon sends at 0 ms, at 1 ms, and so on; n0 before n1, n1 before n2.

use squall_sim::anchor::{Anchor, Turn};
use squall_sim::disk::DiskLatency;
use squall_sim::fault::{CrashKind, CrashWhen, Cut, Fault, Target};
use squall_sim::trace::{Record, RecordKind};
use squall_sim::world::{Missed, MissedWhy};
use squall_sim::{FaultEvent, Parameters, ProcessId, Ratio, RunResult, Time};

use crate::beacon::{BeaconWorld, Habits, calm, run, world};

/// A calm second in which disks take no time.
fn prompt() -> Parameters {
    let mut parameters = calm();
    parameters.disks.iter_mut().for_each(|disk| disk.latency = DiskLatency::NONE);
    parameters
}

fn passed(milestone: &str, process: Option<u32>, nth: u32, since: Option<Turn>) -> Anchor {
    Anchor::Passed { milestone: milestone.to_owned(), process: process.map(ProcessId), nth, since }
}

fn obey(command: u64) -> Fault {
    Fault::Administer { process: Target::Process(ProcessId(1)), command }
}

fn cut(duration_us: u64) -> Fault {
    Fault::Partition { cut: Cut::Ring, duration_us }
}

fn at(id: u32, us: u64, fault: Fault) -> FaultEvent {
    FaultEvent { id, after: None, at: Time(us), fault }
}

fn after(anchor: Anchor, event: FaultEvent) -> FaultEvent {
    FaultEvent { after: Some(anchor), ..event }
}

/// When each fault struck, in the order in which they did.
fn struck(world: &BeaconWorld) -> Vec<(u64, u64)> {
    let records = world.recorder().records().iter();
    let began = records.filter(|record| record.kind == RecordKind::FaultBegan);
    began.map(|record| (record.a, record.time_us)).collect()
}

#[test]
fn a_fault_strikes_so_long_after_a_process_passes_a_milestone_for_the_nth_time() {
    let plan = vec![
        after(passed("sends", Some(1), 3, None), at(1, 500, obey(7))),
        after(passed("sends", Some(1), 1, None), at(2, 0, obey(8))),
        // The seventh that anybody passes is n0's third.
        after(passed("sends", None, 7, None), at(3, 0, obey(9))),
    ];
    let (world, result) = run(Habits::default(), prompt(), plan);
    assert_eq!(struck(&world), [(2, 0), (3, 2_000), (1, 2_500)]);
    assert_eq!(
        world.processes().process(ProcessId(1)).map(|process| &*process.administered),
        Some(&[8, 9, 7][..])
    );
    assert_eq!(result.missed, []);
}

#[test]
fn what_caused_it_stands_in_the_trace() {
    let plan = vec![after(passed("sends", Some(1), 3, None), at(1, 500, obey(7)))];
    let (world, _) = run(Habits::default(), prompt(), plan);
    let records = world.recorder().records();
    let began = records.iter().find(|record| record.kind == RecordKind::FaultBegan).expect("it struck");
    let cause = records.iter().find(|record| record.step == began.cause).expect("it is a step of the run");
    assert_eq!((cause.process, cause.time_us), (1, 2_000));
}

#[test]
fn a_milestone_is_counted_from_the_turn_of_another_fault_on() {
    let since = |turn| passed("sends", Some(1), 2, Some(turn));
    let plan = vec![
        after(since(Turn::Begins(3)), at(1, 0, obey(1))),
        after(since(Turn::Ends(3)), at(2, 0, obey(2))),
        at(3, 9_500, cut(5_000)),
    ];
    let (world, _) = run(Habits::default(), prompt(), plan);
    assert_eq!(struck(&world), [(3, 9_500), (1, 11_000), (2, 16_000)]);
}

#[test]
fn a_fault_follows_another_fault_and_what_it_does_to_a_process() {
    let crash = Fault::Crash {
        process: Target::Process(ProcessId(1)),
        kind: CrashKind::Process,
        when: CrashWhen::Now,
        outage_us: 3_000,
    };
    let plan = vec![
        after(Anchor::Turned(Turn::Ends(4)), at(1, 200, crash)),
        // Its first start was at the beginning of the run.
        after(passed("starts", Some(1), 1, Some(Turn::Begins(1))), at(2, 100, obey(2))),
        after(passed("obeys", Some(1), 1, Some(Turn::Begins(2))), at(3, 0, obey(3))),
        at(4, 10_000, cut(2_000)),
        after(Anchor::Turned(Turn::Begins(4)), at(5, 0, obey(5))),
    ];
    let (world, result) = run(Habits::default(), prompt(), plan);
    assert_eq!(struck(&world), [(4, 10_000), (5, 10_000), (1, 12_200), (2, 15_300), (3, 15_300)]);
    assert_eq!(result.missed, []);
}

#[test]
fn a_fault_whose_anchor_is_not_reached_does_not_strike_and_the_result_says_why() {
    let anchors = [
        passed("sends", Some(1), 2_000, None),
        passed("obeys", Some(1), 1, Some(Turn::Begins(1))),
        Anchor::Turned(Turn::Begins(1)),
        passed("sends", Some(1), 1, None),
    ];
    let mut plan: Vec<FaultEvent> = anchors
        .iter()
        .zip(1..)
        .map(|(anchor, id)| after(anchor.clone(), at(id, 0, obey(u64::from(id)))))
        .collect();
    plan[3].at = Time(2_000_000);
    let (world, result) = run(Habits::default(), prompt(), plan);
    assert_eq!(struck(&world), []);
    let whys = [MissedWhy::Counted(1_000), MissedWhy::NotCounted, MissedWhy::Counted(0), MissedWhy::TooLate];
    let missed = (1..).zip(anchors).zip(whys).map(|((event, anchor), why)| Missed { event, anchor, why });
    assert_eq!(result.missed, missed.collect::<Vec<_>>());
    let said: Vec<String> = result.missed.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_plan_whose_anchors_nobody_can_reach_makes_no_world() {
    let error_of = |plan: Vec<FaultEvent>| {
        let (oracle, workload) = Default::default();
        let recorder = squall_sim::trace::Recorder::new(squall_sim::trace::Keep::Hash);
        let choice = squall_sim::Choice::from_seed(1);
        BeaconWorld::new(Habits::default(), prompt(), plan, choice, oracle, workload, recorder).err()
    };
    let said = error_of(vec![after(passed("flies", None, 1, None), at(1, 0, obey(1)))]);
    let expected = "fault 1: no milestone is called `flies`; expected one of `starts`, `sends`, `obeys`";
    assert_eq!(said.as_deref(), Some(expected));
    let said = error_of(vec![after(Anchor::Turned(Turn::Begins(1)), at(1, 0, obey(1)))]);
    assert!(said.is_some_and(|said| said.starts_with("fault 1: e1 waits for itself")));
    let said = error_of(vec![after(passed("sends", Some(3), 1, None), at(1, 0, obey(1)))]);
    assert_eq!(said.as_deref(), Some("fault 1: there is no n3 among 3 processes"));
}

/// A run in which much is drawn, under a plan.
fn stormy(plan: Vec<FaultEvent>) -> (BeaconWorld, RunResult) {
    let mut parameters = calm();
    parameters.network.delay_us_mean = 3_000;
    parameters.network.loss = Ratio::new(1, 10);
    parameters.network.duplication = Ratio::new(1, 10);
    run(Habits { writes_each_round: 2, ..Habits::default() }, parameters, plan)
}

#[test]
fn a_run_with_anchors_is_the_run_with_their_times_in_their_places() {
    let anchored = vec![
        after(passed("sends", Some(2), 40, None), at(1, 70, cut(9_000))),
        after(Anchor::Turned(Turn::Ends(1)), at(2, 10, cut(20_000))),
    ];
    let (world, result) = stormy(anchored.clone());
    let mut timed = anchored;
    for (event, (_, us)) in timed.iter_mut().zip(struck(&world)) {
        (event.after, event.at) = (None, Time(us));
    }
    let (same, same_result) = stormy(timed);
    // Only what caused it is another.
    let without_cause = |world: &BeaconWorld| -> Vec<Record> {
        let began = |record: &Record| record.kind == RecordKind::FaultBegan;
        let records = world.recorder().records().iter().copied();
        records.map(|record| if began(&record) { Record { cause: 0, ..record } } else { record }).collect()
    };
    assert_eq!(without_cause(&world), without_cause(&same));
    assert_eq!(result.events, same_result.events);
}

#[test]
fn a_clone_waits_for_the_same() {
    let plan = vec![
        after(passed("sends", Some(1), 300, None), at(1, 70, cut(9_000))),
        after(passed("sends", Some(2), 100, Some(Turn::Ends(1))), at(2, 0, obey(2))),
    ];
    let mut original = world(Habits::default(), prompt(), plan);
    assert!(original.run_until(Time(250_000)), "it goes on");
    let mut clone = original.clone();
    let result = original.run();
    assert_eq!(struck(&original), [(1, 299_070), (2, 408_000)]);
    assert_eq!(clone.run(), result);
}
