//! The two phases: the healed core, the frozen rest, and the ways in which a run ends.

use crate::beacon::{Counting, Habits, Lenient, calm, heard, plan, run, world};
use squall_sim::fault::{CrashKind, CrashWhen, Cut, Fault, PausedClock, Target};
use squall_sim::process::Standing;
use squall_sim::trace::{Keep, RecordKind, Recorder};
use squall_sim::{
    Choice, Parameters, ProcessId, ProcessSet, RunResult, SimDisk, Time, Verdict, Violation, World,
};

fn only(process: u32) -> Target {
    Target::Process(ProcessId(process))
}

/// A second of storm, then a second at most for two healed processes and a client that wants ten answers.
fn two_phases() -> Parameters {
    let mut parameters = calm();
    parameters.clients.count = 1;
    parameters.limits.liveness_us = 1_000_000;
    parameters.limits.core_size = 2;
    parameters.limits.liveness_operations = 10;
    parameters
}

fn core(world: &crate::beacon::BeaconWorld) -> ProcessSet {
    let records = world.recorder().records();
    let began = records.iter().find(|record| record.kind == RecordKind::PhaseBegan);
    ProcessSet(began.expect("the second phase began").b)
}

#[test]
fn a_run_without_a_second_phase_ends_with_the_first() {
    let (world, result) = run(Habits::default(), calm(), plan([]));
    assert_eq!(result.verdict, Verdict::Passed);
    assert_eq!((world.now(), result.virtual_us, result.safety_us), (Time(1_000_000), 1_000_000, 1_000_000));
}

#[test]
fn whatever_befell_the_core_is_put_right_and_the_others_stay_as_they_are() {
    let day_us = 86_400_000_000;
    let crash = |process| Fault::Crash {
        process: only(process),
        kind: CrashKind::PowerLoss,
        when: CrashWhen::Now,
        outage_us: day_us,
    };
    let pause =
        |process| Fault::Pause { process: only(process), duration_us: day_us, clock: PausedClock::Frozen };
    let stall = |process| Fault::DiskStall { process: only(process), duration_us: day_us };
    let cut = Fault::Partition { cut: Cut::Ring, duration_us: day_us };
    let clog = Fault::Clog { cut: Cut::Isolate(only(1)), duration_us: day_us };
    let isolate = Fault::Partition { cut: Cut::Isolate(only(0)), duration_us: day_us };
    for (name, faults) in [
        ("crash", vec![crash(0), crash(1), crash(2)]),
        ("pause", vec![pause(0), pause(1), pause(2)]),
        ("stall", vec![stall(0), stall(1), stall(2)]),
        ("cut", vec![cut, clog, isolate]),
    ] {
        let faults = faults.into_iter().map(|fault| (900_000, fault));
        let mut parameters = two_phases();
        parameters.limits.liveness_operations = 50;
        let (world, result) = run(Habits::default(), parameters, plan(faults));
        assert_eq!(result.verdict, Verdict::Passed, "{name}");
        assert!(result.safety_us == 1_000_000 && result.virtual_us > 1_200_000, "{name}: {result:?}");
        let core = core(&world);
        assert_eq!(core.len(), 2);
        assert!(core.iter().all(|id| world.processes().is_running(id)), "{name}");
        let other = ProcessSet::first(3).iter().find(|id| !core.contains(*id)).expect("one of three");
        if matches!(name, "crash" | "pause") {
            assert!(!world.processes().is_running(other), "{name}: {other} stays as it was");
        }
        let mut members = core.iter();
        let (first, second) = (members.next().expect("two"), members.next().expect("two"));
        let last = heard(&world, first.0, second.0).last().map(|heard| heard.at);
        assert!(last.is_some(), "{name}: the core's members hear each other");
    }
}

#[test]
fn a_core_that_is_alone_neither_hears_the_others_nor_is_heard_by_them() {
    for is_alone in [false, true] {
        let mut parameters = two_phases();
        parameters.limits.liveness_operations = 50;
        parameters.limits.core_is_alone = is_alone;
        let (world, result) = run(Habits::default(), parameters, plan([]));
        assert_eq!(result.verdict, Verdict::Passed);
        let core = core(&world);
        for (by, from) in (0..3).flat_map(|by| (0..3).map(move |from| (by, from))) {
            let crosses = core.contains(ProcessId(from)) != core.contains(ProcessId(by));
            let is_late = heard(&world, by, from).last().is_some_and(|heard| heard.at.0 > 1_050_000);
            assert_eq!(is_late, from != by && !(crosses && is_alone), "n{from} to n{by}, alone: {is_alone}");
        }
    }
}

