//! The trait on real files: one directory, positioned reads and writes, `fdatasync`.
//!
//! It decides nothing and retries nothing: an error of the system becomes a [`DiskError`] with the file and the
//! operation. Whoever may change the directory has it locked, and the system releases that lock when the process dies, however it
//! dies. A length that is set leaves a hole, for which the file system finds room when it is written (see `unwritten.rs`).

mod unwritten;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use self::unwritten::Unwritten;
use crate::{Disk, DiskError, DiskErrorKind, FileId, Operation};

/// The longest name that common file systems take, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// A directory of real files.
///
/// ```
/// use squall_disk::{Disk, RealDisk};
///
/// let path = std::env::temp_dir().join(format!("squall-disk-example-{}", std::process::id()));
/// std::fs::create_dir(&path)?;
/// let mut disk = RealDisk::open(&path)?;
/// let file = disk.create("value.new")?;
/// disk.write_at(file, 0, b"squall")?;
/// disk.sync(file)?;
/// disk.rename("value.new", "value")?;
/// disk.sync_dir()?;
/// assert_eq!(disk.list()?, ["value"]);
/// # std::fs::remove_dir_all(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RealDisk {
    path: PathBuf,
    /// The directory itself, for `sync_dir`.
    directory: File,
    /// The open files. A handle is never used twice, so that an old one cannot reach another file.
    files: BTreeMap<FileId, OpenFile>,
    next_file: FileId,
    is_read_only: bool,
}

#[derive(Debug)]
struct OpenFile {
    name: String,
    file: File,
    /// By what it grew when its length was set.
    unwritten: Option<Unwritten>,
}

impl RealDisk {
    /// Opens a directory, which must exist, for this value alone: it is locked until the value is dropped.
    ///
    /// # Errors
    /// Where it does not exist, is no directory, may not be read, or is in use.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DiskError> {
        let path = path.as_ref();
        let disk = Self::find(path, false)?;
        match disk.directory.try_lock() {
            Ok(()) => Ok(disk),
            Err(TryLockError::WouldBlock) => Err(DiskError {
                operation: Operation::Open,
                file: String::new(),
                kind: DiskErrorKind::InUse,
                detail: format!("{}: another process uses it; stop that one first", path.display()),
            }),
            Err(TryLockError::Error(error)) => Err(directory_error(path, &error)),
        }
    }

    /// Opens a directory to look at, whoever uses it ([`Self::is_in_use`]): whatever would change it is refused, and nothing is
    /// synced.
    ///
    /// # Errors
    /// Where it does not exist, is no directory, or may not be read.
    pub fn read_only(path: impl AsRef<Path>) -> Result<Self, DiskError> {
        Self::find(path.as_ref(), true)
    }

    /// Whether some process has the directory locked to change it. It does not wait, and a lock that it takes to find out is
    /// gone at once.
    ///
    /// # Errors
    /// Where the system cannot tell.
    pub fn is_in_use(&self) -> Result<bool, DiskError> {
        // The lock of whoever opens the directory belongs to the handle: this is another one.
        let fail = |error| directory_error(&self.path, &error);
        let handle = File::open(&self.path).map_err(fail)?;
        match handle.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(fail(error)),
        }
    }

    fn find(path: &Path, is_read_only: bool) -> Result<Self, DiskError> {
        let fail = |error| directory_error(path, &error);
        if !fs::metadata(path).map_err(fail)?.is_dir() {
            return Err(fail(io::Error::new(ErrorKind::InvalidInput, "not a directory")));
        }
        let directory = File::open(path).map_err(fail)?;
        let (path, files) = (path.to_owned(), BTreeMap::new());
        Ok(Self { path, directory, files, next_file: FileId(0), is_read_only })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn check_writable(&self, operation: Operation, name: &str) -> Result<(), DiskError> {
        if self.is_read_only {
            return Err(invalid(operation, name, "the directory was opened to look at only".to_owned()));
        }
        Ok(())
    }

    fn file(&self, operation: Operation, file: FileId) -> Result<&OpenFile, DiskError> {
        let open = self.files.get(&file);
        open.ok_or_else(|| invalid(operation, "", format!("handle {} is not open", file.0)))
    }

    fn adopt(&mut self, operation: Operation, name: &str, file: File) -> Result<FileId, DiskError> {
        let id = self.next_file;
        let next = id.0.checked_add(1);
        let used_up = || invalid(operation, name, "all file handles are used up".to_owned());
        self.next_file = FileId(next.ok_or_else(used_up)?);
        self.files.insert(id, OpenFile { name: name.to_owned(), file, unwritten: None });
        Ok(id)
    }

    /// Closes the file that had this name.
    fn close(&mut self, name: &str) {
        self.files.retain(|_, open| open.name != name);
    }

    /// The path of a file, after a look at its name.
    fn path_of(&self, operation: Operation, name: &str) -> Result<PathBuf, DiskError> {
        let is_valid = !name.is_empty()
            && name.len() <= NAME_BYTES_MAX
            && name != "."
            && name != ".."
            && !name.contains(['/', '\\', '\0']);
        if is_valid {
            return Ok(self.path.join(name));
        }
        let expected = "not a file name: it needs 1 to 255 bytes, no separator, and is not `.` or `..`";
        Err(invalid(operation, name, expected.to_owned()))
    }
}

