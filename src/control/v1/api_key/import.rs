//! ImportApiKeys: a CSV file, each row a key that is made or overwritten.

use super::{checked_description, checked_name, checked_value, fresh_id};
use crate::catalog::v1::{ApiKey, UsagePlan, UsagePlanKey};
use crate::catalog::{Mint, Table};
use crate::control::quotas::{self, Owner};
use crate::control::render::Object;
use crate::control::v1::usage_plan;
use crate::control::{Fault, Reply, Scene};
use crate::state::Ops;
use std::collections::BTreeMap;

/// Most rows of a file: as many keys as AWS lets an account have in a region.
const MOST: usize = 10_000;

/// One row of the file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Line {
    number: usize,
    key: String,
    name: String,
    description: String,
    enabled: String,
    plans: Vec<String>,
}

/// The import in the making: a later row may speak of a key that an earlier one made.
struct Import<'a, 'b> {
    scene: &'a Scene<'b>,
    mint: Mint,
    keys: BTreeMap<[u8; 32], ApiKey>,
    ids: Vec<String>,
    memberships: Vec<(String, String)>,
    warnings: Vec<String>,
}

/// Imports `format=csv`. A bad row is a warning and the rest goes on; with `failonwarnings` nothing happens then.
pub(super) fn run(scene: &Scene<'_>) -> Result<(Ops, Reply), Fault> {
    let text = std::str::from_utf8(&scene.call.body).map_err(|_| Fault::bad_request("The file is not UTF-8 text"))?;
    let mut import = Import {
        scene,
        mint: scene.mint(),
        keys: BTreeMap::new(),
        ids: Vec::new(),
        memberships: Vec::new(),
        warnings: Vec::new(),
    };
    for line in lines(text)? {
        match line {
            Ok(line) => import.take(line)?,
            Err(warning) => import.warnings.push(warning),
        }
    }
    if scene.call.flag("failOnWarnings").unwrap_or_default() && !import.warnings.is_empty() {
        return Err(Fault::bad_request(format!("Failed to import API keys: {}", import.warnings.join("; "))));
    }
    let scope = scene.call.region_scope();
    let most = scene.quotas.api_keys;
    let there = quotas::count(scene.world, &scope, Table::ApiKey, most);
    let fresh = import.ids.iter().filter(|id| scene.world.row(&scope, Table::ApiKey, id).is_none()).count();
    quotas::fit(there, fresh, most, "API Keys", Owner::Account)?;
    let mut ops = Ops::new();
    for key in import.keys.values() {
        ops.put(&scope, &key.id, key);
    }
    for (plan, key) in &import.memberships {
        let membership =
            UsagePlanKey { id: key.clone(), kind: UsagePlanKey::API_KEY.into(), ..UsagePlanKey::default() };
        ops.put(&scope, &UsagePlanKey::row_id(plan, key), &membership);
    }
    Ok((ops, Reply::json(Object::new().set("ids", import.ids).set("warnings", import.warnings))))
}

impl Import<'_, '_> {
    fn warn(&mut self, line: &Line, text: &str) {
        self.warnings.push(format!("Row {}: {text}", line.number));
    }

    fn take(&mut self, line: Line) -> Result<(), Fault> {
        let enabled = match line.enabled.to_ascii_lowercase().as_str() {
            "" | "true" => true,
            "false" => false,
            _ => {
                self.warn(&line, "Enabled must be true or false");
                return Ok(());
            }
        };
        let checked = checked_value(&line.key)
            .and_then(|_| Ok((checked_name(Some(&line.name))?, checked_description(Some(&line.description))?)));
        let (name, description) = match checked {
            Ok(checked) => checked,
            Err(fault) => {
                self.warn(&line, &fault.message);
                return Ok(());
            }
        };
        let hash = self.scene.seal.index(line.key.as_bytes());
        let mut key = self.known(&hash)?.unwrap_or_else(|| self.fresh(&line.key, hash));
        (key.name, key.description, key.enabled) = (name, description, enabled);
        key.last_updated_date_ms = self.scene.stamp.time_ms;
        for plan in &line.plans {
            if let Some(warning) = self.join(&mut key, plan)? {
                self.warn(&line, &warning);
            }
        }
        let id = key.id.clone();
        if self.keys.insert(hash, key).is_none() {
            self.ids.push(id);
        }
        Ok(())
    }