#[test]
fn faults_of_the_plan_do_not_reach_into_the_second_phase() {
    let crash_all = Fault::CrashAll { kind: CrashKind::PowerLoss, outage_us: 500_000 };
    let (world, result) = run(Habits::default(), two_phases(), plan([(1_000_100, crash_all)]));
    assert_eq!(result.verdict, Verdict::Passed);
    assert!((0..3).all(|id| world.processes().life(ProcessId(id)) == 1));
}

#[test]
fn a_disk_that_hangs_when_the_storm_ends_hangs_for_good_outside_the_core() {
    let stall = |process| (900_000, Fault::DiskStall { process: only(process), duration_us: 150_000 });
    let habits = Habits { writes_each_round: 1, syncs: true, ..Habits::default() };
    let mut parameters = two_phases();
    parameters.limits.liveness_operations = 50;
    let (world, result) = run(habits, parameters, plan([stall(0), stall(1), stall(2)]));
    assert!(result.virtual_us > 1_100_000, "long after the stall's own end: {result:?}");
    let core = core(&world);
    for id in ProcessSet::first(3).iter() {
        let done = &world.processes().process(id).expect("it is up").disk_done;
        let is_done = done.last().is_some_and(|at| at.0 > 1_000_000);
        assert_eq!(is_done, core.contains(id), "{id}");
    }
}

/// The result with an oracle that holds that the core never settles, and stands so.
fn unsettled(parameters: Parameters, standing: fn(Time) -> Standing) -> RunResult {
    let oracle = Lenient { standing: Some(standing), ..Lenient::default() };
    let (workload, recorder) = (Counting::default(), Recorder::new(Keep::Hash));
    World::new(Habits::default(), parameters, plan([]), Choice::from_seed(1), oracle, workload, recorder)
        .expect("the parameters are possible")
        .run()
}

#[test]
fn of_many_clients_that_were_not_served_a_few_are_told_and_the_rest_counted() {
    let mut parameters = two_phases();
    parameters.clients.count = 15;
    parameters.limits.liveness_operations = u64::MAX;
    let result = unsettled(parameters, |_| Standing::AtRest);
    let Verdict::Failed(violation) = result.verdict else { panic!("{result:?}") };
    assert_eq!(violation.class, "Liveness");
    let message = &violation.message;
    let told = format!("; 15 of 15 clients got fewer than {} fresh answers: c0 ", u64::MAX);
    assert!(message.contains(&told) && message.ends_with(", ..."), "{message}");
    assert!(message.contains(", c3 ") && !message.contains("c4"), "{message}");
}

#[test]
fn a_core_that_does_not_come_to_rest_is_a_failure_of_liveness() {
    let result = unsettled(two_phases(), |_| Standing::Advancing(7));
    let Verdict::Failed(violation) = result.verdict else { panic!("{result:?}") };
    assert_eq!(violation.class, "Liveness");
    assert!(violation.message.contains("it has not settled"), "{}", violation.message);
    // The last answer that a client waited for came soon after the second phase began; then patience ran out.
    assert!((2_000_001..2_200_000).contains(&result.virtual_us), "{}", result.virtual_us);
}

#[test]
fn a_core_that_comes_further_is_given_more_time_but_not_for_ever() {
    let result = unsettled(two_phases(), |now| Standing::Advancing(now.0));
    let Verdict::Failed(violation) = result.verdict else { panic!("{result:?}") };
    assert_eq!(violation.class, "Liveness");
    // It may go on for twenty times the second phase; then its patience runs out as any other's.
    assert!((21_900_000..=22_000_000).contains(&result.virtual_us), "{}", result.virtual_us);
}

#[test]
fn a_client_that_is_not_served_is_a_failure_of_liveness_and_named() {
    let habits = Habits { is_silent: true, ..Habits::default() };
    let (_, result) = run(habits, two_phases(), plan([]));
    let Verdict::Failed(violation) = result.verdict else { panic!("{result:?}") };
    assert_eq!(violation.class, "Liveness");
    let told = "; 1 of 1 clients got fewer than 10 fresh answers: c0 0";
    assert!(violation.message.contains(told), "{}", violation.message);
}

#[test]
fn a_run_of_too_many_events_says_nothing() {
    let mut parameters = calm();
    parameters.limits.events = 1_000;
    let (_, result) = run(Habits::default(), parameters, plan([]));
    assert!(matches!(result.verdict, Verdict::Inconclusive(_)), "{result:?}");
}

