"""Puts cases together: zones, messages, and signatures with any tag that a case wants."""

import base64
import hashlib
import json
from pathlib import Path

import nacl.signing
from dkim.canonicalization import CanonicalizationPolicy
from dkim.crypto import RSASSA_PKCS1_v1_5_sign, parse_pem_private_key

HERE = Path(__file__).parent
NOW = 1_767_225_600
CLIENT = "192.0.2.1"
PERMITS = "v=spf1 ip4:192.0.2.1 -all"
BODY = b"Dear reader,\r\n\r\nall is well.\r\n"

ED25519 = nacl.signing.SigningKey(base64.b64decode((HERE / "keys/ed25519.seed").read_text()))


def rsa(bits):
    return parse_pem_private_key((HERE / f"keys/rsa{bits}.pem").read_bytes())


def der(tag, content):
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def der_integer(number):
    return der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def rsa_public(modulus, exponent=65537):
    """A SubjectPublicKeyInfo."""
    algorithm = der(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    key = der(0x30, der_integer(modulus) + der_integer(exponent))
    return der(0x30, algorithm + der(3, b"\0" + key))


def key_text(kind="ed25519", **tags):
    """The text of a key record; a tag given here is added or replaces the usual one."""
    if kind == "ed25519":
        public = bytes(ED25519.verify_key)
    else:
        key = rsa(kind)
        public = rsa_public(key["modulus"], key["publicExponent"])
    usual = {"v": "DKIM1", "k": "ed25519" if kind == "ed25519" else "rsa"}
    usual.update(tags)
    usual.setdefault("p", base64.b64encode(public).decode())
    return "; ".join(f"{name}={value}" for name, value in usual.items())


def txt(text):
    """One TXT record, cut into character-strings as DNS needs them."""
    return ["TXT"] + ([text[at:at + 255] for at in range(0, len(text), 255)] or [""])


def zone(records=None, **more):
    """`records` maps a domain to the tags of its DMARC record (or to several); the domain itself gets an address."""
    found = {}
    for domain, tags in (records or {}).items():
        found[domain] = [["A", "192.0.2.80"]]
        texts = [tags] if isinstance(tags, str) else tags
        found[f"_dmarc.{domain}"] = [txt(text if text.lstrip().lower().startswith("v") or "DMARC1" in text else f"v=DMARC1; {text}") for text in texts]
    found.update(more)
    return found


def add(into, name, *records):
    into.setdefault(name, [])
    into[name] = into[name] + [record for record in records if record not in into[name]]


def message(author="u@ex.com", fields=(), body=BODY, headers=None):
    """`author` is the value of the From field, text or octets; `headers` replaces the whole section."""
    if headers is None:
        value = author if isinstance(author, bytes) else author.encode()
        headers = b"".join(field.encode() if isinstance(field, str) else field for field in fields)
        headers += b"From: " + value + b"\r\nTo: r@rcpt.test\r\nSubject: A case\r\n"
        headers += b"Date: Wed, 31 Dec 2025 23:50:00 +0000\r\nMessage-ID: <case@ex.com>\r\n"
    return headers + b"\r\n" + body


def split(octets):
    section, _, body = octets.partition(b"\r\n\r\n")
    fields = []
    for line in section.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] += b"\r\n" + line
        else:
            fields.append(line)
    return fields, body


