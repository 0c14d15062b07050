//! The whole boundary of the core: every input and every view stands here, the actions in `action.rs`.
//!
//! The driver has four duties: it carries out `Persist` writes in order; it reports each as done; it applies
//! entries in order; it feeds the ticks that are due before any other input. A `Send` may go out at once, always.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::role::Role;
use crate::{
    Action, Change, ChangeError, Config, ConfigError, Configuration, Entry, Faulty, FetchPurpose,
    FollowerStatus, Handover, HardState, Ignored, LogIndex, LogPosition, Message, NodeId, ProposeError, Raft,
    ReadError, ReadId, SnapshotId, Status, Term, TransferError, Write, WriteToken,
};

/// What storage found at start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// Which start of this node it is, counted durably; no two lives share a number.
    pub boot: u64,
    /// The hard state.
    pub hard_state: HardState,
    /// The newest whole snapshot; the log begins at most one past its last entry, or past that of the one that is lost.
    pub snapshot: Option<SnapshotId>,
    /// One whose bytes are damaged, and that stands for what nothing else here does: a newer one than `snapshot`. Its name
    /// counts; its state is drawn from others.
    pub lost_snapshot: Option<SnapshotId>,
    /// A snapshot that is being received, and how many of its first bytes are durable.
    pub receiving: Option<(SnapshotId, u64)>,
    /// The entry before the first of the log: 0@0 where nothing was compacted.
    pub base: LogPosition,
    /// The first entry of each run of entries of one term, in log order: the terms of the whole log after `base`.
    pub terms: Vec<LogPosition>,
    /// The last entry's index, or that of `base` where the log is empty.
    pub last_index: LogIndex,
    /// The last entries, as many as are worth having in memory; may be none. No faulty one is among them.
    pub tail: Vec<Entry>,
    /// The entries after `base` of which only the name is known, in log order.
    pub faulty: Vec<Faulty>,
    /// The configurations of the whole log after `base`, each with the index of its entry, in log order.
    pub configurations: Vec<(LogIndex, Arc<Configuration>)>,
    /// The data of some entry was withheld: the disk is a witness's.
    pub is_withheld: bool,
    /// Entries of terms up to this one may have stood at the end of the log, and been acknowledged; 0 where none was lost.
    pub uncertain: Term,
}

impl Recovered {
    /// Whether the log ends with an entry of a later term than those that may have been lost from its end
    /// ([`Raft::is_certain`]). A snapshot to which the log does not lead takes its place.
    #[must_use]
    pub fn has_certain_head(&self) -> bool {
        let term_at = |index| {
            let run = self.terms.iter().rev().find(|run| run.index <= index);
            run.map_or(self.base.term, |run| run.term)
        };
        let head = match self.lost_snapshot.or(self.snapshot).map(|snapshot| snapshot.last) {
            Some(last) if last.index > self.last_index || term_at(last.index) != last.term => last.term,
            Some(_) | None => term_at(self.last_index),
        };
        self.uncertain == Term::ZERO || head > self.uncertain
    }
}

/// A new life of a replica.
impl Raft {
    /// Starts as a follower with what storage found; all of it is durable.
    ///
    /// # Errors
    /// Where the configuration or what was recovered contradicts itself.
    pub fn new(config: Config, recovered: &Recovered) -> Result<Self, ConfigError> {
        Self::start(config, recovered)
    }
}

/// A life's ticks are counted up to here, so that deadlines beyond them still have numbers.
const TICKS_MAX: u64 = u64::MAX >> 1;

