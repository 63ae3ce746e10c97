#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""In dom0: our QEMU against stock, each with a guest, in the same boot.

    bench.py ROUNDS [SUBJECT,...]

The subjects, of subjects.py, are stock, ours, virtfs (ours, over that protocol)
and virtfs-copy, virtfs-map and virtfs-cached (with that grant policy); the
first three if none are named, stock always. With 'before' among them, which is
build/qemu-before, the others are compared with that instead, at one large
sequence of writes, and of reads. mmap and loose are ours, mounted with that
cache, nfs and vbd what people use instead of a share; these are compared with
ours without a cache. All guests are up all the time. A round runs every case
in one guest after the other, the first one's turn going round; ratios are taken
within a round. Emulation makes absolute figures worthless, so only ratios are
reported. Rows go to /results/rows.json.
"""

import collections
import json
import statistics
import sys

from subjects import (CACHES, FILE, FILE_SIZE, FILES, INITRAMFS, K, OTHERS, say,
                      subject)

SUBJECTS = 'stock,ours,virtfs'
RESULTS = '/results/rows.json'
PARTS = ('/opt/xen-9pfs/guest.cpio', '/opt/xen-9pfs/bench.cpio')
SECONDS = 4

Case = collections.namedtuple('Case', 'op size depth')
FIO_CASES = [
    Case('read', 4 * K, 1), Case('read', 4 * K, 16), Case('read', 512 * K, 1),
    Case('write', 4 * K, 1), Case('write', 4 * K, 16),
    Case('write', 512 * K, 1),
]
CACHE_CASES = [Case(op, size, 1) for size in (4 * K, 512 * K)
               for op in ('read', 'write')]
# Between these the grant policy changes its mind.
POLICY_CASES = [Case(op, size * K, 1) for size in (4, 16, 64, 128, 256, 512)
                for op in ('read', 'write')]

# Small files: every step is one process, since in emulation to start one costs
# as much as many requests.
STEPS = [
    ('create', 'tar -xf /tmp/files.tar'),
    ('list', 'ls -lR files >/dev/null'),
    ('readall', 'cat files/*/* >/dev/null'),
    ('remove', 'rm -r files'),
]
# What a limit on the size of messages may cost. Four times, since in less than
# some seconds too much is chance.
ONE_FILE = 'for i in 1 2 3 4; do dd {} 2>/dev/null || exit; done'
ONE_FILE_STEPS = [
    ('write 512K', ONE_FILE.format('if=/dev/zero of=big bs=512k count=96')),
    ('read 512K', ONE_FILE.format('if=big of=/dev/null bs=512k')),
    ('write 4M', ONE_FILE.format('if=/dev/zero of=big bs=4M count=12')),
]

# --clocksource: fio would else measure the processor's, for seconds. A thread
# for each request in flight: 9p's own reads and writes are synchronous.
FIO = '''fio --name=it --filename=/mnt/data --output=/tmp/fio.json \
    --output-format=json --clocksource=clock_gettime --ioengine=psync \
    --invalidate=0 --fallocate=none --allow_file_create=0 --thread \
    --group_reporting --time_based --runtime={seconds} --size={file_size} \
    --rw={rw} --bs={case.size} --numjobs={case.depth} --percentile_list=50:99 && cat /tmp/fio.json'''


def measure(on, run, *args):
    """Figures of run(on, *args), which returns some of them."""
    cpu = on.cpu_seconds()
    figures = run(on, *args)
    print('   ', args, figures, flush=True)
    ops = figures.pop('ops')
    if cpu is not None:
        figures['cpu_us_per_op'] = (on.cpu_seconds() - cpu) * 1e6 / ops
    return figures


def fio(on, case):
    # A sequence of large requests; small ones anywhere in the file.
    rw = case.op if case.size > 64 * K else f'rand{case.op}'
    said = on.guest.run(FIO.format(case=case, rw=rw, seconds=SECONDS,
                                   file_size=FILE_SIZE))
    # It may have had something to remark before.
    job = json.loads(said[said.index('{'):])['jobs'][0][case.op]
    assert not job.get('total_err')
    percentiles = job['clat_ns']['percentile']
    return {'ops': job['total_ios'], 'ops_per_s': job['iops'],
            'mb_per_s': job['bw_bytes'] / 1e6,
            'lat_us_p50': percentiles['50.000000'] / 1e3,
            'lat_us_p99': percentiles['99.000000'] / 1e3}


def step(on, command):
    """One step with the small files; the guest's own clock."""
    said = on.guest.run(f'cd /mnt; read a _ </proc/uptime; {command} || '
                        'exit; read b _ </proc/uptime; echo $a $b', 300)
    start, end = map(float, said.split())
    return {'ops': FILES, 'ops_per_s': FILES / max(end - start, 0.01)}


