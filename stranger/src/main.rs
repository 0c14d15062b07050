//! Sweeps seeds of the stranger, or runs one of them, or replays a scenario.
//!
//! Exit codes as those of `squall`: 0 all held; 1 an invariant was violated; 2 bad arguments or input; 3 the harness itself
//! failed.

use std::fs;
use std::panic;
use std::process::ExitCode;

use clap::Parser;
use squall_scenarios::profile::{self, Profile};
use squall_scenarios::run::{self as storm, Outcome, RunOptions};
use squall_sim::{Verdict, scenario};
use squall_stranger::run;
use squall_stranger::setup::Manners;
use squall_stranger::sweep;

/// The profile that leaves out what the stranger cannot serve.
const STRANGER: &str = include_str!("../profiles/stranger.toml");

/// The `raft` crate of TiKV in Squall's storm.
#[derive(Parser)]
#[command(name = "squall-stranger", version)]
struct Arguments {
    /// Sweep so many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// A profile: `stranger`, one of Squall's own, or a file.
    #[arg(long, default_value = "stranger")]
    profile: String,
    /// Run this one seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Write that seed's run down as a scenario.
    #[arg(long, requires = "seed", value_name = "FILE.scn")]
    emit: Option<String>,
    /// Leaders whose disk hangs hand their office over, which the crate does not ask for.
    #[arg(long)]
    abdicates: bool,
    /// A read that a follower passes on is given to the crate once, which the crate does not ask for.
    #[arg(long)]
    reads_once: bool,
    /// Run this scenario, and compare it with what it states.
    #[arg(long, conflicts_with_all = ["seed", "seeds", "start"], value_name = "FILE.scn")]
    replay: Option<String>,
}

/// How the command ends.
enum Exit {
    Held = 0,
    Violated = 1,
    BadInput = 2,
    Harness = 3,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match (&arguments.replay, arguments.seed) {
        (Some(file), _) => replay(file, arguments.manners()),
        (None, Some(seed)) => one(&arguments, seed),
        (None, None) => many(&arguments),
    };
    let exit = result.unwrap_or_else(|error| {
        eprintln!("squall-stranger: {error}");
        Exit::BadInput
    });
    ExitCode::from(exit as u8)
}

impl Arguments {
    fn manners(&self) -> Manners {
        Manners::new(self.abdicates, self.reads_once)
    }
}

fn load(name: &str) -> Result<Profile, String> {
    if name == "stranger" { profile::parse(STRANGER, name) } else { profile::load(name) }
}

fn many(arguments: &Arguments) -> Result<Exit, String> {
    let profile = load(&arguments.profile)?;
    // A panic inside a run is told of in the report.
    panic::set_hook(Box::new(|_| {}));
    let summary = sweep::sweep(&profile, arguments.start, arguments.seeds, arguments.manners());
    let _ = panic::take_hook();
    let summary = summary?;
    print!("{}", summary.report());
    if let Some(seed) = summary.failures.values().find_map(|(seeds, _)| seeds.first()) {
        println!("squall-stranger --profile {} --seed {seed}", arguments.profile);
        return Ok(Exit::Violated);
    }
    Ok(if summary.doubts.is_empty() { Exit::Held } else { Exit::Harness })
}

fn one(arguments: &Arguments, seed: u64) -> Result<Exit, String> {
    let profile = load(&arguments.profile)?;
    let options = RunOptions { record: arguments.emit.is_some(), ..RunOptions::default() };
    let run = || run::run_seed(&profile, seed, arguments.manners(), &options);
    let outcome = match sweep::caught(run) {
        Ok(outcome) => outcome?,
        Err(message) => {
            println!("failed Panic: {message}");
            return Ok(Exit::Violated);
        }
    };
    if let (Some(file), Some(scenario)) = (&arguments.emit, &outcome.scenario) {
        fs::write(file, scenario.to_string()).map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(tell(&outcome))
}

fn replay(file: &str, manners: Manners) -> Result<Exit, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let scenario = scenario::parse(&text, file).map_err(|error| error.to_string())?;
    let outcome = run::replay(&scenario, (&text, file), manners, &RunOptions::default())?;
    let exit = tell(&outcome);
    if let Err(difference) = storm::compare(&scenario, &outcome) {
        println!("{difference}");
        return Ok(Exit::Violated);
    }
    Ok(if scenario.expected.is_some() { Exit::Held } else { exit })
}

fn tell(outcome: &Outcome) -> Exit {
    let exit = match &outcome.verdict {
        Verdict::Passed => {
            println!("passed");
            Exit::Held
        }
        Verdict::Failed(violation) => {
            println!("failed {}: {}", violation.class, violation.message);
            println!("fired: {}", outcome.also_fired.join(", "));
            Exit::Violated
        }
        Verdict::Inconclusive(reason) => {
            println!("no verdict: {reason}");
            Exit::Harness
        }
    };
    println!(
        "{} events, {} operations, {} us of virtual time, hash {:032x}",
        outcome.events, outcome.operations, outcome.virtual_us, outcome.hash
    );
    exit
}
