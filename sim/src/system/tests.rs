//! A system of two processes that count; what is told of its seeds, and what is refused.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::env::Env;
use crate::ids::{ClientId, OperationId, ProcessId};
use crate::process::Step;
use crate::{Draw, SimDisk, Time};

/// It answers each client how many have asked in this life, and tells the other process.
#[derive(Clone)]
struct Count(u64);

impl Process for Count {
    type Setup = ();
    type Message = u64;
    type Request = ();
    type Response = u64;

    fn start(_: &(), _: ProcessId, _: &mut Env<'_, Self>) -> Result<Self, String> {
        Ok(Count(0))
    }

    fn receive(&mut self, _: ProcessId, _: u64, _: &mut Env<'_, Self>) {}

    fn request(&mut self, operation: OperationId, (): (), env: &mut Env<'_, Self>) {
        self.0 += 1;
        env.respond(operation, self.0);
        env.send(ProcessId(1), self.0);
    }

    fn digest_message(message: &u64) -> u64 {
        *message
    }

    fn digest(&self) -> u64 {
        self.0
    }
}

/// What it makes of a process that has counted so far.
#[derive(Clone)]
struct Judge(fn(u64) -> Result<(), Violation>);

impl Oracle<Count> for Judge {
    fn after(&mut self, _: Time, _: ProcessId, count: &mut Count, _: &SimDisk) -> Result<(), Violation> {
        self.0(count.0)
    }
}

#[derive(Clone)]
struct Askers;

impl Workload<Count> for Askers {
    fn next(&mut self, _: ClientId, _: u64, draw: &mut Draw<'_>) -> Option<Step<Count>> {
        let think_us = draw.exponential("think", 20_000, 200_000);
        Some(Step { think_us, target: ProcessId(0), request: (), timeout_us: 1_000_000 })
    }
}

fn system(corruption: &str, judge: fn(u64) -> Result<(), Violation>) -> System<Count, Judge, Askers> {
    let weather = format!(
        "[swarm]\ncorruption = '{corruption}'\n[limits]\nsafety_us = 2_000_000\ncore_alone = '0/1'\n"
    );
    System {
        setup: (),
        oracle: Judge(judge),
        workload: Askers,
        shape: Shape { processes: 2, core_size: 2, timeout_us: 200_000 },
        profile: Profile::parse(&weather, "the test").expect("it is well-formed"),
    }
}

fn at_ten(count: u64) -> Result<(), Violation> {
    let message = format!("it counted to {count}");
    if count < 10 { Ok(()) } else { Err(Violation { class: "TooFar", message }) }
}

#[test]
fn a_tally_is_the_same_however_seeds_are_shared() {
    let system = system("0/1", at_ten);
    let whole = system.sweep(0..20);
    assert!(whole.failures.contains_key("TooFar"), "{whole}");
    let [even, odd] = [0, 1].map(|first| system.sweep((first..20).step_by(2)));
    assert_eq!(even.clone().merge(odd.clone()), whole);
    assert_eq!(odd.merge(even), whole);
}

#[test]
fn a_panic_is_a_failure_of_its_seed_that_can_be_made_small() {
    let system = system("0/1", |count| {
        assert!(count < 10, "it counted to {count}");
        Ok(())
    });
    let tally = system.sweep(0..5);
    assert_eq!((tally.seeds, tally.failures[PANIC].message.as_str()), (5, "it counted to 10"), "{tally}");
    let failed = system.record(tally.first_failure().expect("one failed"));
    let small = system.shrink(&failed).expect("it failed").scenario.to_string();
    let again = system.replay(&small, "small.scn").expect("it can be run").result;
    assert!(
        matches!(&again.verdict, Verdict::Failed(violation) if violation.class == PANIC),
        "{again:?}\n{small}"
    );
}

#[test]
fn a_system_that_leans_on_what_it_was_not_handed_is_told() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let system = system("0/1", |_| {
        if CALLS.fetch_add(1, Ordering::Relaxed) < 50 {
            return Ok(());
        }
        Err(Violation { class: "TooFar", message: "it was called too often".to_owned() })
    });
    let tally = system.sweep([7]);
    assert_eq!(tally.unrepeatable.as_ref().map(|seeds| seeds.first), Some(7), "{tally}");
    assert!(!tally.holds() && tally.to_string().contains("NOT REPEATABLE, 1 of the seeds, first seed 7:\n"));
}

#[test]
fn where_messages_are_damaged_a_process_without_a_codec_hears_how_to_go_on() {
    let tally = system("1/1", |_| Ok(())).sweep(0..1);
    let message = &tally.failures["Codec"].message;
    assert!(message.contains("say `corruption = \"0/1\"` in the profile's [swarm]"), "{message}");
    assert!(system("0/1", |_| Ok(())).sweep(0..5).holds());
}

#[test]
fn a_scenario_of_another_system_is_refused_with_its_line() {
    let system = system("0/1", |_| Ok(()));
    let refusal = |lines: &str| {
        let text = format!("squall-scenario 1\n{lines}");
        system.replay(&text, "other.scn").expect_err("it is refused").to_string()
    };
    assert!(refusal("processes count=3\n").starts_with("other.scn:2:"), "{}", refusal("processes count=3\n"));
    assert!(refusal("cluster voters=3\n").contains("cluster"), "{}", refusal("cluster voters=3\n"));
    let step = refusal("processes count=2\ns1 campaign n0\n");
    assert!(step.starts_with("other.scn:3:"), "{step}");
}
