"""The verifiers of others: pyspf, dkimpy for each signature, and authheaders for DMARC over what those two found."""

import functools
import importlib.resources
from dataclasses import dataclass
from unittest import mock

import authheaders
import authheaders.dmarc_lookup
import dkim
import dns.resolver
import spf
from authres import DKIMAuthenticationResult, SPFAuthenticationResult
from publicsuffix2 import PublicSuffixList

# The suffix list of authheaders, read once and not for every name, and with the top-level domains of the corpus: for one
# that is not listed publicsuffix2 takes the top-level domain itself for the organizational one.
LIST = importlib.resources.files("authheaders") / "public_suffix_list.txt"
SUFFIXES = PublicSuffixList([*LIST.read_text("utf-8").splitlines(), "example", "test"])
organizational = functools.cache(SUFFIXES.get_sld)


def use(zone):
    """Has all verifiers ask this zone and the suffix list above."""
    dns.resolver.resolve = dns.resolver.query = authheaders.dmarc_lookup.resolve = zone.resolve
    authheaders.get_org_domain = authheaders.dmarc_lookup.get_org_domain = organizational


@dataclass(frozen=True)
class Inputs:
    """What DMARC is decided from: a word for SPF and one for each signature."""

    spf: str
    dkim: tuple


@dataclass(frozen=True)
class Dmarc:
    inputs: Inputs
    result: str
    policy: str | None


def judge_spf(case, query=spf.query):
    """SPF's word, without the limit of time that pyspf's shorter ways in set."""
    return query(i=case.client_ip, s=case.mail_from, h=case.helo).check()[0]


class Clock:
    """The time at which a message is judged, for dkimpy's t= and x=."""

    def __init__(self, now):
        self.now = now

    def time(self):
        return self.now


def judge_signature(message, index, now):
    """Pass or fail, and what dkimpy said."""
    try:
        with mock.patch.object(dkim, "time", Clock(now)):
            return ("pass" if dkim.DKIM(message).verify(idx=index) else "fail"), ""
    except (dkim.DKIMException, ValueError) as error:
        return "fail", str(error)


def judge_signatures(case):
    """A word for each signature from the top, and what dkimpy said about those that fail."""
    found = [judge_signature(case.message, index, case.now) for index in range(len(case.signatures))]
    return [word for word, _ in found], [said for _, said in found if said]


def judge_dmarc(case, inputs):
    """DMARC's result and policy. authheaders takes one signature: it is asked for each, and a pass counts."""
    domains = [tags.get("d", "") for tags in case.signatures]
    signatures = list(zip(inputs.dkim, domains, strict=True)) or [("none", "")]
    answers = [ask_authheaders(case, inputs.spf, *signature) for signature in signatures]
    return Dmarc(inputs, *max(answers, key=lambda answer: answer[0] == "pass"))


def with_policy(case, inputs, tags):
    """What DMARC would be with another record at the author domain's policy name."""
    text = "; ".join(f"{name}={value}" for name, value in tags.items())
    with mock.patch.dict(case.zone.overrides, {case.policy_name: [["TXT", text]]}):
        return judge_dmarc(case, inputs)


def ask_authheaders(case, spf_word, dkim_word, domain):
    # authheaders has no notion of the null path, which stands for postmaster at HELO (RFC 7208 2.4).
    sender = case.mail_from or f"postmaster@{case.helo}"
    spf_result = SPFAuthenticationResult(result=spf_word, smtp_mailfrom=sender)
    dkim_result = DKIMAuthenticationResult(result=dkim_word, header_d=domain)
    try:
        found = authheaders.check_dmarc(case.message, spf_result, dkim_result)
    except Exception as error:  # Whatever it raises is its answer, which a rule must explain.
        return f"raised {type(error).__name__}", None
    return found.result, found.policy
