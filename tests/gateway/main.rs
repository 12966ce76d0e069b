//! The gateway from its sockets: real listeners and backends on loopback, one module per concern.

mod attacks;
mod aws_services;
mod aws_site;
mod backends;
mod cache;
mod canary;
mod connections;
mod explain;
mod gateway_responses;
mod lambda_events;
mod lambda_functions;
mod lambda_results;
mod lambda_streams;
mod listener;
mod mapping;
mod payloads;
mod pool;
mod proxying;
mod site;
#[path = "../nodes/skip.rs"]
mod skip;
mod sockets;
mod stage_logs;
mod trial;
mod trust;
mod validate;
mod walk;
