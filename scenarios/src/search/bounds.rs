//! What a search covers: how many nodes, and how often what may happen to them.

/// The bounds of a search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Voters at the beginning.
    pub nodes: u8,
    /// Nodes beside them, members of nothing at the beginning.
    pub spares: u8,
    /// How the world begins.
    pub start: Start,
    /// How often nodes may campaign, in all.
    pub elections: u8,
    /// How many commands clients may propose.
    pub proposals: u8,
    /// How often the power may fail on a node.
    pub crashes: u8,
    /// How many changes of the membership operators may ask for.
    pub changes: u8,
    /// How often leaders may send a round of heartbeats.
    pub heartbeats: u8,
    /// How often a message may arrive once more; `None` for any number of times.
    pub duplicates: Option<u8>,
    /// When writes are done.
    pub disk: DiskPace,
    /// A leader sends at most one entry in a message.
    pub one_entry_messages: bool,
    /// Whether of untouched nodes only the first is tried, where the membership does not change.
    pub symmetry: bool,
    /// Whether messages are dropped that nobody will take notice of.
    pub drops_spent: bool,
}

/// How the world begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// Nobody was ever started.
    Fresh,
    /// `n0` was elected in term 1, all have its first entry, and no message is under way.
    Elected,
}

/// When writes are done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskPace {
    /// Before the node's next input; a crash comes between any two parts of a step's writes, or between two steps.
    Prompt,
    /// At any time, in order.
    Free,
}

impl Bounds {
    /// Nodes that there may be.
    pub const NODES_MAX: u8 = 7;

    /// Nothing may happen.
    #[must_use]
    pub fn of(nodes: u8) -> Self {
        Self {
            nodes,
            spares: 0,
            start: Start::Fresh,
            elections: 0,
            proposals: 0,
            crashes: 0,
            changes: 0,
            heartbeats: 0,
            duplicates: Some(0),
            disk: DiskPace::Free,
            one_entry_messages: false,
            symmetry: true,
            drops_spent: true,
        }
    }

    /// Voters and spares.
    #[must_use]
    pub fn all_nodes(&self) -> u8 {
        self.nodes.saturating_add(self.spares)
    }
}

impl Bounds {
    /// Whether such a world can be.
    ///
    /// # Errors
    /// What is wrong with which key, and what would be right.
    pub fn check(&self) -> Result<(), (&'static str, String, &'static str)> {
        if self.nodes == 0 || self.nodes > Self::NODES_MAX {
            return Err(("nodes", format!("it is {}", self.nodes), "1 to 7 voters"));
        }
        if self.all_nodes() > Self::NODES_MAX {
            return Err((
                "spares",
                format!("it is {}", self.spares),
                "at most 7 nodes, voters and spares together",
            ));
        }
        Ok(())
    }
}
