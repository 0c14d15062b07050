//! A planted bug: a patch with a head that says what it is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::exit::Refusal;

/// One bug of the zoo, as the head of its patch describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bug {
    /// As in the catalogue, such as `V1`; the name of the file too.
    pub(crate) id: String,
    pub(crate) title: String,
    /// Where somebody met it: a repository and an issue or commit.
    pub(crate) source: String,
    /// The property at stake, such as `ES`.
    pub(crate) breaks: String,
    /// `safety` or `liveness`.
    pub(crate) kind: String,
    /// The profile in which it should show.
    pub(crate) profile: String,
    /// A scenario, below `scenarios/`, that shows it where no storm does within its budget.
    pub(crate) scenario: Option<String>,
    pub(crate) patch: PathBuf,
}

/// The bugs in a folder, in the order of their ids: all, or those asked for.
pub(crate) fn read_all(folder: &Path, only: &[String]) -> Result<Vec<Bug>, Refusal> {
    let refuse = |error| Refusal::bad_input(format!("{} cannot be read: {error}", folder.display()));
    let mut bugs = Vec::new();
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            let text = fs::read_to_string(&path)
                .map_err(|error| Refusal::bad_input(format!("{} cannot be read: {error}", path.display())))?;
            bugs.push(parse(&text, &path).map_err(Refusal::bad_input)?);
        }
    }
    bugs.sort_by(|a, b| natural_order(&a.id).cmp(&natural_order(&b.id)));
    if let Some(unknown) = only.iter().find(|id| bugs.iter().all(|bug| bug.id != **id)) {
        return Err(Refusal::bad_input(format!("the zoo has no bug `{unknown}` in {}", folder.display())));
    }
    if bugs.is_empty() {
        return Err(Refusal::bad_input(format!("{} holds no .patch", folder.display())));
    }
    bugs.retain(|bug| only.is_empty() || only.contains(&bug.id));
    Ok(bugs)
}

/// `V2` before `V10`: the letters, then the number.
fn natural_order(id: &str) -> (&str, u64, &str) {
    let digits = id.find(|character: char| character.is_ascii_digit()).unwrap_or(id.len());
    (&id[..digits], id[digits..].parse().unwrap_or(u64::MAX), id)
}

fn parse(text: &str, path: &Path) -> Result<Bug, String> {
    let head: Vec<(&str, &str)> = text
        .lines()
        .map_while(|line| line.strip_prefix('#'))
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim(), value.trim()))
        .collect();
    let stated = |name: &str| {
        let value = head.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        value.filter(|value| !value.is_empty())
    };
    let field = |name: &str| {
        stated(name).ok_or_else(|| {
            format!(
                "{}: the head of a planted bug needs a line `# {name}: ...` before the patch",
                path.display()
            )
        })
    };
    let bug = Bug {
        id: field("id")?,
        title: field("title")?,
        source: field("source")?,
        breaks: field("breaks")?,
        kind: field("kind")?,
        profile: field("profile")?,
        scenario: stated("scenario"),
        patch: path.to_owned(),
    };
    if path.file_stem().is_none_or(|stem| *stem != *bug.id) {
        return Err(format!("{}: holds the bug `{}`; the file must have its name", path.display(), bug.id));
    }
    if !["safety", "liveness"].contains(&bug.kind.as_str()) {
        return Err(format!("{}: kind is `safety` or `liveness`, not `{}`", path.display(), bug.kind));
    }
    Ok(bug)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# id: V1\n# title: a vote: not persisted\n# source: tikv#8381\n# breaks: ES\n# kind: safety\n\
                        # profile: storm\ndiff --git a/x b/x\n";

    #[test]
    fn the_head_of_a_patch_says_what_it_is() {
        let bug = parse(HEAD, Path::new("zoo/V1.patch")).expect("the head is complete");
        assert_eq!((bug.id.as_str(), bug.title.as_str()), ("V1", "a vote: not persisted"));
        assert_eq!((bug.kind.as_str(), bug.profile.as_str()), ("safety", "storm"));
        assert_eq!(bug.scenario, None);
        let rare = format!("# scenario: found/rare.scn\n{HEAD}");
        let bug = parse(&rare, Path::new("zoo/V1.patch")).expect("the head is complete");
        assert_eq!(bug.scenario.as_deref(), Some("found/rare.scn"));
    }

    #[test]
    fn a_head_that_lacks_a_line_is_refused_by_the_name_of_the_line() {
        for name in ["id", "title", "source", "breaks", "kind", "profile"] {
            let text: String = HEAD
                .lines()
                .filter(|line| !line.starts_with(&format!("# {name}:")))
                .collect::<Vec<_>>()
                .join("\n");
            let error = parse(&text, Path::new("zoo/V1.patch")).expect_err("a line is missing");
            assert!(error.contains(&format!("`# {name}: ...`")), "{error}");
        }
    }

    #[test]
    fn a_patch_under_another_bugs_name_is_refused() {
        assert!(parse(HEAD, Path::new("zoo/V2.patch")).is_err());
    }

    #[test]
    fn bugs_come_in_the_order_in_which_people_count() {
        let mut ids = ["V10", "L3", "V2", "V1"];
        ids.sort_by_key(|id| natural_order(id));
        assert_eq!(ids, ["L3", "V1", "V2", "V10"]);
    }
}
