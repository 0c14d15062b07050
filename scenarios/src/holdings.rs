//! What each server has of its log, and what it lacks: for whoever has to know where a copy is.
//!
//! A server that is up is asked; of one that is down a copy of its disk is opened, as its next start would find it. What a server takes
//! over when it starts is durable only when its start is done: until then its disk is looked at, too.

use squall_raft::{Config, Faulty, LogIndex, LogPosition, Raft, Recovered, Term};
use squall_sim::world::Processes;
use squall_sim::{ProcessId, ProcessSet};
use squall_storage::Storage;

use crate::atlas::Damage;
use crate::invariants::Invariants;
use crate::membership::{Membership, NodeSet};
use crate::server::{Server, node_id};

/// The logs of all servers.
pub(crate) struct Holdings {
    all: Vec<Option<Held>>,
}

/// One server's log.
#[derive(Clone)]
struct Held {
    base: LogPosition,
    /// The first entry of each run of entries of one term.
    runs: Vec<LogPosition>,
    last_index: LogIndex,
    /// What stands behind it may be gone after a crash.
    durable_index: LogIndex,
    /// What a loss of power would leave, where the server is down, or its start is not done.
    worst: Option<Box<Held>>,
    /// The first members, where it is one of them.
    first: NodeSet,
    faulty: Vec<Faulty>,
    /// The last entry that its newest sound snapshot stands for.
    snapshot: LogIndex,
    /// Where the one that it needs is lost, the last entry which that one stands for.
    lacks_state: Option<LogIndex>,
    has_data: bool,
    /// Where something that it acknowledged may be missing, the last term that this may be of.
    uncertain: Option<Term>,
}

impl Holdings {
    /// Of all servers; one whose disk cannot be opened has nothing.
    pub(crate) fn of(processes: &Processes<'_, Server>, damage: &Damage) -> Self {
        let held = |id: ProcessId| {
            let (setup, disk) = (processes.setup(), processes.disk(id));
            let open = |mut disk| {
                let (_, recovered) = Storage::open(&mut disk, setup.identity(id), &setup.storage).ok()?;
                Some(Held::of_disk(&recovered, &setup.config(id)))
            };
            let found = match processes.process(id) {
                Some(server) => Held::of_core(server.replica().raft()).without(damage, id),
                None => open(disk.sound_clone())?,
            };
            if processes.process(id).is_some() && !processes.is_starting(id) {
                return Some(found);
            }
            // The machine may still lose its power.
            let worst = open(disk.worst_case_clone());
            let worst = worst.unwrap_or_else(|| Held { has_data: false, ..found.clone() });
            Some(Held { worst: Some(Box::new(worst)), ..found })
        };
        Self { all: (0..processes.count()).map(ProcessId).map(held).collect() }
    }

    /// Whether no log lacks the data of any entry, and nobody its snapshot.
    pub(crate) fn are_whole(&self) -> bool {
        self.all.iter().flatten().all(Held::is_whole)
    }

    /// Whether a server that lost the snapshot which stands for all up to `last` gets one that stands for as much from
    /// those that may `give` it. It does not know who is a member: it asks its leader, whoever that is, and those that were
    /// members at first, if it was one of them.
    pub(crate) fn snapshot_returns(
        &self,
        id: ProcessId,
        last: LogIndex,
        give: impl Fn(ProcessId) -> bool,
    ) -> bool {
        let Some(held) = &self.all[id.0 as usize] else { return false };
        let givers = || self.held().filter(|(other, held)| *other != id && give(*other) && held.has_data);
        let is_known = |other: ProcessId| held.first.has(node_id(other));
        givers().any(|(other, held)| is_known(other) && held.has_snapshot(last))
            || givers().next().is_some() && givers().all(|(_, held)| held.has_snapshot(last))
    }

    fn held(&self) -> impl Iterator<Item = (ProcessId, &Held)> {
        (0_u32..).map(ProcessId).zip(&self.all).filter_map(|(id, held)| Some((id, held.as_ref()?)))
    }

    fn others(&self, but: ProcessId, asked: NodeSet) -> impl Iterator<Item = &Held> {
        let others = (0_u32..).map(ProcessId).zip(&self.all);
        others
            .filter(move |(id, _)| *id != but && asked.has(node_id(*id)))
            .filter_map(|(_, held)| held.as_ref())
    }

