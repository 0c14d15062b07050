//! Log compaction and snapshots (§7; thesis §5): what stands for the log's beginning, and how a follower gets it.
//!
//! The core decides; the bytes go past it, from the driver's storage to the network and back. A leader only *offers* a
//! snapshot to a follower whose next entry was compacted; the follower draws it part by part (`receiving.rs`), from
//! the leader and from whoever else has the very same one.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::leader::STUCK_TIMEOUTS;
use crate::progress::{Mode, Progress};
use crate::receiving::Receiving;
use crate::role::{Follower, Role};
use crate::{
    Body, Config, ConfigError, Configuration, Ignored, InstallSnapshot, LogIndex, LogPosition, Member,
    NodeId, Raft, Recovered, SnapshotAction, SnapshotChunk, SnapshotId, SnapshotRequest, Term,
};

/// No snapshot is of a later entry: there is room behind it for all that a log will ever hold.
const INDEX_MAX: LogIndex = LogIndex(1 << 62);

/// Parts that wait to be read for others, at most: more than all members together ask for at one time.
const READS_MAX: usize = 1024;

/// What a replica knows of snapshots.
///
/// Invariant: where the log's base is not 0, `newest` stands for at least all up to it, or the one that is lost does.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Snapshots {
    /// The newest that is whole and durable here.
    pub(crate) newest: Option<SnapshotId>,
    /// The one that the state machine is being put into.
    pub(crate) restoring: Option<SnapshotId>,
    /// It has yet to say which configuration is in force at its last entry.
    pub(crate) configuration_is_unknown: bool,
    /// Its bytes are damaged here: it, or a newer one, has to come from another node first.
    is_lost: bool,
    /// Who may have what this node lacks, where no leader is heard: whoever said so, or last asked for its vote.
    source: Option<NodeId>,
    /// The one that is on its way here.
    receiving: Option<Receiving>,
    /// Of which one the driver keeps how many first bytes, once it has done what was asked for.
    kept: Option<(SnapshotId, u64)>,
    /// Parts that are being read for others.
    reads: Vec<Reading>,
    /// At a witness, the one without data that was asked for.
    pub(crate) position: Option<LogPosition>,
    pub(crate) actions: VecDeque<SnapshotAction>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Reading {
    to: NodeId,
    snapshot: SnapshotId,
    offset: u64,
    max_bytes: u64,
}

impl Snapshots {
    pub(crate) fn new(kept: Option<(SnapshotId, u64)>) -> Self {
        Self { kept: kept.filter(|(snapshot, bytes)| *bytes < snapshot.bytes), ..Self::default() }
    }

    pub(crate) fn receiving(&self) -> Option<(SnapshotId, u64)> {
        self.receiving.as_ref().map(|receiving| (receiving.snapshot, receiving.stored))
    }

    /// How many first bytes of it are here.
    fn kept_of(&self, snapshot: SnapshotId) -> u64 {
        self.kept.filter(|(id, _)| *id == snapshot).map_or(0, |(_, bytes)| bytes)
    }

    pub(crate) fn lost(&self) -> Option<SnapshotId> {
        self.restoring.filter(|_| self.is_lost)
    }

    pub(crate) fn note_newest(&mut self, snapshot: SnapshotId) {
        if self.newest.is_none_or(|newest| newest.last.index < snapshot.last.index) {
            self.newest = Some(snapshot);
        }
    }
}

