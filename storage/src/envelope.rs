//! Small pieces of metadata: how they stand on a page, and how a file is made so that it is whole or not there.
//!
//! Each piece stands twice, on pages apart, and either copy will do. A file is written under another name, synced,
//! renamed, and the directory synced: whoever finds it under its own name finds all of it, so two unreadable copies
//! are damage for certain, and an older value can never come back. A failed sync leaves the old file in place.

use squall_disk::{Disk, DiskError, FileId};

use crate::{FORMAT_VERSION, PAGE_BYTES, StorageError};

/// Magic, version, length of the body; behind the body a checksum over all of it. A later version may change
/// the body, never the envelope.
const HEAD_BYTES: usize = 16;
const OVERHEAD_BYTES: usize = HEAD_BYTES + 4;

/// Follows the name of a file that is being made.
const ASIDE: &str = ".new";

/// Where the two copies stand in a file that holds nothing else.
const COPIES: [u64; 2] = [0, PAGE_BYTES];

enum Fault {
    Unreadable,
    Version(u32),
}

/// A body with its envelope, ready to be written at the start of a page.
pub(crate) fn seal(magic: &[u8; 8], body: &[u8]) -> Vec<u8> {
    assert!(OVERHEAD_BYTES + body.len() <= PAGE_BYTES as usize, "metadata fits into a page");
    let mut bytes = Vec::with_capacity(OVERHEAD_BYTES + body.len());
    bytes.extend_from_slice(magic);
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(body);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// The body of exactly `body_bytes` in a page.
fn unseal<'a>(magic: &[u8; 8], body_bytes: usize, page: &'a [u8]) -> Result<&'a [u8], Fault> {
    let word = |at: usize| {
        let bytes = page.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().expect("a slice of four bytes")))
    };
    let (Some(version), Some(length)) = (word(8), word(12)) else { return Err(Fault::Unreadable) };
    let end = HEAD_BYTES + (length as usize).min(PAGE_BYTES as usize);
    let is_intact =
        page.starts_with(magic) && word(end).is_some_and(|crc| crc == crc32c::crc32c(&page[..end]));
    if !is_intact {
        Err(Fault::Unreadable)
    } else if version != FORMAT_VERSION {
        Err(Fault::Version(version))
    } else if length as usize != body_bytes {
        Err(Fault::Unreadable)
    } else {
        Ok(&page[HEAD_BYTES..end])
    }
}

/// The body in a page, whatever it is of.
pub(crate) fn body(page: &[u8]) -> Option<&[u8]> {
    let length = page.get(12..16)?;
    let length = u32::from_le_bytes(length.try_into().expect("a slice of four bytes")) as usize;
    let end = HEAD_BYTES + length.min(PAGE_BYTES as usize);
    let crc = page.get(end..end + 4)?;
    let is_intact = crc == crc32c::crc32c(&page[..end]).to_le_bytes();
    is_intact.then(|| &page[HEAD_BYTES..end])
}

/// What a body takes with its envelope.
pub(crate) fn sealed_bytes(body_bytes: u64) -> u64 {
    OVERHEAD_BYTES as u64 + body_bytes
}

/// Reads the two copies at `offsets`; one that can be read is enough.
pub(crate) fn read_copies(
    disk: &mut impl Disk,
    file: FileId,
    name: &str,
    magic: &[u8; 8],
    body_bytes: usize,
    offsets: [u64; 2],
) -> Result<Vec<u8>, StorageError> {
    let mut found: Option<Vec<u8>> = None;
    let mut version = None;
    for offset in offsets {
        let mut page = [0; PAGE_BYTES as usize];
        let count = disk.read_at(file, offset, &mut page)?;
        match (unseal(magic, body_bytes, &page[..count]), &found) {
            (Ok(body), None) => found = Some(body.to_vec()),
            (Ok(body), Some(first)) if body == &first[..] => {}
            (Ok(_), Some(_)) => return Err(StorageError::damaged(name, offset, "the two copies differ")),
            (Err(Fault::Version(number)), _) => version = Some(number),
            (Err(Fault::Unreadable), _) => {}
        }
    }
    match (found, version) {
        (Some(body), _) => Ok(body),
        (None, Some(found)) => Err(StorageError::UnknownVersion { file: name.to_owned(), found }),
        (None, None) => Err(StorageError::damaged(name, offsets[0], "neither copy can be read")),
    }
}

/// Opens a small file and reads it, after a sync: what is acted upon must be durable.
pub(crate) fn read_file(
    disk: &mut impl Disk,
    name: &str,
    magic: &[u8; 8],
    body_bytes: usize,
) -> Result<Vec<u8>, StorageError> {
    let file = disk.open(name)?;
    disk.sync(file)?;
    read_copies(disk, file, name, magic, body_bytes, COPIES)
}

/// Writes a small file whole, durably; one of that name is replaced.
pub(crate) fn write_file(
    disk: &mut impl Disk,
    name: &str,
    magic: &[u8; 8],
    body: &[u8],
) -> Result<(), DiskError> {
    let mut copies = seal(magic, body);
    let bytes = copies.len();
    copies.resize(COPIES[1] as usize + bytes, 0);
    copies.copy_within(..bytes, COPIES[1] as usize);
    let file = create_aside(disk, name)?;
    disk.write_at(file, 0, &copies)?;
    publish(disk, name, file)
}

/// Begins a file under another name.
pub(crate) fn create_aside(disk: &mut impl Disk, name: &str) -> Result<FileId, DiskError> {
    disk.create(&aside(name))
}

/// Gives a file its name, once all of it is durable.
pub(crate) fn publish(disk: &mut impl Disk, name: &str, file: FileId) -> Result<(), DiskError> {
    disk.sync(file)?;
    disk.rename(&aside(name), name)?;
    disk.sync_dir()
}

/// What a file is called until it may have its name.
pub(crate) fn aside(name: &str) -> String {
    format!("{name}{ASIDE}")
}

/// The name that an unfinished file was to have.
pub(crate) fn unfinished(name: &str) -> Option<&str> {
    name.strip_suffix(ASIDE)
}
