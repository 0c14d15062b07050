//! What a person reads at the end. A report of a failure ends with the one command that shows it again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use squall_scenarios::marks;

use crate::branch::{Branches, Rare};
use crate::run::Report;
use crate::shrink::Shrunk;
use crate::summary::{Doubt, Failure, Summary};
use crate::sweep::Plan;
use crate::threads;
use crate::words::{self, thousands};

/// How many kinds of failure, doubts or situations are told in full.
const TOLD_IN_FULL: usize = 5;

/// A scenario with more lines is not shown.
const SCENARIO_LINES_TOLD: usize = 60;

/// Writes to a string, which cannot fail.
macro_rules! line {
    ($out:expr) => { $out.push('\n') };
    ($out:expr, $($words:tt)*) => { writeln!($out, $($words)*).expect("writing to a string cannot fail") };
}

pub(crate) use line;

/// The report of a sweep. `missed` are the situations that had to be reached and were not.
pub(crate) fn sweep(summary: &Summary, plan: &Plan, missed: &[&str]) -> String {
    let mut out = String::new();
    let wall = words::duration(Duration::from_secs_f64(summary.wall_seconds));
    let jobs = words::jobs(summary.jobs, threads::cores());
    line!(out, "{}{}: {}, {wall} on {jobs}", summary.profile, summary.less, seeds(summary, plan));
    line!(out);
    line!(out, "  verdicts    {}", verdicts(summary));
    excuses(&mut out, &summary.marks);
    line!(out, "  simulated   {}", simulated(summary));
    line!(
        out,
        "  clients     {} answered; the median run had {:.1} s of storm and answered {}",
        words::count(summary.operations, "operation"),
        summary.median_safety_seconds,
        thousands(summary.median_operations),
    );
    situations(&mut out, &summary.marks);
    line!(out, "  hash        {}", summary.hash);
    line!(out);
    if summary.partings().next().is_some() {
        partings(&mut out, summary);
    } else if !summary.failed.is_empty() {
        failures(&mut out, &summary.failed);
    } else if !summary.doubts.is_empty() {
        doubts(&mut out, summary);
    } else if !missed.is_empty() {
        line!(
            out,
            "{}, but {} never reached:",
            not_violated("No", &summary.ignored),
            so_many_were(missed.len())
        );
        missed.iter().for_each(|name| line!(out, "  {name}"));
    } else if summary.seeds == 0 {
        line!(out, "Nothing was run.");
    } else if summary.interrupted {
        line!(out, "Interrupted before the end: {} by then.", not_violated("no", &summary.ignored));
    } else if plan.check_determinism {
        line!(out, "{} Every seed was run twice, and went the same way both times.", held(&summary.ignored));
    } else {
        line!(out, "{} The same seeds give the same hash on every machine.", held(&summary.ignored));
    }
    out
}

/// That all held, or all that counted.
pub(crate) fn held(ignored: &BTreeMap<&'static str, u64>) -> String {
    if ignored.is_empty() {
        return "All invariants held.".to_owned();
    }
    format!("All invariants that count held; what fired, and was ignored: {}.", fired_in(ignored))
}

/// That nothing was violated, or nothing that counted: the first half of a sentence, which begins with this `no`.
fn not_violated(no: &str, ignored: &BTreeMap<&'static str, u64>) -> String {
    if ignored.is_empty() {
        return format!("{no} invariant was violated");
    }
    format!("{no} invariant that counts was violated (fired, and ignored: {})", fired_in(ignored))
}

