//! The command line, as data: what may be asked, and how seeds, shards and durations are written.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};
use squall_scenarios::branch::Branch;
use squall_scenarios::profile::{self, Profile};
use squall_scenarios::{classes, marks, spec};

use crate::exit::Refusal;
use crate::help;
use crate::threads;

/// Seeded storms for a Raft cluster: find a run that breaks it, replay it, understand it.
#[derive(Parser, Debug)]
#[command(version, max_term_width = help::WIDTH_MAX, after_help = format!(
    "Without a command: sweeps the profile `storm` for ten seconds on all cores, and reports.\n\n{}",
    help::CODES
))]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run many seeds; print verdicts and totals. An interrupt ends it early, with its report.
    #[command(after_help = help::CODES_AS_EVER)]
    Sweep(SweepArguments),
    /// Go on over fresh seeds for hours; stop and resume at will.
    #[command(after_help = help::SOAK)]
    Soak(SoakArguments),
    /// Add up the state files of a soak that several machines shared; print the report.
    #[command(after_help = help::MERGE)]
    Merge(MergeArguments),
    /// Run one seed, with its resolved parameters.
    #[command(after_help = help::CODES_AS_EVER)]
    Run(RunArguments),
    /// Run a scenario file.
    #[command(after_help = help::REPLAY)]
    Replay(ReplayArguments),
    /// Reduce a failure to the simplest scenario that is found which fails in the same class.
    #[command(override_usage = help::SHRINK_USAGE, after_help = help::SHRINK)]
    Shrink(ShrinkArguments),
    /// Send runs that come into a rare situation on many ways from there.
    #[command(after_help = help::CODES_AS_EVER)]
    Branch(BranchArguments),
    /// Find the first event at which two traces differ.
    #[command(after_help = help::DIFF)]
    Diff(DiffArguments),
    /// Show what a data directory holds, and what recovery would do.
    #[command(after_help = help::LOG)]
    Log(LogArguments),
    /// Search every interleaving of what may happen to a few nodes, within bounds.
    #[command(after_help = help::EXPLORE)]
    Explore(ExploreArguments),
    /// Plant known bugs into copies of the sources, and see which are caught, and how fast.
    #[command(after_help = help::ZOO)]
    Zoo(ZooArguments),
}

#[derive(Args, Debug)]
pub(crate) struct SweepArguments {
    #[arg(long, default_value = "storm", help = profile_help())]
    pub(crate) profile: String,
    /// How many seeds to run (without --time: 1,000).
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) seeds: Option<u64>,
    /// The first seed: a number, or a commit hash, of which it is made.
    #[arg(long, value_name = "S", default_value = "0", value_parser = parse_start)]
    pub(crate) start: u64,
    #[command(flatten)]
    pub(crate) jobs: JobsArguments,
    /// Of N machines that share the seeds, this is number I (from 1).
    #[arg(long, value_name = "I/N", default_value = "1/1", value_parser = parse_shard)]
    pub(crate) shard: Shard,
    /// Begin no run after this time: 90s, 10m, 1h.
    #[arg(long, value_parser = parse_duration)]
    pub(crate) time: Option<Duration>,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Stop at the first failure instead of going on.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Fail (exit code 3) if there is a situation that no run reached.
    #[arg(long)]
    pub(crate) require_marks: bool,
    #[command(flatten)]
    pub(crate) less: LessArguments,
    /// Run every seed twice, and show the first event at which the two runs part, if they do (exit code 3).
    #[arg(long)]
    pub(crate) check_determinism: bool,
}

impl SweepArguments {
    /// How many seeds a sweep has that is given neither a number nor a time.
    const SEEDS: u64 = 1_000;

    /// What `squall` does when nothing is asked.
    pub(crate) fn taste() -> SweepArguments {
        SweepArguments {
            profile: "storm".to_owned(),
            seeds: None,
            start: 0,
            jobs: JobsArguments::default(),
            shard: Shard::WHOLE,
            time: Some(Duration::from_secs(10)),
            json: false,
            fail_fast: false,
            require_marks: false,
            less: LessArguments::default(),
            check_determinism: false,
        }
    }

    /// The bound on seeds, if there is one.
    pub(crate) fn seeds_max(&self) -> Option<u64> {
        self.seeds.or_else(|| self.time.is_none().then_some(Self::SEEDS))
    }
}

