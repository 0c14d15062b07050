//! The inputs that are kept: each is run again, as a test.

use std::fs;
use std::path::Path;

use crate::TARGETS;

/// So many inputs are kept of one target, and so many bytes of all of them.
const FILES_MAX: usize = 48;
const BYTES_MAX: usize = 200 << 10;

/// What libFuzzer calls a file that it adds.
const NAME_LENGTH: usize = 40;

#[test]
fn every_input_that_is_kept_still_holds() {
    let mut total = 0;
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let paths = files.map(|file| file.expect("the folder can be read").path());
        let is_kept = |path: &std::path::PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().len() != NAME_LENGTH)
        };
        let mut kept: Vec<_> = paths.filter(is_kept).collect();
        kept.sort();
        assert!(!kept.is_empty() && kept.len() <= FILES_MAX, "{name}: {} inputs", kept.len());
        for path in kept {
            let bytes = fs::read(&path).expect("a file that is listed can be read");
            total += bytes.len();
            println!("{}", path.display());
            target(&bytes);
        }
    }
    assert!(total <= BYTES_MAX, "{total} bytes are too many for a repository");
}

#[test]
fn every_target_has_a_program_and_a_place_in_the_table() {
    let programs = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets"));
    let programs = programs.expect("there are targets").map(|file| file.expect("it can be read").path());
    let mut names: Vec<String> =
        programs.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    assert_eq!(names, TARGETS.map(|(name, _)| name));
}
