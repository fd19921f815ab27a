"""Table F.2: what an attacker tries, as far as one message can say it."""

import time

import dkim
from builder import BODY, HERE, NOW, PERMITS, Cases, add_key, fails, key_text, message, no_policy, passes, sign, txt, unknown, unusable, zone

REJECT = {"ex.com": "p=reject"}
EXISTS = [["A", "192.0.2.81"]]
ODD_DOTS = {"two dots": "user..name", "a dot at the end": "user.", "a dot on top": ".user", "three dots": "den...4ik"}
REST = b"To: r@rcpt.test\r\nSubject: A case\r\nDate: Wed, 31 Dec 2025 23:50:00 +0000\r\n"


def cases():
    c = Cases("f")
    senders(c)
    sections(c)
    signatures(c)
    envelopes(c)
    discovery(c)
    return c


def senders(c):
    good = zone({"ex.com": "p=reject", "evil.com": "p=none", "victim.com": "p=reject"})
    good["evil.com"].append(txt(PERMITS))

    def value(id, author, **options):
        c.case(id, good, author=author, mail_from="u@evil.com", **options)

    def parsed(id, author, domain, **more):
        policy = {"ex.com": "reject", "evil.com": "none", "victim.com": "reject"}[domain]
        expect = passes(policy, author_domain=domain, **more) if domain == "evil.com" else fails(policy, author_domain=domain, **more)
        value(id, author, expect=expect)

    for id, headers in {"first good": b"From: u@evil.com\r\nFrom: u@victim.com\r\n", "last good": b"From: u@victim.com\r\nFrom: u@evil.com\r\n",
                        "equal": b"From: u@evil.com\r\nfrom: u@evil.com\r\n", "far apart": b"From: u@evil.com\r\n" + REST + b"FROM: u@victim.com\r\n",
                        "second empty": b"From: u@evil.com\r\nFrom:\r\n"}.items():
        c.case(f"f1 several From fields, {id}", good, mail_from="u@evil.com", octets=message(headers=headers + REST),
               expect=unusable("from_multiple_fields", author_domain=None))
    c.case("f1 no From at all", good, mail_from="u@evil.com", octets=message(headers=REST), expect=unusable("from_missing", author_domain=None))
    for separator in (",", ";", ", "):
        value(f"f2 two domains by '{separator}'", f"a@victim.com{separator}b@evil.com", expect=unusable("from_multiple_domains"))
    value("f2 two angle addresses", "A <a@victim.com>, B <b@evil.com>", expect=unusable("from_multiple_domains"))
    for count in (21, 3000):
        value(f"f2 {count} mailboxes of one domain", ", ".join(f"u{n}@victim.com" for n in range(count)),
              expect=fails("reject", author_domain="victim.com", reasons=["from_not_unique"]))
    value("f2 another domain far behind", ", ".join(["u@victim.com"] * 2500 + ["u@evil.com"] + ["u@victim.com"] * 500),
          expect=unusable("from_multiple_domains", author_domain=None))
    value("f3 text after the angle address", "<u@evil.com>ceo@victim.com", expect=unusable("from_unparsable"))
    value("f3 two angle addresses", "<a@victim.com><b@evil.com>", expect=unusable("from_unparsable"))
    value("f3 words after the angle address", "Joe <u@evil.com> and more", expect=unusable("from_unparsable"))
    value("f3 a list inside the angles", "<a@victim.com,b@evil.com>", expect=unusable())
    value("f4 a group named like an address", "a@victim.com: b@evil.com;", expect=unusable())
    value("f4 a group of two domains", "team: a@victim.com, b@evil.com;", expect=unusable())
    value("f4 an empty group", "undisclosed-recipients:;", expect=unusable(author_domain=None))
    value("f5 a route", "<@victim.com:u@evil.com>", expect=unusable("from_unparsable"))
    value("f5 two unquoted @", "u@victim.com@evil.com", expect=unusable("from_unparsable"))
    parsed("f5 a quoted local part with @", '"ceo@victim.com"@evil.com', "evil.com")
    parsed("f5 the % hack", "ceo%victim.com@evil.com", "evil.com")
    value("f6 a comment inside the domain", "u@evil(hi).com", expect=unusable("from_unparsable"))
    parsed("f6 a comment after the address", "u@ex.com (Joe)", "ex.com")
    parsed("f6 a nested comment after the angle address", "Joe <u@ex.com> (a (b@evil.com) c)", "ex.com")
    value("f6 everything inside an unclosed comment", "(u@evil.com", expect=unusable("from_unparsable"))
    value("f6 white space inside the domain", "u@evil .com", expect=unusable("from_unparsable"))
    value("f7 the whole value is one encoded word", "=?utf-8?B?dUBldmlsLmNvbQ==?=", expect=unusable("from_unparsable"))
    parsed("f7 an encoded word before the address", "=?utf-8?Q?ceo=40victim.com?= <u@ex.com>", "ex.com", reasons=["from_display_address"])
    parsed("f7 an encoded word is no address", "=?utf-8?Q?ceo=40victim.com?=@evil.com", "evil.com")
    parsed("f8 raw octets in the phrase", b"J\xfcrgen M\xfcller <u@ex.com>", "ex.com")
    parsed("f8 an escaped comma in the phrase", '"Doe\\, Jane" <u@ex.com>', "ex.com")
    parsed("f8 an unquoted comma and dot in the phrase", "Doe, Jane Dr. <u@ex.com>", "ex.com")
    value("f8 raw octets in the domain", b"u@b\xfccher.com", expect=unusable("from_unparsable"))
    value("f8 a control character in the domain", b"u@evil.com\x01.victim.com", expect=unusable("from_unparsable"))
    value("f8 NUL in the domain", b"u@evil.com\0.victim.com", expect=unusable())
    value("f8 NUL in the phrase", b"Joe\0 <u@evil.com>", expect=unusable())
    value("f8 a byte order mark before a bare address", "\ufeffu@evil.com", expect={"dmarc_accept": ["permerror", "pass"]},
          note="the mark may be taken for a part of an internationalised local part; it must not change the domain")
    value("f8 a backslash in the address", "u\\@victim.com@evil.com", expect=unusable("from_unparsable"))
    value("f8 everything inside an unclosed quote", '"u@evil.com', expect=unusable("from_unparsable"))
    parsed("f8 an address of another domain in the phrase", "ceo@victim.com <u@ex.com>", "ex.com", reasons=["from_display_address"])
    parsed("f8 an address of another domain in quotes", '"ceo@victim.com" <u@ex.com>', "ex.com", reasons=["from_display_address"])
    parsed("f8 the own domain in the phrase", '"u@ex.com" <u@ex.com>', "ex.com", reasons_not=["from_display_address"])
    value("f8 an address of another domain before a comma", "ceo@victim.com, Joe <u@evil.com>", expect=unusable("from_multiple_domains"))
    for name, space in (("a no-break space", "\u00a0"), ("an ideographic space", "\u3000"), ("a zero-width space", "\u200b")):
        parsed(f"f8 an address of another domain before {name}", f"ceo@victim.com{space}<u@ex.com>", "ex.com", reasons=["from_display_address"])
        parsed(f"f8 {name} in a name", f"Jane{space}Doe <u@ex.com>", "ex.com", reasons_not=["from_display_address"])
    parsed("f8 an address of another domain with a full-width @", "ceo\uff20victim.com <u@ex.com>", "ex.com", reasons=["from_display_address"])
    parsed("f8 an address of another domain with a full-width @ in an encoded word", "=?utf-8?Q?ceo=EF=BC=A0victim.com?= <u@ex.com>", "ex.com",
           reasons=["from_display_address"])
    parsed("f6 a comment with an angle bracket", "u@ex.com (I <3 you)", "ex.com")
    parsed("f6 a comment with an angle bracket before the address", "(I <3 you) u@ex.com", "ex.com")
    value("f6 a comment with an address in angle brackets", "u@evil.com (<ceo@victim.com>)", expect=unusable("from_unparsable"))
    for name, local in ODD_DOTS.items():
        parsed(f"f15 From with {name} in the local part", f"U <{local}@ex.com>", "ex.com")
        parsed(f"f15 From with {name} in a bare local part", f"{local}@ex.com", "ex.com")
    c.case("f10 other fields are not used", good, author="u@victim.com", mail_from="u@evil.com",
           octets=message("u@victim.com", fields=["Sender: u@evil.com\r\n", "Resent-From: u@evil.com\r\n", "Reply-To: u@evil.com\r\n"]),
           expect=fails("reject", author_domain="victim.com"))
    for name, dot in (("full-width", "\uff0e"), ("ideographic", "\u3002")):
        parsed(f"f11 a {name} dot", f"u@ex{dot}com", "ex.com")
    c.case("f11 the Kelvin sign", zone({"kex.com": "p=reject"}), author="u@\u212aex.com", expect=fails("reject", author_domain="kex.com"))
    c.case("f11 mixed script stays another domain", zone({"ex.com": "p=none", "xn--x-9tb.com": "p=reject"}), author="u@\u0435x.com", spf="ex.com",
           expect={"dmarc_not": ["pass"]})
    c.case("f12 a label of 64 octets", zone(REJECT), author=f"u@{'a' * 64}.ex.com", expect=fails("reject", policy_domain="ex.com"))
    c.case("f12 a name of 252 octets", zone(REJECT), author="u@" + "a." * 123 + "ex.com", expect=fails("reject", policy_domain="ex.com"))
    c.case("f12 a name over 253 octets", zone(REJECT), author="u@" + "a." * 124 + "ex.com", expect=unusable("from_unparsable"))
    c.case("f12 an IPv4 address", zone(REJECT), author="u@192.0.2.1", expect=unusable("from_unparsable"))
    c.case("f12 an empty label", zone(REJECT), author="u@a..ex.com", expect=unusable("from_unparsable"))
    c.case("f12 a leading dot", zone(REJECT), author="u@.ex.com", expect=unusable("from_unparsable"))
    c.case("f12 two final dots", zone(REJECT), author="u@ex.com..", expect=unusable("from_unparsable"))
    c.case("f13 a single label without record", zone(), author="u@localhost", expect=no_policy(author_domain="localhost"))


