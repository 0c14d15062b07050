//! Repair: how a leader gets back, or is allowed to give up, what its disk lost ("Protocol-Aware Recovery for
//! Consensus-Based Storage", Alagappan et al., FAST '18, §3.4).
//!
//! A follower needs none of this: its leader sends it what it lacks, or what conflicts with it. But the node with the most
//! up-to-date log may be the very one that lost data, and nobody else can be elected. So it leads, and until its log is
//! whole it appends nothing, not even the no-op of its term: it asks all others for what it lacks. The first that has
//! an entry repairs it. An entry that was never committed may be one that nobody has:
//!
//! - It is *discarded*, with all behind it, where those that may have it are no quorum, in every configuration from the
//!   last one before it to the log's end: of two voters one that denies it is enough, of three or four two are. Who does
//!   so is in this leader's term, durably, and so never takes it from an earlier leader any more. This leader, whose log
//!   has the name, may have it; so may a witness, whoever keeps silent, and one whose log's head is uncertain (`certainty.rs`).
//! - Or, if it was of the last sync group here, where *every* voter has answered, and none has the data, or had it for
//!   certain. A loss of power looks like this, and stalls a whole cluster otherwise. It would be wrong only if all
//!   copies of an acknowledged entry had been damaged, each while it was the last thing on its disk.
//!
//! Neither holds for what is known to be committed.
//!
//! What all others have compacted was committed; whoever says so names its newest snapshot, and the leader draws that.
//! A leader that gets no further steps down and lets others go first, each time for longer.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::leader::STUCK_TIMEOUTS;
use crate::role::{Follower, Role};
use crate::{
    Body, Configuration, Entries, Entry, Faulty, Fetch, FetchPurpose, Found, Ignored, LogIndex, LogPosition,
    NodeId, Payload, Raft, RepairRequest, RepairResponse, SnapshotId, Term,
};

/// So many entries are asked for at a time, at most.
const ASKED_MAX: usize = 64;

/// Up to 2 to this power election timeouts others are let go first.
const BACKOFF_MAX: u32 = 4;

/// What a leader knows of the entries that it lacks.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Repair {
    /// What each other node last said of each entry that it could not send.
    answers: Vec<(LogIndex, NodeId, Found)>,
}

impl Repair {
    fn note(&mut self, index: LogIndex, from: NodeId, found: Found) {
        match self.answers.iter_mut().find(|(of, node, _)| (*of, *node) == (index, from)) {
            Some((_, _, known)) => *known = found,
            None => self.answers.push((index, from, found)),
        }
    }

    fn said(&self, index: LogIndex, node: NodeId) -> Option<Found> {
        let answer = self.answers.iter().find(|(of, from, _)| (*of, *from) == (index, node));
        answer.map(|(_, _, found)| *found)
    }
}

/// Both sides.
impl Raft {
    /// Takes the data of an entry of this log, where it was lost; it counts when it is durable. Returns whether it was.
    pub(crate) fn repair(&mut self, entry: &Entry) -> bool {
        self.faults.take(entry)
    }

    /// The first faulty entry may be another one now, or none.
    pub(crate) fn note_sound(&mut self) {
        self.ledger.set_sound_to(self.faults.sound_to());
        if self.faults.is_empty() {
            self.repairs_failed = 0;
        }
    }
}

/// The leader's side.
impl Raft {
    /// Asks all who may know of the first entries that are lacking.
    pub(crate) fn ask_for_repair(&mut self) {
        let lacking: Vec<LogPosition> = self.lacking().take(ASKED_MAX).collect();
        let Some(first) = lacking.first() else { return };
        let own = self.config.id;
        let mut asked: Vec<NodeId> = Vec::new();
        for configuration in self.configurations.reaching(first.index) {
            asked.extend(configuration.1.members().iter().map(|member| member.id).filter(|id| *id != own));
        }
        asked.sort_unstable();
        asked.dedup();
        for to in asked {
            self.send(to, Body::RepairRequest(RepairRequest { lacking: lacking.clone() }));
        }
    }

    fn lacking(&self) -> impl Iterator<Item = LogPosition> {
        let name = |index| self.log.term_at(index).map(|term| LogPosition { term, index });
        self.faults.lacking().filter_map(move |faulty| name(faulty.index))
    }

