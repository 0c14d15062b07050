//! `squall soak` and `squall merge`: stopped, resumed, shared among machines, and what comes out.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::{file, folder, refused, squall, succeed};

/// The profile `lite` in small, with other values for some keys.
fn profile(folder: &str, name: &str, changes: &[(&str, &str)]) -> String {
    let lite = include_str!("../../../scenarios/profiles/lite.toml");
    let small = [("safety_us", "[500_000, 1_000_000]"), ("session_clients", "0")];
    let changed = |line: &str| {
        let (key, _) = line.split_once(" = ")?;
        let (_, value) = changes.iter().chain(&small).find(|(changed, _)| *changed == key)?;
        Some(format!("{key} = {value}"))
    };
    let lines: Vec<String> =
        lite.lines().map(|line| changed(line).unwrap_or_else(|| line.to_owned())).collect();
    file(&format!("{folder}/{name}"), lines.join("\n").as_bytes())
}

/// A profile in which nobody comes to rest in time.
fn too_short(folder: &str) -> String {
    profile(folder, "too-short.toml", &[("liveness_us", "1_000")])
}

fn small(folder: &str) -> String {
    profile(folder, "small.toml", &[])
}

fn soak<'a>(state: &'a str, folder: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["soak", "--state", state, "--output", folder, "--shrink", "300ms"], more].concat()
}

fn read(state: &str) -> Value {
    let text = fs::read_to_string(state).expect("the state was written");
    serde_json::from_str(&text).expect("a state is JSON")
}

/// A state without what is measured, what the shards were, and the checksum over these.
fn totals(state: &str) -> Value {
    let mut state = read(state);
    state["checksum"] = Value::Null;
    for ledger in state["profiles"].as_array_mut().expect("profiles are a list") {
        ledger["busy_us"] = Value::Null;
        ledger["done"] = Value::Null;
        for finding in ledger["findings"].as_array_mut().expect("findings are a list") {
            finding["shrunk"] = Value::Null;
        }
    }
    state
}

#[test]
fn a_soak_that_is_stopped_and_resumed_or_shared_by_machines_knows_the_same_in_the_end() {
    let folder = folder("soak-shared");
    let (small, too_short) = (small(&folder), too_short(&folder));
    let profiles = format!("{small},{too_short}");
    let state = |name: &str| format!("{folder}/{name}.json");
    let (whole, stopped, merged) = (state("whole"), state("stopped"), state("merged"));
    let run = |state: &str, more: &[&str]| {
        let arguments = [&["--profile", &profiles, "--start", "5"], more].concat();
        succeed(1, &soak(state, &folder, &arguments))
    };
    run(&whole, &["--seeds", "9"]);
    run(&stopped, &["--seeds", "4", "--jobs", "1"]);
    run(&stopped, &["--time", "1ms"]);
    // What the state says need not be said again.
    let resumed = succeed(1, &soak(&stopped, &folder, &["--seeds", "9"]));
    assert!(resumed.starts_with("soak: 18 seeds from 5 on\n"), "{resumed}");
    assert_eq!(totals(&stopped), totals(&whole));

    let shards = ["1/2", "2/2"].map(|shard| {
        let state = state(&format!("shard-{}", &shard[..1]));
        run(&state, &["--seeds", "9", "--shard", shard]);
        state
    });
    let report = succeed(1, &["merge", &shards[0], &shards[1], "-o", &merged]);
    assert_eq!(totals(&merged), totals(&whole));
    assert!(report.starts_with("soak: 18 seeds from 5 on, all 2 shards\n"), "{report}");
    assert!(
        succeed(1, &["merge", &shards[1]])
            .starts_with("soak: 8 seeds from 5 on, of 2 shards only 2; not here: 1\n")
    );

    assert!(refused(&["merge", &shards[0], &whole]).contains("their seeds may be the same"));
    assert!(refused(&["merge", &merged, &shards[0]]).contains("shard 1/2 is in a state before it already"));
    assert!(refused(&["merge", &whole, &whole]).contains("is named twice as a state"));
    assert!(refused(&soak(&merged, &folder, &[])).contains("it is merged from 2 shards"));
}

