//! A snapshot stands for what is committed (Raft, §7), and its name says what is in it: whoever takes one at the same
//! entry has the same bytes, so that a follower can draw one snapshot from several nodes.

use std::collections::BTreeMap;

use squall_raft::{LogIndex, LogPosition, NodeId, SnapshotId};

use super::committed::Committed;
use super::shadow::Shadow;
use crate::Violation;
use crate::membership::Membership;

/// Every snapshot that was ever taken, and by whom first.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshots {
    taken: BTreeMap<LogIndex, (SnapshotId, NodeId)>,
}

impl Snapshots {
    /// The node that took the very same snapshot first.
    pub(super) fn taker(&self, snapshot: SnapshotId) -> Option<NodeId> {
        let (known, node) = self.taken.get(&snapshot.last.index)?;
        (*known == snapshot).then_some(*node)
    }

    /// `shadow` has a whole snapshot of its own state, or came back with one. That of a witness holds none.
    pub(super) fn check_own(
        &mut self,
        shadow: &Shadow,
        snapshot: SnapshotId,
        committed: &Committed,
    ) -> Result<(), Violation> {
        let node = shadow.id;
        check_committed(node, snapshot.last, committed)?;
        if shadow.is_witness {
            return Ok(());
        }
        let (known, taker) = *self.taken.entry(snapshot.last.index).or_insert((snapshot, node));
        if known == snapshot {
            return Ok(());
        }
        let message = format!("{node} has {snapshot:?}, where {taker} took {known:?}");
        Err(Violation { class: "SnapshotsDiffer", message })
    }

    /// `node` has received a whole snapshot.
    pub(super) fn check_received(
        &self,
        node: NodeId,
        snapshot: SnapshotId,
        committed: &Committed,
    ) -> Result<(), Violation> {
        if self.taker(snapshot).is_none() {
            let message = format!("{node} received {snapshot:?}, which nobody took");
            return Err(Violation { class: "SnapshotsDiffer", message });
        }
        check_committed(node, snapshot.last, committed)
    }
}

/// `shadow` gives up its entries up to `base`, or begins after it.
pub(super) fn check_given_up(
    shadow: &Shadow,
    base: LogPosition,
    committed: &Committed,
) -> Result<(), Violation> {
    check_committed(shadow.id, base, committed)?;
    let newest = shadow.snapshot.map_or(LogPosition::ZERO, |snapshot| snapshot.last);
    if base.index <= newest.index {
        return Ok(());
    }
    let message =
        format!("{} gave up its entries up to {base}; its newest snapshot is of {newest}", shadow.id);
    Err(Violation { class: "SnapshotSafety", message })
}

/// `node` reads in a snapshot which configuration is in force at its last entry, and the index of its entry.
pub(super) fn check_configuration(
    node: NodeId,
    snapshot: SnapshotId,
    read: (LogIndex, Membership),
    committed: &Committed,
) -> Result<(), Violation> {
    let known = committed.configurations_up_to(snapshot.last.index).last();
    if known == Some(&read) {
        return Ok(());
    }
    let message = format!("{node} read {} since {} in {snapshot:?}; {known:?} is committed", read.1, read.0);
    Err(Violation { class: "SnapshotSafety", message })
}

fn check_committed(node: NodeId, last: LogPosition, committed: &Committed) -> Result<(), Violation> {
    let known = committed.link(last.index).map(|link| link.term);
    if known == Some(last.term) {
        return Ok(());
    }
    let message = format!(
        "{node} has a snapshot of {last}, where term {known:?} is committed, and {} entries in all",
        committed.last_index()
    );
    Err(Violation { class: "SnapshotSafety", message })
}

#[cfg(test)]
mod tests {
    use squall_raft::{LogIndex, LogPosition, NodeId, SnapshotId};

    use crate::invariants::Invariants;
    use crate::membership::Membership;
    use crate::stage::{Cast, commit_on_all, elect};

    fn snapshot(term: u64, index: u64) -> SnapshotId {
        SnapshotId { last: LogPosition::new(term, index), bytes: 9, checksum: 7 }
    }

    /// Three nodes that have committed and applied one entry of term 1, of which n1 has taken a snapshot.
    fn one_taken() -> Cast<Invariants> {
        let mut cast = Cast::of_invariants(3);
        elect(&mut cast, 1);
        commit_on_all(&mut cast, 1);
        for node in [1, 2] {
            assert_eq!(cast.event(node, |n| n.applies(1, 1)), Ok(()));
        }
        assert_eq!(cast.event(1, |n| n.takes_snapshot(snapshot(1, 1))), Ok(()));
        cast
    }

    #[test]
    fn two_snapshots_of_one_entry_with_other_bytes_are_caught() {
        let mut cast = one_taken();
        assert_eq!(cast.event(2, |n| n.takes_snapshot(snapshot(1, 1))), Ok(()));
        let other = SnapshotId { checksum: 8, ..snapshot(1, 1) };
        assert_eq!(cast.event(3, |n| n.takes_snapshot(other)), Err("SnapshotsDiffer"));
    }

    #[test]
    fn a_snapshot_that_nobody_took_is_caught_where_it_is_received() {
        let mut cast = one_taken();
        assert_eq!(cast.event(2, |n| n.receives_snapshot(snapshot(1, 1))), Ok(()));
        let other = SnapshotId { bytes: 8, ..snapshot(1, 1) };
        assert_eq!(cast.event(3, |n| n.receives_snapshot(other)), Err("SnapshotsDiffer"));
    }

    #[test]
    fn a_snapshot_of_what_is_not_committed_is_caught() {
        let mut cast = one_taken();
        assert_eq!(cast.event(2, |n| n.takes_snapshot(snapshot(2, 1))), Err("SnapshotSafety"));
        assert_eq!(cast.event(3, |n| n.takes_snapshot(snapshot(1, 2))), Err("SnapshotSafety"));
    }

    #[test]
    fn a_log_given_up_for_no_snapshot_is_caught() {
        let mut cast = one_taken();
        assert_eq!(cast.event(1, |n| n.ticks().compacts(1, 1)), Ok(()));
        assert_eq!(cast.event(2, |n| n.ticks().compacts(1, 1)), Err("SnapshotSafety"));
    }

    #[test]
    fn a_snapshot_with_another_configuration_is_caught() {
        let mut cast = one_taken();
        assert_eq!(cast.event(3, |n| n.starts_from((1, 1), snapshot(1, 1), &[])), Ok(()));
        let first = Membership::first(&[1, 2, 3].map(NodeId));
        for other in [(LogIndex(1), first), (LogIndex::ZERO, Membership::default())] {
            let read = cast.clone().event(3, |n| n.restores_with(snapshot(1, 1), 1, other));
            assert_eq!(read, Err("SnapshotSafety"));
        }
    }

    #[test]
    fn a_state_machine_put_into_another_state_is_caught() {
        let mut cast = one_taken();
        assert_eq!(cast.event(2, |n| n.restores(snapshot(1, 1), 1)), Err("ProgressNeverFalls"));
        assert_eq!(cast.event(3, |n| n.starts_from((1, 1), snapshot(1, 1), &[])), Ok(()));
        assert_eq!(cast.event(3, |n| n.restores(snapshot(1, 1), 9)), Err("StateMachineSafety"));
    }
}
