//! What no file may hold: places outside the repository, addresses of package registries, notes of unfinished work.
//!
//! The patterns are put together here, so that this file does not hold them.

use crate::Finding;

/// Anywhere.
const ANYWHERE: [&str; 9] = [
    concat!("..", "/shared"),
    concat!("/wo", "rk/"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("registry.npm", "js.org"),
    concat!("pypi", ".org"),
    concat!("deb.debian", ".org"),
    concat!("<<<<", "<<< "),
    concat!(">>>>", ">>> "),
];

/// In source: unfinished work is an issue, not a comment.
const IN_SOURCE: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];

/// Places in which a file holds one of them.
pub fn forbidden(path: &str, text: &str) -> Vec<Finding> {
    let source = path.ends_with(".rs") || path.ends_with(".js") || path.ends_with(".toml");
    let patterns = || ANYWHERE.into_iter().chain(IN_SOURCE.into_iter().filter(|_| source));
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for pattern in patterns().filter(|pattern| line.contains(pattern)) {
            findings.push(Finding::new(path, index + 1, format!("holds `{pattern}`")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_is_found() {
        for pattern in ANYWHERE {
            let text = format!("first\nsee {pattern}x\n");
            assert_eq!(forbidden("README.md", &text).first().map(|f| f.line), Some(2), "{pattern}");
        }
        for pattern in IN_SOURCE {
            let text = format!("// {pattern} later\n");
            assert_eq!(forbidden("a.rs", &text).len(), 1, "{pattern}");
            assert_eq!(forbidden("a.md", &text), [], "{pattern}");
        }
    }

    #[test]
    fn ordinary_text_is_not() {
        assert_eq!(forbidden("a.md", "work/shared and /working/ in network/"), []);
    }
}
