//! Leader Append-Only (Raft, Figure 3, §5.3): a leader never overwrites or deletes entries in its log.
//!
//! A leader that stepped down within its term is held to it for the entries it created: nobody else can be
//! elected in that term, so nobody can rightly ask for them to go. One that lost the data of entries gives up those that
//! nobody can have committed, before it appends any.

use squall_raft::LogIndex;

use super::shadow::Shadow;
use crate::Violation;

/// `shadow` is about to lose its entries from `from` on.
pub(super) fn check_truncation(shadow: &Shadow, from: LogIndex) -> Result<(), Violation> {
    if shadow.has_lost(from) {
        // What it has but the name of was another leader's; whether it may go is asked elsewhere.
        return Ok(());
    }
    let was_elected = shadow.led == Some(shadow.current_term);
    let loses_own = shadow.last_log().term == shadow.current_term && from <= shadow.last_index();
    if !(shadow.leads(shadow.current_term) || was_elected && loses_own) {
        return Ok(());
    }
    let message = format!(
        "{}, elected in term {}, removed its entries {from} to {}",
        shadow.id,
        shadow.current_term,
        shadow.last_log()
    );
    Err(Violation { class: "LeaderAppendOnly", message })
}

#[cfg(test)]
mod tests {
    use crate::stage::{Cast, commit_on_all, elect, replicate};

    #[test]
    fn a_leader_that_removes_an_entry_is_caught() {
        let mut cast = Cast::of_invariants(3);
        elect(&mut cast, 1);
        assert_eq!(cast.event(1, |n| n.ticks().truncates(1)), Err("LeaderAppendOnly"));
    }

    #[test]
    fn a_former_leader_that_removes_what_it_created_in_the_same_term_is_caught() {
        let mut cast = Cast::of_invariants(3);
        elect(&mut cast, 1);
        assert_eq!(cast.event(1, |n| n.ticks().steps_down()), Ok(()));
        assert_eq!(cast.event(1, |n| n.ticks().truncates(1)), Err("LeaderAppendOnly"));
    }

    #[test]
    fn a_deposed_leader_may_lose_what_was_never_committed() {
        let mut cast = Cast::of_invariants(3);
        elect(&mut cast, 1);
        commit_on_all(&mut cast, 1);
        replicate(&mut cast, 1, &[]);
        elect(&mut cast, 2);
        assert_eq!(cast.event(1, |n| n.receives_entries(2, (1, 1), &[(2, 2)], 1).truncates(2)), Ok(()));
    }
}
