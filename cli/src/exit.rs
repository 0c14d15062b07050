//! How a command ends: the exit codes that scripts rely on, and the errors that lead to them.

use std::process::ExitCode;

/// The exit codes of every command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// All invariants held (or, for `diff`, the traces are the same; for `zoo`, every bug was caught; for `log`, recovery finds
    /// everything).
    Held,
    /// An invariant was violated (`diff`: the traces differ; `zoo`: a bug escaped; `log`: something is lost, or the node would
    /// not start).
    Violated,
    /// The arguments or a file given are wrong.
    BadInput,
    /// Not vouched for: a run without a verdict or one that does not repeat, what was interrupted before its end, a merge without
    /// all shards, output that cannot be written, a patch of the zoo that does not apply, a data directory that is in use, a required
    /// situation that no run reached.
    Harness,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Held => 0,
            Exit::Violated => 1,
            Exit::BadInput => 2,
            Exit::Harness => 3,
        })
    }
}

/// Why a command could not do what was asked.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) exit: Exit,
    /// One sentence: what, where, what would be right.
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn bad_input(message: impl Into<String>) -> Refusal {
        Refusal { exit: Exit::BadInput, message: message.into() }
    }

    pub(crate) fn harness(message: impl Into<String>) -> Refusal {
        Refusal { exit: Exit::Harness, message: message.into() }
    }
}
