"""The listed rules: where a verifier of others deviates from the standards, and what the answer is by them.

A rule does not excuse a difference: it says the answer that ours must give. Wherever it can be done it asks the other
verifier again with that one deviation repaired; otherwise the answer follows from the message and its DNS.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from unittest import mock

import authheaders
import spf

import foreign
from case import tag_list

POLICIES = ("none", "quarantine", "reject")


@dataclass(frozen=True)
class Rule:
    name: str
    # One of the answers that are compared: spf, dkim, dmarc, policy.
    what: str
    reference: str
    sentence: str
    # The right answer, or None where the rule does not apply.
    answer: Callable


RULES = []


def rule(name, what, reference):
    """Lists a function as a rule; its docstring is the sentence."""

    def listed(answer):
        RULES.append(Rule(name, what, reference, " ".join(answer.__doc__.split()), answer))
        return answer

    return listed


def right_answer(what, theirs, *facts):
    """The right answer by the first rule that applies, and its name where theirs is another; without a rule theirs is right."""
    for each in RULES:
        answer = each.answer(*facts) if each.what == what else None
        if answer is not None:
            return answer, each.name if answer != theirs else None
    return theirs, None


class VoidTerms(spf.query):
    """pyspf that counts the hosts of one mx term as one void lookup."""

    def dns_mx(self, domainname):
        counted, self.void_lookups = self.void_lookups, -2 * spf.MAX_MX
        found = super().dns_mx(domainname)
        self.void_lookups = counted + (not found)
        if self.void_lookups > spf.MAX_VOID_LOOKUPS:
            raise spf.PermError("void lookups")
        return found


@rule("void-terms", "spf", "RFC 7208 4.6.4")
def void_terms(case, word):
    """Two void lookups are allowed, counted by terms; pyspf counts each host of an mx term."""
    return foreign.judge_spf(case, VoidTerms) if word == "permerror" else None


@rule("from-not-covered", "dkim", "RFC 6376 5.4.2; F-1, F-18")
def from_not_covered(case, index):
    """A From field above those that h= names is not signed, and DMARC refuses the message; dkimpy hashes one From field
    more than h= names."""
    named = case.signatures[index].get("h", "").lower().split(":").count("from")
    if not 0 < named < len(case.values(b"from")):
        return None
    return foreign.judge_signature(case.without_upper_from(named), index, case.now)[0]


@rule("key-hash", "dkim", "RFC 6376 3.6.1 and 6.1.2; G5")
def key_hash(case, index):
    """A key whose h= does not list the signature's hash must not be used; dkimpy does not read h= of a key."""
    hashed = case.signatures[index].get("a", "").partition("-")[2]
    keys = [tag_list(text) for text in case.zone.texts(case.key_name(index))]
    refused = len(keys) == 1 and "h" in keys[0] and hashed not in "".join(keys[0]["h"].split()).split(":")
    return "permerror" if refused and passes_with(case, index, replaced_key(case, index)) else None


@rule("key-unanswered", "dkim", "RFC 6376 6.1.2; A44, D50")
def key_unanswered(case, index):
    """A signature whose key cannot be asked for is a temporary error; dkimpy knows no temporary errors and says fail."""
    if not case.zone.fault(case.key_name(index), "TXT"):
        return None
    return "temperror" if passes_with(case, index, replaced_key(case, index)) else None


def replaced_key(case, index):
    """The key record that a mutation has replaced."""
    return case.zone.records.get(case.key_name(index), [])


def passes_with(case, index, key):
    """Whether dkimpy passes the signature with these records for its key."""
    with mock.patch.dict(case.zone.overrides, {case.key_name(index): key}):
        return foreign.judge_signature(case.message, index, case.now)[0] == "pass"


@rule("from-missing", "dmarc", "RFC 9989 5.3.1; A5")
def from_missing(case, dmarc):
    """Without a From field there is no DMARC; authheaders falls over a variable that it did not set."""
    return "permerror" if len(case.author_domains) == 0 else None


@rule("from-fields", "dmarc", "RFC 9989 5.3.1, RFC 5322 3.6; A6, F-1")
def from_fields(case, dmarc):
    """Several From fields make the author unusable; authheaders takes the strictest policy of their addresses."""
    return "permerror" if len(case.author_domains) > 1 else None


@rule("from-domains", "dmarc", "RFC 9989 5.3.1; A4, A5, F-2")
def from_domains(case, dmarc):
    """Addresses of several domains in From make the author unusable; authheaders takes the strictest policy of them."""
    return "permerror" if len(case.author_domains) == 1 and len(case.author_domains[0]) > 1 else None


@rule("policy-timeout", "dmarc", "RFC 9989 5.3.6; A43, A44")
def policy_timeout(case, dmarc):
    """No answer at the author domain's policy name is a temporary error; authheaders lets the resolver's exception through."""
    return "temperror" if case.policy_fault == "TIMEOUT" else None


