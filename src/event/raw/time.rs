//! Reads times as producers write them: every form of RFC 3339 section 5.6, and nothing else.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use std::str::FromStr;

/// A time in the form of RFC 3339. Fractions finer than a nanosecond are dropped. A leap second
/// becomes the second before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfc3339(pub Timestamp);

/// The error for a text that is not a time in the form of RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a time by RFC 3339, say 2026-01-31T12:00:00Z")]
pub struct NoTime;

impl FromStr for Rfc3339 {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        read(text.as_bytes()).map(Self).ok_or(NoTime)
    }
}

const LAST_MINUTE: i64 = 23 * 3600 + 59 * 60;
const DAY: i64 = 86_400;

fn read(text: &[u8]) -> Option<Timestamp> {
    let mut rest = text;
    let (year, month, day) = (number(&mut rest, 4)?, after(&mut rest, b"-")?, after(&mut rest, b"-")?);
    one_of(&mut rest, b"Tt")?;
    let (hour, minute, second) = (number(&mut rest, 2)?, after(&mut rest, b":")?, after(&mut rest, b":")?);
    let nanoseconds = fraction(&mut rest)?;
    let offset = offset(&mut rest)?;
    if !rest.is_empty() {
        return None;
    }
    // A minute has 61 seconds only at the end of a day in UTC.
    let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 - i64::from(offset);
    if second > 60 || second == 60 && of_day.rem_euclid(DAY) != LAST_MINUTE {
        return None;
    }
    let small = |number: i16| i8::try_from(number).ok();
    let date = Date::new(year, small(month)?, small(day)?).ok()?;
    let time = Time::new(small(hour)?, small(minute)?, small(second.min(59))?, nanoseconds).ok()?;
    let time = Offset::from_seconds(offset).ok()?.to_timestamp(date.to_datetime(time));
    // A timestamp cannot hold the last hours of the year 9999.
    Some(time.unwrap_or(if year > 0 { Timestamp::MAX } else { Timestamp::MIN }))
}

/// Takes a number of exactly `digits` digits from the front of `rest`.
fn number(rest: &mut &[u8], digits: usize) -> Option<i16> {
    let (number, left) = rest.split_at_checked(digits)?;
    *rest = left;
    number.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i16::from(digit - b'0')))
}

/// Takes `separator` and the two digits after it from the front of `rest`.
fn after(rest: &mut &[u8], separator: &[u8]) -> Option<i16> {
    *rest = rest.strip_prefix(separator)?;
    number(rest, 2)
}

fn one_of(rest: &mut &[u8], octets: &[u8]) -> Option<u8> {
    let (first, left) = rest.split_first()?;
    *rest = left;
    octets.contains(first).then_some(*first)
}

/// Takes the fraction of a second from the front of `rest` and returns nanoseconds: zero when there
/// is no point.
fn fraction(rest: &mut &[u8]) -> Option<i32> {
    let Some(behind) = rest.strip_prefix(b".") else { return Some(0) };
    let count = behind.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let (digits, left) = behind.split_at_checked(count).filter(|(digits, _)| !digits.is_empty())?;
    *rest = left;
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    Some(padded.fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0')))
}

/// Takes the offset from UTC from the front of `rest` and returns seconds east of UTC.
fn offset(rest: &mut &[u8]) -> Option<i32> {
    let sign = match one_of(rest, b"Zz+-")? {
        b'+' => 1,
        b'-' => -1,
        _ => return Some(0),
    };
    let (hours, minutes) = (number(rest, 2)?, after(rest, b":")?);
    (hours < 24 && minutes < 60).then(|| sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc_3339_is_read_whatever_its_fraction_and_offset() {
        for (text, expected) in [
            ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.52Z"),
            ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z"),
            ("1990-12-31T23:59:60Z", "1990-12-31T23:59:59Z"),
            ("1990-12-31T15:59:60-08:00", "1990-12-31T23:59:59Z"),
            ("1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.87Z"),
            ("2026-03-01T12:00:00.123456789012Z", "2026-03-01T12:00:00.123456789Z"),
            ("2026-03-01t12:00:00.5z", "2026-03-01T12:00:00.5Z"),
            ("2026-03-01T12:00:00-00:00", "2026-03-01T12:00:00Z"),
            ("2024-02-29T00:00:00+23:59", "2024-02-28T00:01:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-30T22:00:00.999999999Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(text.parse(), Ok(Rfc3339(expected.parse().unwrap())), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_a_time() {
        for text in [
            "",
            "yesterday",
            "2026-03-01",
            "2026-03-01T12:00Z",
            "2026-03-01T12:00:00",
            "2026-03-01 12:00:00Z",
            "2026-03-01T12:00:00Z[UTC]",
            "2026-03-01T12:00:00+01:00[Europe/Berlin]",
            "2026-03-01T12:00:00,5Z",
            "2026-03-01T12:00:00.Z",
            "2026-03-01T12:00:00+0100",
            "2026-03-01T12:00:00+01",
            "2026-03-01T12:00:00+01:00:00",
            "2026-03-01T12:00:00+24:00",
            "20260301T120000Z",
            "+002026-03-01T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T12:00:60Z",
            "2026-03-01T12:00:61Z",
            "2026-13-01T12:00:00Z",
            " 2026-03-01T12:00:00Z",
            "2026-03-01T12:00:00Z ",
            "2026-03-01T12:00:00\u{b2}Z",
            "1772366400",
        ] {
            assert_eq!(text.parse::<Rfc3339>(), Err(NoTime), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(nanosecond in -62_135_596_800_000_000_000_i128..253_402_207_200_000_000_000) {
            let time = Timestamp::from_nanosecond(nanosecond).unwrap();
            prop_assert_eq!(time.to_string().parse(), Ok(Rfc3339(time)));
        }

        #[test]
        fn no_text_ends_in_a_panic(text in "\\PC{0,40}", near in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt][0-9:.,+Zz-]{0,30}") {
            let _ = (text.parse::<Rfc3339>(), near.parse::<Rfc3339>());
        }
    }
}
