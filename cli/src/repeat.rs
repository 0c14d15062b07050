//! Whether a seed's run repeats; and where it does not, the first event at which two runs of it part.
//!
//! A run keeps no trace, so that it costs nothing to keep none. Two runs that went different ways are therefore had twice
//! more, with traces. These may agree, for what leaks into a run need not leak each time: then that is what is told.

use squall_scenarios::log::Detail;
use squall_scenarios::run::{Outcome, RunOptions};
use squall_sim::trace;

use crate::panics;
use crate::summary::Row;

/// How a seed is run where nobody looks at it. A panic ends its world, and not what is known of it.
pub(crate) const OPTIONS: RunOptions = RunOptions {
    keep_trace: false,
    record: false,
    log: Detail::Nothing,
    events_max: None,
    catch: Some(panics::catch_run),
    keep_going: false,
    ignored: Vec::new(),
};

/// Runs a seed once. What panics before there is a world is caught, too.
pub(crate) fn row(seed: u64, run: &impl Fn(u64, &RunOptions) -> Outcome) -> Row {
    Row::new(seed, panics::catch(|| run(seed, &OPTIONS)))
}

/// Runs a seed once more, and tells how it went another way than at `first`, if it did.
pub(crate) fn parting(first: &Row, run: &impl Fn(u64, &RunOptions) -> Outcome) -> Option<String> {
    let again = row(first.seed, run);
    let repeats = again.hash == first.hash && again.judgement == first.judgement;
    (!repeats).then(|| first_difference([first, &again], run))
}

/// Where two more runs of the seed part, of which the first two did.
fn first_difference(before: [&Row; 2], run: &impl Fn(u64, &RunOptions) -> Outcome) -> String {
    let seed = before[0].seed;
    let options = RunOptions { keep_trace: true, ..OPTIONS };
    let runs = [(); 2].map(|()| panics::catch(|| run(seed, &options)));
    let traces = runs.each_ref().map(|run| run.as_ref().ok().and_then(|outcome| outcome.trace.as_ref()));
    if let [Some(left), Some(right)] = traces
        && let Some(divergence) = trace::diff(left, right)
    {
        return divergence.to_string().trim_end().to_owned();
    }
    let rows = runs.map(|run| Row::new(seed, run));
    if rows[0].judgement != rows[1].judgement {
        let [left, right] = rows.map(|row| format!("{:?}", row.judgement));
        return format!(
            "no event differs, but what is said of the run does\n  left:  {left}\n  right: {right}"
        );
    }
    let [left, right] = before.map(|row| format!("hash {:032x}, {} events", row.hash, row.events));
    format!(
        "this time two runs were the same (hash {:032x}, {} events), but the two before were not: repeat the command\n  \
         left:  {left}\n  right: {right}",
        rows[0].hash, rows[0].events
    )
}
