# SPDX-License-Identifier: GPL-2.0-or-later
"""A backend of the device type virtfs that does what no backend may do. It is
dom0's own, with nothing of QEMU: one ring of one page, direct slots only, and a
share with a single file. What it lies about its user sets."""

import errno
import fcntl
import mmap
import os
import select
import struct
import threading

from xenguest import (CLOSED, CONNECTED, INIT_WAIT, INITIALISED, INITIALISING,
                      STORE, wait_for)

# Of /dev/xen/gntdev and /dev/xen/evtchn: _IOC(_IOC_NONE, type, number, size)
MAP_GRANT, UNMAP_GRANT = 0x184700, 0x104701
BIND_INTERDOMAIN, UNBIND, NOTIFY = 0x084501, 0x044503, 0x044504
PAGE = 4096
SLOT = struct.Struct('<IHHHH')
SLOTS_AT, SLOTS = 64, 256
MORE, WRITE = 1, 2
(RLERROR, TGETATTR, TLOPEN, TVERSION, TATTACH, TWALK, TREAD, TWRITE, TCLUNK,
 TSETATTR, TFLUSH) = 7, 24, 12, 100, 104, 110, 116, 118, 120, 26, 108
# Of 9P2000.u
RERROR, TOPEN, TSTAT = 107, 112, 124
DIRECTORY, FILE = struct.pack('<BIQ', 0x80, 0, 1), struct.pack('<BIQ', 0, 0, 2)


class Page:
    """A granted page, as long as it is mapped."""

    def __init__(self, device, domid, gref, writable):
        self.device = device
        request = bytearray(struct.pack('<IIQII', 1, 0, 0, domid, gref))
        fcntl.ioctl(device, MAP_GRANT, request)
        self.index = struct.unpack('<IIQII', request)[2]
        access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        self.memory = mmap.mmap(device, PAGE, mmap.MAP_SHARED, access,
                                offset=self.index)

    def unmap(self):
        self.memory.close()
        fcntl.ioctl(self.device, UNMAP_GRANT,
                    struct.pack('<QII', self.index, 1, 0))


