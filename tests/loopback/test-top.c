/*
 * xen-virtfs top, and the numbers of status
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "../../tools/xen-virtfs/json.h"
#include "process.h"
#include "shares.h"
#include "tool.h"

#define COLUMNS 80
#define ROWS 24
#define MANY 32

static Fixture *up(char **qmp)
{
    Fixture *f = tool_begin();

    if (f) {
        fixture_start(f);
        *qmp = g_strdup_printf("--qmp=%s/qmp-%u", f->dir, f->domid);
    }
    return f;
}

static Fe *add(Fixture *f, int devid, const char *tag)
{
    return fixture_device(f, &(DeviceOpts) {
        .path = f->share, .devid = devid, .tag = tag,
    });
}

static void attach(Fe *front)
{
    g_assert_true(fe_connect(front, 1, 4));
    tattach({.fe = &front->client});
}

/* What a call of the program prints, to be freed. */
static char *output_of(Fixture *f, const char *qmp, const char *option)
{
    ToolCall call = {
        .f = f, .words = { qmp, "-n", "1", "-d", "1", option, "top" },
    };

    tool_call(&call);
    g_test_message("%s%s", call.out, call.err);
    g_assert_cmpint(call.status, ==, 0);
    g_assert_cmpstr(call.err, ==, "");
    g_free(call.err);
    return call.out;
}

/* ---- Somebody who works on a share ---- */

typedef struct Load {
    Fe *front;
    gint stop;
} Load;

static gpointer load_run(gpointer opaque)
{
    Load *load = opaque;

    while (!g_atomic_int_get(&load->stop)) {
        tgetattr({.fe = &load->front->client});
    }
    return NULL;
}

static void load_stop(Load *load, GThread *thread)
{
    g_atomic_int_set(&load->stop, 1);
    g_thread_join(thread);
}

/* ---- top ---- */

/* The busy share is the first, although the others come before it. */
static void test_order(void)
{
    g_autofree char *qmp = NULL, *out = NULL;
    Fixture *f = up(&qmp);
    g_auto(GStrv) lines = NULL;
    g_auto(GStrv) words = NULL;
    Load load = { 0 };
    GThread *thread;
    Fe *fes[3];
    int i;

    if (!f) {
        return;
    }
    for (i = 0; i < 3; i++) {
        g_autofree char *tag = g_strdup_printf("share-%d", i);

        fes[i] = add(f, i, tag);
        attach(fes[i]);
    }
    load.front = fes[1];
    thread = g_thread_new("load", load_run, &load);
    out = output_of(f, qmp, "-b");
    load_stop(&load, thread);

    lines = g_strsplit(out, "\n", -1);
    g_assert_true(g_str_has_prefix(lines[0], "xen-virtfs "));
    g_assert_nonnull(strstr(lines[0], " 3 shares, "));
    g_assert_true(g_str_has_prefix(lines[1], "DOMAIN"));
    g_assert_true(g_str_has_prefix(lines[2], "guest7       share-1 "));
    g_assert_true(g_str_has_prefix(lines[3], "guest7       share-0 "));
    g_assert_true(g_str_has_prefix(lines[4], "guest7       share-2 "));
    g_assert_cmpstr(lines[5], ==, "");
    /* An idle one has no times; the busy one has. */
    words = g_regex_split_simple(" +", lines[2], 0, 0);
    g_assert_cmpint(g_strv_length(words), ==, 11);
    g_assert_cmpint(atoi(words[2]), >, 0);
    g_assert_cmpstr(words[7], !=, "-");
    g_assert_cmpstr(words[10], ==, "0");
    g_assert_nonnull(strstr(lines[3], " 0      0      0    0    1      -     "
                            "-     0   0"));
    for (i = 2; i > 0; i--) {
        fixture_drop(f, fes[i]);
    }
    fixture_close(f, fes[0]);
    fixture_down(f);
}

static void test_json(void)
{
    g_autofree char *qmp = NULL, *out = NULL;
    Fixture *f = up(&qmp);
    g_autoptr(Json) json = NULL;
    const Json *rates, *operations;
    Load load = { 0 };
    uint64_t value, total;
    GThread *thread;

    if (!f) {
        return;
    }
    load.front = add(f, 0, "share");
    attach(load.front);
    thread = g_thread_new("load", load_run, &load);
    out = output_of(f, qmp, "--json");
    load_stop(&load, thread);

    json = json_parse(out);
    g_assert_nonnull(json);
    g_assert_cmpint(json->values->len, ==, 1);
    g_assert_cmpstr(json_get_text(json->values->pdata[0], "tag"), ==, "share");
    rates = json_get(json->values->pdata[0], "rates");
    g_assert_true(json_number(json_get(rates, "requests"), &value));
    g_assert_cmpint(value, >, 0);
    g_assert_true(json_number(json_get(rates, "errors"), &value));
    g_assert_cmpint(value, ==, 0);
    operations = json_get(json_get(json->values->pdata[0], "stats"),
                          "operations");
    g_assert_true(json_number(json_get(json_get(operations, "getattr"),
                                       "requests"), &total));
    g_assert_true(json_number(json_get(rates, "requests"), &value));
    g_assert_cmpint(total, >, value / 2);
    fixture_close(f, load.front);
    fixture_down(f);
}

