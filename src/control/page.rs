//! Pages of a list: `limit` (25, at most 500) and an opaque `position`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::render::Object;
use super::{Call, Fault, Reply};

const DEFAULT: usize = 25;
const MOST: usize = 500;
const LAMBDA: usize = 50;

/// One page of rows that are in the order of their keys.
#[derive(Debug)]
pub struct Page<T> {
    /// The rows of this page.
    pub rows: Vec<(String, T)>,
    /// Where the next page begins; absent on the last one.
    pub position: Option<String>,
}

/// What a call asks to see of a list.
#[derive(Debug)]
pub struct Asked {
    limit: usize,
    after: Option<String>,
}

/// The call's `limit` and `position`.
///
/// A limit of nothing, or none that makes sense, is the default, as API Gateway tolerates it.
/// # Errors
/// BadRequest for a position that we did not give.
pub fn asked(call: &Call) -> Result<Asked, Fault> {
    let asked = call.number("limit").and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    let limit = asked.unwrap_or(DEFAULT).min(MOST);
    let after = after(call.text("position")).map_err(|()| Fault::bad_request("Invalid position parameter"))?;
    Ok(Asked { limit, after })
}

/// The call's `MaxItems` and `Marker`, as Lambda has them: never more than 50 on a page.
///
/// # Errors
/// InvalidParameterValue for a marker that we did not give.
pub fn asked_of_lambda(call: &Call) -> Result<Asked, Fault> {
    let asked = call.number("MaxItems").and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    let limit = asked.unwrap_or(LAMBDA).min(LAMBDA);
    let after =
        after(call.text("Marker")).map_err(|()| Fault::new("InvalidParameterValueException", 400, "Invalid Marker"))?;
    Ok(Asked { limit, after })
}

/// The key in a position that we gave.
fn after(position: Option<&str>) -> Result<Option<String>, ()> {
    let Some(position) = position.filter(|p| !p.is_empty()) else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(position).map_err(|_| ())?;
    String::from_utf8(bytes).map(Some).map_err(|_| ())
}

impl Asked {
    /// The key that the page comes after; empty for the first page.
    #[must_use]
    pub fn after(&self) -> &str {
        self.after.as_deref().unwrap_or_default()
    }

    /// Cuts the page out of rows in key order, of which no more than the page is taken.
    pub fn cut<T>(&self, rows: impl IntoIterator<Item = (String, T)>) -> Page<T> {
        let mut rest = rows.into_iter().filter(|(key, _)| self.after.as_ref().is_none_or(|after| key > after));
        let rows: Vec<_> = rest.by_ref().take(self.limit).collect();
        let more = rest.next().is_some();
        let position = rows.last().filter(|_| more).map(|(key, _)| URL_SAFE_NO_PAD.encode(key));
        Page { rows, position }
    }
}

/// Cuts the page that a call asks for out of rows in key order.
///
/// # Errors
/// BadRequest for a position that we did not give.
pub fn cut<T>(call: &Call, rows: Vec<(String, T)>) -> Result<Page<T>, Fault> {
    Ok(asked(call)?.cut(rows))
}

impl<T> Page<T> {
    /// The body of a v1 list: `item` and, but for the last page, `position`.
    pub fn reply(self, mut show: impl FnMut(&str, T) -> Object) -> Reply {
        let items: Vec<Value> = self.rows.into_iter().map(|(key, row)| show(&key, row).into_value()).collect();
        Reply::json(Object::new().set("item", items).maybe("position", self.position))
    }
}
