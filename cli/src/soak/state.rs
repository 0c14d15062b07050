//! What a soak remembers of all its runs: totals, and one seed for each class of failure.
//!
//! It never holds a row for each run, so that it stays small however long a soak goes on. Adding runs and adding states
//! forget the order: what is known after a million seeds does not depend on stops, chunks, threads or machines.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use squall_scenarios::marks;
use xxhash_rust::xxh3::xxh3_128;

use super::garbled;
use crate::args::Shard;
use crate::exit::Exit;
use crate::summary::{self, Judgement, Row};

/// The version of the file's format.
pub(super) const VERSION: u64 = 2;

/// Longer messages are cut: the seed tells the whole again.
const MESSAGE_CHARS_MAX: usize = 2_000;

/// More missing shards are counted, not named.
const MISSING_NAMED_MAX: usize = 20;

/// Everything that is known of a soak.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(super) version: u64,
    /// The version of the program.
    pub(super) program: String,
    /// The hash of the program's file: whose runs these are.
    pub(super) executable: Hash,
    /// The first seed of all shards.
    pub(super) start: u64,
    /// Invariant: one at least, of different names, with the same shards.
    pub(super) profiles: Vec<Ledger>,
    /// The hash of all else, where the state is written down. Invariant: zero in memory, where nobody edits it.
    pub(super) checksum: Hash,
}

/// What is known of the runs of one profile.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(super) struct Ledger {
    pub(super) profile: String,
    /// The hash of the profile, and of the run of the first seed, which is the same on all machines.
    pub(super) fingerprint: Hash,
    /// How far each shard is. Invariant: in order, none twice, all of one number.
    pub(super) done: Vec<Done>,
    #[serde(deserialize_with = "garbled::count")]
    pub(super) passed: u64,
    #[serde(deserialize_with = "garbled::count")]
    pub(super) events: u64,
    /// Client operations that were answered.
    #[serde(deserialize_with = "garbled::count")]
    pub(super) operations: u64,
    #[serde(deserialize_with = "garbled::count")]
    pub(super) virtual_us: u64,
    /// Summed over threads.
    #[serde(deserialize_with = "garbled::count")]
    pub(super) busy_us: u64,
    /// Combined over all runs, whatever their order.
    pub(super) hash: Hash,
    /// By class.
    pub(super) findings: Vec<Finding>,
    /// By kind.
    pub(super) doubts: Vec<Doubt>,
    /// In how many runs each was reached, of those that were.
    #[serde(deserialize_with = "garbled::marks")]
    pub(super) marks: BTreeMap<String, u64>,
}

/// So many seeds of a shard were run: its first ones.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Done {
    pub(super) shard: Shard,
    #[serde(deserialize_with = "garbled::count")]
    pub(super) seeds: u64,
}

/// A class of failure.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Finding {
    #[serde(deserialize_with = "garbled::class")]
    pub(super) class: String,
    /// How many seeds failed so.
    #[serde(deserialize_with = "garbled::count")]
    pub(super) seeds: u64,
    /// Of these the one that failed after the fewest events.
    pub(super) fastest: u64,
    #[serde(deserialize_with = "garbled::count")]
    pub(super) events: u64,
    pub(super) message: String,
    /// What was made of it, if anything.
    pub(super) shrunk: Option<Small>,
}

/// A finding that was shrunk.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Small {
    /// The scenario.
    pub(super) file: String,
    /// Faults and decided events that are left.
    #[serde(deserialize_with = "garbled::count")]
    pub(super) events: u64,
    /// Whether nothing simpler was left to try.
    pub(super) complete: bool,
}

/// Why the harness cannot vouch for a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Debug)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DoubtKind {
    Inconclusive,
    NotRepeatable,
}

/// Runs that nobody vouches for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Doubt {
    pub(super) kind: DoubtKind,
    #[serde(deserialize_with = "garbled::count")]
    pub(super) seeds: u64,
    /// The lowest of these.
    pub(super) seed: u64,
    /// What is wrong with that one.
    pub(super) reason: String,
}

