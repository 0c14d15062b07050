//! What becomes of requests.

use bytes::Bytes;
use squall_raft::{LogIndex, LogPosition, NodeId, ProposeError};

use crate::SessionId;

/// What became of an accepted request.
///
/// For a request of a session it speaks of this copy. Unless it is `Applied`, another copy may have taken effect, or
/// may yet: the client asks again, with the same ticket, until it is told, or gives the answer up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It took effect.
    Applied {
        /// The entry that did: of a request of a session, that of the first copy in the log.
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
    /// The session is open.
    Opened {
        /// Its name.
        session: SessionId,
    },
    /// The session is closed, or was not open.
    Closed,
    /// The client has said that it wants no answer to this request any more; the answer is gone, if there was one.
    AlreadyAcknowledged,
    /// The session is not open: it was closed, it had to make room for another, or there never was one of its name.
    SessionExpired,
    /// The session holds as many answers as it may, so that this copy had no effect. Answers that are acknowledged make
    /// room.
    SessionFull,
    /// It never happened and never will: another entry took its place, or a read that nobody can vouch for.
    Dropped,
    /// The leader that it was sent on to refused it.
    Refused(ProposeError),
    /// This replica cannot tell any more: it may have happened, or happen yet.
    Unknown,
}

/// What was done with an accepted request of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Submitted {
    /// Its entry is proposed here; a `Respond` follows.
    Proposed(LogPosition),
    /// It was sent on to this leader; a `Respond` follows.
    Forwarded(NodeId),
    /// It is decided already, and this is the answer; no `Respond` follows.
    Decided(Outcome),
}
