//! People who take alarms further: operators at the centre, staff at the site, on the same alarms at the same time.
//!
//! **Invariant:** a step counts as taken only when the interface answered with success.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::limits::{RESOLVED_AT_ONCE, STEP};
use crate::site::dice::Dice;
use crate::site::http::{Answer, Api};

/// The states, forward only.
pub const STATES: [&str; 6] = ["raised", "accepted", "acknowledged", "dispatched", "on_site", "resolved"];

/// What came of a person's steps.
#[derive(Debug, Default)]
pub struct Steps {
    /// The alarm and the state that it has at least, for each step that was answered with success.
    pub taken: Vec<(String, &'static str)>,
    /// Answers that no fault around explains: their status, their code, and how often.
    pub wrong: BTreeMap<String, u32>,
    /// Steps on alarms that somebody had just taken further, or without an answer.
    pub in_vain: u32,
}

/// Takes any open alarm of this list a step further, again and again until told to stop.
pub async fn work(api: &Api, list: &str, mut dice: Dice, stop: &AtomicBool) -> Steps {
    let mut steps = Steps::default();
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(dice.between(*STEP.start(), *STEP.end())).await;
        // A service that is down, or its line; the next look tells.
        let Ok(shown) = api.read(list).await else { continue };
        let Some((alarm, step, state)) = next_step(&shown, &mut dice) else { continue };
        let answer = api
            .post(&format!("/api/v1/alarms/{alarm}/{step}"), &json!({"cause": "false_alarm", "take_over": true}))
            .await;
        match answer {
            Ok(answer) if answer.is_success() => steps.taken.push((alarm, state)),
            Ok(answer) if is_wrong(&answer) => {
                let count = steps.wrong.entry(format!("{step}: {} {}", answer.status, answer.text)).or_default();
                *count = count.saturating_add(1);
            }
            Ok(_) | Err(_) => steps.in_vain = steps.in_vain.saturating_add(1),
        }
    }
    steps
}

/// Any of the open alarms, the word of its next step, and the state that it leads to.
fn next_step(shown: &Value, dice: &mut Dice) -> Option<(String, &'static str, &'static str)> {
    let alarms = shown.as_array().or_else(|| shown["alarms"].as_array())?;
    let alarm = dice.pick(alarms)?;
    let id = alarm["id"].as_str()?.to_owned();
    let at_once = dice.below(RESOLVED_AT_ONCE) == 0;
    let (step, state) = match alarm["state"].as_str()? {
        _ if at_once => ("resolve", "resolved"),
        "raised" | "accepted" => ("acknowledge", "acknowledged"),
        "acknowledged" => ("dispatch", "dispatched"),
        "dispatched" => ("on_site", "on_site"),
        _ => ("resolve", "resolved"),
    };
    Some((id, step, state))
}

/// An alarm that is gone meanwhile, and a service that cannot just now, are no wrong answers.
fn is_wrong(answer: &Answer) -> bool {
    !matches!(answer.status, 404 | 409 | 503)
}
