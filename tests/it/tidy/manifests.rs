//! Rules on manifests: who may depend on whom, and what the core may depend on at all.

use toml::{Table, Value};

use super::File;

/// Which of our crates a crate may name in its manifest. One row per folder; see docs/architecture.md.
///
/// Dependencies of tests count too: a test that needs a forbidden crate belongs into `tests/`.
const EDGES: [(&str, &[&str]); 13] = [
    ("raft", &[]),
    ("wire", &["raft"]),
    ("disk", &[]),
    ("storage", &["raft", "disk"]),
    ("replica", &["raft"]),
    ("files", &["raft", "replica"]),
    ("sim", &["disk"]),
    ("scenarios", &["raft", "wire", "disk", "storage", "replica", "files", "sim"]),
    ("server", &["replica", "storage", "disk", "wire"]),
    ("cli", &["raft", "wire", "disk", "storage", "replica", "files", "sim", "scenarios"]),
    ("tests", &["raft", "wire", "disk", "storage", "replica", "files", "sim", "scenarios", "cli"]),
    // Measures and fuzzes whatever it likes, and nothing depends on it.
    ("bench", &["raft", "wire", "disk", "storage", "replica", "files", "sim", "scenarios"]),
    // Another Raft in the same storm, and nothing depends on it.
    ("stranger", &["raft", "storage", "replica", "files", "sim", "scenarios"]),
];

/// Every dependency that a manifest names, whatever its purpose or target.
fn dependencies(manifest: &Table) -> Vec<(&str, &Value)> {
    let mut found = Vec::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => {
                found.extend(table.iter().map(|(name, value)| (name.as_str(), value)));
            }
            "target" => {
                let targets = table.values().filter_map(Value::as_table);
                found.extend(targets.flat_map(dependencies));
            }
            _ => {}
        }
    }
    found
}

fn parse(text: &str) -> Table {
    text.parse().expect("cargo could read this manifest")
}

/// Complains about an edge between two of our crates that the architecture does not know.
pub(super) fn forbidden_edges(file: &File) -> Vec<String> {
    let manifest = parse(&file.text);
    if !manifest.contains_key("package") || file.folder() == "fuzz" {
        return Vec::new();
    }
    let Some((folder, allowed)) = EDGES.iter().find(|(folder, _)| *folder == file.folder()) else {
        return vec![file.complaint(1, "a crate that the table of allowed dependencies does not know")];
    };
    let ours = dependencies(&manifest).into_iter().filter_map(|(name, _)| match name {
        "squall" => Some("cli"),
        _ => name.strip_prefix("squall-"),
    });
    ours.filter(|name| !allowed.contains(name))
        .map(|name| file.complaint(1, &format!("`{folder}` may not depend on `{name}`")))
        .collect()
}

/// Complains about a crate that does not take over the lints of the workspace.
pub(super) fn own_lints(file: &File) -> Vec<String> {
    let manifest = parse(&file.text);
    if !manifest.contains_key("package") || file.folder() == "fuzz" {
        return Vec::new();
    }
    let workspace = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    if workspace == Some(&Value::Boolean(true)) {
        return Vec::new();
    }
    vec![file.complaint(1, "lacks `[lints] workspace = true`")]
}

/// Complains about each dependency of the core whose default features, which bring in the standard library, are on.
pub(super) fn needs_std(core: &str, workspace: &str) -> Vec<String> {
    let (core, workspace) = (parse(core), parse(workspace));
    let inherited = workspace.get("workspace").and_then(|table| table.get("dependencies"));
    let own = core.get("dependencies").and_then(Value::as_table);
    let mut complaints = Vec::new();
    for (name, value) in own.into_iter().flatten() {
        let from_workspace = value.get("workspace") == Some(&Value::Boolean(true));
        let source = if from_workspace { inherited.and_then(|table| table.get(name)) } else { Some(value) };
        let option = |key| source.and_then(|value| value.get(key));
        if option("default-features") != Some(&Value::Boolean(false)) {
            complaints.push(format!("raft: `{name}` lacks `default-features = false`"));
        }
        let features = [option("features"), value.get("features")].into_iter().flatten();
        if features.filter_map(Value::as_array).flatten().any(|feature| feature.as_str() == Some("std")) {
            complaints.push(format!("raft: `{name}` asks for its feature `std`"));
        }
    }
    complaints
}

#[test]
fn an_edge_from_the_core_to_the_simulator_is_refused() {
    let manifest = "[package]\nname = \"squall-raft\"\n[dependencies]\nsquall-sim.workspace = true\n";
    let complaints = forbidden_edges(&File::new("raft/Cargo.toml", manifest));
    assert_eq!(complaints, ["raft/Cargo.toml:1: `raft` may not depend on `sim`"]);
}

#[test]
fn an_edge_that_only_tests_or_one_target_need_is_refused_too() {
    let manifest =
        "[package]\n[dev-dependencies]\nsquall-replica = {}\n[target.x.dependencies]\nsquall = {}\n";
    let complaints = forbidden_edges(&File::new("storage/Cargo.toml", manifest));
    assert_eq!(complaints.len(), 2, "{complaints:?}");
}

#[test]
fn a_crate_without_a_row_in_the_table_is_refused() {
    assert_eq!(forbidden_edges(&File::new("utilities/Cargo.toml", "[package]\n")).len(), 1);
}

#[test]
fn a_crate_with_lints_of_its_own_is_refused() {
    assert_eq!(own_lints(&File::new("raft/Cargo.toml", "[package]\n")).len(), 1);
    assert_eq!(own_lints(&File::new("raft/Cargo.toml", "[package]\n[lints]\nworkspace = true\n")).len(), 0);
}

#[test]
fn a_dependency_that_brings_the_standard_library_into_the_core_is_refused() {
    let workspace =
        "[workspace.dependencies]\nbytes = \"1\"\nserde = { version = \"1\", default-features = false }\n";
    let core = "[dependencies]\nbytes.workspace = true\nserde = { workspace = true, features = [\"std\"] }\n";
    let complaints = needs_std(core, workspace);
    assert_eq!(complaints.len(), 2, "{complaints:?}");
}
