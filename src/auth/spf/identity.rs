//! Defines the client and the identity that SPF checks.

use crate::dns::Domain;
use std::net::IpAddr;

/// The input of SPF: one client and one identity.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The client's address. An IPv4-mapped address counts as IPv4 (A2).
    pub client_ip: IpAddr,
    /// HELO as it was given, in any octets; used only by `%{h}`.
    /// `None` means unknown: a term that needs it ends the evaluation without a result.
    pub helo: Option<&'a [u8]>,
    /// The local part of the sender, in any octets.
    /// It is `postmaster` for the null path (RFC 7208 4.3), and an empty one counts as that too.
    pub local_part: &'a [u8],
    /// The domain of the sender: that of MAIL FROM, or HELO for the null path.
    pub domain: &'a Domain,
}
