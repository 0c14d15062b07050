//! Sweeps over made-up runs: which seeds are run, and that threads leave no mark on what is reported.

use std::sync::atomic::AtomicU64;

use squall_scenarios::marks;
use squall_sim::choice::Unheeded;
use squall_sim::{Verdict, Violation, scenario};

use super::*;

fn plan(seeds_max: u64, jobs: u16) -> Plan {
    Plan {
        start: 100,
        seeds_max: Some(seeds_max),
        shard: Shard::WHOLE,
        jobs,
        time: None,
        fail_fast: false,
        less: String::new(),
        check_determinism: false,
    }
}

fn outcome(seed: u64, verdict: Verdict) -> Outcome {
    Outcome {
        seed,
        verdict,
        also_fired: Vec::new(),
        hash: u128::from(seed) << 64 | 7,
        events: 10,
        virtual_us: 3_000_000,
        safety_us: seed * 1_000_000,
        operations: seed,
        missed: Vec::new(),
        vain: Vec::new(),
        unheeded: Unheeded::default(),
        marks: marks::all().enumerate().map(|(mark, _)| mark == 0).collect(),
        parameters: Vec::new(),
        trace: None,
        scenario: None,
    }
}

fn violation() -> Verdict {
    Verdict::Failed(Violation { class: "ElectionSafety", message: "n1 and n3 lead term 4".to_owned() })
}

fn summary(plan: &Plan, run: impl Fn(u64, &RunOptions) -> Outcome + Sync) -> Summary {
    let rows = sweep(plan, |_, _| {}, run).expect("threads can be started");
    Summary::new("storm", plan, rows, Duration::from_secs(2))
}

#[test]
fn every_seed_is_run_once_and_totals_add_up() {
    let runs = AtomicU64::new(0);
    let summary = summary(&plan(20, 3), |seed, _| {
        runs.fetch_add(1, Ordering::Relaxed);
        outcome(seed, Verdict::Passed)
    });
    assert_eq!((summary.seeds, summary.passed, summary.events), (20, 20, 200));
    assert_eq!(summary.median_operations, 109);
    assert_eq!(summary.marks.iter().map(|(_, runs)| runs).sum::<u64>(), 20);
    assert_eq!(summary.exit(), Exit::Held);
    // Seeds 100 to 119 hold no multiple of 64, so none was run twice.
    assert_eq!(runs.into_inner(), 20);
}

#[test]
fn the_hash_does_not_depend_on_threads_or_shards_but_on_each_seeds_run() {
    let hash = |jobs, flipped| {
        summary(&plan(50, jobs), |seed, _| {
            let mut outcome = outcome(seed, Verdict::Passed);
            outcome.hash ^= u128::from(seed == flipped);
            outcome
        })
        .hash
    };
    assert_eq!(hash(1, 0), hash(4, 0));
    assert_ne!(hash(1, 0), hash(1, 120));
}

#[test]
fn two_runs_that_swap_their_hashes_are_noticed() {
    let swapped = |seed, _: &RunOptions| outcome(if seed < 102 { 201 - seed } else { seed }, Verdict::Passed);
    let straight = |seed, _: &RunOptions| outcome(seed, Verdict::Passed);
    assert_ne!(summary(&plan(5, 1), swapped).hash, summary(&plan(5, 1), straight).hash);
}

#[test]
fn shards_share_all_seeds_and_none_twice() {
    let mut seeds = Vec::new();
    for index in 0..3 {
        let plan = Plan { shard: Shard { index, of: 3 }, ..plan(10, 1) };
        let shard: Vec<u64> = (0..).map_while(|nth| plan.seed(nth)).collect();
        assert_eq!(plan.seeds(), Some(shard.len() as u64));
        seeds.extend(shard);
    }
    seeds.sort_unstable();
    assert_eq!(seeds, (100..110).collect::<Vec<u64>>());
}

/// The second run of a seed is half of what tells whether it repeats: every shard has its part in it.
#[test]
fn every_shard_runs_one_in_64_of_its_own_seeds_twice() {
    for of in [1, 2, 3, 64, 100] {
        for index in [0, of / 2, of - 1] {
            let runs = AtomicU64::new(0);
            let plan = Plan { shard: Shard { index, of }, ..plan(256 * of, 2) };
            let summary = summary(&plan, |seed, _| {
                runs.fetch_add(1, Ordering::Relaxed);
                outcome(seed, Verdict::Passed)
            });
            assert_eq!((summary.seeds, runs.into_inner()), (256, 260), "shard {index} of {of}");
        }
    }
}

#[test]
fn a_panic_is_a_failure_of_its_seed_and_the_sweep_goes_on() {
    let summary = summary(&plan(10, 2), |seed, _| {
        assert_ne!(seed, 104, "commit index fell");
        outcome(seed, Verdict::Passed)
    });
    assert_eq!((summary.seeds, summary.passed), (10, 9));
    assert_eq!((summary.failed[0].seed, summary.failed[0].class.as_str()), (104, "Panic"));
    assert!(summary.failed[0].message.contains("commit index fell"), "{}", summary.failed[0].message);
    assert_eq!(summary.exit(), Exit::Violated);
}

#[test]
fn fail_fast_reports_the_same_seeds_whatever_the_threads() {
    for jobs in 1..=4 {
        let plan = Plan { fail_fast: true, ..plan(1_000, jobs) };
        let summary = summary(&plan, |seed, _| {
            outcome(seed, if seed % 50 == 17 { violation() } else { Verdict::Passed })
        });
        assert_eq!((summary.seeds, summary.failed.len()), (18, 1), "{jobs} jobs");
        assert_eq!(summary.failed[0].seed, 117);
    }
}

