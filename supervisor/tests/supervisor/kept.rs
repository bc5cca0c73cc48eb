//! Commands of one supervisor, whose mounts are copies of what it keeps: none finds anything of another, and each sees the
//! machine as it is.
//!
//! Not here: what one command sees (`sandboxed.rs`).

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use orch_supervisor::{Exit, Place, SupervisorPool, Walls, system_places};

use crate::bench::{pool, run};
use crate::sandboxed::Ground;

/// What a script prints that a supervisor runs after others.
async fn said(pool: &SupervisorPool, ground: &Ground, walls: Walls, script: &str) -> String {
    let output = run(pool, ground.request(walls, script)).await.unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout.captured) + &text(&output.stderr.captured);
    assert_eq!(output.ended.exit, Exit::Code(0), "{said}");
    said
}

#[tokio::test]
async fn nothing_of_a_command_is_there_for_the_next_of_its_supervisor() {
    let ground = Ground::new();
    let pool = pool(1);
    // As the machine's folder of the same name, no command sees it.
    let mut walls = ground.walls();
    walls.places.push(Place::read("/elsewhere/deep").of(&ground.secret));
    let look = "ls -A /.old /.no-folder /tmp /dev/shm /run /var /dev/pts; ls -A /; ls -l /dev /sys 2>/dev/null; true";
    let first = said(&pool, &ground, ground.walls(), look).await;
    let script = "cat /elsewhere/deep; for at in /tmp /dev/shm; do echo x > $at/left; done; \
                  for at in / /run /var /dev /.old /.no-folder /elsewhere; do \
                  (mkdir $at/left) 2> /dev/null && echo \"made in $at\"; done; true";
    assert_eq!(said(&pool, &ground, walls, script).await, "outside");
    assert_eq!(said(&pool, &ground, ground.walls(), look).await, first);
    // Both are empty.
    assert!(first.starts_with("/.no-folder:\n\n/.old:\n\n/dev/pts:\n"), "{first}");
    assert!(!first.contains("elsewhere") && !first.contains("left"), "{first}");
}

#[tokio::test]
async fn what_is_replaced_or_removed_between_two_commands_is_so_for_the_next() {
    // Not in `/tmp`, which is each command's own.
    let ground = Ground::new_in(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let (file, folder, new) = (ground.beside("file"), ground.beside("folder"), ground.beside("new"));
    let put = |text: &str| {
        fs::write(&new, text).unwrap();
        fs::rename(&new, &file).unwrap();
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("in"), text).unwrap();
    };
    let walls = || {
        let read = [Place::read(&file), Place::read(&folder), Place::write(&ground.workspace)];
        Walls::around(system_places().into_iter().chain(read).collect())
    };
    let pool = pool(1);
    let look = format!("cat {}; cat {}/in", file.display(), folder.display());
    for text in ["one\n", "two\n", "three\n"] {
        put(text);
        assert_eq!(said(&pool, &ground, walls(), &look).await, text.repeat(2));
    }
    fs::write(&file, "four\n").unwrap();
    assert_eq!(said(&pool, &ground, walls(), &look).await, "four\nthree\n");
    fs::remove_file(&file).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let gone = format!("test ! -e {} && test ! -e {} && echo gone", file.display(), folder.display());
    assert_eq!(said(&pool, &ground, walls(), &gone).await, "gone\n");
    put("five\n");
    assert_eq!(said(&pool, &ground, walls(), &look).await, "five\nfive\n");
}

#[tokio::test]
async fn a_folder_of_the_workspace_that_came_or_went_is_as_it_is_for_the_next() {
    let ground = Ground::new();
    let hidden = ground.workspace.join("kept");
    let walls = || {
        let mut walls = ground.walls();
        walls.places.push(Place::hidden(&hidden));
        walls
    };
    let pool = pool(1);
    let look = "ls -A kept 2> /dev/null; (echo x > kept/new) 2> /dev/null && echo written; true";
    assert_eq!(said(&pool, &ground, walls(), look).await, "");
    fs::create_dir(&hidden).unwrap();
    fs::write(hidden.join("secret"), "x").unwrap();
    assert_eq!(said(&pool, &ground, walls(), look).await, "");
    assert_eq!(fs::read_dir(&hidden).unwrap().count(), 1);
    fs::remove_dir_all(&hidden).unwrap();
    assert_eq!(said(&pool, &ground, walls(), "mkdir kept && echo made").await, "made\n");
}

/// In a mount namespace of this thread's, which takes the machine's rights; the supervisor is started in it.
#[tokio::test]
async fn what_is_mounted_between_two_commands_is_seen_by_the_next() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let ground = Ground::new_in(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let folder = ground.beside("folder");
    fs::create_dir_all(folder.join("in")).unwrap();
    let on = CString::new(folder.join("in").as_os_str().as_bytes()).unwrap();
    let (none, kind) = (std::ptr::null(), c"tmpfs".as_ptr());
    // SAFETY: numbers, and texts that are NUL-terminated. No other thread is in this namespace.
    let moved = unsafe {
        libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) == 0
    };
    assert!(moved, "{}", std::io::Error::last_os_error());
    let walls = || {
        let places = [Place::read(&folder), Place::write(&ground.workspace)];
        Walls::around(system_places().into_iter().chain(places).collect())
    };
    let pool = pool(1);
    let look = format!("ls {}/in", folder.display());
    assert_eq!(said(&pool, &ground, walls(), &look).await, "");
    // SAFETY: as above.
    let mounted = unsafe { libc::mount(kind, on.as_ptr(), kind, 0, none.cast()) };
    assert_eq!(mounted, 0, "{}", std::io::Error::last_os_error());
    fs::write(folder.join("in/new"), "x").unwrap();
    assert_eq!(said(&pool, &ground, walls(), &look).await, "new\n");
    assert_eq!(said(&pool, &ground, walls(), &look).await, "new\n");
    // SAFETY: as above.
    assert_eq!(unsafe { libc::umount2(on.as_ptr(), libc::MNT_DETACH) }, 0);
    assert_eq!(said(&pool, &ground, walls(), &look).await, "");
}
