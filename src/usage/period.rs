//! Quota periods: pure calendar arithmetic in UTC, the one place that knows where a day, week or month begins.
//!
//! WEEK begins on Sunday 00:00 UTC and MONTH on the 1st (AWS says neither; one function decides it for everybody).

use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};

/// Milliseconds of a UTC day.
pub const DAY_MS: i64 = 86_400_000;
/// Days outside ±this many from 1970-01-01 are clamped: the calendar ends near year 9999.
const FARTHEST_DAY: i64 = 2_900_000;

/// How long a quota runs (`quota.period`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PeriodKind {
    /// `DAY`: from 00:00 UTC.
    Day,
    /// `WEEK`: from Sunday 00:00 UTC.
    Week,
    /// `MONTH`: from the 1st, 00:00 UTC.
    Month,
}

impl PeriodKind {
    /// AWS's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            PeriodKind::Day => "DAY",
            PeriodKind::Week => "WEEK",
            PeriodKind::Month => "MONTH",
        }
    }

    /// Reads AWS's word.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "DAY" => Some(PeriodKind::Day),
            "WEEK" => Some(PeriodKind::Week),
            "MONTH" => Some(PeriodKind::Month),
            _ => None,
        }
    }
}

/// One period: its kind and the first UTC day of it, in days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Period {
    /// First day, in days since 1970-01-01.
    pub start_day: i32,
    /// DAY, WEEK or MONTH.
    pub kind: PeriodKind,
}

impl Period {
    /// The first day that no longer belongs to it.
    pub fn end_day(self) -> i32 {
        match self.kind {
            PeriodKind::Day => self.start_day.saturating_add(1),
            PeriodKind::Week => self.start_day.saturating_add(7),
            PeriodKind::Month => {
                let first = civil(i64::from(self.start_day));
                let days = i32::from(first.days_in_month()) - i32::from(first.day()) + 1;
                self.start_day.saturating_add(days)
            }
        }
    }

    /// Milliseconds since 1970 at which it ends.
    pub fn end_ms(self) -> i64 {
        i64::from(self.end_day()) * DAY_MS
    }

    /// The day of it that is nearest to `day`.
    pub fn nearest_day(self, day: i32) -> i32 {
        day.min(self.end_day().saturating_sub(1)).max(self.start_day)
    }

    /// Whether a UTC day (days since 1970-01-01) lies in it.
    pub fn has_day(self, day: i32) -> bool {
        self.start_day <= day && day < self.end_day()
    }
}

/// The UTC day of a time in milliseconds since 1970 (also before it), in days since 1970-01-01.
pub fn day_of(utc_ms: i64) -> i32 {
    // In range: the clamp keeps it far inside i32.
    utc_ms.div_euclid(DAY_MS).clamp(-FARTHEST_DAY, FARTHEST_DAY) as i32
}

/// The period that a moment belongs to. Total: times beyond the calendar count as its last day.
pub fn period_of(utc_ms: i64, kind: PeriodKind) -> Period {
    period_of_day(day_of(utc_ms), kind)
}

/// The period that a UTC day belongs to.
pub fn period_of_day(day: i32, kind: PeriodKind) -> Period {
    let start_day = match kind {
        PeriodKind::Day => day,
        // 1970-01-01 was a Thursday, four days after a Sunday.
        PeriodKind::Week => day - (i64::from(day) + 4).rem_euclid(7) as i32,
        PeriodKind::Month => day - i32::from(civil(i64::from(day)).day()) + 1,
    };
    Period { start_day, kind }
}

fn civil(day: i64) -> Date {
    let epoch = date(1970, 1, 1);
    epoch.saturating_add(jiff::Span::new().days(day.clamp(-FARTHEST_DAY - 400, FARTHEST_DAY + 400)))
}

/// The UTC day of a calendar date written `YYYY-MM-DD`, as GetUsage takes it.
pub fn day_of_date(text: &str) -> Option<i32> {
    let day: Date = text.parse().ok()?;
    let days = date(1970, 1, 1).until(day).ok()?.get_days();
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn periods_begin_where_the_calendar_says() {
        let cases = [
            ("2024-02-29T23:59:59.999Z", PeriodKind::Day, "2024-02-29", "2024-03-01"),
            ("2024-02-29T23:59:59.999Z", PeriodKind::Month, "2024-02-01", "2024-03-01"),
            ("2025-12-31T00:00:00Z", PeriodKind::Month, "2025-12-01", "2026-01-01"),
            ("2026-10-14T12:00:00Z", PeriodKind::Week, "2026-10-11", "2026-10-18"), // a Wednesday
            ("2026-10-11T00:00:00Z", PeriodKind::Week, "2026-10-11", "2026-10-18"), // Sunday, to the millisecond
            ("2026-10-10T23:59:59.999Z", PeriodKind::Week, "2026-10-04", "2026-10-11"),
            ("1969-12-31T23:00:00Z", PeriodKind::Day, "1969-12-31", "1970-01-01"),
            ("1970-01-01T00:00:00Z", PeriodKind::Week, "1969-12-28", "1970-01-04"),
        ];
        for (time, kind, first, after) in cases {
            let period = period_of(at(time), kind);
            assert_eq!(Some(period.start_day), day_of_date(first), "{time} {kind:?}");
            assert_eq!(Some(period.end_day()), day_of_date(after), "{time} {kind:?}");
        }
    }

    #[test]
    fn dates_that_are_none_are_refused() {
        for text in ["", "2024-02-30", "yesterday", "2024-1-1", "99999-01-01", "2024-01-01T00:00:00Z "] {
            assert_eq!(day_of_date(text), None, "{text}");
        }
        assert_eq!(day_of_date("1970-01-02"), Some(1));
    }

    proptest! {
        #[test]
        fn every_moment_lies_in_its_period_and_periods_tile_time(ms in any::<i64>(), kind in 0..3u8) {
            let kind = [PeriodKind::Day, PeriodKind::Week, PeriodKind::Month][usize::from(kind)];
            let period = period_of(ms, kind);
            prop_assert!(period.has_day(day_of(ms)));
            prop_assert_eq!(period_of_day(period.start_day, kind), period);
            if i64::from(period.end_day()) < FARTHEST_DAY {
                prop_assert_eq!(period_of_day(period.end_day(), kind).start_day, period.end_day());
            }
        }
    }
}
