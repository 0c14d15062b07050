//! What a directory holds, piece by piece, each checksum verified. It only reads, and it takes whatever it finds: an
//! operator looks at what recovery refuses, and a simulator wants to know where to strike.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use squall_disk::{Disk, DiskError, FileId};
use squall_raft::LogPosition;

use crate::record::{self, HEADER_BYTES, Kind, RECORD_OVERHEAD_BYTES};
use crate::segment::{self, Layout, Segment};
use crate::slot::{BRIEF_BYTES, Brief, Cursor, SLOT_BYTES, Slot};
use crate::snapshot::{self, CHUNK_BYTES};
use crate::storage::is_ours;
use crate::{Identity, PAGE_BYTES, StorageError, envelope, hard_state, identity, snapshots};

/// A stretch of bytes that has a meaning of its own, and a checksum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// In which file.
    pub file: Arc<str>,
    /// Where it begins there.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// What it is, or was.
    pub part: Part,
    /// Whether its checksum holds.
    pub is_readable: bool,
}

/// What a piece is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// A copy of the identity.
    Identity,
    /// A copy of the hard state.
    HardState,
    /// A copy of a segment's header.
    SegmentHeader,
    /// The slot of a record.
    Slot(Named),
    /// A record.
    Record(Named),
    /// From here on, up to the next group that can be read or to the end, neither records nor slots can: nothing was ever
    /// written, or it is damaged.
    Rest,
    /// A copy of a snapshot's header.
    SnapshotHeader,
    /// A chunk of a snapshot.
    SnapshotChunk {
        /// Its place, from 0.
        number: u64,
        /// The last entry that the snapshot stands for.
        last: LogPosition,
    },
    /// A file that is none of a storage's.
    Foreign,
}

/// The name of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Named {
    /// Its place in the log's whole life.
    pub sequence: u64,
    /// Its group's.
    pub group: u64,
    /// The entry that it holds, or what it truncates or resets the log to.
    pub position: LogPosition,
    /// In a word.
    pub kind: &'static str,
    /// The bytes of its payload.
    pub payload_bytes: u32,
}

/// Looks at all files of a directory, in the order of their names.
///
/// # Errors
/// Where the disk fails; damage is none.
pub fn survey(disk: &mut impl Disk) -> Result<Vec<Piece>, DiskError> {
    let mut pieces = Vec::new();
    for name in disk.list()? {
        let mut file = File::open(disk, &name)?;
        if envelope::unfinished(&name).is_some() {
            file.foreign(&mut pieces);
        } else if name == identity::FILE {
            file.copies([0, PAGE_BYTES], Part::Identity, &mut pieces)?;
        } else if name == hard_state::FILE {
            file.copies([0, PAGE_BYTES], Part::HardState, &mut pieces)?;
        } else if segment::is_name(&name) {
            file.segment(&mut pieces)?;
        } else if snapshots::is_name(&name) {
            file.snapshot(&mut pieces)?;
        } else {
            file.foreign(&mut pieces);
        }
    }
    Ok(pieces)
}

/// A file that is read piece by piece: most of a segment may never have been written.
struct File<'a, D> {
    disk: &'a mut D,
    id: FileId,
    name: Arc<str>,
    length: u64,
}

impl<'a, D: Disk> File<'a, D> {
    fn open(disk: &'a mut D, name: &str) -> Result<Self, DiskError> {
        let id = disk.open(name)?;
        let length = disk.len(id)?;
        Ok(Self { disk, id, name: name.into(), length })
    }

    /// So many bytes from `offset` on, as far as the file has them. What is asked for is bounded by the file's length.
    fn read(&mut self, offset: u64, bytes: u64) -> Result<Vec<u8>, DiskError> {
        let bytes = bytes.min(self.length.saturating_sub(offset));
        let mut bytes = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
        let count = self.disk.read_at(self.id, offset, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// The same for few bytes, which stand in `buffer`.
    fn read_into<'b>(&mut self, offset: u64, buffer: &'b mut [u8]) -> Result<&'b [u8], DiskError> {
        let count = self.disk.read_at(self.id, offset, buffer)?;
        Ok(&buffer[..count])
    }

