//! Reads a scenario. Any text is answered with a scenario or with an error that says where and why.

use std::collections::BTreeMap;

use super::error::{Complaint, ScenarioError};
use super::line::{Line, Word};
use super::{Expected, Scenario, Section, VERSION, anchor, decision, fault, section, step, value};
use crate::choice::Purpose;
use crate::fault::FaultEvent;

/// Reads the text of the file called `file` (which is only used to say where an error is).
///
/// # Errors
/// Where the text is not a scenario of this version, or says something twice, or something that no world
/// could carry out.
pub fn parse(text: &str, file: &str) -> Result<Scenario, ScenarioError> {
    let mut parser = Parser::default();
    let mut is_first = true;
    for (number, text) in (1..).zip(text.lines()) {
        let mut line = Line::new(file, number, text);
        if let Some(comment) = text.trim_start().strip_prefix('#') {
            parser.comment(comment);
        } else if line.peek().is_some() && is_first {
            is_first = false;
            read_version(&mut line)?;
            line.finish()?;
        } else if line.peek().is_some() {
            parser.read_line(number, line)?;
        }
    }
    if is_first {
        // The line behind the last line break: there is one, if only an empty one.
        read_version(&mut Line::new(file, text.split('\n').count(), ""))?;
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
    /// What a line may say once, and the number of that line.
    said: BTreeMap<String, usize>,
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

    /// Notes that this stands in a line, and may not stand in another.
    fn once(
        &mut self,
        what: String,
        expected: &str,
        first: Word<'_>,
        number: usize,
        line: &Line<'_>,
    ) -> Result<(), ScenarioError> {
        if let Some(before) = self.said.get(&what) {
            let what = format!("`{what}` stands twice, first in line {before}");
            return Err(line.error(first.column, Complaint::new(what, expected)));
        }
        self.said.insert(what, number);
        Ok(())
    }

    fn read_line(&mut self, number: usize, mut line: Line<'_>) -> Result<(), ScenarioError> {
        self.begun = true;
        let place = number;
        let first = line.next("a line")?;
        let second = line.peek().map(|word| word.text);
        if let Some(number) = section::event_number(first.text) {
            let id = number.map_err(|complaint| line.error(first.column, complaint))?;
            self.once(format!("e{id}"), "a number that no other event has", first, place, &line)?;
            self.read_event(id, &mut line)?;
        } else if let Some(number) = step::number(first.text) {
            let id = number.map_err(|complaint| line.error(first.column, complaint))?;
            step::read(id, first, &mut line, &mut self.scenario.steps)?;
        } else if let Some(purpose) = decision::purpose(first.text, second) {
            let key = decision::read(purpose, &mut line, &mut self.scenario.decisions)?;
            self.once(key.to_string(), "each event decided on one line", first, place, &line)?;
        } else if first.text == "expect" {
            self.once("expect".to_owned(), "one `expect` line", first, place, &line)?;
            self.read_expected(&mut line)?;
        } else if first.text == "hash" {
            self.once("hash".to_owned(), "one `hash` line", first, place, &line)?;
            self.read_hash(&mut line)?;
        } else {
            let name = section_name(first, second, &line)?;
            self.once(name.clone(), "each section on one line", first, place, &line)?;
            self.read_section(&name, &mut line)?;
        }
        line.finish()
    }

    fn read_event(&mut self, id: u32, line: &mut Line<'_>) -> Result<(), ScenarioError> {
        let (after, at) = anchor::read(line)?;
        let fault = fault::read(line)?;
        self.scenario.events.push(FaultEvent { id, after, at, fault });
        Ok(())
    }

    fn read_expected(&mut self, line: &mut Line<'_>) -> Result<(), ScenarioError> {
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

    fn read_hash(&mut self, line: &mut Line<'_>) -> Result<(), ScenarioError> {
        let digits = line.next("the hash, 32 hexadecimal digits")?;
        self.scenario.hash = Some(line.read(digits, hash)?);
        Ok(())
    }

    fn read_section(&mut self, name: &str, line: &mut Line<'_>) -> Result<(), ScenarioError> {
        let mut section = Section::new(name);
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

/// The name of a section, if what follows it could stand in one. A misspelt event or purpose is told as what it was to be.
fn section_name(first: Word<'_>, second: Option<&str>, line: &Line<'_>) -> Result<String, ScenarioError> {
    let bare = second.filter(|second| !second.contains('='));
    if bare.is_some_and(|second| second.starts_with('@')) {
        return Err(
            line.error_at(first, "the number of an event, as `e3`, before the moment when it strikes")
        );
    }
    if bare.is_some_and(|second| second.contains('#')) {
        let names: Vec<&str> = Purpose::ALL.iter().map(|purpose| purpose.name()).collect();
        let expected = format!("what is decided, one of `{}`", names.join("`, `"));
        return Err(line.error_at(first, expected));
    }
    line.read(first, section::name)
}

fn hash(text: &str) -> Result<u128, Complaint> {
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
        .ok_or_else(|| Complaint::about(text, "32 hexadecimal digits"))
}
