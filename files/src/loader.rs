//! Reading a file system from its bytes: five numbers, and the pairs of the tree.
//!
//! The bytes are not believed: each inode is one, has an id of its own, and is reached from the root.

use std::collections::BTreeSet;

use squall_replica::{LoadError, Loader, PairsLoader};

use crate::path::is_name;
use crate::tree::{PREFIX_BYTES, Tree};
use crate::{FileSystem, Inode, InodeId, Limits};

/// Reads a file system from its bytes: how many commands were applied, the next id, the limits, and the tree.
#[derive(Clone, Debug, Default)]
pub struct FileSystemLoader(PairsLoader<5>);

impl Loader for FileSystemLoader {
    type Machine = FileSystem;

    fn load(&mut self, bytes: &[u8]) -> Result<(), LoadError> {
        self.0.load(bytes)
    }

    fn finish(self) -> Result<FileSystem, LoadError> {
        let ([commands, next_id, max_name_bytes, max_blob_bytes, max_inodes], pairs) = self.0.finish()?;
        let limits = Limits { max_name_bytes, max_blob_bytes, max_inodes };
        let are_inodes = pairs.iter().all(|(key, value)| {
            key.get(PREFIX_BYTES..).is_some_and(is_name) && Inode::decode(value.clone()).is_some()
        });
        if !are_inodes {
            return Err(LoadError::new("what is in the tree is no inode"));
        }
        let (tree, next_id) = (Tree { pairs }, InodeId(next_id));
        check_tree(&tree, next_id)?;
        Ok(FileSystem { tree, next_id, commands, limits })
    }
}

/// Goes through the tree from its root. No id is met twice, and so no directory: it comes to an end.
fn check_tree(tree: &Tree, next_id: InodeId) -> Result<(), LoadError> {
    let mut met = BTreeSet::from([InodeId::ROOT]);
    let mut directories = vec![InodeId::ROOT];
    while let Some(directory) = directories.pop() {
        for (_, inode) in tree.children(directory, b"") {
            if !met.insert(inode.id()) {
                return Err(LoadError::new("two inodes of the tree have one id"));
            }
            if let Inode::Directory { id } = inode {
                directories.push(id);
            }
        }
    }
    if met.len() as u64 != tree.inodes() {
        return Err(LoadError::new("a part of the tree does not hang on its root"));
    }
    match met.last() {
        Some(last) if *last >= next_id => Err(LoadError::new("an id is in use that is yet to be given")),
        Some(_) | None => Ok(()),
    }
}
