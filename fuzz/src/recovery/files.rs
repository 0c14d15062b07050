//! A disk in memory, which does what it is told. It watches how much is read at once: nobody makes room for more than a
//! file holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_disk::{Disk, DiskError, DiskErrorKind, FileId, Operation};

/// What may be read at once of a file that is shorter: a buffer of a fixed size.
const BUFFER_BYTES: usize = 64 << 10;

/// The files of a directory.
#[derive(Clone, Default)]
pub(super) struct Files {
    /// By handle. Copies of the disk share a file until one of them changes it.
    files: Vec<Arc<Vec<u8>>>,
    names: BTreeMap<String, usize>,
    pub(super) bytes_read: u64,
}

impl Files {
    /// The names, in order.
    pub(super) fn names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    /// A file's bytes, to change them behind everybody's back; there are none where there is no such file.
    pub(super) fn bytes_mut(&mut self, name: &str) -> Option<&mut Vec<u8>> {
        let file = *self.names.get(name)?;
        Some(Arc::make_mut(&mut self.files[file]))
    }

    /// A file's bytes.
    pub(super) fn bytes(&self, name: &str) -> &[u8] {
        self.names.get(name).map_or(&[], |file| &self.files[*file])
    }

    /// Puts a file there, in place of one of that name.
    pub(super) fn put(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.push(Arc::new(bytes));
        self.names.insert(name.to_owned(), self.files.len() - 1);
    }

    /// A file is gone.
    pub(super) fn lose(&mut self, name: &str) {
        self.names.remove(name);
    }

    /// All bytes of all files.
    pub(super) fn total(&self) -> u64 {
        self.names.values().map(|file| self.files[*file].len() as u64).sum()
    }

    fn find(&self, operation: Operation, name: &str) -> Result<usize, DiskError> {
        let found = self.names.get(name).copied();
        found.ok_or_else(|| DiskError {
            operation,
            file: name.to_owned(),
            kind: DiskErrorKind::NotFound,
            detail: "no such file".to_owned(),
        })
    }

    fn file_mut(&mut self, file: FileId) -> &mut Vec<u8> {
        Arc::make_mut(&mut self.files[file.0 as usize])
    }
}

fn handle(file: usize) -> FileId {
    FileId(u32::try_from(file).expect("there are few files"))
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).expect("this machine has 64 bits")
}

impl Disk for Files {
    fn create(&mut self, name: &str) -> Result<FileId, DiskError> {
        if self.names.contains_key(name) {
            return Err(DiskError {
                operation: Operation::Create,
                file: name.to_owned(),
                kind: DiskErrorKind::AlreadyExists,
                detail: "the name is taken".to_owned(),
            });
        }
        self.put(name, Vec::new());
        Ok(handle(self.files.len() - 1))
    }

    fn open(&mut self, name: &str) -> Result<FileId, DiskError> {
        self.find(Operation::Open, name).map(handle)
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        Ok(self.files[file.0 as usize].len() as u64)
    }

    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let bytes = &self.files[file.0 as usize];
        assert!(
            buffer.len() <= bytes.len().max(BUFFER_BYTES),
            "room for {} of {}",
            buffer.len(),
            bytes.len()
        );
        let from = place(offset).min(bytes.len());
        let count = buffer.len().min(bytes.len() - from);
        buffer[..count].copy_from_slice(&bytes[from..from + count]);
        self.bytes_read += count as u64;
        Ok(count)
    }

    fn write_at(&mut self, file: FileId, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        let bytes = self.file_mut(file);
        let end = place(offset) + data.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[end - data.len()..end].copy_from_slice(data);
        Ok(())
    }

    fn sync(&mut self, _: FileId) -> Result<(), DiskError> {
        Ok(())
    }

    fn set_len(&mut self, file: FileId, len: u64) -> Result<(), DiskError> {
        self.file_mut(file).resize(place(len), 0);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let file = self.find(Operation::Rename, from)?;
        self.names.remove(from);
        self.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.find(Operation::Remove, name)?;
        self.names.remove(name);
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        Ok(self.names())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        Ok(())
    }
}
