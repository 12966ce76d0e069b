//! Which answers of a method are kept, for how long, and what makes two requests the same (data-plane §13).

use super::body_read::BodyReads;
use super::flaw::Flaw;
use super::mapping::{Side, Source, View};
use crate::catalog::v1::{Integration, MethodSetting, Stage, UnauthorizedCacheControlHeaderStrategy};
use std::collections::BTreeMap;

/// The longest that AWS keeps an answer, s.
const MOST_TTL_S: i32 = 3600;

/// The cache of a method.
#[derive(Debug)]
pub struct CachePlan {
    /// How long an answer is kept, ms; never 0.
    pub ttl_ms: u64,
    /// Whether a client may have an answer fetched anew (`Cache-Control: max-age=0`) without permission.
    pub anybody_invalidates: bool,
    /// What a client without that permission gets.
    pub unauthorized: UnauthorizedCacheControlHeaderStrategy,
    /// Whether the method's own setting asks for it; the one for all methods asks for GET alone, whatever the method takes.
    own: bool,
    /// What all keys of the method begin with: stage, flushes, namespace.
    prefix: Box<[u8]>,
    /// The parameters that tell requests apart, each with all its values.
    parameters: Vec<Source>,
}

/// Whose cache it is, beside the stage's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cached<'a> {
    pub api: &'a str,
    pub stage: &'a Stage,
    /// The deployment of a canary that keeps its answers apart; empty: the stage's own cache.
    pub apart: &'a str,
}

impl CachePlan {
    /// Whether answers to this verb are kept.
    pub fn covers(&self, verb: &http::Method) -> bool {
        self.own || verb == http::Method::GET
    }

    /// The key of a request: equal bytes, same answer. Values are told by their lengths, so that no two lists of values
    /// write the same key.
    pub fn key(&self, verb: &str, view: &View<'_>) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.prefix.len() + 16 + 32 * self.parameters.len());
        key.extend_from_slice(&self.prefix);
        part(&mut key, verb);
        for source in &self.parameters {
            let (at, mut count) = (key.len(), 0u32);
            key.extend_from_slice(&count.to_le_bytes());
            source.values(view, |value| {
                part(&mut key, value);
                count += 1;
            });
            key[at..at + 4].copy_from_slice(&count.to_le_bytes());
        }
        key
    }
}

fn part(key: &mut Vec<u8>, text: &str) {
    key.extend_from_slice(&(text.len() as u64).to_le_bytes());
    key.extend_from_slice(text.as_bytes());
}

/// The cache of a method, where the stage has one and the method's setting asks for it. `own` tells whether the setting is
/// the method's, not the stage's for all: that one asks only for GET.
pub(super) fn compile(
    integration: &Integration,
    (verb, resource_id): (&str, &str),
    setting: Option<(&MethodSetting, bool)>,
    cached: Cached<'_>,
    variables: &BTreeMap<String, String>,
    (place, flaws): (&str, &mut Vec<Flaw>),
) -> Option<CachePlan> {
    let (setting, own) = setting?;
    let stage = cached.stage;
    let ttl_s = setting.cache_ttl_in_seconds.min(MOST_TTL_S);
    let asked = setting.caching_enabled && (own || matches!(verb, "GET" | "ANY"));
    let streamed = integration.response_transfer_mode.as_ref().is_some_and(|mode| mode.as_str() == "STREAM");
    if !stage.cache_cluster_enabled || !asked || ttl_s <= 0 || streamed {
        return None;
    }
    let mut parameters = Vec::with_capacity(integration.cache_key_parameters.len());
    for name in &integration.cache_key_parameters {
        match parameter(name, integration, variables) {
            Ok(source) => parameters.push(source),
            Err(why) => flaws.push(Flaw::new(place, why)),
        }
    }
    let namespace = integration.cache_namespace.as_deref().filter(|name| !name.is_empty()).unwrap_or(resource_id);
    let mut prefix = Vec::new();
    for text in [cached.api, &stage.stage_name, cached.apart, namespace] {
        part(&mut prefix, text);
    }
    // A cache of another size is another cache, and so is that of a stage made anew.
    part(&mut prefix, stage.cache_cluster_size.as_deref().unwrap_or_default());
    prefix.extend_from_slice(&stage.cache_flushes.to_le_bytes());
    prefix.extend_from_slice(&stage.created_date_ms.to_le_bytes());
    Some(CachePlan {
        ttl_ms: u64::try_from(ttl_s).unwrap_or_default() * 1000,
        anybody_invalidates: !setting.require_authorization_for_cache_control,
        unauthorized: setting.unauthorized_cache_control_header_strategy.clone(),
        own,
        prefix: prefix.into(),
        parameters,
    })
}

