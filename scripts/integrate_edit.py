# SPDX-License-Identifier: GPL-2.0-or-later
"""How scripts/integrate changes C: by text that is there once, or not at all.
"""

import re

# For exchange(): what a function has no longer, or never had.
WITHOUT = r'\A(?!.*{})'


class Missing(Exception):
    """An anchor is not where it should be."""


def replace_once(text, pattern, replacement, what):
    """Replace what @pattern matches, which must be there exactly once."""
    found = re.findall(pattern, text, re.M | re.S)
    if len(found) != 1:
        raise Missing(f'{what} (found {len(found)} times, expected 1)')
    return re.sub(pattern, lambda m: m.expand(replacement), text,
                  flags=re.M | re.S)


def function(text, name):
    """Where the definition of @name begins and ends."""
    found = list(re.finditer(
        rf'^[A-Za-z][^;{{}}#/]*\b{name}\([^;{{}}]*\)\n\{{\n.*?^\}}\n', text,
        re.M | re.S))
    if len(found) != 1:
        raise Missing(f'{name}() (found {len(found)} times, expected 1)')
    return found[0].span()


def exchange(text, name, cured, *pairs):
    """In function @name, put the second of each pair in the first one's place.

    Where @cured matches in there nothing is left to do. Else the first one of
    each pair must be there exactly once.
    """
    begin, end = function(text, name)
    body = text[begin:end]
    if re.search(cured, body, re.M | re.S):
        return text
    for old, new in pairs:
        if body.count(old) != 1:
            line = old.strip().splitlines()[0].strip()
            raise Missing(f"'{line}' in {name}() (found {body.count(old)} "
                          'times, expected 1)')
        body = body.replace(old, new)
    return text[:begin] + body + text[end:]


def insert_before(text, name, helper, code):
    """Define @helper before function @name, unless it is there."""
    if re.search(rf'^[A-Za-z][^;\n]*\b{helper}\(', text, re.M):
        return text
    begin = function(text, name)[0]
    # A comment above the function stays with it.
    comment = re.search(r'/\*(?:(?!\*/).)*\*/\n\Z', text[:begin], re.S)
    begin = comment.start() if comment else begin
    return text[:begin] + code + '\n' + text[begin:]
