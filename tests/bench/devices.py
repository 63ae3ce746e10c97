# SPDX-License-Identifier: GPL-2.0-or-later
"""Many devices of one QEMU.

    tests/bench/run --devices

What one device's load takes from the others, see bench-fair.c, with one other
device and with fifteen: the backend is on one CPU, the guest on another. And
see bench-devices.c: four devices that are busy, all on one CPU or all on two;
QEMU's monitor beside one that is flooded, and sixteen that are silent, the
backend on one CPU, the guest on another. What is shown is the median of the
rounds; all of them go to devices.json.
"""

import json
import os
import statistics
import subprocess

DEVICES = (2, 16)
ROUNDS = 5


def rounds_of(command, environ, guest_cpus, backend_cpus):
    """What a program says of each round."""
    text = subprocess.run(
        ['taskset', '-c', guest_cpus, *command],
        env={**os.environ, **environ,
             'LOOP_WRAP': f'taskset -c {backend_cpus}'},
        stdout=subprocess.PIPE, text=True, check=True).stdout
    return [json.loads(line) for line in text.splitlines()
            if not line.startswith('#')]


def middle_of(rows):
    return {key: statistics.median(row[key] for row in rows)
            for key in rows[0]}


def fairness(build, backends):
    print('devices  backend     quiet/s  flooded/s   kept  p99 us: quiet '
          'flooded', flush=True)
    for devices in DEVICES:
        for backend, environ in backends.items():
            rows = rounds_of([f'{build}/bench/bench-fair', '--devices',
                              str(devices), '--rounds', str(ROUNDS)],
                             environ, '1', '0')
            middle = middle_of(rows)
            print(f'{devices:7}  {backend:9}'
                  f'{middle["quiet_ops_per_s"]:10,.0f}'
                  f'{middle["flooded_ops_per_s"]:11,.0f}'
                  f'{middle["kept"]:7.2f}{middle["quiet_us_p99"]:14,.0f}'
                  f'{middle["flooded_us_p99"]:8,.0f}', flush=True)
            yield from ({'backend': backend, 'what': 'fair', **row}
                        for row in rows)


def others(build, backends):
    print('backend    4 devices/s, one CPU  two CPUs   over   16 silent, CPU'
          '   query-status us p50     p99', flush=True)
    for backend, environ in backends.items():
        rows = {}
        for what, name, guest, cpus in (
                ('one CPU', 'scaling', '0', '0'),
                ('two CPUs', 'scaling', '0,1', '0,1'),
                ('idle', 'idle', '1', '0'), ('monitor', 'monitor', '1', '0')):
            rows[what] = rounds_of([f'{build}/bench/bench-devices', name],
                                   environ, guest, cpus)
            yield from ({'backend': backend, 'what': what, **row}
                        for row in rows[what])
        one, two, idle, answer = (middle_of(some) for some in rows.values())
        print(f'{backend:9}{one["ops_per_s"]:23,.0f}{two["ops_per_s"]:10,.0f}'
              f'{two["ops_per_s"] / one["ops_per_s"]:7.2f}'
              f'{idle["cpu"]:17.5f}{answer["us_p50"]:22,.0f}'
              f'{answer["us_p99"]:8,.0f}', flush=True)


def run(build, backends, output):
    """backends: {name: environment}"""
    rows = [*fairness(build, backends), *others(build, backends)]
    with open(f'{output}/devices.json', 'w', encoding='utf-8') as file:
        file.write('[\n' + ',\n'.join(map(json.dumps, rows)) + '\n]\n')