#[test]
fn the_fastest_seed_of_each_class_is_shrunk_into_a_scenario_that_fails_alike() {
    let folder = folder("soak-shrunk");
    let (state, profile) = (format!("{folder}/soak.json"), too_short(&folder));
    let report = succeed(
        1,
        &soak(&state, &format!("{folder}/new/findings"), &["--profile", &profile, "--seeds", "6"]),
    );
    let known = read(&state);
    let finding = &known["profiles"][0]["findings"][0];
    assert_eq!((&finding["class"], &finding["seeds"]), (&"Liveness".into(), &6.into()));
    let events = |seed: u64| {
        let run = squall(&["run", "--profile", &profile, "--seed", &seed.to_string(), "--json"]);
        let run: Value = serde_json::from_slice(&run.stdout).expect("--json prints JSON");
        (run["events"].as_u64().expect("a run has events"), seed)
    };
    let (fewest, seed) = (0..6).map(events).min().expect("six seeds were run");
    assert_eq!((finding["fastest"].as_u64(), finding["events"].as_u64()), (Some(seed), Some(fewest)));

    let scenario = format!("{folder}/new/findings/too-short-Liveness-{seed}.scn");
    assert_eq!(finding["shrunk"]["file"], Value::from(scenario.as_str()));
    assert!(
        report.contains(&format!("FAILED Liveness, 6 seeds; seed {seed} is the fastest, after")),
        "{report}"
    );
    assert!(report.contains(&format!(" replay {scenario}\n")), "{report}");
    assert!(succeed(1, &["replay", &scenario]).contains("FAILED Liveness"));
    // It is not shrunk again, nor is anything else done; unless the file is gone.
    let again = || {
        let again = succeed(1, &soak(&state, &folder, &["--seeds", "6", "--json"]));
        serde_json::from_str::<Value>(&again).expect("--json prints JSON")
    };
    assert_eq!(again(), known);
    fs::remove_file(&scenario).expect("it was written");
    let moved = format!("{folder}/too-short-Liveness-{seed}.scn");
    assert_eq!(again()["profiles"][0]["findings"][0]["shrunk"]["file"], Value::from(moved.as_str()));
    assert!(succeed(1, &["replay", &moved]).contains("FAILED Liveness"));
}

#[test]
fn a_state_that_is_not_what_the_arguments_say_is_refused_and_stays() {
    let folder = folder("soak-disagrees");
    let (state, profile) = (format!("{folder}/soak.json"), small(&folder));
    succeed(
        0,
        &soak(&state, &folder, &["--profile", &profile, "--seeds", "2", "--start", "5", "--shard", "1/2"]),
    );
    let before = fs::read(&state).expect("it was written");
    for (arguments, said) in [
        (&["--start", "6"][..], "it was begun with --start 5, not 6; go on with that"),
        (&["--shard", "2/2"], "it was begun with --shard 1/2, not 2/2"),
        (&["--profile", "lite"], "it was begun with --profile "),
        (&["--profile", "lite,breeze"], "`breeze` is neither a profile"),
        (&["--profile", "lite,lite"], "two profiles are called lite"),
    ] {
        let refusal = refused(&soak(&state, &folder, arguments));
        assert!(refusal.contains(said), "{arguments:?}: {refusal}");
    }
    self::profile(&folder, "small.toml", &[("voters", "[3]"), ("count", "[7, 7]")]);
    let refusal = refused(&soak(&state, &folder, &[]));
    assert!(
        refusal.contains("or its seed 5 is another run on this machine; go on with the profile of then"),
        "{refusal}"
    );
    assert_eq!(fs::read(&state).expect("it is there"), before);
    assert!(!fs::exists(format!("{state}.lock")).expect("the folder can be read"), "its lock is gone");
}

#[test]
fn runs_of_two_programs_are_never_counted_together() {
    let folder = folder("soak-programs");
    let profile = small(&folder);
    let shard = |number: &str| format!("{folder}/shard-{number}.json");
    // The same program but for a byte that does nothing.
    let other = format!("{folder}/squall-other");
    fs::copy(env!("CARGO_BIN_EXE_squall"), &other).expect("the program can be copied");
    let arguments = |state: &str, shard: &str, seeds: &str| {
        let more = ["--profile", &profile, "--seeds", seeds, "--shard", shard];
        soak(state, &folder, &more).into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let run_other = |arguments: &[String]| {
        let mut command = std::process::Command::new(&other);
        let output = crate::finish(command.args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()));
        (output.status.code(), String::from_utf8(output.stderr).expect("words are text"))
    };
    let first = arguments(&shard("1"), "1/2", "2");
    succeed(0, &first.iter().map(String::as_str).collect::<Vec<&str>>());
    // A copy is the same program.
    assert_eq!(run_other(&arguments(&shard("1"), "1/2", "4")), (Some(0), String::new()));
    let mut bytes = fs::read(&other).expect("it was copied");
    bytes.push(0);
    fs::write(&other, bytes).expect("the copy can be written");
    let before = fs::read(shard("1")).expect("it was written");
    let (code, said) = run_other(&arguments(&shard("1"), "1/2", "6"));
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("it was begun by another program (")
            && said.contains("or begin anew with another --state"),
        "{said}"
    );
    assert_eq!(fs::read(shard("1")).expect("it is there"), before);

    assert_eq!(run_other(&arguments(&shard("2"), "2/2", "4")), (Some(0), String::new()));
    let said = refused(&["merge", &shard("1"), &shard("2")]);
    assert!(said.contains("shard-2.json: its runs are another program's ("), "{said}");
}

