//! Rules on Rust sources, line by line: what each file must begin with, and which words it may not hold.

use super::File;

/// A file beyond this holds more than one idea.
const LINES_MAX: usize = 700;

/// Crates whose every run must be the same for the same inputs.
const DETERMINISTIC: [&str; 7] = ["raft", "wire", "storage", "replica", "files", "sim", "scenarios"];

/// Names that have no place in a deterministic crate, and what stands in for them.
const DIFFERS_FROM_RUN_TO_RUN: [(&str, &str); 9] = [
    ("HashMap", "iteration order is random; use BTreeMap or a sorted Vec"),
    ("HashSet", "iteration order is random; use BTreeSet or a sorted Vec"),
    ("Instant", "time enters as an input"),
    ("SystemTime", "time enters as an input"),
    ("RandomState", "differs from run to run"),
    ("thread", "no threads"),
    ("f32", "no floats; use exact ratios"),
    ("f64", "no floats; use exact ratios"),
    ("process", "no process of the operating system"),
];

/// The numbered lines without their comments. A `//` inside a string cuts the line short, which only makes a rule milder.
fn code_lines(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.text.lines().enumerate().map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()))
}

/// The file up to its inline module of tests, which may compare with floats.
fn without_tests(file: &File) -> File {
    let text = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    File::new(&file.path, text)
}

/// Whether `name` stands in `line` as a whole word.
fn has_word(line: &str, name: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// Complains about a file that does not begin by saying what it is.
pub(super) fn begins_without_module_doc(file: &File) -> Vec<String> {
    if file.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![file.complaint(1, "does not begin with `//!`")]
}

/// Complains about a file of more than [`LINES_MAX`] lines.
pub(super) fn too_long(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines <= LINES_MAX {
        return Vec::new();
    }
    vec![file.complaint(lines, &format!("more than {LINES_MAX} lines; one file, one idea"))]
}

/// Complains about work left undone, tests left out, and lints silenced without a reason.
pub(super) fn banned_phrases(file: &File) -> Vec<String> {
    // In two halves, so that this file does not hold them itself.
    let banned = [
        (concat!("TO", "DO"), "finish it, or leave it out"),
        (concat!("FIX", "ME"), "fix it"),
        (concat!("XX", "X:"), "say what is meant"),
        (concat!("to", "do!("), "finish it"),
        (concat!("unimple", "mented!("), "finish it"),
        (concat!("#[ig", "nore"), "a test runs, or it is not there"),
        (concat!("#[al", "low("), "use `#[expect(lint, reason = ..)]`"),
        (concat!("#![al", "low("), "use `#![expect(lint, reason = ..)]`"),
    ];
    let mut complaints = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for (phrase, instead) in banned.iter().filter(|(phrase, _)| line.contains(phrase)) {
            complaints.push(file.complaint(at + 1, &format!("`{phrase}`: {instead}")));
        }
    }
    complaints
}

