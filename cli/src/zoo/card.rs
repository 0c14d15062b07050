//! The score card: which bugs are caught, by which oracle, after how many seeds.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use super::bug::Bug;
use super::trial::{Ablation, Shrunk, Sweep, Trial};
use crate::exit::Exit;
use crate::words;

/// What became of one bug.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub(crate) struct Visit {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) breaks: String,
    pub(crate) kind: String,
    pub(crate) profile: String,
    pub(crate) caught: bool,
    /// The sweeps, each up to its first failure.
    pub(crate) sweeps: Vec<Sweep>,
    /// The oracle that fired first, in the first sweep that caught it, or in its scenario.
    pub(crate) oracle: Option<String>,
    /// Everything that fired.
    pub(crate) fired: Vec<String>,
    /// The scenario in which it fired, where no seed showed the bug.
    pub(crate) scenario: Option<String>,
    /// Whether it is caught without a family of faults, if that was tried; the first has everything on.
    pub(crate) ablation: Vec<Ablation>,
    /// What was left of the first seed that failed, if that was asked for.
    pub(crate) shrunk: Option<Shrunk>,
    pub(crate) remark: Option<String>,
    /// Why the bug could not be tried at all.
    pub(crate) broken: Option<String>,
}

impl Visit {
    pub(crate) fn of(bug: &Bug, trial: Trial) -> Visit {
        let oracle = trial.sweeps.iter().find_map(|sweep| sweep.oracle.clone());
        Visit {
            caught: oracle.is_some() || trial.scenario.is_some(),
            scenario: bug.scenario.clone().filter(|_| trial.scenario.is_some()),
            oracle: oracle.or(trial.scenario),
            sweeps: trial.sweeps,
            fired: trial.fired.into_iter().collect(),
            ablation: trial.ablation,
            shrunk: trial.shrunk,
            remark: trial.remark,
            broken: None,
            ..Visit::broken(bug, "")
        }
    }

    pub(crate) fn broken(bug: &Bug, problem: &str) -> Visit {
        Visit {
            id: bug.id.clone(),
            title: bug.title.clone(),
            breaks: bug.breaks.clone(),
            kind: bug.kind.clone(),
            profile: bug.profile.clone(),
            caught: false,
            sweeps: Vec::new(),
            oracle: None,
            fired: Vec::new(),
            scenario: None,
            ablation: Vec::new(),
            shrunk: None,
            remark: None,
            broken: Some(problem.lines().collect::<Vec<_>>().join("; ")),
        }
    }

    /// The median and the worst number of seeds to a catch, of all sweeps of a bug that one of them caught.
    pub(crate) fn seeds(&self) -> Option<[Cost<u64>; 2]> {
        self.costs(|sweep| sweep.seeds)
    }

    /// The same of CPU-seconds.
    pub(crate) fn cpu_seconds(&self) -> Option<[Cost<f64>; 2]> {
        self.costs(|sweep| sweep.cpu_seconds)
    }

    fn costs<T: Copy + PartialOrd>(&self, of: fn(&Sweep) -> T) -> Option<[Cost<T>; 2]> {
        self.sweeps.iter().find(|sweep| sweep.seed.is_some())?;
        let cost = |sweep: &Sweep| Cost { is_more: sweep.seed.is_none(), than: of(sweep) };
        median_and_worst(self.sweeps.iter().map(cost).collect())
    }

    /// Of a bug that a sweep caught: how many others showed nothing.
    fn vain_sweeps(&self) -> u64 {
        let vain = self.sweeps.iter().filter(|sweep| sweep.seed.is_none()).count() as u64;
        if vain < self.sweeps.len() as u64 { vain } else { 0 }
    }
}

/// What a catch took; or more than that, where a sweep ended before there was one. Such a sweep took longer than any that
/// caught the bug.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub(crate) struct Cost<T> {
    pub(crate) is_more: bool,
    pub(crate) than: T,
}

impl<T: fmt::Display> fmt::Display for Cost<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_more { ">" } else { "" })?;
        self.than.fmt(f)
    }
}

/// The median, of two in the middle the worse, and the worst; none of nothing. What took longer than any other took longer than
/// the longest of them, too.
fn median_and_worst<T: Copy + PartialOrd>(mut costs: Vec<Cost<T>>) -> Option<[Cost<T>; 2]> {
    costs.sort_by(|left, right| left.partial_cmp(right).expect("what was measured is a number"));
    let (median, mut worst) = (*costs.get(costs.len() / 2)?, *costs.last()?);
    for cost in &costs {
        worst.than = if cost.than > worst.than { cost.than } else { worst.than };
    }
    Some([median, worst])
}

