//! moto's S3 on a random loopback port, from a virtual environment that is made when it is missing.

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

pub struct Moto {
    child: Child,
    address: String,
}

impl Moto {
    pub fn start() -> Self {
        let python = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/python");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", python, "--pins", "claim_check", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut said = String::new();
        let address = lines.by_ref().find_map(|line| {
            said += &format!("{line}\n");
            Some(line.split_once("Running on http://")?.1.trim().to_owned())
        });
        let address = address.unwrap_or_else(|| panic!("moto did not start:\n{said}"));
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn create(&self, bucket: &str) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let body = "<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
        let (host, length) = (&self.address, body.len());
        let authorization = "AWS4-HMAC-SHA256 Credential=x/20260101/eu-central-1/s3/aws4_request";
        write!(
            stream,
            "PUT /{bucket} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let store: AmazonS3 = AmazonS3Builder::new()
            .with_endpoint(self.endpoint())
            .with_allow_http(true)
            .with_bucket_name(bucket)
            .with_region("eu-central-1")
            .with_access_key_id("x")
            .with_secret_access_key("x")
            .build()
            .unwrap();
        let put = async { store.put(&Path::parse(key).unwrap(), PutPayload::from(bytes.to_vec())).await };
        super::runtime().block_on(put).unwrap();
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