/// Inputs.
impl Raft {
    /// Time passes, in ticks. A long jump lets each timer fire once.
    ///
    /// Ticks are the core's only clock, and it dates by them whatever comes in. So those that are due are fed before any
    /// other input: a message that is taken before the ticks that went by is dated too early, and a follower that has
    /// just heard its leader campaigns too soon. That costs an election, and no more, but for leases: where
    /// [`Config::lease_drift_ppm`] is set, ticks that are fed late can make a read stale. The clock is to be read after the
    /// input was taken up, a client's read too, and it is to be one that goes on while the machine sleeps.
    pub fn tick(&mut self, ticks: u64) {
        if ticks > 0 {
            self.resume_fetches();
        }
        self.now = self.now.saturating_add(ticks).min(TICKS_MAX);
        if self.now >= self.due_at() {
            self.rouse().handle_time();
        }
    }

    /// A message arrives, from anyone, with any content.
    ///
    /// # Errors
    /// The reason for which it was ignored; nothing is to be done about it.
    pub fn receive(&mut self, message: Message) -> Result<(), Ignored> {
        self.rouse().handle_message(message)
    }

    /// A client's command. It is in the log at the position returned, and committed when it is applied there;
    /// if an entry of another term is applied at that index, it never will be.
    ///
    /// # Errors
    /// Says why it was refused; then it has no effect.
    pub fn propose(&mut self, data: Bytes) -> Result<LogPosition, ProposeError> {
        self.rouse().handle_proposal(data)
    }

    /// A client wants to read what is committed, or what comes later (thesis §6.4), here or on a follower. A `ReadReady`
    /// or a `ReadDropped` that covers the read follows in this life, the latter where nobody has answered for four
    /// election timeouts.
    ///
    /// # Errors
    /// Says why it was refused; then nothing follows.
    pub fn read(&mut self) -> Result<ReadId, ReadError> {
        self.rouse().handle_read()
    }

    /// A client's command, to be sent on to the leader that this follower hears. It comes back in the log; or as a
    /// `ForwardResponse` with its `number`, which the driver looks at before it hands it to [`receive`](Self::receive);
    /// or not at all. A network that repeats messages repeats the command: only such as may stand in the log twice, and
    /// take effect once, are to be sent on. Returns whom it was sent to.
    ///
    /// # Errors
    /// Says why it was not sent: nobody is known to lead, this node does, or what it would reveal is not durable yet.
    pub fn forward(&mut self, number: u64, data: Bytes) -> Result<NodeId, ProposeError> {
        self.rouse().send_forward(number, data)
    }

    /// An operator wants `to` to lead. Proposals are refused until it does or an election timeout has passed.
    ///
    /// # Errors
    /// Says why it cannot be done.
    pub fn transfer_leadership(&mut self, to: NodeId) -> Result<(), TransferError> {
        self.rouse().handle_transfer(to)
    }

    /// The driver is about to stop this replica: it takes no more proposals, lets others lead where
    /// they can, and where it leads it hands its office over as soon as another takes it. All else goes on until it is
    /// dropped.
    pub fn retire(&mut self) {
        self.rouse().handle_retirement();
    }

    /// An operator changes who belongs to the cluster, by one batch of changes. It is done when the configuration in
    /// force is one of the position returned or later, is not joint, and is committed; a leader leaves a joint one by
    /// itself. If an entry of another term is committed at the position returned, it never took effect.
    ///
    /// # Errors
    /// Says why it was refused; then it has no effect.
    pub fn change_membership(&mut self, changes: &[Change]) -> Result<LogPosition, ChangeError> {
        self.rouse().handle_change(changes)
    }

    /// Campaigns now, where this node may, does not lead, and has promised nobody that it will not: for explorers and
    /// tests, which decide themselves.
    pub fn campaign(&mut self) {
        if self.may_campaign() && !matches!(self.role, Role::Leader(_)) && !self.is_promised() {
            self.rouse().become_candidate(false);
            self.maybe_count_own_vote();
        }
    }

    /// Takes the shortest election timeout for the one that was drawn, counted from now. For explorers, which decide
    /// themselves who campaigns: replicas that differ in nothing but their draws are equal afterwards.
    pub fn forget_draw(&mut self) {
        self.election_timeout = self.config.election_timeout;
        self.election_at = self.now.saturating_add(self.election_timeout).max(self.promised_until);
    }