/// 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Hash(pub(super) u128);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hash.to_string()
    }
}

impl TryFrom<String> for Hash {
    type Error = String;

    fn try_from(text: String) -> Result<Hash, String> {
        let is_hash = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let hash = u128::from_str_radix(&text, 16).ok().filter(|_| is_hash);
        hash.map(Hash).ok_or_else(|| format!("`{text}` is no hash; expected 32 hexadecimal digits"))
    }
}

impl State {
    /// A soak of which nothing was run yet. Each profile comes with its fingerprint.
    pub(super) fn new(
        start: u64,
        shard: Shard,
        executable: Hash,
        profiles: impl IntoIterator<Item = (String, Hash)>,
    ) -> State {
        let ledgers =
            profiles.into_iter().map(|(profile, fingerprint)| Ledger::new(profile, fingerprint, shard));
        State {
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            executable,
            start,
            profiles: ledgers.collect(),
            checksum: Hash(0),
        }
    }

    /// As it is written down: with its checksum. That is over what it says, not over how it is laid out.
    pub(super) fn sealed(&self) -> State {
        assert_eq!(self.checksum, Hash(0), "a state in memory has no checksum");
        let bytes = serde_json::to_vec(self).expect("a state has text keys only, so it is JSON");
        State { checksum: Hash(xxh3_128(&bytes)), ..self.clone() }
    }

    /// What was written down, if it is what the checksum is of.
    pub(super) fn unsealed(self) -> Option<State> {
        let state = State { checksum: Hash(0), ..self };
        (state.sealed().checksum == self.checksum).then_some(state)
    }

    /// The shards whose runs it holds.
    pub(super) fn shards(&self) -> Vec<Shard> {
        self.profiles[0].done.iter().map(|done| done.shard).collect()
    }

    /// Some of the shards whose runs it does not hold, and how many more there are.
    pub(super) fn missing_shards(&self) -> (Vec<Shard>, u64) {
        let here = self.shards();
        let of = here[0].of;
        let is_missing = |index: &u64| here.binary_search_by_key(index, |shard| shard.index).is_err();
        let missing = (0..of).filter(is_missing).take(MISSING_NAMED_MAX).map(|index| Shard { index, of });
        let missing: Vec<Shard> = missing.collect();
        let more = of - here.len() as u64 - missing.len() as u64;
        (missing, more)
    }

    pub(super) fn seeds(&self) -> u64 {
        total(self.profiles.iter().map(Ledger::seeds))
    }

    pub(super) fn failed(&self) -> u64 {
        total(self.profiles.iter().map(Ledger::failed))
    }

    /// In how many runs of all profiles each mark was reached.
    pub(super) fn marks(&self) -> Vec<(&'static str, u64)> {
        let runs =
            |name: &str| total(self.profiles.iter().filter_map(|ledger| ledger.marks.get(name).copied()));
        marks::all().map(|name| (name, runs(name))).collect()
    }

    /// What does not repeat can vouch for nothing. Else a violation weighs more than a run without a verdict.
    pub(super) fn exit(&self) -> Exit {
        let is_doubted =
            |kind| self.profiles.iter().any(|ledger| ledger.doubts.iter().any(|doubt| doubt.kind == kind));
        if is_doubted(DoubtKind::NotRepeatable) {
            Exit::Harness
        } else if self.failed() > 0 {
            Exit::Violated
        } else if is_doubted(DoubtKind::Inconclusive) {
            Exit::Harness
        } else {
            Exit::Held
        }
    }
}

impl Ledger {
    fn new(profile: String, fingerprint: Hash, shard: Shard) -> Ledger {
        Ledger {
            profile,
            fingerprint,
            done: vec![Done { shard, seeds: 0 }],
            passed: 0,
            events: 0,
            operations: 0,
            virtual_us: 0,
            busy_us: 0,
            hash: Hash(0),
            findings: Vec::new(),
            doubts: Vec::new(),
            marks: BTreeMap::new(),
        }
    }

