//! What the invariants remember of each node: its log as chained hashes, and the few numbers it shows.
//!
//! A shadow believes what the node reports and judges nothing but that a log has no gaps; it outlives crashes,
//! so that a dead node's durable entries still count. It forgets nothing by compaction: what a snapshot stands for is as
//! good as in the log.

use std::collections::BTreeSet;

use squall_raft::{HardState, LogIndex, LogPosition, NodeId, RoleKind, SnapshotId, Status, Term};

use crate::Violation;
use crate::membership::Membership;

/// One entry of a shadow log: its term, and a hash of it and of everything before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Link {
    pub(super) term: Term,
    pub(super) prefix_hash: u64,
}

/// One node, as it has shown itself.
#[derive(Clone, Debug)]
pub(super) struct Shadow {
    pub(super) id: NodeId,
    /// It keeps no data.
    pub(super) is_witness: bool,
    /// A stopped node keeps its log and what was durable, and leads no more.
    pub(super) role: RoleKind,
    pub(super) current_term: Term,
    /// The last term that it led.
    pub(super) led: Option<Term>,
    pub(super) commit_index: LogIndex,
    /// The commit index before the input that is being looked at.
    pub(super) committed_before: LogIndex,
    pub(super) last_applied: LogIndex,
    /// Up to where it was told that its log is durable.
    pub(super) durable_index: LogIndex,
    /// Up to where its log was durable once: what it has lost of that since it still names, and gives up only by proof.
    stood_to: LogIndex,
    /// Its newest whole snapshot.
    pub(super) snapshot: Option<SnapshotId>,
    log: Vec<Link>,
    /// The configuration that the node begins with.
    first: Membership,
    /// The configurations of the log, each with the index of its entry, of what was compacted, too; first the one that
    /// the node begins with, or the cluster.
    configurations: Vec<(LogIndex, Membership)>,
    /// How many recovered entries are still to be shown.
    recovering: u64,
    /// The entries that came without their data, and did not get it back.
    lost: BTreeSet<LogIndex>,
}

impl Link {
    /// The link of an entry that follows this one.
    pub(super) fn then(self, term: Term, payload_hash: u64) -> Self {
        let chained = fold(self.prefix_hash ^ 0x9e37_79b9_7f4a_7c15, term.0 ^ 0xd6e8_feb8_6659_fd93);
        Self { term, prefix_hash: fold(chained ^ payload_hash, 0xa076_1d64_78bd_642f) }
    }
}

/// Multiplies to 128 bits and folds the halves together: each input bit reaches every output bit.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

impl Shadow {
    pub(super) fn new(id: NodeId, first: Membership) -> Self {
        Self {
            id,
            is_witness: false,
            role: RoleKind::Follower,
            current_term: Term::ZERO,
            led: None,
            commit_index: LogIndex::ZERO,
            committed_before: LogIndex::ZERO,
            last_applied: LogIndex::ZERO,
            durable_index: LogIndex::ZERO,
            stood_to: LogIndex::ZERO,
            snapshot: None,
            log: Vec::new(),
            first,
            configurations: vec![(LogIndex::ZERO, first)],
            recovering: 0,
            lost: BTreeSet::new(),
        }
    }

    pub(super) fn last_index(&self) -> LogIndex {
        LogIndex(self.log.len() as u64)
    }

    pub(super) fn last_log(&self) -> LogPosition {
        self.position(self.last_index()).unwrap_or(LogPosition::ZERO)
    }

    /// The entry at `index`; index 0 stands for the beginning of every log.
    pub(super) fn link(&self, index: LogIndex) -> Option<Link> {
        match index.0.checked_sub(1) {
            None => Some(Link::default()),
            Some(place) => self.log.get(usize::try_from(place).ok()?).copied(),
        }
    }

    pub(super) fn position(&self, index: LogIndex) -> Option<LogPosition> {
        self.link(index).map(|link| LogPosition { term: link.term, index })
    }

    pub(super) fn leads(&self, term: Term) -> bool {
        self.role == RoleKind::Leader && self.current_term == term
    }

    /// The node came up with what its storage had kept: a log that begins after `base`, before which there is
    /// `prefix`. Its entries follow.
    pub(super) fn start(
        &mut self,
        hard_state: HardState,
        snapshot: Option<SnapshotId>,
        prefix: &[Link],
        configurations: &[(LogIndex, Membership)],
        last_log: LogPosition,
    ) {
        self.role = RoleKind::Follower;
        self.current_term = hard_state.current_term;
        self.snapshot = snapshot;
        self.commit_index = snapshot.map_or(LogIndex::ZERO, |snapshot| snapshot.last.index);
        // Of the log itself nothing is known to be committed: it may yet be discarded for the snapshot.
        self.committed_before = LogIndex::ZERO;
        self.last_applied = LogIndex::ZERO;
        let stood_to = self.stood_to;
        self.reset(prefix, configurations);
        self.stood_to = self.stood_to.max(stood_to);
        self.recovering = last_log.index.0.saturating_sub(self.last_index().0);
        self.lost.clear();
    }

    /// The log begins anew after `prefix`, for which a durable snapshot stands.
    pub(super) fn reset(&mut self, prefix: &[Link], configurations: &[(LogIndex, Membership)]) {
        self.configurations.clear();
        if prefix.is_empty() {
            self.configurations.push((LogIndex::ZERO, self.first));
        } else {
            self.configurations.extend_from_slice(configurations);
        }
        self.log.clear();
        self.log.extend_from_slice(prefix);
        self.durable_index = self.last_index();
        self.stood_to = self.last_index();
    }

