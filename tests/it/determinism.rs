//! Same seed, same run: twice in a process, side by side, in another process, from a scenario's text, in a clone.
//!
//! Debug against release, and machine against machine, need two builds: `.ci/run` compares those.

use std::process::Command;

use squall_scenarios::log::Detail;
use squall_scenarios::run::{self, Outcome, RunOptions};
use squall_scenarios::script;
use squall_sim::choice::Unheeded;
use squall_sim::scenario::{self, Scenario};
use squall_sim::trace::{Record, Trace};
use squall_sim::{Choice, Time, Verdict};

use crate::worlds::{cluster, storm};

/// The storms that are compared.
const SEEDS: [u64; 4] = [2, 11, 13, 29];
const NOTHING: RunOptions = options(false, false);
const RECORD: RunOptions = options(false, true);
const TRACE: RunOptions = options(true, false);

const fn options(keep_trace: bool, record: bool) -> RunOptions {
    RunOptions {
        keep_trace,
        record,
        log: Detail::Nothing,
        events_max: None,
        catch: None,
        keep_going: false,
        ignored: Vec::new(),
    }
}

/// Prints the hashes, for the other process of the test below.
#[test]
fn a_seed_run_twice_is_the_same_run_and_another_seed_is_another() {
    let mut hashes = Vec::new();
    for seed in SEEDS {
        let once = run_seed(seed, &NOTHING);
        // What is allocated in between moves everything to other addresses.
        let ballast: Vec<Vec<u8>> = (0..1_000).map(|size| vec![0; size * 7 % 1_013]).collect();
        let again = run_seed(seed, &NOTHING);
        drop(ballast);
        assert_eq!(facts(&once), facts(&again), "storm seed {seed}");
        println!("{}", hash_line(seed, once.hash));
        hashes.push(once.hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), SEEDS.len(), "seeds that differ have runs that differ");
}

