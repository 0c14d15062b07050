//! Rules on any text file: places that only one machine or network knows, stray white space, links between documents.

use super::File;

/// Complains about hosts of package registries and paths of somebody's machine: neither is the same for every reader.
pub(super) fn names_a_private_place(file: &File) -> Vec<String> {
    // In two halves, so that this file does not hold them itself.
    let places = [
        (concat!("crates", ".io"), "the host of a package registry"),
        (concat!("pypi", ".org"), "the host of a package registry"),
        (concat!("npmjs", ".org"), "the host of a package registry"),
        (concat!("sparse+", "http"), "the address of a package registry"),
        (concat!("/ho", "me/"), "a path of one machine"),
        (concat!("/ro", "ot/"), "a path of one machine"),
        (concat!("/wo", "rk/"), "a path of one machine"),
        (concat!("/Us", "ers/"), "a path of one machine"),
    ];
    let mut complaints = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for (place, what) in places.iter().filter(|(place, _)| line.contains(place)) {
            complaints.push(file.complaint(at + 1, &format!("names {what}: `{place}`")));
        }
    }
    complaints
}

/// Complains about white space at the end of a line, tabs, and a file whose last line is not ended once.
pub(super) fn stray_white_space(file: &File) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        if line.ends_with([' ', '\t']) {
            complaints.push(file.complaint(at + 1, "white space at the end of the line"));
        }
        if line.starts_with('\t') {
            complaints.push(file.complaint(at + 1, "indented with a tab"));
        }
    }
    if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
        complaints.push(file.complaint(file.text.lines().count(), "does not end with one end of line"));
    }
    complaints
}

/// Complains about links `[..](target)` to files that do not exist. Links that leave the repository are not followed.
pub(super) fn dead_links(file: &File, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = file.path.rsplit_once('/').map(|(folder, _)| folder);
    let mut complaints = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let from_root = folder.map_or_else(|| target.to_owned(), |folder| format!("{folder}/{target}"));
            if !exists(&from_root) {
                complaints.push(file.complaint(at + 1, &format!("the link to `{target}` leads nowhere")));
            }
        }
    }
    complaints
}

#[test]
fn a_registry_host_and_a_machine_path_are_refused() {
    let text = concat!("see https://crates", ".io/squall\nlog in /ho", "me/someone/log\n");
    let complaints = names_a_private_place(&File::new("README.md", text));
    assert_eq!(complaints.len(), 2, "{complaints:?}");
}

#[test]
fn a_line_that_ends_in_spaces_and_a_file_that_ends_in_no_line_are_refused() {
    let complaints = stray_white_space(&File::new("a.md", "one \n\ttwo\nthree"));
    assert_eq!(complaints.len(), 3, "{complaints:?}");
    assert!(stray_white_space(&File::new("a.md", "one\n")).is_empty());
}

#[test]
fn a_link_to_a_page_that_was_moved_is_refused() {
    let text = "see [that](gone.md#part), [this](https://example.org) and [here](kept.md)\n";
    let complaints = dead_links(&File::new("docs/a.md", text), |target| target == "docs/kept.md");
    assert_eq!(complaints, ["docs/a.md:1: the link to `gone.md` leads nowhere"]);
}
