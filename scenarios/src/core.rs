//! Whom to heal for the liveness phase while members come and go (docs/fault-model.md, "Two phases").
//!
//! Whoever comes to lead the healed core goes by the last configuration of its own log, and brings it to the others.
//! Which log prevails is not known beforehand: so the core holds majorities of every configuration that any log may
//! bring, those of servers outside the core among them, and those to which learners that are promoted by themselves
//! would lead.
//!
//! Who may have lost what it acknowledged votes on condition only: so the core holds certain majorities, or is all there are.
//!
//! A witness keeps names of entries, and neither leads nor has data to give. So those of the core that keep data are to be
//! majorities without it, and certain; or one of them is to have a log that no other node's is ahead of, and nobody outside is heard who
//! could lengthen a witness's before that one leads. Anything less may wait for good for a node outside the core: an entry
//! that a copy and a witness committed is out of reach while that copy is.

use squall_raft::{LogPosition, NodeId, RoleKind};
use squall_sim::world::Processes;
use squall_sim::{Draw, ProcessId, ProcessSet, Ratio};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::atlas::Damage;
use crate::holdings::Holdings;
use crate::invariants::Invariants;
use crate::membership::{Membership, NodeSet};
use crate::server::{Server, node_id};

/// A core that is drawn, and of which nobody can be spared; nobody where even all that can be healed are too few; `None` where
/// any majority will do: the membership never changed, and nothing was lost.
pub(crate) fn choose(
    invariants: &Invariants,
    is_alone: bool,
    draw: &mut Draw<'_>,
    processes: &Processes<'_, Server>,
    damage: &Damage,
) -> Option<ProcessSet> {
    let has_witnesses = !invariants.witnesses().is_empty();
    let holdings = Holdings::of(processes, damage);
    let uncertain = holdings.uncertain();
    let are_whole = holdings.are_whole();
    let lost = damage.lost_disks();
    let is_usual = invariants.is_membership_fixed() && invariants.are_all_members() && !has_witnesses;
    if is_usual && are_whole && uncertain.is_empty() && lost.is_empty() {
        return None;
    }
    let all = || (0..processes.count()).map(ProcessId).filter(|id| !lost.contains(*id));
    let mut memberships: Vec<Membership> = Vec::new();
    for membership in all().flat_map(|id| invariants.configurations(node_id(id))) {
        if !membership.voters.is_empty() && !memberships.contains(&membership) {
            memberships.push(membership);
        }
    }
    let mut candidates: Vec<ProcessId> = all().filter(|id| !processes.is_gone(*id)).collect();
    let order = draw.bits("spared");
    candidates.sort_by_key(|id| xxh3_64_with_seed(&id.0.to_le_bytes(), order));
    let heard: ProcessSet = all().filter(|id| !is_alone && processes.process(*id).is_some()).collect();
    // One that lacks what none of the others has would spoil every core that it is in.
    let all_candidates: ProcessSet = candidates.iter().copied().collect();
    let repairable = holdings.repairable(all_candidates, invariants);
    let kept: Vec<ProcessId> = candidates.into_iter().filter(|id| repairable.contains(*id)).collect();
    let core = spare(&kept, &memberships, |core, membership| {
        let certain = core.iter().map(node_id).collect::<NodeSet>().without(uncertain);
        membership.has_lasting_quorum(certain)
            && can_lead(invariants, heard, core, uncertain, membership)
            && holdings.can_repair_themselves(core, invariants)
    });
    let needs_all = !uncertain.is_empty();
    // Whoever lost its disk will never say what it did not have, nor vote.
    let would_wait = !lost.is_empty() || needs_all && holdings.lack_what_nobody_denies(invariants);
    // All together may give up an entry that nobody has, though not a snapshot.
    let may_heal_all =
        !would_wait && repairable != all_candidates && holdings.regain_snapshots(all_candidates, invariants);
    match core {
        Some(_) if may_heal_all && draw.chance("heals-all", Ratio::new(1, 2)) => Some(all_candidates),
        None if would_wait => Some(ProcessSet::EMPTY),
        None if !are_whole || needs_all => Some(all_candidates),
        core => Some(core.unwrap_or_default()),
    }
}

