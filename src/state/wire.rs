//! A Change as bytes: a list of tables, key bytes and row bytes (foundations §3.1).

use super::{Change, Op, Row, Scope};
use bincode::Options;
use serde::{Deserialize, Serialize};

/// Format version of a Change: its first byte.
const VERSION: u8 = 1;

/// The most that a Change may take, in bytes.
pub const MAX_CHANGE_BYTES: u64 = 64 << 20;

/// Why bytes are no Change.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A newer version wrote it.
    #[error("change has format {0}, this node knows {VERSION}: upgrade this node")]
    Version(u8),
    /// It is damaged, or too large.
    #[error("change cannot be coded")]
    Code(#[source] bincode::Error),
    /// A scope in it is none.
    #[error("change names the scope {0:?}, which is none")]
    Scope(String),
}

#[derive(Serialize, Deserialize)]
struct ChangeForm {
    prev: u64,
    time_ms: i64,
    ops: Vec<OpForm>,
}

#[derive(Serialize, Deserialize)]
enum OpForm {
    Put { scope: String, table: u8, id: String, row: serde_bytes::ByteBuf },
    Drop { scope: String, table: u8, id: String },
    DropScope { scope: String },
    Freeze { scope: String, deployment: String },
    Thaw { scope: String, deployment: String },
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_limit(MAX_CHANGE_BYTES)
}

/// The bytes of a Change.
///
/// # Errors
/// When it is larger than [`MAX_CHANGE_BYTES`].
pub fn encode_change(change: &Change) -> Result<Vec<u8>, WireError> {
    let form =
        ChangeForm { prev: change.prev, time_ms: change.time_ms, ops: change.ops.iter().map(OpForm::from).collect() };
    let mut bytes = vec![VERSION];
    options().serialize_into(&mut bytes, &form).map_err(WireError::Code)?;
    Ok(bytes)
}

/// The Change in these bytes.
///
/// # Errors
/// When they are damaged, too many, or of a newer format.
pub fn decode_change(bytes: &[u8]) -> Result<Change, WireError> {
    let (&version, body) = bytes.split_first().ok_or(WireError::Version(0))?;
    if version != VERSION {
        return Err(WireError::Version(version));
    }
    let form: ChangeForm = options().deserialize(body).map_err(WireError::Code)?;
    let ops = form.ops.into_iter().map(Op::try_from).collect::<Result<_, _>>()?;
    Ok(Change { prev: form.prev, time_ms: form.time_ms, ops })
}

impl From<&Op> for OpForm {
    fn from(op: &Op) -> Self {
        match op {
            Op::Put { scope, table, id, row } => Self::Put {
                scope: scope.to_string(),
                table: *table,
                id: id.to_string(),
                row: serde_bytes::ByteBuf::from(row.bytes()),
            },
            Op::Drop { scope, table, id } => Self::Drop { scope: scope.to_string(), table: *table, id: id.to_string() },
            Op::DropScope { scope } => Self::DropScope { scope: scope.to_string() },
            Op::Freeze { scope, deployment } => {
                Self::Freeze { scope: scope.to_string(), deployment: deployment.to_string() }
            }
            Op::Thaw { scope, deployment } => {
                Self::Thaw { scope: scope.to_string(), deployment: deployment.to_string() }
            }
        }
    }
}

fn scope_of(text: String) -> Result<Scope, WireError> {
    Scope::from_text(&text).ok_or(WireError::Scope(text))
}

impl TryFrom<OpForm> for Op {
    type Error = WireError;

    fn try_from(form: OpForm) -> Result<Self, WireError> {
        Ok(match form {
            OpForm::Put { scope, table, id, row } => {
                Self::Put { scope: scope_of(scope)?, table, id: id.into(), row: Row::from_bytes(&row) }
            }
            OpForm::Drop { scope, table, id } => Self::Drop { scope: scope_of(scope)?, table, id: id.into() },
            OpForm::DropScope { scope } => Self::DropScope { scope: scope_of(scope)? },
            OpForm::Freeze { scope, deployment } => {
                Self::Freeze { scope: scope_of(scope)?, deployment: deployment.into() }
            }
            OpForm::Thaw { scope, deployment } => Self::Thaw { scope: scope_of(scope)?, deployment: deployment.into() },
        })
    }
}
