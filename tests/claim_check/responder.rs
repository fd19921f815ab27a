//! A server in a thread that answers requests by a rule and remembers them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

pub struct Responder {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    taken: mpsc::Receiver<bool>,
}

impl Responder {
    /// `rule` takes the number of a request and its method; it gives the whole answer, after which the connection is closed.
    pub fn start(rule: impl Fn(usize, &str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let (took, taken) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
                let Some(request) = lines.next() else { continue };
                lines.for_each(drop);
                let number = seen.lock().unwrap().len();
                let answer = rule(number, request.split(' ').next().unwrap_or_default());
                seen.lock().unwrap().push(request);
                let _ = took.send((&stream).write_all(&answer).is_ok());
            }
        });
        Self { address, requests, taken }
    }

    /// A server that holds an object: what it says of its length, and what it sends.
    pub fn with_object(length: u64, sent: &[u8]) -> Self {
        let sent = sent.to_vec();
        Self::start(move |_, method| match method {
            "HEAD" => head(200, length),
            _ => [head(200, sent.len() as u64), sent.clone()].concat(),
        })
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether the next answer was taken to its end, or the client went away before.
    pub fn next_is_taken(&self) -> bool {
        self.taken.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    /// The requests so far, as `METHOD /path`.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|line| line.trim_end_matches(" HTTP/1.1").to_owned()).collect()
    }

    /// The methods of the requests so far.
    pub fn methods(&self) -> Vec<String> {
        self.requests().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }
}

/// The head of an answer.
pub fn head(status: u16, length: u64) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").into_bytes()
}
