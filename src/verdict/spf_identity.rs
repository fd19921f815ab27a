//! Chooses the identity that SPF judges, and notes what is unknown of it (A1 to A3).

use super::EnvelopeFrom;
use crate::auth::cause::SpfCause;
use crate::auth::dmarc::{Certainty, Identifier, Mechanism};
use crate::auth::spf::SpfOutcome;
use crate::config::Evaluation;
use crate::detail::{Detail, quoted};
use crate::dns::Domain;
use crate::event::SpfScope;
use crate::message::{Envelope, MailFrom, Path, helo_domain};
use std::net::IpAddr;

/// The identity and the client that SPF judges for one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpfSubject {
    /// The kind of the identity.
    pub(super) scope: SpfScope,
    /// The local part of the identity.
    pub(super) local_part: Vec<u8>,
    /// The domain of the identity.
    pub(super) domain: SubjectDomain,
    /// The client.
    pub(super) client: Client,
}

/// The domain of the identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SubjectDomain {
    Known(Domain),
    /// The identity is given, but is no domain.
    /// SPF has nothing to judge, and nothing could make it pass.
    NotOne,
    /// The identity is not given, so it could be any domain.
    Unknown(SpfCause),
}

/// The client as SPF sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    External(IpAddr),
    /// The client is not given, or is inside the trusted networks: a pass is possible.
    Unknown(SpfCause),
}

impl SpfSubject {
    pub(super) fn of(envelope: &Envelope, settings: &Evaluation) -> Self {
        let (scope, local_part, domain) = match &envelope.mail_from {
            MailFrom::Unknown => (SpfScope::Mfrom, Vec::new(), SubjectDomain::Unknown(SpfCause::MailFromUnknown)),
            MailFrom::Null => {
                let domain = match &envelope.helo {
                    None => SubjectDomain::Unknown(SpfCause::HeloUnknown),
                    Some(helo) => helo_domain(helo.as_bytes()).map_or(SubjectDomain::NotOne, SubjectDomain::Known),
                };
                (SpfScope::Helo, b"postmaster".to_vec(), domain)
            }
            MailFrom::Path(path) => match Path::parse(path.as_bytes()) {
                Some(path) => (SpfScope::Mfrom, path.local_part, SubjectDomain::Known(path.domain)),
                None => (SpfScope::Mfrom, Vec::new(), SubjectDomain::NotOne),
            },
        };
        Self { scope, local_part, domain, client: Client::of(envelope, settings) }
    }

    /// Returns the cause of the result if there is nothing to ask.
    pub(super) fn settled(&self) -> Option<SpfCause> {
        match (&self.domain, self.client) {
            (SubjectDomain::NotOne, _) => Some(SpfCause::NoDomain),
            (_, Client::Unknown(cause)) => Some(cause),
            (SubjectDomain::Unknown(cause), _) => Some(*cause),
            (SubjectDomain::Known(_), Client::External(_)) => None,
        }
    }

    /// Explains to people why the identity is no domain, or is not known.
    pub(super) fn detail(&self, envelope: &Envelope) -> Option<Detail> {
        match &self.domain {
            SubjectDomain::NotOne => {}
            SubjectDomain::Unknown(SpfCause::HeloUnknown) => {
                return Some(Detail::new("MAIL FROM is the null path: SPF judges the name in HELO then"));
            }
            SubjectDomain::Known(_) | SubjectDomain::Unknown(_) => return None,
        }
        match (&envelope.mail_from, &envelope.helo) {
            (MailFrom::Path(path), _) => {
                let domain = path.rsplit_once('@').map_or("", |(_, domain)| domain);
                let problem = if Domain::parse(domain).is_ok() {
                    "is no path of RFC 5321: its local part cannot be read"
                } else {
                    "is no path of RFC 5321: no domain name stands behind `@`"
                };
                Some(Detail::new(format_args!("MAIL FROM {} {problem}", quoted(path.as_bytes()))))
            }
            (_, Some(helo)) => {
                let problem = match Domain::parse(helo) {
                    Ok(_) => "is a single label",
                    Err(_) if helo.starts_with('[') => "is an address literal",
                    Err(_) if helo.parse::<IpAddr>().is_ok() => "is an address",
                    Err(_) => "is no domain name",
                };
                Some(Detail::new(format_args!(
                    "MAIL FROM is the null path, and the name in HELO, {}, {problem}",
                    quoted(helo.as_bytes())
                )))
            }
            _ => None,
        }
    }

    /// Returns the identity's domain, if it is known.
    pub(super) fn known_domain(&self) -> Option<&Domain> {
        match &self.domain {
            SubjectDomain::Known(domain) => Some(domain),
            SubjectDomain::NotOne | SubjectDomain::Unknown(_) => None,
        }
    }

    /// Returns the identifier that the identity gives or could give to DMARC (A40, A43), if any.
    ///
    /// `outcome` is `None` while SPF is still open.
    pub(super) fn identifier(&self, outcome: Option<&SpfOutcome>, permissive_counts: bool) -> Option<Identifier> {
        let certainty = match outcome.map(|outcome| outcome.cause) {
            Some(SpfCause::Pass) if permissive_counts || outcome.is_some_and(|outcome| !outcome.permissive) => {
                Certainty::Authenticated
            }
            None | Some(SpfCause::DnsUnanswered | SpfCause::ClientUnknown | SpfCause::ClientNotExternal) => Certainty::Possible,
            Some(SpfCause::MailFromUnknown | SpfCause::HeloUnknown) => Certainty::Possible,
            Some(_) => return None,
        };
        match &self.domain {
            SubjectDomain::NotOne => None,
            SubjectDomain::Known(domain) => {
                Some(Identifier { domain: Some(domain.clone()), mechanism: Mechanism::Spf, certainty })
            }
            SubjectDomain::Unknown(_) => Some(Identifier { domain: None, mechanism: Mechanism::Spf, certainty }),
        }
    }
}

impl Client {
    fn of(envelope: &Envelope, settings: &Evaluation) -> Self {
        let Some(ip) = envelope.client_ip.map(|ip| ip.to_canonical()) else { return Self::Unknown(SpfCause::ClientUnknown) };
        if settings.trusted_networks.iter().any(|network| network.contains(&ip)) {
            Self::Unknown(SpfCause::ClientNotExternal)
        } else {
            Self::External(ip)
        }
    }

    /// Returns the address as a report may show it.
    pub(super) fn source_ip(self) -> Option<IpAddr> {
        match self {
            Self::External(ip) => Some(ip),
            Self::Unknown(_) => None,
        }
    }
}

/// Returns the name in HELO if SPF had no domain to judge and HELO is a domain.
///
/// A report has the name in place of that domain.
pub(super) fn unjudged_helo(subject: &SpfSubject, envelope: &Envelope) -> Option<Domain> {
    match subject.known_domain() {
        Some(_) => None,
        None => helo_domain(envelope.helo.as_ref()?.as_bytes()),
    }
}

/// Returns MAIL FROM's domain for a report.
pub(super) fn envelope_from(envelope: &Envelope) -> Option<EnvelopeFrom> {
    match &envelope.mail_from {
        MailFrom::Unknown => None,
        MailFrom::Null => Some(EnvelopeFrom::Null),
        MailFrom::Path(path) => Path::parse(path.as_bytes()).map(|path| EnvelopeFrom::Domain(path.domain)),
    }
}
