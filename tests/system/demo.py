#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""In dom0: share the host's folder with a PV guest, and show that it works.

    demo.py PROTOCOL NOTE      the guest lists it, reads a file, writes the
                               file NOTE
    demo.py PROTOCOL --shell   a person gets the guest's console
"""

import hashlib
import os
import sys
import time

from xenguest import TRANSPORTS, Failed, Guest, Share

FOLDER = '/srv/host'
START = time.monotonic()


def say(text):
    print(f'[{time.monotonic() - START:5.1f} s] {text}', flush=True)


def indent(text):
    for line in text.rstrip().splitlines():
        print(f'    {line}', flush=True)


def sample():
    """A file of the share, relative: the largest of up to 64 MiB."""
    best, size = None, -1
    for folder, _, names in os.walk(FOLDER):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and size < os.path.getsize(path) <= 1 << 26:
                best, size = os.path.relpath(path, FOLDER), os.path.getsize(path)
    return best


def quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


def demo(protocol, note):
    guest = Guest('demo', shares=[Share('share', FOLDER, protocol=protocol)])
    guest.protocol = protocol
    say('xl create, with this configuration:')
    indent(guest.config())
    if protocol == 'virtfs':
        say('and a device of type virtfs, which xl does not know')
    guest.create()
    say('the guest is up: an unmodified Debian kernel, '
        + guest.run('uname -r').strip())
    guest.mount('share', '/mnt', 1048576 if protocol == 'virtfs' else 524288)
    say('it has mounted the share:')
    indent(guest.run('grep 9p /proc/mounts; ls -la /mnt | head -n 20'))

    name = sample()
    if name:
        say(f'it reads {name}:')
        inside = guest.run(f'sha256sum < /mnt/{quote(name)}').split()[0]
        with open(os.path.join(FOLDER, name), 'rb') as file:
            outside = hashlib.file_digest(file, 'sha256').hexdigest()
        indent(f'guest  {inside}\nhost   {outside}')
        if inside != outside:
            raise Failed('sha256sum', 1, 'the checksums differ')

    say(f'it writes {note}')
    guest.run(f'''echo "Hello from the guest, domain {guest.domid}, \
Linux $(uname -r), $(date)." > /mnt/{note}; sync; umount /mnt''')
    guest.shutdown()
    lines = guest.new_log_lines()
    if lines:
        raise Failed('qemu', 1, '\n'.join(lines))
    say('the guest has shut down; QEMU had nothing to complain of')


def shell(protocol):
    guest = Guest('shell', shares=[Share('share', FOLDER, protocol=protocol)],
                  mode='')
    print('\n' + guest.config())
    print('The console of the guest follows. In it:\n'
          f'    mkdir -p /mnt; mount -t 9p -o trans={TRANSPORTS[protocol]},'
          'version=9p2000.L,msize=524288 share /mnt\n'
          "To leave: 'exit', or Ctrl-] ; to kill the machine: Ctrl-a x\n",
          flush=True)
    guest.create('-p')
    os.system('(sleep 1; xl unpause shell) & xl console shell')
    guest.stop_serving()
    os.system('xl destroy shell 2>/dev/null')


if __name__ == '__main__':
    if sys.argv[2] == '--shell':
        shell(sys.argv[1])
    else:
        try:
            demo(*sys.argv[1:])
        except (Failed, TimeoutError, EOFError) as error:
            say(f'FAILED: {error}')
            sys.exit(1)
