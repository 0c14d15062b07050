//! A sync group: the writes that become durable under one sync.

use squall_raft::{Entry, HardState, LogIndex, Payload, Write, WriteToken};

/// Writes that wait for one sync, in order. It belongs to the replica's side until it is committed, and may cross
/// to the thread that owns the disk.
#[derive(Clone, Default, Debug)]
pub struct Group {
    last_token: Option<WriteToken>,
    hard_state: Option<HardState>,
    operations: Vec<Operation>,
}

/// One record to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Append(Entry),
    /// Removes the entries from this index on.
    Truncate(LogIndex),
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
        self.operations.extend(write.iter().map(|entry| {
            let bytes = entry.payload.len();
            assert!(bytes < 1 << 31, "{}: a payload of {bytes} bytes fits no record", entry.position());
            Operation::Append(entry.clone())
        }));
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

    /// Empties it and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.last_token = None;
        self.hard_state = None;
        self.operations.clear();
    }
}

impl Operation {
    pub(crate) fn payload(&self) -> &[u8] {
        match self {
            Self::Append(Entry { payload: Payload::Command(data), .. }) => data,
            Self::Append(Entry { payload: Payload::Noop, .. }) | Self::Truncate(_) => &[],
        }
    }
}
