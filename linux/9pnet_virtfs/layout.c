// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: how many pages and slots a transaction needs, and where
 * its parts are in these pages
 */
#include <linux/align.h>
#include <linux/minmax.h>
#include <linux/mm.h>

#include "virtfs.h"

/* Up to so many have a slot each: the backend has to fetch a page of them. */
#define VIRTFS_DIRECT_SEGS	32U
/* Between request and response, where both are in one page. */
#define VIRTFS_RSP_ALIGN	64

/* Whether so many segments are described in a page of their own */
bool virtfs_is_indirect(const struct virtfs_conn *conn, unsigned int count)
{
	return count > VIRTFS_DIRECT_SEGS && count <= conn->max_indirect;
}

struct virtfs_layout virtfs_layout(const struct virtfs_conn *conn,
				   const struct virtfs_room *room)
{
	unsigned int req = room->req + room->copy_out;
	unsigned int rsp = room->rsp + room->copy_in, end;
	struct virtfs_layout at;

	at.rsp_at = ALIGN(req, VIRTFS_RSP_ALIGN);
	/* Data begin with a page, as they do in a file: copying is faster. */
	if (offset_in_page(at.rsp_at) + rsp > PAGE_SIZE)
		at.rsp_at = PAGE_ALIGN(at.rsp_at + room->rsp_head) -
			    room->rsp_head;
	end = at.rsp_at + rsp;
	at.tables_at = PFN_UP(end);
	at.pages = at.tables_at + virtfs_is_indirect(conn, PFN_UP(req)) +
		   virtfs_is_indirect(conn, PFN_UP(end) - PFN_DOWN(at.rsp_at)) +
		   virtfs_is_indirect(conn, room->data);
	return at;
}

/* Make @room fit @pages; data are cut where a page ends. */
struct virtfs_layout virtfs_shorten(const struct virtfs_conn *conn,
				    struct virtfs_room *room,
				    unsigned int pages)
{
	unsigned int *data = room->copy_out ? &room->copy_out : &room->copy_in;
	struct virtfs_layout at = virtfs_layout(conn, room);

	while (at.pages > pages) {
		*data -= offset_in_page(*data) ?: PAGE_SIZE;
		at = virtfs_layout(conn, room);
	}
	return at;
}

/* With as little data as it makes sense to send. */
unsigned int virtfs_least_pages(const struct virtfs_conn *conn,
				const struct virtfs_room *room)
{
	struct virtfs_room least = *room;

	least.copy_out = min_t(unsigned int, room->copy_out, PAGE_SIZE);
	least.copy_in = min_t(unsigned int, room->copy_in, PAGE_SIZE);
	return virtfs_layout(conn, &least).pages;
}

/* So many at most, for @count segments or fewer. */
static unsigned int virtfs_run_slots(const struct virtfs_conn *conn,
				     unsigned int count)
{
	return count > conn->max_indirect ? count :
	       min(count, VIRTFS_DIRECT_SEGS);
}

/* Slots that a transaction needs at the most */
unsigned int virtfs_most_slots(const struct virtfs_conn *conn,
			       const struct virtfs_room *room)
{
	struct virtfs_layout at = virtfs_layout(conn, room);
	unsigned int slots;

	slots = virtfs_run_slots(conn, PFN_UP(room->req + room->copy_out)) +
		virtfs_run_slots(conn, at.tables_at - PFN_DOWN(at.rsp_at)) +
		virtfs_run_slots(conn, room->data);
	return min(slots, RING_SIZE(&conn->queues[0].ring));
}
