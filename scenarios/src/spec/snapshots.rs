//! Snapshots and compaction (§7, thesis §5): TakeSnapshot, Compact, InstallSnapshot.
//!
//! What a snapshot stands for is committed. A node that has a whole one, durably, beyond what it knows to be committed
//! keeps its log where that holds the snapshot's last entry, and discards it where it does not; nothing in between.

use squall_raft::{LogIndex, LogPosition, RoleKind, SnapshotId};

use super::model::Model;
use super::rule::Rule;
use crate::membership::Membership;

impl Model {
    /// A life begins: what the newest snapshot stands for is committed, and the log goes on from there.
    pub(super) fn start_from_snapshot(&mut self, snapshot: Option<SnapshotId>, base: LogPosition) {
        let last = snapshot.map_or(LogPosition::ZERO, |snapshot| snapshot.last);
        let known = self.newest_snapshot.map_or(LogPosition::ZERO, |known| known.last);
        // Where the log goes back far enough, one that went bad is done without.
        let least = if self.is_ruined || self.rotted_snapshots.contains(&known.index) {
            LogIndex::ZERO
        } else {
            known.index
        };
        self.require(last.index >= least.max(base.index), Rule::RecoveredSnapshot, |model| {
            format!("{} came back with {snapshot:?} and a log after {base}; it had {known}", model.id)
        });
        self.snapshots.extend(snapshot);
        (self.newest_snapshot, self.to_restore) = (snapshot, snapshot);
        self.lost_snapshot = None;
        self.configuration_is_unknown = false;
        self.known_committed = self.known_committed.max(last.index);
        (self.commit_index, self.committed_before) = (last.index, last.index);
        self.to_reset = None;
        self.forget_configurations();
    }

    /// Of the one that was found bytes are missing: it stands for what it did, and has to come from others.
    pub(super) fn snapshot_lost(&mut self, snapshot: SnapshotId) {
        self.require(self.rotted_snapshots.contains(&snapshot.last.index), Rule::LostSnapshot, |model| {
            format!("{} came back without some of {snapshot}", model.id)
        });
        self.snapshots.remove(&snapshot);
        (self.newest_snapshot, self.to_restore, self.lost_snapshot) = (None, None, Some(snapshot));
        self.offered.insert(snapshot);
    }

    /// What is in force where the snapshot ends is for the snapshot to say.
    fn forget_configurations(&mut self) {
        if let Some(snapshot) = self.to_restore {
            self.configurations.retain(|(index, _)| *index > snapshot.last.index);
            self.configurations.insert(0, (LogIndex::ZERO, Membership::default()));
            self.configuration_is_unknown = true;
        }
    }

    /// The recovered log has been shown: where it does not lead up to the snapshot, it is to be discarded.
    pub(super) fn expect_reset_after_recovery(&mut self) {
        if let Some(snapshot) = self.newest_snapshot.filter(|snapshot| !self.log.holds(snapshot.last)) {
            self.to_reset = Some(snapshot.last);
        }
    }

    /// TakeSnapshot(i).
    pub(super) fn snapshot_taken(&mut self, snapshot: SnapshotId) {
        let last = snapshot.last;
        let real = last.index <= self.last_applied && self.log.agrees_with(last);
        if self.is_witness() && !real {
            // Nothing but where the leader's log begins, which it was told.
            return self.position_taken(snapshot);
        }
        self.require(real, Rule::TookOtherSnapshot, |model| {
            format!("{} took {snapshot}; it has applied up to {}", model.id, model.last_applied)
        });
        self.keep(snapshot);
    }

    /// InstallSnapshot(i), at a witness: the place that the leader named, without data.
    fn position_taken(&mut self, snapshot: SnapshotId) {
        let was_offered = self.offered.iter().any(|offered| offered.last == snapshot.last);
        self.require(was_offered, Rule::TookOtherSnapshot, |model| {
            format!("{}, a witness, took {snapshot}; offered were {:?}", model.id, model.offered)
        });
        self.install(snapshot);
    }

    fn keep(&mut self, snapshot: SnapshotId) {
        self.snapshots.insert(snapshot);
        if self.newest_snapshot.is_none_or(|newest| newest.last.index < snapshot.last.index) {
            self.newest_snapshot = Some(snapshot);
        }
    }

    /// The leader of this term has a snapshot, and offers it.
    pub(super) fn offered_snapshot(&mut self, snapshot: SnapshotId) {
        self.offered.insert(snapshot);
        if self.log.agrees_with(snapshot.last) {
            self.learn_committed(snapshot.last.index);
        }
    }

    fn learn_committed(&mut self, index: LogIndex) {
        self.known_committed = self.known_committed.max(index);
        if self.role != RoleKind::Leader {
            self.matched = self.matched.max(index);
        }
    }

    /// InstallSnapshot(i): it is whole here.
    pub(super) fn snapshot_received(&mut self, snapshot: SnapshotId) {
        self.require(self.offered.contains(&snapshot), Rule::ReceivedUnoffered, |model| {
            format!("{} received {snapshot}", model.id)
        });
        self.install(snapshot);
    }

