//! What an operator may ask of the membership, and the configuration that it leads to (§6; thesis §4.2).
//!
//! Whether the moment is right, and what the leader does then, stands in `membership.rs`.

use alloc::vec::Vec;

use crate::configuration::MEMBERS_MAX;
use crate::{ChangeError, Configuration, LogIndex, Member, NodeId, Session, Standing};

/// One change of the membership; several may be asked for together, each of another node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Change {
    /// A new member is sent the log, and does not vote. A node that was a member before must have kept its disk, or
    /// come back under another id.
    AddLearner {
        /// Who.
        id: NodeId,
        /// The leader makes it a voter by itself, as soon as it has caught up.
        promote: bool,
    },
    /// A new member votes and is sent identifiers and configurations, but no data: it is started as a witness, and never
    /// becomes anything else.
    AddWitness {
        /// Who.
        id: NodeId,
    },
    /// A learner that has caught up becomes a voter.
    Promote {
        /// Who.
        id: NodeId,
    },
    /// A voter becomes a learner.
    Demote {
        /// Who.
        id: NodeId,
    },
    /// A voter, witness or learner is a member no more.
    Remove {
        /// Who.
        id: NodeId,
    },
}

impl Change {
    /// Whom it concerns.
    #[must_use]
    pub fn id(self) -> NodeId {
        match self {
            Self::AddLearner { id, .. }
            | Self::AddWitness { id }
            | Self::Promote { id }
            | Self::Demote { id }
            | Self::Remove { id } => id,
        }
    }
}

impl Configuration {
    /// The configuration that an entry at `index` puts in force to make these changes: a joint one where somebody's
    /// vote comes or goes, else the final one.
    pub(crate) fn changed(&self, changes: &[Change], index: LogIndex) -> Result<Self, ChangeError> {
        assert!(!self.is_joint(), "a change begins when the one before has ended");
        let mut members = self.members().to_vec();
        for (place, change) in changes.iter().enumerate() {
            let id = change.id();
            if changes[..place].iter().any(|earlier| earlier.id() == id) {
                return Err(ChangeError::NamedTwice { id });
            }
            make(*change, &mut members, index)?;
        }
        if members == self.members() {
            return Err(ChangeError::NothingToChange);
        }
        if !members.iter().any(|member| member.votes().incoming) {
            return Err(ChangeError::NoVoterLeft);
        }
        check_witnesses(&members)?;
        let voted = |member: &Member| self.votes(member.id).incoming;
        if members.iter().any(|member| member.votes().incoming != voted(member)) {
            for member in &mut members {
                member.outgoing = voted(member);
            }
        }
        if members.len() > MEMBERS_MAX {
            return Err(ChangeError::TooManyMembers { max: MEMBERS_MAX });
        }
        Ok(Self::of(members).expect("what is made of a configuration is one"))
    }
}

/// Those that keep data are a majority of the voters to be: else every commit would take a witness, and rest on too few
/// copies.
fn check_witnesses(members: &[Member]) -> Result<(), ChangeError> {
    let voters = members.iter().filter(|member| member.votes().incoming);
    let (voters, witnesses) = (voters.clone().count(), voters.filter(|member| member.is_witness()).count());
    if voters - witnesses > voters / 2 {
        return Ok(());
    }
    Err(ChangeError::TooManyWitnesses { witnesses, voters })
}

