//! What SPF is asked about.

use crate::dns::Domain;
use std::net::IpAddr;

/// What SPF is asked about: one client and one identity.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The client; an IPv4-mapped address counts as IPv4 (A2).
    pub client_ip: IpAddr,
    /// HELO as given, any octets; `%{h}` only. None when unknown: a term that takes it ends the evaluation without result.
    pub helo: Option<&'a [u8]>,
    /// The local part of the sender, `postmaster` for the null path (RFC 7208 4.3), as which an empty one counts too. Any octets.
    pub local_part: &'a [u8],
    /// The domain of the sender: of MAIL FROM, or HELO for the null path.
    pub domain: &'a Domain,
    /// This receiver's name, for `%{r}`, which only explanations may hold (RFC 7208 7.2); those are never fetched.
    pub receiver: &'a str,
    /// Arrival in Unix seconds, for `%{t}`; as `receiver`.
    pub arrival: i64,
}
