//! Requests of the Kafka protocol that librdkafka or its binding do not offer: ListTransactions, CreateAcls and DeleteAcls.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const LIST_TRANSACTIONS: i16 = 66;
const CREATE_ACLS: i16 = 30;
const DELETE_ACLS: i16 = 31;
const TIMEOUT: Duration = Duration::from_secs(5);

/// What a coordinator knows of a transactional id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Transaction {
    pub id: String,
    /// Kafka's name of the state: `Ongoing`, `PrepareCommit`, `CompleteAbort`, …
    pub state: String,
}

impl Transaction {
    /// It has begun, and not all of its partitions have been told how it ended.
    pub fn is_open(&self) -> bool {
        self.state == "Ongoing" || self.is_ending()
    }

    /// Its end is decided and being written to its partitions. A client has been told so already.
    pub fn is_ending(&self) -> bool {
        self.state.starts_with("Prepare")
    }
}

/// The transactional ids that the node at `address` coordinates, or `None` when it cannot say at the moment.
/// A node that does not run coordinates none.
pub(super) fn transactions(address: SocketAddr) -> Option<Vec<Transaction>> {
    // Version, correlation id, no client id, no tagged fields; no filter of states, none of producers, no tagged fields.
    match ask(address, LIST_TRANSACTIONS, &[0, 0, 0, 0, 0, 7, 0xff, 0xff, 0, 1, 1, 0]) {
        Ok(answer) => parse(&answer),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Some(Vec::new()),
        Err(_) => None,
    }
}

/// A rule about a resource, of the numbers of `org.apache.kafka.common.acl` and `.resource`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule<'a> {
    pub resource: u8,
    pub name: &'a str,
    /// Whether the name is meant literally, or is the beginning of others.
    pub pattern: u8,
    pub principal: &'a str,
    pub operation: u8,
    pub permission: u8,
}

impl Rule<'_> {
    /// Of both requests, version 1: one rule, as it is or as the filter that only it passes.
    fn request(self) -> Vec<u8> {
        // Version, correlation id, no client id; one rule, about such a resource.
        let mut request = vec![0, 1, 0, 0, 0, 7, 0xff, 0xff, 0, 0, 0, 1, self.resource];
        let mut put = |bytes: &[u8], text: Option<&str>| {
            request.extend(bytes);
            if let Some(text) = text {
                request.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
                request.extend(text.as_bytes());
            }
        };
        put(&[], Some(self.name));
        put(&[self.pattern], Some(self.principal));
        put(&[], Some("*"));
        put(&[self.operation, self.permission], None);
        request
    }
}

/// Adds a rule at the node at `address`.
pub(super) fn add(address: SocketAddr, rule: Rule<'_>) {
    assert_done(&ask(address, CREATE_ACLS, &rule.request()).unwrap());
}

/// Takes a rule away.
pub(super) fn remove(address: SocketAddr, rule: Rule<'_>) {
    assert_done(&ask(address, DELETE_ACLS, &rule.request()).unwrap());
}

/// Behind correlation id and throttle time: one result, whose first field is its error code.
fn assert_done(answer: &[u8]) {
    assert_eq!(answer.get(8..14), Some(&[0, 0, 0, 1, 0, 0][..]), "{}", String::from_utf8_lossy(answer));
}

fn ask(address: SocketAddr, api: i16, rest: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut request = api.to_be_bytes().to_vec();
    request.extend(rest);
    stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes())?;
    stream.write_all(&request)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// `None` when the coordinator has not loaded its log yet.
fn parse(answer: &[u8]) -> Option<Vec<Transaction>> {
    let mut rest = answer;
    take(&mut rest, 4);
    skip_tags(&mut rest);
    take(&mut rest, 4);
    if i16::from_be_bytes(take(&mut rest, 2).try_into().unwrap()) != 0 {
        return None;
    }
    for _ in 0..length(&mut rest) {
        text(&mut rest);
    }
    let count = length(&mut rest);
    let transactions = (0..count).map(|_| {
        let id = text(&mut rest);
        take(&mut rest, 8);
        let state = text(&mut rest);
        skip_tags(&mut rest);
        Transaction { id, state }
    });
    Some(transactions.collect())
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}

fn varint(rest: &mut &[u8]) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = take(rest, 1)[0];
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
        shift += 7;
    }
}

/// The length of a compact array or string, which is written as one more.
fn length(rest: &mut &[u8]) -> usize {
    varint(rest).saturating_sub(1)
}

fn text(rest: &mut &[u8]) -> String {
    let count = length(rest);
    String::from_utf8(take(rest, count).to_vec()).unwrap()
}

fn skip_tags(rest: &mut &[u8]) {
    for _ in 0..varint(rest) {
        varint(rest);
        let size = varint(rest);
        take(rest, size);
    }
}
