//! Faults of the network, each seen to act.

use crate::beacon::{Habits, calm, heard, numbers, plan, reached, run};
use squall_sim::fault::{CrashKind, CrashWhen, Cut, Fault, Target};
use squall_sim::{LocalTime, ProcessId, Ratio};

fn only(process: u32) -> Target {
    Target::Process(ProcessId(process))
}

#[test]
fn in_a_calm_world_every_message_arrives_once_and_in_order() {
    let (world, result) = run(Habits::default(), calm(), plan([]));
    assert_eq!(numbers(&heard(&world, 1, 0)), (1..=999).collect::<Vec<_>>());
    assert!(result.marks.reached(squall_sim::mark::FRAMEWORK).all(|reached| !reached), "nothing happened");
}

#[test]
fn a_lossy_link_loses_about_as_many_as_it_should() {
    let mut parameters = calm();
    parameters.network.loss = Ratio::new(1, 4);
    let (world, result) = run(Habits::default(), parameters, plan([]));
    let arrived = heard(&world, 1, 0).len();
    assert!((700..800).contains(&arrived), "{arrived} of 999");
    assert!(reached(&result, "a link lost a message"));
}

#[test]
fn a_duplicated_message_arrives_twice_each_copy_with_a_delay_of_its_own() {
    let mut parameters = calm();
    parameters.network.duplication = Ratio::new(1, 4);
    parameters.network.duplicate_delay_us_mean = 5_000;
    let (world, result) = run(Habits::default(), parameters, plan([]));
    let mut arrived = numbers(&heard(&world, 1, 0));
    assert!(!arrived.is_sorted(), "copies come between later messages");
    let total = arrived.len();
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived.len(), 999, "none is lost");
    assert!((200..300).contains(&(total - 999)), "{total}");
    assert!(reached(&result, "a message was duplicated"));
}

#[test]
fn independent_delays_let_messages_overtake_each_other_unless_links_keep_the_order() {
    let mut parameters = calm();
    parameters.network.delay_us_mean = 5_000;
    parameters.network.tail = Ratio::new(1, 100);
    parameters.network.tail_factor_max = 100;
    let (world, result) = run(Habits::default(), parameters.clone(), plan([]));
    assert!(!numbers(&heard(&world, 1, 0)).is_sorted());
    assert!(reached(&result, "a message overtook an earlier one"));

    parameters.network.fifo = true;
    let (world, result) = run(Habits::default(), parameters, plan([]));
    let arrived = numbers(&heard(&world, 1, 0));
    assert_eq!(arrived, (1..=arrived.len() as u64).collect::<Vec<_>>());
    assert!(!reached(&result, "a message overtook an earlier one"));
}

#[test]
fn a_link_holds_no_more_than_its_capacity_and_throws_out_any_of_them() {
    let mut parameters = calm();
    parameters.network.delay_us_min = 100_000;
    parameters.network.capacity = 8;
    let habits = Habits { interval_us: 10_000, ..Habits::default() };
    let (world, result) = run(habits, parameters, plan([]));
    let arrived = numbers(&heard(&world, 1, 0));
    // Ten would be on their way at any time; eight fit.
    assert!((40..75).contains(&arrived.len()), "{} of 90", arrived.len());
    assert!(arrived.windows(2).any(|pair| pair[1] == pair[0] + 1), "not only the oldest is thrown out");
    assert!(reached(&result, "a full link threw a message out"));
}

#[test]
fn a_partition_cuts_what_is_sent_and_what_is_in_flight_and_then_heals() {
    let cut = Cut::Isolate(only(0));
    let (world, result) =
        run(Habits::default(), calm(), plan([(500_500, Fault::Partition { cut, duration_us: 100_000 })]));
    let lost: Vec<u64> = (1..=999).filter(|number| !numbers(&heard(&world, 1, 0)).contains(number)).collect();
    // Message 501 was sent at 500 ms and was on its way; 601 left during the cut, 602 after it.
    assert_eq!(lost, (501..=601).collect::<Vec<_>>());
    assert_eq!(heard(&world, 0, 1).len(), 999 - 101, "in both directions");
    assert_eq!(heard(&world, 2, 1).len(), 999, "the others see each other");
    assert!(reached(&result, "a partition cut a message in flight"));
}

#[test]
fn a_one_way_partition_leaves_the_other_way_open() {
    for (cut, hears, is_heard) in
        [(Cut::Inbound(only(0)), false, true), (Cut::Outbound(only(0)), true, false)]
    {
        let faults = plan([(0, Fault::Partition { cut: cut.clone(), duration_us: 2_000_000 })]);
        let (world, _) = run(Habits::default(), calm(), faults);
        assert_eq!(!heard(&world, 0, 1).is_empty(), hears, "{cut:?}");
        assert_eq!(!heard(&world, 1, 0).is_empty(), is_heard, "{cut:?}");
    }
}

