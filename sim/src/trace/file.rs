//! The binary form of a trace, by bincode behind this module alone.
//!
//! ```text
//! magic "squalltr" | version u32 | body length u64 | xxh3 of the body u64 | body        (little-endian)
//! ```
//!
//! Reading trusts nothing: the checksum and the lengths are compared first, a count never allocates more
//! than the file's own length justifies, and the records are hashed again, so that a trace which was read
//! is one that a recorder could have written.

use std::fmt;

use bincode::config::{self, Config};
use bincode::{Decode, Encode};
use xxhash_rust::xxh3::xxh3_64;

use super::{CHECKPOINT_RECORDS, Keep, Recorder, Trace};

/// No larger file is read: some ten million records.
pub const FILE_BYTES_MAX: u64 = 1 << 30;

const MAGIC: [u8; 8] = *b"squalltr";
const VERSION: u32 = 1;
const ENVELOPE_BYTES: usize = 28;
/// One value of the body; only the header's names can be long.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Why some bytes are not a trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceError {
    /// The place in the file, in bytes.
    pub at: u64,
    /// What stands there.
    pub what: String,
    /// What would be right.
    pub expected: String,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a readable trace: at byte {}: {}; expected {}", self.at, self.what, self.expected)
    }
}

impl std::error::Error for TraceError {}

/// The bytes of a trace file.
#[must_use]
pub fn write(trace: &Trace) -> Vec<u8> {
    let mut body = Vec::with_capacity(1024 + trace.records.len() * 32);
    put(&trace.header, &mut body);
    put(&trace.hash, &mut body);
    put(&trace.count, &mut body);
    put_all(&trace.checkpoints, &mut body);
    put_all(&trace.records, &mut body);

    let mut file = Vec::with_capacity(ENVELOPE_BYTES + body.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&(body.len() as u64).to_le_bytes());
    file.extend_from_slice(&xxh3_64(&body).to_le_bytes());
    debug_assert_eq!(file.len(), ENVELOPE_BYTES);
    file.extend_from_slice(&body);
    file
}

/// Reads a trace file.
///
/// # Errors
/// Where the bytes are not a whole, undamaged trace of this version.
pub fn read(file: &[u8]) -> Result<Trace, TraceError> {
    let mut reader = Reader { rest: open_envelope(file)?, file_len: file.len() };
    let trace = Trace {
        header: reader.take("the header")?,
        hash: reader.take("the hash")?,
        count: reader.take("the number of records")?,
        checkpoints: reader.take_all("checkpoints")?,
        records: reader.take_all("records")?,
    };
    if !reader.rest.is_empty() {
        return Err(reader.error(format!("{} more bytes", reader.rest.len()), "the end of the trace"));
    }
    check(&trace).map_err(|what| reader.error(what, "a trace as a recorder writes it"))?;
    Ok(trace)
}

/// Checks everything that stands around the body, and returns the body.
fn open_envelope(file: &[u8]) -> Result<&[u8], TraceError> {
    let refuse = |at, what, expected| Err(TraceError { at, what, expected });
    let file_len = file.len() as u64;
    if file_len > FILE_BYTES_MAX {
        return refuse(0, format!("{file_len} bytes"), format!("at most {FILE_BYTES_MAX}"));
    }
    if file.len() < ENVELOPE_BYTES || file[..8] != MAGIC {
        return refuse(0, "other bytes".into(), "a trace file, which begins with \"squalltr\"".into());
    }
    let version = u32::from_le_bytes(array(&file[8..12]));
    if version != VERSION {
        return refuse(8, format!("version {version}"), format!("version {VERSION}"));
    }
    let body = &file[ENVELOPE_BYTES..];
    let body_len = u64::from_le_bytes(array(&file[12..20]));
    if body_len != body.len() as u64 {
        return refuse(
            12,
            format!("a body of {} bytes", body.len()),
            format!("{body_len}: the file is cut or grown"),
        );
    }
    let checksum = u64::from_le_bytes(array(&file[20..28]));
    if checksum != xxh3_64(body) {
        return refuse(20, "another checksum than the body's".into(), "an undamaged file".into());
    }
    Ok(body)
}

/// Checks what the parts say of each other.
fn check(trace: &Trace) -> Result<(), String> {
    if trace.checkpoints.len() as u64 != trace.count / CHECKPOINT_RECORDS {
        return Err(format!("{} checkpoints for {} records", trace.checkpoints.len(), trace.count));
    }
    if trace.records.is_empty() {
        return Ok(());
    }
    let mut again = Recorder::new(Keep::Hash);
    trace.records.iter().for_each(|record| again.record(*record));
    let again = again.into_trace(trace.header.clone());
    if (again.hash, again.count, &again.checkpoints) != (trace.hash, trace.count, &trace.checkpoints) {
        return Err("records that do not have the hash that is given for them".into());
    }
    Ok(())
}

struct Reader<'a> {
    rest: &'a [u8],
    file_len: usize,
}

impl Reader<'_> {
    fn take<T: Decode<()>>(&mut self, what: &str) -> Result<T, TraceError> {
        let (value, length) = bincode::decode_from_slice(self.rest, format_of_values())
            .map_err(|error| self.error(error.to_string(), what))?;
        self.rest = &self.rest[length..];
        Ok(value)
    }

    /// Reads a count and so many values, each of which takes at least a byte.
    fn take_all<T: Decode<()>>(&mut self, what: &str) -> Result<Vec<T>, TraceError> {
        let count: u64 = self.take(what)?;
        let possible = usize::try_from(count).ok().filter(|count| *count <= self.rest.len());
        let Some(count) = possible else {
            return Err(self.error(format!("{count} {what}"), "no more than the rest of the file can hold"));
        };
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(self.take(what)?);
        }
        Ok(values)
    }

    fn error(&self, what: String, expected: &str) -> TraceError {
        let at = (self.file_len - self.rest.len()) as u64;
        TraceError { at, what, expected: expected.to_owned() }
    }
}

fn put<T: Encode>(value: &T, out: &mut Vec<u8>) {
    bincode::encode_into_std_write(value, out, format_of_values()).expect("writing to memory cannot fail");
}

fn put_all<T: Encode>(values: &[T], out: &mut Vec<u8>) {
    put(&(values.len() as u64), out);
    values.iter().for_each(|value| put(value, out));
}

fn format_of_values() -> impl Config {
    config::standard().with_limit::<VALUE_BYTES_MAX>()
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the caller cut out exactly so many bytes")
}