/// Makes one change. A voter that is removed stays in the list, for the half that goes.
fn make(change: Change, members: &mut Vec<Member>, index: LogIndex) -> Result<(), ChangeError> {
    let id = change.id();
    let found = members.binary_search_by_key(&id, |member| member.id);
    let added = match change {
        Change::AddLearner { promote, .. } => Some(Standing::Learner { promote }),
        Change::AddWitness { .. } => Some(Standing::Witness),
        Change::Promote { .. } | Change::Demote { .. } | Change::Remove { .. } => None,
    };
    let place = match (added, found) {
        (Some(standing), Err(place)) => {
            members.insert(place, Member { id, session: Session(index.0), standing, outgoing: false });
            return Ok(());
        }
        (Some(_), Ok(_)) => return Err(ChangeError::AlreadyAMember { id }),
        (None, Err(_)) => return Err(ChangeError::NotAMember { id }),
        (None, Ok(place)) => place,
    };
    let (votes, witness) = (members[place].votes().incoming, members[place].is_witness());
    match change {
        Change::Promote { .. } | Change::Demote { .. } if witness => {
            return Err(ChangeError::KeepsNoData { id });
        }
        Change::Promote { .. } if votes => return Err(ChangeError::AlreadyAVoter { id }),
        Change::Demote { .. } if !votes => return Err(ChangeError::AlreadyALearner { id }),
        Change::Promote { .. } => members[place].standing = Standing::Voter,
        Change::Demote { .. } => members[place].standing = Standing::Learner { promote: false },
        Change::Remove { .. } if votes => members[place].standing = Standing::Leaving { witness },
        Change::Remove { .. } | Change::AddLearner { .. } | Change::AddWitness { .. } => {
            members.remove(place);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use super::*;

    const N2: NodeId = NodeId(2);
    const N3: NodeId = NodeId(3);
    const N4: NodeId = NodeId(4);

    /// What changes, in order, make of the voters n1 n2 n3: the configuration of each entry at 10, 20, ...
    fn after(batches: &[&[Change]]) -> Result<String, ChangeError> {
        let mut configuration = Configuration::first(&[NodeId(1), N2, N3]);
        let mut told = configuration.to_string();
        for (batch, index) in batches.iter().zip((10..).step_by(10)) {
            configuration = configuration.without_outgoing().changed(batch, LogIndex(index))?;
            told = configuration.to_string();
        }
        Ok(told)
    }

    const ADD_N4: Change = Change::AddLearner { id: N4, promote: false };
    const PROMOTE_N4: Change = Change::Promote { id: N4 };
    const REMOVE_N2: Change = Change::Remove { id: N2 };
    const DEMOTE_N3: Change = Change::Demote { id: N3 };

    #[test]
    fn a_change_of_learners_alone_is_one_plain_step() {
        assert_eq!(after(&[&[ADD_N4]]).as_deref(), Ok("voters n1 n2 n3, learners n4"));
        assert_eq!(after(&[&[ADD_N4], &[Change::Remove { id: N4 }]]).as_deref(), Ok("voters n1 n2 n3"));
    }

    #[test]
    fn there_are_64_members_at_most() {
        let add = |last| {
            (4..=last).map(|id| Change::AddLearner { id: NodeId(id), promote: false }).collect::<Vec<_>>()
        };
        assert!(after(&[&add(64)]).is_ok());
        assert_eq!(after(&[&add(65)]), Err(ChangeError::TooManyMembers { max: 64 }));
    }

    #[test]
    fn whoever_gains_or_loses_a_vote_makes_it_joint() {
        let add = &[ADD_N4][..];
        for (batch, expected) in [
            (&[PROMOTE_N4][..], "voters n1 n2 n3 n4, until now n1 n2 n3"),
            (&[REMOVE_N2], "voters n1 n3, learners n4, until now n1 n2 n3"),
            (&[DEMOTE_N3], "voters n1 n2, learners n3 n4, until now n1 n2 n3"),
            (&[PROMOTE_N4, REMOVE_N2, DEMOTE_N3], "voters n1 n4, learners n3, until now n1 n2 n3"),
        ] {
            assert_eq!(after(&[add, batch]).as_deref(), Ok(expected));
        }
        let voter = after(&[add, &[PROMOTE_N4], &[REMOVE_N2]]);
        assert_eq!(voter.as_deref(), Ok("voters n1 n3 n4, until now n1 n2 n3 n4"));
    }

    #[test]
    fn a_witness_comes_with_a_vote_and_goes_and_becomes_nothing_else() {
        let add = &[Change::AddWitness { id: N4 }, REMOVE_N2][..];
        let coming = "voters n1 n3 n4, witnesses n4, until now n1 n2 n3";
        assert_eq!(after(&[add]).as_deref(), Ok(coming));
        let going = after(&[add, &[Change::Remove { id: N4 }]]);
        assert_eq!(going.as_deref(), Ok("voters n1 n3, witnesses n4, until now n1 n3 n4"));
        for change in [PROMOTE_N4, Change::Demote { id: N4 }] {
            assert_eq!(after(&[add, &[change]]), Err(ChangeError::KeepsNoData { id: N4 }));
        }
        let error = ChangeError::AlreadyAMember { id: N3 };
        assert_eq!(after(&[&[Change::AddWitness { id: N3 }]]), Err(error));
    }

    #[test]
    fn those_that_keep_data_must_be_a_majority() {
        let add = [4, 5, 6].map(|id| Change::AddWitness { id: NodeId(id) });
        assert!(after(&[&add[..2]]).is_ok(), "three of five keep data");
        let (witnesses, voters) = (3, 6);
        assert_eq!(after(&[&add]), Err(ChangeError::TooManyWitnesses { witnesses, voters }));
        let (witnesses, voters) = (1, 2);
        let fewer = after(&[&[add[0], REMOVE_N2], &[DEMOTE_N3]]);
        assert_eq!(fewer, Err(ChangeError::TooManyWitnesses { witnesses, voters }));
    }

    #[test]
    fn a_stay_is_named_after_the_entry_that_began_it() {
        let first = Configuration::first(&[NodeId(1), N2, N3]);
        let session = |configuration: &Configuration| configuration.member(N4).map(|member| member.session);
        let added = first.changed(&[ADD_N4], LogIndex(10)).expect("n4 is new");
        let promoted = added.changed(&[PROMOTE_N4], LogIndex(11)).expect("n4 is a learner");
        let promoted = promoted.without_outgoing();
        assert_eq!(session(&promoted), Some(Session(10)), "the same stay, voter or not");
        let removed = promoted.changed(&[Change::Remove { id: N4 }], LogIndex(13)).expect("n4 is a voter");
        let again = removed.without_outgoing().changed(&[ADD_N4], LogIndex(15)).expect("n4 has left");
        assert_eq!(session(&again), Some(Session(15)));
    }

    #[test]
    fn a_change_that_makes_no_sense_is_refused_and_says_why() {
        let all_three = [1, 2, 3].map(|id| Change::Demote { id: NodeId(id) });
        for (batch, error) in [
            (&[PROMOTE_N4][..], ChangeError::NotAMember { id: N4 }),
            (&[Change::Remove { id: N4 }], ChangeError::NotAMember { id: N4 }),
            (&[Change::AddLearner { id: N2, promote: true }], ChangeError::AlreadyAMember { id: N2 }),
            (&[Change::Promote { id: N2 }], ChangeError::AlreadyAVoter { id: N2 }),
            (&[REMOVE_N2, Change::AddLearner { id: N2, promote: true }], ChangeError::NamedTwice { id: N2 }),
            (&all_three, ChangeError::NoVoterLeft),
            (&[], ChangeError::NothingToChange),
        ] {
            assert_eq!(after(&[batch]), Err(error), "{batch:?}");
        }
        assert_eq!(
            after(&[&[ADD_N4], &[Change::Demote { id: N4 }]]),
            Err(ChangeError::AlreadyALearner { id: N4 })
        );
    }

    #[test]
    fn a_cluster_has_at_most_sixty_four_members() {
        let voters: Vec<NodeId> = (1..=64).map(NodeId).collect();
        let crowd = Configuration::first(&voters);
        let one_more = [Change::AddLearner { id: NodeId(65), promote: false }];
        assert_eq!(crowd.changed(&one_more, LogIndex(9)), Err(ChangeError::TooManyMembers { max: 64 }));
        let replaced = [one_more[0], Change::Remove { id: N2 }];
        assert_eq!(
            crowd.changed(&replaced, LogIndex(9)),
            Err(ChangeError::TooManyMembers { max: 64 }),
            "who leaves is counted until the half that goes is gone"
        );
    }
}
