# SPDX-License-Identifier: GPL-2.0-or-later
"""The results as docs/figures.md shows them: Markdown, of the chosen few."""

import table

PREFACE = '''![Operations a second by requests in flight: ours, stock, xen-9pfsd and the
floor](bench.svg)

More is better in "over", less in "median latency" and "CPU time", which are
ours divided by stock's; 1.00 is the same. "The floor" is QEMU's 9P server with
no transport at all. xen-9pfsd has a smaller protocol and no threads. The
picture is there [as PNG](bench.png), too.
'''

DEPTHS = (1, 16)
XEN_OPS = {'read': 'fio, read', 'write': 'fio, write',
           'create': 'create small files (tar)', 'list': 'list them (ls -lR)',
           'readall': 'read them (cat)', 'remove': 'remove them (rm -r)'}


def by_case(rows):
    """{(op, size, depth): {backend: row}}"""
    cases = {}
    for row in rows:
        key = row['op'], row['size'], row['depth']
        cases.setdefault(key, {})[row['backend']] = row
    return cases


def times(value):
    return '–' if value is None else f'{value:.2f}'


def over(ours, other):
    """How many times as many operations."""
    if not other or not other.get('ops_per_s'):
        return '–'
    return times(ours['ops_per_s'] / other['ops_per_s'])


def heading(*cells):
    return [f'| {" | ".join(cells)} |',
            f'| --- |{" ---: |" * (len(cells) - 1)}']


def chosen(two, one, backend):
    """A backend's rows on two CPUs, each with those of all backends, and with
    its own on one CPU, which may be empty."""
    alone = by_case(one)
    for key, backends in by_case(two).items():
        row = backends.get(backend, {})
        if key[2] in DEPTHS and row.get('ops_per_s') and '@' not in key[0]:
            yield row, backends, alone.get(key, {}).get(backend, {})


def loopback(two, one):
    """Rows with two rings, on two CPUs and on one."""
    yield from heading('two rings', 'in flight', 'operations/s',
                       'over stock', 'median latency', 'CPU time',
                       'over stock, one CPU', 'over xen-9pfsd',
                       'over the floor')
    for ours, backends, on_one in chosen(two, one, 'ours'):
        cells = [table.op_name(ours), str(ours['depth']),
                 f'{ours["ops_per_s"]:,.0f}',
                 f'**{times(ours["ratio_to_stock"])}**',
                 times(ours['p50_to_stock']), times(ours['cpu_to_stock']),
                 times(on_one.get('ratio_to_stock')),
                 over(ours, backends.get('xen-9pfsd')),
                 over(ours, backends.get('floor'))]
        yield f'| {" | ".join(cells)} |'


def virtfs(two, one):
    """The other protocol, beside 9pfs."""
    yield from heading('virtfs', 'in flight', 'operations/s', 'over stock',
                       'over 9pfs', 'CPU time', 'over stock, one CPU',
                       'grant operations')
    for row, backends, on_one in chosen(two, one, 'virtfs'):
        cells = [table.op_name(row), str(row['depth']),
                 f'{row["ops_per_s"]:,.0f}',
                 f'**{times(row["ratio_to_stock"])}**',
                 over(row, backends.get('ours')), times(row['cpu_to_stock']),
                 times(on_one.get('ratio_to_stock')),
                 f'{row["grantops_per_op"]:.0f}']
        yield f'| {" | ".join(cells)} |'


POLICIES = ('copy', 'map', 'cached')


def policies(one):
    """What the grant policies are for, over that of "auto"."""
    yield from heading('virtfs, over "auto"', 'in flight',
                       *(f'{name}: operations/s' for name in POLICIES),
                       *(f'{name}: grant operations' for name in POLICIES))
    for key, backends in by_case(one).items():
        base = backends.get('virtfs')
        rows = [backends.get(f'virtfs-{name}') for name in POLICIES]
        if not base or not all(rows):
            continue
        cells = [table.op_name(base), str(key[2])]
        cells += [over(row, base) for row in rows]
        cells += [f'{row["grantops_per_op"]:.0f}' for row in rows]
        yield f'| {" | ".join(cells)} |'


NAMES = {'stat': 'attributes', 'open': 'walk+open+clunk',
         'list': 'list 1,000'}
PLACES = ('loopback', 'loopback-disk', 'loopback-1cpu', 'loopback-1cpu-disk')


def names(rows):
    """What is done with a name, by how many folders deep it is."""
    cases = {}
    for row in rows:
        if '@' in row['op'] and row['suite'] in PLACES and row['rings'] == 2:
            cases.setdefault((row['op'], row['depth']), {})[
                row['suite'], row['backend']] = row
    if not cases:
        return
    yield from heading('names', 'folders deep', 'in flight', 'over stock',
                       'on a disk', 'one CPU', 'on a disk, one CPU',
                       'over xen-9pfsd, one CPU')
    for (op, depth), found in cases.items():
        what, _, deep = op.partition('@')
        ours = [found.get((place, 'ours')) for place in PLACES]
        cells = [NAMES[what], deep, str(depth)]
        cells += [times(row and row['ratio_to_stock']) for row in ours]
        cells += [over(ours[2], found.get(('loopback-1cpu', 'xen-9pfsd')))
                  if ours[2] else '–']
        yield f'| {" | ".join(cells)} |'
    yield ''


def xen(rows):
    yield from heading('real Xen, emulated', 'in flight', 'over stock',
                       'least and most', 'CPU time')
    for row in rows:
        if row['backend'] not in ('ours', 'virtfs'):
            continue
        name = XEN_OPS[row['op']]
        if name.startswith('fio'):
            name += ' ' + table.size_name(row['size'])
        if row['backend'] != 'ours':
            name += ', ' + row['backend']
        yield (f'| {name} | {row["depth"]} | '
               f'**{times(row["ratio_to_stock"])}** | '
               f'{times(row["ratio_min"])} to {times(row["ratio_max"])} | '
               f'{times(row["cpu_to_stock"])} |')


def provenance(rows):
    """When, and what."""
    dates = sorted({row['date'] for row in rows})
    when = dates[0] if len(dates) == 1 else f'{dates[0]} to {dates[-1]}'
    versions = sorted({text for row in rows for text in row['versions']})
    return f'{when}; {"; ".join(versions)}; {rows[0]["rounds"]} rounds.'


def markdown(rows):
    two, one, real = ([row for row in rows if row['suite'] == suite and
                       row['rings'] == 2]
                      for suite in ('loopback', 'loopback-1cpu', 'xen'))
    if two:
        yield PREFACE
        yield from loopback(two, one)
        yield ''
        yield ''
        yield from virtfs(two, one)
        yield ''
        yield from policies(one)
        yield ''
        yield from names(rows)
        yield 'On the loopback. ' + provenance(two + one)
    if real:
        yield ''
        yield from xen(real)
        yield ''
        yield 'Guests of one boot, in turn. ' + provenance(real)
