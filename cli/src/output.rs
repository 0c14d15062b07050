//! Reports, words and files: what the command puts out.
//!
//! Of a report, a reader who went away is no error, a full disk is. Words on standard error are a courtesy: where they
//! cannot be written nothing changes, least of all a verdict.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::exit::Refusal;

/// Prints a report.
pub(crate) fn print(text: &str) -> Result<(), Refusal> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Refusal::harness(format!("standard output cannot be written: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints one object on one line.
pub(crate) fn print_json(object: &impl Serialize) -> Result<(), Refusal> {
    let mut text = serde_json::to_string(object).expect("our reports have text keys only, so they are JSON");
    text.push('\n');
    print(&text)
}

/// Standard error as a writer that never fails: what cannot be written is dropped.
pub(crate) struct Words;

impl Write for Words {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says one line on standard error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(Words, "{line}");
}

/// Writes a file that the user asked for.
pub(crate) fn save(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    fs::write(path, bytes)
        .map_err(|error| Refusal::harness(format!("{} cannot be written: {error}", path.display())))
}

/// Makes sure that a file can be written there later, after work that would be lost otherwise. What is there stays.
pub(crate) fn check_place(path: &Path) -> Result<(), Refusal> {
    let is_new = path.symlink_metadata().is_err();
    let opened = File::options().write(true).create_new(is_new).open(path);
    let tried = opened.and_then(|_| if is_new { fs::remove_file(path) } else { Ok(()) });
    tried.map_err(|error| Refusal::bad_input(format!("{} cannot be written: {error}", path.display())))
}

/// Puts a file in the place of another. Whatever ends the program on the way, the whole old file is there or the whole new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    let fresh = beside(path, ".new");
    let written = File::create(&fresh).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let replaced = written.and_then(|()| fs::rename(&fresh, path)).and_then(|()| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    });
    replaced.map_err(|error| Refusal::harness(format!("{} cannot be written: {error}", path.display())))
}

/// Keeps others away from a file, or from a folder, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    /// Invariant: locked. Closing it gives the lock back.
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // It goes while the lock is held. One that stays does no harm: what counts is whether somebody holds it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes sure that nobody else goes on with a file, or in a folder. If somebody does, `instead` is what can be done.
pub(crate) fn lock(path: &Path, instead: &str) -> Result<Lock, Refusal> {
    let name = path.display();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let folder = folder.display();
        return Err(Refusal::bad_input(format!("{name}: there is no folder {folder}; make it first")));
    }
    let lock = beside(path, ".lock");
    let broken = |error| Refusal::harness(format!("{name} cannot be locked: {}: {error}", lock.display()));
    let file = File::create(&lock).map_err(broken)?;
    let is_ours = match file.try_lock() {
        // Whoever had it may have taken the file away after it was opened here: then this is nobody's lock.
        Ok(()) => is_at(&file, &lock),
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(error)) => return Err(broken(error)),
    };
    if is_ours {
        return Ok(Lock { path: lock, _file: file });
    }
    Err(Refusal::harness(format!("{name} is in use by another process; {instead}")))
}

/// Whether an open file is the one that is found there.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    let (open, found) = (file.metadata().map(identity), fs::metadata(path).map(identity));
    matches!((open, found), (Ok(open), Ok(found)) if open == found)
}

/// A file in the same folder, of the same name and more.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Refuses files of one command that are the same file: writing one would destroy another. Each comes with its role.
pub(crate) fn keep_apart(files: &[(&str, Option<&Path>)]) -> Result<(), Refusal> {
    let mut known: Vec<(&str, PathBuf)> = Vec::new();
    for (role, path) in files {
        let Some(path) = path else { continue };
        let place = place(path);
        if let Some((other, _)) = known.iter().find(|(_, known)| *known == place) {
            let path = path.display();
            return Err(Refusal::bad_input(if other == role {
                format!("{path} is named twice as {role}; name each once")
            } else {
                format!("{other} and {role} are the same file, {path}; name two")
            }));
        }
        known.push((role, place));
    }
    Ok(())
}

/// Where a file is, or will be, however it is called; as it is called, where nobody knows.
fn place(path: &Path) -> PathBuf {
    let of_new_file = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Some(folder.unwrap_or(Path::new(".")).canonicalize().ok()?.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(of_new_file).unwrap_or_else(|| path.to_owned())
}

/// Reads a file that the user named, if it is not larger than what such a file can be.
pub(crate) fn load(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Refusal> {
    let refuse = |what: String| Refusal::bad_input(format!("{} {what}", path.display()));
    let size = fs::metadata(path).map_err(|error| refuse(format!("cannot be read: {error}")))?.len();
    if size > bytes_max {
        return Err(refuse(format!("has {size} bytes; at most {bytes_max} are read")));
    }
    fs::read(path).map_err(|error| refuse(format!("cannot be read: {error}")))
}
