//! Every random decision of a run, behind one interface with three drivers: a seed, a fuzzer's bytes, a script.
//!
//! A draw is keyed by its purpose and the identity of the event that it decides, never by its place in a
//! sequence: when one event is taken out of a run, all other decisions stay as they were. That is what makes
//! a failing run shrink. With a seed, the key names a block of a ChaCha8 stream; with a script, a line of a
//! scenario file. Integers only: no float has a part in any decision.
//!
//! A part of the world that draws by itself (a disk) holds a [`Choice::fork`].

mod draw;
mod exponential;
mod script;
#[cfg(test)]
mod tests;

use core::fmt;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

pub use draw::Draw;
use script::Script;
pub use script::Unheeded;

/// An exact probability, or a rate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ratio {
    /// The upper number.
    pub num: u32,
    /// The lower number; never zero.
    pub den: u32,
}

impl Ratio {
    /// Never.
    pub const ZERO: Ratio = Ratio { num: 0, den: 1 };
    /// Always, or at the same rate.
    pub const ONE: Ratio = Ratio { num: 1, den: 1 };

    /// The ratio `num / den`.
    ///
    /// # Panics
    /// When `den` is zero.
    #[must_use]
    pub const fn new(num: u32, den: u32) -> Ratio {
        assert!(den != 0, "the lower number of a ratio is never zero");
        Ratio { num, den }
    }

    /// Whether a clock can run at this rate: at 1/1000 to 1000 times the right one.
    #[must_use]
    pub fn is_clock_rate(self) -> bool {
        let (num, den) = (u64::from(self.num), u64::from(self.den));
        num > 0 && den > 0 && num <= den * 1_000 && den <= num * 1_000
    }

    /// Whether this is a probability: from 0/1 to 1/1.
    #[must_use]
    pub fn is_probability(self) -> bool {
        self.den > 0 && self.num <= self.den
    }
}

/// Prints as in `3/100`.
impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.num, self.den)
    }
}

/// What a draw is for. The two words of the identity mean what is said at each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Purpose {
    /// A message on its way; `a` is `Link::word`, `b` the number of the message on that link.
    Network = 0,
    /// A client's next operation; `a` is the client, `b` the operation's number.
    Client = 1,
    /// The way of a request or an answer; `a` is the client, `b` the number of the hop (even: request).
    ClientLink = 2,
    /// A disk operation; `a` is the process, `b` the number of the operation.
    Disk = 3,
    /// What a crash leaves on a disk; `a` is process and crash number, `b` the place (file, page).
    Crash = 4,
    /// One line of the fault plan; `a` is the fault class, `b` its number within the class.
    Plan = 5,
    /// A parameter of the run; `a` is the section, `b` the parameter.
    Parameter = 6,
    /// The core of the liveness phase; `a` and `b` are zero.
    Core = 7,
    /// The user's own; `a` and `b` are the user's.
    User = 8,
    /// The bytes of a message on the wire; as `Network`.
    Wire = 9,
    /// Where and how a disk rots; `a` is the process, `b` the fault.
    Rot = 10,
    /// What a failed operation leaves on a disk; as `Disk`, failures counted by themselves.
    DiskError = 11,
}

impl Purpose {
    /// All purposes, by number.
    pub const ALL: [Purpose; 12] = [
        Purpose::Network,
        Purpose::Client,
        Purpose::ClientLink,
        Purpose::Disk,
        Purpose::Crash,
        Purpose::Plan,
        Purpose::Parameter,
        Purpose::Core,
        Purpose::User,
        Purpose::Wire,
        Purpose::Rot,
        Purpose::DiskError,
    ];

    /// The purpose's word, as scenario files spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Purpose::Network => "net",
            Purpose::Client => "client",
            Purpose::ClientLink => "client-link",
            Purpose::Disk => "disk",
            Purpose::Crash => "crash",
            Purpose::Plan => "plan",
            Purpose::Parameter => "parameter",
            Purpose::Core => "core",
            Purpose::User => "user",
            Purpose::Wire => "wire",
            Purpose::Rot => "rot",
            Purpose::DiskError => "disk-error",
        }
    }
}

/// The identity of the event that a draw decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DrawKey {
    /// What the draw is for.
    pub purpose: Purpose,
    /// The identity's first word.
    pub a: u64,
    /// The identity's second word.
    pub b: u64,
}

/// One decision that differs from its default: what a recording holds and a script is made of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Decision {
    /// Which event it decides.
    pub key: DrawKey,
    /// Which of the event's fields.
    pub field: Cow<'static, str>,
    /// The value: a number, 0 or 1, or the index of what was picked.
    pub value: u64,
}

/// How few events are decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sparsity {
    /// One operation of a client in so many; at least one.
    pub clients: u64,
    /// One event of any other sort in so many; at least one.
    pub others: u64,
}

