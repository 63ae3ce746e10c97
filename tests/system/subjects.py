# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmark measures: guests of dom0, each with files below /mnt."""

import os
import subprocess
import tarfile
import time
from pathlib import Path

from xenguest import Guest, Share

K = 1024
QEMUS = {'stock': '/usr/bin/qemu-stock', 'before': '/usr/bin/qemu-before'}
OURS = '/usr/bin/qemu-system-i386'
# Those that are ours, mounted with that cache, and those that are no share.
CACHES = ('mmap', 'loose')
OTHERS = ('nfs', 'vbd')
# The served folders are in memory: a disk is not what is measured.
FOLDERS = '/tmp/bench'
INITRAMFS = '/tmp/bench.cpio'
MEMORY = 320
# The most that the transports of Linux have.
MSIZES = {'9pfs': 512 * K, 'virtfs': K * K}

FILE_SIZE = 32 * K * K
FILES, FOLDERS_OF_FILES, FILE = 160, 8, 4 * K
TICKS = os.sysconf('SC_CLK_TCK')

LOAD = """cd /bench/modules
for module in $(cat order); do
    insmod $module.ko 2>/dev/null
done
"""


def say(text):
    print(f'[{time.monotonic():6.1f} s] {text}', flush=True)


def run(script):
    subprocess.run(['sh', '-ec', script], check=True)


def fill(folder):
    """One large file, and an archive of small ones."""
    with open(f'{folder}/data', 'wb') as file:
        for _ in range(FILE_SIZE // (K * K)):
            file.write(os.urandom(K * K))
    with tarfile.open(f'{folder}/files.tar', 'w') as archive:
        for number in range(FILES):
            name = f'{number * FOLDERS_OF_FILES // FILES}/{number}'
            info = tarfile.TarInfo(f'files/{name}')
            info.size = FILE
            with open(f'{folder}/data', 'rb') as data:
                archive.addfile(info, data)


class Subject:
    """A guest, and the folder of dom0 that has its files."""

    def __init__(self, name):
        self.name, self.folder = name, f'{FOLDERS}/{name}'
        os.makedirs(self.folder)
        self.guest = self.make_guest()
        self.guest.create()
        say(f'the guest on {name} is up')
        self.mount()
        self.guest.run('cp /mnt/files.tar /tmp')

    def make_guest(self):
        fill(self.folder)
        protocol, _, self.policy = self.name.partition('-')
        if protocol != 'virtfs':
            protocol = '9pfs'
        options = {'grant-policy': self.policy} if self.policy else {}
        guest = Guest(self.name, qemu=QEMUS.get(self.name, OURS), shares=[
            Share('share', self.folder, protocol=protocol, **options)],
            initramfs=INITRAMFS, memory=MEMORY)
        guest.protocol = protocol
        return guest

    def mount(self):
        cache = f',cache={self.name}' if self.name in CACHES else ''
        self.guest.mount('share', '/mnt', MSIZES[self.guest.protocol], cache)
        if self.policy:
            self.guest.run(f'echo {4 * K} >'
                           '/sys/module/9pnet_virtfs/parameters/copy_max')

    def cpu_seconds(self):
        """What its QEMU has had; None where it has none."""
        pid = self.guest.qemu_pid()
        if pid is None:
            return None
        words = Path(f'/proc/{pid}/stat').read_text(
            encoding='ascii').rpartition(')')[2].split()
        return (int(words[11]) + int(words[12])) / TICKS


class Vbd(Subject):
    """A block device with an ext4 of the guest's own, a file of dom0."""

    def make_guest(self):
        image = f'{FOLDERS}/vbd.img'
        run(f"""
            modprobe -a loop xen-blkback
            cp /opt/xen-9pfs/ext4.img {image}
            mount -o loop {image} {self.folder}""")
        fill(self.folder)
        run(f'umount {self.folder}')
        return Guest(self.name, qemu=None, initramfs=INITRAMFS,
                     memory=MEMORY, lines=[
            f"disk = [ 'format=raw,vdev=xvda,access=rw,target={image}' ]"])

    def mount(self):
        self.guest.run(LOAD + """
            until [ -b /dev/xvda ]; do sleep 1; done
            mount -t ext4 /dev/xvda /mnt""")


# libxl has a script connect each network card: here, to dom0 alone.
VIF_SCRIPT = """#!/bin/sh
[ "$1" = online ] || exit 0
ip address add 10.9.0.1/24 dev "$vif"
ip link set "$vif" up
xenstore-write "$XENBUS_PATH/hotplug-status" connected
"""
NFS_SERVER = """
modprobe -a xen-netback nfsd
mount -t nfsd nfsd /proc/fs/nfsd
# Nobody has locks to claim back: the least there is.
echo 10 >/proc/fs/nfsd/nfsv4gracetime
mkdir -p /var/lib/nfs/v4recovery
touch /var/lib/nfs/etab /var/lib/nfs/rmtab
exportfs -i -o rw,async,no_root_squash,no_subtree_check,fsid=0 '*:{}'
rpc.nfsd -N 3 4
rpc.mountd -N 3
"""


class Nfs(Subject):
    """NFS 4.2 from dom0's kernel, async, over a network card of the guest."""

    def make_guest(self):
        fill(self.folder)
        script = Path('/tmp/vif-script')
        script.write_text(VIF_SCRIPT, encoding='ascii')
        script.chmod(0o755)
        run(NFS_SERVER.format(self.folder))
        return Guest(self.name, qemu=None, initramfs=INITRAMFS,
                     memory=MEMORY, lines=[
            f"vif = [ 'script={script}' ]"])

    def mount(self):
        self.guest.run(LOAD + """
            until [ -e /sys/class/net/eth0 ]; do sleep 1; done
            ifconfig lo 127.0.0.1 up
            ifconfig eth0 10.9.0.2 netmask 255.255.255.0 up
            mount -t nfs4 -o vers=4.2,addr=10.9.0.1,clientaddr=10.9.0.2 \
                10.9.0.1:/ /mnt""", 300)


def subject(name):
    return {'nfs': Nfs, 'vbd': Vbd}.get(name, Subject)(name)
