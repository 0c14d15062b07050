//! What a directory holds, piece by piece, each checksum verified. It only reads, and it takes whatever it finds: an
//! operator looks at what recovery refuses, and a simulator wants to know where to strike.

use std::fmt;

use bytes::Bytes;
use squall_disk::{Disk, DiskError};
use squall_raft::LogPosition;

use crate::record::{self, HEADER_BYTES, Kind, RECORD_OVERHEAD_BYTES, Slot};
use crate::segment::{self, Layout, Segment};
use crate::snapshot::{self, CHUNK_BYTES};
use crate::{Identity, PAGE_BYTES, envelope, hard_state, identity, snapshots};

/// A stretch of bytes that has a meaning of its own, and a checksum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// In which file.
    pub file: String,
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
        let file = disk.open(&name)?;
        let length = disk.len(file)?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        let count = disk.read_at(file, 0, &mut bytes)?;
        bytes.truncate(count);
        let file = File { name: &name, bytes: Bytes::from(bytes) };
        if envelope::unfinished(&name).is_some() {
            file.foreign(&mut pieces);
        } else if name == identity::FILE {
            file.copies([0, PAGE_BYTES], Part::Identity, &mut pieces);
        } else if name == hard_state::FILE {
            file.copies([0, PAGE_BYTES], Part::HardState, &mut pieces);
        } else if segment::is_name(&name) {
            file.segment(&mut pieces);
        } else if snapshots::is_name(&name) {
            file.snapshot(&mut pieces);
        } else {
            file.foreign(&mut pieces);
        }
    }
    Ok(pieces)
}

/// A file as it was read.
struct File<'a> {
    name: &'a str,
    bytes: Bytes,
}

impl File<'_> {
    fn page(&self, offset: u64) -> &[u8] {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        &self.bytes[from..self.bytes.len().min(from + PAGE_BYTES as usize)]
    }

    fn piece(&self, offset: u64, bytes: u64, part: Part, is_readable: bool) -> Piece {
        Piece { file: self.name.to_owned(), offset, bytes, part, is_readable }
    }

    fn foreign(&self, pieces: &mut Vec<Piece>) {
        pieces.push(self.piece(0, self.bytes.len() as u64, Part::Foreign, false));
    }

    fn copies(&self, offsets: [u64; 2], part: Part, pieces: &mut Vec<Piece>) {
        for offset in offsets {
            let body = envelope::body(self.page(offset));
            let bytes = body.map_or(PAGE_BYTES, |body| envelope::sealed_bytes(body.len() as u64));
            pieces.push(self.piece(offset, bytes, part, body.is_some()));
        }
    }

    fn segment(&self, pieces: &mut Vec<Piece>) {
        let last = (self.bytes.len() as u64).saturating_sub(PAGE_BYTES);
        self.copies([0, last], Part::SegmentHeader, pieces);
        let header = [0, last].into_iter().find_map(|offset| envelope::body(self.page(offset)));
        let Some(header) = header.and_then(Segment::parse_header) else {
            return self.foreign(pieces);
        };
        if header.layout.file_bytes() != Some(self.bytes.len() as u64) {
            return self.foreign(pieces);
        }
        let walk = Walk { file: self, layout: header.layout, seed: record::seed(header.salt) };
        walk.groups(pieces);
    }

    fn snapshot(&self, pieces: &mut Vec<Piece>) {
        self.copies(snapshot::HEADERS, Part::SnapshotHeader, pieces);
        let header = snapshot::HEADERS.into_iter().find_map(|offset| envelope::body(self.page(offset)));
        let Some(header) = header.and_then(snapshot::Header::parse) else {
            return self.foreign(pieces);
        };
        let seed = record::seed(header.salt);
        for number in 0..header.id.bytes.div_ceil(CHUNK_BYTES) {
            let offset = snapshot::chunk_at(number);
            if offset >= self.bytes.len() as u64 {
                break;
            }
            let is_readable = snapshot::decode_chunk(seed, number, self.page(offset)).is_some();
            pieces.push(self.piece(offset, PAGE_BYTES, Part::SnapshotChunk { number }, is_readable));
        }
    }
}

/// A walk through the groups of a segment.
struct Walk<'a> {
    file: &'a File<'a>,
    layout: Layout,
    seed: u32,
}

