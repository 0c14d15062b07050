//! The steps of a run that has no time: one after the other, in words that are given a meaning elsewhere.
//!
//! A search over the states of a model writes down so how it came to one, as `s3 deliver n0>n1#1`. They are numbered
//! in order, so that a complaint can name one; numbers may be left out, as after a line was deleted.

use super::error::ScenarioError;
use super::line::{Line, Word};
use super::value;

/// One step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its number, which is higher than that of the one before it.
    pub id: u32,
    /// What happens; one word at least, and none with white space in it.
    pub words: Vec<String>,
}

/// The number of a step, if that is what a line begins with.
pub(super) fn number(text: &str) -> Option<Result<u32, super::error::Complaint>> {
    let digits = text.strip_prefix('s')?;
    digits.starts_with(|first: char| first.is_ascii_digit()).then(|| value::number(digits))
}

/// Reads the rest of a step's line.
pub(super) fn read(
    id: u32,
    first: Word<'_>,
    line: &mut Line<'_>,
    steps: &mut Vec<Step>,
) -> Result<(), ScenarioError> {
    if steps.last().is_some_and(|step| step.id >= id) {
        return Err(line.error_at(first, "a number above that of the step before"));
    }
    let mut words = vec![line.next("what happens, as `campaign n0`")?.text.to_owned()];
    while line.peek().is_some() {
        words.push(line.next("a word")?.text.to_owned());
    }
    steps.push(Step { id, words });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::scenario::{Misfit, Subject, parse};

    const STORY: &str =
        "squall-scenario 1\nexplore nodes=3\ns1 campaign n0\ns2 deliver n0>n1#1 crash=0\nexpect passed\n";

    #[test]
    fn steps_are_read_in_order_and_written_as_they_were() {
        let scenario = parse(STORY, "steps.scn").expect("a sound scenario");
        let words: Vec<String> = scenario.steps.iter().map(|step| step.words.join(" ")).collect();
        assert_eq!(words, ["campaign n0", "deliver n0>n1#1 crash=0"]);
        assert_eq!(scenario.to_string(), STORY);
    }

    #[test]
    fn a_wrong_step_is_told_with_its_place() {
        let complaint = |text: &str| parse(text, "steps.scn").expect_err("it is wrong").to_string();
        let twice = complaint(&STORY.replace("s2", "s1"));
        assert!(
            twice.contains("steps.scn:4:1") && twice.contains("above that of the step before"),
            "{twice}"
        );
        let empty = complaint(&STORY.replace(" campaign n0", ""));
        assert!(empty.contains("steps.scn:3:3") && empty.contains("as `campaign n0`"), "{empty}");
        let misfit = Misfit {
            subject: Subject::Step { id: 2, word: 1 },
            what: "no such link".to_owned(),
            expected: "two nodes".to_owned(),
        };
        let at = misfit.at(STORY, "steps.scn").to_string();
        assert!(at.contains("steps.scn:4:12") && at.contains("step s2"), "{at}");
    }
}
