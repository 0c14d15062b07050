//! A snapshot file: its layout, and reading it.
//!
//! ```text
//! page 0     header
//! page 1     header, once more
//! page 2..   chunks: checksum, piece, number, 4,080 bytes of the snapshot; the last one is filled up with zeros
//! ```
//!
//! A chunk fills a page, which a device writes, or tears, without touching the next. Its checksum begins from the
//! file's salt and covers its number, so that neither a page of another file nor another page of this one passes for
//! it. The *piece* is the write that brought it (see `draft.rs`).

use bytes::{Buf, BufMut, Bytes};
use squall_disk::{Disk, FileId};
use squall_raft::{LogIndex, LogPosition, SnapshotId};
use xxhash_rust::xxh3::Xxh3;

use crate::{Identity, PAGE_BYTES, StorageError, envelope, record};

const MAGIC: &[u8; 8] = b"sqlsnaps";
const HEADER_BYTES: usize = Identity::BYTES + 5 * 8;
/// Where the header stands.
pub(crate) const HEADERS: [u64; 2] = [0, PAGE_BYTES];
/// Checksum, piece, number.
const CHUNK_HEAD_BYTES: usize = 4 + 4 + 8;
/// What a chunk holds of the snapshot.
pub(crate) const CHUNK_BYTES: u64 = PAGE_BYTES - CHUNK_HEAD_BYTES as u64;
/// What one call reads at most, so that neither memory nor the disk's other users suffer.
const READ_BYTES_MAX: u64 = 1 << 20;

/// What a snapshot file says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) id: SnapshotId,
    /// Mixed into the checksums of all chunks.
    pub(crate) salt: u64,
}

/// A whole snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) file: FileId,
    pub(crate) name: String,
    pub(crate) id: SnapshotId,
    /// Where the checksums of its chunks begin.
    pub(crate) seed: u32,
}

/// The checksum of a snapshot as far as its bytes are known.
#[derive(Clone, Default)]
pub(crate) struct Checksum(Xxh3);

impl Checksum {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.digest()
    }
}

impl std::fmt::Debug for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.value())
    }
}

impl Header {
    pub(crate) fn write(
        &self,
        disk: &mut impl Disk,
        identity: Identity,
        file: FileId,
    ) -> Result<(), StorageError> {
        let mut body = Vec::with_capacity(HEADER_BYTES);
        identity.encode(&mut body);
        let SnapshotId { last, bytes, checksum } = self.id;
        for word in [last.term.0, last.index.0, bytes, checksum, self.salt] {
            body.put_u64_le(word);
        }
        let mut copies = vec![0; 2 * PAGE_BYTES as usize];
        let sealed = envelope::seal(MAGIC, &body);
        for offset in HEADERS {
            copies[offset as usize..][..sealed.len()].copy_from_slice(&sealed);
        }
        Ok(disk.write_at(file, 0, &copies)?)
    }

    pub(crate) fn read(
        disk: &mut impl Disk,
        identity: Identity,
        file: FileId,
        name: &str,
    ) -> Result<Self, StorageError> {
        let bytes = envelope::read_copies(disk, file, name, MAGIC, HEADER_BYTES, HEADERS)?;
        let body = &mut &bytes[..];
        identity.check(name, body)?;
        let header = Self::take(body);
        if header.id.last.index.0 >= record::INDEX_END {
            return Err(StorageError::damaged(name, 0, "it stands for an entry that no log has"));
        }
        Ok(header)
    }

    /// What the body of a header says, whosever it is.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        (body.len() == HEADER_BYTES).then(|| Self::take(&body[Identity::BYTES..]))
    }

    fn take(mut body: &[u8]) -> Self {
        let last = LogPosition::new(body.get_u64_le(), body.get_u64_le());
        let (bytes, checksum) = (body.get_u64_le(), body.get_u64_le());
        Self { id: SnapshotId { last, bytes, checksum }, salt: body.get_u64_le() }
    }
}

impl Snapshot {
    /// Opens the snapshot at `index`, after a sync: what is acted upon must be durable.
    pub(crate) fn open(
        disk: &mut impl Disk,
        identity: Identity,
        name: &str,
        index: LogIndex,
    ) -> Result<Self, StorageError> {
        let file = disk.open(name)?;
        disk.sync(file)?;
        let Header { id, salt } = Header::read(disk, identity, file, name)?;
        let snapshot = Self { file, name: name.to_owned(), id, seed: record::seed(salt) };
        if id.last.index != index {
            return Err(snapshot.damaged(0, "its header tells of another entry than its name"));
        }
        if file_bytes(id.bytes) != Some(disk.len(file)?) {
            return Err(snapshot.damaged(0, "it is longer or shorter than it was made"));
        }
        Ok(snapshot)
    }

