//! Opens tokio's sockets, and notes those that this host refuses to open.
//!
//! The pool of connections reports the same error for a socket that this host does not open and for
//! a server that refuses a connection. So the faults are counted where they happen.

use hickory_resolver::net::runtime::{RuntimeProvider, TokioRuntimeProvider};
use nix::errno::Errno;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

type Opening<T> = Pin<Box<dyn Send + Future<Output = io::Result<T>>>>;

/// A source of sockets, which counts the faults of this host.
#[derive(Clone, Default)]
pub(super) struct Sockets {
    runtime: TokioRuntimeProvider,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    count: AtomicU64,
    last: AtomicI32,
}

impl Sockets {
    /// Returns the number of faults of this host so far.
    pub(super) fn faults(&self) -> u64 {
        self.faults.count.load(Ordering::Acquire)
    }

    /// Returns the last fault, if there was one.
    pub(super) fn last_fault(&self) -> Option<Errno> {
        (self.faults() > 0).then(|| Errno::from_raw(self.faults.last.load(Ordering::Acquire)))
    }

    fn noting<T: 'static>(&self, opening: Opening<T>) -> Opening<T> {
        let faults = self.faults.clone();
        Box::pin(async move {
            let opened = opening.await;
            if let Err(error) = &opened
                && let Some(errno) = local_fault(error)
            {
                faults.last.store(errno as i32, Ordering::Release);
                faults.count.fetch_add(1, Ordering::AcqRel);
            }
            opened
        })
    }
}

/// Returns the error number if this host has no descriptor, memory or port for a socket.
///
/// Such a fault says nothing about the server.
/// A port that is taken is no such fault, because another port is tried.
fn local_fault(error: &io::Error) -> Option<Errno> {
    let errno = error.raw_os_error().map(Errno::from_raw)?;
    let local =
        matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM | Errno::EAGAIN | Errno::EADDRNOTAVAIL);
    local.then_some(errno)
}

impl RuntimeProvider for Sockets {
    type Handle = <TokioRuntimeProvider as RuntimeProvider>::Handle;
    type Timer = <TokioRuntimeProvider as RuntimeProvider>::Timer;
    type Udp = <TokioRuntimeProvider as RuntimeProvider>::Udp;
    type Tcp = <TokioRuntimeProvider as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> Self::Handle {
        self.runtime.create_handle()
    }

    fn connect_tcp(&self, server: SocketAddr, bind: Option<SocketAddr>, wait: Option<Duration>) -> Opening<Self::Tcp> {
        self.noting(self.runtime.connect_tcp(server, bind, wait))
    }

    fn bind_udp(&self, local: SocketAddr, server: SocketAddr) -> Opening<Self::Udp> {
        self.noting(self.runtime.bind_udp(local, server))
    }
}
