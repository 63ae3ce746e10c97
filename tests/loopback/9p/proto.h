/*
 * 9P2000, .u and .L: numbers of messages and flags
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_9P_PROTO_H
#define LOOPBACK_9P_PROTO_H

#define P9_HEADER_SIZE  7
#define P9_NOTAG        0xffffu
#define P9_NOFID        0xffffffffu
#define P9_MAX_WELEM    16

/* A reply has the number of its request plus one. */
enum {
    P9_TLERROR = 6, P9_RLERROR = 7,
    P9_TSTATFS = 8,
    P9_TLOPEN = 12,
    P9_TLCREATE = 14,
    P9_TSYMLINK = 16,
    P9_TMKNOD = 18,
    P9_TRENAME = 20,
    P9_TREADLINK = 22,
    P9_TGETATTR = 24,
    P9_TSETATTR = 26,
    P9_TXATTRWALK = 30,
    P9_TXATTRCREATE = 32,
    P9_TREADDIR = 40,
    P9_TFSYNC = 50,
    P9_TLOCK = 52,
    P9_TGETLOCK = 54,
    P9_TLINK = 70,
    P9_TMKDIR = 72,
    P9_TRENAMEAT = 74,
    P9_TUNLINKAT = 76,
    P9_TVERSION = 100,
    P9_TAUTH = 102,
    P9_TATTACH = 104,
    P9_TERROR = 106, P9_RERROR = 107,
    P9_TFLUSH = 108,
    P9_TWALK = 110,
    P9_TOPEN = 112,
    P9_TCREATE = 114,
    P9_TREAD = 116,
    P9_TWRITE = 118,
    P9_TCLUNK = 120,
    P9_TREMOVE = 122,
    P9_TSTAT = 124,
    P9_TWSTAT = 126,
};

enum {
    P9_QTDIR = 0x80,
    P9_QTAPPEND = 0x40,
    P9_QTSYMLINK = 0x02,
    P9_QTFILE = 0x00,
};

/* Tgetattr's request_mask */
#define P9_GETATTR_BASIC 0x000007ffull
#define P9_GETATTR_GEN   0x00001000ull
#define P9_GETATTR_ALL   0x00003fffull

/* Tsetattr's valid */
enum {
    P9_SETATTR_MODE = 0x001,
    P9_SETATTR_UID = 0x002,
    P9_SETATTR_GID = 0x004,
    P9_SETATTR_SIZE = 0x008,
    P9_SETATTR_ATIME = 0x010,
    P9_SETATTR_MTIME = 0x020,
    P9_SETATTR_CTIME = 0x040,
    P9_SETATTR_ATIME_SET = 0x080,
    P9_SETATTR_MTIME_SET = 0x100,
};

/* Topen's and Tcreate's mode (9P2000, .u) */
enum {
    P9_OREAD = 0,
    P9_OWRITE = 1,
    P9_ORDWR = 2,
    P9_OTRUNC = 0x10,
};

#define P9_DMDIR 0x80000000u

/* Tlopen's flags, in 9P's own numbers */
enum {
    P9_DOTL_RDONLY = 00,
    P9_DOTL_WRONLY = 01,
    P9_DOTL_RDWR = 02,
    P9_DOTL_CREATE = 0100,
    P9_DOTL_EXCL = 0200,
    P9_DOTL_TRUNC = 01000,
    P9_DOTL_APPEND = 02000,
    P9_DOTL_DSYNC = 010000,
    P9_DOTL_DIRECTORY = 0200000,
    P9_DOTL_SYNC = 04000000,
};

#define P9_DOTL_AT_REMOVEDIR 0x200

enum {
    P9_LOCK_TYPE_RDLCK = 0,
    P9_LOCK_TYPE_WRLCK = 1,
    P9_LOCK_TYPE_UNLCK = 2,
    P9_LOCK_SUCCESS = 0,
    P9_LOCK_BLOCKED = 1,
    P9_LOCK_ERROR = 2,
    P9_LOCK_FLAGS_BLOCK = 1,
};

#endif