    /// Who may be missing something that it acknowledged, and so votes on condition only; one whose disk cannot be opened
    /// does not vote.
    pub(crate) fn uncertain(&self) -> NodeSet {
        let held = (0_u32..).map(ProcessId).zip(&self.all);
        let is_uncertain = |held: &Option<Held>| held.as_ref().is_none_or(|held| held.uncertain.is_some());
        held.filter(|(_, held)| is_uncertain(held)).map(|(id, _)| node_id(id)).collect()
    }

    /// Whether somebody lacks the data of an entry that nobody has, that may have been committed for all that anybody can tell,
    /// and without whom nobody can be elected. Those that certainly never had it are too few, by some configuration that may be
    /// in force there.
    pub(crate) fn lack_what_nobody_denies(&self, invariants: &Invariants) -> bool {
        self.held().any(|(id, held)| {
            let is_open = |faulty: &Faulty| {
                let Some(term) = held.term_at(faulty.index) else { return false };
                let position = LogPosition { term, index: faulty.index };
                let denying = self.nodes(|other| other.denies(position));
                let is_there = self.held().any(|(_, other)| other.has(position.index, Some(term)));
                let may_be_committed =
                    |membership: Membership| membership.may_commit(membership.voting().without(denying));
                !faulty.is_doubtful
                    && position.index > invariants.committed_index()
                    && !is_there
                    && invariants.configurations_reaching(node_id(id), faulty.index).any(may_be_committed)
            };
            held.faulty.iter().any(is_open) && !self.can_elect_another(id, invariants)
        })
    }

    /// Whether those whose votes are unconditional can elect one that lacks nothing, by every configuration that may be in force
    /// at `id`, which may be one of those who vote.
    fn can_elect_another(&self, id: ProcessId, invariants: &Invariants) -> bool {
        self.held().filter(|(other, held)| *other != id && held.has_data && held.is_whole()).any(
            |(_, candidate)| {
                let granting =
                    self.nodes(|voter| voter.uncertain.is_none() && voter.last() <= candidate.last());
                candidate.uncertain.is_none()
                    && invariants
                        .configurations(node_id(id))
                        .all(|membership| membership.has_quorum(granting))
            },
        )
    }

    fn nodes(&self, are: impl Fn(&Held) -> bool) -> NodeSet {
        self.held().filter(|(_, held)| are(held)).map(|(id, _)| node_id(id)).collect()
    }

    /// Whether another server, one of those that `but` would ask for it, has this entry with its data, durably, or a snapshot
    /// that stands for it.
    pub(crate) fn has_another(&self, but: ProcessId, position: LogPosition, asked: NodeSet) -> bool {
        self.others(but, asked).any(|held| held.keeps(position.index, Some(position.term)))
    }

    /// Whether each entry, and each snapshot, that another server lacks is held by a third one, which that would ask.
    pub(crate) fn can_spare(&self, id: ProcessId, invariants: &Invariants) -> bool {
        self.held().filter(|(other, _)| *other != id).all(|(other, held)| {
            let asked = asked_by(other, invariants);
            let may_give = |third: ProcessId| third != id && third != other && asked.has(node_id(third));
            let has_snapshot = |last| self.snapshot_returns(other, last, may_give);
            let has_entry = |faulty: &Faulty| {
                let term = held.term_at(faulty.index);
                self.held().any(|(third, held)| may_give(third) && held.keeps(faulty.index, term))
            };
            held.lacks_state.is_none_or(has_snapshot) && held.faulty.iter().all(has_entry)
        })
    }

    /// Whether a server other than `but` knows the name of this entry.
    pub(crate) fn is_named_elsewhere(&self, but: ProcessId, position: LogPosition) -> bool {
        let others = (0_u32..).zip(&self.all).filter(|(id, _)| *id != but.0);
        others.filter_map(|(_, held)| held.as_ref()).any(|held| {
            position.index <= held.base.index || held.term_at(position.index) == Some(position.term)
        })
    }

    /// Whether the log of a server has this entry, behind what its snapshot stands for.
    pub(crate) fn is_live(&self, id: ProcessId, position: LogPosition) -> bool {
        let held = self.all[id.0 as usize].as_ref();
        held.is_some_and(|held| {
            position.index > held.base.index && held.term_at(position.index) == Some(position.term)
        })
    }

    /// Whether whatever one of these servers lacks another of them has, which it would ask.
    pub(crate) fn can_repair_themselves(&self, core: ProcessSet, invariants: &Invariants) -> bool {
        core.iter().all(|id| self.is_repaired_by(id, core, invariants))
    }

