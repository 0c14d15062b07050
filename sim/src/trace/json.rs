//! A trace as JSON lines: one object for the header, then one per record.
//!
//! Hashes and digests are hexadecimal strings, because a number above 2^53 does not survive most readers
//! of JSON. Details appear under the names that their kind gives them.

use std::fmt;

use super::{NO_PROCESS, Record, Trace};

/// Writes the trace, one JSON object per line.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_json_lines(trace: &Trace, out: &mut impl fmt::Write) -> fmt::Result {
    write!(out, "{{\"program\":")?;
    write_string(&trace.header.program, out)?;
    write!(out, ",\"profile\":")?;
    write_string(&trace.header.profile, out)?;
    let (seed, count, hash) = (trace.header.seed, trace.count, trace.hash);
    writeln!(out, ",\"seed\":\"{seed}\",\"records\":{count},\"hash\":\"{hash:032x}\"}}")?;
    trace.records.iter().try_for_each(|record| write_record(record, out))
}

fn write_record(record: &Record, out: &mut impl fmt::Write) -> fmt::Result {
    let Record { step, time_us, process, kind, cause, digest, .. } = *record;
    write!(out, "{{\"step\":{step},\"time_us\":{time_us},\"kind\":\"{kind}\"")?;
    if process != NO_PROCESS {
        write!(out, ",\"process\":{process}")?;
    }
    if cause != 0 {
        write!(out, ",\"cause\":{cause}")?;
    }
    for (name, value) in record.details() {
        write!(out, ",\"{name}\":{value}")?;
    }
    if digest != 0 {
        write!(out, ",\"digest\":\"{digest:016x}\"")?;
    }
    writeln!(out, "}}")
}

/// Writes a JSON string (RFC 8259 §7).
fn write_string(text: &str, out: &mut impl fmt::Write) -> fmt::Result {
    out.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(out, "\\{character}")?,
            control if control < ' ' => write!(out, "\\u{:04x}", u32::from(control))?,
            plain => out.write_char(plain)?,
        }
    }
    out.write_char('"')
}
