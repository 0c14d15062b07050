//! Exactly once (thesis §6.3): no operation of a client takes effect twice, however often it is asked for.
//!
//! A book over the commands that state machines were really given, kept beside whatever table prevents it. Copies of one
//! operation bear one name.

use std::collections::BTreeMap;

use squall_raft::LogPosition;

use crate::Violation;

/// The operations that took effect, and with which entry.
#[derive(Clone, Debug, Default)]
pub(super) struct ExactlyOnce {
    given: BTreeMap<u128, LogPosition>,
}

impl ExactlyOnce {
    /// The entry at `position` was applied for the first time, and gave the state machine this operation, or none (0).
    pub(super) fn check_apply(&mut self, position: LogPosition, operation: u128) -> Result<(), Violation> {
        if operation == 0 {
            return Ok(());
        }
        let Some(first) = self.given.insert(operation, position) else { return Ok(()) };
        let message = format!("operation {operation:x} took effect with {first}, and again with {position}");
        Err(Violation { class: "ExactlyOnce", message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_that_takes_effect_with_two_entries_is_caught() {
        let mut oracle = ExactlyOnce::default();
        let mut check = |index, operation| oracle.check_apply(LogPosition::new(2, index), operation);
        assert_eq!(check(1, 0xa1), Ok(()));
        assert_eq!((check(2, 0), check(3, 0), check(4, 0xa2)), (Ok(()), Ok(()), Ok(())));
        let violation = check(5, 0xa1).expect_err("2@1 gave it");
        assert_eq!(violation.message, "operation a1 took effect with 2@1, and again with 2@5");
    }
}