#[test]
fn overlapping_partitions_end_when_the_last_of_them_ends() {
    let cut = |duration_us| Fault::Partition { cut: Cut::Isolate(only(0)), duration_us };
    let (world, _) = run(Habits::default(), calm(), plan([(100_500, cut(300_000)), (200_500, cut(100_000))]));
    assert_eq!(numbers(&heard(&world, 1, 0)).iter().filter(|number| **number <= 402).count(), 101);
}

#[test]
fn a_flapping_link_is_up_and_down_by_turns_and_up_in_the_end() {
    let cut = Cut::Isolate(only(0));
    let flapping = Fault::Flapping { cut, down_us: 10_000, up_us: 30_000, duration_us: 400_000 };
    let (world, _) = run(Habits::default(), calm(), plan([(100_500, flapping)]));
    let during = heard(&world, 1, 0).iter().filter(|heard| (110..=500).contains(&(heard.number))).count();
    // A quarter of the time it is down, and each time a message in flight goes with it.
    assert!((270..=300).contains(&during), "{during}");
    assert!(numbers(&heard(&world, 1, 0)).ends_with(&[998, 999]));
}

#[test]
fn what_a_clog_stalls_arrives_all_together_and_in_order() {
    let clog = Fault::Clog { cut: Cut::Inbound(only(1)), duration_us: 100_000 };
    let (world, result) = run(Habits::default(), calm(), plan([(500_500, clog)]));
    let arrived = heard(&world, 1, 0);
    assert_eq!(numbers(&arrived), (1..=999).collect::<Vec<_>>(), "nothing is lost");
    assert_eq!(arrived.iter().filter(|heard| heard.at == LocalTime(600_500)).count(), 100);
    assert!(reached(&result, "a clog released several messages at once"));
}

#[test]
fn a_swizzle_clogs_one_after_the_other_and_frees_them_in_another_order() {
    let clog = [0, 1].map(ProcessId).to_vec();
    let free = [1, 0].map(ProcessId).to_vec();
    let swizzle = Fault::Swizzle { clog, free, step_us: 50_000 };
    let (world, _) = run(Habits::default(), calm(), plan([(100_500, swizzle)]));
    // n0 is clogged from 100.5 ms to 250.5 ms, n1 from 150.5 ms to 200.5 ms, n2 never.
    let last_of_burst = |by, from, at| {
        let heard = heard(&world, by, from);
        assert_eq!(numbers(&heard), (1..=999).collect::<Vec<_>>(), "nothing is lost");
        heard.iter().filter(|heard| heard.at == LocalTime(at)).count()
    };
    assert_eq!(last_of_burst(2, 0, 250_500), 150);
    assert_eq!(last_of_burst(2, 1, 200_500), 50);
    assert_eq!(last_of_burst(1, 0, 250_500), 150, "the longer clog counts on a link between both");
}

#[test]
fn a_ghost_reaches_a_later_life_of_its_receiver() {
    let mut parameters = calm();
    parameters.network.ghosts = Ratio::new(1, 20);
    parameters.network.ghost_delay_us_max = 400_000;
    let crash =
        Fault::Crash { process: only(1), kind: CrashKind::Process, when: CrashWhen::Now, outage_us: 100_000 };
    let (world, result) = run(Habits::default(), parameters, plan([(500_500, crash)]));
    assert!(numbers(&heard(&world, 1, 0)).iter().any(|number| *number < 400), "from before the crash");
    assert!(reached(&result, "a ghost reached a later life of its receiver"));
}

#[test]
fn a_damaged_frame_is_refused_and_a_sound_one_says_what_was_said() {
    let mut parameters = calm();
    parameters.network.codec = true;
    let (world, _) = run(Habits::default(), parameters.clone(), plan([]));
    assert_eq!(numbers(&heard(&world, 1, 0)), (1..=999).collect::<Vec<_>>());

    parameters.network.corruption = Ratio::new(1, 10);
    let (world, result) = run(Habits::default(), parameters, plan([]));
    let arrived = numbers(&heard(&world, 1, 0));
    assert!((860..940).contains(&arrived.len()), "{}", arrived.len());
    assert!(arrived.is_sorted() && arrived.iter().all(|number| *number <= 999), "none is believed");
    assert!(reached(&result, "a damaged frame was refused"));
}
