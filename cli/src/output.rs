//! Writing to standard output and to files: a reader who went away is not an error, a full disk is.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use serde::Serialize;

use crate::exit::Refusal;

/// Prints a report.
pub(crate) fn print(text: &str) -> Result<(), Refusal> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Refusal::harness(format!("standard output cannot be written: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints one object on one line.
pub(crate) fn print_json(object: &impl Serialize) -> Result<(), Refusal> {
    let mut text = serde_json::to_string(object).expect("our reports have text keys only, so they are JSON");
    text.push('\n');
    print(&text)
}

/// Writes a file that the user asked for.
pub(crate) fn save(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    fs::write(path, bytes)
        .map_err(|error| Refusal::bad_input(format!("{} cannot be written: {error}", path.display())))
}

/// Reads a file that the user named, if it is not larger than what such a file can be.
pub(crate) fn load(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Refusal> {
    let refuse = |what: String| Refusal::bad_input(format!("{} {what}", path.display()));
    let size = fs::metadata(path).map_err(|error| refuse(format!("cannot be read: {error}")))?.len();
    if size > bytes_max {
        return Err(refuse(format!("has {size} bytes; at most {bytes_max} are read")));
    }
    fs::read(path).map_err(|error| refuse(format!("cannot be read: {error}")))
}
