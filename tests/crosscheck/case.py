"""One message as the verifiers get it, and the facts about it that a rule may ask for."""

import base64
from email.utils import getaddresses
from functools import cached_property


def split(message):
    """The fields of the header section, each with its line ends, and the body."""
    section, _, body = message.partition(b"\r\n\r\n")
    fields = []
    for line in section.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] += line + b"\r\n"
        else:
            fields.append(line + b"\r\n")
    return fields, body


def name_of(field):
    return field.partition(b":")[0].strip().lower()


def tag_list(text):
    """Tags by lower-case name. What is no `name=value` is dropped, and the first of equal names wins (A13)."""
    tags = {}
    for token in text.split(";"):
        name, equals, value = token.partition("=")
        if equals and name.strip().isalpha():
            tags.setdefault(name.strip().lower(), value.strip())
    return tags


class Case:
    """A line of the corpus or of the mutations with our result for it."""

    def __init__(self, line, ours, zone):
        self.line = {name: value for name, value in line.items() if name != "message_base64"}
        self.id, self.now = line["id"], line["now"]
        self.client_ip, self.helo, self.mail_from = line["client_ip"], line["helo"], line["mail_from"]
        self.message = base64.b64decode(line["message_base64"])
        self.ours = ours
        self.zone = zone
        zone.overlay(line.get("zone_overrides", {}))

    @cached_property
    def fields(self):
        return split(self.message)[0]

    def values(self, name):
        return [field.partition(b":")[2] for field in self.fields if name_of(field) == name]

    @cached_property
    def signatures(self):
        """The tags of each DKIM-Signature field from the top, white space removed."""
        texts = [b"".join(value.split()).decode("latin-1") for value in self.values(b"dkim-signature")]
        return [tag_list(text) for text in texts]

    @cached_property
    def author_domains(self):
        """The domains of all addresses of each From field."""
        values = [b"".join(value.splitlines()).decode("latin-1") for value in self.values(b"from")]
        return [{address.rpartition("@")[2].lower() for _, address in getaddresses([value])} for value in values]

    @cached_property
    def author(self):
        """The author domain; None when there is not exactly one (A4)."""
        if len(self.author_domains) != 1 or len(self.author_domains[0]) != 1:
            return None
        return next(iter(self.author_domains[0]))

    @property
    def policy_name(self):
        return f"_dmarc.{self.author}"

    @property
    def policy_fault(self):
        return self.author and self.zone.fault(self.policy_name, "TXT")

    @cached_property
    def own_tags(self):
        """The tags of the one DMARC record at the author domain itself."""
        texts = self.zone.texts(self.policy_name) if self.author else []
        found = [text for text in texts if text.startswith("v=DMARC1")]
        return tag_list(found[0]) if len(found) == 1 else {}

    def key_name(self, index):
        tags = self.signatures[index]
        return f"{tags.get('s')}._domainkey.{tags.get('d')}"

    def without_upper_from(self, kept):
        """The message with the lowest `kept` From fields alone."""
        fields, body = split(self.message)
        surplus = sum(name_of(field) == b"from" for field in fields) - kept
        remaining = []
        for field in fields:
            if name_of(field) == b"from" and surplus > 0:
                surplus -= 1
            else:
                remaining.append(field)
        return b"".join(remaining) + b"\r\n" + body
