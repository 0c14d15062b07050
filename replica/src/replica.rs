//! The replica: core, state machine and pending requests, driven together.
//!
//! The way of one command (docs/architecture.md): `request` proposes it; `next_output` hands out the writes and
//! messages that follow; once it is committed and durable here, `apply` gives it to the state machine, and the
//! answer is the next output. The driver paces `apply`, so that a slow state machine is the driver's to model.

use std::collections::VecDeque;

use bytes::Bytes;
use squall_raft::{
    Action, Config, ConfigError, Entry, Fetch, FetchPurpose, Ignored, LogIndex, LogPosition, Message, NodeId,
    Payload, ProposeError, Raft, ReadError, ReadId, Recovered, RoleKind, Status, TransferError, Write,
    WriteToken,
};

use crate::pending::Pending;
use crate::reads::{Reads, Waiting};
use crate::{Consistency, RequestId, StateMachine, open_proposal, seal_proposal};

/// Requests that may wait at one replica unless [`Replica::limit_pending_requests`] says otherwise.
pub const MAX_PENDING_REQUESTS: u64 = 1 << 16;

/// One replica.
#[derive(Clone, Debug)]
pub struct Replica<S> {
    raft: Raft,
    machine: S,
    pending: Pending,
    max_pending_requests: u64,
    /// The last entry given to the state machine.
    /// Invariant: `applied <= apply_until`.
    applied: LogIndex,
    /// The last entry that the core asked to apply.
    apply_until: LogIndex,
    answers: VecDeque<(RequestId, Outcome)>,
    reads: Reads,
}

/// One thing for the driver to do, in the order in which it is handed out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output<'a> {
    /// Send it; it may always go out at once.
    Send(Message),
    /// Write it after all writes before, and say `persisted` when it is durable.
    Persist(Write<'a>),
    /// Read entries from disk and hand them to `fetched`.
    Fetch(Fetch),
    /// Entries wait for the state machine: call `apply` when it may work. Nothing else is lost by waiting.
    Apply,
    /// The core settled the reads up to this one; there is nothing to do, but for who watches it.
    ReadsSettled {
        /// The last of them.
        up_to: ReadId,
        /// From which index on they are served, where they are.
        index: Option<LogIndex>,
    },
    /// Answer a request.
    Respond {
        /// Whose.
        request: RequestId,
        /// What became of it.
        outcome: Outcome,
    },
}

/// What became of an accepted request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It took effect.
    Applied {
        /// Its entry.
        position: LogPosition,
        /// The state machine's answer.
        result: Bytes,
    },
    /// It was read; it had no effect.
    Read {
        /// The last entry that the state machine had applied.
        applied: LogIndex,
        /// The state machine's answer.
        result: Bytes,
    },
    /// It never happened and never will: another entry took its place, or a read that nobody can vouch for.
    Dropped,
    /// This replica cannot tell any more: it may have happened, or happen yet.
    Unknown,
}

impl<S: StateMachine> Replica<S> {
    /// A replica at the start of one life, with what its storage recovered, and a state machine in its first state.
    ///
    /// # Errors
    /// Names what is wrong with the configuration.
    pub fn new(config: Config, recovered: &Recovered, machine: S) -> Result<Self, ConfigError> {
        Ok(Self {
            raft: Raft::new(config, recovered)?,
            machine,
            pending: Pending::default(),
            max_pending_requests: MAX_PENDING_REQUESTS,
            applied: LogIndex::ZERO,
            apply_until: LogIndex::ZERO,
            answers: VecDeque::new(),
            reads: Reads::default(),
        })
    }

    /// Bounds the requests that may wait for their entries; above it a leader answers `Busy`.
    pub fn limit_pending_requests(&mut self, max: u64) {
        self.max_pending_requests = max;
    }

    /// Lets time pass; ticks that are due are fed before any other input.
    pub fn tick(&mut self, ticks: u64) {
        self.raft.tick(ticks);
    }

    /// Takes a message from another replica.
    ///
    /// # Errors
    /// Says why it was ignored.
    pub fn receive(&mut self, message: Message) -> Result<(), Ignored> {
        self.raft.receive(message)
    }

    /// This write, and all before it, are durable.
    pub fn persisted(&mut self, token: WriteToken) {
        self.raft.persisted(token);
    }

    /// Entries that a `Fetch` asked for; none, where the read failed. See [`Raft::fetched`].
    ///
    /// # Panics
    /// Where the core does.
    pub fn fetched(&mut self, purpose: FetchPurpose, entries: Vec<Entry>) {
        self.raft.fetched(purpose, entries);
    }

    /// Hands leadership to another replica (thesis §3.10).
    ///
    /// # Errors
    /// Says why it cannot be done.
    pub fn transfer_leadership(&mut self, to: NodeId) -> Result<(), TransferError> {
        self.raft.transfer_leadership(to)
    }

    /// Campaigns at once, as if the election timeout had passed.
    pub fn campaign(&mut self) {
        self.raft.campaign();
    }

    /// Proposes a client's command. Where it is accepted, exactly one `Respond` for it follows in this life.
    ///
    /// # Errors
    /// Says why it was refused; a refused request has no effect and gets no `Respond`.
    pub fn request(
        &mut self,
        request: RequestId,
        command: impl AsRef<[u8]>,
    ) -> Result<LogPosition, ProposeError> {
        let full = self.pending.len() >= self.max_pending_requests;
        if full {
            let status = self.raft.status();
            if status.role == RoleKind::Leader && !self.pending.has_before(status.current_term) {
                return Err(ProposeError::Busy);
            }
        }
        let position = self.raft.propose(seal_proposal(request, command.as_ref()))?;
        // Who waited since an earlier office has waited longest, and least is known about it.
        if full && let Some(evicted) = self.pending.evict() {
            self.answers.push_back((evicted, Outcome::Unknown));
        }
        self.pending.push(position, request);
        Ok(position)
    }

