//! Every scenario beside the code still ends as it says: the bugs that were found (`scenarios/found`), each in a few
//! lines, and the stories that teach (`scenarios/cases`).
//!
//! A new file in one of the two folders is a new test. What it must hold: prose on top, an `expect` line, and for each
//! note `reached: <mark>` that mark, so that a story which has quietly stopped happening is noticed. For the same reason
//! each fault that waits for something must have struck, and each step of a search must have been taken. A hash is compared where one is stated; a found bug states none,
//! since the hash changes with the code and the verdict must not.

use std::path::Path;
use std::{fs, panic};

use squall_scenarios::marks;
use squall_scenarios::run::{self, Outcome, RunOptions};
use squall_scenarios::script;
use squall_sim::scenario::{self, Expected, Scenario};

/// A story that needs more lines than this is not minimal.
const FOUND_LINES_MAX: usize = 60;

#[test]
fn every_bug_that_was_found_stays_fixed() {
    check_folder("scenarios/found", |scenario, text| {
        if scenario.expected != Some(Expected::Passed) {
            return Err("a bug that was found is fixed: state `expect passed`".to_owned());
        }
        if scenario.hash.is_some() {
            return Err(
                "it states a hash, which every change of the code changes: take the line out".to_owned()
            );
        }
        match text.lines().count() {
            lines if lines > FOUND_LINES_MAX => Err(format!("{lines} lines; shrink it to {FOUND_LINES_MAX}")),
            _ => Ok(()),
        }
    });
}

#[test]
fn every_case_goes_as_it_is_told() {
    check_folder("scenarios/cases", |scenario, _| {
        let names_a_mark = scenario.notes.iter().any(|note| mark_of(note).is_some());
        names_a_mark.then_some(()).ok_or_else(|| "no note says what is `reached: `".to_owned())
    });
}

#[test]
fn a_planted_bug_that_names_a_scenario_names_one_that_is_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut named = 0;
    for entry in fs::read_dir(root.join("zoo")).expect("the folder is part of the repository") {
        let path = entry.expect("its entries can be read").path();
        let text = fs::read_to_string(&path).expect("a patch can be read");
        for name in text.lines().filter_map(|line| line.strip_prefix("# scenario: ")) {
            assert!(root.join(name).is_file(), "{}: there is no scenarios/{name}", path.display());
            named += 1;
        }
    }
    assert!(named > 0, "no planted bug names a scenario");
}

#[test]
fn a_scenario_that_ends_otherwise_than_it_says_is_told_apart() {
    let text = "squall-scenario 1\n# Nothing happens.\nclients count=0\nlimits safety=2s\n";
    let complaint =
        |more: &str| check("quiet.scn", &format!("{text}{more}")).expect_err("it is not as stated");
    assert_eq!(check("quiet.scn", &format!("{text}expect passed\n")), Ok(()));
    assert!(complaint("").contains("state what is expected"));
    assert!(complaint("expect failed ElectionSafety\n").contains("the run passed"));
    let stale = format!("expect passed\nhash {:032x}\n", 7);
    assert!(
        complaint(&stale).contains("if the change is meant, replace the line by"),
        "{}",
        complaint(&stale)
    );
    let missed = format!("{text}e1 @n1:leads#99 rot n0\nexpect passed\n");
    let missed = check("quiet.scn", &missed).expect_err("nobody is elected so often");
    assert!(missed.starts_with("e1 did not strike: `n1:leads#99` was not reached"), "{missed}");
    for (faults, idle) in [
        (
            "e1 @1s crash n0 kind=power outage=60s\ne2 @1100ms pause n0 for=1s clock=running",
            "e2 did nothing: its process was down",
        ),
        (
            "e1 @1s crash-all kind=power outage=60s\ne2 @1100ms partition isolate=most-prominent for=1s",
            "e2 did nothing: no process was up",
        ),
        ("e1 @1s partition split=n0,n1,n2 for=1s", "e1 did nothing: there is no link that it would cut"),
        (
            "e1 @1s lose-disk n0 outage=60s\ne2 @1100ms lose-disk n1 outage=1s",
            "e2 did nothing: the fault budget spares what it would strike",
        ),
        (
            "e1 @1s crash n0 kind=power after-disk-operations=1000000 outage=1s",
            "e1 did nothing: its disk did not complete so many operations before its process ended, or the storm",
        ),
        (
            "e1 @1s crash n0 kind=power after-disk-operations=1000000 outage=1s\ne2 @1100ms crash n0 kind=power outage=1s",
            "e1 did nothing: its disk did not complete so many operations before its process ended, or the storm",
        ),
        (
            "e1 @1s crash n0 kind=power after-disk-operations=9 outage=1s\ne2 @1s crash n0 kind=power after-disk-operations=9 outage=1s",
            "e1 did nothing: another crash that waits for the same disk took its place; e2 did nothing: its disk did not complete so many operations before its process ended, or the storm",
        ),
        (
            "e1 @1s crash n0 kind=power outage=60s\ne2 @1100ms crash n0 kind=power after-disk-operations=1 outage=1s",
            "e2 did nothing: its process was down",
        ),
        (
            "e1 @1s disk-error n0 of=read after=1000000 times=1 for=500ms outage=1s",
            "e1 did nothing: no operation of that sort was begun in its time",
        ),
        (
            "e1 @1s old-image n0 for=60s outage=1s",
            "e1 did nothing: the storm was over before the rest of it came",
        ),
    ] {
        assert_eq!(check("quiet.scn", &format!("{text}{faults}\nexpect passed\n")), Err(idle.to_owned()));
    }
    let steps = "squall-scenario 1\n# An election.\nexplore nodes=3\ns1 campaign n0\ns2 persisted n0\ns3 deliver n0>n1#1\n";
    let check_steps = |text: &str| check("steps.scn", &format!("{text}expect passed\n"));
    assert_eq!(check_steps(steps), Ok(()));
    let untaken = check_steps(&steps.replace("n1#1", "n1#9")).expect_err("it sends one");
    assert_eq!(untaken, "s3 was not taken: `deliver n0>n1#9`, and n0 has sent n1 one message so far");
    let late =
        check("quiet.scn", &format!("{text}e1 @2s rot n0\nexpect passed\n")).expect_err("it ends before");
    assert!(late.starts_with("quiet.scn:5:4: event e1: it would strike when the storm is over"), "{late}");
    let unreached = text.replace("Nothing happens.", "reached: a disk stalled");
    let unreached = check("quiet.scn", &format!("{unreached}expect passed\n"));
    assert_eq!(unreached, Err("it does not reach the mark `a disk stalled` any more".to_owned()));
    let unknown = text.replace("Nothing happens.", "reached: the moon");
    let unknown = check("quiet.scn", &format!("{unknown}expect passed\n"));
    assert_eq!(unknown, Err("no mark is called `the moon`".to_owned()));
}

