//! Why a text is not a scenario: where, what, and what would be right.

use std::fmt;

/// Why a text is not a scenario.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScenarioError {
    /// The file, as the reader named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What stands there.
    pub what: String,
    /// What would be right.
    pub expected: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, what, expected } = self;
        write!(f, "{file}:{line}:{column}: {what}; expected {expected}")
    }
}

impl std::error::Error for ScenarioError {}

/// A complaint about one value, before it is known where the value stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Complaint {
    pub(crate) what: String,
    pub(crate) expected: String,
}

impl Complaint {
    pub(crate) fn new(what: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { what: what.into(), expected: expected.into() }
    }

    /// The usual complaint: the text stands there, something else should.
    pub(crate) fn about(text: &str, expected: impl Into<String>) -> Self {
        Self::new(format!("`{}`", text.escape_debug()), expected)
    }
}
