# SPDX-License-Identifier: GPL-2.0-or-later
"""Our module where grants, memory and room in the ring are short."""

import os
import re
import signal

import pytest

from xenguest import Share, wait_for

# Some take minutes on a busy machine.
pytestmark = pytest.mark.soak
# Four pages of grants: 2048, of which a device may have a quarter. One request
# of 1 MiB would like to have 257.
SHORT = ['max_grant_frames = 4', 'memory = 640']
THREADS = 256
MIB = 1 << 20
PARAMETERS = '/sys/module/9pnet_virtfs/parameters'
# What fills the place where others then wait, threads and size; and
# what the name of a function begins with that they wait in.
WAITS = {
    'ring': (140, 512, 'virtfs_queue_reserve'),
    'pages': (16, MIB, 'virtfs_pool_'),
    'reply': (1, MIB, 'p9_client_'),
}


@pytest.fixture
def short_guest(new_guest, folder):
    guest = new_guest('short', lines=SHORT, shares=[
        Share('share', folder, protocol='virtfs')]).create()
    guest.protocol = 'virtfs'
    guest.run('mount -t debugfs debugfs /sys/kernel/debug')
    guest.mount('share', '/mnt', MIB)
    return guest


def counters(guest):
    """The lines of the device's file in debugfs: {name: its numbers}."""
    text = guest.run('cat /sys/kernel/debug/9pnet_virtfs/virtfs-0')
    return {name: [int(n) for n in re.findall(r'\d+', numbers)]
            for name, numbers in re.findall(r'^(\w+):? (.*)$', text, re.M)}


def leaks(guest):
    """What is not back where it belongs when no request is in flight."""
    now = counters(guest)
    in_flight, slots, all_slots = now['queue']
    kept, _, free, granted, _ = now['pages']
    return (in_flight, all_slots - slots, kept - free, granted - kept) != (
        0, 0, 0, 0) and now


def shortage(guest, seconds):
    """Half of the time each way of data, and hardly any memory."""
    guest.run('''
        mkdir -p /tmp/full
        mount -t tmpfs -o size=100% full /tmp/full
        free=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
        dd if=/dev/zero of=/tmp/full/file bs=1M \
            count=$((free / 1024 - 300)) 2>/dev/null''')
    for most in 1 << 21, 0:
        guest.run(f'echo {most} >{PARAMETERS}/copy_max')
        guest.run(f'hammer /mnt {THREADS} {seconds // 2} {MIB}',
                  300 + seconds)
    guest.run('umount /tmp/full')
    assert counters(guest)['waited'][0] > 0
    wait_for('all to be given back', lambda: not leaks(guest), 5)
    assert not guest.new_warnings()


def test_shortage(short_guest):
    """No request fails, and all data are right."""
    shortage(short_guest, 30)


def test_shortage_for_five_minutes(short_guest):
    shortage(short_guest, 300)


def start(guest, folder, threads, size):
    """A process that works in a folder; its number."""
    return guest.run(f'hammer {folder} {threads} 600 {size} slowly '
                     '>/dev/null 2>&1 & echo $!').strip()


def places(guest, pid):
    """The functions in which a process sleeps."""
    return guest.run(f'cat /proc/{pid}/task/*/stack 2>/dev/null; true')


def is_gone(guest, pid):
    return not guest.run(
        f"grep 'State:.[^ZX]' /proc/{pid}/status 2>/dev/null; true")


def kill_in(guest, place):
    """Whoever is killed leaves nothing behind, wherever it waits."""
    threads, size, function = WAITS[place]
    guest.run('mkdir /mnt/many /mnt/one')
    many = start(guest, '/mnt/many', threads, size)
    wait_for('a file each', lambda: guest.run(
        'ls /mnt/many | wc -l').strip() == str(threads))
    os.kill(guest.qemu_pid(), signal.SIGSTOP)
    try:
        wait_for('the other wait', lambda: function in places(guest, many))
        one = start(guest, '/mnt/one', 1, size)
        wait_for('the wait', lambda: function in places(guest, one))
        guest.run(f'kill -9 {one}')
        # What was sent is flushed, which needs the backend.
        if place != 'reply':
            wait_for('its end', lambda: is_gone(guest, one), 2)
        guest.run(f'kill -9 {many}')
    finally:
        os.kill(guest.qemu_pid(), signal.SIGCONT)
    wait_for('the end of both', lambda: is_gone(guest, one)
             and is_gone(guest, many))
    wait_for('all to be given back', lambda: not leaks(guest), 5)
    guest.run(f'hammer /mnt 4 1 {MIB}; rm -r /mnt/many /mnt/one')
    assert not guest.new_warnings()


def test_kill(short_guest):
    for place in WAITS:
        print(f'in the wait for {place}')
        kill_in(short_guest, place)
