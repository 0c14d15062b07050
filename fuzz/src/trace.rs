//! Trace files: what one program wrote and another reads.
//!
//! Nobody guesses a checksum. So the bytes of a file are changed first, and the checksum around its body is made right
//! afterwards; it is left wrong now and then, too.

use arbitrary::{Arbitrary, Unstructured};
use squall_sim::trace::{self, Header, Keep, Record, RecordKind, Recorder, Trace};
use xxhash_rust::xxh3::xxh3_64;

/// Where the length, the checksum and the body stand in a trace file.
const LENGTH_AT: usize = 12;
const CHECKSUM_AT: usize = 20;
const BODY_AT: usize = 28;

/// A trace file, and what becomes of it.
#[derive(Clone, Debug)]
pub struct TraceFile {
    /// What the file is, before it is changed.
    origin: Origin,
    /// Bytes that are changed: where, from the front of the body or from that of the file, and to what.
    edits: Vec<(u16, u8)>,
    /// Bytes that are cut off from the end.
    cut: u8,
    /// Whether the length and the checksum are made right afterwards.
    is_sealed: bool,
}

#[derive(Clone, Debug)]
enum Origin {
    /// A trace with a body of these bytes.
    Body(Vec<u8>),
    /// One that a recorder wrote.
    Recorded { kept: bool, records: Vec<Record> },
}

impl<'a> Arbitrary<'a> for TraceFile {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let shape: u8 = bytes.arbitrary()?;
        let cut = if shape & 8 == 0 { 0 } else { bytes.arbitrary()? };
        let mut edits = Vec::new();
        for _ in 0..shape >> 4 {
            edits.push(bytes.arbitrary()?);
        }
        let origin = if shape & 1 == 0 {
            Origin::Body(bytes.bytes(bytes.len())?.to_vec())
        } else {
            let (kept, mut records) = (shape & 2 == 0, Vec::new());
            while !bytes.is_empty() {
                records.push(record(bytes)?);
            }
            Origin::Recorded { kept, records }
        };
        Ok(Self { origin, edits, cut, is_sealed: shape & 4 == 0 })
    }
}

fn record(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Record> {
    Ok(Record {
        step: bytes.arbitrary::<u16>()?.into(),
        time_us: bytes.arbitrary()?,
        process: bytes.arbitrary()?,
        kind: *bytes.choose(RecordKind::ALL)?,
        cause: bytes.arbitrary::<u8>()?.into(),
        a: bytes.arbitrary()?,
        b: bytes.arbitrary()?,
        digest: bytes.arbitrary()?,
    })
}

impl TraceFile {
    /// Reads the file.
    ///
    /// # Panics
    /// Where it is taken and is no trace, or refused without a reason.
    pub fn check(&self) {
        let file = self.bytes();
        match trace::read(&file) {
            Err(error) => {
                assert!(error.at <= file.len() as u64, "{error} of {} bytes", file.len());
                assert!(!error.what.is_empty() && !error.expected.is_empty(), "{error}");
            }
            Ok(read) => check_trace(&read),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let (mut file, is_body) = match &self.origin {
            Origin::Body(body) => {
                let mut file = trace::write(&recorded(Keep::Hash, &[]));
                file.truncate(BODY_AT);
                file.extend_from_slice(body);
                (file, true)
            }
            Origin::Recorded { kept, records } => {
                let keep = if *kept { Keep::Records } else { Keep::Hash };
                (trace::write(&recorded(keep, records)), false)
            }
        };
        let front = if is_body && self.is_sealed { BODY_AT } else { 0 };
        file.truncate(file.len().saturating_sub(self.cut.into()).max(BODY_AT));
        for (at, byte) in &self.edits {
            let length = file.len() - front;
            if let Some(place) = file[front..].get_mut(usize::from(*at) % length.max(1)) {
                *place = *byte;
            }
        }
        if self.is_sealed {
            seal(&mut file);
        }
        file
    }
}

fn recorded(keep: Keep, records: &[Record]) -> Trace {
    let mut recorder = Recorder::new(keep);
    records.iter().for_each(|record| recorder.record(*record));
    recorder.into_trace(Header { program: "0".to_owned(), profile: "fuzz".to_owned(), seed: 1 })
}

/// Makes the length and the checksum those of the body.
fn seal(file: &mut [u8]) {
    let (envelope, body) = file.split_at_mut(BODY_AT);
    envelope[LENGTH_AT..CHECKSUM_AT].copy_from_slice(&(body.len() as u64).to_le_bytes());
    envelope[CHECKSUM_AT..].copy_from_slice(&xxh3_64(body).to_le_bytes());
}

/// What was read can be written, read again, searched, compared and exported.
fn check_trace(read: &Trace) {
    assert_eq!(trace::read(&trace::write(read)).as_ref(), Ok(read), "what was read survives being written");
    assert_eq!(trace::diff(read, read), None, "a trace is like itself");
    assert!(read.records.is_empty() || read.has_records(), "records are kept all, or none");
    if let Some(last) = read.records.last() {
        let _ = read.find(last.step);
    }
    let mut lines = String::new();
    trace::write_json_lines(read, &mut lines).expect("a string takes everything");
    assert_eq!(lines.lines().count(), read.records.len() + 1, "a line for the header, and for each record");
}