def sections(c):
    ex = zone(REJECT)

    def section(id, headers, body=BODY, **options):
        c.case(id, ex, spf="ex.com", octets=message(headers=headers, body=body), **options)

    section("f9 a space before the colon", b"From : u@ex.com\r\n" + REST, expect=passes("reject", author_domain="ex.com"))
    section("f9 a tab before the colon", b"From\t: u@ex.com\r\n" + REST, expect=passes("reject", author_domain="ex.com"))
    section("f9 a space on top", b" From: u@ex.com\r\n" + REST, expect={"dmarc": "permerror", "dmarc_policy": None})
    section("f9 the name is folded", b"Subject: x\r\nFrom\r\n : u@ex.com\r\n" + REST, expect={"dmarc": "permerror"})
    section("f9 NUL in the name", b"Fr\0om: u@ex.com\r\n" + REST, expect={"dmarc": "permerror"})
    flagged = passes("reject", reasons=["headers_malformed"])
    for quotes in ("", ">", ">>"):
        mbox = quotes.encode() + b"From u@ex.com Wed Dec 31 23:50:00 2025\r\n"
        section(f"f9 an mbox line {quotes}From", mbox + b"From: u@ex.com\r\n" + REST, expect=flagged)
        section(f"f9 an mbox line {quotes}From, by option", mbox + b"From: u@ex.com\r\n" + REST, options={"strip_mbox_line": True},
                expect=passes("reject", reasons=["mbox_line_dropped"]))
        section(f"f9 an mbox line {quotes}From in the middle", b"Received: by x\r\n" + mbox + b"From: u@ex.com\r\n" + REST, expect=flagged)
    section("f9 an empty line on top", b"\r\nFrom: u@ex.com\r\n" + REST, expect={"dmarc": "permerror"})
    section("f9 a line without colon", b"This is no field\r\nFrom: u@ex.com\r\n" + REST, expect={"dmarc": "pass", "reasons": ["headers_malformed"]})
    section("f9 a bare CR hides a From", b"Subject: x\rFrom: u@victim.com\r\nFrom: u@ex.com\r\n" + REST, expect=unusable("headers_malformed"))
    section("f9 a bare CR in the From field", b"From: Joe\r<u@ex.com>\r\n" + REST, expect=unusable("headers_malformed"))
    section("f9 a bare CR elsewhere", b"From: u@ex.com\r\nSubject: x\ry\r\n", expect={"dmarc": "pass", "reasons": ["headers_malformed"]})
    section("f9 a From in the body", REST, body=b"From: u@ex.com\r\n", expect=unusable("from_missing"))
    section("f9 a folded From", b"From: Joe\r\n <u@ex.com>\r\n" + REST, expect=passes("reject"))
    for name, lines in {"a signature folded by a bare LF": b"DKIM-Signature: v=1; a=rsa-sha256; d=ex.com; s=x;\n\th=from:to:subject; bh=AAAA; b=AAAA\r\n",
                        "h= folded by bare LFs": b"DKIM-Signature: v=1; a=rsa-sha256; d=ex.com; s=x; bh=AAAA; b=AAAA;\n h=to:\n from:subject\r\n",
                        "a Received folded by a bare LF": b"Received: by a.example\n\twith SMTP from b.example; Mon, 1 Jan 2026 00:00:00 +0000\r\n",
                        "a bare LF before words": b"Subject: notes\nfrom the meeting: Monday\r\n",
                        "a byte order mark": b"\xef\xbb\xbfReceived: from a by b; Mon, 1 Jan 2026 00:00:00 +0000\r\n",
                        "words before a colon": b"This is from: me\r\n"}.items():
        section(f"f9 {name} hides no From", lines + b"From: u@ex.com\r\n" + REST, expect=flagged)
    for name, lines in {"a bare LF": b"Subject: x\nFrom: u@victim.com\r\n", "a byte order mark": b"\xef\xbb\xbfFrom: u@victim.com\r\n",
                        "NUL": b"Subject: x\0From : u@victim.com\r\n", "a soft hyphen": b"Fr\xc2\xadom: u@victim.com\r\n",
                        "an indented line that continues nothing": b"words\r\n From: u@victim.com\r\n"}.items():
        section(f"f9 {name} hides a From", lines + b"From: u@ex.com\r\n" + REST, expect=unusable("headers_malformed"))
    c.case("f20 a message with LF alone", ex, spf="ex.com", octets=message().replace(b"\r\n", b"\n"), expect=passes("reject"))