fn fired_in(ignored: &BTreeMap<&'static str, u64>) -> String {
    let fired = |(class, runs): (&&'static str, &u64)| format!("{class} in {}", words::count(*runs, "run"));
    ignored.iter().map(fired).collect::<Vec<String>>().join(", ")
}

/// The report of a shrunk failure.
pub(crate) fn shrunk(shrunk: &Shrunk) -> String {
    let mut out = String::new();
    line!(out, "{}: failed {}", shrunk.source, shrunk.class);
    line!(out);
    let told = |nth: usize| {
        let (decided, parameters) = (
            words::faults_and_decisions(shrunk.events[nth]),
            words::count(shrunk.parameters[nth], "parameter"),
        );
        let length = words::duration(Duration::from_secs_f64(shrunk.virtual_seconds[nth]));
        format!("{decided}, {parameters}, {length} of virtual time")
    };
    line!(out, "  before    {}", told(0));
    line!(out, "  after     {}", told(1));
    let wall = words::duration(Duration::from_secs_f64(shrunk.wall_seconds));
    let end = match (shrunk.complete, shrunk.interrupted) {
        (true, _) => "nothing simpler is left to try",
        (false, true) => "it was interrupted: more may go",
        (false, false) => "the time was up: more may go",
    };
    let jobs = words::jobs(shrunk.jobs, threads::cores());
    line!(out, "  runs      {} in {wall} on {jobs}; {end}", thousands(shrunk.runs));
    line!(out);
    let lines = shrunk.scenario.lines().count();
    if lines <= SCENARIO_LINES_TOLD {
        shrunk.scenario.lines().for_each(|text| line!(out, "  {text}"));
    } else {
        line!(out, "  {} lines", thousands(lines as u64));
    }
    line!(out);
    line!(out, "It is in {}. See it again:", shrunk.file);
    line!(out, "  {}", shrunk.replay);
    if let Some(test) = &shrunk.test {
        line!(
            out,
            "The regression test, which passes once the bug is fixed, is {test}; tell its story there."
        );
    }
    out
}

/// The report of a search by branches.
pub(crate) fn branches(summary: &Branches) -> String {
    let mut out = String::new();
    let wall = words::duration(Duration::from_secs_f64(summary.wall_seconds));
    let (seeds, jobs) = (words::count(summary.seeds, "seed"), words::jobs(summary.jobs, threads::cores()));
    let (profile, start) = (&summary.profile, summary.start);
    line!(
        out,
        "{profile}{}: {seeds} from {start} on, and {} branches, {wall} on {jobs}",
        summary.less,
        thousands(summary.branches)
    );
    line!(out);
    line!(out, "  simulated   {}", words::count(summary.events, "event"));
    for Rare { number, situation, branches, first } in &summary.rare {
        let begun = match first {
            Some(first) => format!("{branches} branches, first {first}"),
            None => "no branch, for runs came into it only as they ended".to_owned(),
        };
        line!(out, "  rare        {number:>3}  {situation}: {begun}");
    }
    if !summary.only_in_branches.is_empty() {
        line!(out, "  in branches alone: {}", summary.only_in_branches.join("; "));
    }
    line!(out);
    for (class, failure) in &summary.failed {
        line!(out, "FAILED {class}, {}, first {}:", words::count(failure.runs, "run"), failure.name);
        line!(out, "  {}", failure.message);
        line!(out);
        branch_commands(&mut out, &failure.replay, &failure.shrink);
        line!(out);
    }
    match (summary.failed.is_empty(), summary.inconclusive) {
        (true, 0) if summary.interrupted => {
            line!(out, "Interrupted before the end: {} by then.", not_violated("no", &summary.ignored));
        }
        (true, 0) => line!(out, "{}", held(&summary.ignored)),
        (_, 1..) => line!(out, "{} had no verdict.", words::count(summary.inconclusive, "run")),
        (false, 0) => {}
    }
    out
}

/// How a failure is seen again, and made small from the file that is written with that.
pub(crate) fn branch_commands(out: &mut String, replay: &str, shrink: &str) {
    line!(out, "See it again:");
    line!(out, "  {replay}");
    line!(out, "Make it small:");
    line!(out, "  {shrink}");
}

/// Which seeds were run, of those that were asked for.
fn seeds(summary: &Summary, plan: &Plan) -> String {
    let mut text = match plan.seeds() {
        Some(planned) if summary.seeds < planned => {
            format!("{} of {}", thousands(summary.seeds), words::count(planned, "seed"))
        }
        Some(_) | None => words::count(summary.seeds, "seed"),
    };
    if let Some(shard) = &summary.shard {
        let whole =
            plan.seeds_max.map_or_else(|| "those".to_owned(), |seeds| format!("the {}", thousands(seeds)));
        write!(text, ", shard {shard} of {whole}").expect("a string takes all");
    }
    let interrupted = if summary.interrupted { "; interrupted" } else { "" };
    format!("{text} from {} on{interrupted}", summary.start)
}

fn verdicts(summary: &Summary) -> String {
    let mut text = format!("{} passed", thousands(summary.passed));
    if !summary.failed.is_empty() {
        write!(text, ", {} FAILED", thousands(summary.failed.len() as u64)).expect("a string takes all");
    }
    if summary.inconclusive > 0 {
        write!(text, ", {} without a verdict", thousands(summary.inconclusive)).expect("a string takes all");
    }
    text
}

fn simulated(summary: &Summary) -> String {
    let each = if summary.jobs == threads::cores() { "core" } else { "thread" };
    let cluster_time = words::duration(Duration::from_secs_f64(summary.virtual_seconds));
    format!(
        "{cluster_time} of a cluster's life, {} times faster than life; {}, {} per second and {each}",
        thousands(summary.virtual_per_wall as u64),
        words::count(summary.events, "event"),
        thousands(summary.events_per_second_per_job as u64),
    )
}

/// How many runs that passed were excused from something, and why.
pub(crate) fn excuses(out: &mut String, marks: &[(&'static str, u64)]) {
    let excused = marks.iter().filter(|(name, runs)| *runs > 0 && marks::EXCUSES.contains(name));
    for (name, runs) in excused {
        line!(out, "  excused     {}: {name}", words::count(*runs, "run"));
    }
}

/// How many situations were reached, and the first that never were.
pub(crate) fn situations(out: &mut String, marks: &[(&'static str, u64)]) {
    let unreached: Vec<&str> = marks.iter().filter(|(_, runs)| *runs == 0).map(|(name, _)| *name).collect();
    let reached = marks.len() - unreached.len();
    line!(out, "  situations  {reached} of {} reached", marks.len());
    for name in unreached.iter().take(TOLD_IN_FULL) {
        line!(out, "              never: {name}");
    }
    if unreached.len() > TOLD_IN_FULL {
        line!(out, "              and {} more that --json names", unreached.len() - TOLD_IN_FULL);
    }
}

/// How many situations, with the verb that goes with them.
fn so_many_were(count: usize) -> String {
    format!("{} {}", words::count(count as u64, "situation"), if count == 1 { "was" } else { "were" })
}

/// Tells the first failure of each class, and ends with the command for the very first.
fn failures(out: &mut String, failed: &[Failure]) {
    let mut classes: BTreeMap<&str, Vec<&Failure>> = BTreeMap::new();
    for failure in failed {
        classes.entry(&failure.class).or_default().push(failure);
    }
    let mut classes: Vec<Vec<&Failure>> = classes.into_values().collect();
    classes.sort_by_key(|failures| failures[0].seed);
    for failures in classes.iter().take(TOLD_IN_FULL) {
        let first = failures[0];
        line!(
            out,
            "FAILED {}, {}, first seed {}:",
            first.class,
            words::count(failures.len() as u64, "seed"),
            first.seed
        );
        line!(out, "  {}", first.message);
        if !first.also_fired.is_empty() {
            line!(out, "  also fired: {}", first.also_fired.join(", "));
        }
        line!(out);
    }
    if classes.len() > TOLD_IN_FULL {
        line!(out, "and {} further kinds of failure; --json tells them all.", classes.len() - TOLD_IN_FULL);
        line!(out);
    }
    line!(out, "Make it small:");
    line!(out, "  {} -o FILE.scn", failed[0].replay.replacen(" run ", " shrink ", 1));
    line!(out, "See it again:");
    line!(out, "  {}", failed[0].replay);
}

/// Tells the runs that do not repeat, before anything else: whatever else they say may be otherwise next time.
fn partings(out: &mut String, summary: &Summary) {
    let partings: Vec<&Doubt> = summary.partings().collect();
    let seeds = words::count(partings.len() as u64, "seed");
    line!(out, "NOT REPEATABLE, {seeds}: two runs of one seed went different ways.");
    for doubt in partings.iter().take(TOLD_IN_FULL) {
        line!(out);
        line!(out, "Seed {}:", doubt.seed);
        parting(out, doubt.parting.as_deref());
    }
    line!(out);
    if !summary.failed.is_empty() {
        let failed = words::count(summary.failed.len() as u64, "seed");
        line!(out, "FAILED as well, {failed}; --json tells them.");
        line!(out);
    }
    line!(out, "See it again:");
    line!(out, "  {}", partings[0].replay);
}

/// Tells where two runs part, line by line.
fn parting(out: &mut String, parting: Option<&str>) {
    parting.into_iter().flat_map(str::lines).for_each(|text| line!(out, "  {text}"));
}

fn doubts(out: &mut String, summary: &Summary) {
    line!(out, "{}, but the harness cannot vouch for every run:", not_violated("No", &summary.ignored));
    for doubt in summary.doubts.iter().take(TOLD_IN_FULL) {
        line!(out, "  seed {}: {}", doubt.seed, doubt.reason);
    }
    line!(out);
    line!(out, "See it again:");
    line!(out, "  {}", summary.doubts[0].replay);
}

/// The report of a single run.
pub(crate) fn run(report: &Report) -> String {
    let mut out = String::new();
    match report.seed {
        Some(seed) => line!(out, "{}, seed {seed}", report.source),
        None => line!(out, "{}", report.source),
    }
    line!(out);
    match (&report.class, &report.message) {
        (Some(class), Some(message)) => line!(out, "FAILED {class}: {message}"),
        (None, Some(reason)) => line!(out, "No verdict: {reason}"),
        (_, None) => line!(out, "All invariants held."),
    }
    if !report.also_fired.is_empty() {
        let what = if report.class.is_some() { "also fired" } else { "fired, and was ignored" };
        line!(out, "  {what}: {}", report.also_fired.join(", "));
    }
    if report.parting.is_some() {
        line!(out, "NOT REPEATABLE: a second run of this seed went another way.");
        parting(&mut out, report.parting.as_deref());
    }
    if let Some(remark) = &report.remark {
        line!(out, "Note: {remark}.");
    }
    line!(out);
    length(&mut out, report);
    let again = if report.repeats == Some(true) { ", and a second run had the same" } else { "" };
    line!(out, "  hash {}{again}", report.hash);
    let (reached, all) = (report.marks.len(), marks::all().count());
    let hint = if report.names_marks { "" } else { "; -v and --json name them" };
    line!(out, "  {reached} of {all} situations reached{hint}");
    if !report.stated.is_empty() {
        line!(out);
        line!(out, "Parameters that are not a scenario's defaults; --json tells all:");
    }
    for section in &report.stated {
        line!(out, "  {section}");
    }
    if report.names_marks && reached > 0 {
        line!(out);
        line!(out, "Situations:");
        report.marks.iter().for_each(|mark| line!(out, "  {mark}"));
    }
    if report.message.is_some() || report.parting.is_some() {
        line!(out);
        line!(out, "See it again:");
        line!(out, "  {}", report.replay);
    }
    out
}

/// How long it was, in the time of the cluster; a scenario of steps has none.
fn length(out: &mut String, report: &Report) {
    let wall = words::duration(Duration::from_secs_f64(report.wall_seconds));
    match report.steps {
        Some(steps) => {
            let (steps, events) = (words::count(steps, "step"), thousands(report.events));
            line!(out, "  {steps}, of which {events} led to another state, in {wall}");
        }
        None => line!(
            out,
            "  {:.1} s of a cluster's life, {} of them in the storm; {}, {} answered, in {wall}",
            report.virtual_seconds,
            format_args!("{:.1} s", report.safety_seconds),
            words::count(report.events, "event"),
            words::count(report.operations, "operation"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Shard;
    use crate::exit::Exit;
    use crate::summary::{Judgement, Row};

    const PLAN: Plan = Plan {
        start: 0,
        seeds_max: None,
        shard: Shard::WHOLE,
        jobs: 2,
        time: None,
        fail_fast: false,
        less: String::new(),
        check_determinism: false,
    };

    fn summary(judgements: &[Judgement]) -> Summary {
        let row = |(seed, judgement): (usize, &Judgement)| {
            let mut row = Row::new(seed as u64, Err(String::new()));
            row.judgement = judgement.clone();
            row.virtual_us = 60_000_000;
            row
        };
        let rows = judgements.iter().enumerate().map(row).collect();
        Summary::new("storm", &PLAN, rows, Duration::from_secs(2))
    }

    fn told(summary: &Summary) -> String {
        sweep(summary, &PLAN, &[])
    }

    fn failed(class: &str, message: &str) -> Judgement {
        let also_fired = vec!["LogMatching".to_owned()];
        Judgement::Failed { class: class.to_owned(), message: message.to_owned(), also_fired }
    }

    #[test]
    fn a_sweep_in_which_all_held_says_so_and_names_what_was_never_reached() {
        let report = told(&summary(&[Judgement::Passed, Judgement::Passed]));
        assert!(report.contains("2 passed\n"), "{report}");
        assert!(report.contains("2 min 0 s of a cluster's life, 60 times faster than life"), "{report}");
        assert!(
            report.contains(&format!("never: {}\n", marks::all().next().expect("there are marks"))),
            "{report}"
        );
        assert!(report.contains("All invariants held."), "{report}");
    }

    #[test]
    fn a_sweep_says_of_how_many_runs_it_excused_what() {
        let excused = |runs: [u64; 5]| {
            let mut out = String::new();
            let mut marks: Vec<_> = marks::EXCUSES.into_iter().zip(runs).collect();
            marks.push(("a witness took up a position", 9));
            excuses(&mut out, &marks);
            out
        };
        assert_eq!(excused([0; 5]), "");
        let told = "  excused     1 run: a member of the core was cut off from an outside leader
  excused     1,200 runs: an uncertain head left no core that could go on
";
        assert_eq!(excused([0, 1, 0, 1_200, 0]), told);
        assert!(marks::EXCUSES.iter().all(|excuse| marks::all().any(|mark| mark == *excuse)));
    }

    #[test]
    fn a_sweep_in_which_something_fired_that_does_not_count_says_what() {
        let mut rows: Vec<Row> = (0..3).map(|seed| Row::new(seed, Err(String::new()))).collect();
        for (row, ignored) in rows.iter_mut().zip([&["StaleRead"][..], &[], &["LogMatching", "StaleRead"]]) {
            (row.judgement, row.ignored) = (Judgement::Passed, ignored.to_vec());
        }
        let plan = Plan { less: " --ignore StaleRead,LogMatching".to_owned(), ..PLAN };
        let report = sweep(&Summary::new("storm", &plan, rows, Duration::from_secs(2)), &plan, &[]);
        assert!(report.starts_with("storm --ignore StaleRead,LogMatching: 3 seeds from 0 on"), "{report}");
        let held = "what fired, and was ignored: LogMatching in 1 run, StaleRead in 2 runs.";
        assert!(report.contains(held) && !report.contains("All invariants held."), "{report}");
    }

    #[test]
    fn a_failing_sweep_tells_each_class_once_and_ends_with_the_command_that_reproduces() {
        let report = told(&summary(&[
            Judgement::Passed,
            failed("ElectionSafety", "n1 and n3 lead term 4"),
            failed("ElectionSafety", "n2 and n3 lead term 9"),
            failed("Panic", "commit index fell"),
        ]));
        assert!(report.contains("1 passed, 3 FAILED\n"), "{report}");
        assert!(
            report.contains("FAILED ElectionSafety, 2 seeds, first seed 1:\n  n1 and n3 lead term 4\n"),
            "{report}"
        );
        assert!(report.contains("also fired: LogMatching\n"), "{report}");
        assert!(!report.contains("lead term 9"), "{report}");
        assert!(report.ends_with("run --profile storm --seed 1\n"), "{report}");
    }

    #[test]
    fn a_sweep_without_a_verdict_does_not_claim_that_all_held() {
        let report =
            told(&summary(&[Judgement::Passed, Judgement::Inconclusive("out of events".to_owned())]));
        assert!(!report.contains("All invariants held"), "{report}");
        assert!(report.contains("seed 1: out of events\n"), "{report}");
        assert!(report.ends_with("run --profile storm --seed 1\n"), "{report}");
    }

    #[test]
    fn an_interrupted_sweep_says_how_far_it_came() {
        let mut summary = summary(&[Judgement::Passed, Judgement::Passed]);
        summary.interrupted = true;
        let bounded = sweep(&summary, &Plan { seeds_max: Some(100_000), ..PLAN }, &[]);
        assert!(
            bounded.starts_with("storm: 2 of 100,000 seeds from 0 on; interrupted, 2.0 s on"),
            "{bounded}"
        );
        let open = told(&summary);
        assert!(open.starts_with("storm: 2 seeds from 0 on; interrupted, 2.0 s on"), "{open}");
        assert!(open.ends_with("Interrupted before the end: no invariant was violated by then.\n"), "{open}");
        assert_eq!(summary.exit(), Exit::Harness, "whoever waits for the end must not take this for one");
    }

    #[test]
    fn a_sweep_that_missed_a_required_situation_ends_with_its_name() {
        let report = sweep(&summary(&[Judgement::Passed]), &PLAN, &["a page is torn", "a vote is lost"]);
        assert!(
            report.ends_with("but 2 situations were never reached:\n  a page is torn\n  a vote is lost\n"),
            "{report}"
        );
        assert!(!report.contains("All invariants held"), "{report}");
    }

    #[test]
    fn what_fired_and_was_ignored_is_told_however_a_sweep_ends() {
        let mut summary = summary(&[Judgement::Passed]);
        summary.ignored = BTreeMap::from([("StaleRead", 2)]);
        let twice = Plan { check_determinism: true, ..PLAN };
        let missed = sweep(&summary, &PLAN, &["a page is torn"]);
        assert!(
            missed.contains("violated (fired, and ignored: StaleRead in 2 runs), but 1 situation was"),
            "{missed}"
        );
        for report in [told(&summary), sweep(&summary, &twice, &[])] {
            assert!(
                report.contains("All invariants that count held") && report.contains("StaleRead in 2 runs"),
                "{report}"
            );
        }
        summary.interrupted = true;
        assert!(told(&summary).contains("ignored: StaleRead in 2 runs) by then."), "{}", told(&summary));
    }
}
