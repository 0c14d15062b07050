//! How one replica behaves, and what bounds it.

use alloc::vec::Vec;
use core::fmt;

use crate::lease::lease_ticks;
use crate::{MEMBERS_MAX, NodeId};

/// A replica's configuration. Times are in ticks, of whatever length the driver gives a tick.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// This replica.
    pub id: NodeId,
    /// The replicas with which the cluster began, this one among them; sorted, without repetition, and the same for
    /// all of them. Nobody, for a replica that is added later: it waits for a leader to tell it of itself.
    pub voters: Vec<NodeId>,
    /// Which of the voters are witnesses: they vote, and keep identifiers and configurations, but no data. The others are to
    /// be a majority. A replica that is added later names itself where it is to be a witness. A witness stays one for as
    /// long as it has this disk.
    pub witnesses: Vec<NodeId>,
    /// The election timeout is drawn anew for each election from `[election_timeout, 2 * election_timeout)`
    /// ticks (§5.2); who lets another go first waits for one `election_timeout` more.
    pub election_timeout: u64,
    /// Ticks between two heartbeats; less than half of `election_timeout`.
    pub heartbeat_interval: u64,
    /// Ask before campaigning (thesis §9.6).
    pub pre_vote: bool,
    /// Who is to lead rather than another, all else being equal: the higher, the rather. At least 1, and best the same for
    /// all that are equally welcome. A replica that must never lead is a learner.
    pub priority: u64,
    /// A leader that no quorum answers steps down; a follower that hears its leader is not to be wooed
    /// (thesis §6.2, §4.2.3).
    pub check_quorum: bool,
    /// Where leases serve reads (thesis §6.4.1): by how many parts in a million any member's clock may be off, from true
    /// time. Beyond that a read may be stale. Needs `check_quorum`; all members have the same length of a tick.
    pub lease_drift_ppm: Option<u32>,
    /// Reads that may wait for a leader's word, at most.
    pub max_pending_reads: u64,
    /// Entry bytes of one AppendEntries, or of a `Fetch` for it, at most (one entry may exceed it alone).
    pub max_message_bytes: u64,
    /// AppendEntries under way to one follower, at most.
    pub max_in_flight_messages: u64,
    /// Entry bytes under way to one follower, at most (the last message may go beyond it).
    pub max_in_flight_bytes: u64,
    /// One proposal's bytes, at most; a larger one is refused.
    pub max_proposal_bytes: u64,
    /// Entry bytes a leader holds uncommitted; above it a proposal is refused.
    pub max_uncommitted_bytes: u64,
    /// Entries that are committed and wait for this node's state machine; above it a leader refuses proposals.
    pub max_unapplied_entries: u64,
    /// Entry bytes kept in memory after they are durable and applied, for followers that lag a little; at most
    /// `max_log_bytes`.
    pub cache_bytes: u64,
    /// Entry bytes held in memory; above it a leader refuses proposals and a follower entries.
    pub max_log_bytes: u64,
    /// Entry bytes of one `Apply`, or of a `Fetch` for it, at most (one entry may exceed it alone).
    pub max_apply_bytes: u64,
    /// Bytes of one part of a snapshot, as this replica asks for it and hands it out, at most.
    pub max_snapshot_chunk_bytes: u64,
    /// Parts of a snapshot that may be under way to this replica, or be read for one other, at most.
    pub max_snapshot_in_flight: u64,
    /// Keys the random election timeouts, together with `id` and the boot number.
    pub seed: u64,
}

/// Says which field of a [`Config`] is wrong, and what would be right.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ConfigError {
    /// The field.
    pub field: &'static str,
    /// Its value.
    pub value: u64,
    /// What would be right.
    pub expected: &'static str,
}

/// Clocks that are off by more are not clocks.
const LEASE_DRIFT_PPM_MAX: u32 = 500_000;

impl Config {
    /// A configuration with sound defaults, for ticks of about 10 ms: elections after 150 to 300 ms,
    /// heartbeats every 50 ms.
    #[must_use]
    pub fn new(id: NodeId, mut voters: Vec<NodeId>) -> Self {
        voters.sort_unstable();
        Self {
            id,
            voters,
            witnesses: Vec::new(),
            election_timeout: 15,
            heartbeat_interval: 5,
            pre_vote: true,
            priority: 1,
            check_quorum: true,
            lease_drift_ppm: None,
            max_pending_reads: 1 << 16,
            max_message_bytes: 256 << 10,
            max_in_flight_messages: 64,
            max_in_flight_bytes: 8 << 20,
            max_proposal_bytes: 1 << 20,
            max_uncommitted_bytes: 64 << 20,
            max_unapplied_entries: 1 << 17,
            cache_bytes: 16 << 20,
            max_log_bytes: 256 << 20,
            max_apply_bytes: 1 << 20,
            max_snapshot_chunk_bytes: 256 << 10,
            max_snapshot_in_flight: 4,
            seed: 0,
        }
    }

