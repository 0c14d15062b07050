//! A disk in memory that does what it is told, and costs next to nothing to copy.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_disk::{Disk, DiskError, DiskErrorKind, FileId, Operation};

/// Files are shared between copies until one of them is written to.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryDisk {
    files: Vec<Arc<Vec<u8>>>,
    names: BTreeMap<String, FileId>,
}

impl MemoryDisk {
    /// Changes bytes behind everybody's back.
    pub(crate) fn damage(&mut self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let file = self.names[name];
        change(self.bytes_mut(file));
    }

    fn bytes_mut(&mut self, file: FileId) -> &mut Vec<u8> {
        Arc::make_mut(&mut self.files[file.0 as usize])
    }
}

fn error(operation: Operation, name: &str, kind: DiskErrorKind) -> DiskError {
    DiskError { operation, file: name.to_owned(), kind, detail: String::new() }
}

impl Disk for MemoryDisk {
    fn create(&mut self, name: &str) -> Result<FileId, DiskError> {
        assert!(!self.names.contains_key(name), "{name} is there already");
        let file = FileId(u32::try_from(self.files.len()).expect("few files are made"));
        self.files.push(Arc::default());
        self.names.insert(name.to_owned(), file);
        Ok(file)
    }

    fn open(&mut self, name: &str) -> Result<FileId, DiskError> {
        self.names.get(name).copied().ok_or_else(|| error(Operation::Open, name, DiskErrorKind::NotFound))
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        Ok(self.files[file.0 as usize].len() as u64)
    }

    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let bytes = &self.files[file.0 as usize];
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&mut self, file: FileId, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        let start = usize::try_from(offset).expect("the files are small");
        let bytes = self.bytes_mut(file);
        bytes.resize(bytes.len().max(start + data.len()), 0);
        bytes[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn sync(&mut self, _file: FileId) -> Result<(), DiskError> {
        Ok(())
    }

    fn set_len(&mut self, file: FileId, len: u64) -> Result<(), DiskError> {
        self.bytes_mut(file).resize(usize::try_from(len).expect("the files are small"), 0);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let file = self.names.remove(from);
        let file = file.ok_or_else(|| error(Operation::Rename, from, DiskErrorKind::NotFound))?;
        self.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        let gone = self.names.remove(name);
        gone.map(|_| ()).ok_or_else(|| error(Operation::Remove, name, DiskErrorKind::NotFound))
    }

    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        Ok(self.names.keys().cloned().collect())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        Ok(())
    }
}