    /// Asks the state machine, without an entry in the log. A `Respond` for it follows in this life; a linearizable read
    /// waits for the word of a leader, which may be another replica, and never for a disk. Returns the number that the
    /// core gave it, where it is linearizable.
    ///
    /// # Errors
    /// Says why it was refused; then it gets no `Respond`.
    pub fn read(
        &mut self,
        request: RequestId,
        query: impl AsRef<[u8]>,
        consistency: Consistency,
    ) -> Result<Option<ReadId>, ReadError> {
        let (size, max) = (query.as_ref().len() as u64, self.raft.config().max_proposal_bytes);
        if size > max {
            return Err(ReadError::TooLarge { size, max });
        }
        match consistency {
            Consistency::Serializable => {
                let result = self.machine.query(query.as_ref());
                self.answers.push_back((request, Outcome::Read { applied: self.applied, result }));
                Ok(None)
            }
            Consistency::Linearizable => {
                if self.reads.len() >= self.raft.config().max_pending_reads {
                    return Err(ReadError::Busy);
                }
                let id = self.raft.read()?;
                let query = Bytes::copy_from_slice(query.as_ref());
                self.reads.ask(id, Waiting { request, query });
                Ok(Some(id))
            }
        }
    }

    /// Gives up to `max_entries` committed entries to the state machine; returns how many there were.
    pub fn apply(&mut self, max_entries: u64) -> u64 {
        self.apply_observed(max_entries, |_, _| {})
    }

    /// Does what [`apply`](Self::apply) does, and shows each entry with the state machine after it.
    pub fn apply_observed(&mut self, max_entries: u64, mut observe: impl FnMut(&Entry, &S)) -> u64 {
        let count = self.apply_backlog().min(max_entries);
        if count == 0 {
            return 0;
        }
        let last = LogIndex(self.applied.0 + count);
        let Self { raft, machine, pending, answers, reads, applied, .. } = self;
        let (head, rest) = raft.committed(applied.next(), last);
        for entry in head.iter().chain(rest) {
            assert_eq!(entry.index, applied.next(), "entries are applied one after the other");
            let result = apply_entry(machine, entry);
            *applied = entry.index;
            pending.settle(entry.position(), |request, own| {
                let outcome = if own {
                    Outcome::Applied { position: entry.position(), result: result.clone() }
                } else {
                    Outcome::Dropped
                };
                answers.push_back((request, outcome));
            });
            observe(entry, machine);
        }
        assert_eq!(*applied, last, "the core holds every entry that it asked to apply");
        raft.applied(last);
        serve_reads(reads, machine, last, answers);
        count
    }

    /// How many committed entries wait for the state machine.
    #[must_use]
    pub fn apply_backlog(&self) -> u64 {
        self.apply_until.0 - self.applied.0
    }

    /// The next thing to do; `None` when there is nothing until the next input.
    pub fn next_output(&mut self) -> Option<Output<'_>> {
        if let Some((request, outcome)) = self.answers.pop_front() {
            return Some(Output::Respond { request, outcome });
        }
        Some(match self.raft.next_action()? {
            Action::ReadReady { up_to, index } => {
                self.reads.make_ready(up_to, index);
                serve_reads(&mut self.reads, &self.machine, self.applied, &mut self.answers);
                Output::ReadsSettled { up_to, index: Some(index) }
            }
            Action::ReadDropped { up_to } => {
                while let Some(Waiting { request, .. }) = self.reads.take_asked(up_to) {
                    self.answers.push_back((request, Outcome::Dropped));
                }
                Output::ReadsSettled { up_to, index: None }
            }
            Action::Send(message) => Output::Send(message),
            Action::Persist(write) => Output::Persist(write),
            Action::Fetch(fetch) => Output::Fetch(fetch),
            Action::Apply { first, last } => {
                assert_eq!(first, self.apply_until.next(), "the core asks for entries one after the other");
                assert!(last >= first, "the core asks for no empty stretch");
                self.apply_until = last;
                Output::Apply
            }
        })
    }

    /// The core, to look at.
    #[must_use]
    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    /// The state machine, to look at.
    #[must_use]
    pub fn machine(&self) -> &S {
        &self.machine
    }

    /// The core's state at a glance.
    #[must_use]
    pub fn status(&self) -> Status {
        self.raft.status()
    }

    /// How many requests wait for their entries.
    #[must_use]
    pub fn pending_requests(&self) -> u64 {
        self.pending.len()
    }

    /// How many ticks may pass before the core has anything to do; `u64::MAX` is for ever.
    #[must_use]
    pub fn ticks_until_due(&self) -> u64 {
        self.raft.ticks_until_due()
    }
}

/// Serves the reads that wait for no more than what is applied.
fn serve_reads<S: StateMachine>(
    reads: &mut Reads,
    machine: &S,
    applied: LogIndex,
    answers: &mut VecDeque<(RequestId, Outcome)>,
) {
    while let Some(Waiting { request, query }) = reads.serve_next(applied) {
        answers.push_back((request, Outcome::Read { applied, result: machine.query(&query) }));
    }
}

/// Gives one entry to the state machine. What no replica sealed changes nothing, on every replica alike.
fn apply_entry<S: StateMachine>(machine: &mut S, entry: &Entry) -> Bytes {
    match &entry.payload {
        Payload::Noop => Bytes::new(),
        Payload::Command(proposal) => match open_proposal(proposal) {
            Some((_, command)) => machine.apply(entry.position(), command),
            None => Bytes::new(),
        },
    }
}
