//! A copy of a disk is recovered in earnest, as a power loss would leave it now: all that was promised comes out.
//!
//! Term and vote are held against what the node has revealed, the log against what its core takes for durable. Of
//! the entries only the terms are compared here; their bytes are, where they are acknowledged and at each restart.

use squall_raft::{LogIndex, Recovered, Term};
use squall_sim::process::Violation;
use squall_sim::{ProcessId, SimDisk};
use squall_storage::Storage;

use crate::invariants::Invariants;
use crate::server::{Server, node_id};

/// Checks the disk of a server that is up.
pub(crate) fn check(
    id: ProcessId,
    server: &Server,
    disk: &SimDisk,
    invariants: &Invariants,
) -> Result<(), Violation> {
    let setup = server.setup();
    let opened = Storage::open(&mut disk.worst_case_clone(), setup.identity(id), &setup.storage);
    let checked =
        opened.map_err(|error| format!("what does not open: {error}")).and_then(|(_, recovered)| {
            invariants
                .check_hard_state(node_id(id), recovered.hard_state)
                .map_err(|violation| format!("less than was said: {}", violation.message))?;
            let raft = server.replica().raft();
            check_log(&recovered, raft.status().durable_index, |index| raft.term_at(index))
        });
    checked.map_err(|what| Violation {
        class: "RecoveryKeepsPromises",
        message: format!("{id}: a power loss now would leave {what}"),
    })
}

/// Checks the log up to `durable` against the terms of its entries. Terms never fall along a log, so that a run
/// which begins and ends in the right term is right throughout.
fn check_log(
    recovered: &Recovered,
    durable: LogIndex,
    term_at: impl Fn(LogIndex) -> Option<Term>,
) -> Result<(), String> {
    let Recovered { terms, last_index, .. } = recovered;
    if *last_index < durable {
        return Err(format!("a log that ends at {last_index}, where it is durable up to {durable}"));
    }
    let ends = terms.iter().skip(1).map(|run| run.index.prev()).chain([*last_index]);
    for (run, end) in terms.iter().zip(ends).filter(|(run, _)| run.index <= durable) {
        let end = end.min(durable);
        let terms = [term_at(run.index), term_at(end)];
        if terms != [Some(run.term); 2] {
            let index = run.index;
            return Err(format!(
                "entries {index} to {end} of term {}, where they are of {terms:?}",
                run.term
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_raft::LogPosition;

    /// The log of the core: 1@1 1@2 3@3 3@4, of which three entries are durable.
    fn checked(runs: &[(u64, u64)], last_index: u64) -> Result<(), String> {
        let terms = runs.iter().map(|(term, index)| LogPosition::new(*term, *index)).collect();
        let recovered = Recovered { terms, last_index: LogIndex(last_index), ..Recovered::default() };
        let term_at =
            |index: LogIndex| (1..=4).contains(&index.0).then_some(Term(if index.0 < 3 { 1 } else { 3 }));
        check_log(&recovered, LogIndex(3), term_at)
    }

    #[test]
    fn a_log_that_keeps_what_is_durable_is_right_whatever_follows() {
        assert_eq!(checked(&[(1, 1), (3, 3)], 3), Ok(()));
        assert_eq!(checked(&[(1, 1), (3, 3)], 4), Ok(()));
        assert_eq!(
            checked(&[(1, 1), (3, 3), (4, 4)], 9),
            Ok(()),
            "what is not durable may be there, or another"
        );
    }

    #[test]
    fn a_log_that_lost_or_changed_what_is_durable_is_caught() {
        for (runs, last_index, what) in [
            (&[(1, 1)][..], 2, "ends early"),
            (&[(1, 1), (2, 3)], 3, "has another last entry"),
            (&[(1, 1), (2, 2), (3, 3)], 3, "has another entry in the middle"),
            (&[(1, 1), (3, 2)], 3, "begins a term too early"),
            (&[(3, 1)], 3, "has the right last entry only"),
        ] {
            assert!(checked(runs, last_index).is_err(), "a log that {what}");
        }
    }
}
