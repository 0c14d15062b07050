//! What the core asks of its driver.

use alloc::sync::Arc;

use bytes::Bytes;

use crate::{
    Configuration, Entry, HardState, LogIndex, LogPosition, Message, NodeId, ReadId, SnapshotId, WriteToken,
};

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
    /// Do something with a snapshot; those that are handed out are carried out in order.
    Snapshot(SnapshotAction),
}

/// One thing to do with a snapshot.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum SnapshotAction {
    /// Read a part for another replica and hand it to `snapshot_read`, or say there that it cannot be had.
    Read {
        /// For whom.
        to: NodeId,
        /// Of which snapshot; not always one that is still there, or ever was.
        snapshot: SnapshotId,
        /// Where the part begins.
        offset: u64,
        /// At most so many bytes, and at least one.
        max_bytes: u64,
    },
    /// Keep a part of a snapshot that is being received, and say `snapshot_stored` when there is room for more. The parts
    /// of one come in order, from 0 on or from where storage said that it had got to. What was kept of another may go.
    /// With the last one the snapshot is to be made whole: say `snapshot_received` when it is verified and durable,
    /// or `snapshot_refused`.
    Store {
        /// Of which snapshot.
        snapshot: SnapshotId,
        /// Where the part begins: where the one before it ended.
        offset: u64,
        /// Its bytes; never none.
        data: Bytes,
    },
    /// At a witness: make a snapshot without data, whole and durable, that tells which entry it stands for and which
    /// configuration is in force there, and say `snapshot_taken`. One is asked for at a time.
    TakePosition {
        /// The last entry that it stands for.
        last: LogPosition,
        /// The index of the configuration's entry.
        index: LogIndex,
        /// The configuration.
        configuration: Arc<Configuration>,
    },
    /// Put the state machine into the state of this snapshot, which is whole and durable here, and say `restored`. An
    /// `Apply` or a `Restore` that is under way is void.
    Restore(SnapshotId),
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
    /// Entries of which only the name is left here ([`Faulty`](crate::Faulty)): their data, to be written once more.
    pub repairs: &'a [Entry],
    /// The entries to append, in two runs: `entries.0`, then `entries.1`.
    pub entries: (&'a [Entry], &'a [Entry]),
}

/// Asks for entries that are no longer in memory. Those that were given up for a snapshot meanwhile need not be found.
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
    /// A leader that lost them.
    Repair(NodeId),
}

impl Write<'_> {
    /// The entries to append, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.0.iter().chain(self.entries.1)
    }
}
