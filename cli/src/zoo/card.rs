//! The score card: which bugs are caught, by which oracle, after how many seeds.

use std::fmt::Write as _;

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

    /// The median and the worst number of seeds to a catch, of the sweeps that caught it.
    pub(crate) fn seeds(&self) -> Option<(u64, u64)> {
        let mut seeds: Vec<u64> = self.catching(|sweep| sweep.seeds);
        seeds.sort_unstable();
        Some((*seeds.get(seeds.len().checked_sub(1)? / 2)?, *seeds.last()?))
    }

    /// The same of CPU-seconds.
    pub(crate) fn cpu_seconds(&self) -> Option<(f64, f64)> {
        let mut seconds: Vec<f64> = self.catching(|sweep| sweep.cpu_seconds);
        seconds.sort_by(f64::total_cmp);
        Some((*seconds.get(seconds.len().checked_sub(1)? / 2)?, *seconds.last()?))
    }

    fn catching<T>(&self, of: fn(&Sweep) -> T) -> Vec<T> {
        self.sweeps.iter().filter(|sweep| sweep.seed.is_some()).map(of).collect()
    }
}

/// All bugs, and the totals; as JSON, the object that `--json` prints.
#[derive(Serialize, Debug)]
pub(crate) struct Card {
    pub(crate) caught: u64,
    /// How many of these by a scenario alone.
    pub(crate) by_scenario: u64,
    pub(crate) total: u64,
    /// How many bugs could not be tried.
    pub(crate) broken: u64,
    /// Of each kind how many were caught, and how many there are.
    pub(crate) safety: (u64, u64),
    pub(crate) liveness: (u64, u64),
    /// Over the medians of the bugs that a seed showed.
    pub(crate) median_seeds: u64,
    pub(crate) median_cpu_seconds: f64,
    /// Over all sweeps that caught something.
    pub(crate) worst_seeds: u64,
    pub(crate) worst_cpu_seconds: f64,
    pub(crate) bugs: Vec<Visit>,
}

impl Card {
    pub(crate) fn new(bugs: Vec<Visit>) -> Card {
        let count = |which: &dyn Fn(&Visit) -> bool| bugs.iter().filter(|bug| which(bug)).count() as u64;
        let of_kind =
            |kind: &str| (count(&|bug| bug.kind == kind && bug.caught), count(&|bug| bug.kind == kind));
        let mut seeds: Vec<(u64, u64)> = bugs.iter().filter_map(Visit::seeds).collect();
        let mut cpu: Vec<(f64, f64)> = bugs.iter().filter_map(Visit::cpu_seconds).collect();
        seeds.sort_unstable();
        cpu.sort_by(|left, right| left.0.total_cmp(&right.0));
        let middle = seeds.len().saturating_sub(1) / 2;
        Card {
            caught: count(&|bug| bug.caught),
            by_scenario: count(&|bug| bug.scenario.is_some()),
            total: bugs.len() as u64,
            broken: count(&|bug| bug.broken.is_some()),
            safety: of_kind("safety"),
            liveness: of_kind("liveness"),
            median_seeds: seeds.get(middle).map_or(0, |(median, _)| *median),
            median_cpu_seconds: cpu.get(middle).map_or(0.0, |(median, _)| *median),
            worst_seeds: seeds.iter().map(|(_, worst)| *worst).max().unwrap_or(0),
            worst_cpu_seconds: cpu.iter().map(|(_, worst)| *worst).fold(0.0, f64::max),
            bugs,
        }
    }

    /// A bug that could not be tried says nothing about the tester, only about the zoo.
    pub(crate) fn exit(&self) -> Exit {
        if self.broken > 0 {
            Exit::Harness
        } else if self.caught < self.total {
            Exit::Violated
        } else {
            Exit::Held
        }
    }

    /// The card as a person reads it.
    pub(crate) fn report(&self) -> String {
        let mut out = String::new();
        for bug in &self.bugs {
            out.push_str(&line(bug));
            out.push('\n');
        }
        write!(
            out,
            "\n{} of {} caught, {} of these by a scenario alone; seeds to the catch: median {}, worst {}; CPU: median {:.1} s, worst {:.1} s\n",
            self.caught, self.total, self.by_scenario, self.median_seeds, self.worst_seeds, self.median_cpu_seconds, self.worst_cpu_seconds,
        )
        .expect("writing to a string cannot fail");
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
    let (median, worst) = bug.seeds().unwrap_or((run, run));
    let seeds = if bug.sweeps.len() > 1 { format!("{median}..{worst}") } else { median.to_string() };
    let cpu_seconds: f64 = bug.sweeps.iter().map(|sweep| sweep.cpu_seconds).sum();
    let scenario = bug.scenario.as_ref().map(|name| format!("; only {name} shows it")).unwrap_or_default();
    let shrunk = bug.shrunk.as_ref().map(|shrunk| {
        let ([before, after], seconds) = (shrunk.events, shrunk.wall_seconds);
        format!("; shrunk from {before} to {after} events in {seconds:.1} s")
    });
    let shrunk = shrunk.unwrap_or_default();
    format!("{id:<5} {outcome} {seeds:>9} seeds {cpu_seconds:>7.1} s  [{breaks}] {title}{scenario}{shrunk}")
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
        assert_eq!((card.caught, card.total, card.median_seeds, card.worst_seeds), (2, 3, 3, 40));
        assert_eq!((card.safety, card.liveness), ((2, 3), (0, 0)));
        assert_eq!(card.exit(), Exit::Violated);
        assert!(card.report().ends_with("zoo --only V2\n"), "{}", card.report());
    }

    #[test]
    fn of_several_sweeps_the_median_counts_and_the_worst_is_told() {
        let visit = Visit::of(&bug("V1"), trial(&[9, 1, 200], Some("ElectionSafety")));
        assert_eq!(visit.seeds(), Some((9, 200)));
        let card = Card::new(vec![visit, Visit::of(&bug("L1"), trial(&[4, 5, 6], Some("LogMatching")))]);
        assert_eq!((card.median_seeds, card.worst_seeds), (5, 200));
        assert!(card.report().contains("9..200 seeds"), "{}", card.report());
    }

    #[test]
    fn what_only_a_scenario_shows_is_caught_and_says_nothing_of_the_storms() {
        let rare = Bug { scenario: Some("found/rare.scn".into()), ..bug("Q34") };
        let by_scenario = Trial { scenario: Some("Liveness".into()), ..trial(&[2_000], None) };
        let card =
            Card::new(vec![Visit::of(&rare, by_scenario), Visit::of(&bug("V1"), trial(&[3], Some("LM")))]);
        assert_eq!((card.caught, card.by_scenario, card.total, card.worst_seeds), (2, 1, 2, 3));
        assert_eq!(card.exit(), Exit::Held);
        assert!(card.report().contains("; only found/rare.scn shows it\n"), "{}", card.report());
        // A seed that shows it is worth more.
        assert_eq!(Visit::of(&rare, trial(&[9], Some("Liveness"))).scenario, None);
    }

    #[test]
    fn a_bug_that_could_not_be_planted_is_a_failure_of_the_zoo() {
        let caught = Visit::of(&bug("V1"), trial(&[3], Some("ElectionSafety")));
        let card = Card::new(vec![caught.clone(), Visit::broken(&bug("V2"), "does not apply")]);
        assert_eq!(card.exit(), Exit::Harness);
        assert!(card.report().contains("V2    BROKEN  does not apply"), "{}", card.report());
        assert_eq!(Card::new(vec![caught]).exit(), Exit::Held);
    }
}