/// How many runs at once.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct JobsArguments {
    /// How many runs at once, 1,024 at most; one for each core unless given.
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=i64::from(threads::MAX)))]
    jobs: Option<u16>,
}

impl JobsArguments {
    /// As asked, or one for each core; but not more than there is to run, where that is known.
    pub(crate) fn count(self, runs: Option<u64>) -> u16 {
        let wanted = self.jobs.unwrap_or_else(threads::cores);
        runs.map_or(wanted, |runs| wanted.min(u16::try_from(runs).unwrap_or(u16::MAX))).max(1)
    }
}

/// What of a storm and of its judges is switched off, to see what the rest is worth.
#[derive(Args, Debug, Default)]
pub(crate) struct LessArguments {
    /// Switch these classes of faults off: keys of a profile's `[swarm]`, or `membership`.
    #[arg(long, value_name = "CLASS,CLASS", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    #[command(flatten)]
    pub(crate) ignore: IgnoreArguments,
}

/// Which judges are not heard.
#[derive(Args, Debug, Default)]
pub(crate) struct IgnoreArguments {
    /// Violations of these classes do not count, as if their oracles were off; `spec` is every rule of the specification. All classes:
    /// docs/oracles.md.
    #[arg(long, value_name = "CLASS,CLASS", value_delimiter = ',', value_parser = parse_classes)]
    pub(crate) ignore: Vec<Classes>,
}

/// The classes that one word stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Classes {
    word: String,
    classes: Vec<&'static str>,
}

impl LessArguments {
    /// Loads a profile, and switches off what is to be off.
    pub(crate) fn profile(&self, name: &str) -> Result<Profile, Refusal> {
        let mut profile = profile::load(name).map_err(Refusal::bad_input)?;
        let mut off = self.without.iter().map(|class| profile.switch_off(class));
        off.try_for_each(|result| result.map_err(Refusal::bad_input))?;
        Ok(profile)
    }

    /// The same as words of a command.
    pub(crate) fn words(&self) -> String {
        let without = match self.without.as_slice() {
            [] => String::new(),
            classes => format!(" --without {}", classes.join(",")),
        };
        without + &self.ignore.words()
    }
}

impl IgnoreArguments {
    /// The classes that do not count.
    pub(crate) fn classes(&self) -> Vec<&'static str> {
        self.ignore.iter().flat_map(|classes| classes.classes.iter().copied()).collect()
    }

    /// The same as words of a command.
    pub(crate) fn words(&self) -> String {
        let words: Vec<&str> = self.ignore.iter().map(|classes| classes.word.as_str()).collect();
        if words.is_empty() { String::new() } else { format!(" --ignore {}", words.join(",")) }
    }
}

#[derive(Args, Debug)]
pub(crate) struct SoakArguments {
    /// What is known so far. If the file is there, the soak goes on where it stopped.
    #[arg(long, value_name = "FILE", default_value = "soak.json")]
    pub(crate) state: PathBuf,
    #[arg(long, value_name = "P,P", value_delimiter = ',', help = soak_profile_help())]
    pub(crate) profile: Vec<String>,
    /// The first seed of all shards: a number, or a commit hash; as in the state, or 0, unless given.
    #[arg(long, value_name = "S", value_parser = parse_start)]
    pub(crate) start: Option<u64>,
    /// How many seeds to run of each profile, all shards and all that is done taken together; without end unless given.
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) seeds: Option<u64>,
    /// Begin no run after this time, from now on: 90s, 10m, 8h. Shrinking comes after it.
    #[arg(long, value_parser = parse_duration)]
    pub(crate) time: Option<Duration>,
    /// Of N machines that share the seeds, this is number I (from 1); as in the state, or the only one, unless given.
    #[arg(long, value_name = "I/N", value_parser = parse_shard)]
    pub(crate) shard: Option<Shard>,
    #[command(flatten)]
    pub(crate) jobs: JobsArguments,
    /// How long to shrink each kind of failure, at the end.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub(crate) shrink: Duration,
    /// The folder for what is shrunk: PROFILE-CLASS.scn.
    #[arg(long, value_name = "DIR", default_value = "findings")]
    pub(crate) output: PathBuf,
    /// Print one JSON object, the state, and nothing else, on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct MergeArguments {
    /// The states of `squall soak --state`, one for each shard, or merged ones.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) states: Vec<PathBuf>,
    /// Write the whole to this file, too.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Print one JSON object, the state, and nothing else, on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    #[arg(long, default_value = "storm", help = profile_help())]
    pub(crate) profile: String,
    /// The seed: a number, or a commit hash.
    #[arg(long, value_name = "S", value_parser = parse_start)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) show: ShowArguments,
    /// Write the run as a scenario file: every event and decision, resolved.
    #[arg(long, value_name = "FILE.scn")]
    pub(crate) emit: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) less: LessArguments,
    /// Run it twice, and show the first event at which the two runs part, if they do (exit code 3).
    #[arg(long)]
    pub(crate) check_determinism: bool,
}

