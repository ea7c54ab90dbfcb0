//! The wall clock as cards write it: civil time of the site.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use protocols::card::date::{CardDate, CardTime};

/// The zone of the site.
pub(super) const SITE_ZONE: &str = "Asia/Shanghai";

/// Date and time of a moment in a zone; `None` for years that a card cannot write.
pub(super) fn at(moment: Timestamp, zone: &TimeZone) -> Option<(CardDate, CardTime)> {
    let civil = moment.to_zoned_datetime(zone.clone());
    let figure = |figure: i8| u8::try_from(figure).ok();
    let year = u16::try_from(civil.year()).ok()?;
    let date = CardDate::new(year, figure(civil.month())?, figure(civil.day())?).ok()?;
    let time = CardTime::new(figure(civil.hour())?, figure(civil.minute())?, figure(civil.second())?).ok()?;
    Some((date, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_is_eight_hours_ahead_of_universal_time() {
        let zone = TimeZone::get(SITE_ZONE).unwrap();
        let (date, time) = at("2026-12-31T16:00:09Z".parse().unwrap(), &zone).unwrap();
        assert_eq!((date, time), (CardDate::new(2027, 1, 1).unwrap(), CardTime::new(0, 0, 9).unwrap()));
    }

    #[test]
    fn a_moment_before_the_years_that_cards_write_is_none() {
        assert_eq!(at(Timestamp::MIN, &TimeZone::UTC), None);
    }
}
