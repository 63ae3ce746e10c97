# SPDX-License-Identifier: GPL-2.0-or-later
"""What was measured, kept from one run to the next.

details.json has all that is known, results.json the same with the keys that
programs may rely on, results.md what docs/figures.md shows; bench.svg and
bench.png are the picture.
"""

import json
import os

import picture
import report

KEYS = ('suite', 'backend', 'protocol', 'op', 'size', 'rings', 'depth',
        'ops_per_s', 'mb_per_s', 'lat_us_p50', 'lat_us_p99', 'cpu_us_per_op',
        'notify_per_op', 'grantops_per_op', 'ratio_to_stock')
# Rows that agree in these are of the same measurement.
IDENTITY = ('suite', 'backend', 'op', 'size', 'rings', 'depth')


def identity(row):
    return tuple(row[key] for key in IDENTITY)


def write_rows(path, rows):
    with open(path, 'w', encoding='utf-8') as file:
        file.write('[\n' + ',\n'.join(map(json.dumps, rows)) + '\n]\n')


def load(folder):
    path = f'{folder}/details.json'
    if not os.path.exists(path):
        return []
    with open(path, encoding='utf-8') as file:
        return json.load(file)


def store(folder, new, replaced):
    """Add rows, and drop the old ones of the same measurements and those whose
    suite begins with @replaced. Returns the names of what was written."""
    known = {identity(row) for row in new}
    rows = [row for row in load(folder) if identity(row) not in known and
            not (replaced and row['suite'].startswith(replaced))] + new
    write_rows(f'{folder}/details.json', rows)
    write_rows(f'{folder}/results.json',
               [{key: row.get(key) for key in KEYS} for row in rows])
    with open(f'{folder}/results.md', 'w', encoding='utf-8') as file:
        file.write('\n'.join(report.markdown(rows)) + '\n')
    return ['results.json', 'results.md'] + picture.make(
        [row for row in rows if row['suite'].startswith('loopback') and
         '@' not in row['op']], folder)