#[test]
fn a_healed_core_that_uses_up_the_events_of_the_run_is_a_failure_of_liveness() {
    let mut storm = two_phases();
    storm.limits.liveness_us = 0;
    let (_, storm) = run(Habits::default(), storm, plan([]));
    let mut parameters = two_phases();
    parameters.limits.events = storm.events + 100;
    let result = unsettled(parameters, |now| Standing::Advancing(now.0));
    let Verdict::Failed(violation) = result.verdict else { panic!("{result:?}") };
    assert_eq!(violation.class, "Liveness");
    assert!(violation.message.contains("events were used up"), "{}", violation.message);
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let build = |change: fn(&mut Parameters), faults| {
        let mut parameters = two_phases();
        change(&mut parameters);
        let (oracle, workload) = (Lenient::default(), Counting::default());
        let (choice, recorder) = (Choice::from_seed(1), Recorder::new(Keep::Hash));
        World::new(Habits::default(), parameters, faults, choice, oracle, workload, recorder)
            .err()
            .expect("it cannot be")
    };
    let crash = Fault::Administer { process: only(3), command: 0 };
    for (reason, words) in [
        (build(|parameters| parameters.disks.clear(), plan([])), "0 processes"),
        (build(|parameters| parameters.clocks.truncate(1), plan([])), "1 clocks for 3 processes"),
        (build(|parameters| parameters.network.loss.num = 2, plan([])), "loss is 2/1"),
        (build(|parameters| parameters.clocks[1].rate.num = 0, plan([])), "the clock of n1"),
        (build(|parameters| parameters.limits.core_size = 4, plan([])), "a core of 4 out of 3"),
        (build(|_| {}, plan([(0, crash)])), "fault 1: there is no n3 among 3 processes"),
    ] {
        assert!(reason.contains(words), "{reason:?} should say {words:?}");
    }
}

/// An oracle to which every event is a violation of the class of its process.
#[derive(Clone)]
struct Strict;

impl squall_sim::Oracle<crate::beacon::Beacon> for Strict {
    fn after(
        &mut self,
        _: Time,
        id: ProcessId,
        _: &mut crate::beacon::Beacon,
        _: &SimDisk,
    ) -> Result<(), Violation> {
        Err(Violation { class: ["Zero", "One", "Two"][id.0 as usize], message: String::new() })
    }
}

#[test]
fn a_run_stops_at_its_first_violation_or_goes_on_and_keeps_the_first_of_each_class() {
    let build = || {
        let (workload, recorder) = (Counting::default(), Recorder::new(Keep::Hash));
        World::new(Habits::default(), calm(), plan([]), Choice::from_seed(1), Strict, workload, recorder)
            .expect("the parameters are possible")
    };
    let stopped = build().run();
    assert_eq!(stopped.violations.len(), 1);
    let went_on = build().keep_going().run();
    assert_eq!(went_on.virtual_us, 1_000_000);
    assert_eq!(went_on.violations.len(), 3, "one of each class");
    assert_eq!(went_on.verdict, stopped.verdict, "the first one is the verdict of both");
}

/// An oracle to which nothing ever settles, and which is not content with the end either.
#[derive(Clone)]
struct NeverContent;

impl squall_sim::Oracle<crate::beacon::Beacon> for NeverContent {
    fn standing(
        &mut self,
        _: Time,
        _: ProcessSet,
        _: &squall_sim::Processes<'_, crate::beacon::Beacon>,
    ) -> Standing {
        Standing::Advancing(7)
    }

    fn finished(
        &mut self,
        _: &[squall_sim::Call<crate::beacon::Beacon>],
        _: &squall_sim::Processes<'_, crate::beacon::Beacon>,
    ) -> Result<(), Violation> {
        Err(Violation { class: "History", message: String::new() })
    }
}

#[test]
fn where_a_core_that_never_rests_does_not_end_the_run_its_history_is_judged_all_the_same() {
    let build = || {
        let (workload, recorder) = (Counting::default(), Recorder::new(Keep::Hash));
        let choice = Choice::from_seed(1);
        World::new(Habits::default(), two_phases(), plan([]), choice, NeverContent, workload, recorder)
            .expect("the parameters are possible")
    };
    let classes =
        |result: &RunResult| result.violations.iter().map(|violation| violation.class).collect::<Vec<_>>();
    assert_eq!(classes(&build().run()), ["Liveness"]);
    let went_on = build().keep_going().run();
    assert_eq!(classes(&went_on), ["Liveness", "History"]);
    assert!(matches!(&went_on.verdict, Verdict::Failed(first) if first.class == "Liveness"), "{went_on:?}");
    let deaf = build().ignoring(["Liveness"].as_slice().into()).run();
    assert!(matches!(&deaf.verdict, Verdict::Failed(first) if first.class == "History"), "{deaf:?}");
}

#[test]
fn a_world_can_be_looked_at_while_it_runs() {
    let mut world = world(Habits::default(), calm(), plan([]));
    assert!(world.run_until(Time(250_000)));
    assert!(world.now() < Time(250_000));
    assert!(matches!(world.result().verdict, Verdict::Inconclusive(_)));
    assert!((245..=250).contains(&heard(&world, 1, 0).len()));
}
