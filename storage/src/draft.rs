//! A snapshot in the making: this replica's own, or one that is received.
//!
//! It grows by *pieces*: each is one write and one sync, so that others who wait for the disk never wait for long. Only
//! whole chunks are written; what does not fill one waits for the next piece. At the end come the last chunk and the
//! header, one sync more, and the name: whoever finds a file under a snapshot's name finds all of it.
//!
//! One that is received outlives a restart, and says from its first moment on what it is to be. After a failed
//! sync its last piece may stand in a page cache only, and never reach the disk; but a piece is begun only when the one
//! before is durable. So a restart writes the last piece anew, and cuts off what is behind it.

use squall_disk::{Disk, FileId};
use squall_raft::SnapshotId;

use crate::snapshot::{CHUNK_BYTES, Checksum, Header, Snapshot, chunk_at, decode_chunk, encode_chunk};
use crate::window::Window;
use crate::{Identity, PAGE_BYTES, StorageError, record};

/// A snapshot file that grows.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    file: FileId,
    pub(crate) name: String,
    /// Of one that is received all is known, of an own one the last entry only.
    pub(crate) header: Header,
    seed: u32,
    checksum: Checksum,
    /// The number of the last piece.
    piece: u32,
    /// How many chunks are durable.
    chunks: u64,
    /// The beginning of the next chunk.
    rest: Vec<u8>,
}

/// How far a file goes.
#[derive(Default)]
struct Progress {
    chunks: u64,
    checksum: Checksum,
}

impl Draft {
    /// Begins a file of this name.
    pub(crate) fn create(disk: &mut impl Disk, name: String, header: Header) -> Result<Self, StorageError> {
        let file = disk.create(&name)?;
        Ok(Self::new(file, name, header, Progress::default(), 0))
    }

    fn new(file: FileId, name: String, header: Header, progress: Progress, piece: u32) -> Self {
        let (Progress { chunks, checksum }, seed) = (progress, record::seed(header.salt));
        Self { file, name, header, seed, checksum, piece, chunks, rest: Vec::new() }
    }

    /// Says, durably, what it is to be.
    pub(crate) fn announce(&self, disk: &mut impl Disk, identity: Identity) -> Result<(), StorageError> {
        self.header.write(disk, identity, self.file)?;
        disk.sync(self.file)?;
        Ok(disk.sync_dir()?)
    }

    /// Goes on with a file that an earlier life began. `None` where it got nowhere, or what it had is lost.
    pub(crate) fn resume(
        disk: &mut impl Disk,
        identity: Identity,
        name: &str,
    ) -> Result<Option<Self>, StorageError> {
        let file = disk.open(name)?;
        disk.sync(file)?;
        let header = match Header::read(disk, identity, file, name) {
            Err(StorageError::Damaged { .. } | StorageError::UnknownVersion { .. }) => return Ok(None),
            header => header?,
        };
        let (end, seed) = (disk.len(file)?, record::seed(header.salt));
        let mut window = Window::default();
        let (mut progress, mut last_piece, mut last_piece_at) = (Progress::default(), 0, chunk_at(0));
        // Something is left to receive: who has it all makes it a whole snapshot then.
        for number in 0..header.id.bytes.saturating_sub(1) / CHUNK_BYTES {
            let at = chunk_at(number);
            if at >= end {
                break;
            }
            let page = window.get(disk, file, at, PAGE_BYTES, end)?;
            let Some((piece, content)) = decode_chunk(seed, number, page) else { break };
            if piece != last_piece {
                (last_piece, last_piece_at) = (piece, at);
            }
            progress.checksum.update(content);
            progress.chunks += 1;
        }
        if progress.chunks == 0 {
            return Ok(None);
        }
        let (mut at, end) = (last_piece_at, chunk_at(progress.chunks));
        while at < end {
            let bytes = window.get(disk, file, at, PAGE_BYTES, end)?;
            disk.write_at(file, at, bytes)?;
            at += bytes.len() as u64;
        }
        disk.set_len(file, end)?;
        disk.sync(file)?;
        Ok(Some(Self::new(file, name.to_owned(), header, progress, last_piece)))
    }

    /// What it has of the snapshot.
    pub(crate) fn id(&self) -> SnapshotId {
        SnapshotId { last: self.header.id.last, bytes: self.bytes(), checksum: self.checksum.value() }
    }

    /// How many bytes it has of the snapshot.
    pub(crate) fn bytes(&self) -> u64 {
        self.durable_bytes() + self.rest.len() as u64
    }

    /// How many bytes no restart takes away.
    pub(crate) fn durable_bytes(&self) -> u64 {
        self.chunks * CHUNK_BYTES
    }

    /// Appends a piece.
    pub(crate) fn append(&mut self, bytes: &[u8], disk: &mut impl Disk) -> Result<(), StorageError> {
        self.checksum.update(bytes);
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() - self.rest.len() % CHUNK_BYTES as usize;
        if whole > 0 {
            self.write(whole, disk)?;
            disk.sync(self.file)?;
        }
        Ok(())
    }

    /// Writes the first bytes that wait as a piece of its own.
    fn write(&mut self, bytes: usize, disk: &mut impl Disk) -> Result<(), StorageError> {
        // That neighbours differ is all that counts.
        self.piece = self.piece.wrapping_add(1);
        let mut pages = Vec::with_capacity(bytes.div_ceil(CHUNK_BYTES as usize) * PAGE_BYTES as usize);
        let begin = self.chunks;
        for content in self.rest[..bytes].chunks(CHUNK_BYTES as usize) {
            encode_chunk(self.seed, self.piece, self.chunks, content, &mut pages);
            self.chunks += 1;
        }
        self.rest.drain(..bytes);
        Ok(disk.write_at(self.file, chunk_at(begin), &pages)?)
    }

    /// Makes it a whole snapshot of this name, durably.
    pub(crate) fn finish(
        mut self,
        disk: &mut impl Disk,
        identity: Identity,
        name: String,
    ) -> Result<Snapshot, StorageError> {
        let header = Header { id: self.id(), salt: self.header.salt };
        if !self.rest.is_empty() {
            self.write(self.rest.len(), disk)?;
        }
        header.write(disk, identity, self.file)?;
        disk.sync(self.file)?;
        disk.rename(&self.name, &name)?;
        disk.sync_dir()?;
        Ok(Snapshot { file: self.file, name, id: header.id, seed: self.seed })
    }
}
