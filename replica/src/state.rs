//! The replicated state: the state machine, and the table of client sessions beside it.
//!
//! Entries change it, in log order, and nothing else does: two replicas that have applied the same entries have equal
//! states. It is what a snapshot has to hold.

use bytes::Bytes;
use squall_raft::{Entry, Payload};

use crate::{Outcome, Proposal, Sessions, StateMachine, Ticket, open_proposal};

/// The state of one replica.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State<S> {
    machine: S,
    sessions: Sessions,
}

/// What came of one entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Effect {
    /// Which request of a session it is a copy of.
    pub(crate) ticket: Option<Ticket>,
    /// What is answered to whoever proposed it.
    pub(crate) outcome: Outcome,
}

impl<S: StateMachine> State<S> {
    pub(crate) fn new(machine: S) -> Self {
        Self { machine, sessions: Sessions::default() }
    }

    /// The state that a snapshot holds.
    pub(crate) fn restored(machine: S, sessions: Sessions) -> Self {
        Self { machine, sessions }
    }

    /// The state machine.
    #[must_use]
    pub fn machine(&self) -> &S {
        &self.machine
    }

    /// The client sessions.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// A digest of all of it; that of the state machine, as long as there are no sessions.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.machine.digest().wrapping_add(self.sessions.digest())
    }

    /// Takes the next entry. What no replica sealed changes nothing.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Effect {
        let Self { machine, sessions } = self;
        let position = entry.position();
        let applied = |result| Effect { ticket: None, outcome: Outcome::Applied { position, result } };
        let proposal = match &entry.payload {
            Payload::Noop | Payload::Configuration(_) => return applied(Bytes::new()),
            Payload::Withheld => panic!("{position} is to be applied, and its data is not here"),
            Payload::Command(proposal) => open_proposal(proposal),
        };
        match proposal {
            None => applied(Bytes::new()),
            Some((_, Proposal::Command(command))) => applied(machine.apply(position, command)),
            Some((_, Proposal::OpenSession(limits))) => {
                Effect { ticket: None, outcome: sessions.open(entry.index, limits) }
            }
            Some((_, Proposal::InSession(ticket, command))) => {
                let outcome = sessions.apply(position, ticket, || machine.apply(position, command));
                Effect { ticket: Some(ticket), outcome }
            }
            Some((_, Proposal::CloseSession(session))) => {
                Effect { ticket: None, outcome: sessions.close(session) }
            }
        }
    }
}
