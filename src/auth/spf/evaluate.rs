//! Implements `check_host()`: fetches records, matches mechanisms and applies the limits
//! (RFC 7208 sections 4 to 6).

use super::identity::Identity;
use super::macros::{DomainSpec, Values, reverse_name};
use super::record::{Directive, DualCidr, Mechanism, Qualifier, has_version, parse_record};
use super::stop::Stop;
use super::trace::Trace;
use crate::auth::cause::SpfCause;
use crate::config::Limits;
use crate::detail::quoted;
use crate::dns::{Answer, Outcome, Purpose, QueryName, Question, Record as DnsRecord, RecordType, Session, Unanswered};
use futures::future::{BoxFuture, join_all};
use ipnet::IpNet;
use std::net::IpAddr;
use std::sync::Arc;

/// The longest IPv4 prefix, in bits, that permits nearly everybody (F-22).
const PERMISSIVE_V4: u8 = 8;
/// The longest IPv6 prefix, in bits, that permits nearly everybody (F-22).
const PERMISSIVE_V6: u8 = 16;
/// The longest text of a matched mechanism, in bytes.
const MECHANISM_BYTES: usize = 256;

/// The finding of a domain's record about the client.
#[derive(Debug)]
pub(super) enum Found {
    /// There is no record, or the domain does not exist.
    NoRecord,
    /// A mechanism matched.
    Matched { qualifier: Qualifier, mechanism: String, permissive: bool },
    /// No mechanism matched.
    NothingMatched,
}

/// The outcome of matching a mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    Yes {
        permissive: bool,
    },
    No,
    /// The mechanism does not match, and its lookup was void: it found nothing (RFC 7208 4.6.4).
    Void,
}

/// One evaluation, with the records that it includes and redirects to.
pub(super) struct Evaluation<'e> {
    session: &'e Session<'e>,
    identity: &'e Identity<'e>,
    limits: &'e Limits,
    lookup_terms: usize,
    void_lookups: usize,
    /// The notes for an explanation. `None` in an evaluation that nobody wants explained.
    trace: Option<Trace>,
}

impl<'e> Evaluation<'e> {
    pub(super) fn new(session: &'e Session<'e>, identity: &'e Identity<'e>, limits: &'e Limits) -> Self {
        Self { session, identity, limits, lookup_terms: 0, void_lookups: 0, trace: None }
    }

    /// Returns the same evaluation from its beginning, with notes.
    pub(super) fn traced(&self) -> Self {
        Self { trace: Some(Trace::default()), ..Self::new(self.session, self.identity, self.limits) }
    }

    pub(super) fn into_trace(self) -> Trace {
        self.trace.unwrap_or_default()
    }

