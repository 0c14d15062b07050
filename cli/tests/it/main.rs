//! The `squall` program as its users meet it: exit codes, what is printed where, files that come back.

mod branch;
mod command;
mod deploy;
mod explore;
mod log;
mod shrink;
mod soak;

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use serde_json::Value;

/// Held while a program is started, and while a data directory is open in this process: for a moment a new process holds the locks
/// of the one that started it.
static ALONE: Mutex<()> = Mutex::new(());

pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a program to its end. What it prints is kept, unless it was sent elsewhere.
pub(crate) fn finish(command: &mut Command) -> Output {
    let started = {
        let _alone = alone();
        command.stdin(Stdio::null()).spawn()
    };
    started.and_then(Child::wait_with_output).expect("the program was built")
}

pub(crate) fn squall(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.args(arguments).current_dir(env!("CARGO_TARGET_TMPDIR"));
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// Runs a command that must end with this exit code, and returns its standard output.
pub(crate) fn succeed(code: i32, arguments: &[&str]) -> String {
    let output = squall(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("reports are text")
}

/// Runs a command that must be refused, and returns what it says.
pub(crate) fn refused(arguments: &[&str]) -> String {
    let output = squall(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}: a refusal prints nothing on standard output");
    String::from_utf8(output.stderr).expect("refusals are text")
}

/// Runs a command of whose words on standard error none can be written, and returns its exit code and standard output.
pub(crate) fn unheard(stderr: impl Into<Stdio>, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squall"));
    command.args(arguments).current_dir(env!("CARGO_TARGET_TMPDIR")).stdout(Stdio::piped()).stderr(stderr);
    let output = finish(&mut command);
    (output.status.code(), String::from_utf8(output.stdout).expect("reports are text"))
}

/// A pipe whose reader has gone away.
pub(crate) fn closed_pipe() -> io::PipeWriter {
    let (_, writer) = io::pipe().expect("there are pipes to be had");
    writer
}

pub(crate) fn json(arguments: &[&str]) -> Value {
    let text = succeed(0, arguments);
    assert_eq!(text.lines().count(), 1, "one object and nothing else: {text}");
    serde_json::from_str(&text).expect("--json prints JSON")
}

pub(crate) fn file(name: &str, content: &[u8]) -> String {
    let path = path(name);
    fs::write(&path, content).expect("the folder for temporary files can be written");
    path
}

pub(crate) fn path(name: &str) -> String {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name).display().to_string()
}

/// An empty folder of this name.
pub(crate) fn folder(name: &str) -> String {
    let folder = path(name);
    if fs::exists(&folder).expect("the folder for temporary files can be read") {
        fs::remove_dir_all(&folder).expect("what an earlier test left can go");
    }
    fs::create_dir_all(&folder).expect("the folder for temporary files can be written");
    folder
}
