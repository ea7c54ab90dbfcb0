//! The table of a long run: what was done, on which machine, when. To be put into `gateway/docs/long-run.md`.
//!
//! **Invariant:** each row is a line that a test printed after it had passed its checks; nothing is made up here.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::cargo;

/// What such a line begins with, in the output of a test.
const FIGURES: &str = "FIGURES | ";

/// What was done, from the outputs that nextest kept: `FIGURES | what | figures | seconds`.
fn rows(outputs: &str) -> Vec<[&str; 3]> {
    outputs
        .lines()
        .filter_map(|line| line.find(FIGURES).and_then(|at| line.get(at.saturating_add(FIGURES.len())..)))
        .map(|line| line.split("</").next().unwrap_or(line))
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim);
            let row = [cells.next()?, cells.next()?, cells.next()?];
            cells.next().is_none().then_some(row)
        })
        .collect()
}

/// The table, in Markdown.
fn table(outputs: &str, machine: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (what, value) in machine {
        text.push_str(&format!("* {what}: {value}\n"));
    }
    text.push_str("\n| what | figures | seconds |\n|---|---|---|\n");
    for [what, figures, seconds] in rows(outputs) {
        text.push_str(&format!("| {what} | {figures} | {seconds} |\n"));
    }
    text
}

/// Writes the table beside what was built; says where, and the table itself.
pub fn write(outputs: &str) -> io::Result<(PathBuf, String)> {
    let path = cargo::target().join("long-run.md");
    let text = table(outputs, &machine());
    fs::write(&path, &text)?;
    Ok((path, text))
}

/// When, of what, on what; a fact that the machine does not tell is left out.
fn machine() -> Vec<(&'static str, String)> {
    let facts = [
        ("date", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("commit", said("git", &["describe", "--always", "--dirty", "--abbrev=12"])),
        ("processor", field("/proc/cpuinfo", "model name")),
        ("processors", std::thread::available_parallelism().ok().map(|count| count.to_string())),
        ("memory", field("/proc/meminfo", "MemTotal")),
        ("kernel", fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned())),
    ];
    facts.into_iter().filter_map(|(what, value)| Some((what, value?))).collect()
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = cargo::command(program);
    let output = command.args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|text| !text.is_empty())
}

/// The first value of this name in a file of lines `name : value`.
fn field(file: impl AsRef<Path>, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
    value.map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUTS: &str = "<system-out>running 1 test\nSEED=7 repeats the choices\n\
        FIGURES | power cuts | 10 cuts, 4711 reports acknowledged, 0 lost | 12</system-out>\n\
        FIGURES | kills | 3 kills | 4\nFIGURES | no row\nFIGURES | too | many | cells | 5\n";

    #[test]
    fn the_lines_of_figures_become_rows_and_others_do_not() {
        let power = ["power cuts", "10 cuts, 4711 reports acknowledged, 0 lost", "12"];
        assert_eq!(rows(OUTPUTS), [power, ["kills", "3 kills", "4"]]);
    }

    #[test]
    fn the_table_has_the_machine_and_the_rows() {
        let text = table(OUTPUTS, &[("kernel", "6.1".to_owned())]);
        assert!(text.starts_with("* kernel: 6.1\n\n| what |"), "{text}");
        assert!(text.ends_with("| kills | 3 kills | 4 |\n"), "{text}");
    }

    #[test]
    fn this_machine_tells_its_kernel_and_its_memory() {
        let facts = machine();
        for wanted in ["kernel", "memory", "processors"] {
            assert!(facts.iter().any(|(what, _)| *what == wanted), "{facts:?}");
        }
    }
}
