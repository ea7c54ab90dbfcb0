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
