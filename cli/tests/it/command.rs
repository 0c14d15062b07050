//! Sweeps, runs, replays: arguments that are wrong, reports, files.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::{closed_pipe, file, finish, folder, json, path, refused, squall, succeed, unheard};

#[test]
fn wrong_arguments_are_refused_with_what_would_be_right() {
    for (arguments, right) in [
        (&["storm"][..], "squall sweep --profile storm"),
        (&["tornado"], "subcommand"),
        (&["sweep", "--seeds", "0"], "from 1 on"),
        (&["sweep", "--seeds", "abc"], "from 1 on"),
        (&["sweep", "--jobs", "0"], "1..=1024"),
        (&["sweep", "--jobs", "65535"], "1..=1024"),
        (&["soak", "--jobs", "1025"], "1..=1024"),
        (&["sweep", "--ignore", "Spec"], "perhaps spec?"),
        (&["sweep", "--ignore", "foo"], "docs/oracles.md"),
        (&["sweep", "--ignore", "foo"], "ElectionSafety, "),
        (&["sweep", "--time", "60"], "with its unit"),
        (&["sweep", "--shard", "3/2"], "1 <= I <= N"),
        (&["sweep", "--start", "tuesday"], "40 hexadecimal digits"),
        (&["sweep", "--start", "0230659"], "40 hexadecimal digits"),
        (&["sweep", "--start", "18446744073709551614", "--seeds", "3"], "--seeds 2 at most"),
        (&["branch", "--start", "18446744073709551615", "--seeds", "2"], "--seeds 1 at most"),
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
    let bytes = file("bytes.toml", b"[network]\n\xff");
    assert!(refused(&["run", "--profile", &bytes, "--seed", "1"]).contains("bytes.toml:2:1: the byte 0xff"));
}

#[test]
fn a_scenario_that_is_missing_or_garbage_is_refused_by_its_file() {
    assert!(refused(&["replay", "nowhere.scn"]).contains("nowhere.scn cannot be read"));
    let garbage = file("garbage.scn", b"once upon a time");
    assert!(refused(&["replay", &garbage]).contains("garbage.scn"));
    let bytes = file("bytes.scn", &[0xff, 0xfe, 0x00]);
    assert!(refused(&["replay", &bytes]).contains("bytes.scn:1:1: the byte 0xff is no text"));
    let endless = file("endless.scn", b"squall-scenario 1\ncluster tick_us=11s\nexpect passed\n");
    assert!(refused(&["replay", &endless]).contains("endless.scn:2:9: section `cluster`, key `tick_us`"));
}

#[test]
fn a_scenario_that_cannot_be_run_is_refused_by_its_line_with_what_would_be_right() {
    for (line, said) in [
        ("clutser seed=3", "2:1: section `clutser`: it is not known; expected `cluster`, `workload`"),
        (
            "network los=1/2",
            "2:9: section `network`, key `los`: it is not known; expected one of `delay_min`, `delay_mean`",
        ),
        (
            "network delay_min=3ms loss=3/2",
            "2:23: section `network`, key `loss`: `3/2`; expected a ratio from 0 to 1",
        ),
        ("cluster seed=many", "2:9: section `cluster`, key `seed`: `many`; expected a number"),
        ("workload keys=0", "2:10: section `workload`, key `keys`: it is 0; expected 1 to"),
        (
            "n1 rate=1/5000",
            "2:4: section `n1`, key `rate`: `1/5000`; expected a rate between 1/1000 and 1000",
        ),
        ("n3 wall_offset=1s", "2:1: section `n3`: there is no n3; expected `n0` to `n2`"),
        ("clients count=10001", "2:9: section `clients`, key `count`: it is 10001; expected 0 to 10000"),
        ("limits liveness=1s", "2:1: section `limits`, key `core_size`: it is 0; expected 1 to 3"),
        (
            "limits liveness=1s core_size=1",
            "2:20: section `limits`, key `core_size`: it is 1; expected 2 to 3: a quorum of 3 voters, and more",
        ),
        ("expect passed\ne7 @1s pause n3 for=1s clock=frozen", "3:14: event e7: there is no n3"),
        ("net n0>n3#1 delay=4", "2:5: decision `net n0>n3#1`: there is no n3; expected `n0` to `n2`"),
        ("disk n5#1 latency=4", "2:6: decision `disk n5#1`: there is no n5; expected `n0` to `n2`"),
        (
            "crash n3.0#3.2.0 file=1",
            "2:7: decision `crash n3.0#3.2.0`: there is no n3; expected `n0` to `n2`",
        ),
        (
            "clients count=2\nclient c2#0 kind=1",
            "3:8: decision `client c2#0`: there is no c2; expected `c0` to `c1`",
        ),
        ("expect failed Bogus", "2:15: `expect`: no violation is called `Bogus`; expected `Codec`, `Halted`"),
        (
            "expect failed ElectionSafty",
            "2:15: `expect`: no violation is called `ElectionSafty`; expected `ElectionSafety`",
        ),
    ] {
        let scenario = file("unfit.scn", format!("squall-scenario 1\n{line}\n").as_bytes());
        let refusal = refused(&["replay", &scenario]);
        assert!(refusal.contains(&format!("unfit.scn:{said}")), "{line}: {refusal}");
    }
}

#[test]
fn a_profile_that_states_what_cannot_be_is_refused_by_its_line() {
    let lite = include_str!("../../../scenarios/profiles/lite.toml");
    for (line, said) in [
        ("heartbeats = 2", "it is 2 to 2; expected a range within 3 to"),
        ("voters = []", "it is []; expected sizes from 1 to 9"),
        ("recovery_check_every = 0", "it is 0; expected at least 1"),
        ("deeds = 15", "it is 15; expected 1 to 14"),
        ("kinds = [0, 0, 0, 0, 0]", "all weights are 0"),
        ("count = 10_001", "it is 10001 to 10001; expected a range within 1 to 10000"),
    ] {
        let key = line.split(' ').next().expect("a line begins with its key");
        let is_it = |stated: &str| stated.split(' ').next() == Some(key);
        let number = lite.lines().position(is_it).expect("the profile states it") + 1;
        let bent: Vec<&str> = lite.lines().map(|stated| if is_it(stated) { line } else { stated }).collect();
        let profile = file("bent.toml", bent.join("\n").as_bytes());
        let refusal = refused(&["run", "--profile", &profile, "--seed", "1"]);
        let column = key.len() + 4;
        let expected = format!("bent.toml:{number}:{column}: {said}");
        assert!(refusal.contains(&expected) && refusal.contains(line), "{expected}\n{refusal}");
    }
}

#[test]
fn a_trace_that_is_garbage_is_refused_by_its_file() {
    let garbage = file("garbage.trace", b"once upon a time");
    assert!(refused(&["diff", &garbage, &garbage]).contains("garbage.trace"));
    let empty = file("empty.trace", b"");
    assert!(refused(&["diff", &empty, &empty]).contains("empty.trace: the file is empty"));
}

#[test]
fn the_zoo_opens_only_where_there_are_sources() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.arg("zoo").current_dir("/").stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = finish(&mut command);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no checkout"));
}

