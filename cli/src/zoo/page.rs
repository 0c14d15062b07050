//! The score card as a page of Markdown: `docs/score-card.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::card::{Card, Visit};
use super::families::{FAULT_FAMILIES, oracle_of, oracles};
use super::trial::Budget;
use crate::words::{self, thousands};

/// Writes to a string, which cannot fail.
macro_rules! line {
    ($out:expr) => { $out.push('\n') };
    ($out:expr, $($words:tt)*) => { writeln!($out, $($words)*).expect("writing to a string cannot fail") };
}

/// The page.
pub(super) fn page(card: &Card, budget: &Budget, only: &[String], path: &Path) -> String {
    let mut out = String::new();
    head(&mut out, card, &command(budget, only, path), budget);
    bugs(&mut out, card);
    if card.bugs.iter().any(|bug| !bug.ablation.is_empty()) {
        faults(&mut out, card, budget);
    }
    judges(&mut out, card);
    out
}

/// The command that made the page.
fn command(budget: &Budget, only: &[String], path: &Path) -> String {
    let Budget { seeds, time, jobs, sweeps, ablation_seeds, shrink } = budget;
    let only = if only.is_empty() { String::new() } else { format!(" --only {}", only.join(",")) };
    let shrink = shrink.map(|time| format!(" --shrink {}ms", time.as_millis())).unwrap_or_default();
    format!(
        "cargo run --release -- zoo{only} --seeds {seeds} --time {}ms --jobs {jobs} --sweeps {sweeps} --ablation {ablation_seeds}{shrink} --card {}",
        time.as_millis(),
        words::quoted(&path.display().to_string())
    )
}

fn head(out: &mut String, card: &Card, command: &str, budget: &Budget) {
    let of = |(caught, total): (u64, u64)| format!("{caught} of {total}");
    let worst = |cost: &str| if card.vain_sweeps > 0 { format!(">{cost}") } else { cost.to_owned() };
    line!(out, "# Score card");
    line!(out);
    line!(
        out,
        "How good is the tester? Each bug of `scenarios/zoo/` is planted into a copy of the sources, and the storm has to notice. Made by"
    );
    line!(out, "`{command}`.");
    line!(out);
    if let Some(part) = card.part() {
        line!(out, "**Only {part}**: this page says nothing of the others.");
        line!(out);
    }
    line!(out, "| | |");
    line!(out, "|---|---|");
    line!(out, "| bugs of safety that are caught | {} |", of(card.safety));
    line!(out, "| bugs of liveness that are caught | {} |", of(card.liveness));
    line!(out, "| of all these, by a scenario alone | {} |", card.by_scenario);
    line!(
        out,
        "| seeds to the catch: median of the bugs' medians, worst of all sweeps | {}, {} |",
        card.median_seeds,
        worst(&thousands(card.worst_seeds))
    );
    line!(
        out,
        "| CPU-seconds to the catch, likewise | {:.1}, {} |",
        card.median_cpu_seconds,
        worst(&format!("{:.1}", card.worst_cpu_seconds))
    );
    line!(out, "| sweeps that showed nothing of a bug that another one caught | {} |", card.vain_sweeps);
    if card.broken > 0 {
        line!(out, "| bugs that could not be tried, and count as not caught | {} |", card.broken);
    }
    line!(out);
    line!(
        out,
        "Each bug has {}, each from seeds of its own on and up to the first that fails, or to the end of {} or {}; what none of them shows is tried with its own scenario. A seed counts only if",
        words::count(budget.sweeps, "sweep"),
        words::count(budget.seeds, "seed"),
        words::duration(budget.time),
    );
    line!(
        out,
        "the unpatched program passes it. Bugs that no sweep caught have no part in medians and worst; a sweep that showed nothing of a bug that another one caught"
    );
    line!(
        out,
        "counts as longer than any that did, and `>` says how long it was. CPU-seconds are the time that threads were busy with runs, builds apart."
    );
    line!(out);
}