    fn page(&mut self, offset: u64) -> Result<Vec<u8>, DiskError> {
        self.read(offset, PAGE_BYTES)
    }

    fn piece(&self, offset: u64, bytes: u64, part: Part, is_readable: bool) -> Piece {
        Piece { file: Arc::clone(&self.name), offset, bytes, part, is_readable }
    }

    fn foreign(&self, pieces: &mut Vec<Piece>) {
        pieces.push(self.piece(0, self.length, Part::Foreign, false));
    }

    /// Two copies of the same. Returns the first body that can be read.
    fn copies(
        &mut self,
        offsets: [u64; 2],
        part: Part,
        pieces: &mut Vec<Piece>,
    ) -> Result<Option<Vec<u8>>, DiskError> {
        let mut first = None;
        for offset in offsets {
            let page = self.page(offset)?;
            let body = envelope::body(&page);
            let bytes = body.map_or(PAGE_BYTES, |body| envelope::sealed_bytes(body.len() as u64));
            pieces.push(self.piece(offset, bytes, part, body.is_some()));
            first = first.or(body.map(<[u8]>::to_vec));
        }
        Ok(first)
    }

    fn segment(mut self, pieces: &mut Vec<Piece>) -> Result<(), DiskError> {
        let last = self.length.saturating_sub(PAGE_BYTES);
        let header = self.copies([0, last], Part::SegmentHeader, pieces)?;
        let header = header.and_then(|body| Segment::parse_header(&body));
        let is_whole = |header: &segment::Header| header.layout.file_bytes() == Some(self.length);
        let Some(header) = header.filter(is_whole) else {
            self.foreign(pieces);
            return Ok(());
        };
        Walk { file: self, layout: header.layout, seed: record::seed(header.salt) }.groups(pieces)
    }

    fn snapshot(&mut self, pieces: &mut Vec<Piece>) -> Result<(), DiskError> {
        let header = self.copies(snapshot::HEADERS, Part::SnapshotHeader, pieces)?;
        let Some(header) = header.and_then(|body| snapshot::Header::parse(&body)) else {
            self.foreign(pieces);
            return Ok(());
        };
        let seed = record::seed(header.salt);
        for number in 0..header.id.bytes.div_ceil(CHUNK_BYTES) {
            let offset = snapshot::chunk_at(number);
            if offset >= self.length {
                break;
            }
            let is_readable = snapshot::decode_chunk(seed, number, &self.page(offset)?).is_some();
            pieces.push(self.piece(
                offset,
                PAGE_BYTES,
                Part::SnapshotChunk { number, last: header.id.last },
                is_readable,
            ));
        }
        Ok(())
    }
}

/// A walk through the groups of a segment.
struct Walk<'a, D> {
    file: File<'a, D>,
    layout: Layout,
    seed: u32,
}

