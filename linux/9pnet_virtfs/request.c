// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: requests without data that belong to somebody else, and
 * what they have in common with others
 */
#include <linux/smp.h>

#include "virtfs.h"

/* The same with a path and a few names, each of which has a limit */
#define VIRTFS_NAMES_REPLY	8192U
/* type[1] tag[2] fid[4] offset[8] lie between the size and the count. */
#define VIRTFS_COUNT_AT		19
/* size[4] type[1] tag[2] oldtag[2] */
#define VIRTFS_OLDTAG_AT	7

/* Tflush has to arrive behind what it flushes. */
struct virtfs_queue *virtfs_pick(struct virtfs_conn *conn,
				 const struct p9_req_t *req)
{
	unsigned int i;
	u16 oldtag;

	if (req->tc.sdata[4] == P9_TFLUSH) {
		oldtag = get_unaligned_le16(req->tc.sdata + VIRTFS_OLDTAG_AT);
		for (i = 0; i < conn->nr_queues; i++)
			if (virtfs_queue_has_tag(conn->queues + i, oldtag))
				return conn->queues + i;
	}
	return conn->queues + raw_smp_processor_id() % conn->nr_queues;
}

/*
 * Get all that a request needs, the ring's room first: nobody has pages of the
 * pool who waits for the ring.
 *
 * Return: 0, until virtfs_queue_push(); -EIO or -ERESTARTSYS. Unless it is
 * pushed, virtfs_drop() comes next.
 */
int virtfs_prepare(struct virtfs_queue *queue, struct virtfs_txn *txn,
		   struct virtfs_room *room)
{
	unsigned int slots = virtfs_most_slots(txn->conn, room);
	int err = virtfs_queue_reserve(queue, slots);

	if (err)
		return err;
	txn->max_slots = slots;
	return virtfs_txn_get_pages(txn, room);
}

/* It is not sent after all. */
void virtfs_drop(struct virtfs_queue *queue, struct virtfs_txn *txn)
{
	if (txn->max_slots)
		virtfs_queue_unreserve(queue, txn->max_slots);
	virtfs_txn_put(txn);
}

/* The reply is not longer. What 9P leaves open is the client's guess. */
static unsigned int virtfs_reply_room(const struct p9_req_t *req)
{
	unsigned int room = VIRTFS_SMALL_REPLY;

	switch (req->tc.sdata[4]) {
	case P9_TREAD:
	case P9_TREADDIR:
		room += get_unaligned_le32(req->tc.sdata + VIRTFS_COUNT_AT);
		break;
	case P9_TSTAT:
	case P9_TREADLINK:
		room = VIRTFS_NAMES_REPLY;
		break;
	}
	return min_t(size_t, room, req->rc.capacity);
}

/* Any other error than -ERESTARTSYS ends the client's session. */
int virtfs_request(struct p9_client *client, struct p9_req_t *req)
{
	struct virtfs_conn *conn = virtfs_enter(client->trans, client);
	struct virtfs_room room = {
		.req = req->tc.size,
		.rsp = virtfs_reply_room(req),
	};
	struct virtfs_queue *queue;
	struct virtfs_txn *txn;
	int err;

	if (!conn)
		return -EIO;
	txn = virtfs_txn_new(conn, client, req, &room);
	if (IS_ERR(txn)) {
		err = PTR_ERR(txn);
		goto leave;
	}
	queue = virtfs_pick(conn, req);
	err = virtfs_prepare(queue, txn, &room);
	if (!err) {
		virtfs_txn_write(txn, req->tc.sdata, req->tc.size);
		err = virtfs_txn_seal(txn, req->tc.size);
	}
	if (err) {
		virtfs_drop(queue, txn);
		goto leave;
	}
	err = virtfs_queue_push(queue, txn);
	virtfs_txn_put(txn);
leave:
	virtfs_leave(conn);
	return err;
}
