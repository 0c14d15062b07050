//! Faults of processes and of their disks' time, and what clients see; each seen to act.

use crate::beacon::{Counting, HALT, Habits, Lenient, calm, heard, numbers, plan, reached, run, world};
use squall_sim::fault::{CrashKind, CrashWhen, Cut, DiskFailure, Fault, PausedClock, Target};
use squall_sim::trace::{Keep, RecordKind, Recorder};
use squall_sim::{
    CallOutcome, Choice, ClientId, LocalTime, OperationId, Parameters, ProcessId, Time, Verdict, World,
};

fn only(process: u32) -> Target {
    Target::Process(ProcessId(process))
}

fn crash(kind: CrashKind, when: CrashWhen, outage_us: u64) -> Fault {
    Fault::Crash { process: only(1), kind, when, outage_us }
}

/// Disk operations of exactly a tenth of a millisecond.
fn slow_disks() -> Parameters {
    let mut parameters = calm();
    for disk in &mut parameters.disks {
        disk.latency.write_us_mean = 100;
    }
    parameters
}

#[test]
fn a_crashed_process_loses_its_memory_and_what_is_said_to_it_until_it_is_back() {
    let faults = plan([(500_500, crash(CrashKind::Process, CrashWhen::Now, 100_000))]);
    let (world, _) = run(Habits::default(), calm(), faults);
    let arrived = numbers(&heard(&world, 1, 0));
    assert!((600..=602).contains(&arrived[0]), "the first that it heard in its second life: {}", arrived[0]);
    assert_eq!(world.processes().life(ProcessId(1)), 2);
    assert_eq!(world.oracle().stopped, [(ProcessId(1), CrashKind::Process)]);
    let started = world.processes().process(ProcessId(1)).expect("it is back").started;
    assert_eq!(started, LocalTime(600_500));
}

#[test]
fn a_process_crash_keeps_what_a_power_loss_may_take() {
    let habits = Habits { writes_each_round: 1, ..Habits::default() };
    let mut parameters = slow_disks();
    parameters.disks[1].crash.file.kept = 0;
    parameters.disks[1].crash.file.torn = 0;
    let recovered = |kind| {
        let faults = plan([(500_900, crash(kind, CrashWhen::Now, 100_000))]);
        let (world, result) = run(habits.clone(), parameters.clone(), faults);
        (world.processes().process(ProcessId(1)).expect("it is back").recovered, result)
    };
    assert!(recovered(CrashKind::Process).0 >= 500, "the page cache lives on");
    let (round, result) = recovered(CrashKind::PowerLoss);
    assert_eq!(round, 0, "nothing was ever synced");
    assert!(reached(&result, "a power loss dropped a file's changes"));

    let habits = Habits { syncs: true, ..habits };
    let faults = plan([(500_900, crash(CrashKind::PowerLoss, CrashWhen::Now, 100_000))]);
    let (world, _) = run(habits, parameters, faults);
    assert!(world.processes().process(ProcessId(1)).expect("it is back").recovered >= 400, "what was synced");
}

#[test]
fn a_crash_falls_between_any_two_disk_operations_of_one_event() {
    let habits = Habits { writes_each_round: 4, interval_us: 10_000, ..Habits::default() };
    for operations in 1..=4 {
        let when = CrashWhen::AfterDiskOperations(operations);
        let faults = plan([(505_000, crash(CrashKind::Process, when, 100_000))]);
        let (world, result) = run(habits.clone(), slow_disks(), faults);
        let is_crash = |kind| kind == RecordKind::Crashed;
        let records = world.recorder().records();
        let crash = records.iter().position(|record| is_crash(record.kind)).expect("it crashed");
        let of_disk = |kind| kind == RecordKind::DiskCompleted;
        let completed = records[..crash].iter().filter(|record| record.process == 1 && of_disk(record.kind));
        // One read at the start, four writes in each of the rounds before the trap was set.
        assert_eq!(completed.count() as u64, 1 + 4 * 51 + operations, "after {operations}");
        assert_eq!(reached(&result, "a process crashed between two disk operations"), operations < 4);
        assert_eq!(reached(&result, "a process crashed with disk operations pending"), operations < 4);
    }
}

