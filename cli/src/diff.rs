//! `squall diff`: the first event at which two recorded runs differ.

use std::path::Path;

use squall_sim::trace::{self, Header, Trace};

use crate::args::DiffArguments;
use crate::exit::{Exit, Refusal};
use crate::output;

/// What the trace of a scenario has in the place of a profile.
const FILE: &str = "scenario";

/// Runs the command. As for its namesake, a difference is an exit code of 1.
pub(crate) fn command(arguments: &DiffArguments) -> Result<Exit, Refusal> {
    let (left, right) = (read(&arguments.left)?, read(&arguments.right)?);
    match trace::diff(&left, &right) {
        None => {
            output::print(&format!("the same: {} records, hash {:032x}\n", left.count, left.hash))?;
            Ok(Exit::Held)
        }
        Some(divergence) => {
            let [one, other] = [&left, &right].map(|trace| which_run(&trace.header));
            if one != other {
                output::print(&format!(
                    "these are of {one} and of {other}, which need not agree in anything unless one was written down from the other\n\n"
                ))?;
            }
            output::print(&format!("{}\n", divergence.to_string().trim_end()))?;
            Ok(Exit::Violated)
        }
    }
}

/// Which run a trace is of. The program is no part of that: whether another one runs it alike may be the question.
fn which_run(header: &Header) -> String {
    let Header { program: _, profile, seed } = header;
    if profile == FILE { "a scenario".to_owned() } else { format!("seed {seed} of {profile}") }
}

fn read(path: &Path) -> Result<Trace, Refusal> {
    let bytes = output::load(path, trace::FILE_BYTES_MAX)?;
    let refuse = |what: &str| Refusal::bad_input(format!("{}: {what}", path.display()));
    if bytes.is_empty() {
        return Err(refuse("the file is empty; expected a trace that `squall run --trace` wrote"));
    }
    if bytes.starts_with(b"{") {
        return Err(refuse(
            "this looks like a trace as JSON lines, which is for other tools; diff reads what `squall run --trace FILE` writes to a FILE of another name than `*.jsonl`",
        ));
    }
    trace::read(&bytes).map_err(|error| refuse(&error.to_string()))
}