/// Taking one, and what it makes superfluous.
impl Raft {
    /// A life begins where the newest snapshot ends; the log goes on from there, where it comes so far and agrees.
    /// Else a crash came between the snapshot and the log's new beginning, and that is made up for.
    ///
    /// Of one that is lost the name counts: what it stands for is committed, and was acknowledged here perhaps. It is drawn
    /// from others; until it is here, nothing is applied, and this node does not know who is a member, and so does not
    /// campaign.
    pub(crate) fn recover_snapshot(&mut self, recovered: &Recovered) -> Result<(), ConfigError> {
        let base = self.log.base();
        let snapshot = recovered.lost_snapshot.or(recovered.snapshot);
        let Some(snapshot) = snapshot.filter(|snapshot| snapshot.last.index >= base.index) else {
            if base.index == LogIndex::ZERO {
                return Ok(());
            }
            let expected = "0, where no snapshot stands for the entries up to there";
            return Err(ConfigError { field: "recovered.base", value: base.index.0, expected });
        };
        if !(LogIndex(1)..=INDEX_MAX).contains(&snapshot.last.index) {
            let (field, expected) = ("recovered.snapshot", "one of an entry from 1 to 2^62");
            return Err(ConfigError { field, value: snapshot.last.index.0, expected });
        }
        if self.config.is_witness() && recovered.lost_snapshot.is_some() {
            let (field, expected) =
                ("recovered.lost_snapshot", "none: a witness's holds nothing that others have");
            return Err(ConfigError { field, value: snapshot.last.index.0, expected });
        }
        if !self.log.contains(snapshot.last) {
            self.begin_log_anew(snapshot.last);
        }
        self.forgive_up_to(snapshot.last.index);
        self.await_state(snapshot);
        self.forget_configurations(snapshot.last.index);
        if recovered.lost_snapshot.is_some() {
            self.snapshots.is_lost = true;
            self.begin_repairing(snapshot);
        } else {
            self.snapshots.newest = Some(snapshot);
            self.snapshots.actions.push_back(SnapshotAction::Restore(snapshot));
        }
        Ok(())
    }

    pub(crate) fn handle_snapshot_taken(&mut self, snapshot: SnapshotId) {
        if self.config.is_witness() {
            return self.handle_position_taken(snapshot);
        }
        let last = snapshot.last;
        assert!(
            last.index <= self.last_applied,
            "{snapshot} was taken, but {} is the last that was applied",
            self.last_applied
        );
        let term = self.log.term_at(last.index);
        assert!(term.is_none_or(|term| term == last.term), "{snapshot} was taken of {term:?}");
        self.snapshots.note_newest(snapshot);
    }

    /// Never goes beyond what a snapshot stands for, nor beyond what the state machine has yet to be given.
    pub(crate) fn handle_compact(&mut self, up_to: LogIndex) {
        if self.config.is_witness() {
            self.maybe_take_position(up_to);
        }
        let Some(newest) = self.snapshots.newest else { return };
        // A snapshot that was received may be ahead of what is durable of the log.
        let to = up_to.min(newest.last.index).min(self.last_applied).min(self.ledger.named_index());
        if to <= self.log.base().index {
            return;
        }
        self.log.compact(to);
        self.configurations.compact(to);
        self.ledger.compacted(self.log.base());
        if let Role::Leader(leader) = &mut self.role {
            leader.replication_due = true;
        }
    }
}

/// The leader's side: offering.
impl Raft {
    /// Offers a snapshot, unless an offer is under way or taken up. The same one is offered for as long as the log goes
    /// on from where it ends.
    pub(crate) fn offer_snapshot(&mut self, position: usize) {
        let (newest, now) = (self.snapshots.newest, self.now);
        let Role::Leader(leader) = &self.role else { return };
        let untold_up_to = self.untold_up_to(leader.followers[position].is_witness);
        let Role::Leader(leader) = &mut self.role else { return };
        let progress = &mut leader.followers[position];
        if progress.next_index <= untold_up_to {
            let newest = newest.expect("a snapshot stands for what was compacted");
            progress.become_snapshot(newest, now);
        }
        let Mode::Snapshot(offer) = &mut progress.mode else { return };
        if !core::mem::replace(&mut offer.sent, true) {
            let (to, session, snapshot) = (progress.id, progress.session, offer.snapshot);
            let in_force = progress.is_witness.then(|| self.configurations.known_at(snapshot.last.index));
            let in_force = in_force.map(|(index, configuration)| (*index, Arc::clone(configuration)));
            self.send(to, Body::InstallSnapshot(InstallSnapshot { session, snapshot, in_force }));
        }
    }

