//! How decisions are spelled: one line per decided event, `net n0>n2#17 delay=1203 loss=1`.
//!
//! The identity's two words are written in the way of their purpose; whatever does not fit that way (only a
//! hand or a fuzzer makes such) is written as two plain numbers, so that every identity has one spelling.

use std::fmt;

use super::error::{Complaint, ScenarioError};
use super::line::Line;
use super::{section, value};
use crate::choice::{Decision, DrawKey, Purpose};
use crate::ids::{Link, PROCESSES_MAX, ProcessId};

/// Prints whose decisions a line holds.
impl fmt::Display for DrawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DrawKey { purpose, a, b } = *self;
        write!(f, "{} ", purpose.name())?;
        match (form(purpose), process_of(a), process_of(a >> 32), process_of(a & LOW)) {
            (Form::Link, _, Some(from), Some(to)) => write!(f, "{}#{b}", Link { from, to }),
            (Form::Process, Some(process), _, _) => write!(f, "{process}#{b}"),
            (Form::Crash, _, Some(process), _) => {
                let [kind, file, number] = split_place(b);
                write!(f, "{process}.{}#{kind}.{file}.{number}", a & LOW)
            }
            (Form::Client, ..) => write!(f, "c{a}#{b}"),
            (Form::Link | Form::Process | Form::Crash | Form::Plain, ..) => write!(f, "{a}#{b}"),
        }
    }
}

/// The purpose of a line of decisions, if its first two words begin one. A section's second word is a key
/// with a value, so that a section may be called `disk` or `client` too.
pub(super) fn purpose(first: &str, second: Option<&str>) -> Option<Purpose> {
    let purpose = Purpose::ALL.into_iter().find(|purpose| purpose.name() == first)?;
    second.is_some_and(|second| !second.contains('=')).then_some(purpose)
}

/// Reads a line of decisions after its purpose.
pub(super) fn read(
    purpose: Purpose,
    line: &mut Line<'_>,
    decisions: &mut Vec<Decision>,
) -> Result<DrawKey, ScenarioError> {
    let word = line.next("which event is decided")?;
    let key = key(purpose, word.text).map_err(|complaint| line.error(word.column, complaint))?;
    let first = decisions.len();
    while let Some(word) = line.peek() {
        let Some((field, stated)) = word.key_and_value() else {
            return Err(line.error_at(word, "a field with its value, as `delay=1203`"));
        };
        line.next("a field")?;
        let field = section::name(field).map_err(|complaint| line.error(word.column, complaint))?;
        if decisions[first..].iter().any(|known| known.field == field) {
            return Err(line.error_at(word, "each field once"));
        }
        decisions.push(Decision { key, field: field.into(), value: line.read(stated, value::number)? });
    }
    if decisions.len() == first {
        return Err(line.error_at_end("nothing is decided", "a field with its value, as `delay=1203`"));
    }
    Ok(key)
}

/// Reads which event of that purpose is decided.
pub(super) fn key(purpose: Purpose, text: &str) -> Result<DrawKey, Complaint> {
    let form = form(purpose);
    let parts = text.split_once('#');
    let special = parts.and_then(|(a, b)| match form {
        Form::Link => Some((value::link(a).ok()?.word(), value::number(b).ok()?)),
        Form::Process => Some((u64::from(value::process(a).ok()?.0), value::number(b).ok()?)),
        Form::Client => Some((value::number(a.strip_prefix('c')?).ok()?, value::number(b).ok()?)),
        Form::Crash => {
            let (process, crash) = a.split_once('.')?;
            let (process, crash) = (value::process(process).ok()?, value::number::<u32>(crash).ok()?);
            Some((u64::from(process.0) << 32 | u64::from(crash), join_place(b)?))
        }
        Form::Plain => None,
    });
    let plain = || parts.and_then(|(a, b)| Some((value::number(a).ok()?, value::number(b).ok()?)));
    special
        .or_else(plain)
        .map(|(a, b)| DrawKey { purpose, a, b })
        .ok_or_else(|| Complaint::about(text, format!("which event is decided, as `{}`", form.example())))
}

