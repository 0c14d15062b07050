//! Reads a scenario. Any text is answered with a scenario or with an error that says where and why.

use std::collections::BTreeSet;

use super::error::{Complaint, ScenarioError};
use super::line::{Line, Word};
use super::{Expected, Scenario, Section, VERSION, anchor, decision, fault, section, step, value};
use crate::choice::DrawKey;
use crate::fault::FaultEvent;

/// Reads the text of the file called `file` (which is only used to say where an error is).
///
/// # Errors
/// Where the text is not a scenario of this version, or says something twice, or something that no world
/// could carry out.
pub fn parse(text: &str, file: &str) -> Result<Scenario, ScenarioError> {
    let mut parser = Parser::default();
    for (number, text) in (1..).zip(text.lines()) {
        let mut line = Line::new(file, number, text);
        if number == 1 {
            read_version(&mut line)?;
            line.finish()?;
        } else if let Some(comment) = text.trim_start().strip_prefix('#') {
            parser.comment(comment);
        } else if line.peek().is_some() {
            parser.read_line(line)?;
        }
    }
    if text.is_empty() {
        read_version(&mut Line::new(file, 1, text))?;
    }
    parser.scenario.sort_decisions();
    Ok(parser.scenario)
}

fn read_version(line: &mut Line<'_>) -> Result<(), ScenarioError> {
    let expected = format!("`squall-scenario {VERSION}` as the first line");
    let name = line.next(&expected)?;
    if name.text != "squall-scenario" {
        return Err(line.error_at(name, expected));
    }
    let version = line.next(&expected)?;
    if line.read(version, value::number::<u32>)? != VERSION {
        return Err(line.error_at(version, format!("version {VERSION}, the only one that is understood")));
    }
    Ok(())
}

/// A scenario that is being read, and what it must not say twice.
#[derive(Default)]
struct Parser {
    scenario: Scenario,
    events: BTreeSet<u32>,
    decided: BTreeSet<DrawKey>,
    /// Whether anything but notes has been read.
    begun: bool,
}

impl Parser {
    fn comment(&mut self, comment: &str) {
        if !self.begun {
            let note = comment.strip_prefix(' ').unwrap_or(comment);
            self.scenario.notes.push(note.trim_end().to_owned());
        }
    }

    fn read_line(&mut self, mut line: Line<'_>) -> Result<(), ScenarioError> {
        self.begun = true;
        let first = line.next("a line")?;
        let second = line.peek().map(|word| word.text);
        if let Some(number) = section::event_number(first.text) {
            let id = number.map_err(|complaint| line.error(first.column, complaint))?;
            self.read_event(id, first, &mut line)?;
        } else if let Some(number) = step::number(first.text) {
            let id = number.map_err(|complaint| line.error(first.column, complaint))?;
            step::read(id, first, &mut line, &mut self.scenario.steps)?;
        } else if let Some(purpose) = decision::purpose(first.text, second) {
            let key = decision::read(purpose, &mut line, &mut self.scenario.decisions)?;
            if !self.decided.insert(key) {
                return Err(line.error_at(first, "each event decided on one line"));
            }
        } else if first.text == "expect" {
            self.read_expected(first, &mut line)?;
        } else if first.text == "hash" {
            self.read_hash(first, &mut line)?;
        } else {
            self.read_section(first, &mut line)?;
        }
        line.finish()
    }

    fn read_event(&mut self, id: u32, first: Word<'_>, line: &mut Line<'_>) -> Result<(), ScenarioError> {
        if !self.events.insert(id) {
            return Err(line.error_at(first, "a number that no other event has"));
        }
        let (after, at) = anchor::read(line)?;
        let fault = fault::read(line)?;
        self.scenario.events.push(FaultEvent { id, after, at, fault });
        Ok(())
    }

    fn read_expected(&mut self, first: Word<'_>, line: &mut Line<'_>) -> Result<(), ScenarioError> {
        if self.scenario.expected.is_some() {
            return Err(line.error_at(first, "one `expect` line"));
        }
        let verdict = line.next("`passed` or `failed`")?;
        self.scenario.expected = Some(match verdict.text {
            "passed" => Expected::Passed,
            "failed" => {
                let class = line.next("the class of the violation, as `ElectionSafety`")?;
                Expected::Failed(line.read(class, section::name)?)
            }
            _ => return Err(line.error_at(verdict, "`passed` or `failed`")),
        });
        Ok(())
    }

    fn read_hash(&mut self, first: Word<'_>, line: &mut Line<'_>) -> Result<(), ScenarioError> {
        if self.scenario.hash.is_some() {
            return Err(line.error_at(first, "one `hash` line"));
        }
        let digits = line.next("the hash, 32 hexadecimal digits")?;
        self.scenario.hash = Some(line.read(digits, hash)?);
        Ok(())
    }

    fn read_section(&mut self, first: Word<'_>, line: &mut Line<'_>) -> Result<(), ScenarioError> {
        let name = line.read(first, section::name)?;
        if self.scenario.section(&name).is_some() {
            return Err(line.error_at(first, "each section on one line"));
        }
        let mut section = Section::new(&name);
        while let Some(word) = line.peek() {
            let Some((key, value)) = word.key_and_value() else {
                let expected = match section.values.is_empty() {
                    true => {
                        "a key with its value, as `count=5`; or, at the beginning of the line, an event, as `e3`, what is decided, as `net`, `expect` or `hash`"
                    }
                    false => "a key with its value, as `count=5`",
                };
                return Err(line.error_at(word, expected));
            };
            line.next("a key")?;
            let key = section::name(key).map_err(|complaint| line.error(word.column, complaint))?;
            if section.get(&key).is_some() {
                return Err(line.error_at(word, "each key once"));
            }
            section.values.push((key, value.text.to_owned()));
        }
        self.scenario.sections.push(section);
        Ok(())
    }
}

fn hash(text: &str) -> Result<u128, Complaint> {
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
        .ok_or_else(|| Complaint::about(text, "32 hexadecimal digits"))
}