#[test]
fn a_process_gets_no_input_and_sends_nothing_until_the_disk_operations_of_its_start_are_done() {
    let stall = Fault::DiskStall { process: only(1), duration_us: 50_000 };
    let faults = plan([(500_500, crash(CrashKind::Process, CrashWhen::Now, 10_000)), (505_000, stall)]);
    let (world, _) = run(Habits::default(), calm(), faults);
    let process = world.processes().process(ProcessId(1)).expect("it is back");
    assert_eq!(process.started, LocalTime(510_500));
    assert_eq!(process.disk_done[0], LocalTime(555_000));
    assert_eq!(process.heard[0].at, LocalTime(555_000), "what came in between waited");
    let silence = heard(&world, 0, 1).windows(2).map(|pair| pair[1].at.since(pair[0].at)).max();
    assert!(silence >= Some(54_000), "it did not send either: {silence:?}");
}

#[test]
fn a_disk_stall_stops_the_disk_and_not_the_process() {
    let habits = Habits { writes_each_round: 1, ..Habits::default() };
    let stall = Fault::DiskStall { process: only(1), duration_us: 100_000 };
    let (world, result) = run(habits, slow_disks(), plan([(500_500, stall)]));
    let process = world.processes().process(ProcessId(1)).expect("it is up");
    let gap = process.disk_done.windows(2).map(|pair| pair[1].since(pair[0])).max();
    assert!((100_000..130_000).contains(&gap.expect("it wrote")), "{gap:?}");
    assert_eq!(numbers(&heard(&world, 0, 1)).len(), 999);
    assert!(reached(&result, "a disk stalled"));
}

#[test]
fn a_crash_loop_ends_as_many_lives_as_it_says() {
    let crash_loop = Fault::CrashLoop {
        process: only(1),
        kind: CrashKind::PowerLoss,
        times: 5,
        up_us: 10_000,
        outage_us: 20_000,
    };
    let (world, _) = run(Habits::default(), calm(), plan([(500_000, crash_loop)]));
    assert_eq!(world.processes().life(ProcessId(1)), 6);
    assert!(world.processes().is_running(ProcessId(1)));
}

#[test]
fn when_all_crash_at_once_nobody_is_up() {
    let faults = plan([(500_500, Fault::CrashAll { kind: CrashKind::PowerLoss, outage_us: 100_000 })]);
    let mut world = world(Habits::default(), calm(), faults);
    assert!(world.run_until(Time(550_000)));
    assert!((0..3).all(|id| world.processes().process(ProcessId(id)).is_none()));
    let result = world.run();
    assert!((0..3).all(|id| world.processes().is_running(ProcessId(id))));
    assert!(reached(&result, "every process was down"));
}

#[test]
fn a_paused_process_finds_its_mail_and_its_timer_when_it_goes_on() {
    for (clock, lag_us) in [(PausedClock::Running, 0), (PausedClock::Frozen, 100_000)] {
        let pause = Fault::Pause { process: only(1), duration_us: 100_000, clock };
        let (world, result) = run(Habits::default(), calm(), plan([(500_500, pause)]));
        let arrived = heard(&world, 1, 0);
        assert_eq!(numbers(&arrived), (1..=999).collect::<Vec<_>>(), "nothing is lost");
        let at_once = arrived.iter().filter(|heard| heard.at == LocalTime(600_500 - lag_us));
        assert_eq!(at_once.count(), 100, "{clock:?}");
        assert!((898..=900).contains(&heard(&world, 0, 1).len()), "it was silent for a tenth of the time");
        assert_eq!(world.processes().life(ProcessId(1)), 1, "it has not forgotten anything");
        assert!(reached(&result, "a process was paused while messages waited"));
        assert_eq!(reached(&result, "a process was frozen with its clock"), clock == PausedClock::Frozen);
    }
}