impl Walk<'_> {
    fn groups(&self, pieces: &mut Vec<Piece>) {
        let (mut slot_page, mut record_page) = (0, 0);
        while slot_page < self.layout.slot_pages && record_page < self.layout.record_pages {
            let (is_whole, slot_end, offset) = self.group(slot_page, record_page, pieces);
            if is_whole {
                let slots = slot_end - self.layout.slots_at(slot_page);
                let used = Layout::of_group(slots, offset - self.layout.records_at(record_page));
                (slot_page, record_page) = (slot_page + used.slot_pages, record_page + used.record_pages);
                continue;
            }
            let next = self.next_group(slot_page + 1, record_page + 1);
            let end = next.map_or(self.layout.records_at(self.layout.record_pages), |(_, record_page)| {
                self.layout.records_at(record_page)
            });
            pieces.push(self.file.piece(offset, end - offset, Part::Rest, false));
            let Some(next) = next else { return };
            (slot_page, record_page) = next;
        }
    }

    /// The records of the group that begins at these pages, as many as can be told from themselves or from their slots:
    /// whether these are all, and where their slots and they themselves end.
    fn group(&self, slot_page: u64, record_page: u64, pieces: &mut Vec<Piece>) -> (bool, u64, u64) {
        let (mut slot_at, mut record_at) =
            (self.layout.slots_at(slot_page), self.layout.records_at(record_page));
        let mut first: Option<Slot> = None;
        let mut count = 0;
        while slot_at < self.layout.records_at(0) {
            let is_next = |slot: &Slot| {
                let first = first.as_ref().map_or(slot.header, |first| first.header);
                slot.offset == record_at
                    && (slot.header.group, slot.header.count) == (first.group, first.count)
                    && u64::from(slot.header.ordinal) == count
            };
            let record = self.record_at(record_at).filter(is_next);
            let slot = self.slot_at(slot_at).filter(is_next);
            let (has_slot, has_record) = (slot.is_some(), record.is_some());
            let Some(known) = record.or(slot) else { break };
            let (header, named) = (known.header, Named::of(&known));
            let (slot_bytes, record_bytes) = (header.slot_bytes(), header.record_bytes());
            pieces.push(self.file.piece(slot_at, slot_bytes, Part::Slot(named), has_slot));
            pieces.push(self.file.piece(record_at, record_bytes, Part::Record(named), has_record));
            first.get_or_insert(known);
            count += 1;
            slot_at += slot_bytes;
            record_at += record_bytes;
            if count == u64::from(header.count) {
                break;
            }
        }
        (first.is_some_and(|first| count == u64::from(first.header.count)), slot_at, record_at)
    }

    /// The pages of the next group that leaves a first slot or a first record.
    fn next_group(&self, slot_page: u64, record_page: u64) -> Option<(u64, u64)> {
        let begins = |slot: &Slot| slot.header.ordinal == 0;
        let by_slot = (slot_page..self.layout.slot_pages).find_map(|page| {
            let slot = self.slot_at(self.layout.slots_at(page)).filter(begins)?;
            let record_page = slot.offset.checked_sub(self.layout.records_at(0))? / PAGE_BYTES;
            Some((page, record_page))
        });
        by_slot.filter(|(_, found)| *found >= record_page)
    }

    fn slot_at(&self, offset: u64) -> Option<Slot> {
        Slot::decode(self.seed, self.file.bytes.get(usize::try_from(offset).ok()?..)?)
    }

    fn record_at(&self, offset: u64) -> Option<Slot> {
        let from = usize::try_from(offset).ok()?;
        let end = self.layout.records_at(self.layout.record_pages);
        let left = end.checked_sub(offset).filter(|left| *left >= RECORD_OVERHEAD_BYTES)?;
        let header = record::Header::decode(self.file.bytes.get(from..from + HEADER_BYTES as usize)?)?;
        let length = usize::try_from(Some(header.record_bytes()).filter(|bytes| *bytes <= left)?).ok()?;
        let bytes = self.file.bytes.slice(from..from + length);
        let record = record::decode(self.seed, &bytes)?;
        let payload = Bytes::new();
        Some(Slot { header: record.header, offset, record_crc: 0, payload, has_record: true })
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
            Self::SnapshotChunk { number } => write!(f, "chunk {number}"),
            Self::Foreign => f.write_str("no file of a storage's, or one that was not finished"),
        }
    }
}

/// Whose files these are, where the directory can tell; the identity that `open` is to be given.
///
/// # Errors
/// Where the disk fails.
pub fn owner(disk: &mut impl Disk) -> Result<Option<Identity>, DiskError> {
    if !disk.list()?.iter().any(|name| name == identity::FILE) {
        return Ok(None);
    }
    let file = disk.open(identity::FILE)?;
    let mut bytes = vec![0; 2 * PAGE_BYTES as usize];
    let count = disk.read_at(file, 0, &mut bytes)?;
    bytes.truncate(count);
    let file = File { name: identity::FILE, bytes: bytes.into() };
    let body = [0, PAGE_BYTES].into_iter().find_map(|offset| envelope::body(file.page(offset)));
    Ok(body.and_then(Identity::parse))
}