    /// Whether each of these servers that lacks its snapshot gets one from the others.
    pub(crate) fn regain_snapshots(&self, core: ProcessSet, invariants: &Invariants) -> bool {
        core.iter().all(|id| self.regains_snapshot(id, core, invariants))
    }

    /// A part of these servers that can repair themselves, to which none of the others can be added.
    pub(crate) fn repairable(&self, all: ProcessSet, invariants: &Invariants) -> ProcessSet {
        let mut left = all;
        while let Some(stuck) = left.iter().find(|id| !self.is_repaired_by(*id, left, invariants)) {
            left = left.without(stuck);
        }
        // A snapshot may come back from any of a few, and not where one of more lacks it: so who went early may be repaired now.
        let fits = |id: &ProcessId, left: ProcessSet| {
            !left.contains(*id) && self.can_repair_themselves(left.with(*id), invariants)
        };
        while let Some(more) = all.iter().find(|id| fits(id, left)) {
            left = left.with(more);
        }
        left
    }

    /// Whether whatever this server lacks one of these has, which it would ask.
    fn is_repaired_by(&self, id: ProcessId, core: ProcessSet, invariants: &Invariants) -> bool {
        let Some(held) = self.all[id.0 as usize].as_ref().filter(|held| !held.is_whole()) else {
            return true;
        };
        let asked = asked_by(id, invariants);
        let may_give = |other: ProcessId| core.contains(other) && asked.has(node_id(other));
        let is_given = |faulty: &Faulty| {
            let term = held.term_at(faulty.index);
            self.held().any(|(other, held)| may_give(other) && held.has(faulty.index, term))
        };
        held.faulty.iter().all(is_given) && self.regains_snapshot(id, core, invariants)
    }

    fn regains_snapshot(&self, id: ProcessId, core: ProcessSet, invariants: &Invariants) -> bool {
        let Some(last) = self.all[id.0 as usize].as_ref().and_then(|held| held.lacks_state) else {
            return true;
        };
        let asked = asked_by(id, invariants);
        self.snapshot_returns(id, last, |other| core.contains(other) && asked.has(node_id(other)))
    }
}

/// The voters of every configuration that may be in force at a server.
pub(crate) fn asked_by(id: ProcessId, invariants: &Invariants) -> NodeSet {
    let all = invariants.configurations(node_id(id)).map(|membership| membership.voters);
    all.reduce(NodeSet::and).unwrap_or_default()
}

impl Held {
    fn of_core(raft: &Raft) -> Self {
        let (base, last) = (raft.base(), raft.status().last_log.index);
        let mut runs: Vec<LogPosition> = Vec::new();
        for index in (base.index.0 + 1..=last.0).map(LogIndex) {
            let term = raft.term_at(index).expect("the log has it");
            if runs.last().is_none_or(|run| run.term != term) {
                runs.push(LogPosition { term, index });
            }
        }
        let faulty = raft.faulty().collect();
        let snapshot = raft.snapshot().map_or(LogIndex::ZERO, |snapshot| snapshot.last.index);
        let (lacks_state, has_data) =
            (raft.lost_snapshot().map(|lost| lost.last.index), !raft.config().is_witness());
        let (uncertain, durable_index) = (raft.uncertain(), raft.named_index());
        Self {
            base,
            runs,
            last_index: last,
            durable_index,
            worst: None,
            first: raft.config().voters.iter().copied().collect(),
            faulty,
            snapshot,
            lacks_state,
            has_data,
            uncertain,
        }
    }

    /// A server that is up has not met yet what has rotted since it started.
    fn without(mut self, damage: &Damage, id: ProcessId) -> Self {
        let is_live =
            |at: &LogPosition| at.index > self.base.index && self.term_at(at.index) == Some(at.term);
        let rotted: Vec<_> = damage.of(id).filter(is_live).collect();
        self.faulty.extend(rotted.iter().map(|at| Faulty { index: at.index, is_doubtful: false }));
        if damage.has_snapshot(id, self.snapshot) {
            self.lacks_state = self.lacks_state.max(Some(self.snapshot));
            self.snapshot = LogIndex::ZERO;
        }
        self
    }

