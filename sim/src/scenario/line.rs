//! One line of a scenario, cut into words that remember where they stood.
//!
//! A word is either bare (`crash`, `n3`) or a key with a value (`outage=300ms`). Bare words are read in
//! order, keys in any order; whatever nobody asked for is an error, so that no misspelt key is overlooked.

use super::error::{Complaint, ScenarioError};

/// The rest of a line while it is read.
pub(super) struct Line<'a> {
    file: &'a str,
    number: usize,
    words: Vec<Word<'a>>,
    /// The column just after the line's last character.
    end: usize,
}

/// A word and the column where it begins, from 1.
#[derive(Clone, Copy)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) column: usize,
}

impl<'a> Word<'a> {
    /// The key and the value, if it is such a word.
    pub(super) fn key_and_value(self) -> Option<(&'a str, Word<'a>)> {
        self.split_once('=').map(|(key, value)| (key.text, value))
    }

    /// What stands before and behind the first of these characters.
    pub(super) fn split_once(self, separator: char) -> Option<(Word<'a>, Word<'a>)> {
        let (before, behind) = self.text.split_once(separator)?;
        let column = self.column + before.chars().count() + 1;
        Some((Word { text: before, ..self }, Word { text: behind, column }))
    }

    /// The column of this part of it, if letters and digits do not go on before or behind.
    pub(super) fn column_of(self, part: &str) -> Option<usize> {
        let goes_on = |beside: Option<char>| beside.is_some_and(char::is_alphanumeric);
        let is_whole = |(at, _): &(usize, &str)| {
            let (before, rest) = self.text.split_at(*at);
            !goes_on(before.chars().next_back()) && !goes_on(rest[part.len()..].chars().next())
        };
        let (at, _) = self.text.match_indices(part).find(is_whole)?;
        Some(self.column + self.text[..at].chars().count())
    }

    /// What stands behind this character, if it is the first.
    pub(super) fn strip_prefix(self, first: char) -> Option<Word<'a>> {
        Some(Word { text: self.text.strip_prefix(first)?, column: self.column + 1 })
    }
}

impl<'a> Line<'a> {
    pub(super) fn new(file: &'a str, number: usize, text: &'a str) -> Self {
        let text = text.trim_end();
        let mut words = Vec::new();
        let mut column = 1;
        // Every piece is followed by one white character, but for the last.
        for piece in text.split(char::is_whitespace) {
            if !piece.is_empty() {
                words.push(Word { text: piece, column });
            }
            column += piece.chars().count() + 1;
        }
        words.reverse();
        Self { file, number, words, end: column - 1 }
    }

    /// The next word, whatever it is.
    pub(super) fn next(&mut self, expected: &str) -> Result<Word<'a>, ScenarioError> {
        self.words.pop().ok_or_else(|| self.error(self.end, Complaint::new("the line ends", expected)))
    }

    /// The next word without taking it.
    pub(super) fn peek(&self) -> Option<Word<'a>> {
        self.words.last().copied()
    }

    /// The value of `key`, read by `read`.
    pub(super) fn key<T>(&mut self, key: &str, read: Read<T>) -> Result<T, ScenarioError> {
        match self.maybe_key(key, read)? {
            Some(value) => Ok(value),
            None => {
                let missing = Complaint::new(format!("there is no `{key}`"), format!("`{key}=` and a value"));
                Err(self.error(self.end, missing))
            }
        }
    }

    /// Says which of these words are not there, all at once, each with what it may be.
    pub(super) fn need(&self, words: &[Needed]) -> Result<(), ScenarioError> {
        let missing: Vec<&Needed> = words.iter().filter(|word| !self.has(word)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let name = |word: &&Needed| match word {
            Needed::Key(key, _) => format!("no `{key}`"),
            Needed::Bare { what, .. } => format!("no {what}"),
        };
        let wanted = |word: &&Needed| match word {
            Needed::Key(key, values) => format!("`{key}=` with {}", values()),
            Needed::Bare { expected, .. } => (*expected).to_owned(),
        };
        let names: Vec<String> = missing.iter().map(name).collect();
        let what = format!("there is {}", names.join(" and "));
        let expected = missing.iter().map(wanted).collect::<Vec<String>>().join("; ");
        Err(self.error(self.end, Complaint::new(what, expected)))
    }

    fn has(&self, word: &Needed) -> bool {
        match word {
            Needed::Key(key, _) => self.place_of(key).is_some(),
            Needed::Bare { keys, .. } => {
                let is_bare = self.peek().is_some_and(|word| word.key_and_value().is_none());
                is_bare || keys.iter().any(|key| self.place_of(key).is_some())
            }
        }
    }

    /// The word with the value of `key`, without taking it.
    pub(super) fn peek_key(&self, key: &str) -> Option<Word<'a>> {
        self.place_of(key).map(|place| self.words[place])
    }

    fn place_of(&self, key: &str) -> Option<usize> {
        let has_key = |word: &Word<'_>| word.key_and_value().is_some_and(|(found, _)| found == key);
        self.words.iter().rposition(has_key)
    }

    /// The value of `key`, if it is there.
    pub(super) fn maybe_key<T>(&mut self, key: &str, read: Read<T>) -> Result<Option<T>, ScenarioError> {
        let Some(place) = self.place_of(key) else {
            return Ok(None);
        };
        let (_, value) =
            self.words.remove(place).key_and_value().expect("it was found as a key with a value");
        self.read(value, read).map(Some)
    }

    /// Reads a word as a value.
    pub(super) fn read<T>(&self, word: Word<'_>, read: Read<T>) -> Result<T, ScenarioError> {
        read(word.text).map_err(|complaint| self.error(word.column, complaint))
    }

    /// Ends the line: nothing may be left.
    pub(super) fn finish(mut self) -> Result<(), ScenarioError> {
        match self.words.pop() {
            Some(word) => Err(self.error_at(word, "the end of the line, or a key that belongs here, once")),
            None => Ok(()),
        }
    }

    /// The usual complaint about a word.
    pub(super) fn error_at(&self, word: Word<'_>, expected: impl Into<String>) -> ScenarioError {
        self.error(word.column, Complaint::about(word.text, expected))
    }

    /// A complaint about the line as a whole.
    pub(super) fn error_at_end(&self, what: &str, expected: &str) -> ScenarioError {
        self.error(self.end, Complaint::new(what, expected))
    }

    pub(super) fn error(&self, column: usize, complaint: Complaint) -> ScenarioError {
        let Complaint { what, expected } = complaint;
        ScenarioError { file: self.file.to_owned(), line: self.number, column, what, expected }
    }
}

/// A word that must stand in a line.
pub(super) enum Needed {
    /// A key, and what its value may be.
    Key(&'static str, fn() -> String),
    /// A bare word, or one with one of these keys in its place.
    Bare {
        /// The keys.
        keys: &'static [&'static str],
        /// What the word is about.
        what: &'static str,
        /// What it may be.
        expected: &'static str,
    },
}

/// How a value is read from its text.
type Read<T> = fn(&str) -> Result<T, Complaint>;
