//! A disk in memory that loses power. Pages are cached until a sync; what a power loss leaves of the rest is drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use squall_disk::{Disk, DiskError, DiskErrorKind, FileId, Operation};

use crate::PAGE_BYTES;

const SECTOR_BYTES: usize = 512;

/// How a life ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// The process dies; the page cache lives on.
    Process,
    /// Power goes; all that was written arrived.
    PowerKeepsAll,
    /// Power goes; nothing arrived that was not synced.
    PowerDropsAll,
    /// Power goes; pages, sectors, lengths and names each go their own way.
    PowerTears(u64),
}

#[derive(Clone, Default)]
struct File {
    cache: Vec<u8>,
    disk: Vec<u8>,
    /// Pages of the cache that no sync covered.
    dirty: BTreeSet<u64>,
}

#[derive(Clone)]
enum NameChange {
    Create(String, usize),
    Rename(String, usize),
    Remove(usize),
}

type Names = BTreeMap<String, usize>;

#[derive(Clone, Default)]
pub(super) struct CrashDisk {
    /// Copies of the disk share a file until one of them changes it.
    files: Vec<Rc<File>>,
    names: Names,
    durable_names: Names,
    name_changes: Vec<NameChange>,
    handles: Vec<usize>,
    /// Writes, syncs and changes of names so far.
    pub(super) operations: u64,
    /// The operation that is cut short; none follows it.
    pub(super) crash_at: Option<u64>,
    /// The operation, a sync, that fails.
    pub(super) fail_at: Option<u64>,
    pub(super) bytes_read: u64,
    /// The largest buffer that was ever to be filled.
    pub(super) longest_read: u64,
}

pub(super) struct Draws(pub(super) u64);

impl Draws {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)) % end
    }
}

impl File {
    fn sync(&mut self) {
        self.disk.resize(self.cache.len(), 0);
        for page in core::mem::take(&mut self.dirty) {
            self.write_back(page, |_, new| new);
        }
    }

    /// Writes a page out; each sector as `choose` says, given the old and the new one.
    fn write_back(&mut self, page: u64, mut choose: impl FnMut(Vec<u8>, Vec<u8>) -> Vec<u8>) {
        let start = (page * PAGE_BYTES) as usize;
        let end = (start + PAGE_BYTES as usize).min(self.cache.len()).min(self.disk.len());
        for at in (start..end).step_by(SECTOR_BYTES) {
            let sector = at..(at + SECTOR_BYTES).min(end);
            let chosen = choose(self.disk[sector.clone()].to_vec(), self.cache[sector.clone()].to_vec());
            self.disk[sector].copy_from_slice(&chosen);
        }
    }

    fn lose_power(&mut self, end: End, draws: &mut Draws) {
        match end {
            End::Process => return,
            End::PowerKeepsAll => self.sync(),
            End::PowerDropsAll => {}
            End::PowerTears(_) => {
                if draws.below(2) == 0 {
                    self.disk.resize(self.cache.len(), 0);
                }
                for page in self.dirty.clone() {
                    match draws.below(3) {
                        0 => {}
                        1 => self.write_back(page, |_, new| new),
                        _ => self.write_back(page, |old, new| match draws.below(3) {
                            0 => old,
                            1 => new,
                            _ => vec![draws.below(256) as u8; old.len()],
                        }),
                    }
                }
            }
        }
        self.dirty.clear();
        self.cache.clone_from(&self.disk);
    }
}

impl CrashDisk {
    /// The next life begins, after the last one ended so.
    pub(super) fn restart(&mut self, end: End) {
        (self.crash_at, self.fail_at) = (None, None);
        self.handles.clear();
        let mut draws = Draws(if let End::PowerTears(seed) = end { seed } else { 0 });
        for change in core::mem::take(&mut self.name_changes) {
            let survives = match end {
                End::Process => {
                    self.name_changes.push(change);
                    continue;
                }
                End::PowerKeepsAll => true,
                End::PowerDropsAll => false,
                End::PowerTears(_) => draws.below(2) == 0,
            };
            if survives {
                self.rename_durably(change);
            }
        }
        if !matches!(end, End::Process) {
            self.names = self.durable_names.clone();
        }
        for file in &mut self.files {
            Rc::make_mut(file).lose_power(end, &mut draws);
        }
    }

