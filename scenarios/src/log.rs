//! A run as a log that a person can follow: one line for each change of a server's state, in columns.
//!
//! The lines go out through `tracing`; who wants them subscribes. Applied and durable indices move too often to be
//! told each time: a line shows them, and a change of role, term, vote, leader or log asks for a line.

use squall_raft::{Configuration, LogIndex, LogPosition, NodeId, RoleKind, Status, Term};
use squall_sim::fault::CrashKind;
use squall_sim::{ProcessId, Time};
use tracing::info;

/// What was told last of each server.
#[derive(Clone, Debug, Default)]
pub struct Log {
    told: Vec<(ProcessId, Told)>,
}

type Told = (RoleKind, Term, Option<NodeId>, Option<NodeId>, LogPosition, LogIndex);

/// The heading of the columns.
pub const HEADING: &str =
    "        time  node  role          term  vote  leader  log from..term@last  durable  commit  applied";

impl Log {
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

    /// `configuration` is the one in force; it is told where it is another than before.
    pub(crate) fn after(&mut self, now: Time, id: ProcessId, status: &Status, configuration: &Configuration) {
        let news = news(status);
        let mut remark = String::new();
        match self.told.iter_mut().find(|(known, _)| *known == id) {
            Some((_, told)) if *told == news => return,
            Some((_, told)) => {
                if told.5 != news.5 {
                    remark = format!("since {}: {configuration}", news.5);
                }
                *told = news;
            }
            None => self.told.push((id, news)),
        }
        tell(now, id, status, &remark);
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
