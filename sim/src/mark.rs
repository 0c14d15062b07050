//! Marks that say "this interesting case did occur" (docs/debugging-a-seed.md, "Many seeds").
//!
//! Every mark has a place in a registry, a constant list of names, so that one which is never reached is seen
//! too. The framework's own are [`FRAMEWORK`]; a user's are `Process::MARKS`. A name that no registry holds
//! does not compile. No statics, no linker tricks: the marks of a run are a value inside its world.

/// The most marks that a registry can hold.
pub const MARKS_MAX: usize = 256;

/// The framework's own marks: what a storm must have done to be one.
pub const FRAMEWORK: &[&str] = &[
    "a link lost a message",
    "a message was duplicated",
    "a message overtook an earlier one",
    "a ghost reached a later life of its receiver",
    "a partition cut a message in flight",
    "a full link threw a message out",
    "a clog released several messages at once",
    "a damaged frame was refused",
    "a process crashed with disk operations pending",
    "a process crashed between two disk operations",
    "a crash cut a disk operation in two",
    "a power loss tore a page",
    "a power loss dropped a file's changes",
    "a power loss lost a directory entry",
    "a power loss left a length without its data",
    "a power loss left data without its length",
    "a process was paused while messages waited",
    "a process was frozen with its clock",
    "a disk stalled",
    "a disk rotted",
    "a process ended because a read failed",
    "a process ended because a write failed",
    "a process ended because a sync failed",
    "a process ended because its disk was full",
    "a start failed with the disk",
    "a disk was lost",
    "a write was lost",
    "a write was misdirected",
    "a file was truncated",
    "a file went missing",
    "all that was kept twice of something was lost",
    "a disk went back in time",
    "a power loss revealed what a failed sync had lost",
    "a clock ran at another rate",
    "a wall clock jumped",
    "every process was down",
    "a fault struck the most prominent process",
    "a client gave up waiting",
    "a client asked again",
    "a request was tried elsewhere",
];

/// A mark: its place in a registry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Mark(u8);

/// The marks that were reached, of one registry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Marks([u64; MARKS_MAX / 64]);

impl Mark {
    /// The mark of this name. In a `const`, a name that the registry does not hold fails to compile.
    ///
    /// # Panics
    /// When the registry does not hold the name among its first [`MARKS_MAX`].
    #[must_use]
    pub const fn named(registry: &[&str], name: &str) -> Mark {
        match place_of(registry, name) {
            Some(place) if place < MARKS_MAX => Mark(place as u8),
            Some(_) | None => panic!("no such mark is registered"),
        }
    }

    /// The mark's place in its registry.
    #[must_use]
    pub fn place(self) -> usize {
        usize::from(self.0)
    }
}

impl Marks {
    /// Notes that a mark was reached.
    #[inline]
    pub fn mark(&mut self, mark: Mark) {
        self.0[mark.place() / 64] |= 1 << (mark.place() % 64);
    }

    /// Whether a mark was reached.
    #[must_use]
    pub fn has(&self, mark: Mark) -> bool {
        self.0[mark.place() / 64] >> (mark.place() % 64) & 1 == 1
    }

    /// Adds the marks of another value of the same registry.
    pub fn add(&mut self, other: Marks) {
        for (word, added) in self.0.iter_mut().zip(other.0) {
            *word |= added;
        }
    }

    /// For each name of the registry whether it was reached.
    pub fn reached<'a>(&'a self, registry: &'a [&str]) -> impl Iterator<Item = bool> + 'a {
        (0..registry.len()).map(|place| self.0[place / 64] >> (place % 64) & 1 == 1)
    }
}

/// Marks that something happened which a storm must reach now and then:
/// `sometimes!(marks, REGISTRY, "name", condition)`. `marks` has a method `mark`: [`Marks`] or an `Env`.
#[macro_export]
macro_rules! sometimes {
    ($marks:expr, $registry:expr, $name:literal, $condition:expr $(,)?) => {{
        const MARK: $crate::mark::Mark = $crate::mark::Mark::named($registry, $name);
        if $condition {
            $marks.mark(MARK);
        }
    }};
}

/// Where a name stands in a list, at compile time.
pub(crate) const fn place_of(names: &[&str], name: &str) -> Option<usize> {
    let mut place = 0;
    while place < names.len() {
        if is_equal(names[place].as_bytes(), name.as_bytes()) {
            return Some(place);
        }
        place += 1;
    }
    None
}

/// Equality of texts, at compile time.
const fn is_equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut i = 0;
    while i < left.len() {
        if left[i] != right[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{FRAMEWORK, Mark, Marks};

    #[test]
    fn a_mark_is_reached_only_when_its_condition_held() {
        let mut marks = Marks::default();
        sometimes!(marks, FRAMEWORK, "a disk stalled", false);
        sometimes!(marks, FRAMEWORK, "every process was down", true);
        assert!(!marks.has(Mark::named(FRAMEWORK, "a disk stalled")));
        assert!(marks.has(Mark::named(FRAMEWORK, "every process was down")));
        assert_eq!(marks.reached(FRAMEWORK).filter(|reached| *reached).count(), 1);
    }

    #[test]
    fn marks_of_two_parts_are_added_up() {
        let mut first = Marks::default();
        let mut second = Marks::default();
        first.mark(Mark::named(FRAMEWORK, "a disk stalled"));
        second.mark(Mark::named(FRAMEWORK, "a wall clock jumped"));
        first.add(second);
        assert_eq!(first.reached(FRAMEWORK).filter(|reached| *reached).count(), 2);
    }
}