    /// Whether a follower gets on with a snapshot.
    pub(crate) fn snapshot_is_under_way(&self) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        let patience = self.config.election_timeout * STUCK_TIMEOUTS;
        let mut transfers = leader.followers.iter().filter_map(Progress::transfer_advanced_at);
        transfers.any(|advanced_at| advanced_at + patience >= self.now)
    }

    /// A snapshot that was offered is not here any more: a newer one takes its place.
    fn withdraw_offers(&mut self, gone: SnapshotId) {
        let (newest, now) = (self.snapshots.newest, self.now);
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(newest) = newest.filter(|newest| newest.last.index > gone.last.index) else { return };
        for progress in &mut leader.followers {
            if matches!(&progress.mode, Mode::Snapshot(offer) if offer.snapshot == gone) {
                progress.become_snapshot(newest, now);
                leader.replication_due = true;
            }
        }
    }
}

/// The side of whoever has it, leader or not: serving parts.
impl Raft {
    pub(crate) fn handle_snapshot_request(
        &mut self,
        from: NodeId,
        request: SnapshotRequest,
    ) -> Result<(), Ignored> {
        let SnapshotRequest { snapshot, offset, max_bytes } = request;
        if offset >= snapshot.bytes || max_bytes == 0 {
            return Err(Ignored::Malformed);
        }
        // Whatever has a snapshot was committed. Whoever lost that one may be the only other who knows.
        if self.log.agrees_with(snapshot.last) && !matches!(self.role, Role::Leader(_)) {
            self.advance_commit(snapshot.last.index);
        }
        if self.config.is_witness() {
            // What it has stands for entries, and holds nothing.
            self.send_chunk(from, snapshot, offset, Bytes::new());
            return Ok(());
        }
        let reads = &mut self.snapshots.reads;
        let of_this_node = reads.iter().filter(|read| read.to == from).count() as u64;
        let is_asked_again =
            reads.iter().any(|read| (read.to, read.snapshot, read.offset) == (from, snapshot, offset));
        let is_full = reads.len() >= READS_MAX || of_this_node >= self.config.max_snapshot_in_flight;
        if is_asked_again || is_full {
            return Err(Ignored::Busy);
        }
        let max_bytes = max_bytes.min(self.config.max_snapshot_chunk_bytes).min(snapshot.bytes - offset);
        reads.push(Reading { to: from, snapshot, offset, max_bytes });
        self.note_read_begins();
        self.snapshots.actions.push_back(SnapshotAction::Read { to: from, snapshot, offset, max_bytes });
        Ok(())
    }

    pub(crate) fn handle_snapshot_read(
        &mut self,
        to: NodeId,
        snapshot: SnapshotId,
        offset: u64,
        data: Option<Bytes>,
    ) {
        let asked = |read: &Reading| (read.to, read.snapshot, read.offset) == (to, snapshot, offset);
        let Some(position) = self.snapshots.reads.iter().position(asked) else { return };
        let read = self.snapshots.reads.swap_remove(position);
        self.note_read_ended();
        let data = data.unwrap_or_default();
        assert!(
            data.len() as u64 <= read.max_bytes,
            "{} bytes of {snapshot} were read instead of {}",
            data.len(),
            read.max_bytes
        );
        let is_gone = data.is_empty();
        if is_gone {
            self.withdraw_offers(snapshot);
        }
        self.send_chunk(to, snapshot, offset, data);
        let does_as_well = |newest: &SnapshotId| *newest != snapshot && newest.last >= snapshot.last;
        if let Some(newest) = self.snapshots.newest.filter(|newest| is_gone && does_as_well(newest)) {
            self.send_repair_response(to, Vec::new(), Vec::new(), Some(newest));
        }
    }

    pub(crate) fn send_chunk(&mut self, to: NodeId, snapshot: SnapshotId, offset: u64, data: Bytes) {
        self.send(to, Body::SnapshotChunk(SnapshotChunk { snapshot, offset, data }));
    }
}

