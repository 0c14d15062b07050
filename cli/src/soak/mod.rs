//! `squall soak`: storms that go on for hours over fresh seeds, can be stopped at any time, and go on where they stopped.
//!
//! Profiles take turns, a few seconds each. After each turn the state is written, so that a machine that dies loses no more
//! than that. When the time is up, the fastest seed of each kind of failure is shrunk, and a report is printed.

mod executable;
mod garbled;
mod merge;
mod report;
mod state;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use squall_scenarios::profile::{self, Profile};
use squall_scenarios::run::{self as storm, Outcome, RunOptions};
use xxhash_rust::xxh3::xxh3_128;

use crate::args::{Shard, SoakArguments};
use crate::clock::Stopwatch;
use crate::exit::{Exit, Refusal};
use crate::progress::Progress;
use crate::summary::{self, Judgement};
use crate::sweep::{self, Plan};
use crate::{interrupt, output, panics, repeat, replay, shrink};
pub(crate) use merge::command as merge_command;
use state::{Doubt, DoubtKind, Finding, Hash, Ledger, Small, State};

/// How long a profile's turn is, and how much is lost at most if the machine dies.
const TURN: Duration = Duration::from_secs(10);

/// A turn keeps a row for each run, so there is a bound on these, too.
const TURN_SEEDS_MAX: u64 = 100_000;

/// The profile of a soak that names none.
const PROFILE: &str = "storm";

/// How far a soak goes on from now.
struct Session {
    /// For each profile, all shards and all that is done taken together.
    seeds_max: Option<u64>,
    time: Option<Duration>,
    jobs: u16,
}

/// Runs the command.
pub(crate) fn command(arguments: &SoakArguments) -> Result<Exit, Refusal> {
    let _lock = output::lock(&arguments.state, "name another file")?;
    let known = if arguments.state.exists() { Some(garbled::load(&arguments.state)?) } else { None };
    let (mut state, profiles) = begin(known, arguments)?;
    let session = Session {
        seeds_max: arguments.seeds,
        time: arguments.time,
        jobs: arguments.jobs.count(arguments.seeds),
    };
    interrupt::listen();
    let mut shares = state.profiles.iter().map(|ledger| share(&state, ledger, &session));
    let seeds = shares.try_fold(0, |sum: u64, share| Some(sum.saturating_add(share?)));
    let progress = Progress::new(seeds, session.time, arguments.json);
    let run = |nth: usize, seed: u64, options: &RunOptions| storm::run_seed(&profiles[nth], seed, options);
    let keep = |state: &State| save(&arguments.state, state);
    keep(&state)?;
    go_on(&mut state, &session, &progress, run, keep)?;
    progress.finish();
    shrink_findings(&mut state, &profiles, arguments, keep)?;
    let exit = tell(&state, arguments.json)?;
    let has_end = session.seeds_max.is_some() || session.time.is_some();
    if exit == Exit::Held && has_end && interrupt::requested() {
        // Whoever waits for the end must not take this for one.
        output::say("squall: interrupted before the end; the same command goes on");
        return Ok(Exit::Harness);
    }
    Ok(exit)
}

/// Prints the report.
fn tell(state: &State, json: bool) -> Result<Exit, Refusal> {
    if json {
        output::print_json(&state.sealed())?;
    } else {
        output::print(&report::soak(state))?;
    }
    Ok(state.exit())
}

/// Writes a state in the place of the one before.
fn save(path: &Path, state: &State) -> Result<(), Refusal> {
    output::replace(path, &rendered(state))
}

fn rendered(state: &State) -> Vec<u8> {
    let mut text =
        serde_json::to_string_pretty(&state.sealed()).expect("a state has text keys only, so it is JSON");
    text.push('\n');
    text.into_bytes()
}

/// The state to go on from, and its profiles: what is known, if that is what the arguments ask for, or a new one.
fn begin(known: Option<State>, arguments: &SoakArguments) -> Result<(State, Vec<Profile>), Refusal> {
    let names = match (&known, &arguments.profile[..]) {
        (Some(state), []) => state.profiles.iter().map(|ledger| ledger.profile.clone()).collect(),
        (None, []) => vec![PROFILE.to_owned()],
        (_, asked) => asked.to_vec(),
    };
    for (place, name) in names.iter().enumerate() {
        if names[..place].iter().any(|other| short(other) == short(name)) {
            return Err(Refusal::bad_input(format!(
                "two profiles are called {}; name each once",
                short(name)
            )));
        }
    }
    let load = |name: &String| profile::load(name).map_err(Refusal::bad_input);
    let profiles = names.iter().map(load).collect::<Result<Vec<Profile>, Refusal>>()?;
    let start = arguments.start.or(known.as_ref().map(|state| state.start)).unwrap_or(0);
    let fingerprints = profiles.iter().map(|profile| fingerprint(profile, start));
    let shard = arguments.shard;
    let executable = executable::hash()?;
    let profiles_of = names.into_iter().zip(fingerprints);
    let fresh = State::new(start, shard.unwrap_or(Shard::WHOLE), executable, profiles_of);
    let Some(state) = known else { return Ok((fresh, profiles)) };
    disagreement(&state, &fresh, shard).map_or(Ok((state, profiles)), |what| {
        let path = arguments.state.display();
        Err(Refusal::bad_input(format!("{path}: {what}, or begin anew with another --state")))
    })
}

