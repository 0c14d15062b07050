//! A run: how the core is started, and what happens to it.

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Unstructured};

use crate::message::HostileMessage;
use crate::{Driver, Mark};

/// A whole run of one core.
#[derive(Clone, Debug)]
pub struct Run {
    /// How the core is configured.
    pub setup: Setup,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// What of a configuration changes which code runs: small bounds are met soon.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub struct Setup {
    /// Voters, modulo 5, and 1 at least; the quotient, modulo 4, picks a witness: the core itself (3), another voter (2),
    /// or none.
    pub voters: u8,
    /// As in the core's configuration.
    pub pre_vote: bool,
    /// As in the core's configuration.
    pub check_quorum: bool,
    /// Whether leases serve reads; then the quorum is checked.
    pub leases: bool,
    /// Whether bounds on bytes and messages are so small that they are met.
    pub tight: bool,
    /// As in the core's configuration.
    pub seed: u8,
}

/// One input, and how much of what the core then wants is carried out at once.
#[derive(Clone, Debug, Arbitrary)]
pub struct Step {
    /// The input.
    pub input: Input,
    /// All of them where it is even, else at most so many, modulo 8.
    pub actions: u8,
}

/// One input.
#[derive(Clone, Debug)]
pub enum Input {
    /// Some ticks pass.
    Tick(u8),
    /// Time passes until the core has something to do.
    TickUntilDue,
    /// Very much time passes.
    TickFar(u32),
    /// A client's command of so many bytes.
    Propose(u8),
    /// A peer, or somebody who says so, sends anything.
    Receive(HostileMessage),
    /// So many of the writes under way, modulo their number, are durable.
    Persisted(u8),
    /// A completion from an earlier life comes late.
    PersistedLongAgo(u8),
    /// So many of the entries to apply, modulo their number, have been applied.
    Applied(u8),
    /// An operator wants a node to lead.
    Transfer(u8),
    /// A client reads.
    Read,
    /// An operator changes the membership.
    Change {
        /// A change, or none.
        first: u8,
        /// Another one, or none.
        second: u8,
    },
    /// The core is told to campaign.
    Campaign,
    /// The disk answers one of the fetches under way with so many entries, 0 where it failed.
    Fetched {
        /// Which fetch, modulo their number.
        fetch: u8,
        /// How many entries, at most.
        entries: u8,
    },
    /// A snapshot of what was reported applied, of so many bytes.
    TakeSnapshot {
        /// How many, modulo 20, and one at least.
        bytes: u8,
    },
    /// The log is compacted, but for so many entries.
    Compact {
        /// How many, modulo 64.
        keep: u8,
    },
    /// The first job of those with snapshots is done.
    SnapshotJob {
        /// What comes of it: how many bytes are read, 0 where it failed; from 200 on a whole snapshot is refused.
        outcome: u8,
    },
    /// The node restarts; so many of the writes under way are durable.
    Restart {
        /// How many writes.
        writes: u8,
        /// How many entries storage hands over; from 128 on some are damaged.
        tail: u8,
        /// Which of the last entries are.
        lost: u16,
    },
}

impl<'a> Arbitrary<'a> for Run {
    /// Takes steps for as long as there are bytes: a derived `Vec` would toss a coin after each.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let setup = bytes.arbitrary()?;
        let mut steps = Vec::new();
        while !bytes.is_empty() {
            steps.push(bytes.arbitrary()?);
        }
        Ok(Self { setup, steps })
    }
}

impl<'a> Arbitrary<'a> for Input {
    /// Rare is what begins anew: a core that restarts or campaigns all the time gets nowhere.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match bytes.arbitrary::<u8>()? {
            0..112 => Self::Receive(bytes.arbitrary()?),
            112..152 => Self::Persisted(bytes.arbitrary()?),
            152..176 => Self::Applied(bytes.arbitrary()?),
            176..192 => Self::Propose(bytes.arbitrary()?),
            192..202 => Self::Change { first: bytes.arbitrary()?, second: bytes.arbitrary()? },
            202..208 => Self::SnapshotJob { outcome: bytes.arbitrary()? },
            208..216 => Self::Tick(bytes.arbitrary()?),
            216..219 => Self::TakeSnapshot { bytes: bytes.arbitrary()? },
            219 => Self::Compact { keep: bytes.arbitrary()? },
            220..228 => Self::TickUntilDue,
            228 => Self::TickFar(bytes.arbitrary()?),
            229..234 => Self::Campaign,
            234..236 => Self::Read,
            236..242 => Self::Transfer(bytes.arbitrary()?),
            242..251 => Self::Fetched { fetch: bytes.arbitrary()?, entries: bytes.arbitrary()? },
            251..254 => Self::PersistedLongAgo(bytes.arbitrary()?),
            254..=255 => Self::Restart {
                writes: bytes.arbitrary()?,
                tail: bytes.arbitrary()?,
                lost: bytes.arbitrary()?,
            },
        })
    }
}

impl Run {
    /// Carries the run out, and says what it came across.
    ///
    /// # Panics
    /// Where the core panics, or breaks a promise.
    pub fn carry_out(self) -> BTreeSet<Mark> {
        let mut driver = Driver::new(self.setup);
        for step in self.steps {
            driver.input(step.input);
            let at_most = if step.actions.is_multiple_of(2) { u64::MAX } else { u64::from(step.actions % 8) };
            driver.carry_out(at_most);
            driver.check();
        }
        driver.reached
    }
}
