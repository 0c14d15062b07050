//! What an observer may ask of a storage and of its disk: where an entry stands, and what is durable of the hard
//! state. It changes nothing.

use squall_disk::{Disk, FileId};
use squall_raft::{HardState, LogPosition};

use crate::hard_state::HardRecord;
use crate::{Identity, Storage, StorageError};

/// Where the record of an entry stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// The segment's file.
    pub file: FileId,
    /// Where the record begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
}

impl Storage {
    /// Where the record of an entry stands; `None` where the log has another entry there, or none.
    #[must_use]
    pub fn extent(&self, position: LogPosition) -> Option<Extent> {
        if self.live.term(position.index) != Some(position.term) {
            return None;
        }
        let place = self.live.place(position.index);
        let file = self.segments[place.segment as usize].file;
        Some(Extent { file, offset: place.offset, bytes: u64::from(place.record_bytes) })
    }

    /// The hard state that a disk holds.
    ///
    /// # Errors
    /// Where it holds none that can be read.
    pub fn hard_state_on(disk: &mut impl Disk, identity: Identity) -> Result<HardState, StorageError> {
        HardRecord::read(disk, identity).map(|record| record.state)
    }
}
