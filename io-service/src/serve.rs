//! `orch-io-service serve`: the service, until SIGTERM or an interrupt.
//!
//! Limits: [`CONNECTIONS_MAX`] at each address, [`REQUESTS_MAX`] of a connection at once, [`REQUEST_MAX`] each.
//! Invariant: it is ready when it says so; what was begun is answered, for [`GRACE`] at most.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tonic::transport::Server;

use crate::client::token;
use crate::files::{FILE_BYTES_MAX, Files};
use crate::generated::{DESCRIPTOR, IoServiceServer};
use crate::listener::Limited;
use crate::operators::{Metrics, router};
use crate::service::{Service, Token};

const CONNECTIONS_MAX: usize = 256;
const REQUESTS_MAX: usize = 32;
const REQUEST_MAX: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(5);
/// Of a message: a file and what is around it.
const MESSAGE_BYTES_MAX: usize = FILE_BYTES_MAX + (16 << 10);

/// Serve files of a folder, as far as globs name them, and `Ping`
#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Folder that paths are beneath
    folder: PathBuf,
    /// Files that may be read: globs beneath the folder, `*` within a name, `**` across names
    #[arg(long, value_name = "GLOB")]
    read: Vec<String>,
    /// Files that may be written
    #[arg(long, value_name = "GLOB")]
    write: Vec<String>,
    /// File with the token that requests for files bring; without one there are none
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Where gRPC is spoken; port 0 takes any
    #[arg(long, default_value = "127.0.0.1:50051")]
    listen: SocketAddr,
    /// Where `/health` and `/metrics` are
    #[arg(long, default_value = "127.0.0.1:9100")]
    operators: SocketAddr,
    /// Also at an address that other machines reach: nothing is encrypted, as within a container's network
    #[arg(long)]
    beyond_this_machine: bool,
}

pub(crate) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    for at in [args.listen, args.operators] {
        ensure!(
            at.ip().is_loopback() || args.beyond_this_machine,
            "`{at}` is reached from other machines, and nothing is encrypted: `--beyond-this-machine` says that this is meant"
        );
    }
    let files = Arc::new(Files::new(&args.folder, &args.read, &args.write)?);
    let token = args.token_file.as_deref().map(token).transpose()?.map(|text| Token::new(&text));
    ensure!(
        token.is_some() || (args.read.is_empty() && args.write.is_empty()),
        "files are granted and nobody could ask for them: name the token's file with `--token-file`"
    );
    let metrics = Arc::new(Metrics::new()?);

    // Before anybody is told that it is there.
    let (mut ended, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let bind = async |at: SocketAddr| {
        Limited::bind(at, CONNECTIONS_MAX).await.with_context(|| format!("cannot listen at `{at}`"))
    };
    let (listener, operators) = (bind(args.listen).await?, bind(args.operators).await?);
    println!("grpc     {}", listener.address()?);
    println!("health   http://{}/health", operators.address()?);

    let (over, is_over) = watch::channel(());
    let whenever = |mut is_over: watch::Receiver<()>| async move {
        // An error is the end as well.
        let _ = is_over.changed().await;
    };
    let service = IoServiceServer::new(Service { files, token, metrics: metrics.clone() })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<IoServiceServer<Service>>().await;
    let described = |described: &'static [u8]| {
        tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(described)
    };
    let grpc = Server::builder()
        .timeout(REQUEST_MAX)
        .concurrency_limit_per_connection(REQUESTS_MAX)
        .max_concurrent_streams(Some(REQUESTS_MAX as u32))
        .http2_keepalive_interval(Some(REQUEST_MAX))
        .add_service(service)
        .add_service(health_service)
        .add_service(described(DESCRIPTOR).build_v1()?)
        .add_service(described(DESCRIPTOR).build_v1alpha()?)
        .serve_with_incoming_shutdown(listener.connections(), whenever(is_over.clone()));
    let http = axum::serve(operators, router(metrics)).with_graceful_shutdown(whenever(is_over));

    let mut both = tokio::spawn(async move {
        tokio::try_join!(async { Ok(grpc.await?) }, async { anyhow::Ok(http.await?) })
    });
    tokio::select! {
        done = &mut both => return done?.map(|_| ()),
        _ = ended.recv() => {}
        _ = interrupted.recv() => {}
    }
    over.send_replace(());
    match tokio::time::timeout(GRACE, both).await {
        Ok(done) => done?.map(|_| ()),
        // Somebody holds a connection.
        Err(_) => Ok(()),
    }
}
