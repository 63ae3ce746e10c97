# SPDX-License-Identifier: GPL-2.0-or-later
"""Xen domains with 9P shares, as seen from dom0: xl, xenstore, consoles.

Guests run guest-init, which answers on their console; see Console.
"""

import base64
import errno
import os
import re
import select
import subprocess
import time
import tty
from pathlib import Path

from xen.lowlevel import xc as hypervisor
from xen.lowlevel import xs as xenstore

# Device type: the transport's name in the guest.
TRANSPORTS = {'9pfs': 'xen', 'virtfs': 'virtfs'}
# Whether packages are installed, see scripts/check-packages.
PACKAGES = os.environ.get('PACKAGES', '')
OUR_QEMU = ('/usr/libexec/xen-9pfs-qemu-system-i386' if PACKAGES else
            '/usr/bin/qemu-system-i386')
# The kernel of PV and PVH guests: '', or the suite of one of scripts/kernels
SUITE = os.environ.get('GUEST_KERNEL', '')
# The one of scripts/debug-kernel, which has no KASAN in PV guests, and needs
# memory
DEBUG = 'debug'
HVM_KERNEL = f'/boot/vmlinuz-{os.uname().release}'
# Kernel arguments that shorten a boot, from scripts/machine.
QUICK = os.environ.get('QUICK', '')
# Each access to an emulated port takes milliseconds, so an HVM guest is kept
# from looking for hardware: a minute and a half instead of several minutes.
QUICK_HVM = ('io_delay=none pci=noearly,lastbus=0 iommu=noaperture '
             '8250.nr_uarts=0 i8042.nokbd i8042.noaux hpet=disable '
             'tsc=reliable no_timer_check lpj=4000000')
# What xl has by default, and only costs the time of a boot.
BARE = {'pv': [], 'pvh': [], 'hvm': ['vga = "none"', 'serial = "none"', 'vnc = 0']}
INITRAMFS = '/opt/xen-9pfs/guest.cpio'
BOOT = Path('/boot')
BACKENDS = '/local/domain/0/backend'
ERRORS = '/local/domain/0/error/backend'
LINUX_RING_ORDER = 9
# What is waited for may take so much longer than said, on a slow machine.
PATIENCE = 4
INITIALISING, INIT_WAIT, INITIALISED, CONNECTED, CLOSING, CLOSED = range(1, 7)

# QEMU's log may always say this: the 9P server's advice at a small msize, that
# calls end after their device (emulation is slow), how libxl ends a device
# model, whose job a PV console is, and where others are; and of an HVM guest
# that is restored.
USUAL_LOG = re.compile(r"degraded performance: a reasonable high msize"
                       r"|its memory stays mapped until they end"
                       r"|terminating on signal \d+ from pid \d+ \("
                       r"|declining to handle console type 'xenconsoled'"
                       r"|VNC server running on|char device redirected to"
                       r"|when runstate is INMIGRATE"
                       r"|migration to a file is deprecated")
# And a guest's kernel: how long a driver's devices take to connect, and how
# slow the emulation is.
USUAL_WARNINGS = re.compile(r'xenbus_probe_frontend: Waiting|\] (\d+s\.\.\.)*$'
                            r'|hrtimer: interrupt took|clocksource:')


class Failed(Exception):
    """A command in a guest that failed: .status and .output."""

    def __init__(self, command, status, output):
        super().__init__(f'status {status}: {command}\n{output}')
        self.status, self.output = status, output


def wait_for(what, condition, timeout=30):
    """The first true value of condition(), which is asked for again and again."""
    end = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f'waited {timeout * PATIENCE} s for {what}')
        time.sleep(0.05)


