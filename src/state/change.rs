//! What Raft carries: effects, not intentions. Apply knows nothing of the operation that made them.

use super::{Row, Scope};
use crate::catalog::Noun;

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Sets a row.
    Put {
        /// Where it belongs.
        scope: Scope,
        /// The number of its table.
        table: u8,
        /// Its id.
        id: Box<str>,
        /// Its bytes.
        row: Row,
    },
    /// Removes a row, if it is there.
    Drop {
        /// Where it belongs.
        scope: Scope,
        /// The number of its table.
        table: u8,
        /// Its id.
        id: Box<str>,
    },
    /// Removes every row of a scope and, in an API's scope, what its deployments froze.
    DropScope {
        /// The scope.
        scope: Scope,
    },
    /// Keeps the draft of an API as it is now under a deployment's id.
    Freeze {
        /// The API.
        scope: Scope,
        /// The deployment id.
        deployment: Box<str>,
    },
    /// Forgets what a deployment froze.
    Thaw {
        /// The API.
        scope: Scope,
        /// The deployment id.
        deployment: Box<str>,
    },
}

/// Effects in the making. Later ones see what earlier ones did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ops(pub Vec<Op>);

impl Ops {
    /// No effect yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets a noun's row.
    pub fn put<T: Noun>(&mut self, scope: &Scope, id: &str, noun: &T) -> &mut Self {
        self.0.push(Op::Put { scope: scope.clone(), table: T::TABLE.number(), id: id.into(), row: Row::of(noun) });
        self
    }

    /// Removes a noun's row.
    pub fn drop<T: Noun>(&mut self, scope: &Scope, id: &str) -> &mut Self {
        self.0.push(Op::Drop { scope: scope.clone(), table: T::TABLE.number(), id: id.into() });
        self
    }

    /// Removes all of a scope.
    pub fn drop_scope(&mut self, scope: &Scope) -> &mut Self {
        self.0.push(Op::DropScope { scope: scope.clone() });
        self
    }

    /// Keeps an API's draft under a deployment's id.
    pub fn freeze(&mut self, scope: &Scope, deployment: &str) -> &mut Self {
        self.0.push(Op::Freeze { scope: scope.clone(), deployment: deployment.into() });
        self
    }

    /// Forgets what a deployment froze.
    pub fn thaw(&mut self, scope: &Scope, deployment: &str) -> &mut Self {
        self.0.push(Op::Thaw { scope: scope.clone(), deployment: deployment.into() });
        self
    }
}

/// Effects that happen together or not at all, in one log entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// How many Changes the World that it was computed from had seen; apply refuses any other (foundations §1.4).
    pub prev: u64,
    /// The leader's clock when it was made, milliseconds since 1970; never goes back.
    pub time_ms: i64,
    /// The effects, in order.
    pub ops: Vec<Op>,
}
