//! Sites with as much on their pages as there ever is: 300 open alarms and 2,000 devices. For the tests of the pages and for the bench.

use crate::site::error::SiteError;
use crate::site::{Site, SiteSettings};

/// Devices that press.
const ALARMS: usize = 300;
/// The last number of the others; a few with odd names make them 2,000.
const LAST: usize = 1_999;

/// Places as nobody should write them.
const ODD_PLACES: [(&str, &str); 4] = [
    ("odd-1", "<b>粗体</b><script>window.broken = 1</script>"),
    ("odd-2", "غرفة ١٢ في الطابق الثالث"),
    ("odd-3", "👵🏽🚑 3号楼"),
    ("odd-4", "很长很长很长很长很长很长很长很长很长很长很长很长很长很长的名字"),
];

/// A site for the flow `board_many`, which adds the devices itself.
///
/// # Errors
/// It cannot be started.
pub async fn of_board() -> Result<Site, SiteError> {
    Site::start(&SiteSettings::default().and_load(ALARMS)).await
}

/// A site for the flow `staff_many`.
///
/// # Errors
/// It cannot be started.
pub async fn of_staff() -> Result<Site, SiteError> {
    let loads = (1..=ALARMS).map(|number| format!("load-{number:04}"));
    let many = (ALARMS + 1..=LAST).map(|number| format!("many-{number:04}"));
    let odd = ODD_PLACES.iter().map(|(device, _)| (*device).to_owned());
    let settings = SiteSettings { many: loads.chain(many).chain(odd).collect(), ..SiteSettings::default() };
    let mut site = Site::prepare(&settings).await?;
    let file = site.directory().join("devices.toml");
    let mut text = std::fs::read_to_string(&file).map_err(SiteError::file(&file))?;
    for (device, place) in ODD_PLACES {
        let line = format!("id = \"{device}\"\n");
        text = text.replace(&line, &format!("{line}place = \"{place}\"\n"));
    }
    std::fs::write(&file, text).map_err(SiteError::file(&file))?;
    site.centre.start().await?;
    site.gateway.start().await?;
    Ok(site)
}
