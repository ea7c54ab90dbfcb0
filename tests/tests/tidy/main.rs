//! Tidy: what the house style lets a program check, checked over every file of the repository.
//!
//! Each check is a function from a file to its findings, with tests of its own that show it failing. The lengths of functions,
//! printing in libraries and the like are left to clippy (`[workspace.lints]`, `.clippy.toml`).
//!
//! **Invariant:** what git ignores is not looked at; what is not yet committed is.

mod claims;
mod layout;
mod links;
mod manifest;
mod page_words;
mod pages;
mod purity;
mod source;
mod words;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A place that is not tidy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    path: String,
    /// From 1; 0: the file as a whole.
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// Every file of the repository.
struct Repository {
    root: PathBuf,
    paths: BTreeSet<String>,
}

impl Repository {
    fn open() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies in the root").to_path_buf();
        let git = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&root)
            .output()
            .expect("git is installed");
        assert!(git.status.success(), "git ls-files: {}", String::from_utf8_lossy(&git.stderr));
        let paths: BTreeSet<String> = String::from_utf8(git.stdout)
            .expect("file names are UTF-8")
            .split_terminator('\0')
            // What was deleted and not yet committed.
            .filter(|path| root.join(path).exists())
            .map(str::to_owned)
            .collect();
        assert!(paths.contains("Cargo.toml"), "this is not the root: {}", root.display());
        Self { root, paths }
    }

    /// The files that are text, as path and text.
    fn texts(&self) -> impl Iterator<Item = (&str, String)> {
        self.paths.iter().filter_map(|path| {
            let text =
                String::from_utf8(std::fs::read(self.root.join(path)).expect("a file of the repository")).ok()?;
            Some((path.as_str(), text))
        })
    }

    fn check(&self, check: impl Fn(&str, &str) -> Vec<Finding>) {
        assert_none(self.texts().flat_map(|(path, text)| check(path, &text)).collect());
    }
}

fn assert_none(findings: Vec<Finding>) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

#[test]
fn no_file_is_longer_than_the_limit() {
    Repository::open().check(layout::file_too_long);
}

/// Never fails: the configuration of nextest shows what it prints.
#[test]
fn files_longer_than_the_aim_are_listed() {
    let repository = Repository::open();
    for finding in repository.texts().flat_map(|(path, text)| layout::file_longer_than_the_aim(path, &text)) {
        println!("{finding}");
    }
}

#[test]
fn every_source_file_begins_with_what_it_is_for() {
    Repository::open().check(layout::header_missing);
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    Repository::open().check(layout::module_name_says_nothing);
}

#[test]
fn the_top_level_holds_only_what_belongs_there() {
    assert_none(Repository::open().paths.iter().filter_map(|path| layout::not_at_top_level(path)).collect());
}

#[test]
fn decision_records_have_numbers_of_their_own() {
    assert_none(layout::decision_numbers(&Repository::open().paths));
}

#[test]
fn the_pure_crates_name_nothing_from_outside() {
    Repository::open().check(purity::impure_names);
}

#[test]
fn the_manifests_keep_the_direction_and_the_lints() {
    Repository::open().check(manifest::findings);
}

#[test]
fn no_relative_link_in_a_document_is_dead() {
    let repository = Repository::open();
    let headings = |path: &str| std::fs::read_to_string(repository.root.join(path)).ok().map(|t| links::anchors(&t));
    repository.check(|path, text| links::dead(path, text, &repository.paths, &headings));
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let repository = Repository::open();
    let functions = repository.texts().flat_map(|(path, text)| claims::functions(path, &text)).collect();
    repository.check(|path, text| claims::without_test(path, text, &functions));
}

#[test]
fn nothing_names_what_lies_outside_the_repository() {
    Repository::open().check(words::forbidden);
}

#[test]
fn every_code_that_a_page_can_be_told_has_words_there_in_both_languages() {
    let root = Repository::open().root;
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let words = |path: &str| serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_none(
        page_words::ALL.iter().flat_map(|codes| page_words::missing(&read(codes.path), codes, &words)).collect(),
    );
}

#[test]
fn no_file_of_a_page_has_what_a_page_must_not_have() {
    Repository::open().check(pages::banned);
}

#[test]
fn both_languages_have_the_same_texts_each_that_is_asked_for_and_none_that_is_not() {
    let repository = Repository::open();
    let keys = |path: &str| {
        let text = std::fs::read_to_string(repository.root.join(path)).expect("texts");
        pages::keys(path, &serde_json::from_str(&text).expect("JSON")).unwrap_or_else(|finding| panic!("{finding}"))
    };
    let known = keys(pages::TEXTS[0]);
    assert_eq!(known, keys(pages::TEXTS[1]));
    repository.check(|path, text| pages::asked_for_in_vain(path, text, &known));
    let sources: String = repository.texts().filter(|(path, _)| pages::is_page(path)).map(|(_, text)| text).collect();
    assert_none(pages::never_asked_for(&known, &sources));
}

#[test]
fn no_page_is_heavy_and_everything_that_it_leads_to_is_there() {
    let repository = Repository::open();
    let served = |path: &str| pages::FOLDERS.iter().any(|(folder, _)| path.starts_with(folder));
    let files: std::collections::BTreeMap<String, String> =
        repository.texts().filter(|(path, _)| served(path)).map(|(path, text)| (path.to_owned(), text)).collect();
    let mut found = Vec::new();
    let html: Vec<&String> = files.keys().filter(|path| path.ends_with(".html")).collect();
    assert_eq!(html.len(), 3, "kiosk, staff page and board: {html:?}");
    for page in html {
        let (bytes, findings) = pages::weight(page, &files);
        println!("{page}: {bytes} bytes");
        found.extend(findings);
    }
    assert_none(found);
}
