//! The file system itself: each command, and the order in which it is refused.
//!
//! What is wrong with a command's own words comes first, then what is wrong on the way of its paths, then what stands at
//! their ends, and the want of space last.

use bytes::Bytes;
use squall_raft::LogPosition;
use squall_replica::{PairsImage, StateMachine};

use crate::path::Path;
use crate::tree::Tree;
use crate::{Command, Content, Entry, Error, FileSystemLoader, Inode, InodeId, Kind, Reply};

/// A file system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileSystem {
    pub(crate) tree: Tree,
    /// Invariant: no inode has this id or a greater one.
    pub(crate) next_id: InodeId,
    /// How many commands were applied, those that failed among them: one that was applied twice shows.
    pub(crate) commands: u64,
    pub(crate) limits: Limits,
}

/// What a file system may hold. It is part of the state, and of each snapshot: all replicas begin with the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of a name.
    pub max_name_bytes: u64,
    /// Bytes of a file's blob.
    pub max_blob_bytes: u64,
    /// Files and directories, the root among them.
    pub max_inodes: u64,
}

/// Entries that one `List` is answered with, however many it asks for.
pub const LIST_ENTRIES_MAX: u32 = 1_000;

impl Default for Limits {
    fn default() -> Self {
        Self { max_name_bytes: 255, max_blob_bytes: 4_096, max_inodes: 1 << 20 }
    }
}

impl Default for FileSystem {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl StateMachine for FileSystem {
    type Image = PairsImage;
    type Loader = FileSystemLoader;

    fn apply(&mut self, _position: LogPosition, command: &[u8]) -> Bytes {
        self.commands += 1;
        let command = Command::borrow(command).map_err(|_| Error::Malformed);
        Reply::from(command.and_then(|command| self.execute(command))).encode()
    }

    /// A [`Command::Stat`] or a [`Command::List`] is a question; nothing else is.
    fn query(&self, query: &[u8]) -> Bytes {
        let result = match Command::borrow(query) {
            Ok(Command::Stat { path }) => self.stat(path),
            Ok(Command::List { path, after, max_entries }) => self.list(path, after, max_entries),
            Ok(
                Command::Create { .. }
                | Command::MakeDirectory { .. }
                | Command::Update { .. }
                | Command::Rename { .. }
                | Command::Remove { .. }
                | Command::RemoveDirectory { .. }
                | Command::RemoveTree { .. },
            )
            | Err(_) => Err(Error::Malformed),
        };
        Reply::from(result).encode()
    }

    fn digest(&self) -> u64 {
        self.tree.pairs.digest(self.numbers())
    }

    fn image(&self) -> PairsImage {
        self.tree.pairs.image(self.numbers())
    }
}

impl FileSystem {
    /// An empty one: its root, and nothing in it.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { tree: Tree::default(), next_id: InodeId(1), commands: 0, limits }
    }

    /// How many files and directories there are, the root among them.
    #[must_use]
    pub fn inodes(&self) -> u64 {
        self.tree.inodes()
    }

    /// How many commands it was given, ever: those that failed among them.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// What stands beside the tree, as images and digests have it.
    fn numbers(&self) -> [u64; 5] {
        let Limits { max_name_bytes, max_blob_bytes, max_inodes } = self.limits;
        [self.commands, self.next_id.0, max_name_bytes, max_blob_bytes, max_inodes]
    }

    fn execute(&mut self, command: Command<&[u8]>) -> Result<Reply, Error> {
        match command {
            Command::Create { path, content } => self.create(path, content),
            Command::MakeDirectory { path } => self.make(path, |id| Inode::Directory { id }),
            Command::Update { path, expected, content } => self.update(path, expected, content),
            Command::Rename { from, to } => self.rename(from, to),
            Command::Remove { path } => self.remove(path),
            Command::RemoveDirectory { path } => self.remove_directory(path),
            Command::RemoveTree { path } => self.remove_tree(path),
            Command::Stat { path } => self.stat(path),
            Command::List { path, after, max_entries } => self.list(path, after, max_entries),
        }
    }

    fn create(&mut self, path: &[u8], content: Content<&[u8]>) -> Result<Reply, Error> {
        self.check_blob(content.blob)?;
        self.make(path, |id| Inode::File { id, version: 1, content: owned(content) })
    }

    fn make(&mut self, path: &[u8], inode: impl FnOnce(InodeId) -> Inode) -> Result<Reply, Error> {
        let (directory, name) = self.parse(path)?.split().ok_or(Error::Exists)?;
        let directory = self.tree.find_directory(directory)?;
        if self.tree.child(directory, name).is_some() {
            return Err(Error::Exists);
        }
        if self.tree.inodes() >= self.limits.max_inodes {
            return Err(Error::NoSpace);
        }
        let id = self.next_id;
        self.next_id = InodeId(id.0.checked_add(1).ok_or(Error::NoSpace)?);
        self.tree.set(directory, name, &inode(id));
        Ok(Reply::Made(id))
    }