/// All bugs, and the totals; as JSON, the object that `--json` prints.
#[derive(Serialize, Debug)]
pub(crate) struct Card {
    pub(crate) caught: u64,
    /// How many of these by a scenario alone.
    pub(crate) by_scenario: u64,
    pub(crate) total: u64,
    /// How many bugs the zoo has, whether they were asked for or not.
    pub(crate) in_zoo: u64,
    /// How many bugs could not be tried.
    pub(crate) broken: u64,
    /// How many more there would have been, had no interrupt come.
    pub(crate) untried: u64,
    /// Of each kind how many were caught, and how many there are.
    pub(crate) safety: (u64, u64),
    pub(crate) liveness: (u64, u64),
    /// Over the medians of the bugs that a seed showed.
    pub(crate) median_seeds: u64,
    pub(crate) median_cpu_seconds: f64,
    /// Over all sweeps of these bugs. A sweep that ended without a catch counts as longer than any with one; where there is such a
    /// one, it took more than what stands here.
    pub(crate) worst_seeds: u64,
    pub(crate) worst_cpu_seconds: f64,
    /// How many sweeps of these bugs ended without a catch.
    pub(crate) vain_sweeps: u64,
    pub(crate) bugs: Vec<Visit>,
}

impl Card {
    pub(crate) fn new(bugs: Vec<Visit>) -> Card {
        let count = |which: &dyn Fn(&Visit) -> bool| bugs.iter().filter(|bug| which(bug)).count() as u64;
        let of_kind =
            |kind: &str| (count(&|bug| bug.kind == kind && bug.caught), count(&|bug| bug.kind == kind));
        let seeds = over_all(bugs.iter().filter_map(Visit::seeds));
        let cpu_seconds = over_all(bugs.iter().filter_map(Visit::cpu_seconds));
        let [median_seeds, worst_seeds] = seeds.map_or([0; 2], |costs| costs.map(|cost| cost.than));
        let [median_cpu_seconds, worst_cpu_seconds] =
            cpu_seconds.map_or([0.0; 2], |costs| costs.map(|cost| cost.than));
        Card {
            caught: count(&|bug| bug.caught),
            by_scenario: count(&|bug| bug.scenario.is_some()),
            total: bugs.len() as u64,
            in_zoo: bugs.len() as u64,
            broken: count(&|bug| bug.broken.is_some()),
            safety: of_kind("safety"),
            liveness: of_kind("liveness"),
            untried: 0,
            median_seeds,
            median_cpu_seconds,
            worst_seeds,
            worst_cpu_seconds,
            vain_sweeps: bugs.iter().map(Visit::vain_sweeps).sum(),
            bugs,
        }
    }

    /// A bug that could not be tried says nothing about the tester, only about the zoo.
    pub(crate) fn exit(&self) -> Exit {
        if self.broken > 0 || self.untried > 0 {
            Exit::Harness
        } else if self.caught < self.total {
            Exit::Violated
        } else {
            Exit::Held
        }
    }

    /// How much of the zoo this is, where it is not all.
    pub(crate) fn part(&self) -> Option<String> {
        let Card { total, in_zoo, .. } = self;
        (total < in_zoo).then(|| format!("{total} of {} tried", words::count(*in_zoo, "bug")))
    }

