//! The hostile programs in bubblewrap, beside the sandbox here: what holds there holds here.

use std::path::Path;
use std::time::Duration;

use orch_supervisor::{Exit, Request};

use crate::bench::{pool, run};
use crate::hostile::{HOSTILE, Outside, around_hostile, attempts, hostile_ground};
use crate::sandboxed::Ground;

/// The same programs in bubblewrap, with the same walls as far as it has them.
fn in_bwrap(bwrap: &Path, ground: &Ground, outside: &Outside) -> Request {
    let own = ground.workspace.to_str().unwrap();
    let kept = format!("{own}/kept");
    let words = [
        "--unshare-all",
        "--die-with-parent",
        "--clearenv",
        "--cap-drop",
        "ALL",
        "--setenv",
        "PATH",
        "/usr/bin:/bin",
        "--ro-bind",
        "/usr",
        "/usr",
        "--symlink",
        "usr/bin",
        "/bin",
        "--symlink",
        "usr/lib",
        "/lib",
        "--symlink",
        "usr/lib64",
        "/lib64",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--tmpfs",
        "/tmp",
        "--bind",
        own,
        own,
        "--ro-bind",
        &kept,
        &kept,
        "--tmpfs",
        &format!("{own}/hidden"),
        "--ro-bind",
        "/dev/null",
        &format!("{own}/hidden-file"),
        "--chdir",
        own,
    ]
    .map(Into::into);
    let given = outside.told(ground);
    let given = given.iter().flat_map(|(name, value)| ["--setenv".into(), name.clone(), value.clone()]);
    let program = ["/usr/bin/python3", "-c", HOSTILE].map(Into::into);
    Request {
        args: words.into_iter().chain(given).chain(program).collect(),
        timeout: Some(Duration::from_secs(60)),
        ..Request::new(bwrap, &ground.workspace)
    }
}

/// Whatever bubblewrap holds is held here, too; it is a program of its own, which not every machine has.
#[tokio::test]
async fn nothing_gets_out_that_bubblewrap_holds() {
    let bwrap = Path::new("/usr/bin/bwrap");
    if !bwrap.exists() {
        return;
    }
    let (ground, pool) = (hostile_ground(), pool(2));
    let outside = Outside::new(&pool, &ground).await;
    let output = run(&pool, in_bwrap(bwrap, &ground, &outside)).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout.captured).into_owned();
    let said = String::from_utf8_lossy(&output.stderr.captured).into_owned();
    assert_eq!(output.ended.exit, Exit::Code(0), "{text}{said}");
    let held = text.lines().filter_map(|line| line.strip_suffix(" refused")).collect::<Vec<_>>();
    let let_out = text.lines().filter(|line| line.ends_with(" got")).count();
    // It has no filter of its own and no limits.
    assert!(held.len() > 25 && let_out > 0, "{text}");
    // What is outside is made anew for them.
    drop(outside);
    let ours = attempts(&pool, &ground, &around_hostile(&ground), None).await;
    let worse: Vec<&&str> =
        held.iter().filter(|name| !ours.get(**name).is_some_and(|refused| *refused)).collect();
    assert!(worse.is_empty(), "{worse:?}");
}
