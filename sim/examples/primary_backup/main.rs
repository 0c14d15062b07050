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
use squall_sim::{RunResult, Verdict, mark, scenario};

use process::Bug;

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
    let results = run_all(arguments.seeds, arguments.bug, cores);
    let seconds = began.elapsed().as_secs_f64();
    report(&results, cores, seconds);
    match results.iter().find(|(_, result)| result.verdict != Verdict::Passed) {
        None => Ok(ExitCode::SUCCESS),
        Some((seed, _)) => shrink(*seed, arguments),
    }
}

/// Seeds have nothing in common, so each thread takes the next; the results are in the order of the seeds.
#[expect(clippy::disallowed_methods, reason = "worlds know no threads; they may run on several")]
fn run_all(seeds: u64, bug: Option<Bug>, cores: usize) -> Vec<(u64, RunResult)> {
    let (profile, next) = (run::storm(), AtomicU64::new(0));
    let work = || {
        let seeds =
            std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|seed| *seed < seeds);
        seeds.map(|seed| (seed, run::run_seed(&profile, seed, bug, false).result)).collect()
    };
    let mut results: Vec<(u64, RunResult)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| -> Vec<_> { thread.join().expect("no run panics") }).collect()
    });
    results.sort_by_key(|(seed, _)| *seed);
    results
}

fn report(results: &[(u64, RunResult)], cores: usize, seconds: f64) {
    let total = |of: fn(&RunResult) -> u64| results.iter().map(|(_, result)| of(result)).sum::<u64>();
    let count = |of: fn(&Verdict) -> bool| results.iter().filter(|(_, result)| of(&result.verdict)).count();
    let (events, hours) = (total(|result| result.events), total(|result| result.virtual_us) as f64 / 3.6e9);
    println!("{} seeds, {seconds:.1} s on {cores} cores", results.len());
    println!(
        "  verdicts    {} passed, {} failed, {} without one",
        count(|verdict| matches!(verdict, Verdict::Passed)),
        count(|verdict| matches!(verdict, Verdict::Failed(_))),
        count(|verdict| matches!(verdict, Verdict::Inconclusive(_)))
    );
    println!(
        "  simulated   {hours:.1} h; {events} events, {:.0} per second and core",
        events as f64 / seconds / cores as f64
    );
    println!("  clients     {} operations answered", total(|result| result.operations));
    for (registry, marks) in [
        (mark::FRAMEWORK, (|result| result.marks) as fn(&RunResult) -> squall_sim::Marks),
        (process::MARKS, |result| result.user_marks),
    ] {
        let mut all = squall_sim::Marks::default();
        results.iter().for_each(|(_, result)| all.add(marks(result)));
        let never = registry.iter().zip(all.reached(registry)).filter(|(_, reached)| !reached);
        never.for_each(|(name, _)| println!("  never       {name}"));
    }
}

/// Runs the seed again, records it, writes the scenario, and makes it small.
fn shrink(seed: u64, arguments: &Arguments) -> Result<ExitCode, String> {
    let bug = arguments.bug;
    let outcome = run::run_seed(&run::storm(), seed, bug, true);
    let Verdict::Failed(violation) = outcome.result.verdict.clone() else {
        return Err(format!("seed {seed} has no verdict: {:?}", outcome.result.verdict));
    };
    println!("\nseed {seed} fails {}: {}", violation.class, violation.message);
    let scenario = outcome.scenario.as_ref().expect("the run was recorded");
    let (text, before) = (scenario.to_string(), Size::of(scenario));
    let file = &arguments.output;
    std::fs::write(file, &text).map_err(|error| format!("{file}: {error}"))?;
    let (small, runs) = run::shrink(outcome, violation.class, bug);
    let after = Size::of(&small);
    std::fs::write(file, small.to_string()).map_err(|error| format!("{file}: {error}"))?;
    println!("  before      {} events, {} parameters", before.events, before.parameters);
    println!(
        "  after       {} events, {} parameters, by {runs} runs; in {file}:\n",
        after.events, after.parameters
    );
    print!("{small}");
    Ok(ExitCode::FAILURE)
}

/// Runs a scenario from a file.
fn replay(file: &str, bug: Option<Bug>) -> Result<ExitCode, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let scenario = scenario::parse(&text, file).map_err(|error| error.to_string())?;
    let result = run::replay(&scenario, scenario.choice(), bug)?.result;
    result.missed.iter().for_each(|missed| println!("{missed}"));
    println!("{:?}, hash {:032x}", result.verdict, result.hash);
    Ok(if result.verdict == Verdict::Passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
