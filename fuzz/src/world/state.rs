//! What is left of a cluster's state when numbers, names and contents are taken away: who leads whom, and over what.
//!
//! Two runs that come to the same of these have seen the same of the protocol, whatever their terms and indices. It is what
//! a search can call new where every line of code has long been run: coverage of the protocol and not of its program (as
//! Mocket and Mallory do by other means; Meng et al., "Greybox Fuzzing of Distributed Systems", CCS '23).
//!
//! It is coarse on purpose. Everything that ever leads to something new is kept and mutated as often as everything else; of a word
//! for each server there were sixty thousand combinations within thirty thousand runs, so nearly every run was new, and
//! the search had nothing to follow. So only leaders are looked at, the newest and the oldest, for it is between an old
//! leader and a new one that consensus goes wrong; of the others it counts how many stand with them.

use squall_raft::{Configuration, RoleKind, Status};
use squall_scenarios::server::Server;
use squall_sim::ProcessId;
use squall_sim::world::Processes;
use xxhash_rust::xxh3::xxh3_64;

/// The statuses of all servers; nothing of one that is down.
pub(super) type Statuses = Vec<Option<Status>>;

/// How each server stands at the moment.
pub(super) fn statuses(processes: &Processes<'_, Server>, statuses: &mut Statuses) {
    statuses.clear();
    let all = (0..processes.count()).map(ProcessId);
    statuses.extend(all.map(|id| processes.process(id).map(Server::status)));
}

/// The abstract state, as a number.
pub(super) fn abstracted(statuses: &Statuses, processes: &Processes<'_, Server>) -> u64 {
    let server = |number: u32| processes.process(ProcessId(number));
    let up: Vec<(&Status, &Server)> = statuses
        .iter()
        .zip(0..)
        .filter_map(|(status, number)| Some((status.as_ref()?, server(number)?)))
        .collect();
    let mut leaders: Vec<_> = up.iter().filter(|(status, _)| status.role == RoleKind::Leader).collect();
    leaders.sort_by_key(|(status, _)| core::cmp::Reverse(status.current_term));
    let highest = up.iter().map(|(status, _)| status.current_term).max().unwrap_or_default();
    let configurations: Vec<&Configuration> = up.iter().map(|(_, server)| configuration(server)).collect();
    let is_first = |(place, one): &(usize, &&Configuration)| !configurations[..*place].contains(one);
    let distinct = configurations.iter().enumerate().filter(is_first).count();
    let newest = leaders.first().map_or(0, |(status, server)| leadership(status, server, &up));
    let oldest = leaders.iter().skip(1).map(|(status, server)| hold(status, server, &up)).next_back();
    let is_behind = leaders.first().is_some_and(|(status, _)| status.current_term < highest);
    xxh3_64(
        &joined(&[
            (newest, 7 + HOLD_BITS),
            (oldest.unwrap_or(0), HOLD_BITS),
            (u64::from(is_behind), 1),
            (distinct as u64, 2),
        ])
        .to_le_bytes(),
    )
}

/// What a leader is leader of.
fn leadership(status: &Status, server: &Server, up: &[(&Status, &Server)]) -> u64 {
    let committed = server.replica().raft().term_at(status.commit_index);
    let is_longer = |other: &&(&Status, &Server)| other.0.last_log > status.last_log;
    joined(&[
        (hold(status, server, up), HOLD_BITS),
        (u64::from(committed == Some(status.current_term)), 1),
        (configuration(server).voters().count() as u64, 3),
        (u64::from(configuration(server).is_joint()), 1),
        (up.iter().filter(is_longer).count() as u64, 2),
    ])
}

const HOLD_BITS: u32 = 5;

/// On whom it has a hold: who shares its configuration, and whether that is settled.
fn hold(status: &Status, server: &Server, up: &[(&Status, &Server)]) -> u64 {
    let shares = |other: &&(&Status, &Server)| configuration(other.1) == configuration(server);
    joined(&[
        (1, 1),
        (u64::from(status.configuration_index > status.commit_index), 1),
        (u64::from(status.is_voter), 1),
        (up.iter().filter(shares).count() as u64 - 1, 2),
    ])
}

fn configuration(server: &Server) -> &Configuration {
    server.replica().raft().configuration()
}

/// Numbers beside one another; each counts up to what its bits hold.
fn joined(parts: &[(u64, u32)]) -> u64 {
    parts.iter().fold(0, |word, (part, bits)| word << bits | (*part).min((1 << bits) - 1))
}