/// Runs the zoo in a checkout with one bug and no sources to build.
fn zoo(name: &str, arguments: &[&str]) -> (String, Output) {
    let folder = folder(name);
    fs::create_dir_all(format!("{folder}/scenarios/zoo")).expect("the folder can be written");
    file(&format!("{name}/Cargo.toml"), b"[workspace]\n");
    let bug = include_bytes!("../../../scenarios/zoo/L1.patch");
    file(&format!("{name}/scenarios/zoo/L1.patch"), bug);
    fs::create_dir_all(format!("{folder}/target/zoo")).expect("the folder can be written");
    (folder.clone(), zoo_in(&folder, arguments))
}

fn zoo_in(folder: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.arg("zoo").args(arguments).current_dir(folder);
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
}

#[test]
fn the_zoo_refuses_what_is_wrong_before_it_builds() {
    for (arguments, right) in [
        (&["--card", "/nonexist/x.md"][..], "/nonexist/x.md cannot be written"),
        (&["--card", "target"], "target cannot be written"),
        (&["--only", "l1"], "no bug `l1`; perhaps `L1`?"),
    ] {
        let (_, output) = zoo("zoo-refuses", arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(right) && !said.contains("building"), "{arguments:?}: {said}");
    }
}

#[test]
fn the_zoo_lists_its_bugs_and_builds_nothing_for_that() {
    let (folder, output) = zoo("zoo-lists", &["--list"]);
    let listed = String::from_utf8_lossy(&output.stdout);
    assert!(listed.starts_with("L1    safety    storm  LC  ") && listed.lines().count() == 1, "{listed}");
    assert!(!fs::exists(format!("{folder}/target/zoo/pristine")).expect("the folder can be read"));
}

