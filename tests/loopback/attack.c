/*
 * A backend under attack: one device misbehaves, another must not notice
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "attack.h"

/* What one device may write to the log in a minute. */
#define LOG_LINES_A_MINUTE 10

/* For so long nothing has come of what was before. */
#define QUIET_US 10000

void attack_fail(Attack *a, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, format);
    text = g_strdup_vprintf(format, ap);
    va_end(ap);
    if (!a->over) {
        g_test_message("%s", text);
        g_test_fail_printf("%s", g_strdelimit(text, "\n", ' '));
    }
}

bool attack_lives(Attack *a)
{
    if (!a->over && !fixture_alive(a->f)) {
        attack_fail(a, "the backend has died");
        a->over = true;
    }
    return !a->over;
}

bool attack_wait(Attack *a, bool (*done)(Attack *a), int timeout_ms)
{
    gint64 deadline = g_get_monotonic_time() + timeout_ms * 1000;

    while (!done(a)) {
        if (g_get_monotonic_time() > deadline || !attack_lives(a)) {
            return false;
        }
        g_usleep(1000);
    }
    return true;
}

/* ---- Requests ---- */

/*
 * Send @req, wait for its reply and return it; NULL, and it is freed, where
 * that fails. The calls of calls.h would end the test.
 */
static P9Req *ask(P9Req *req, int timeout_ms)
{
    if (!p9_req_send(req) || p9_req_wait(req, timeout_ms) != P9_DONE) {
        p9_req_free(req);
        return NULL;
    }
    return req;
}

/* The same where nothing of the reply is wanted but that it is no error. */
static bool succeeds(P9Req *req)
{
    bool ok;

    req = ask(req, ATTACK_STATE_MS);
    ok = req && !p9_req_error(req);
    if (req) {
        p9_req_free(req);
    }
    return ok;
}

bool attack_open(Attack *a, Fe *fe)
{
    P9Client *c = &fe->client;
    const char *version = fixture_version(a->f);
    P9Req *req = p9_req_new(c, P9_TVERSION, P9_NOTAG, -1);

    c->timeout_ms = ATTACK_STATE_MS;
    c->msize = 256 * 1024;
    c->dotl = g_str_equal(version, "9P2000.L");
    p9_pack(&req->tx, "ds", c->msize, version);
    if (!succeeds(req)) {
        return false;
    }
    req = p9_req_new(c, P9_TATTACH, -1, -1);
    p9_pack(&req->tx, "ddssd", 0u, P9_NOFID, "", "", 0u);
    if (!succeeds(req)) {
        return false;
    }
    req = p9_req_new(c, P9_TWALK, -1, -1);
    p9_pack(&req->tx, "ddws", 0u, 1u, 1, "data");
    if (!succeeds(req)) {
        return false;
    }
    req = p9_req_new(c, c->dotl ? P9_TLOPEN : P9_TOPEN, -1, -1);
    if (c->dotl) {
        p9_pack(&req->tx, "dd", 1u, P9_DOTL_RDWR);
    } else {
        p9_pack(&req->tx, "db", 1u, P9_ORDWR);
    }
    return succeeds(req);
}

bool attack_read(Attack *a, Fe *fe, uint32_t size, int timeout_ms)
{
    uint32_t offset = g_random_int_range(0, ATTACK_FILE_SIZE - size + 1);
    P9Req *req = p9_req_new(&fe->client, P9_TREAD, -1, -1);
    const uint8_t *data;
    bool ok = false;
    uint32_t got;

    p9_pack(&req->tx, "dqd", 1u, (uint64_t)offset, size);
    req = ask(req, timeout_ms);
    if (!req) {
        return false;
    }
    if (!p9_req_error(req)) {
        req->rx.pos = P9_HEADER_SIZE;
        ok = p9_unpack(&req->rx, "D", &got, &data) && got == size &&
            !memcmp(data, a->data + offset, size);
    }
    p9_req_free(req);
    return ok;
}

bool attack_answers(Fe *fe, int ring, int timeout_ms)
{
    P9Req *req = p9_req_new(&fe->client, P9_TCLUNK, -1, ring);

    fe->client.timeout_ms = timeout_ms;
    p9_pack(&req->tx, "d", 0x7ffffff0u);
    req = ask(req, timeout_ms);
    if (req) {
        p9_req_free(req);
    }
    return req;
}

bool attack_send(Fe *fe, unsigned ring, const void *data, uint32_t len)
{
    bool sent = fe->client.transport->send(fe, ring, data, len);

    if (!sent) {
        fe_kick(fe, ring);
    }
    return sent;
}

void attack_header(uint8_t header[7], uint32_t size, uint8_t type,
                   uint16_t tag)
{
    size = GUINT32_TO_LE(size);
    tag = GUINT16_TO_LE(tag);
    memcpy(header, &size, sizeof(size));
    header[4] = type;
    memcpy(header + 5, &tag, sizeof(tag));
}