/// Whether a witness of the core knows of an entry that no voter in it has which could lead, and a voter may have lost the end of its
/// log. A witness grants nobody whose log is behind its own, and leads nobody itself; nor does a learner, though it has what the
/// voters miss. The two that are left, the witness and whoever may have lost it, may have committed that entry. But if the copies
/// whose logs are certain are enough, they need neither of the two; and who leads already needs no vote.
pub(crate) fn waits_for_what_a_witness_knows(
    invariants: &Invariants,
    core: ProcessSet,
    processes: &Processes<'_, Server>,
    damage: &Damage,
) -> bool {
    let status = |id: ProcessId| Some((node_id(id), processes.process(id)?.replica().raft().status()));
    if core.iter().filter_map(status).any(|(_, status)| status.role == RoleKind::Leader) {
        return false;
    }
    let logs = core.iter().filter_map(status).map(|(node, status)| (node, status.last_log));
    let uncertain = Holdings::of(processes, damage).uncertain();
    a_witness_knows_most(invariants, logs) && needs_an_uncertain_vote(invariants, core, uncertain)
}

/// Whether by some configuration that may be in force in the core one of these votes, whose logs are uncertain, and the copies whose logs
/// are certain elect nobody by themselves.
fn needs_an_uncertain_vote(invariants: &Invariants, core: ProcessSet, uncertain: NodeSet) -> bool {
    let certain: NodeSet = core.iter().map(node_id).collect();
    let certain = certain.without(invariants.witnesses()).without(uncertain);
    memberships_in(invariants, core).any(|membership| {
        let voting = membership.voting();
        !voting.and(uncertain).is_empty() && !membership.has_lasting_quorum(certain)
    })
}

/// The configurations that may be in force in a core, but for that of a node that was never told any.
fn memberships_in(invariants: &Invariants, core: ProcessSet) -> impl Iterator<Item = Membership> {
    let all = core.iter().flat_map(|id| invariants.configurations(node_id(id)));
    all.filter(|membership| !membership.voters.is_empty())
}

/// Whether of these logs one of a witness is ahead of those of all voters that keep data.
fn a_witness_knows_most(invariants: &Invariants, logs: impl Iterator<Item = (NodeId, LogPosition)>) -> bool {
    let is_voter = |node: NodeId| invariants.configurations(node).any(|membership| membership.is_voter(node));
    let (mut known, mut held) = (None, None);
    for (node, last) in logs.filter(|(node, _)| is_voter(*node)) {
        let most = if invariants.witnesses().has(node) { &mut known } else { &mut held };
        *most = (*most).max(Some(last));
    }
    known > held
}

/// Whether some server may have lost the end of its log, and does not know.
pub(crate) fn has_uncertain_head(processes: &Processes<'_, Server>, damage: &Damage) -> bool {
    !Holdings::of(processes, damage).uncertain().is_empty()
}

/// Whether somebody in the core can come to lead it. Of the servers outside it, only those in `heard` can still tell it
/// anything.
fn can_lead(
    invariants: &Invariants,
    heard: ProcessSet,
    core: ProcessSet,
    uncertain: NodeSet,
    membership: &Membership,
) -> bool {
    let witnesses = invariants.witnesses();
    let copies: NodeSet = core.iter().map(node_id).collect::<NodeSet>().without(witnesses);
    if witnesses.is_empty() || membership.has_lasting_quorum(copies.without(uncertain)) {
        return true;
    }
    let is_ahead = |id: ProcessId| {
        let node = node_id(id);
        copies.has(node) && membership.is_voter(node) && invariants.is_ahead_of_all(node)
    };
    heard.iter().all(|id| core.contains(id)) && core.iter().any(is_ahead)
}

/// Whether the copies of a core are no majority without its witnesses.
pub(crate) fn rests_on_witnesses(invariants: &Invariants, core: ProcessSet) -> bool {
    let copies: NodeSet = core.iter().map(node_id).collect::<NodeSet>().without(invariants.witnesses());
    memberships_in(invariants, core).any(|membership| !membership.has_lasting_quorum(copies))
}