class Store:
    """xenstore."""

    def __init__(self):
        self.handle = xenstore.xs()

    def read(self, path):
        """The text of a node; None where there is none."""
        value = self.handle.read('', path)
        return None if value is None else value.decode()

    def ls(self, path):
        """The names below a node; [] where there is none."""
        return self.handle.ls('', path) or []

    def remove(self, path):
        self.handle.rm('', path)

    def write(self, path, value):
        self.handle.write('', path, value)

    def create(self, folders):
        """Make folders of nodes at once: {path: (permissions, {name: text})}.

        permissions: [(domain, read, write), ...], the owner first; with it go
        the rights of those that are not in the list.
        """
        while True:
            transaction = self.handle.transaction_start()
            for path, (permissions, nodes) in folders.items():
                access = [{'dom': d, 'read': r, 'write': w}
                          for d, r, w in permissions]
                self.handle.mkdir(transaction, path)
                self.handle.set_permissions(transaction, path, access)
                for name, text in nodes.items():
                    self.handle.write(transaction, f'{path}/{name}', str(text))
                    self.handle.set_permissions(transaction, f'{path}/{name}',
                                                access)
            if self.handle.transaction_end(transaction):
                return


STORE = Store()
HYPERVISOR = hypervisor.xc()


def xl(*args, timeout=120):
    """What xl prints; an exception with it when it fails."""
    done = subprocess.run(['xl', *args], capture_output=True, text=True,
                          timeout=timeout * PATIENCE, check=False)
    if done.returncode:
        raise Failed(f'xl {" ".join(args)}', done.returncode,
                     done.stdout + done.stderr)
    return done.stdout


