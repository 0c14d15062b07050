//! What clients ask of a server and are answered, and the names of their operations.

use bytes::Bytes;
use squall_raft::{LogIndex, ProposeError, ReadError};
use squall_replica::{Consistency, Outcome, RequestId, SessionId, Submitted, Ticket};
use squall_sim::{ClientId, Env, OperationId};

use super::Server;
use crate::machine::Command;

/// What a client asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ask {
    /// A command outside any session.
    Command(Command),
    /// A session.
    OpenSession,
    /// A command within a session.
    InSession(Ticket, Command),
    /// The end of a session.
    CloseSession(SessionId),
    /// A question, without an entry in the log.
    Read {
        /// The question.
        query: Command,
        /// What it is to have seen.
        consistency: Consistency,
    },
}

/// What a client is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Response {
    /// The command took effect; the encoded reply of the state machine.
    Applied(Bytes),
    /// What was read.
    Read {
        /// The last entry that had been applied.
        applied: LogIndex,
        /// The encoded reply.
        reply: Bytes,
    },
    /// The session is open.
    Opened(SessionId),
    /// The session is closed.
    Closed,
    /// The client has said that it wants no answer to this any more.
    AlreadyAcknowledged,
    /// The session is gone.
    SessionExpired,
    /// The session takes no further answers.
    SessionFull,
    /// The command, or this copy of it, did not take effect and never will.
    /// Nothing was read.
    Dropped,
    /// The read was refused.
    ReadRefused(ReadError),
    /// The command, or this copy of it, was refused.
    Refused(ProposeError),
}

impl Ask {
    /// The command in it, if there is one.
    #[must_use]
    pub fn command(&self) -> Option<&Command> {
        match self {
            Self::Command(command) | Self::InSession(_, command) => Some(command),
            Self::OpenSession | Self::CloseSession(_) | Self::Read { .. } => None,
        }
    }
}

impl Server {
    /// Puts a client's question to the replica; what is known at once is answered at once.
    pub(super) fn submit(&mut self, operation: OperationId, ask: Ask, env: &mut Env<'_, Self>) {
        let (id, replica) = (request_id(operation), &mut self.replica);
        let result = match ask {
            Ask::Command(command) => replica.request(id, command.encode()).map(Submitted::Proposed),
            Ask::OpenSession => replica.open_session(id).map(Submitted::Proposed),
            Ask::InSession(ticket, command) => replica.request_in_session(id, ticket, command.encode()),
            Ask::CloseSession(session) => replica.close_session(id, session).map(Submitted::Proposed),
            Ask::Read { query, consistency } => {
                let result = replica.read(id, query.encode(), consistency);
                self.observe_read(result, env);
                if let Err(error) = result {
                    env.respond(operation, Response::ReadRefused(error));
                }
                return;
            }
        };
        self.observe_proposal(&result, env);
        match result {
            Ok(Submitted::Proposed(_) | Submitted::Forwarded(_)) => {}
            Ok(Submitted::Decided(outcome)) => respond(id, outcome, env),
            Err(error) => env.respond(operation, Response::Refused(error)),
        }
    }
}

pub(super) fn respond(request: RequestId, outcome: Outcome, env: &mut Env<'_, Server>) {
    let response = match outcome {
        Outcome::Applied { result, .. } => Response::Applied(result),
        Outcome::Read { applied, result: reply } => Response::Read { applied, reply },
        Outcome::Opened { session } => Response::Opened(session),
        Outcome::Closed => Response::Closed,
        Outcome::AlreadyAcknowledged => Response::AlreadyAcknowledged,
        Outcome::SessionExpired => Response::SessionExpired,
        Outcome::SessionFull => Response::SessionFull,
        Outcome::Dropped => Response::Dropped,
        Outcome::Refused(error) => Response::Refused(error),
        // Who does not know says nothing: the client's patience decides.
        Outcome::Unknown => return,
    };
    env.respond(operation_id(request), response);
}

/// A request's name on the wire and in the log; never zero.
#[must_use]
pub fn request_id(operation: OperationId) -> RequestId {
    RequestId(u128::from(operation.client.0) << 64 | u128::from(operation.number + 1))
}

/// The operation that a request's name stands for.
#[must_use]
pub fn operation_id(request: RequestId) -> OperationId {
    let number = u64::try_from(request.0 & u128::from(u64::MAX)).expect("the low half has 64 bits");
    let client = u32::try_from(request.0 >> 64).unwrap_or(u32::MAX);
    OperationId { client: ClientId(client), number: number.saturating_sub(1) }
}