impl<D: Disk> Walk<'_, D> {
    fn groups(mut self, pieces: &mut Vec<Piece>) -> Result<(), DiskError> {
        let (mut slot_page, mut record_page) = (0, 0);
        while slot_page < self.layout.slot_pages && record_page < self.layout.record_pages {
            let (is_whole, slot_end, offset) = self.group(slot_page, record_page, pieces)?;
            if is_whole {
                let slots = slot_end - self.layout.slots_at(slot_page);
                let used = Layout::of_group(slots, offset - self.layout.records_at(record_page));
                (slot_page, record_page) = (slot_page + used.slot_pages, record_page + used.record_pages);
                continue;
            }
            let read = (offset - self.layout.records_at(record_page)).div_ceil(PAGE_BYTES).max(1);
            let next = self.next_group(slot_page + 1, record_page + read)?;
            let end = next.map_or(self.layout.records_at(self.layout.record_pages), |(_, record_page)| {
                self.layout.records_at(record_page)
            });
            pieces.push(self.file.piece(offset, end - offset, Part::Rest, false));
            let Some(next) = next else { break };
            (slot_page, record_page) = next;
        }
        Ok(())
    }

    /// The records of the group that begins at these pages, as many as can be told from themselves or from their slots:
    /// whether these are all, and where their slots and they themselves end.
    fn group(
        &mut self,
        slot_page: u64,
        record_page: u64,
        pieces: &mut Vec<Piece>,
    ) -> Result<(bool, u64, u64), DiskError> {
        let mut cursor = Cursor::new(self.layout.slots_at(slot_page));
        let mut record_at = self.layout.records_at(record_page);
        let (mut first, mut last) = (None::<Slot>, None::<Slot>);
        let mut count = 0;
        loop {
            let is_next = |slot: &Slot| {
                let first = first.as_ref().map_or(slot.header, |first| first.header);
                slot.offset == record_at
                    && (slot.header.group, slot.header.count) == (first.group, first.count)
                    && u64::from(slot.header.ordinal) == count
            };
            let record = self.record_at(record_at)?.filter(is_next);
            let slot = self.slot_behind(&cursor, last.as_ref())?.filter(is_next);
            let (has_slot, has_record) = (slot.is_some(), record.is_some());
            let Some(known) = record.or(slot) else { break };
            let (header, named) = (known.header, Named::of(&known));
            let mut passed = cursor;
            let slot_at = passed.pass(header.kind, header.position, header.payload_bytes);
            let record_end = record_at.saturating_add(header.record_bytes());
            let records_end = self.layout.records_at(self.layout.record_pages);
            if passed.end() > self.layout.records_at(0) || record_end > records_end {
                break;
            }
            cursor = passed;
            let slot_bytes = slot_at.end - slot_at.start;
            pieces.push(self.file.piece(slot_at.start, slot_bytes, Part::Slot(named), has_slot));
            pieces.push(self.file.piece(record_at, header.record_bytes(), Part::Record(named), has_record));
            record_at = record_end;
            count += 1;
            first.get_or_insert_with(|| known.clone());
            last = Some(known);
            if count == u64::from(header.count) {
                break;
            }
        }
        let is_whole = first.is_some_and(|first| count == u64::from(first.header.count));
        Ok((is_whole, cursor.end(), record_at))
    }

    /// The pages of the next group that leaves a first slot, if its records begin there or later: a slot in another place
    /// than it was written to may tell of any.
    fn next_group(&mut self, slot_page: u64, record_page: u64) -> Result<Option<(u64, u64)>, DiskError> {
        for page in slot_page..self.layout.slot_pages {
            let slot = self.slot_at(self.layout.slots_at(page))?;
            let Some(slot) = slot.filter(|slot| slot.header.ordinal == 0) else { continue };
            let Some(offset) = slot.offset.checked_sub(self.layout.records_at(0)) else { continue };
            let is_possible =
                |(_, found): &(u64, u64)| (record_page..self.layout.record_pages).contains(found);
            return Ok(Some((page, offset / PAGE_BYTES)).filter(is_possible));
        }
        Ok(None)
    }

    /// The slot where `cursor` stands, behind that of `last`.
    fn slot_behind(&mut self, cursor: &Cursor, last: Option<&Slot>) -> Result<Option<Slot>, DiskError> {
        if let (Some(at), Some(last)) = (cursor.brief_at(), last) {
            let mut buffer = [0; BRIEF_BYTES as usize];
            let brief = Brief::decode(self.seed, at, self.file.read_into(at, &mut buffer)?);
            let brief = brief.filter(|brief| brief.group == last.header.group as u32);
            if let Some(header) = brief.and_then(|brief| last.header.following(brief.payload_bytes)) {
                let offset = last.offset + last.header.record_bytes();
                return Ok(Some(Slot { header, offset, record_crc: None, payload: None, has_record: true }));
            }
        }
        let slot = self.slot_at(cursor.full_at())?;
        Ok(slot.filter(|slot| !cursor.is_brief(slot.header.kind, slot.header.position)))
    }

    fn slot_at(&mut self, offset: u64) -> Result<Option<Slot>, DiskError> {
        let mut buffer = [0; SLOT_BYTES as usize];
        let bytes = self.file.read_into(offset, &mut buffer)?;
        let Some(length) = Slot::length(bytes) else { return Ok(None) };
        if length <= SLOT_BYTES {
            return Ok(Slot::decode(self.seed, bytes));
        }
        Ok(Slot::decode(self.seed, &self.file.read(offset, length)?))
    }

    fn record_at(&mut self, offset: u64) -> Result<Option<Slot>, DiskError> {
        let end = self.layout.records_at(self.layout.record_pages);
        let left = end.saturating_sub(offset);
        if left < RECORD_OVERHEAD_BYTES {
            return Ok(None);
        }
        let mut buffer = [0; HEADER_BYTES as usize];
        let Some(header) = record::Header::decode(self.file.read_into(offset, &mut buffer)?) else {
            return Ok(None);
        };
        if header.record_bytes() > left {
            return Ok(None);
        }
        let bytes = Bytes::from(self.file.read(offset, header.record_bytes())?);
        let Some(record) = record::decode(self.seed, &bytes) else { return Ok(None) };
        let header = record.header;
        Ok(Some(Slot { header, offset, record_crc: None, payload: None, has_record: true }))
    }
}