    fn rename_durably(&mut self, change: NameChange) {
        match change {
            NameChange::Create(name, file) => {
                self.durable_names.insert(name, file);
            }
            // A rename stands by itself: it may survive though the creation before it was lost.
            NameChange::Rename(to, file) => {
                self.durable_names.retain(|_, other| *other != file);
                self.durable_names.insert(to, file);
            }
            NameChange::Remove(file) => self.durable_names.retain(|_, other| *other != file),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    /// A file's bytes.
    pub(super) fn bytes(&self, name: &str) -> &[u8] {
        &self.files[self.names[name]].cache
    }

    /// Changes bytes behind everybody's back, durably.
    pub(super) fn damage(&mut self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let file = Rc::make_mut(&mut self.files[self.names[name]]);
        change(&mut file.cache);
        file.disk.clone_from(&file.cache);
    }

    /// A file is gone, durably.
    pub(super) fn lose(&mut self, name: &str) {
        self.names.remove(name);
        self.durable_names = self.names.clone();
    }

    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) {
        let file = File { cache: bytes.to_vec(), disk: bytes.to_vec(), dirty: BTreeSet::new() };
        self.files.push(Rc::new(file));
        self.names.insert(name.to_owned(), self.files.len() - 1);
        self.durable_names = self.names.clone();
    }

    fn error(&self, operation: Operation, kind: DiskErrorKind) -> DiskError {
        DiskError { operation, file: String::new(), kind, detail: format!("operation {}", self.operations) }
    }

    /// Counts an operation. Fails for good once the crash has come.
    fn begin(&mut self, operation: Operation) -> Result<(), DiskError> {
        if self.crash_at.is_some_and(|at| self.operations >= at) {
            return Err(self.error(operation, DiskErrorKind::Io));
        }
        self.operations += 1;
        Ok(())
    }

    fn fails(&self) -> bool {
        self.fail_at == Some(self.operations)
    }
}

impl Disk for CrashDisk {
    fn create(&mut self, name: &str) -> Result<FileId, DiskError> {
        self.begin(Operation::Create)?;
        assert!(!self.names.contains_key(name), "{name} is there already");
        self.files.push(Rc::default());
        self.names.insert(name.to_owned(), self.files.len() - 1);
        self.name_changes.push(NameChange::Create(name.to_owned(), self.files.len() - 1));
        self.open(name)
    }

    fn open(&mut self, name: &str) -> Result<FileId, DiskError> {
        let file =
            *self.names.get(name).ok_or_else(|| self.error(Operation::Open, DiskErrorKind::NotFound))?;
        self.handles.push(file);
        Ok(FileId(self.handles.len() as u32 - 1))
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        Ok(self.files[self.handles[file.0 as usize]].cache.len() as u64)
    }

    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let bytes = &self.files[self.handles[file.0 as usize]].cache;
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.bytes_read += count as u64;
        self.longest_read = self.longest_read.max(buffer.len() as u64);
        Ok(count)
    }

    fn write_at(&mut self, file: FileId, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        // The write that the crash cuts short is half done.
        let cut = self.begin(Operation::Write);
        let data = if cut.is_err() { &data[..data.len() / 2] } else { data };
        let file = Rc::make_mut(&mut self.files[self.handles[file.0 as usize]]);
        let (start, end) = (offset as usize, offset as usize + data.len());
        if file.cache.len() < end {
            file.cache.resize(end, 0);
        }
        file.cache[start..end].copy_from_slice(data);
        file.dirty.extend(offset / PAGE_BYTES..(end as u64).div_ceil(PAGE_BYTES));
        cut
    }

    fn sync(&mut self, file: FileId) -> Result<(), DiskError> {
        self.begin(Operation::Sync)?;
        let fails = self.fails();
        let file = Rc::make_mut(&mut self.files[self.handles[file.0 as usize]]);
        if fails {
            // The cache shows what the disk does not hold, and no later sync will write it.
            file.disk.resize(file.cache.len(), 0);
            file.dirty.clear();
            return Err(self.error(Operation::Sync, DiskErrorKind::Io));
        }
        file.sync();
        Ok(())
    }

    fn set_len(&mut self, file: FileId, len: u64) -> Result<(), DiskError> {
        self.begin(Operation::SetLen)?;
        Rc::make_mut(&mut self.files[self.handles[file.0 as usize]]).cache.resize(len as usize, 0);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.begin(Operation::Rename)?;
        let file = self.names.remove(from).expect("a file is renamed that is there");
        self.names.insert(to.to_owned(), file);
        self.name_changes.push(NameChange::Rename(to.to_owned(), file));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.begin(Operation::Remove)?;
        let file = self.names.remove(name).expect("a file is removed that is there");
        self.name_changes.push(NameChange::Remove(file));
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        Ok(self.names.keys().cloned().collect())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        self.begin(Operation::SyncDir)?;
        let changes = core::mem::take(&mut self.name_changes);
        if self.fails() {
            return Err(self.error(Operation::SyncDir, DiskErrorKind::Io));
        }
        for change in changes {
            self.rename_durably(change);
        }
        Ok(())
    }
}
