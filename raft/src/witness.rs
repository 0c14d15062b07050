//! Witnesses: voters that keep identifiers and configurations, and no data (Pâris, "Voting with witnesses", ICDCS 1986;
//! thesis §11.7.2).
//!
//! A witness votes by its identifiers and acknowledges them, so that of two copies and a witness any one may fail. It
//! never campaigns, applies or serves. Safety asks no more of it: whatever is counted is a majority. But each entry is
//! to be on as many copies as can be had, so a witness counts for a commit only where the others that are within reach
//! are no majority by themselves. What a witness acknowledges says what it is, and what lacks data is none; so nothing is ever
//! counted for a copy that is none, whatever anybody believes of this node.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::progress::Progress;
use crate::role::{Leader, Role};
use crate::{
    Configuration, Entries, Entry, Ignored, LogIndex, LogPosition, Payload, Raft, Round, SnapshotAction,
    SnapshotId,
};

impl Progress {
    /// Whether it keeps data, and gets it in time: it was heard of late, and has what the log held a while ago. One that has
    /// much to catch up with, or whose disk hangs, must not hold the others up.
    fn is_copy_within_reach(&self, heard_since: u64, owed_index: LogIndex) -> bool {
        !self.is_witness && self.heard_at >= heard_since && self.match_index >= owed_index
    }

    /// Whether it keeps none, and answered this leader of late. One that was only just made a member never did.
    fn is_witness_within_reach(&self, heard_since: u64) -> bool {
        self.is_witness && self.heard_at >= heard_since && self.confirmed > Round::default()
    }
}

impl Leader {
    /// Whether the copies that were heard at `heard_since` or later, and keep up, are a majority.
    fn copies_suffice(&self, heard_since: u64) -> bool {
        self.has_quorum(|progress| progress.is_copy_within_reach(heard_since, self.owed_index))
    }

    /// The most, above `floor`, that a majority has acknowledged: of the copies alone, where those within reach are a
    /// majority.
    pub(crate) fn acknowledged_by_quorum(
        &self,
        own: LogIndex,
        floor: LogIndex,
        heard_since: u64,
    ) -> LogIndex {
        let copies_suffice = self.has_witnesses && self.copies_suffice(heard_since);
        self.reached_by_quorum(own, floor, |progress| {
            if copies_suffice && progress.is_witness { LogIndex::ZERO } else { progress.match_index }
        })
    }
}

/// The leader's side.
impl Raft {
    /// A copy may have gone out of reach since the last acknowledgement came: then the witnesses' count.
    pub(crate) fn maybe_count_witnesses(&mut self) {
        if matches!(&self.role, Role::Leader(leader) if leader.has_witnesses) {
            self.maybe_commit(self.log.last_index());
            if let Role::Leader(leader) = &mut self.role {
                leader.replication_due = true;
            }
        }
    }

    /// Up to where a witness may be told of this leader's log. One that is ahead of the surviving copies refuses them its vote,
    /// and never campaigns. So it is told what its word can commit and no more: where the copies within reach are enough,
    /// what a quorum of copies has acknowledged; else what each of them has that may have a vote, and what a quorum has, once
    /// all witnesses within reach have it, too. While a configuration is joint, those of the half that comes have it first:
    /// whoever lacks the entry that puts it in force asks the others alone.
    pub(crate) fn witness_told_up_to(&self, leader: &Leader, witness: &Progress) -> LogIndex {
        if !witness.votes().any() {
            return self.commit_index;
        }
        let heard_since = self.now.saturating_sub(self.config.election_timeout);
        let copies_suffice = leader.copies_suffice(heard_since);
        let comes_first = |progress: &Progress| witness.votes().outgoing && !progress.votes().outgoing;
        let own = self.ledger.durable_index();
        let by_quorum = leader.reached_by_quorum(own, self.commit_index, |progress| {
            if progress.is_witness && copies_suffice {
                LogIndex::ZERO
            } else if progress.is_witness_within_reach(heard_since) && !comes_first(progress) {
                self.log.last_index()
            } else {
                progress.match_index
            }
        });
        if copies_suffice {
            return by_quorum;
        }
        let may_be_in_force = self.configurations.from(self.commit_index);
        let may_vote = |id| may_be_in_force.iter().any(|(_, configuration)| configuration.votes(id).any());
        let copies = leader.followers.iter().filter(|progress| {
            progress.is_copy_within_reach(heard_since, leader.owed_index) && may_vote(progress.id)
        });
        copies.map(|progress| progress.match_index).fold(by_quorum, LogIndex::min)
    }