/// What to show of a single run.
#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    /// Write the trace, for `squall diff`; to a file named `*.jsonl` as JSON lines, for other tools.
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Tell on standard error what strikes the cluster, and each change of role, term, vote, leader and members; -vv: of logs, too.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Go on after a violation, and name everything that fires until the end.
    #[arg(long)]
    pub(crate) keep_going: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ReplayArguments {
    /// The scenario.
    #[arg(value_name = "FILE.scn")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) show: ShowArguments,
    #[command(flatten)]
    pub(crate) ignore: IgnoreArguments,
}

#[derive(Args, Debug)]
pub(crate) struct ShrinkArguments {
    /// A scenario that fails.
    #[arg(value_name = "FILE.scn", conflicts_with_all = ["profile", "seed"], required_unless_present = "seed")]
    pub(crate) file: Option<PathBuf>,
    #[arg(long, default_value = "storm", help = profile_help())]
    pub(crate) profile: String,
    /// The seed that fails: a number, or a commit hash.
    #[arg(long, value_name = "S", value_parser = parse_start)]
    pub(crate) seed: Option<u64>,
    /// Where the simplest scenario goes; SEED-CLASS.scn, or NAME-CLASS.scn of a file, in the current directory unless given, where no file of
    /// that name is overwritten.
    #[arg(short, long, value_name = "FILE.scn")]
    pub(crate) output: Option<PathBuf>,
    /// Write it a second time, as the regression test that it is once the bug is fixed: `scenarios/found/NAME.scn`.
    #[arg(long, value_name = "FILE.scn")]
    pub(crate) test: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) less: LessArguments,
    /// How long to try. An interrupt ends it early, with what is found by then.
    #[arg(long, default_value = "60s", value_parser = parse_duration)]
    pub(crate) time: Duration,
    #[command(flatten)]
    pub(crate) jobs: JobsArguments,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BranchArguments {
    #[arg(long, default_value = "storm", help = profile_help())]
    pub(crate) profile: String,
    /// How many seeds to branch off from.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = parse_count)]
    pub(crate) seeds: u64,
    /// The first seed: a number, or a commit hash, of which it is made.
    #[arg(long, value_name = "S", default_value = "0", value_parser = parse_start)]
    pub(crate) start: u64,
    /// How many ways a run is sent from each rare situation that it comes into.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = parse_count)]
    pub(crate) ways: u64,
    /// A situation is rare that at most so many of the first hundred of these seeds come into.
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) rare: u64,
    /// Only this branch, as a report names it.
    #[arg(long, value_name = "SEED/SITUATION/WAY", value_parser = parse_branch)]
    pub(crate) only: Option<Branch>,
    /// Write that branch as a scenario file.
    #[arg(long, value_name = "FILE.scn", requires = "only")]
    pub(crate) emit: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) less: LessArguments,
    /// Begin no seed after this time: 90s, 10m, 1h.
    #[arg(long, value_parser = parse_duration)]
    pub(crate) time: Option<Duration>,
    #[command(flatten)]
    pub(crate) jobs: JobsArguments,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DiffArguments {
    /// A trace that `squall run --trace` wrote.
    pub(crate) left: PathBuf,
    /// Another.
    pub(crate) right: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct LogArguments {
    /// The data directory of a node.
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// Show only what cannot be read.
    #[arg(long)]
    pub(crate) damage: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ExploreArguments {
    /// Voters at the beginning.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) nodes: u8,
    /// Nodes beside them, which may be added.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) spares: u8,
    /// Begin when n0 was elected in term 1, and all have its first entry.
    #[arg(long)]
    pub(crate) elected: bool,
    /// How often nodes campaign, in all.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) elections: u8,
    /// How many commands are proposed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) proposals: u8,
    /// How often the power fails on a node.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) crashes: u8,
    /// How many changes of the membership are asked for: a member is removed, or another node is added.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) changes: u8,
    /// How often leaders send a round of heartbeats.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) heartbeats: u8,
    /// How many messages are lost. Any number always may be, since none need arrive: every bound is covered.
    #[arg(long, value_name = "N|any", default_value = "any", value_parser = parse_times)]
    pub(crate) losses: Times,
    /// How often a message arrives once more.
    #[arg(long, value_name = "N|any", default_value = "0", value_parser = parse_times)]
    pub(crate) duplicates: Times,
    /// Writes are done before a node's next input, or lost with a power failure; else they are done at any time.
    #[arg(long)]
    pub(crate) prompt_disk: bool,
    /// Leaders send at most one entry in a message.
    #[arg(long)]
    pub(crate) one_entry_messages: bool,
    /// Try untouched nodes one and all, though they are alike.
    #[arg(long)]
    pub(crate) no_symmetry: bool,
    /// Keep messages of which nobody will take notice.
    #[arg(long)]
    pub(crate) keep_messages: bool,
    /// Stop when a state is so many steps away.
    #[arg(long, value_name = "N")]
    pub(crate) depth_max: Option<u32>,
    /// Stop when there are so many states, and the step under way is done; one takes some 100 bytes while it waits, and 20 for good.
    #[arg(long, value_name = "N", default_value_t = 200_000_000)]
    pub(crate) states_max: u64,
    /// Stop after this time: 90s, 10m, 1h.
    #[arg(long, value_parser = parse_duration)]
    pub(crate) time: Option<Duration>,
    /// Write a violation as a scenario file.
    #[arg(short, long, value_name = "FILE.scn")]
    pub(crate) output: Option<PathBuf>,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How often something may happen; `None` for any number of times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Times(pub(crate) Option<u8>);

#[derive(Args, Debug)]
pub(crate) struct ZooArguments {
    /// List the bugs: id, kind, profile, what it breaks, title. Nothing is built.
    #[arg(long, conflicts_with = "json")]
    pub(crate) list: bool,
    /// Only these bugs, by their ids.
    #[arg(long, value_name = "ID,ID", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// How many seeds each sweep may take.
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = parse_count)]
    pub(crate) seeds: u64,
    /// How long each sweep may take.
    #[arg(long, default_value = "120s", value_parser = parse_duration)]
    pub(crate) time: Duration,
    /// How many sweeps each bug has to be caught by, from seeds that are far apart.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = parse_count)]
    pub(crate) sweeps: u64,
    /// Try also, over so many seeds, without each family of faults.
    #[arg(long, value_name = "SEEDS", default_value_t = 0)]
    pub(crate) ablation: u64,
    /// Shrink the first seed that fails, for so long at most.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) shrink: Option<Duration>,
    /// Write the score card as a page of Markdown.
    #[arg(long, value_name = "FILE.md")]
    pub(crate) card: Option<PathBuf>,
    /// Do not try again what was tried with the same sources, patch and budget.
    #[arg(long)]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) jobs: JobsArguments,
    /// Print one JSON object, and nothing else, on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whoever gives a profile for a command is told which command takes it.
pub(crate) fn with_hint(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return error };
    if let Some(name) = profile::names().find(|name| name == word) {
        let tip = format!("`{name}` is a profile: squall sweep --profile {name}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Which seeds of a sweep are this machine's: every `of`-th, from number `index`.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Shard {
    /// Invariant: less than `of`. Written from 1, kept from 0.
    pub(crate) index: u64,
    pub(crate) of: u64,
}

impl Shard {
    pub(crate) const WHOLE: Shard = Shard { index: 0, of: 1 };
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.of)
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Shard, String> {
        parse_shard(&text).map_err(|right| format!("`{text}` is no shard; {right}"))
    }
}

fn profile_help() -> String {
    let names: Vec<&str> = profile::names().collect();
    format!("The profile: {}, or the path of a TOML file", names.join(", "))
}

fn soak_profile_help() -> String {
    format!("{}; several take turns. As in the state, or storm, unless given", profile_help())
}

fn parse_count(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "give a number from 1 on, such as 1000".to_owned())
}

/// Every rule of the specification, in one word.
const SPECIFICATION: &str = "spec";

fn parse_classes(text: &str) -> Result<Classes, String> {
    let named = |classes| Classes { word: text.to_owned(), classes };
    if text == SPECIFICATION {
        return Ok(named(spec::rules().collect()));
    }
    let class = classes::all().find(|class| *class == text);
    class.map(|class| named(vec![class])).ok_or_else(|| {
        let is_specification = text.eq_ignore_ascii_case(SPECIFICATION);
        let resembling =
            if is_specification { vec![SPECIFICATION] } else { classes::resembling(text) };
        let hint = match resembling.as_slice() {
            [] => format!("give a class of violations, such as ElectionSafety, or `{SPECIFICATION}`"),
            resembling => format!("perhaps {}?", resembling.join(" or ")),
        };
        let all: Vec<&str> = classes::BESIDE_THE_RULES.into_iter().collect();
        format!(
            "{hint}\n\nThe classes: {}; and, all of them as `{SPECIFICATION}`, {} rules of the specification, which docs/oracles.md lists",
            all.join(", "),
            spec::rules().count()
        )
    })
}

fn parse_times(text: &str) -> Result<Times, String> {
    if text == "any" {
        return Ok(Times(None));
    }
    text.parse().map(|times| Times(Some(times))).map_err(|_| "give a number up to 255, or `any`".to_owned())
}

fn parse_start(text: &str) -> Result<u64, String> {
    const COMMIT_HASH_DIGITS: usize = 40;
    // 48 bits: no two commits share them, a sweep never overflows, and every reader of JSON can hold the number.
    const DIGITS_USED: usize = 12;
    if text.len() == COMMIT_HASH_DIGITS && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(
            u64::from_str_radix(&text[..DIGITS_USED], 16).expect("twelve hexadecimal digits fit in 64 bits")
        );
    }
    // An abbreviated hash may have digits alone.
    let is_number = text == "0" || !text.starts_with('0');
    text.parse()
        .ok()
        .filter(|_| is_number)
        .ok_or_else(|| "give a number below 2^64, or a commit hash of 40 hexadecimal digits".to_owned())
}

