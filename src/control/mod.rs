//! The administrator's walk: authenticate → table row → bind → permit → run → propose → render.

pub mod model;
pub mod router;
#[rustfmt::skip]
pub mod table;
