//! Runs a mapping template for a visit: at once where that is cheap, off the worker where it is not.
//!
//! Nobody knows beforehand what a template costs. It begins on the worker with little fuel; one that runs out begins anew
//! in the heavy pool, with all that it may have.

use super::ask::Ask;
use super::heavy;
use super::refusal::{Kind, Refusal};
use super::scene::{OwnedScene, Scene};
use super::worker::Worker;
use crate::spec::vtl::{Limits, Template, TemplateError};
use bytes::Bytes;
use std::sync::Arc;

/// Steps that a template may take on the worker: a few hundred microseconds.
const QUICK_FUEL: u64 = 10_000;

/// Renders; what the template writes into its overrides stays in `ask`. `body` is what `$input` reads: UTF-8.
pub(super) async fn render(
    worker: &Worker,
    template: &Arc<Template>,
    body: Bytes,
    ask: &mut Ask,
) -> Result<String, Refusal> {
    let limits = Limits::default();
    let mut overrides = ask.overrides.take().unwrap_or_default();
    if body.len() <= heavy::LARGE {
        let quick = Limits { fuel: QUICK_FUEL, ..limits };
        let text = std::str::from_utf8(&body).unwrap_or_default();
        match template.render(&Scene::of(ask, text), &mut overrides, &quick) {
            Ok(text) => {
                ask.overrides = Some(overrides);
                return Ok(text);
            }
            Err(error) if error.is_out_of_fuel() => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    let (scene, template) = (OwnedScene::of(ask, body), template.clone());
    let rendered = heavy::run(worker, move || {
        let rendered = template.render(&scene.scene(), &mut overrides, &limits);
        (rendered, overrides)
    });
    let (rendered, overrides) = Box::pin(rendered).await?;
    ask.overrides = Some(overrides);
    rendered.map_err(|error| failed(&error))
}

/// A template that cannot be parsed or run is its API's fault (vtl §1).
pub(super) fn failed(error: &TemplateError) -> Refusal {
    let place = format!("{}:{}", error.line, error.column);
    Refusal::new(Kind::ApiConfigurationError, "template_failed").because(error).at(place)
}
