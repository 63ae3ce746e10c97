# SPDX-License-Identifier: GPL-2.0-or-later
"""What one device's load takes from the others of the same QEMU.

    tests/bench/run --fair

The load of a guest's devices while one of them is silent, and while it has 64
long requests in flight, see bench-fair.c; with one other device, and with
fifteen. The backend is on one CPU, the guest on another. What is kept is the
median of the rounds; all of them go to fair.json.
"""

import json
import os
import statistics
import subprocess

DEVICES = (2, 16)
ROUNDS = 5


def rounds_of(build, backend, environ, devices):
    """The rows of a backend."""
    text = subprocess.run(
        ['taskset', '-c', '1', f'{build}/bench/bench-fair', '--devices',
         str(devices), '--rounds', str(ROUNDS)],
        env={**os.environ, **environ, 'LOOP_WRAP': 'taskset -c 0'},
        stdout=subprocess.PIPE, text=True, check=True).stdout
    return [{'backend': backend, **json.loads(line)}
            for line in text.splitlines() if not line.startswith('#')]


def run(build, backends, output):
    """backends: {name: environment}"""
    rows = []
    print('devices  backend     quiet/s  flooded/s   kept  p99 us: quiet '
          'flooded', flush=True)
    for devices in DEVICES:
        for backend, environ in backends.items():
            some = rounds_of(build, backend, environ, devices)
            middle = {key: statistics.median(row[key] for row in some)
                      for key in some[0] if key != 'backend'}
            print(f'{devices:7}  {backend:9}'
                  f'{middle["quiet_ops_per_s"]:10,.0f}'
                  f'{middle["flooded_ops_per_s"]:11,.0f}'
                  f'{middle["kept"]:7.2f}{middle["quiet_us_p99"]:14,.0f}'
                  f'{middle["flooded_us_p99"]:8,.0f}', flush=True)
            rows += some
    with open(f'{output}/fair.json', 'w', encoding='utf-8') as file:
        file.write('[\n' + ',\n'.join(map(json.dumps, rows)) + '\n]\n')
