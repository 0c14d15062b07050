//! A disk over another one, which it only reads: what is changed stays in memory, and is gone with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Disk, DiskError, DiskErrorKind, FileId, Operation};

/// What would become of a disk, tried without touching it.
///
/// ```
/// use squall_disk::{Disk, Overlay, RealDisk};
///
/// let path = std::env::temp_dir().join(format!("squall-overlay-example-{}", std::process::id()));
/// std::fs::create_dir(&path)?;
/// std::fs::write(path.join("value"), b"squall")?;
/// let mut tried = Overlay::new(RealDisk::read_only(&path)?);
/// let file = tried.open("value")?;
/// tried.write_at(file, 0, b"S")?;
/// tried.rename("value", "other")?;
/// assert_eq!(tried.list()?, ["other"]);
/// assert_eq!(std::fs::read(path.join("value"))?, b"squall");
/// # std::fs::remove_dir_all(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Overlay<D> {
    base: D,
    /// By handle: the name that the base knows a file by, while nothing of it was changed, or its bytes.
    files: Vec<Content>,
    names: BTreeMap<String, FileId>,
    /// What the base has, and this has not any more.
    gone: BTreeSet<String>,
}

#[derive(Debug)]
enum Content {
    Below(FileId),
    Changed(Vec<u8>),
}

impl<D: Disk> Overlay<D> {
    /// Over `base`.
    pub fn new(base: D) -> Self {
        Self { base, files: Vec::new(), names: BTreeMap::new(), gone: BTreeSet::new() }
    }

    fn adopt(&mut self, name: &str, content: Content) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).expect("fewer than 2^32 files are opened"));
        self.files.push(content);
        self.names.insert(name.to_owned(), id);
        id
    }

    fn content(&mut self, operation: Operation, file: FileId) -> Result<&mut Content, DiskError> {
        let content = self.files.get_mut(file.0 as usize);
        content.ok_or_else(|| refusal(operation, "", DiskErrorKind::InvalidInput, "the handle is not open"))
    }

    /// The bytes of a file, to change them.
    fn bytes_mut(&mut self, operation: Operation, file: FileId) -> Result<&mut Vec<u8>, DiskError> {
        if let Content::Below(below) = *self.content(operation, file)? {
            let length = usize::try_from(self.base.len(below)?).unwrap_or(usize::MAX);
            let mut bytes = vec![0; length];
            let count = self.base.read_at(below, 0, &mut bytes)?;
            bytes.truncate(count);
            *self.content(operation, file)? = Content::Changed(bytes);
        }
        match self.content(operation, file)? {
            Content::Changed(bytes) => Ok(bytes),
            Content::Below(_) => unreachable!("it was just copied"),
        }
    }

    fn has(&mut self, name: &str) -> Result<bool, DiskError> {
        let is_below = !self.gone.contains(name) && self.base.list()?.iter().any(|below| below == name);
        Ok(self.names.contains_key(name) || is_below)
    }
}

impl<D: Disk> Disk for Overlay<D> {
    fn create(&mut self, name: &str) -> Result<FileId, DiskError> {
        if self.has(name)? {
            return Err(refusal(Operation::Create, name, DiskErrorKind::AlreadyExists, "the name is taken"));
        }
        self.gone.insert(name.to_owned());
        Ok(self.adopt(name, Content::Changed(Vec::new())))
    }

    fn open(&mut self, name: &str) -> Result<FileId, DiskError> {
        if let Some(known) = self.names.get(name) {
            return Ok(*known);
        }
        if self.gone.contains(name) {
            return Err(refusal(Operation::Open, name, DiskErrorKind::NotFound, "no such file"));
        }
        let below = self.base.open(name)?;
        Ok(self.adopt(name, Content::Below(below)))
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        match *self.content(Operation::Len, file)? {
            Content::Below(below) => self.base.len(below),
            Content::Changed(ref bytes) => Ok(bytes.len() as u64),
        }
    }

    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        match *self.content(Operation::Read, file)? {
            Content::Below(below) => self.base.read_at(below, offset, buffer),
            Content::Changed(ref bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let count = buffer.len().min(bytes.len() - from);
                buffer[..count].copy_from_slice(&bytes[from..from + count]);
                Ok(count)
            }
        }
    }

    fn write_at(&mut self, file: FileId, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        let bytes = self.bytes_mut(Operation::Write, file)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = from.saturating_add(data.len());
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[from..end].copy_from_slice(data);
        Ok(())
    }

    fn sync(&mut self, file: FileId) -> Result<(), DiskError> {
        self.content(Operation::Sync, file).map(|_| ())
    }

    fn set_len(&mut self, file: FileId, len: u64) -> Result<(), DiskError> {
        let bytes = self.bytes_mut(Operation::SetLen, file)?;
        bytes.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let file = self.open(from)?;
        self.names.remove(from);
        self.gone.extend([from.to_owned(), to.to_owned()]);
        self.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        if !self.has(name)? {
            return Err(refusal(Operation::Remove, name, DiskErrorKind::NotFound, "no such file"));
        }
        self.names.remove(name);
        self.gone.insert(name.to_owned());
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        let mut names = self.base.list()?;
        names.retain(|name| !self.gone.contains(name) && !self.names.contains_key(name));
        names.extend(self.names.keys().cloned());
        names.sort_unstable();
        Ok(names)
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        Ok(())
    }
}

fn refusal(operation: Operation, file: &str, kind: DiskErrorKind, detail: &str) -> DiskError {
    DiskError { operation, file: file.to_owned(), kind, detail: detail.to_owned() }
}
