//! The tidy test: rules about the shape of this repository that a machine can check.
//!
//! Each rule is a function from a file to complaints, and has beside it a test in which it fires on a bad example. This
//! page walks the tree and applies them. What clippy can see (lints in the root manifest, length of functions by
//! `too-many-lines-threshold`) is left to clippy.

mod manifests;
mod sources;
mod text;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use squall_scenarios::classes::BESIDE_THE_RULES;

/// A file of the repository, read once.
pub(crate) struct File {
    /// Relative to the root, with `/` between the parts.
    path: String,
    text: String,
}

impl File {
    fn new(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    /// The first part of the path: the crate's folder.
    fn folder(&self) -> &str {
        self.path.split('/').next().expect("a split has at least one part")
    }

    fn complaint(&self, line_number: usize, what: &str) -> String {
        format!("{}:{line_number}: {what}", self.path)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies inside the workspace").to_owned()
}

/// Every text file of the repository: what a reader would see, without what tools made.
fn repository() -> Vec<File> {
    const MADE_BY_TOOLS: [&str; 5] = ["target", ".git", "corpus", "artifacts", "Cargo.lock"];
    let root = root();
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository can be read") {
            let path = entry.expect("an entry of a folder can be read").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy();
            if MADE_BY_TOOLS.contains(&name.as_ref()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let inside = path.strip_prefix(&root).expect("the walk began at the root");
                let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
                files.push(File { path: parts.join("/"), text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() > 20, "the walk found only {} files below {}", files.len(), root.display());
    files
}

fn with_suffix(suffix: &str) -> Vec<File> {
    repository().into_iter().filter(|file| file.path.ends_with(suffix)).collect()
}

fn assert_no_complaints(files: &[File], rule: impl Fn(&File) -> Vec<String>) {
    let complaints: Vec<String> = files.iter().flat_map(rule).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_source_file_says_what_it_is() {
    assert_no_complaints(&with_suffix(".rs"), sources::begins_without_module_doc);
}

#[test]
fn no_source_file_is_too_long_to_hold_one_idea() {
    assert_no_complaints(&with_suffix(".rs"), sources::too_long);
}

#[test]
fn no_source_file_is_unfinished_or_silences_a_lint_without_reason() {
    assert_no_complaints(&with_suffix(".rs"), sources::banned_phrases);
}

#[test]
fn deterministic_crates_name_nothing_that_differs_from_run_to_run() {
    assert_no_complaints(&with_suffix(".rs"), sources::breaks_determinism);
}

#[test]
fn crates_depend_only_on_those_that_the_architecture_allows() {
    assert_no_complaints(&with_suffix("Cargo.toml"), manifests::forbidden_edges);
}

#[test]
fn every_crate_obeys_the_lints_of_the_workspace() {
    assert_no_complaints(&with_suffix("Cargo.toml"), manifests::own_lints);
}

#[test]
fn the_core_needs_no_standard_library_and_no_unsafe_code() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("the core and its manifest exist");
    let complaints = [
        manifests::needs_std(&read("raft/Cargo.toml"), &read("Cargo.toml")),
        sources::lacks_core_attributes(&File::new("raft/src/lib.rs", &read("raft/src/lib.rs"))),
    ]
    .concat();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn no_file_names_a_place_that_is_not_everybodys() {
    assert_no_complaints(&repository(), text::names_a_private_place);
}

#[test]
fn no_file_has_stray_white_space() {
    let written_by_hand = |file: &File| !file.path.ends_with(".snap") && !file.path.ends_with(".patch");
    let files: Vec<File> = repository().into_iter().filter(written_by_hand).collect();
    assert_no_complaints(&files, text::stray_white_space);
}

#[test]
fn every_class_that_a_checker_gives_is_listed_and_every_listed_one_is_given() {
    let files = with_suffix(".rs");
    assert_no_complaints(&files, |file| {
        let is_unlisted = |class: &String| !BESIDE_THE_RULES.contains(&class.as_str());
        let unlisted = sources::classes(file).into_iter().filter(|(_, class)| is_unlisted(class));
        let complain = |(number, class)| {
            file.complaint(number, &format!("the class `{class}` is not listed in scenarios/src/classes.rs"))
        };
        unlisted.map(complain).collect()
    });
    let given: BTreeSet<String> = files.iter().flat_map(sources::classes).map(|(_, class)| class).collect();
    assert_eq!(given, BESIDE_THE_RULES.map(str::to_owned).into());
}

#[test]
fn every_scenario_in_the_repository_can_be_read() {
    assert_no_complaints(&with_suffix(".scn"), |file| {
        squall_sim::scenario::parse(&file.text, &file.path)
            .err()
            .map(|error| error.to_string())
            .into_iter()
            .collect()
    });
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = root();
    assert_no_complaints(&with_suffix(".md"), |file| {
        text::dead_links(file, |target| root.join(target).exists())
    });
}
