//! Which program this is: the hash of its file.
//!
//! A version says too little: two builds of one version are two programs, be it for one changed line, another compiler or
//! another switch. The file says all, and perhaps too much: the same sources, built twice, may be two files. A soak that is refused
//! for that has lost less than one that counts the runs of two programs together.

use std::fs;
use std::path::PathBuf;

use xxhash_rust::xxh3::xxh3_128;

use super::state::Hash;
use crate::exit::Refusal;

/// The hash of the file that is running.
pub(super) fn hash() -> Result<Hash, Refusal> {
    let refuse = |error| Refusal::harness(format!("the program's own file cannot be read: {error}"));
    let bytes = path().and_then(fs::read).map_err(refuse)?;
    Ok(Hash(xxh3_128(&bytes)))
}

/// Where that file is. By its name there may be another by now; Linux knows the one that runs.
fn path() -> std::io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() }
}