/// The receiver's side.
impl Raft {
    /// The leader offers what this node lacks from its log. Where it is not lacking, an acknowledgement says so.
    pub(crate) fn handle_install_snapshot(
        &mut self,
        from: NodeId,
        offer: InstallSnapshot,
    ) -> Result<(), Ignored> {
        let InstallSnapshot { session, snapshot, in_force } = offer;
        let last = snapshot.last;
        let is_sound = in_force
            .as_ref()
            .is_none_or(|(index, configuration)| *index <= last.index && !configuration.members().is_empty());
        let well_formed = last.index > LogIndex::ZERO
            && last.index <= INDEX_MAX
            && last.term > Term::ZERO
            && last.term <= self.current_term()
            && snapshot.bytes > 0
            && is_sound;
        if !well_formed {
            return Err(Ignored::Malformed);
        }
        if in_force.is_some() != self.config.is_witness() {
            return Err(Ignored::OtherStanding);
        }
        self.follow(from)?;
        let follower = self.follower_mut();
        follower.session = follower.session.max(session);
        let agreed = self.commit_index.max(self.follower_mut().matched);
        let agrees = self.log.agrees_with(last);
        if agrees && last.index <= self.faults.sound_to() && !self.lacks_state_of(last.index) {
            self.agree_up_to(last.index);
        } else if !agrees && last.index <= agreed {
            return Err(Ignored::ContradictsCommitted);
        } else if let Some((index, configuration)) = in_force {
            // No snapshot may be of a later term than the hard state that a restart finds.
            if !self.ledger.hard_state_is_durable() {
                return Err(Ignored::Busy);
            }
            self.take_position(last, index, configuration)?;
        } else {
            self.receive_snapshot(from, snapshot);
            self.maybe_pull_snapshot();
        }
        Ok(())
    }

    /// What a snapshot stands for is committed, and so in the log of whoever leads.
    fn agree_up_to(&mut self, index: LogIndex) {
        self.advance_commit(index);
        if let Role::Follower(follower) = &mut self.role
            && follower.leader.is_some()
        {
            follower.matched = follower.matched.max(index);
            follower.owed = Some(follower.owed.map_or(index, |owed| owed.max(index)));
            self.maybe_acknowledge(true);
        }
    }

    /// Takes up an offer. One that is being received already goes on, and so does a newer one that still gets on: the
    /// leader's log goes on from where it ends, too. But that one is not what is offered: it does not give anybody more to ask.
    fn receive_snapshot(&mut self, leader: NodeId, snapshot: SnapshotId) {
        if let Some(present) = &mut self.snapshots.receiving {
            if present.snapshot == snapshot {
                return present.offered_again(leader);
            }
            if present.snapshot.last.index >= snapshot.last.index && present.gets_on() {
                return present.other_offered();
            }
        }
        self.begin_receiving(snapshot);
    }

    fn begin_receiving(&mut self, snapshot: SnapshotId) {
        self.snapshots.receiving = Some(Receiving::new(snapshot, self.snapshots.kept_of(snapshot)));
    }

    fn begin_repairing(&mut self, lost: SnapshotId) {
        self.snapshots.receiving = Some(Receiving::of_damaged(lost, self.snapshots.kept_of(lost)));
    }

    /// Where a newer one than the one that is lost does not get on, that one is asked for again: whoever had the newer one may be
    /// out of reach, and it may be that nobody else has it.
    fn maybe_turn_back(&mut self) {
        if let (Some(lost), Some(present)) = (self.snapshots.lost(), &self.snapshots.receiving)
            && present.snapshot != lost
            && self.is_stuck(present)
        {
            self.begin_repairing(lost);
        }
    }

    /// Whether nothing has come of a snapshot that is drawn for so long that one that would do as well is better.
    fn is_stuck(&self, present: &Receiving) -> bool {
        let patience = self.config.election_timeout * STUCK_TIMEOUTS;
        present.is_stuck(patience, pull_patience(&self.config), self.now)
    }