    /// The key with this value, made by an earlier row or there before.
    fn known(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>, Fault> {
        if let Some(key) = self.keys.get(hash) {
            return Ok(Some(key.clone()));
        }
        let scope = self.scene.call.region_scope();
        let id = self.scene.world.api_key_by_hash(&scope, hash);
        Ok(id.map(|id| self.scene.world.get(&scope, id)).transpose()?.flatten())
    }

    fn fresh(&mut self, value: &str, hash: [u8; 32]) -> ApiKey {
        ApiKey {
            id: fresh_id(self.scene, &mut self.mint),
            value_sealed: self.scene.seal.seal(value.as_bytes(), self.mint.bytes()),
            value_hash: Some(hash),
            created_date_ms: self.scene.stamp.time_ms,
            ..ApiKey::default()
        }
    }

    /// Puts a key into a plan; `Some` says why not.
    fn join(&mut self, key: &mut ApiKey, plan_id: &str) -> Result<Option<String>, Fault> {
        let scope = self.scene.call.region_scope();
        let Some(plan) = self.scene.world.get::<UsagePlan>(&scope, plan_id)? else {
            return Ok(Some(format!("{} {plan_id}", usage_plan::MISSING)));
        };
        if key.plan_ids.contains(&plan.id) {
            return Ok(None);
        }
        if let Err(fault) = usage_plan::may_join(self.scene, &plan, key) {
            return if fault.status == 409 { Ok(Some(fault.message)) } else { Err(fault) };
        }
        self.memberships.push((plan.id.clone(), key.id.clone()));
        key.plan_ids.push(plan.id);
        Ok(None)
    }
}

/// The rows of a file; a row that cannot be read is a warning.
///
/// # Errors
/// BadRequest when there is no header row with the columns Key and Name, or too many rows.
fn lines(text: &str) -> Result<Vec<Result<Line, String>>, Fault> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let mut records = reader.records();
    let header = match records.next() {
        Some(Ok(header)) => joined(&header),
        _ => return Err(Fault::bad_request("The file has no header row: it must name the columns Key and Name")),
    };
    let column = |name: &str| header.iter().position(|title| title.eq_ignore_ascii_case(name));
    let (Some(key), Some(name)) = (column("Key"), column("Name")) else {
        return Err(Fault::bad_request("The header row must name the columns Key and Name"));
    };
    let rest = [column("Description"), column("Enabled"), column("UsagePlanIds").or(column("UsageplanIds"))];
    let mut found = Vec::new();
    for (index, record) in records.enumerate() {
        let number = index + 2;
        if index == MOST {
            return Err(Fault::bad_request(format!("The file has more than {MOST} rows of keys")));
        }
        let Ok(record) = record else {
            found.push(Err(format!("Row {number}: the row cannot be read")));
            continue;
        };
        let cells = joined(&record);
        let cell = |column: Option<usize>| column.and_then(|at| cells.get(at)).cloned().unwrap_or_default();
        let plans = cell(rest[2]).split(',').map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect();
        found.push(Ok(Line {
            number,
            key: cell(Some(key)),
            name: cell(Some(name)),
            description: cell(rest[0]),
            enabled: cell(rest[1]),
            plans,
        }));
    }
    Ok(found)
}

/// Cells, with those in single quotes put together again: CSV itself knows double quotes only.
fn joined(record: &csv::StringRecord) -> Vec<String> {
    let mut cells: Vec<String> = Vec::new();
    let mut parts = record.iter();
    while let Some(part) = parts.next() {
        let Some(opened) = part.strip_prefix('\'') else {
            cells.push(part.to_owned());
            continue;
        };
        let ahead: Vec<&str> = std::iter::once(opened).chain(parts.clone()).collect();
        match ahead.iter().position(|part| part.ends_with('\'')) {
            Some(last) => {
                let whole = ahead[..=last].join(",");
                cells.push(whole.trim_end_matches('\'').to_owned());
                parts.by_ref().take(last).for_each(drop);
            }
            None => cells.push(part.to_owned()),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Line> {
        lines(text).expect("a header").into_iter().map(|line| line.expect("a row")).collect()
    }

    #[test]
    fn columns_come_in_any_order_and_case_and_unknown_ones_are_ignored() {
        let found = read("name, KEY ,Colour,enabled,usageplanids\n mobile , abc ,red, TRUE ,p1\n");
        let wanted = Line {
            number: 2,
            key: "abc".into(),
            name: "mobile".into(),
            enabled: "TRUE".into(),
            plans: vec!["p1".into()],
            ..Line::default()
        };
        assert_eq!(found, [wanted]);
    }

    #[test]
    fn several_plans_stand_in_double_or_single_quotes() {
        let found =
            read("Key,Name,UsagePlanIds,Description\nk1,n1,\"p1, p2\",d\nk2,n2,'p3,p4',e\nk3,n3,'p5',f\nk4,'odd,,g\n");
        let plans: Vec<Vec<String>> = found.iter().map(|line| line.plans.clone()).collect();
        assert_eq!(plans, [vec!["p1", "p2"], vec!["p3", "p4"], vec!["p5"], vec![]]);
        assert_eq!(found.iter().map(|line| line.description.as_str()).collect::<Vec<_>>(), ["d", "e", "f", "g"]);
        assert_eq!(found[3].name, "'odd");
    }

    #[test]
    fn a_file_without_its_columns_is_refused_and_a_short_row_has_empty_cells() {
        assert!(lines("").is_err());
        assert!(lines("Key,Nom\na,b\n").is_err());
        let found = read("Key,Name,Enabled\nonly-key\n");
        assert_eq!((found[0].key.as_str(), found[0].name.as_str()), ("only-key", ""));
    }
}
