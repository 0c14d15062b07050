//! Stopping a replica in good order: its office goes to another first, and whoever asked it for something is answered.
//!
//! A replica may also stop at any moment, as a crash does: nothing is lost by that but time, and the fate of requests.

use crate::{Outcome, Replica, StateMachine};

impl<S: StateMachine> Replica<S> {
    /// Takes no more requests from clients, and hands leadership over where this replica has it. All else goes on as before:
    /// the driver feeds and drains it until it [may stop](Self::may_stop), which is so after `patience` ticks at the
    /// latest. There is no way back but a new life.
    pub fn shut_down(&mut self, patience: u64) {
        self.raft.retire();
        let stops_at = self.now.saturating_add(patience);
        self.stops_at = Some(self.stops_at.map_or(stops_at, |earlier| earlier.min(stops_at)));
        self.maybe_give_up_requests();
    }

    /// Whether it was told to shut down.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.stops_at.is_some()
    }

    /// Whether it was told to shut down, and there is nothing left to wait for: it leads nobody, and every request is
    /// answered; or its patience is over, and then those whose fate it does not know are answered so. To be asked when all
    /// outputs were carried out.
    #[must_use]
    pub fn may_stop(&self) -> bool {
        let Some(stops_at) = self.stops_at else { return false };
        let leads_others = self.raft.followers().any(|follower| follower.votes.any());
        let waiting = self.pending.len() + self.forwards.len() + self.reads.len();
        self.answers.is_empty() && (self.now >= stops_at || (waiting == 0 && !leads_others))
    }

    /// Patience is over: nobody will hear any more what became of what he asked.
    pub(crate) fn maybe_give_up_requests(&mut self) {
        if self.stops_at.is_none_or(|stops_at| self.now < stops_at) {
            return;
        }
        while let Some(request) = self.pending.evict().or_else(|| self.forwards.expire(u64::MAX)) {
            self.answers.push_back((request, Outcome::Unknown));
        }
        while let Some(request) = self.reads.give_up() {
            self.answers.push_back((request, Outcome::Dropped));
        }
    }
}
