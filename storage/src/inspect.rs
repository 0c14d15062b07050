//! What an observer may ask of a storage and of its disk: where an entry or a snapshot stands, and what is durable of
//! the hard state. It changes nothing.

use squall_disk::{Disk, FileId};
use squall_raft::{HardState, LogPosition, SnapshotId};

use crate::hard_state::HardRecord;
use crate::{Identity, Storage, StorageError, snapshot};

/// Where the record of an entry stands, or a whole snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// The file.
    pub file: FileId,
    /// Where it begins there.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
}

impl Storage {
    /// Where the record of an entry stands; `None` where the log has another entry there, or none, or none any
    /// more, or only its name.
    #[must_use]
    pub fn extent(&self, position: LogPosition) -> Option<Extent> {
        if position.index < self.live.first_index() || self.live.position(position.index) != Some(position) {
            return None;
        }
        if self.live.next_faulty(position.index) == Some(position.index) {
            return None;
        }
        let place = self.live.place(position.index);
        let file = self.segment(place.segment).file;
        Some(Extent { file, offset: place.offset, bytes: u64::from(place.record_bytes) })
    }

    /// Where a whole snapshot stands; `None` where there is no such snapshot, or no longer.
    #[must_use]
    pub fn snapshot_extent(&self, id: SnapshotId) -> Option<Extent> {
        let file = self.snapshots.find(id)?.file;
        Some(Extent { file, offset: 0, bytes: snapshot::file_bytes(id.bytes)? })
    }

    /// How many segments of this life were made in the files of earlier ones.
    #[must_use]
    pub fn files_reused(&self) -> u64 {
        self.files_reused
    }

    /// The hard state that a disk holds.
    ///
    /// # Errors
    /// Where it holds none that can be read.
    pub fn hard_state_on(disk: &mut impl Disk, identity: Identity) -> Result<HardState, StorageError> {
        HardRecord::read(disk, identity).map(|record| record.state)
    }
}
