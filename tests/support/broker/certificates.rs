//! An authority and a certificate for `localhost`, made by the openssl command.

use std::path::{Path, PathBuf};
use std::process::Command;

const CONFIGURATION: &str = "
[req]
prompt = no
distinguished_name = name
[name]
CN = localhost
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,IP:127.0.0.1
";

/// What a TLS listener needs, and what its clients need.
#[derive(Debug)]
pub struct Certificates {
    /// The authority, in PEM.
    pub ca: PathBuf,
    /// The server's key and certificate, in PEM.
    pub keystore: PathBuf,
}

impl Certificates {
    /// Makes them in `directory`.
    pub fn make(directory: &Path) -> Self {
        std::fs::write(directory.join("openssl.cnf"), CONFIGURATION).unwrap();
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config openssl.cnf";
        for arguments in [
            format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -extensions authority -subj /CN=tests"),
            format!("req -new {key} -keyout server.key -out server.csr"),
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile openssl.cnf -extensions server \
             -out server.pem"
                .to_owned(),
        ] {
            let output = Command::new("openssl")
                .args(arguments.split_whitespace())
                .current_dir(directory)
                .output()
                .expect("openssl is needed (scripts/setup broker)");
            assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
        let keystore = directory.join("keystore.pem");
        std::fs::write(&keystore, read("server.key") + &read("server.pem")).unwrap();
        Self { ca: directory.join("ca.pem"), keystore }
    }
}
