/*
 * Xen 9P tests: the protocol's xenstore nodes
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-protocol.h"

static char *back_node(Fe *fe, const char *node)
{
    return device_node(fe->guest, fe->type, fe->devid, node);
}

static unsigned back_number(Fe *fe, const char *node)
{
    g_autofree char *value = back_node(fe, node);
    char *end;
    unsigned number;

    g_assert_nonnull(value);
    number = g_ascii_strtoull(value, &end, 10);
    g_assert_cmpint(*end, ==, 0);
    return number;
}

static void attach(Fixture *f, Fe *fe)
{
    tattach({.fe = &fe->client, .version = fixture_version(f)});
}

void proto_versions(void)
{
    Fixture *f = fixture_up();
    Fe *fe = offer(f, NULL);
    g_autofree char *versions = back_node(fe, "versions");

    g_assert_cmpstr(versions, ==, "1");
    fixture_drop(f, fe);
    fixture_down(f);
}

/* As many rings as it says, and not one more. */
void proto_max_rings(void)
{
    Fixture *f = fixture_up();
    Fe *fe = offer(f, NULL);
    unsigned max = back_number(fe, "max-rings"), i;

    g_assert_cmpuint(max, >=, 1);
    g_assert_cmpuint(max, <=, FE_MAX_RINGS);
    g_assert_true(fe_connect(fe, max, 1));
    attach(f, fe);
    for (i = 0; i < max; i++) {
        asked(ask(&fe->client, i));
    }
    fixture_close(f, fe);
    fixture_down(f);
}

void proto_max_ring_page_order(void)
{
    Fixture *f = fixture_up();
    Fe *fe = offer(f, NULL);
    unsigned max = back_number(fe, "max-ring-page-order");

    g_assert_cmpuint(max, >=, 1);
    g_assert_cmpuint(max, <=, FLEX_MAX_ORDER);
    g_assert_true(fe_connect(fe, 1, max));
    attach(f, fe);
    fixture_close(f, fe);
    fixture_down(f);
}

void proto_path(void)
{
    Fixture *f = fixture_up();
    g_autofree char *path = g_build_filename(f->share, "sub", NULL);
    Fe *fe;

    fixture_file(f, "sub/inside", "", 0);
    fixture_file(f, "outside", "", 0);
    fe = offer(f, &(DeviceOpts) { .path = path });
    g_assert_true(fe_connect(fe, 1, 2));
    attach(f, fe);
    twalk({.fe = &fe->client, .fid = 0, .newfid = 1, .path = "inside"});
    twalk({.fe = &fe->client, .fid = 0, .newfid = 2, .path = "outside",
           .expect_err = ENOENT});
    fixture_close(f, fe);
    fixture_down(f);
}

/* A device that cannot be served is never Connected. */
void proto_path_missing(void)
{
    Fixture *f = fixture_up();
    g_autofree char *path = g_build_filename(f->share, "nothing", NULL);
    Fe *fe = fixture_device(f, &(DeviceOpts) { .path = path });

    fixture_start(f);
    g_assert_true(never_offered(fe));
    end_refused(f, fe);
}

/* Where the text has it: among the backend's nodes. */
void proto_tag(void)
{
    Fixture *f = fixture_up();
    Fe *fe = offer(f, &(DeviceOpts) {
        .path = f->share,
        .more = (const char *const[]) { "tag", "another", NULL },
    });

    g_assert_true(fe_connect(fe, 1, 2));
    attach(f, fe);
    fixture_close(f, fe);
    fixture_down(f);
}

/*
 * The text spells it with a hyphen, io/9pfs.h and libxl with an underscore.
 * With "none" a file has the mode and owner that the guest gave it.
 */
void proto_security_model(void)
{
    Fixture *f = fixture_up();
    g_autofree char *dir = device_backend(f->type, f->domid, 0);
    g_autofree char *node = g_strdup_printf("%s/security_model", dir);
    g_autofree char *path = g_build_filename(f->share, "file", NULL);
    P9Client *c;
    struct stat st;
    Fe *fe;

    fe = fixture_device(f, &(DeviceOpts) {
        .path = f->share,
        .more = (const char *const[]) { "security-model", "none", NULL },
    });
    xs_rm(f->xsh, XBT_NULL, node);
    offer(f, &(DeviceOpts) { .path = f->share, .devid = 1 });
    g_assert_true(fe_connect(fe, 1, 2));
    attach(f, fe);
    c = &fe->client;
    twalk({.fe = c, .fid = 0, .newfid = 1});
    if (c->dotl) {
        tlcreate({.fe = c, .fid = 1, .name = "file", .mode = 0640,
                  .flags = P9_DOTL_RDWR | P9_DOTL_CREATE,
                  .gid = getgid()});
    } else {
        tcreate({.fe = c, .fid = 1, .name = "file", .mode = 0640,
                 .flags = P9_ORDWR});
    }
    g_assert_cmpint(lstat(path, &st), ==, 0);
    g_assert_cmpuint(st.st_mode, ==, S_IFREG | 0640);
    fixture_drop(f, fe);
    fixture_down(f);
}

void proto_security_model_unknown(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_device(f, &(DeviceOpts) {
        .path = f->share, .security_model = "nonesuch",
    });

    fixture_start(f);
    g_assert_true(never_offered(fe));
    end_refused(f, fe);
}

/* Connect with @node as it should not be; @value NULL: not there. */
static void refuse_node(const char *node, const char *value)
{
    Fixture *f = fixture_up();
    Fe *fe = offer(f, NULL);

    g_test_message("%s: %s", node, value ? value : "(none)");
    fe_alloc(fe, 2, 2);
    fe_publish(fe);
    if (value) {
        g_assert_cmpint(fe_write(fe, node, value), ==, 0);
    } else {
        g_autofree char *dir = device_frontend(f->type, f->domid, 0);
        g_autofree char *path = g_strdup_printf("%s/%s", dir, node);

        g_assert_cmpint(gxs_rm(f->guest->xs, 0, path), ==, 0);
    }
    g_assert_true(refused(fe));
    end_refused(f, fe);
}

void proto_version(void)
{
    refuse_node("version", "2");
    refuse_node("version", NULL);
}

void proto_num_rings(void)
{
    Fixture *f = fixture_up();
    Fe *fe = offer(f, NULL);
    g_autofree char *more = g_strdup_printf(
        "%u", back_number(fe, "max-rings") + 1);

    fixture_drop(f, fe);
    fixture_down(f);
    refuse_node("num-rings", more);
    refuse_node("num-rings", "0");
    refuse_node("num-rings", "-1");
    refuse_node("num-rings", NULL);
}

void proto_event_channel(void)
{
    refuse_node("event-channel-0", NULL);
    refuse_node("event-channel-1", NULL);
    refuse_node("event-channel-1", "1000");
}

void proto_ring_ref(void)
{
    refuse_node("ring-ref0", NULL);
    refuse_node("ring-ref1", NULL);
    refuse_node("ring-ref1", "9999");
}
