//! What nobody can save: one SHA-256 over each signed body and one signature check for each signature whose body is intact.

use crate::corpus::sign::Key;
use crate::corpus::{Case, Corpus};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

/// A check to be made.
struct Check {
    ed25519: bool,
    key: Vec<u8>,
    data: Vec<u8>,
    signature: Vec<u8>,
}

/// The bare cryptography of a corpus.
pub struct Floor<'c> {
    bodies: Vec<&'c [u8]>,
    checks: Vec<Check>,
}

impl<'c> Floor<'c> {
    /// Prepares everything but the cryptography itself.
    pub fn new(corpus: &'c Corpus) -> Self {
        let (rsa, ed25519) = (Key::rsa(), Key::ed25519());
        // As large as the headers that a signature covers are.
        let data = vec![b'h'; 800];
        let check = |ed: bool, key: &Key| Check {
            ed25519: ed,
            key: key.public().to_vec(),
            data: data.clone(),
            signature: key.sign(&data),
        };
        let made: [Vec<Check>; 2] =
            [rsa.iter().map(|key| check(false, key)).collect(), ed25519.iter().map(|key| check(true, key)).collect()];
        let mut floor = Self { bodies: Vec::new(), checks: Vec::new() };
        for case in &corpus.cases {
            if !case.work.is_empty() {
                floor.bodies.push(body(case));
            }
            for (work, expected) in case.work.iter().zip(&case.expected.signatures) {
                if expected.passes {
                    let check = &made[usize::from(work.ed25519)][work.key];
                    floor.checks.push(Check {
                        ed25519: check.ed25519,
                        key: check.key.clone(),
                        data: check.data.clone(),
                        signature: check.signature.clone(),
                    });
                }
            }
        }
        floor
    }

    /// Hashes every body.
    pub fn hash(&self) -> usize {
        self.bodies.iter().map(|body| usize::from(digest(&SHA256, body).as_ref()[0])).sum()
    }

    /// Checks every signature.
    pub fn verify(&self) -> usize {
        let good = self.checks.iter().filter(|check| {
            if check.ed25519 {
                let hash = digest(&SHA256, &check.data);
                UnparsedPublicKey::new(&ED25519, &check.key).verify(hash.as_ref(), &check.signature).is_ok()
            } else {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &check.key).verify(&check.data, &check.signature).is_ok()
            }
        });
        let good = good.count();
        assert_eq!(good, self.checks.len(), "a signature of the floor does not verify");
        good
    }
}

fn body(case: &Case) -> &[u8] {
    let end = memchr::memmem::find(&case.message, b"\r\n\r\n").unwrap();
    &case.message[end + 4..]
}
