//! Faults of clocks, each seen to act.

use crate::beacon::{Habits, calm, heard, plan, reached, run};
use squall_sim::fault::Fault;
use squall_sim::{ProcessId, Ratio};

#[test]
fn a_clock_that_runs_fast_lets_its_process_act_more_often() {
    let rate = |num, den| Fault::ClockRate { process: ProcessId(1), rate: Ratio::new(num, den) };
    let (world, result) = run(Habits::default(), calm(), plan([(500_500, rate(2, 1))]));
    assert!((1_495..=1_500).contains(&heard(&world, 0, 1).len()), "{}", heard(&world, 0, 1).len());
    assert!(reached(&result, "a clock ran at another rate"));
    let (world, _) = run(Habits::default(), calm(), plan([(500_500, rate(1, 2))]));
    assert!((748..=752).contains(&heard(&world, 0, 1).len()), "{}", heard(&world, 0, 1).len());
}

#[test]
fn a_clock_has_the_rate_and_the_offset_that_the_parameters_say() {
    let mut parameters = calm();
    parameters.clocks[1].rate = Ratio::new(1, 2);
    parameters.clocks[1].wall_offset_us = -10_000_000;
    let (world, _) = run(Habits::default(), parameters, plan([]));
    assert!((498..=500).contains(&heard(&world, 0, 1).len()));
    let wall = |id| world.processes().process(ProcessId(id)).expect("it is up").wall_minus_local_us[0];
    assert_eq!(wall(0) - wall(1), 10_000_000);
}

#[test]
fn a_jump_of_the_wall_clock_moves_no_timer() {
    let jump = Fault::ClockJump { process: ProcessId(1), wall_delta_us: -60_000_000 };
    let (world, result) = run(Habits::default(), calm(), plan([(500_500, jump)]));
    assert_eq!(heard(&world, 0, 1).len(), 999);
    let walls = &world.processes().process(ProcessId(1)).expect("it is up").wall_minus_local_us;
    assert_eq!(walls.first().copied(), walls.last().map(|wall| wall + 60_000_000));
    assert!(reached(&result, "a wall clock jumped"));
}

#[test]
fn a_process_whose_clock_is_frozen_hears_but_is_not_woken() {
    let freeze = Fault::ClockFreeze { process: ProcessId(1), duration_us: 100_000 };
    let (world, _) = run(Habits::default(), calm(), plan([(500_500, freeze)]));
    assert_eq!(heard(&world, 0, 1).len(), 899);
    assert_eq!(heard(&world, 1, 0).len(), 999);
}
