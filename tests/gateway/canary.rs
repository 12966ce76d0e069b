//! The canary of a stage: its part of the traffic, its variables, its own cache.

use super::backends::{Act, Backend, plain};
use super::site::{API, Rows, Site, api_scope, mock, proxy};
use meridian::catalog::v1::{CanarySettings, Integration, IntegrationResponse, MethodSetting, Stage};
use std::collections::HashMap;

const TELLING: &str = r#"{"canary": "$context.isCanaryRequest", "color": "$stageVariables.color", "only": "$!stageVariables.only", "deployment": "$context.deploymentId"}"#;

fn telling() -> Integration {
    let mut integration = mock(r#"{"statusCode": 200}"#);
    let answer = IntegrationResponse {
        status_code: "200".into(),
        response_templates: Some([("application/json".to_owned(), Some(TELLING.to_owned()))].into()),
        ..IntegrationResponse::default()
    };
    integration.integration_responses = [("200".to_owned(), answer)].into();
    integration
}

fn variables(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// `prod` serves dep2, its canary dep1 with other variables.
fn rows(percent: f64, more: impl FnOnce(&mut Stage)) -> Rows {
    let mut rows = Rows::new().method("/tell", "GET", telling()).deploy();
    rows.redeploy(|stage| {
        stage.variables = Some(variables(&[("color", "blue")]));
        stage.canary_settings = Some(CanarySettings {
            percent_traffic: percent,
            deployment_id: "dep1".into(),
            stage_variable_overrides: Some(variables(&[("color", "green"), ("only", "here")])),
            ..CanarySettings::default()
        });
        more(stage);
    });
    rows
}

const OWN: &str = r#"{"canary": "false", "color": "blue", "only": "", "deployment": "dep2"}"#;
const CANARY: &str = r#"{"canary": "true", "color": "green", "only": "here", "deployment": "dep1"}"#;

async fn shares(site: &Site, visits: usize) -> HashMap<String, usize> {
    let mut seen = HashMap::new();
    let mut raw = site.connect().await;
    for _ in 0..visits {
        raw.send(super::site::request("GET", "/tell", "", "")).await;
        let answer = raw.answer().await.expect("an answer");
        *seen.entry(answer.text()).or_default() += 1;
    }
    seen
}

#[tokio::test]
async fn a_canary_gets_its_part_of_the_traffic_with_its_own_variables() {
    for (percent, least, most) in [(0.0, 0, 0), (100.0, 400, 400), (25.0, 50, 150)] {
        let site = Site::new(&rows(percent, |_| {})).await;
        let seen = shares(&site, 400).await;
        let canary = seen.get(CANARY).copied().unwrap_or_default();
        assert_eq!(canary + seen.get(OWN).copied().unwrap_or_default(), 400, "{seen:?}");
        // 25 % of 400 lie between 50 and 150 but once in 10^8 runs.
        assert!((least..=most).contains(&canary), "{percent} %: {canary} of 400");
    }
}

#[tokio::test]
async fn a_promoted_canary_is_the_stage() {
    let mut rows = rows(100.0, |_| {});
    let site = Site::new(&rows).await;
    assert_eq!(site.get("/tell").await.text(), CANARY);
    rows.redeploy(|stage| {
        let canary = stage.canary_settings.take().expect("a canary");
        stage.deployment_id = canary.deployment_id;
        stage.variables.get_or_insert_default().extend(canary.stage_variable_overrides.unwrap_or_default());
    });
    site.publish(&rows);
    assert_eq!(site.get("/tell").await.text(), CANARY.replace("\"true\"", "\"false\""));
}

#[tokio::test]
async fn a_canary_that_cannot_be_served_harms_its_own_part_alone() {
    let broken = |stage: &mut Stage| {
        stage.canary_settings.as_mut().expect("set").deployment_id = "gone".into();
    };
    let site = Site::new(&rows(100.0, broken)).await;
    assert_eq!(site.get("/tell").await.status, 500);
    let site = Site::new(&rows(0.0, broken)).await;
    assert_eq!(site.get("/tell").await.text(), OWN);
}

#[tokio::test]
async fn a_canary_has_a_cache_of_its_own_unless_it_serves_the_same_and_shares() {
    for (deployment, shares, apart) in [("dep1", true, true), ("dep2", false, true), ("dep2", true, false)] {
        let backend = Backend::start(|n| Act::Say(plain(200, "", &format!("call {n}")))).await;
        let mut rows = Rows::new().method("/pets", "GET", proxy(&backend.url("/"))).deploy();
        rows.redeploy(|stage| {
            stage.cache_cluster_enabled = true;
            let setting = MethodSetting { caching_enabled: true, ..MethodSetting::default() };
            stage.method_settings.insert("*/*".into(), setting);
        });
        let site = Site::new(&rows).await;
        assert_eq!(site.get("/pets").await.text(), "call 0");
        let mut stage: Stage = rows.world.get(&api_scope(), "prod").expect("row").expect("stage");
        stage.revision += 1;
        stage.canary_settings = Some(CanarySettings {
            percent_traffic: 100.0,
            deployment_id: deployment.into(),
            use_stage_cache: shares,
            ..CanarySettings::default()
        });
        rows.change(|ops| {
            ops.put(&api_scope(), "prod", &stage);
        });
        site.publish(&rows);
        let wanted = if apart { "call 1" } else { "call 0" };
        assert_eq!(site.get("/pets").await.text(), wanted, "{deployment} {shares} of {API}");
    }
}
