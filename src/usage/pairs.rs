//! A map from two texts to a value, in shards: look-ups borrow, allocate nothing and lock one shard for reading.

use super::wire::PlanKey;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{PoisonError, RwLock};

const SHARDS: usize = 64;

/// Two texts, owned or borrowed.
trait Pair {
    fn first(&self) -> &str;
    fn second(&self) -> &str;
}

impl Pair for PlanKey {
    fn first(&self) -> &str {
        &self.plan
    }
    fn second(&self) -> &str {
        &self.key
    }
}

impl Pair for (&str, &str) {
    fn first(&self) -> &str {
        self.0
    }
    fn second(&self) -> &str {
        self.1
    }
}

impl Hash for dyn Pair + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As the derived hash of `PlanKey` does.
        self.first().hash(state);
        self.second().hash(state);
    }
}

impl PartialEq for dyn Pair + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.first() == other.first() && self.second() == other.second()
    }
}

impl Eq for dyn Pair + '_ {}

impl<'a> Borrow<dyn Pair + 'a> for PlanKey {
    fn borrow(&self) -> &(dyn Pair + 'a) {
        self
    }
}

type Shard<V> = RwLock<HashMap<PlanKey, V, RandomState>>;

/// See the module.
#[derive(Debug)]
pub(super) struct Pairs<V> {
    hasher: RandomState,
    shards: Box<[Shard<V>]>,
}

impl<V> Default for Pairs<V> {
    fn default() -> Self {
        let hasher = RandomState::new();
        let shard = |_| RwLock::new(HashMap::with_hasher(hasher.clone()));
        Self { shards: (0..SHARDS).map(shard).collect(), hasher }
    }
}

impl<V> Pairs<V> {
    fn shard(&self, pair: &dyn Pair) -> &Shard<V> {
        // The map uses the low bits and the top seven; take some between.
        let at = (self.hasher.hash_one(pair) >> 32) as usize % SHARDS;
        &self.shards[at]
    }

    /// Looks at a value, if there is one.
    pub(super) fn with<R>(&self, first: &str, second: &str, look: impl FnOnce(&V) -> R) -> Option<R> {
        let pair = (first, second);
        let shard = self.shard(&pair).read().unwrap_or_else(PoisonError::into_inner);
        shard.get(&pair as &dyn Pair).map(look)
    }

    /// Changes a value, made if it is missing.
    pub(super) fn change<R>(&self, first: &str, second: &str, change: impl FnOnce(&mut V) -> R) -> R
    where
        V: Default,
    {
        let pair = (first, second);
        let mut shard = self.shard(&pair).write().unwrap_or_else(PoisonError::into_inner);
        change(shard.entry(PlanKey { plan: first.into(), key: second.into() }).or_default())
    }

    /// Keeps what `keep` says, one shard at a time.
    pub(super) fn retain(&self, mut keep: impl FnMut(&mut V) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, value| keep(value));
            if shard.capacity() > 4 * shard.len() + 64 {
                shard.shrink_to_fit();
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borrowed_and_owned_pairs_find_the_same_value() {
        let pairs: Pairs<u32> = Pairs::default();
        for (first, second) in [("a", "b"), ("ab", ""), ("", "ab"), ("a\0", "b"), ("ä", "ß")] {
            pairs.change(first, second, |n| *n += 1);
            assert_eq!(pairs.with(first, second, |n| *n), Some(1), "{first:?} {second:?}");
        }
        assert_eq!(pairs.with("b", "a", |n| *n), None);
        assert_eq!(pairs.len(), 5);
        pairs.retain(|n| *n > 1);
        assert_eq!(pairs.len(), 0);
    }
}
