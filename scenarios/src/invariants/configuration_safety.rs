//! Configuration safety (Raft, §6; thesis §4.1): from one configuration to the next no two majorities miss each
//! other, and no leader changes the membership before it knows the change before to be committed.
//!
//! Judged where a leader appends a configuration; that others hold the same one at the same place is Log Matching. A
//! leader knows what is committed by its own term's entries alone (Ongaro, raft-dev 2015): until one of them is, an
//! earlier change that it does not know of may be committed yet.

use super::shadow::Shadow;
use crate::Violation;
use crate::membership::Membership;

const CLASS: &str = "ConfigurationSafety";

/// `leader` appended the configuration `next` at the end of its log.
pub(super) fn check_append(leader: &Shadow, next: Membership) -> Result<(), Violation> {
    let violation = |message| Err(Violation { class: CLASS, message });
    let (id, index, last) = (leader.id, leader.last_index(), leader.membership());
    if leader.membership_index() > leader.commit_index {
        return violation(format!(
            "{id} went on to {next} at {index}; it has not committed {last}, which stands at {}",
            leader.membership_index()
        ));
    }
    let committed = leader.position(leader.commit_index).map(|position| position.term);
    if committed != Some(leader.current_term) {
        return violation(format!(
            "{id} went on to {next} at {index}; it has committed no entry of its term {} yet",
            leader.current_term
        ));
    }
    if !last.always_meets(&next) {
        return violation(format!(
            "{id} went on to {next} at {index}: not every majority of it meets {last}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use squall_raft::NodeId;

    use crate::membership::Membership;
    use crate::stage::{Cast, commit, commit_on_all, elect};

    fn plain(voters: &[u64]) -> Membership {
        Membership::first(&voters.iter().copied().map(NodeId).collect::<Vec<_>>())
    }

    /// Voters n1 n2 n3, and n4, which is none yet; n1 leads, and its entry 1@1 is committed.
    fn n1_committed() -> Cast<super::super::Invariants> {
        let mut cast = Cast::of_invariants_among(4, 3);
        elect(&mut cast, 1);
        commit_on_all(&mut cast, 1);
        cast
    }

    #[test]
    fn a_change_before_an_entry_of_the_own_term_is_committed_is_caught() {
        let mut cast = n1_committed();
        elect(&mut cast, 2);
        let early = cast.event(2, |n| n.configures(2, 3, plain(&[1, 2, 3, 4])));
        assert_eq!(early, Err("ConfigurationSafety"));
    }

    #[test]
    fn a_change_while_another_is_uncommitted_is_caught() {
        let mut cast = n1_committed();
        assert_eq!(cast.event(1, |n| n.configures(1, 2, plain(&[1, 2, 3, 4]))), Ok(()));
        let second = cast.event(1, |n| n.configures(1, 3, plain(&[1, 2, 3])));
        assert_eq!(second, Err("ConfigurationSafety"));
    }

    #[test]
    fn majorities_that_may_miss_each_other_are_caught() {
        let leap = n1_committed().event(1, |n| n.configures(1, 2, plain(&[1, 4])));
        assert_eq!(leap, Err("ConfigurationSafety"));
        let joint = Membership { outgoing: plain(&[1, 2, 3]).voters, ..plain(&[1, 4]) };
        assert_eq!(n1_committed().event(1, |n| n.configures(1, 2, joint)), Ok(()));
    }

    #[test]
    fn an_entry_is_committed_by_the_majorities_of_both_halves() {
        let joint = Membership { outgoing: plain(&[1, 2, 3]).voters, ..plain(&[1, 4]) };
        let acknowledged_by = |follower: u64| {
            let mut cast = n1_committed();
            assert_eq!(cast.event(1, |n| n.configures(1, 2, joint).persists()), Ok(()));
            let stored = cast.event(follower, |n| {
                n.receives_entries(1, (0, 0), &[(1, 1), (1, 2)], 1);
                if follower == 4 {
                    n.appends(1, 1);
                }
                n.configures(1, 2, joint).persists()
            });
            assert_eq!(stored, Ok(()));
            cast
        };
        assert_eq!(acknowledged_by(2).event(1, |n| n.ticks().commits(2)), Err("CommittedOnQuorum"));
        assert_eq!(acknowledged_by(4).event(1, |n| n.ticks().commits(2)), Err("CommittedOnQuorum"));
    }

    #[test]
    fn what_a_truncation_takes_back_is_in_force_no_more() {
        let mut cast = n1_committed();
        assert_eq!(cast.event(1, |n| n.configures(1, 2, plain(&[1, 2, 3, 4]))), Ok(()));
        elect(&mut cast, 2);
        commit(&mut cast, 2, &[1, 3]);
        elect(&mut cast, 1);
        commit(&mut cast, 1, &[2]);
        assert_eq!(cast.event(1, |n| n.configures(3, 4, plain(&[1, 2, 3, 4]))), Ok(()), "once more");
    }
}