    /// Up to where this log cannot tell a follower its entries, so that it has to get a snapshot: what was compacted; to a
    /// witness, all up to the first configuration that is known. A life that began with a snapshot has forgotten those
    /// before, though the log may still hold their entries.
    pub(crate) fn untold_up_to(&self, is_witness: bool) -> LogIndex {
        let base = self.log.base().index;
        if is_witness { base.max(self.configurations.first_index()) } else { base }
    }

    /// What a witness is sent from `first` on, and its bytes, up to what fits into a message. All of it is in memory: of
    /// each entry its term, and the configurations whole.
    pub(crate) fn identifiers(&self, first: LogIndex, last: LogIndex) -> (Entries, u64) {
        let mut configurations = self.configurations.from(first).iter().peekable();
        let (mut entries, mut bytes, mut index) = (Vec::new(), 0, first);
        while let Some(term) = self.log.term_at(index).filter(|_| index <= last) {
            while configurations.next_if(|(entry, _)| *entry < index).is_some() {}
            let configuration = configurations.next_if(|(entry, _)| *entry == index);
            let payload = configuration.map_or(Payload::Withheld, |(_, configuration)| {
                Payload::Configuration(Arc::clone(configuration))
            });
            let entry = Entry { term, index, payload };
            if !entries.is_empty() && bytes + entry.size_bytes() > self.config.max_message_bytes {
                break;
            }
            bytes += entry.size_bytes();
            entries.push(entry);
            index = index.next();
        }
        (Entries::from(entries), bytes)
    }
}

/// The witness's side. It has no state machine that could fall behind, and so needs an entry no more once that is
/// committed; what stands for its log's beginning is a snapshot without data.
impl Raft {
    /// Entries up to `limit` are committed, and durable here: there is nothing to be done with them.
    pub(crate) fn pass_over(&mut self, limit: LogIndex) {
        if limit > self.applying && self.snapshots.restoring.is_none() {
            (self.applying, self.last_applied) = (limit, limit);
            self.note_machine_advanced();
            self.log.evict(limit, 0);
        }
    }

    /// Entries up to `up_to` are to go: a snapshot has to stand for them first.
    pub(crate) fn maybe_take_position(&mut self, up_to: LogIndex) {
        let index = up_to.min(self.last_applied);
        let newest = self.snapshots.newest.map_or(LogIndex::ZERO, |newest| newest.last.index);
        let Some(term) = self.log.term_at(index).filter(|_| index > newest) else { return };
        let (entry, configuration) = self.configurations.known_at(index).clone();
        // A node that others added does not know who was a member before they did.
        if !configuration.members().is_empty() {
            // While one is being taken, a later moment is better.
            let _busy = self.take_position(LogPosition { term, index }, entry, configuration);
        }
    }

    /// Has a snapshot without data made of `last`, of this node's log or the leader's.
    pub(crate) fn take_position(
        &mut self,
        last: LogPosition,
        index: LogIndex,
        configuration: Arc<Configuration>,
    ) -> Result<(), Ignored> {
        if self.snapshots.position.is_some() {
            return Err(Ignored::Busy);
        }
        self.snapshots.position = Some(last);
        self.snapshots.actions.push_back(SnapshotAction::TakePosition { last, index, configuration });
        Ok(())
    }

    /// It is durable: the log goes on behind it, or begins anew where it was the leader's.
    pub(crate) fn handle_position_taken(&mut self, snapshot: SnapshotId) {
        self.snapshots.position = None;
        if snapshot.last.index <= self.last_applied && self.log.agrees_with(snapshot.last) {
            self.snapshots.note_newest(snapshot);
        } else {
            self.handle_snapshot_received(snapshot);
        }
    }
}
