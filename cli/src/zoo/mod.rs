//! `squall zoo`: how good is the tester? Plants known bugs into copies of the sources, one at a time, and sweeps.
//!
//! The product carries no switch for its bugs: each is a patch. A bug counts as caught only if the unpatched code passes the
//! very seed on which the patched code failed, or the scenario that shows what storms are too rare for. A patch that
//! does not apply or does not build is a failure of the zoo, and loud, because a bug that is not planted is not caught
//! either.

mod bug;
mod card;
mod families;
mod page;
mod records;
mod tree;
mod trial;

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use crate::args::ZooArguments;
use crate::exit::{Exit, Refusal};
use crate::{interrupt, output};

use bug::Bug;
use card::{Card, Visit};
use records::Records;
use trial::{Budget, Programs};

/// The folders of one run of the zoo, all below `target/zoo/`.
struct Grounds {
    /// The sources as they were when the zoo opened; edits made meanwhile do not reach it.
    pristine: PathBuf,
    /// The sources with one bug in them.
    planted: PathBuf,
    /// Where both are built: the same folder, so that only crates that differ are built again.
    build: PathBuf,
    /// The unpatched program.
    reference: PathBuf,
}

/// Runs the command.
pub(crate) fn command(arguments: &ZooArguments) -> Result<Exit, Refusal> {
    let root = checkout()?;
    let all = bug::read_all(&root.join("scenarios/zoo"))?;
    let in_zoo = all.len() as u64;
    let bugs = bug::choose(all, &arguments.only)?;
    if arguments.list {
        let lines: Vec<String> = bugs.iter().map(bug::listed).collect();
        output::print(&(lines.join("\n") + "\n"))?;
        return Ok(Exit::Held);
    }
    if let Some(path) = &arguments.card {
        output::check_place(path)?;
    }
    let budget = Budget {
        seeds: arguments.seeds,
        time: arguments.time,
        jobs: arguments.jobs.count(None),
        sweeps: arguments.sweeps,
        ablation_seeds: arguments.ablation,
        shrink: arguments.shrink,
    };
    interrupt::listen();
    let zoo = root.join("target/zoo");
    fs::create_dir_all(&zoo)
        .map_err(|error| Refusal::harness(format!("{} cannot be made: {error}", zoo.display())))?;
    let _lock = output::lock(&zoo, "wait for its end, or use another checkout")?;
    let grounds = open(&root, &zoo).map_err(Refusal::harness)?;
    let records = Records::open(&zoo.join("records"), &grounds.pristine, &budget);
    let records = records.map_err(Refusal::harness)?;
    let mut results = Vec::new();
    for bug in &bugs {
        let known = if arguments.resume { records.read(bug) } else { None };
        let result = known.unwrap_or_else(|| visit(bug, &grounds, &budget));
        if interrupt::requested() {
            // This bug had no fair chance, and those after it none at all.
            break;
        }
        output::say(&card::line(&result));
        records.write(bug, &result).map_err(Refusal::harness)?;
        results.push(result);
    }
    let untried = (bugs.len() - results.len()) as u64;
    let card = Card { untried, in_zoo, ..Card::new(results) };
    // What an interrupt cut short is no card: the bugs that are not on it might have escaped.
    if let Some(path) = arguments.card.as_ref().filter(|_| untried == 0) {
        output::save(path, page::page(&card, &budget, &arguments.only, path).as_bytes())?;
    }
    if arguments.json {
        output::print_json(&card)?;
    } else {
        // Whoever watches has seen each bug's line already.
        let is_told = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        output::print(&card.report(!is_told))?;
    }
    Ok(card.exit())
}

/// The root of the checkout that the current directory belongs to.
fn checkout() -> Result<PathBuf, Refusal> {
    let here = std::env::current_dir()
        .map_err(|error| Refusal::bad_input(format!("the current directory cannot be read: {error}")))?;
    let root = here
        .ancestors()
        .find(|folder| folder.join("scenarios/zoo").is_dir() && folder.join("Cargo.toml").is_file());
    root.map(Path::to_owned).ok_or_else(|| {
        let here = here.display();
        Refusal::bad_input(format!(
            "{here} is no checkout of Squall; the zoo plants its bugs into sources, so start it in one"
        ))
    })
}

/// Copies the sources and builds the unpatched program.
fn open(root: &Path, zoo: &Path) -> Result<Grounds, String> {
    let grounds = Grounds {
        pristine: zoo.join("pristine"),
        planted: zoo.join("planted"),
        build: zoo.join("build"),
        reference: zoo.join("squall-unpatched"),
    };
    tree::mirror(root, &grounds.pristine)?;
    tree::mirror(&grounds.pristine, &grounds.planted)?;
    let build = grounds.build.display();
    output::say(&format!("building the unpatched sources in {build}; the first time that takes minutes"));
    let program = trial::build(&grounds.planted, &grounds.build)?;
    let copied = fs::copy(&program, &grounds.reference);
    copied.map_err(|error| format!("{} cannot be written: {error}", grounds.reference.display()))?;
    Ok(grounds)
}

/// Plants one bug and tries to catch it.
fn visit(bug: &Bug, grounds: &Grounds, budget: &Budget) -> Visit {
    let planted = plant(bug, grounds).and_then(|()| trial::build(&grounds.planted, &grounds.build));
    let scenarios = grounds.pristine.join("scenarios");
    let caught = planted.and_then(|program| {
        let programs = Programs { patched: &program, reference: &grounds.reference, scenarios: &scenarios };
        programs.catch(bug, budget)
    });
    match caught {
        Ok(trial) => Visit::of(bug, trial),
        Err(problem) => Visit::broken(bug, &problem),
    }
}

fn plant(bug: &Bug, grounds: &Grounds) -> Result<(), String> {
    tree::mirror(&grounds.pristine, &grounds.planted)?;
    tree::apply(&bug.patch, &grounds.planted)?;
    if tree::same(&grounds.pristine, &grounds.planted)? {
        return Err(format!("{} applies, but changes nothing", bug.patch.display()));
    }
    Ok(())
}
