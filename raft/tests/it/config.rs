//! Configurations that are refused: each refusal names the field and its value, and says what would be right.

use squall_raft::{Config, ConfigError, NodeId};

type Change = fn(&mut Config);

fn refusal(change: Change) -> Option<ConfigError> {
    let mut config = Config::new(NodeId(1), vec![NodeId(1), NodeId(2), NodeId(3)]);
    change(&mut config);
    config.validate().err()
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    let cases: [(Change, &str); 26] = [
        (|c| c.voters = vec![NodeId(1), NodeId(1)], "voters is 1; expected sorted ids"),
        (|c| c.voters = vec![NodeId(2), NodeId(1)], "voters is 1; expected sorted ids"),
        (|c| c.voters = (1..=65).map(NodeId).collect(), "voters is 65; expected at most 64 voters"),
        (|c| c.id = NodeId(4), "id is 4; expected one of the voters, or no voters"),
        (|c| c.heartbeat_interval = 0, "heartbeat_interval is 0; expected 1 to 2^32 - 1 ticks"),
        (|c| c.heartbeat_interval = 1 << 32, "heartbeat_interval is 4294967296; expected 1 to 2^32 - 1"),
        (|c| c.election_timeout = 10, "election_timeout is 10; expected more than twice heartbeat_interval"),
        (|c| c.election_timeout = (1 << 33) + 1, "election_timeout is 8589934593; expected more than twice"),
        (|c| c.priority = 0, "priority is 0; expected at least 1; a replica that must never lead"),
        (|c| (c.check_quorum, c.lease_drift_ppm) = (false, Some(9)), "lease_drift_ppm is 9; expected none"),
        (|c| c.lease_drift_ppm = Some(500_001), "lease_drift_ppm is 500001; expected at most 500,000"),
        (|c| c.lease_drift_ppm = Some(500_000), "lease_drift_ppm is 500000; expected so little that a lease"),
        (|c| c.max_pending_reads = 0, "max_pending_reads is 0; expected at least 1"),
        (|c| c.max_message_bytes = 0, "max_message_bytes is 0; expected at least 1"),
        (|c| c.max_in_flight_messages = 0, "max_in_flight_messages is 0; expected at least 1"),
        (|c| c.max_in_flight_bytes = 0, "max_in_flight_bytes is 0; expected at least 1"),
        (|c| c.max_uncommitted_bytes = 0, "max_uncommitted_bytes is 0; expected at least 1"),
        (|c| c.max_unapplied_entries = 0, "max_unapplied_entries is 0; expected at least 1"),
        (|c| c.max_log_bytes = 0, "max_log_bytes is 0; expected at least 1"),
        (|c| c.max_apply_bytes = 0, "max_apply_bytes is 0; expected at least 1"),
        (|c| c.max_snapshot_chunk_bytes = 0, "max_snapshot_chunk_bytes is 0; expected at least 1"),
        (|c| c.max_snapshot_in_flight = 0, "max_snapshot_in_flight is 0; expected at least 1"),
        (
            |c| c.max_snapshot_chunk_bytes = (1 << 20) + 1,
            "max_snapshot_chunk_bytes is 1048577; expected at most 2^20",
        ),
        (
            |c| c.max_snapshot_in_flight = (1 << 10) + 1,
            "max_snapshot_in_flight is 1025; expected at most 1,024",
        ),
        (|c| c.cache_bytes = c.max_log_bytes + 1, "cache_bytes is 268435457; expected at most max_log_bytes"),
        (|c| c.max_proposal_bytes = (1 << 30) + 1, "max_proposal_bytes is 1073741825; expected at most 2^30"),
    ];
    for (change, expected) in cases {
        let said = refusal(change).map(|error| error.to_string()).unwrap_or_default();
        assert!(said.starts_with(expected), "said {said:?}, expected {expected:?}");
    }
}

#[test]
fn what_is_tight_and_works_is_accepted() {
    let cases: [Change; 8] = [
        |_| {},
        |c| c.voters.clear(),
        |c| c.cache_bytes = c.max_log_bytes,
        |c| c.voters = (1..=64).map(NodeId).collect(),
        |c| (c.max_snapshot_chunk_bytes, c.max_snapshot_in_flight) = (1 << 20, 1 << 10),
        |c| (c.max_log_bytes, c.cache_bytes, c.max_uncommitted_bytes) = (1, 0, 1),
        |c| (c.heartbeat_interval, c.election_timeout) = ((1 << 32) - 1, 1 << 33),
        |c| (c.priority, c.max_proposal_bytes) = (u64::MAX, 0),
    ];
    assert_eq!(cases.map(refusal), [const { None }; 8]);
}
