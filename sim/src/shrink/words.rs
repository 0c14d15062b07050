//! The last polish: every word of a small scenario is taken out, or given a rounder value, where the failure stays.
//!
//! Words are changed in the text of the scenario. Whether the text is a scenario still, its reader says.

use super::{Judge, Shrinker};
use crate::scenario::{self, Scenario, value};

/// A scenario with more lines is not polished: each word costs a run or more.
const LINES_MAX: usize = 300;

/// Words that have a simpler one.
const SIMPLER: [(&str, &str); 2] = [("kind=power", "kind=process"), ("clock=frozen", "clock=running")];

impl<J: Judge> Shrinker<'_, J> {
    /// Takes out words, and rounds them.
    pub(super) fn polish(&mut self) {
        let mut number = 0;
        loop {
            let text = self.best.to_string();
            let lines: Vec<&str> = text.lines().collect();
            if number >= lines.len() || lines.len() > LINES_MAX || self.judge.is_over() {
                return;
            }
            let (before, after) = (lines[..number].join("\n"), lines[number + 1..].join("\n"));
            let scenarios =
                simpler_lines(lines[number]).into_iter().filter_map(|line| read(&before, &line, &after));
            if self.try_first(scenarios).is_none() {
                number += 1;
            }
        }
    }
}

fn read(before: &str, line: &str, after: &str) -> Option<Scenario> {
    let mut scenario = scenario::parse(&format!("{before}\n{line}\n{after}"), "candidate").ok()?;
    scenario.sort_decisions();
    Some(scenario)
}

/// The ways to say a line more simply: without one of its words, then with one of them rounder.
pub(super) fn simpler_lines(line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let is_verdict = ["squall-scenario", "expect", "hash"].contains(&words[0]);
    if is_verdict || line.starts_with('#') {
        return Vec::new();
    }
    let with = |place: usize, word: Option<&str>| {
        let chosen =
            words.iter().enumerate().filter_map(|(at, old)| if at == place { word } else { Some(*old) });
        chosen.collect::<Vec<&str>>().join(" ")
    };
    let places = || (0..words.len()).rev();
    let stated = |place: &usize| words[*place].contains('=');
    let shorter = places().filter(stated).map(|place| with(place, None));
    let rounder =
        places().flat_map(|place| simpler_words(words[place]).into_iter().map(move |word| (place, word)));
    shorter.chain(rounder.map(|(place, word)| with(place, Some(&word)))).collect()
}

/// Simpler values of one word: `@1234567us` or `for=1234567us` or `times=17`.
fn simpler_words(word: &str) -> Vec<String> {
    let simpler =
        SIMPLER.iter().filter(|(known, _)| *known == word).map(|(_, simpler)| (*simpler).to_owned());
    let (head, text) = match (word.strip_prefix('@'), word.split_once('=')) {
        (Some(text), _) => ("@".to_owned(), text),
        (None, Some((key, text))) => (format!("{key}="), text),
        (None, None) => return Vec::new(),
    };
    let rounder: Vec<String> = if let Ok(number) = value::number::<u64>(text) {
        rounder(number).map(|number| format!("{head}{number}")).collect()
    } else if let Ok(duration_us) = value::duration_us(text) {
        rounder(duration_us).map(|rounder_us| format!("{head}{}", value::Duration(rounder_us))).collect()
    } else {
        Vec::new()
    };
    simpler.chain(rounder).collect()
}

/// Rounder numbers, the roundest first: with one digit that is not zero, then with two; down, then up.
pub(super) fn rounder(number: u64) -> impl Iterator<Item = u64> {
    (1..=2).flat_map(move |digits| {
        let unit = 10_u64.pow(number.checked_ilog10().unwrap_or(0).saturating_sub(digits - 1));
        let down = number - number % unit;
        [down, down.saturating_add(unit)].into_iter().filter(move |_| down != number)
    })
}

/// A round duration that is longer, though not by much.
pub(super) fn above(duration_us: u64) -> u64 {
    let unit = 10_u64.pow(duration_us.checked_ilog10().unwrap_or(0).saturating_sub(1));
    (duration_us / unit + 1) * unit
}
