/*
 * xen-virtfs top: what the shares of the host do now
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "commands.h"
#include "describe.h"
#include "sample.h"

/* A QEMU that does not answer is not to keep the others from being seen. */
#define PATIENCE_MS 1000
/* The first screen is not to keep anybody waiting. */
#define FIRST_MS 500

#define ROWS 24
/* Of the screen, beside shares: two above them, and the cursor's. */
#define ROWS_BESIDE 3

/* Whole lines of 79 columns. */
#define NAME 12
#define COLUMNS "%-12s %-12s %6s %6s %6s %4s %4s %6s %5s %5s %3s"

static volatile sig_atomic_t stopped;

static void stop(int number G_GNUC_UNUSED)
{
    stopped = 1;
}

/* ---- Lines ---- */

/* A number in up to 5 characters, to be freed. */
static char *brief(uint64_t value)
{
    static const char units[] = "kMGTPE";
    double left = value;
    unsigned unit = 0;

    if (value < 100000) {
        return g_strdup_printf("%" G_GUINT64_FORMAT, (guint64)value);
    }
    for (left /= 1000; left >= 999.5; left /= 1000) {
        unit++;
    }
    return g_strdup_printf(left < 99.95 ? "%.1f%c" : "%.0f%c", left,
                           units[unit]);
}

static char *brief_of(const Sample *one, const char *name)
{
    return one->stats ? brief(stats_number(one->stats, name)) : g_strdup("-");
}

static char *brief_rate(const Sample *one, uint64_t value)
{
    return one->stats ? brief(value) : g_strdup("-");
}

/* Both ends of a name, of which often one alone tells; to be freed. */
static char *brief_name(const char *text)
{
    char *name = describe_text(text);
    size_t len = strlen(name);

    if (len > NAME) {
        name[NAME / 2 - 1] = '~';
        memmove(name + NAME / 2, name + len - NAME / 2, NAME / 2 + 1);
    }
    return name;
}

/* To be freed. */
static char *line_of(const Sample *one)
{
    g_autofree char *domain = brief_name(one->domain);
    g_autofree char *tag = brief_name(one->dev->tag);
    g_autofree char *requests = brief_rate(one, one->requests);
    g_autofree char *received = brief_rate(one, one->received);
    g_autofree char *sent = brief_rate(one, one->sent);
    g_autofree char *errors = brief_rate(one, one->errors);
    g_autofree char *now = brief_of(one, "in-flight");
    g_autofree char *most = brief_of(one, "most-in-flight");
    g_autofree char *stuck = g_strdup_printf(
        "%u", (unsigned)MIN(stats_number(one->stats, "stuck"), 999));

    return g_strdup_printf(COLUMNS, domain, tag, requests, received, sent,
                           now, most, one->server, one->queue, errors,
                           one->stats ? stuck : "-");
}

static char *summary(const GPtrArray *all)
{
    g_autoptr(GDateTime) time = g_date_time_new_now_local();
    g_autofree char *clock = g_date_time_format(time, "%H:%M:%S");
    g_autofree char *requests = NULL, *received = NULL, *sent = NULL;
    uint64_t sum[3] = { 0 };
    unsigned i;

    for (i = 0; i < all->len; i++) {
        const Sample *one = all->pdata[i];

        sum[0] += one->requests;
        sum[1] += one->received;
        sum[2] += one->sent;
    }
    requests = brief(sum[0]);
    received = brief(sum[1]);
    sent = brief(sum[2]);
    return g_strdup_printf("xen-virtfs %s  %u shares, %s requests/s, "
                           "%s bytes/s received, %s sent", clock, all->len,
                           requests, received, sent);
}