def signatures(c):
    ex = zone(REJECT)

    def signed(id, octets, expect, zone=ex, key=None, s="s", d="ex.com", **options):
        records = {name: list(found) for name, found in zone.items()}
        add_key(records, d, key, s)
        c.case(id, records, octets=octets, expect=expect, **options)

    def malformed(**more):
        return fails("reject", dkim=[{"result": "permerror"}], ses={"dkim": "PROCESSING_FAILED"}, **more)

    def unusable_signature(result="permerror", **more):
        return fails("reject", dkim=[{"result": result}], ses={"dkim": "FAIL"}, **more)

    plain = message()
    for name, d in {"a quote": "ex.com'", "a double quote": 'ex"com', "a bracket": "ex.com(evil.com", "a space": "ex .com", "a control": "ex\x01.com",
                    "an empty label": "ex..com", "nothing": "", "a hyphen alone": "-", "a label of 64 octets": "a" * 64 + ".com"}.items():
        signed(f"f14 d= with {name}", sign(plain, "ex.com", raw={"d": d}), malformed())
    signed("f14 s= leaves _domainkey", sign(plain, "ex.com", raw={"s": "x._domainkey.attack.com.\0.any"}), malformed())
    signed("f14 s= with NUL, behind h=", sign(plain, "ex.com", raw={"s": None, "q": "dns/txt; s=s\0"}), malformed())
    signed("f14 s= of 64 octets", sign(plain, "ex.com", raw={"s": "a" * 64}), malformed())
    signed("f14 s= with NUL", sign(plain, "ex.com", raw={"s": "s\0"}), malformed())
    appended = sign(plain, "ex.com", l=len(BODY)) + b"Appended by another.\r\n"
    signed("f17 l= shorter than the body", appended, unusable_signature("policy"))
    signed("f17 l= equal to the body", sign(plain, "ex.com", l=len(BODY)), passes("reject"))
    signed("f17 l=0", sign(plain, "ex.com", l=0), unusable_signature("policy"))
    signed("f17 l= longer than the body", sign(plain, "ex.com", raw={"l": str(len(BODY) + 1)}), unusable_signature())
    signed("f18 h= without From", sign(plain, "ex.com", h="to:subject:date"), unusable_signature())
    once = sign(plain, "ex.com")
    signed("f18 a second From above a signed one", b"From: u@victim.com\r\n" + once, unusable("from_multiple_fields"))
    signed("f18 oversigned From", sign(plain, "ex.com", h="from:from:to:subject"), passes("reject"))
    signed("f18 oversigned From, one added below", sign(plain, "ex.com", h="from:from:to:subject").replace(b"To: r@", b"From: u@ex.com\r\nTo: r@"),
           unusable("from_multiple_fields", dkim=[{"result": "fail"}]))
    signed("f19 a replay passes", sign(plain, "ex.com"), passes("reject"))
    signed("f19 x= in the past", sign(plain, "ex.com", t=NOW - 7200, x=NOW - 3600), unusable_signature("fail"))
    signed("f19 x= in the future", sign(plain, "ex.com", x=NOW + 3600), passes("reject"))
    for bits, kind in ((512, "weak"), (768, "weak"), (5120, "long")):
        signed(f"f21 a {kind} key of {bits} bits", sign(plain, "ex.com", kind=bits), unusable_signature(), key=key_text(bits))
    signed("f21 a key of 1024 bits", sign(plain, "ex.com", kind=1024), passes("reject"), key=key_text(1024))
    signed("f21 a key of 2048 bits", sign(plain, "ex.com", kind=2048), passes("reject"), key=key_text(2048))
    signed("f21 rsa-sha1", sign(plain, "ex.com", kind=2048, a="rsa-sha1"), unusable_signature(), key=key_text(2048))
    testing = key_text(t="y")
    signed("f21 a key in testing counts and is flagged", sign(plain, "ex.com"), passes("reject", reasons=["key_testing"]), key=testing)
    signed("f21 a key in testing, failure", sign(plain, "ex.com", break_b=True), fails("reject", dkim=[{"result": "none"}]), key=testing)
    signed("f21 a key in testing, literally", sign(plain, "ex.com"), fails("reject"), key=testing, options={"testing_key": "literal"})
    signed("f21 a key of another service", sign(plain, "ex.com"), unusable_signature(), key=key_text(s="tlsrpt"))
    signed("f21 a key of all services", sign(plain, "ex.com"), passes("reject"), key=key_text(s="*"))
    signed("f21 a key for sha1", sign(plain, "ex.com", kind=2048), unusable_signature(), key=key_text(2048, h="sha1"))
    signed("f21 a revoked key", sign(plain, "ex.com"), unusable_signature(), key=key_text(p=""))
    signed("f21 a key of another kind", sign(plain, "ex.com"), unusable_signature(), key=key_text(2048))
    signed("f21 t=s with i= of a subdomain", sign(plain, "ex.com", i="@a.ex.com"), unusable_signature(), key=key_text(t="s"))
    signed("f21 i= of a subdomain", sign(plain, "ex.com", i="@a.ex.com"), passes("reject"))
    signed("f21 i= of another domain", sign(plain, "ex.com", i="@victim.com"), fails("reject", dkim=[{"result": "permerror"}]))
    signed("f21 an unknown algorithm", sign(plain, "ex.com", raw={"a": "rsa-sha512"}), unusable_signature())
    signed("f21 a version that is not 1", sign(plain, "ex.com", raw={"v": "2"}), malformed())
    for tag in ("v", "a", "d", "s", "h", "bh"):
        signed(f"f42 without {tag}=", sign(plain, "ex.com", raw={tag: None}), malformed())
    signed("f42 d= twice", sign(plain, "ex.com", raw={"t": f"{NOW - 600}; d=ex.com"}), malformed())
    signed("f42 bad base64 in bh=", sign(plain, "ex.com", raw={"bh": "###"}), malformed())
    signed("f42 p= twice in the key", sign(plain, "ex.com"), unusable_signature(), key=key_text() + "; p=")
    signed("g6 a changed body", sign(plain, "ex.com").replace(BODY, b"Another body.\r\n"), unusable_signature("fail"))
    signed("g6 a changed header", sign(plain, "ex.com").replace(b"A case", b"Another"), unusable_signature("fail"))
    signed("g1 trailing lines of white space alone", sign(plain + b" \t\r\n \r\n", "ex.com"), passes("reject"))
    signed("g2 a bare CR put into the body", sign(plain, "ex.com").replace(b"all is well", b"all\r is well"), unusable_signature("fail"))
    signed("g2 a bare CR put into the body, simple", sign(plain, "ex.com", c="simple/simple").replace(b"all is well", b"all\r is well"),
           unusable_signature("fail"))
    for header in ("simple", "relaxed"):
        for body in ("simple", "relaxed"):
            signed(f"g1 {header}/{body}", sign(plain, "ex.com", c=f"{header}/{body}"), passes("reject"))
    signed("g1 an empty body", sign(message(body=b""), "ex.com", c="simple/simple"), passes("reject"))


