//! Leases (thesis §6.4.1): for how long a leader knows, without asking, that nobody else leads.
//!
//! A voter that answers a heartbeat promises to vote for nobody else for so many of its ticks. The leader counts from
//! when it *sent* that heartbeat, and takes off what the two clocks may differ by and the part of a tick that neither
//! sees. The promise is the node's, not the role's: it outlives a new term, and a restart, for the longest that was
//! ever given stands in the hard state. A handover ends it, for the leader that asked for one.

use crate::progress::Progress;
use crate::role::{Leader, Role};
use crate::{HeartbeatResponse, Raft};

/// Rates are given in parts of so many.
const PARTS: u64 = 1_000_000;

/// A clock's reading, and between which of the leader's ticks it was taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Reading {
    sent_at: u64,
    received_at: u64,
    clock: u64,
}

/// What a leader knows of one follower's promise.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Lease {
    /// Up to which of the leader's ticks, exclusive, the follower votes for nobody else.
    until: u64,
    /// The first reading of its clock in this stretch of hearing it, and the last.
    first: Option<Reading>,
    last: Option<Reading>,
    /// Its clock and the leader's ran apart by more than the bound: its promises are worth nothing in this stretch.
    is_distrusted: bool,
}

/// The leader's ticks that a promise of so many of a follower's lasts, counted from when the heartbeat was sent, where
/// no clock is off by more than `drift_ppm`. One tick is lost to the part of it that had passed.
pub(crate) fn lease_ticks(promise: u64, drift_ppm: u32) -> u64 {
    let drift = u64::from(drift_ppm);
    let ticks = u128::from(promise.saturating_sub(1)) * u128::from(PARTS - drift) / u128::from(PARTS + drift);
    u64::try_from(ticks).expect("it is less than the promise")
}

impl Lease {
    /// Notes the answer to a heartbeat that was sent at `sent_at` or after.
    pub(crate) fn renew(&mut self, reading: Reading, promise: u64, drift_ppm: u32, unheard_max: u64) {
        // After a silence, or a restart, the clock is looked at afresh.
        let continues = self.last.is_some_and(|last| {
            reading.clock >= last.clock && reading.received_at - last.received_at <= unheard_max
        });
        if !continues {
            (self.first, self.is_distrusted) = (Some(reading), false);
        }
        self.last = Some(reading);
        if let Some(first) = self.first
            && !agree(first, reading, drift_ppm)
        {
            (self.is_distrusted, self.until) = (true, 0);
        }
        if !self.is_distrusted {
            self.until = self.until.max(reading.sent_at.saturating_add(lease_ticks(promise, drift_ppm)));
        }
    }
}

impl Reading {
    pub(crate) fn new(sent_at: u64, received_at: u64, clock: u64) -> Self {
        Self { sent_at, received_at, clock }
    }
}

/// Whether what passed between two readings may have passed on both clocks, if neither is off by more than the bound.
/// Each number of ticks may hide one more, or one less.
fn agree(first: Reading, second: Reading, drift_ppm: u32) -> bool {
    let (slow, fast) = (u128::from(PARTS - u64::from(drift_ppm)), u128::from(PARTS + u64::from(drift_ppm)));
    let theirs = u128::from(second.clock.saturating_sub(first.clock));
    let longest = u128::from(second.received_at.saturating_sub(first.sent_at)) + 1;
    let shortest = u128::from(second.sent_at.saturating_sub(first.received_at));
    let too_fast = theirs.saturating_sub(1) * slow > longest * fast;
    let too_slow = (theirs + 1) * fast < shortest.saturating_sub(1) * slow;
    !too_fast && !too_slow
}

impl Raft {
    /// What this node promises the leader that it hears, in ticks.
    pub(crate) fn promise(&self) -> u64 {
        if self.config.lease_drift_ppm.is_some() { self.config.election_timeout } else { 0 }
    }

    /// A promise is given; it holds from now on, and is told once it is kept for the next life.
    pub(crate) fn give_promise(&mut self) -> u64 {
        let promise = self.promise();
        self.promised_until = self.promised_until.max(self.now + promise);
        if promise > self.hard_state.longest_promise {
            self.hard_state.longest_promise = promise;
            self.ledger.hard_state_changed();
        }
        promise
    }

    /// Whether a vote would break a promise.
    pub(crate) fn is_promised(&self) -> bool {
        self.now < self.promised_until
    }