    /// A write, and all before it, is durable. A report of an earlier life is ignored.
    ///
    /// # Panics
    /// Where this life never asked for the write.
    pub fn persisted(&mut self, token: WriteToken) {
        self.rouse().handle_persisted(token);
    }

    /// The state machine has applied all entries up to `index`.
    ///
    /// # Panics
    /// Where `Apply` has not asked for them.
    pub fn applied(&mut self, index: LogIndex) {
        self.rouse().handle_applied(index);
    }

    /// Entries that `Fetch` asked for: from its first on, as many as fit; none, where the read failed. What brings
    /// nothing of use, because it failed or because the log moved on in the meantime, is asked for again when the
    /// next tick has passed. Each `Fetch` is answered: while one is not, and nothing else is read, the disk is taken to hang.
    ///
    /// # Panics
    /// Where they do not follow one another, or where `Apply` gets others than those that are committed.
    pub fn fetched(&mut self, purpose: FetchPurpose, entries: Vec<Entry>) {
        self.rouse().handle_fetched(purpose, entries);
    }

    /// A snapshot of the state machine, as it was when it had applied the entry `snapshot.last`, is whole and durable; at a
    /// witness, the one that `TakePosition` asked for.
    ///
    /// # Panics
    /// Where the state machine has not come so far, or the log holds another entry there.
    pub fn snapshot_taken(&mut self, snapshot: SnapshotId) {
        self.rouse().handle_snapshot_taken(snapshot);
    }

    /// Entries up to `up_to` need not be kept: as far as the newest snapshot stands for them, they go. A follower that
    /// still lacks them will be sent the snapshot. A witness takes a snapshot for it, where there is none yet.
    pub fn compact(&mut self, up_to: LogIndex) {
        self.rouse().handle_compact(up_to);
    }

    /// What a `Read` of a snapshot brought; `None` where the snapshot is not there. Each `Read` is answered, as is each `Fetch`.
    ///
    /// # Panics
    /// Where it brings more than was asked for.
    pub fn snapshot_read(&mut self, to: NodeId, snapshot: SnapshotId, offset: u64, data: Option<Bytes>) {
        self.rouse().handle_snapshot_read(to, snapshot, offset, data);
    }

    /// So many first bytes of a snapshot that is being received were taken, or, of one that was lost, are here: there is room for more. They need not be
    /// durable yet; what a restart takes away is asked for again ([`Recovered::receiving`]).
    pub fn snapshot_stored(&mut self, snapshot: SnapshotId, bytes: u64) {
        self.rouse().handle_snapshot_stored(snapshot, bytes);
    }

    /// A snapshot that was being received is whole, verified and durable. Where the state machine is being put into an older one, that is
    /// given up, and `Restore` asked for anew, unless this node has come to lead without what the newer one stands for.
    pub fn snapshot_received(&mut self, snapshot: SnapshotId) {
        self.rouse().handle_snapshot_received(snapshot);
    }

    /// A snapshot that was received is not what its name says, and is gone: it is asked for anew.
    pub fn snapshot_refused(&mut self, snapshot: SnapshotId) {
        self.rouse().handle_snapshot_refused(snapshot);
    }

    /// Of the snapshot that `Restore` named it is known which configuration is in force at its last entry: the one that
    /// [`configuration_at`](Self::configuration_at) gave whoever took it, whose entry stands at `index`. The sooner it is
    /// known, the sooner this node may be elected: it need not wait for the state. One that was overtaken by another
    /// `Restore` is ignored.
    ///
    /// # Panics
    /// Where that entry would come after the snapshot.
    pub fn configuration_restored(
        &mut self,
        snapshot: SnapshotId,
        index: LogIndex,
        configuration: Configuration,
    ) {
        self.rouse().handle_configuration_restored(snapshot, index, configuration);
    }