def envelopes(c):
    lax = zone(REJECT, **{"victim.com": [txt(PERMITS)], "a.evil.com": [txt(PERMITS)], "evil.com": [txt(PERMITS)], "ex.com": [["A", "192.0.2.80"], txt(PERMITS)]})
    for name, path in {"an open bracket after the domain": "any@ex.com(a.evil.com", "an open bracket on top": "(any@ex.com", "a quote": "'any@ex.com'@",
                       "a route": "@evil.com:any@ex.com>", "two @": "any@evil.com@ex.com", "a control": "any@ex.com\u0001", "a space": "any@ex.com evil.com"}.items():
        c.case(f"f15 MAIL FROM with {name}", lax, mail_from=path, expect=fails("reject", spf="none", ses={"spf": "GRAY"}))
    for name, local in ODD_DOTS.items():
        c.case(f"f15 MAIL FROM with {name} in the local part", lax, mail_from=f"{local}@ex.com", expect=passes("reject", spf="pass"))
    c.case("f15 a quoted local part with @", lax, mail_from='"a@evil.com"@ex.com', expect=passes("reject", spf="pass"))
    c.case("f16 no HELO instead of a MAIL FROM that does not exist", lax, mail_from="u@nx.ex.com", helo="ex.com",
           expect=fails("reject", spf="none", ses={"spf": "GRAY"}))

    def spf(id, records, expect, mail_from="u@ex.com", **options):
        found = zone(REJECT)
        for name, added in records.items():
            found.setdefault(name, [])
            found[name] = found[name] + added
        c.case(id, found, mail_from=mail_from, expect=expect, **options)

    for name, record, flagged in (("+all", "v=spf1 +all", True), ("half of IPv4", "v=spf1 ip4:128.0.0.0/1 -all", True), ("all of IPv4", "v=spf1 ip4:0.0.0.0/0 -all", True),
                                  ("a /8", "v=spf1 ip4:192.0.0.0/8 -all", True), ("a /16", "v=spf1 ip4:192.0.0.0/16 -all", False)):
        expect = {"reasons": ["spf_permissive"]} if flagged else {"reasons_not": ["spf_permissive"]}
        spf(f"f22 {name}", {"ex.com": [txt(record)]}, passes("reject", **expect))
    spf("f22 +all, not used", {"ex.com": [txt("v=spf1 +all")]}, fails("reject"), options={"permissive_spf": "ignore"})

    def without_helo(id, record, expect, records=None):
        spf(f"a1 HELO unknown, {id}", {"ex.com": [txt(record)], **(records or {})}, expect, helo=None)

    open_end = unknown(spf="none", reasons=["helo_unknown"], ses={"spf": "GRAY"})
    without_helo("a name that takes it", "v=spf1 exists:%{h}.ok.test -all", open_end, {"mail.ex.com.ok.test": EXISTS})
    without_helo("part of it", "v=spf1 a:%{h2}.ex.com -all", open_end)
    without_helo("an include", "v=spf1 include:%{h}.spf.test -all", open_end)
    without_helo("an included record", "v=spf1 include:in.test -all", open_end, {"in.test": [txt("v=spf1 exists:%{h}.ok.test -all")]})
    without_helo("a redirect", "v=spf1 redirect=%{h}.spf.test", open_end)
    without_helo("matched before", "v=spf1 ip4:192.0.2.1 exists:%{h}.ok.test -all", passes("reject", spf="pass", reasons_not=["helo_unknown"]))
    without_helo("never reached", "v=spf1 -all exists:%{h}.ok.test", fails("reject", spf="fail"))
    without_helo("in the explanation alone", "v=spf1 -all exp=%{h}.exp.test", fails("reject", spf="fail"))
    spf("a1 HELO unknown, of a domain that cannot align", {"bad.test": [txt("v=spf1 exists:%{h}.ok.test -all")]}, fails("reject", spf="none"),
        mail_from="u@bad.test", helo=None)

    flood = fails("reject", spf="permerror", ses={"spf": "PROCESSING_FAILED"})
    spf("f23 a loop", {"ex.com": [txt("v=spf1 include:ex.com -all")]}, flood)
    spf("f23 a redirect to itself", {"ex.com": [txt("v=spf1 redirect=ex.com")]}, flood)
    spf("f23 eleven lookups", {"ex.com": [txt("v=spf1 " + " ".join(f"a:h{n}.ex.com" for n in range(11)) + " ip4:192.0.2.1 -all")],
                               **{f"h{n}.ex.com": EXISTS for n in range(11)}}, flood)
    spf("f23 ten lookups", {"ex.com": [txt("v=spf1 " + " ".join(f"a:h{n}.ex.com" for n in range(10)) + " ip4:192.0.2.1 -all")],
                            **{f"h{n}.ex.com": EXISTS for n in range(10)}}, passes("reject", spf="pass"))
    spf("f23 three void lookups", {"ex.com": [txt("v=spf1 a:v1.ex.com a:v2.ex.com a:v3.ex.com ip4:192.0.2.1 -all")]}, flood)
    spf("f23 two void lookups", {"ex.com": [txt("v=spf1 a:v1.ex.com a:v2.ex.com ip4:192.0.2.1 -all")]}, passes("reject", spf="pass"))
    mx = {f"m{n}.ex.com": [["MX", host, f"x{n}-{host}.ex.com"] for host in range(10)] for n in range(10)}
    hosts = {f"x{n}-{host}.ex.com": EXISTS for n in range(10) for host in range(10)}
    spf("f23 ten mx of ten hosts", {"ex.com": [txt("v=spf1 " + " ".join(f"mx:m{n}.ex.com" for n in range(10)) + " ip4:192.0.2.1 -all")], **mx, **hosts}, flood)
    spf("f23 one mx of eleven hosts", {"ex.com": [txt("v=spf1 mx ip4:192.0.2.1 -all")] + [["MX", n, f"y{n}.ex.com"] for n in range(11)],
                                       **{f"y{n}.ex.com": EXISTS for n in range(11)}}, flood)
    spf("f23 a record over 4 KiB", {"ex.com": [txt("v=spf1 " + " ".join(f"ip4:198.51.{n // 250}.{n % 250}" for n in range(300)) + " ip4:192.0.2.1 -all")]}, flood)
    spf("f26 a local part that makes the name invalid", {"ex.com": [txt("v=spf1 exists:%{l}.ex.com -all")]}, fails("reject", spf="fail"),
        mail_from=f"{'a' * 64}@ex.com")
    spf("f42 two SPF records", {"ex.com": [txt(PERMITS), txt("v=spf1 -all")]}, flood)
    spf("f42 two redirects", {"ex.com": [txt("v=spf1 redirect=a.ex.com redirect=b.ex.com")], "a.ex.com": [txt(PERMITS)], "b.ex.com": [txt(PERMITS)]}, flood)
    spf("a2 a mapped client address", {"ex.com": [txt(PERMITS)]}, passes("reject", spf="pass"), client_ip="::ffff:192.0.2.1")