/// Complains about a name in a deterministic crate that would let two runs of one seed differ.
///
/// Clippy refuses most of these by type; this rule sees also what is compiled for other targets or features.
pub(super) fn breaks_determinism(file: &File) -> Vec<String> {
    // Tests may look at the world, and examples measure.
    let ships = file.path.contains("/src/") && !file.path.contains("/tests");
    if !DETERMINISTIC.contains(&file.folder()) || !ships {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for (number, line) in code_lines(&without_tests(file)) {
        for (name, instead) in DIFFERS_FROM_RUN_TO_RUN {
            let named = match name {
                // Common words, guilty only as modules of the standard library.
                "thread" | "process" => line.contains(&format!("std::{name}")),
                _ => has_word(line, name),
            };
            if named {
                complaints.push(file.complaint(number, &format!("`{name}`: {instead}")));
            }
        }
    }
    complaints
}

/// The classes of violations that a file of a checker states, with their lines.
pub(super) fn classes(file: &File) -> Vec<(usize, String)> {
    let is_test = file.path.contains("/tests") || file.path.contains("/examples");
    if is_test || !["sim", "scenarios", "cli"].contains(&file.folder()) {
        return Vec::new();
    }
    let file = without_tests(file);
    let stated = |(number, line): (usize, &str)| {
        let rest = ["class: \"", "const CLASS: &str = \""].iter().find_map(|start| line.split(start).nth(1));
        rest.and_then(|rest| rest.split('"').next()).map(|class| (number, class.to_owned()))
    };
    code_lines(&file).filter_map(stated).collect()
}

/// Complains about a core that the compiler would let use the standard library or unsafe code.
pub(super) fn lacks_core_attributes(file: &File) -> Vec<String> {
    ["#![no_std]", "#![forbid(unsafe_code)]"]
        .into_iter()
        .filter(|attribute| !file.text.lines().any(|line| line == *attribute))
        .map(|attribute| file.complaint(1, &format!("lacks `{attribute}`")))
        .collect()
}

#[test]
fn a_file_that_begins_with_code_is_refused() {
    assert_eq!(begins_without_module_doc(&File::new("a.rs", "use std::fmt;\n")).len(), 1);
}

#[test]
fn a_file_of_one_line_too_many_is_refused() {
    assert_eq!(too_long(&File::new("a.rs", &"\n".repeat(LINES_MAX))).len(), 0);
    assert_eq!(too_long(&File::new("a.rs", &"\n".repeat(LINES_MAX + 1))).len(), 1);
}

#[test]
fn a_note_to_self_and_a_silenced_lint_are_refused() {
    let text = concat!("fn f() {} // TO", "DO later\n#[al", "low(dead_code)]\n#[ig", "nore]\n");
    let complaints = banned_phrases(&File::new("a.rs", text));
    assert_eq!(complaints.len(), 3, "{complaints:?}");
    assert!(complaints[1].starts_with("a.rs:2:"), "{complaints:?}");
}

#[test]
fn a_hash_map_is_refused_where_runs_must_repeat_and_nowhere_else() {
    let text = "use std::collections::HashMap;\n";
    assert_eq!(breaks_determinism(&File::new("sim/src/world.rs", text)).len(), 1);
    assert_eq!(breaks_determinism(&File::new("bench/src/lib.rs", text)).len(), 0);
}

#[test]
fn a_float_is_refused_before_the_tests_of_a_file_and_not_within() {
    let text =
        "#[cfg(test)]\nmod tests;\ntype Delay = f64;\n#[cfg(test)]\nmod tests {\ntype Mean = f64;\n}\n";
    let complaints = breaks_determinism(&File::new("sim/src/world.rs", text));
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].starts_with("sim/src/world.rs:3:"), "{complaints:?}");
}

#[test]
fn a_word_that_only_resembles_a_banned_name_is_no_offence() {
    let text = "let process = InstantReplay::new(); // unlike a HashMap\n";
    assert_eq!(breaks_determinism(&File::new("sim/src/world.rs", text)).len(), 0);
    assert_eq!(breaks_determinism(&File::new("sim/src/world.rs", "use std::thread;\n")).len(), 1);
    assert_eq!(breaks_determinism(&File::new("sim/src/world.rs", "let chance: f64 = 0.5;\n")).len(), 1);
}

#[test]
fn a_class_is_found_in_a_checker_and_not_in_its_tests() {
    let text = "const CLASS: &str = \"One\";\nErr(Violation { class: \"Two\", message })\nclass: CLASS,\n#[cfg(test)]\nmod tests {\nclass: \"Three\"";
    let found = |path| classes(&File::new(path, text));
    assert_eq!(found("sim/src/world.rs"), [(1, "One".to_owned()), (2, "Two".to_owned())]);
    assert_eq!((found("sim/src/world/tests.rs"), found("docs/world.rs")), (Vec::new(), Vec::new()));
}

#[test]
fn a_core_without_its_promises_is_refused() {
    let text = "//! The core.\n#![no_std]\n";
    assert_eq!(lacks_core_attributes(&File::new("raft/src/lib.rs", text)).len(), 1);
}
