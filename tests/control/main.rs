//! The control plane without sockets: whole answers of every noun, and of the walk itself.

mod account;
mod api_key;
mod bench;
mod deployment;
mod hostile;
mod integration;
mod method;
mod resource;
mod rest_api;
mod signers;
mod stage;
mod tags;
mod usage;
mod usage_plan;
mod walk;
