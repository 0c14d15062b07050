//! The `squall` command: arguments, threads, wall clock, progress and reports around seeded storms.
//!
//! It decides nothing about a run. Whatever happens inside one is a function of profile and seed, in the crates below; here
//! is only how many, on how many cores, for how long, and what a person is told of it.

mod args;
mod branch;
mod clock;
mod diff;
mod exit;
mod explore;
mod help;
mod interrupt;
mod log;
mod output;
mod panics;
mod progress;
mod repeat;
mod replay;
mod report;
mod run;
mod shrink;
mod soak;
mod summary;
mod sweep;
mod threads;
mod words;
mod zoo;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command, SweepArguments};
use exit::Refusal;

fn main() -> ExitCode {
    let arguments = Arguments::try_parse().unwrap_or_else(|error| args::with_hint(error).exit());
    let result = match arguments.command {
        None => sweep::command(&SweepArguments::taste()),
        Some(Command::Sweep(sweep)) => sweep::command(&sweep),
        Some(Command::Soak(soak)) => soak::command(&soak),
        Some(Command::Merge(merge)) => soak::merge_command(&merge),
        Some(Command::Run(run)) => run::command(&run),
        Some(Command::Replay(replay)) => replay::command(&replay),
        Some(Command::Shrink(shrink)) => shrink::command(&shrink),
        Some(Command::Branch(branch)) => branch::command(&branch),
        Some(Command::Diff(diff)) => diff::command(&diff),
        Some(Command::Log(log)) => log::command(&log),
        Some(Command::Explore(explore)) => explore::command(&explore),
        Some(Command::Zoo(zoo)) => zoo::command(&zoo),
    };
    let exit = result.unwrap_or_else(|Refusal { exit, message }| {
        output::say(&format!("squall: {message}"));
        exit
    });
    ExitCode::from(exit)
}
