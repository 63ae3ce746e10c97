/*
 * Shares that -device xen-9pfs makes: what its tests have in common
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "shares.h"

Fixture *shares_up(void)
{
    Fixture *f = fixture_up();

    if (f->backend != BACKEND_OURS) {
        g_test_skip("only our QEMU has the device");
        fixture_down(f);
        return NULL;
    }
    return f;
}

void shares_start(Fixture *f, const char *words)
{
    const char *old = g_getenv("LOOP_QEMU_ARGS");
    g_autofree char *before = g_strdup(old ? old : "");
    g_autofree char *all = g_strdup_printf("%s %s", before, words);

    g_setenv("LOOP_QEMU_ARGS", all, TRUE);
    fixture_start(f);
    g_setenv("LOOP_QEMU_ARGS", before, TRUE);
}

unsigned shares_count(Fixture *f, const char *type)
{
    g_autofree char *front = g_strdup_printf("/local/domain/%u/device/%s",
                                             f->domid, type);
    unsigned int backs = fixture_devices(f, type), fronts = 0;

    free(xs_directory(f->xsh, XBT_NULL, front, &fronts));
    g_assert_cmpint(backs, ==, fronts);
    return backs;
}

char *shares_run(Qmp *qmp, const char *command, const char *fmt, ...)
{
    g_autofree char *arguments = NULL, *line = NULL;
    va_list ap;
    char *answer;

    va_start(ap, fmt);
    arguments = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    line = g_strdup_printf("{\"execute\": \"%s\", \"arguments\": {%s}}",
                           command, arguments);
    answer = qmp_run(qmp, line);
    g_assert_nonnull(answer);
    g_test_message("%s: %s", arguments, answer);
    return answer;
}

void shares_done(char *answer)
{
    g_assert_nonnull(strstr(answer, "\"return\""));
    g_free(answer);
}

void shares_refused(char *answer, const char *why)
{
    g_assert_nonnull(strstr(answer, "\"error\""));
    g_assert_nonnull(strstr(answer, why));
    g_free(answer);
}

char *shares_add(Fixture *f, Qmp *qmp, const char *id, const char *tag,
                 const char *more)
{
    return shares_run(qmp, "device_add",
                      "\"driver\": \"xen-9pfs\", \"id\": \"%s\", "
                      "\"mount_tag\": \"%s\", \"path\": \"%s\", "
                      "\"security_model\": \"none\"%s", id, tag, f->share,
                      more);
}

Fe *shares_use(Fixture *f, const char *protocol, int devid)
{
    Fe *front = fixture_frontend(f, protocol, devid);
    P9Client *fe = &front->client;
    uint32_t len;
    char text[16];

    fixture_file(f, "file", "hello", 5);
    g_assert_true(fe_connect(front, 2, 4));
    tattach({.fe = fe});
    twalk({.fe = fe, .fid = 0, .newfid = 1, .path = "file"});
    tlopen({.fe = fe, .fid = 1});
    tread({.fe = fe, .fid = 1, .count = sizeof(text), .data = text,
           .rcount = &len});
    g_assert_cmpmem(text, len, "hello", 5);
    return front;
}