    /// Reads all of it. Returns what is wrong with a chunk, where one cannot be read.
    ///
    /// # Errors
    /// Where every chunk is sound and it is another snapshot all the same, or the disk fails.
    pub(crate) fn check(&self, disk: &mut impl Disk) -> Result<Option<StorageError>, StorageError> {
        let mut checksum = Checksum::default();
        let mut offset = 0;
        while offset < self.id.bytes {
            let bytes = match self.read(offset, READ_BYTES_MAX, disk) {
                Err(damage @ StorageError::Damaged { .. }) => return Ok(Some(damage)),
                bytes => bytes?,
            };
            checksum.update(&bytes);
            offset += bytes.len() as u64;
        }
        if checksum.value() != self.id.checksum {
            return Err(self.damaged(0, "its chunks are sound, and are not what its header tells of"));
        }
        Ok(None)
    }

    /// The bytes from `offset` on: up to `max_bytes` of them, and not too many in one call. Every chunk is checked.
    pub(crate) fn read(
        &self,
        offset: u64,
        max_bytes: u64,
        disk: &mut impl Disk,
    ) -> Result<Bytes, StorageError> {
        let end = offset.saturating_add(max_bytes.min(READ_BYTES_MAX)).min(self.id.bytes);
        if offset >= end {
            return Ok(Bytes::new());
        }
        let (first, last) = (offset / CHUNK_BYTES, (end - 1) / CHUNK_BYTES);
        let mut pages = vec![0; ((last - first + 1) * PAGE_BYTES) as usize];
        let count = disk.read_at(self.file, chunk_at(first), &mut pages)?;
        let mut bytes = Vec::with_capacity((end - offset) as usize);
        for (number, page) in (first..=last).zip(pages[..count].chunks(PAGE_BYTES as usize)) {
            let unreadable = || self.damaged(number, "a chunk of the snapshot cannot be read");
            let (_, content) = decode_chunk(self.seed, number, page).ok_or_else(unreadable)?;
            let start = number * CHUNK_BYTES;
            let from = offset.saturating_sub(start).min(CHUNK_BYTES) as usize;
            bytes.extend_from_slice(&content[from..(end - start).min(CHUNK_BYTES) as usize]);
        }
        if bytes.len() as u64 != end - offset {
            return Err(self.damaged(offset / CHUNK_BYTES, "the snapshot ends too early"));
        }
        Ok(Bytes::from(bytes))
    }

    fn damaged(&self, chunk: u64, what: &'static str) -> StorageError {
        let (file, position) = (self.name.clone(), Some(self.id.last));
        StorageError::Damaged { file, offset: chunk_at(chunk), position, what }
    }
}

/// Where a chunk stands in its file.
pub(crate) fn chunk_at(number: u64) -> u64 {
    number.saturating_add(HEADERS.len() as u64).saturating_mul(PAGE_BYTES)
}

/// How long the file of a snapshot of so many bytes is, or `None` for numbers that no file has.
pub(crate) fn file_bytes(bytes: u64) -> Option<u64> {
    bytes.div_ceil(CHUNK_BYTES).checked_add(HEADERS.len() as u64)?.checked_mul(PAGE_BYTES)
}

/// Appends the page of a chunk, of which `content` may be the whole or, at the end, a part.
pub(crate) fn encode_chunk(seed: u32, piece: u32, number: u64, content: &[u8], out: &mut Vec<u8>) {
    assert!(content.len() as u64 <= CHUNK_BYTES, "{} bytes are more than a chunk's", content.len());
    let start = out.len();
    out.put_u32_le(0);
    out.put_u32_le(piece);
    out.put_u64_le(number);
    out.extend_from_slice(content);
    out.resize(start + PAGE_BYTES as usize, 0);
    let crc = crc32c::crc32c_append(seed, &out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

/// The piece and the content of chunk `number`, if the page holds that.
pub(crate) fn decode_chunk(seed: u32, number: u64, page: &[u8]) -> Option<(u32, &[u8])> {
    let page = page.get(..PAGE_BYTES as usize)?;
    let (mut head, content) = page.split_at(CHUNK_HEAD_BYTES);
    let (crc, piece, found) = (head.get_u32_le(), head.get_u32_le(), head.get_u64_le());
    (found == number && crc == crc32c::crc32c_append(seed, &page[4..])).then_some((piece, content))
}
