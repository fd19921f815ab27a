"""DNS in memory: takes the place of dnspython's resolver, through which all foreign verifiers ask.

They get what dnspython would give or raise, so that each deals with answers and errors in its own way.
"""

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

IN = dns.rdataclass.IN
TTL = 3600
FAULTS = ("TIMEOUT", "SERVFAIL")
# What the corpus uses of the format of cases; anything else must not be passed over in silence.
KNOWN = ("TXT", "A", "AAAA", "MX", "NODATA", *FAULTS)


def rdata(record):
    kind, *values = record
    rtype = dns.rdatatype.from_text(kind)
    match kind:
        case "TXT":
            return TXT(IN, rtype, [value.encode() for value in values])
        case "A":
            return A(IN, rtype, *values)
        case "AAAA":
            return AAAA(IN, rtype, *values)
        case "MX":
            return MX(IN, rtype, values[0], dns.name.from_text(values[1]))


def checked(records):
    for name, listed in records.items():
        for record in listed:
            if record[0] not in KNOWN:
                raise ValueError(f"{name}: the foreign verifiers' DNS knows no {record[0]} records")
    return records


def above(names):
    """The names above others, which exist by that (RFC 8020)."""
    found = set()
    for name in names:
        while name and name not in found:
            name = name.partition(".")[2]
            found.add(name)
    return found


class Zone:
    """Records by lower-case name, and those of one case laid over them."""

    def __init__(self, records):
        self.records = checked(records)
        self.enclosing = above(records)
        self.overlay({})

    def overlay(self, overrides):
        self.overrides = checked(overrides)
        self.enclosing_overrides = above(overrides)

    def at(self, name):
        """The records at a name; None when nothing stands there or below it."""
        found = self.overrides.get(name, self.records.get(name))
        if found is None and (name in self.enclosing or name in self.enclosing_overrides):
            return []
        return found

    def texts(self, name):
        """The TXT records at a name as texts."""
        if self.fault(name, "TXT"):
            return []
        return ["".join(record[1:]) for record in self.at(name.lower()) or [] if record[0] == "TXT"]

    def fault(self, name, rtype):
        """TIMEOUT or SERVFAIL, if that is what a question for this type gets."""
        records = self.at(name.lower()) or []
        listed = {record[0] for record in records}
        for kind, *types in records:
            if kind in FAULTS and (rtype in types or (not types and rtype not in listed)):
                return kind
        return None

    def resolve(self, name, rtype="A", raise_on_no_answer=True, **_):
        """dns.resolver.resolve()"""
        name = dns.name.from_text(name) if isinstance(name, str) else name
        rtype = dns.rdatatype.RdataType.make(rtype)
        text = name.to_text(omit_final_dot=True).lower()
        question = dns.message.make_query(name, rtype)
        match self.fault(text, rtype.name):
            case "TIMEOUT":
                raise dns.resolver.LifetimeTimeout(timeout=5, errors=[])
            case "SERVFAIL":
                raise dns.resolver.NoNameservers(request=question, errors=[])
        records = self.at(text)
        if records is None:
            raise dns.resolver.NXDOMAIN(qnames=[name], responses={})
        response = dns.message.make_response(question)
        found = [rdata(record) for record in records if record[0] == rtype.name]
        if not found and raise_on_no_answer:
            raise dns.resolver.NoAnswer(response=response)
        for each in found:
            response.find_rrset(response.answer, name, IN, rtype, create=True).add(each, TTL)
        return dns.resolver.Answer(name, rtype, IN, response)
