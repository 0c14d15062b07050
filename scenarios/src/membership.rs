//! Who belongs to a cluster, in neutral terms: sets of nodes, and what a majority of them is (§6).
//!
//! The oracles count by this and by nothing of the core's.

use core::fmt;

use squall_raft::NodeId;

/// A set of nodes, each of them below 64.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NodeSet(u64);

/// A configuration: the voters, those of the half that goes while it is joint, and who is sent the log beside them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Membership {
    /// Who votes, or will once the other half is gone.
    pub voters: NodeSet,
    /// Who votes in the half that goes; nobody where there is none.
    pub outgoing: NodeSet,
    /// Who is sent the log and does not vote in the half that comes.
    pub learners: NodeSet,
    /// Which of the learners become voters without being asked for.
    pub promoting: NodeSet,
    /// Which of the voters keep no data.
    pub witnesses: NodeSet,
}

impl NodeSet {
    /// Nobody.
    pub const EMPTY: Self = Self(0);

    /// The set with `node` added.
    ///
    /// # Panics
    /// Where its number is 64 or more.
    #[must_use]
    pub fn with(self, node: NodeId) -> Self {
        assert!(node.0 < 64, "{node} fits into no set of nodes");
        Self(self.0 | 1 << node.0)
    }

    /// Whether `node` is in it.
    #[must_use]
    pub fn has(self, node: NodeId) -> bool {
        node.0 < 64 && self.0 >> node.0 & 1 == 1
    }

    /// How many there are.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Who is in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Who is in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Who is in this one and not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nobody is in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many make a majority.
    fn majority(self) -> u32 {
        self.count() / 2 + 1
    }

    /// Whether every majority of this set has a member in common with every majority of the other.
    fn always_meets(self, other: Self) -> bool {
        let common = self.and(other).count();
        // What each majority must take of the common ones, however many of its own alone it takes.
        let must_take = |set: Self| set.majority().saturating_sub(set.count() - common);
        must_take(self) + must_take(other) > common
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        nodes.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl Membership {
    /// The configuration with which a cluster of these voters begins.
    #[must_use]
    pub fn first(voters: &[NodeId]) -> Self {
        Self { voters: voters.iter().copied().collect(), ..Self::default() }
    }

    /// Whether it has two halves.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether these are a majority of the voters, of each half where there are two.
    #[must_use]
    pub fn has_quorum(&self, agreeing: NodeSet) -> bool {
        let has_majority = |half: NodeSet| agreeing.and(half).count() >= half.majority();
        has_majority(self.voters) && (!self.is_joint() || has_majority(self.outgoing))
    }

    /// Whether an entry that these have may be committed, for all that they can tell: a configuration without voters rules out nothing.
    #[must_use]
    pub fn may_commit(&self, having: NodeSet) -> bool {
        self.voters.is_empty() || self.has_quorum(having)
    }

    /// Whether it may be, by this configuration or by the one that follows a joint one of itself.
    #[must_use]
    pub fn may_come_to_commit(&self, having: NodeSet) -> bool {
        self.may_commit(having) || Self { outgoing: NodeSet::EMPTY, ..*self }.may_commit(having)
    }

    /// Whether these remain a majority whichever of the other learners become voters by themselves.
    #[must_use]
    pub fn has_lasting_quorum(&self, agreeing: NodeSet) -> bool {
        let grown = Self { voters: self.voters.or(self.promoting.without(agreeing)), ..*self };
        self.has_quorum(agreeing) && grown.has_quorum(agreeing)
    }

    /// Whether the node votes in either half.
    #[must_use]
    pub fn is_voter(&self, node: NodeId) -> bool {
        self.voting().has(node)
    }

    /// Who votes in either half.
    #[must_use]
    pub fn voting(&self) -> NodeSet {
        self.voters.or(self.outgoing)
    }

    /// Everybody who is in it.
    #[must_use]
    pub fn members(&self) -> NodeSet {
        self.voting().or(self.learners)
    }

    /// Whether every majority of this one has a member in common with every majority of the next: a majority of a
    /// joint configuration holds one of each half, so that it is enough if some half meets some half. Where a change
    /// goes through a joint configuration, nothing else makes them meet.
    #[must_use]
    pub fn always_meets(&self, next: &Self) -> bool {
        let halves = |of: &Self| [of.voters, if of.is_joint() { of.outgoing } else { of.voters }];
        halves(self).iter().any(|half| halves(next).iter().any(|other| half.always_meets(*other)))
    }
}

impl fmt::Display for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<String> =
            (0..64).map(NodeId).filter(|node| self.has(*node)).map(|node| node.to_string()).collect();
        f.write_str(if nodes.is_empty() { "nobody".to_owned() } else { nodes.join(" ") }.as_str())
    }
}

impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "voters {}", self.voters)?;
        if !self.witnesses.is_empty() {
            write!(f, ", witnesses {}", self.witnesses)?;
        }
        if !self.learners.is_empty() {
            write!(f, ", learners {}", self.learners)?;
        }
        if self.is_joint() { write!(f, ", until now {}", self.outgoing) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(nodes: &[u64]) -> NodeSet {
        nodes.iter().copied().map(NodeId).collect()
    }

    fn plain(voters: &[u64]) -> Membership {
        Membership { voters: set(voters), ..Membership::default() }
    }

    fn joint(voters: &[u64], outgoing: &[u64]) -> Membership {
        Membership { outgoing: set(outgoing), ..plain(voters) }
    }

    /// By trying all majorities of the nodes 0 to 6.
    fn meet_by_trial(one: &Membership, other: &Membership) -> bool {
        let quorums = |of: &Membership| {
            (0..1 << 7).map(NodeSet).filter(|agreeing| of.has_quorum(*agreeing)).collect::<Vec<_>>()
        };
        let others = quorums(other);
        quorums(one).iter().all(|one| others.iter().all(|other| !one.and(*other).is_empty()))
    }

    #[test]
    fn that_majorities_meet_is_what_trying_all_of_them_says() {
        let sets =
            [&[0, 1, 2][..], &[0, 1, 2, 3], &[2, 3, 4], &[0], &[0, 1], &[3, 4, 5, 6], &[0, 1, 2, 3, 4]];
        for one in sets {
            for other in sets {
                let (one, other) = (plain(one), plain(other));
                assert_eq!(one.always_meets(&other), meet_by_trial(&one, &other), "{one} and {other}");
                let between = joint(&[2, 3, 4], &[0, 1, 2]);
                assert!(
                    !between.always_meets(&other) || meet_by_trial(&between, &other),
                    "{between}, {other}"
                );
            }
        }
    }

    #[test]
    fn a_joint_configuration_meets_both_of_those_that_it_joins() {
        let (old, new) = (plain(&[0, 1, 2]), plain(&[3, 4, 5]));
        let between = joint(&[3, 4, 5], &[0, 1, 2]);
        assert!(old.always_meets(&between) && between.always_meets(&new) && !old.always_meets(&new));
    }

    #[test]
    fn what_one_half_of_a_joint_configuration_has_may_be_committed_when_the_other_is_left() {
        let leaves = joint(&[1], &[0, 1]);
        assert!(!leaves.may_commit(set(&[1])) && leaves.may_come_to_commit(set(&[1])), "n0 leaves");
        assert!(!leaves.may_come_to_commit(set(&[0])) && leaves.may_commit(set(&[0, 1])));
        assert!(!joint(&[0, 1], &[1]).may_come_to_commit(set(&[1])), "n0 comes");
        assert!(!plain(&[0, 1]).may_come_to_commit(set(&[1])));
    }

    #[test]
    fn one_voter_more_or_less_needs_no_joint_configuration_and_two_do() {
        assert!(plain(&[0, 1, 2]).always_meets(&plain(&[0, 1, 2, 3])));
        assert!(!plain(&[0, 1, 2]).always_meets(&plain(&[0, 1, 2, 3, 4])));
        assert!(!plain(&[0, 1]).always_meets(&plain(&[2, 3])));
    }

    #[test]
    fn a_quorum_lasts_if_it_outweighs_those_who_come_by_themselves() {
        let promoting = Membership { promoting: set(&[3, 4]), ..plain(&[0, 1, 2]) };
        assert!(promoting.has_quorum(set(&[0, 1])) && !promoting.has_lasting_quorum(set(&[0, 1])));
        assert!(promoting.has_lasting_quorum(set(&[0, 1, 2])));
        assert!(
            promoting.has_lasting_quorum(set(&[0, 1, 3])) == promoting.has_lasting_quorum(set(&[0, 1, 4]))
        );
        assert!(!Membership::default().has_quorum(set(&[0, 1, 2])), "nobody is no majority");
    }
}
