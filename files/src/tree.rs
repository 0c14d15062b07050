//! The tree, as an ordered map: the id of a directory and a name in it, to the inode of that name.
//!
//! A directory's entries lie together, in order of their names, and stay where they are when the directory is renamed:
//! they go by its id. So a rename moves one pair, whatever hangs on it. Nothing leads upwards, and nothing has to.

use bytes::Bytes;
use squall_replica::Pairs;

use crate::path::Path;
use crate::{Error, Inode, InodeId};

/// All inodes but the root.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) pairs: Pairs,
}

/// Bytes of a key in front of the name.
pub(crate) const PREFIX_BYTES: usize = size_of::<u64>();

impl Tree {
    /// How many inodes there are, the root among them.
    pub(crate) fn inodes(&self) -> u64 {
        self.pairs.len() + 1
    }

    /// What a path leads to.
    pub(crate) fn find(&self, path: Path<'_>) -> Result<Inode, Error> {
        let mut inode = Inode::Directory { id: InodeId::ROOT };
        for name in path.names() {
            inode = self.child(directory(&inode)?, name).ok_or(Error::NotFound)?;
        }
        Ok(inode)
    }

    /// The directory that a path leads to.
    pub(crate) fn find_directory(&self, path: Path<'_>) -> Result<InodeId, Error> {
        directory(&self.find(path)?)
    }

    pub(crate) fn child(&self, directory: InodeId, name: &[u8]) -> Option<Inode> {
        self.pairs.get(&key(directory, name)).map(inode)
    }

    /// The entries of a directory behind this name, by name.
    pub(crate) fn children(&self, directory: InodeId, after: &[u8]) -> impl Iterator<Item = (Bytes, Inode)> {
        let prefix = directory.0.to_be_bytes();
        self.pairs
            .iter_after(&key(directory, after))
            .take_while(move |(key, _)| key.starts_with(&prefix))
            .map(|(key, value)| (key.slice(PREFIX_BYTES..), inode(value)))
    }

    pub(crate) fn is_empty(&self, directory: InodeId) -> bool {
        self.children(directory, b"").next().is_none()
    }

    pub(crate) fn set(&mut self, directory: InodeId, name: &[u8], inode: &Inode) {
        self.pairs.set(&key(directory, name), inode.encode());
    }

    pub(crate) fn remove(&mut self, directory: InodeId, name: &[u8]) {
        self.pairs.remove(&key(directory, name)).expect("what is removed is there");
    }

    /// Removes all that is in a directory, and in those below it; returns how many inodes that is.
    pub(crate) fn clear(&mut self, directory: InodeId) -> u64 {
        let before = self.inodes();
        let mut directories = vec![directory];
        while let Some(directory) = directories.pop() {
            let children: Vec<(Bytes, Inode)> = self.children(directory, b"").collect();
            for (name, inode) in children {
                self.remove(directory, &name);
                if let Inode::Directory { id } = inode {
                    directories.push(id);
                }
            }
        }
        before - self.inodes()
    }
}

fn directory(inode: &Inode) -> Result<InodeId, Error> {
    match inode {
        Inode::Directory { id } => Ok(*id),
        Inode::File { .. } => Err(Error::NotADirectory),
    }
}

fn key(directory: InodeId, name: &[u8]) -> Vec<u8> {
    [&directory.0.to_be_bytes(), name].concat()
}

fn inode(value: &Bytes) -> Inode {
    Inode::decode(value.clone()).expect("only inodes are put into the tree")
}