#[test]
fn a_merge_that_lacks_a_shard_does_not_vouch_for_the_whole() {
    let folder = folder("soak-lacking");
    let (state, profile) = (format!("{folder}/shard-2.json"), small(&folder));
    succeed(0, &soak(&state, &folder, &["--profile", &profile, "--seeds", "3", "--shard", "2/3"]));
    let report = succeed(3, &["merge", &state]);
    assert!(report.contains(", of 3 shards only 2; not here: 1, 3\n"), "{report}");
    assert!(report.ends_with("All invariants held in what is here.\n"), "{report}");
}

#[test]
fn a_garbled_state_is_refused_by_file_and_line_and_is_not_overwritten() {
    let folder = folder("soak-garbled");
    let (state, profile) = (format!("{folder}/soak.json"), small(&folder));
    succeed(0, &soak(&state, &folder, &["--profile", &profile, "--seeds", "2"]));
    let whole = fs::read_to_string(&state).expect("it was written");
    let cut = whole[..whole.len() / 2].to_owned();
    for (text, said) in [
        ("", ":1:0: EOF while parsing"),
        ("once upon a time", ":1:1: expected value"),
        (&cut, "EOF while parsing"),
        (
            &whole.replace("\"version\": 2", "\"version\": 99"),
            ": it is of version 99; this program reads version 2",
        ),
        (&whole.replace("\"passed\": 2", "\"passed\": -2"), ": invalid value: integer `-2`, expected u64"),
        (&whole.replace("\"events\": ", "\"events\": 5"), ": `checksum` is of another state"),
    ] {
        let garbled = file(&format!("{folder}/garbled.json"), text.as_bytes());
        for arguments in [soak(&garbled, &folder, &[]), vec!["merge", &garbled, "-o", &state]] {
            let refusal = refused(&arguments);
            assert!(refusal.contains("garbled.json:") && refusal.contains(said), "{refusal}");
            assert!(
                refusal.contains("bring a whole copy back, or begin anew with another file"),
                "{refusal}"
            );
        }
        assert_eq!(fs::read_to_string(&garbled).expect("it is there"), text);
    }
    assert_eq!(fs::read_to_string(&state).expect("it is there"), whole);
}

#[test]
fn a_state_that_cannot_be_written_leaves_the_one_before() {
    let folder = folder("soak-unwritten");
    let (state, profile) = (format!("{folder}/soak.json"), small(&folder));
    succeed(0, &soak(&state, &folder, &["--profile", &profile, "--seeds", "2"]));
    let before = fs::read(&state).expect("it was written");
    // A machine that died left half a state beside it: nobody reads that, and it is replaced.
    fs::write(format!("{state}.new"), &before[..50]).expect("the folder can be written");
    succeed(0, &soak(&state, &folder, &["--seeds", "3"]));
    let after = fs::read(&state).expect("it is there");
    assert_ne!(before, after);
    // Where the new one cannot be written the old one is not touched.
    fs::create_dir(format!("{state}.new")).expect("the folder can be written");
    succeed(3, &soak(&state, &folder, &["--seeds", "4"]));
    assert_eq!(fs::read(&state).expect("it is there"), after);
}

#[test]
fn a_state_that_another_soak_uses_is_left_alone() {
    let folder = folder("soak-used");
    let state = format!("{folder}/soak.json");
    let lock = fs::File::create(format!("{state}.lock")).expect("the folder can be written");
    lock.try_lock().expect("nobody else has it");
    let output = squall(&soak(&state, &folder, &["--seeds", "1"]));
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is in use by another process"));
    assert!(!fs::exists(&state).expect("the folder can be read"));
}

#[test]
fn arguments_of_a_soak_that_are_wrong_are_refused() {
    for (arguments, right) in [
        (&["soak", "--shard", "3/2"][..], "1 <= I <= N"),
        (&["soak", "--time", "8"], "with its unit"),
        (&["soak", "--seeds", "0"], "from 1 on"),
        (&["soak", "--start", "tuesday"], "40 hexadecimal digits"),
        (&["soak", "--state", "nowhere/soak.json"], "there is no folder nowhere; make it first"),
        (&["merge"], "FILE"),
        (&["merge", "nowhere.json"], "nowhere.json cannot be read"),
    ] {
        let said = refused(arguments);
        assert!(said.contains(right), "{arguments:?}: {said}");
    }
}