fn bugs(out: &mut String, card: &Card) {
    line!(out, "## The bugs");
    line!(out);
    let has_ablation = card.bugs.iter().any(|bug| !bug.ablation.is_empty());
    let has_shrunk = card.bugs.iter().any(|bug| bug.shrunk.is_some());
    line!(
        out,
        "Seeds and seconds: the median of the sweeps, and the worst. What fires: on the seeds that fail, where the run goes on to its end; the first one in bold."
    );
    let mut columns = vec!["id", "what is wrong", "breaks", "profile", "seeds", "CPU-seconds", "what fires"];
    if has_ablation {
        columns.push("lost without");
        line!(
            out,
            "Lost without: the families of faults without which a bug that is caught within the ablation's seeds is not."
        );
    }
    if has_shrunk {
        columns.push("shrunk");
        line!(
            out,
            "Shrunk: the events (faults, and what is decided otherwise than by default) of the first seed that fails, before and after `squall shrink`."
        );
    }
    line!(out);
    line!(out, "| {} |", columns.join(" | "));
    line!(out, "|{}", "---|".repeat(columns.len()));
    for bug in &card.bugs {
        let Visit { id, title, breaks, profile, .. } = bug;
        let (seeds, cpu_seconds) = costs(bug);
        write!(out, "| {id} | {title} | {breaks} | {profile} | {seeds} | {cpu_seconds} | {} |", fired(bug))
            .expect("writing to a string cannot fail");
        let more = [(has_ablation, lost_without(bug)), (has_shrunk, shrunk(bug))];
        for (_, cell) in more.iter().filter(|(is_asked, _)| *is_asked) {
            write!(out, " {cell} |").expect("writing to a string cannot fail");
        }
        line!(out);
    }
    line!(out);
}

/// What it took to catch a bug, in seeds and in CPU-seconds; or what became of it instead.
fn costs(bug: &Visit) -> (String, String) {
    match (bug.seeds(), bug.cpu_seconds(), &bug.scenario) {
        (Some([median, worst]), Some(cpu), _) => {
            (format!("{median}, {worst}"), format!("{:.1}, {:.1}", cpu[0], cpu[1]))
        }
        (_, _, Some(scenario)) => {
            let in_vain = thousands(bug.sweeps.iter().map(|sweep| sweep.seeds - sweep.inconclusive).sum());
            (format!("`{scenario}` alone; no seed of {in_vain}"), String::new())
        }
        (_, _, None) if bug.broken.is_some() => ("**not tried**".to_owned(), String::new()),
        (_, _, None) => ("**escaped**".to_owned(), String::new()),
    }
}

/// The oracles that fired, the first one in bold.
fn fired(bug: &Visit) -> String {
    let Some(first) = &bug.oracle else { return String::new() };
    let rest = bug.fired.iter().filter(|class| *class != first).cloned();
    [format!("**{first}**")].into_iter().chain(rest).collect::<Vec<String>>().join(", ")
}

fn shrunk(bug: &Visit) -> String {
    let Some(shrunk) = &bug.shrunk else { return String::new() };
    let ([before, after], seconds) = (shrunk.events, shrunk.wall_seconds);
    format!("{} to {}, {seconds:.1} s", thousands(before), thousands(after))
}

fn lost_without(bug: &Visit) -> String {
    let with_all = bug.ablation.first().is_some_and(|ablation| ablation.seeds.is_some());
    if !with_all {
        return String::new();
    }
    let lost = bug.ablation.iter().filter(|ablation| ablation.seeds.is_none());
    lost.map(|ablation| ablation.family.as_str()).collect::<Vec<&str>>().join(", ")
}

fn faults(out: &mut String, card: &Card, budget: &Budget) {
    let caught_without = |family: &str| {
        let is_caught = |bug: &&Visit| {
            bug.ablation.iter().any(|ablation| ablation.family == family && ablation.seeds.is_some())
        };
        card.bugs.iter().filter(is_caught).count()
    };
    line!(out, "## Without a family of faults");
    line!(out);
    line!(
        out,
        "How many bugs the first {} catch when a family of faults is switched off (`--without`). A bug that needs about as many seeds may be lost, or found, by chance.",
        words::count(budget.ablation_seeds, "seed")
    );
    line!(out);
    line!(out, "| without | classes | caught |");
    line!(out, "|---|---|---|");
    line!(out, "| nothing | | {} |", caught_without(""));
    for family in &FAULT_FAMILIES {
        line!(out, "| {} | `{}` | {} |", family.name, family.classes.join(","), caught_without(family.name));
    }
    line!(out);
}