/// Says which of those that an event concerns there is not, if any.
pub(super) fn check(key: DrawKey, processes: u32, clients: u32) -> Result<(), Complaint> {
    let DrawKey { purpose, a, b: _ } = key;
    let (letter, count, concerned) = match form(purpose) {
        Form::Link => ('n', processes, [a >> 32, a & LOW]),
        Form::Process => ('n', processes, [a, a]),
        Form::Crash => ('n', processes, [a >> 32, a >> 32]),
        Form::Client => ('c', clients, [a, a]),
        Form::Plain => return Ok(()),
    };
    match concerned.into_iter().find(|number| *number >= u64::from(count)) {
        Some(number) => Err(value::nobody_called(letter, number, count)),
        None => Ok(()),
    }
}

/// Whether a message is decided that a process sends to itself.
pub(super) fn is_of_own_link(key: DrawKey) -> bool {
    matches!(form(key.purpose), Form::Link) && key.a >> 32 == key.a & LOW
}

/// The complaint about a link that leads back.
pub(super) fn own_link() -> Complaint {
    Complaint::new("the link leads from a process to itself", "two processes, as `n0>n2`")
}

/// What is decided of an event of that purpose; nothing for those that others than the simulator decide.
pub(super) const fn fields(purpose: Purpose) -> &'static [&'static str] {
    match purpose {
        Purpose::Network => &[
            "loss",
            "delay",
            "tail",
            "tail-factor",
            "duplicate",
            "duplicate-delay",
            "ghost",
            "ghost-delay",
            "evicted",
        ],
        Purpose::Wire => &["damage", "how", "bit", "length"],
        Purpose::ClientLink => &["loss", "delay"],
        Purpose::Disk => &["latency"],
        Purpose::Crash => &[
            "bytes",
            "done",
            "entries",
            "extent",
            "file",
            "garbage",
            "growth",
            "lost",
            "page",
            "sector",
            "writes_lost",
        ],
        Purpose::Core => &["member", "spared", "heals-all"],
        Purpose::Rot => &["bits", "byte", "extent", "how"],
        Purpose::DiskError => &["kept", "pages", "part"],
        Purpose::Client | Purpose::Plan | Purpose::Parameter | Purpose::User => &[],
    }
}

/// Says what is decided that the simulator never asks for, if anything.
pub(super) fn check_field(decision: &Decision) -> Result<(), Complaint> {
    let known = fields(decision.key.purpose);
    if known.is_empty() || known.contains(&&*decision.field) {
        return Ok(());
    }
    Err(value::unknown_field(&decision.field, known))
}

/// How an identity is written.
#[derive(Clone, Copy)]
enum Form {
    /// A message: its link, and its number there.
    Link,
    /// A process, and a number there.
    Process,
    /// A client, and a number there.
    Client,
    /// A process and the number of its crash; then a place on its disk: kind, file, page or sector.
    Crash,
    /// Two numbers.
    Plain,
}

impl Form {
    const fn example(self) -> &'static str {
        match self {
            Self::Link => "n0>n2#17",
            Self::Process => "n2#17",
            Self::Client => "c2#17",
            Self::Crash => "n2.1#5.3.17",
            Self::Plain => "2#17",
        }
    }
}

const fn form(purpose: Purpose) -> Form {
    match purpose {
        Purpose::Network | Purpose::Wire => Form::Link,
        Purpose::Disk | Purpose::Rot | Purpose::DiskError => Form::Process,
        Purpose::Client | Purpose::ClientLink => Form::Client,
        Purpose::Crash => Form::Crash,
        Purpose::Plan | Purpose::Parameter | Purpose::Core | Purpose::User => Form::Plain,
    }
}

/// The lower half of a word.
const LOW: u64 = 0xFFFF_FFFF;

/// The process of that number, where a world can hold it.
fn process_of(number: u64) -> Option<ProcessId> {
    let number = u32::try_from(number).ok()?;
    (number < PROCESSES_MAX).then_some(ProcessId(number))
}

/// The bits that a disk makes the word of a place of: kind, file, and number within the file.
const PLACE_BITS: [u32; 3] = [4, 32, 28];

fn split_place(word: u64) -> [u64; 3] {
    let [_, file, number] = PLACE_BITS;
    [word >> (file + number), word >> number & ((1 << file) - 1), word & ((1 << number) - 1)]
}

fn join_place(text: &str) -> Option<u64> {
    let mut word = 0;
    let mut parts = text.split('.');
    for bits in PLACE_BITS {
        let part: u64 = value::number(parts.next()?).ok()?;
        word = word << bits | (part < 1 << bits).then_some(part)?;
    }
    parts.next().is_none().then_some(word)
}