    /// Whom to ask first: the leader, whose term the requests then speak of. Who repairs its log, or has lost its snapshot,
    /// asks whoever may have one.
    fn snapshot_source(&self) -> Option<NodeId> {
        match &self.role {
            Role::Follower(Follower { leader: Some(heard), .. }) => Some(heard.leader),
            Role::Leader(leader) if leader.repair.is_some() => self.snapshots.source,
            Role::Follower(_) if self.snapshots.is_lost => {
                self.snapshots.source.or_else(|| self.first_neighbour())
            }
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) | Role::Leader(_) => None,
        }
    }

    /// Whom one asks that lost its snapshot, and so does not know who is a member before its log says so: all that its log
    /// names, though they may have been removed since, and those that were members at first.
    fn neighbours(&self) -> Vec<Member> {
        let first = Configuration::first_with_witnesses(&self.config.voters, &self.config.witnesses);
        let later = self.configurations.all().iter().rev().map(|(_, configuration)| &**configuration);
        let named = later.chain([&first]).flat_map(Configuration::members);
        let mut neighbours: Vec<Member> =
            named.filter(|member| member.id != self.config.id).copied().collect();
        // Of a member that several name what the last says comes first, and stays.
        neighbours.sort_by_key(|member| member.id);
        neighbours.dedup_by_key(|member| member.id);
        neighbours
    }

    /// One of them that keeps data, and was not removed, if there is one.
    fn first_neighbour(&self) -> Option<NodeId> {
        let neighbours = self.neighbours();
        let copies = neighbours.iter().filter(|member| !member.is_witness()).map(|member| member.id);
        let latest = self.configurations.latest();
        copies.min_by_key(|id| latest.member(*id).is_none())
    }

    /// Whether this node's state is lost, and a snapshot up to `last` would do for it.
    fn lacks_state_of(&self, last: LogIndex) -> bool {
        self.snapshots.lost().is_some_and(|lost| lost.last.index <= last)
    }

    /// Whether the state machine is being put into an older snapshot than one up to `last`. Whoever keeps snapshots keeps the newest, and
    /// may have removed that one by the time that its next part is wanted.
    fn restores_older_than(&self, last: LogIndex) -> bool {
        self.snapshots.restoring.is_some_and(|restoring| restoring.last.index < last)
    }

    /// Another node asks for this one's vote: where nobody can lead before this node has its snapshot again, that one may
    /// have it.
    pub(crate) fn note_neighbour(&mut self, from: NodeId) {
        if self.snapshots.is_lost {
            self.snapshots.source = Some(from);
            if let Some(receiving) = &mut self.snapshots.receiving {
                receiving.offered_again(from);
            }
            self.maybe_pull_snapshot();
        }
    }

    /// A snapshot that is lost was offered by nobody, and so nobody offers it again: each heartbeat is an occasion, and so is
    /// each election timeout without one. Nobody else may have a vote, and so nobody ask for this node's.
    pub(crate) fn maybe_pull_lost_snapshot(&mut self) {
        if self.snapshots.is_lost {
            self.maybe_pull_snapshot();
        }
    }

    /// Another node has a snapshot that stands for what this one lacks, which may be one that was given up elsewhere.
    pub(crate) fn handle_snapshot_found(
        &mut self,
        from: NodeId,
        snapshot: SnapshotId,
    ) -> Result<(), Ignored> {
        let last = snapshot.last;
        let well_formed = (LogIndex(1)..=INDEX_MAX).contains(&last.index)
            && (Term(1)..=self.current_term()).contains(&last.term)
            && snapshot.bytes > 0;
        if !well_formed {
            return Err(Ignored::Malformed);
        }
        let lacks_entries = matches!(&self.role, Role::Leader(leader) if leader.repair.is_some())
            && self.faults.first().is_some_and(|first| first <= last.index)
            && self.log.contains(last);
        // One that nobody is asked for, since another office ended, does not get on; nor does one that gives way to a newer one at
        // whoever is asked first, or at anybody where nobody leads, though others that keep silent may be asked for it; nor one that was
        // asked for in vain for long, office after office: whoever had it may be out of reach.
        let source = self.snapshot_source();
        let is_first = source == Some(from) || self.leader().is_none();
        let gets_on = self.snapshots.receiving.as_ref().is_some_and(|present| {
            let gives_way = is_first && present.snapshot.last.index < last.index;
            source.is_some() && present.gets_on() && !gives_way && !self.is_stuck(present)
        });
        if self.config.is_witness() || !(lacks_entries || self.lacks_state_of(last.index)) || gets_on {
            return Err(Ignored::StaleResponse);
        }
        self.snapshots.source = Some(from);
        match &mut self.snapshots.receiving {
            Some(present) if present.snapshot == snapshot => present.offered_again(from),
            Some(_) | None => self.begin_receiving(snapshot),
        }
        self.maybe_pull_snapshot();
        Ok(())
    }

    /// Asks for parts, where there is somebody to ask.
    #[inline]
    pub(crate) fn maybe_pull_snapshot(&mut self) {
        if self.snapshots.receiving.is_some() {
            self.pull_snapshot();
        }
    }

    fn pull_snapshot(&mut self) {
        let Some(source) = self.snapshot_source() else { return };
        if !self.ledger.hard_state_is_durable() {
            // Of the requests that would be held back, only the last would be kept.
            return;
        }
        self.maybe_turn_back();
        let Some(receiving) = &mut self.snapshots.receiving else { return };
        let snapshot = receiving.snapshot;
        let is_needed =
            self.snapshots.is_lost || snapshot.last.index > self.commit_index.min(self.faults.sound_to());
        if !is_needed {
            self.snapshots.receiving = None;
            return;
        }
        receiving.give_up_waiting(pull_patience(&self.config), self.now);
        let neighbours = self.snapshots.is_lost.then(|| self.neighbours());
        while let Some(receiving) = &mut self.snapshots.receiving
            && let members = neighbours.as_deref().unwrap_or(self.configurations.latest().members())
            && let Some(ask) = receiving.next_ask(source, members, &self.config, self.now)
        {
            let request = SnapshotRequest { snapshot, offset: ask.offset, max_bytes: ask.max_bytes };
            self.send(ask.of, Body::SnapshotRequest(request));
        }
    }

    /// The tick at which a request has waited too long.
    pub(crate) fn pull_due_at(&self) -> u64 {
        let Some(receiving) = &self.snapshots.receiving else { return u64::MAX };
        if self.snapshot_source().is_none() {
            return u64::MAX;
        }
        if !self.ledger.hard_state_is_durable() {
            // Until then nothing may be asked, and what reports it durable looks again.
            return u64::MAX;
        }
        receiving.due_at(pull_patience(&self.config)).unwrap_or(u64::MAX)
    }

    pub(crate) fn handle_snapshot_chunk(
        &mut self,
        from: NodeId,
        chunk: SnapshotChunk,
    ) -> Result<(), Ignored> {
        let SnapshotChunk { snapshot, offset, data } = chunk;
        let Snapshots { receiving, kept, actions, .. } = &mut self.snapshots;
        let Some(receiving) = receiving.as_mut().filter(|receiving| receiving.snapshot == snapshot) else {
            return Err(Ignored::StaleResponse);
        };
        receiving.take(from, offset, data, pull_patience(&self.config), self.now)?;
        while let Some((offset, data)) = receiving.next_to_store() {
            *kept = Some((snapshot, offset + data.len() as u64));
            actions.push_back(SnapshotAction::Store { snapshot, offset, data });
        }
        self.maybe_pull_snapshot();
        Ok(())
    }

    pub(crate) fn handle_snapshot_stored(&mut self, snapshot: SnapshotId, bytes: u64) {
        if let Some(receiving) = &mut self.snapshots.receiving
            && receiving.snapshot == snapshot
        {
            receiving.stored(bytes);
            self.maybe_pull_snapshot();
        }
    }

    pub(crate) fn handle_snapshot_refused(&mut self, snapshot: SnapshotId) {
        let Snapshots { receiving, kept, .. } = &mut self.snapshots;
        kept.take_if(|(id, _)| *id == snapshot);
        if let Some(receiving) = receiving
            && receiving.snapshot == snapshot
        {
            receiving.begin_anew();
            self.maybe_pull_snapshot();
        }
    }

    /// Installs it, where it is ahead of this node (§7): the log goes on behind it where the log holds its last entry,
    /// and begins anew where it does not. A node that has come to lead meanwhile has all that it stands for.
    pub(crate) fn handle_snapshot_received(&mut self, snapshot: SnapshotId) {
        let last = snapshot.last;
        self.snapshots.kept.take_if(|(id, _)| *id == snapshot);
        self.snapshots.receiving.take_if(|receiving| receiving.snapshot == snapshot);
        let agrees = self.log.agrees_with(last);
        let is_new = last.index > self.commit_index;
        let contradicts = match &self.role {
            Role::Leader(_) => !agrees,
            Role::Follower(follower) => !agrees && last.index <= self.commit_index.max(follower.matched),
            Role::PreCandidate(_) | Role::Candidate(_) => !agrees && !is_new,
        };
        if contradicts {
            // No leader of this cluster has offered it.
            return;
        }
        self.snapshots.note_newest(snapshot);
        if !agrees {
            if !matches!(self.role, Role::Follower(_)) {
                // Its campaign was for a log that is no more.
                self.become_follower(self.current_term());
            }
            self.begin_log_anew(last);
            self.forget_configurations(last.index);
            self.restore(snapshot);
        } else if self.lacks_state_of(last.index)
            || self.restores_older_than(last.index)
            || last.index > self.faults.sound_to()
        {
            // A leader's office may begin with it, which goes by what is committed.
            self.restore(snapshot);
            self.forgive_up_to(last.index);
            if self.snapshots.configuration_is_unknown {
                self.forget_configurations(last.index);
            }
        }
        if !matches!(self.role, Role::Leader(_)) {
            self.agree_up_to(last.index);
        }
    }
}