@rule("policy-servfail", "dmarc", "RFC 9989 5.3.6; A43, A44, H4")
def policy_servfail(case, dmarc):
    """A failure at the author domain's policy name is a temporary error; authheaders takes it for a name without record."""
    return "temperror" if case.policy_fault == "SERVFAIL" else None


@rule("unanswered-identifier", "dmarc", "RFC 9989 5.3.6; A43, D47, D50")
def unanswered_identifier(case, dmarc):
    """A temporary error of SPF or DKIM is one of DMARC where a pass instead would have aligned; authheaders knows no
    temporary errors and says fail."""
    aligned = any(foreign.judge_dmarc(case, inputs).result == "pass" for inputs in answered(case, dmarc.inputs))
    return "temperror" if dmarc.result == "fail" and aligned else None


def answered(case, inputs):
    """The inputs of DMARC, each time with another unanswered one passing instead."""
    if inputs.spf == "temperror":
        yield replace(inputs, spf="pass")
    for index, word in enumerate(inputs.dkim):
        # A signature that would fail with its key too may be either: then ours is taken at its word.
        is_open = case.zone.fault(case.key_name(index), "TXT") and case.ours["dkim"][index]["result"] == "temperror"
        if word == "temperror" or is_open:
            yield replace(inputs, dkim=(*inputs.dkim[:index], "pass", *inputs.dkim[index + 1 :]))


@rule("record-unusable", "dmarc", "RFC 9989 4.10.1; A16, D27, D28")
def record_unusable(case, dmarc):
    """A record without a valid p, or with an invalid sp or np, and without rua is none, and no other is looked for;
    authheaders takes whatever stands there for the policy."""
    return "none" if is_invalid(case.own_tags) and not wants_reports(case.own_tags) else None


@rule("record-for-reports", "dmarc", "RFC 9989 4.10.1; A16, D26, D27")
def record_for_reports(case, dmarc):
    """A record without a valid p, or with an invalid sp or np, but with rua counts as p=none; authheaders takes whatever
    stands there for the policy, or finds none."""
    if not is_invalid(case.own_tags) or not wants_reports(case.own_tags):
        return None
    return foreign.with_policy(case, dmarc.inputs, {"v": "DMARC1", "p": "none"}).result


@rule("record-for-reports-policy", "policy", "RFC 9989 4.10.1; A16, D26, D27")
def record_for_reports_policy(case, dmarc):
    """The policy of such a record is none; authheaders takes whatever stands there."""
    return "none" if is_invalid(case.own_tags) and wants_reports(case.own_tags) else None


def is_invalid(tags):
    usual = {"p": "", "sp": "none", "np": "none"}
    return bool(tags) and any(tags.get(name, absent).lower() not in POLICIES for name, absent in usual.items())


def wants_reports(tags):
    return any(re.fullmatch(r"mailto:[^@\s]+@[^@\s]+", address.strip()) for address in tags.get("rua", "").split(","))


@rule("record-tokens", "dmarc", "RFC 9989 4.7; A13, D32")
def record_tokens(case, dmarc):
    """What is no name=value in a record is dropped, and the first of equal tags counts; authheaders gives the record up."""
    if dmarc.result != "permerror" or is_invalid(case.own_tags):
        return None
    return foreign.with_policy(case, dmarc.inputs, case.own_tags).result


@rule("record-psd-n", "dmarc", "RFC 9989 4.10.2; A23, D11")
def record_psd_n(case, dmarc):
    """psd=n makes the author domain its own organizational domain; authheaders goes by the public suffix list."""
    if case.own_tags.get("psd", "").lower() != "n":
        return None

    def own_organization(domain):
        inside = domain and f".{domain}".endswith(f".{case.author}")
        return case.author if inside else foreign.organizational(domain)

    with mock.patch.object(authheaders, "get_org_domain", own_organization):
        return foreign.judge_dmarc(case, dmarc.inputs).result


@rule("own-np", "policy", "RFC 9989 3.2.13 and 4.10.1; A25, A26")
def own_np(case, dmarc):
    """np is for names below the record's own that do not exist at all; authheaders applies it to any name that has
    neither address nor mail exchanger."""
    present = {record[0] for record in case.zone.at(case.author) or []}
    applied = "np" in case.own_tags and not present & {"A", "AAAA", "MX"}
    return case.own_tags["p"].lower() if applied else None


@rule("own-sp", "policy", "RFC 9989 4.10.1; A25")
def own_sp(case, dmarc):
    """sp is for the names below the record's own; authheaders applies it to that name too."""
    return case.own_tags["p"].lower() if "sp" in case.own_tags else None
