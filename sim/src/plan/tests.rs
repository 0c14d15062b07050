//! Plans: every class comes, none disturbs another, and all of it can be written down.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::scenario::{self, Scenario};

fn stormy() -> PlanParameters {
    let second = 1_000_000;
    let often = Recurring { every_us_mean: second, lasts_us: Between { low: 45_000, high: 750_000 } };
    let half = Ratio::new(1, 2);
    PlanParameters {
        processes: 5,
        length_us: 60 * second,
        partition: often,
        flapping: often,
        clog: often,
        swizzle: often,
        crash: often,
        crash_all: often,
        crash_loop: often,
        pause: often,
        disk_stall: often,
        clock_rate: often,
        clock_jump: often,
        clock_freeze: often,
        administer: often,
        rot: often,
        disk_error: often,
        lost_disk: often,
        ruin: often,
        amnesia: often,
        prominent: half,
        power_loss: half,
        at_disk_operation: half,
        disk_operations: Between { low: 1, high: 12 },
        crash_loop_times: Between { low: 2, high: 5 },
        frozen: half,
        clock_rates: Between { low: half, high: Ratio::new(2, 1) },
        jump_us_max: 60 * second,
        commands: 3,
        ..PlanParameters::default()
    }
}

fn drawn(parameters: &PlanParameters, seed: u64) -> Vec<FaultEvent> {
    draw(parameters, &mut Choice::from_seed(seed))
}

#[test]
fn every_fault_every_shape_and_every_variant_comes() {
    let events = drawn(&stormy(), 1);
    let kinds: BTreeSet<u8> = events.iter().map(|event| event.fault.kind()).collect();
    assert_eq!(kinds.len(), Fault::NAMES.len());
    let text = Scenario { events, ..Scenario::default() }.to_string();
    let words = [
        "isolate=",
        "inbound=",
        "outbound=",
        "split=",
        "bridge=",
        "ring",
        "links=",
        "most-prominent",
        "kind=process",
        "kind=power",
        "after-disk-operations=",
        "clock=running",
        "clock=frozen",
        "wall=-",
    ];
    for word in words {
        assert!(text.contains(word), "no {word}");
    }
}

#[test]
fn each_class_that_lasts_has_one_fault_that_outlasts_the_storm() {
    let end = Time(60_000_000);
    for seed in 0..50 {
        let rare = Recurring { every_us_mean: u64::MAX, lasts_us: Between { low: 100_000, high: 2_000_000 } };
        let parameters = PlanParameters {
            processes: 5,
            length_us: end.0,
            partition: rare,
            crash: rare,
            disk_stall: rare,
            last: Ratio::ONE,
            ..PlanParameters::default()
        };
        let events = drawn(&parameters, seed);
        assert_eq!(events.len(), 3, "seed {seed}: {events:?}");
        for event in events {
            let (Fault::Partition { duration_us, .. }
            | Fault::Crash { outage_us: duration_us, .. }
            | Fault::DiskStall { duration_us, .. }) = event.fault
            else {
                panic!("seed {seed}: {event:?}")
            };
            assert!(event.at < end && event.at.after(duration_us) >= end, "seed {seed}: {event:?}");
        }
    }
}

#[test]
fn events_come_in_order_with_numbers_of_their_own_and_as_often_as_stated() {
    let events = drawn(&stormy(), 2);
    assert!(events.is_sorted_by_key(|event| (event.at, event.id)));
    assert!((1..).zip(&events).all(|(id, event)| event.id == id && event.at < Time(60_000_000)));
    let crashes = events.iter().filter(|event| matches!(event.fault, Fault::Crash { .. })).count();
    assert!((35..85).contains(&crashes), "about sixty: {crashes}");
}

#[test]
fn a_class_that_is_switched_off_leaves_the_others_as_they_were() {
    let with = drawn(&stormy(), 3);
    let without = drawn(&PlanParameters { clog: Recurring::NEVER, ..stormy() }, 3);
    let unnumbered = |events: Vec<FaultEvent>| -> Vec<(Time, Fault)> {
        let others = events.into_iter().filter(|event| !matches!(event.fault, Fault::Clog { .. }));
        others.map(|event| (event.at, event.fault)).collect()
    };
    assert!(with.len() > without.len());
    assert_eq!(unnumbered(with), unnumbered(without));
}

#[test]
fn a_longer_run_begins_like_a_shorter_one() {
    let short = drawn(&stormy(), 4);
    let long = drawn(&PlanParameters { length_us: 90_000_000, ..stormy() }, 4);
    assert_eq!(long[..short.len()], short);
    assert!(long.len() > short.len());
}

#[test]
fn a_class_without_rest_ends_before_memory_does() {
    let restless = Recurring { every_us_mean: 20, lasts_us: Between::only(1) };
    let parameters =
        PlanParameters { clog: restless, ..PlanParameters { processes: 3, ..PlanParameters::default() } };
    let events = drawn(&PlanParameters { length_us: u64::MAX, ..parameters }, 5);
    assert!(events.len() as u64 <= EVENTS_PER_CLASS_MAX);
}

proptest! {
    #[test]
    fn a_plan_strikes_processes_that_there_are_and_can_be_written_down(seed: u64, processes in 0_u32..8) {
        let events = drawn(&PlanParameters { processes, length_us: 10_000_000, ..stormy() }, seed);
        prop_assert!(processes > 0 || events.is_empty());
        for event in &events {
            if let Fault::Partition { cut: Cut::Split(side), .. } = &event.fault {
                prop_assert!(!side.is_empty() && *side != ProcessSet::first(processes), "{:?} cuts nothing", side);
            }
            if let Fault::Partition { cut: Cut::Bridge { bridge, side }, .. } = &event.fault {
                prop_assert!(!side.is_empty() && !side.contains(*bridge) && side.len() + 1 < processes);
            }
        }
        let sections = vec![scenario::Section::new("processes").with("count", &processes.max(1))];
        let scenario = Scenario { sections, events, ..Scenario::default() };
        prop_assert!(scenario.parameters().is_ok());
        prop_assert_eq!(scenario::parse(&scenario.to_string(), "plan.scn"), Ok(scenario));
    }
}