    /// A snapshot is whole and durable.
    pub(super) fn keep(&mut self, snapshot: SnapshotId) {
        if self.snapshot.is_none_or(|newest| newest.last.index < snapshot.last.index) {
            self.snapshot = Some(snapshot);
        }
    }

    /// The first entry that is not that of `prefix`: all that follow are not, either.
    pub(super) fn parts_from(&self, prefix: &[Link]) -> LogIndex {
        let equal = self.log.iter().zip(prefix).take_while(|(own, other)| own == other).count();
        LogIndex(equal as u64 + 1)
    }

    pub(super) fn stop(&mut self) {
        self.role = RoleKind::Follower;
    }

    /// Whether a restarted node has shown the whole log that it recovered.
    pub(super) fn has_recovered(&self) -> bool {
        self.recovering == 0
    }

    pub(super) fn change(&mut self, status: &Status) {
        self.role = status.role;
        self.current_term = status.current_term;
        self.commit_index = status.commit_index;
        if status.role == RoleKind::Leader {
            self.led = Some(status.current_term);
        }
    }

    /// Adds an entry, and returns its link.
    pub(super) fn append(&mut self, position: LogPosition, payload_hash: u64) -> Result<Link, Violation> {
        let last_log = self.last_log();
        if position.index.0 != last_log.index.0 + 1 || position.term < last_log.term {
            let message = format!("{} appended {position} to a log that ends at {last_log}", self.id);
            return Err(Violation { class: "LogContinuity", message });
        }
        let link = self.link(last_log.index).unwrap_or_default().then(position.term, payload_hash);
        self.log.push(link);
        if self.recovering > 0 {
            // What was recovered is durable: storage makes it so before it hands it over. Of what was lost only the name is.
            if self.lost.is_empty() {
                self.durable_index = position.index;
                self.stood_to = self.stood_to.max(position.index);
            }
            self.recovering -= 1;
        }
        Ok(link)
    }

    /// The next entry comes without its data.
    pub(super) fn lose(&mut self, index: LogIndex) {
        self.lost.insert(index);
    }

    /// Whether the log was durable up to this entry, its name is still known, and so it counts for a quorum.
    pub(super) fn counts(&self, index: LogIndex, link: Link) -> bool {
        self.stood_to >= index && self.link(index) == Some(link)
    }

    /// Whether the data of the entry at `index` is lost.
    pub(super) fn has_lost(&self, index: LogIndex) -> bool {
        self.lost.contains(&index)
    }

    /// The data of the entry at `index` has come back.
    pub(super) fn regain(&mut self, index: LogIndex) {
        self.lost.remove(&index);
    }

    pub(super) fn truncate(&mut self, from: LogIndex) {
        let kept = LogIndex(from.0.saturating_sub(1));
        self.log.truncate(usize::try_from(kept.0).unwrap_or(usize::MAX));
        self.durable_index = self.durable_index.min(kept);
        self.stood_to = self.stood_to.min(kept);
        self.configurations.retain(|(index, _)| *index <= kept);
        self.lost.split_off(&from);
    }

    /// The last entry puts this in force.
    pub(super) fn configure(&mut self, membership: Membership) {
        self.configurations.push((self.last_index(), membership));
    }

    pub(super) fn begins_as_member(&self) -> bool {
        self.first.is_voter(self.id)
    }

    pub(super) fn configurations(&self) -> impl Iterator<Item = &(LogIndex, Membership)> {
        self.configurations.iter()
    }

    /// What is in force: the last configuration in the log, committed or not.
    pub(super) fn membership(&self) -> Membership {
        self.configurations.last().map_or_else(Membership::default, |(_, membership)| *membership)
    }

    pub(super) fn membership_index(&self) -> LogIndex {
        self.configurations.last().map_or(LogIndex::ZERO, |(index, _)| *index)
    }

    pub(super) fn configurations_beyond_durable(&self) -> impl Iterator<Item = Membership> {
        let after = self.configurations.partition_point(|(index, _)| *index <= self.durable_index);
        self.configurations[after.saturating_sub(1)..].iter().map(|(_, membership)| *membership)
    }

    /// Those by which an entry at `index` may be committed: the one in force before it, and all that follow.
    pub(super) fn configurations_reaching(&self, index: LogIndex) -> impl Iterator<Item = Membership> {
        let before = self.configurations.partition_point(|(entry, _)| *entry < index);
        self.configurations[before.saturating_sub(1)..].iter().map(|(_, membership)| *membership)
    }

    /// The node was told that its log is durable up to `durable_index`.
    pub(super) fn persist(&mut self, durable_index: LogIndex) -> Result<(), Violation> {
        self.durable_index = durable_index.min(self.last_index());
        self.stood_to = self.stood_to.max(self.durable_index);
        if durable_index > self.last_index() {
            let (id, last_log) = (self.id, self.last_log());
            let message =
                format!("{id} says it is durable up to {durable_index}; its log ends at {last_log}");
            return Err(Violation { class: "LogContinuity", message });
        }
        Ok(())
    }

    /// The node's own word on its log is what it was seen to do.
    pub(super) fn check_status(&self, status: &Status) -> Result<(), Violation> {
        if status.last_log == self.last_log() {
            return Ok(());
        }
        let message = format!(
            "{} says its log ends at {}; it was seen to append and truncate up to {}",
            self.id,
            status.last_log,
            self.last_log()
        );
        Err(Violation { class: "LogContinuity", message })
    }
}