def discovery(c):
    ex = zone(REJECT)
    for trouble in ("SERVFAIL", "TIMEOUT", "REFUSED"):
        c.case(f"f27 the sender's own domain does not answer ({trouble})", {**ex, "evil.test": [[trouble]]}, mail_from="u@evil.test",
               expect=fails("reject", spf="temperror"))
        c.case(f"f28 nor does it for its key and its policy ({trouble})",
               {**ex, **{name: [[trouble]] for name in ("evil.test", "s._domainkey.evil.test", "_dmarc.evil.test", "_dmarc.test")}},
               mail_from="u@evil.test", dkim="evil.test", expect=fails("reject", spf="temperror", dkim=[{"result": "temperror"}]))
    arc(c)
    wild = zone(REJECT, **{"*.ex.com": [["TXT", "v=DMARC1; p=none"]]})
    c.case("f39 a wildcard that answers with a record", wild, author="u@sub.ex.com", expect=fails("none", policy_domain="sub.ex.com"))
    spread = zone(REJECT, **{"*.ex.com": [["TXT", "v=spf1 -all"]], "a.b.ex.com": EXISTS})
    c.case("a28 a wildcard that answers with another record", spread, author="u@sub.ex.com", expect=fails("reject", policy_domain="ex.com"))
    suffix = zone({"com": "p=none"}, **{"ex.com": EXISTS, "evil.com": EXISTS})
    c.case("f40 a record without psd at a top level aligns nobody", suffix, dkim="evil.com",
           expect=fails("none", policy_domain="com", org_domain="ex.com", reasons=["psl_guard"]))
    wildcard = zone({"kobe.jp": "p=reject"}, **{"y.b.kobe.jp": EXISTS, "x.a.kobe.jp": EXISTS})
    c.case("f40 a record above the suffixes of a wildcard rule", wildcard, author="u@y.b.kobe.jp", dkim="x.a.kobe.jp",
           expect=fails("reject", policy_domain="kobe.jp", org_domain="y.b.kobe.jp", reasons=["psl_guard"]))
    c.case("f40 the same without the guard", wildcard, author="u@y.b.kobe.jp", dkim="x.a.kobe.jp", options={"psl_guard": False},
           expect=passes("reject", org_domain="kobe.jp", reasons_not=["psl_guard"]))
    own = zone({"com": "p=none", "ex.com": "p=reject"})
    c.case("f40 nor where the author domain has its own", own, dkim="evil.com", expect=fails("reject", policy_domain="ex.com"))
    c.case("f42 p= twice, the first wins", zone({"ex.com": "p=reject; p=none"}), expect=fails("reject"))
    c.case("f42 p= twice, the first wins (other order)", zone({"ex.com": "p=none; p=reject"}), expect=fails("none"))
    c.case("f42 aspf= twice, the first wins", zone({"ex.com": "p=reject; aspf=s; aspf=r"}), spf="mail.ex.com", expect=fails("reject"))