/// The hash of the first run, and of all that the profile says. It is the same in every shard.
fn fingerprint(profile: &Profile, start: u64) -> Hash {
    let first = repeat::row(start, &|seed, options| storm::run_seed(profile, seed, options)).hash;
    Hash(xxh3_128(format!("{first:032x} {profile:?}").as_bytes()))
}

/// Why a state cannot go on as the arguments say, in whose place `fresh` would begin; and what could be done.
fn disagreement(state: &State, fresh: &State, shard: Option<Shard>) -> Option<String> {
    if state.executable != fresh.executable {
        return Some(format!(
            "it was begun by another program ({}; this one is {}), and runs of two programs do not add up; go on with that one's file",
            state.executable, fresh.executable
        ));
    }
    let shards = state.shards();
    let [own] = shards[..] else {
        return Some(format!("it is merged from {} shards; go on with the state of one", shards.len()));
    };
    if let Some(asked) = shard.filter(|asked| *asked != own) {
        return Some(format!("it was begun with --shard {own}, not {asked}; go on with that"));
    }
    if state.start != fresh.start {
        return Some(format!(
            "it was begun with --start {}, not {}; go on with that",
            state.start, fresh.start
        ));
    }
    let names = |state: &State| {
        state.profiles.iter().map(|ledger| ledger.profile.clone()).collect::<Vec<_>>().join(",")
    };
    if names(state) != names(fresh) {
        let (own, asked) = (names(state), names(fresh));
        return Some(format!("it was begun with --profile {own}, not {asked}; go on with that"));
    }
    let mut pairs = state.profiles.iter().zip(&fresh.profiles);
    pairs.find(|(own, fresh)| own.fingerprint != fresh.fingerprint).map(|(own, _)| {
        let (profile, start) = (&own.profile, state.start);
        format!(
            "{profile} is not what it was, or its seed {start} is another run on this machine; go on with the profile of then"
        )
    })
}

/// Gives profiles their turns until the time or the seeds are used up, or somebody asks to stop.
fn go_on(
    state: &mut State,
    session: &Session,
    progress: &Progress,
    run: impl Fn(usize, u64, &RunOptions) -> Outcome + Sync,
    keep: impl Fn(&State) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let clock = Stopwatch::start();
    while !interrupt::requested() {
        let left = session.time.map(|time| time.saturating_sub(clock.elapsed()));
        if left == Some(Duration::ZERO) {
            break;
        }
        let Some((nth, turn)) = next_turn(state, session, left) else { break };
        let (done_before, failed_before) = (state.seeds(), state.failed());
        let show = |done, failed| progress.show(done_before + done, failed_before + failed);
        let rows = sweep::sweep(&turn, show, |seed, options| run(nth, seed, options))?;
        let ledger = &mut state.profiles[nth];
        let known: Vec<String> = ledger.findings.iter().map(|finding| finding.class.clone()).collect();
        ledger.take(rows);
        for finding in ledger.findings.iter().filter(|finding| !known.contains(&finding.class)) {
            let Finding { class, fastest, message, .. } = finding;
            progress.say(&format!("{}: seed {fastest} FAILED {class}: {message}", ledger.profile));
        }
        keep(state)?;
    }
    Ok(())
}

/// Whose turn it is, and what it runs: of the profiles that have seeds left, the one that had the least of the machine.
fn next_turn(state: &State, session: &Session, left: Option<Duration>) -> Option<(usize, Plan)> {
    let turns = state.profiles.iter().enumerate().filter_map(|(nth, ledger)| {
        let plan = turn(state.start, ledger, session, left)?;
        Some((ledger.busy_us, nth, plan))
    });
    turns.min_by_key(|(busy_us, nth, _)| (*busy_us, *nth)).map(|(_, nth, plan)| (nth, plan))
}

/// The next seeds of a profile's only shard, if there are any.
fn turn(start: u64, ledger: &Ledger, session: &Session, left: Option<Duration>) -> Option<Plan> {
    let shard = ledger.done[0].shard;
    let before = ledger.seeds().checked_mul(shard.of)?;
    let bound = session.seeds_max.map_or(u64::MAX, |seeds| seeds.saturating_sub(before));
    let plan = Plan {
        start: start.checked_add(before)?,
        seeds_max: Some(bound.min(TURN_SEEDS_MAX.saturating_mul(shard.of))),
        shard,
        jobs: session.jobs,
        time: Some(left.map_or(TURN, |left| left.min(TURN))),
        fail_fast: false,
        check_determinism: false,
        less: String::new(),
    };
    plan.seed(0).is_some().then_some(plan)
}