#[test]
fn a_fault_may_strike_whoever_stands_out_when_it_fires() {
    let administer = Fault::Administer { process: only(2), command: 9 };
    let cut = Fault::Partition { cut: Cut::Isolate(Target::MostProminent), duration_us: 1_000_000 };
    let (world, result) = run(Habits::default(), calm(), plan([(100_000, administer), (500_500, cut)]));
    assert_eq!(world.processes().process(ProcessId(2)).expect("it is up").administered, [9]);
    assert!(heard(&world, 0, 2).len() < 510 && heard(&world, 0, 1).len() == 999);
    assert!(reached(&result, "a fault struck the most prominent process"));
}

#[test]
fn a_process_that_does_not_start_or_halts_fails_the_run_unless_that_is_excused() {
    let habits = Habits { writes_each_round: 1, refuses_restart: Some(ProcessId(1)), ..Habits::default() };
    let restart = plan([(500_900, crash(CrashKind::Process, CrashWhen::Now, 1_000))]);
    let halt = plan([(500_000, Fault::Administer { process: only(1), command: HALT })]);
    let lost = plan([(500_000, Fault::LoseDisk { process: only(1), outage_us: 1_000 })]);
    for (faults, class) in [(restart, "StartFailed"), (halt, "Halted"), (lost, "StartFailed")] {
        for excuses in [false, true] {
            let oracle = Lenient { excuses, ..Lenient::default() };
            let (choice, recorder) = (Choice::from_seed(1), Recorder::new(Keep::Hash));
            let workload = Counting::default();
            let (habits, parameters) = (habits.clone(), slow_disks());
            let mut world =
                World::new(habits, parameters, faults.clone(), choice, oracle, workload, recorder)
                    .expect("the parameters are possible");
            match world.run().verdict {
                Verdict::Failed(violation) => assert!(!excuses && violation.class == class, "{violation:?}"),
                Verdict::Passed => assert!(excuses, "{class}"),
                Verdict::Inconclusive(reason) => panic!("{class}: {reason}"),
            }
            assert!(world.processes().is_gone(ProcessId(1)), "{class}: it never comes back");
        }
    }
}

#[test]
fn a_process_that_ends_over_a_failed_disk_begins_another_life_and_needs_no_excuse() {
    let habits = Habits { writes_each_round: 1, syncs: true, ..Habits::default() };
    let error = |failure, times, duration_us| Fault::DiskError {
        process: only(1),
        failure,
        after: 0,
        times,
        duration_us,
        outage_us: 10_000,
    };
    let crash = crash(CrashKind::Process, CrashWhen::Now, 1_000);
    let (sync, write) = (error(DiskFailure::Sync, 1, 99_000), error(DiskFailure::Write, 1, 99_000));
    let read = error(DiskFailure::Read, u64::MAX, 25_000);
    for (faults, lives, mark) in [
        (plan([(500_500, sync)]), 2, "a process ended because a sync failed"),
        (plan([(500_500, write)]), 2, "a process ended because a write failed"),
        // It starts at 501.5, 511.5, 521.5 and 531.5 ms.
        (plan([(500_500, read), (500_500, crash)]), 5, "a start failed with the disk"),
    ] {
        let (world, result) = run(habits.clone(), slow_disks(), faults);
        assert_eq!(result.verdict, Verdict::Passed, "{mark}");
        assert_eq!(world.processes().life(ProcessId(1)), lives, "{mark}");
        assert!(world.processes().process(ProcessId(1)).is_some_and(|process| process.recovered >= 400));
        assert!(reached(&result, mark), "{mark}");
    }
}

#[test]
fn a_process_may_come_back_to_its_disk_as_it_once_was() {
    let habits = Habits { writes_each_round: 1, syncs: true, ..Habits::default() };
    let image = Fault::OldImage { process: only(1), duration_us: 300_000, outage_us: 10_000 };
    let (world, result) = run(habits, slow_disks(), plan([(500_500, image)]));
    let process = world.processes().process(ProcessId(1)).expect("it is back");
    assert_eq!(process.started, LocalTime(810_500));
    assert!((400..=501).contains(&process.recovered), "it knew of round {}", process.recovered);
    assert!(reached(&result, "a disk went back in time"));
}