/// Refuses more seeds from `start` on than there are.
pub(crate) fn check_seeds(start: u64, seeds: Option<u64>) -> Result<(), Refusal> {
    let after_first = seeds.map_or(0, |seeds| seeds.saturating_sub(1));
    start.checked_add(after_first).map(|_| ()).ok_or_else(|| {
        let there_are = u64::MAX - start + 1;
        Refusal::bad_input(format!(
            "--start {start} leaves {there_are} seeds below 2^64; expected --seeds {there_are} at most"
        ))
    })
}

fn parse_branch(text: &str) -> Result<Branch, String> {
    let mut numbers = text.split('/').map(str::parse::<u64>);
    let branch = match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(seed)), Some(Ok(mark)), Some(Ok(way)), None) => {
            usize::try_from(mark).ok().map(|mark| Branch { seed, mark, way })
        }
        (_, _, _, _) => None,
    };
    let count = marks::all().count();
    branch
        .filter(|branch| branch.mark < count)
        .ok_or_else(|| format!("give three numbers, as 17/42/3; situations have numbers below {count}"))
}

fn parse_shard(text: &str) -> Result<Shard, String> {
    let numbers = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
    match numbers {
        Some((index @ 1_u64.., of)) if index <= of => Ok(Shard { index: index - 1, of }),
        Some(_) | None => Err("give I/N with 1 <= I <= N, such as 2/4".to_owned()),
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err("give a number with its unit: 500ms, 90s, 10m, 1h".to_owned()),
    };
    let millis = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_ms));
    match millis {
        Some(millis @ 1..) => Ok(Duration::from_millis(millis)),
        Some(0) | None => Err("give a number above zero that a clock can hold".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_commit_hash_gives_the_same_start_to_everyone() {
        assert_eq!(parse_start("0123456789abcdef0123456789abcdef01234567"), Ok(0x0123_4567_89ab));
        assert_eq!(parse_start("17"), Ok(17));
        for wrong in ["", "-1", "0x11", "0123456789abcdef", "g123456789abcdef0123456789abcdef01234567"] {
            assert!(parse_start(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_shard_is_one_of_its_number() {
        assert_eq!(parse_shard("1/1"), Ok(Shard::WHOLE));
        assert_eq!(parse_shard("4/4"), Ok(Shard { index: 3, of: 4 }));
        for wrong in ["", "4", "0/4", "5/4", "1/0", "a/b", "1/2/3"] {
            assert!(parse_shard(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "90", "s", "0s", "-1s", "1.5h", "99999999999999999999s", "18446744073709551615h"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
