//! What is left of a cluster's state when numbers, names and contents are taken away: who stands where, beside the others.
//!
//! Two runs that come to the same of these have seen the same of the protocol, whatever their terms and indices. It is what
//! a search can call new where every line of code has long been run: coverage of the protocol and not of its program (as
//! Mocket and Mallory do by other means; Meng et al., "Greybox Fuzzing of Distributed Systems", CCS '23).

use squall_raft::{LogIndex, NodeId, RoleKind, Status, Term};
use squall_scenarios::server::Server;
use squall_sim::ProcessId;
use squall_sim::world::Processes;
use xxhash_rust::xxh3::xxh3_64;

/// Differences count up to here.
const APART_MAX: u64 = 3;

/// The statuses of all servers; nothing of one that is down.
pub(super) type Statuses = Vec<Option<Status>>;

/// How each server stands at the moment.
pub(super) fn statuses(processes: &Processes<'_, Server>, statuses: &mut Statuses) {
    statuses.clear();
    let all = (0..processes.count()).map(ProcessId);
    statuses.extend(all.map(|id| processes.process(id).map(Server::status)));
}

/// The abstract state, as a number. Servers that change places leave it as it is.
pub(super) fn abstracted(statuses: &Statuses, processes: &Processes<'_, Server>) -> u64 {
    let up = || statuses.iter().flatten();
    let highest = Highest {
        term: up().map(|status| status.current_term).max().unwrap_or_default(),
        log_term: up().map(|status| status.last_log.term).max().unwrap_or_default(),
        commit: up().map(|status| status.commit_index).max().unwrap_or_default(),
    };
    let mut words: Vec<u64> = Vec::with_capacity(statuses.len());
    for (status, number) in statuses.iter().zip(0..) {
        let server = processes.process(ProcessId(number));
        words.push(match (status, server) {
            (Some(status), Some(server)) => highest.word(status, server, statuses),
            (None, _) | (_, None) => 0,
        });
    }
    words.sort_unstable();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    xxh3_64(&bytes)
}

/// What the others are measured by.
struct Highest {
    term: Term,
    log_term: Term,
    commit: LogIndex,
}

impl Highest {
    /// One server beside the others.
    fn word(&self, status: &Status, server: &Server, statuses: &Statuses) -> u64 {
        let configuration = server.replica().raft().configuration();
        let has_longer = |other: &&Status| other.last_log > status.last_log;
        let shares = |other: &&Status| other.configuration_index == status.configuration_index;
        let count =
            |matters: &dyn Fn(&&Status) -> bool| statuses.iter().flatten().filter(matters).count() as u64;
        let parts = [
            (role(status.role), 2),
            (apart(self.term.0, status.current_term.0), 2),
            (vote(status.voted_for, status.id), 2),
            (u64::from(status.leader.is_some()), 1),
            (apart(self.log_term.0, status.last_log.term.0), 2),
            (count(&has_longer), 3),
            (apart(status.last_log.index.0, status.durable_index.0).min(1), 1),
            (apart(self.commit.0, status.commit_index.0), 2),
            (apart(status.last_log.index.0, self.commit.0), 2),
            (configuration.voters().count() as u64, 3),
            (u64::from(configuration.is_joint()), 1),
            (u64::from(status.configuration_index > status.commit_index), 1),
            (u64::from(status.is_voter), 1),
            (count(&shares), 3),
        ];
        parts.iter().fold(1, |word, (part, bits)| word << bits | (part & ((1 << bits) - 1)))
    }
}

fn role(role: RoleKind) -> u64 {
    match role {
        RoleKind::Follower => 0,
        RoleKind::PreCandidate => 1,
        RoleKind::Candidate => 2,
        RoleKind::Leader => 3,
    }
}

fn vote(vote: Option<NodeId>, own: NodeId) -> u64 {
    vote.map_or(0, |to| if to == own { 1 } else { 2 })
}

/// By how much the first is greater, as far as that counts.
fn apart(greater: u64, other: u64) -> u64 {
    greater.saturating_sub(other).min(APART_MAX)
}
