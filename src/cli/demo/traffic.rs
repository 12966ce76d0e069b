//! Clients of every region call every API through their nearest node, and directly through the far one.

use super::fleet::Fleet;
use super::sample::{Api, Sample};
use super::{far, round_trip};
use crate::cli::{
    CliError,
    http::{Answer, Connection},
};
use bytes::Bytes;
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use http::Request;
use http_body_util::Full;
use std::time::Instant;

const REQUESTS: usize = 16;
const DIRECT_REQUESTS: usize = 3;

/// One line of the table.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) client: usize,
    pub(super) kind: String,
    /// Region of the node that answered.
    pub(super) answered: String,
    /// Region that served.
    pub(super) served: String,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Median of the same visit straight to the far region over a new TLS connection; none where it is near.
    pub(super) direct_ms: Option<f64>,
}

/// The host that names an API.
pub(super) fn host(api: &Api) -> String {
    format!("{}.execute-api.{}.localhost", api.id, api.region)
}

/// A GET of an API.
pub(super) fn request(api: &Api, key: &str) -> Result<Request<Full<Bytes>>, CliError> {
    let mut builder = Request::builder().uri(&api.path).header("host", host(api));
    if api.keyed {
        builder = builder.header("x-api-key", key);
    }
    builder.body(Full::default()).map_err(|cause| CliError::Demo(cause.to_string()))
}

/// Measures everything: client regions one beside the other, their APIs one after another.
pub(super) async fn run(fleet: &Fleet, sample: &Sample) -> Result<Vec<Seen>, CliError> {
    let mut all = Vec::new();
    for api in &sample.apis {
        super::step(&format!("clients of every region visit {} …", api.kind));
        all.extend(try_join_all((0..fleet.nodes.len()).map(|client| visit(fleet, sample, client, api))).await?);
    }
    super::step("");
    all.sort_by_key(|seen| seen.client);
    Ok(all)
}

async fn visit(fleet: &Fleet, sample: &Sample, client: usize, api: &Api) -> Result<Seen, CliError> {
    let node = &fleet.nodes[client];
    let mut connection = Connection::tls(&node.https.to_string(), &host(api), &fleet.trust).await?;
    // The first visit warms what every node keeps warm: plans, connections, the first grant of a quota.
    expect_ok(connection.send(request(api, &sample.key)?).await?)?;
    let before = forwards(&fleet.metrics(client).await);
    let mut times = histogram()?;
    for _ in 0..REQUESTS {
        let start = Instant::now();
        expect_ok(connection.send(request(api, &sample.key)?).await?)?;
        let _ = times.record(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    let after = forwards(&fleet.metrics(client).await);
    let served = after.iter().find(|(region, count)| before.iter().all(|(r, c)| r != region || c < count));
    let served = served.map_or_else(|| node.region.clone(), |(region, _)| region.clone());
    let far = fleet.nodes.iter().position(|node| node.region == api.region && served == api.region);
    let direct_ms = match far.filter(|far| *far != client) {
        Some(far) => Some(direct(fleet, sample, client, far, api).await?),
        None => None,
    };
    let ms = |quantile: f64| times.value_at_quantile(quantile) as f64 / 1000.0;
    Ok(Seen {
        client,
        kind: api.kind.clone(),
        answered: node.region.clone(),
        served,
        p50_ms: ms(0.5),
        p99_ms: ms(0.99),
        direct_ms,
    })
}

/// The median of visits that each open a connection to the far region: SYN, TLS and the request pay the way.
async fn direct(fleet: &Fleet, sample: &Sample, client: usize, far: usize, api: &Api) -> Result<f64, CliError> {
    let relay = far::Relay::start(fleet.nodes[far].https, round_trip(client, far)).await?;
    let mut times = histogram()?;
    for _ in 0..DIRECT_REQUESTS {
        let start = Instant::now();
        let mut connection = Connection::tls(&relay.address.to_string(), &host(api), &fleet.trust).await?;
        expect_ok(connection.send(request(api, &sample.key)?).await?)?;
        let _ = times.record(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(times.value_at_quantile(0.5) as f64 / 1000.0)
}

fn histogram() -> Result<Histogram<u64>, CliError> {
    Histogram::new(3).map_err(|cause| CliError::Demo(cause.to_string()))
}

fn expect_ok(answer: Answer) -> Result<(), CliError> {
    if answer.status == 200 {
        return Ok(());
    }
    Err(CliError::Demo(format!("a client was answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body))))
}

/// How many visits a node has forwarded, by region, from its metrics.
fn forwards(metrics: &str) -> Vec<(String, u64)> {
    let answered =
        |line: &&str| line.contains("forward") && line.contains("outcome=\"answered\"") && line.contains("_total");
    metrics
        .lines()
        .filter(answered)
        .filter_map(|line| {
            let region = line.split("region=\"").nth(1)?.split('"').next()?;
            Some((region.to_owned(), line.rsplit(' ').next()?.parse::<f64>().ok()? as u64))
        })
        .collect()
}
