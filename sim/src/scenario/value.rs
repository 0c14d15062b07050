//! How single values are spelled: numbers, durations, ratios, processes, sets, links.
//!
//! For each kind of value a function reads it, and the type's `Display` or a small wrapper writes it.

use std::fmt;
use std::str::FromStr;

use super::error::Complaint;
use crate::choice::Ratio;
use crate::fault::Target;
use crate::ids::{Link, PROCESSES_MAX, ProcessId, ProcessSet};

/// How a fault names whoever is most prominent when it strikes.
const MOST_PROMINENT: &str = "most-prominent";
/// How a set without members is spelled.
const NOBODY: &str = "nobody";

/// A number in decimal digits. (The standard library would also take a plus sign.)
pub(crate) fn number<T: FromStr>(text: &str) -> Result<T, Complaint> {
    let complaint = || Complaint::about(text, format!("a number that fits {}", std::any::type_name::<T>()));
    if !is_digits(text) {
        return Err(complaint());
    }
    text.parse().map_err(|_| complaint())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A duration with its unit, in microseconds: `250us`, `3ms`, `2s`.
pub(crate) fn duration_us(text: &str) -> Result<u64, Complaint> {
    const UNITS: [(&str, u64); 3] = [("us", 1), ("ms", 1_000), ("s", 1_000_000)];
    let complaint = || Complaint::about(text, "a duration, as `250us`, `3ms` or `2s`");
    let (digits, scale) = UNITS
        .iter()
        .find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale)))
        .ok_or_else(complaint)?;
    if !is_digits(digits) {
        return Err(complaint());
    }
    let in_us = number::<u64>(digits).ok().and_then(|count| count.checked_mul(*scale));
    in_us.ok_or_else(|| Complaint::about(text, "a duration of less than 2^64 us"))
}

/// A duration that may be negative.
pub(crate) fn signed_duration_us(text: &str) -> Result<i64, Complaint> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let size = i128::from(duration_us(digits)?) * sign;
    i64::try_from(size).map_err(|_| Complaint::about(text, "a duration that fits 64 bits with its sign"))
}

/// A ratio of two numbers, as `3/100`, or a whole number.
pub(crate) fn ratio(text: &str) -> Result<Ratio, Complaint> {
    let (num, den) = text.split_once('/').unwrap_or((text, "1"));
    match (number(num), number(den)) {
        (Ok(num), Ok(den)) if den != 0 => Ok(Ratio { num, den }),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => Err(Complaint::about(text, "a ratio of two numbers, as `3/100`")),
    }
}

/// A probability, as `3/100`.
pub(crate) fn probability(text: &str) -> Result<Ratio, Complaint> {
    let probability = ratio(text)?;
    if probability.is_probability() {
        Ok(probability)
    } else {
        Err(Complaint::about(text, "a ratio from 0 to 1, as `3/100`"))
    }
}

/// How fast a clock runs, as `3/2`.
pub(crate) fn clock_rate(text: &str) -> Result<Ratio, Complaint> {
    let rate = ratio(text)?;
    if rate.is_clock_rate() {
        Ok(rate)
    } else {
        Err(Complaint::about(text, "a rate between 1/1000 and 1000"))
    }
}

/// A process, as `n3`.
pub(crate) fn process(text: &str) -> Result<ProcessId, Complaint> {
    text.strip_prefix('n')
        .and_then(|digits| number::<u32>(digits).ok())
        .filter(|number| *number < PROCESSES_MAX)
        .map(ProcessId)
        .ok_or_else(|| Complaint::about(text, format!("a process from `n0` to `n{}`", PROCESSES_MAX - 1)))
}

/// Whom a fault strikes: `n3` or `most-prominent`.
pub(crate) fn target(text: &str) -> Result<Target, Complaint> {
    if text == MOST_PROMINENT {
        return Ok(Target::MostProminent);
    }
    process(text).map(Target::Process).map_err(|complaint| {
        Complaint::new(complaint.what, format!("{} or `{MOST_PROMINENT}`", complaint.expected))
    })
}

/// Processes in an order that matters, as `n2,n0`.
pub(crate) fn processes(text: &str) -> Result<Vec<ProcessId>, Complaint> {
    list(text, process)
}

/// A set of processes, as `n0,n2`.
pub(crate) fn set(text: &str) -> Result<ProcessSet, Complaint> {
    Ok(list(text, process)?.into_iter().collect())
}

/// Directed links, as `n0>n2,n2>n0`.
pub(crate) fn links(text: &str) -> Result<Vec<Link>, Complaint> {
    list(text, link)
}

/// A directed link, as `n0>n2`.
pub(crate) fn link(text: &str) -> Result<Link, Complaint> {
    let (from, to) = text.split_once('>').ok_or_else(|| Complaint::about(text, "a link, as `n0>n2`"))?;
    Ok(Link { from: process(from)?, to: process(to)? })
}

/// What a reader of values takes, in words.
pub(super) fn taken_by<T>(read: fn(&str) -> Result<T, Complaint>) -> String {
    read("").err().map_or_else(|| "a value".to_owned(), |complaint| complaint.expected)
}

fn list<T>(text: &str, item: fn(&str) -> Result<T, Complaint>) -> Result<Vec<T>, Complaint> {
    if text == NOBODY { Ok(Vec::new()) } else { text.split(',').map(item).collect() }
}

/// The complaint about the number of somebody who is not among the `count` that there are.
pub(super) fn nobody_called(letter: char, number: u64, count: u32) -> Complaint {
    let expected = match count {
        0 => "nobody, since the run has none of them".to_owned(),
        1 => format!("`{letter}0`, the only one"),
        _ => format!("`{letter}0` to `{letter}{}`", count - 1),
    };
    Complaint::new(format!("there is no {letter}{number}"), expected)
}

/// The complaint about a field that is never asked for.
pub(super) fn unknown_field(field: &str, known: &[&str]) -> Complaint {
    Complaint::new(format!("`{field}` is not known"), format!("one of `{}`", known.join("`, `")))
}

/// One of a few words.
pub(crate) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Complaint> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    found.ok_or_else(|| Complaint::about(text, words_of(words)))
}

/// What [`one_of`] takes.
pub(super) fn words_of<T>(words: &[(&str, T)]) -> String {
    let names: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
    names.join(" or ")
}

/// The word of a value; the inverse of [`one_of`].
pub(crate) fn word_of<T: PartialEq>(value: &T, words: &[(&'static str, T)]) -> &'static str {
    words.iter().find(|(_, known)| known == value).map(|(word, _)| *word).expect("every value has a word")
}

/// Writes microseconds in the largest unit that holds them exactly.
pub(crate) struct Duration(pub(crate) u64);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            us if us == 0 || us % 1_000 != 0 => write!(f, "{us}us"),
            us if us % 1_000_000 != 0 => write!(f, "{}ms", us / 1_000),
            us => write!(f, "{}s", us / 1_000_000),
        }
    }
}

/// As [`Duration`], with a sign.
pub(crate) struct SignedDuration(pub(crate) i64);

impl fmt::Display for SignedDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", Duration(self.0.unsigned_abs()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(process) => process.fmt(f),
            Self::MostProminent => f.write_str(MOST_PROMINENT),
        }
    }
}

/// Writes items with commas between them.
pub(crate) struct List<I>(pub(crate) I);

impl<I: Clone + Iterator<Item: fmt::Display>> fmt::Display for List<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut items = self.0.clone();
        let Some(first) = items.next() else {
            return f.write_str(NOBODY);
        };
        write!(f, "{first}")?;
        items.try_for_each(|item| write!(f, ",{item}"))
    }
}
