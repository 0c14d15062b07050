//! Finds the first record in which two traces differ.
//!
//! The rolling hash makes "the same up to here" a fact that holds at every checkpoint before the first
//! difference and at none after it, so that the checkpoints can be bisected; only one stretch of
//! [`CHECKPOINT_RECORDS`] records is then read.

use std::fmt;

use super::{CHECKPOINT_RECORDS, Record, Trace};

/// Where two traces part.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::large_enum_variant, reason = "a comparison makes one, and its reader wants the records")]
pub enum Divergence {
    /// The first record that differs; a side that had ended by then has none.
    At {
        /// The record's place, from 0.
        place: u64,
        /// What the first trace has there.
        left: Option<Side>,
        /// What the second trace has there.
        right: Option<Side>,
    },
    /// A trace does not hold its records, so that the checkpoints alone must tell: the first difference
    /// lies at one of these places.
    Between {
        /// The first place that may differ, from 0.
        first: u64,
        /// The last place that may differ.
        last: u64,
    },
}

/// One trace's view of the place where it parts from another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Side {
    /// The record that differs.
    pub record: Record,
    /// The first record of the step that caused it, where there is one.
    pub cause: Option<Record>,
}

/// The first difference of two traces; `None` where they record the same run.
#[must_use]
pub fn diff(left: &Trace, right: &Trace) -> Option<Divergence> {
    if left.count == right.count && left.hash == right.hash {
        return None;
    }
    let first = CHECKPOINT_RECORDS * common_checkpoints(&left.checkpoints, &right.checkpoints);
    if !(left.has_records() && right.has_records()) {
        let last = (first + CHECKPOINT_RECORDS - 1).min(left.count.max(right.count) - 1);
        return Some(Divergence::Between { first, last });
    }
    let (left_rest, right_rest) = (rest(&left.records, first), rest(&right.records, first));
    let equal = left_rest.iter().zip(right_rest).take_while(|(left, right)| left == right).count();
    let place = first + equal as u64;
    Some(Divergence::At { place, left: side(left, place), right: side(right, place) })
}

/// How many leading checkpoints are the same. Each hash covers all records before it, so sameness at one
/// means sameness at all before: a binary search finds the end.
fn common_checkpoints(left: &[u128], right: &[u128]) -> u64 {
    let (mut same, mut differ) = (0, left.len().min(right.len()));
    while same < differ {
        let middle = same.midpoint(differ);
        if left[middle] == right[middle] {
            same = middle + 1;
        } else {
            differ = middle;
        }
    }
    same as u64
}

fn rest(records: &[Record], first: u64) -> &[Record] {
    &records[index(first)..]
}

fn side(trace: &Trace, place: u64) -> Option<Side> {
    let record = *trace.records.get(index(place))?;
    let cause = if record.cause == 0 { None } else { trace.find(record.cause).copied() };
    Some(Side { record, cause })
}

fn index(place: u64) -> usize {
    usize::try_from(place).expect("a place among records in memory fits a usize")
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At { place, left, right } => {
                writeln!(f, "the first difference is record {place}")?;
                for (name, side) in [("left: ", left), ("right:", right)] {
                    match side {
                        Some(side) => writeln!(f, "  {name} {side}")?,
                        None => writeln!(f, "  {name} has ended")?,
                    }
                }
                Ok(())
            }
            Self::Between { first, last } => writeln!(
                f,
                "the first difference is one of the records {first} to {last}; record both runs in full to see it"
            ),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.record)?;
        match &self.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}