def arc(c):
    """Sealed chains, by dkimpy with its clock stopped."""
    def sealed(results, before=None):
        """What evil.test seals with these results."""
        before = f"Authentication-Results: evil.test; {results}\r\n".encode() + (before or message())
        clock, time.time = time.time, lambda: NOW - 600
        try:
            key = (HERE / "keys/rsa2048.pem").read_bytes()
            added = dkim.arc_sign(before, b"s", b"evil.test", key, b"evil.test", include_headers=[b"from", b"to", b"subject"])
        finally:
            time.time = clock
        return b"".join(added) + before

    key = {"s._domainkey.evil.test": [txt(key_text(2048))]}
    trusting = {"trusted_sealers": ["evil.test"]}
    octets = sealed("dmarc=pass header.from=ex.com; arc=none")
    c.case("f30 a chain of an unknown sealer", zone(REJECT, **key), octets=octets,
           expect=fails("reject", arc="pass", reasons_not=["trusted_sealer"]))
    c.case("f30 a chain of a trusted sealer leaves the verdict alone", zone(REJECT, **key), octets=octets, options=trusting,
           expect=fails("reject", arc="pass", reasons=["trusted_sealer"]))
    c.case("f30 a broken chain of a trusted sealer", zone(REJECT, **key), octets=octets.replace(BODY, b"x\r\n"), options=trusting,
           expect=fails("reject", arc="fail", reasons_not=["trusted_sealer"]))
    strict = {"ex.com": "p=reject; adkim=s; aspf=s"}
    for policy, results, counts in (
        (REJECT, "dkim=pass header.d=mail.ex.com", True),
        (strict, "dkim=pass header.d=mail.ex.com", False),
        (strict, "dkim=pass header.d=ex.com", True),
        (REJECT, "dkim=pass header.i=@ex.com", True),
        (REJECT, "dkim=fail header.d=ex.com", False),
        (REJECT, "dkim=pass header.d=other.test; spf=pass smtp.mailfrom=bounce.ex.com", True),
        (strict, "spf=pass smtp.mailfrom=bounce.ex.com", False),
        (REJECT, "spf=pass smtp.mailfrom=other.test; dmarc=pass header.from=other.test", False),
        (REJECT, "dmarc=fail header.from=ex.com", False),
        (REJECT, "dmarc=none", False),
    ):
        strictly = "strictly " if policy is strict else ""
        c.case(f"f30 a trusted sealer that {strictly}found {results}", zone(policy, **key), octets=sealed(results), options=trusting,
               expect=fails("reject", arc="pass", **{"reasons" if counts else "reasons_not": ["trusted_sealer"]}))