impl Disk for RealDisk {
    fn create(&mut self, name: &str) -> Result<FileId, DiskError> {
        self.check_writable(Operation::Create, name)?;
        let path = self.path_of(Operation::Create, name)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = file.map_err(|error| system_error(Operation::Create, name, &error))?;
        self.adopt(Operation::Create, name, file)
    }

    fn open(&mut self, name: &str) -> Result<FileId, DiskError> {
        let path = self.path_of(Operation::Open, name)?;
        if let Some((id, _)) = self.files.iter().find(|(_, open)| open.name == name) {
            return Ok(*id);
        }
        let file = OpenOptions::new().read(true).write(!self.is_read_only).open(path);
        let file = file.map_err(|error| system_error(Operation::Open, name, &error))?;
        self.adopt(Operation::Open, name, file)
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        let open = self.file(Operation::Len, file)?;
        let metadata = open.file.metadata();
        metadata.map(|found| found.len()).map_err(|error| system_error(Operation::Len, &open.name, &error))
    }

    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let open = self.file(Operation::Read, file)?;
        let mut filled = 0;
        while filled < buffer.len() {
            match open.file.read_at(&mut buffer[filled..], offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(system_error(Operation::Read, &open.name, &error)),
            }
        }
        Ok(filled)
    }

    fn write_at(&mut self, file: FileId, offset: u64, data: &[u8]) -> Result<(), DiskError> {
        self.check_writable(Operation::Write, &self.file(Operation::Write, file)?.name)?;
        let open = self.files.get_mut(&file).expect("it was just found");
        let fill = |unwritten: &mut Unwritten| {
            unwritten.fill(&open.file, &(offset..offset.saturating_add(data.len() as u64)))
        };
        let filled = open.unwritten.as_mut().map_or(Ok(()), fill);
        filled
            .and_then(|()| open.file.write_all_at(data, offset))
            .map_err(|error| system_error(Operation::Write, &open.name, &error))
    }

    fn sync(&mut self, file: FileId) -> Result<(), DiskError> {
        let open = self.file(Operation::Sync, file)?;
        if self.is_read_only {
            return Ok(());
        }
        open.file.sync_data().map_err(|error| system_error(Operation::Sync, &open.name, &error))
    }

    fn set_len(&mut self, file: FileId, len: u64) -> Result<(), DiskError> {
        self.check_writable(Operation::SetLen, &self.file(Operation::SetLen, file)?.name)?;
        let old = self.len(file)?;
        let open = self.files.get_mut(&file).expect("it was just found");
        open.unwritten = (len > old).then(|| Unwritten::new(old..len));
        open.file.set_len(len).map_err(|error| system_error(Operation::SetLen, &open.name, &error))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.check_writable(Operation::Rename, from)?;
        let (source, target) = (self.path_of(Operation::Rename, from)?, self.path_of(Operation::Rename, to)?);
        fs::rename(source, target).map_err(|error| system_error(Operation::Rename, from, &error))?;
        if from != to {
            self.close(to);
            for open in self.files.values_mut().filter(|open| open.name == from) {
                to.clone_into(&mut open.name);
            }
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.check_writable(Operation::Remove, name)?;
        let path = self.path_of(Operation::Remove, name)?;
        fs::remove_file(path).map_err(|error| system_error(Operation::Remove, name, &error))?;
        self.close(name);
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        let fail = |error: io::Error| system_error(Operation::List, "", &error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            // A fresh file system brings a directory of its own (`lost+found`).
            if entry.file_type().map_err(fail)?.is_dir() {
                continue;
            }
            names.push(utf8_name(&entry.file_name())?);
        }
        names.sort_unstable();
        Ok(names)
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        if self.is_read_only {
            return Ok(());
        }
        self.directory.sync_all().map_err(|error| system_error(Operation::SyncDir, "", &error))
    }
}

/// An error of the directory as a whole. One that is not there is as a rule one whose file system is not mounted.
fn directory_error(path: &Path, error: &io::Error) -> DiskError {
    let is_missing = error.kind() == ErrorKind::NotFound;
    let remedy = if is_missing { "; mount the file system that holds it, or correct the path" } else { "" };
    let error = system_error(Operation::Open, "", error);
    DiskError { detail: format!("{}: {}{remedy}", path.display(), error.detail), ..error }
}

fn utf8_name(name: &OsStr) -> Result<String, DiskError> {
    let text = name.to_str().map(str::to_owned);
    text.ok_or_else(|| invalid(Operation::List, "", format!("the file name {name:?} is not UTF-8")))
}

fn invalid(operation: Operation, file: &str, detail: String) -> DiskError {
    DiskError { operation, file: file.to_owned(), kind: DiskErrorKind::InvalidInput, detail }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the system's list of errors is open")]
fn system_error(operation: Operation, file: &str, error: &io::Error) -> DiskError {
    let kind = match error.kind() {
        ErrorKind::NotFound => DiskErrorKind::NotFound,
        ErrorKind::AlreadyExists => DiskErrorKind::AlreadyExists,
        ErrorKind::InvalidInput => DiskErrorKind::InvalidInput,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => DiskErrorKind::NoSpace,
        // Whatever else the system says, the caller cannot mend it.
        _ => DiskErrorKind::Io,
    };
    DiskError { operation, file: file.to_owned(), kind, detail: error.to_string() }
}

#[cfg(test)]
mod tests;
