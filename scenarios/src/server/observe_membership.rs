//! What is observed of changes of the membership, and the marks that it leaves.

use squall_raft::{Change, ChangeError, LogPosition, RoleKind, Status};
use squall_sim::{Env, passes, sometimes};

use super::Server;
use crate::marks;
use crate::milestones;
use crate::observation::Step;

impl Server {
    /// An operator's change was taken or refused.
    pub(super) fn observe_membership_change(
        &mut self,
        changes: &[Change],
        result: Result<LogPosition, ChangeError>,
        env: &mut Env<'_, Self>,
    ) {
        self.observation.steps.push(Step::Proposed { accepted: result.ok() });
        self.observe_change(env);
        match result {
            Ok(position) => {
                let was_member = |change: &Change| {
                    let mut earlier = self.replica.raft().configurations();
                    matches!(change, Change::AddLearner { .. } | Change::AddWitness { .. })
                        && earlier.any(|(index, configuration)| {
                            index < position.index && configuration.member(change.id()).is_some()
                        })
                };
                let returns = changes.iter().any(was_member);
                sometimes!(env, marks::NAMES, "a removed node was added again", returns);
            }
            Err(error) => mark_refusal(error, env),
        }
    }

    /// Marks what became of the configuration between two looks.
    pub(super) fn mark_membership(&self, before: &Status, after: &Status, env: &mut Env<'_, Self>) {
        let raft = self.replica.raft();
        let (was, is) = (before.configuration_index, after.configuration_index);
        if is > was {
            let is_joint = raft.configuration().is_joint();
            let was_joint =
                raft.configuration_at(was).is_some_and(|(_, configuration)| configuration.is_joint());
            sometimes!(env, marks::NAMES, "a joint configuration was entered", is_joint);
            sometimes!(env, marks::NAMES, "a joint configuration was left", was_joint && !is_joint);
            passes!(env, milestones::NAMES, "enters-joint", is_joint);
            passes!(env, milestones::NAMES, "leaves-joint", was_joint && !is_joint);
            let asked = matches!(self.observation.steps.last(), Some(Step::Proposed { .. }));
            let by_itself = is_joint && !asked && after.role == RoleKind::Leader;
            sometimes!(env, marks::NAMES, "a leader promoted a learner by itself", by_itself);
        }
        // Where a snapshot was installed, it is forgotten until the snapshot is read.
        let is_forgotten = is.0 == 0 && raft.base().index.0 > 0;
        sometimes!(env, marks::NAMES, "a configuration was rolled back", is < was && !is_forgotten);
        let resigned = before.role == RoleKind::Leader && after.role != RoleKind::Leader;
        sometimes!(
            env,
            marks::NAMES,
            "a leader without a vote gave up its office",
            resigned && !after.is_voter
        );
        let campaigns = after.role == RoleKind::PreCandidate || after.role == RoleKind::Candidate;
        sometimes!(env, marks::NAMES, "one without a vote campaigned", campaigns && !after.is_voter);
        let learned = before.commit_index < is && is <= after.commit_index;
        let is_removed = learned && raft.configuration().member(after.id).is_none();
        sometimes!(env, marks::NAMES, "a removed node learned that it is removed", is_removed);
    }
}

fn mark_refusal(error: ChangeError, env: &mut Env<'_, Server>) {
    use ChangeError as Error;
    sometimes!(
        env,
        marks::NAMES,
        "a change was refused: no leader",
        matches!(error, Error::NotLeader { .. })
    );
    let transferring = matches!(error, Error::Transferring { .. });
    sometimes!(env, marks::NAMES, "a change was refused: a transfer", transferring);
    sometimes!(env, marks::NAMES, "a change was refused: nothing committed yet", error == Error::NotReady);
    let under_way = matches!(error, Error::UnderWay { .. });
    sometimes!(env, marks::NAMES, "a change was refused: another is under way", under_way);
    let twice = matches!(error, Error::NamedTwice { .. });
    sometimes!(env, marks::NAMES, "a change was refused: named twice", twice);
    let stranger = matches!(error, Error::NotAMember { .. });
    sometimes!(env, marks::NAMES, "a change was refused: no member", stranger);
    let member = matches!(error, Error::AlreadyAMember { .. });
    sometimes!(env, marks::NAMES, "a change was refused: a member already", member);
    let voter = matches!(error, Error::AlreadyAVoter { .. });
    sometimes!(env, marks::NAMES, "a change was refused: a voter already", voter);
    let learner = matches!(error, Error::AlreadyALearner { .. });
    sometimes!(env, marks::NAMES, "a change was refused: a learner already", learner);
    let behind = matches!(error, Error::NotCaughtUp { .. });
    sometimes!(env, marks::NAMES, "a change was refused: not caught up", behind);
    sometimes!(env, marks::NAMES, "a change was refused: no voter left", error == Error::NoVoterLeft);
    let no_data = matches!(error, Error::KeepsNoData { .. });
    sometimes!(env, marks::NAMES, "a change was refused: a witness keeps no data", no_data);
    let too_many = matches!(error, Error::TooManyWitnesses { .. });
    sometimes!(env, marks::NAMES, "a change was refused: too many witnesses", too_many);
    let too_few = matches!(error, Error::WouldLoseQuorum { .. });
    sometimes!(env, marks::NAMES, "a change was refused: too few are heard", too_few);
}
