/*
 * Stands in for QEMU's header of this name, see osdep.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef QEMU_ATOMIC_H
#define QEMU_ATOMIC_H

#define qatomic_read(ptr)   __atomic_load_n(ptr, __ATOMIC_RELAXED)
#define qatomic_set(ptr, value) __atomic_store_n(ptr, value, __ATOMIC_RELAXED)
#define qatomic_load_acquire(ptr)   __atomic_load_n(ptr, __ATOMIC_ACQUIRE)
#define qatomic_store_release(ptr, value)   \
    __atomic_store_n(ptr, value, __ATOMIC_RELEASE)
#define smp_mb()            __atomic_thread_fence(__ATOMIC_SEQ_CST)

#endif
