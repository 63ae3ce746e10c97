// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: the transport "virtfs" of Linux's 9P client
 */
#include <linux/module.h>
#include <linux/smp.h>
#include <linux/wait.h>
#include <net/9p/9p.h>
#include <net/9p/client.h>
#include <net/9p/transport.h>
#include <xen/xen.h>

#include "virtfs.h"

/* Room for the reply to any request whose reply has no data in it */
#define VIRTFS_SMALL_REPLY	1024U
/* The same with a path and a few names, each of which has a limit */
#define VIRTFS_NAMES_REPLY	8192U
/* type[1] tag[2] fid[4] offset[8] lie between the size and the count. */
#define VIRTFS_COUNT_AT		19
/* size[4] type[1] tag[2] count[4] */
#define VIRTFS_RWRITE_SIZE	11
/* size[4] type[1] tag[2] oldtag[2] */
#define VIRTFS_OLDTAG_AT	7

/*
 * Data of this size and less are copied, where the pool has pages for them
 * that the backend keeps mapped. To grant, access and revoke a page costs more
 * than to copy it, whatever the number of pages.
 */
static unsigned int copy_max = VIRTFS_MAX_MSIZE;
module_param(copy_max, uint, 0644);
MODULE_PARM_DESC(copy_max, "Bytes of data that are copied, not granted");