    /// How many seeds were run.
    pub(super) fn seeds(&self) -> u64 {
        total(self.done.iter().map(|done| done.seeds))
    }

    pub(super) fn failed(&self) -> u64 {
        total(self.findings.iter().map(|finding| finding.seeds))
    }

    /// How many runs came to no verdict.
    pub(super) fn inconclusive(&self) -> u64 {
        let doubts = self.doubts.iter().filter(|doubt| doubt.kind == DoubtKind::Inconclusive);
        total(doubts.map(|doubt| doubt.seeds))
    }

    /// Takes the next runs of its only shard.
    pub(super) fn take(&mut self, rows: Vec<Row>) {
        self.hash.0 = self.hash.0.wrapping_add(summary::combined_hash(&rows));
        for row in rows {
            self.done[0].seeds += 1;
            self.events = self.events.saturating_add(row.events);
            self.operations = self.operations.saturating_add(row.operations);
            self.virtual_us = self.virtual_us.saturating_add(row.virtual_us);
            self.busy_us =
                self.busy_us.saturating_add(u64::try_from(row.busy.as_micros()).unwrap_or(u64::MAX));
            for (name, _) in marks::all().zip(&row.marks).filter(|(_, reached)| **reached) {
                *self.marks.entry(name.to_owned()).or_default() += 1;
            }
            self.judge(row);
        }
    }

    fn judge(&mut self, row: Row) {
        let Row { seed, events, .. } = row;
        if let Some(parting) = row.parting {
            self.doubt(Doubt { kind: DoubtKind::NotRepeatable, seeds: 1, seed, reason: brief(&parting) });
        }
        match row.judgement {
            Judgement::Passed => self.passed += 1,
            Judgement::Failed { class, message, also_fired: _ } => {
                let message = brief(&message);
                self.find(Finding { class, seeds: 1, fastest: seed, events, message, shrunk: None });
            }
            Judgement::Inconclusive(reason) => {
                let reason = brief(&reason);
                self.doubt(Doubt { kind: DoubtKind::Inconclusive, seeds: 1, seed, reason });
            }
        }
    }

    /// Adds a finding to those of its class: the seed that fails after the fewest events stays.
    pub(super) fn find(&mut self, finding: Finding) {
        match self.findings.binary_search_by(|known| known.class.cmp(&finding.class)) {
            Err(place) => self.findings.insert(place, finding),
            Ok(place) => {
                let known = &mut self.findings[place];
                let seeds = known.seeds.saturating_add(finding.seeds);
                if (finding.events, finding.fastest) < (known.events, known.fastest) {
                    *known = finding;
                }
                known.seeds = seeds;
            }
        }
    }

    /// Adds a doubt to those of its kind: the lowest seed stays.
    pub(super) fn doubt(&mut self, doubt: Doubt) {
        match self.doubts.binary_search_by_key(&doubt.kind, |known| known.kind) {
            Err(place) => self.doubts.insert(place, doubt),
            Ok(place) => {
                let known = &mut self.doubts[place];
                let seeds = known.seeds.saturating_add(doubt.seeds);
                if doubt.seed < known.seed {
                    *known = doubt;
                }
                known.seeds = seeds;
            }
        }
    }

    /// Whether this seed is one of those that were run.
    pub(super) fn has_run(&self, start: u64, seed: u64) -> bool {
        let Some(offset) = seed.checked_sub(start) else { return false };
        let covers =
            |Done { shard, seeds }: &Done| offset % shard.of == shard.index && offset / shard.of < *seeds;
        self.done.iter().any(covers)
    }
}

/// Adds up. A file may hold what is more than 64 bits together.
fn total(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

fn brief(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{} ...", &message[..end]),
        None => message.to_owned(),
    }
}
