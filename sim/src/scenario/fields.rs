//! Parameters as text, in both directions from one table.
//!
//! A table is a function that names each value's key and spelling once; [`Fields`] either writes the values
//! into a section or reads them from one. A key that is not stated leaves its value as it was; a key that
//! nobody asked for is an error.

use std::fmt;
use std::str::FromStr;

use super::error::Complaint;
use super::misfit::Misfit;
use super::section::Section;
use super::value::{self, Duration, SignedDuration};
use crate::choice::Ratio;

/// One section on its way into values, or out of them.
pub struct Fields {
    section: Section,
    mode: Mode,
    /// The first value of a reading that could not be read.
    misfit: Option<Misfit>,
    /// Every key that was asked for in a reading.
    keys: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Write,
    Read,
}

impl Fields {
    /// Fields that will be written to a section of that name.
    #[must_use]
    pub fn write(name: &str) -> Self {
        Self { section: Section::new(name), mode: Mode::Write, misfit: None, keys: Vec::new() }
    }

    /// Fields that are read from this section.
    #[must_use]
    pub fn read(section: &Section) -> Self {
        Self { section: section.clone(), mode: Mode::Read, misfit: None, keys: Vec::new() }
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
    pub fn finish(self) -> Result<(), Misfit> {
        debug_assert!(self.mode == Mode::Read, "only a reading can fail");
        match (self.misfit, self.section.values.first()) {
            (Some(misfit), _) => Err(misfit),
            (None, None) => Ok(()),
            (None, Some((key, _))) => {
                let expected = format!("one of `{}`", self.keys.join("`, `"));
                Err(Misfit::of_key(&self.section.name, key, "it is not known", expected))
            }
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

    /// A probability.
    pub fn probability(&mut self, key: &str, value: &mut Ratio) {
        self.field(key, value, Ratio::to_string, value::probability);
    }

    /// How fast a clock runs.
    pub fn clock_rate(&mut self, key: &str, value: &mut Ratio) {
        self.field(key, value, Ratio::to_string, value::clock_rate);
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
                self.keys.push(key.to_owned());
                let Some(place) = self.section.values.iter().position(|(known, _)| known == key) else {
                    return;
                };
                let (key, text) = self.section.values.remove(place);
                match read(&text) {
                    Ok(stated) => *value = stated,
                    Err(Complaint { what, expected }) => {
                        self.misfit.get_or_insert(Misfit::of_key(&self.section.name, &key, what, expected));
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
