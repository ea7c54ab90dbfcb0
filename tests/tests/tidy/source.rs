//! Rust source as far as tidy needs it: code without comments and literals, and the paths that `use` names.

/// The text with comments, strings and character literals blanked, line by line as long as before.
pub fn code_only(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        let rest = &characters[at..];
        let blank = match character {
            '/' if rest.get(1) == Some(&'/') => rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
            '/' if rest.get(1) == Some(&'*') => block_comment(rest),
            '"' => string(rest),
            'r' if !follows_a_word(&code) || code.ends_with(['b', 'c']) => raw_string(rest),
            '\'' => character_literal(rest),
            _ => 0,
        };
        if blank == 0 {
            code.push(character);
            at += 1;
        } else {
            code.extend(rest[..blank].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at += blank;
        }
    }
    code
}

fn follows_a_word(code: &str) -> bool {
    code.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// Block comments nest.
fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth.saturating_sub(1), at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while let Some(character) = rest.get(at) {
        at += match character {
            '\\' => 2,
            '"' => return at + 1,
            _ => 1,
        };
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`; 0 for a word that begins with r, and for a raw identifier.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let body = 2 + hashes;
    let end = (body..rest.len())
        .find(|&at| rest[at] == '"' && rest[at + 1..].iter().take_while(|&&c| c == '#').count() >= hashes);
    end.map_or(rest.len(), |end| end + 1 + hashes)
}

/// `'a'`, `'\n'`; 0 for a lifetime.
fn character_literal(rest: &[char]) -> usize {
    match rest {
        ['\'', '\\', _, tail @ ..] => tail.iter().position(|&c| c == '\'').map_or(0, |end| end + 4),
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    }
}

/// Every path that a `use` in this code names, with its groups written out, and the line where the `use` begins.
pub fn used_paths(code: &str) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("use") {
        let (before, rest) = (&code[..at], &code[at + 3..]);
        let Some((tree, _)) = rest.split_once(';') else { continue };
        if follows_a_word(before) || !rest.starts_with(char::is_whitespace) {
            continue;
        }
        let line = before.matches('\n').count() + 1;
        let mut expanded = Vec::new();
        expand("", &renamed_away(tree), &mut expanded);
        paths.extend(expanded.into_iter().map(|path| (line, path)));
    }
    paths
}

/// Without `as name`, and without white space.
fn renamed_away(tree: &str) -> String {
    let mut words =
        tree.split_inclusive([',', '{', '}']).flat_map(|part| part.split(" as ").take(1).chain(closing(part)));
    let joined: String = words.by_ref().collect();
    joined.split_whitespace().collect()
}

/// What ends a part of a tree whose renaming was cut off.
fn closing(part: &str) -> Option<&str> {
    let end = part.char_indices().next_back().map(|(at, _)| at)?;
    (part.contains(" as ") && part.ends_with([',', '}'])).then(|| &part[end..])
}

fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    for branch in branches(tree) {
        match branch.split_once('{') {
            Some((head, group)) => {
                expand(&format!("{prefix}{head}"), group.strip_suffix('}').unwrap_or(group), paths);
            }
            None if branch == "self" => paths.push(prefix.trim_end_matches("::").to_owned()),
            None if branch.is_empty() => {}
            None => paths.push(format!("{prefix}{branch}").trim_start_matches("::").to_owned()),
        }
    }
}

/// Splits at the commas outside of groups.
fn branches(tree: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, character) in tree.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tree[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squeezed(text: &str) -> String {
        code_only(text).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        assert_eq!(squeezed("a // b\nc /* d /* e */ f */ g"), "a c g");
        assert_eq!(squeezed(r#"a "b \" // c" d"#), "a d");
        assert_eq!(squeezed(r##"a r#"b " c"# d br"x\" e"##), "a d b e");
        assert_eq!(squeezed(r"a 'b' '\'' '\u{1F600}' c '字' d"), "a c d");
    }

    #[test]
    fn lifetimes_and_raw_identifiers_stay() {
        assert_eq!(squeezed("fn f<'a>(x: &'a str, r#use: u8) {}"), "fn f<'a>(x: &'a str, r#use: u8) {}");
        assert_eq!(squeezed("for x in bar {} // r"), "for x in bar {}");
    }

    #[test]
    fn lines_keep_their_numbers() {
        assert_eq!(code_only("/*\n\n*/ a \"\n\" b").lines().count(), 4);
    }

    fn paths(code: &str) -> Vec<String> {
        used_paths(code).into_iter().map(|(_, path)| path).collect()
    }

    #[test]
    fn groups_are_written_out() {
        assert_eq!(paths("use std::env;"), ["std::env"]);
        assert_eq!(
            paths("pub(crate) use std::{env, fs::{self, File as Handle}, time::*};"),
            ["std::env", "std::fs", "std::fs::File", "std::time::*"]
        );
        assert_eq!(
            paths("use std::collections::{\n    BTreeMap,\n    HashMap as Map,\n};"),
            ["std::collections::BTreeMap", "std::collections::HashMap"]
        );
        assert_eq!(paths("use ::rand as dice;\nlet reuse = 1; used(x);"), ["rand"]);
    }

    #[test]
    fn a_use_knows_its_line() {
        assert_eq!(used_paths("\n\n    use a::b;"), [(3, "a::b".to_owned())]);
    }
}
