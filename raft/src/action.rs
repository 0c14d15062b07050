//! What the core asks of its driver.

use crate::{Entry, HardState, LogIndex, LogPosition, Message, NodeId, ReadId, WriteToken};

/// One thing to do. It borrows from the core, so it is carried out (or copied) before the next input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action<'a> {
    /// Send it now. Whatever it promises is durable already.
    Send(Message),
    /// Write it after all writes asked for before, and say `persisted` when it is durable.
    Persist(Write<'a>),
    /// Apply the entries `first..=last`, which `committed` reads, and say `applied`.
    Apply {
        /// The first entry to apply: always the one after the last that was asked for.
        first: LogIndex,
        /// The last one.
        last: LogIndex,
    },
    /// Read entries from disk and hand them to `fetched`.
    Fetch(Fetch),
    /// The reads up to this one may be served as soon as the state machine has applied `index`.
    ReadReady {
        /// The last of them; whichever before it are open are meant too.
        up_to: ReadId,
        /// What a read must have seen.
        index: LogIndex,
    },
    /// The reads up to this one cannot be served: whoever led does not lead, or is not heard, any more. They may be
    /// asked for again.
    ReadDropped {
        /// The last of them.
        up_to: ReadId,
    },
}

/// One write: its parts become durable together, in the order of the fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Write<'a> {
    /// Its name.
    pub token: WriteToken,
    /// The hard state, where it changed.
    pub hard_state: Option<HardState>,
    /// Remove the entries from this index on, where a conflict was found (§5.3).
    pub truncate_from: Option<LogIndex>,
    /// The log is discarded whole and begins after this entry: a snapshot that was installed stands for all before it.
    /// That snapshot is durable already.
    pub reset_to: Option<LogPosition>,
    /// Entries up to here are no longer needed. Storage may remove them when it likes, and never more.
    pub compact_to: Option<LogPosition>,
    /// The entries to append, in two runs: `entries.0`, then `entries.1`.
    pub entries: (&'a [Entry], &'a [Entry]),
}

/// Asks for entries that are no longer in memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fetch {
    /// Who needs them.
    pub purpose: FetchPurpose,
    /// The first one.
    pub first: LogIndex,
    /// The last one that is of use.
    pub last: LogIndex,
    /// As many entries as fit in so many bytes, and at least one. What is read beyond goes beyond the bounds of
    /// [`Config`](crate::Config).
    pub max_bytes: u64,
}

/// Who needs fetched entries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum FetchPurpose {
    /// A follower that lags behind.
    Replicate(NodeId),
    /// This node's own state machine, after a restart.
    Apply,
}

impl Write<'_> {
    /// The entries to append, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.0.iter().chain(self.entries.1)
    }
}
