#!/usr/bin/env python3
"""Writes the project's own cases, one file for each part of the rules. The same octets come out every time.

They are written from the rules alone, not from the code. Run it with `make cases`.
"""

import rules_d
import rules_f

for part in (rules_d, rules_f):
    part.cases().write()
