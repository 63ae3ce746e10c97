/*
 * Stands in for QEMU's header of this name: the same lists, of the C library.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef QEMU_QUEUE_H
#define QEMU_QUEUE_H

#include <sys/queue.h>

#define QLIST_HEAD(name, type)              LIST_HEAD(name, type)
#define QLIST_ENTRY(type)                   LIST_ENTRY(type)
#define QLIST_FIRST(head)                   LIST_FIRST(head)
#define QLIST_FOREACH(var, head, field)     LIST_FOREACH(var, head, field)
#define QLIST_INSERT_HEAD(head, elm, field) LIST_INSERT_HEAD(head, elm, field)
#define QLIST_REMOVE(elm, field)            LIST_REMOVE(elm, field)

#define QSIMPLEQ_HEAD(name, type)           STAILQ_HEAD(name, type)
#define QSIMPLEQ_ENTRY(type)                STAILQ_ENTRY(type)
#define QSIMPLEQ_INIT(head)                 STAILQ_INIT(head)
#define QSIMPLEQ_EMPTY(head)                STAILQ_EMPTY(head)
#define QSIMPLEQ_FIRST(head)                STAILQ_FIRST(head)
#define QSIMPLEQ_CONCAT(to, from)           STAILQ_CONCAT(to, from)
#define QSIMPLEQ_REMOVE_HEAD(head, field)   STAILQ_REMOVE_HEAD(head, field)
#define QSIMPLEQ_INSERT_HEAD(head, elm, field) \
    STAILQ_INSERT_HEAD(head, elm, field)
#define QSIMPLEQ_INSERT_TAIL(head, elm, field) \
    STAILQ_INSERT_TAIL(head, elm, field)

#endif
