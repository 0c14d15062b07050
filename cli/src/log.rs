//! `squall log`: what a data directory holds, and what recovery would do with it. It never writes: recovery is tried on an
//! overlay in memory.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use squall_disk::{Disk, DiskError, Overlay, RealDisk};
use squall_storage::{
    Options, Part, Piece, Recovered, Storage, StorageError, Tail, not_formatted, owner, survey,
};

use crate::args::LogArguments;
use crate::exit::{Exit, Refusal};
use crate::output;

/// So many faulty entries are named.
const NAMED_MAX: usize = 20;

/// Said of a directory that changes while it is looked at.
const IN_USE: &str = "the directory is in use by a running process: what that is writing may look damaged here, and what recovery would do cannot be told; stop it first, or look at a copy that was made while it was stopped";

/// Runs the command. The exit code says whether recovery finds all of it.
pub(crate) fn command(arguments: &LogArguments) -> Result<Exit, Refusal> {
    let name = arguments.directory.display();
    let refuse = |error: DiskError| Refusal::bad_input(format!("{name}: {error}"));
    let probe = RealDisk::read_only(&arguments.directory).map_err(refuse)?;
    let was_in_use = probe.is_in_use().map_err(refuse)?;
    let mut text = String::new();
    let looked = look(arguments, &mut text);
    // A process may have begun to use it in the meantime, or ended.
    if was_in_use || probe.is_in_use().map_err(refuse)? {
        output::print(&text)?;
        return Err(Refusal::harness(format!("{name}: {IN_USE}")));
    }
    let (exit, tried) = looked?;
    output::print(&(text + &tried))?;
    Ok(exit)
}

/// What stands in the directory, in `text`. Returns what recovery would make of it, and whether it finds all of it.
fn look(arguments: &LogArguments, text: &mut String) -> Result<(Exit, String), Refusal> {
    let refuse = |error: &dyn std::fmt::Display| {
        Refusal::bad_input(format!("{}: {error}", arguments.directory.display()))
    };
    let mut disk = RealDisk::read_only(&arguments.directory).map_err(|error| refuse(&error))?;
    let pieces = survey(&mut disk).map_err(|error| refuse(&error))?;
    if pieces.is_empty() {
        return Err(refuse(&without_files(&arguments.directory)));
    }
    for file in pieces.chunk_by(|a, b| a.file == b.file) {
        show_file(file, arguments.damage, text);
    }
    let mut tried = String::new();
    let owner = owner(&mut disk).map_err(|error| refuse(&error))?;
    let Some(identity) = owner else {
        let names = disk.list().map_err(|error| refuse(&error))?;
        let error = without_identity(&pieces, names);
        if let StorageError::NotFormatted { found: None, foreign: Some(_) } = error {
            return Err(refuse(&error));
        }
        recovery(&format!("would not start: {error}"), &mut tried);
        return Ok((Exit::Violated, tried));
    };
    writeln!(text, "these are the files of {identity}").expect("a string takes everything");
    let opened = Storage::open(&mut Overlay::new(disk), identity, &Options::default());
    Ok((show_recovery(opened, &mut tried), tried))
}

/// What is wrong with a directory in which no file stands.
fn without_files(directory: &Path) -> String {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    // A fresh file system brings it.
    names.retain(|name| name != "lost+found");
    if names.is_empty() {
        return "the directory is empty; expected the data directory of a node".to_owned();
    }
    names.sort_unstable();
    let more = if names.len() > NAMED_MAX { ", and more" } else { "" };
    names.truncate(NAMED_MAX);
    format!(
        "the directory holds no files, only directories: {}{more}; give one that is the data directory of a node",
        names.join(", ")
    )
}

/// Why a node would not start whose identity is not known.
fn without_identity(pieces: &[Piece], names: Vec<String>) -> StorageError {
    if pieces.iter().any(|piece| piece.part == Part::Identity) {
        let what = "neither copy can be read, so nobody can tell whose files these are";
        return StorageError::Damaged { file: "identity".to_owned(), offset: 0, position: None, what };
    }
    not_formatted(names)
}

/// What a piece is marked with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Sound,
    Damaged,
    /// Nothing was ever written there.
    Unwritten,
    /// It is none of the node's, or was never finished.
    Stray,
}

impl Mark {
    /// That of piece number `place` of a file.
    fn of(pieces: &[Piece], place: usize) -> Mark {
        let piece = &pieces[place];
        match piece.part {
            // What stands behind it was written later.
            Part::Rest if place + 1 == pieces.len() => Mark::Unwritten,
            // Of a file that a storage has by its name the headers stand before.
            Part::Foreign if place == 0 => Mark::Stray,
            Part::Identity
            | Part::HardState
            | Part::SegmentHeader
            | Part::Slot(_)
            | Part::Record(_)
            | Part::Rest
            | Part::SnapshotHeader
            | Part::SnapshotChunk { .. }
            | Part::Foreign => {
                if piece.is_readable {
                    Mark::Sound
                } else {
                    Mark::Damaged
                }
            }
        }
    }