    fn update(
        &mut self,
        path: &[u8],
        expected: Option<u64>,
        content: Content<&[u8]>,
    ) -> Result<Reply, Error> {
        self.check_blob(content.blob)?;
        let (directory, name) = self.parse(path)?.split().ok_or(Error::IsADirectory)?;
        let directory = self.tree.find_directory(directory)?;
        match self.tree.child(directory, name).ok_or(Error::NotFound)? {
            Inode::Directory { .. } => Err(Error::IsADirectory),
            Inode::File { version, .. } if expected.is_some_and(|expected| expected != version) => {
                Err(Error::OtherVersion { version })
            }
            Inode::File { id, version, .. } => {
                let version = version.saturating_add(1);
                self.tree.set(directory, name, &Inode::File { id, version, content: owned(content) });
                Ok(Reply::Updated { version })
            }
        }
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<Reply, Error> {
        let (from, to) = (self.parse(from)?, self.parse(to)?);
        let (from_directory, from_name) = from.split().ok_or(Error::IsRoot)?;
        let (to_directory, to_name) = to.split().ok_or(Error::IsRoot)?;
        let from_directory = self.tree.find_directory(from_directory)?;
        let moved = self.tree.child(from_directory, from_name).ok_or(Error::NotFound)?;
        if moved.kind() == Kind::Directory && to.is_below(from) {
            return Err(Error::IntoItself);
        }
        let to_directory = self.tree.find_directory(to_directory)?;
        let replaced = self.tree.child(to_directory, to_name);
        match &replaced {
            Some(replaced) if replaced.id() == moved.id() => return Ok(Reply::Moved { replaced: None }),
            Some(replaced) => self.check_replaces(&moved, replaced)?,
            None => {}
        }
        self.tree.remove(from_directory, from_name);
        self.tree.set(to_directory, to_name, &moved);
        Ok(Reply::Moved { replaced: replaced.map(|replaced| replaced.id()) })
    }

    /// A file replaces a file, a directory an empty one.
    fn check_replaces(&self, moved: &Inode, replaced: &Inode) -> Result<(), Error> {
        match (moved.kind(), replaced.kind()) {
            (Kind::File, Kind::File) => Ok(()),
            (Kind::File, Kind::Directory) => Err(Error::IsADirectory),
            (Kind::Directory, Kind::File) => Err(Error::NotADirectory),
            (Kind::Directory, Kind::Directory) if self.tree.is_empty(replaced.id()) => Ok(()),
            (Kind::Directory, Kind::Directory) => Err(Error::NotEmpty),
        }
    }

    fn remove(&mut self, path: &[u8]) -> Result<Reply, Error> {
        let (directory, name) = self.parse(path)?.split().ok_or(Error::IsADirectory)?;
        let directory = self.tree.find_directory(directory)?;
        match self.tree.child(directory, name).ok_or(Error::NotFound)? {
            Inode::Directory { .. } => Err(Error::IsADirectory),
            Inode::File { id, .. } => {
                self.tree.remove(directory, name);
                Ok(Reply::Removed(id))
            }
        }
    }

    fn remove_directory(&mut self, path: &[u8]) -> Result<Reply, Error> {
        let (directory, name) = self.parse(path)?.split().ok_or(Error::IsRoot)?;
        let directory = self.tree.find_directory(directory)?;
        match self.tree.child(directory, name).ok_or(Error::NotFound)? {
            Inode::File { .. } => Err(Error::NotADirectory),
            Inode::Directory { id } if !self.tree.is_empty(id) => Err(Error::NotEmpty),
            Inode::Directory { id } => {
                self.tree.remove(directory, name);
                Ok(Reply::Removed(id))
            }
        }
    }

    fn remove_tree(&mut self, path: &[u8]) -> Result<Reply, Error> {
        let (directory, name) = self.parse(path)?.split().ok_or(Error::IsRoot)?;
        let directory = self.tree.find_directory(directory)?;
        let removed = self.tree.child(directory, name).ok_or(Error::NotFound)?;
        self.tree.remove(directory, name);
        let below = match removed {
            Inode::Directory { id } => self.tree.clear(id),
            Inode::File { .. } => 0,
        };
        Ok(Reply::RemovedTree { inodes: 1 + below })
    }

    fn stat(&self, path: &[u8]) -> Result<Reply, Error> {
        self.tree.find(self.parse(path)?).map(Reply::Found)
    }

    fn list(&self, path: &[u8], after: &[u8], max_entries: u32) -> Result<Reply, Error> {
        let directory = self.tree.find_directory(self.parse(path)?)?;
        let mut children = self.tree.children(directory, after);
        let max_entries = max_entries.min(LIST_ENTRIES_MAX) as usize;
        let entry = |(name, inode): (Bytes, Inode)| Entry { name, id: inode.id(), kind: inode.kind() };
        let entries = children.by_ref().take(max_entries).map(entry).collect();
        Ok(Reply::Listed { entries, more: children.next().is_some() })
    }

    fn parse<'a>(&self, path: &'a [u8]) -> Result<Path<'a>, Error> {
        Path::parse(path, self.limits.max_name_bytes)
    }

    fn check_blob(&self, blob: &[u8]) -> Result<(), Error> {
        if blob.len() as u64 > self.limits.max_blob_bytes { Err(Error::BlobTooLarge) } else { Ok(()) }
    }
}

fn owned(content: Content<&[u8]>) -> Content {
    let Content { size, modified, blob } = content;
    Content { size, modified, blob: Bytes::copy_from_slice(blob) }
}
