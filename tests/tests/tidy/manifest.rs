//! The members' manifests: who may see whom, and that nobody leaves the common lints.

use toml::{Table, Value};

use crate::Finding;
use crate::purity;

/// Members that a member may depend on. A member that is missing here has to be given its place.
const MAY_SEE: [(&str, &[&str]); 11] = [
    ("protocols", &[]),
    ("gateway-core", &["protocols"]),
    ("gateway", &["protocols", "gateway-core"]),
    ("central", &["protocols"]),
    ("firmware-core", &["protocols"]),
    ("firmware-host", &["protocols", "firmware-core"]),
    ("flash", &["protocols", "firmware-core"]),
    ("xtask", &[]),
    ("simulation", &["protocols", "gateway-core"]),
    (
        "tests",
        &[
            "protocols",
            "gateway-core",
            "gateway",
            "central",
            "firmware-core",
            "firmware-host",
            "flash",
            "simulation",
            "xtask",
        ],
    ),
    ("boards", &["protocols", "firmware-core"]),
];

const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// What is wrong with a member's `Cargo.toml`.
pub fn findings(path: &str, text: &str) -> Vec<Finding> {
    if !path.ends_with("/Cargo.toml") {
        return Vec::new();
    }
    let manifest: Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::new(path, 0, error.to_string())],
    };
    let name = manifest.get("package").and_then(|p| p.get("name")).and_then(Value::as_str).unwrap_or_default();
    let mut findings = Vec::new();
    let place = if path.starts_with("firmware/boards/") { "boards" } else { name };
    let Some((_, may_see)) = MAY_SEE.iter().find(|(member, _)| *member == place) else {
        return vec![Finding::new(path, 0, format!("`{name}` has no place among the crates yet: whom may it see?"))];
    };
    for section in DEPENDENCIES {
        for dependency in manifest.get(section).and_then(Value::as_table).into_iter().flat_map(Table::keys) {
            let member = MAY_SEE.iter().any(|(member, _)| member == dependency);
            if member && !may_see.contains(&dependency.as_str()) {
                findings.push(Finding::new(path, 0, format!("`{name}` may not see `{dependency}`")));
            }
            let pure = section == "dependencies" && purity::PURE.iter().any(|folder| path.starts_with(folder));
            if pure && purity::CRATES.contains(&dependency.replace('-', "_").as_str()) {
                findings.push(Finding::new(path, 0, format!("`{dependency}` has no place in a pure crate")));
            }
        }
    }
    if place != "boards" && manifest.get("lints").and_then(|l| l.get("workspace")) != Some(&Value::Boolean(true)) {
        findings.push(Finding::new(path, 0, "without `[lints] workspace = true`"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, name: &str, rest: &str) -> Vec<String> {
        let text = format!("[package]\nname = \"{name}\"\n[lints]\nworkspace = true\n{rest}");
        findings(path, &text).into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn a_dependency_against_the_direction_is_found() {
        let core = "gateway/core/Cargo.toml";
        assert_eq!(check(core, "gateway-core", "[dependencies]\nprotocols.workspace = true"), [""; 0]);
        assert_eq!(check(core, "gateway-core", "[dependencies]\ngateway = { path = \"..\" }").len(), 1);
        assert_eq!(
            check("gateway/Cargo.toml", "gateway", "[dev-dependencies]\ntests = { path = \"../tests\" }").len(),
            1
        );
    }

    #[test]
    fn a_runtime_in_a_pure_crate_is_found() {
        let core = "gateway/core/Cargo.toml";
        assert_eq!(check(core, "gateway-core", "[dependencies]\ntokio = \"1\"").len(), 1);
        assert_eq!(check(core, "gateway-core", "[dependencies]\nmqtt-protocol-core = \"1\"").len(), 1);
        assert_eq!(check("gateway/Cargo.toml", "gateway", "[dependencies]\ntokio = \"1\""), [""; 0]);
    }

    #[test]
    fn a_member_without_the_lints_is_found() {
        assert_eq!(findings("protocols/Cargo.toml", "[package]\nname = \"protocols\"").len(), 1);
    }

    #[test]
    fn a_member_without_a_place_is_found() {
        assert_eq!(check("gateway/extra/Cargo.toml", "extra", "").len(), 1);
    }
}
