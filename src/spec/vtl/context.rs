//! `$context` and `$stageVariables`.

use super::facts::{Fact, Group};
use super::node::Place;
use super::run::{At, Ran, Run, kind};
use crate::spec::object::{Foreign, MapId, Value};
use std::borrow::Cow;

/// The branches; a place in this list is the branch's number.
const GROUPS: [Group; 7] =
    [Group::Root, Group::Identity, Group::ClientCert, Group::Validity, Group::Authorizer, Group::Claims, Group::Error];

/// What a template sees that goes through `$context`, in the recorded order.
const ROOT: &[&str] = &[
    "resourceId",
    "resourcePath",
    "httpMethod",
    "extendedRequestId",
    "requestTime",
    "path",
    "accountId",
    "protocol",
    "requestOverride",
    "stage",
    "domainPrefix",
    "requestTimeEpoch",
    "requestId",
    "identity",
    "domainName",
    "deploymentId",
    "responseOverride",
    "apiId",
];

/// The same for `$context.identity`.
const IDENTITY: &[&str] = &[
    "cognitoIdentityPoolId",
    "accountId",
    "cognitoIdentityId",
    "caller",
    "sourceIp",
    "principalOrgId",
    "accessKey",
    "cognitoAuthenticationType",
    "cognitoAuthenticationProvider",
    "userArn",
    "userAgent",
    "user",
];

fn branch(id: u32, name: &str) -> Option<u32> {
    Some(match (id, name) {
        (0, "identity") => 1,
        (0, "authorizer") => 4,
        (0, "error") => 6,
        (1, "clientCert") => 2,
        (2, "validity") => 3,
        (4, "claims") => 5,
        _ => return None,
    })
}

impl<'a> Run<'a> {
    /// `get(name)` of `$context`, one of its branches, or `$stageVariables`.
    pub(super) fn foreign_get(&mut self, object: Foreign, name: &str, place: Place) -> Ran<Value<'a>> {
        let facts: &'a dyn super::Facts = self.facts;
        match object.kind {
            kind::STAGE_VARIABLES => Ok(facts.stage_variable(name).map_or(Value::Null, Run::lent)),
            kind::CONTEXT => self.context_get(object.id, name, place),
            _ => Ok(Value::Null),
        }
    }

    fn context_get(&mut self, id: u32, name: &str, place: Place) -> Ran<Value<'a>> {
        if id == 0 {
            if let Some(extra) = self.context_extra
                && let Some(value) = self.heap.at(extra, name)
            {
                return Ok(value);
            }
            match name {
                "requestOverride" => return Ok(Value::Map(self.override_maps(place)?.0)),
                "responseOverride" => return Ok(Value::Map(self.override_maps(place)?.1)),
                _ => {}
            }
        }
        if let Some(branch) = branch(id, name) {
            return Ok(Value::Foreign(Foreign { kind: kind::CONTEXT, id: branch }));
        }
        let facts: &'a dyn super::Facts = self.facts;
        let group = GROUPS.get(id as usize).copied().unwrap_or(Group::Root);
        match facts.context(group, name) {
            None => Ok(Value::Null),
            Some(Fact::Number(number)) => Ok(Value::Long(number)),
            Some(Fact::Text(Cow::Borrowed(text))) => Ok(Run::lent(text)),
            Some(Fact::Text(Cow::Owned(text))) => self.text(text, place),
        }
    }

    fn override_maps(&mut self, place: Place) -> Ran<(MapId, MapId)> {
        if let Some(maps) = self.overrides {
            return Ok(maps);
        }
        let maps = self.kept_overrides.write(&mut self.heap).at(place)?;
        self.overrides = Some(maps);
        Ok(maps)
    }

    /// Whether this is one of the override maps and nothing was put into it: it prints as nothing.
    pub(super) fn is_untouched_override(&self, id: MapId) -> bool {
        let Some((request, response)) = self.overrides else { return false };
        (id == request || id == response)
            && self.heap.dict(id).entries().iter().all(|(_, value)| match value {
                Value::Map(branch) => self.heap.dict(*branch).entries().is_empty(),
                _ => false,
            })
    }

    /// A branch as a map of its own, to go through.
    pub(super) fn context_map(&mut self, id: u32, place: Place) -> Ran<MapId> {
        let facts: &'a dyn super::Facts = self.facts;
        let mut names: Vec<&'a str> = match id {
            0 => ROOT.to_vec(),
            1 => IDENTITY.to_vec(),
            _ => Vec::new(),
        };
        let group = GROUPS.get(id as usize).copied().unwrap_or(Group::Root);
        facts.context_names(group, &mut |name| {
            if !names.contains(&name) {
                names.push(name);
            }
        });
        self.heap.charge(names.len()).at(place)?;
        let map = self.heap.map().at(place)?;
        for name in names {
            let value = self.context_get(id, name, place)?;
            self.heap.put(map, Run::lent(name), value).at(place)?;
        }
        if let (0, Some(extra)) = (id, self.context_extra) {
            for (key, value) in self.heap.dict(extra).entries().to_vec() {
                self.heap.put(map, key, value).at(place)?;
            }
        }
        Ok(map)
    }
}
