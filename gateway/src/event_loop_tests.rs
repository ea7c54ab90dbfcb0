//! No source of inputs keeps another from being heard.

use gateway_core::{LinkId, ReplyToken, SessionId};

use super::*;

/// More turns than a fair choice among six sources ever needs.
const TURNS: usize = 1_000;

fn report() -> LinkInput {
    let device = "btn-0001".parse().expect("a name");
    LinkInput::Disconnected { device, session: SessionId { link: LinkId::Device, number: 1 } }
}

#[tokio::test]
async fn a_flood_of_reports_keeps_neither_people_nor_the_centre_waiting() {
    let (reports, link) = mpsc::channel(INPUTS_PER_TURN);
    let (_store, store) = mpsc::channel(1);
    let (answers, uplink) = mpsc::channel(1);
    let (people, desk) = mpsc::channel(1);
    let (_card, card) = mpsc::channel(1);
    let (_queries, queries) = mpsc::channel(1);
    let (_stop, mut shutdown) = watch::channel(false);
    let mut inputs = Inputs { link, store, uplink, desk, card, queries };
    let wish = DeskInput::CancelSale { reply: ReplyToken(1), sale: "none".to_owned() };
    people.try_send(wish).expect("room for one");
    let failed = Err(gateway_core::UplinkFailure::Unreachable);
    let answer = UplinkInput::HoldAnswered { sale: "none".to_owned(), result: failed };
    answers.try_send(answer).expect("room for one");

    let (mut people_heard, mut centre_heard) = (false, false);
    let mut taken = Vec::new();
    for _ in 0..TURNS {
        while reports.try_send(report()).is_ok() {}
        match select(&mut inputs, &mut taken, &mut shutdown, true, IDLE_LOOK).await {
            Turn::Link => taken.clear(),
            Turn::Desk(_) => people_heard = true,
            Turn::Uplink(_) => centre_heard = true,
            Turn::Store(_) | Turn::Card(_) | Turn::Query(_) | Turn::Time | Turn::Ended(_) => {
                panic!("nothing else came")
            }
        }
        if people_heard && centre_heard {
            return;
        }
    }
    panic!("after {TURNS} turns: people heard: {people_heard}, centre heard: {centre_heard}");
}