    pub(crate) fn handle_repair_response(
        &mut self,
        from: NodeId,
        response: RepairResponse,
    ) -> Result<(), Ignored> {
        // Whatever it says, and however late it comes, it is a sign of life.
        if let Role::Leader(leader) = &mut self.role
            && let Some(progress) = leader.follower_mut(from)
        {
            progress.heard_at = self.now;
        }
        if let Some(snapshot) = response.snapshot
            && let found = self.handle_snapshot_found(from, snapshot)
            && response.answers.is_empty()
            && response.entries.is_empty()
        {
            return found;
        }
        let Role::Leader(leader) = &mut self.role else { return Err(Ignored::StaleResponse) };
        let Some(repair) = &mut leader.repair else { return Err(Ignored::StaleResponse) };
        for (position, found) in response.answers {
            if self.log.contains(position) && self.faults.at(position.index).is_some() {
                repair.note(position.index, from, found);
            }
        }
        let mut is_repaired = false;
        for entry in response.entries.iter() {
            is_repaired |= self.log.contains(entry.position()) && self.repair(entry);
        }
        if !self.maybe_discard() && is_repaired {
            self.note_repair_advanced();
            self.ask_for_repair();
        }
        Ok(())
    }

    /// Another round of heartbeats begins: whoever has not answered is asked again.
    pub(crate) fn go_on_with_repair(&mut self) {
        if !matches!(&self.role, Role::Leader(leader) if leader.repair.is_some()) {
            return;
        }
        if !self.maybe_discard() {
            self.ask_for_repair();
        }
        // Whoever was asked for a part of a snapshot and kept silent is given up.
        self.maybe_pull_snapshot();
    }

    /// Gives up the first entry that need not be waited for. Returns whether there was one.
    fn maybe_discard(&mut self) -> bool {
        let may_discard = |faulty: &Faulty| self.may_discard(faulty.index);
        let Some(faulty) = self.faults.lacking().find(may_discard) else { return false };
        self.discard(faulty.index);
        true
    }

    fn note_repair_advanced(&mut self) {
        if let Role::Leader(leader) = &mut self.role {
            leader.advanced_at = self.now;
        }
    }

    /// Whether an entry that is lacking was certainly never committed. See the page above.
    fn may_discard(&self, index: LogIndex) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        let (Some(repair), Some(faulty)) = (&leader.repair, self.faults.at(index)) else { return false };
        let asked = self.configurations.reaching(index);
        if index <= self.commit_index {
            return false;
        }
        let may_have_it = |voter| repair.said(index, voter) != Some(Found::Absent);
        // A configuration without voters, of a node that was never told any, rules out nothing.
        let is_ruled_out =
            |voters: &Configuration| voters.has_quorum(|_| true) && !voters.has_quorum(may_have_it);
        if asked.iter().all(|(_, configuration)| is_ruled_out(configuration)) {
            return true;
        }
        let has_none = |voter| match repair.said(index, voter) {
            Some(Found::Absent | Found::Doubtful | Found::Named) => true,
            Some(Found::Lost | Found::Compacted) => false,
            None => voter == self.config.id,
        };
        let mut voters = asked
            .iter()
            .flat_map(|(_, configuration)| configuration.members())
            .filter(|member| member.votes().any())
            .peekable();
        faulty.is_doubtful && voters.peek().is_some() && voters.all(|member| has_none(member.id))
    }

    /// Gives up an entry that nobody can have committed, and all behind it.
    fn discard(&mut self, index: LogIndex) {
        self.log.truncate(index);
        self.ledger.truncated(index);
        self.configurations.truncate(index);
        self.faults.truncate(index);
        self.note_sound();
        let Role::Leader(leader) = &mut self.role else { panic!("only a leader discards") };
        assert!(
            leader.followers.iter().all(|progress| progress.next_index <= index),
            "what a leader lacks it sends to nobody"
        );
        self.enter_configurations(self.log.last_index());
        self.maybe_finish_repair();
    }

    /// The log is whole: the office begins.
    pub(crate) fn maybe_finish_repair(&mut self) {
        let Role::Leader(leader) = &mut self.role else { return };
        if !self.faults.is_empty() || leader.repair.take().is_none() {
            return;
        }
        (leader.first_index, leader.advanced_at) = (self.log.last_index().next(), self.now);
        self.append_own(Payload::Noop);
    }

    /// Whether this leader's repair gets no further.
    pub(crate) fn repair_is_stuck(&self) -> bool {
        let patience = self.config.election_timeout * STUCK_TIMEOUTS;
        matches!(&self.role, Role::Leader(leader) if leader.repair.is_some() && leader.advanced_at + patience < self.now)
    }

    /// Lets others try, who may have what this node lacks.
    pub(crate) fn give_up_repair(&mut self) {
        self.become_follower(self.current_term());
        self.election_at += self.config.election_timeout << self.repairs_failed.min(BACKOFF_MAX);
        self.repairs_failed = self.repairs_failed.saturating_add(1);
    }
}

