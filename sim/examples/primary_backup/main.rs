//! A system of one's own in the simulator: a primary and a backup. docs/your-own-system.md goes through it.
//!
//! `cargo run --release -p squall-sim --example primary_backup -- [--seeds N] [--bug NAME] [--replay FILE] [--output FILE]`

mod codec;
mod oracle;
mod process;
mod run;
mod storage;
mod workload;

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use squall_sim::shrink::Size;
use squall_sim::system::Shrunk;
use squall_sim::{System, Tally, Verdict};

use oracle::Promises;
use process::{Bug, Replica};
use workload::Clients;

struct Arguments {
    seeds: u64,
    bug: Option<Bug>,
    replay: Option<String>,
    output: String,
}

fn main() -> ExitCode {
    let done = arguments().and_then(|arguments| match &arguments.replay {
        Some(file) => replay(file, arguments.bug),
        None => sweep(&arguments),
    });
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(2)
    })
}

fn arguments() -> Result<Arguments, String> {
    let output = "primary-backup.scn".to_owned();
    let mut arguments = Arguments { seeds: 1_000, bug: None, replay: None, output };
    let mut words = std::env::args().skip(1);
    while let Some(option) = words.next() {
        let value = words.next().ok_or_else(|| format!("`{option}` lacks its value"))?;
        match option.as_str() {
            "--seeds" => {
                arguments.seeds = value.parse().map_err(|error| format!("{option} {value}: {error}"))?;
            }
            "--bug" => {
                let names = Bug::ALL.map(|(name, _)| name).join("`, `");
                let known = Bug::ALL.into_iter().find(|(name, _)| *name == value);
                let (_, bug) = known.ok_or_else(|| format!("no bug `{value}`; expected one of `{names}`"))?;
                arguments.bug = Some(bug);
            }
            "--replay" => arguments.replay = Some(value),
            "--output" => arguments.output = value,
            _ => return Err(format!("no option `{option}`; expected --seeds, --bug, --replay or --output")),
        }
    }
    Ok(arguments)
}

/// Runs seeds on all cores; if one fails, the first of them is made small.
#[expect(clippy::disallowed_types, reason = "a program that reports its speed looks at the clock")]
fn sweep(arguments: &Arguments) -> Result<ExitCode, String> {
    let began = std::time::Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let system = run::system(arguments.bug);
    let tally = run_all(&system, arguments.seeds, cores);
    let seconds = began.elapsed().as_secs_f64();
    let speed = tally.events as f64 / seconds / cores as f64;
    println!("{} seeds, {seconds:.1} s on {cores} cores; {speed:.0} events per second and core", tally.seeds);
    print!("{tally}");
    if let Some(seed) = tally.first_failure() {
        shrink(&system, seed, &arguments.output)?;
    }
    Ok(ExitCode::from(u8::from(!tally.holds())))
}

/// Seeds have nothing in common, so each thread takes the next.
#[expect(clippy::disallowed_methods, reason = "worlds know no threads; they may run on several")]
fn run_all(system: &System<Replica, Promises, Clients>, seeds: u64, cores: usize) -> Tally {
    let next = AtomicU64::new(0);
    let take = || next.fetch_add(1, Ordering::Relaxed);
    let work = || system.sweep(std::iter::repeat_with(take).take_while(|seed| *seed < seeds));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let tallies = threads.into_iter().map(|thread| thread.join().expect("a panic of a run is caught"));
        tallies.reduce(Tally::merge).expect("there is a core")
    })
}

/// Runs the seed again, records it, makes it small, and writes what is left.
fn shrink(system: &System<Replica, Promises, Clients>, seed: u64, file: &str) -> Result<(), String> {
    let failed = system.record(seed);
    let Some(Shrunk { scenario, runs }) = system.shrink(&failed) else {
        return Err(format!("seed {seed} failed once, and not again"));
    };
    std::fs::write(file, scenario.to_string()).map_err(|error| format!("{file}: {error}"))?;
    let [before, after] = [&failed.scenario, &scenario].map(Size::of);
    println!("\nseed {seed}, made small in {runs} runs; in {file}:");
    println!("  before      {} faults and decisions, {} parameters", before.events, before.parameters);
    println!("  after       {} faults and decisions, {} parameters\n", after.events, after.parameters);
    print!("{scenario}");
    Ok(())
}

/// Runs a scenario from a file.
fn replay(file: &str, bug: Option<Bug>) -> Result<ExitCode, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let result = run::system(bug).replay(&text, file).map_err(|error| error.to_string())?.result;
    result.missed.iter().for_each(|missed| println!("{missed}"));
    println!("{:?}, hash {:032x}", result.verdict, result.hash);
    Ok(ExitCode::from(u8::from(result.verdict != Verdict::Passed)))
}