/// Leaves each of the candidates out in turn, where the others suffice; `None` where not even all do.
fn spare(
    candidates: &[ProcessId],
    memberships: &[Membership],
    can_lead: impl Fn(ProcessSet, &Membership) -> bool,
) -> Option<ProcessSet> {
    let suffices = |core: ProcessSet| {
        let nodes: NodeSet = core.iter().map(node_id).collect();
        memberships
            .iter()
            .all(|membership| membership.has_lasting_quorum(nodes) && can_lead(core, membership))
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
    use super::*;
    use crate::stage::{Cast, commit_on_all, elect, replicate};

    fn plain(voters: &[u64]) -> Membership {
        Membership::first(&voters.iter().copied().map(NodeId).collect::<Vec<_>>())
    }

    fn spared(candidates: &[u32], memberships: &[Membership]) -> Option<Vec<u32>> {
        let candidates: Vec<ProcessId> = candidates.iter().copied().map(ProcessId).collect();
        spare(&candidates, memberships, |_, _| true).map(|core| core.iter().map(|id| id.0).collect())
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

    fn set(processes: &[u32]) -> ProcessSet {
        processes.iter().copied().map(ProcessId).collect()
    }

    /// Whether n1 n2 n3, of which n3 is a witness, can come to lead such a core, where these are heard.
    fn can(cast: &Cast<Invariants>, heard: &[u32], core: &[u32]) -> bool {
        can_lead(&cast.judge, set(heard), set(core), NodeSet::EMPTY, &plain(&[1, 2, 3]))
    }

    #[test]
    fn a_copy_and_a_witness_are_a_core_where_nobody_else_knows_more_or_may_tell_more() {
        let mut cast = Cast::of_invariants_with_a_witness();
        elect(&mut cast, 1);
        commit_on_all(&mut cast, 1);
        assert!(can(&cast, &[1, 3], &[1, 3]) && can(&cast, &[2, 3], &[2, 3]));
        assert!(can(&cast, &[1, 2, 3], &[1, 2]), "two copies need not ask");
        assert!(!can(&cast, &[1, 2, 3], &[1, 3]), "n2 may yet lead, and tell the witness alone");
        replicate(&mut cast, 1, &[3]);
        assert!(can(&cast, &[1, 3], &[1, 3]));
        assert!(!can(&cast, &[2, 3], &[2, 3]), "n2 lacks what the witness knows of");
        assert!(!can(&cast, &[2], &[2, 3]), "so it does where all else are down");
    }

    #[test]
    fn a_witness_knows_most_where_no_voter_of_the_core_has_what_it_was_told_of() {
        let nodes = [1, 2, 3, 4].map(NodeId);
        let invariants = Invariants::new(&nodes, &nodes[..3]).with_witnesses(NodeSet::EMPTY.with(NodeId(3)));
        let knows = |logs: &[(u64, u64)]| {
            let logs = logs.iter().map(|(node, last)| (NodeId(*node), LogPosition::new(1, *last)));
            a_witness_knows_most(&invariants, logs)
        };
        assert!(knows(&[(2, 1), (3, 2)]));
        assert!(knows(&[(2, 1), (3, 2), (4, 2)]), "n4 is a learner, and is granted nothing");
        assert!(knows(&[(3, 1)]), "nobody else is up");
        assert!(!knows(&[(2, 2), (3, 2)]) && !knows(&[(1, 2), (2, 1), (3, 2)]), "one of them may be granted");
        assert!(!knows(&[(1, 1), (2, 2)]), "there is no witness");
    }

    #[test]
    fn an_uncertain_vote_is_needed_where_the_certain_copies_are_too_few() {
        let nodes = [1, 2, 3, 4, 5].map(NodeId);
        let set = |nodes: &[u64]| nodes.iter().copied().map(NodeId).collect::<NodeSet>();
        let needs = |voters: usize, core: &[u32], uncertain: &[u64]| {
            let invariants = Invariants::new(&nodes, &nodes[..voters]).with_witnesses(set(&[3]));
            let core = core.iter().copied().map(ProcessId).collect();
            needs_an_uncertain_vote(&invariants, core, set(uncertain))
        };
        assert!(needs(3, &[1, 2, 3], &[2]), "n1 needs n2, or n3");
        assert!(needs(3, &[1, 3], &[2]), "outside the core, too");
        assert!(!needs(3, &[1, 2, 3], &[]) && !needs(3, &[1, 2, 3], &[4]), "n4 does not vote");
        assert!(needs(5, &[1, 2, 3, 4, 5], &[4, 5]));
        assert!(!needs(5, &[1, 2, 3, 4, 5], &[5]), "n1, n2 and n4 are enough");
    }
}
