//! What a storm must reach now and then (docs/debugging-a-seed.md, "Many seeds"): a sweep in which one of
//! these never occurred has not tested what it seems to have tested.

/// The names, in the order in which reports list them.
pub const NAMES: &[&str] = &[
    "a candidate was refused in its own term",
    "a campaign ended without a winner",
    "a pre-vote spared a term",
    "a vote was refused",
    "a vote was refused to a log out of date",
    "a vote request was not heard because a leader is",
    "a leader without a quorum stepped down",
    "a leader was deposed with uncommitted entries",
    "a leadership transfer was begun",
    "a leader told another to campaign",
    "a follower refused entries that do not fit",
    "a follower removed entries in conflict",
    "a follower removed several entries in conflict",
    "an entry on several disks was overwritten",
    "a commit was held back because the entry was of an earlier term",
    "a follower was sent entries from disk",
    "a window was full",
    "a follower had no room for entries",
    "a stale request was answered with the present term",
    "a stale response was ignored",
    "a repeated or late answer was ignored",
    "one write carried several entries",
    "a torn tail was dropped",
    "a doubtful tail was dropped",
    "a proposal was refused because of a bound",
    "a proposal was refused because of its size",
    "a proposal was refused during a transfer",
    "a lease served a read",
    "a round of heartbeats served a read",
    "a follower served a read",
    "a leader that was deposed served no read",
    "a read was refused because of a bound",
    "a client learned that its command was overwritten",
    "a retry was answered from the session table",
    "a duplicate entry in the log was not applied",
    "a late copy of an acknowledged request was not applied",
    "a session expired to make room for another",
    "a session was full",
    "a request was forwarded",
    "a forwarded request was refused",
    "a member of the core was cut off from an outside leader",
];

/// All marks of a run: the simulator's, then those of this crate.
pub fn all() -> impl Iterator<Item = &'static str> {
    squall_sim::mark::FRAMEWORK.iter().chain(NAMES).copied()
}
