//! What is wrong with one line of a well-formed scenario, once its meaning is known.
//!
//! A scenario is data and does not remember its text. But each section, event and decision has a line of its
//! own, so that whoever still has the text finds the line by what it is about.

use std::fmt;

use super::decision;
use super::error::{Complaint, ScenarioError};
use super::line::{Line, Word};
use super::{section, step};
use crate::anchor::{AnchorError, Part};
use crate::choice::DrawKey;

/// Why a scenario cannot be run: one of its lines states what cannot be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misfit {
    /// Which line.
    pub subject: Subject,
    /// What stands there.
    pub what: String,
    /// What would be right.
    pub expected: String,
}

/// What a line of a scenario is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// The section of that name.
    Section(String),
    /// A key of a section; the section as a whole where the key is not stated.
    Key {
        /// The section's name.
        section: String,
        /// The key.
        key: String,
    },
    /// The fault of that number.
    Event(u32),
    /// A word of that fault's line, or a part of one, as `n3` in `split=n0,n3`.
    Word {
        /// The fault's number.
        event: u32,
        /// As it stands there.
        word: String,
    },
    /// What the fault of that number waits for.
    Milestone(u32),
    /// The other event, by which it is known when the fault of that number strikes.
    Turn(u32),
    /// What is decided of that event.
    Decision(DrawKey),
    /// A word of the step of that number, from 0.
    Step {
        /// The step.
        id: u32,
        /// Which of its words; the step as a whole where it has no such word.
        word: usize,
    },
    /// What must come of the run.
    Expected,
}

impl Misfit {
    /// A misfit of a whole section.
    #[must_use]
    pub fn of_section(name: &str, what: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { subject: Subject::Section(name.to_owned()), what: what.into(), expected: expected.into() }
    }

    /// A misfit of a key's value.
    #[must_use]
    pub fn of_key(section: &str, key: &str, what: impl Into<String>, expected: impl Into<String>) -> Self {
        let subject = Subject::Key { section: section.to_owned(), key: key.to_owned() };
        Self { subject, what: what.into(), expected: expected.into() }
    }

    /// The same with its place in the text that the scenario was read from, the file called `file`. Where the
    /// text says nothing of it, that is the first line.
    #[must_use]
    pub fn at(&self, text: &str, file: &str) -> ScenarioError {
        let says = |line: &(usize, &str)| !line.1.trim().is_empty() && !line.1.trim_start().starts_with('#');
        let (line, column) = (1..)
            .zip(text.lines())
            .filter(says)
            .skip(1)
            .find_map(|(number, text)| Some((number, self.subject.column(Line::new(file, number, text))?)))
            .unwrap_or((1, 1));
        let Self { subject, what, expected } = self;
        ScenarioError {
            file: file.to_owned(),
            line,
            column,
            what: format!("{subject}: {what}"),
            expected: expected.clone(),
        }
    }
}

impl Subject {
    /// Where in this line it stands, if this is its line.
    fn column(&self, mut line: Line<'_>) -> Option<usize> {
        let first = line.next("").ok()?;
        let purpose = decision::purpose(first.text, line.peek().map(|word| word.text));
        match self {
            Self::Section(name) => (purpose.is_none() && first.text == name).then_some(first.column),
            Self::Key { section, key } => {
                if purpose.is_some() || first.text != section {
                    return None;
                }
                let has_key = |word: &Word<'_>| word.key_and_value().is_some_and(|(found, _)| found == key);
                let stated = std::iter::from_fn(|| line.next("").ok()).find(has_key);
                Some(stated.unwrap_or(first).column)
            }
            Self::Event(id) => (section::event_number(first.text) == Some(Ok(*id))).then_some(first.column),
            Self::Word { event, word } => {
                let is_event = section::event_number(first.text) == Some(Ok(*event));
                let found = std::iter::from_fn(|| line.next("").ok()).find_map(|next| next.column_of(word));
                is_event.then(|| found.unwrap_or(first.column))
            }
            Self::Milestone(id) | Self::Turn(id) => {
                let is_event = section::event_number(first.text) == Some(Ok(*id));
                let since = line.peek_key("since").filter(|_| matches!(self, Self::Turn(_)));
                since.or(line.peek()).filter(|_| is_event).map(|word| word.column)
            }
            Self::Decision(key) => {
                let identity = line.next("").ok()?;
                let stated = decision::key(purpose?, identity.text).ok()?;
                (stated == *key).then_some(identity.column)
            }
            Self::Step { id, word } => {
                let is_step = step::number(first.text) == Some(Ok(*id));
                let words = std::iter::from_fn(|| line.next("").ok()).nth(*word);
                is_step.then(|| words.unwrap_or(first).column)
            }
            Self::Expected => {
                let verdict = (first.text == "expect").then_some(first)?;
                Some(std::iter::from_fn(|| line.next("").ok()).last().unwrap_or(verdict).column)
            }
        }
    }

    pub(super) fn misfit_of_anchor(error: AnchorError) -> Misfit {
        let AnchorError { event, of, what, expected } = error;
        let subject = match of {
            Part::Milestone => Self::Milestone(event),
            Part::Turn => Self::Turn(event),
        };
        Misfit { subject, what, expected }
    }

    pub(super) fn misfit(self, complaint: Complaint) -> Misfit {
        Misfit { subject: self, what: complaint.what, expected: complaint.expected }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Section(name) => write!(f, "section `{name}`"),
            Self::Key { section, key } => write!(f, "section `{section}`, key `{key}`"),
            Self::Event(id) | Self::Milestone(id) | Self::Turn(id) | Self::Word { event: id, .. } => {
                write!(f, "event e{id}")
            }
            Self::Decision(key) => write!(f, "decision `{key}`"),
            Self::Step { id, .. } => write!(f, "step s{id}"),
            Self::Expected => f.write_str("`expect`"),
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, what, expected } = self;
        write!(f, "{subject}: {what}; expected {expected}")
    }
}

impl std::error::Error for Misfit {}
