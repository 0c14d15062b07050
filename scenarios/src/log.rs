//! A run as a log that a person can follow: what strikes the cluster, and one line for each change of a server's state, in columns.
//!
//! The lines go out through `tracing`; who wants them subscribes. Applied and durable indices move too often to be
//! told each time: a line shows them, and a change of role, term, vote, leader or configuration asks for a line; of the log, too, where
//! everything is to be told.

use squall_raft::{Configuration, LogIndex, LogPosition, NodeId, RoleKind, Status, Term};
use squall_sim::anchor::Turn;
use squall_sim::fault::{CrashKind, FaultEvent};
use squall_sim::{ProcessId, ProcessSet, Time};
use tracing::info;

use crate::observation::Step;

/// How much of a run is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Detail {
    /// Nothing.
    #[default]
    Nothing,
    /// Faults, and what changes who leads and who is a member; logs that are cut or begin anew.
    Turns,
    /// Also what changes a log or what is committed.
    Everything,
}

/// What was told last of each server.
#[derive(Clone, Debug)]
pub struct Log {
    tells_all: bool,
    is_healed: bool,
    told: Vec<(ProcessId, Told)>,
}

type Told = (RoleKind, Term, Option<NodeId>, Option<NodeId>, LogPosition, LogIndex);

/// The heading of the columns.
pub const HEADING: &str =
    "        time  node  role          term  vote  leader  log from..term@last  durable  commit  applied";

impl Log {
    /// A log that has told nothing yet; none where nothing is to be told.
    pub(crate) fn new(detail: Detail) -> Option<Log> {
        let tells_all = detail == Detail::Everything;
        (detail != Detail::Nothing).then(|| Log { tells_all, is_healed: false, told: Vec::new() })
    }

    /// A fault has begun or has ended. It has the number that it has in the scenario of the run.
    pub(crate) fn fault_turned(&self, now: Time, turn: Turn, event: &FaultEvent) {
        let name = format!("e{}", event.id);
        match turn {
            Turn::Begins(_) => info!("{:>12}  {name:<4}  begins: {}", now.to_string(), event.fault),
            Turn::Ends(_) => info!("{:>12}  {name:<4}  ends: {}", now.to_string(), event.fault.name()),
        }
    }

    /// The storm is over, and what was going on freezes as it stands. It is told when it is first asked how the core stands.
    pub(crate) fn healed(&mut self, now: Time, core: ProcessSet) {
        if std::mem::replace(&mut self.is_healed, true) {
            return;
        }
        let core: Vec<String> = core.iter().map(|id| id.to_string()).collect();
        info!("{:>12}  ----  the storm is over; healed are {}", now.to_string(), core.join(" "));
    }

    pub(crate) fn started(&mut self, now: Time, id: ProcessId, status: &Status) {
        self.told.push((id, news(status)));
        tell(now, id, status, "starts");
    }

    pub(crate) fn stopped(&mut self, now: Time, id: ProcessId, kind: CrashKind) {
        let how = match kind {
            CrashKind::Process => "crashes; its page cache lives on",
            CrashKind::PowerLoss => "loses power; only what was synced is certain",
        };
        info!("{:>12}  {id:<4}  {how}", now.to_string());
        self.told.retain(|(known, _)| *known != id);
    }

    /// `configuration` is the one in force; it is told where it is another than before. The steps are those of this event.
    pub(crate) fn after(
        &mut self,
        now: Time,
        id: ProcessId,
        status: &Status,
        configuration: &Configuration,
        steps: &[Step],
    ) {
        let news = news(status);
        let mut remarks: Vec<String> = steps.iter().filter_map(remark).collect();
        match self.told.iter_mut().find(|(known, _)| *known == id) {
            Some((_, told)) => {
                let moved = if self.tells_all { *told != news } else { turns(told) != turns(&news) };
                if !moved && remarks.is_empty() {
                    return;
                }
                if told.5 != news.5 {
                    remarks.insert(0, format!("since {}: {configuration}", news.5));
                }
                *told = news;
            }
            None => self.told.push((id, news)),
        }
        tell(now, id, status, &remarks.join("; "));
    }
}

fn news(status: &Status) -> Told {
    (
        status.role,
        status.current_term,
        status.voted_for,
        status.leader,
        status.last_log,
        status.configuration_index,
    )
}

/// What of the news is told in any case: all but where the log ends.
fn turns(told: &Told) -> (RoleKind, Term, Option<NodeId>, Option<NodeId>, LogIndex) {
    let (role, term, vote, leader, _, configuration) = *told;
    (role, term, vote, leader, configuration)
}

/// What is told of a step by itself: that a log lost its end or its beginning.
fn remark(step: &Step) -> Option<String> {
    match step {
        Step::Truncated { from } => Some(format!("takes entries out, from {from} on")),
        Step::Reset { base } => Some(format!("its log begins anew behind a snapshot of {base}")),
        Step::SnapshotTaken(snapshot) => Some(format!("takes a snapshot of {}", snapshot.last)),
        Step::Started { .. }
        | Step::SnapshotLost(_)
        | Step::Received(_)
        | Step::Ticked
        | Step::Proposed { .. }
        | Step::Administered
        | Step::Persisted { .. }
        | Step::Fetched
        | Step::ReadAsked { .. }
        | Step::SnapshotReceived(_)
        | Step::SnapshotStepped
        | Step::ConfigurationRestored { .. }
        | Step::Restored { .. }
        | Step::Changed(_)
        | Step::WroteHardState(_)
        | Step::Compacted { .. }
        | Step::Appended { .. }
        | Step::Lost { .. }
        | Step::Repaired { .. }
        | Step::Configured(_)
        | Step::WriteIssued { .. }
        | Step::ReadsSettled { .. }
        | Step::ReadServed { .. }
        | Step::Sent(_)
        | Step::Applied { .. } => None,
    }
}

fn tell(now: Time, id: ProcessId, status: &Status, remark: &str) {
    let name = |node: Option<NodeId>| node.map_or_else(|| "-".to_owned(), |node| node.to_string());
    let role = format!("{:?}", status.role);
    let log = format!("{}..{}", status.first_in_memory, status.last_log);
    info!(
        "{:>12}  {id:<4}  {role:<12}  {:>4}  {:<4}  {:<6}  {log:<19}  {:>7}  {:>6}  {:>7}  {remark}",
        now.to_string(),
        status.current_term.to_string(),
        name(status.voted_for),
        name(status.leader),
        status.durable_index.to_string(),
        status.commit_index.to_string(),
        status.last_applied.to_string(),
    );
}