    /// The card as a person reads it, with a line for each bug or without.
    pub(crate) fn report(&self, with_bugs: bool) -> String {
        let mut out = String::new();
        for bug in self.bugs.iter().filter(|_| with_bugs) {
            out.push_str(&line(bug));
            out.push('\n');
        }
        if let Some(part) = self.part() {
            write!(out, "\n{part}").expect("writing to a string cannot fail");
        }
        let more = if self.vain_sweeps > 0 { ">" } else { "" };
        write!(
            out,
            "\n{} of {} caught, {} of these by a scenario alone; seeds to the catch: median {}, worst {more}{}; CPU: median {:.1} s, worst {more}{:.1} s\n",
            self.caught, self.total, self.by_scenario, self.median_seeds, self.worst_seeds, self.median_cpu_seconds, self.worst_cpu_seconds,
        )
        .expect("writing to a string cannot fail");
        if self.vain_sweeps > 0 {
            let sweeps = words::count(self.vain_sweeps, "sweep");
            writeln!(
                out,
                "{sweeps} of bugs that another one caught ended without a catch: the worst is more than that"
            )
            .expect("writing to a string cannot fail");
        }
        if self.untried > 0 {
            let untried = words::count(self.untried, "bug");
            writeln!(out, "Interrupted: {untried} NOT TRIED, and no card was written; --resume goes on")
                .expect("writing to a string cannot fail");
        }
        let missed: Vec<&str> =
            self.bugs.iter().filter(|bug| !bug.caught).map(|bug| bug.id.as_str()).collect();
        if !missed.is_empty() {
            let program = words::program();
            write!(out, "\nTry the others again:\n  {program} zoo --only {}\n", missed.join(","))
                .expect("writing to a string cannot fail");
        }
        out
    }
}

/// Over the medians of bugs, and over all their sweeps.
fn over_all<T: Copy + PartialOrd>(bugs: impl Iterator<Item = [Cost<T>; 2]>) -> Option<[Cost<T>; 2]> {
    let (medians, worst): (Vec<Cost<T>>, Vec<Cost<T>>) = bugs.map(|[median, worst]| (median, worst)).unzip();
    let ([median, _], [_, worst]) = (median_and_worst(medians)?, median_and_worst(worst)?);
    Some([median, worst])
}