fn judges(out: &mut String, card: &Card) {
    let oracles_of = |bug: &Visit| -> BTreeSet<String> {
        bug.fired.iter().map(|class| oracle_of(class).to_owned()).collect()
    };
    let seen: Vec<BTreeSet<String>> = card.bugs.iter().filter(|bug| bug.caught).map(oracles_of).collect();
    line!(out, "## Without an oracle");
    line!(out);
    line!(
        out,
        "On how many bugs each oracle fires, and how many of the caught ones another oracle tells of, on one of the same seeds, where the run goes on to its end."
    );
    line!(out);
    line!(out, "| oracle | fires on | still caught without it |");
    line!(out, "|---|---|---|");
    let mut needless = Vec::new();
    for oracle in oracles() {
        let fires = seen.iter().filter(|fired| fired.contains(oracle)).count();
        let still = seen.iter().filter(|fired| fired.iter().any(|other| other != oracle)).count();
        if still < seen.len() {
            line!(out, "| {oracle} | {fires} | {still} of {} |", seen.len());
        } else {
            needless.push(if fires > 0 { format!("{oracle} {fires}") } else { oracle.to_owned() });
        }
    }
    if !needless.is_empty() {
        line!(out);
        line!(
            out,
            "Without any one of the others nothing is lost (behind its name: on how many it fires): {}.",
            needless.join(", ")
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::zoo::trial::{Ablation, Sweep};

    fn visit(id: &str, oracle: Option<&str>, fired: &[&str], lost: &[&str]) -> Visit {
        let sweep = |seeds| Sweep {
            start: 0,
            seeds,
            inconclusive: u64::from(oracle.is_none()),
            cpu_seconds: seeds as f64 / 2.0,
            seed: oracle.map(|_| seeds),
            oracle: oracle.map(str::to_owned),
        };
        let families = [""].into_iter().chain(FAULT_FAMILIES.iter().map(|family| family.name));
        let ablation = |family: &str| Ablation {
            family: family.to_owned(),
            seeds: (oracle.is_some() && !lost.contains(&family)).then_some(3),
        };
        Visit {
            id: id.to_owned(),
            title: "something is wrong".to_owned(),
            breaks: "LC".to_owned(),
            kind: "safety".to_owned(),
            profile: "storm".to_owned(),
            caught: oracle.is_some(),
            sweeps: vec![sweep(4), sweep(10), sweep(2)],
            oracle: oracle.map(str::to_owned),
            fired: fired.iter().map(|class| (*class).to_owned()).collect(),
            scenario: None,
            ablation: families.map(ablation).collect(),
            shrunk: None,
            remark: None,
            broken: None,
        }
    }

    #[test]
    fn the_page_tells_of_each_bug_and_of_what_is_lost_without_faults_and_oracles() {
        let card = Card::new(vec![
            visit(
                "L1",
                Some("CommitOldTerm"),
                &["CommitOldTerm", "LeaderCompleteness"],
                &["crashes", "clogs"],
            ),
            visit("L2", Some("LogMatching"), &["LogMatching"], &[]),
            visit("L3", None, &[], &[]),
            Visit {
                caught: true,
                oracle: Some("StaleRead".to_owned()),
                scenario: Some("StaleRead".to_owned()),
                ..visit("L4", None, &["StaleRead"], &[])
            },
        ]);
        let time = Duration::from_secs(60);
        let budget = Budget { seeds: 100, time, jobs: 2, sweeps: 3, ablation_seeds: 20, shrink: None };
        let page = page(&card, &budget, &[], Path::new("docs/score-card.md"));
        let has = |line: &str| assert!(page.lines().any(|other| other == line), "{line}\n{page}");
        has("| bugs of safety that are caught | 3 of 4 |");
        has(
            "| L1 | something is wrong | LC | storm | 4, 10 | 2.0, 5.0 | **CommitOldTerm**, LeaderCompleteness | clogs, crashes |",
        );
        has("| L2 | something is wrong | LC | storm | 4, 10 | 2.0, 5.0 | **LogMatching** |  |");
        has("| L3 | something is wrong | LC | storm | **escaped** |  |  |  |");
        has(
            "| L4 | something is wrong | LC | storm | `StaleRead` alone; no seed of 13 |  | **StaleRead** |  |",
        );
        has("| nothing | | 2 |");
        has("| crashes | `crash,crash_all,crash_loop` | 1 |");
        has("| LogMatching | 1 | 2 of 3 |");
        let needless = page.lines().last().expect("the page has lines");
        assert!(
            needless.contains(": the specification 1, Codec, Halted, ")
                && needless.contains(", LeaderCompleteness 1, "),
            "{needless}"
        );
        assert!(!page.contains("Only ") && !page.contains("shrunk |"), "{page}");
    }

    #[test]
    fn a_page_of_some_bugs_says_so_and_has_no_column_for_what_nobody_asked() {
        let bug = Visit { ablation: Vec::new(), ..visit("L1", Some("LogMatching"), &["LogMatching"], &[]) };
        let card = Card { in_zoo: 150, ..Card::new(vec![bug]) };
        let time = Duration::from_secs(60);
        let budget = Budget { seeds: 100, time, jobs: 2, sweeps: 3, ablation_seeds: 0, shrink: None };
        let page = page(&card, &budget, &["L1".to_owned()], Path::new("my card.md"));
        assert!(page.contains("\n**Only 1 of 150 bugs tried**: "), "{page}");
        assert!(
            page.contains("| L1 | something is wrong | LC | storm | 4, 10 | 2.0, 5.0 | **LogMatching** |\n"),
            "{page}"
        );
        assert!(!page.contains("lost without") && !page.contains("Shrunk"), "{page}");
    }
}
