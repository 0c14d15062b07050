//! When a healed core is at rest (docs/fault-model.md, "Two phases"): asked of any Raft whose members can tell as much of
//! themselves as [`Member`] says.

use squall_raft::{LogPosition, NodeId, RoleKind, Status, Term};
use squall_sim::mark::Marks;
use squall_sim::process::Standing;
use squall_sim::world::Processes;
use squall_sim::{Link, Process, ProcessId, ProcessSet, Time, sometimes};

use crate::marks;
use crate::server::{node_id, process_id};

/// What a process tells of itself as a member of a cluster.
pub trait Member: Process {
    /// Its state at a glance.
    fn status(&self) -> Status;
    /// A digest of its state machine; `None` where it keeps none.
    fn state_digest(&self) -> Option<u64>;
    /// Whether this node is a member by its configuration.
    fn knows(&self, id: NodeId) -> bool;
    /// Whether its configuration is one to be left.
    fn is_joint(&self) -> bool;
    /// Bytes of a snapshot that it is receiving.
    fn snapshot_bytes(&self) -> u64;
    /// Its shortest election timeout, in microseconds of its own clock.
    fn election_timeout_us(&self) -> u64;
}

/// Who leads a cluster at rest, and what says who must be.
#[derive(Clone, Debug, Default)]
pub struct Rest {
    /// Nobody outside the healed core can reach it.
    core_is_alone: bool,
    /// Who leads a cluster at rest, in which term, and since when.
    at_rest: Option<(Time, (ProcessId, Term))>,
    marks: Marks,
}

/// A leader that takes itself to be alone gives up within two election timeouts; a clock at half the speed
/// doubles that.
const TIMEOUTS_AT_REST: u64 = 5;

impl Rest {
    /// A core is about to be healed.
    pub fn begin(&mut self, core_is_alone: bool) {
        self.core_is_alone = core_is_alone;
    }

    /// The marks that were reached.
    #[must_use]
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// All of the core is at rest under one leader, and stays so: a leader that nothing hinders keeps its office.
    /// Until then it comes further with each entry that is durable on one of the core, with each that it applies, and with
    /// each part of a snapshot that reaches it.
    pub fn standing<P: Member>(
        &mut self,
        now: Time,
        core: ProcessSet,
        processes: &Processes<'_, P>,
    ) -> Standing {
        let members = || core.iter().filter_map(|id| processes.process(id));
        let entries: u64 =
            members().map(P::status).map(|status| status.durable_index.0 + status.last_applied.0).sum();
        let bytes: u64 = members().map(P::snapshot_bytes).sum();
        // A snapshot that is installed gives up its bytes for at least one entry.
        let reached = entries.saturating_mul(1 << 32).saturating_add(bytes);
        let Some((leader, term)) = self.leader(core, processes) else {
            self.at_rest = None;
            return Standing::Advancing(reached);
        };
        let since = match self.at_rest {
            Some((since, known)) if known == (leader, term) => since,
            Some(_) | None => now,
        };
        self.at_rest = Some((since, (leader, term)));
        let timeout_us = processes.process(leader).map_or(0, P::election_timeout_us);
        let is_lasting = now >= since.after(TIMEOUTS_AT_REST * timeout_us);
        if !is_lasting {
            return Standing::Advancing(reached);
        }
        self.mark_excuses(leader, core, processes);
        Standing::AtRest
    }

    /// What this rest was excused from.
    fn mark_excuses<P: Member>(&mut self, leader: ProcessId, core: ProcessSet, processes: &Processes<'_, P>) {
        let is_outside = !core.contains(leader);
        sometimes!(self.marks, marks::NAMES, "the leader of a core at rest was none of it", is_outside);
        let is_member = |id| processes.process(leader).is_some_and(|led_by| led_by.knows(node_id(id)));
        let is_cut = core.iter().any(|id| is_member(id) && is_cut_off(leader, core, id, processes));
        sometimes!(
            self.marks,
            marks::NAMES,
            "a member of the core was cut off from an outside leader",
            is_cut
        );
    }

    /// One leader, and all of the core with its log, committed and applied, in the same state. The leader may be
    /// one of the others: whoever still serves well need not go. A member that such a leader cannot reach, or
    /// cannot hear, for good, is excused: no Raft can bring it in (thesis §4.2.3). But a core that is alone has a leader of
    /// its own.
    pub(crate) fn leader<P: Member>(
        &self,
        core: ProcessSet,
        processes: &Processes<'_, P>,
    ) -> Option<(ProcessId, Term)> {
        let (leader, last_log) = leader_of(core, processes)?;
        if self.core_is_alone && !core.contains(leader) {
            return None;
        }
        // Whoever is no member is left alone.
        let led_by = processes.process(leader)?;
        let is_member = |id: &ProcessId| led_by.knows(node_id(*id));
        let members = core.iter().filter(is_member).filter(|id| !is_cut_off(leader, core, *id, processes));
        let members = members.map(|id| {
            let member = processes.process(id)?;
            Some((member.status(), member.state_digest()))
        });
        let is_at_rest = are_level(members, node_id(leader), last_log);
        is_at_rest.then_some((leader, led_by.status().current_term))
    }
}

/// Whether the leader is none of the core, and cannot reach this member of it, or cannot hear it.
fn is_cut_off<P: Member>(
    leader: ProcessId,
    core: ProcessSet,
    id: ProcessId,
    processes: &Processes<'_, P>,
) -> bool {
    let (to, from) = (Link { from: leader, to: id }, Link { from: id, to: leader });
    !core.contains(leader) && (processes.is_cut(to) || processes.is_cut(from))
}

/// Whether all of them are up, follow this leader, have all of its log, and those that have a state have made the same of
/// it.
pub(crate) fn are_level(
    mut members: impl Iterator<Item = Option<(Status, Option<u64>)>>,
    leader: NodeId,
    last_log: LogPosition,
) -> bool {
    let mut state = None;
    members.all(|member| {
        let Some((status, digest)) = member else { return false };
        let last = last_log.index;
        status.leader == Some(leader)
            && status.last_log == last_log
            && (status.commit_index, status.last_applied, status.durable_index) == (last, last, last)
            && digest.is_none_or(|digest| *state.get_or_insert(digest) == digest)
    })
}

/// The leader of the highest term that is up, and the last entry of its log, where all of it is committed and no joint
/// configuration is left to be left.
fn leader_of<P: Member>(core: ProcessSet, processes: &Processes<'_, P>) -> Option<(ProcessId, LogPosition)> {
    let followed = core.iter().filter_map(|id| processes.process(id)?.status().leader).map(process_id);
    let leads = |id: &ProcessId| {
        processes.process(*id).is_some_and(|member| member.status().role == RoleKind::Leader)
    };
    let term = |id: &ProcessId| processes.process(*id).map(|member| member.status().current_term);
    let leader = followed.filter(leads).max_by_key(term)?;
    let member = processes.process(leader)?;
    let status = member.status();
    (status.commit_index == status.last_log.index && !member.is_joint()).then_some((leader, status.last_log))
}
