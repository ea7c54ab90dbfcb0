//! Which sales are those of today, and when a late press happened.

use gateway_core::{Mono, SaleView};
use jiff::tz::TimeZoneDatabase;
use protocols::unit::Points;
use protocols::uplink::{Clock, Tender};

use super::*;
use crate::time_source::ZONE;

fn sale(id: &str, state: &'static str, started_at: &str) -> SaleView {
    SaleView {
        id: id.to_owned(),
        state,
        tender: Tender::Purse,
        reader: "kiosk-1".parse().expect("a name"),
        amount: Points::ZERO,
        items: Vec::new(),
        reason: None,
        doubt: None,
        settled_by: None,
        balance: None,
        purse_offered: false,
        started_at: started_at.to_owned(),
        origin: None,
        lines: Vec::new(),
        subsidy: Points::ZERO,
        balance_before: None,
        receipt: None,
        ended_at: None,
        card_wait_left_ms: None,
    }
}

fn answers() -> Answers {
    Answers {
        gateway: "gw-1".parse().expect("a name"),
        started_at: Arc::from(""),
        reader: None,
        space: None,
        directory: Arc::new(DeviceDirectory::new(Vec::new())),
        zone: TimeZoneDatabase::bundled().get(ZONE).expect("the zone is bundled"),
        troubles: Troubles::default(),
        scrubbed: Scrubbed::default(),
    }
}

#[test]
fn when_a_late_press_happened_is_told_in_civil_time_across_midnight() {
    let happened = answers().before("2026-11-24T00:30:00.250+08:00", 3 * 3_600_000);
    assert_eq!(happened.as_deref(), Some("2026-11-23T21:30:00+08:00"));
    assert_eq!(answers().before("no time", 1), None);
}

#[test]
fn sales_of_today_are_those_of_the_civil_day_in_shanghai_and_those_that_have_not_ended() {
    let answers = answers();
    // Half past midnight in Shanghai; still the day before in UTC.
    let at: Timestamp = "2026-11-24T00:30:00+08:00".parse().expect("a time");
    let now = Now {
        mono: Mono(0),
        wall: UnixMs(at.as_millisecond()),
        civil: Arc::from("2026-11-24T00:30:00.000+08:00"),
        clock: Clock::Trusted,
    };
    let sales = vec![
        sale("today", "paid", "2026-11-24T00:00:00.000+08:00"),
        sale("yesterday", "paid", "2026-11-23T23:59:59.999+08:00"),
        sale("doubtful", "unknown", "2026-11-20T12:00:00.000+08:00"),
        sale("open", "in_progress", "2026-11-23T23:59:50.000+08:00"),
        sale("refused-long-ago", "refused", "2025-11-24T00:10:00.000+08:00"),
    ];
    let shown: Vec<String> = answers.sales_of_today(sales, &now).into_iter().map(|sale| sale.id).collect();
    assert_eq!(shown, ["today", "doubtful", "open"]);
}
