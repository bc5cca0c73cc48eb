//! Bytes both ways, until both ends are silent or gone.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};

use super::tally::Metered;

/// Returns when both have said their last, one of them failed, or nothing moved for so long.
pub(super) async fn pass(mut ours: impl AsyncRead + AsyncWrite + Unpin, mut theirs: Metered, idle: Duration) {
    let meter = theirs.meter();
    tokio::select! {
        // How it failed is between the two: each hears it from its own connection.
        _ = copy_bidirectional(&mut ours, &mut theirs) => {}
        () = meter.is_idle(idle) => {}
    }
}
