//! What an operator's command asks for: its lowest byte names a server, the rest the deed.
//!
//! Some deeds are what a careful operator does next with a server, as far as the one who is asked can tell; others are
//! asked for whether they make sense or not. Nobody waits for an answer: two commands close to each other are two
//! administrators at once.

use squall_raft::{Change, Configuration, Member, NodeId};
use squall_sim::ProcessId;

use super::setup::node_id;
use crate::membership::NodeSet;

/// How many deeds there are; commands are below `DEEDS << 8`.
pub const DEEDS: u64 = 14;

/// One deed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Deed {
    /// The leader hands its office over.
    Transfer(NodeId),
    /// Members come, go, or get another standing.
    Change(Vec<Change>),
    /// The server is shut down in good order, and comes back after so long.
    Restart {
        /// How long it is down.
        outage_us: u64,
    },
}

/// Shuts down whoever is asked; the lowest byte says for how many hundredths of a second.
pub const RESTART: u64 = 12 << 8;

/// The servers that there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Servers {
    pub(super) count: u32,
    /// Those that keep no data.
    pub(super) witnesses: NodeSet,
}

/// What `command` means to one who knows of this configuration.
pub(super) fn deed(command: u64, servers: Servers, configuration: &Configuration) -> Deed {
    if (RESTART..DEEDS << 8).contains(&command) {
        return Deed::Restart { outage_us: (command & 0xff) * 10_000 };
    }
    let number =
        u32::try_from((command & 0xff) % u64::from(servers.count)).expect("less than the number of servers");
    let id = node_id(ProcessId(number));
    Deed::Change(match command >> 8 {
        1 => vec![add(id, true, servers)],
        2 => vec![add(id, false, servers)],
        3 => vec![Change::Promote { id }],
        4 => vec![Change::Demote { id }],
        5 => vec![Change::Remove { id }],
        6 => replace(id, configuration, servers),
        7 => exchange(id, configuration),
        8.. if command >> 8 < DEEDS => vec![turn(id, configuration, servers)],
        _ => return Deed::Transfer(id),
    })
}

/// This server comes, as what its disk was made for.
fn add(id: NodeId, promote: bool, servers: Servers) -> Change {
    let is_witness = servers.witnesses.has(id);
    if is_witness { Change::AddWitness { id } } else { Change::AddLearner { id, promote } }
}

/// The next step with this server: in, up, or out.
fn turn(id: NodeId, configuration: &Configuration, servers: Servers) -> Change {
    match configuration.member(id) {
        None => add(id, true, servers),
        Some(member) if member.is_learner() => Change::Promote { id },
        Some(_) => Change::Remove { id },
    }
}

/// A new server comes, and this one goes at once.
fn replace(id: NodeId, configuration: &Configuration, servers: Servers) -> Vec<Change> {
    let mut others = (0..servers.count).map(|number| node_id(ProcessId(number)));
    let new = others.find(|other| configuration.member(*other).is_none());
    let add = new.map(|id| add(id, true, servers));
    add.into_iter().chain([Change::Remove { id }]).collect()
}

/// This server makes room for all learners.
fn exchange(id: NodeId, configuration: &Configuration) -> Vec<Change> {
    let learners = configuration.members().iter().filter(|member: &&Member| member.is_learner());
    let promote = learners.map(|member| Change::Promote { id: member.id });
    promote.chain([Change::Demote { id }]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(count: u32) -> Servers {
        Servers { count, witnesses: NodeSet::EMPTY.with(NodeId(3)) }
    }

    #[test]
    fn a_small_command_is_a_transfer_as_it_always_was() {
        let configuration = Configuration::first(&[NodeId(0), NodeId(1), NodeId(2)]);
        for command in 0..256 {
            assert_eq!(deed(command, servers(5), &configuration), Deed::Transfer(NodeId(command % 5)));
        }
        assert_eq!(deed(DEEDS << 8, servers(5), &configuration), Deed::Transfer(NodeId(0)), "no such deed");
    }

    #[test]
    fn a_restart_says_for_how_long_the_server_is_down() {
        let configuration = Configuration::first(&[NodeId(0)]);
        for (command, outage_us) in [(RESTART, 0), (RESTART + 25, 250_000), ((DEEDS << 8) - 1, 2_550_000)] {
            assert_eq!(deed(command, servers(5), &configuration), Deed::Restart { outage_us });
        }
        assert_ne!(deed(RESTART - 1, servers(5), &configuration), Deed::Restart { outage_us: 2_550_000 });
    }

    #[test]
    fn a_server_is_turned_in_up_and_out() {
        let begin = Configuration::first(&[NodeId(0), NodeId(1)]);
        assert_eq!(turn(NodeId(2), &begin, servers(4)), Change::AddLearner { id: NodeId(2), promote: true });
        assert_eq!(turn(NodeId(1), &begin, servers(4)), Change::Remove { id: NodeId(1) });
        let add = Change::AddLearner { id: NodeId(2), promote: true };
        assert_eq!(replace(NodeId(1), &begin, servers(4)), [add, Change::Remove { id: NodeId(1) }]);
        assert_eq!(exchange(NodeId(1), &begin), [Change::Demote { id: NodeId(1) }]);
    }

    #[test]
    fn a_server_comes_as_what_it_is() {
        let begin = Configuration::first(&[NodeId(0), NodeId(1), NodeId(2)]);
        let witness = Change::AddWitness { id: NodeId(3) };
        for command in [1, 2, 8] {
            assert_eq!(deed(command << 8 | 3, servers(5), &begin), Deed::Change(vec![witness]));
        }
        assert_eq!(replace(NodeId(1), &begin, servers(5)), [witness, Change::Remove { id: NodeId(1) }]);
    }
}
