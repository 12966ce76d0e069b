//! Media types as keys of templates: type and subtype alone, parameters do not count.

/// The media type of a `Content-Type` value, lower case compared elsewhere; missing or empty: `application/json`.
pub fn content_type(value: Option<&str>) -> &str {
    essence(value.unwrap_or_default()).unwrap_or("application/json")
}

/// The first media type of an `Accept` value.
pub fn first_accept(value: Option<&str>) -> Option<&str> {
    essence(value?.split(',').next()?)
}

fn essence(value: &str) -> Option<&str> {
    let essence = value.split(';').next()?.trim();
    (!essence.is_empty()).then_some(essence)
}

/// Finds what is kept for a media type.
pub fn find<'t, T>(table: &'t [(Box<str>, T)], media: &str) -> Option<&'t T> {
    table.iter().find(|(key, _)| content_type(Some(key)).eq_ignore_ascii_case(media)).map(|(_, value)| value)
}