#[test]
fn a_run_that_does_not_repeat_is_a_fault_of_the_harness() {
    let calls = AtomicU64::new(0);
    let summary = summary(&plan(64, 1), |seed, _| {
        let mut outcome = outcome(seed, Verdict::Passed);
        outcome.hash = u128::from(calls.fetch_add(1, Ordering::Relaxed));
        outcome
    });
    assert_eq!(summary.doubts.iter().map(|doubt| doubt.seed).collect::<Vec<_>>(), [128]);
    assert_eq!(summary.exit(), Exit::Harness);
}

/// Three servers, of which one loses its memory after half a second: later in every second run, if `flaws` says so.
fn crashes(run: u64, flaws: fn(u64) -> bool, options: &RunOptions) -> Outcome {
    let crash_ms = if flaws(run) { 501 } else { 500 };
    let text = format!(
        "squall-scenario 1\nprocesses count=3\nlimits safety=1s\ne1 @{crash_ms}ms crash n1 kind=power outage=100ms\n"
    );
    let scenario = scenario::parse(&text, "crashes.scn").expect("the scenario is well formed");
    storm::replay(&scenario, options).expect("the scenario can be run")
}

/// The sweep of one seed that is run twice, each run with its number.
fn checked(run: impl Fn(u64, &RunOptions) -> Outcome + Sync) -> Summary {
    let calls = AtomicU64::new(0);
    let plan = Plan { check_determinism: true, ..plan(1, 1) };
    summary(&plan, |_, options| run(calls.fetch_add(1, Ordering::Relaxed), options))
}

#[test]
fn where_two_runs_of_a_seed_part_their_first_event_is_shown_with_time_node_and_cause() {
    let summary = checked(|run, options| crashes(run, |run| run % 2 == 1, options));
    assert_eq!((summary.doubts.len(), summary.exit()), (1, Exit::Harness));
    let parting = summary.doubts[0].parting.as_deref().expect("two runs went different ways");
    let lines: Vec<&str> = parting.lines().collect();
    assert!(lines[0].starts_with("the first difference is record "), "{parting}");
    assert!(lines[1].contains(" @500000us fault-began fault=1 "), "{parting}");
    assert!(lines[2].contains("us n0 delivered from=2 ") && lines[2].contains(" because of #"), "{parting}");

    let plan = Plan { check_determinism: true, ..plan(1, 1) };
    let told = report::sweep(&summary, &plan, &[]);
    assert!(
        told.contains("NOT REPEATABLE, 1 seed") && told.contains(" @500000us fault-began fault=1 "),
        "{told}"
    );
    assert!(told.ends_with("run --profile storm --seed 100 --check-determinism\n"), "{told}");
}

#[test]
fn runs_that_part_once_and_then_agree_are_told_as_such() {
    let summary = checked(|run, options| crashes(run, |run| run == 1, options));
    let parting = summary.doubts[0].parting.as_deref().expect("two runs went different ways");
    assert!(parting.starts_with("this time two runs were the same (hash "), "{parting}");
    assert_eq!(parting.matches("hash ").count(), 3, "{parting}");
    assert_eq!(summary.exit(), Exit::Harness);
}

#[test]
fn runs_with_the_same_events_of_which_one_fails_are_not_the_same() {
    let flawed = |run: u64, options: &RunOptions| {
        let mut outcome = crashes(0, |_| false, options);
        outcome.verdict = if run.is_multiple_of(2) { violation() } else { Verdict::Passed };
        outcome
    };
    let summary = checked(flawed);
    let parting = summary.doubts[0].parting.as_deref().expect("two runs went different ways");
    assert!(parting.starts_with("no event differs, but what is said of the run does\n"), "{parting}");
    assert!(parting.contains("ElectionSafety") && parting.ends_with("right: Passed"), "{parting}");
    // It failed, and yet: what does not repeat vouches for nothing.
    assert_eq!((summary.failed.len(), summary.exit()), (1, Exit::Harness));
}

#[test]
fn every_seed_is_run_twice_if_asked_and_what_repeats_is_no_doubt() {
    let runs = AtomicU64::new(0);
    let plan = Plan { check_determinism: true, ..plan(20, 3) };
    let summary = summary(&plan, |seed, _| {
        runs.fetch_add(1, Ordering::Relaxed);
        outcome(seed, Verdict::Passed)
    });
    assert_eq!((summary.seeds, summary.doubts.len(), summary.exit()), (20, 0, Exit::Held));
    assert_eq!(runs.into_inner(), 40);
}

#[test]
fn a_run_without_a_verdict_is_neither_passed_nor_failed() {
    let summary =
        summary(&plan(3, 1), |seed, _| outcome(seed, Verdict::Inconclusive("out of events".to_owned())));
    assert_eq!((summary.passed, summary.failed.len(), summary.inconclusive), (0, 0, 3));
    assert_eq!(summary.exit(), Exit::Harness);
}

#[test]
fn a_sweep_that_reaches_the_last_seed_ends_there() {
    let plan = Plan { start: u64::MAX - 1, seeds_max: None, ..plan(1, 2) };
    let summary = summary(&plan, |seed, _| outcome(seed & 0xff, Verdict::Passed));
    assert_eq!(summary.seeds, 2);
}
