//! Reading a soak's state as if a stranger had written it: whatever is wrong is refused by its line, and nothing is guessed.
//!
//! A file may be cut off, edited, of another version, or another program's. A state that was read holds together: its numbers
//! can be added up without overflow, its seeds were run, its classes and marks are known.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use squall_scenarios::{classes, marks};

use super::state::{Done, Ledger, State, VERSION};
use crate::exit::Refusal;
use crate::output;

/// Ten thousand times as large as a state with a failure in every class.
const BYTES_MAX: u64 = 64 << 20;

/// No soak counts further, and two of them add up within 64 bits.
const COUNT_MAX: u64 = 1 << 62;

/// What to do about a file that is refused.
const REMEDY: &str =
    "a soak writes this file by itself: bring a whole copy back, or begin anew with another file";

/// The name of the field that tells of an edit wherever it was made.
const CHECKSUM: &[u8] = b"\"checksum\"";

/// The part of the file that every version has.
#[derive(Deserialize)]
struct Head {
    version: u64,
}

/// Reads a state.
pub(super) fn load(path: &Path) -> Result<State, Refusal> {
    let bytes = output::load(path, BYTES_MAX)?;
    let name = path.display();
    parse(&bytes).map_err(|what| Refusal::bad_input(format!("{name}:{what}; {REMEDY}")))
}

/// Reads a state from the bytes of its file. What is wrong comes behind its line and column, where it has them.
pub(super) fn parse(bytes: &[u8]) -> Result<State, String> {
    let Head { version } = serde_json::from_slice(bytes).map_err(|error| placed(&error))?;
    if version != VERSION {
        return Err(format!(" it is of version {version}; this program reads version {VERSION}"));
    }
    let state: State = serde_json::from_slice(bytes).map_err(|error| placed(&error))?;
    check(&state).map_err(|what| format!(" {what}"))?;
    let is_checksum = |line: &[u8]| line.windows(CHECKSUM.len()).any(|words| words == CHECKSUM);
    let place = bytes.split(|byte| *byte == b'\n').position(is_checksum).unwrap_or(0);
    state.unsealed().ok_or_else(|| {
        format!("{}: `checksum` is of another state: something in this file was edited or damaged", place + 1)
    })
}

fn placed(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let words = error.to_string();
    let words = words.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&words);
    format!("{line}:{column}: {words}")
}

/// What concerns more than one profile.
pub(super) fn check(state: &State) -> Result<(), String> {
    let program = env!("CARGO_PKG_VERSION");
    if state.program != program {
        return Err(format!("`program` is {}; this is {program}, whose seeds are other runs", state.program));
    }
    if state.profiles.is_empty() {
        return Err("`profiles` is empty; expected one at least".to_owned());
    }
    let names: BTreeSet<&str> = state.profiles.iter().map(|ledger| ledger.profile.as_str()).collect();
    if names.len() < state.profiles.len() {
        return Err("`profiles` names one twice".to_owned());
    }
    let shards = state.shards();
    for ledger in &state.profiles {
        let name = &ledger.profile;
        if !ledger.done.iter().map(|done| done.shard).eq(shards.iter().copied()) {
            return Err(format!(
                "profile `{name}` was run in other shards than `{}`",
                state.profiles[0].profile
            ));
        }
        let fastest = ledger.findings.iter().map(|finding| finding.fastest);
        let mut seeds = fastest.chain(ledger.doubts.iter().map(|doubt| doubt.seed));
        if let Some(seed) = seeds.find(|seed| !ledger.has_run(state.start, *seed)) {
            return Err(format!("profile `{name}`: seed {seed} is not among those that were run"));
        }
    }
    Ok(())
}

impl Ledger {
    /// What concerns one profile.
    fn check(&self) -> Result<(), String> {
        let name = &self.profile;
        let Some(Done { shard: first, .. }) = self.done.first() else {
            return Err(format!("profile `{name}`: `done` is empty; expected one shard at least"));
        };
        if self.done.iter().any(|done| done.shard.of != first.of) {
            return Err(format!("profile `{name}`: `done` has shards of several numbers; expected one"));
        }
        if !self.done.iter().is_sorted_by(|left, right| left.shard.index < right.shard.index) {
            return Err(format!("profile `{name}`: `done` has a shard twice, or not in order"));
        }
        if !self.findings.iter().is_sorted_by(|left, right| left.class < right.class) {
            return Err(format!("profile `{name}`: `findings` has a class twice, or not in order"));
        }
        if !self.doubts.iter().is_sorted_by(|left, right| left.kind < right.kind) {
            return Err(format!("profile `{name}`: `doubts` has a kind twice, or not in order"));
        }
        let counted = self.passed.saturating_add(self.failed()).saturating_add(self.inconclusive());
        if counted != self.seeds() {
            let seeds = self.seeds();
            return Err(format!(
                "profile `{name}`: {seeds} seeds are done, and {counted} have an end; expected as many"
            ));
        }
        let mut counts =
            self.findings.iter().map(|finding| finding.seeds).chain(self.marks.values().copied());
        if counts.any(|count| count == 0 || count > self.seeds()) {
            return Err(format!(
                "profile `{name}`: something is counted in no run, or in more than there were"
            ));
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Ledger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ledger, D::Error> {
        let ledger = Ledger::deserialize(deserializer)?;
        ledger.check().map_err(D::Error::custom)?;
        Ok(ledger)
    }
}

impl Serialize for Ledger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Ledger::serialize(self, serializer)
    }
}

/// Reads a number that can be added to others.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let count = u64::deserialize(deserializer)?;
    if count > COUNT_MAX {
        return Err(D::Error::custom(format!("{count} is more than any soak counts; expected 2^62 at most")));
    }
    Ok(count)
}

/// Reads the name of a class of violations.
pub(super) fn class<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let word = String::deserialize(deserializer)?;
    if classes::all().any(|class| class == word) {
        return Ok(word);
    }
    let resembling = classes::resembling(&word).join("`, `");
    let hint =
        if resembling.is_empty() { "one of those that oracles give" } else { &format!("`{resembling}`") };
    Err(D::Error::custom(format!("no violation is called `{word}`; expected {hint}")))
}

/// Reads in how many runs marks were reached.
pub(super) fn marks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, u64>, D::Error> {
    let counts = BTreeMap::<String, u64>::deserialize(deserializer)?;
    if let Some(unknown) = counts.keys().find(|name| marks::all().all(|known| known != *name)) {
        return Err(D::Error::custom(format!("no situation is called `{unknown}`")));
    }
    Ok(counts)
}
