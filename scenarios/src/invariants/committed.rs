//! The one committed log of a run, as its leaders declared it, and in which terms.
//!
//! A ghost of the whole cluster: it judges nothing, the invariants compare nodes with it.

use squall_raft::{LogIndex, LogPosition, Term};

use super::shadow::{Link, Shadow};
use crate::membership::Membership;

/// Every entry that was ever committed, by the first leader that said so.
#[derive(Clone, Debug)]
pub(super) struct Committed {
    links: Vec<Link>,
    /// How far the leaders of each term committed.
    ///
    /// Invariant: terms and indices both rise strictly, so that the last element below a term holds the
    /// highest index committed below it.
    reached: Vec<(Term, LogIndex)>,
    /// The configurations, each with the index of its entry; first the one that the cluster begins with.
    configurations: Vec<(LogIndex, Membership)>,
}

impl Committed {
    pub(super) fn new(first: Membership) -> Self {
        Self { links: Vec::new(), reached: Vec::new(), configurations: vec![(LogIndex::ZERO, first)] }
    }

    /// The configuration that the cluster begins with.
    pub(super) fn first(&self) -> Membership {
        self.configurations[0].1
    }

    pub(super) fn last_index(&self) -> LogIndex {
        LogIndex(self.links.len() as u64)
    }

    pub(super) fn link(&self, index: LogIndex) -> Option<Link> {
        match index.0.checked_sub(1) {
            None => Some(Link::default()),
            Some(place) => self.links.get(usize::try_from(place).ok()?).copied(),
        }
    }

    /// How many configurations stand after `index`.
    pub(super) fn changes_after(&self, index: LogIndex) -> usize {
        self.configurations.len() - self.configurations_up_to(index).len()
    }

    /// Those up to `index`; the last of them is in force there.
    pub(super) fn configurations_up_to(&self, index: LogIndex) -> &[(LogIndex, Membership)] {
        &self.configurations[..self.configurations.partition_point(|(entry, _)| *entry <= index)]
    }

    /// The committed log up to `index`, as far as it goes.
    pub(super) fn prefix(&self, index: LogIndex) -> &[Link] {
        let len = usize::try_from(index.0).unwrap_or(usize::MAX).min(self.links.len());
        &self.links[..len]
    }

    /// The last entry that was committed in a term below `term`.
    pub(super) fn last_below(&self, term: Term) -> Option<LogPosition> {
        let later = self.reached.partition_point(|(reached_in, _)| *reached_in < term);
        let (_, index) = *self.reached.get(later.checked_sub(1)?)?;
        self.link(index).map(|link| LogPosition { term: link.term, index })
    }

    /// The leader of `term` committed its log up to `index`.
    pub(super) fn record(&mut self, term: Term, leader: &Shadow, index: LogIndex) {
        let former = self.last_index();
        let found = leader.configurations().copied();
        self.configurations.extend(found.filter(|entry| (former.next()..=index).contains(&entry.0)));
        while self.last_index() < index {
            let Some(link) = leader.link(self.last_index().next()) else { break };
            self.links.push(link);
        }
        if let Some(last) = self.reached.last_mut()
            && last.0 == term
        {
            last.1 = last.1.max(index);
            return;
        }
        let later = self.reached.partition_point(|(reached_in, _)| *reached_in < term);
        let covered_below = later > 0 && self.reached[later - 1].1 >= index;
        let covered_here =
            self.reached.get(later).is_some_and(|(at, reached)| *at == term && *reached >= index);
        if !covered_below && !covered_here {
            let overtaken = self.reached[later..].iter().take_while(|(_, reached)| *reached <= index).count();
            self.reached.splice(later..later + overtaken, [(term, index)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_raft::NodeId;

    #[test]
    fn a_late_commit_of_an_old_term_counts_for_the_terms_above_it() {
        let mut leader = Shadow::new(NodeId(1), Membership::default());
        for index in 1..=9 {
            leader.append(LogPosition::new(1, index), index).expect("one after the other");
        }
        let mut committed = Committed::new(Membership::default());
        let mut record = |term, index| committed.record(Term(term), &leader, LogIndex(index));
        record(2, 3);
        record(5, 6);
        record(3, 5);
        record(3, 4);
        record(5, 6);
        record(4, 9);
        let below = |term| committed.last_below(Term(term)).map_or(0, |position| position.index.0);
        assert_eq!([2, 3, 4, 5, 6].map(below), [0, 3, 5, 9, 9]);
        assert_eq!(committed.last_index(), LogIndex(9));
    }
}