    fn word(self) -> &'static str {
        match self {
            Mark::Sound => "ok",
            Mark::Damaged => "!!",
            Mark::Unwritten => "  ",
            Mark::Stray => "--",
        }
    }
}

fn show_file(pieces: &[Piece], only_damage: bool, text: &mut String) {
    let marked: Vec<(Mark, &Piece)> =
        pieces.iter().enumerate().map(|(place, piece)| (Mark::of(pieces, place), piece)).collect();
    let damaged = marked.iter().filter(|(mark, _)| *mark == Mark::Damaged).count();
    let Some(first) = pieces.first() else { return };
    if only_damage && damaged == 0 {
        return;
    }
    let count = pieces.len();
    let plural = if count == 1 { "" } else { "s" };
    writeln!(text, "{}: {count} piece{plural}, {damaged} cannot be read", first.file)
        .expect("a string takes everything");
    for (mark, piece) in marked.iter().filter(|(mark, _)| !only_damage || *mark == Mark::Damaged) {
        writeln!(text, "  {:>12} +{:<8} {} {}", piece.offset, piece.bytes, mark.word(), piece.part)
            .expect("a string takes everything");
    }
}

fn show_recovery(opened: Result<(Storage, Recovered), StorageError>, text: &mut String) -> Exit {
    let (storage, recovered) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            recovery(&format!("would not start: {error}"), text);
            return Exit::Violated;
        }
    };
    let hard = recovered.hard_state;
    let vote = hard.voted_for.map_or_else(|| "no vote".to_owned(), |node| format!("a vote for {node}"));
    let boot = recovered.boot;
    recovery(&format!("would start, as boot {boot}, in term {} with {vote}", hard.current_term), text);
    show_snapshots(&recovered, text);
    let (first, last) = (recovered.base.index.next(), recovered.last_index);
    if first > last {
        recovery(&format!("no entries after {}", recovered.base), text);
    } else {
        recovery(&format!("entries {first} to {last}"), text);
    }
    show_tail(storage.tail(), text);
    let uncertain = recovered.uncertain;
    let is_certain = recovered.has_certain_head();
    if !is_certain {
        let lost = format!(
            "entries of terms up to {uncertain} may have been lost at the log's end: votes on condition until it has one of a later term"
        );
        recovery(&lost, text);
    }
    let is_faulty = show_faulty(&recovered, text);
    let finds_all = recovered.lost_snapshot.is_none() && is_certain && !is_faulty;
    if finds_all { Exit::Held } else { Exit::Violated }
}

fn recovery(line: &str, text: &mut String) {
    writeln!(text, "recovery: {line}").expect("a string takes everything");
}

fn show_snapshots(recovered: &Recovered, text: &mut String) {
    match (recovered.lost_snapshot, recovered.snapshot) {
        (Some(lost), _) => recovery(
            &format!(
                "the snapshot of {} is damaged: what it lacks is drawn from the others; until then nothing is applied, and the node does not campaign",
                lost.last
            ),
            text,
        ),
        (None, Some(snapshot)) => {
            recovery(&format!("a snapshot of {} with {} bytes", snapshot.last, snapshot.bytes), text);
        }
        (None, None) => recovery("no snapshot", text),
    }
    if let Some((snapshot, bytes)) = recovered.receiving {
        let all = snapshot.bytes;
        recovery(
            &format!("the snapshot of {} is being received: {bytes} of {all} bytes are here", snapshot.last),
            text,
        );
    }
}

fn show_tail(tail: Tail, text: &mut String) {
    match tail {
        Tail::Whole => {}
        Tail::Torn { group } => {
            recovery(&format!("group {group} is torn, was never acknowledged, and is dropped"), text);
        }
        Tail::Uncertain { group } => recovery(
            &format!(
                "group {group} cannot be read, and is dropped: torn, or damaged after it was acknowledged"
            ),
            text,
        ),
        Tail::Doubtful { group, position } => recovery(
            &format!(
                "group {group} is the last one and lacks data from {position} on: torn, or damaged; its names are kept"
            ),
            text,
        ),
    }
}

/// Names the entries of which only the name is left. Returns whether there are any for which no snapshot stands.
fn show_faulty(recovered: &Recovered, text: &mut String) -> bool {
    let snapshot = recovered.lost_snapshot.or(recovered.snapshot);
    let covered = snapshot.map_or(recovered.base.index, |snapshot| snapshot.last.index);
    let lost: Vec<_> =
        recovered.faulty.iter().map(|faulty| faulty.index).filter(|index| *index > covered).collect();
    if lost.is_empty() {
        return false;
    }
    let named: Vec<String> = lost.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    let more = lost.len() - named.len();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    let entries =
        if lost.len() == 1 { "1 entry is".to_owned() } else { format!("{} entries are", lost.len()) };
    let named = named.join(" ");
    recovery(&format!("the data of {entries} lost here, and asked of the others: {named}{rest}"), text);
    true
}
