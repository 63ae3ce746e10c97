# SPDX-License-Identifier: GPL-2.0-or-later
"""Measure backends on the loopback, in turn within each round.

Every backend of a group (rings, CPUs) is up at the same time, and idle while
another is measured, so that what the machine does meanwhile hits all alike.
Each round starts them anew, in another order: which memory a process was given
makes up to a fifth of what it does with large data. Ratios are to stock in the
same round; what is printed is the median of the rounds.
"""

import argparse
import collections
import datetime
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time

import devices
import results
import table

TOP = '/src'
sys.path.append(TOP + '/tests/loopback')
import suite  # pylint: disable=wrong-import-position

BUILD = TOP + '/build'
FLOOR = BUILD + '/bench/bench-floor'
# "ours" speaks 9pfs; "virtfs" is ours over the other protocol, with what comes
# after it as the grant policy.
BACKENDS = ('stock', 'ours', 'virtfs', 'xen-9pfsd', 'floor')
POLICIES = ('virtfs-copy', 'virtfs-map', 'virtfs-cached')

# The suite's name, by the CPUs of guest and backend.
SUITES = {'2': 'loopback', '1': 'loopback-1cpu', 'any': 'loopback-any'}

K = 1024
SIZES = (4 * K, 64 * K, 128 * K, 512 * K)
FIGURES = ('ops_per_s', 'mb_per_s', 'lat_us_p50', 'lat_us_p99',
           'cpu_us_per_op', 'notify_per_op', 'notify_backend_per_op',
           'grantops_per_op', 'messages_per_op')

Case = collections.namedtuple('Case', 'op size depth')
# backends: instead of those of the whole run, or None. disk: the share is on
# ext4, not in memory.
Group = collections.namedtuple('Group', 'cpus rings cases backends disk',
                               defaults=(None, False))


def cases(ops, depths):
    return [Case(op, size, depth) for op, size in ops for depth in depths]


def fewer(case):
    """Of long operations, only as many at once as a short time holds."""
    return not case.op.startswith(('readdir', 'list')) or case.depth <= 4


ALL_OPS = ([('getattr', 0), ('walk', 0)] + [('read', s) for s in SIZES] +
           [('write', s) for s in SIZES] + [('readdir', 512 * K), ('mix', 0)])
# Names, so many folders deep.
NAME_OPS = [(f'{op}@{deep}', size) for op, size in (
    ('stat', 0), ('open', 0), ('list', 512 * K)) for deep in (0, 1, 4, 8)]
# Not measured unless asked for.
MORE_OPS = [('getattr+fsync', 0)]
DATA_OPS = [(op, size) for op in ('read', 'write') for size in SIZES]
FEW_OPS = [('getattr', 0), ('read', 4 * K), ('read', 512 * K)]
QUICK_OPS = [('getattr', 0), ('walk', 0), ('read', 4 * K), ('read', 64 * K),
             ('read', 512 * K), ('write', 4 * K), ('write', 64 * K)]


def plan_default():
    """What fits into ten minutes: all of two rings, as Linux has, and of
    other rings what tells whether they scale."""
    depths = (1, 4, 16, 64)
    most = [case for case in cases(ALL_OPS, depths) if fewer(case)]
    plan = [Group(cpus, 2, most) for cpus in ('2', '1')]
    plan += [Group('2', rings, cases(FEW_OPS, (1, 16))) for rings in (1, 4)]
    return plan + plan_names() + [
        Group('1', 2, cases(DATA_OPS, (1, 16)),
              ('stock', 'virtfs') + POLICIES)]


def plan_names():
    """What look-ups cost, in memory and on a disk's file system."""
    names = [case for case in cases(NAME_OPS, (1, 16)) if fewer(case)]
    return [Group(cpus, 2, names, ('stock', 'ours', 'xen-9pfsd'), disk)
            for cpus in ('2', '1') for disk in (False, True)]


def plan_quick():
    return [Group('2', 2, cases(QUICK_OPS, (1, 16))),
            Group('1', 2, cases(QUICK_OPS[:3:2] + QUICK_OPS[4:6], (1, 16)))]


def plan_full():
    return [Group(cpus, rings, cases(ALL_OPS, (1, 4, 16, 64)))
            for cpus in ('2', '1') for rings in (2, 1, 4)]


def parse_size(text):
    unit = {'K': K, 'M': K * K}.get(text[-1:].upper(), 1)
    return int(text.rstrip('kKmM')) * unit


def plan_chosen(args, plan):
    """The plan, cut down or replaced by what the options ask for."""
    ops = None
    if args.op:
        ops = []
        for text in args.op.split(','):
            op, _, size = text.partition(':')
            known = sorted({s for o, s in ALL_OPS + NAME_OPS + MORE_OPS
                            if o == op})
            if not known:
                sys.exit(f'bench: no such operation: {op}')
            ops += [(op, parse_size(size))] if size else [
                (op, s) for s in known]
    if not (ops or args.depth):
        return [group for group in plan
                if group.cpus in (args.cpus or group.cpus).split(',') and
                str(group.rings) in (args.rings or str(group.rings)).split(',')]
    depths = [int(d) for d in (args.depth or '1,4,16,64').split(',')]
    return [Group(cpus, int(rings), cases(ops or ALL_OPS, depths),
                  disk=args.disk)
            for cpus in (args.cpus or '2,1').split(',')
            for rings in (args.rings or '2').split(',')]