def one_round(on, fio_cases, steps):
    """All cases once: {case: figures}."""
    found = {case: measure(on, fio, case) for case in fio_cases}
    for name, command in steps:
        found[Case(name, FILE, 1)] = measure(on, step, command)
    return found


def ratios(name, base, rounds, figure):
    """A subject's over base's, a value a round; none where nobody measured."""
    pairs = [(r[name].get(figure), r[base].get(figure)) for r in rounds]
    return [ours / theirs for ours, theirs in pairs if ours and theirs]


def row_of(name, base, case, rounds):
    """What is reported of a case."""
    def median(figure):
        found = ratios(name, base, rounds, figure)
        return round(statistics.median(found), 3) if found else None
    throughput = ratios(name, base, rounds, 'ops_per_s')
    return {'suite': 'xen', 'backend': name, 'protocol': '9P2000.L',
            'op': case.op, 'size': case.size, 'rings': 2, 'depth': case.depth,
            'rounds': len(rounds), 'ratio_to_stock': median('ops_per_s'),
            'ratio_min': round(min(throughput), 3),
            'ratio_max': round(max(throughput), 3),
            'p50_to_stock': median('lat_us_p50'),
            'cpu_to_stock': median('cpu_us_per_op')}


def main():
    count = int(sys.argv[1])
    names = (sys.argv[2:] or [SUBJECTS])[0].split(',')
    base = ('before' if 'before' in names else
            'ours' if {*names} & {*CACHES, *OTHERS} else 'stock')
    names = names if base in names else [base] + names
    if base == 'before':
        cases = ([], ONE_FILE_STEPS)
    elif base == 'ours':
        cases = (CACHE_CASES, STEPS)
    elif any('-' in name for name in names):
        cases = (POLICY_CASES, [])
    else:
        cases = (FIO_CASES, STEPS)
    with open(INITRAMFS, 'wb') as whole:
        for part in PARTS:
            with open(part, 'rb') as file:
                whole.write(file.read())
    say(f'{len(names)} guests come up')
    subjects = {name: subject(name) for name in names}
    rounds = []
    for number in range(count):
        turn = number % len(names)
        found = {}
        for name in names[turn:] + names[:turn]:
            found[name] = one_round(subjects[name], *cases)
            say(f'round {number + 1} of {count}: {name} is done')
        rounds.append(found)
    rows = [row_of(name, base, case, [{n: r[n][case] for n in r} for r in rounds])
            for case in rounds[0][base] for name in names if name != base]
    for row in rows:
        print(f'{row["op"]:8} {row["size"]:7} depth {row["depth"]:2}  '
              f'{row["backend"]} over {base}: {row["ratio_to_stock"]:5.2f} '
              f'({row["ratio_min"]:.2f} to {row["ratio_max"]:.2f}), '
              f'cpu {row["cpu_to_stock"]}', flush=True)
    for on in subjects.values():
        on.guest.shutdown()
    with open(RESULTS, 'w', encoding='utf-8') as file:
        json.dump(rows, file)


if __name__ == '__main__':
    main()
