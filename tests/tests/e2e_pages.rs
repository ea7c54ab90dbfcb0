//! The pages in a real browser on a real site: gateway, centre, pcscd with a virtual card, devices.
//!
//! Each flow is a file in `tests/browser/flows`; pictures of the screens go into `target/screens`.

use tests::browser;
use tests::site::{Site, SiteSettings};

async fn play(flow: &str, settings: &SiteSettings) {
    if !browser::is_here() {
        return;
    }
    let mut site = Site::start(settings).await.expect("a site");
    site.wait_catalogue().await.expect("the centre's catalogue");
    if let Err(error) = browser::play(flow, &mut site).await {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_page_opens_in_each_language_and_asks_nothing_elsewhere() {
    play("first_look", &SiteSettings::with_cards()).await;
}

/// Devices of the demonstration's people.
const DEVICES: [&str; 4] = ["btn-0001", "btn-0002", "cord-0001", "pend-0001"];

fn board() -> SiteSettings {
    SiteSettings { devices: DEVICES.map(str::to_owned).to_vec(), ..SiteSettings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_logs_in_and_out_and_too_many_wrong_passwords_lock() {
    play("board_login", &board()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_takes_an_alarm_to_its_end_in_four_clicks_or_four_keys() {
    play("board_alarm", &board()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_operators_at_once_one_has_the_alarm_and_the_other_sees_who() {
    play("board_two", &board()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_without_its_centre_says_so_and_is_never_calm() {
    play("board_line", &board()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_looks_up_history_figures_map_accounts_and_devices_in_every_look() {
    play("board_look", &board()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_name_is_the_board_shows_it_as_text() {
    play("board_names", &board()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_open_alarms_and_two_thousand_devices_stay_usable() {
    play("board_many", &board().and_load(300)).await;
}
