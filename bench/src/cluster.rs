//! Three nodes of one library, in one thread, behind the same few methods.
//!
//! All clusters work alike: commands are proposed to the leader, messages are moved by hand until nobody has
//! anything to say, each write is durable as soon as it is asked for, and applying a command adds its length
//! to a counter. Logs are compacted alike. Nobody's clock runs, except in [`Cluster::tick_idle_follower`].

mod openraft;
mod squall;
mod tikv;

pub use self::openraft::OpenraftCluster;
pub use self::squall::SquallCluster;
pub use self::tikv::{Proposals, TikvCluster};

use crate::Load;

/// Nodes in each cluster.
pub const NODES: usize = 3;

/// Entry bytes of one message, at most, where the library counts bytes.
pub const MAX_MESSAGE_BYTES: u64 = 1 << 20;

/// So long a timeout that no tick of any measurement reaches it.
pub const NEVER_TICKS: u64 = 1 << 31;

/// Three nodes of one library.
pub trait Cluster {
    /// The library, and how it is used where there is a choice.
    fn name(&self) -> &'static str;

    /// Carries a load out: returns when the leader has applied all of it.
    fn run(&mut self, load: Load);

    /// What the leader has applied.
    fn applied(&self) -> Applied;

    /// Lets a follower at rest see `ticks` ticks, one by one, and look after each whether there is anything to
    /// do. Returns false where the library keeps its own time.
    fn tick_idle_follower(&mut self, ticks: u64) -> bool;
}

/// The state machine of all clusters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Applied {
    /// Commands applied.
    pub commands: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Applied {
    /// Applies one command.
    pub fn apply(&mut self, command: &[u8]) {
        self.commands += 1;
        self.bytes += command.len() as u64;
    }
}

/// One cluster of each kind for commands of `payload_bytes`, each with its leader elected.
#[must_use]
pub fn all(payload_bytes: usize) -> Vec<Box<dyn Cluster>> {
    vec![
        Box::new(SquallCluster::new(payload_bytes)),
        Box::new(TikvCluster::new(Proposals::OneByOne)),
        Box::new(TikvCluster::new(Proposals::Together)),
        Box::new(OpenraftCluster::new()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cluster_applies_the_load_and_nothing_else() {
        let load = Load { payload_bytes: 100, outstanding: 7, commits: 7 * 700 };
        for mut cluster in all(load.payload_bytes) {
            cluster.run(load);
            let expected = Applied { commands: load.commits, bytes: 100 * load.commits };
            assert_eq!(cluster.applied(), expected, "{}", cluster.name());
            cluster.tick_idle_follower(1_000);
        }
    }
}
