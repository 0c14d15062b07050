//! Snapshots of a replica: when one is taken, how its bytes are made, how a state machine is put into one.
//!
//! An image of the state is taken in an instant, and its bytes are made while the replica works on. When one is due
//! is read off the log alone, so that replicas take theirs at the same entries; and what they write is the same, byte by
//! byte, so that a follower can draw one snapshot from several of them.

use bytes::Bytes;
use squall_raft::{ConfigError, ENTRY_OVERHEAD_BYTES, LogIndex, LogPosition, NodeId, Raft, SnapshotId};

use crate::image::{InForce, LogSummary, ReplicaImage, ReplicaLoader};
use crate::{LoadError, State, StateMachine};

/// When a replica takes a snapshot, and what it keeps of its log behind one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotPolicy {
    /// After each so many entries of the log; at least 1, `u64::MAX` for never.
    pub every_entries: u64,
    /// After each so many bytes of the log, as entries count for windows and bounds; at least 1.
    pub every_bytes: u64,
    /// So many entries behind a snapshot are kept, for followers that lag a little.
    pub keep_entries: u64,
    /// While a follower gets on with a snapshot, a leader lets so many bytes of log gather before it takes the next. Were
    /// the log compacted behind a newer one, the follower would have to begin anew: it takes in a state only if that
    /// takes no longer than so much log.
    pub wait_bytes: u64,
}

impl Default for SnapshotPolicy {
    fn default() -> Self {
        Self { every_entries: 100_000, every_bytes: 64 << 20, keep_entries: 10_000, wait_bytes: 1 << 30 }
    }
}

impl SnapshotPolicy {
    /// Checks it by itself.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let expected = "at least 1, or u64::MAX for never";
        for (field, value) in [("every_entries", self.every_entries), ("every_bytes", self.every_bytes)] {
            if value == 0 {
                return Err(ConfigError { field, value, expected });
            }
        }
        Ok(())
    }

    /// Whether one is due after the last entry of `log`, which had `bytes_before` without it. The log alone decides, and
    /// not what a replica remembers of its last snapshot.
    pub(crate) fn is_due(&self, bytes_before: u64, log: LogSummary) -> bool {
        log.last.index.0.is_multiple_of(self.every_entries)
            || bytes_before / self.every_bytes != log.bytes / self.every_bytes
    }

    /// Whether one is due at a witness that is done with its entries up to `index`, and was at `before` with those before.
    /// It keeps nothing of an entry but its name.
    pub(crate) fn is_due_without_data(&self, before: LogIndex, index: LogIndex) -> bool {
        let bytes = |index: LogIndex| index.0.saturating_mul(ENTRY_OVERHEAD_BYTES);
        before.0 / self.every_entries != index.0 / self.every_entries
            || bytes(before) / self.every_bytes != bytes(index) / self.every_bytes
    }

    /// Whether a leader would rather wait with its next snapshot, `bytes` of log after the last.
    pub(crate) fn waits(&self, raft: &Raft, bytes: u64) -> bool {
        bytes < self.wait_bytes && raft.is_sending_snapshot()
    }
}

/// Something to do with snapshots on disk. All of them are done one after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SnapshotJob {
    /// Write a new snapshot: what [`read_image`](crate::Replica::read_image) gives, until it gives nothing more; then
    /// say `snapshot_taken`.
    Take {
        /// The last entry that it stands for.
        last: LogPosition,
    },
    /// Read a part of the newest snapshot, of this replica's own, and hand it to `loaded`.
    Load {
        /// Which one.
        snapshot: SnapshotId,
        /// Where the part begins.
        offset: u64,
        /// At most so many bytes, and at least one.
        max_bytes: u64,
    },
    /// Read a part for another replica and hand it to `snapshot_read`; see
    /// [`SnapshotAction::Read`](squall_raft::SnapshotAction::Read).
    Serve {
        /// For whom.
        to: NodeId,
        /// Which one.
        snapshot: SnapshotId,
        /// Where the part begins.
        offset: u64,
        /// At most so many bytes, and at least one.
        max_bytes: u64,
    },
    /// Keep a part that was received; see [`SnapshotAction::Store`](squall_raft::SnapshotAction::Store).
    Store {
        /// Which one.
        snapshot: SnapshotId,
        /// Where the part begins.
        offset: u64,
        /// Its bytes; never none.
        data: Bytes,
    },
}

/// A snapshot that is being taken.
#[derive(Clone, Debug)]
pub(crate) struct Taking<S: StateMachine> {
    pub(crate) log: LogSummary,
    pub(crate) image: ReplicaImage<S::Image>,
    /// The driver has been told.
    pub(crate) told: bool,
}

/// A snapshot that the state machine is being put into.
#[derive(Clone, Debug)]
pub(crate) struct Restoring<S: StateMachine> {
    pub(crate) snapshot: SnapshotId,
    loader: ReplicaLoader<S>,
    offset: u64,
    /// A part has been asked for.
    asked: bool,
}

impl<S: StateMachine> Restoring<S> {
    pub(crate) fn new(snapshot: SnapshotId) -> Self {
        Self { snapshot, loader: ReplicaLoader::new(), offset: 0, asked: false }
    }

    /// The part to read next, where none is being read.
    pub(crate) fn next_job(&mut self, max_bytes: u64) -> Option<SnapshotJob> {
        let Self { snapshot, offset, .. } = *self;
        let is_wanted = !std::mem::replace(&mut self.asked, true);
        is_wanted.then_some(SnapshotJob::Load { snapshot, offset, max_bytes })
    }

    /// Whether this is the part that was asked for.
    pub(crate) fn awaits(&self, snapshot: SnapshotId, offset: u64) -> bool {
        self.asked && (self.snapshot, self.offset) == (snapshot, offset)
    }

    /// Takes a part in. Returns whether it was the last.
    pub(crate) fn load(&mut self, data: &[u8]) -> Result<bool, LoadError> {
        if data.is_empty() {
            return Err(LoadError::new("the newest snapshot ends too early"));
        }
        self.loader.load(data)?;
        self.asked = false;
        self.offset += data.len() as u64;
        Ok(self.offset >= self.snapshot.bytes)
    }

    /// The configuration in force at the snapshot's end, once it is read. Told once.
    pub(crate) fn take_in_force(&mut self) -> Option<InForce> {
        let (last, in_force) = self.loader.take_in_force()?;
        (last == self.snapshot.last).then_some(in_force)
    }

    /// The state, and none where the snapshot is a witness's.
    pub(crate) fn finish(self) -> Result<(LogSummary, Option<State<S>>), LoadError> {
        let (log, state) = self.loader.finish()?;
        if log.last == self.snapshot.last {
            Ok((log, state))
        } else {
            Err(LoadError::new("the snapshot is of another entry than its name says"))
        }
    }
}
