//! The stranger's runs repeat, a broken adapter is caught, and what cannot be served is refused.

use std::fs;
use std::path::Path;

use squall_scenarios::profile::{self, Profile};
use squall_scenarios::run::{self as storm, Outcome, RunOptions};
use squall_sim::{Verdict, scenario};

use crate::run;
use crate::setup::{Fault, Manners};
use crate::sweep::sweep;

const STRANGER: &str = include_str!("../profiles/stranger.toml");

fn stranger() -> Profile {
    profile::parse(STRANGER, "stranger").expect("it can be read")
}

fn run(seed: u64, manners: Manners) -> Outcome {
    run::run_seed(&stranger(), seed, manners, &RunOptions::default())
        .expect("the profile is the stranger's own")
}

/// The classes that come first in the first so many seeds, where the adapter fails in this duty.
fn classes_of(fault: Fault, seeds: u64) -> Vec<&'static str> {
    let manners = Manners { fault: Some(fault), ..Manners::default() };
    let class = |seed| match run(seed, manners).verdict {
        Verdict::Failed(violation) => Some(violation.class),
        Verdict::Passed | Verdict::Inconclusive(_) => None,
    };
    (0..seeds).filter_map(class).collect()
}

#[test]
fn a_seed_is_the_same_run_whenever_it_is_run() {
    for seed in 0..4 {
        let [first, second] = [0; 2].map(|_| run(seed, Manners::default()));
        assert_eq!((first.hash, first.events), (second.hash, second.events), "seed {seed}");
        assert_eq!(first.verdict, Verdict::Passed, "seed {seed}");
    }
}

#[test]
fn an_adapter_that_speaks_before_the_sync_is_caught() {
    assert_eq!(classes_of(Fault::SpeaksBeforeSync, 2), ["AcknowledgedIsDurable"; 2]);
}

#[test]
fn an_adapter_that_does_not_write_its_vote_is_caught() {
    assert_eq!(classes_of(Fault::ForgetsVote, 2), ["AcknowledgedIsDurable"; 2]);
}

#[test]
fn an_adapter_that_reads_without_asking_the_others_is_caught() {
    let classes = classes_of(Fault::AsksNobody, 4);
    assert!(!classes.is_empty() && classes.iter().all(|class| *class == "StaleRead"), "{classes:?}");
}

#[test]
fn what_the_stranger_cannot_serve_is_refused_and_named() {
    let storm = profile::load("storm").expect("it is built in");
    let refused = sweep(&storm, 0, 8, Manners::default()).expect_err("it has witnesses and sessions");
    assert!(refused.contains("expected"), "{refused}");
    let rotting = STRANGER.replace("rot = \"0/1\"", "rot = \"1/1\"");
    let rotting = profile::parse(&rotting, "rotting").expect("it can be read");
    let refused = run::run_seed(&rotting, 0, Manners::default(), &RunOptions::default());
    let refused = refused.map(|outcome| outcome.verdict).expect_err("disks rot");
    assert_eq!(refused, "seed 0: a disk rots; the crate repairs no disk: expected \"0/1\" in `swarm`");
}

#[test]
fn every_scenario_of_the_stranger_is_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry can be read").path();
        let (text, file) =
            (fs::read_to_string(&path).expect("a scenario is text"), path.display().to_string());
        let scenario = scenario::parse(&text, &file).expect("it can be read");
        let outcome = run::replay(&scenario, (&text, &file), Manners::default(), &RunOptions::default())
            .expect("it makes sense");
        assert_eq!(storm::compare(&scenario, &outcome), Ok(()), "{file}");
        count += 1;
    }
    assert!(count > 0);
}