    /// Whether nobody else can lead now: a quorum promised, and what was committed before is known.
    pub(crate) fn holds_lease(&self) -> bool {
        let Role::Leader(leader) = &self.role else { return false };
        self.config.lease_drift_ppm.is_some()
            && !leader.lease_ended
            && self.commit_index >= leader.first_index
            && leader.has_quorum(|progress| self.now < progress.lease.until)
    }

    /// A follower answered a heartbeat.
    pub(crate) fn renew_lease(&mut self, position: usize, response: &HeartbeatResponse) {
        let (now, timeout) = (self.now, self.config.election_timeout);
        let Some(drift_ppm) = self.config.lease_drift_ppm else { return };
        // The answer to an earlier term promises nothing, and says nothing of the clock.
        if response.promise == 0 {
            return;
        }
        let Role::Leader(leader) = &mut self.role else { return };
        let Leader { round, round_at, followers, .. } = leader;
        let progress: &mut Progress = &mut followers[position];
        let sent_at = match response.round {
            latest if latest == *round => *round_at,
            later if later >= progress.round => progress.round_at,
            _ => return,
        };
        let reading = Reading::new(sent_at, now, response.clock);
        progress.lease.renew(reading, response.promise, drift_ppm, timeout);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENTH: u32 = 100_000;

    #[test]
    fn a_lease_is_shorter_than_the_promise_by_what_clocks_may_differ() {
        assert_eq!(lease_ticks(101, 0), 100);
        assert_eq!(
            lease_ticks(111, TENTH),
            90,
            "110 ticks of a fast clock are 100 sound ones, and 90 of a slow one"
        );
        assert_eq!(lease_ticks(0, TENTH), 0);
        assert_eq!(lease_ticks(1, 0), 0);
    }

    #[test]
    fn a_lease_runs_from_when_the_heartbeat_was_sent() {
        let mut lease = Lease::default();
        lease.renew(Reading::new(10, 40, 7), 101, 0, 1_000);
        assert_eq!(lease.until, 110);
    }

    #[test]
    fn a_late_answer_shortens_nothing() {
        let mut lease = Lease::default();
        lease.renew(Reading::new(50, 60, 47), 101, 0, 1_000);
        lease.renew(Reading::new(10, 70, 7), 101, 0, 1_000);
        assert_eq!(lease.until, 150);
    }

    #[test]
    fn a_clock_within_the_bound_is_trusted_and_one_beyond_it_is_not() {
        let until = |clock| {
            let mut lease = Lease::default();
            lease.renew(Reading::new(0, 10, 500), 101, TENTH, 2_000);
            lease.renew(Reading::new(1_000, 1_010, clock), 101, TENTH, 2_000);
            lease.renew(Reading::new(1_020, 1_030, clock + 20), 101, TENTH, 2_000);
            lease.until
        };
        assert_ne!(until(500 + 1_200), 0, "the one fast, the other slow, each by a tenth");
        assert_eq!(until(500 + 1_400), 0, "too fast");
        assert_ne!(until(500 + 820), 0);
        assert_eq!(until(500 + 700), 0, "too slow");
    }

    /// Ten ticks passed here, give or take the two that began and ended outside.
    #[test]
    fn each_number_of_ticks_may_hide_one_more_or_one_less() {
        let first = Reading::new(0, 0, 100);
        for (theirs, expected) in [(7, false), (8, true), (12, true), (13, false)] {
            assert_eq!(agree(first, Reading::new(10, 10, 100 + theirs), 0), expected, "{theirs} there");
        }
    }

    #[test]
    fn a_restart_or_a_silence_is_no_misbehaviour() {
        let mut lease = Lease::default();
        lease.renew(Reading::new(0, 10, 5_000), 101, TENTH, 50);
        lease.renew(Reading::new(20, 30, 3), 101, TENTH, 50);
        lease.renew(Reading::new(900, 910, 10), 101, TENTH, 50);
        assert_eq!(lease.until, 900 + lease_ticks(101, TENTH));
    }

    #[test]
    fn a_clock_that_misbehaved_is_looked_at_afresh_after_a_silence() {
        let mut lease = Lease::default();
        lease.renew(Reading::new(0, 10, 500), 101, TENTH, 2_000);
        lease.renew(Reading::new(1_000, 1_010, 5_000), 101, TENTH, 2_000);
        assert_eq!(lease.until, 0);
        lease.renew(Reading::new(9_000, 9_010, 13_000), 101, TENTH, 2_000);
        assert_eq!(lease.until, 9_000 + lease_ticks(101, TENTH));
    }
}
