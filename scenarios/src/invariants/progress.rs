//! Term, commit index and last applied never fall within a life, and what is committed is never removed
//! (Raft, Figure 2, "State": "increases monotonically"; §5.3).

use squall_raft::{LogIndex, LogPosition, Status};

use super::shadow::Shadow;
use crate::Violation;

const CLASS: &str = "ProgressNeverFalls";

/// `shadow` is about to show `status`.
pub(super) fn check_change(shadow: &Shadow, status: &Status) -> Result<(), Violation> {
    let fall = |what: &str, from: u64, to: u64| {
        let message = format!("the {what} of {} fell from {from} to {to}", shadow.id);
        Err(Violation { class: CLASS, message })
    };
    if status.current_term < shadow.current_term {
        return fall("term", shadow.current_term.0, status.current_term.0);
    }
    if status.commit_index < shadow.commit_index {
        return fall("commit index", shadow.commit_index.0, status.commit_index.0);
    }
    Ok(())
}

/// `shadow` is about to lose its entries from `from` on. The message that removes them may also tell that their
/// successors are committed: what counts is what was committed before.
pub(super) fn check_truncation(shadow: &Shadow, from: LogIndex) -> Result<(), Violation> {
    let committed = shadow.committed_before;
    if from > committed {
        return Ok(());
    }
    let message = format!("{} removed its entries from {from} on, committed up to {committed}", shadow.id);
    Err(Violation { class: CLASS, message })
}

/// `shadow` has put its state machine into the state after `position`.
pub(super) fn check_restored(shadow: &Shadow, position: LogPosition) -> Result<(), Violation> {
    if position.index > shadow.last_applied {
        return Ok(());
    }
    let message = format!("{} restored {position} after it had applied {}", shadow.id, shadow.last_applied);
    Err(Violation { class: CLASS, message })
}

/// `shadow` has applied `position`.
pub(super) fn check_apply(shadow: &Shadow, position: LogPosition) -> Result<(), Violation> {
    let id = shadow.id;
    let message = if position.index.0 != shadow.last_applied.0 + 1 {
        format!("{id} applied {position} after index {}", shadow.last_applied)
    } else if position.index > shadow.commit_index {
        format!("{id} applied {position}, committed up to {}", shadow.commit_index)
    } else if shadow.position(position.index) != Some(position) {
        format!("{id} applied {position}, which is not in its log")
    } else {
        return Ok(());
    };
    Err(Violation { class: CLASS, message })
}

#[cfg(test)]
mod tests {
    use crate::stage::{Cast, commit_on_all, elect};

    fn with_one_entry_committed() -> Cast<super::super::Invariants> {
        let mut cast = Cast::of_invariants(3);
        elect(&mut cast, 1);
        commit_on_all(&mut cast, 1);
        cast
    }

    #[test]
    fn a_commit_index_that_falls_is_caught() {
        assert_eq!(with_one_entry_committed().event(2, |n| n.ticks().commits(0)), Err("ProgressNeverFalls"));
    }

    #[test]
    fn a_term_that_falls_is_caught() {
        assert_eq!(with_one_entry_committed().event(2, |n| n.ticks().adopts(0)), Err("ProgressNeverFalls"));
    }

    #[test]
    fn a_committed_entry_that_is_removed_is_caught() {
        let removed =
            with_one_entry_committed().event(2, |n| n.receives_entries(3, (0, 0), &[], 0).truncates(1));
        assert_eq!(removed, Err("ProgressNeverFalls"));
    }

    #[test]
    fn an_apply_out_of_order_or_beyond_the_commit_index_is_caught() {
        assert_eq!(with_one_entry_committed().event(2, |n| n.applies(1, 2)), Err("ProgressNeverFalls"));
        let mut cast = with_one_entry_committed();
        assert_eq!(cast.event(2, |n| n.applies(1, 1)), Ok(()));
        assert_eq!(cast.event(2, |n| n.applies(1, 1)), Err("ProgressNeverFalls"));
    }

    #[test]
    fn a_restarted_node_begins_again() {
        let mut cast = with_one_entry_committed();
        assert_eq!(cast.event(2, |n| n.applies(1, 1)), Ok(()));
        cast.stop(2);
        assert_eq!(cast.event(2, |n| n.starts(1, Some(1), &[1])), Ok(()));
    }
}