/// `method.request.{path|querystring|header}.{name}`, or `integration.request.….{name}`: what is mapped to it.
fn parameter(name: &str, integration: &Integration, variables: &BTreeMap<String, String>) -> Result<Source, String> {
    let source = match name.strip_prefix("integration.") {
        None => name,
        Some(_) => match integration.request_parameters.get(name) {
            Some(source) => source,
            None => return Ok(Source::Absent),
        },
    };
    let mut reads = BodyReads::default();
    let source = Source::compile(source, Side::Request, variables, &mut reads)
        .map_err(|why| format!("cache key parameter `{name}`: {why}"))?;
    // A backend that is passed all values could answer by any of them.
    Ok(match source {
        Source::Query(name) => Source::MultiQuery(name),
        Source::Header(name) => Source::MultiHeader(name),
        Source::Body(_) => return Err(format!("cache key parameter `{name}` is taken from the body")),
        source => source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::context::{Context, Variable};
    use std::borrow::Cow;

    struct Nothing;

    impl Context for Nothing {
        fn value(&self, _: &Variable) -> Option<Cow<'_, str>> {
            None
        }
    }

    fn stage() -> Stage {
        Stage { stage_name: "prod".into(), cache_cluster_enabled: true, ..Stage::default() }
    }

    fn compiled(integration: &Integration, stage: &Stage, apart: &str, verb: &str, own: bool) -> Option<CachePlan> {
        let setting = MethodSetting { caching_enabled: true, ..MethodSetting::default() };
        let mut flaws = Vec::new();
        let cached = Cached { api: "api1", stage, apart };
        let plan = compile(
            integration,
            (verb, "res1"),
            Some((&setting, own)),
            cached,
            &BTreeMap::new(),
            ("GET /", &mut flaws),
        );
        assert_eq!(flaws, []);
        plan
    }

    fn keyed(parameters: &[&str]) -> Integration {
        Integration {
            cache_key_parameters: parameters.iter().map(|name| (*name).to_owned()).collect(),
            request_parameters: [(
                "integration.request.querystring.sort".to_owned(),
                "method.request.header.X-Sort".to_owned(),
            )]
            .into(),
            ..Integration::default()
        }
    }

    fn key(plan: &CachePlan, query: &str, path: &[(&str, &str)], header: &[(&'static str, &str)]) -> Vec<u8> {
        let mut headers = http::HeaderMap::new();
        for (name, value) in header {
            headers.append(*name, value.parse().expect("value"));
        }
        plan.key("GET", &View { path, query, headers: &headers, body: &[], context: &Nothing })
    }

    #[test]
    fn only_listed_parameters_tell_requests_apart() {
        let stage = stage();
        let plan = compiled(
            &keyed(&["method.request.querystring.a", "method.request.path.id", "integration.request.querystring.sort"]),
            &stage,
            "",
            "GET",
            false,
        )
        .expect("cached");
        let one = key(&plan, "a=1&b=2", &[("id", "7")], &[]);
        assert_eq!(one, key(&plan, "b=3&a=%31", &[("id", "7")], &[("x-other", "1")]));
        for other in [
            key(&plan, "a=2", &[("id", "7")], &[]),
            key(&plan, "a=1", &[("id", "8")], &[]),
            key(&plan, "", &[("id", "7")], &[]),
            key(&plan, "a=", &[("id", "7")], &[]),
            key(&plan, "a=2&a=1", &[("id", "7")], &[]),
            key(&plan, "a=1", &[("id", "7")], &[("x-sort", "up")]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn values_cannot_be_written_into_one_another() {
        let stage = stage();
        let plan = compiled(
            &keyed(&["method.request.querystring.a", "method.request.querystring.b"]),
            &stage,
            "",
            "GET",
            true,
        );
        let plan = plan.expect("cached");
        assert_ne!(key(&plan, "a=xy&b=z", &[], &[]), key(&plan, "a=x&b=yz", &[], &[]));
        assert_ne!(key(&plan, "a=x", &[], &[]), key(&plan, "b=x", &[], &[]));
        assert_ne!(key(&plan, "a=x&a=y", &[], &[]), key(&plan, "a=x&b=y", &[], &[]));
    }

    #[test]
    fn a_flush_a_size_a_new_stage_and_a_canary_begin_a_new_cache() {
        let integration = keyed(&[]);
        let of = |stage: &Stage, apart: &str| {
            key(&compiled(&integration, stage, apart, "GET", false).expect("cached"), "", &[], &[])
        };
        let one = of(&stage(), "");
        assert_eq!(one, of(&Stage { revision: 9, deployment_id: "d2".into(), ..stage() }, ""));
        assert_ne!(one, of(&Stage { cache_flushes: 1, ..stage() }, ""));
        assert_ne!(one, of(&Stage { cache_cluster_size: Some("1.6".into()), ..stage() }, ""));
        assert_ne!(one, of(&Stage { created_date_ms: 5, ..stage() }, ""));
        assert_ne!(one, of(&stage(), "d2"));
        let shared = Integration { cache_namespace: Some("ns".into()), ..keyed(&[]) };
        let other = compiled(&shared, &stage(), "", "GET", false).expect("cached");
        assert_ne!(one, key(&other, "", &[], &[]));
    }

    #[test]
    fn what_is_for_all_methods_caches_get_alone() {
        let integration = keyed(&[]);
        assert!(compiled(&integration, &stage(), "", "GET", false).is_some());
        assert!(compiled(&integration, &stage(), "", "POST", false).is_none());
        assert!(compiled(&integration, &stage(), "", "POST", true).is_some());
        let off = Stage { cache_cluster_enabled: false, ..stage() };
        assert!(compiled(&integration, &off, "", "GET", true).is_none());
    }
}