    fn install(&mut self, snapshot: SnapshotId) {
        self.keep(snapshot);
        let last = snapshot.last;
        if last.index > self.commit_index && !self.log.agrees_with(last) {
            (self.to_reset, self.to_restore, self.lost_snapshot) = (Some(last), Some(snapshot), None);
        } else if self.lacks_state_of(last)
            || (self.repairs.is_lost_up_to(last.index) && self.log.agrees_with(last))
        {
            // Its state takes the place of what was lost.
            self.to_restore = Some(snapshot);
            if self.configuration_is_unknown {
                self.forget_configurations();
            }
            self.forgive_up_to(last.index);
            self.durable_index = self.log.durable_from(last.index.max(self.durable_index), &self.disk);
            self.commit_index = self.commit_index.max(last.index);
            self.lost_snapshot = None;
        } else if self.restores_older_than(last) && self.log.agrees_with(last) {
            // That one may be gone before it is read to its end.
            self.to_restore = Some(snapshot);
            if self.configuration_is_unknown {
                self.forget_configurations();
            }
            self.commit_index = self.commit_index.max(last.index);
        }
        self.learn_committed(last.index);
    }

    /// Whether a snapshot that ends there brings back the state that was lost.
    fn lacks_state_of(&self, last: LogPosition) -> bool {
        self.lost_snapshot.is_some_and(|lost| lost.last.index <= last.index)
    }

    fn restores_older_than(&self, last: LogPosition) -> bool {
        self.to_restore.is_some_and(|restoring| restoring.last.index < last.index)
    }

    pub(super) fn reset(&mut self, base: LogPosition) {
        let asked = self.to_reset.take();
        self.require(!self.log.holds(base), Rule::ResetMatching, |model| {
            format!("{} discarded a log that ends at {} for one after {base}", model.id, model.log.last())
        });
        self.require(asked == Some(base), Rule::ResetUnasked, |model| {
            format!("{} began its log anew after {base}; {asked:?} was to be expected", model.id)
        });
        self.require(self.role == RoleKind::Follower, Rule::ResetInOffice, |model| {
            format!("{} is {:?} of term {}", model.id, model.role, model.current_term)
        });
        self.log.reset(base);
        self.repairs.clear();
        self.configurations.clear();
        self.forget_configurations();
        self.disk.reset(base);
        // The snapshot is durable, and all that it stands for.
        self.durable_index = base.index;
        self.matched = self.matched.max(base.index);
    }

    /// All that an input caused has been shown.
    pub(super) fn check_was_reset(&mut self) {
        let asked = self.to_reset.take();
        self.require(asked.is_none(), Rule::NotReset, |model| {
            format!(
                "{} has a snapshot up to {asked:?}, and a log that ends at {}",
                model.id,
                model.log.last()
            )
        });
    }

    pub(super) fn compacted(&mut self, base: LogPosition) {
        let named = self.newest_snapshot.iter().chain(&self.lost_snapshot);
        let covered = named.into_iter().any(|snapshot| snapshot.last.index >= base.index);
        let restored =
            self.to_restore.or(self.lost_snapshot).map_or(LogIndex::ZERO, |snapshot| snapshot.last.index);
        let is_done = base.index <= self.last_applied.max(restored);
        let real = covered && is_done && self.log.holds(base);
        self.require(real, Rule::CompactedBeyond, |model| {
            let (id, newest, applied) = (model.id, model.newest_snapshot, model.last_applied);
            format!("{id} gave up its entries up to {base}; it has {newest:?} and applied up to {applied}")
        });
        if real && base.index > self.log.base().index {
            self.log.compact(base);
            self.disk.compact(base.index);
        }
    }

    pub(super) fn configuration_restored(
        &mut self,
        snapshot: SnapshotId,
        configuration: (LogIndex, Membership),
    ) {
        let expected = self.to_restore.filter(|_| self.configuration_is_unknown);
        self.require(expected == Some(snapshot), Rule::RestoredOther, |model| {
            format!("{} read who is a member in {snapshot}; {expected:?} was to be expected", model.id)
        });
        self.configuration_is_unknown = false;
        if let Some(first) = self.configurations.first_mut() {
            *first = configuration;
        }
    }

    pub(super) fn restored(&mut self, snapshot: SnapshotId) {
        let expected = self.to_restore.take();
        self.require(expected == Some(snapshot), Rule::RestoredOther, |model| {
            format!("{} restored {snapshot}; {expected:?} was to be expected", model.id)
        });
        self.last_applied = snapshot.last.index;
    }

    pub(super) fn check_has_snapshot(&mut self, snapshot: SnapshotId) {
        let has = self.snapshots.contains(&snapshot) && !self.is_witness();
        self.require(has, Rule::SnapshotNotHere, |model| {
            format!("{} speaks of {snapshot:?}; its newest is {:?}", model.id, model.newest_snapshot)
        });
    }

    /// Who asks for a snapshot tells that what it stands for is committed.
    pub(super) fn was_asked_for_snapshot(&mut self, snapshot: SnapshotId) {
        if self.role != RoleKind::Leader && self.log.agrees_with(snapshot.last) {
            self.known_committed = self.known_committed.max(snapshot.last.index);
        }
    }

    pub(super) fn check_snapshot_request(&mut self, snapshot: SnapshotId) {
        self.require(self.offered.contains(&snapshot), Rule::ReceivedUnoffered, |model| {
            format!("{} asked for {snapshot:?}", model.id)
        });
    }
}