#[test]
fn a_client_has_one_operation_under_way_and_all_of_them_are_in_the_history() {
    let mut parameters = calm();
    parameters.clients.count = 2;
    let (world, result) = run(Habits::default(), parameters, plan([]));
    for client in 0..2 {
        let mut free_from = Time(0);
        let of_client = world.history().iter().filter(|call| call.operation.client.0 == client);
        for (call, number) in of_client.clone().zip(0..) {
            assert_eq!((call.operation.number, call.request), (number, number));
            assert!(call.called >= free_from);
            if let CallOutcome::Returned { at, response } = &call.outcome {
                assert_eq!((*at, *response), (call.called.after(200), number + 1), "there and back");
                free_from = *at;
            }
        }
        assert!(of_client.count() > 180);
    }
    assert!(result.operations > 360);
}

#[test]
fn an_operation_that_nobody_answers_in_time_stays_unknown_and_the_client_goes_on() {
    let mut parameters = calm();
    parameters.clients.count = 1;
    let pause = Fault::Pause { process: only(0), duration_us: 100_000, clock: PausedClock::Running };
    let (world, result) = run(Habits::default(), parameters, plan([(500_000, pause)]));
    let unknown = world.history().iter().filter(|call| matches!(call.outcome, CallOutcome::Unknown)).count();
    assert!((3..=5).contains(&unknown), "four fit into the pause: {unknown}");
    assert!(reached(&result, "a client gave up waiting"));
}

#[test]
fn a_refused_operation_is_tried_elsewhere_and_remains_one_call() {
    let mut parameters = calm();
    parameters.clients.count = 1;
    let workload = Counting { refused_by: Some(ProcessId(1)), asks_again: None };
    let recorder = Recorder::new(Keep::Records);
    let choice = Choice::from_seed(1);
    let mut world =
        World::new(Habits::default(), parameters, plan([]), choice, Lenient::default(), workload, recorder)
            .expect("the parameters are possible");
    let result = world.run();
    let first = OperationId::default();
    assert_eq!(world.history().iter().filter(|call| call.operation == first).count(), 1);
    let CallOutcome::Returned { at, .. } = world.history()[0].outcome else { panic!("it was answered") };
    assert_eq!(at, world.history()[0].called.after(200 + 1_000 + 200));
    let asked: Vec<u32> = world
        .recorder()
        .records()
        .iter()
        .filter(|record| record.kind == RecordKind::Requested && record.b == 0)
        .map(|record| record.process)
        .collect();
    assert_eq!(asked, [1, 2]);
    assert!(reached(&result, "a request was tried elsewhere"));
}

#[test]
fn an_operation_that_is_asked_for_again_remains_one_call_and_takes_whichever_answer_comes_first() {
    let mut parameters = calm();
    parameters.clients.count = 1;
    let workload = Counting { refused_by: None, asks_again: Some(ProcessId(1)) };
    let pause = Fault::Pause { process: only(0), duration_us: 1_000_000, clock: PausedClock::Running };
    let recorder = Recorder::new(Keep::Records);
    let choice = Choice::from_seed(1);
    let (habits, oracle) = (Habits::default(), Lenient::default());
    let mut world = World::new(habits, parameters, plan([(0, pause)]), choice, oracle, workload, recorder)
        .expect("the parameters are possible");
    let result = world.run();
    for (call, number) in world.history().iter().zip(0..) {
        assert_eq!(call.operation, OperationId { client: ClientId(0), number });
        let CallOutcome::Returned { at, .. } = call.outcome else { continue };
        assert_eq!(at, call.called.after(20_000 + 200));
    }
    assert!(result.operations > 30);
    assert!(reached(&result, "a client asked again") && !reached(&result, "a client gave up waiting"));
}
