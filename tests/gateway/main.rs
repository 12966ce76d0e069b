//! The gateway from its sockets: real listeners and backends on loopback, one module per concern.

mod attacks;
mod backends;
mod listener;
mod pool;
mod proxying;
mod site;
mod sockets;
mod walk;