#[test]
fn two_zoos_in_one_checkout_keep_out_of_each_others_way() {
    let (folder, _) = zoo("zoo-locked", &["--list"]);
    let lock = fs::File::create(format!("{folder}/target/zoo.lock")).expect("the folder can be written");
    lock.try_lock().expect("nobody else has it");
    let output = zoo_in(&folder, &["--only", "L1"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("target/zoo is in use by another process; wait for its end"), "{said}");
    assert!(!fs::exists(format!("{folder}/target/zoo/pristine")).expect("the folder can be read"));
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
fn what_is_run_twice_says_so_and_keeps_its_hash() {
    let lite = ["--profile", "lite"];
    let sweep = |more: &[&str]| succeed(0, &[&["sweep", "--seeds", "2"], &lite[..], more].concat());
    let (once, twice) = (sweep(&[]), sweep(&["--check-determinism"]));
    assert!(twice.ends_with("Every seed was run twice, and went the same way both times.\n"), "{twice}");
    let hash = |report: &str| report.lines().find(|line| line.starts_with("  hash ")).map(str::to_owned);
    assert_eq!(hash(&once), hash(&twice));
    let run = succeed(0, &[&["run", "--seed", "7", "--check-determinism"], &lite[..]].concat());
    assert!(run.contains(", and a second run had the same\n"), "{run}");
    let run = json(&[&["run", "--seed", "7", "--check-determinism", "--json"], &lite[..]].concat());
    assert_eq!((&run["repeats"], &run["parting"]), (&true.into(), &Value::Null));
}

#[test]
fn a_sweep_for_a_person_ends_with_what_it_means() {
    let report = succeed(0, &["sweep", "--profile", "lite", "--seeds", "2"]);
    assert!(report.contains("2 passed"), "{report}");
    assert!(report.contains("All invariants held."), "{report}");
}

#[test]
fn a_sweep_of_one_seed_that_requires_every_mark_fails_by_the_names_of_those_not_reached() {
    let sweep = ["sweep", "--profile", "lite", "--seeds", "1", "--start", "5", "--require-marks"];
    let report = succeed(3, &sweep);
    let (_, list) = report.split_once("No invariant was violated, but ").expect("it says so");
    let (count, names) = list.split_once(" situations were never reached:\n").expect("it counts them");
    assert_eq!(count.parse().ok(), Some(names.lines().count()), "one to a line: {list}");
    let output = squall(&[&sweep[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("never reached:\n  "));
}

#[test]
fn no_more_threads_are_started_than_there_are_runs_and_threads_are_not_called_cores() {
    let report = succeed(0, &["sweep", "--profile", "lite", "--seeds", "3", "--jobs", "1024"]);
    let head = report.lines().next().expect("a report has lines");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let on = if cores == 3 { " on 3 cores" } else { " on 3 threads" };
    assert!(head.ends_with(on), "{head}");
    let report = json(&["sweep", "--profile", "lite", "--seeds", "2", "--jobs", "1024", "--json"]);
    assert_eq!(report["jobs"], Value::from(2));
}

#[cfg(target_os = "linux")]
#[test]
fn a_sweep_that_is_interrupted_reports_and_does_not_pass_for_a_whole_one() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.args(["sweep", "--profile", "lite", "--time", "10m"]).stdout(Stdio::piped());
    let child = command.stdin(Stdio::null()).spawn().expect("the program was built");
    let program = format!("/proc/{}/status", child.id());
    // Until it listens, an interrupt would end it at once.
    let listens = || {
        let status = fs::read_to_string(&program).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 2 != 0)
    };
    while !listens() {
        std::thread::yield_now();
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("every Unix has it").success());
    let output = child.wait_with_output().expect("it ends");
    let report = String::from_utf8(output.stdout).expect("reports are text");
    assert_eq!(output.status.code(), Some(3), "{report}");
    assert!(report.contains("; interrupted, ") && !report.contains("All invariants held"), "{report}");
}

#[test]
fn the_help_of_every_command_is_laid_out_alike_in_lines_that_can_be_read() {
    let top = succeed(0, &["--help"]);
    let commands = top.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.contains(&"soak") && commands.contains(&"zoo"), "{top}");
    for command in commands.into_iter().filter(|command| command.chars().all(char::is_alphabetic)) {
        let arguments = if command == "help" { vec!["--help"] } else { vec![command, "--help"] };
        let help = succeed(0, &arguments);
        assert!(help.contains("Exit codes: "), "{help}");
        assert_eq!(
            help,
            succeed(
                0,
                &arguments
                    .iter()
                    .map(|word| word.replace("--help", "-h"))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
            )
        );
        let longest = help.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(110), "{longest:?} {help}");
    }
}

