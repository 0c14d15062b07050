//! Copies of the source tree: made so that only what differs is written, because the compiler goes by the age of files.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use xxhash_rust::xxh3::xxh3_128;

/// What a build of the program does not need, or must not see.
const LEFT_OUT: [&str; 4] = ["target", "fuzz", "docs", ".git"];

/// Makes `copy` equal to `original`, and touches no file that already is.
pub(super) fn mirror(original: &Path, copy: &Path) -> Result<(), String> {
    mirror_folder(original, copy).map_err(|error| format!("{} cannot be copied: {error}", original.display()))
}

fn mirror_folder(original: &Path, copy: &Path) -> io::Result<()> {
    fs::create_dir_all(copy)?;
    let names = names(original)?;
    for gone in self::names(copy)?.difference(&names) {
        remove(&copy.join(gone))?;
    }
    for name in &names {
        let (from, to) = (original.join(name), copy.join(name));
        if from.is_dir() {
            mirror_folder(&from, &to)?;
        } else {
            let wanted = fs::read(&from)?;
            if fs::read(&to).ok().as_ref() != Some(&wanted) {
                fs::write(&to, wanted)?;
            }
        }
    }
    Ok(())
}

/// Whether two trees hold the same files.
pub(super) fn same(left: &Path, right: &Path) -> Result<bool, String> {
    same_folder(left, right).map_err(|error| format!("{} cannot be read: {error}", right.display()))
}

fn same_folder(left: &Path, right: &Path) -> io::Result<bool> {
    let names = names(left)?;
    if names != self::names(right)? {
        return Ok(false);
    }
    for name in &names {
        let (left, right) = (left.join(name), right.join(name));
        let same = if left.is_dir() && right.is_dir() {
            same_folder(&left, &right)?
        } else {
            left.is_file() && right.is_file() && fs::read(&left)? == fs::read(&right)?
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What has no part in what the program does, or, as a patch, is looked at by itself.
const NO_SOURCES: [&str; 3] = ["md", "patch", "snap"];

/// A hash of the sources in a tree, and of their names.
pub(super) fn hash(tree: &Path) -> Result<u128, String> {
    hash_folder(tree).map_err(|error| format!("{} cannot be read: {error}", tree.display()))
}

fn hash_folder(folder: &Path) -> io::Result<u128> {
    let mut hashes = Vec::new();
    for name in names(folder)? {
        let path = folder.join(&name);
        if path.extension().is_some_and(|extension| NO_SOURCES.iter().any(|other| extension == *other)) {
            continue;
        }
        let hash = if path.is_dir() { hash_folder(&path)? } else { xxh3_128(&fs::read(&path)?) };
        hashes.extend(xxh3_128(name.as_encoded_bytes()).to_le_bytes());
        hashes.extend(hash.to_le_bytes());
    }
    Ok(xxh3_128(&hashes))
}

fn names(folder: &Path) -> io::Result<BTreeSet<OsString>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !LEFT_OUT.iter().any(|left_out| name == *left_out) {
            names.insert(name);
        }
    }
    Ok(names)
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Applies a patch to a tree. It must fit exactly: a bug planted in the wrong place proves nothing.
pub(super) fn apply(patch: &Path, tree: &Path) -> Result<(), String> {
    let mut git = Command::new("git");
    git.args(["apply", "--whitespace=nowarn"]).arg(patch).current_dir(tree);
    // The tree lies inside a checkout; were git to see that, it would look for the files there and skip them in silence.
    if let Some(above) = tree.parent() {
        git.env("GIT_CEILING_DIRECTORIES", above);
    }
    let output = git.output().map_err(|error| format!("git cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} does not apply to the sources: {}", patch.display(), said.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fresh folder for one test.
    fn scratch(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("squall-tree-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("original/src")).unwrap();
        fs::write(folder.join("original/src/lib.rs"), "one\ntwo\nthree\n").unwrap();
        fs::write(folder.join("original/Cargo.toml"), "[package]\n").unwrap();
        folder
    }

    const PATCH: &str = "# id: V1\n# title: words before the patch\ndiff --git a/src/lib.rs b/src/lib.rs\n--- a/src/lib.rs\n\
                         +++ b/src/lib.rs\n@@ -1,3 +1,3 @@\n one\n-two\n+zwei\n three\n";

    #[test]
    fn a_planted_bug_is_gone_after_the_next_mirroring_and_other_files_keep_their_age() {
        let folder = scratch("mirror");
        let (original, copy) = (folder.join("original"), folder.join("copy"));
        mirror(&original, &copy).unwrap();
        fs::write(folder.join("V1.patch"), PATCH).unwrap();
        let age = |path: &str| fs::metadata(copy.join(path)).unwrap().modified().unwrap();
        let untouched = age("Cargo.toml");

        apply(&folder.join("V1.patch"), &copy).unwrap();
        fs::write(copy.join("src/new.rs"), "made by a patch").unwrap();
        assert_eq!(fs::read_to_string(copy.join("src/lib.rs")).unwrap(), "one\nzwei\nthree\n");
        assert_eq!(same(&original, &copy), Ok(false));

        mirror(&original, &copy).unwrap();
        assert_eq!(same(&original, &copy), Ok(true));
        assert_eq!(age("Cargo.toml"), untouched);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_patch_that_no_longer_fits_is_refused_and_changes_nothing() {
        let folder = scratch("refuse");
        let original = folder.join("original");
        fs::write(original.join("src/lib.rs"), "one\n2\nthree\n").unwrap();
        fs::write(folder.join("V1.patch"), PATCH).unwrap();
        let error = apply(&folder.join("V1.patch"), &original).unwrap_err();
        assert!(error.contains("V1.patch does not apply"), "{error}");
        assert_eq!(fs::read_to_string(original.join("src/lib.rs")).unwrap(), "one\n2\nthree\n");
        fs::remove_dir_all(folder).unwrap();
    }
}