impl Named {
    fn of(slot: &Slot) -> Self {
        let record::Header { sequence, group, position, kind, payload_bytes, .. } = slot.header;
        Self { sequence, group, position, kind: word(kind), payload_bytes }
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Noop => "noop",
        Kind::Command => "command",
        Kind::Configuration => "configuration",
        Kind::Truncate => "truncation",
        Kind::Reset => "reset",
        Kind::Withheld => "withheld",
        Kind::Lost { is_doubtful: false } => "lost",
        Kind::Lost { is_doubtful: true } => "doubtful",
        Kind::Repaired => "repaired command",
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequence, group, position, kind, payload_bytes } = self;
        write!(f, "#{sequence} of group {group}: {position} {kind}")?;
        if *payload_bytes > 0 { write!(f, ", {payload_bytes} bytes") } else { Ok(()) }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity => f.write_str("identity"),
            Self::HardState => f.write_str("hard state"),
            Self::SegmentHeader => f.write_str("header"),
            Self::Slot(named) => write!(f, "slot {named}"),
            Self::Record(named) => write!(f, "record {named}"),
            Self::Rest => f.write_str("nothing that can be read"),
            Self::SnapshotHeader => f.write_str("snapshot header"),
            Self::SnapshotChunk { number, .. } => write!(f, "chunk {number}"),
            Self::Foreign => f.write_str("no file of a storage's, or one that was not finished"),
        }
    }
}

/// Why a node does not start in a directory that has files of these names, and no identity among them.
#[must_use]
pub fn not_formatted(names: Vec<String>) -> StorageError {
    let is_of_a_node = |name: &String| is_ours(envelope::unfinished(name).unwrap_or(name));
    let (ours, others): (Vec<String>, Vec<String>) = names.into_iter().partition(is_of_a_node);
    StorageError::NotFormatted { found: ours.into_iter().next(), foreign: others.into_iter().next() }
}

/// Whose files these are, where the directory can tell; the identity that `open` is to be given.
///
/// # Errors
/// Where the disk fails.
pub fn owner(disk: &mut impl Disk) -> Result<Option<Identity>, DiskError> {
    if !disk.list()?.iter().any(|name| name == identity::FILE) {
        return Ok(None);
    }
    let mut file = File::open(disk, identity::FILE)?;
    let body = file.copies([0, PAGE_BYTES], Part::Identity, &mut Vec::new())?;
    Ok(body.and_then(|body| Identity::parse(&body)))
}