#[test]
fn traces_of_different_runs_are_called_that_and_json_lines_are_called_that() {
    let trace = |seed: &str, name: &str| {
        let trace = path(name);
        succeed(0, &["run", "--profile", "lite", "--seed", seed, "--trace", &trace]);
        trace
    };
    let (one, other) = (trace("7", "seven.trace"), trace("8", "eight.trace"));
    let said = succeed(1, &["diff", &one, &other]);
    assert!(
        said.starts_with("these are of seed 7 of lite and of seed 8 of lite, which need not agree"),
        "{said}"
    );
    assert!(succeed(0, &["diff", &one, &one]).starts_with("the same: "));
    let said = refused(&["diff", &one, &trace("7", "seven.jsonl")]);
    assert!(said.contains("seven.jsonl: this looks like a trace as JSON lines"), "{said}");
}

#[test]
fn a_shard_is_named_in_its_report() {
    let shard = ["sweep", "--profile", "lite", "--seeds", "8", "--shard", "2/4"];
    let report = succeed(0, &shard);
    assert!(report.starts_with("lite: 2 seeds, shard 2/4 of the 8 from 0 on, "), "{report}");
    let report = json(&[&shard[..], &["--json"]].concat());
    assert_eq!((&report["shard"], &report["interrupted"]), (&"2/4".into(), &false.into()));
    assert_eq!(json(&["sweep", "--profile", "lite", "--seeds", "1", "--json"])["shard"], Value::Null);
}

/// What changes who leads, and why; entries come only if asked for.
#[test]
fn a_log_tells_faults_and_roles_and_with_twice_as_much_detail_each_entry_too() {
    let scenario = file(
        "cut.scn",
        b"squall-scenario 1\nprocesses count=3\nlimits safety=4s\nclients count=2\n\
          e7 @1s partition isolate=most-prominent for=2s\ne9 @2s pause n1 for=100ms clock=running\n",
    );
    let heard = |verbose| {
        let output = squall(&["replay", &scenario, verbose]);
        String::from_utf8(output.stderr).expect("a log is text")
    };
    let (turns, all) = (heard("-v"), heard("-vv"));
    for line in [
        "   1.000000s  e7    begins: partition isolate=most-prominent for=2s\n",
        "   2.000000s  e9    begins: pause n1 for=100ms clock=running\n",
        "   3.000000s  e7    ends: partition\n",
        "  Leader  ",
    ] {
        assert!(turns.contains(line) && all.contains(line), "{line}{turns}");
    }
    let (few, many) = (turns.lines().count(), all.lines().count());
    assert!(few < 60 && many > 4 * few, "{few} lines, and {many} with -vv");
    let mut rest = all.lines();
    for line in turns.lines() {
        assert!(rest.any(|other| other == line), "-vv does not tell what -v tells: {line}");
    }
}

#[test]
fn a_run_names_the_situations_it_reached_only_if_asked() {
    let run = ["run", "--profile", "lite", "--seed", "7"];
    let reached = json(&[&run[..], &["--json"]].concat())["marks"].as_array().expect("a list").len();
    let (brief, full) = (succeed(0, &run), succeed(0, &[&run[..], &["-v"]].concat()));
    assert!(brief.contains(&format!("\n  {reached} of ")), "{brief}");
    assert!(brief.contains(" situations reached; -v and --json name them\n"), "{brief}");
    let named = full.split("\nSituations:\n").nth(1).expect("they come last");
    assert_eq!(named.lines().count(), reached, "{full}");
}

