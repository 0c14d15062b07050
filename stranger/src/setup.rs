//! What every server of the stranger's cluster is built from: the setup of Squall's servers, and what is the adapter's own.

use squall_scenarios::server::Setup;

/// A setup, and how the adapter behaves.
#[derive(Clone, Debug)]
pub struct TikvSetup {
    /// As a plan draws it for Squall's servers.
    pub setup: Setup,
    /// How the adapter behaves.
    pub manners: Manners,
}

/// How the adapter behaves beyond what the crate asks of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Manners {
    /// A leader whose disk has hung for two election timeouts hands its office over. The crate has no such rule.
    pub abdicates: bool,
    /// A read that a follower passes on is given to the crate once, however often the network brings it. The crate does not
    /// ask for that.
    pub reads_once: bool,
    /// What it does wrong on purpose, for a test.
    pub(crate) fault: Option<Fault>,
}

impl Manners {
    /// An adapter without fault.
    #[must_use]
    pub fn new(abdicates: bool, reads_once: bool) -> Self {
        Self { abdicates, reads_once, fault: None }
    }
}

/// A duty that an adapter may fail in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// What is to be said after a sync is said at once.
    SpeaksBeforeSync,
    /// The vote is not written.
    ForgetsVote,
    /// A read is served from whatever is committed here.
    AsksNobody,
}
