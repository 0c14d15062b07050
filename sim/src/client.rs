//! The clients: one operation under way each, and the history of all of them.
//!
//! A client that has waited long enough goes on; what became of its operation stays unknown for ever, even
//! if an answer comes after all.

use crate::ids::{OperationId, ProcessId};
use crate::process::{Process, Step};
use crate::queue::Sequence;
use crate::time::Time;

/// One operation of the history.
#[derive(Clone, Debug)]
pub struct Call<P: Process> {
    /// Whose, and which.
    pub operation: OperationId,
    /// When it was first asked.
    pub called: Time,
    /// What was asked.
    pub request: P::Request,
    /// What came of it.
    pub outcome: CallOutcome<P>,
}

/// What the client knows of an operation.
#[derive(Clone, Debug)]
pub enum CallOutcome<P: Process> {
    /// It was answered.
    Returned {
        /// When.
        at: Time,
        /// What.
        response: P::Response,
    },
    /// Nobody answered in time: it may have taken place, may yet, or never will.
    Unknown,
}

/// One client.
#[derive(Clone, Debug)]
pub(crate) struct Client<P: Process> {
    /// The number of the operation under way or to come.
    pub(crate) number: u64,
    pub(crate) state: ClientState<P>,
    /// Who is asked, at the next try.
    pub(crate) target: ProcessId,
    /// How many requests were ever sent; see `Purpose::ClientLink`.
    pub(crate) hops: u64,
    /// Whether the attempt under way was answered: the answer may still be on its way.
    pub(crate) is_answered: bool,
    /// The valid entry of the queue for the next call.
    pub(crate) call_event: Sequence,
    /// The valid entry of the queue for giving up.
    pub(crate) timeout_event: Sequence,
    /// The step of the call, or of what led to it.
    pub(crate) cause: u64,
    /// The first operation that is thought of in the liveness phase.
    pub(crate) first_fresh: u64,
    /// How many from that on were answered.
    pub(crate) fresh_answers: u64,
}

/// What a client is doing.
#[derive(Clone, Debug)]
pub(crate) enum ClientState<P: Process> {
    /// It thinks before this step.
    Thinking(Step<P>),
    /// It waits for an answer; the place of its call in the history.
    Waiting(usize),
    /// It has no more to ask.
    Finished,
}

impl<P: Process> Client<P> {
    pub(crate) fn new() -> Client<P> {
        Client {
            number: 0,
            state: ClientState::Finished,
            target: ProcessId(0),
            hops: 0,
            is_answered: false,
            call_event: Sequence::default(),
            timeout_event: Sequence::default(),
            cause: 0,
            first_fresh: 0,
            fresh_answers: 0,
        }
    }
}
