//! The service's answers.
//!
//! In -> out: requests -> answers or a status of gRPC; each is counted.
//! Invariant: without a token nothing but `Ping` is answered; which files is decided in `files.rs` alone.

use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tonic::{Code, Request, Response, Status};

use crate::files::{FileError, Files};
use crate::generated::{
    IoService, PingReply, PingRequest, ReadFileReply, ReadFileRequest, WriteFileReply, WriteFileRequest,
};
use crate::operators::Metrics;

/// What lets in; only its digest is held.
pub(crate) struct Token([u8; 32]);

impl Token {
    pub(crate) fn new(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    fn is(&self, text: &str) -> bool {
        self.0.ct_eq(&Self::new(text).0).into()
    }
}

pub(crate) struct Service {
    pub(crate) files: Arc<Files>,
    pub(crate) token: Option<Token>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Service {
    fn let_in<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let Some(token) = &self.token else {
            return Err(Status::permission_denied(
                "files are for those with a token, and this service has none",
            ));
        };
        let given = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        match given.and_then(|given| given.strip_prefix("Bearer ")) {
            Some(given) if token.is(given) => Ok(()),
            _ => Err(Status::unauthenticated("no token, or another one: `authorization: Bearer TOKEN`")),
        }
    }

    /// Counts a request with what came of it.
    async fn counted<T>(
        &self,
        method: &'static str,
        work: impl Future<Output = Result<T, Status>>,
    ) -> Result<Response<T>, Status> {
        let begun = Instant::now();
        let done = work.await;
        let code = done.as_ref().map_or_else(Status::code, |_| Code::Ok);
        self.metrics.count(method, code, begun.elapsed());
        done.map(Response::new)
    }

    async fn of_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, FileError> + Send + 'static,
    ) -> Result<T, Status> {
        let files = self.files.clone();
        match tokio::task::spawn_blocking(move || work(&files)).await {
            Ok(done) => done.map_err(|error| status(&error)),
            Err(_) => Err(Status::internal("the work on the file did not end")),
        }
    }
}

#[tonic::async_trait]
impl IoService for Service {
    async fn ping(&self, request: Request<PingRequest>) -> Result<Response<PingReply>, Status> {
        let message = format!("pong:{}", request.into_inner().message);
        self.counted("Ping", async { Ok(PingReply { message }) }).await
    }

    async fn read_file(&self, request: Request<ReadFileRequest>) -> Result<Response<ReadFileReply>, Status> {
        self.counted("ReadFile", async {
            self.let_in(&request)?;
            let path = request.into_inner().path;
            let content = self.of_files(move |files| files.read(&path)).await?;
            self.metrics.add_read(content.len());
            Ok(ReadFileReply { content })
        })
        .await
    }

    async fn write_file(
        &self,
        request: Request<WriteFileRequest>,
    ) -> Result<Response<WriteFileReply>, Status> {
        self.counted("WriteFile", async {
            self.let_in(&request)?;
            let WriteFileRequest { path, content } = request.into_inner();
            let bytes = content.len();
            self.of_files(move |files| files.write(&path, &content)).await?;
            self.metrics.add_written(bytes);
            Ok(WriteFileReply { bytes_written: bytes as u64 })
        })
        .await
    }
}

fn status(error: &FileError) -> Status {
    let code = match error {
        FileError::Path { .. } => Code::InvalidArgument,
        FileError::Denied { .. } => Code::PermissionDenied,
        FileError::Missing { .. } => Code::NotFound,
        FileError::NoFile { .. } => Code::FailedPrecondition,
        FileError::TooLarge { .. } => Code::ResourceExhausted,
        FileError::Io { source, .. } => match source.kind() {
            std::io::ErrorKind::PermissionDenied => Code::PermissionDenied,
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::ResourceExhausted,
            _ => Code::Internal,
        },
    };
    let message = match error {
        FileError::Io { source, .. } => format!("{error}: {source}"),
        _ => error.to_string(),
    };
    Status::new(code, message)
}