impl Sparsity {
    /// One event in so many for this purpose.
    pub(crate) fn of(self, purpose: Purpose) -> u64 {
        let one_in = if purpose == Purpose::Client { self.clients } else { self.others };
        one_in.max(1)
    }
}

/// The source of all decisions of a run.
#[derive(Clone, Debug)]
pub struct Choice {
    driver: Driver,
    recording: Option<Vec<Decision>>,
}

/// The fields of one event, in the order in which they were decided.
type Fields = Vec<(Cow<'static, str>, u64)>;

#[derive(Clone, Debug)]
enum Driver {
    /// The key of the stream.
    Seed([u32; 8]),
    /// The same, but few events are decided; all decisions on the others are the default.
    Sparse([u32; 8], Sparsity),
    /// Bytes consumed from the front; when they are used up, every decision is the default.
    Bytes { data: Arc<[u8]>, next: usize, end: usize },
    /// What is not there is the default.
    Script(Script),
}

impl Choice {
    /// Decisions that follow from a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Choice {
        Choice { driver: Driver::Seed(Self::key(seed)), recording: None }
    }

    /// Decisions on few events, which follow from a seed; on all others the default.
    #[must_use]
    pub fn from_seed_sparsely(seed: u64, sparsity: Sparsity) -> Choice {
        Choice { driver: Driver::Sparse(Self::key(seed), sparsity), recording: None }
    }

    fn key(seed: u64) -> [u32; 8] {
        // The rest of the key is a constant text; the last word is left to the purpose and the block number.
        let word = |text: &[u8; 4]| u32::from_le_bytes(*text);
        [seed as u32, (seed >> 32) as u32, word(b"squa"), word(b"ll c"), word(b"hoic"), word(b"e v1"), 0, 0]
    }

    /// Whether decisions follow from a seed, and so never run out.
    pub(crate) fn is_seeded(&self) -> bool {
        matches!(self.driver, Driver::Seed(_))
    }

    /// Decisions read from a fuzzer's bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Choice {
        Choice { driver: Driver::Bytes { data: bytes.into(), next: 0, end: bytes.len() }, recording: None }
    }

    /// Decisions stated one by one; every other decision is its default. Of two decisions on the same field
    /// the later one counts.
    #[must_use]
    pub fn from_script(decisions: impl IntoIterator<Item = Decision>) -> Choice {
        let mut script: BTreeMap<DrawKey, Fields> = BTreeMap::new();
        for Decision { key, field, value } in decisions {
            let fields = script.entry(key).or_default();
            fields.retain(|(known, _)| *known != field);
            fields.push((field, value));
        }
        Choice { driver: Driver::Script(Script::of(script)), recording: None }
    }

    /// The same source, keeping every decision that differs from its default.
    #[must_use]
    pub fn recording(mut self) -> Choice {
        self.recording = Some(Vec::new());
        self
    }

    /// From now on decisions follow from another seed. What was recorded stays.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.driver = Driver::Seed(Self::key(seed));
    }

    /// Whether decisions are kept.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Takes what was recorded since the last call, in the order of the decisions; nothing where nothing is
    /// recorded.
    pub fn take_recording(&mut self) -> Vec<Decision> {
        self.recording.as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// A source for a part that draws by itself: the same seed or script, or an eighth of the bytes that are
    /// left. It records if this one does; the owner collects that with `take_recording`.
    #[must_use]
    pub fn fork(&mut self) -> Choice {
        let driver = match &mut self.driver {
            Driver::Seed(key) => Driver::Seed(*key),
            Driver::Sparse(key, sparsity) => Driver::Sparse(*key, *sparsity),
            Driver::Bytes { data, next, end } => {
                let share = (*end - *next) / 8;
                *end -= share;
                Driver::Bytes { data: Arc::clone(data), next: *end, end: *end + share }
            }
            Driver::Script(script) => Driver::Script(script.fork()),
        };
        Choice { driver, recording: self.recording.as_ref().map(|_| Vec::new()) }
    }

    /// What the scripts among these, forks of one, did not heed between them.
    pub(crate) fn unheeded<'a>(choices: impl Iterator<Item = &'a Choice>) -> Unheeded {
        Unheeded::of(choices.filter_map(|choice| match &choice.driver {
            Driver::Script(script) => Some(script),
            Driver::Seed(_) | Driver::Sparse(..) | Driver::Bytes { .. } => None,
        }))
    }

    /// Begins the decisions on one event. Each field of an event is drawn at most once.
    #[inline]
    pub fn draw(&mut self, purpose: Purpose, a: u64, b: u64) -> Draw<'_> {
        Draw::new(self, DrawKey { purpose, a, b })
    }
}
