//! `squall merge`: what several machines know of one soak, added up.
//!
//! Each machine had a shard of its own. The same runs are never counted twice: a shard that is in two states is refused.

use crate::args::MergeArguments;
use crate::exit::{Exit, Refusal};
use crate::output;

use super::state::{Ledger, State};
use super::{garbled, rendered, tell};

/// Runs the command.
pub(crate) fn command(arguments: &MergeArguments) -> Result<Exit, Refusal> {
    let mut files: Vec<_> = arguments.states.iter().map(|path| ("a state", Some(path.as_path()))).collect();
    files.push(("--output", arguments.output.as_deref()));
    output::keep_apart(&files)?;
    let mut whole: Option<State> = None;
    for path in &arguments.states {
        let state = garbled::load(path)?;
        let merged = match whole {
            None => Ok(state),
            Some(whole) => merge(whole, state),
        };
        whole = Some(merged.map_err(|what| Refusal::bad_input(format!("{}: {what}", path.display())))?);
    }
    let whole = whole.expect("clap asks for one state at least");
    if let Some(path) = &arguments.output {
        output::replace(path, &rendered(&whole))?;
    }
    let exit = tell(&whole, arguments.json)?;
    // What is missing may have found something.
    Ok(if exit == Exit::Held && !whole.missing_shards().0.is_empty() { Exit::Harness } else { exit })
}

/// Adds a state to what is known, if both are of one soak and no shard is in both.
pub(super) fn merge(mut whole: State, part: State) -> Result<State, String> {
    let (ours, theirs) = (whole.shards(), part.shards());
    if part.executable != whole.executable {
        return Err(format!(
            "its runs are another program's ({}, the others' {}), and do not add up with those; build once, and give every machine that file",
            part.executable, whole.executable
        ));
    }
    if part.start != whole.start {
        return Err(format!("it begins at seed {}, the others at {}: another soak", part.start, whole.start));
    }
    if let Some(other) = theirs.iter().find(|shard| shard.of != ours[0].of) {
        return Err(format!("it has shard {other}, the others {}: their seeds may be the same", ours[0]));
    }
    if let Some(twice) = theirs.iter().find(|shard| ours.contains(shard)) {
        return Err(format!("shard {twice} is in a state before it already: its seeds would count twice"));
    }
    let profiles = |state: &State| {
        let mut known: Vec<_> =
            state.profiles.iter().map(|ledger| (ledger.profile.clone(), ledger.fingerprint)).collect();
        known.sort_by(|(left, _), (right, _)| left.cmp(right));
        known
    };
    if profiles(&whole) != profiles(&part) {
        return Err(
            "its profiles, or the runs of their first seeds, are others: not of the same soak".to_owned()
        );
    }
    for ledger in part.profiles {
        let known = whole.profiles.iter_mut().find(|known| known.profile == ledger.profile);
        add(known.expect("both have the same profiles"), ledger);
    }
    // Whatever comes of it can be read again.
    garbled::parse(&rendered(&whole)).map_err(|what| format!("with it, the whole makes no sense:{what}"))
}

fn add(known: &mut Ledger, ledger: Ledger) {
    known.done.extend(ledger.done);
    known.done.sort_by_key(|done| done.shard.index);
    for (sum, more) in [
        (&mut known.passed, ledger.passed),
        (&mut known.events, ledger.events),
        (&mut known.operations, ledger.operations),
        (&mut known.virtual_us, ledger.virtual_us),
        (&mut known.busy_us, ledger.busy_us),
    ] {
        *sum = sum.saturating_add(more);
    }
    known.hash.0 = known.hash.0.wrapping_add(ledger.hash.0);
    ledger.findings.into_iter().for_each(|finding| known.find(finding));
    ledger.doubts.into_iter().for_each(|doubt| known.doubt(doubt));
    for (name, runs) in ledger.marks {
        let sum = known.marks.entry(name).or_default();
        *sum = sum.saturating_add(runs);
    }
}
