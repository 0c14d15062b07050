//! The commands in `deploy/` are true to the program: they are taken out of their files and run, for a millisecond each.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::{finish, folder};

const JOB: &str = include_str!("../../../deploy/soak-job.yaml");
const WORKFLOW: &str = include_str!("../../../deploy/soak-workflow.yaml");

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The blocks of shell in a YAML file that call the program: what is indented further below a line that ends in `|`.
fn scripts(yaml: &str) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<&str> = yaml.lines().collect();
    let heads = lines.iter().enumerate().filter(|(_, line)| line.ends_with('|'));
    let blocks = heads.map(|(place, head)| {
        let below = lines[place + 1..].iter();
        let block = below.take_while(|line| line.is_empty() || indent(line) > indent(head));
        block.map(|line| line.trim_start()).collect::<Vec<&str>>().join("\n")
    });
    blocks.filter(|block| block.contains("squall soak") || block.contains("squall merge")).collect()
}

/// What stands behind these words, up to the end of their line, without quotes.
fn value<'a>(yaml: &'a str, words: &str) -> &'a str {
    let (_, rest) = yaml.split_once(words).unwrap_or_else(|| panic!("it says `{words}`"));
    rest.lines().next().expect("the line goes on").trim().trim_matches('"')
}

/// Runs a script as its file would have it run, for a moment.
fn run(script: &str, folder: &str, environment: &[(&str, &str)]) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_squall")).parent().expect("it lies in a folder");
    let mut command = Command::new("/bin/sh");
    let script = format!("PATH=\"$PROGRAM:$PATH\"\n{script}");
    command.args(["-ceu", &script]).current_dir(folder).envs(environment.iter().copied());
    command
        .env("PROGRAM", program)
        .env("SOAK_FOLDER", folder)
        .env("SOAK_TIME", "1ms")
        .env("SOAK_SHRINK", "1ms");
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// Runs a script that must succeed.
fn succeed(script: &str, folder: &str, environment: &[(&str, &str)]) {
    let output = run(script, folder, environment);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{said}");
}

fn shard(folder: &str, number: &str) -> Value {
    let text = fs::read_to_string(format!("{folder}/shard-{number}.json")).expect("the state was written");
    serde_json::from_str::<Value>(&text).expect("a state is JSON")["profiles"][0]["done"][0]["shard"].clone()
}

#[test]
fn the_pods_of_the_job_soak_one_shard_each() {
    let [script] = &scripts(JOB)[..] else { panic!("one container has one command") };
    let shards = value(JOB, "- name: SOAK_SHARDS\n              value: ");
    assert_eq!([value(JOB, "completions: "), value(JOB, "parallelism: ")], [shards; 2]);
    let start = value(JOB, "- name: SOAK_START\n              value: ");
    let folder = folder("deploy-job");
    for (index, number) in [("0", "1"), ("7", "8")] {
        let environment = [("JOB_COMPLETION_INDEX", index), ("SOAK_SHARDS", shards), ("SOAK_START", start)];
        succeed(script, &folder, &environment);
        assert_eq!(shard(&folder, number), Value::from(format!("{number}/{shards}")));
    }
    let beyond = [("JOB_COMPLETION_INDEX", shards), ("SOAK_SHARDS", shards), ("SOAK_START", start)];
    assert_eq!(run(script, &folder, &beyond).status.code(), Some(2));
    // Every exit code that is a result is one of those that end a shard for good.
    assert_eq!(value(JOB, "values: "), "[1, 2, 3]");
}

#[test]
fn the_jobs_of_the_workflow_soak_each_shard_and_merge_them() {
    let [soak, merge] = &scripts(WORKFLOW)[..] else { panic!("one step soaks, one merges") };
    let shards = value(WORKFLOW, "SOAK_SHARDS: ");
    let numbers: Vec<&str> = value(WORKFLOW, "shard: ").trim_matches(['[', ']']).split(", ").collect();
    assert_eq!(numbers.last(), Some(&shards));
    assert_eq!(WORKFLOW.matches(&format!("-of-{shards}-")).count(), 3, "the cache knows of how many");
    let folder = folder("deploy-workflow");
    for number in &numbers {
        let environment = [("SOAK_SHARD", *number), ("SOAK_SHARDS", shards), ("GITHUB_SHA", COMMIT)];
        succeed(soak, &folder, &environment);
        assert_eq!(shard(&folder, number), Value::from(format!("{number}/{shards}")));
    }
    succeed(merge, &folder, &[]);
    let whole = fs::read_to_string(format!("{folder}/whole.json")).expect("the merged state was written");
    let whole: Value = serde_json::from_str(&whole).expect("a state is JSON");
    assert_eq!(whole["profiles"][0]["done"].as_array().map(Vec::len), Some(numbers.len()));
    assert_eq!(whole["start"], Value::from(0x0123_4567_89ab_u64));

    // Arguments that the program does not take, and a state that is garbled, fail the step.
    let unknown = soak.replace("--shrink", "--shrivel");
    let environment = [("SOAK_SHARD", "1"), ("SOAK_SHARDS", shards), ("GITHUB_SHA", COMMIT)];
    assert!(!run(&unknown, &folder, &environment).status.success());
    fs::write(format!("{folder}/shard-1.json"), "once upon a time").expect("the folder can be written");
    assert!(!run(soak, &folder, &environment).status.success());
    assert!(!run(merge, &folder, &[]).status.success());
}