    /// The state machine is in the state of the snapshot that `Restore` named. One that was overtaken by another
    /// `Restore` is ignored.
    ///
    /// # Panics
    /// Where its configuration was not [`restored`](Self::configuration_restored) before.
    pub fn restored(&mut self, snapshot: SnapshotId) {
        self.rouse().handle_restored(snapshot);
    }
}

impl Raft {
    /// Something comes in, and so there may be something to do.
    #[inline]
    pub(crate) fn rouse(&mut self) -> &mut Self {
        self.is_at_rest = false;
        self
    }
}

/// Outputs and views.
impl Raft {
    /// The next thing to do, or `None` when all is said. Messages and writes are composed here: whatever came
    /// in between travels together. A driver asks until there is nothing more: what is composed last may wait for that.
    pub fn next_action(&mut self) -> Option<Action<'_>> {
        if self.is_at_rest {
            return None;
        }
        if self.outbox.is_empty() {
            self.maybe_send();
        }
        if let Some(message) = self.outbox.pop_front() {
            return Some(Action::Send(message));
        }
        if let Some((first, last)) = self.maybe_apply() {
            return Some(Action::Apply { first, last });
        }
        if let Some(answer) = self.reads.next_action() {
            return Some(answer);
        }
        if let Some(fetch) = self.fetches.pop_front() {
            return Some(Action::Fetch(fetch));
        }
        if let Some(action) = self.snapshots.actions.pop_front() {
            return Some(Action::Snapshot(action));
        }
        let last_index = self.log.last_index();
        let Some(due) = self.ledger.take_due(last_index, self.faults.are_due(), self.now) else {
            self.is_at_rest = true;
            return None;
        };
        self.faults.write(due.token.sequence);
        Some(Action::Persist(Write {
            token: due.token,
            hard_state: due.hard_state.then_some(self.hard_state),
            truncate_from: due.truncate_from,
            reset_to: due.reset_to,
            compact_to: due.compact_to,
            repairs: self.faults.written(),
            entries: self.log.slices(due.first, last_index),
        }))
    }

    /// How many ticks may pass before the replica has anything to do.
    #[must_use]
    pub fn ticks_until_due(&self) -> u64 {
        let ticks = self.due_at().saturating_sub(self.now);
        if self.fetches_pause { ticks.min(1) } else { ticks }
    }

    /// The entries `first..=last` of an `Apply`, in two runs; they stay until they are reported `applied`.
    ///
    /// # Panics
    /// Where they are not part of an `Apply` that is under way.
    #[must_use]
    pub fn committed(&self, first: LogIndex, last: LogIndex) -> (&[Entry], &[Entry]) {
        assert!(
            self.last_applied < first && last <= self.applying,
            "entries {first} to {last} are not being applied ({} to {} are)",
            self.last_applied.next(),
            self.applying
        );
        match self.fetched_for_apply.first() {
            Some(held) => {
                let position = |index: LogIndex| {
                    let distance =
                        index.0.checked_sub(held.index.0).expect("an apply begins with what was fetched");
                    usize::try_from(distance).expect("entries in memory are counted by usize")
                };
                (&self.fetched_for_apply[position(first)..=position(last)], &[])
            }
            None => self.log.slices(first, last),
        }
    }

    /// The replica's state at a glance.
    #[must_use]
    #[inline]
    pub fn status(&self) -> Status {
        Status {
            id: self.config.id,
            role: self.role.kind(),
            current_term: self.hard_state.current_term,
            voted_for: self.hard_state.voted_for,
            leader: self.leader(),
            last_log: self.log.last(),
            durable_index: self.ledger.durable_index(),
            commit_index: self.commit_index,
            last_applied: self.last_applied,
            first_in_memory: self.log.first_in_memory(),
            configuration_index: self.configurations.latest_index(),
            is_voter: self.configurations.own_votes().any(),
        }
    }

    /// The snapshot whose bytes are lost here, until another takes its place.
    #[must_use]
    pub fn lost_snapshot(&self) -> Option<SnapshotId> {
        self.snapshots.lost()
    }

    /// The configuration in force: that of the last entry that holds one, committed or not.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        self.configurations.latest()
    }

    /// Whether this node knows who is a member: not while a snapshot that it begins with has yet to say so.
    #[must_use]
    pub fn knows_configuration(&self) -> bool {
        !self.snapshots.configuration_is_unknown
    }

    /// All configurations of the log, in log order, each with the index of its entry; first the one that is in force
    /// at the log's base, which is that of nobody until [`restored`](Self::restored) says which one it is.
    pub fn configurations(&self) -> impl Iterator<Item = (LogIndex, &Configuration)> {
        let all = self.configurations.all().iter();
        all.map(|(index, configuration)| (*index, &**configuration))
    }

    /// The configuration that the entries up to `index` leave in force, and the index of its entry; `None` where that
    /// entry was given up for another one.
    #[must_use]
    pub fn configuration_at(&self, index: LogIndex) -> Option<(LogIndex, &Configuration)> {
        self.configurations().take_while(|(entry, _)| *entry <= index).last()
    }

    /// The followers, as this leader sees them, learners among them; none where it does not lead.
    pub fn followers(&self) -> impl Iterator<Item = FollowerStatus> {
        let followers = match &self.role {
            Role::Leader(leader) => &leader.followers[..],
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => &[],
        };
        followers.iter().map(|progress| progress.status(&self.config))
    }

    /// The handover of this leader's office, where one is under way.
    #[must_use]
    pub fn handover(&self) -> Option<Handover> {
        let Role::Leader(leader) = &self.role else { return None };
        leader.transfer.map(|transfer| Handover { to: transfer.to, reason: transfer.reason })
    }

    /// Whether nothing that this node acknowledged can be missing from its log: else its vote is conditional.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.head_is_certain()
    }

    /// Where something that this node acknowledged may be missing from its log, the last term that it may be of.
    #[must_use]
    pub fn uncertain(&self) -> Option<Term> {
        (!self.head_is_certain()).then_some(self.uncertain)
    }

    /// The entries whose data is lost here and is not durable again, in log order.
    pub fn faulty(&self) -> impl Iterator<Item = Faulty> {
        self.faults.entries()
    }

    /// Up to where the log is durable, with the data of all its entries but those that are [`faulty`](Self::faulty).
    #[must_use]
    pub fn named_index(&self) -> LogIndex {
        self.ledger.named_index()
    }

    /// The entry before the first of the log: a snapshot stands for all up to it.
    #[must_use]
    pub fn base(&self) -> LogPosition {
        self.log.base()
    }

    /// The newest snapshot that is whole and durable here.
    #[must_use]
    pub fn snapshot(&self) -> Option<SnapshotId> {
        self.snapshots.newest
    }

    /// The snapshot that the state machine is being put into. Another one was asked for in vain: a newer one takes its place.
    #[must_use]
    pub fn restoring_snapshot(&self) -> Option<SnapshotId> {
        self.snapshots.restoring
    }

    /// The snapshot that is on its way here, and how many of its bytes are stored.
    #[must_use]
    pub fn receiving_snapshot(&self) -> Option<(SnapshotId, u64)> {
        self.snapshots.receiving()
    }

    /// Whether a follower of this leader gets on with a snapshot. Whoever takes another meanwhile, and compacts the log
    /// behind it, sends that follower back to its start.
    #[must_use]
    pub fn is_sending_snapshot(&self) -> bool {
        self.snapshot_is_under_way()
    }

    /// The term of the entry at `index`, in memory or not: 0 at index 0, `None` past the end of the log and before its
    /// base.
    #[must_use]
    pub fn term_at(&self, index: LogIndex) -> Option<Term> {
        self.log.term_at(index)
    }

    /// The configuration it was started with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }
}
