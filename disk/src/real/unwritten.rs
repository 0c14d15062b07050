//! Space that a file was given and that nothing was written to yet.
//!
//! The file system finds blocks for it when it is written, and a sync that has to make this durable, too, takes longer than
//! one of the data alone: half as long again and more. So space is filled with zeros a good stretch at a time, when the first
//! byte of a stretch is written, and the syncs of all that follows in it find the blocks there.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

const STRETCH_BYTES: u64 = 1 << 20;

/// The space by which a file grew when its length was set.
#[derive(Debug)]
pub(super) struct Unwritten {
    space: Range<u64>,
    /// The stretches of the file that were written to, each by its number.
    filled: BTreeSet<u64>,
}

impl Unwritten {
    pub(super) fn new(space: Range<u64>) -> Self {
        Self { space, filled: BTreeSet::new() }
    }

    /// Fills what `written`, which is about to be written, leaves of the stretches that it touches first.
    pub(super) fn fill(&mut self, file: &File, written: &Range<u64>) -> io::Result<()> {
        let touched = written.start.max(self.space.start)..written.end.min(self.space.end);
        if touched.is_empty() {
            return Ok(());
        }
        for number in touched.start / STRETCH_BYTES..touched.end.div_ceil(STRETCH_BYTES) {
            if self.filled.contains(&number) {
                continue;
            }
            let start = self.space.start.max(number * STRETCH_BYTES);
            let end = self.space.end.min((number + 1) * STRETCH_BYTES);
            write_zeros(file, start..touched.start.min(end))?;
            write_zeros(file, touched.end.max(start)..end)?;
            self.filled.insert(number);
        }
        Ok(())
    }
}

fn write_zeros(file: &File, range: Range<u64>) -> io::Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    file.write_all_at(&vec![0; (range.end - range.start) as usize], range.start)
}
