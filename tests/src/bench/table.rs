//! Figures and goals as they are printed: each figure with its median and spread, each goal met or missed.

use std::io::{self, Write};

/// One figure, measured a few times.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// Its unit.
    pub unit: &'static str,
    /// What each round gave.
    pub values: Vec<f64>,
    /// What else is worth knowing.
    pub note: String,
}

impl Figure {
    /// The median; zero when nothing was measured.
    #[must_use]
    pub fn median(&self) -> f64 {
        median(&self.values)
    }
}

/// What is to be reached.
#[derive(Debug, Clone)]
pub struct Goal {
    /// In words.
    pub name: String,
    /// What was measured.
    pub found: f64,
    /// The bound.
    pub bound: f64,
    /// Whether the figure must be at least the bound; else at most.
    pub at_least: bool,
    /// Of both.
    pub unit: &'static str,
}

impl Goal {
    /// A figure that must not be smaller.
    #[must_use]
    pub fn at_least(name: &str, found: f64, bound: f64, unit: &'static str) -> Self {
        Self { name: name.to_owned(), found, bound, at_least: true, unit }
    }

    /// A figure that must not be larger.
    #[must_use]
    pub fn at_most(name: &str, found: f64, bound: f64, unit: &'static str) -> Self {
        Self { name: name.to_owned(), found, bound, at_least: false, unit }
    }

    /// Whether it was reached. Nothing measured reaches nothing.
    #[must_use]
    pub fn is_met(&self) -> bool {
        let reached = if self.at_least { self.found >= self.bound } else { self.found <= self.bound };
        reached && self.found > 0.0
    }
}

/// The table while it is made: each figure is printed as soon as it is there.
pub struct Table<'o> {
    out: &'o mut dyn Write,
    goals: Vec<Goal>,
}

impl<'o> Table<'o> {
    /// An empty one.
    pub fn new(out: &'o mut dyn Write) -> Self {
        Self { out, goals: Vec::new() }
    }

    /// A line of words.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// A heading over figures.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn heading(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "\n{text:<66} {:>14}   least … most", "median")
    }

    /// Prints a figure.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn figure(&mut self, figure: &Figure) -> io::Result<()> {
        let (least, most) = spread(&figure.values);
        let note = if figure.note.is_empty() { String::new() } else { format!("   {}", figure.note) };
        let (median, unit) = (shown(figure.median()), figure.unit);
        writeln!(self.out, "{:<66} {median:>9} {unit:<4}   {} … {}{note}", figure.name, shown(least), shown(most))
    }

    /// Notes a goal for the end.
    pub fn goal(&mut self, goal: Goal) {
        self.goals.push(goal);
    }

    /// Prints the goals; whether all were met.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end(self) -> io::Result<bool> {
        if self.goals.is_empty() {
            return Ok(true);
        }
        writeln!(self.out, "\ngoals")?;
        for goal in &self.goals {
            let word = if goal.is_met() { "met   " } else { "MISSED" };
            let sign = if goal.at_least { "≥" } else { "≤" };
            let (found, bound) = (shown(goal.found), shown(goal.bound));
            writeln!(self.out, "  {word}  {}: {found} {sign} {bound} {}", goal.name, goal.unit)?;
        }
        Ok(self.goals.iter().all(Goal::is_met))
    }
}

/// The middle value; of an even number the lower middle one, which was measured.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

fn spread(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().reduce(f64::min).unwrap_or(0.0);
    let most = values.iter().copied().reduce(f64::max).unwrap_or(0.0);
    (least, most)
}

/// Three places that count, thousands apart.
fn shown(value: f64) -> String {
    if value.abs() < 10.0 {
        return format!("{value:.2}");
    }
    if value.abs() < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown_with_thousands_apart_and_medians_were_measured() {
        assert_eq!(shown(1_234_567.4), "1,234,567");
        assert_eq!(shown(999.0), "999");
        assert_eq!(shown(12.345), "12.3");
        assert_eq!(shown(0.5), "0.50");
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0]), 1.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn a_goal_of_which_nothing_was_measured_is_missed() {
        assert!(!Goal::at_most("x", 0.0, 5.0, "ms").is_met());
        assert!(Goal::at_most("x", 4.0, 5.0, "ms").is_met());
        assert!(Goal::at_least("x", 5.0, 5.0, "/s").is_met());
        let mut out = Vec::new();
        let mut table = Table::new(&mut out);
        table.goal(Goal::at_least("x", 5.0, 6.0, "/s"));
        assert!(!table.end().expect("memory"));
        assert!(String::from_utf8_lossy(&out).contains("MISSED  x: 5.00 ≥ 6.00 /s"));
    }
}
