//! The example `primary_backup` in its storm: it holds, and each bug that can be planted is found, replayed and shrunk.

#[path = "../../examples/primary_backup/codec.rs"]
mod codec;
#[path = "../../examples/primary_backup/oracle.rs"]
mod oracle;
#[path = "../../examples/primary_backup/process.rs"]
mod process;
#[path = "../../examples/primary_backup/run.rs"]
mod run;
#[path = "../../examples/primary_backup/storage.rs"]
mod storage;
#[path = "../../examples/primary_backup/workload.rs"]
mod workload;

use squall_sim::scenario;
use squall_sim::shrink::Size;
use squall_sim::{Choice, RunResult, Verdict};

use process::{Bug, MARKS};

/// The first seeds that are looked at.
const SEEDS: u64 = 1_000;

fn verdict(text: &str, bug: Option<Bug>) -> RunResult {
    run::system(bug).replay(text, "the test").expect("it can be run").result
}

fn class(result: &RunResult) -> &'static str {
    match &result.verdict {
        Verdict::Passed => "passed",
        Verdict::Failed(violation) => violation.class,
        Verdict::Inconclusive(reason) => panic!("{reason}"),
    }
}

#[test]
fn the_sound_protocol_holds_and_its_storm_reaches_what_it_must() {
    let system = run::system(None);
    let tally = system.sweep(0..100);
    assert!(tally.holds(), "{tally}");
    let never: Vec<&str> = tally.never().filter(|name| MARKS.contains(name)).collect();
    assert!(never.is_empty(), "{never:?}");
    for seed in 0..5 {
        assert_eq!(system.record(seed).result, system.run(seed), "seed {seed}: recording changes nothing");
    }
}

#[test]
fn each_planted_bug_is_found_and_replayed_and_shrunk() {
    for (name, bug) in Bug::ALL {
        // Each oracle is the first to see one of them.
        let expected = match bug {
            Bug::AcknowledgesEarly => "AcknowledgedIsDurable",
            Bug::SendsFirst => "OneHistory",
            Bug::ReadsMemory => "Linearizability",
        };
        let system = run::system(Some(bug));
        let fails = |seed: &u64| class(&system.run(*seed)) == expected;
        let seed = (0..SEEDS).find(fails).unwrap_or_else(|| panic!("{name} is not found in {SEEDS} seeds"));
        let failed = system.record(seed);
        let again = verdict(&failed.scenario.to_string(), Some(bug));
        assert_eq!(again, failed.result, "{name}, seed {seed}, from its scenario");

        let small = system.shrink(&failed).expect("it failed").scenario;
        assert!(Size::of(&small).events <= 10, "{name}, seed {seed}:\n{small}");
        let small = small.to_string();
        assert_eq!(class(&verdict(&small, Some(bug))), expected, "{name}:\n{small}");
        assert_eq!(class(&verdict(&small, None)), "passed", "{name}: the sound protocol survives it");
    }
}

#[test]
fn a_story_told_with_an_anchor_needs_no_seed() {
    let text = include_str!("../../examples/primary_backup/acknowledged-and-lost.scn");
    let careless = verdict(text, Some(Bug::AcknowledgesEarly));
    assert_eq!((class(&careless), &careless.missed[..]), ("AcknowledgedIsDurable", &[][..]));
    let sound = verdict(text, None);
    assert_eq!((class(&sound), &sound.missed[..]), ("passed", &[][..]));
}

#[test]
fn the_two_serve_once_they_are_up_and_one_alone_does_not() {
    let end_of_storm = |limits: &str| {
        let text = format!(
            "squall-scenario 1\n\
             processes count=2\n\
             limits safety=1s liveness=5s liveness_operations=5 {limits}\n\
             e1 @500ms partition isolate=n0 for=1000s\n"
        );
        let scenario = scenario::parse(&text, "the test").expect("it is a scenario");
        // Decisions are drawn, so that the clients write, too.
        run::system(None).rerun(&scenario, Choice::from_seed(1)).expect("it can be run").result
    };
    assert_eq!(class(&end_of_storm("core_size=2")), "passed");
    assert_eq!(class(&end_of_storm("core_size=1")), "Liveness");
}

/// A text without the indentation of its lines.
fn flush(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<&str>>().join("\n")
}

#[test]
fn the_page_shows_the_code_and_the_scenario_as_they_are() {
    let page = include_str!("../../../docs/your-own-system.md");
    let sources = [
        include_str!("../../examples/primary_backup/main.rs"),
        include_str!("../../examples/primary_backup/oracle.rs"),
        include_str!("../../examples/primary_backup/process.rs"),
        include_str!("../../examples/primary_backup/run.rs"),
        include_str!("../../examples/primary_backup/storage.rs"),
        include_str!("../../examples/primary_backup/workload.rs"),
        include_str!("../../examples/tickets.rs"),
    ]
    .map(flush);
    let excerpts: Vec<&str> =
        page.split("```rust\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert!(excerpts.len() >= 5, "the page has {} excerpts", excerpts.len());
    for excerpt in excerpts {
        let is_there = sources.iter().any(|source| source.contains(&flush(excerpt)));
        assert!(is_there, "docs/your-own-system.md shows what the example does not hold:\n{excerpt}");
    }
    let shown_whole = [
        include_str!("../../examples/tickets.rs"),
        include_str!("../../examples/primary_backup/acknowledged-and-lost.scn"),
    ];
    assert!(shown_whole.iter().all(|text| page.contains(text)), "the page shows two files whole");
}