def is_virtfs(backend):
    return backend.startswith('virtfs')


def loopback(args, backend):
    """The environment that fixture.h tells of."""
    return {
        'LOOP_SHIM': os.environ.get(
            'LOOP_SHIM', BUILD + '/tests/tests/loopback/libloopshim.so'),
        'LOOP_BACKEND': 'ours' if is_virtfs(backend) else backend,
        'LOOP_PROTOCOL': 'virtfs' if is_virtfs(backend) else '9pfs',
        **({'LOOP_GRANTS': backend.partition('-')[2]}
           if backend in POLICIES else {}),
        **({'LOOP_DISPATCH': args.dispatch} if args.dispatch else {}),
        **({'LOOP_POLL': args.poll} if args.poll else {}),
        'LOOP_QEMU': args.stock if backend == 'stock' else args.qemu,
    }


class Session:
    """A backend that is up, with a guest that waits for orders."""

    def __init__(self, args, backend, group):
        self.folder = tempfile.TemporaryDirectory(
            prefix='bench-', dir=args.output if group.disk else None)
        if backend == 'floor':
            command = [FLOOR, self.folder.name]
        else:
            command = [BUILD + '/bench/bench-9p']
        for name in ('rings', 'order', 'msize', 'version'):
            value = getattr(group if name == 'rings' else args, name)
            if value:
                command += [f'--{name}', str(value)]
        if args.delay and backend != 'floor':
            command += ['--delay', args.delay]
        if group.cpus != 'any':
            # The floor is all backend.
            guest = '1' if group.cpus == '2' and backend != 'floor' else '0'
            command += ['--cpu', guest]
        self.log = open(f'{args.output}/bench-{backend}.log', 'w+')
        self.process = subprocess.Popen(
            command, env=self.environment(args, backend, group), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)

    def environment(self, args, backend, group):
        wrap = '' if group.cpus == 'any' else 'taskset -c 0'
        return {
            **os.environ, **loopback(args, backend),
            **({'TMPDIR': self.folder.name} if group.disk else {}),
            'LOOP_WRAP': f'{wrap} {args.wrap.get(backend, "")}',
        }

    def measure(self, case, ms):
        """A row, None where the dialect has no such operation, or a string
        that says what went wrong."""
        try:
            self.process.stdin.write(
                f'{case.op} {case.size} {case.depth} {ms}\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            return self.why()
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        line = self.process.stdout.readline() if ready else ''
        while line.startswith('#'):
            line = self.process.stdout.readline()
        return json.loads(line) if line else self.why()

    def why(self):
        self.process.kill()
        self.process.wait()
        self.log.seek(0)
        lines = [line for line in self.log.read().splitlines() if line]
        return lines[-1] if lines else 'it ended, or did not answer'

    def close(self):
        try:
            self.process.stdin.close()
            self.process.wait(30)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()
        self.folder.cleanup()


class Sessions:
    """Those of one round; one that fails is started again when needed."""

    def __init__(self, args, group):
        self.args, self.group = args, group
        self.open = {}

    def measure(self, backend, case):
        session = self.open.get(backend)
        if not session:
            session = Session(self.args, backend, self.group)
            self.open[backend] = session
        row = session.measure(case, self.args.ms)
        if isinstance(row, str):
            session.close()
            del self.open[backend]
        return row

    def close(self):
        for session in self.open.values():
            session.close()


def median_row(group, case, backend, rounds, baseline):
    """One row of the results from the rounds' rows."""
    good = [row for row in rounds if isinstance(row, dict)]
    row = {'suite': SUITES[group.cpus] + ('-disk' if group.disk else ''),
           'backend': backend, 'op': case.op,
           'size': case.size, 'rings': group.rings, 'depth': case.depth,
           'cpus': group.cpus, 'rounds': len(good)}
    if len(good) < len(rounds):
        row['failure'] = next(r for r in rounds if not isinstance(r, dict))
    if not good:
        return row
    row.update({k: good[0][k] for k in ('protocol', 'size', 'order')})
    for figure in FIGURES:
        row[figure] = round(statistics.median(r[figure] for r in good), 3)
    for name, figure in (('ratio_to_stock', 'ops_per_s'),
                         ('p50_to_stock', 'lat_us_p50'),
                         ('cpu_to_stock', 'cpu_us_per_op')):
        ratios = [mine[figure] / base[figure]
                  for mine, base in zip(rounds, baseline)
                  if isinstance(mine, dict) and isinstance(base, dict)
                  and base[figure]]
        row[name] = round(statistics.median(ratios), 3) if ratios else None
        if name == 'ratio_to_stock' and ratios:
            row['ratio_min'] = round(min(ratios), 3)
            row['ratio_max'] = round(max(ratios), 3)
    return row


def run_case(args, group, case, sessions, results):
    """One round of a case: every backend, the first one's turn going round."""
    backends = list(group.backends or args.backends)
    turn = len(results[case, backends[0]]) % len(backends)
    for backend in backends[turn:] + backends[:turn]:
        row = sessions.measure(backend, case)
        if isinstance(row, str):
            print(f'bench: {backend}: {case}: {row}', file=sys.stderr)
        results[case, backend].append(row)


def run_group(args, group):
    """All rounds of a group; its rows, where there are any."""
    results = collections.defaultdict(list)
    for _ in range(args.rounds):
        sessions = Sessions(args, group)
        try:
            for case in group.cases:
                run_case(args, group, case, sessions, results)
        finally:
            sessions.close()
    return [median_row(group, case, backend, results[case, backend],
                       results.get((case, 'stock'), []))
            for case in group.cases for backend in BACKENDS + POLICIES
            if any(row is not None for row in results[case, backend])]


def parse_args():
    parser = argparse.ArgumentParser(prog='tests/bench/run')
    add = parser.add_argument
    add('--quick', action='store_true', help='about two minutes')
    add('--full', action='store_true', help='everything: half an hour')
    add('--names', action='store_true', help='look-ups alone: four minutes')
    add('--backends', default=','.join(BACKENDS),
        help=f'[%(default)s]; and {", ".join(POLICIES)}')
    add('--op', help='only these: getattr, walk, read, write, readdir, mix; '
        'with a size, "read:64K"; getattr+fsync: while a slow fsync runs')
    add('--depth', help='requests in flight, over all rings: 1,4,16,64')
    add('--rings', help='1,2,4')
    add('--add', action='store_true', help='keep the results that are there')
    add('--commit', default='', help='what ours is of')
    add('--cpus', help='1: guest and backend on one; 2: on one each; any: '
        'not pinned')
    add('--delay', metavar='US[:US]', help="slow storage: of each of a "
        "backend's calls of the file system, and of one in ten")
    add('--disk', action='store_true',
        help='the share is beside the results, on ext4, say, not in memory')
    add('--dispatch', help='ours: auto, worker or inline [its default]')
    add('--poll', metavar='NS', help='ours: poll-max-ns [its default]')
    add('--rounds', type=int, default=3, help='[%(default)s]')
    add('--ms', type=int, help='of each measurement [250, quick 200]')
    add('--order', type=int, default=9, help='of the rings [%(default)s]')
    add('--msize', type=int, default=512 * K, help='[%(default)s]')
    add('--version', help='9P2000.u, for all; else .L where there is .L')
    add('--qemu', default=BUILD + '/qemu-system-i386',
        help='ours [%(default)s]')
    add('--stock', default=BUILD + '/qemu-stock', help='[%(default)s]')
    add('--wrap', action='append', default=[], metavar='BACKEND=COMMAND',
        help='put before a backend, which has to stay the same process')
    add('--devices', action='store_true',
        help='only many devices: fairness, CPUs, silence, the monitor')
    add('--xen', metavar='FILE', help='measure nothing, add these rows')
    add('--output', default=BUILD + '/bench', help='[%(default)s]')
    args = parser.parse_args()
    args.backends = args.backends.split(',')
    args.wrap = dict(text.split('=', 1) for text in args.wrap)
    args.ms = args.ms or (200 if args.quick else 250)
    for backend, path in (('ours', args.qemu), ('stock', args.stock),
                          ('floor', FLOOR)):
        if backend in args.backends and not os.path.exists(path):
            parser.error(f'{path} is missing: build it first')
    return args


def sign(rows, backends, commit):
    """Note in the rows when, and of what."""
    today = datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d')
    versions = [f'{backend}: {suite.version_of(backend, commit)}'
                for backend in backends if backend in suite.BACKENDS]
    for row in rows:
        row.update(date=today, versions=versions)


def add_xen(args):
    """Take in what scripts/machine bench has left."""
    with open(args.xen, encoding='utf-8') as file:
        rows = json.load(file)
    sign(rows, ['ours', 'stock'], args.commit)
    made = results.store(args.output, rows, 'xen')
    print(f'{", ".join(made)} in {args.output}')


def main():
    args = parse_args()
    os.makedirs(args.output, exist_ok=True)
    if args.xen:
        add_xen(args)
        return 0
    if args.devices:
        devices.run(BUILD, {name: loopback(args, name)
                         for name in ('stock', 'ours', 'virtfs')}, args.output)
        return 0
    plan = plan_chosen(args, plan_names() if args.names else
                       plan_quick() if args.quick else
                       plan_full() if args.full else plan_default())
    load = os.getloadavg()[0]
    began = time.monotonic()
    rows = []
    print(table.preface(args, load), flush=True)
    for group in plan:
        some = run_group(args, group)
        print(table.group(group, some), flush=True)
        rows += some
    sign(rows, args.backends, args.commit)
    made = results.store(args.output, rows, '' if args.add else 'loopback')
    print(f'{time.monotonic() - began:.0f} s; {", ".join(made)} in '
          f'{args.output}')
    return 1 if any('failure' in row and row['backend'] == 'ours'
                    for row in rows) else 0


if __name__ == '__main__':
    sys.exit(main())
