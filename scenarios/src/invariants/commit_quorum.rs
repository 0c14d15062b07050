//! Committed means on a quorum (Raft, §5.3, §5.4.2): a leader commits an entry of its own term that a majority
//! was told to be durable, and thereby everything before it; others only learn what a leader committed.
//!
//! And one of those that have it has its data: a witness has not. A majority is one of the configuration in force at the
//! leader, of both its halves while it is joint (§6). Dead nodes count with what was durable when they died, and so do
//! those whose disks have lost of it only the data since: they name it, refuse whoever lacks it their vote, and do not
//! deny it when it is repaired. The check is made once per rise of a commit index, at its new end: Log Matching covers
//! what is below it.

use squall_raft::{LogIndex, Term};

use super::committed::Committed;
use super::shadow::{Link, Shadow};
use crate::Violation;
use crate::membership::{Membership, NodeSet};

const CLASS: &str = "CommittedOnQuorum";

/// The leader at `slot` raised its commit index to `index`.
pub(super) fn check_leader(nodes: &[Shadow], slot: usize, index: LogIndex) -> Result<(), Violation> {
    let leader = &nodes[slot];
    let (id, term) = (leader.id, leader.current_term);
    let Some(link) = leader.link(index) else {
        let message = format!("{id} committed up to {index}; its log ends at {}", leader.last_log());
        return Err(Violation { class: CLASS, message });
    };
    if link.term != term {
        let message =
            format!("{id} leads term {term} and committed {}@{index} by counting copies", link.term);
        return Err(Violation { class: CLASS, message });
    }
    let holds = |node: &&Shadow| node.counts(index, link) && !node.has_lost(index);
    let holders: NodeSet = nodes.iter().filter(holds).map(|node| node.id).collect();
    if !nodes.iter().any(|node| holders.has(node.id) && !node.is_witness) {
        let message = format!("{id} committed {}@{index}; its data is durable nowhere", link.term);
        return Err(Violation { class: "CommittedDataIsKept", message });
    }
    Ok(())
}

/// The last input led the leader at `slot` to raise its commit index to `index`, before or after it entered another
/// configuration than `before`: it goes by the last one in its log (§6), and one input may commit the one and append the next.
pub(super) fn check_quorum(
    nodes: &[Shadow],
    slot: usize,
    index: LogIndex,
    before: Membership,
) -> Result<(), Violation> {
    let leader = &nodes[slot];
    let Some(link) = leader.link(index) else { return Ok(()) };
    let holds = |node: &&Shadow| node.counts(index, link);
    let holders: NodeSet = nodes.iter().filter(holds).map(|node| node.id).collect();
    let membership = leader.membership();
    if membership.has_quorum(holders) || before.has_quorum(holders) {
        return Ok(());
    }
    let id = leader.id;
    let message =
        format!("{id} committed {}@{index}, which is durable on {holders}; {membership}", link.term);
    Err(Violation { class: CLASS, message })
}

/// `node`, which does not lead, believes the entries up to `index` to be committed.
pub(super) fn check_learner(committed: &Committed, node: &Shadow, index: LogIndex) -> Result<(), Violation> {
    let (held, known) = (node.link(index), committed.link(index));
    if held == known && held.is_some() {
        return Ok(());
    }
    let term = |link: Option<Link>| link.map_or(Term::ZERO, |link| link.term);
    let message = match (held, known) {
        (None, _) => format!("{} takes {index} as committed; its log ends at {}", node.id, node.last_log()),
        (Some(_), None) => format!(
            "{} takes {}@{index} as committed; no leader has committed beyond {}",
            node.id,
            term(held),
            committed.last_index()
        ),
        (Some(_), Some(_)) => format!(
            "{} takes its entry {}@{index} as committed; {}@{index} was, after another past or none",
            node.id,
            term(held),
            term(known)
        ),
    };
    Err(Violation { class: CLASS, message })
}

#[cfg(test)]
mod tests {
    use crate::stage::{Cast, elect, replicate};

    #[test]
    fn a_leader_that_commits_on_its_own_copy_alone_is_caught() {
        let mut cast = Cast::of_invariants(3);
        elect(&mut cast, 1);
        assert_eq!(cast.event(1, |n| n.persists().commits(1)), Err("CommittedOnQuorum"));
    }

    #[test]
    fn a_copy_that_is_not_durable_does_not_count() {
        let mut cast = Cast::of_invariants(3);
        elect(&mut cast, 1);
        assert_eq!(cast.event(1, |n| n.persists()), Ok(()));
        assert_eq!(cast.event(2, |n| n.receives_entries(1, (0, 0), &[(1, 1)], 0).appends(1, 1)), Ok(()));
        assert_eq!(cast.event(1, |n| n.receives_acknowledgement(2, 1).commits(1)), Err("CommittedOnQuorum"));
    }

    /// Figure 8: an entry of an earlier term on a majority is not committed by that.
    #[test]
    fn an_entry_of_an_earlier_term_is_not_committed_by_counting() {
        let mut cast = Cast::of_invariants(3);
        elect(&mut cast, 1);
        replicate(&mut cast, 1, &[2, 3]);
        elect(&mut cast, 2);
        assert_eq!(cast.event(2, |n| n.ticks().commits(1)), Err("CommittedOnQuorum"));
    }

    #[test]
    fn a_dead_node_counts_with_what_was_durable() {
        let mut cast = Cast::of_invariants(3);
        elect(&mut cast, 1);
        replicate(&mut cast, 1, &[2]);
        cast.stop(2);
        assert_eq!(cast.event(1, |n| n.receives_acknowledgement(2, 1).commits(1)), Ok(()));
    }

    #[test]
    fn a_node_that_lost_the_data_of_what_was_durable_counts_and_another_that_has_only_the_name_does_not() {
        for was_durable in [true, false] {
            let mut cast = Cast::of_invariants(3);
            elect(&mut cast, 1);
            if was_durable {
                replicate(&mut cast, 1, &[2]);
            } else {
                assert_eq!(cast.event(1, |n| n.persists()), Ok(()));
                let entry = cast.event(2, |n| n.receives_entries(1, (0, 0), &[(1, 1)], 0).appends(1, 1));
                assert_eq!(entry, Ok(()));
            }
            let last = if was_durable { 2 } else { 1 };
            cast.stop(2);
            assert_eq!(cast.event(2, |n| n.starts_lacking(1, &vec![1; last], last as u64)), Ok(()));
            let last = last as u64;
            let commit = cast.event(1, |n| n.receives_acknowledgement(2, last).commits(last));
            assert_eq!(commit, if was_durable { Ok(()) } else { Err("CommittedOnQuorum") });
        }
    }

    #[test]
    fn a_follower_that_commits_what_no_leader_has_is_caught() {
        let mut cast = Cast::of_invariants(3);
        elect(&mut cast, 1);
        let early = cast.event(2, |n| n.receives_entries(1, (0, 0), &[(1, 1)], 0).commits(1).appends(1, 1));
        assert_eq!(early, Err("CommittedOnQuorum"));
    }
}