/// How many seeds this machine will have run of a profile, if there is an end.
fn share(state: &State, ledger: &Ledger, session: &Session) -> Option<u64> {
    let Session { seeds_max, time, jobs } = *session;
    let (start, shard) = (state.start, ledger.done[0].shard);
    Plan {
        start,
        seeds_max,
        shard,
        jobs,
        time,
        fail_fast: false,
        check_determinism: false,
        less: String::new(),
    }
    .seeds()
}

/// Shrinks the fastest seed of each class, unless that was done to the end and the file is there. An interrupt leaves the rest to
/// the next time.
fn shrink_findings(
    state: &mut State,
    profiles: &[Profile],
    arguments: &SoakArguments,
    keep: impl Fn(&State) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    for (nth, profile) in profiles.iter().enumerate() {
        for place in 0..state.profiles[nth].findings.len() {
            let ledger = &state.profiles[nth];
            let finding = &ledger.findings[place];
            let is_doubted =
                |doubt: &Doubt| doubt.kind == DoubtKind::NotRepeatable && doubt.seed == finding.fastest;
            let is_small = |small: &Small| small.complete && Path::new(&small.file).exists();
            let is_done =
                finding.shrunk.as_ref().is_some_and(is_small) || ledger.doubts.iter().any(is_doubted);
            if is_done || interrupt::requested() {
                continue;
            }
            match shrunk(profile, &ledger.profile, finding, arguments)? {
                Shrinking::Small(small) => state.profiles[nth].findings[place].shrunk = Some(small),
                Shrinking::Other(reason) => {
                    let seed = finding.fastest;
                    let kind = DoubtKind::NotRepeatable;
                    state.profiles[nth].doubt(Doubt { kind, seeds: 1, seed, reason });
                }
                Shrinking::Early => {}
            }
            keep(state)?;
        }
    }
    Ok(())
}

/// What came of shrinking.
enum Shrinking {
    Small(Small),
    /// The seed does not fail as it did, but like this.
    Other(String),
    /// It fails before there is a run to be shrunk.
    Early,
}

fn shrunk(
    profile: &Profile,
    name: &str,
    finding: &Finding,
    arguments: &SoakArguments,
) -> Result<Shrinking, Refusal> {
    let seed = finding.fastest;
    let options = shrink::options(Vec::new());
    let (file, outcome) = if let Some(left) = left_over(finding, &options) {
        left
    } else {
        let outcome = panics::catch(|| storm::run_seed(profile, seed, &options));
        let Ok(outcome) = outcome else { return Ok(Shrinking::Early) };
        if !fails_alike(finding, &outcome) {
            return Ok(Shrinking::Other(format!(
                "it failed {}, and then no more: {:?}",
                finding.class, outcome.verdict
            )));
        }
        let folder = &arguments.output;
        fs::create_dir_all(folder)
            .map_err(|error| Refusal::harness(format!("{} cannot be made: {error}", folder.display())))?;
        (folder.join(format!("{}-{}-{seed}.scn", short(name), finding.class)), outcome)
    };
    let request = shrink::Request {
        output: &file,
        test: None,
        time: arguments.shrink,
        jobs: arguments.jobs.count(None),
        quiet: arguments.json,
        options,
        ignore: String::new(),
    };
    let shrunk = shrink::make_small(format!("seed {seed} of {name}"), &outcome, &request)?;
    Ok(Shrinking::Small(Small { file: shrunk.file, events: shrunk.events[1], complete: shrunk.complete }))
}

/// The file that an earlier shrinking left, where it still fails so: what was gained is not lost.
fn left_over(finding: &Finding, options: &RunOptions) -> Option<(PathBuf, Outcome)> {
    let file = PathBuf::from(&finding.shrunk.as_ref()?.file);
    let (_, _, scenario) = replay::load(&file).ok()?;
    let outcome = panics::catch(|| storm::replay(&scenario, options)).ok()?.ok()?;
    fails_alike(finding, &outcome).then_some((file, outcome))
}

fn fails_alike(finding: &Finding, outcome: &Outcome) -> bool {
    match summary::judgement(outcome.verdict.clone(), &[]) {
        Judgement::Failed { class, .. } => class == finding.class,
        Judgement::Passed | Judgement::Inconclusive(_) => false,
    }
}

/// The name of a profile, without its folder and its suffix where it is a file.
fn short(profile: &str) -> String {
    Path::new(profile)
        .file_stem()
        .map_or_else(|| profile.to_owned(), |stem| stem.to_string_lossy().into_owned())
}
