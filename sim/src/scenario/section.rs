//! The parameters of a run as ordered text: what a scenario keeps of them without knowing their meaning.

use super::error::Complaint;
use super::value;

/// One line of parameters: a name, and keys with values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Section {
    /// Whose parameters they are. Letters, digits, `-` and `_`; not what an event is called (`e12`).
    pub name: String,
    /// The keys, spelled like names, each once, and their values, which contain no white space.
    pub values: Vec<(String, String)>,
}

impl Section {
    /// A section without values.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), values: Vec::new() }
    }

    /// The same section with one more value.
    #[must_use]
    pub fn with(mut self, key: &str, value: &impl ToString) -> Self {
        self.values.push((key.to_owned(), value.to_string()));
        self
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

/// A name as sections, keys and fields have it.
pub(super) fn name(text: &str) -> Result<String, Complaint> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if text.is_empty() || !text.bytes().all(plain) {
        return Err(Complaint::about(text, "a name of letters, digits, `-` and `_`"));
    }
    Ok(text.to_owned())
}

/// The number of an event, as `e12`; `None` where the word means something else.
pub(super) fn event_number(text: &str) -> Option<Result<u32, Complaint>> {
    let digits = text.strip_prefix('e')?;
    digits.starts_with(|first: char| first.is_ascii_digit()).then(|| value::number(digits))
}
