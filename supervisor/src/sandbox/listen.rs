//! Sockets that listen on the loopback of a command's network namespace, for the host to accept on.
//!
//! In -> out: addresses -> in the namespace a socket for each, sent through a channel -> the same sockets, at the host.
//! Limits: [`LISTEN_MAX`] sockets of a command.
//! Invariant: no process in the namespace keeps one, so whoever connects is answered by the host or by nobody; nothing that
//! runs in the namespace allocates.
//! Not here: what lies behind them (the host).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// As many as a command may have.
pub const LISTEN_MAX: usize = 128;
/// Connections that wait to be accepted, of each.
const WAITING_MAX: i32 = 128;

/// One end for whoever makes the sockets, one for the host.
pub(crate) fn channel() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// In the namespace: one message for each address, in this order, that has its socket.
pub(crate) fn send(addresses: &[SocketAddr], channel: BorrowedFd<'_>) -> io::Result<()> {
    for address in addresses {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        rustix::net::bind(&socket, address)?;
        rustix::net::listen(&socket, WAITING_MAX)?;
        let descriptors = [socket.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(Errno::NOBUFS.into());
        }
        // The channel has room for all of them: whoever would have to wait has the wrong channel.
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        rustix::net::sendmsg(channel, &[IoSlice::new(&[0])], &mut control, flags)?;
    }
    Ok(())
}

/// At the host, once the command was started: so many sockets, in the order of their addresses; they do not block.
pub(crate) fn receive(channel: &OwnedFd, count: usize) -> io::Result<Vec<TcpListener>> {
    (0..count).map(|_| receive_one(channel)).collect()
}

fn receive_one(channel: &OwnedFd) -> io::Result<TcpListener> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    rustix::net::recvmsg(channel, &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
    let found = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    // The kernel leaves out what this process has no room for.
    found.map(TcpListener::from).ok_or_else(|| Errno::MFILE.into())
}
