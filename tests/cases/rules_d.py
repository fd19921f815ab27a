"""Table A.6: DMARC policy, discovery and alignment, one or more cases a row."""

from builder import Cases, PERMITS, fails, message, no_policy, passes, sign, txt, unknown, unusable, zone

REJECT = {"ex.com": "p=reject"}
EXISTS = [["A", "192.0.2.81"]]
SERVFAIL = [["SERVFAIL", "TXT"]]
BANK = {"bank.example": "p=none; sp=quarantine; np=reject; psd=y"}


def dmarc_names(*domains):
    return sorted(f"_dmarc.{domain}" for domain in domains)


def cases():
    c = Cases("d")
    case = c.case
    ex = zone(REJECT)

    case("d1 spf aligned", ex, spf="ex.com",
         expect=passes("reject", policy_domain="ex.com", author_domain="ex.com", spf="pass", ses={"spf": "PASS", "dkim": "GRAY"}))
    case("d2 nothing aligned", ex, expect=fails("reject", policy_domain="ex.com", spf="pass", ses={"spf": "PASS", "dkim": "GRAY"}))
    case("d3 relaxed spf, subdomain", ex, spf="mail.ex.com", expect=passes("reject"))
    case("d4 strict spf, subdomain", zone({"ex.com": "p=reject; aspf=s"}), spf="mail.ex.com", expect=fails("reject", spf="pass"))
    strict = zone({"ex.com": "p=reject; adkim=s"})
    case("d5a strict dkim, equal", strict, dkim="ex.com", expect=passes("reject", dkim_any="pass", ses={"dkim": "PASS"}))
    case("d5b strict dkim, subdomain", strict, dkim="news.ex.com", expect=fails("reject", dkim_any="pass", ses={"dkim": "GRAY"}))

    def below(tags, **more):
        return zone({"ex.com": tags}, **more)

    case("d6 sp applies to a subdomain", below("p=reject; sp=quarantine", **{"news.ex.com": EXISTS}), author="u@news.ex.com",
         expect=fails("quarantine", policy_domain="ex.com", org_domain="ex.com"))
    case("d7 np applies where the author domain does not exist", below("p=reject; sp=quarantine; np=none"), author="u@nx.ex.com",
         expect=fails("none", policy_domain="ex.com"))
    case("d8 without np, sp applies", below("p=reject; sp=quarantine"), author="u@nx.ex.com", expect=fails("quarantine", policy_domain="ex.com"))
    case("d9 an empty non-terminal exists", below("p=none; np=reject", **{"a.ent.ex.com": EXISTS}), author="u@ent.ex.com", expect=fails("none"))
    case("d9 a name with MX alone exists", below("p=none; np=reject", **{"mx.ex.com": [["MX", 10, "ex.com"]]}), author="u@mx.ex.com", expect=fails("none"))
    case("d10 a record in the middle is ignored", zone({"ex.com": "p=reject", "b.ex.com": "p=none"}, **{"a.b.ex.com": EXISTS}), author="u@a.b.ex.com",
         expect=fails("reject", policy_domain="ex.com", org_domain="ex.com"))
    cut = zone({"ex.com": "p=reject", "b.ex.com": "p=none; psd=n"}, **{"a.b.ex.com": EXISTS})
    case("d11 psd=n makes an organizational domain", cut, author="u@a.b.ex.com", dkim="ex.com",
         expect=fails("none", policy_domain="b.ex.com", org_domain="b.ex.com", dkim_any="pass", ses={"dkim": "GRAY"}))
    case("d11 psl discovery does not know psd=n", cut, author="u@a.b.ex.com", dkim="ex.com", options={"discovery": "psl"},
         expect=passes("reject", policy_domain="ex.com", org_domain="ex.com"))
    case("d12 own record, relaxed by the parent", zone({"ex.com": "p=reject", "b.ex.com": "p=none"}), author="u@b.ex.com", dkim="ex.com",
         expect=passes("none", policy_domain="b.ex.com", org_domain="ex.com"))

    example = zone({"example.com": "p=none", "signing.example.com": "p=none"})
    case("d13 both aligned", example, author="u@example.com", spf="example.com", dkim="signing.example.com",
         expect=passes("none", policy_domain="example.com", ses={"spf": "PASS", "dkim": "PASS"}))
    case("d13 dkim alone", example, author="u@example.com", dkim="signing.example.com", expect=passes("none"))
    deep = "a.b.c.d.e.f.g.h.i.j.k.example.com"
    long = zone({"example.com": "p=none", "signing.example.com": "p=none"}, **{deep: EXISTS})
    case("d14 both aligned, deep author domain", long, author=f"u@{deep}", spf="example.com", dkim="signing.example.com",
         expect=passes("none", policy_domain="example.com", org_domain="example.com", ses={"dkim": "PASS"}))
    case("d14 exactly eight questions", long, author=f"u@{deep}", spf="example.com",
         expect=passes("none", queries=dmarc_names(deep, "g.h.i.j.k.example.com", "h.i.j.k.example.com", "i.j.k.example.com", "j.k.example.com",
                                                   "k.example.com", "example.com", "com")))
    psd = zone({"bank.example": "p=reject; psd=y", "giant.bank.example": "p=reject"})
    case("d15 psd=y separates its children", psd, author="u@giant.bank.example", spf="mail.giant.bank.example", dkim="mail.mega.bank.example",
         expect=passes("reject", policy_domain="giant.bank.example", org_domain="giant.bank.example", ses={"spf": "PASS", "dkim": "GRAY"}))
    case("d15 a sibling below a psd=y is not aligned", psd, author="u@giant.bank.example", dkim="mail.mega.bank.example",
         expect=fails("reject", dkim_any="pass"))
    case("d16 the record of a public suffix, sp", zone(BANK, **{"no.bank.example": EXISTS}), author="u@no.bank.example",
         expect=fails("quarantine", policy_domain="bank.example", org_domain="no.bank.example"))
    case("d17 the record of a public suffix, np", zone(BANK), author="u@nx.bank.example", expect=fails("reject", policy_domain="bank.example"))
    case("d18 org below a public suffix", zone(BANK, **{"no.bank.example": EXISTS, "a.no.bank.example": EXISTS}), author="u@a.no.bank.example",
         dkim="no.bank.example", expect=passes(org_domain="no.bank.example", policy_domain="bank.example"))
    case("d19 a public suffix as author domain", zone(BANK, **{"x.bank.example": EXISTS}), author="u@bank.example", dkim="x.bank.example",
         expect=fails("none", policy_domain="bank.example", org_domain="bank.example", dkim_any="pass"))
    suffix = zone({"test": "p=reject"}, **{"a.test": EXISTS, "b.test": EXISTS})
    case("d20 a suffix without psd, literally", suffix, author="u@a.test", dkim="b.test", options={"psl_guard": False},
         expect=passes("reject", org_domain="test", reasons_not=["psl_guard"]))
    case("d20 a suffix without psd, guarded", suffix, author="u@a.test", dkim="b.test",
         expect=fails("reject", policy_domain="test", org_domain="a.test", reasons=["psl_guard"]))
    far = "mail.a.b.c.d.e.f.g.example.com"
    case("d21 a zone cut above the seventh label is never asked",
         zone({"example.com": "p=reject", "b.c.d.e.f.g.example.com": "p=none; psd=n"}, **{far: EXISTS}), author=f"u@{far}", mail_from="u@nospf.test",
         expect=fails("reject", policy_domain="example.com", spf="none",
                      queries=dmarc_names(far, "c.d.e.f.g.example.com", "d.e.f.g.example.com", "e.f.g.example.com", "f.g.example.com", "g.example.com",
                                          "example.com", "com")))
    case("d22 two records at the only name", zone({"ex.com": ["p=none", "p=reject"]}), expect=no_policy(reasons=["several_records"]))
    twice = zone({"ex.com": "p=reject", "a.ex.com": ["p=none", "p=quarantine"]})
    for mode in ("treewalk", "psl"):
        case(f"d23 two records, the walk goes on ({mode})", twice, author="u@a.ex.com", options={"discovery": mode},
             expect=fails("reject", policy_domain="ex.com", reasons=["several_records"]))
    for number, text in enumerate(["v=dmarc1; p=reject", "p=reject; v=DMARC1", "v=DMARC1p=reject", " v=DMARC1; p=reject"]):
        case(f"d24.{number + 1} no DMARC record: {text}", zone({}, **{"ex.com": EXISTS, "_dmarc.ex.com": [["TXT", text]]}), expect=no_policy())
    case("d24.5 white space around the version's = is allowed", zone({}, **{"_dmarc.ex.com": [["TXT", "v = DMARC1 ; p=reject"]]}), expect=fails("reject"))
    case("d25 a bare version", zone({"ex.com": "v=DMARC1"}), expect=no_policy())
    case("d26 rua without p", zone({"ex.com": "rua=mailto:a@ex.com"}), expect=fails("none", policy_domain="ex.com"))
    case("d27a invalid p with rua", zone({"ex.com": "p=rejekt; rua=mailto:a@ex.com"}), expect=fails("none"))
    case("d27b invalid p without rua", zone({"ex.com": "p=rejekt"}), expect=no_policy())
    for name, uri in {"! in the domain": "a@e!x.com", "a size without digits": "a@ex.com!", "two sizes": "a@ex.com!10m!20k", "an address for a domain": "a@1.2.3.4",
                      "a long local part": "l" * 65 + "@ex.com", "a local part outside ASCII": "j%C3%BC@ex.com", "a hyphen on top": "a@-ex.com"}.items():
        case(f"a17 invalid p and no valid rua: {name}", zone({"ex.com": f"p=rejekt; rua=mailto:{uri}"}), expect=no_policy())
    case("a15 invalid p with a size behind the rua", zone({"ex.com": "p=rejekt; rua=mailto:a@ex.com!10m"}), expect=fails("none"))
    case("d27c no fall back to the parent", zone({"ex.com": "p=reject", "a.ex.com": "p=rejekt"}), author="u@a.ex.com", expect=no_policy())
    case("d28a invalid sp with rua", zone({"ex.com": "p=reject; sp=x; rua=mailto:a@ex.com"}), expect=fails("none"))
    case("d28b invalid sp without rua", zone({"ex.com": "p=reject; sp=x"}), expect=no_policy())
    case("d28c invalid np with rua, subdomain", zone({"ex.com": "p=reject; np=x; rua=mailto:a@ex.com"}, **{"a.ex.com": EXISTS}), author="u@a.ex.com",
         expect=fails("none"))
    case("d29 invalid values of the other tags are defaults", zone({"ex.com": "p=reject; adkim=x; aspf=; fo=9; psd=q; t=z"}), spf="mail.ex.com",
         expect=passes("reject"))
    for mode in ("treewalk", "psl"):
        case(f"d30 pct is ignored ({mode})", zone({"ex.com": "p=reject; pct=0"}), options={"discovery": mode}, expect=fails("reject"))
    for policy, effective in (("reject", "quarantine"), ("quarantine", "none"), ("none", "none")):
        reasons = {"reasons": ["policy_test_mode"]} if policy != effective else {}
        case(f"d31 t=y lowers {policy}", zone({"ex.com": f"p={policy}; t=y"}), expect=fails(policy, effective, **reasons))
    case("d31 t=n lowers nothing", zone({"ex.com": "p=reject; t=n"}), expect=fails("reject", reasons_not=["policy_test_mode"]))
    case("d32 broken tokens fall alone", zone({"ex.com": "v=DMARC1; foo; p=reject; =; bar=1;;; rua=mailto:a@ex.com"}), expect=fails("reject"))
    case("d33 two character-strings", zone({}, **{"_dmarc.ex.com": [["TXT", "v=DMARC1; p=re", "ject"]]}), expect=fails("reject"))
    both = [["TXT", "v=spf1 -all"], ["TXT", "v=DMARC1; p=reject"]]
    broken = [["TXT", "v=DMARC1; p=rejekt"], ["TXT", "unrelated text"]]
    wanting = [["TXT", "v=DMARC1; p=rejekt; rua=mailto:a@ex.com"], ["TXT", "unrelated text"]]
    for order, name in ((1, "first"), (-1, "last")):
        case(f"d34 another TXT beside it, {name}", zone({}, **{"_dmarc.ex.com": both[::order]}), expect=fails("reject"))
        case(f"d35 malformed beside an unrelated TXT, {name}", zone({}, **{"_dmarc.ex.com": broken[::order]}), expect=no_policy())
        case(f"d35 malformed with rua beside an unrelated TXT, {name}", zone({}, **{"_dmarc.ex.com": wanting[::order]}), expect=fails("none"))
    case("d36 the author domain's record is unknown", zone({}, **{"_dmarc.ex.com": SERVFAIL}), spf="ex.com", expect=unknown())
    com = zone(REJECT, **{"_dmarc.com": SERVFAIL})
    case("d37 no walk between equal names", com, spf="ex.com", expect=passes("reject"))
    case("d38 every completion aligns", com, spf="mail.ex.com", expect=passes("reject"))
    pair = zone({"bank.test": "p=quarantine; sp=reject"}, **{"_dmarc.a.bank.test": SERVFAIL})
    case("a43 a pass whose policy differs among completions", pair, author="u@a.a.bank.test", spf="a.a.bank.test", expect=unknown())
    case("d39 no walk in strict mode", zone({"ex.com": "p=reject; aspf=s; adkim=s"}, **{"_dmarc.com": SERVFAIL}), expect=fails("reject"))
    case("d40 a malformed record at the top level", zone({"ex.com": "p=reject", "com": "p=rejekt"}), expect=fails("reject", policy_domain="ex.com"))
    lengthy = ".".join(["a" * 60] * 3 + ["b" * 60, "ex.com"])
    assert len(lengthy) == 250
    case("d41 an over-long _dmarc name is skipped", zone(REJECT, **{lengthy: EXISTS}), author=f"u@{lengthy}",
         expect=fails("reject", policy_domain="ex.com", author_domain=lengthy))
    case("d42 a final dot", ex, author="u@ex.com.", expect=fails("reject", author_domain="ex.com"))
    case("d43 a U-label", zone({"xn--bcher-kva.example": "p=reject"}), author="u@bücher.example", spf="xn--bcher-kva.example",
         expect=passes("reject", author_domain="xn--bcher-kva.example", policy_domain="xn--bcher-kva.example"))
    helo = zone(REJECT, **{"mail.ex.com": [txt(PERMITS)]})
    case("d44 null path, HELO aligned", helo, mail_from="", helo="mail.ex.com", expect=passes("reject", spf="pass"))
    case("d45 a HELO pass beside a MAIL FROM that fails", zone(REJECT, **{"ex.com": [["A", "192.0.2.80"], txt(PERMITS)], "bad.test": [txt("v=spf1 -all")]}),
         mail_from="u@bad.test", helo="ex.com", expect=fails("reject", spf="fail"))
    for result, record in (("softfail", "v=spf1 ~all"), ("neutral", "v=spf1 ?all"), ("none", None), ("permerror", "v=spf1 foo"), ("fail", "v=spf1 -all")):
        records = [["A", "192.0.2.80"]] + ([txt(record)] if record else [])
        status = {"permerror": "PROCESSING_FAILED", "fail": "FAIL"}.get(result, "GRAY")
        case(f"d46 spf {result}", zone(REJECT, **{"ex.com": records}), mail_from="u@ex.com", expect=fails("reject", spf=result, ses={"spf": status}))
    for trouble in ("SERVFAIL", "TIMEOUT", "REFUSED"):
        shaky = zone(REJECT, **{"ex.com": [["A", "192.0.2.80"], [trouble, "TXT"]]})
        case(f"d47 spf temperror of the author domain ({trouble})", shaky, mail_from="u@ex.com",
             expect=unknown(spf="temperror", ses={"spf": "PROCESSING_FAILED"}))
    case("d48 an aligned signature beside it", shaky, mail_from="u@ex.com", dkim="ex.com", expect=passes("reject", spf="temperror"))
    case("d49 spf temperror that cannot align", zone(REJECT, **{"other.test": SERVFAIL}), mail_from="u@other.test",
         expect=fails("reject", spf="temperror", ses={"spf": "PROCESSING_FAILED"}))
    case("d50 the key of an aligned signature times out", zone(REJECT, **{"s._domainkey.ex.com": [["TIMEOUT", "TXT"]]}), dkim="ex.com",
         expect=unknown(dkim=[{"d": "ex.com", "s": "s", "a": "ed25519-sha256", "result": "temperror"}], ses={"dkim": "PROCESSING_FAILED"}))
    unsigned = zone(REJECT, **{"_domainkey.ex.com": EXISTS})
    case("d51 the key does not exist", unsigned, octets=sign(message(), "ex.com"),
         expect=fails("reject", dkim=[{"d": "ex.com", "s": "s", "result": "permerror"}], ses={"dkim": "FAIL"}))
    twins = "a@ex.com, b@ex.com"
    case("d52 two mailboxes of one domain", ex, author=twins, spf="ex.com", expect=passes("reject", author_domain="ex.com", reasons=["from_not_unique"]))
    case("d52 two mailboxes of one domain, spoofed", ex, author=twins, expect=fails("reject", reasons=["from_not_unique"]))
    case("d53 two domains", zone({"ex.com": "p=none", "b.com": "p=reject"}), author="a@ex.com, b@b.com", spf="ex.com",
         expect=unusable("from_multiple_domains", author_domain=None))
    case("d54 a single label", zone({"com": "p=reject; psd=y"}), author="x@com", dkim="com", expect=passes("reject", policy_domain="com", author_domain="com"))
    case("d55 a signature of the top level", ex, dkim="com", expect=fails("reject"))
    case("d56 a public suffix never speaks for an organization with a record",
         zone({"org.ex": "p=none", "ex": "p=reject; psd=y; rua=mailto:r@ex"}), author="u@org.ex", expect=fails("none", policy_domain="org.ex"))
    case("d57 no record anywhere", zone({}, **{"ex.com": EXISTS}), spf="ex.com", expect=no_policy(spf="pass"))
    case("d58 a CNAME", zone({}, **{"ex.com": EXISTS, "_dmarc.ex.com": [["CNAME", "_dmarc.prov.test"]], "_dmarc.prov.test": [["TXT", "v=DMARC1; p=reject"]]}),
         expect=fails("reject", policy_domain="ex.com"))
    case("d59 a domain literal", ex, author="u@[192.0.2.1]", expect=unusable("from_unparsable", author_domain=None))
    upper = zone(REJECT, **{"mail.ex.com": [txt(PERMITS)]})
    case("d60 upper case", upper, author="u@EX.com", mail_from="u@MAIL.EX.COM", expect=passes("reject", author_domain="ex.com"))
    cut = zone(REJECT, **{"_dmarc.com": SERVFAIL, "a.ex.com": EXISTS})
    case("d61 a top level that does not answer", cut, author="u@a.ex.com", expect=fails("reject", policy_domain="ex.com"))
    case("d61 the same without the guard", cut, author="u@a.ex.com", options={"psl_guard": False}, expect=unknown())
    return c

