//! Client sessions (thesis §6.3): the table by which a request that is retried takes effect once, and gets one answer.
//!
//! The table is replicated state like the state machine beside it: entries change it, and nothing else does. It knows no
//! clock, and no bound of its own: the bounds of who proposed a session travel in the entry that opens it, so that
//! replicas of different configurations do the same.
//!
//! A session holds the answers that its client has not acknowledged. What is below `acknowledged_below` will not be
//! asked again, and whatever comes of it later is a straggler. One session more than there is room for ends the one
//! whose last entry is the oldest.

mod bytes;
mod session;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use ::bytes::Bytes;
use squall_raft::{LogIndex, LogPosition};

pub use self::bytes::SessionsError;
use self::session::{Found, Session};
use crate::Outcome;

/// Names a session, for ever: it is the index of the entry that opened it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// The place of a request within its session. All copies of one request bear the same session and sequence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket {
    /// Its session.
    pub session: SessionId,
    /// Its number. The client gives one to each request, in any order, and none to two.
    pub sequence: u64,
    /// The client has the answers to all requests below, or wants them no more.
    pub acknowledged_below: u64,
}

/// What a session may take up: the bounds that its proposer puts on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessionLimits {
    /// Sessions that there may be once this one is open, itself among them: at least one.
    pub max_sessions: u64,
    /// Answers that it may hold. Where it holds none it takes one, whatever this says.
    pub max_answers: u64,
    /// Bytes of answers at which it takes no more, so that the last may go beyond. Where it holds none it takes one.
    pub max_answer_bytes: u64,
}

/// All sessions of one replicated state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sessions {
    by_id: BTreeMap<SessionId, Session>,
    /// Invariant: each session once, under the index of its last entry.
    by_activity: BTreeMap<LogIndex, SessionId>,
    /// Invariant: the wrapping sum of the sessions' digests; so 0 where there are none.
    digest: u64,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { max_sessions: 4_096, max_answers: 64, max_answer_bytes: 64 << 10 }
    }
}

impl Sessions {
    /// What is certain of a request on a replica that has applied the log up to `applied`, without any further entry;
    /// `None` where only the log can tell. What is certain once stays so, and is the same on all replicas.
    #[must_use]
    pub fn look_up(&self, ticket: Ticket, applied: LogIndex) -> Option<Outcome> {
        let Some(session) = self.by_id.get(&ticket.session) else {
            let is_gone = ticket.session.0 <= applied.0;
            return is_gone.then_some(Outcome::SessionExpired);
        };
        match session.find(ticket.sequence) {
            Found::Answer(answer) => Some(answer.outcome()),
            Found::Acknowledged => Some(Outcome::AlreadyAcknowledged),
            Found::Nothing => None,
        }
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.by_id.len() as u64
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The last entry that any session has seen; 0 where there is none.
    pub(crate) fn last_entry(&self) -> LogIndex {
        self.by_activity.last_key_value().map_or(LogIndex::ZERO, |(index, _)| *index)
    }

    /// A digest of the whole table, kept up to date, so that reading it costs nothing; 0 where it is empty.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Opens the session of the entry at `index`; where there is no room, those end that were idle for longest.
    pub(crate) fn open(&mut self, index: LogIndex, limits: SessionLimits) -> Outcome {
        while !self.is_empty() && self.len() >= limits.max_sessions {
            let (_, idle) = self.by_activity.pop_first().expect("each session has its last entry");
            self.remove(idle);
        }
        let id = SessionId(index.0);
        let session = Session::new(index, limits);
        self.digest = self.digest.wrapping_add(session.digest(id));
        let former = self.by_id.insert(id, session);
        assert!(former.is_none(), "entry {index} opens a second session");
        self.by_activity.insert(index, id);
        Outcome::Opened { session: id }
    }

    /// Ends a session, where there is one of this name.
    pub(crate) fn close(&mut self, id: SessionId) -> Outcome {
        if let Some(session) = self.remove(id) {
            self.by_activity.remove(&session.last_entry());
        }
        Outcome::Closed
    }

    /// Takes the request of the entry at `position`, and lets `execute` take effect where no copy of it has before.
    pub(crate) fn apply(
        &mut self,
        position: LogPosition,
        ticket: Ticket,
        execute: impl FnOnce() -> Bytes,
    ) -> Outcome {
        let Some(session) = self.by_id.get_mut(&ticket.session) else { return Outcome::SessionExpired };
        self.by_activity.remove(&session.last_entry());
        self.by_activity.insert(position.index, ticket.session);
        self.digest = self.digest.wrapping_sub(session.digest(ticket.session));
        let outcome = session.apply(position, ticket, execute);
        self.digest = self.digest.wrapping_add(session.digest(ticket.session));
        outcome
    }

    fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.by_id.remove(&id)?;
        self.digest = self.digest.wrapping_sub(session.digest(id));
        Some(session)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
