//! Where a row belongs: the cluster, an account in a region, or one API of it.

use crate::catalog::{AccountId, ApiId, Region};
use std::fmt;

/// `""` (cluster), `account/region/` or `account/region/api`. None of the three may contain `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Box<str>);

impl Scope {
    /// The cluster's own rows.
    #[must_use]
    pub fn cluster() -> Self {
        Self("".into())
    }

    /// What an account has in a region, outside any API: keys, plans.
    #[must_use]
    pub fn region(account: &AccountId, region: &Region) -> Self {
        Self(format!("{account}/{region}/").into())
    }

    /// One API's draft, deployments and stages.
    #[must_use]
    pub fn api(account: &AccountId, region: &Region, api: &ApiId) -> Self {
        Self(format!("{account}/{region}/{api}").into())
    }

    /// Where an API with this id is, or would be, in a region's order.
    pub(super) fn below(region: &Self, api: &str) -> Self {
        Self(format!("{region}{api}").into())
    }

    /// Takes text that was a scope before.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let whole = text.is_empty() || text.bytes().filter(|b| *b == b'/').count() == 2;
        (whole && !text.contains('\0')).then(|| Self(text.into()))
    }

    /// The same from bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_text(std::str::from_utf8(bytes).ok()?)
    }

    /// The scope as stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn part(&self, index: usize) -> Option<&str> {
        self.0.split('/').nth(index).filter(|part| !part.is_empty())
    }

    /// The account, but for the cluster's scope.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.part(0).map(AccountId::from)
    }

    /// The region, but for the cluster's scope.
    #[must_use]
    pub fn region_name(&self) -> Option<Region> {
        self.part(1).map(Region::from)
    }

    /// The API, in an API's scope.
    #[must_use]
    pub fn api_id(&self) -> Option<ApiId> {
        self.part(2).map(ApiId::from)
    }

    /// The scope of the region that an API's scope lies in; the same for a region's scope.
    #[must_use]
    pub fn to_region(&self) -> Self {
        match (self.account(), self.region_name()) {
            (Some(account), Some(region)) => Self::region(&account, &region),
            _ => self.clone(),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