class Liar:
    """A device of a guest with this backend, from start() to stop()."""

    def __init__(self, guest, devid, tag, **nodes):
        self.domid, self.tag, self.nodes = guest.domid, tag, nodes
        self.front = f'/local/domain/{self.domid}/device/virtfs/{devid}'
        self.back = f'/local/domain/0/backend/liar/{self.domid}/{devid}'
        self.thread = self.ring = None
        self.ended = threading.Event()
        # Its lies
        self.more_written = 0       # than there was
        self.keep_mapped = False    # what it has done with
        self.silent = False
        self.long_error = False     # of 9P2000.u, in reply to a read
        # What it has seen of pages beside the segments that it was given
        self.beside = b''
        self.held = []

    def start(self):
        self.announce()
        return self.connect()

    def announce(self):
        """Its device is there, and it waits for the frontend."""
        guest = [(self.domid, False, False), (0, True, False)]
        STORE.create({
            **self.offer(),
            self.front: (guest, {'backend': self.back, 'backend-id': 0,
                                 'state': INITIALISING, 'tag': self.tag,
                                 **self.nodes})})

    def offer(self):
        """Its own nodes, for Store.create()."""
        return {self.back: ([(0, False, False), (self.domid, True, False)], {
            'frontend': self.front, 'frontend-id': self.domid, 'online': 1,
            'state': INIT_WAIT})}

    def come_back(self):
        """After close() and without its nodes: as another one."""
        STORE.create(self.offer())
        self.connect()

    def connect(self):
        self.ended.clear()
        wait_for('the frontend', lambda: STORE.read(
            f'{self.front}/state') == str(INITIALISED))
        self.grants = os.open('/dev/xen/gntdev', os.O_RDWR)
        self.events = os.open('/dev/xen/evtchn', os.O_RDWR)
        self.ring = Page(self.grants, self.domid,
                         int(STORE.read(f'{self.front}/ring-ref')), True)
        # Only with a buffer that it could change it returns a number.
        port = int(STORE.read(f'{self.front}/event-channel'))
        self.port = fcntl.ioctl(self.events, BIND_INTERDOMAIN, bytearray(
            struct.pack('<II', self.domid, port)))
        self.seen = 0
        STORE.write(f'{self.back}/state', str(CONNECTED))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        wait_for('the device', lambda: self.state() == CONNECTED)
        return self

    def state(self):
        """The frontend's."""
        return int(STORE.read(f'{self.front}/state') or 0)

    def close(self):
        """Let go of all."""
        self.ended.set()
        if self.thread:
            self.thread.join()
            self.thread = None
            for page in [self.ring, *self.held]:
                page.unmap()
            os.close(self.grants)
            os.close(self.events)

    def stop(self):
        self.close()
        if STORE.read(f'{self.back}/state'):
            STORE.write(f'{self.back}/online', '0')
            STORE.write(f'{self.back}/state', str(CLOSED))
        self.vanish()

    def vanish(self):
        """As a driver domain that has died, and whose toolstack knows it."""
        STORE.remove(self.back)
        STORE.remove(self.front)

    # The ring

    def serve(self):
        while not self.ended.is_set():
            if select.select([self.events], [], [], 0.1)[0]:
                os.write(self.events, os.read(self.events, 4))
            self.look()

    def look(self):
        ring = self.ring.memory
        produced = struct.unpack_from('<I', ring, 0)[0]
        slots = []
        while self.seen != produced and not self.silent:
            slots.append(SLOT.unpack_from(
                ring, SLOTS_AT + self.seen % SLOTS * SLOT.size))
            self.seen = (self.seen + 1) % (1 << 32)
            if not slots[-1][2] & MORE:
                self.transaction(slots)
                slots = []
        struct.pack_into('<I', ring, 4, produced + 1)

    def transaction(self, slots):
        pages = [Page(self.grants, self.domid, gref, flags & WRITE)
                 for gref, _, flags, _, _ in slots]
        request = b''
        for page, (_, offset, flags, _, size) in zip(pages, slots):
            whole = page.memory[:]
            self.beside += whole[:offset] + whole[offset + size:]
            if not flags & WRITE:
                request += whole[offset:offset + size]
        reply = self.reply(request)
        for page, (_, offset, flags, _, size) in zip(pages, slots):
            if flags & WRITE:
                part, reply = reply[:size], reply[size:]
                page.memory[offset:offset + len(part)] = part
        self.held += pages
        if not self.keep_mapped:
            for page in self.held:
                page.unmap()
            self.held = []
        self.respond(slots)

    def respond(self, slots):
        ring = self.ring.memory
        produced = struct.unpack_from('<I', ring, 8)[0]
        for _, _, _, ident, _ in slots:
            struct.pack_into('<Hh', ring,
                             SLOTS_AT + produced % SLOTS * SLOT.size, ident, 0)
            produced = (produced + 1) % (1 << 32)
        struct.pack_into('<I', ring, 8, produced)
        fcntl.ioctl(self.events, NOTIFY, struct.pack('<I', self.port))

    # 9P

    def reply(self, request):
        _, kind, tag = struct.unpack_from('<IBH', request)
        if kind == TREAD and self.long_error:
            return self.error_without_end(tag)
        body = self.body(kind, request[7:])
        if body is None:
            kind, body = RLERROR - 1, struct.pack('<I', errno.EOPNOTSUPP)
        return struct.pack('<IBH', 7 + len(body), kind + 1, tag) + body

    def body(self, kind, body):
        """What answers a request; None: an error."""
        if kind == TVERSION:
            return body
        if kind == TATTACH:
            return DIRECTORY
        if kind == TWALK:
            names = struct.unpack_from('<H', body, 8)[0]
            return struct.pack('<H', names) + FILE * names
        if kind == TGETATTR:
            fid = struct.unpack_from('<I', body)[0]
            return self.attributes(fid)
        if kind == TSTAT:
            return self.stat(struct.unpack_from('<I', body)[0])
        if kind in (TLOPEN, TOPEN):
            return FILE + struct.pack('<I', 0)
        if kind == TREAD:
            count = struct.unpack_from('<I', body, 12)[0]
            return struct.pack('<I', count) + bytes(count)
        if kind == TWRITE:
            count = struct.unpack_from('<I', body, 12)[0]
            return struct.pack('<I', count + self.more_written)
        if kind in (TCLUNK, TSETATTR, TFLUSH):
            return b''
        return None

    @staticmethod
    def error_without_end(tag):
        """Its text and its size go on behind what a client keeps of an error."""
        return (struct.pack('<IBHH', 100_000, RERROR, tag, 60_000)
                + b'leak' * 1500)

    @staticmethod
    def stat(fid):
        mode, qid = (1 << 31 | 0o755, DIRECTORY) if fid == 0 else (0o644, FILE)
        entry = (struct.pack('<HI', 0, 0) + qid
                 + struct.pack('<IIIQ', mode, 0, 0, 1 << 30)
                 + bytes(5 * 2 + 3 * 4))
        return struct.pack('<HH', 2 + len(entry), len(entry)) + entry

    @staticmethod
    def attributes(fid):
        """The root is what was attached to, fid 0."""
        mode, qid = (0o40755, DIRECTORY) if fid == 0 else (0o100644, FILE)
        return (struct.pack('<Q', 0x7ff) + qid + struct.pack('<III', mode, 0, 0)
                + struct.pack('<15Q', 1, 0, 1 << 30, 4096, 0, *10 * [0]))
