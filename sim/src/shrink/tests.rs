//! A judge that runs nothing: it looks for what it was told is needed.

use super::words::{above, rounder, simpler_lines};
use super::*;
use crate::choice::{DrawKey, Purpose};
use crate::ids::{Link, ProcessId};
use crate::scenario;

/// Fails where a line with each of these beginnings stands in the text; of a fault, behind its number and its time.
struct Needs {
    lines: Vec<&'static str>,
    /// How many candidates it looks at before it has no more time.
    patience: usize,
    looked_at: usize,
    improvements: usize,
}

impl Needs {
    fn new(lines: &[&'static str]) -> Needs {
        Needs { lines: lines.to_vec(), patience: usize::MAX, looked_at: 0, improvements: 0 }
    }

    fn fails(&self, scenario: &Scenario) -> bool {
        assert_eq!(scenario.check_effects(), Ok(()), "no run is spent on a line without effect");
        let text = scenario.to_string();
        let ends_in_time =
            scenario.parameters().is_ok_and(|parameters| parameters.limits.safety_us > FAILS_AT_US);
        let begins = |line: &str, needed: &str| {
            let fault = line.splitn(3, ' ').nth(2).filter(|_| line.contains(" @"));
            fault.unwrap_or(line).starts_with(needed)
        };
        ends_in_time && self.lines.iter().all(|needed| text.lines().any(|line| begins(line, needed)))
    }
}

impl Judge for Needs {
    fn first_failing(&mut self, candidates: &mut dyn Iterator<Item = Candidate>) -> Option<(Candidate, Run)> {
        while !self.is_over() {
            let candidate = candidates.next()?;
            self.looked_at += 1;
            if self.fails(&candidate.scenario) {
                let run = run_of(&candidate.scenario);
                return Some((candidate, run));
            }
        }
        None
    }

    fn is_over(&self) -> bool {
        self.looked_at >= self.patience
    }

    fn improved(&mut self, _best: &Scenario) {
        self.improvements += 1;
    }

    fn fit(&self, _scenario: &mut Scenario, _processes: u32) {}
}

/// When every run fails.
const FAILS_AT_US: u64 = 2_345_678;

/// A run in which everything that is decided was asked for.
fn run_of(scenario: &Scenario) -> Run {
    Run { decisions: scenario.decisions.clone(), virtual_us: FAILS_AT_US, safety_us: FAILS_AT_US }
}

/// A storm of five processes and eight clients, with a decision on each of many messages.
fn storm() -> Scenario {
    let text = "squall-scenario 1\n\
        # A note about another run.\n\
        cluster voters=5 priorities=3\n\
        processes count=5\n\
        network delay_mean=34064us loss=1/10\n\
        clients count=8\n\
        n4 rate=3/2\n\
        limits safety=30s liveness=20s core_size=3\n\
        e1 @1123456us crash n1 kind=power outage=1234567us\n\
        e2 @1523456us partition isolate=most-prominent for=2345678us\n\
        e3 @2123456us crash-all kind=power outage=500ms\n\
        e4 @9s rot n1\n\
        expect failed Liveness\n\
        hash 25227ab8d002fccc50d4540e217df0b0\n";
    let mut storm = scenario::parse(text, "storm.scn").expect("it is right");
    let decision = |purpose, a, b, field: &'static str, value| Decision {
        key: DrawKey { purpose, a, b },
        field: field.into(),
        value,
    };
    let link = Link { from: ProcessId(1), to: ProcessId(0) }.word();
    for number in 1..=200 {
        storm.decisions.push(decision(Purpose::Network, link, number, "delay", 12_345 + number));
        storm.decisions.push(decision(Purpose::Network, link, number, "duplicate", 1));
        storm.decisions.push(decision(Purpose::Client, number % 8, number, "think", 100 + number));
    }
    storm.sort_decisions();
    storm
}

fn shrunk(judge: &mut Needs) -> String {
    let storm = storm();
    assert!(judge.fails(&storm), "what is needed is there");
    let run = run_of(&storm);
    shrink(storm, run, judge).to_string()
}

#[test]
fn what_is_needed_stays_and_everything_else_goes() {
    let mut judge = Needs::new(&["partition ", "net n1>n0#17 delay=", "net n1>n0#101 ", "cluster "]);
    insta::assert_snapshot!(shrunk(&mut judge));
    assert!(judge.improvements > 5, "{} steps", judge.improvements);
}

#[test]
fn where_nothing_is_needed_nothing_is_left_but_the_end() {
    assert_eq!(
        shrunk(&mut Needs::new(&[])),
        "squall-scenario 1\nlimits safety=2400ms\nexpect failed Liveness\n"
    );
}

/// What comes after the end goes, and what waits for it, and what waits for that: what is left can be run.
#[test]
fn a_fault_that_waits_for_one_behind_the_end_goes_with_it() {
    let mut storm = storm();
    let waiting = scenario::parse(
        "squall-scenario 1\n\
        processes count=5\n\
        e4 @9s rot n1\n\
        e5 @e4:begins+100ms rot n2\n\
        e6 @e5:begins crash-all kind=power outage=500ms\n\
        e7 @e2:begins rot n3\n",
        "waiting.scn",
    );
    storm.events.extend(waiting.expect("it is right").events.split_off(1));
    let run = run_of(&storm);
    let no_time = &mut Needs { patience: 0, ..Needs::new(&["partition "]) };
    assert!(no_time.fails(&storm), "what is needed is there");
    let best = shrink(storm, run, no_time);
    assert!(no_time.fails(&best), "{best}");
    let left: Vec<u32> = best.events.iter().map(|event| event.id).collect();
    assert_eq!(left, [1, 2, 3, 4]);
}

