//! Dates and times as cards write them: binary-coded decimal, local civil time, no zone.
//!
//! No calendar arithmetic is done here: whoever needs it converts. What is checked is that each figure is in its
//! range, so that comparing bytes is comparing dates.

use super::octets::{octet_debug, octet_string};
use super::value::is_decimal;

/// Why figures are no date or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// A nibble above 9.
    #[error("the date or time is not binary-coded decimal")]
    NotDecimal,
    /// A month, day, hour, minute or second outside its range.
    #[error("a figure of the date or time is out of range")]
    OutOfRange,
}

/// A date, 4 bytes `YYYYMMDD`. Day 31 is taken in every month. Text form: eight digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardDate([u8; 4]);

octet_string!(CardDate, 4, checked from_bcd);
octet_debug!(CardDate);

impl CardDate {
    /// From year 0 to 9999, month 1 to 12 and day 1 to 31.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, DateError> {
        let century = u8::try_from(year / 100).ok().filter(|century| *century <= 99).ok_or(DateError::OutOfRange)?;
        let year = u8::try_from(year % 100).expect("a remainder by 100 fits a byte");
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(DateError::OutOfRange);
        }
        Ok(Self([to_bcd(century), to_bcd(year), to_bcd(month), to_bcd(day)]))
    }

    /// From the bytes on the card.
    pub fn from_bcd(bytes: [u8; 4]) -> Result<Self, DateError> {
        let [_, _, month, day] = bytes;
        if !is_decimal(&bytes) {
            return Err(DateError::NotDecimal);
        }
        // Binary-coded decimals sort like the numbers they write.
        if !(0x01..=0x12).contains(&month) || !(0x01..=0x31).contains(&day) {
            return Err(DateError::OutOfRange);
        }
        Ok(Self(bytes))
    }

    /// The year, 0 to 9999.
    pub fn year(self) -> u16 {
        let [century, year, _, _] = self.0;
        u16::from(from_bcd(century)) * 100 + u16::from(from_bcd(year))
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u8 {
        from_bcd(self.0[2])
    }

    /// The day, 1 to 31.
    pub fn day(self) -> u8 {
        from_bcd(self.0[3])
    }
}

/// A time of day, 3 bytes `HHMMSS`. Text form: six digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardTime([u8; 3]);

octet_string!(CardTime, 3, checked from_bcd);
octet_debug!(CardTime);

impl CardTime {
    /// From hour 0 to 23, minute and second 0 to 59.
    pub fn new(hour: u8, minute: u8, second: u8) -> Result<Self, DateError> {
        if hour > 23 || minute > 59 || second > 59 {
            return Err(DateError::OutOfRange);
        }
        Ok(Self([to_bcd(hour), to_bcd(minute), to_bcd(second)]))
    }

    /// From the bytes on the card.
    pub fn from_bcd(bytes: [u8; 3]) -> Result<Self, DateError> {
        let [hour, minute, second] = bytes;
        if !is_decimal(&bytes) {
            return Err(DateError::NotDecimal);
        }
        if hour > 0x23 || minute > 0x59 || second > 0x59 {
            return Err(DateError::OutOfRange);
        }
        Ok(Self(bytes))
    }

    /// The hour, 0 to 23.
    pub fn hour(self) -> u8 {
        from_bcd(self.0[0])
    }

    /// The minute, 0 to 59.
    pub fn minute(self) -> u8 {
        from_bcd(self.0[1])
    }

    /// The second, 0 to 59.
    pub fn second(self) -> u8 {
        from_bcd(self.0[2])
    }
}

/// Two decimal digits of a number below 100.
const fn to_bcd(number: u8) -> u8 {
    ((number / 10) << 4) | (number % 10)
}

const fn from_bcd(byte: u8) -> u8 {
    (byte >> 4) * 10 + (byte & 0x0F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_back_and_compare_as_dates() {
        let early = CardDate::new(2026, 9, 30).unwrap();
        let late = CardDate::new(2026, 11, 2).unwrap();
        assert!(early < late);
        assert_eq!((late.year(), late.month(), late.day()), (2026, 11, 2));
        assert_eq!(late.to_hex(), "20261102");
        assert_eq!(CardDate::from_bcd(*late.as_bytes()), Ok(late));
    }

    #[test]
    fn figures_out_of_range_are_refused() {
        assert_eq!(CardDate::new(2026, 13, 1), Err(DateError::OutOfRange));
        assert_eq!(CardDate::new(10_000, 1, 1), Err(DateError::OutOfRange));
        assert_eq!(CardDate::from_bcd([0; 4]), Err(DateError::OutOfRange));
        assert_eq!(CardDate::from_bcd([0x20, 0x26, 0x1A, 0x01]), Err(DateError::NotDecimal));
        assert_eq!(CardTime::new(24, 0, 0), Err(DateError::OutOfRange));
        assert_eq!(CardTime::from_bcd([0x09, 0x60, 0x00]), Err(DateError::OutOfRange));
    }

    #[test]
    fn times_read_back() {
        let time = CardTime::new(9, 30, 59).unwrap();
        assert_eq!((time.hour(), time.minute(), time.second()), (9, 30, 59));
        assert_eq!(time.as_bytes(), &[0x09, 0x30, 0x59]);
    }
}
