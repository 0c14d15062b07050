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

/// What a bug may break, as its head abbreviates it.
const PROPERTIES: [(&str, &str); 8] = [
    ("ES", "Election Safety"),
    ("LM", "Log Matching"),
    ("LC", "Leader Completeness"),
    ("SMS", "State Machine Safety"),
    ("LIN", "Linearizability"),
    ("DUR", "Durability"),
    ("CFG", "Configuration safety"),
    ("LIVE", "Liveness"),
];

/// All bugs in a folder, in the order of their ids.
pub(crate) fn read_all(folder: &Path) -> Result<Vec<Bug>, Refusal> {
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
    if bugs.is_empty() {
        return Err(Refusal::bad_input(format!("{} holds no .patch", folder.display())));
    }
    Ok(bugs)
}

/// Those of the bugs that were asked for; all, if none was.
pub(crate) fn choose(mut bugs: Vec<Bug>, only: &[String]) -> Result<Vec<Bug>, Refusal> {
    if let Some(unknown) = only.iter().find(|id| bugs.iter().all(|bug| bug.id != **id)) {
        let meant = bugs.iter().find(|bug| bug.id.eq_ignore_ascii_case(unknown));
        let hint = meant.map_or_else(
            || "`squall zoo --list` says which there are".to_owned(),
            |bug| format!("perhaps `{}`?", bug.id),
        );
        return Err(Refusal::bad_input(format!("the zoo has no bug `{unknown}`; {hint}")));
    }
    bugs.retain(|bug| only.is_empty() || only.contains(&bug.id));
    Ok(bugs)
}

/// One bug on one line, for whoever chooses.
pub(crate) fn listed(bug: &Bug) -> String {
    let Bug { id, title, breaks, kind, profile, .. } = bug;
    format!("{id:<5} {kind:<8}  {profile:<5}  {breaks:<8}  {title}")
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
    if let Some(unknown) =
        bug.breaks.split(' ').find(|word| PROPERTIES.iter().all(|(known, _)| known != word))
    {
        let known = PROPERTIES.map(|(word, _)| word).join(", ");
        return Err(format!("{}: breaks `{unknown}`; expected some of {known}", path.display()));
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
    fn what_a_bug_breaks_has_a_name_and_the_page_of_the_zoo_tells_it() {
        let error = parse(&HEAD.replace("breaks: ES", "breaks: ES XX"), Path::new("zoo/V1.patch"));
        assert!(error.expect_err("nobody knows it").contains("breaks `XX`; expected some of ES, LM, "));
        let page = include_str!("../../../docs/bug-zoo.md");
        for (word, name) in PROPERTIES {
            assert!(page.contains(&format!("| `{word}` | {name}")), "{word}");
        }
    }

    #[test]
    fn the_bugs_of_the_zoo_can_be_read_and_chosen_by_their_ids() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/zoo");
        let bugs = read_all(&folder).expect("the zoo is in order");
        let said = choose(bugs.clone(), &["l1".to_owned()]).expect_err("ids are in capitals").message;
        assert!(said.ends_with("no bug `l1`; perhaps `L1`?"), "{said}");
        let said = choose(bugs.clone(), &["L99999".to_owned()]).expect_err("there is none").message;
        assert!(said.contains("`squall zoo --list`"), "{said}");
        let one = choose(bugs.clone(), &["L1".to_owned()]).expect("it is there");
        let line =
            "L1    safety    storm  LC        an entry of an earlier term is committed by counting copies";
        assert_eq!(one.iter().map(listed).collect::<Vec<_>>(), [line]);
        assert_eq!(choose(bugs.clone(), &[]).expect("all are there"), bugs);
    }

    #[test]
    fn bugs_come_in_the_order_in_which_people_count() {
        let mut ids = ["V10", "L3", "V2", "V1"];
        ids.sort_by_key(|id| natural_order(id));
        assert_eq!(ids, ["L3", "V1", "V2", "V10"]);
    }
}
