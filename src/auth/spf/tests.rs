mod limits;
mod macros;
mod properties;
mod semantics;
mod suite;
mod syntax;
mod zone;

use super::{Identity, SpfCause, SpfOutcome, check_host};
use crate::config::Limits;
use crate::dns::{Budgets, Domain, Session};
use zone::Zone;

/// A sender and its client, with defaults for what most tests do not care about.
#[derive(Debug, Clone, Copy)]
struct Sender<'a> {
    ip: &'a str,
    helo: Option<&'a [u8]>,
    local_part: &'a [u8],
    domain: &'a str,
}

impl Default for Sender<'_> {
    fn default() -> Self {
        Self { ip: "192.0.2.1", helo: Some(b"helo.example.net"), local_part: b"user", domain: "example.com" }
    }
}

impl Sender<'_> {
    /// Returns the outcome within these limits. Panics on a name that is no domain.
    fn check_within(&self, zone: &Zone, limits: &Limits) -> SpfOutcome {
        let budgets = Budgets { discovery: 0, dkim_keys: 0, spf: limits.spf_questions, arc_keys: 0 };
        let session = Session::new(zone, budgets);
        let domain = Domain::parse(self.domain).unwrap();
        let identity =
            Identity { client_ip: self.ip.parse().unwrap(), helo: self.helo, local_part: self.local_part, domain: &domain };
        futures::executor::block_on(check_host(&session, &identity, limits))
    }

    fn check(&self, zone: &Zone) -> SpfOutcome {
        self.check_within(zone, &Limits::default())
    }

    fn cause(&self, zone: &Zone) -> SpfCause {
        self.check(zone).cause
    }
}

/// Returns the cause for a client at 192.0.2.1 and the domain example.com with this record.
///
/// `others` are further records of the zone.
fn cause_of(record: &str, others: &[(&str, &str)]) -> SpfCause {
    Sender::default().cause(&Zone::with_record(record, others))
}
