//! What a request of a plugin costs on its way out, beside the client alone.
//!
//! In -> out: a server of this program on loopback -> microseconds of a request through the door and of a bare one, in turns.
//! Both keep their connections. Not in it: the guest's own time, and the disk that a call's first request waits for.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use orch_host::capability::http::backend::{Egress, Outgoing, Times};
use orch_host::egress::{Door, SystemNames};
use orch_trust::permission::HttpTarget;
use orch_trust::policy::EgressPolicy;

use crate::figures::median;

const BLOCKS: usize = 40;
const REQUESTS: u32 = 250;
const BODY: &str = "{\"status\":\"fine\",\"tasks\":[1,2,3,4,5,6,7,8,9,10]}";

pub(crate) fn measure() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/v1/status", listener.local_addr()?);
        tokio::spawn(async move {
            axum::serve(listener, Router::new().route("/v1/status", get(|| async { BODY }))).await
        });
        let door = Door::new(&EgressPolicy::default(), Path::new("/"), Arc::new(SystemNames))?;
        let bare = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let (mut ours, mut alone, mut more, mut times) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for block in 0..BLOCKS {
            let clock = Instant::now();
            for _ in 0..REQUESTS {
                through(&door, &url).await?;
            }
            let host = clock.elapsed().as_secs_f64() * 1e6 / f64::from(REQUESTS);
            let clock = Instant::now();
            for _ in 0..REQUESTS {
                let answer = bare.get(url.parse()?).await?;
                ensure!(answer.into_body().collect().await?.to_bytes() == BODY, "another answer");
            }
            let without = clock.elapsed().as_secs_f64() * 1e6 / f64::from(REQUESTS);
            // The first blocks warm the connections.
            if block >= 4 {
                ours.push(host);
                alone.push(without);
                more.push(host - without);
                times.push(host / without);
            }
        }
        println!(
            "| a request on a kept connection, {} blocks of {REQUESTS} in turns | microseconds |",
            BLOCKS - 4
        );
        println!("|---|---|");
        println!("| through the door | {:.1} |", median(ours));
        println!("| the client alone | {:.1} |", median(alone));
        println!("| more, of neighbouring blocks | {:.1}, {:.2} times |", median(more), median(times));
        Ok(())
    })
}

async fn through(door: &Door, url: &str) -> anyhow::Result<()> {
    let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    let request = Request::get(url).body(body)?;
    let authority = request.uri().authority().context("no authority")?.as_str();
    let target = HttpTarget::new("GET", "http", authority, request.uri().path())?;
    let deadline = Instant::now() + Duration::from_secs(10);
    let times = Times { connect: None, first_byte: None, between_bytes: None, deadline };
    let outgoing = Outgoing { target, request, key: "run-1.h1".to_owned(), times };
    let answer = door.send("bench/bench".into(), outgoing).await;
    let answer = answer.map_err(|failed| anyhow::anyhow!(failed.why))?;
    let body = answer.into_body().collect().await.map_err(|error| anyhow::anyhow!(error.to_string()))?;
    ensure!(body.to_bytes() == BODY, "another answer");
    Ok(())
}
