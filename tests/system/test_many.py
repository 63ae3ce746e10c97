# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with many shares, and many guests with one: what each takes, in
/results/many.txt. A suite of its own, 'make many'."""

import fcntl
import hashlib
import os
import pty
import re
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from xenguest import CONNECTED, Share, wait_for, xl

pytestmark = pytest.mark.long

GUESTS, SHARES = 32, 16
MEMORY = 96
# What Xen has for a guest beside its memory.
OVERHEAD = 8
# Of a QEMU and of each share in MB, without what files and rings take.
QEMU_MB, SHARE_MB = 32, 4
FIGURES = Path('/results/many.txt')
ROWS, COLUMNS = 24, 80


def tell(text):
    with FIGURES.open('a', encoding='ascii') as file:
        print(text, file=file)


class Usage:
    """Of a QEMU: private memory in MB, all that is there, threads."""

    def __init__(self, guest):
        status = Path(f'/proc/{guest.qemu_pid()}/status').read_text()

        def number(name):
            return int(re.search(rf'^{name}:\s*(\d+)', status, re.M)[1])
        self.anon = number('RssAnon') / 1024
        self.rss = number('VmRSS') / 1024
        self.threads = number('Threads')

    def __str__(self):
        return (f'{self.anon:.1f} MB private, {self.rss:.1f} MB in all, '
                f'{self.threads} threads')


def free_memory():
    return int(re.search(r'free_memory *: (\d+)', xl('info'))[1])


def screen_of(*words):
    """What a program shows on a terminal, as lines."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ,
                struct.pack('HHHH', ROWS, COLUMNS, 0, 0))
    shown = b''
    with subprocess.Popen(words, stdin=terminal, stdout=terminal,
                          stderr=terminal, start_new_session=True) as process:
        os.close(terminal)
        try:
            while data := os.read(main, 65536):
                shown += data
        except OSError:
            pass        # it has ended
        assert process.wait(60) == 0
    os.close(main)
    last = shown.decode().split('\x1b[H')[-1]
    return re.sub('\x1b\\[[?0-9]*[A-Za-z]', '', last).split('\r\n')


def assert_top(shares):
    """One screen of it, with as many shares as there is room for."""
    lines = screen_of('xen-virtfs', 'top', '-n', '2', '-d', '3')
    tell('\n'.join(lines))
    assert f' {shares} shares, ' in lines[0]
    assert max(map(len, lines)) < COLUMNS
    assert len(lines) <= ROWS
    seen = len([line for line in lines if line.startswith('many')])
    assert seen == shares if shares <= ROWS - 3 else ROWS - 4
    assert (f'and {shares - seen} more' in lines) == (seen < shares)


def use_all(places):
    """All at once: [(guest, folder in it, folder of dom0)]."""
    script = '''cd {0} && head -c 300000 /dev/urandom >/tmp/{1} &&
                cp /tmp/{1} data && sha256sum <data >sum &&
                cmp data /tmp/{1} && rm /tmp/{1}'''
    scripts = [script.format(inside, number)
               for number, (_, inside, _) in enumerate(places)]
    running = {}
    for (guest, _, _), work in zip(places, scripts):
        running.setdefault(guest, []).append(f'({work}) & pids="$pids $!"')
    started = [(guest, guest.console.send(
        'pids=; ' + '\n'.join(work) + '\nfor p in $pids; do wait $p || exit; '
        'done')) for guest, work in running.items()]
    for guest, number in started:
        guest.answer(number, 'its part', 300)
    for _, _, outside in places:
        assert (outside / 'data').stat().st_size == 300000
        right = hashlib.sha256((outside / 'data').read_bytes()).hexdigest()
        assert (outside / 'sum').read_text() == f'{right}  -\n'


@pytest.mark.protocols
def test_shares(new_guest, folder, protocol):
    """A guest has many shares, and one QEMU has all of them."""
    folders = [folder / str(i) for i in range(SHARES)]
    for path in folders:
        path.mkdir()
    # One more is the measure.
    guest = new_guest('many', shares=[Share('first', folder)]).create()
    guest.protocol = protocol
    guest.wait_state(0, CONNECTED)
    before, start = Usage(guest), time.monotonic()
    for i, path in enumerate(folders):
        text = f'tag=share-{i},path={path},security_model=none,' \
               f'protocol={protocol},devid={i + 1}'
        subprocess.run(['xen-virtfs', 'attach', guest.name, text], check=True,
                       timeout=60)
        guest.devids[i + 1] = protocol
        guest.wait_state(i + 1, CONNECTED)
    took, after = time.monotonic() - start, Usage(guest)
    for i in range(SHARES):
        guest.mount(f'share-{i}', f'/mnt/{i}', msize=131072)
    use_all([(guest, f'/mnt/{i}', path) for i, path in enumerate(folders)])
    used = Usage(guest)
    tell(f'{protocol}, a guest with {SHARES} shares more: attached in '
         f'{took:.1f} s; QEMU before {before}; with them {after}; used {used}')
    assert_top(SHARES + 1)
    assert used.anon - before.anon < SHARES * SHARE_MB
    for i in range(SHARES):
        guest.umount(f'/mnt/{i}')
    for i in range(SHARES):
        subprocess.run(['xen-virtfs', 'detach', guest.name,
                        f'{protocol}/{i + 1}'], check=True, timeout=60)
        guest.devids.pop(i + 1)
    wait_for('the threads to end',
             lambda: Usage(guest).threads <= before.threads + 2)
    tell(f'{protocol}, without them again: {Usage(guest)}')


def test_guests(new_guest, folder):
    """A guest has one share and one QEMU."""
    number = min(GUESTS, free_memory() // (MEMORY + OVERHEAD))
    places, times, began = [], [], time.monotonic()
    for i in range(number):
        path = folder / str(i)
        path.mkdir()
        guest = new_guest(f'many-{i}', shares=[Share('share', path)],
                          memory=MEMORY)
        start = time.monotonic()
        guest.create()
        guest.wait_state(0, CONNECTED)
        guest.mount('share', '/mnt', msize=131072)
        times.append(time.monotonic() - start)
        places.append((guest, '/mnt', path))
    took = time.monotonic() - began
    idle = [Usage(guest) for guest, _, _ in places]
    use_all(places)
    used = [Usage(guest) for guest, _, _ in places]
    tell(f'{number} guests of {MEMORY} MB, one share each: {took:.0f} s, the '
         f'first {times[0]:.1f} s, the last {times[-1]:.1f} s; a QEMU idle at '
         f'the most {max(idle, key=lambda u: u.anon)}; used at the most '
         f'{max(used, key=lambda u: u.anon)}')
    assert_top(number)
    assert max(u.anon for u in used) < QEMU_MB + SHARE_MB
    # The last one has no more threads than the first.
    assert max(u.threads for u in idle) <= idle[0].threads + 2
    start = time.monotonic()
    for guest, _, _ in places:
        guest.run('umount /mnt')
        guest.destroy()
    tell(f'all of them gone in {time.monotonic() - start:.0f} s')
