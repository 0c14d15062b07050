//! Reads a stretch of a file in chunks, so that neither many small records nor one large one cost more than they must.

use squall_disk::{Disk, DiskError, FileId};

use crate::record::CRC_BYTES;

/// What is read at a time, and so all that can be wanted at once.
pub(crate) const WINDOW_BYTES: u64 = 64 << 10;

/// The last chunk read of one file.
#[derive(Default)]
pub(crate) struct Window {
    bytes: Vec<u8>,
    start: u64,
}

impl Window {
    /// The bytes from `at` on that are at hand: `want` of them at least, unless `end` or the file's end comes
    /// first. Nothing behind `end` is read.
    pub(crate) fn get(
        &mut self,
        disk: &mut impl Disk,
        file: FileId,
        at: u64,
        want: u64,
        end: u64,
    ) -> Result<&[u8], DiskError> {
        assert!(want <= WINDOW_BYTES && at <= end, "{want} bytes from {at} to {end}");
        let covered = self.start + self.bytes.len() as u64;
        if at < self.start || covered < end.min(at.saturating_add(want)) {
            let bytes = (end - at).min(WINDOW_BYTES) as usize;
            self.bytes.resize(bytes, 0);
            self.start = at;
            let count = disk.read_at(file, at, &mut self.bytes)?;
            self.bytes.truncate(count);
        }
        let from = (at - self.start) as usize;
        Ok(&self.bytes[from.min(self.bytes.len())..])
    }

    /// The checksum of the record of `record_bytes` at `offset`, if it is the one that stands behind it.
    pub(crate) fn check_record(
        &mut self,
        disk: &mut impl Disk,
        file: FileId,
        seed: u32,
        offset: u64,
        record_bytes: u64,
        end: u64,
    ) -> Result<Option<u32>, DiskError> {
        let bytes = self.get(disk, file, offset, 1, end)?;
        if let Some(record) = bytes.get(..record_bytes as usize) {
            let (body, stored) = record.split_at((record_bytes - CRC_BYTES) as usize);
            let crc = crc32c::crc32c_append(seed, body);
            return Ok((stored == crc.to_le_bytes()).then_some(crc));
        }
        let body_end = offset + record_bytes - CRC_BYTES;
        let (mut at, mut crc) = (offset, seed);
        while at < body_end {
            let bytes = self.get(disk, file, at, 1, end)?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let count = (body_end - at).min(bytes.len() as u64);
            crc = crc32c::crc32c_append(crc, &bytes[..count as usize]);
            at += count;
        }
        let stored = self.get(disk, file, body_end, CRC_BYTES, end)?;
        Ok(stored.starts_with(&crc.to_le_bytes()).then_some(crc))
    }
}
