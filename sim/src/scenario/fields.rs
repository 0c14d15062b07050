//! Parameters as text, in both directions from one table.
//!
//! A table is a function that names each value's key and spelling once; [`Fields`] either writes the values
//! into a section or reads them from one. A key that is not stated leaves its value as it was; a key that
//! nobody asked for is an error.

use std::fmt;
use std::str::FromStr;

use super::error::Complaint;
use super::section::Section;
use super::value::{self, Duration, SignedDuration};
use crate::choice::Ratio;

/// One section on its way into values, or out of them.
pub struct Fields {
    section: Section,
    mode: Mode,
    /// Invariant: the first error of a reading; after it nothing is read any more.
    error: Option<SectionError>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Write,
    Read,
}

/// Why a section does not hold the parameters that it should.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SectionError {
    /// The section's name.
    pub section: String,
    /// The key, or nothing where it is about the section as a whole.
    pub key: String,
    /// What stands there.
    pub what: String,
    /// What would be right.
    pub expected: String,
}

impl fmt::Display for SectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { section, key, what, expected } = self;
        match key.as_str() {
            "" => write!(f, "section `{section}`: {what}; expected {expected}"),
            key => write!(f, "section `{section}`, key `{key}`: {what}; expected {expected}"),
        }
    }
}

impl std::error::Error for SectionError {}

impl Fields {
    /// Fields that will be written to a section of that name.
    #[must_use]
    pub fn write(name: &str) -> Self {
        Self { section: Section::new(name), mode: Mode::Write, error: None }
    }

    /// Fields that are read from this section.
    #[must_use]
    pub fn read(section: &Section) -> Self {
        Self { section: section.clone(), mode: Mode::Read, error: None }
    }

    /// The section that was written.
    #[must_use]
    pub fn into_section(self) -> Section {
        debug_assert!(self.mode == Mode::Write, "a section that was read has been taken apart");
        self.section
    }

    /// Ends a reading.
    ///
    /// # Errors
    /// The first value that could not be read, or a key that nobody asked for.
    pub fn finish(self) -> Result<(), SectionError> {
        debug_assert!(self.mode == Mode::Read, "only a reading can fail");
        match (self.error, self.section.values.first()) {
            (Some(error), _) => Err(error),
            (None, None) => Ok(()),
            (None, Some((key, _))) => Err(SectionError {
                section: self.section.name,
                key: key.clone(),
                what: "it is not known".into(),
                expected: "a key of this section".into(),
            }),
        }
    }

    /// A number.
    pub fn number<T: FromStr + fmt::Display>(&mut self, key: &str, value: &mut T) {
        self.field(key, value, T::to_string, value::number);
    }

    /// A duration in microseconds.
    pub fn duration_us(&mut self, key: &str, value: &mut u64) {
        self.field(key, value, |us| Duration(*us).to_string(), value::duration_us);
    }

    /// A duration in microseconds that may be negative.
    pub fn signed_duration_us(&mut self, key: &str, value: &mut i64) {
        self.field(key, value, |us| SignedDuration(*us).to_string(), value::signed_duration_us);
    }

    /// A ratio.
    pub fn ratio(&mut self, key: &str, value: &mut Ratio) {
        self.field(key, value, Ratio::to_string, value::ratio);
    }

    /// Yes or no.
    pub fn flag(&mut self, key: &str, value: &mut bool) {
        const WORDS: [(&str, bool); 2] = [("yes", true), ("no", false)];
        let write = |flag: &bool| value::word_of(flag, &WORDS).to_owned();
        self.field(key, value, write, |text| value::one_of(text, &WORDS));
    }

    /// Weights of a choice, as `1:2:7`; at least one is above zero.
    pub fn weights<const N: usize>(&mut self, key: &str, weights: [&mut u32; N]) {
        let mut values = weights.each_ref().map(|weight| **weight);
        self.field(key, &mut values, |values| values.map(|value| value.to_string()).join(":"), read_weights);
        weights.into_iter().zip(values).for_each(|(weight, value)| *weight = value);
    }

    fn field<T>(
        &mut self,
        key: &str,
        value: &mut T,
        write: impl FnOnce(&T) -> String,
        read: impl FnOnce(&str) -> Result<T, Complaint>,
    ) {
        match self.mode {
            Mode::Write => self.section.values.push((key.to_owned(), write(value))),
            Mode::Read => {
                let Some(place) = self.section.values.iter().position(|(known, _)| known == key) else {
                    return;
                };
                let (key, text) = self.section.values.remove(place);
                match read(&text) {
                    Ok(stated) => *value = stated,
                    Err(Complaint { what, expected }) => {
                        let section = self.section.name.clone();
                        self.error.get_or_insert(SectionError { section, key, what, expected });
                    }
                }
            }
        }
    }
}

fn read_weights<const N: usize>(text: &str) -> Result<[u32; N], Complaint> {
    let weights: Option<Vec<u32>> = text.split(':').map(|weight| value::number(weight).ok()).collect();
    weights
        .filter(|weights| weights.iter().any(|weight| *weight > 0))
        .and_then(|weights| weights.try_into().ok())
        .ok_or_else(|| {
            Complaint::about(text, format!("{N} weights, as {}, not all of them 0", ["1"; N].join(":")))
        })
}