/* What does not answer is there, without numbers, and is not waited for. */
static void test_no_answer(void)
{
    g_autofree char *qmp = NULL, *out = NULL, *idle = NULL;
    Fixture *f = up(&qmp);
    gint64 begin;
    Qmp *other;
    Fe *front;

    if (!f) {
        return;
    }
    front = add(f, 0, "share");
    attach(front);
    /* QEMU serves one client at a time. */
    other = qmp_new(f);
    begin = g_get_monotonic_time();
    out = output_of(f, qmp, "--batch");
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 8 * G_USEC_PER_SEC);
    g_assert_nonnull(strstr(out, "guest7       share             -      -"));
    idle = output_of(f, qmp, "-j");
    g_assert_nonnull(strstr(idle, "\"stats\": null, \"rates\": {"));
    qmp_free(other);
    fixture_close(f, front);
    fixture_down(f);
}

static void test_usage(void)
{
    Fixture *f = tool_begin();

    if (!f) {
        return;
    }
    tool_run(f, 2, "--rounds=0: 1 to ", "--rounds=0", "top");
    tool_run(f, 2, "--delay=x: 1 to 3600", "--delay=x", "top");
    tool_run(f, 2, "usage: xen-virtfs top", "top", "7");
    tool_run(f, 0, " 0 shares, 0 requests/s", "-b", "-n", "1", "-d", "1",
             "top");
    fixture_down(f);
}

/* ---- A terminal ---- */

/* Whatever is written fits into a line. */
static void check_lines(const char *text, const char *end)
{
    g_auto(GStrv) lines = g_strsplit(text, end, -1);
    char **at;

    for (at = lines; *at; at++) {
        g_test_message("%s", *at);
        g_assert_cmpint(strlen(*at), <, COLUMNS);
    }
}

/* Where a screen has scrolled, its first line is gone. */
static void check_screens(const char *seen)
{
    g_auto(GStrv) screens = g_strsplit(seen, "\033[H", -1);
    unsigned i;

    g_assert_cmpint(g_strv_length(screens), >, 1);
    for (i = 1; screens[i]; i++) {
        g_auto(GStrv) lines = g_strsplit(screens[i], "\n", -1);

        g_assert_cmpint(g_strv_length(lines), <=, ROWS);
    }
}

/* With a keyboard on which somebody types q. */
static char *terminal_of(Fixture *f, const char *qmp)
{
    static const char script[] =
        "(sleep 2.5; printf q; sleep 1) | SHELL=/bin/sh script -qec "
        "\"stty rows $3 cols $4; exec '$1' '$2' -d 1 top; \" /dev/null";
    g_autofree char *rows = g_strdup_printf("%d", ROWS);
    g_autofree char *columns = g_strdup_printf("%d", COLUMNS);
    const char *argv[] = { "bash", "-c", script, "bash",
                           g_getenv("LOOP_TOOL"), qmp, rows, columns, NULL };
    ProcessEnv env = { .loop_path = f->loop_path, .xenstore_dir = f->dir };
    g_autofree char *err = NULL;
    char *out;

    g_assert_cmpint(process_run(argv, &env, &out, &err), ==, 0);
    return out;
}

static void test_many(void)
{
    g_autofree char *qmp = NULL, *out = NULL, *seen = NULL, *plain = NULL;
    g_autoptr(GRegex) escapes = g_regex_new("\033\\[[?0-9]*[A-Za-z]", 0, 0,
                                            NULL);
    g_autofree char *more = NULL;
    Fixture *f = up(&qmp);
    Fe *fes[MANY];
    int i;

    if (!f) {
        return;
    }
    for (i = 0; i < MANY; i++) {
        g_autofree char *tag = g_strdup_printf("a-name-of-30-characters-%07d",
                                               i);

        fes[i] = add(f, i, tag);
        attach(fes[i]);
    }
    out = output_of(f, qmp, "-b");
    check_lines(out, "\n");
    g_assert_nonnull(strstr(out, " 32 shares, "));
    g_assert_nonnull(strstr(out, "guest7       a-nam~000031 "));

    seen = terminal_of(f, qmp);
    plain = g_regex_replace_literal(escapes, seen, -1, 0, "", 0, NULL);
    check_lines(plain, "\r\n");
    check_screens(seen);
    more = g_strdup_printf("and %d more", MANY - (ROWS - 4));
    g_assert_nonnull(strstr(plain, more));
    /* The screen and the cursor are as before. */
    g_assert_nonnull(strstr(seen, "\033[?1049h\033[?25l"));
    g_assert_true(g_str_has_suffix(seen, "\033[?25h\033[?1049l"));
    for (i = MANY - 1; i > 0; i--) {
        fixture_drop(f, fes[i]);
    }
    fixture_close(f, fes[0]);
    fixture_down(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/top/order", test_order);
    g_test_add_func("/top/json", test_json);
    g_test_add_func("/top/no-answer", test_no_answer);
    g_test_add_func("/top/usage", test_usage);
    g_test_add_func("/top/many", test_many);
    return g_test_run();
}
