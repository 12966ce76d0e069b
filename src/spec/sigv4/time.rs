//! The compact ISO-8601 time of signatures: `20150830T123600Z`.

/// Milliseconds since 1970 of `YYYYMMDDThhmmssZ`; `None` for any other text.
pub fn parse_amz_date(text: &str) -> Option<i64> {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok().filter(|_| text.len() == 16)?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// `YYYYMMDDThhmmssZ` of milliseconds since 1970; a time that no calendar has is the epoch.
pub fn amz_date(time_ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(time_ms).unwrap_or_default();
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}
