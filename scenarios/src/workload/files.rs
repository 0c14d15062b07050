//! What clients ask of a file system: over a small tree of names, so that they get in each other's way.

use bytes::Bytes;
use squall_files::{Command, Content, Error, Reply};
use squall_sim::mark::Marks;
use squall_sim::{Draw, OperationId, Ratio, sometimes};

use super::{WorkloadParameters, draw_value};
use crate::marks;

/// Of so many paths four are odd: the root, and three that are no paths.
const ODD: u64 = 240;

/// Draws a command.
pub(crate) fn draw_file_command(
    parameters: &WorkloadParameters,
    operation: OperationId,
    draw: &mut Draw<'_>,
) -> Command {
    let kind = draw.pick("file-kind", &parameters.file_kinds);
    let path = draw_path(parameters, ["depth", "path", "odd"], draw);
    let content = |draw: &mut Draw<'_>| {
        let blob = draw_value(parameters, operation, draw);
        Content { size: blob.len() as u64, modified: operation.number, blob }
    };
    match kind {
        0 => Command::Create { path, content: content(draw) },
        1 => Command::MakeDirectory { path },
        2 => {
            let is_expecting = draw.chance("expects", Ratio::new(1, 2));
            let expected = is_expecting.then(|| draw.range("version", 1, 3));
            Command::Update { path, expected, content: content(draw) }
        }
        3 if draw.chance("below", Ratio::new(1, 8)) => {
            let to = Bytes::from([&path, &b"/a"[..]].concat());
            Command::Rename { from: path, to }
        }
        3 => {
            let to = draw_path(parameters, ["to-depth", "to-path", "to-odd"], draw);
            Command::Rename { from: path, to }
        }
        4 => Command::Remove { path },
        5 => Command::RemoveDirectory { path },
        6 => Command::RemoveTree { path },
        7 => Command::Stat { path },
        _ => list(path, draw),
    }
}

/// Draws a question.
pub(super) fn draw_question(parameters: &WorkloadParameters, draw: &mut Draw<'_>) -> Command {
    let path = draw_path(parameters, ["depth", "path", "odd"], draw);
    if draw.chance("lists", Ratio::new(1, 3)) { list(path, draw) } else { Command::Stat { path } }
}

fn list(path: Bytes, draw: &mut Draw<'_>) -> Command {
    let after = if draw.chance("goes-on", Ratio::new(1, 4)) { "a" } else { "" };
    let max_entries = u32::try_from(draw.range("entries", 0, 8)).expect("it is small");
    Command::List { path, after: after.into(), max_entries }
}

/// Draws a path, with the names of the decisions on it: the root, or names of one letter.
fn draw_path(parameters: &WorkloadParameters, fields: [&'static str; 3], draw: &mut Draw<'_>) -> Bytes {
    let [depth, path, odd] = fields;
    let names = parameters.names;
    // One draw decides on all names, so that a scenario can say which they are.
    let depth = u32::try_from(draw.range(depth, 1, parameters.depth)).expect("it is small");
    let mut number = draw.range(path, 0, names.pow(depth) - 1);
    let mut bytes = Vec::new();
    for _ in 0..depth {
        bytes.extend([b'/', b'a' + (number % names) as u8]);
        number /= names;
    }
    match ODD - draw.range(odd, 1, ODD) {
        0 => return Bytes::from_static(b"/"),
        1 => bytes.push(b'/'),
        2 => bytes.extend(b"/.."),
        3 => bytes.resize(bytes.len() + 300, b'x'),
        _ => {}
    }
    Bytes::from(bytes)
}

/// Marks what an answer tells of the tree.
pub(super) fn mark_reply(reply: &[u8], marks: &mut Marks) {
    let Ok(reply) = Reply::decode(reply) else { return };
    let is_replaced = matches!(reply, Reply::Moved { replaced: Some(_) });
    sometimes!(marks, marks::NAMES, "a rename replaced what was there", is_replaced);
    let is_removed = matches!(reply, Reply::RemovedTree { inodes: 2.. });
    sometimes!(marks, marks::NAMES, "a directory was removed with all in it", is_removed);
    let error = match reply {
        Reply::Failed(error) => Some(error),
        Reply::Made(_)
        | Reply::Updated { .. }
        | Reply::Moved { .. }
        | Reply::Removed(_)
        | Reply::RemovedTree { .. }
        | Reply::Found(_)
        | Reply::Listed { .. } => None,
    };
    let is_kept = error == Some(Error::IntoItself);
    sometimes!(marks, marks::NAMES, "a directory was kept out of itself", is_kept);
    let is_filled = error == Some(Error::NotEmpty);
    sometimes!(marks, marks::NAMES, "a directory that was not empty was kept", is_filled);
    let is_other = matches!(error, Some(Error::OtherVersion { .. }));
    sometimes!(marks, marks::NAMES, "an update met another version", is_other);
}
