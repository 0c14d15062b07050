//! The classes of violations: what a report calls a failure, and what a scenario may expect.
//!
//! A class is a word that a checker gives its complaint. The rules of the specification are one list already;
//! the others stand here, and the tidy test holds this page to the checkers.

use crate::spec;

/// The classes that are no rules of the specification.
pub const BESIDE_THE_RULES: [&str; 27] = [
    // Of the simulator.
    "Codec",
    "Halted",
    "Liveness",
    "StartFailed",
    // Of the command line: a panic inside a run.
    "Panic",
    // Of the invariants.
    "AcknowledgedIsDurable",
    "CommittedDataIsKept",
    "CommittedOnQuorum",
    "ConfigurationSafety",
    "DataIsKept",
    "ElectionSafety",
    "ExactlyOnce",
    "LeaderAppendOnly",
    "LeaderCompleteness",
    "LogContinuity",
    "LogMatching",
    "OneVotePerTerm",
    "ProgressNeverFalls",
    "SnapshotSafety",
    "SnapshotsDiffer",
    "StaleRead",
    "StateMachineSafety",
    "TermIsDurable",
    // Of the disks and of the clients' history.
    "AnswerLost",
    "AppliedAndDenied",
    "Linearizability",
    "RecoveryKeepsPromises",
];

/// Every class.
pub fn all() -> impl Iterator<Item = &'static str> {
    BESIDE_THE_RULES.into_iter().chain(spec::rules())
}

/// The classes that were perhaps meant by a word that is none: those that resemble it, the nearest first.
#[must_use]
pub fn resembling(word: &str) -> Vec<&'static str> {
    const RESEMBLING_MAX: usize = 3;
    let mut by_distance: Vec<(usize, &str)> = all().map(|class| (distance(word, class), class)).collect();
    by_distance.sort_unstable();
    let resembles = |(distance, class): &(usize, &str)| *distance <= class.len() / 3;
    by_distance.into_iter().filter(resembles).take(RESEMBLING_MAX).map(|(_, class)| class).collect()
}

/// How many letters must be put in, left out or replaced to make one word of the other; case does not count.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (place, letter) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = place + 1;
        for (other_place, other) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(!letter.eq_ignore_ascii_case(&other));
            diagonal = row[other_place + 1];
            row[other_place + 1] = replaced.min(diagonal + 1).min(row[other_place] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_class_stands_twice() {
        assert_eq!(all().collect::<BTreeSet<_>>().len(), all().count());
    }

    #[test]
    fn a_misspelt_class_is_recognized_and_nonsense_is_not() {
        assert_eq!(resembling("ElectionSafty"), ["ElectionSafety"]);
        assert_eq!(resembling("logmatching"), ["LogMatching"]);
        assert_eq!(resembling("SecondVotes"), ["SecondVote"]);
        assert_eq!(resembling("Bogus"), [""; 0]);
    }

    #[test]
    fn the_page_of_oracles_lists_every_class_and_no_other() {
        let page = include_str!("../../docs/oracles.md");
        let listed: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
            .map(|(class, _)| class)
            .collect();
        assert_eq!(BTreeSet::from_iter(listed.iter().copied()), all().collect());
        assert_eq!(listed.len(), all().count(), "none twice");
    }

    #[test]
    fn a_distance_counts_letters() {
        for (left, right, count) in [("", "", 0), ("", "abc", 3), ("abc", "ABC", 0), ("kitten", "sitting", 3)]
        {
            assert_eq!((distance(left, right), distance(right, left)), (count, count), "{left} {right}");
        }
    }
}
