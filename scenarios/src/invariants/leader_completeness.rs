//! Leader Completeness (Raft, Figure 3, §5.4): what was committed in a term is in the log of every leader of a
//! higher term.
//!
//! By Log Matching it is enough to look at one entry: the winner of term T holds everything committed below T
//! if it holds, by its identifier, the last entry committed in a term below T. A paused candidate of an old
//! term may still win that term, and owes nothing to what was committed above it. Where an old leader commits
//! while a newer one is in office, the newer one must have it already.

use squall_raft::{LogIndex, LogPosition, RoleKind};

use super::committed::Committed;
use super::shadow::Shadow;
use crate::Violation;

/// `winner` has just been elected, and has not appended anything yet.
pub(super) fn check_election(committed: &Committed, winner: &Shadow) -> Result<(), Violation> {
    let Some(owed) = committed.last_below(winner.current_term) else { return Ok(()) };
    check_holds(winner, owed)
}

/// `leader` has just committed up to `index`: leaders of higher terms hold it.
pub(super) fn check_commit(nodes: &[Shadow], leader: &Shadow, index: LogIndex) -> Result<(), Violation> {
    let Some(owed) = leader.position(index) else { return Ok(()) };
    nodes
        .iter()
        .filter(|node| node.role == RoleKind::Leader && node.current_term > leader.current_term)
        .try_for_each(|newer| check_holds(newer, owed))
}

/// `leader` is about to give up its entries from `from` on, for it lost their data.
pub(super) fn check_discard(committed: &Committed, leader: &Shadow, from: LogIndex) -> Result<(), Violation> {
    let known = committed.link(from).filter(|link| leader.link(from) == Some(*link));
    let Some(link) = known else { return Ok(()) };
    let (id, term) = (leader.id, leader.current_term);
    let message = format!("{id} leads term {term}, and gave up {}@{from}, which is committed", link.term);
    Err(Violation { class: "LeaderCompleteness", message })
}

fn check_holds(leader: &Shadow, owed: LogPosition) -> Result<(), Violation> {
    let held = leader.position(owed.index);
    if held == Some(owed) {
        return Ok(());
    }
    let has = held.map_or_else(|| format!("ends at {}", leader.last_log()), |held| format!("has {held}"));
    let message = format!(
        "{} leads term {}, but its log {has} where {owed} is committed",
        leader.id, leader.current_term
    );
    Err(Violation { class: "LeaderCompleteness", message })
}

#[cfg(test)]
mod tests {
    use crate::stage::{Cast, commit, commit_on_all, elect};

    #[test]
    fn a_winner_without_a_committed_entry_is_caught() {
        let mut cast = Cast::of_invariants(3);
        elect(&mut cast, 1);
        commit(&mut cast, 1, &[2]);
        assert_eq!(cast.event(3, |n| n.ticks().campaigns(2).becomes_leader()), Err("LeaderCompleteness"));
    }

    #[test]
    fn a_winner_with_another_entry_in_its_place_is_caught() {
        let mut cast = Cast::of_invariants(3);
        elect(&mut cast, 1);
        commit(&mut cast, 1, &[2]);
        assert_eq!(cast.event(3, |n| n.receives_entries(1, (0, 0), &[(3, 1)], 0).appends(3, 1)), Ok(()));
        assert_eq!(cast.event(3, |n| n.ticks().campaigns(4).becomes_leader()), Err("LeaderCompleteness"));
    }

    #[test]
    fn a_late_commit_that_a_newer_leader_lacks_is_caught() {
        let mut cast = Cast::of_invariants(5);
        elect(&mut cast, 1);
        for follower in [2, 3] {
            let stored = cast
                .event(follower, |n| n.receives_entries(1, (0, 0), &[(1, 1)], 0).appends(1, 1).persists());
            assert_eq!(stored, Ok(()));
        }
        assert_eq!(cast.event(5, |n| n.ticks().campaigns(2).becomes_leader()), Ok(()));
        assert_eq!(cast.event(1, |n| n.receives_acknowledgement(3, 1).commits(1)), Err("LeaderCompleteness"));
    }

    #[test]
    fn a_winner_with_all_that_was_committed_is_welcome() {
        let mut cast = Cast::of_invariants(3);
        elect(&mut cast, 1);
        commit_on_all(&mut cast, 1);
        elect(&mut cast, 2);
    }
}
