//! Whether gateway and centre see the same alarms, and whether each step that was answered counts.

use std::collections::BTreeMap;

use super::people::{STATES, Steps};
use crate::site::Site;
use crate::site::error::SiteError;
use crate::site::records::Records;

/// Alarms by their ids, with their states.
pub type Alarms = BTreeMap<String, String>;

/// What the two sides see differently at this moment, and steps that were lost. Empty is the good end.
///
/// # Errors
/// The gateway does not answer.
///
/// # Panics
/// When the centre's database cannot be read.
pub async fn differences(site: &Site, steps: &[&Steps]) -> Result<Vec<String>, SiteError> {
    let shown = site.gateway.api.read("/api/v1/alarms").await?;
    let gateway: Alarms = shown
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|alarm| Some((alarm["id"].as_str()?.to_owned(), alarm["state"].as_str()?.to_owned())))
        .collect();
    let mut records = Records::open(&site.centre.database).await.expect("the centre's database is there");
    let all = records.alarm_states().await.expect("the centre's database can be read");
    let centre: Alarms = all.into_iter().map(|(id, rank)| (id, word(rank).to_owned())).collect();
    Ok([compare(&gateway, &centre), lost(steps, &centre)].concat())
}

/// Open alarms at the gateway against all alarms at the centre.
#[must_use]
pub fn compare(gateway: &Alarms, centre: &Alarms) -> Vec<String> {
    let here = gateway.iter().filter(|(id, state)| centre.get(*id) != Some(state));
    let here = here.map(|(id, state)| format!("{id} is {state} at the gateway and {:?} at the centre", centre.get(id)));
    let there = centre.iter().filter(|(id, state)| *state != "resolved" && !gateway.contains_key(*id));
    let there = there.map(|(id, state)| format!("{id} is {state} at the centre and not open at the gateway"));
    here.chain(there).collect()
}

/// Steps that were answered with success and that the centre does not show.
fn lost(steps: &[&Steps], centre: &Alarms) -> Vec<String> {
    let rank = |state: &str| STATES.iter().position(|known| *known == state);
    let taken = steps.iter().flat_map(|steps| &steps.taken);
    let lost = taken.filter(|(id, state)| centre.get(id).and_then(|at_centre| rank(at_centre)) < rank(state));
    lost.map(|(id, state)| format!("{id} was taken to {state} and is {:?} at the centre", centre.get(id))).collect()
}

fn word(rank: i64) -> &'static str {
    usize::try_from(rank).ok().and_then(|rank| STATES.get(rank).copied()).unwrap_or("without a state")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarms(all: &[(&str, &str)]) -> Alarms {
        all.iter().map(|(id, state)| ((*id).to_owned(), (*state).to_owned())).collect()
    }

    #[test]
    fn an_alarm_that_one_side_sees_otherwise_or_not_at_all_is_found() {
        let centre = alarms(&[("a", "dispatched"), ("b", "resolved"), ("c", "accepted")]);
        assert!(compare(&alarms(&[("a", "dispatched"), ("c", "accepted")]), &centre).is_empty());
        let found = compare(&alarms(&[("a", "accepted"), ("b", "on_site"), ("d", "raised")]), &centre);
        assert_eq!(found.len(), 4, "{found:?}");
    }

    #[test]
    fn a_step_that_was_answered_and_is_not_at_the_centre_is_found() {
        let centre = alarms(&[("a", "dispatched")]);
        let steps = |taken: &[(&str, &'static str)]| Steps {
            taken: taken.iter().map(|(id, state)| ((*id).to_owned(), *state)).collect(),
            ..Steps::default()
        };
        assert!(lost(&[&steps(&[("a", "acknowledged"), ("a", "dispatched")])], &centre).is_empty());
        assert_eq!(lost(&[&steps(&[("a", "on_site"), ("b", "acknowledged")])], &centre).len(), 2);
    }
}
