# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark's results as text."""

import textwrap

CPUS = {
    '1': 'guest and backend on one CPU',
    '2': 'the backend on one CPU, the guest on another',
    'any': 'guest and backend on any CPU',
}


def size_name(size):
    """A message holds msize - 24 bytes: 512K is a little less."""
    return f'{(size + 1023) // 1024}K' if size else ''


def op_name(row):
    name = {'walk': 'walk+open+clunk', 'readdir': 'readdir 1,000'}.get(
        row['op'], row['op'].replace('@', ', folders: '))
    size = ('' if row['op'].startswith(('readdir', 'list'))
            else size_name(row['size']))
    return f'{name} {size}'.strip()


def preface(args, load):
    text = f'''{args.rounds} rounds of {args.ms} ms for each backend in turn;
        medians. "x" is operations a second over stock's in the same round,
        "cpu x" the backend's CPU time for an operation, likewise. Rings of
        order {args.order}, msize {args.msize}: a "512K" operation is what
        fits, {args.msize - 24} bytes. xen-9pfsd has only 9P2000.u: its
        getattr is Tstat. "ev" is the notifications of both sides for an
        operation, "gnt" the backend's grant operations.'''
    wake = '''A wake-up from one virtual CPU to another costs 25 to 50 us on
        such machines, and is most of what depth 1 measures on two CPUs; on
        one CPU there are none. Compare backends here, and take absolute
        figures from real Xen.'''
    floor = '''"floor" is QEMU's 9P server alone, in the process that asks,
        without rings, copies or notifications, on the backend's CPU: no
        transport gets more out of it as long as it is as it is.'''
    lines = [textwrap.fill(' '.join(part.split()), 79)
             for part in (text, wake, floor)]
    if load > 0.7:
        lines.append(f'The load was {load:.1f} at the start: other programs '
                     'ran, figures will be off.')
    return '\n\n'.join(lines) + '\n'


def number(value, width):
    if value is None:
        return '-'.rjust(width)
    digits = 0 if value >= 100 or not value else 1 if value >= 10 else 2
    return f'{value:,.{digits}f}'.rjust(width)


HEADING = ('operation        depth  backend      ops/s   MB/s   p50 us'
           '   p99 us  cpu us    ev  gnt      x  cpu x')


def line_of(row):
    """A backend's figures."""
    text = f'  {row["backend"]:<9}'
    if 'ops_per_s' not in row:
        return text + '  failed: ' + row['failure']
    text += f'{row["ops_per_s"]:>9,.0f}'
    for figure, width in (('mb_per_s', 7), ('lat_us_p50', 9),
                          ('lat_us_p99', 9), ('cpu_us_per_op', 8),
                          ('notify_per_op', 6), ('grantops_per_op', 5)):
        text += number(row[figure], width)
    if row['backend'] != 'stock':
        text += number(row['ratio_to_stock'], 7)
        text += number(row['cpu_to_stock'], 7)
    return text


def group(this, rows):
    """The table of one group."""
    lines = [f'{this.rings} ring{"s" if this.rings > 1 else ""}, '
             f'{CPUS[this.cpus]}' +
             (', the share on a disk' if this.disk else ''), '', HEADING]
    last_name = last_depth = None
    for row in rows:
        name, depth = op_name(row), row['depth']
        if name != last_name:
            lines.append('-' * len(HEADING))
            last_depth = None
        lines.append(f'{name if name != last_name else "":<17}'
                     f'{depth if depth != last_depth else "":>5}' +
                     line_of(row))
        last_name, last_depth = name, depth
    return '\n'.join(lines) + '\n'
