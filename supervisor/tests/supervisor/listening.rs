//! Sockets in the network namespace of a command, on which its host accepts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use orch_supervisor::{Exit, Request, RunError, Running, StartStep, Wall, Walls, pump, system_places};

use crate::bench::{line, pool, run, wait_until};

/// Python, around which a host listens there.
fn request(listen: &[&str], script: &str) -> Request {
    let listen = listen.iter().map(|address| address.parse().unwrap()).collect();
    let walls = Walls { listen, ..Walls::around(system_places()) };
    Request {
        args: vec!["-c".into(), format!("import socket, sys\n{script}").into()],
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        timeout: Some(Duration::from_secs(60)),
        sandbox: walls.into(),
        ..Request::new("/usr/bin/python3", "/")
    }
}

/// The next connection.
fn accept(listener: &TcpListener) -> TcpStream {
    let mut found = None;
    wait_until("a connection", || {
        found = listener.accept().ok();
        found.is_some()
    });
    let (stream, _) = found.unwrap();
    stream.set_nonblocking(false).unwrap();
    stream
}

async fn end(running: Running) -> (Exit, String) {
    let output = pump(running, &mut tokio::io::sink(), 1 << 20).await.unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.ended.exit, text(&output.stdout.captured) + &text(&output.stderr.captured))
}

const ASKS: &str = "one = socket.create_connection(('127.0.0.1', 61080), 30)
one.sendall(b'asked'); print(one.recv(100).decode(), flush=True)";

#[tokio::test]
async fn the_host_answers_each_command_on_a_loopback_of_its_own() {
    let pool = pool(2);
    let mut commands = Vec::new();
    for name in ["first", "second"] {
        let mut running = pool.run(request(&["127.0.0.1:61080"], ASKS)).await.unwrap();
        let listeners = std::mem::take(&mut running.listeners);
        let [listener] = listeners.as_slice() else { panic!("{listeners:?}") };
        assert_eq!(listener.local_addr().unwrap(), "127.0.0.1:61080".parse::<SocketAddr>().unwrap());
        commands.push((name, running, listeners));
    }
    // The same address, and each gets the answer of its own host's socket.
    for (name, _, listeners) in &commands {
        let mut stream = accept(&listeners[0]);
        let mut asked = [0; 5];
        stream.read_exact(&mut asked).unwrap();
        assert_eq!(&asked, b"asked");
        stream.write_all(name.as_bytes()).unwrap();
    }
    // On the machine's own nobody listens there.
    assert!(TcpStream::connect("127.0.0.1:61080").is_err());
    for (name, running, _) in commands {
        assert_eq!(end(running).await, (Exit::Code(0), format!("{name}\n")));
    }
}

#[tokio::test]
async fn who_was_given_no_socket_reaches_none_of_another_command() {
    let pool = pool(2);
    let first =
        pool.run(request(&["127.0.0.1:61080"], "sys.stdin.read(); import time; time.sleep(60)")).await;
    let first = first.unwrap();
    assert_eq!(first.listeners.len(), 1);
    let (exit, text) = {
        let output = run(&pool, request(&[], ASKS)).await.unwrap();
        (output.ended.exit, String::from_utf8_lossy(&output.stderr.captured).into_owned())
    };
    assert!(exit == Exit::Code(1) && text.contains("ConnectionRefusedError"), "{exit:?} {text}");
    // Nor is it reached in the first one's namespace by anybody who stays in it: no descriptor was left there.
    let script = "import os
print(sorted(os.listdir('/proc/self/fd'))[:3], len(os.listdir('/proc/self/fd')), flush=True)
try: socket.create_server(('127.0.0.1', 61080))
except OSError as error: print(error.errno, flush=True)";
    let mut running = pool.run(request(&["127.0.0.1:61080"], script)).await.unwrap();
    // The fourth is the folder's own.
    assert_eq!(line(&mut running).await, "['0', '1', '2'] 4");
    // EADDRINUSE: the host listens there.
    assert_eq!(line(&mut running).await, "98");
    assert_eq!(end(running).await.0, Exit::Code(0));
}

#[tokio::test]
async fn sockets_come_in_the_order_of_their_addresses_below_1024_and_as_many_as_there_may_be() {
    let mut addresses: Vec<String> = (2..128).map(|last| format!("127.0.0.{last}:{last}")).collect();
    addresses.extend(["127.0.0.1:443".to_owned(), "127.1.2.3:5432".to_owned()]);
    let listen: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let mut running = pool(1).run(request(&listen, "pass")).await.unwrap();
    let found: Vec<String> = std::mem::take(&mut running.listeners)
        .iter()
        .map(|listener| listener.local_addr().unwrap().to_string())
        .collect();
    assert_eq!(found, addresses);
    assert_eq!(end(running).await.0, Exit::Code(0));
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_said_and_the_next_command_runs() {
    let pool = pool(1);
    match run(&pool, request(&["127.0.0.1:7", "127.0.0.1:7"], "pass")).await {
        Err(RunError::NotStarted { step, source, .. }) => {
            assert_eq!(step, StartStep::Sandbox(Wall::Network));
            assert_eq!(source.kind(), std::io::ErrorKind::AddrInUse);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(run(&pool, request(&["127.0.0.1:7"], "pass")).await.unwrap().ended.exit, Exit::Code(0));
}

#[tokio::test]
async fn without_the_wall_nobody_listens_and_the_machines_network_is_there() {
    let machine = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = machine.local_addr().unwrap().port();
    let script = format!("socket.create_connection(('127.0.0.1', {port}), 30)");
    let mut request = request(&["127.0.0.1:61080"], &script);
    let orch_supervisor::Sandbox::Walls(walls) = &mut request.sandbox else { panic!() };
    walls.up.remove(&Wall::Network);
    let running = pool(1).run(request).await.unwrap();
    assert!(running.listeners.is_empty());
    assert_eq!(end(running).await, (Exit::Code(0), String::new()));
}
