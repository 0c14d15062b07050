//! Checksums made right around what was changed: the format of `squall_storage` once more, as somebody knows it who forges
//! its files.

use core::ops::Range;

use squall_storage::{Part, Piece};

use super::files::Files;

const PAGE_BYTES: usize = 4096;
/// Magic, version and length of what stands twice; a checksum follows the body.
const ENVELOPE_BYTES: usize = 16;
const RECORD_HEADER_BYTES: usize = 48;
/// A full slot: the record's header, where the record stands, its checksum, the slot's own.
const SLOT_BYTES: usize = 64;
const RECORD_CRC_AT: usize = 56;
const SLOT_CRC_AT: usize = 60;
const BRIEF_BYTES: usize = 12;
/// Where the salts stand in the headers of segments and snapshots: behind the envelope, an identity, and five or four words.
const SEGMENT_SALT_AT: usize = ENVELOPE_BYTES + 32 + 5 * 8;
const SNAPSHOT_SALT_AT: usize = ENVELOPE_BYTES + 32 + 4 * 8;

/// Where a piece stands.
pub(super) fn range(piece: &Piece) -> Range<usize> {
    let place = |number: u64| usize::try_from(number).expect("files are short");
    place(piece.offset)..place(piece.offset + piece.bytes)
}

/// Makes the checksum of a piece right, as far as it has one; what a slot says of its record's, too.
pub(super) fn seal(files: &mut Files, piece: &Piece, pieces: &[Piece]) {
    let file = files.bytes(&piece.file);
    let seed = |at: usize| file.get(at..at + 8).map_or(0, crc32c::crc32c);
    let (record_seed, chunk_seed) = (seed(SEGMENT_SALT_AT), seed(SNAPSHOT_SALT_AT));
    let record_crc = record_of(piece, pieces).and_then(|record| word(file, record.end - 4));
    let Range { start, end } = range(piece);
    let Some(bytes) = files.bytes_mut(&piece.file).and_then(|file| file.get_mut(start..)) else { return };
    match piece.part {
        Part::Identity | Part::HardState | Part::SegmentHeader | Part::SnapshotHeader => seal_envelope(bytes),
        Part::Record(_) => seal_record(record_seed, bytes),
        Part::Slot(_) if end - start == BRIEF_BYTES => seal_brief(record_seed, piece.offset, bytes),
        Part::Slot(_) => {
            if let Some(crc) = record_crc {
                put(bytes, RECORD_CRC_AT, crc);
            }
            let payload = bytes.get(SLOT_BYTES..end - start).unwrap_or_default();
            let payload = &payload[..payload.len().min(payload_bytes(bytes))];
            let crc = bytes.get(..SLOT_CRC_AT).map_or(0, |head| crc32c::crc32c_append(record_seed, head));
            let crc = crc32c::crc32c_append(crc, payload);
            put(bytes, SLOT_CRC_AT, crc);
        }
        Part::SnapshotChunk { .. } => {
            let page = bytes.get(4..PAGE_BYTES).unwrap_or_default();
            put(bytes, 0, crc32c::crc32c_append(chunk_seed, page));
        }
        Part::Rest | Part::Foreign => {}
    }
}

/// Where the record of a slot stands.
fn record_of(slot: &Piece, pieces: &[Piece]) -> Option<Range<usize>> {
    let Part::Slot(named) = slot.part else { return None };
    let is_record = |other: &&Piece| other.file == slot.file && other.part == Part::Record(named);
    pieces.iter().find(is_record).map(range)
}

/// What stands on a page in two copies.
fn seal_envelope(bytes: &mut [u8]) {
    let length = word(bytes, 12).map_or(0, |length| length as usize);
    let end = ENVELOPE_BYTES + length.min(PAGE_BYTES);
    let crc = bytes.get(..end).map_or(0, crc32c::crc32c);
    put(bytes, end, crc);
}

/// A record is as long as its header says.
fn seal_record(seed: u32, bytes: &mut [u8]) {
    let end = RECORD_HEADER_BYTES + payload_bytes(bytes);
    let crc = bytes.get(..end).map_or(0, |body| crc32c::crc32c_append(seed, body));
    put(bytes, end, crc);
}

/// The checksum of a brief slot is of its place, too.
fn seal_brief(seed: u32, offset: u64, bytes: &mut [u8]) {
    let mut body = bytes.get(..8).unwrap_or_default().to_vec();
    body.extend_from_slice(&offset.to_le_bytes());
    put(bytes, 8, crc32c::crc32c_append(seed, &body));
}

/// What a header says of the length of its payload.
fn payload_bytes(header: &[u8]) -> usize {
    word(header, 0).map_or(0, |length| length as usize)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().expect("a slice of four bytes")))
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}
