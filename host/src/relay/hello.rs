//! The first words of TLS, heard and not answered: whom they are for.
//!
//! In -> out: bytes of a client, as they come -> all that came, and the name in its ClientHello.
//! Limits: [`HELLO_BYTES_MAX`]; the time is the caller's.
//! Invariant: what is no whole and sound ClientHello has no name; nothing that came is lost.
//! Off-spec: of a ClientHello that is encrypted (ECH) the outer name counts, which is all that anybody between can know.

use std::io;

use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Clients with all their key shares send less than two.
const HELLO_BYTES_MAX: usize = 64 << 10;
const READ_BYTES: usize = 4096;

/// What began so.
pub(super) struct Hello {
    /// All that was read, to be handed on.
    pub(super) bytes: Vec<u8>,
    /// None: it names nobody, as clients of an address do.
    pub(super) name: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum NoHello {
    #[error("it ended before it said anything")]
    Ended,
    #[error("it is no TLS: {0}")]
    NotTls(String),
    #[error("it is longer than {HELLO_BYTES_MAX} bytes")]
    TooLong,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads until it is whole.
pub(super) async fn hear(client: &mut (impl AsyncRead + Unpin)) -> Result<Hello, NoHello> {
    let (mut acceptor, mut bytes, mut part) = (Acceptor::default(), Vec::new(), [0; READ_BYTES]);
    loop {
        let count = client.read(&mut part).await?;
        let mut new = part.get(..count).unwrap_or_default();
        if new.is_empty() {
            return Err(NoHello::Ended);
        }
        bytes.extend_from_slice(new);
        if bytes.len() > HELLO_BYTES_MAX {
            return Err(NoHello::TooLong);
        }
        while !new.is_empty() {
            acceptor.read_tls(&mut new).map_err(|error| NoHello::NotTls(error.to_string()))?;
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => {
                    let name = accepted.client_hello().server_name().map(str::to_owned);
                    return Ok(Hello { bytes, name });
                }
                Err((error, _alert)) => return Err(NoHello::NotTls(error.to_string())),
            }
        }
    }
}
