/*
 * The program xen-virtfs: what its tests have in common
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_TOOL_H
#define LOOPBACK_TOOL_H

#include "fixture.h"

#define TOOL_MAX_WORDS 12

/* One call of the program. */
typedef struct ToolCall {
    Fixture *f;
    const char *words[TOOL_MAX_WORDS];
    char *out, *err;
    int status;                 /* -1: a signal */
} ToolCall;

/*
 * tool_begin: a fixture whose QEMU is not started; otherwise skips the test
 *     and returns NULL.
 * tool_call: run a ToolCall to its end; for a thread as well.
 * tool_check: assert its status, and that what it has printed has @text in it.
 * tool_run: both.
 * tool_watch: start 'xen-virtfs watch' with @qemu, or with LOOP_QEMU, as @user
 *     if there is one; its log is "watch" in the fixture's folder.
 */
Fixture *tool_begin(void);
gpointer tool_call(gpointer opaque);
void tool_check(ToolCall *call, int status, const char *text);
GPid tool_watch(Fixture *f, const char *qemu, const char *user);

#define tool_run(fixture, status, text, ...)                            \
    do {                                                                \
        ToolCall call_ = { .f = fixture, .words = { __VA_ARGS__ } };    \
        tool_call(&call_);                                              \
        tool_check(&call_, status, text);                               \
    } while (0)

/*
 * tool_share_of: the words for a share of the fixture's folder, to be freed.
 * tool_exists: whether xenstore has a node.
 * tool_started: the QEMU that the program has started for the fixture's guest,
 *     0 if there is none.
 * tool_assert_ends: wait for the end of a process that is nobody's child here.
 */
char *tool_share_of(Fixture *f, const char *tag, const char *more);
bool tool_exists(Fixture *f, const char *path);
GPid tool_started(Fixture *f);
void tool_assert_ends(GPid pid);

#endif