#[test]
fn faults_are_numbered_anew_with_all_that_knows_them_by_their_numbers() {
    let text = "squall-scenario 1\n\
        processes count=3\n\
        e3 @1s partition isolate=n0 for=1s\n\
        e5 @e3:ends+100ms rot n1\n\
        e8 @n1:leads#2 since=e5:begins rot n2\n\
        rot n1#5 extent=1 byte=7\n\
        rot n2#8 extent=2\n\
        rot n2#9 extent=3\n";
    let mut scenario = scenario::parse(text, "left.scn").expect("it is right");
    numbers::renumber(&mut scenario);
    let expected = text.replace("e3", "e1").replace("e5", "e2").replace("e8", "e3");
    let expected =
        expected.replace("n1#5", "n1#2").replace("n2#8", "n2#3").replace("rot n2#9 extent=3\n", "");
    assert_eq!(scenario.to_string(), expected);
}

#[test]
fn when_time_is_up_the_best_so_far_is_the_result() {
    let needed = ["crash n1 ", "crash-all ", "net n1>n0#5 "];
    let mut sizes = Vec::new();
    for patience in [0, 1, 10, 100, usize::MAX] {
        let mut judge = Needs { patience, ..Needs::new(&needed) };
        let text = shrunk(&mut judge);
        let left = scenario::parse(&text, "left.scn").expect("what is left is a scenario");
        assert!(judge.fails(&left), "after {patience} looks");
        sizes.push(Size::of(&left));
    }
    assert!(sizes.is_sorted_by(|before, after| after <= before), "{sizes:?}");
    assert_eq!(sizes.last().map(|size| size.events), Some(3));
    assert!(sizes[0].events > 300, "{sizes:?}");
}

#[test]
fn what_is_judged_at_the_end_keeps_its_phases_and_gets_shorter() {
    struct Slow(Needs);
    impl Judge for Slow {
        fn first_failing(
            &mut self,
            candidates: &mut dyn Iterator<Item = Candidate>,
        ) -> Option<(Candidate, Run)> {
            for candidate in candidates {
                let Ok(parameters) = candidate.scenario.parameters() else { continue };
                let safety_us = parameters.limits.safety_us;
                // It needs six seconds of storm.
                if self.0.fails(&candidate.scenario) && safety_us >= 6_000_000 {
                    let decisions = candidate.scenario.decisions.clone();
                    return Some((
                        candidate,
                        Run { decisions, virtual_us: safety_us + 20_000_000, safety_us },
                    ));
                }
            }
            None
        }
        fn is_over(&self) -> bool {
            false
        }
        fn improved(&mut self, _best: &Scenario) {}
        fn fit(&self, _scenario: &mut Scenario, _processes: u32) {}
    }
    let storm = storm();
    let run = Run { decisions: storm.decisions.clone(), virtual_us: 50_000_000, safety_us: 30_000_000 };
    let left = shrink(storm, run, &mut Slow(Needs::new(&["limits safety=", "crash n1"])));
    let parameters = left.parameters().expect("what is left can be run");
    assert!((6_000_000..8_000_000).contains(&parameters.limits.safety_us), "{left}");
}

#[test]
fn fewer_processes_take_along_what_concerns_them() {
    let mut scenario = storm();
    scenario.retain_for(1, 2);
    assert_eq!(scenario.section("n4"), None);
    let left: Vec<u32> = scenario.events.iter().map(|event| event.id).collect();
    assert_eq!(left, [2, 3]);
    assert!(scenario.decisions.iter().all(|decision| decision.key.a < 2));
}

#[test]
fn a_line_is_said_without_a_word_or_with_a_rounder_one() {
    assert_eq!(
        simpler_lines("e1 @1234567us crash n1 kind=power outage=500ms"),
        [
            "e1 @1234567us crash n1 kind=power",
            "e1 @1234567us crash n1 outage=500ms",
            "e1 @1234567us crash n1 kind=process outage=500ms",
            "e1 @1s crash n1 kind=power outage=500ms",
            "e1 @2s crash n1 kind=power outage=500ms",
            "e1 @1200ms crash n1 kind=power outage=500ms",
            "e1 @1300ms crash n1 kind=power outage=500ms",
        ]
    );
    assert_eq!(simpler_lines("squall-scenario 1"), [""; 0]);
    assert_eq!(simpler_lines("expect failed Liveness"), [""; 0]);
}

#[test]
fn a_rounder_number_has_fewer_digits_that_count() {
    let of = |number| rounder(number).collect::<Vec<u64>>();
    assert_eq!(of(42_805), [40_000, 50_000, 42_000, 43_000]);
    assert_eq!(of(42_000), [40_000, 50_000]);
    assert_eq!([of(0), of(7), of(40), of(300_000)], [[0; 0]; 4]);
    assert_eq!(of(u64::MAX).len(), 4, "nothing overflows");
    assert_eq!([above(315_487), above(99), above(0), above(1_000_000)], [320_000, 100, 1, 1_100_000]);
}
