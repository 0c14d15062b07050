//! What clients ask of a replica: commands, sessions, and commands within a session (thesis §6.3).

use bytes::Bytes;
use squall_raft::{LogPosition, ProposeError, RoleKind};

use crate::{
    Outcome, Proposal, Replica, RequestId, SessionId, SessionLimits, StateMachine, Submitted, Ticket,
    seal_proposal,
};

/// So many election timeouts after a request was sent on, nobody waits for it any more: its leader is gone, or the
/// message was lost.
const FORWARD_TIMEOUTS: u64 = 4;

impl<S: StateMachine> Replica<S> {
    /// Bounds the requests that may wait for their entries; above it a leader answers `Busy`. A follower keeps as many
    /// that it has sent on.
    pub fn limit_pending_requests(&mut self, max: u64) {
        self.max_pending_requests = max;
    }

    /// Bounds the sessions that are opened here from now on, on whichever replica they are used.
    pub fn limit_sessions(&mut self, limits: SessionLimits) {
        self.session_limits = limits;
    }

    /// Whether requests of sessions are sent on to the leader (thesis §6.2) instead of being refused. It is off at first.
    pub fn forward_requests(&mut self, forwards: bool) {
        self.is_forwarding = forwards;
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
        self.propose(request, seal_proposal(request, Proposal::Command(command.as_ref())))
    }

    /// Opens a session. Asked twice, it opens two; the one that nobody uses ends when there is no room for it.
    ///
    /// # Errors
    /// As those of [`request`](Self::request).
    pub fn open_session(&mut self, request: RequestId) -> Result<LogPosition, ProposeError> {
        self.propose(request, seal_proposal(request, Proposal::OpenSession(self.session_limits)))
    }

    /// Closes a session.
    ///
    /// # Errors
    /// As those of [`request`](Self::request).
    pub fn close_session(
        &mut self,
        request: RequestId,
        session: SessionId,
    ) -> Result<LogPosition, ProposeError> {
        self.propose(request, seal_proposal(request, Proposal::CloseSession(session)))
    }

    /// Proposes a command of a session, which takes effect once however often it is asked for, here or elsewhere. What is
    /// decided already is answered at once, by whichever replica knows: it took effect between the client's first call
    /// and this answer, so that it is linearizable (§8).
    ///
    /// # Errors
    /// Says why it was refused; then this copy has no effect and gets no `Respond`.
    pub fn request_in_session(
        &mut self,
        request: RequestId,
        ticket: Ticket,
        command: impl AsRef<[u8]>,
    ) -> Result<Submitted, ProposeError> {
        // A witness knows of no session, and would never hear what became of a request that it sent on.
        if self.is_witness() {
            return Err(ProposeError::NotLeader { leader: self.raft.status().leader });
        }
        if let Some(outcome) = self.state.sessions().look_up(ticket, self.applied) {
            return Ok(Submitted::Decided(outcome));
        }
        let proposal = seal_proposal(request, Proposal::InSession(ticket, command.as_ref()));
        if self.is_forwarding && self.raft.status().role != RoleKind::Leader {
            return self.forward(request, ticket, proposal);
        }
        self.propose(request, proposal).map(Submitted::Proposed)
    }

    fn propose(&mut self, request: RequestId, proposal: Bytes) -> Result<LogPosition, ProposeError> {
        if self.is_shutting_down() {
            return Err(ProposeError::ShuttingDown);
        }
        let full = self.pending.len() >= self.max_pending_requests;
        if full {
            let status = self.raft.status();
            if status.role == RoleKind::Leader && !self.pending.has_before(status.current_term) {
                return Err(ProposeError::Busy);
            }
        }
        let position = self.raft.propose(proposal)?;
        // Who waited since an earlier office has waited longest, and least is known about it.
        if full && let Some(evicted) = self.pending.evict() {
            self.answers.push_back((evicted, Outcome::Unknown));
        }
        self.pending.push(position, request);
        Ok(position)
    }

    fn forward(
        &mut self,
        request: RequestId,
        ticket: Ticket,
        proposal: Bytes,
    ) -> Result<Submitted, ProposeError> {
        if self.is_shutting_down() {
            return Err(ProposeError::ShuttingDown);
        }
        if self.forwards.len() >= self.max_pending_requests {
            return Err(ProposeError::Busy);
        }
        let leader = self.raft.forward(self.forwards.next_number(), proposal)?;
        let patience = self.raft.config().election_timeout.saturating_mul(FORWARD_TIMEOUTS);
        let repeated = self.forwards.add(request, ticket, leader, self.now.saturating_add(patience));
        self.answers.extend(repeated.map(|request| (request, Outcome::Unknown)));
        Ok(Submitted::Forwarded(leader))
    }

    /// Nobody hears any more what became of the requests that were sent on too long ago.
    pub(crate) fn expire_forwards(&mut self) {
        while let Some(request) = self.forwards.expire(self.now) {
            self.answers.push_back((request, Outcome::Unknown));
        }
    }
}
