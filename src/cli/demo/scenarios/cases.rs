//! The table of scenarios. The module `zone` has the DNS records for them.

use super::{Change, Form, Scenario, mail};
use crate::auth::cause::SesStatus::{Fail, Gray, Pass, ProcessingFailed as Failed};
use crate::auth::dmarc::Policy::{self, Quarantine, Reject};
use crate::cli::demo::sign::{Key, Signature};

const BANK: &str = "Bank <news@bank.example>";
const SHOP: &str = "\"Shop, Inc.\" <offers@shop.example>";
const CLUB: &str = "club@club.example";

/// Returns every scenario, in the order of sending.
pub(in super::super) fn all() -> Vec<Scenario> {
    [direct(), forwarded(), spoofed(), tampered(), policies(), without_policy(), broken_dns(), authors(), producers()]
        .into_iter()
        .flatten()
        .collect()
}

trait Clients {
    fn by_bank(self) -> Self;
    fn by_mailer(self, mail_from: &'static str) -> Self;
    fn by_list(self) -> Self;
    fn by_forwarder(self) -> Self;
    fn relayed(self, mail_from: &'static str) -> Self;
    fn by_evil(self) -> Self;
}

impl Clients for Scenario {
    fn by_bank(self) -> Self {
        self.by("192.0.2.10", "bank.example", "bounce@bank.example")
    }

    fn by_mailer(self, mail_from: &'static str) -> Self {
        self.by("198.51.100.5", "out.mailer.example", mail_from)
    }

    fn by_list(self) -> Self {
        self.by("203.0.113.50", "list.example", "talk-bounces@list.example")
    }

    /// Sends the message through a forwarder that rewrites MAIL FROM.
    fn by_forwarder(self) -> Self {
        self.by("203.0.113.60", "forwarder.example", "srs0=x@forwarder.example")
    }

    /// Sends the message through a forwarder that keeps MAIL FROM.
    fn relayed(self, mail_from: &'static str) -> Self {
        self.by("203.0.113.61", "relay.forwarder.example", mail_from)
    }

    fn by_evil(self) -> Self {
        self.by("203.0.113.66", "evil.example", "x@evil.example")
    }
}

fn direct() -> Vec<Scenario> {
    vec![
        mail("direct, SPF and RSA signature", BANK).by_bank().signed("bank.example", Key::Rsa).passes(Pass, Pass),
        mail("direct, SPF and Ed25519 signature", BANK).by_bank().signed("bank.example", Key::Ed25519).passes(Pass, Pass),
        mail("direct, signed with both kinds of key", BANK)
            .by_bank()
            .signed("bank.example", Key::Rsa)
            .signed("bank.example", Key::Ed25519)
            .passes(Pass, Pass),
        mail("direct, unsigned", BANK).by_bank().passes(Pass, Gray),
        mail("through a mailer in the SPF record", SHOP).by_mailer("offers@shop.example").passes(Pass, Gray),
        mail("bounces to a subdomain, relaxed", SHOP).by_mailer("b@bounce.shop.example").passes(Pass, Gray),
        mail("own server, signature broken on the way", SHOP)
            .by_mailer("offers@shop.example")
            .signed("shop.example", Key::Rsa)
            .then(Change::Append("scanned\r\n"))
            .passes(Pass, Fail),
        mail("over IPv6", CLUB).by("2001:db8:1::25", "mx.club.example", "club@club.example").passes(Pass, Gray),
        mail("SPF record that redirects", "a@acme.example").by("192.0.2.10", "acme.example", "a@acme.example").passes(Pass, Gray),
        mail("bounce with null MAIL FROM, by HELO", "Mailer <mailer-daemon@bank.example>")
            .by("192.0.2.11", "mx.bank.example", "<>")
            .passes(Pass, Gray),
        mail("international domain name", "Jürgen <info@bücher.example>")
            .by_forwarder()
            .signed("xn--bcher-kva.example", Key::Rsa)
            .passes(Pass, Pass),
        mail("line ends without CR", BANK).by_bank().then(Change::BareLf).passes(Pass, Gray),
    ]
}

fn forwarded() -> Vec<Scenario> {
    vec![
        mail("forwarded, SPF breaks, RSA holds", BANK)
            .relayed("bounce@bank.example")
            .signed("bank.example", Key::Rsa)
            .passes(Fail, Pass),
        mail("forwarded, MAIL FROM rewritten", SHOP).by_forwarder().signed("shop.example", Key::Rsa).passes(Pass, Pass),
        mail("forwarded, SPF soft fails, Ed25519 holds", CLUB)
            .relayed("club@club.example")
            .signed("club.example", Key::Ed25519)
            .passes(Gray, Pass),
        mail("forwarded, unsigned", BANK).relayed("bounce@bank.example").fails(Fail, Gray, Reject),
        mail("mailing list adds a footer", BANK)
            .by_list()
            .signed("bank.example", Key::Rsa)
            .then(Change::Append("-- \r\nTalk list\r\n"))
            .fails(Pass, Fail, Reject),
        mail("mailing list, footer, own signature", CLUB)
            .signed("club.example", Key::Rsa)
            .by_list()
            .then(Change::Append("-- \r\nTalk list\r\n"))
            .fails(Pass, Fail, Policy::None),
        mail("mailing list that rewrites From", "Bank via Talk <talk@list.example>")
            .by_list()
            .signed("list.example", Key::Rsa)
            .passes(Pass, Pass),
    ]
}

fn spoofed() -> Vec<Scenario> {
    vec![
        mail("spoof, policy reject", BANK).by("203.0.113.66", "bank.example", "news@bank.example").fails(Fail, Gray, Reject),
        mail("spoof, policy quarantine", SHOP).by_evil().fails(Pass, Gray, Quarantine),
        mail("spoof, policy none", CLUB).by_evil().fails(Pass, Gray, Policy::None),
        mail("spoof, SPF passes for the attacker", BANK).by_evil().fails(Pass, Gray, Reject),
        mail("spoof, signed by the attacker", BANK).by_evil().signed("evil.example", Key::Rsa).fails(Pass, Gray, Reject),
        mail("spoof, forged Authentication-Results", BANK)
            .by_evil()
            .then(Change::Prepend("Authentication-Results: mx.receiver.example; dmarc=pass header.from=bank.example\r\n"))
            .fails(Pass, Gray, Reject),
        mail("spoof, the attacker's own DNS is broken", BANK)
            .by("203.0.113.66", "evil.example", "x@broken.evil.example")
            .fails(Failed, Gray, Reject),
        mail("spoof under eleven junk signatures", BANK)
            .by_evil()
            .then(Change::Junk(11, "bank.example"))
            .fails(Pass, Fail, Reject),
        mail("spoof of a domain without SPF", "a@nospf.example")
            .by("203.0.113.66", "x", "a@nospf.example")
            .fails(Gray, Gray, Reject),
        mail("look-alike domain", "Bank <news@bank.evil.example>").by_evil().gray(Pass, Gray),
    ]
}

fn tampered() -> Vec<Scenario> {
    let signature = Signature { domain: "bank.example", key: Key::Rsa, length: false, expires: None };
    vec![
        mail("body changed after signing", BANK)
            .relayed("bounce@bank.example")
            .signature(signature)
            .then(Change::Append("Please pay here: http://evil.example\r\n"))
            .fails(Fail, Fail, Reject),
        mail("text appended behind l=", BANK)
            .relayed("bounce@bank.example")
            .signature(Signature { length: true, ..signature })
            .then(Change::Append("Please pay here: http://evil.example\r\n"))
            .fails(Fail, Fail, Reject),
        mail("signature expired", BANK)
            .relayed("bounce@bank.example")
            .signature(Signature { expires: Some(1), ..signature })
            .fails(Fail, Fail, Reject),
        mail("key revoked", BANK).relayed("bounce@bank.example").signed("bank.example", Key::Revoked).fails(Fail, Fail, Reject),
        mail("key in testing mode, t=y", BANK)
            .relayed("bounce@bank.example")
            .signed("bank.example", Key::Testing)
            .passes(Fail, Pass),
        mail("signed, replayed under a second From", BANK)
            .by_evil()
            .signature(signature)
            .then(Change::Prepend("From: ceo@shop.example\r\n"))
            .undecided(Pass, Gray),
    ]
}

fn policies() -> Vec<Scenario> {
    let strict = "a@strict.example";
    vec![
        mail("strict alignment, SPF of a subdomain", strict)
            .by("192.0.2.21", "x", "a@mail.strict.example")
            .fails(Pass, Gray, Reject),
        mail("strict alignment, subdomain signs", strict)
            .by_forwarder()
            .signed("mail.strict.example", Key::Rsa)
            .fails(Pass, Gray, Reject),
        mail("strict alignment, exact signature", strict).by_forwarder().signed("strict.example", Key::Rsa).passes(Pass, Pass),
        mail("spoof of a subdomain, sp=reject", "a@news.shop.example").by_evil().fails(Pass, Gray, Reject),
        mail("spoof of a subdomain, sp=none", "a@old.acme.example").by_evil().fails(Pass, Gray, Policy::None),
        mail("spoof of a missing name, np=quarantine", "a@ghost.acme.example").by_evil().fails(Pass, Gray, Quarantine),
        mail("spoof, policy in testing, t=y", "a@testing.example").by_evil().fails(Pass, Gray, Quarantine),
        mail("below a public suffix with psd=y", "a@tax.gov.example")
            .by("192.0.2.40", "relay.tax.gov.example", "b@relay.tax.gov.example")
            .passes(Pass, Gray),
        mail("a neighbour below psd=y signs", "a@other.gov.example")
            .by_evil()
            .signed("tax.gov.example", Key::Rsa)
            .fails(Pass, Gray, Reject),
        mail("psd=n cuts the department off", "a@lab.dept.uni.example")
            .by_evil()
            .signed("uni.example", Key::Rsa)
            .fails(Pass, Gray, Quarantine),
    ]
}

fn without_policy() -> Vec<Scenario> {
    let plain = "a@plain.example";
    vec![
        mail("no policy, SPF passes", plain).by("198.51.100.77", "plain.example", "a@plain.example").gray(Pass, Gray),
        mail("no policy, signed", plain).by_forwarder().signed("plain.example", Key::Rsa).gray(Pass, Pass),
        mail("no policy, no SPF, no signature", "a@nothing.example").by("192.0.2.17", "x", "a@nothing.example").gray(Gray, Gray),
        mail("two DMARC records count as none", "a@doubled.example")
            .by("203.0.113.66", "x", "a@doubled.example")
            .gray(Fail, Gray),
    ]
}

fn broken_dns() -> Vec<Scenario> {
    vec![
        mail("policy lookup: SERVFAIL", "a@flaky.example").by_evil().undecided(Pass, Gray),
        mail("policy lookup: no answer", "a@slow.example").by_evil().undecided(Pass, Gray),
        mail("key lookup: SERVFAIL, nothing aligned", "a@keyless.example")
            .by_forwarder()
            .signed("keyless.example", Key::Rsa)
            .undecided(Pass, Failed),
        mail("key lookup: no answer, SPF decides", "a@softdns.example")
            .by("192.0.2.71", "softdns.example", "a@softdns.example")
            .signed("softdns.example", Key::Rsa)
            .passes(Pass, Failed),
        mail("SPF record that includes itself", "a@spfloop.example")
            .by("203.0.113.66", "x", "a@spfloop.example")
            .fails(Failed, Gray, Reject),
    ]
}

fn authors() -> Vec<Scenario> {
    vec![
        mail("two domains in From", "news@bank.example, x@evil.example").by_evil().undecided(Pass, Gray),
        mail("two mailboxes of one domain", "a@bank.example, b@bank.example").by_bank().passes(Pass, Gray),
        mail("From that cannot be parsed", "<x@evil.example>news@bank.example").by_evil().undecided(Pass, Gray),
        mail("no From at all", "").by_evil().undecided(Pass, Gray),
        mail("another address as display name", "\"news@bank.example\" <x@evil.example>").by_evil().gray(Pass, Gray),
        mail("commas in the display name", "Bank, Inc., Berlin <news@bank.example>").by_bank().passes(Pass, Gray),
    ]
}

fn producers() -> Vec<Scenario> {
    vec![
        mail("submitted by an authenticated user", BANK)
            .by("198.51.100.200", "laptop", "a@bank.example")
            .authenticated("alice")
            .gray(Gray, Gray),
        mail("envelope unknown, signed", BANK).form(Form::Bare).signed("bank.example", Key::Rsa).passes(Gray, Pass),
        mail("envelope unknown, unsigned", BANK).form(Form::Bare).undecided(Gray, Gray),
        mail("client in a private network, unsigned", BANK)
            .by("10.0.0.5", "gateway", "bounce@bank.example")
            .undecided(Gray, Gray),
        mail("structured CloudEvent", BANK).by_bank().signed("bank.example", Key::Rsa).form(Form::Structured).passes(Pass, Pass),
        mail("record without bytes", BANK).form(Form::Empty).refused("empty_value"),
        mail("record of another content type", BANK).form(Form::Header("content-type", "text/html")).refused("content_type"),
        mail("record with an unreadable client address", BANK)
            .form(Form::Header("ce_clientip", "mx.bank"))
            .refused("attribute_clientip"),
    ]
}
