//! What a storm must reach now and then (docs/debugging-a-seed.md, "Many seeds"): a sweep in which one of
//! these never occurred has not tested what it seems to have tested.

use squall_raft::{RoleKind, Status};
use squall_sim::{Env, Process, sometimes};

/// The names, in the order in which reports list them.
pub const NAMES: &[&str] = &[
    "a candidate was refused in its own term",
    "a campaign ended without a winner",
    "a pre-vote spared a term",
    "a vote was refused",
    "a vote was refused to a log out of date",
    "a vote request was not heard because a leader is",
    "a pre-vote was refused for a promise's sake",
    "a leader without a quorum stepped down",
    "a leader was deposed with uncommitted entries",
    "a leadership transfer was begun",
    "a leader told another to campaign",
    "a leader that could not serve abdicated",
    "a leader gave way to one of a higher priority",
    "a leader that was to be shut down handed over",
    "a server was shut down in good order",
    "a follower refused entries that do not fit",
    "a follower removed entries in conflict",
    "a follower removed several entries in conflict",
    "an entry on several disks was overwritten",
    "entries were taken out of a log while its disk was writing",
    "a commit was held back because the entry was of an earlier term",
    "a follower was sent entries from disk",
    "a window was full",
    "a follower had no room for entries",
    "a stale request was answered with the present term",
    "a stale response was ignored",
    "a repeated or late answer was ignored",
    "one write carried several entries",
    "a torn tail was dropped",
    "a tail was in doubt",
    "a segment was made in a file that was used before",
    "a head was uncertain",
    "a leader was elected by the word of every voter, not all of them certain",
    "a lost entry was repaired",
    "an answer came too late for a repair",
    "a server met damage while it ran, and started anew",
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
    "a snapshot was taken",
    "two servers took the same snapshot",
    "the log was compacted",
    "a snapshot was offered",
    "a snapshot was served by one that does not lead",
    "a part of a snapshot was asked of one that does not have it",
    "a snapshot was installed",
    "a snapshot was installed over a log in conflict",
    "a snapshot came when it was not needed any more",
    "a snapshot was drawn on after an interruption",
    "a server started from a snapshot",
    "a server lost bytes of its snapshot",
    "a snapshot that had lost bytes is whole again",
    "a server started with a part of a snapshot",
    "the leader of a core at rest was none of it",
    "a member of the core was cut off from an outside leader",
    "an entry was committed with a witness's acknowledgement",
    "a witness's acknowledgement did not count while copies are in reach",
    "a witness's vote made a leader",
    "a witness took up a position",
    "a witness compacted its log",
    "a core rested on a witness",
    "a lost disk left no core that could go on",
    "an uncertain head left no core that could go on",
    "a core waited for what a witness alone knows of",
    "a server gave up a disk that was ruined",
    "a joint configuration was entered",
    "a joint configuration was left",
    "a configuration was rolled back",
    "a leader promoted a learner by itself",
    "a leader without a vote gave up its office",
    "one without a vote campaigned",
    "a vote was given by one that knows of none",
    "a removed node learned that it is removed",
    "a removed node was added again",
    "a node slept through a whole change of the membership",
    "a change was refused: no leader",
    "a change was refused: a transfer",
    "a change was refused: nothing committed yet",
    "a change was refused: another is under way",
    "a change was refused: named twice",
    "a change was refused: no member",
    "a change was refused: a member already",
    "a change was refused: a voter already",
    "a change was refused: a learner already",
    "a change was refused: not caught up",
    "a change was refused: no voter left",
    "a change was refused: too few are heard",
    "a rename replaced what was there",
    "a directory was kept out of itself",
    "a directory that was not empty was kept",
    "a directory was removed with all in it",
    "an update met another version",
    "a change was refused: a witness keeps no data",
    "a change was refused: too many witnesses",
];

/// Of these, what excuses a run from something that the liveness phase asks of it (docs/fault-model.md, "Two phases").
pub const EXCUSES: [&str; 5] = [
    "the leader of a core at rest was none of it",
    "a member of the core was cut off from an outside leader",
    "a lost disk left no core that could go on",
    "an uncertain head left no core that could go on",
    "a core waited for what a witness alone knows of",
];

/// All marks of a run: the simulator's, then those of this crate.
pub fn all() -> impl Iterator<Item = &'static str> {
    squall_sim::mark::FRAMEWORK.iter().chain(NAMES).copied()
}

/// Marks what a change of a node's state comes to, whatever the node is made of.
pub fn mark_change<P: Process>(before: &Status, after: &Status, env: &mut Env<'_, P>) {
    let deposed = before.role == RoleKind::Leader && after.role != RoleKind::Leader;
    let uncommitted = before.last_log.index > before.commit_index;
    sometimes!(env, NAMES, "a leader was deposed with uncommitted entries", deposed && uncommitted);
    let resigned = deposed && after.current_term == before.current_term;
    sometimes!(env, NAMES, "a leader without a quorum stepped down", resigned);
    let spared = before.role == RoleKind::PreCandidate
        && after.role == RoleKind::Follower
        && after.current_term == before.current_term;
    sometimes!(env, NAMES, "a pre-vote spared a term", spared);
    let split = before.role == RoleKind::Candidate
        && (after.role == RoleKind::PreCandidate
            || (after.role == RoleKind::Candidate && after.current_term > before.current_term));
    sometimes!(env, NAMES, "a campaign ended without a winner", split);
}