def sign(octets, d, s="s", kind="ed25519", a=None, h="from:to:subject:date", c="relaxed/relaxed", raw=None, break_b=False, **tags):
    """Puts a signature on top. `raw` overrides tags by what stands in the field literally."""
    fields, body = split(octets)
    a = a or ("ed25519-sha256" if kind == "ed25519" else "rsa-sha256")
    digest = hashlib.sha1 if a.endswith("sha1") else hashlib.sha256
    policy = CanonicalizationPolicy.from_c_value(c.encode())
    canonical = policy.canonicalize_body(body)
    length = tags.get("l")
    if length is not None:
        canonical = canonical[:int(length)]
    values = {"v": "1", "a": a, "c": c, "d": d, "s": s, "t": str(NOW - 600), "h": h}
    values.update({name: str(value) for name, value in tags.items()})
    values["bh"] = base64.b64encode(digest(canonical).digest()).decode()
    values.update(raw or {})
    text = "; ".join(f"{name}={value}" for name, value in values.items() if value is not None)
    unsigned = b"DKIM-Signature: " + text.encode("latin-1") + b"; b="

    # simple canonicalization keeps names as they are written.
    remaining = [(name, b":" + value) for name, _, value in (field.partition(b":") for field in fields)]
    chosen = []
    for name in h.split(":"):
        for at in range(len(remaining) - 1, -1, -1):
            if remaining[at][0].strip().lower() == name.encode().lower():
                chosen.append(remaining.pop(at))
                break
    lines = [(name, value[1:] + b"\r\n") for name, value in chosen]
    lines = policy.canonicalize_headers(lines)
    own = policy.canonicalize_headers([(b"DKIM-Signature", unsigned.partition(b":")[2] + b"\r\n")])
    data = b"".join(name + b":" + value for name, value in lines)
    data += b"".join(name + b":" + value for name, value in own).rstrip(b"\r\n")
    hasher = digest(data)
    if kind == "ed25519":
        signature = ED25519.sign(hasher.digest()).signature
    else:
        signature = RSASSA_PKCS1_v1_5_sign(hasher, rsa(kind))
    if break_b:
        signature = bytes([signature[0] ^ 1]) + signature[1:]
    return unsigned + base64.b64encode(signature) + b"\r\n" + octets


class Cases:
    def __init__(self, name):
        self.name = name
        self.cases = []

    def case(self, id, zone, author="u@ex.com", spf=None, dkim=None, octets=None, exists=True, mail_from="other", helo="mx.sender.test",
             client_ip=CLIENT, now=None, options=None, authenticated=False, note=None, expect=None, key=None, sign_with=None, **expected):
        """`spf` = the domain for which SPF passes; without it and without `mail_from`, SPF passes for bad.test.

        `dkim` = domains that sign, topmost first; their keys go into the zone, unless something stands there.
        """
        zone = {name: list(records) for name, records in zone.items()}
        octets = message(author) if octets is None else octets
        for domain in reversed([dkim] if isinstance(dkim, str) else dkim or []):
            octets = sign(octets, domain, **(sign_with or {}))
            add_key(zone, domain, key)
        if spf is not None:
            mail_from = f"bounce@{spf}"
            add(zone, spf.lower(), txt(PERMITS))
        elif mail_from == "other":
            mail_from = "bounce@bad.test"
            add(zone, "bad.test", txt(PERMITS))
        case = {"id": id}
        if note:
            case["note"] = note
        if now is not None:
            case["now"] = now
        case["zone"] = zone
        case["message_base64"] = base64.b64encode(octets).decode()
        for name, value in (("client_ip", client_ip), ("helo", helo), ("mail_from", mail_from)):
            if value is not None:
                case[name] = value
        if authenticated:
            case["authenticated"] = True
        if options:
            case["options"] = options
        case["expect"] = {**expected, **(expect or {})}
        assert case["expect"], id
        assert id not in {other["id"] for other in self.cases}, id
        self.cases.append(case)

    def write(self):
        path = HERE / f"{self.name}.jsonl"
        path.write_text("".join(json.dumps(case, ensure_ascii=True) + "\n" for case in self.cases))
        print(f"{len(self.cases):4} cases in {path.name}")


def add_key(zone, domain, key=None, s="s"):
    name = f"{s}._domainkey.{domain}".lower()
    if name not in zone:
        zone[name] = [txt(key or key_text())]


def passes(policy=None, **more):
    ses = {"dmarc": "PASS", **more.pop("ses", {})}
    return {"dmarc": "pass", **({"policy": policy} if policy else {}), "dmarc_policy": None, "ses": ses, **more}


def fails(policy, disposition=None, **more):
    disposition = disposition or policy
    ses = {"dmarc": "FAIL", **more.pop("ses", {})}
    return {"dmarc": "fail", "policy": policy, "disposition": disposition, "dmarc_policy": disposition, "ses": ses, **more}


def no_policy(**more):
    ses = {"dmarc": "GRAY", **more.pop("ses", {})}
    return {"dmarc": "none", "policy": None, "disposition": None, "dmarc_policy": None, "ses": ses, **more}


def unknown(**more):
    ses = {"dmarc": "PROCESSING_FAILED", **more.pop("ses", {})}
    return {"dmarc": "temperror", "dmarc_policy": None, "ses": ses, **more}


def unusable(*reasons, **more):
    return {"dmarc": "permerror", "dmarc_policy": None, "ses": {"dmarc": "PROCESSING_FAILED"}, "reasons": list(reasons), **more}