    fn of_disk(recovered: &Recovered, config: &Config) -> Self {
        let Recovered { base, last_index, .. } = *recovered;
        let named = recovered.lost_snapshot.or(recovered.snapshot);
        let covered = named.map_or(base, |snapshot| snapshot.last);
        let snapshot = recovered.snapshot.map_or(LogIndex::ZERO, |snapshot| snapshot.last.index);
        let lacks_state = recovered.lost_snapshot.map(|lost| lost.last.index);
        let is_missed = |faulty: &&Faulty| faulty.index > covered.index;
        let faulty = recovered.faulty.iter().filter(is_missed).copied().collect();
        let uncertain = Some(recovered.uncertain).filter(|_| !recovered.has_certain_head());
        let runs = recovered.terms.clone();
        Self {
            base: covered,
            runs,
            last_index,
            durable_index: last_index.max(covered.index),
            worst: None,
            first: config.voters.iter().copied().collect(),
            faulty,
            snapshot,
            lacks_state,
            has_data: !config.is_witness(),
            uncertain,
        }
    }

    fn term_at(&self, index: LogIndex) -> Option<Term> {
        let run = self.runs.iter().rev().find(|run| run.index <= index);
        run.filter(|_| index <= self.last_index).map(|run| run.term)
    }

    /// Whether the entry is here with its data, or a snapshot stands for it.
    fn has(&self, index: LogIndex, term: Option<Term>) -> bool {
        let is_faulty = self.faulty.iter().any(|faulty| faulty.index == index);
        let is_covered = index <= self.base.index && self.lacks_state.is_none();
        let is_here = index > self.base.index && self.term_at(index) == term && !is_faulty;
        self.has_data && (is_covered || is_here)
    }

    /// Whether it is, durably.
    fn keeps(&self, index: LogIndex, term: Option<Term>) -> bool {
        index <= self.durable_index
            && self.has(index, term)
            && self.worst.as_ref().is_none_or(|worst| worst.has(index, term))
    }

    fn last(&self) -> LogPosition {
        let term = self.term_at(self.last_index).unwrap_or(self.base.term);
        LogPosition { term, index: self.last_index.max(self.base.index) }
    }

    /// Whether this entry was certainly never acknowledged here.
    fn denies(&self, position: LogPosition) -> bool {
        position.index > self.base.index
            && self.term_at(position.index) != Some(position.term)
            && self.uncertain.is_none_or(|uncertain| uncertain < position.term)
    }

    fn has_snapshot(&self, last: LogIndex) -> bool {
        let is_durable = self.worst.as_ref().is_none_or(|worst| worst.has_snapshot(last));
        self.has_data && self.snapshot >= last && is_durable
    }

    fn is_whole(&self) -> bool {
        self.faulty.is_empty() && self.lacks_state.is_none()
    }
}

#[cfg(test)]
mod tests {
    use squall_raft::NodeId;

    use super::*;

    /// A log of entries of term 1, and behind `in_term_1` of them of term 2, whose head is certain.
    fn held(in_term_1: u64, last: u64) -> Held {
        let runs = vec![LogPosition::new(1, 1), LogPosition::new(2, in_term_1 + 1)];
        Held {
            base: LogPosition::new(0, 0),
            runs: runs.into_iter().filter(|run| run.index.0 <= last).collect(),
            last_index: LogIndex(last),
            durable_index: LogIndex(last),
            worst: None,
            first: NodeSet::EMPTY,
            faulty: Vec::new(),
            snapshot: LogIndex::ZERO,
            lacks_state: None,
            has_data: true,
            uncertain: None,
        }
    }

    /// n0 has lost the data of entry 4, which is of term 2; whether these two others leave open what it was.
    fn is_open(is_doubtful: bool, others: [Held; 2]) -> bool {
        let nodes = [0, 1, 2].map(NodeId);
        let faulty = vec![Faulty { index: LogIndex(4), is_doubtful }];
        let all = [Held { faulty, ..held(3, 5) }].into_iter().chain(others).map(Some).collect();
        Holdings { all }.lack_what_nobody_denies(&Invariants::new(&nodes, &nodes))
    }

    #[test]
    fn what_a_crash_may_take_is_no_copy() {
        let position = LogPosition::new(2, 4);
        for (durable, expected) in [(3, false), (4, true)] {
            let other = Held { durable_index: LogIndex(durable), ..held(3, 5) };
            let left = Held { worst: Some(Box::new(held(3, durable))), ..held(3, 5) };
            for other in [other, left] {
                let holdings = Holdings { all: vec![Some(held(3, 5)), Some(other)] };
                let asked = [0, 1].map(NodeId).into_iter().collect();
                assert_eq!(holdings.has_another(ProcessId(0), position, asked), expected, "{durable}");
                assert!(holdings.is_named_elsewhere(ProcessId(0), position));
            }
        }
    }

