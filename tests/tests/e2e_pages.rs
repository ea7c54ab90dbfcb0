//! The pages in a real browser on a real site: gateway, centre, pcscd with a virtual card, devices.
//!
//! Each flow is a file in `tests/browser/flows`; pictures of the screens go into `target/screens`.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tests::browser::{self, crowd};
use tests::faults::meddler::{Act, Asked, Meddler};
use tests::site::{Site, SiteSettings};

async fn play(flow: &str, settings: &SiteSettings) {
    if !browser::is_here() {
        return;
    }
    play_on(flow, Site::start(settings).await.expect("a site")).await;
}

/// Plays a flow on a site that runs.
async fn play_on(flow: &str, mut site: Site) {
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
async fn a_board_shows_nothing_as_certain_that_is_not_and_acts_on_what_is_on_the_screen() {
    play("board_sure", &board()).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn an_elder_lays_the_card_on_sees_what_there_is_and_pays_with_points() {
    play("kiosk_card_first", &SiteSettings::with_cards()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_elder_chooses_first_pays_from_the_purse_by_keyboard_and_is_charged_once_after_reloads() {
    play("kiosk_choose_first", &SiteSettings::with_cards()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_paid_says_why_and_what_to_do_and_charges_nothing() {
    play("kiosk_refused", &SiteSettings::with_cards()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_is_shown_as_unknown_and_nothing_is_pretended_while_the_gateway_is_gone() {
    play("kiosk_torn", &SiteSettings::with_cards()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_the_staff_goes_to_its_end_and_the_page_forgets_who_went_away() {
    play("kiosk_help_idle", &SiteSettings::with_cards()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_left_behind_at_the_kiosk_pays_for_nobody_else() {
    play("kiosk_left_behind", &SiteSettings::with_cards()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paid_at_the_kiosk_stands_at_the_board_with_its_proofs() {
    play("money_to_board", &SiteSettings::with_cards()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kiosk_is_readable_in_each_look_and_shows_any_name_as_text() {
    play("kiosk_looks", &SiteSettings::with_cards()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_log_in_and_too_many_wrong_pins_lock_the_page_over_a_restart() {
    play("staff_login", &SiteSettings::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_take_an_alarm_from_the_press_to_its_end_by_touch_and_by_keys() {
    play("staff_alarm", &SiteSettings::with_cards()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_try_a_device_out_and_see_what_came_in_or_what_to_check() {
    // Long enough to press while it runs, and no longer: the flow waits for its end.
    let settings = SiteSettings { device_test_s: 20, ..SiteSettings::default() };
    play("staff_device", &settings.and_load(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_see_what_settles_an_unknown_sale_and_that_it_is_settled() {
    play("staff_sales", &SiteSettings::with_cards()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_see_that_a_gateway_is_lost_and_go_on_when_it_is_back() {
    play("staff_lost", &SiteSettings::with_cards()).await;
}

/// Twice the centre's word about a mains report is a refusal, then it is the centre's own.
fn refusing_twice() -> impl Fn(&Asked) -> Act + Send + Sync + 'static {
    let refused = AtomicUsize::new(0);
    move |asked| {
        let entries: Vec<Value> = asked.body["entries"].as_array().cloned().unwrap_or_default();
        let is_it = |entry: &&Value| entry["entry"].as_str().is_some_and(|entry| entry.contains("mains_restored"));
        let Some(n) = entries.iter().find(is_it).map(|entry| entry["n"].clone()) else { return Act::Pass };
        if refused.fetch_add(1, Ordering::Relaxed) >= 2 {
            return Act::Pass;
        }
        Act::change(move |answer| {
            for result in answer["results"].as_array_mut().into_iter().flatten().filter(|result| result["n"] == n) {
                (result["outcome"], result["reason"]) = (json!("refused"), json!("body"));
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_send_an_entry_in_quarantine_again_until_the_centre_takes_it() {
    if !browser::is_here() {
        return;
    }
    let mut site = Site::prepare(&SiteSettings::default()).await.expect("a site");
    let line = Meddler::start(site.centre.api.base()).await.expect("a port");
    line.script(refusing_twice());
    site.gateway.reroute(&[line.url()], "").expect("its configuration");
    site.centre.start().await.expect("the centre runs");
    site.gateway.start().await.expect("the gateway runs");
    play_on("staff_quarantine", site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_use_the_page_with_300_open_alarms_2000_devices_and_odd_names() {
    if !browser::is_here() {
        return;
    }
    let site = crowd::of_staff().await.expect("a site");
    play_on("staff_many", site).await;
}
