//! How a storage lays out its files. Everything here may differ from one start to the next.

use squall_raft::LogIndex;

use crate::{PAGE_BYTES, StorageError};

/// How a storage lays out its files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The size of a new segment, in bytes: a multiple of 4,096, from 16 KiB to 1 TiB. A group that is larger
    /// gets a segment of its own size.
    pub segment_bytes: u64,
    /// Entry bytes handed to the core at start, at most.
    pub tail_bytes: u64,
    /// Salts are derived from it and a number of the file's. Entropy in production; fixed where runs must repeat.
    pub salt_seed: u64,
}

impl Default for Options {
    /// Segments of 64 MiB; the last MiB of entries goes to the core. The seed is fixed: set it.
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, tail_bytes: 1 << 20, salt_seed: 0 }
    }
}

impl Options {
    const SEGMENT_BYTES_MIN: u64 = 4 * PAGE_BYTES;
    const SEGMENT_BYTES_MAX: u64 = 1 << 40;

    pub(crate) fn validate(&self) -> Result<(), StorageError> {
        let range = Self::SEGMENT_BYTES_MIN..=Self::SEGMENT_BYTES_MAX;
        if self.segment_bytes.is_multiple_of(PAGE_BYTES) && range.contains(&self.segment_bytes) {
            return Ok(());
        }
        Err(StorageError::InvalidOption {
            field: "segment_bytes",
            value: self.segment_bytes,
            expected: "a multiple of 4096 from 16 KiB to 1 TiB",
        })
    }

    /// The salt of the snapshot at this index that was begun in this life: none that a segment has.
    pub(crate) fn snapshot_salt(&self, boot: u64, index: LogIndex) -> u64 {
        self.salt(1 << 63 | boot.rotate_left(40) ^ index.0)
    }

    /// The salt of a segment: SplitMix64's output function over the seed and the number, so that neighbours have
    /// nothing in common.
    pub(crate) fn salt(&self, number: u64) -> u64 {
        let mut word = self.salt_seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }
}
