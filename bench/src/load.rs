//! What a cluster is asked to do: how many commands, how large, how many at once.

use bytes::Bytes;

use crate::allocations;

/// Each log is compacted when it has grown by so many applied entries ...
pub const ENTRIES_PER_COMPACTION: usize = 1_000;

/// ... down to so many.
pub const ENTRIES_KEPT: usize = 512;

/// A number of commands in a closed loop: `outstanding` are proposed, then all of them are awaited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Load {
    /// Bytes of each command.
    pub payload_bytes: usize,
    /// Commands proposed at once.
    pub outstanding: u64,
    /// Commands in all, a multiple of `outstanding`.
    pub commits: u64,
}

impl Load {
    /// How many times `outstanding` commands are proposed.
    ///
    /// # Panics
    /// Where `commits` is no multiple of `outstanding`.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        assert_eq!(self.commits % self.outstanding, 0, "a load is made of whole rounds");
        self.commits / self.outstanding
    }

    /// A fresh buffer, filled once. Its allocations (the bytes, and the count that makes them shareable) are the
    /// payload's own and not counted.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        allocations::uncounted(|| {
            let data = Bytes::from(vec![0x5a; self.payload_bytes]);
            // The first clone of such a buffer allocates its count; every library here clones it.
            drop(data.clone());
            data
        })
    }
}