/* Tflush has to arrive behind what it flushes. */
static struct virtfs_queue *virtfs_pick(struct virtfs_conn *conn,
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
 * Get all that a request needs, the ring's room first.
 *
 * Return: the transaction, until virtfs_send() or virtfs_drop(); or -EIO or
 * -ERESTARTSYS, and then there is nothing to undo.
 */
static struct virtfs_txn *virtfs_prepare(struct virtfs_conn *conn,
					 struct virtfs_queue *queue,
					 struct p9_client *client,
					 struct p9_req_t *req,
					 struct virtfs_room *room)
{
	unsigned int slots = virtfs_most_slots(conn, room);
	struct virtfs_txn *txn;
	int err;

	err = virtfs_queue_reserve(queue, slots);
	if (err)
		return ERR_PTR(err);
	txn = virtfs_txn_new(conn, client, req, room);
	if (IS_ERR(txn))
		virtfs_queue_unreserve(queue, slots);
	else
		txn->max_slots = slots;
	return txn;
}

/* It is not sent after all. */
static void virtfs_drop(struct virtfs_queue *queue, struct virtfs_txn *txn)
{
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
static int virtfs_request(struct p9_client *client, struct p9_req_t *req)
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
	queue = virtfs_pick(conn, req);
	txn = virtfs_prepare(conn, queue, client, req, &room);
	if (IS_ERR(txn)) {
		err = PTR_ERR(txn);
		goto leave;
	}
	virtfs_txn_write(txn, req->tc.sdata, req->tc.size);
	err = virtfs_txn_seal(txn, req->tc.size);
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

/* Zero copy */

/* A request whose data is @in or @out, the other being NULL */
struct virtfs_zc {
	struct iov_iter *in, *out;
	unsigned int len;
	unsigned int in_hdr_len;
	bool copy;		/* it goes through pages of the pool */
};

/*
 * The kernel's own buffers are copied. A backend that is not trusted gets no
 * page that can hold what is not its business.
 */
static bool virtfs_zc_copies(struct virtfs_conn *conn,
			     const struct virtfs_zc *zc)
{
	return conn->bounce || iov_iter_is_kvec(zc->in ?: zc->out) ||
	       (conn->persistent && zc->len <= READ_ONCE(copy_max) &&
		virtfs_pool_reserve(conn, PFN_UP(zc->len) + 2));
}

/*
 * The size in a Twrite's header is to count the data, which the client does
 * not do; the count, which is the header's end, can have become less.
 */
static void virtfs_zc_header(struct p9_req_t *req, const struct virtfs_zc *zc)
{
	u8 *head = req->tc.sdata;
	unsigned int size = req->tc.size;

	put_unaligned_le32(zc->len, head + size - sizeof(u32));
	put_unaligned_le32(size + (zc->out ? zc->len : 0), head);
}

static struct virtfs_txn *virtfs_zc_copied(struct virtfs_conn *conn,
					   struct virtfs_queue *queue,
					   struct p9_client *client,
					   struct p9_req_t *req,
					   struct virtfs_zc *zc)
{
	unsigned int size = req->tc.size;
	struct virtfs_room room = {
		.req = size,
		.rsp = zc->in_hdr_len,
		.rsp_head = zc->in_hdr_len,
		.copy_out = zc->out ? zc->len : 0,
		.copy_in = zc->in ? zc->len : 0,
	};
	struct virtfs_txn *txn;
	int err = 0;

	txn = virtfs_prepare(conn, queue, client, req, &room);
	if (IS_ERR(txn))
		return txn;
	zc->copy = true;
	zc->len = room.copy_out + room.copy_in;
	virtfs_zc_header(req, zc);
	virtfs_txn_write(txn, req->tc.sdata, size);
	if (zc->out && !virtfs_txn_write_iter(txn, size, zc->out, zc->len))
		err = -EFAULT;
	if (!err)
		err = virtfs_txn_seal(txn, size + room.copy_out);
	if (!err) {
		atomic_long_add(zc->len, &conn->stats.copied);
		return txn;
	}
	virtfs_drop(queue, txn);
	return ERR_PTR(err);
}

static struct virtfs_txn *virtfs_zc_granted(struct virtfs_conn *conn,
					    struct virtfs_queue *queue,
					    struct p9_client *client,
					    struct p9_req_t *req,
					    struct virtfs_zc *zc)
{
	struct iov_iter *iter = zc->in ?: zc->out, whole = *iter, part = *iter;
	struct virtfs_room room = {
		.req = req->tc.size,
		.rsp = zc->in_hdr_len,
	};
	struct virtfs_txn *txn;
	int err;

	iov_iter_truncate(&part, zc->len);
	room.data = iov_iter_npages(&part, conn->max_segs);
	txn = virtfs_prepare(conn, queue, client, req, &room);
	if (IS_ERR(txn))
		return txn;
	err = virtfs_txn_add_data(txn, iter, zc->len, zc->in);
	if (err > 0) {
		zc->len = err;
		virtfs_zc_header(req, zc);
		virtfs_txn_write(txn, req->tc.sdata, req->tc.size);
		err = virtfs_txn_seal(txn, req->tc.size);
	}
	if (!err) {
		atomic_long_add(zc->len, &conn->stats.granted);
		return txn;
	}
	*iter = whole;
	virtfs_drop(queue, txn);
	return ERR_PTR(err);
}

/* Data are copied where the caller's pages cannot be pinned or granted. */
static struct virtfs_txn *virtfs_zc_make(struct virtfs_conn *conn,
					 struct virtfs_queue *queue,
					 struct p9_client *client,
					 struct p9_req_t *req,
					 struct virtfs_zc *zc)
{
	struct virtfs_txn *txn = ERR_PTR(-ENOSPC);

	if (!virtfs_zc_copies(conn, zc))
		txn = virtfs_zc_granted(conn, queue, client, req, zc);
	if (txn == ERR_PTR(-ENOSPC) || txn == ERR_PTR(-ENOMEM))
		txn = virtfs_zc_copied(conn, queue, client, req, zc);
	return txn;
}

/* What of a reply is not in its header yet. */
static int virtfs_zc_finish(struct virtfs_txn *txn, struct p9_req_t *req,
			    const struct virtfs_zc *zc)
{
	unsigned int hdr = zc->in_hdr_len;
	u8 type = req->rc.sdata[4];

	if (type == P9_RERROR || type == P9_RLERROR)
		return 0;
	if (zc->out && req->rc.size >= VIRTFS_RWRITE_SIZE &&
	    get_unaligned_le32(req->rc.sdata + P9_HDRSZ) > zc->len) {
		virtfs_conn_violated(txn->conn, "has written more than it got");
		return -EIO;
	}
	if (zc->in && zc->copy && req->rc.size > hdr &&
	    !virtfs_txn_read_iter(txn, hdr, zc->in, req->rc.size - hdr))
		return -EFAULT;
	return 0;
}

static int virtfs_zc_wait(struct virtfs_queue *queue, struct virtfs_txn *txn,
			  struct p9_req_t *req, const struct virtfs_zc *zc)
{
	int err;

	err = wait_event_killable(req->wq,
				  READ_ONCE(req->status) >= REQ_STATUS_RCVD);
	/* What is copied, nobody can do later. Granted pages need nobody. */
	if (err && (!zc->copy || !zc->in || virtfs_queue_give_up(queue, txn)))
		return err;
	smp_rmb(); /* the reply is read after its status, see p9_client_cb() */
	if (READ_ONCE(req->status) != REQ_STATUS_RCVD)
		return 0;
	return virtfs_zc_finish(txn, req, zc);
}

/*
 * On an error other than -ERESTARTSYS the client forgets the request; if it
 * was not sent, there is nobody to drop the reference of the transport.
 */
static int virtfs_zc_request(struct p9_client *client, struct p9_req_t *req,
			     struct iov_iter *uidata, struct iov_iter *uodata,
			     int inlen, int outlen, int in_hdr_len)
{
	struct virtfs_conn *conn = virtfs_enter(client->trans, client);
	struct virtfs_zc zc = {
		.in = uidata,
		.out = uodata,
		.len = uidata ? inlen : outlen,
		.in_hdr_len = min_t(unsigned int, in_hdr_len,
				    VIRTFS_SMALL_REPLY),
	};
	struct virtfs_queue *queue;
	struct virtfs_txn *txn;
	int err;

	if (!conn) {
		p9_req_put(client, req);
		return -EIO;
	}
	queue = virtfs_pick(conn, req);
	txn = virtfs_zc_make(conn, queue, client, req, &zc);
	if (IS_ERR(txn)) {
		p9_req_put(client, req);
		err = PTR_ERR(txn);
		goto leave;
	}
	err = virtfs_queue_push(queue, txn);
	if (err)
		p9_req_put(client, req);
	else
		err = virtfs_zc_wait(queue, txn, req, &zc);
	virtfs_txn_put(txn);
leave:
	virtfs_leave(conn);
	return err;
}

/* Giving up */

/* Return: whether one of the queues had @req, and @give_up was done to it. */
static bool virtfs_give_up(struct p9_client *client, struct p9_req_t *req,
			   bool (*give_up)(struct virtfs_queue *queue,
					   struct p9_req_t *req))
{
	struct virtfs_conn *conn = virtfs_enter(client->trans, client);
	bool found = false;
	unsigned int i;

	if (!conn)
		return false;
	for (i = 0; i < conn->nr_queues && !found; i++)
		found = give_up(conn->queues + i, req);
	virtfs_leave(conn);
	return found;
}

/*
 * Return: 0 where there is nothing to flush, since nothing was sent or the
 * answer is there.
 */
static int virtfs_cancel(struct p9_client *client, struct p9_req_t *req)
{
	return virtfs_give_up(client, req, virtfs_queue_flush);
}

/* Rflush is there, and no answer to @req. */
static int virtfs_cancelled(struct p9_client *client, struct p9_req_t *req)
{
	virtfs_give_up(client, req, virtfs_queue_forget);
	return 0;
}

/* Mounts */

static int virtfs_create(VIRTFS_CREATE_ARGS)
{
	const char *tag = VIRTFS_CREATE_TAG;
	struct virtfs_dev *dev;

	if (!tag)
		return -EINVAL;
	dev = virtfs_dev_claim(client, tag);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	client->trans = dev;
	client->status = Connected;
	return 0;
}

static void virtfs_close(struct p9_client *client)
{
	struct virtfs_dev *dev = client->trans;

	if (!dev)
		return;
	client->status = Disconnected;
	virtfs_dev_release(dev, client);
	client->trans = NULL;
}

static struct p9_trans_module virtfs_trans = {
	.name = "virtfs",
	.maxsize = VIRTFS_MAX_MSIZE,
#ifdef VIRTFS_HAS_SUPPORTS_VMALLOC
	.supports_vmalloc = true,
#endif
	.owner = THIS_MODULE,
	.create = virtfs_create,
	.close = virtfs_close,
	.request = virtfs_request,
	.zc_request = virtfs_zc_request,
	.cancel = virtfs_cancel,
	.cancelled = virtfs_cancelled,
};

struct workqueue_struct *virtfs_wq;

static int __init virtfs_init(void)
{
	int err;

	BUILD_BUG_ON_MSG(PAGE_SIZE != XEN_PAGE_SIZE, "pages of 4 KiB only");
	if (!xen_domain())
		return -ENODEV;
	/* Freezable: nobody looks at a backend that a suspend takes away. */
	virtfs_wq = alloc_workqueue("9pnet_virtfs", WQ_UNBOUND | WQ_FREEZABLE |
				    WQ_MEM_RECLAIM, 0);
	if (!virtfs_wq)
		return -ENOMEM;
	virtfs_debugfs_init();
	v9fs_register_trans(&virtfs_trans);
	err = xenbus_register_frontend(&virtfs_driver);
	if (err) {
		v9fs_unregister_trans(&virtfs_trans);
		virtfs_debugfs_exit();
		destroy_workqueue(virtfs_wq);
	}
	return err;
}
module_init(virtfs_init);

static void __exit virtfs_exit(void)
{
	v9fs_unregister_trans(&virtfs_trans);
	xenbus_unregister_driver(&virtfs_driver);
	virtfs_debugfs_exit();
	destroy_workqueue(virtfs_wq);
}
module_exit(virtfs_exit);

MODULE_DESCRIPTION("9P over the Xen device type virtfs");
MODULE_AUTHOR("The xen-9pfs authors");
MODULE_ALIAS("xen:virtfs");
MODULE_ALIAS_9P("virtfs");
MODULE_LICENSE("GPL");
