//! What `generator/` made of `proto/io_service.proto`.

#[allow(clippy::pedantic, unreachable_pub, dead_code)]
mod aiswa;

pub(crate) use aiswa::io_service_client::IoServiceClient;
pub(crate) use aiswa::io_service_server::{IoService, IoServiceServer};
pub(crate) use aiswa::*;

/// For reflection.
pub(crate) const DESCRIPTOR: &[u8] = include_bytes!("generated/io_service.descriptor");
