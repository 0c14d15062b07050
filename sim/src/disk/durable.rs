//! A disk as the worst power loss would leave it now, to look at without a copy.

use squall_disk::{Disk, DiskError, DiskErrorKind, FileId, Operation};

use super::{FileNumber, SimDisk};

/// The durable content of a [`SimDisk`], read-only: whatever would change it is refused.
#[derive(Clone, Debug)]
pub struct DurableDisk<'a> {
    disk: &'a SimDisk,
    open: Vec<FileNumber>,
}

impl SimDisk {
    /// What would survive the worst power loss, to look at.
    #[must_use]
    pub fn durable(&self) -> DurableDisk<'_> {
        DurableDisk { disk: self, open: Vec::new() }
    }
}

impl DurableDisk<'_> {
    fn number(&self, operation: Operation, file: FileId) -> Result<FileNumber, DiskError> {
        let number = self.open.get(file.0 as usize).copied();
        number.ok_or_else(|| refusal(operation, "", DiskErrorKind::InvalidInput, "no such handle"))
    }
}

impl Disk for DurableDisk<'_> {
    fn open(&mut self, name: &str) -> Result<FileId, DiskError> {
        let number = self.disk.directory.durable_file(name);
        let known = number.filter(|number| self.disk.file(*number).is_some());
        let Some(number) = known else {
            return Err(refusal(Operation::Open, name, DiskErrorKind::NotFound, "not durable"));
        };
        self.open.push(number);
        Ok(FileId(self.open.len() as u32 - 1))
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        let number = self.number(Operation::Len, file)?;
        Ok(self.disk.file(number).map_or(0, |file| file.durable.len()))
    }

    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let number = self.number(Operation::Read, file)?;
        let Some(file) = self.disk.file(number) else { return Ok(0) };
        let left = file.durable.len().saturating_sub(offset);
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.durable.read(offset, &mut buffer[..count]);
        Ok(count)
    }

    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        Ok(self.disk.directory.durable_names().map(str::to_owned).collect())
    }

    fn sync(&mut self, file: FileId) -> Result<(), DiskError> {
        self.number(Operation::Sync, file).map(|_| ())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        Ok(())
    }

    fn create(&mut self, name: &str) -> Result<FileId, DiskError> {
        Err(read_only(Operation::Create, name))
    }

    fn write_at(&mut self, _: FileId, _: u64, _: &[u8]) -> Result<(), DiskError> {
        Err(read_only(Operation::Write, ""))
    }

    fn set_len(&mut self, _: FileId, _: u64) -> Result<(), DiskError> {
        Err(read_only(Operation::SetLen, ""))
    }

    fn rename(&mut self, from: &str, _: &str) -> Result<(), DiskError> {
        Err(read_only(Operation::Rename, from))
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        Err(read_only(Operation::Remove, name))
    }
}

fn read_only(operation: Operation, file: &str) -> DiskError {
    refusal(operation, file, DiskErrorKind::InvalidInput, "this view of a disk is read-only")
}

fn refusal(operation: Operation, file: &str, kind: DiskErrorKind, detail: &str) -> DiskError {
    DiskError { operation, file: file.to_owned(), kind, detail: detail.to_owned() }
}
