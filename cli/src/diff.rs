//! `squall diff`: the first event at which two recorded runs differ.

use std::path::Path;

use squall_sim::trace::{self, Trace};

use crate::args::DiffArguments;
use crate::exit::{Exit, Refusal};
use crate::output;

/// Runs the command. As for its namesake, a difference is an exit code of 1.
pub(crate) fn command(arguments: &DiffArguments) -> Result<Exit, Refusal> {
    let (left, right) = (read(&arguments.left)?, read(&arguments.right)?);
    match trace::diff(&left, &right) {
        None => {
            output::print(&format!("the same: {} records, hash {:032x}\n", left.count, left.hash))?;
            Ok(Exit::Held)
        }
        Some(divergence) => {
            output::print(&format!("{}\n", divergence.to_string().trim_end()))?;
            Ok(Exit::Violated)
        }
    }
}

fn read(path: &Path) -> Result<Trace, Refusal> {
    let bytes = output::load(path, trace::FILE_BYTES_MAX)?;
    let refuse = |what: &str| Refusal::bad_input(format!("{}: {what}", path.display()));
    if bytes.is_empty() {
        return Err(refuse("the file is empty; expected a trace that `squall run --trace` wrote"));
    }
    trace::read(&bytes).map_err(|error| refuse(&error.to_string()))
}
