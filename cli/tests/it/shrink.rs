//! `squall shrink`: what is left of a failure, and that it still fails.

use std::fs;
use std::process::{Command, Stdio};

use crate::{file, finish, folder, json, path, refused, succeed};

/// A storm whose liveness phase is too short for anybody, with a lot that has no part in it.
const TOO_SHORT: &str = "squall-scenario 1\n\
    # Nobody comes to rest in a millisecond.\n\
    cluster voters=4\n\
    workload think_mean=5ms\n\
    processes count=5\n\
    network delay_mean=3ms loss=1/10\n\
    clients count=3 delay_min=5ms\n\
    limits safety=2s liveness=1ms core_size=3 liveness_operations=1\n\
    e1 @300ms crash n1 kind=power outage=500ms\n\
    e2 @1234567us partition isolate=n2 for=345678us\n\
    net n0>n1#1 delay=1234\n\
    net n0>n2#2 loss=1\n\
    expect failed Liveness\n";

#[test]
fn a_failure_becomes_a_few_lines_that_fail_alike_and_a_test_that_fails_until_it_is_mended() {
    let (whole, folder) = (file("too-short.scn", TOO_SHORT.as_bytes()), folder("too-short-left"));
    let (small, test) = (format!("{folder}/small.scn"), format!("{folder}/test.scn"));
    let report = json(&["shrink", &whole, "-o", &small, "--test", &test, "--json"]);
    assert_eq!((report["class"].as_str(), report["complete"].as_bool()), (Some("Liveness"), Some(true)));
    assert_eq!((report["events"][0].as_u64(), report["events"][1].as_u64()), (Some(4), Some(0)));

    let text = fs::read_to_string(&small).expect("it was written");
    assert_eq!(report["scenario"].as_str(), Some(text.as_str()));
    assert!(text.lines().count() <= 8 && text.contains("liveness=1ms"), "{text}");
    assert!(text.ends_with("expect failed Liveness\n"), "{text}");
    let again = succeed(1, &["replay", &small]);
    assert!(again.contains("FAILED Liveness") && !again.contains("expects"), "{again}");
    let mended = succeed(1, &["replay", &test]);
    assert!(mended.contains("the scenario expects `passed`"), "{mended}");
    let story = fs::read(&test).expect("it was written");
    let said = refused(&["shrink", &whole, "-o", &small, "--test", &test]);
    assert!(said.contains("test.scn is there already, and a test is not overwritten"), "{said}");
    assert_eq!(fs::read(&test).expect("it is there"), story);
}

#[test]
fn the_same_is_left_whatever_the_number_of_jobs() {
    let whole = file("too-short-jobs.scn", TOO_SHORT.as_bytes());
    let left = ["1", "3"].map(|jobs| {
        let small = path(&format!("too-short-{jobs}.scn"));
        succeed(0, &["shrink", &whole, "-o", &small, "--jobs", jobs]);
        fs::read_to_string(&small).expect("it was written")
    });
    assert_eq!(left[0], left[1]);
}

#[test]
fn when_there_is_no_time_the_whole_is_left_and_fails() {
    let (whole, small) = (file("too-short-whole.scn", TOO_SHORT.as_bytes()), path("too-short-left.scn"));
    let report = json(&["shrink", &whole, "-o", &small, "--time", "1ms", "--json"]);
    assert_eq!(report["complete"].as_bool(), Some(false));
    succeed(1, &["replay", &small]);
}

#[test]
fn without_a_name_it_goes_to_one_that_tells_what_it_is_and_nothing_is_overwritten() {
    let folder = folder("shrink-unnamed");
    let whole = file("shrink-unnamed/short.scn", TOO_SHORT.as_bytes());
    let shrink = |test: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
        command.args(["shrink", &whole, "--test", test]).current_dir(&folder);
        finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    };
    assert_eq!(shrink("test.scn").status.code(), Some(0));
    let small = format!("{folder}/short-Liveness.scn");
    let before = fs::read(&small).expect("it was written under its own name");
    assert!(fs::exists(format!("{folder}/test.scn")).expect("the folder can be read"));
    let again = shrink("another.scn");
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("short-Liveness.scn is there already"));
    assert_eq!(fs::read(&small).expect("it is there"), before);
}

#[test]
fn what_does_not_fail_is_refused() {
    let small = path("nothing.scn");
    let said = refused(&["shrink", "--profile", "lite", "--seed", "1", "-o", &small]);
    assert!(said.contains("seed 1 of lite does not fail: there is nothing to shrink"), "{said}");
    let said = refused(&["shrink", "-o", &small]);
    assert!(said.contains("FILE.scn") || said.contains("--seed"), "{said}");
    let whole = file("itself.scn", TOO_SHORT.as_bytes());
    let said = refused(&["shrink", &whole, "-o", &whole]);
    assert!(said.contains("are the same file"), "{said}");
}

#[test]
fn what_is_ignored_does_not_fail_and_is_named_all_the_same() {
    let whole = file("too-short-ignored.scn", TOO_SHORT.as_bytes());
    let report = json(&["replay", &whole, "--ignore", "spec,Liveness", "--json"]);
    assert_eq!(
        (report["verdict"].as_str(), report["also_fired"][0].as_str()),
        (Some("passed"), Some("Liveness"))
    );
    succeed(1, &["replay", &whole, "--ignore", "spec,LogMatching"]);
    let said = refused(&["replay", &whole, "--ignore", "Livenes"]);
    assert!(said.contains("perhaps Liveness?"), "{said}");
}
