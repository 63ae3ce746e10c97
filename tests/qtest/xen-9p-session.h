/*
 * Xen 9P tests: a case, the set-ups it runs over, and its session
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_9P_SESSION_H
#define XEN_9P_SESSION_H

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

/* What a case runs over. */
typedef struct Setup {
    unsigned rings;
    uint32_t order;
    const char *model;              /* security model; NULL: "none" */
    const char *const *more;        /* further nodes, as in DeviceOpts */
} Setup;

typedef struct Session {
    Fixture *f;
    Fe *front;
    P9Client *fe;
    const Setup *setup;
} Session;

/* What a case needs of a backend, and how it is run. */
enum {
    CASE_DOTU = 1,          /* speaks 9P2000.u, not .L */
    CASE_NINE = 2,          /* needs no more than what xen-9pfsd has */
    CASE_OURS = 4,          /* a backend node that only ours reads */
    CASE_FLEX = 8,          /* is about the rings of 9pfs */
};

typedef struct Case {
    const char *name;
    void (*run)(Session *s);
    unsigned flags;
} Case;

/*
 * session_add: register @test under /@group/@name over @setup, which has to
 *     last. Its session is connected and attached at fid 0 before, and ends
 *     with nothing left over.
 * session_begin: the start of that, for cases with an order of their own;
 *     false if the backend cannot, which is then noted as skipped.
 * session_end: its end.
 */
void session_add(const char *group, const Case *test, const Setup *setup);
bool session_begin(Session *s, const Setup *setup, unsigned flags);
void session_end(Session *s);

/* Connect and attach again, as a new frontend would. */
void session_attach(Session *s);

/* The largest count of a Tread or Twrite. */
uint32_t session_chunk(const Session *s);

/* "9P2000.L", or what the session is for. */
const char *session_version(const Session *s);

/*
 * The host's side of the share:
 *
 * host_path: of a name in it, to be freed.
 * host_stat: lstat(); an errno.
 * host_file: make a file, from a string.
 * host_pattern: make a file of @size bytes that tell where they are; returns
 *     them, to be freed.
 * host_expect: the file has exactly these bytes.
 */
char *host_path(Session *s, const char *name);
int host_stat(Session *s, const char *name, struct stat *st);
void host_file(Session *s, const char *name, const char *text);
uint8_t *host_pattern(Session *s, const char *name, uint32_t size);
void host_expect(Session *s, const char *name, const void *data, size_t len);

/*
 * backend_pause: stop its process, so that what follows is there at once
 *     when backend_resume() lets it go on.
 */
void backend_pause(Fixture *f);
void backend_resume(Fixture *f);

/*
 * ask: send something small that every backend answers, on a ring; @c is
 *     attached at fid 0.
 * asked: wait for its answer, and forget it.
 * ring_tag: for .tag: a free one that Linux would send on that ring. Stock
 *     QEMU serves no other; that has a test of its own.
 */
P9Req *ask(P9Client *c, unsigned ring);
void asked(P9Req *req);
unsigned ring_tag(P9Client *c, unsigned ring);

/*
 * Steps that many cases begin with:
 *
 * open_at: walk from the root to @name at @fid and open it.
 * create_at: make @name in the root at @fid, open for reading and writing.
 */
void open_at(Session *s, uint32_t fid, const char *name, uint32_t flags);
void create_at(Session *s, uint32_t fid, const char *name);

#endif
