//! The `squall` program as its users meet it: exit codes, what is printed where, files that come back.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn squall(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.args(arguments).current_dir(env!("CARGO_TARGET_TMPDIR")).output().expect("the program was built")
}

/// Runs a command that must end with this exit code, and returns its standard output.
fn succeed(code: i32, arguments: &[&str]) -> String {
    let output = squall(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("reports are text")
}

/// Runs a command that must be refused, and returns what it says.
fn refused(arguments: &[&str]) -> String {
    let output = squall(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}: a refusal prints nothing on standard output");
    String::from_utf8(output.stderr).expect("refusals are text")
}

fn json(arguments: &[&str]) -> Value {
    let text = succeed(0, arguments);
    assert_eq!(text.lines().count(), 1, "one object and nothing else: {text}");
    serde_json::from_str(&text).expect("--json prints JSON")
}

fn file(name: &str, content: &[u8]) -> String {
    let path = path(name);
    fs::write(&path, content).expect("the folder for temporary files can be written");
    path
}

fn path(name: &str) -> String {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name).display().to_string()
}

#[test]
fn wrong_arguments_are_refused_with_what_would_be_right() {
    for (arguments, right) in [
        (&["storm"][..], "subcommand"),
        (&["sweep", "--seeds", "0"], "1.."),
        (&["sweep", "--jobs", "0"], "1.."),
        (&["sweep", "--time", "60"], "with its unit"),
        (&["sweep", "--shard", "3/2"], "1 <= I <= N"),
        (&["sweep", "--start", "tuesday"], "40 hexadecimal digits"),
        (&["run"], "--seed"),
        (&["run", "--seed", "-1"], "--seed"),
        (&["replay"], "FILE.scn"),
        (&["diff", "a.trace"], "RIGHT"),
    ] {
        let said = refused(arguments);
        assert!(said.contains(right), "{arguments:?}: {said}");
    }
}

#[test]
fn a_profile_that_does_not_exist_is_refused_by_its_name() {
    for command in [&["sweep", "--profile", "breeze"][..], &["run", "--profile", "breeze", "--seed", "1"]] {
        let said = refused(command);
        assert!(said.contains("breeze") && said.contains("storm"), "{said}");
    }
}

#[test]
fn a_profile_that_is_not_toml_is_refused_by_its_file() {
    let profile = file("garbage.toml", b"[network\nloss = many");
    assert!(refused(&["run", "--profile", &profile, "--seed", "1"]).contains("garbage.toml"));
}

#[test]
fn a_scenario_that_is_missing_or_garbage_is_refused_by_its_file() {
    assert!(refused(&["replay", "nowhere.scn"]).contains("nowhere.scn cannot be read"));
    let garbage = file("garbage.scn", b"once upon a time");
    assert!(refused(&["replay", &garbage]).contains("garbage.scn"));
    let bytes = file("bytes.scn", &[0xff, 0xfe, 0x00]);
    assert!(refused(&["replay", &bytes]).contains("not text"));
}

#[test]
fn a_trace_that_is_garbage_is_refused_by_its_file() {
    let garbage = file("garbage.trace", b"once upon a time");
    assert!(refused(&["diff", &garbage, &garbage]).contains("garbage.trace"));
}

#[test]
fn the_zoo_opens_only_where_there_are_sources() {
    let output = Command::new(env!("CARGO_BIN_EXE_squall"))
        .arg("zoo")
        .current_dir("/")
        .output()
        .expect("it was built");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no checkout"));
}

#[test]
fn a_sweep_as_json_has_every_field_that_scripts_rely_on() {
    let report = json(&["sweep", "--profile", "lite", "--seeds", "3", "--start", "5", "--json"]);
    assert_eq!(
        (&report["profile"], &report["seeds"], &report["passed"]),
        (&"lite".into(), &3.into(), &3.into())
    );
    assert_eq!((&report["failed"], &report["inconclusive"]), (&Value::Array(Vec::new()), &0.into()));
    assert_eq!(report["hash"].as_str().map(str::len), Some(32));
    assert!(report["marks"].as_object().is_some_and(|marks| !marks.is_empty()));
    for number in [
        "virtual_seconds",
        "median_safety_seconds",
        "wall_seconds",
        "events",
        "operations",
        "median_operations",
        "events_per_second_per_job",
        "virtual_per_wall",
    ] {
        assert!(report[number].as_f64().is_some_and(|number| number > 0.0), "{number} in {report}");
    }
}

#[test]
fn the_hash_of_a_sweep_is_the_same_for_any_number_of_jobs_and_another_for_other_seeds() {
    let hash = |jobs, start| {
        let sweep =
            json(&["sweep", "--profile", "lite", "--seeds", "4", "--jobs", jobs, "--start", start, "--json"]);
        sweep["hash"].clone()
    };
    assert_eq!(hash("1", "0"), hash("3", "0"));
    assert_ne!(hash("1", "0"), hash("1", "4"));
}

#[test]
fn a_sweep_for_a_person_ends_with_what_it_means() {
    let report = succeed(0, &["sweep", "--profile", "lite", "--seeds", "2"]);
    assert!(report.contains("2 passed"), "{report}");
    assert!(report.contains("All invariants held."), "{report}");
}

#[test]
fn a_sweep_of_one_seed_that_requires_every_mark_fails_by_the_names_of_those_not_reached() {
    let output = squall(&["sweep", "--profile", "lite", "--seeds", "1", "--start", "5", "--require-marks"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("never reached: "));
}

#[test]
fn a_sweep_bounded_by_time_alone_ends() {
    let sweep = json(&["sweep", "--profile", "lite", "--time", "1ms", "--jobs", "2", "--json"]);
    assert!(sweep["wall_seconds"].as_f64().is_some_and(|seconds| seconds < 60.0), "{sweep}");
    assert_eq!(sweep["passed"], sweep["seeds"]);
}

#[test]
fn a_run_as_json_tells_its_verdict_and_its_resolved_parameters() {
    let run = json(&["run", "--profile", "lite", "--seed", "7", "--json"]);
    assert_eq!((&run["seed"], &run["verdict"]), (&7.into(), &"passed".into()));
    assert!(run["parameters"].as_object().is_some_and(|parameters| !parameters.is_empty()), "{run}");
    assert!(run["events"].as_u64().is_some_and(|events| events > 0), "{run}");
}

#[test]
fn a_run_emitted_as_a_scenario_replays_to_the_same_hash() {
    let scenario = path("emitted.scn");
    let run = json(&["run", "--profile", "lite", "--seed", "7", "--emit", &scenario, "--json"]);
    let replay = json(&["replay", &scenario, "--json"]);
    assert_eq!(run["hash"], replay["hash"]);
    assert_eq!(run["verdict"], replay["verdict"]);
}

#[test]
fn traces_of_one_seed_are_the_same_and_of_two_seeds_differ() {
    let [once, again, other] = ["once.trace", "again.trace", "other.trace"].map(path);
    for (seed, trace) in [("7", &once), ("7", &again), ("8", &other)] {
        succeed(0, &["run", "--profile", "lite", "--seed", seed, "--trace", trace]);
    }
    assert!(succeed(0, &["diff", &once, &again]).starts_with("the same"));
    assert!(succeed(1, &["diff", &once, &other]).contains("first difference"));
}

#[test]
fn a_file_that_cannot_be_written_is_refused_by_its_name() {
    assert!(
        refused(&["run", "--profile", "lite", "--seed", "7", "--emit", "nowhere/a.scn"])
            .contains("nowhere/a.scn")
    );
}
