//! Writes a scenario: each thing has one spelling, so that equal scenarios are equal files.

use std::fmt;

use super::{Expected, Scenario, Section, VERSION, anchor, fault};
use crate::choice::Decision;

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "squall-scenario {VERSION}")?;
        for note in &self.notes {
            let space = if note.is_empty() { "" } else { " " };
            writeln!(f, "#{space}{note}")?;
        }
        self.sections.iter().try_for_each(|section| writeln!(f, "{section}"))?;
        for event in &self.events {
            let moment = anchor::Written(event.after.as_ref(), event.at);
            writeln!(f, "e{} {moment} {}", event.id, fault::Written(&event.fault))?;
        }
        write_decisions(&self.decisions, f)?;
        for step in &self.steps {
            writeln!(f, "s{} {}", step.id, step.words.join(" "))?;
        }
        match &self.expected {
            None => {}
            Some(Expected::Passed) => writeln!(f, "expect passed")?,
            Some(Expected::Failed(class)) => writeln!(f, "expect failed {class}")?,
        }
        match self.hash {
            None => Ok(()),
            Some(hash) => writeln!(f, "hash {hash:032x}"),
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.values.iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))
    }
}

fn write_decisions(decisions: &[Decision], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    debug_assert!(decisions.is_sorted_by_key(|decision| decision.key), "see Scenario::sort_decisions");
    for of_one_event in decisions.chunk_by(|left, right| left.key == right.key) {
        write!(f, "{}", of_one_event[0].key)?;
        for Decision { key: _, field, value } in of_one_event {
            write!(f, " {field}={value}")?;
        }
        writeln!(f)?;
    }
    Ok(())
}
