//! Passing proposals on to the leader (thesis §6.2): what spares a client the search for it.
//!
//! A proposal is sent on once, by the follower that a client asked. Who receives it and does not lead says so, and passes
//! it to nobody: so it can run in no circle, however little the nodes agree on who leads.

use bytes::Bytes;

use crate::{Body, Forward, ForwardResponse, Ignored, NodeId, ProposeError, Raft};

impl Raft {
    pub(crate) fn send_forward(&mut self, number: u64, data: Bytes) -> Result<NodeId, ProposeError> {
        let leader = self.leader();
        let Some(to) = leader.filter(|leader| *leader != self.config.id) else {
            return Err(ProposeError::NotLeader { leader });
        };
        // What waits for the disk has room for one message of a kind: the next would take its place.
        if !self.ledger.hard_state_is_durable() {
            return Err(ProposeError::NotLeader { leader });
        }
        let (size, max) = (data.len() as u64, self.config.max_proposal_bytes);
        if size > max {
            return Err(ProposeError::TooLarge { size, max });
        }
        self.send(to, Body::Forward(Forward { number, data }));
        Ok(to)
    }

    /// Proposes what another was asked, or refuses it.
    pub(crate) fn handle_forward(&mut self, from: NodeId, forward: Forward) -> Result<(), Ignored> {
        let Forward { number, data } = forward;
        if let Err(refusal) = self.handle_proposal(data) {
            self.refuse_forward(from, number, refusal);
        }
        Ok(())
    }

    pub(crate) fn refuse_forward(&mut self, to: NodeId, number: u64, refusal: ProposeError) {
        self.send(to, Body::ForwardResponse(ForwardResponse { number, refusal }));
    }
}
