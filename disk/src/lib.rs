//! The seam to the world's disks: a small synchronous trait over a flat namespace of files.
//!
//! Latency is not its business: a driver writes, syncs when it chooses, and reports. No paths, no mmap.

mod error;
mod overlay;
mod real;

pub use error::{DiskError, DiskErrorKind, Operation};
pub use overlay::Overlay;
pub use real::RealDisk;

/// An open file of a [`Disk`]; valid until that disk value is dropped, or the file is removed or replaced. It
/// follows its file through a rename.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(pub u32);

/// A flat namespace of files (docs/architecture.md, "The house"). Every error is final for the caller: nothing is retried.
pub trait Disk {
    /// Creates an empty file and opens it; an error where the name is taken. Its directory entry is durable
    /// only after `sync_dir`.
    fn create(&mut self, name: &str) -> Result<FileId, DiskError>;
    /// Opens an existing file; one that is open already may keep its handle.
    fn open(&mut self, name: &str) -> Result<FileId, DiskError>;
    /// The file's length in bytes.
    fn len(&mut self, file: FileId) -> Result<u64, DiskError>;
    /// Reads up to `buffer.len()` bytes at `offset`; fewer only at the end of the file.
    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError>;
    /// Writes all of `data` at `offset`; the file grows where needed, a gap reads as zeros.
    fn write_at(&mut self, file: FileId, offset: u64, data: &[u8]) -> Result<(), DiskError>;
    /// Makes the file's data and length durable (fdatasync).
    fn sync(&mut self, file: FileId) -> Result<(), DiskError>;
    /// Sets the file's length; new space reads as zeros. It is not reserved: a later write into it may still find
    /// the disk full.
    fn set_len(&mut self, file: FileId, len: u64) -> Result<(), DiskError>;
    /// Renames a file, replacing `to` if it exists; durable only after `sync_dir`.
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError>;
    /// Removes a file; durable only after `sync_dir`.
    fn remove(&mut self, name: &str) -> Result<(), DiskError>;
    /// The names of all files, sorted.
    fn list(&mut self) -> Result<Vec<String>, DiskError>;
    /// Makes creations, renames and removals durable.
    fn sync_dir(&mut self) -> Result<(), DiskError>;
}
