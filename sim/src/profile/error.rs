//! Why a text is not a profile: where, what, and the line itself.

use std::fmt;

use toml::Spanned;
use toml::de::DeTable;

/// Why a text is not a profile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProfileError {
    /// The file, as the reader named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong there and what would be right.
    pub what: String,
    /// The line's text, which names the field.
    pub text: String,
}

impl ProfileError {
    pub(super) fn new(text: &str, file: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        Self::at(text, file, at, with_remedy(error.message()))
    }

    /// What is wrong with a value of a well-formed profile that was read from this text, the file called
    /// `file`. The value is named by the keys that lead to it; what the text does not state is looked for
    /// where it would stand.
    #[must_use]
    pub fn of_value(text: &str, file: &str, keys: &[&str], what: String) -> Self {
        let document = DeTable::parse(text).ok();
        let mut table = document.as_ref().map(Spanned::get_ref);
        let mut at = 0;
        for key in keys {
            let Some(value) = table.and_then(|table| table.get(*key)) else { break };
            at = value.span().start;
            table = value.get_ref().as_table();
        }
        Self::at(text, file, at, what)
    }

    /// Something that is wrong so many bytes into the text.
    fn at(text: &str, file: &str, at: usize, what: String) -> Self {
        let at = at.min(text.len());
        let before = text.get(..at).unwrap_or("");
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            what,
            text: text[line_start..].lines().next().unwrap_or("").trim_end().to_owned(),
        }
    }
}

/// What the reader of TOML says, and what would be right where it does not say that.
fn with_remedy(said: &str) -> String {
    let remedy = match said {
        "duplicate key" => "; it is stated above: keep one of the two",
        _ if said.starts_with("missing field") => "; add it to this table",
        _ => "",
    };
    let whole_number = ["u32", "u64"].iter().find_map(|kind| said.strip_suffix(kind));
    whole_number.map_or_else(|| format!("{said}{remedy}"), |said| format!("{said}a whole number from 0 on"))
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, what, text } = self;
        write!(f, "{file}:{line}:{column}: {what}\n  | {text}")
    }
}

impl std::error::Error for ProfileError {}