#[test]
fn a_log_that_nobody_reads_changes_no_verdict() {
    let scenario = path("unheard.scn");
    succeed(0, &["run", "--profile", "lite", "--seed", "7", "--emit", &scenario]);
    for arguments in [&["run", "--profile", "lite", "--seed", "7", "-v"][..], &["replay", &scenario, "-v"]] {
        let (code, report) = unheard(closed_pipe(), arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {report}");
        assert!(report.contains("All invariants held."), "{arguments:?}: {report}");
    }
    assert_eq!(unheard(closed_pipe(), &["replay", "nowhere.scn"]), (Some(2), String::new()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_on_a_full_disk_changes_no_verdict_and_a_report_there_is_an_error() {
    let full = || fs::File::options().write(true).open("/dev/full").expect("every Linux has it");
    let (code, report) = unheard(full(), &["run", "--profile", "lite", "--seed", "7", "-v"]);
    assert_eq!(code, Some(0), "{report}");
    for outlet in ["--trace", "--emit"] {
        succeed(3, &["run", "--profile", "lite", "--seed", "7", outlet, "/dev/full"]);
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.args(["run", "--profile", "lite", "--seed", "7"]).stdout(full()).stderr(Stdio::piped());
    assert_eq!(finish(&mut command).status.code(), Some(3));
}

#[test]
fn a_command_never_overwrites_one_of_its_files_with_another() {
    let scenario = path("seven.scn");
    succeed(0, &["run", "--profile", "lite", "--seed", "7", "--emit", &scenario]);
    let before = fs::read(&scenario).expect("it was written");
    for trace in [&scenario[..], "seven.scn", "./seven.scn"] {
        let said = refused(&["replay", &scenario, "--trace", trace]);
        assert!(said.contains("the scenario and --trace are the same file"), "{said}");
    }
    assert_eq!(fs::read(&scenario).expect("it is there"), before);

    for (emit, trace) in [("same", "same"), ("same", "./same"), ("nowhere/same", "nowhere/same")] {
        let said = refused(&["run", "--profile", "lite", "--seed", "7", "--emit", emit, "--trace", trace]);
        assert!(said.contains("--emit and --trace are the same file"), "{said}");
    }
    assert!(!PathBuf::from(path("same")).exists());
    let profile = file("mine.toml", b"name = \"mine\"\n");
    assert!(
        refused(&["run", "--profile", &profile, "--seed", "7", "--emit", &profile]).contains("the profile")
    );
}

#[test]
fn a_scenario_that_came_out_otherwise_than_it_states_gets_a_note_and_keeps_its_own_exit_code() {
    let scenario = path("stated.scn");
    succeed(0, &["run", "--profile", "lite", "--seed", "7", "--emit", &scenario]);
    let text = fs::read_to_string(&scenario).expect("it was written");
    let elsewhere =
        file("expects.scn", text.replace("expect passed", "expect failed LogMatching").as_bytes());
    let report = succeed(0, &["replay", &elsewhere]);
    assert!(report.contains("Note: the scenario expects `failed LogMatching`; the run passed."), "{report}");
    let hash =
        text.lines().find(|line| line.starts_with("hash")).expect("a run that was written states its hash");
    let edited = file("edited.scn", text.replace(hash, &format!("hash {:032x}", 1)).as_bytes());
    let report = succeed(0, &["replay", &edited]);
    assert!(report.contains("take the `hash` line out if you edited the file"), "{report}");
    let waits =
        "squall-scenario 1\nprocesses count=3\nlimits safety=2s\ne7 @n1:leads#99 rot n1\nexpect passed\n";
    let report = succeed(0, &["replay", &file("waits.scn", waits.as_bytes())]);
    assert!(report.contains("Note: e7 did not strike: `n1:leads#99` was not reached"), "{report}");
}

#[test]
fn a_decision_that_has_no_effect_is_told_and_counted_and_changes_no_verdict() {
    let lines = "net n1>n2#900000 loss=1 delay=7\nnet n0>n1#1 loss=1\nclient c0#0 kind=9\nexpect passed\n";
    let text = format!("squall-scenario 1\nprocesses count=3\nlimits safety=2s\n{lines}");
    let scenario = file("unheeded.scn", text.as_bytes());
    let report = succeed(0, &["replay", &scenario]);
    let unasked = "Note: 3 decisions were not asked for: `net n0>n1#1 loss=1`, `net n1>n2#900000 loss=1`, \
                   `net n1>n2#900000 delay=7`; ";
    let clamped = "1 decision could not be as stated: `client c0#0 kind=9` was taken as 4";
    assert!(report.contains(&format!("{unasked}{clamped}.")), "{report}");
    let report = json(&["replay", "--json", &scenario]);
    assert_eq!((&report["unasked_decisions"], &report["clamped_decisions"]), (&3.into(), &1.into()));
    assert_eq!(report["verdict"], "passed");
}

#[test]
fn a_line_that_has_no_effect_in_any_run_is_refused_where_it_stands() {
    for (line, place, expected) in [
        ("e1 @2s rot n0", "3:4", "a time before that of `limits safety=`"),
        ("e1 @1s clog links=n0>n1,n2>n2 for=1s", "3:25", "two processes"),
        ("net n1>n1#3 loss=1", "3:5", "two processes"),
        ("e1 @1s administer n0 command=999999", "3:30", "256 times the deed, 0 to 13, and a server"),
    ] {
        let text = format!("squall-scenario 1\nlimits safety=2s\n{line}\nexpect passed\n");
        let said = refused(&["replay", &file("no_effect.scn", text.as_bytes())]);
        assert!(
            said.contains(&format!("no_effect.scn:{place}:")) && said.contains(expected),
            "{line}: {said}"
        );
    }
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
fn a_run_tells_its_verdict_first_and_then_what_a_scenario_of_it_must_state() {
    let report = succeed(0, &["run", "--profile", "lite", "--seed", "7"]);
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines[..3], ["lite, seed 7", "", "All invariants held."], "{report}");
    let sections = lines.iter().skip_while(|line| !line.starts_with("Parameters")).skip(1);
    let stated: Vec<&str> =
        sections.take_while(|line| !line.is_empty()).map(|line| line.trim_start()).collect();
    assert!(stated.iter().any(|line| line.starts_with("processes count=")), "{report}");
    assert!(!report.contains("check_quorum") && stated.len() < 12, "what is as ever is left out: {report}");

    let written = file("copied.scn", format!("squall-scenario 1\n{}\n", stated.join("\n")).as_bytes());
    let parameters = |arguments: &[&str]| json(&[arguments, &["--json"]].concat())["parameters"].clone();
    let run = parameters(&["run", "--profile", "lite", "--seed", "7"]);
    assert_eq!(parameters(&["replay", &written]), run);
}

#[test]
fn a_run_emitted_as_a_scenario_replays_to_the_same_hash() {
    let scenario = path("emitted.scn");
    let run = json(&["run", "--profile", "lite", "--seed", "7", "--emit", &scenario, "--json"]);
    let replay = json(&["replay", &scenario, "--json"]);
    assert_eq!(run["hash"], replay["hash"]);
    assert_eq!(run["verdict"], replay["verdict"]);
    assert_eq!(replay["seed"], Value::Null);
    assert!(succeed(0, &["replay", &scenario]).starts_with(&format!("{scenario}\n")));
}

#[test]
fn traces_of_one_seed_are_the_same_and_of_two_seeds_differ() {
    let [once, again, other] = ["once.trace", "again.trace", "other.trace"].map(path);
    for (seed, trace) in [("7", &once), ("7", &again), ("8", &other)] {
        succeed(0, &["run", "--profile", "lite", "--seed", seed, "--trace", trace]);
    }
    assert!(succeed(0, &["diff", &once, &again]).starts_with("the same"));
    let difference = succeed(1, &["diff", &once, &other]);
    assert!(difference.contains("first difference"), "{difference}");
    assert!(!difference.contains(&u64::MAX.to_string()), "{difference}");
}

#[test]
fn a_file_that_cannot_be_written_is_told_by_its_name() {
    for outlet in ["--emit", "--trace"] {
        let output = squall(&["run", "--profile", "lite", "--seed", "7", outlet, "nowhere/a.scn"]);
        assert_eq!(output.status.code(), Some(3), "{outlet}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere/a.scn cannot be written"));
    }
}
