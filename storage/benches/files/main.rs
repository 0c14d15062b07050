//! Storage on real files beside the bare system calls: `cargo bench -p squall-storage --bench files`.
//!
//! Everything that is compared runs in this one process, on one file system, in turns; what is shown is the median of the
//! rounds, and of their ratios. Behind `--` may stand which rows to measure (`append-16`, `open-256`). The files stand in the build directory: `CARGO_TARGET_DIR` chooses another disk.

#![expect(clippy::disallowed_types, reason = "a benchmark looks at the clock")]

mod append;
mod bare;
mod log;
mod open;

use std::path::{Path, PathBuf};

fn main() {
    let directory = Scratch::new();
    append::measure(&directory.0);
    open::measure(&directory.0);
}

/// A directory that goes when this does.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("files-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("the build directory can be written to");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether a row is to be measured.
fn is_wanted(row: &str) -> bool {
    let mut named = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).peekable();
    named.peek().is_none() || named.any(|name| name == row)
}

/// The middle one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
