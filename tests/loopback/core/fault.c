/*
 * Loopback Xen: faults on demand
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm.h"

static const char *const point_names[LOOP_FAULT_POINTS] = {
    [LOOP_FAULT_GNT_OPEN] = "gntopen",
    [LOOP_FAULT_GNT_MAP] = "map",
    [LOOP_FAULT_GNT_UNMAP] = "unmap",
    [LOOP_FAULT_GNT_COPY] = "copy",
    [LOOP_FAULT_GNT_COPY_CALL] = "copycall",
    [LOOP_FAULT_GNT_MMAP] = "mmap",
    [LOOP_FAULT_EVTCHN_OPEN] = "evtopen",
    [LOOP_FAULT_EVTCHN_BIND] = "bind",
    [LOOP_FAULT_EVTCHN_NOTIFY] = "notify",
    [LOOP_FAULT_XS_READ] = "xsread",
    [LOOP_FAULT_XS_WRITE] = "xswrite",
    [LOOP_FAULT_XS_TX_WRITE] = "xstxwrite",
    [LOOP_FAULT_XS_END] = "xsend",
};

int loop_fault_set(Loop *loop, const LoopFault *fault)
{
    LoopShm *shm = loop->shm;
    int i;

    loop_lock(loop);
    for (i = 0; i < LOOP_MAX_FAULTS; i++) {
        if (!shm->faults[i].armed) {
            break;
        }
    }
    if (i < LOOP_MAX_FAULTS) {
        shm->faults[i].rule = *fault;
        shm->faults[i].seen = 0;
        shm->faults[i].hits = 0;
        atomic_store(&shm->faults[i].armed, 1);
        atomic_fetch_add(&shm->faults_armed, 1);
    }
    loop_unlock(loop);
    return i < LOOP_MAX_FAULTS ? i : -ENOSPC;
}

void loop_fault_clear(Loop *loop, int number)
{
    LoopShm *shm = loop->shm;
    int i;

    for (i = 0; i < LOOP_MAX_FAULTS; i++) {
        if (number >= 0 && number != i) {
            continue;
        }
        if (atomic_exchange(&shm->faults[i].armed, 0)) {
            atomic_fetch_sub(&shm->faults_armed, 1);
        }
    }
}

uint32_t loop_fault_hits(Loop *loop, int number)
{
    return number < 0 || number >= LOOP_MAX_FAULTS ?
           0 : atomic_load(&loop->shm->faults[number].hits);
}

static bool rule_hits(LoopFaultRec *rec, LoopFaultPoint point, domid_t domid,
                      pid_t pid)
{
    uint32_t first, seen;

    if (!atomic_load(&rec->armed) || rec->rule.point != point ||
        (rec->rule.domid >= 0 && rec->rule.domid != domid) ||
        (rec->rule.pid && rec->rule.pid != pid)) {
        return false;
    }
    seen = atomic_fetch_add(&rec->seen, 1) + 1;
    first = rec->rule.nth ? rec->rule.nth : 1;
    return seen >= first &&
           (!rec->rule.times || seen - first < rec->rule.times);
}

bool loop_fault(Loop *loop, LoopFaultPoint point, domid_t domid,
                LoopFault *out)
{
    LoopShm *shm = loop->shm;
    int i;

    if (!atomic_load_explicit(&shm->faults_armed, memory_order_relaxed)) {
        return false;
    }
    for (i = 0; i < LOOP_MAX_FAULTS; i++) {
        if (rule_hits(&shm->faults[i], point, domid,
                      shm->procs[loop->proc].pid)) {
            *out = shm->faults[i].rule;
            atomic_fetch_add(&shm->faults[i].hits, 1);
            if (out->delay_us && point != LOOP_FAULT_EVTCHN_NOTIFY) {
                usleep(out->delay_us);
            }
            return true;
        }
    }
    return false;
}

int loop_fault_errno(Loop *loop, LoopFaultPoint point, domid_t domid)
{
    LoopFault fault;

    return loop_fault(loop, point, domid, &fault) ? fault.error : 0;
}

/* A whole text that is a number, in C's notation. */
static bool parse_number(const char *text, long *number)
{
    char more;

    return sscanf(text, "%li%c", number, &more) == 1;
}

static bool set_key(LoopFault *fault, const char *key, long value)
{
    if (!strcmp(key, "nth")) {
        fault->nth = value;
    } else if (!strcmp(key, "times")) {
        fault->times = value;
    } else if (!strcmp(key, "op")) {
        fault->op = value;
    } else if (!strcmp(key, "error")) {
        fault->error = value;
    } else if (!strcmp(key, "delay")) {
        fault->delay_us = value;
    } else if (!strcmp(key, "repeat")) {
        fault->repeat = value;
    } else if (!strcmp(key, "lose")) {
        fault->lose = value;
    } else {
        return false;
    }
    return true;
}

/* Parse one rule, which is cut up on the way. */
static bool parse_rule(char *text, LoopFault *fault)
{
    char *keys = strchr(text, ':'), *at, *key, *value, *save;
    long number;
    int i;

    *fault = loop_fault_rule(LOOP_FAULT_NONE, 0);
    if (keys) {
        *keys++ = '\0';
    }
    at = strchr(text, '@');
    if (at) {
        *at++ = '\0';
        if (!parse_number(at, &number)) {
            return false;
        }
        fault->domid = number;
    }
    for (i = 1; i < LOOP_FAULT_POINTS; i++) {
        if (!strcmp(text, point_names[i])) {
            fault->point = i;
        }
    }
    for (key = keys ? strtok_r(keys, ",", &save) : NULL; key;
         key = strtok_r(NULL, ",", &save)) {
        value = strchr(key, '=');
        if (!value) {
            return false;
        }
        *value++ = '\0';
        if (!parse_number(value, &number) || !set_key(fault, key, number)) {
            return false;
        }
    }
    return fault->point != LOOP_FAULT_NONE;
}

int loop_fault_parse(Loop *loop, const char *text)
{
    char *copy = strdup(text), *rule, *save;
    LoopFault fault;
    int ret = copy ? 0 : -ENOMEM;

    for (rule = copy ? strtok_r(copy, ";", &save) : NULL; rule && ret >= 0;
         rule = strtok_r(NULL, ";", &save)) {
        ret = parse_rule(rule, &fault) ? loop_fault_set(loop, &fault)
                                       : -EINVAL;
    }
    free(copy);
    return ret < 0 ? ret : 0;
}