    /// Whether this replica is a witness.
    #[must_use]
    pub fn is_witness(&self) -> bool {
        self.witnesses.binary_search(&self.id).is_ok()
    }

    /// Checks the configuration as a whole. How large a message may be to fit into a frame is for the crate to say
    /// that makes frames (`squall_wire::check_config`).
    ///
    /// # Errors
    /// Names the first field that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let reject = |field, value, expected| Err(ConfigError { field, value, expected });
        if let Some(pair) = self.voters.windows(2).find(|pair| pair[0] >= pair[1]) {
            return reject("voters", pair[1].0, "sorted ids without repetition");
        }
        if self.voters.len() > MEMBERS_MAX {
            return reject("voters", self.voters.len() as u64, "at most 64 voters");
        }
        if !self.voters.is_empty() && self.voters.binary_search(&self.id).is_err() {
            return reject(
                "id",
                self.id.0,
                "one of the voters, or no voters for a replica that is added later",
            );
        }
        self.validate_witnesses()?;
        if !(1..1 << 32).contains(&self.heartbeat_interval) {
            return reject("heartbeat_interval", self.heartbeat_interval, "1 to 2^32 - 1 ticks");
        }
        if !(self.heartbeat_interval * 2 + 1..=1 << 33).contains(&self.election_timeout) {
            return reject(
                "election_timeout",
                self.election_timeout,
                "more than twice heartbeat_interval, and at most 2^33 ticks",
            );
        }
        if let Some(drift_ppm) = self.lease_drift_ppm {
            self.validate_lease(drift_ppm)?;
        }
        if self.priority == 0 {
            return reject("priority", 0, "at least 1; a replica that must never lead is to be a learner");
        }
        let positive = [
            ("max_pending_reads", self.max_pending_reads),
            ("max_message_bytes", self.max_message_bytes),
            ("max_in_flight_messages", self.max_in_flight_messages),
            ("max_in_flight_bytes", self.max_in_flight_bytes),
            ("max_uncommitted_bytes", self.max_uncommitted_bytes),
            ("max_unapplied_entries", self.max_unapplied_entries),
            ("max_log_bytes", self.max_log_bytes),
            ("max_apply_bytes", self.max_apply_bytes),
            ("max_snapshot_chunk_bytes", self.max_snapshot_chunk_bytes),
            ("max_snapshot_in_flight", self.max_snapshot_in_flight),
        ];
        for (field, value) in positive {
            if value == 0 {
                return reject(field, value, "at least 1");
            }
        }
        for (field, value, most, expected) in [
            ("max_snapshot_chunk_bytes", self.max_snapshot_chunk_bytes, 1 << 20, "at most 2^20 bytes"),
            ("max_snapshot_in_flight", self.max_snapshot_in_flight, 1 << 10, "at most 1,024"),
        ] {
            if value > most {
                return reject(field, value, expected);
            }
        }
        if self.cache_bytes > self.max_log_bytes {
            return reject("cache_bytes", self.cache_bytes, "at most max_log_bytes, where it counts as well");
        }
        if self.max_proposal_bytes > 1 << 30 {
            return reject("max_proposal_bytes", self.max_proposal_bytes, "at most 2^30 bytes");
        }
        Ok(())
    }

    fn validate_witnesses(&self) -> Result<(), ConfigError> {
        let reject = |value, expected| Err(ConfigError { field: "witnesses", value, expected });
        if let Some(pair) = self.witnesses.windows(2).find(|pair| pair[0] >= pair[1]) {
            return reject(pair[1].0, "sorted ids without repetition");
        }
        let belongs = |id: &NodeId| self.voters.binary_search(id).is_ok();
        if self.voters.is_empty() {
            let stranger = self.witnesses.iter().find(|id| **id != self.id);
            return stranger
                .map_or(Ok(()), |id| reject(id.0, "nobody but this replica, which has no voters"));
        }
        if let Some(stranger) = self.witnesses.iter().find(|id| !belongs(id)) {
            return reject(stranger.0, "some of the voters");
        }
        if self.voters.len() - self.witnesses.len() <= self.voters.len() / 2 {
            return reject(self.witnesses.len() as u64, "so few that the other voters are a majority");
        }
        Ok(())
    }

    fn validate_lease(&self, drift_ppm: u32) -> Result<(), ConfigError> {
        let reject =
            |expected| Err(ConfigError { field: "lease_drift_ppm", value: u64::from(drift_ppm), expected });
        if !self.check_quorum {
            return reject("none, as `check_quorum` is off: without it nobody promises anything");
        }
        if drift_ppm > LEASE_DRIFT_PPM_MAX {
            return reject("at most 500,000, which is a half");
        }
        if lease_ticks(self.election_timeout, drift_ppm) <= self.heartbeat_interval {
            return reject("so little that a lease of `election_timeout` outlasts `heartbeat_interval`");
        }
        Ok(())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}; expected {}", self.field, self.value, self.expected)
    }
}

impl core::error::Error for ConfigError {}