/* @end: what is behind each line; @rows: how many there is room for. */
static void print_text(const GPtrArray *all, const char *end, unsigned rows)
{
    g_autofree char *head = summary(all);
    g_autofree char *names = g_strdup_printf(
        COLUMNS, "DOMAIN", "SHARE", "REQ/S", "RECV/S", "SENT/S", "NOW",
        "MOST", "SERVER", "QUEUE", "ERR/S", "STK");
    unsigned shown = all->len > rows ? rows - 1 : all->len, i;

    printf("%s%s%s%s", head, end, names, end);
    for (i = 0; i < shown; i++) {
        g_autofree char *line = line_of(all->pdata[i]);

        printf("%s%s", line, end);
    }
    if (all->len > shown) {
        printf("and %u more%s", all->len - shown, end);
    }
}

static void print_json(Host *host, const GPtrArray *all)
{
    unsigned i;

    printf("[");
    for (i = 0; i < all->len; i++) {
        const Sample *one = all->pdata[i];
        g_autoptr(GString) out = g_string_new("{");

        describe_json(host, one->dev, out);
        stats_json(one->stats, out);
        json_add_name(out, "rates");
        g_string_append_c(out, '{');
        json_add_number(out, "requests", one->requests);
        json_add_number(out, "bytes-received", one->received);
        json_add_number(out, "bytes-sent", one->sent);
        json_add_number(out, "errors", one->errors);
        printf("%s%s}}", i ? ",\n " : "", out->str);
    }
    printf("]\n");
}

/* ---- The terminal ---- */

static void screen_begin(struct termios *old)
{
    struct termios raw;

    tcgetattr(STDIN_FILENO, old);
    raw = *old;
    raw.c_lflag &= ~(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    /* The other screen, without a cursor. */
    printf("\033[?1049h\033[?25l");
}

static void screen_end(const struct termios *old)
{
    printf("\033[?25h\033[?1049l");
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSANOW, old);
}

static void screen_draw(const GPtrArray *all)
{
    struct winsize size = { 0 };
    unsigned rows = ROWS;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
        size.ws_row > ROWS_BESIDE) {
        rows = size.ws_row;
    }
    printf("\033[H");
    print_text(all, "\033[K\n", rows - ROWS_BESIDE);
    printf("\033[J");
}

/* ---- Rounds ---- */

/* Wait, or until somebody wants the next round, or none. */
static void pause_for(unsigned ms, bool screen)
{
    struct pollfd pfd = { .fd = screen ? STDIN_FILENO : -1, .events = POLLIN };
    char key;

    if (poll(&pfd, 1, ms) > 0 && (read(STDIN_FILENO, &key, 1) != 1 ||
                                  key == 'q' || key == 'Q')) {
        stopped = 1;
    }
}

static void show(Host *host, const GPtrArray *all, bool screen)
{
    if (host->json) {
        print_json(host, all);
    } else if (screen) {
        screen_draw(all);
    } else {
        print_text(all, "\n", all->len);
    }
    fflush(stdout);
}

bool command_top(Host *host, char **words G_GNUC_UNUSED,
                 int num G_GNUC_UNUSED, GError **err G_GNUC_UNUSED)
{
    bool screen = !host->batch && !host->json && isatty(STDIN_FILENO) &&
        isatty(STDOUT_FILENO);
    g_autoptr(GPtrArray) all = NULL;
    struct sigaction action = { .sa_handler = stop };
    struct termios old;
    unsigned round;

    host->timeout_ms = MIN(host->timeout_ms, PATIENCE_MS);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (screen) {
        screen_begin(&old);
    }
    all = sample_all(host, NULL);
    for (round = 0; !stopped && (!host->rounds || round < host->rounds);
         round++) {
        GPtrArray *before = all;

        pause_for(round == 0 && screen ? MIN(host->delay_ms, FIRST_MS)
                                       : host->delay_ms, screen);
        if (!stopped) {
            all = sample_all(host, before);
            g_ptr_array_unref(before);
            show(host, all, screen);
        }
        if (ferror(stdout)) {
            break;
        }
    }
    if (screen) {
        screen_end(&old);
    }
    return true;
}
