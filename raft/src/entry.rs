//! Log entries, and the small sequence of them that a message carries.

use alloc::sync::Arc;
use alloc::vec::{self, Vec};
use core::fmt;
use core::iter::Chain;
use core::ops::Deref;
use core::option;

use bytes::Bytes;

use crate::{Configuration, LogIndex, LogPosition, Term};

/// One entry of the log (Figure 2).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The term in which a leader created it.
    pub term: Term,
    /// Where it stands.
    pub index: LogIndex,
    /// What it says.
    pub payload: Payload,
}

/// What an entry says.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Payload {
    /// Nothing: a new leader's first entry, by which it learns what is committed (§8).
    Noop,
    /// A command for the state machine, opaque here.
    Command(Bytes),
    /// Who belongs to the cluster from here on, in force as soon as it stands in a log (§6).
    Configuration(Arc<Configuration>),
    /// What it says was not told to this node, a witness: only that it stands here. Never a configuration.
    Withheld,
}

/// The entries of one message, in log order. One entry needs no allocation.
#[derive(Clone, Default)]
pub enum Entries {
    /// None.
    #[default]
    Empty,
    /// Exactly one.
    One(Entry),
    /// Any number.
    Many(Vec<Entry>),
}

/// Bytes that an entry counts for beside its payload, in windows and in bounds: about what a record
/// and a message field take.
pub const ENTRY_OVERHEAD_BYTES: u64 = 32;

impl Entry {
    /// Its name.
    #[must_use]
    pub fn position(&self) -> LogPosition {
        LogPosition { term: self.term, index: self.index }
    }

    /// What it counts for in windows and bounds, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        ENTRY_OVERHEAD_BYTES + self.payload.len() as u64
    }
}

impl Payload {
    /// Length in bytes: of the command, or of the encoded configuration; a no-op has none, nor what was withheld.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Noop | Self::Withheld => 0,
            Self::Command(data) => data.len(),
            Self::Configuration(configuration) => configuration.encoded_len(),
        }
    }

    /// Whether it holds no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Entries {
    /// Takes out the data, and leaves identifiers and configurations.
    pub(crate) fn withhold(&mut self) {
        let entries = match self {
            Self::Empty => &mut [],
            Self::One(entry) => core::slice::from_mut(entry),
            Self::Many(entries) => &mut entries[..],
        };
        for entry in entries {
            if let Payload::Command(_) = entry.payload {
                entry.payload = Payload::Withheld;
            }
        }
    }
}

impl IntoIterator for Entries {
    type Item = Entry;
    type IntoIter = Chain<option::IntoIter<Entry>, vec::IntoIter<Entry>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            Self::Empty => (None, Vec::new()),
            Self::One(entry) => (Some(entry), Vec::new()),
            Self::Many(entries) => (None, entries),
        };
        one.into_iter().chain(many)
    }
}

impl Deref for Entries {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        match self {
            Self::Empty => &[],
            Self::One(entry) => core::slice::from_ref(entry),
            Self::Many(entries) => entries,
        }
    }
}

impl From<Vec<Entry>> for Entries {
    fn from(mut entries: Vec<Entry>) -> Self {
        match entries.len() {
            0 => Self::Empty,
            1 => entries.pop().map_or(Self::Empty, Self::One),
            _ => Self::Many(entries),
        }
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl Eq for Entries {}

impl core::hash::Hash for Entries {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self[..].hash(state);
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.position(), self.payload)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noop => f.write_str("noop"),
            Self::Command(data) => write!(f, "{} bytes", data.len()),
            Self::Configuration(configuration) => fmt::Display::fmt(configuration, f),
            Self::Withheld => f.write_str("withheld"),
        }
    }
}