class Console:
    """The agent of guest-init: scripts go in, what they print comes out."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd)
        self.text = b''
        self.number = 0

    def close(self):
        os.close(self.fd)

    def send(self, script):
        """Start a script; the number that its answer will bear."""
        self.number += 1
        request = b'%d %s\n' % (self.number, base64.b64encode(script.encode()))
        while request:
            request = request[os.write(self.fd, request[:1024]):]
        return self.number

    def receive(self, mark, timeout):
        """All text before the line that begins with mark, and that line."""
        timeout *= PATIENCE
        end = time.monotonic() + timeout
        wanted = re.compile(b'\x1e(' + mark.encode() + b'[^\n]*)\r?\n')
        while True:
            found = wanted.search(self.text)
            if found:
                before = self.text[:found.start()]
                self.text = self.text[found.end():]
                return before.decode(errors='replace'), found[1].decode()
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise TimeoutError(f'no answer of the guest in {timeout} s')
            try:
                self.text += os.read(self.fd, 65536)
            except OSError as error:
                if error.errno == errno.EIO:
                    raise EOFError("the guest's console has ended") from error
                raise


class Share:
    """A tag, a folder of dom0, and for 9pfs further keys of the p9 line; those
    that are None are left out."""

    def __init__(self, tag, path, security_model='none', protocol='9pfs', **keys):
        self.tag, self.path, self.protocol = tag, path, protocol
        self.keys = {'tag': tag, 'path': path,
                     'security_model': security_model, **keys}

    def config(self):
        keys = {'type': 'qemu', **self.keys}
        return '"' + ','.join(f'{k}={v}' for k, v in keys.items() if v) + '"'


class Guest:
    """A domain. It counts as alive, see alive, from create() to its end. lines:
    more of its configuration, and then with all the devices that xl gives it."""

    alive = {}

    def __init__(self, name, kind='pv', shares=(), qemu=OUR_QEMU, mode='agent',
                 vcpus=1, initramfs=INITRAMFS, lines=None, suite=SUITE,
                 memory=256):
        if suite == DEBUG and kind == 'pv':
            kind = 'pvh'
        self.name, self.kind, self.shares = name, kind, list(shares)
        self.qemu, self.mode, self.vcpus = qemu, mode, vcpus
        self.memory = max(memory, 512) if suite == DEBUG else memory
        self.kernel = HVM_KERNEL if kind == 'hvm' else BOOT / 'vmlinux'
        self.initramfs = initramfs
        if suite and kind != 'hvm':
            self.kernel = BOOT / f'vmlinux-{suite}'
            self.initramfs = BOOT / f'guest-{suite}.cpio'
        self.lines = BARE[kind] if lines is None else lines
        self.domid = self.console = self.server = None
        self.log_seen = self.warnings_seen = 0
        self.broken = False
        # Each device's type. No two devices have the same number.
        self.devids = {}
        # What mount() takes where it is not told
        self.protocol = '9pfs'

    def config(self):
        """What goes to xl create."""
        quick = f'{QUICK} {QUICK_HVM}' if self.kind == 'hvm' else QUICK
        lines = [f'name = "{self.name}"', f'type = "{self.kind}"',
                 f'kernel = "{self.kernel}"',
                 f'ramdisk = "{self.initramfs}"',
                 f'extra = "console=hvc0 quiet {quick} {self.mode}"',
                 f'memory = {self.memory}', f'vcpus = {self.vcpus}',
                 *self.lines]
        if self.qemu:
            lines += ['device_model_version = "qemu-xen"',
                      f'device_model_override = "{self.qemu}"']
        shares = [s.config() for s in self.shares if s.protocol == '9pfs']
        if shares:
            lines.append('p9 = [ ' + ',\n       '.join(shares) + ' ]')
        return '\n'.join(lines) + '\n'

    def create(self, *options):
        """xl create; with the option -p the guest does not run yet."""
        file = f'/tmp/{self.name}.cfg'
        with open(file, 'w', encoding='utf-8') as config:
            config.write(self.config())
        self.log_seen, before = len(self.log_lines()), self.log_file()
        try:
            xl('create', *options, file)
        finally:
            # xl puts the log of the last domain of this name aside.
            if self.log_file() != before:
                self.log_seen = 0
            self.domid = self.find_domid()
            self.devids = self.devids_of_xl()
            if self.domid is not None:
                Guest.alive[self.domid] = self
        self.add_virtfs()
        if '-p' not in options:
            self.connect()
        return self

    def devids_of_xl(self):
        return {devid: '9pfs' for devid, share in enumerate(self.shares)
                if share.protocol == '9pfs'}

    def add_virtfs(self):
        """Its shares over virtfs, which xl does not know."""
        if self.shares and not self.devids:
            self.serve()
        for devid, share in enumerate(self.shares):
            if share.protocol == 'virtfs':
                keys = dict(share.keys)
                self.attach(devid, keys.pop('tag'), 'virtfs', **keys)

    def serve(self):
        """Start a QEMU, where xl has no reason to."""
        with open(self.log_path(), 'a', encoding='utf-8') as log:
            self.server = subprocess.Popen(
                [self.qemu, '-M', 'xenpv', '-xen-attach', '-xen-domid',
                 str(self.domid), '-name', self.name, '-nodefaults',
                 '-nographic'], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop_serving(self):
        """End that QEMU, without a word to the guest."""
        if self.server:
            self.server.kill()
            self.server.wait()
            self.server = None

    def find_domid(self):
        for domid in STORE.ls('/local/domain'):
            if STORE.read(f'/local/domain/{domid}/name') == self.name:
                return int(domid)
        return None

    def connect(self):
        """Wait until the guest's agent is there."""
        path = wait_for('the console', lambda: STORE.read(
            f'/local/domain/{self.domid}/console/tty'))
        self.console = Console(path)
        self.console.receive('ready', 300)
        self.warnings_seen = 0
        self.new_warnings()

    def unpause(self):
        xl('unpause', str(self.domid))
        self.connect()

    def save_and_restore(self):
        """As a new domain, with the same devices over virtfs; mounted or not."""
        image = f'/tmp/{self.name}.save'
        xl('save', str(self.domid), image, timeout=300)
        self.gone()
        xl('restore', '-p', image, timeout=300)
        os.unlink(image)
        self.domid, self.devids = self.find_domid(), self.devids_of_xl()
        Guest.alive[self.domid] = self
        self.add_virtfs()
        xl('unpause', str(self.domid))
        self.console = Console(wait_for('the console', lambda: STORE.read(
            f'/local/domain/{self.domid}/console/tty')))

    # Work inside the guest

    def run(self, script, timeout=120):
        """What the script prints; Failed when its status is not 0."""
        return self.answer(self.console.send(script), script, timeout)

    def answer(self, number, script, timeout=120):
        """The end of a script that console.send() has started."""
        self.broken = True
        output, line = self.console.receive(f'{number} ', timeout)
        self.broken = False
        status = int(line.split()[1])
        if status:
            raise Failed(script, status, output)
        return output.replace('\r', '')

    def fails(self, script, timeout=120):
        """What a script says that must fail."""
        try:
            output = self.run(script, timeout)
        except Failed as failed:
            return failed.output
        raise AssertionError(f'should have failed: {script}\n{output}')

    def new_warnings(self):
        """What its kernel has warned of since the last call."""
        lines = [line for line in self.run('dmesg -r').splitlines()
                 if re.match('<[0-4]>', line)
                 and not USUAL_WARNINGS.search(line)]
        new, self.warnings_seen = lines[self.warnings_seen:], len(lines)
        return new

    def mount(self, tag, point, msize=524288, options='', protocol=None):
        transport = TRANSPORTS[protocol or self.protocol]
        self.run(f'mkdir -p {point} && mount -t 9p -o trans={transport},'
                 f'version=9p2000.L,msize={msize}{options} {tag} {point}')

    def umount(self, point):
        self.run(f'umount {point}')

    # Its devices

    def type(self, devid):
        return self.devids.get(devid, '9pfs')

    def backend(self, devid):
        return f'{BACKENDS}/{self.type(devid)}/{self.domid}/{devid}'

    def frontend(self, devid):
        return f'/local/domain/{self.domid}/device/{self.type(devid)}/{devid}'

    def noted(self, devid):
        """Where libxl keeps its own note of a device, to remove it in the end."""
        return f'/libxl/{self.domid}/device/{self.type(devid)}/{devid}'

    def state(self, devid):
        """The backend's state; 0 where there is no device."""
        return int(STORE.read(self.backend(devid) + '/state') or 0)

    def wait_state(self, devid, *states, timeout=20):
        return wait_for(f'state {states} of device {devid}, now '
                        f'{self.state(devid)}',
                        lambda: self.state(devid) in states, timeout)

    def reset(self, devid):
        """Take a frontend without driver back to the start, for the backend
        as after a kexec. Linux itself remembers a device's state for as long
        as it knows the device, so for Linux it has to be a new one."""
        path = self.frontend(devid)
        tag = STORE.read(path + '/tag')
        for state, answers in ((CLOSING, (CLOSING, CLOSED)), (CLOSED, (CLOSED,))):
            STORE.write(path + '/state', str(state))
            self.wait_state(devid, *answers)
        STORE.remove(path)
        wait_for('Linux to forget the device', lambda: not self.run(
            f'ls -d /sys/bus/xen/devices/9pfs-{devid} 2>/dev/null; true'))
        STORE.create({path: self.frontend_folder(devid, tag)})
        self.wait_state(devid, INIT_WAIT)

    def frontend_folder(self, devid, tag):
        """What libxl writes there, for Store.create()."""
        nodes = {'backend': self.backend(devid), 'backend-id': 0,
                 'state': INITIALISING}
        if tag is not None:
            nodes['tag'] = tag
        return [(self.domid, False, False), (0, True, False)], nodes

    def attach(self, devid, tag, protocol=None, **nodes):
        """Add a device to the running guest, as libxl does: xl has no command
        for it, and its p9 line knows neither all the backend's nodes nor
        virtfs."""
        self.devids[devid] = protocol or self.protocol
        here, there = self.backend(devid), self.frontend(devid)
        backend = {'frontend': there, 'frontend-id': self.domid, 'online': 1,
                   'state': INITIALISING, **nodes}
        ours = [(0, False, False)]
        readers = [(self.domid, True, False)]
        STORE.create({
            self.noted(devid): (ours, backend),
            here: (ours + readers, backend),
            there: self.frontend_folder(devid, tag)})

    def detach(self, devid):
        """Take a device away, as libxl does."""
        backend = self.backend(devid)
        if self.state(devid) not in (CLOSING, CLOSED):
            STORE.write(backend + '/online', '0')
            STORE.write(backend + '/state', str(CLOSING))
        self.wait_state(devid, CLOSED)
        self.remove(devid)

    def remove(self, devid):
        """Take a device away without a word to either side."""
        for path in self.backend(devid), self.frontend(devid), self.noted(devid):
            STORE.remove(path)
        self.devids.pop(devid, None)

    def error(self, devid):
        """The xenstore error node of a device."""
        return STORE.read(f'{ERRORS}/{self.type(devid)}/{self.domid}/{devid}'
                          '/error') or ''

    # Its QEMU

    def ring_pages(self, devid):
        """The pages of a connected device's rings. One of 9pfs has its indices
        in a page of its own."""
        node = self.frontend(devid)
        if self.type(devid) == 'virtfs':
            order = int(STORE.read(f'{node}/ring-page-order') or 0)
            return int(STORE.read(f'{node}/multi-queue-num-queues') or 1) << order
        order = int(STORE.read(self.backend(devid) + '/max-ring-page-order'))
        return (int(STORE.read(f'{node}/num-rings'))
                * (1 + (1 << min(order, LINUX_RING_ORDER))))

    def expected_pages(self):
        """What its QEMU has to have mapped while nothing is mounted."""
        return sum(self.ring_pages(devid) for devid in self.devids
                   if self.state(devid) == CONNECTED)

    def qemu_pid(self):
        return qemus().get(self.domid)

    def log_path(self):
        return f'/var/log/xen/qemu-dm-{self.name}.log'

    def log_file(self):
        """Which file that is now."""
        try:
            return os.stat(self.log_path()).st_ino
        except FileNotFoundError:
            return None

    def log_lines(self):
        try:
            with open(self.log_path(), encoding='utf-8', errors='replace') as log:
                return log.read().splitlines()
        except FileNotFoundError:
            return []

    def new_log_lines(self):
        """What QEMU has said since the last call, without the usual."""
        lines = self.log_lines()
        new, self.log_seen = lines[self.log_seen:], len(lines)
        return [line for line in new if line and not USUAL_LOG.search(line)]

    # Its end

    def gone(self):
        """Note that the domain has ended, and wait until all of it has."""
        Guest.alive.pop(self.domid, None)
        self.stop_serving()
        for devid in list(self.devids):
            # xl removes what it knows.
            if self.type(devid) == 'virtfs':
                self.remove(devid)
        if self.console:
            self.console.close()
            self.console = None
        wait_for(f'the end of {self.name}', lambda: not os.path.exists(
            f'/proc/{self.qemu_pid()}') and self.domid not in domains())

    def destroy(self):
        if self.domid in Guest.alive:
            xl('destroy', str(self.domid))
            self.gone()

    def reboot(self):
        """xl reboot: this domain ends, and xl makes a new one of that name."""
        xl('reboot', str(self.domid))
        self.gone()
        self.domid = wait_for('the next domain', self.find_domid)
        Guest.alive[self.domid] = self
        self.log_seen = 0
        self.devids = self.devids_of_xl()
        self.connect()

    def shutdown(self):
        """xl shutdown: the guest's own way down."""
        xl('shutdown', '-w', str(self.domid), timeout=60)
        self.gone()


def domains():
    """The ids of all domains but dom0, those that cannot die included."""
    return {info['domid'] for info in HYPERVISOR.domain_getinfo()} - {0}


def qemus():
    """{domid: pid} of every running device model but dom0's own."""
    found = {}
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as file:
                args = file.read().split(b'\0')
        except (FileNotFoundError, ProcessLookupError):
            continue    # it has ended before it was opened, or read
        if b'-xen-domid' in args:
            found[int(args[args.index(b'-xen-domid') + 1])] = int(pid)
    found.pop(0, None)
    return found


def granted_pages(pid):
    """How many pages of guests a process has mapped through grants."""
    pages = 0
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps:
        for line in maps:
            if line.rstrip().endswith('/dev/xen/gntdev'):
                start, end = (int(x, 16) for x in line.split()[0].split('-'))
                pages += (end - start) // 4096
    return pages
