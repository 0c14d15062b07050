//! Election Safety (Raft, Figure 3, §5.2): at most one leader can be elected in a given term, ever.
//!
//! A node claims a term by its role, or by a message that only a leader sends.

use std::collections::BTreeMap;

use squall_raft::{NodeId, Term};

use crate::Violation;

/// Who led each term.
#[derive(Clone, Debug, Default)]
pub(super) struct ElectionSafety {
    leaders: BTreeMap<Term, NodeId>,
}

impl ElectionSafety {
    /// `node` leads `term`, or acts as though it did.
    pub(super) fn check_claim(&mut self, term: Term, node: NodeId) -> Result<(), Violation> {
        let leader = *self.leaders.entry(term).or_insert(node);
        if leader == node {
            return Ok(());
        }
        let message = format!("{node} leads term {term}, which {leader} was elected for");
        Err(Violation { class: "ElectionSafety", message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_leaders_of_one_term_are_one_too_many() {
        let mut oracle = ElectionSafety::default();
        assert_eq!(oracle.check_claim(Term(3), NodeId(1)), Ok(()));
        let violation = oracle.check_claim(Term(3), NodeId(2)).expect_err("term 3 is taken");
        assert_eq!(violation.message, "n2 leads term 3, which n1 was elected for");
    }

    #[test]
    fn leaders_of_different_terms_may_overlap() {
        let mut oracle = ElectionSafety::default();
        assert_eq!(oracle.check_claim(Term(3), NodeId(1)), Ok(()));
        assert_eq!(oracle.check_claim(Term(4), NodeId(2)), Ok(()));
        assert_eq!(oracle.check_claim(Term(3), NodeId(1)), Ok(()));
    }
}