/// The side of whoever is asked.
impl Raft {
    pub(crate) fn handle_repair_request(
        &mut self,
        from: NodeId,
        request: RepairRequest,
    ) -> Result<(), Ignored> {
        let lacking = request.lacking;
        let is_sound = |position: &LogPosition| {
            position.index > LogIndex::ZERO && (Term(1)..=self.current_term()).contains(&position.term)
        };
        let is_in_order = lacking.is_sorted_by(|a, b| a.index < b.index);
        if lacking.len() > ASKED_MAX || !lacking.iter().all(is_sound) || !is_in_order {
            return Err(Ignored::Malformed);
        }
        self.follow(from)?;
        let (mut answers, mut entries, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut on_disk: Option<(LogIndex, LogIndex)> = None;
        for position in lacking {
            let index = position.index;
            if let Some(found) = self.found(position) {
                answers.push((position, found));
            } else if index < self.log.first_in_memory() {
                on_disk = match on_disk {
                    Some((first, last)) if last.next() == index => Some((first, index)),
                    None => Some((index, index)),
                    gap => gap,
                };
            } else {
                let entry = &self.log.slices(index, index).0[0];
                bytes += entry.size_bytes();
                if entries.is_empty() || bytes <= self.config.max_message_bytes {
                    entries.push(entry.clone());
                }
            }
        }
        if let Some((first, last)) = on_disk.filter(|_| !self.fetching_for_repair && !self.fetches_pause) {
            self.fetching_for_repair = true;
            let (purpose, max_bytes) = (FetchPurpose::Repair(from), self.config.max_message_bytes);
            self.fetch(Fetch { purpose, first, last, max_bytes });
        }
        if !answers.is_empty() || !entries.is_empty() {
            let is_compacted = answers.iter().any(|(_, found)| *found == Found::Compacted);
            let snapshot = self.snapshots.newest.filter(|_| is_compacted && !self.config.is_witness());
            self.send_repair_response(from, answers, entries, snapshot);
        }
        Ok(())
    }

    /// What is to be said of an entry whose data is not here; `None` where it is.
    fn found(&self, position: LogPosition) -> Option<Found> {
        let base = self.log.base();
        if position.index < base.index || position == base {
            return Some(Found::Compacted);
        }
        if !self.log.contains(position) {
            return Some(if self.may_have_lost(position) { Found::Doubtful } else { Found::Absent });
        }
        match self.faults.at(position.index) {
            _ if self.config.is_witness() => Some(Found::Named),
            Some(faulty) if faulty.is_doubtful => Some(Found::Doubtful),
            Some(_) => Some(Found::Lost),
            None => None,
        }
    }

    /// The disk has brought what a leader lacks. Where it brought nothing, or the leader is another, it is asked again.
    pub(crate) fn handle_fetched_for_repair(&mut self, to: NodeId, entries: Vec<Entry>) {
        self.fetching_for_repair = false;
        let Role::Follower(Follower { leader: Some(heard), .. }) = &self.role else { return };
        if heard.leader == to
            && !entries.is_empty()
            && entries.iter().all(|entry| self.log.contains(entry.position()))
        {
            self.send_repair_response(to, Vec::new(), entries, None);
        }
    }

    pub(crate) fn send_repair_response(
        &mut self,
        to: NodeId,
        answers: Vec<(LogPosition, Found)>,
        entries: Vec<Entry>,
        snapshot: Option<SnapshotId>,
    ) {
        let entries = Entries::from(entries);
        let response = RepairResponse { answers, entries, snapshot };
        self.send(to, Body::RepairResponse(Box::new(response)));
    }
}
