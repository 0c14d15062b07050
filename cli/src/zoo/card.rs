//! The score card: which bugs are caught, by which oracle, after how many seeds.

use std::fmt::Write as _;

use serde::Serialize;

use super::bug::Bug;
use super::trial::Trial;
use crate::exit::Exit;
use crate::words;

/// What became of one bug.
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Visit {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) breaks: String,
    pub(crate) kind: String,
    pub(crate) profile: String,
    pub(crate) caught: bool,
    /// How many seeds were run: up to the first failure if caught.
    pub(crate) seeds: u64,
    pub(crate) cpu_seconds: f64,
    /// The oracle that fired first.
    pub(crate) oracle: Option<String>,
    pub(crate) also_fired: Vec<String>,
    /// The seed on which it fired.
    pub(crate) seed: Option<u64>,
    /// The scenario in which it fired, where no seed showed the bug.
    pub(crate) scenario: Option<String>,
    pub(crate) remark: Option<String>,
    /// Why the bug could not be tried at all.
    pub(crate) broken: Option<String>,
}

impl Visit {
    pub(crate) fn of(bug: &Bug, trial: Trial) -> Visit {
        Visit {
            caught: trial.oracle.is_some(),
            scenario: bug.scenario.clone().filter(|_| trial.oracle.is_some() && trial.seed.is_none()),
            seeds: trial.seeds,
            cpu_seconds: trial.cpu_seconds,
            oracle: trial.oracle,
            also_fired: trial.also_fired,
            seed: trial.seed,
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
            seeds: 0,
            cpu_seconds: 0.0,
            oracle: None,
            also_fired: Vec::new(),
            seed: None,
            scenario: None,
            remark: None,
            broken: Some(problem.lines().collect::<Vec<_>>().join("; ")),
        }
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
    /// Over the bugs that a seed showed.
    pub(crate) median_seeds: u64,
    pub(crate) worst_seeds: u64,
    pub(crate) median_cpu_seconds: f64,
    pub(crate) worst_cpu_seconds: f64,
    pub(crate) bugs: Vec<Visit>,
}

impl Card {
    pub(crate) fn new(bugs: Vec<Visit>) -> Card {
        let count = |which: fn(&Visit) -> bool| bugs.iter().filter(|bug| which(bug)).count() as u64;
        let shown: Vec<&Visit> = bugs.iter().filter(|bug| bug.seed.is_some()).collect();
        let mut seeds: Vec<u64> = shown.iter().map(|bug| bug.seeds).collect();
        let mut cpu: Vec<f64> = shown.iter().map(|bug| bug.cpu_seconds).collect();
        seeds.sort_unstable();
        cpu.sort_by(f64::total_cmp);
        let middle = shown.len().saturating_sub(1) / 2;
        Card {
            caught: count(|bug| bug.caught),
            by_scenario: count(|bug| bug.scenario.is_some()),
            total: bugs.len() as u64,
            broken: count(|bug| bug.broken.is_some()),
            median_seeds: seeds.get(middle).copied().unwrap_or(0),
            worst_seeds: seeds.last().copied().unwrap_or(0),
            median_cpu_seconds: cpu.get(middle).copied().unwrap_or(0.0),
            worst_cpu_seconds: cpu.last().copied().unwrap_or(0.0),
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
    let Visit { id, breaks, title, seeds, cpu_seconds, .. } = bug;
    if let Some(problem) = &bug.broken {
        return format!("{id:<5} BROKEN  {problem}");
    }
    let outcome = match &bug.oracle {
        Some(oracle) => format!("caught  {oracle:<24}"),
        None => format!("ESCAPED {:<24}", bug.remark.as_deref().unwrap_or("-")),
    };
    let scenario = bug.scenario.as_ref().map(|name| format!("; only {name} shows it")).unwrap_or_default();
    format!("{id:<5} {outcome} {seeds:>6} seeds {cpu_seconds:>7.1} s  [{breaks}] {title}{scenario}")
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
            kind: word(),
            profile: word(),
            scenario: None,
            patch: path,
        }
    }

    fn trial(seeds: u64, oracle: Option<&str>) -> Trial {
        Trial {
            oracle: oracle.map(str::to_owned),
            seed: oracle.map(|_| seeds - 1),
            also_fired: Vec::new(),
            seeds,
            cpu_seconds: seeds as f64,
            remark: None,
        }
    }

    #[test]
    fn only_bugs_that_were_caught_count_towards_the_speed_of_the_catch() {
        let results = vec![
            Visit::of(&bug("V1"), trial(3, Some("ElectionSafety"))),
            Visit::of(&bug("V2"), trial(2_000, None)),
            Visit::of(&bug("L1"), trial(40, Some("Liveness"))),
        ];
        let card = Card::new(results);
        assert_eq!((card.caught, card.total, card.median_seeds, card.worst_seeds), (2, 3, 3, 40));
        assert_eq!(card.exit(), Exit::Violated);
        assert!(card.report().ends_with("zoo --only V2\n"), "{}", card.report());
    }

    #[test]
    fn what_only_a_scenario_shows_is_caught_and_says_nothing_of_the_storms() {
        let rare = Bug { scenario: Some("found/rare.scn".into()), ..bug("Q34") };
        let by_scenario = Trial { seed: None, ..trial(2_000, Some("Liveness")) };
        let card =
            Card::new(vec![Visit::of(&rare, by_scenario), Visit::of(&bug("V1"), trial(3, Some("LM")))]);
        assert_eq!((card.caught, card.by_scenario, card.total, card.worst_seeds), (2, 1, 2, 3));
        assert_eq!(card.exit(), Exit::Held);
        assert!(card.report().contains("; only found/rare.scn shows it\n"), "{}", card.report());
        // A seed that shows it is worth more.
        assert_eq!(Visit::of(&rare, trial(9, Some("Liveness"))).scenario, None);
    }

    #[test]
    fn a_bug_that_could_not_be_planted_is_a_failure_of_the_zoo() {
        let caught = Visit::of(&bug("V1"), trial(3, Some("ElectionSafety")));
        let card = Card::new(vec![caught.clone(), Visit::broken(&bug("V2"), "does not apply")]);
        assert_eq!(card.exit(), Exit::Harness);
        assert!(card.report().contains("V2    BROKEN  does not apply"), "{}", card.report());
        assert_eq!(Card::new(vec![caught]).exit(), Exit::Held);
    }
}
