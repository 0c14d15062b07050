//! `squall log`: what a data directory holds, and what recovery would do with it. It never writes: recovery is tried on an
//! overlay in memory.

use std::fmt::Write;

use squall_disk::{Overlay, RealDisk};
use squall_storage::{Options, Part, Piece, Storage, StorageError, Tail, owner, survey};

use crate::args::LogArguments;
use crate::exit::{Exit, Refusal};
use crate::output;

/// So many faulty entries are named.
const NAMED_MAX: usize = 20;

/// Runs the command. The exit code says whether recovery finds all of it.
pub(crate) fn command(arguments: &LogArguments) -> Result<Exit, Refusal> {
    let refuse = |error: &dyn std::fmt::Display| {
        Refusal::bad_input(format!("{}: {error}", arguments.directory.display()))
    };
    let mut disk = RealDisk::read_only(&arguments.directory).map_err(|error| refuse(&error))?;
    let pieces = survey(&mut disk).map_err(|error| refuse(&error))?;
    if pieces.is_empty() {
        return Err(refuse(&"the directory is empty; expected the data directory of a node"));
    }
    let mut text = String::new();
    for file in pieces.chunk_by(|a, b| a.file == b.file) {
        show_file(file, arguments.damage, &mut text);
    }
    let owner = owner(&mut disk).map_err(|error| refuse(&error))?;
    let Some(identity) = owner else {
        text.push_str("recovery: would not start: the identity cannot be read, so nobody can tell whose files these are\n");
        output::print(&text)?;
        return Ok(Exit::Violated);
    };
    writeln!(text, "these are the files of {identity}").expect("a string takes everything");
    let mut tried = Overlay::new(disk);
    let exit = show_recovery(Storage::open(&mut tried, identity, &Options::default()), &mut text);
    output::print(&text)?;
    Ok(exit)
}

fn show_file(pieces: &[Piece], only_damage: bool, text: &mut String) {
    // What was never written reads as nothing, and is no damage.
    let is_damaged = |piece: &&Piece| !piece.is_readable && piece.part != Part::Rest;
    let damaged = pieces.iter().filter(is_damaged).count();
    let Some(first) = pieces.first() else { return };
    if only_damage && damaged == 0 {
        return;
    }
    writeln!(text, "{}: {} pieces, {damaged} cannot be read", first.file, pieces.len())
        .expect("a string takes everything");
    for piece in pieces.iter().filter(|piece| !only_damage || is_damaged(piece)) {
        let word = match (piece.part, piece.is_readable) {
            (Part::Rest, _) => "  ",
            (_, true) => "ok",
            (_, false) => "!!",
        };
        writeln!(text, "  {:>12} +{:<8} {word} {}", piece.offset, piece.bytes, piece.part)
            .expect("a string takes everything");
    }
}

fn show_recovery(
    opened: Result<(Storage, squall_storage::Recovered), StorageError>,
    text: &mut String,
) -> Exit {
    let mut line = |line: &str| writeln!(text, "recovery: {line}").expect("a string takes everything");
    let (storage, recovered) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            line(&format!("would not start: {error}"));
            return Exit::Violated;
        }
    };
    let hard = recovered.hard_state;
    let vote = hard.voted_for.map_or_else(|| "no vote".to_owned(), |node| format!("a vote for {node}"));
    line(&format!("would start, as boot {}, in term {} with {vote}", recovered.boot, hard.current_term));
    match recovered.snapshot {
        Some(snapshot) => line(&format!("a snapshot of {} with {} bytes", snapshot.last, snapshot.bytes)),
        None => line("no snapshot"),
    }
    line(&format!("entries {} to {}", recovered.base.index.next(), recovered.last_index));
    match storage.tail() {
        Tail::Whole => {}
        Tail::Torn { group } => {
            line(&format!("group {group} is torn, was never acknowledged, and is dropped"));
        }
        Tail::Uncertain { group } => line(&format!(
            "group {group} cannot be read, and is dropped: torn, or damaged after it was acknowledged"
        )),
        Tail::Doubtful { group, position } => line(&format!(
            "group {group} is the last one and lacks data from {position} on: torn, or damaged; its names are kept"
        )),
    }
    if recovered.uncertain.0 > 0 {
        line(&format!(
            "entries of terms up to {} may have been lost at the log's end: votes on condition until it has one of a later term",
            recovered.uncertain
        ));
    }
    if recovered.faulty.is_empty() {
        return Exit::Held;
    }
    let named: Vec<String> =
        recovered.faulty.iter().take(NAMED_MAX).map(|faulty| faulty.index.to_string()).collect();
    let more = recovered.faulty.len() - named.len();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    line(&format!(
        "the data of {} entries is lost here, and asked of the others: {}{rest}",
        recovered.faulty.len(),
        named.join(" ")
    ));
    Exit::Violated
}
