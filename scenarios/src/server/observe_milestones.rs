//! Which milestones a server passes when its state changes. Those of single deeds are told where the deeds are observed.

use squall_raft::{RoleKind, Status};
use squall_sim::{Env, passes};

use super::Server;
use crate::milestones;

/// Tells which milestones were passed between two looks.
pub(super) fn pass_change(before: &Status, after: &Status, env: &mut Env<'_, Server>) {
    let (was, is) = (before.role, after.role);
    let is_newer = after.current_term > before.current_term;
    let campaigns = is == RoleKind::Candidate && (was != RoleKind::Candidate || is_newer);
    let votes =
        after.voted_for.is_some_and(|node| node != after.id) && (is_newer || before.voted_for.is_none());
    let follows =
        after.leader.is_some_and(|leader| leader != after.id) && (is_newer || before.leader.is_none());
    passes!(env, milestones::NAMES, "campaigns", campaigns);
    passes!(env, milestones::NAMES, "votes", votes);
    passes!(env, milestones::NAMES, "leads", is == RoleKind::Leader && was != RoleKind::Leader);
    passes!(env, milestones::NAMES, "steps-down", is != RoleKind::Leader && was == RoleKind::Leader);
    passes!(env, milestones::NAMES, "follows", follows);
    passes!(env, milestones::NAMES, "commits", after.commit_index > before.commit_index);
}
