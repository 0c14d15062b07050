//! What became of each bug, kept beside the builds: a card takes hours, and may be made in several goes.
//!
//! A record counts as long as the sources, the patch and the budget are what they were.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::bug::Bug;
use super::card::Visit;
use super::tree;
use super::trial::Budget;

/// The records of bugs that were tried with these sources and this budget.
pub(super) struct Records {
    folder: PathBuf,
    /// The hash of the sources and the budget.
    of: String,
}

/// One of them, as a file.
#[derive(Serialize, Deserialize)]
struct Record {
    of: String,
    patch: String,
    visit: Visit,
}

impl Records {
    pub(super) fn open(folder: &Path, sources: &Path, budget: &Budget) -> Result<Records, String> {
        let complain = |error| format!("{} cannot be written: {error}", folder.display());
        fs::create_dir_all(folder).map_err(complain)?;
        let mut bytes = tree::hash(sources)?.to_le_bytes().to_vec();
        bytes.extend(format!("{budget:?}").into_bytes());
        Ok(Records { folder: folder.to_owned(), of: format!("{:032x}", xxh3_128(&bytes)) })
    }

    /// What became of a bug, if it was tried under the same conditions and need not be tried again.
    pub(super) fn read(&self, bug: &Bug) -> Option<Visit> {
        let text = fs::read_to_string(self.path(bug)).ok()?;
        let record: Record = serde_json::from_str(&text).ok()?;
        let is_same = record.of == self.of && record.patch == patch_of(bug)?;
        (is_same && record.visit.broken.is_none()).then_some(record.visit)
    }

    pub(super) fn write(&self, bug: &Bug, visit: &Visit) -> Result<(), String> {
        let path = self.path(bug);
        let patch = patch_of(bug).ok_or_else(|| format!("{} cannot be read", bug.patch.display()))?;
        let record = Record { of: self.of.clone(), patch, visit: visit.clone() };
        let text = serde_json::to_string(&record).expect("a record has text keys only, so it is JSON");
        fs::write(&path, text).map_err(|error| format!("{} cannot be written: {error}", path.display()))
    }

    fn path(&self, bug: &Bug) -> PathBuf {
        self.folder.join(format!("{}.json", bug.id))
    }
}

/// The hash of a bug's patch.
fn patch_of(bug: &Bug) -> Option<String> {
    Some(format!("{:032x}", xxh3_128(&fs::read(&bug.patch).ok()?)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::zoo::trial::Trial;

    #[test]
    fn a_record_counts_while_sources_patch_and_budget_are_what_they_were() {
        let folder = std::env::temp_dir().join(format!("squall-records-{}", std::process::id()));
        let sources = folder.join("sources");
        fs::create_dir_all(&sources).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        write("sources/lib.rs", "one");
        write("V1.patch", "a patch");
        let word = String::new;
        let bug = Bug {
            id: "V1".to_owned(),
            title: word(),
            source: word(),
            breaks: word(),
            kind: word(),
            profile: word(),
            scenario: None,
            patch: folder.join("V1.patch"),
        };
        let budget = Budget {
            seeds: 1,
            time: Duration::from_secs(1),
            jobs: 1,
            sweeps: 1,
            ablation_seeds: 0,
            shrink: None,
        };
        let open = |budget: &Budget| Records::open(&folder.join("records"), &sources, budget).unwrap();
        let visit = Visit::of(&bug, Trial { scenario: Some("LogMatching".to_owned()), ..Trial::default() });
        assert_eq!(open(&budget).read(&bug), None);
        open(&budget).write(&bug, &visit).unwrap();
        assert_eq!(open(&budget).read(&bug), Some(visit.clone()));

        write("sources/README.md", "says nothing of what the program does");
        assert_eq!(open(&budget).read(&bug), Some(visit));
        write("V1.patch", "another patch");
        assert_eq!(open(&budget).read(&bug), None);
        write("V1.patch", "a patch");
        write("sources/lib.rs", "two");
        assert_eq!(open(&budget).read(&bug), None);
        write("sources/lib.rs", "one");
        write("records/V1.json", "{");
        assert_eq!(open(&budget).read(&bug), None, "what cannot be read is tried again");
        open(&budget).write(&bug, &Visit::of(&bug, Trial::default())).unwrap();
        assert_eq!(open(&Budget { seeds: 2, ..budget }).read(&bug), None);
        fs::remove_dir_all(folder).unwrap();
    }
}