    pub(super) fn limits(&self) -> &'e Limits {
        self.limits
    }

    fn note(&mut self, note: impl FnOnce(&mut Trace)) {
        if let Some(trace) = &mut self.trace {
            note(trace);
        }
    }

    /// Evaluates the record of `domain`, and the records that it redirects to.
    ///
    /// `domain` is `depth` includes and redirects below the identity's own domain.
    pub(super) async fn check(&mut self, mut domain: QueryName, mut depth: usize) -> Result<Found, Stop> {
        let mut redirected = false;
        loop {
            let answer = self.ask(&domain, RecordType::Txt).await?;
            let Some(text) = self.select(&answer, &domain)? else {
                return if redirected { Err(Stop::new(SpfCause::IncludedNone, &domain)) } else { Ok(Found::NoRecord) };
            };
            let record = parse_record(text).map_err(|error| Stop::because(SpfCause::Syntax, &domain, error))?;
            for directive in &record.directives {
                self.note(|trace| trace.begin(directive.text, &domain));
                if let Match::Yes { permissive } = self.matches(directive, &domain, depth).await? {
                    let mechanism = directive.text.get(..MECHANISM_BYTES).unwrap_or(directive.text).to_owned();
                    return Ok(Found::Matched { qualifier: directive.qualifier, mechanism, permissive });
                }
            }
            let Some(redirect) = &record.redirect else { return Ok(Found::NothingMatched) };
            self.note(|trace| trace.begin("redirect", &domain));
            let target = self.descend(redirect, &domain, depth).await?;
            domain = target;
            depth += 1;
            redirected = true;
        }
    }

    /// Calls [`Self::check`] for an included domain. The future is boxed because it recurs.
    fn check_included(&mut self, domain: QueryName, depth: usize) -> BoxFuture<'_, Result<Found, Stop>> {
        Box::pin(self.check(domain, depth))
    }

    /// Returns the only SPF record among the TXT records of `domain` (RFC 7208 4.5).
    ///
    /// Their order does not matter. Returns `None` if there is no SPF record.
    fn select<'a>(&self, answer: &'a Answer, domain: &QueryName) -> Result<Option<&'a [u8]>, Stop> {
        let mut records = answer.texts().filter(|text| has_version(text));
        match (records.next(), records.next()) {
            (Some(one), Some(other)) => {
                let (one, other) = (one.min(other), one.max(other));
                Err(Stop::because(SpfCause::SeveralRecords, domain, format_args!("{} and {}", quoted(one), quoted(other))))
            }
            (Some(text), None) if text.len() > self.limits.spf_record_bytes => {
                let (length, most) = (text.len(), self.limits.spf_record_bytes);
                let detail = format_args!("the record has {length} octets, {most} are allowed");
                Err(Stop::because(SpfCause::RecordLimit, domain, detail))
            }
            (text, _) => Ok(text.map(|text| &**text)),
        }
    }

    async fn matches(&mut self, directive: &Directive<'_>, domain: &QueryName, depth: usize) -> Result<Match, Stop> {
        let client = self.identity.client_ip;
        let in_network = |inside: bool, permissive| if inside { Match::Yes { permissive } } else { Match::No };
        let found = match (&directive.mechanism, client) {
            (Mechanism::All, _) => return Ok(Match::Yes { permissive: true }),
            (Mechanism::Ip4(network), IpAddr::V4(client)) => {
                return Ok(in_network(network.contains(&client), network.prefix_len() <= PERMISSIVE_V4));
            }
            (Mechanism::Ip6(network), IpAddr::V6(client)) => {
                return Ok(in_network(network.contains(&client), network.prefix_len() <= PERMISSIVE_V6));
            }
            (Mechanism::Ip4(_) | Mechanism::Ip6(_), _) => return Ok(Match::No),
            (Mechanism::Include(target), _) => return self.include(target, domain, depth).await,
            (Mechanism::A(target, cidr), _) => self.a(target.as_ref(), *cidr, domain).await?,
            (Mechanism::Mx(target, cidr), _) => self.mx(target.as_ref(), *cidr, domain).await?,
            (Mechanism::Ptr(target), _) => self.ptr(target.as_ref(), domain).await?,
            (Mechanism::Exists(target), _) => self.exists(target, domain).await?,
        };
        if found == Match::Void {
            self.void_lookups += 1;
            self.note(Trace::finds_nothing);
            if self.void_lookups > self.limits.spf_void_lookups {
                return Err(Stop::new(SpfCause::VoidLimit, domain));
            }
        }
        Ok(found)
    }

    async fn include(&mut self, target: &DomainSpec<'_>, domain: &QueryName, depth: usize) -> Result<Match, Stop> {
        let target = self.descend(target, domain, depth).await?;
        match self.check_included(target.clone(), depth + 1).await? {
            Found::Matched { qualifier: Qualifier::Pass, permissive, .. } => Ok(Match::Yes { permissive }),
            Found::Matched { .. } | Found::NothingMatched => Ok(Match::No),
            Found::NoRecord => Err(Stop::new(SpfCause::IncludedNone, &target)),
        }
    }

    /// Returns the domain that an `include` or `redirect` names.
    ///
    /// A name that no domain can have counts as one without a record, which is a permerror
    /// (RFC 7208 4.3, 5.2 and 6.1).
    async fn descend(&mut self, spec: &DomainSpec<'_>, domain: &QueryName, depth: usize) -> Result<QueryName, Stop> {
        self.count_term(domain)?;
        if depth >= self.limits.spf_depth {
            return Err(Stop::new(SpfCause::DepthLimit, domain));
        }
        let target = self.expand(spec, domain).await?.filter(|target| target.as_str().contains('.'));
        target.ok_or_else(|| {
            Stop::because(
                SpfCause::IncludedNone,
                domain,
                format_args!("{} is no name that DNS holds", quoted(spec.text().as_bytes())),
            )
        })
    }

    async fn a(&mut self, target: Option<&DomainSpec<'_>>, cidr: DualCidr, domain: &QueryName) -> Result<Match, Stop> {
        self.count_term(domain)?;
        let Some(target) = self.target(target, domain).await? else { return Ok(Match::No) };
        let answer = self.ask(&target, self.address_type()).await?;
        Ok(if self.has_client(&answer, cidr) {
            self.matched_by(cidr)
        } else if answer.records().is_empty() {
            Match::Void
        } else {
            Match::No
        })
    }

    /// Matches the mechanism `mx`.
    ///
    /// A match by any host wins, whatever the other lookups gave. So the order of hosts does not
    /// matter.
    /// The term is void once if it found nothing at all, and not once for each host without an
    /// address of the client's family: the limit is one on terms.
    async fn mx(&mut self, target: Option<&DomainSpec<'_>>, cidr: DualCidr, domain: &QueryName) -> Result<Match, Stop> {
        self.count_term(domain)?;
        let Some(target) = self.target(target, domain).await? else { return Ok(Match::No) };
        let answer = self.ask(&target, RecordType::Mx).await?;
        if answer.records().is_empty() {
            return Ok(Match::Void);
        }
        if answer.records().len() > self.limits.spf_names_per_term {
            return Err(Stop::new(SpfCause::NamesLimit, &target));
        }
        let mut hosts: Vec<_> = answer.records().iter().filter_map(exchanger).collect();
        hosts.sort_unstable();
        let hosts = distinct(hosts.into_iter().map(|(_, host)| host));
        let answers = self.ask_addresses(&hosts).await;
        if answers.iter().any(|answer| self.has_client(answer, cidr)) {
            return Ok(self.matched_by(cidr));
        }
        match hosts.iter().zip(&answers).find_map(|(host, answer)| Stop::for_answer(answer, host)) {
            Some(stop) => Err(stop),
            None if !hosts.is_empty() && answers.iter().all(|answer| answer.records().is_empty()) => Ok(Match::Void),
            None => Ok(Match::No),
        }
    }

    /// Matches the mechanism `ptr`.
    ///
    /// DNS errors give no match here (RFC 7208 5.5), but a used-up budget ends the evaluation.
    async fn ptr(&mut self, target: Option<&DomainSpec<'_>>, domain: &QueryName) -> Result<Match, Stop> {
        self.count_term(domain)?;
        let Some(target) = self.target(target, domain).await? else { return Ok(Match::No) };
        let Some(mut names) = self.client_names(domain).await? else { return Ok(Match::Void) };
        names.retain(|name| is_at_or_below(name, &target));
        let validated = self.validated(names).await?;
        Ok(if validated.is_empty() { Match::No } else { Match::Yes { permissive: false } })
    }

    /// Matches the mechanism `exists`.
    ///
    /// It asks for A records, whatever the client's family is (RFC 7208 5.7).
    async fn exists(&mut self, target: &DomainSpec<'_>, domain: &QueryName) -> Result<Match, Stop> {
        self.count_term(domain)?;
        let Some(target) = self.expand(target, domain).await? else { return Ok(Match::No) };
        let answer = self.ask(&target, RecordType::A).await?;
        Ok(if answer.records().is_empty() { Match::Void } else { Match::Yes { permissive: false } })
    }

    fn count_term(&mut self, domain: &QueryName) -> Result<(), Stop> {
        self.lookup_terms += 1;
        self.note(Trace::looks_up);
        if self.lookup_terms > self.limits.spf_lookup_terms {
            return Err(Stop::new(SpfCause::LookupLimit, domain));
        }
        Ok(())
    }

    /// Returns the name that a mechanism looks up.
    ///
    /// `None` means that DNS cannot hold the name: there is no match and no lookup (F-26).
    async fn target(&self, spec: Option<&DomainSpec<'_>>, domain: &QueryName) -> Result<Option<QueryName>, Stop> {
        match spec {
            None => Ok(Some(domain.clone())),
            Some(spec) => self.expand(spec, domain).await,
        }
    }

    async fn expand(&self, spec: &DomainSpec<'_>, domain: &QueryName) -> Result<Option<QueryName>, Stop> {
        // Without HELO the name is unknown, and so is whether the term matches.
        // No result is better founded than another (A1).
        if self.identity.helo.is_none() && spec.needs_helo() {
            return Err(Stop::new(SpfCause::HeloUnknown, domain));
        }
        let validated = if spec.needs_validated_name() { self.validated_name(domain).await? } else { None };
        let validated = validated.as_ref().map_or("unknown", QueryName::as_str);
        Ok(spec.expand(&Values { identity: self.identity, domain, validated }))
    }

    /// Returns the value of `%{p}`: a validated name of the client (RFC 7208 7.3).
    ///
    /// It prefers `domain`, then a name below `domain`.
    async fn validated_name(&self, domain: &QueryName) -> Result<Option<QueryName>, Stop> {
        let names = self.client_names(domain).await?.unwrap_or_default();
        let validated = self.validated(names).await?;
        Ok(validated.into_iter().min_by_key(|name| (name != domain, !is_at_or_below(name, domain))))
    }

    /// Returns the names that the client's address points to, sorted, up to the limit.
    ///
    /// Returns `None` if it points to no name, and an empty list if DNS fails.
    async fn client_names(&self, domain: &QueryName) -> Result<Option<Vec<QueryName>>, Stop> {
        let Some(reverse) = QueryName::new(&reverse_name(self.identity.client_ip)) else { return Ok(None) };
        let answer = self.session.ask(Purpose::Spf, Question::new(reverse, RecordType::Ptr)).await;
        match answer.outcome {
            Outcome::NoData | Outcome::NxDomain => Ok(None),
            Outcome::TempError(Unanswered::Budget) => Err(Stop::new(SpfCause::QueryBudget, domain)),
            Outcome::TempError(_) | Outcome::Invalid => Ok(Some(Vec::new())),
            Outcome::Records(ref records) => {
                let mut names: Vec<_> = records.iter().filter_map(pointer).collect();
                names.sort_unstable();
                let mut names = distinct(names);
                names.truncate(self.limits.spf_names_per_term);
                Ok(Some(names))
            }
        }
    }

    /// Returns those of `names` that have the client's address.
    ///
    /// Returns an error if there are none and the budget refused one of the questions.
    async fn validated(&self, mut names: Vec<QueryName>) -> Result<Vec<QueryName>, Stop> {
        let answers = self.ask_addresses(&names).await;
        let refused = answers.iter().position(|answer| answer.outcome == Outcome::TempError(Unanswered::Budget));
        let refused = refused.and_then(|at| names.get(at)).map(|name| Stop::new(SpfCause::QueryBudget, name));
        let mut answers = answers.iter();
        names.retain(|_| answers.next().is_some_and(|answer| self.has_client(answer, DualCidr::SINGLE)));
        match refused {
            Some(stop) if names.is_empty() => Err(stop),
            _ => Ok(names),
        }
    }

    /// Returns the record type of the client's address. The other family is never asked for.
    fn address_type(&self) -> RecordType {
        if self.identity.client_ip.is_ipv4() { RecordType::A } else { RecordType::Aaaa }
    }

    /// Returns whether the client is in a network of `cidr` around one of the addresses.
    fn has_client(&self, answer: &Answer, cidr: DualCidr) -> bool {
        let client = self.identity.client_ip;
        answer.records().iter().any(|record| {
            let address = match (record, client) {
                (DnsRecord::A(address), IpAddr::V4(_)) => IpAddr::V4(*address),
                (DnsRecord::Aaaa(address), IpAddr::V6(_)) => IpAddr::V6(*address),
                _ => return false,
            };
            IpNet::new(address, cidr.prefix_for(client)).is_ok_and(|network| network.contains(&client))
        })
    }

    fn matched_by(&self, cidr: DualCidr) -> Match {
        let client = self.identity.client_ip;
        let longest = if client.is_ipv4() { PERMISSIVE_V4 } else { PERMISSIVE_V6 };
        Match::Yes { permissive: cidr.prefix_for(client) <= longest }
    }

    async fn ask(&self, name: &QueryName, rtype: RecordType) -> Result<Arc<Answer>, Stop> {
        let answer = self.session.ask(Purpose::Spf, Question::new(name.clone(), rtype)).await;
        match Stop::for_answer(&answer, name) {
            Some(stop) => Err(stop),
            None => Ok(answer),
        }
    }

    /// Asks for the addresses of all `names` at the same time.
    ///
    /// The budget is charged in the order of the names.
    async fn ask_addresses(&self, names: &[QueryName]) -> Vec<Arc<Answer>> {
        let rtype = self.address_type();
        join_all(names.iter().map(|name| self.session.ask(Purpose::Spf, Question::new(name.clone(), rtype)))).await
    }
}

fn exchanger(record: &DnsRecord) -> Option<(u16, &str)> {
    match record {
        DnsRecord::Mx(preference, host) => Some((*preference, host)),
        _ => None,
    }
}

fn pointer(record: &DnsRecord) -> Option<&str> {
    match record {
        DnsRecord::Ptr(host) => Some(host),
        _ => None,
    }
}

/// Returns the names that DNS can hold, each once, in this order.
fn distinct<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<QueryName> {
    let mut distinct: Vec<QueryName> = Vec::new();
    for name in names.into_iter().filter_map(QueryName::new) {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

fn is_at_or_below(name: &QueryName, domain: &QueryName) -> bool {
    name.as_str().strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
