//! What a job of the writer works with.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use sqlx::SqliteConnection;

use crate::news::News;

/// The city's time zone; its civil day is the business day.
const ZONE: &str = "Asia/Shanghai";

/// The time of one commit, in the forms in which it is recorded.
#[derive(Debug, Clone)]
pub struct Now {
    /// Unix milliseconds.
    pub ms: i64,
    /// RFC 3339 with the city's offset.
    pub text: String,
    /// The business day, `YYYY-MM-DD`.
    pub day: String,
}

impl Now {
    /// The time now.
    #[must_use]
    pub fn read() -> Self {
        Self::at(Timestamp::now())
    }

    /// The forms of a given time.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        let zone = TimeZone::get(ZONE).expect("the time zone data is in the binary");
        let local = time.to_zoned_datetime(zone);
        Self {
            ms: time.as_millisecond(),
            text: local.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
            day: local.strftime("%Y-%m-%d").to_string(),
        }
    }
}

/// The first millisecond of the civil day that is `later` days after one, `YYYY-MM-DD`; none where there is no such day.
#[must_use]
pub fn day_start_ms(day: &str, later: i32) -> Option<i64> {
    let day: Date = day.parse().ok()?;
    let day = day.checked_add(Span::new().try_days(later).ok()?).ok()?;
    let zone = TimeZone::get(ZONE).ok()?;
    Some(day.to_zoned_datetime(zone).ok()?.timestamp().as_millisecond())
}

/// The open transaction of a commit, and what is to be told once it is durable.
#[derive(Debug)]
pub struct Tx {
    /// The connection, inside the transaction.
    pub conn: SqliteConnection,
    /// The time of this commit.
    pub now: Now,
    /// What is told after the commit; dropped with the job that fails.
    pub news: Vec<News>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b5_the_business_day_changes_at_midnight_in_the_city() {
        let before: Timestamp = "2026-11-23T15:59:59.999Z".parse().expect("a time");
        let after: Timestamp = "2026-11-23T16:00:00Z".parse().expect("a time");
        assert_eq!(Now::at(before).day, "2026-11-23");
        assert_eq!(Now::at(after).day, "2026-11-24");
        assert_eq!(Now::at(after).text, "2026-11-24T00:00:00.000+08:00");
        assert_eq!(day_start_ms("2026-11-24", 0), Some(after.as_millisecond()));
        assert_eq!(day_start_ms("2026-11-23", 1), Some(after.as_millisecond()));
        assert_eq!(day_start_ms("2026-02-30", 0), None);
        assert_eq!(day_start_ms("", 0), None);
    }
}