#[test]
fn a_seed_is_the_same_run_in_another_process() {
    let program = std::env::current_exe().expect("a running test knows its own program");
    let test = "determinism::a_seed_run_twice_is_the_same_run_and_another_seed_is_another";
    let output = Command::new(program)
        .args([test, "--exact", "--nocapture"])
        .env_clear()
        .current_dir(std::env::temp_dir())
        .output()
        .expect("a program that runs can be run again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    for seed in SEEDS {
        let line = hash_line(seed, run_seed(seed, &NOTHING).hash);
        assert!(said.contains(&line), "here `{line}`; the other process said:\n{said}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "that threads make no difference is what is tested")]
fn runs_side_by_side_do_not_touch_each_other() {
    let alone = SEEDS.map(|seed| run_seed(seed, &NOTHING).hash);
    let together = std::thread::scope(|scope| {
        let threads = SEEDS.map(|seed| scope.spawn(move || run_seed(seed, &NOTHING).hash));
        threads.map(|thread| thread.join().expect("a seed that ran alone runs beside others"))
    });
    assert_eq!(alone, together);
}

#[test]
fn a_recorded_run_is_the_same_again_from_its_text_without_the_seed() {
    for seed in SEEDS {
        let unrecorded = run_seed(seed, &NOTHING);
        let recorded = run_seed(seed, &RECORD);
        assert_eq!(facts(&recorded), facts(&unrecorded), "recording changes nothing; seed {seed}");

        let scenario = reread(&recorded);
        let replayed = run::replay(&scenario, &NOTHING).expect("what was run can be run");
        assert_eq!(facts(&replayed), facts(&recorded), "storm seed {seed}");
        assert_eq!(run::compare(&scenario, &replayed), Ok(()), "storm seed {seed}");
        assert_eq!(
            replayed.unheeded,
            Unheeded::default(),
            "all that was decided is asked for; storm seed {seed}"
        );
        assert_eq!(script::check_effects(&scenario), Ok(()), "storm seed {seed}");
    }
}

/// A reader of scenarios refuses the others, so that a misspelt one is not passed over in silence.
#[test]
fn what_a_storm_decides_has_names_that_a_scenario_may_use() {
    for seed in 0..20 {
        let scenario = run_seed(seed, &RECORD).scenario.expect("it was recorded");
        if let Err(misfit) = script::plan_of(&scenario) {
            panic!("seed {seed}: {misfit:?}");
        }
    }
}

#[test]
fn a_client_of_a_scenario_decides_nothing_that_the_workload_does_not_ask_for() {
    let text = "squall-scenario 1\nprocesses count=3\nclient c0#1 knid=2";
    let scenario = scenario::parse(text, "x.scn").expect("well-formed");
    let misfit = script::plan_of(&scenario).expect_err("it is misspelt");
    let said = misfit.at(text, "x.scn").to_string();
    assert!(
        said.starts_with("x.scn:3:8: decision `client c0#1`: `knid` is not known; expected one of"),
        "{said}"
    );
}

#[test]
fn a_run_without_one_of_its_faults_is_the_same_up_to_that_fault_and_still_holds() {
    for seed in SEEDS {
        let scenario = reread(&run_seed(seed, &RECORD));
        let (whole, safety_us) = traced(&scenario);
        for place in [0, scenario.events.len() / 2] {
            let mut fewer = scenario.clone();
            fewer.expected = None;
            fewer.hash = None;
            let Time(removed_at) = fewer.events.remove(place).at;
            let (without, _) = traced(&fewer);
            let before = |trace: &Trace| -> Vec<Record> {
                trace.records.iter().copied().take_while(|record| record.time_us < removed_at).collect()
            };
            assert_eq!(before(&whole), before(&without), "storm seed {seed}, fault {place}");
            let struck = removed_at < safety_us;
            assert_eq!(whole.hash != without.hash, struck, "storm seed {seed}, fault {place}");
        }
    }
}

#[test]
fn a_clone_goes_its_own_way_to_the_same_end() {
    for seed in &SEEDS[..2] {
        let mut choice = Choice::from_seed(*seed);
        let mut original = cluster(storm().resolve(&mut choice), choice);
        assert!(original.run_until(Time(20_000_000)), "it goes on for longer than that");
        let mut clone = original.clone();
        // By turns, so that what they shared would show.
        while original.step() {
            assert!(clone.step(), "storm seed {seed}: the clone ended at {}", clone.now());
        }
        assert!(!clone.step(), "storm seed {seed}: the clone goes on after {}", clone.now());
        assert_eq!(clone.result(), original.result(), "storm seed {seed}");
        assert_eq!(original.result().hash, run_seed(*seed, &NOTHING).hash, "storm seed {seed}");
    }
}

fn run_seed(seed: u64, options: &RunOptions) -> Outcome {
    run::run_seed(&storm(), seed, options)
}

/// The recorded scenario after a way through its text.
fn reread(outcome: &Outcome) -> Scenario {
    let scenario = outcome.scenario.as_ref().expect("it was recorded");
    let text = scenario.to_string();
    let read = scenario::parse(&text, "recorded.scn").expect("what is written can be read");
    assert_eq!(&read, scenario);
    read
}

/// The trace of a run that must pass, and the length of its safety phase.
fn traced(scenario: &Scenario) -> (Trace, u64) {
    let outcome = run::replay(scenario, &TRACE).expect("what was run can be run");
    assert_eq!(outcome.verdict, Verdict::Passed, "{:?}", scenario.notes);
    (outcome.trace.expect("it was kept"), outcome.safety_us)
}

/// All that two equal runs have in common.
fn facts(outcome: &Outcome) -> impl PartialEq + std::fmt::Debug + use<> {
    let Outcome {
        verdict,
        also_fired,
        hash,
        events,
        virtual_us,
        safety_us,
        operations,
        marks,
        parameters,
        ..
    } = outcome.clone();
    (verdict, also_fired, hash, events, virtual_us, safety_us, operations, marks, parameters)
}

fn hash_line(seed: u64, hash: u128) -> String {
    format!("storm seed {seed} has hash {hash:032x}")
}
