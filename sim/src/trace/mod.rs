//! What happened in a run, in order: hashed always, kept when asked, compared and exported.
//!
//! A trace does not contain the words of messages or the contents of disks; it holds their digests. A run
//! can be had again from its seed or scenario, so the trace needs only to say *that* two runs differ, and
//! *where first*.

mod diff;
mod file;
mod json;
mod record;
mod recorder;
#[cfg(test)]
mod tests;

pub use diff::{Divergence, Side, diff};
pub use file::{FILE_BYTES_MAX, TraceError, read, write};
pub use json::write_json_lines;
pub use record::{NO_FILE, NO_PROCESS, Record, RecordKind};
pub use recorder::{Keep, Recorder};

use bincode::{Decode, Encode};

/// After each so many records the hash is kept, so that two traces can be bisected.
pub const CHECKPOINT_RECORDS: u64 = 1024;

/// Which run a trace is of.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Header {
    /// The version of the program that ran it.
    pub program: String,
    /// The profile's name, or the scenario's file name.
    pub profile: String,
    /// The seed; 0 for a scenario.
    pub seed: u64,
}

/// A finished recording.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    /// Which run it was.
    pub header: Header,
    /// The hash of all records.
    pub hash: u128,
    /// How many records there were.
    pub count: u64,
    /// The hash after each [`CHECKPOINT_RECORDS`] records.
    pub checkpoints: Vec<u128>,
    /// All records in order, or none where they were not kept.
    pub records: Vec<Record>,
}

impl Trace {
    /// Whether the records themselves were kept.
    #[must_use]
    pub fn has_records(&self) -> bool {
        self.records.len() as u64 == self.count
    }

    /// The first record of the given step, if it was kept.
    #[must_use]
    pub fn find(&self, step: u64) -> Option<&Record> {
        let first = self.records.partition_point(|record| record.step < step);
        self.records.get(first).filter(|record| record.step == step)
    }
}
