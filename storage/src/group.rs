//! A sync group: the writes that become durable under one sync.

use std::borrow::Cow;
use std::fmt;

use squall_raft::{Entry, HardState, LogIndex, LogPosition, Payload, Term, Write, WriteToken};

use crate::record::Kind;

/// Writes that wait for one sync, in order. It belongs to the replica's side until it is committed, and may cross
/// to the thread that owns the disk.
#[derive(Clone, Default, Debug)]
pub struct Group {
    last_token: Option<WriteToken>,
    hard_state: Option<HardState>,
    operations: Vec<Operation>,
    /// Up to where a snapshot must stand for the log, once this group is durable.
    covered_to: Option<LogPosition>,
}

/// One record to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Append(Entry),
    /// The data, once more, of an entry that lost it.
    Repair(Entry),
    /// Removes the entries from this index on.
    Truncate(LogIndex),
    /// Discards the log, which begins anew after this entry.
    Reset(LogPosition),
}

impl Group {
    /// Adds a write behind those added before. Payloads are shared, not copied.
    ///
    /// # Panics
    /// Where a payload has 2 GiB or more: the core's bounds forbid it.
    pub fn add(&mut self, write: &Write<'_>) {
        self.last_token = Some(write.token);
        self.hard_state = write.hard_state.or(self.hard_state);
        self.operations.extend(write.truncate_from.map(Operation::Truncate));
        self.operations.extend(write.reset_to.map(Operation::Reset));
        let covered = [self.covered_to, write.reset_to, write.compact_to];
        self.covered_to = covered.into_iter().flatten().max_by_key(|position| position.index);
        self.operations.extend(write.repairs.iter().map(|entry| Operation::Repair(fitting(entry))));
        self.operations.extend(write.iter().map(|entry| Operation::Append(fitting(entry))));
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last_token.is_none()
    }

    /// The name of the last write added: once it is durable, all of them are.
    #[must_use]
    pub fn last_token(&self) -> Option<WriteToken> {
        self.last_token
    }

    pub(crate) fn hard_state(&self) -> Option<HardState> {
        self.hard_state
    }

    pub(crate) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Up to where entries may go once the group is durable: a reset leaves none before it, a compaction needs none.
    pub(crate) fn covered_to(&self) -> Option<LogPosition> {
        self.covered_to
    }

    /// Empties it and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.last_token = None;
        self.hard_state = None;
        self.operations.clear();
        self.covered_to = None;
    }
}

/// A copy of an entry, which shares its data.
fn fitting(entry: &Entry) -> Entry {
    let bytes = entry.payload.len();
    assert!(bytes < 1 << 31, "{}: a payload of {bytes} bytes fits no record", entry.position());
    entry.clone()
}

/// What is shown where it cannot be written.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(entry) => write!(f, "{}", entry.position()),
            Self::Repair(entry) => write!(f, "a repair of {}", entry.position()),
            Self::Truncate(from) => write!(f, "a truncation from {from} on"),
            Self::Reset(base) => write!(f, "a reset to {base}"),
        }
    }
}

impl Operation {
    pub(crate) fn payload_bytes(&self) -> u32 {
        match self {
            Self::Append(entry) | Self::Repair(entry) => {
                u32::try_from(entry.payload.len()).expect("a group checks its payloads")
            }
            Self::Truncate(_) | Self::Reset(_) => 0,
        }
    }

    /// What its record says.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Append(entry) => match entry.payload {
                Payload::Noop => Kind::Noop,
                Payload::Command(_) => Kind::Command,
                Payload::Configuration(_) => Kind::Configuration,
                Payload::Withheld => Kind::Withheld,
            },
            Self::Repair(_) => Kind::Repaired,
            Self::Truncate(_) => Kind::Truncate,
            Self::Reset(_) => Kind::Reset,
        }
    }

    /// The entry of which its record tells, or that from which it truncates, or to which it resets the log; the term of a
    /// truncation's only the log can tell.
    pub(crate) fn position(&self) -> LogPosition {
        match self {
            Self::Append(entry) | Self::Repair(entry) => entry.position(),
            Self::Truncate(from) => LogPosition { term: Term::ZERO, index: *from },
            Self::Reset(base) => *base,
        }
    }

    pub(crate) fn payload(&self) -> Cow<'_, [u8]> {
        let (Self::Append(entry) | Self::Repair(entry)) = self else { return Cow::Borrowed(&[]) };
        match &entry.payload {
            Payload::Command(data) => Cow::Borrowed(data),
            Payload::Configuration(configuration) => {
                let mut bytes = Vec::with_capacity(configuration.encoded_len());
                configuration.encode(&mut bytes);
                Cow::Owned(bytes)
            }
            Payload::Noop | Payload::Withheld => Cow::Borrowed(&[]),
        }
    }
}