    #[test]
    fn what_nobody_has_is_open_where_too_few_deny_it() {
        let unsure = |held: Held, term| Held { uncertain: Some(Term(term)), ..held };
        assert!(is_open(false, [held(3, 3), unsure(held(3, 3), 2)]), "n0 and n2 may have committed it");
        assert!(is_open(false, [unsure(held(3, 3), 2), unsure(held(2, 2), 2)]));
        assert!(!is_open(false, [held(3, 3), held(2, 2)]), "n0 alone cannot have");
        assert!(
            !is_open(false, [held(3, 3), unsure(held(3, 3), 1)]),
            "what n2 may have lost was of an earlier term"
        );
        assert!(!is_open(false, [held(3, 3), held(3, 4)]), "n2 has it");
        assert!(!is_open(false, [unsure(held(3, 3), 2), held(3, 4)]), "n2 has it");
        assert!(!is_open(true, [held(3, 3), unsure(held(3, 3), 2)]), "every voter's word will do");
        let later = || Held { runs: vec![LogPosition::new(1, 1), LogPosition::new(3, 4)], ..held(3, 4) };
        assert!(!is_open(false, [later(), unsure(later(), 3)]), "n1 can be elected by n0");
        assert!(is_open(false, [unsure(later(), 3), unsure(later(), 3)]), "nor is anybody else certain");
    }

    #[test]
    fn who_lacks_what_nobody_else_of_them_has_is_left_out_and_so_is_who_would_have_it_from_there() {
        let lacking = |held: Held, indices: &[u64]| {
            let faulty = indices.iter().map(|index| Faulty { index: LogIndex(*index), is_doubtful: false });
            Held { faulty: faulty.collect(), ..held }
        };
        let repairable = |all: [Held; 4], among: &[u32]| {
            let nodes = [0, 1, 2, 3].map(NodeId);
            let holdings = Holdings { all: all.into_iter().map(Some).collect() };
            let among = among.iter().copied().map(ProcessId).collect();
            let left = holdings.repairable(among, &Invariants::new(&nodes, &nodes));
            left.iter().map(|id| id.0).collect::<Vec<_>>()
        };
        let whole = || held(3, 5);
        assert_eq!(repairable([whole(), whole(), whole(), whole()], &[0, 1, 3]), [0, 1, 3]);
        let n0_alone_had_it = [lacking(whole(), &[5]), held(3, 4), held(3, 4), held(3, 4)];
        assert_eq!(repairable(n0_alone_had_it, &[0, 1, 2, 3]), [1, 2, 3]);
        let in_turn = || [lacking(whole(), &[2, 5]), lacking(whole(), &[3]), held(3, 4), held(2, 2)];
        assert_eq!(repairable(in_turn(), &[0, 1, 2, 3]), [0, 1, 2, 3], "n1 has 5, n2 has 2 and 3");
        assert_eq!(repairable(in_turn(), &[0, 2, 3]), [2, 3]);
        let one_by_the_other = [lacking(whole(), &[4, 5]), lacking(whole(), &[3, 5]), held(2, 2), held(2, 2)];
        assert_eq!(repairable(one_by_the_other, &[0, 1, 2, 3]), [2, 3], "without n0 nobody has 3");
    }

    #[test]
    fn a_lost_snapshot_comes_back_from_whoever_was_a_member_at_first_or_from_all() {
        let nodes = [0, 1, 2].map(NodeId);
        let regains = |first: &[u64], snapshots: [u64; 2]| {
            let first = first.iter().copied().map(NodeId).collect();
            let lacking = Held { lacks_state: Some(LogIndex(3)), first, ..held(3, 5) };
            let others = snapshots.map(|last| Held { snapshot: LogIndex(last), ..held(3, 5) });
            let all = [lacking].into_iter().chain(others).map(Some).collect();
            let core = [0, 1, 2].map(ProcessId).into_iter().collect();
            Holdings { all }.regain_snapshots(core, &Invariants::new(&nodes, &nodes))
        };
        assert!(regains(&[0, 1, 2], [3, 0]) && regains(&[0, 1, 2], [0, 4]));
        assert!(!regains(&[0, 1, 2], [2, 0]), "nobody has one that stands for as much");
        assert!(regains(&[], [3, 4]), "its leader has it, whoever that is");
        assert!(!regains(&[], [3, 0]), "n2 may lead");
    }
}