/// One bug on one line.
pub(crate) fn line(bug: &Visit) -> String {
    let Visit { id, breaks, title, .. } = bug;
    if let Some(problem) = &bug.broken {
        return format!("{id:<5} BROKEN  {problem}");
    }
    let outcome = match &bug.oracle {
        Some(oracle) => format!("caught  {oracle:<24}"),
        None => format!("ESCAPED {:<24}", bug.remark.as_deref().unwrap_or("-")),
    };
    let run: u64 = bug.sweeps.iter().map(|sweep| sweep.seeds).sum();
    let none = Cost { is_more: false, than: run };
    let [median, worst] = bug.seeds().unwrap_or([none; 2]);
    let seeds = if bug.sweeps.len() > 1 { format!("{median}..{worst}") } else { median.to_string() };
    let cpu_seconds: f64 = bug.sweeps.iter().map(|sweep| sweep.cpu_seconds).sum();
    let scenario = bug.scenario.as_ref().map(|name| format!("; only {name} shows it")).unwrap_or_default();
    let shrunk = bug.shrunk.as_ref().map(|shrunk| {
        let ([before, after], seconds) = (shrunk.events, shrunk.wall_seconds);
        format!("; shrunk from {before} to {after} events in {seconds:.1} s")
    });
    let shrunk = shrunk.unwrap_or_default();
    let unit = if seeds == "1" { "seed " } else { "seeds" };
    format!("{id:<5} {outcome} {seeds:>9} {unit} {cpu_seconds:>7.1} s  [{breaks}] {title}{scenario}{shrunk}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bug(id: &str) -> Bug {
        let word = String::new;
        let path = std::path::PathBuf::new();
        Bug {
            id: id.into(),
            title: word(),
            source: word(),
            breaks: word(),
            kind: "safety".to_owned(),
            profile: word(),
            scenario: None,
            patch: path,
        }
    }

    fn sweep(seeds: u64, oracle: Option<&str>) -> Sweep {
        Sweep {
            start: 0,
            seeds,
            inconclusive: 0,
            cpu_seconds: seeds as f64,
            seed: oracle.map(|_| seeds - 1),
            oracle: oracle.map(str::to_owned),
        }
    }

    fn trial(seeds: &[u64], oracle: Option<&str>) -> Trial {
        Trial { sweeps: seeds.iter().map(|seeds| sweep(*seeds, oracle)).collect(), ..Trial::default() }
    }

    #[test]
    fn only_bugs_that_were_caught_count_towards_the_speed_of_the_catch() {
        let results = vec![
            Visit::of(&bug("V1"), trial(&[3], Some("ElectionSafety"))),
            Visit::of(&bug("V2"), trial(&[2_000], None)),
            Visit::of(&bug("L1"), trial(&[40], Some("Liveness"))),
        ];
        let card = Card::new(results);
        assert_eq!((card.caught, card.total, card.median_seeds, card.worst_seeds), (2, 3, 40, 40));
        assert_eq!((card.safety, card.liveness), ((2, 3), (0, 0)));
        assert_eq!(card.exit(), Exit::Violated);
        assert!(card.report(true).ends_with("zoo --only V2\n"), "{}", card.report(true));
    }

    #[test]
    fn a_card_of_some_bugs_says_of_how_many_and_tells_each_once() {
        let one = Visit::of(&bug("V1"), trial(&[1], Some("ElectionSafety")));
        assert!(line(&one).contains("  1 seed  "), "{}", line(&one));
        let whole = Card::new(vec![one.clone()]);
        assert_eq!(whole.part(), None);
        let card = Card { in_zoo: 150, ..Card::new(vec![one]) };
        assert!(card.report(true).contains("\n1 of 150 bugs tried\n1 of 1 caught"), "{}", card.report(true));
        assert!(
            card.report(true).contains("V1 ") && !card.report(false).contains("V1 "),
            "{}",
            card.report(false)
        );
    }

    #[test]
    fn of_several_sweeps_the_median_counts_and_the_worst_is_told() {
        let visit = Visit::of(&bug("V1"), trial(&[9, 1, 200], Some("ElectionSafety")));
        assert_eq!(
            visit.seeds().map(|costs| costs.map(|cost| cost.to_string())),
            Some(["9", "200"].map(str::to_owned))
        );
        let card = Card::new(vec![visit, Visit::of(&bug("L1"), trial(&[4, 5, 6], Some("LogMatching")))]);
        assert_eq!((card.median_seeds, card.worst_seeds), (9, 200), "of two in the middle the worse");
        assert!(card.report(true).contains("9..200 seeds"), "{}", card.report(true));
    }

    #[test]
    fn a_sweep_that_shows_nothing_counts_as_longer_than_any_that_does() {
        let mut trial = trial(&[9, 1, 200], Some("ElectionSafety"));
        trial.sweeps[1] = sweep(150, None);
        let visit = Visit::of(&bug("V1"), trial);
        assert!(line(&visit).contains(" 200..>200 seeds"), "{}", line(&visit));
        let card = Card::new(vec![visit]);
        assert_eq!((card.caught, card.median_seeds, card.worst_seeds, card.vain_sweeps), (1, 200, 200, 1));
        assert!(card.report(true).contains("worst >200; CPU: median 200.0 s, worst >200.0 s"));
        assert!(
            card.report(true).contains("\n1 sweep of bugs that another one caught"),
            "{}",
            card.report(true)
        );
    }

    #[test]
    fn a_card_that_an_interrupt_cut_short_does_not_pass_for_a_whole_one() {
        let caught = Visit::of(&bug("V1"), trial(&[3], Some("ElectionSafety")));
        let card = Card { untried: 2, ..Card::new(vec![caught]) };
        assert_eq!(card.exit(), Exit::Harness);
        assert!(card.report(true).contains("\nInterrupted: 2 bugs NOT TRIED"), "{}", card.report(true));
    }

    #[test]
    fn what_only_a_scenario_shows_is_caught_and_says_nothing_of_the_storms() {
        let rare = Bug { scenario: Some("found/rare.scn".into()), ..bug("Q34") };
        let by_scenario = Trial { scenario: Some("Liveness".into()), ..trial(&[2_000], None) };
        let card =
            Card::new(vec![Visit::of(&rare, by_scenario), Visit::of(&bug("V1"), trial(&[3], Some("LM")))]);
        assert_eq!((card.caught, card.by_scenario, card.total, card.worst_seeds), (2, 1, 2, 3));
        assert_eq!(card.exit(), Exit::Held);
        assert!(card.report(true).contains("; only found/rare.scn shows it\n"), "{}", card.report(true));
        // A seed that shows it is worth more.
        assert_eq!(Visit::of(&rare, trial(&[9], Some("Liveness"))).scenario, None);
    }

    #[test]
    fn a_bug_that_could_not_be_planted_is_a_failure_of_the_zoo() {
        let caught = Visit::of(&bug("V1"), trial(&[3], Some("ElectionSafety")));
        let card = Card::new(vec![caught.clone(), Visit::broken(&bug("V2"), "does not apply")]);
        assert_eq!(card.exit(), Exit::Harness);
        assert!(card.report(true).contains("V2    BROKEN  does not apply"), "{}", card.report(true));
        assert_eq!(Card::new(vec![caught]).exit(), Exit::Held);
    }
}
