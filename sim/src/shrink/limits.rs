//! The ends of a run, and who takes part in it.

use super::{Ends, Judge, Shrinker, words};
use crate::scenario::{Complaint, Scenario, Section, parameters_from, value};

/// What concerns the liveness phase alone.
const LIVENESS_KEYS: [&str; 5] =
    ["liveness", "core_size", "core_is_alone", "healed_delay", "liveness_operations"];

/// The shares of its length, of eight, that a run which is judged at its end is cut down to.
const EIGHTHS: [u64; 5] = [1, 2, 4, 6, 7];

/// Ends the run behind a failure that was noticed before the end of the safety phase. So much changes nothing in the run.
pub(super) fn cut(scenario: &mut Scenario, virtual_us: u64, safety_us: u64) -> Ends {
    let limit_us = stated(scenario, "limits", "safety", value::duration_us);
    let is_judged_later = virtual_us > safety_us || limit_us.is_some_and(|limit_us| virtual_us >= limit_us);
    if is_judged_later {
        return Ends::AfterPhase { safety_us };
    }
    let rounded_us = words::above(virtual_us);
    if limit_us.is_none_or(|limit_us| rounded_us < limit_us) {
        state(scenario, "limits", "safety", value::Duration(rounded_us).to_string());
    }
    if let Some(limits) = scenario.sections.iter_mut().find(|section| section.name == "limits") {
        limits.values.retain(|(key, _)| !LIVENESS_KEYS.contains(&key.as_str()));
    }
    Ends::AtOnce
}

/// No storm is longer than that of the best scenario so far, whatever else is simpler about it.
pub(super) fn bound(scenario: &mut Scenario, best: &Scenario) {
    let safety_us = |scenario: &Scenario| stated(scenario, "limits", "safety", value::duration_us);
    if let Some(best_us) = safety_us(best)
        && safety_us(scenario).is_none_or(|safety_us| safety_us > best_us)
    {
        state(scenario, "limits", "safety", value::Duration(best_us).to_string());
    }
}

impl<J: Judge> Shrinker<'_, J> {
    /// Shortens the safety phase of a run that is judged at its end.
    pub(super) fn shorten(&mut self) {
        while let Ends::AfterPhase { safety_us } = self.ends {
            let best = self.best.clone();
            let lengths = EIGHTHS.iter().map(|eighths| words::above(safety_us / 8 * eighths));
            let shorter = lengths.filter(|length_us| *length_us < safety_us).map(|length_us| {
                let mut shorter = best.clone();
                state(&mut shorter, "limits", "safety", value::Duration(length_us).to_string());
                shorter.events.retain(|event| event.after.is_some() || event.at.0 < length_us);
                shorter.drop_orphans();
                shorter
            });
            if self.try_first(shorter).is_none() {
                return;
            }
        }
    }

    /// Tries fewer clients: the last ones go.
    pub(super) fn dismiss_clients(&mut self) {
        let (processes, clients) = population(&self.best);
        let fewer =
            (0..clients).filter(|count| count.is_power_of_two() || *count == 0 || count + 1 == clients);
        self.try_population(fewer.map(|clients| (processes, clients)));
    }

    /// Tries fewer processes: the last ones go.
    pub(super) fn dismiss_processes(&mut self) {
        let (processes, clients) = population(&self.best);
        self.try_population((1..processes).map(|processes| (processes, clients)));
    }

    fn try_population(&mut self, populations: impl Iterator<Item = (u32, u32)>) {
        let with = |(processes, clients)| {
            let mut scenario = self.best.clone();
            populate(&mut scenario, processes, clients, &*self.judge);
            scenario
        };
        let scenarios: Vec<Scenario> = populations.map(with).collect();
        self.try_first(scenarios.into_iter());
    }
}

/// Gives a scenario so many processes and clients, the first ones.
pub(super) fn populate(scenario: &mut Scenario, processes: u32, clients: u32, judge: &impl Judge) {
    state(scenario, "processes", "count", processes.to_string());
    state(scenario, "clients", "count", clients.to_string());
    let core_size = stated(scenario, "limits", "core_size", value::number::<u32>);
    if core_size.is_some_and(|core_size| core_size > processes) {
        state(scenario, "limits", "core_size", processes.to_string());
    }
    scenario.retain_for(processes, clients);
    judge.fit(scenario, processes);
}

/// How many processes and clients there are.
pub(super) fn population(scenario: &Scenario) -> (u32, u32) {
    let parameters = parameters_from(&scenario.sections).expect("a scenario that was run can be run");
    (parameters.processes(), parameters.clients.count)
}

/// What is stated for a key.
pub(super) fn stated<T>(
    scenario: &Scenario,
    section: &str,
    key: &str,
    read: fn(&str) -> Result<T, Complaint>,
) -> Option<T> {
    scenario.section(section)?.get(key).and_then(|text| read(text).ok())
}

/// States a value, in place of another or for the first time.
pub(super) fn state(scenario: &mut Scenario, section: &str, key: &str, text: String) {
    let place = scenario.sections.iter().position(|known| known.name == section).unwrap_or_else(|| {
        scenario.sections.push(Section::new(section));
        scenario.sections.len() - 1
    });
    let values = &mut scenario.sections[place].values;
    match values.iter_mut().find(|(known, _)| known == key) {
        Some((_, value)) => *value = text,
        None => values.push((key.to_owned(), text)),
    }
}
