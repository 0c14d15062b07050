//! Election timeouts from a stream of this run: the crate draws its own from the machine's entropy.
//!
//! The crate draws anew whenever it enters a term or a role, but for that of a pre-candidate. What it drew is overwritten
//! after each call into it, before anything can come of it.

use raft::{Raft, StateRole, Storage};

use crate::messages::mix;

/// The stream of one life.
#[derive(Debug)]
pub(crate) struct Timeouts {
    /// Seed, node and life.
    key: [u64; 3],
    drawn: u64,
    of: (u64, StateRole),
}

impl Timeouts {
    pub(crate) fn new(key: [u64; 3], raft: &mut Raft<impl Storage>) -> Self {
        let timeouts = Self { key, drawn: 0, of: (raft.term, raft.state) };
        timeouts.set(raft);
        timeouts
    }

    /// Overwrites what the crate may have drawn in the call before.
    pub(crate) fn pin(&mut self, raft: &mut Raft<impl Storage>) {
        let now = (raft.term, raft.state);
        let is_new_role = now.1 != self.of.1 && now.1 != StateRole::PreCandidate;
        self.drawn += u64::from(now.0 != self.of.0 || is_new_role);
        self.of = now;
        self.set(raft);
    }

    fn set(&self, raft: &mut Raft<impl Storage>) {
        let [seed, node, boot] = self.key;
        let least = raft.election_timeout();
        let more = mix(&[seed, node, boot, self.drawn]) % least as u64;
        raft.set_randomized_election_timeout(least + more as usize);
    }
}
