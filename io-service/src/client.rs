//! `orch-io-service ping|read|write`: one request to a service.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::files::FILE_BYTES_MAX;
use crate::generated::{IoServiceClient, PingRequest, ReadFileRequest, WriteFileRequest};

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Args)]
pub(crate) struct At {
    /// Where the service is
    #[arg(long, default_value = "http://127.0.0.1:50051")]
    at: String,
    /// File with the service's token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Ask whether the service is there
#[derive(Args)]
pub(crate) struct PingArgs {
    message: String,
    #[command(flatten)]
    at: At,
}

/// Write a file of the service to standard output
#[derive(Args)]
pub(crate) struct ReadArgs {
    path: String,
    #[command(flatten)]
    at: At,
}

/// Put standard input in the place of a file of the service
#[derive(Args)]
pub(crate) struct WriteArgs {
    path: String,
    #[command(flatten)]
    at: At,
}

pub(crate) async fn ping(args: PingArgs) -> anyhow::Result<()> {
    let request = args.at.request(PingRequest { message: args.message })?;
    let reply = args.at.client().await?.ping(request).await.map_err(said)?.into_inner();
    Ok(writeln!(std::io::stdout(), "{}", reply.message)?)
}

pub(crate) async fn read(args: ReadArgs) -> anyhow::Result<()> {
    let request = args.at.request(ReadFileRequest { path: args.path })?;
    let reply = args.at.client().await?.read_file(request).await.map_err(said)?.into_inner();
    Ok(std::io::stdout().write_all(&reply.content)?)
}

pub(crate) async fn write(args: WriteArgs) -> anyhow::Result<()> {
    let mut content = Vec::new();
    std::io::stdin().take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut content)?;
    ensure!(content.len() <= FILE_BYTES_MAX, "standard input has more than {FILE_BYTES_MAX} bytes");
    let request = args.at.request(WriteFileRequest { path: args.path, content })?;
    let reply = args.at.client().await?.write_file(request).await.map_err(said)?.into_inner();
    Ok(writeln!(std::io::stdout(), "{} bytes written", reply.bytes_written)?)
}

/// A token, from a file of one line.
pub(crate) fn token(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let token = text.trim_end_matches(['\r', '\n']);
    let is_fit = token.len() >= 16 && token.bytes().all(|byte| byte.is_ascii_graphic());
    ensure!(is_fit, "`{}` has no token: at least 16 visible characters, alone", file.display());
    Ok(token.to_owned())
}

impl At {
    async fn client(&self) -> anyhow::Result<IoServiceClient<Channel>> {
        let endpoint = Endpoint::from_shared(self.at.clone())
            .with_context(|| format!("`{}` is no address, as `http://127.0.0.1:50051`", self.at))?;
        let channel = endpoint.connect_timeout(PATIENCE).timeout(PATIENCE).connect().await;
        let channel = channel.with_context(|| format!("no service at `{}`", self.at))?;
        let bytes_max = FILE_BYTES_MAX + (16 << 10);
        Ok(IoServiceClient::new(channel)
            .max_decoding_message_size(bytes_max)
            .max_encoding_message_size(bytes_max))
    }

    fn request<T>(&self, message: T) -> anyhow::Result<Request<T>> {
        let mut request = Request::new(message);
        if let Some(file) = &self.token_file {
            let bearer = MetadataValue::try_from(format!("Bearer {}", token(file)?))?;
            request.metadata_mut().insert("authorization", bearer);
        }
        Ok(request)
    }
}

/// The service's words, and its code as gRPC calls it.
fn said(status: Status) -> anyhow::Error {
    anyhow::anyhow!("{}\ncode: {:?}", status.message(), status.code())
}
