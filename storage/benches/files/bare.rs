//! What the system takes for the same bytes and nothing else.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// As much as a log that is compacted goes round in: three segments of 64 MiB and a spare one.
const FILE_BYTES: u64 = 256 << 20;

/// A file of which every block is written already.
pub(crate) struct Bare {
    file: File,
    group: Vec<u8>,
    at: u64,
}

impl Bare {
    /// Writes `group_bytes` at a time, one behind the other.
    pub(crate) fn new(path: &Path, group_bytes: usize) -> Self {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = file.expect("the name is free");
        for at in (0..FILE_BYTES).step_by(1 << 20) {
            file.write_all_at(&[0; 1 << 20], at).expect("the disk has room");
        }
        file.sync_all().expect("the disk is sound");
        Self { file, group: vec![0x5a; group_bytes], at: 0 }
    }

    /// Writes one group.
    pub(crate) fn run(&mut self) -> Duration {
        if self.at + self.group.len() as u64 > FILE_BYTES {
            self.at = 0;
        }
        let start = Instant::now();
        self.file.write_all_at(&self.group, self.at).expect("the disk is sound");
        self.file.sync_data().expect("the disk is sound");
        let elapsed = start.elapsed();
        self.at += self.group.len() as u64;
        elapsed
    }
}
