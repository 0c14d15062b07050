//! A server's disk as a power loss would leave it now, for the oracle that compares it with what was promised.

use squall_raft::{HardState, LogPosition, SnapshotId, Term};
use squall_sim::SimDisk;
use squall_storage::{Identity, Storage};

use crate::invariants::DurableView;

/// A storage and its disk.
#[derive(Clone, Copy, Debug)]
pub struct DiskView<'a> {
    storage: &'a Storage,
    identity: Identity,
    disk: &'a SimDisk,
    is_ruined: bool,
}

impl<'a> DiskView<'a> {
    /// The disk of the server that has this storage.
    #[must_use]
    pub fn new(storage: &'a Storage, identity: Identity, disk: &'a SimDisk) -> Self {
        Self { storage, identity, disk, is_ruined: false }
    }

    /// A disk that was ruined has what was promised of it no more: nobody looks there.
    #[must_use]
    pub fn of_ruined(self, is_ruined: bool) -> Self {
        Self { is_ruined, ..self }
    }
}

impl DurableView for DiskView<'_> {
    /// Where the storage says that it wrote the record, the disk must hold it durably.
    fn is_entry_durable(&self, position: LogPosition) -> bool {
        let Some(extent) = self.storage.extent(position) else { return false };
        let number = self.disk.number(extent.file);
        self.is_ruined
            || number.is_some_and(|number| self.disk.is_range_durable(number, extent.offset, extent.bytes))
    }

    fn is_snapshot_durable(&self, snapshot: SnapshotId) -> bool {
        let Some(extent) = self.storage.snapshot_extent(snapshot) else { return false };
        let number = self.disk.number(extent.file);
        self.is_ruined
            || number.is_some_and(|number| self.disk.is_range_durable(number, extent.offset, extent.bytes))
    }

    fn durable_hard_state(&self) -> Option<HardState> {
        if self.is_ruined {
            return Some(HardState { current_term: Term(u64::MAX), ..HardState::default() });
        }
        Storage::hard_state_on(&mut self.disk.durable(), self.identity).ok()
    }
}