/// After so many ticks, at the least, a request or its answer is taken for lost, as it is with entries.
fn pull_patience(config: &Config) -> u64 {
    config.heartbeat_interval * 2
}

/// The state machine's side.
impl Raft {
    /// Whatever the log had is gone, and what it lacked is no more missed than the rest.
    fn begin_log_anew(&mut self, base: LogPosition) {
        self.log.reset(base);
        self.ledger.reset(base);
        self.faults.truncate(LogIndex(1));
        self.note_sound();
    }

    /// What a snapshot stands for is not missed: where the data of some of it is lost, the log begins behind it.
    fn forgive_up_to(&mut self, last: LogIndex) {
        if last > self.faults.sound_to() {
            // What is not written yet stays: it was no part of what was lost.
            let to = last.min(self.ledger.named_index());
            if self.log.base().index < to {
                self.log.compact(to);
                self.configurations.compact(to);
                self.ledger.compacted(self.log.base());
            }
            self.faults.compact(last);
            self.note_sound();
            self.maybe_finish_repair();
        }
    }

    /// The log begins anew after `snapshot`, or entries before it are lost: the state machine has to be put there.
    fn restore(&mut self, snapshot: SnapshotId) {
        self.await_state(snapshot);
        self.snapshots.is_lost = false;
        // One that has not been handed out is overtaken.
        self.snapshots.actions.retain(|action| !matches!(action, SnapshotAction::Restore(_)));
        self.snapshots.actions.push_back(SnapshotAction::Restore(snapshot));
    }

