//! Whom to heal for the liveness phase while members come and go (docs/fault-model.md, "Two phases").
//!
//! Whoever comes to lead the healed core goes by the last configuration of its own log, and brings it to the others.
//! Which log prevails is not known beforehand: so the core holds majorities of every configuration that any log may
//! bring, those of servers outside the core among them, and those to which learners that are promoted by themselves
//! would lead.

use squall_sim::world::Processes;
use squall_sim::{Draw, ProcessId, ProcessSet};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::invariants::Invariants;
use crate::membership::{Membership, NodeSet};
use crate::server::{Server, node_id};

/// A core that is drawn, and of which nobody can be spared; `None` where the membership never changed, or where even
/// all that can be healed are too few.
pub(crate) fn choose(
    invariants: &Invariants,
    draw: &mut Draw<'_>,
    processes: &Processes<'_, Server>,
) -> Option<ProcessSet> {
    if invariants.is_membership_fixed() && invariants.are_all_members() {
        return None;
    }
    let all = || (0..processes.count()).map(ProcessId);
    let mut memberships: Vec<Membership> = Vec::new();
    for membership in all().flat_map(|id| invariants.configurations(node_id(id))) {
        if !membership.voters.is_empty() && !memberships.contains(&membership) {
            memberships.push(membership);
        }
    }
    let mut candidates: Vec<ProcessId> = all().filter(|id| !processes.is_gone(*id)).collect();
    let order = draw.bits("spared");
    candidates.sort_by_key(|id| xxh3_64_with_seed(&id.0.to_le_bytes(), order));
    spare(&candidates, &memberships)
}

/// Leaves each of the candidates out in turn, where the others suffice; `None` where not even all do.
fn spare(candidates: &[ProcessId], memberships: &[Membership]) -> Option<ProcessSet> {
    let suffices = |core: ProcessSet| {
        let nodes: NodeSet = core.iter().map(node_id).collect();
        memberships.iter().all(|membership| membership.has_lasting_quorum(nodes))
    };
    let mut core: ProcessSet = candidates.iter().copied().collect();
    if !suffices(core) {
        return None;
    }
    for candidate in candidates {
        let others = core.without(*candidate);
        if suffices(others) {
            core = others;
        }
    }
    Some(core)
}

#[cfg(test)]
mod tests {
    use squall_raft::NodeId;

    use super::*;

    fn plain(voters: &[u64]) -> Membership {
        Membership::first(&voters.iter().copied().map(NodeId).collect::<Vec<_>>())
    }

    fn spared(candidates: &[u32], memberships: &[Membership]) -> Option<Vec<u32>> {
        let candidates: Vec<ProcessId> = candidates.iter().copied().map(ProcessId).collect();
        spare(&candidates, memberships).map(|core| core.iter().map(|id| id.0).collect())
    }

    #[test]
    fn of_one_configuration_any_bare_majority_may_be_drawn() {
        let three = [plain(&[0, 1, 2])];
        assert_eq!(spared(&[0, 1, 2, 3], &three), Some(vec![1, 2]));
        assert_eq!(spared(&[3, 2, 1, 0], &three), Some(vec![0, 1]));
    }

    #[test]
    fn every_configuration_that_may_prevail_has_its_majority() {
        let joint = Membership { outgoing: plain(&[0, 1, 2]).voters, ..plain(&[2, 3, 4]) };
        assert_eq!(spared(&[0, 1, 2, 3, 4], &[plain(&[0, 1, 2]), joint]), Some(vec![1, 2, 4]));
        assert_eq!(spared(&[2, 0, 1, 3, 4], &[joint]), Some(vec![0, 1, 3, 4]), "n2 was spared first");
        assert_eq!(spared(&[0, 1, 2, 3, 4, 5], &[plain(&[0]), plain(&[5])]), Some(vec![0, 5]));
    }

    #[test]
    fn too_few_that_can_be_healed_are_no_core() {
        assert_eq!(spared(&[0, 3, 4], &[plain(&[0, 1, 2])]), None);
    }

    #[test]
    fn learners_that_come_by_themselves_are_outweighed() {
        let growing = Membership { promoting: plain(&[3, 4]).voters, ..plain(&[0, 1, 2]) };
        assert_eq!(spared(&[0, 1, 2, 3, 4], &[growing]), Some(vec![1, 2, 3, 4]));
        assert_eq!(spared(&[3, 4, 0, 1, 2], &[growing]), Some(vec![0, 1, 2]), "three of five");
    }
}