bool attack_request(Fe *fe, unsigned ring, uint8_t type, uint16_t tag,
                    const char *format, ...)
{
    GByteArray *bytes;
    va_list ap;
    P9Msg msg;
    bool sent;

    p9_msg_init(&msg, g_byte_array_new(), type, tag);
    va_start(ap, format);
    for (; *format; format++) {
        switch (*format) {
        case 'w':
            p9_pack(&msg, "w", va_arg(ap, int));
            break;
        case 'd':
            p9_pack(&msg, "d", va_arg(ap, uint32_t));
            break;
        case 'q':
            p9_pack(&msg, "q", va_arg(ap, uint64_t));
            break;
        case 's':
            p9_pack(&msg, "s", va_arg(ap, const char *));
            break;
        default:
            g_assert_not_reached();
        }
    }
    va_end(ap);
    p9_msg_end(&msg);
    bytes = p9_msg_steal(&msg);
    sent = attack_send(fe, ring, bytes->data, bytes->len);
    g_byte_array_unref(bytes);
    return sent;
}

void attack_reads(Fe *fe, unsigned count, uint32_t size)
{
    unsigned i;

    for (i = 0; i < count; i++) {
        attack_request(fe, i % fe->nr_rings, P9_TREAD, 900 + i, "dqd", 1u,
                       (uint64_t)0, size);
    }
}

static uint32_t skip_virtfs(VRing *ring)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    const char *broken = NULL;
    uint32_t total = 0;
    VTransaction *t;

    while ((t = vring_take(ring, &broken))) {
        g_byte_array_set_size(bytes, 0);
        total += vring_reply(t, bytes);
        vring_release(ring, t);
    }
    return total;
}

uint32_t attack_skip(Fe *fe, unsigned ring)
{
    int64_t ready;

    if (fe->virtfs) {
        return skip_virtfs(&fe->vrings[ring]);
    }
    ready = flex_ready(&fe->rings[ring]);
    if (ready > 0) {
        flex_consume(&fe->rings[ring], ready);
        fe_kick(fe, ring);
    }
    return MAX(ready, 0);
}

bool attack_unread(Fe *fe, unsigned ring)
{
    if (fe->virtfs) {
        return g_hash_table_size(fe->vrings[ring].running);
    }
    return flex_room(&fe->rings[ring]) < fe->rings[ring].size;
}

void attack_corrupt(Fe *fe, unsigned ring)
{
    if (fe->virtfs) {
        fe->vrings[ring].shared->req_prod += 1u << 31;
    } else {
        fe->rings[ring].intf->out_prod += 1u << 31;
    }
    fe_kick(fe, ring);
}

/* ---- Checks ---- */

bool attack_neighbour(Attack *a)
{
    if (!attack_lives(a)) {
        return false;
    }
    if (!attack_read(a, a->good, 4096, ATTACK_ANSWER_MS)) {
        g_autofree char *why = fixture_why(a->f, a->good);

        if (attack_lives(a)) {
            attack_fail(a, "the neighbour is not served: %s", why);
        }
        return false;
    }
    return true;
}

void attack_expect(Attack *a, AttackEnd end)
{
    Fe *fe = a->bad;
    int state;

    if (!attack_lives(a) || end == ATTACK_ANY) {
        return;
    }
    if (end == ATTACK_SERVES) {
        if (fe_state(fe) != XenbusStateConnected || fe->broken ||
            !attack_answers(fe, 0, ATTACK_STATE_MS)) {
            g_autofree char *why = fixture_why(a->f, fe);

            attack_fail(a, "the device does not serve: %s", why);
        }
        return;
    }
    state = fe_wait_state(fe, FE_STATE(Closing) | FE_STATE(Closed),
                          ATTACK_STATE_MS);
    if (state < 0 && attack_lives(a)) {
        attack_fail(a, "the device does not close, but is in state %d",
                    fe_state(fe));
    }
}

/* The share as it was: an attack may have removed or changed it. */
static void mend_share(Attack *a, const char *name)
{
    fixture_file(a->f, name, a->data, ATTACK_FILE_SIZE);
}

bool attack_again(Attack *a, unsigned rings, uint32_t order)
{
    Fe *fe = a->bad;
    int busy;

    if (!attack_lives(a)) {
        return false;
    }
    fe->hold = false;
    fe->timeout_ms = ATTACK_STATE_MS;
    mend_share(a, "bad/data");
    fe_write(fe, "tag", "share");
    busy = fe_disconnect(fe);
    if (busy) {
        if (attack_lives(a)) {
            g_autofree char *why = fixture_why(a->f, fe);

            attack_fail(a, busy < 0 ? "the device does not close: %s"
                                    : "grants of the device are in use: %s",
                        why);
        }
        return false;
    }
    fe_reset(fe);
    if (!fe_connect(fe, rings, order)) {
        if (attack_lives(a)) {
            g_autofree char *why = fixture_why(a->f, fe);

            attack_fail(a, "the device does not connect again: %s", why);
        }
        return false;
    }
    return true;
}

bool attack_try(Fe *fe, unsigned rings, uint32_t order)
{
    return fe_wait_state(fe, FE_STATE(InitWait) | FE_STATE(Closing) |
                         FE_STATE(Closed), ATTACK_STATE_MS) ==
        XenbusStateInitWait && fe_connect(fe, rings, order);
}

