//! Issuing operations: the [`Disk`] trait as a process sees it.
//!
//! Everything is checked and visible here, at once; a latency is drawn for each operation that takes time. When it
//! is done, and what of it survives, is decided elsewhere. What fails, fails here: `failures.rs` says when.

use super::SimDisk;
use super::file::{File, FileNumber};
use super::image::FILE_BYTES_MAX;
use super::queue::DiskOperation;
use crate::choice::Purpose;
use squall_disk::{Disk, DiskError, DiskErrorKind, FileId, Operation};

/// The longest name of a file, in bytes.
const NAME_BYTES_MAX: usize = 255;

impl SimDisk {
    /// The place in `files` of an open file.
    fn opened(&self, operation: Operation, file: FileId) -> Result<usize, DiskError> {
        self.number(file).and_then(|number| self.slot(number)).ok_or_else(|| {
            let detail = "the handle is from before a restart, or its file was removed for good";
            error(operation, &format!("{file:?}"), DiskErrorKind::InvalidInput, detail)
        })
    }

    /// Puts an operation into the queue, with a latency drawn for it alone.
    fn issue(&mut self, operation: Operation, file: Option<FileNumber>, offset: u64, len: u64) {
        let latency = &self.parameters.latency;
        let us_mean = match operation {
            Operation::Read => latency.read_us_mean,
            Operation::Sync | Operation::SyncDir => latency.sync_us_mean,
            Operation::Write
            | Operation::SetLen
            | Operation::Create
            | Operation::Rename
            | Operation::Remove => latency.write_us_mean,
            Operation::Len | Operation::Open | Operation::List => 0,
        };
        let number = self.queue.issued();
        let latency_us = if us_mean == 0 {
            0
        } else {
            let mut draw = self.choice.draw(Purpose::Disk, u64::from(self.process.0), number);
            draw.exponential("latency", us_mean, latency.us_max)
        };
        self.queue.push(self.now, latency_us, DiskOperation { number, operation, file, offset, len });
    }

    /// The file of a name that must exist.
    fn existing(&self, operation: Operation, name: &str) -> Result<FileNumber, DiskError> {
        self.directory
            .file(name)
            .ok_or_else(|| error(operation, name, DiskErrorKind::NotFound, "no file has that name"))
    }

    fn hand_out(&mut self, file: FileNumber) -> FileId {
        let handle = FileId(self.first_handle + self.handles.len() as u32);
        self.handles.push(file);
        handle
    }

    /// A length that a file may have.
    fn check_len(&self, operation: Operation, slot: usize, len: Option<u64>) -> Result<u64, DiskError> {
        len.filter(|len| *len <= FILE_BYTES_MAX).ok_or_else(|| {
            let name = self.directory.name(self.files[slot].number).unwrap_or_default();
            let detail = format!("a simulated file holds at most {FILE_BYTES_MAX} bytes");
            error(operation, name, DiskErrorKind::NoSpace, &detail)
        })
    }
}

impl Disk for SimDisk {
    fn create(&mut self, name: &str) -> Result<FileId, DiskError> {
        check_name(Operation::Create, name)?;
        if self.directory.file(name).is_some() {
            let detail = "a file of that name exists";
            return Err(error(Operation::Create, name, DiskErrorKind::AlreadyExists, detail));
        }
        self.try_operation(Operation::Create, name)?;
        let number = FileNumber(self.next_file);
        self.next_file += 1;
        self.files.push(File::new(number));
        self.directory.create(name, number);
        self.issue(Operation::Create, Some(number), 0, 0);
        Ok(self.hand_out(number))
    }

    fn open(&mut self, name: &str) -> Result<FileId, DiskError> {
        let file = self.existing(Operation::Open, name)?;
        Ok(self.hand_out(file))
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        let slot = self.opened(Operation::Len, file)?;
        Ok(self.files[slot].len())
    }

    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let slot = self.opened(Operation::Read, file)?;
        self.try_on_file(Operation::Read, slot)?;
        let count = self.files[slot].read(offset, buffer);
        self.issue(Operation::Read, Some(self.files[slot].number), offset, count as u64);
        Ok(count)
    }

    fn write_at(&mut self, file: FileId, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        let slot = self.opened(Operation::Write, file)?;
        self.check_len(Operation::Write, slot, offset.checked_add(data.len() as u64))?;
        let number = self.files[slot].number;
        if let Err(error) = self.try_on_file(Operation::Write, slot) {
            self.write_part(number, offset, data);
            return Err(error);
        }
        self.files[slot].write(offset, data);
        self.issue(Operation::Write, Some(number), offset, data.len() as u64);
        Ok(())
    }

    fn sync(&mut self, file: FileId) -> Result<(), DiskError> {
        let slot = self.opened(Operation::Sync, file)?;
        let number = self.files[slot].number;
        if let Err(error) = self.try_on_file(Operation::Sync, slot) {
            self.keep_part(number);
            return Err(error);
        }
        self.issue(Operation::Sync, Some(number), 0, 0);
        Ok(())
    }

    fn set_len(&mut self, file: FileId, len: u64) -> Result<(), DiskError> {
        let slot = self.opened(Operation::SetLen, file)?;
        self.check_len(Operation::SetLen, slot, Some(len))?;
        self.try_on_file(Operation::SetLen, slot)?;
        self.files[slot].set_len(len);
        self.issue(Operation::SetLen, Some(self.files[slot].number), 0, len);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        check_name(Operation::Rename, to)?;
        let file = self.existing(Operation::Rename, from)?;
        self.try_operation(Operation::Rename, from)?;
        self.directory.rename(file, to);
        self.issue(Operation::Rename, Some(file), 0, 0);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        let file = self.existing(Operation::Remove, name)?;
        self.try_operation(Operation::Remove, name)?;
        self.directory.remove(file);
        self.issue(Operation::Remove, Some(file), 0, 0);
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        Ok(self.directory.entries().map(|(name, _)| name.to_owned()).collect())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        if let Err(error) = self.try_operation(Operation::SyncDir, "") {
            self.directory.fail_sync();
            return Err(error);
        }
        self.issue(Operation::SyncDir, None, 0, 0);
        Ok(())
    }
}

fn check_name(operation: Operation, name: &str) -> Result<(), DiskError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(['/', '\\', '\0']) {
        let detail = format!("a name has 1 to {NAME_BYTES_MAX} bytes and no separator");
        return Err(error(operation, name, DiskErrorKind::InvalidInput, &detail));
    }
    Ok(())
}

#[cold]
pub(super) fn error(operation: Operation, file: &str, kind: DiskErrorKind, detail: &str) -> DiskError {
    DiskError { operation, file: file.to_owned(), kind, detail: detail.to_owned() }
}
