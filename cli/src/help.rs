//! What stands behind the options in the help of a command: what it is for in more than one line, and its exit codes.
//!
//! The options themselves are explained where they are declared, in `args.rs`.

/// The exit codes, for whoever asks for help.
pub(crate) const CODES: &str = "\
Exit codes: 0 all held; 1 an invariant was violated; 2 bad arguments or input; 3 nobody can vouch for it: an interrupt before the \
end, no verdict, a run that does not repeat, output that cannot be written. Where a command gives them another sense, its own help \
says so.";

/// Help is not printed wider, however wide the terminal is.
pub(crate) const WIDTH_MAX: usize = 110;

/// Behind the help of a command that has no exit codes of its own.
pub(crate) const CODES_AS_EVER: &str = "Exit codes: see `squall --help`.";

pub(crate) const SOAK: &str = "\
What is known is in a small state file, which the program that began it goes on with, and no other. It ends with each kind of \
failure shrunk, and a report. See docs/soaking.md.

Exit codes: 0 all held; 1 an invariant was violated, now or before; 2 bad arguments, or a state that is not this soak's; 3 no \
verdict, or an interrupt before the end that --time or --seeds asked for.";

pub(crate) const MERGE: &str = "\
Exit codes: 0 all held, and no shard is missing; 1 an invariant was violated; 2 states that do not belong together; 3 no verdict, \
or all held but a shard is missing.";

pub(crate) const REPLAY: &str = "\
Exit codes: those of the run's own verdict, whatever the scenario expects; where it expects another, a note says so. See \
`squall --help`.";

pub(crate) const SHRINK_USAGE: &str = "\
squall shrink [OPTIONS] --seed <S>
       squall shrink [OPTIONS] <FILE.scn>";

pub(crate) const SHRINK: &str = "\
Exit codes: 0 it was shrunk, completely or not; 2 bad arguments, or nothing that fails; 3 it does not fail again, or cannot be \
written.";

pub(crate) const DIFF: &str = "\
Exit codes: 0 the same; 1 they differ, or are of different runs; 2 a file is no trace.";

pub(crate) const LOG: &str = "\
Each record is shown, with its checksum verified. Nothing is ever written. While a running process uses the directory, pieces that \
are being written may look damaged, and nothing is said of recovery: stop the process first, or look at a copy.

Exit codes: 0 recovery finds everything; 1 something is lost, or the node would not start; 2 the directory is none of a node's; \
3 it is in use.";

pub(crate) const EXPLORE: &str = "\
The nodes run the real core, and the shortest way to a violation becomes a scenario. Covered: messages that arrive in any order, or \
never; campaigns, proposals, changes of membership, heartbeats; writes that are done late; power failures that leave any number of \
the writes under way done. Not covered: time (pre-votes, the check of the quorum, leases, reads), snapshots, damaged disks. See \
docs/exploration.md.

Exit codes: 0 complete, nothing violated; 1 violated; 2 bad arguments; 3 stopped before it was complete.";

pub(crate) const ZOO: &str = "\
It must be started in a checkout of the sources, and builds them with cargo, below target/zoo: first without a bug, which takes \
minutes the first time, then with each, which takes some ten seconds and more. All bugs with the default budget take hours; \
--only L1,V1 takes minutes. What became of a bug is kept in target/zoo/records, for --resume. --list says which bugs there are, \
docs/bug-zoo.md what they are made of.

Exit codes: 0 every bug was caught; 1 one escaped; 2 bad arguments, or no checkout; 3 a bug could not be tried, or an interrupt came.";