/// Checks every scenario of a folder, by the rules of all and by one of its own; fails with all that is wrong.
fn check_folder(folder: &str, rule: impl Fn(&Scenario, &str) -> Result<(), String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names: Vec<String> = fs::read_dir(root.join(folder))
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("its entries can be read").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".scn"))
        .collect();
    names.sort_unstable();
    assert!(!names.is_empty(), "{folder} holds no scenario");
    let mut complaints = Vec::new();
    for name in names {
        let path = format!("{folder}/{name}");
        let text = fs::read_to_string(root.join(&path)).expect("a scenario can be read");
        let result = read(&path, &text).and_then(|scenario| rule(&scenario, &text));
        if let Err(what) = result.and_then(|()| check(&path, &text)) {
            complaints.push(format!("{path}: {what}\n    cargo run -p squall -- replay {path} -v"));
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn read(file: &str, text: &str) -> Result<Scenario, String> {
    scenario::parse(text, file).map_err(|error| error.to_string())
}

/// What all scenarios must hold.
fn check(file: &str, text: &str) -> Result<(), String> {
    let scenario = read(file, text)?;
    if scenario.notes.is_empty() {
        return Err("tell the story in notes on top".to_owned());
    }
    if scenario.expected.is_none() {
        return Err("state what is expected, as `expect passed`".to_owned());
    }
    script::check_effects(&scenario).map_err(|misfit| misfit.at(text, file).to_string())?;
    let outcome = panic::catch_unwind(|| run::replay(&scenario, &RunOptions::default()))
        .map_err(|_| "the run panicked; what it said stands above".to_owned())?
        .map_err(|misfit| misfit.at(text, file).to_string())?;
    if !outcome.missed.is_empty() {
        return Err(outcome.missed.join("; "));
    }
    run::compare(&scenario, &outcome).map_err(|what| refreshed(&scenario, &outcome, what))?;
    scenario.notes.iter().filter_map(|note| mark_of(note)).try_for_each(|mark| check_mark(mark, &outcome))
}

/// A hash that differs may be meant: then the file is refreshed.
fn refreshed(scenario: &Scenario, outcome: &Outcome, what: String) -> String {
    match scenario.hash {
        Some(hash) if hash != outcome.hash => {
            format!("{what}; if the change is meant, replace the line by `hash {:032x}`", outcome.hash)
        }
        Some(_) | None => what,
    }
}

/// The mark that a note asks for.
fn mark_of(note: &str) -> Option<&str> {
    note.trim().strip_prefix("reached: ")
}

fn check_mark(mark: &str, outcome: &Outcome) -> Result<(), String> {
    let place =
        marks::all().position(|known| known == mark).ok_or_else(|| format!("no mark is called `{mark}`"))?;
    let is_reached = outcome.marks[place];
    is_reached.then_some(()).ok_or_else(|| format!("it does not reach the mark `{mark}` any more"))
}