    /// Nothing is applied before the state machine is in the state of `snapshot`.
    fn await_state(&mut self, snapshot: SnapshotId) {
        assert!(snapshot.last.index > self.last_applied, "{snapshot} would take back what is applied");
        assert!(self.log.contains(snapshot.last), "the log goes on from {snapshot}");
        self.commit_index = self.commit_index.max(snapshot.last.index);
        self.applying = snapshot.last.index;
        self.fetched_for_apply.clear();
        self.snapshots.restoring = Some(snapshot);
    }

    /// Only a snapshot of entries that this node did not have knows which configuration is in force behind `last`.
    fn forget_configurations(&mut self, last: LogIndex) {
        self.configurations.truncate(self.log.last_index().next());
        self.configurations.forget(last);
        self.snapshots.configuration_is_unknown = true;
    }

    pub(crate) fn handle_configuration_restored(
        &mut self,
        snapshot: SnapshotId,
        index: LogIndex,
        configuration: Configuration,
    ) {
        assert!(index <= snapshot.last.index, "{snapshot} holds a configuration of {index}");
        if self.snapshots.restoring == Some(snapshot)
            && core::mem::take(&mut self.snapshots.configuration_is_unknown)
        {
            self.configurations.learn(index, Arc::new(configuration));
        }
    }

    pub(crate) fn handle_restored(&mut self, snapshot: SnapshotId) {
        if self.snapshots.restoring.take_if(|restoring| *restoring == snapshot).is_none() {
            return;
        }
        assert!(!self.snapshots.configuration_is_unknown, "{snapshot} did not say who is a member");
        self.last_applied = snapshot.last.index;
        self.note_machine_advanced();
        assert!(self.last_applied == self.applying, "nothing is applied while a snapshot is being restored");
        self.log.evict(self.last_applied.min(self.ledger.named_index()), self.config.cache_bytes);
    }
}
