/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 9P over Xen virtfs: where kernels from 6.1 on differ. The Makefile looks for
 * what it names VIRTFS_HAS_... in the kernel's headers, whatever their version.
 */
#ifndef _9PNET_VIRTFS_COMPAT_H
#define _9PNET_VIRTFS_COMPAT_H

#include <linux/fs_context.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/uidgid.h>
#include <linux/uio.h>
#include <net/9p/9p.h>
#include <net/9p/client.h>
#include <xen/xenbus.h>

#ifdef VIRTFS_HAS_UNALIGNED
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

/* The arguments of p9_trans_module.create(), and the name to be mounted */
#ifdef VIRTFS_HAS_FS_CONTEXT
#define VIRTFS_CREATE_ARGS	struct p9_client *client, struct fs_context *fc
#define VIRTFS_CREATE_TAG	(fc->source)
#else
#define VIRTFS_CREATE_ARGS \
	struct p9_client *client, const char *devname, char *args
#define VIRTFS_CREATE_TAG	(devname)
#endif

static inline enum xenbus_state
virtfs_otherend_state(const struct xenbus_device *xdev)
{
#ifdef VIRTFS_HAS_STATE_OF_DEVICE
	return xenbus_read_driver_state(xdev, xdev->otherend);
#else
	return xenbus_read_driver_state(xdev->otherend);
#endif
}

/* The kernel's pages. Return: whether they can have references. */
static inline bool virtfs_hold_pages(struct page **pages, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (!sendpage_ok(pages[i]))
			return false;
	for (i = 0; i < count; i++)
		get_page(pages[i]);
	return true;
}

/*
 * The next pages of @iter, each pinned or with a reference; -ENOSPC where
 * that cannot be, as of memory from kmalloc().
 */
static inline ssize_t virtfs_get_pages(struct iov_iter *iter,
				       struct page **pages, size_t len,
				       unsigned int max, size_t *offset)
{
#ifdef VIRTFS_HAS_EXTRACT_PAGES
	ssize_t got = iov_iter_extract_pages(iter, &pages, len, max, 0, offset);

	if (got > 0 && !user_backed_iter(iter) &&
	    !virtfs_hold_pages(pages, DIV_ROUND_UP(*offset + got, PAGE_SIZE)))
		return -ENOSPC;
	return got;
#else
	return iov_iter_get_pages2(iter, pages, len, max, offset);
#endif
}

/*
 * Back to their owner; @dirty: they have been written to. The kernel's own can
 * be locked, and it knows what it has had written to.
 */
static inline void virtfs_put_pages(struct page **pages, unsigned int count,
				    bool user, bool dirty)
{
	unsigned int i;

#ifdef VIRTFS_HAS_EXTRACT_PAGES
	if (user) {
		unpin_user_pages_dirty_lock(pages, count, dirty);
		return;
	}
#endif
	for (i = 0; i < count; i++) {
		if (user && dirty)
			set_page_dirty_lock(pages[i]);
		put_page(pages[i]);
	}
}

#endif