bool attack_recover(Attack *a)
{
    if (!attack_again(a, 2, 3)) {
        return false;
    }
    if (!attack_open(a, a->bad) ||
        !attack_read(a, a->bad, 4096, ATTACK_STATE_MS)) {
        attack_fail(a, "the device does not serve after a reconnect");
        return false;
    }
    return true;
}

bool attack_unused(Attack *a)
{
    /* Two rings of eight pages and their shared pages, or of one page. */
    uint32_t rings = a->good->virtfs ? 2 : 18;

    return loop_grants_in_use(a->f->loop, a->f->domid) <= rings;
}

unsigned attack_rss_kib(Attack *a)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status",
                                            (int)a->f->backend_pid);
    g_autofree char *text = NULL;
    unsigned kib = 0;
    const char *at;

    if (!g_getenv("LOOP_SANITIZED") &&
        g_file_get_contents(path, &text, NULL, NULL)) {
        at = strstr(text, "VmRSS:");
        if (at) {
            sscanf(at, "VmRSS: %u", &kib);
        }
    }
    return kib;
}

unsigned attack_log(Attack *a)
{
    g_autofree char *path = g_strdup_printf("%s/backend-%u.log", a->f->dir,
                                            a->f->domid);
    g_autofree char *text = NULL;
    unsigned lines = 0;
    char *at;

    if (g_file_get_contents(path, &text, NULL, NULL)) {
        for (at = text; (at = strchr(at, '\n')); at++) {
            lines++;
        }
    }
    return lines;
}

static void check_log(Attack *a)
{
    gint64 minutes = (g_get_monotonic_time() - a->start_us) / 60000000 + 1;
    unsigned lines = attack_log(a);

    if (lines > 2 * LOG_LINES_A_MINUTE * minutes + a->log_lines) {
        attack_fail(a, "the log has %u lines after %u minutes", lines,
                    (unsigned)minutes);
    }
}

/* ---- Up and down ---- */

static char *folder(Attack *a, const char *name)
{
    return g_build_filename(a->f->share, name, NULL);
}

static void add_devices(Attack *a, const char *const *more)
{
    g_autofree char *bad = folder(a, "bad"), *good = folder(a, "good");

    mend_share(a, "good/data");
    a->bad = fixture_device(a->f, &(DeviceOpts) {
        .path = bad, .more = more
    });
    a->good = fixture_device(a->f, &(DeviceOpts) {
        .path = good, .devid = 1
    });
    a->bad->timeout_ms = ATTACK_STATE_MS;
}

/*
 * Until the backend has read what it has written itself: the framework takes
 * a read of a device's nodes that fails for the device's removal.
 */
static void await_quiet(Attack *a)
{
    LoopStats now = { 0 }, before;

    do {
        before = now;
        g_usleep(QUIET_US);
        loop_stats(a->f->loop, a->f->backend_pid, &now);
    } while (now.calls[LOOP_CALL_XS] != before.calls[LOOP_CALL_XS]);
}

Attack *attack_up_with(const char *const *more)
{
    Attack *a = g_new0(Attack, 1);

    a->f = fixture_up();
    a->data = fixture_pattern(a->f, "bad/data", ATTACK_FILE_SIZE);
    add_devices(a, more);
    fixture_start(a->f);
    a->start_us = g_get_monotonic_time();
    if (!fe_connect(a->good, 2, 3) || !attack_open(a, a->good)) {
        g_error("the neighbour does not come up");
    }
    if (fe_wait_state(a->bad, FE_STATE(InitWait), ATTACK_STATE_MS) < 0) {
        g_error("device 0 does not offer itself");
    }
    await_quiet(a);
    return a;
}

Attack *attack_up(void)
{
    return attack_up_with(NULL);
}

void attack_connect(Attack *a, unsigned rings, uint32_t order)
{
    if (!fe_connect(a->bad, rings, order) || !attack_open(a, a->bad)) {
        g_error("device 0 does not come up");
    }
}

/*
 * Stock dies of most reconnects, xen-9pfsd serves no frontend a second time:
 * there are tests for that, the others are not to fail for it.
 */
static bool can_reconnect(Attack *a)
{
    return a->f->backend == BACKEND_OURS;
}

/* Everything is closed: what is left is a leak. */
static void check_left(Attack *a)
{
    Fe *fe = a->bad;

    if (!attack_lives(a)) {
        return;
    }
    if (fe) {
        fixture_drop(a->f, fe);
    }
    fixture_drop(a->f, a->good);
    fixture_check(a->f);
}

static void down(Attack *a)
{
    check_log(a);
    if (!g_test_failed() && !a->leaks && can_reconnect(a)) {
        check_left(a);
    }
    fixture_down(a->f);
    g_free(a->data);
    g_free(a);
}

void attack_down(Attack *a)
{
    attack_neighbour(a);
    if (can_reconnect(a)) {
        attack_recover(a);
        attack_neighbour(a);
    }
    down(a);
}

void attack_down_fresh(Attack *a)
{
    a->bad = NULL;
    attack_neighbour(a);
    down(a);
}
