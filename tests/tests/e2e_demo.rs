//! The demonstration's story happens as it is told.

use tests::demo;
use tests::site::{Site, SiteSettings};

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_the_demonstration_happens_as_it_is_told() {
    let settings = SiteSettings {
        devices: ["btn-0001", "btn-0002", "cord-0001"].map(str::to_owned).into(),
        ..SiteSettings::with_cards()
    };
    let mut site = Site::start(&settings).await.expect("a site");
    let mut told = Vec::new();
    let played = demo::play(&mut site, &mut told).await;
    demo::addresses(&mut told, &site).expect("a buffer takes everything");
    let told = String::from_utf8_lossy(&told);
    assert!(played.is_ok(), "{}\n{told}", played.err().map(|error| error.to_string()).unwrap_or_default());
    for wanted in
        ["receipt  paid", "TAC valid", "press to acceptance by the centre", "mosquitto_pub -V mqttv311", "PIN"]
    {
        assert!(told.contains(wanted), "{wanted} is not in:\n{told}");
    }
}
