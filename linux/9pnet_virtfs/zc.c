// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: requests whose data lie with their caller, "zero copy"
 * for the 9P client
 *
 * A page of the caller can be one of a file of this very mount, which is there
 * only after another request. So nobody waits for a page fault, or for the
 * lock of an address space, who has room in the ring, or the last pages of the
 * pool. Pages that are granted are asked for before all else. Where one of
 * those that are copied is not there, all is given back, they are asked for,
 * and it begins again; if they have gone by then, a few bytes go with the
 * message itself. (Linux 6.12 asks for them before this is reached, 6.1 does
 * not.)
 */
#include <linux/moduleparam.h>
#include <linux/wait.h>

#include "virtfs.h"

/* size[4] type[1] tag[2] count[4] */
#define VIRTFS_RWRITE_SIZE	11

/*
 * Data of this size and less are copied, where the pool has pages for them
 * that the backend keeps mapped. To grant, access and revoke a page costs more
 * than to copy it, whatever the number of pages.
 */
static unsigned int copy_max = VIRTFS_MAX_MSIZE;
module_param(copy_max, uint, 0644);
MODULE_PARM_DESC(copy_max, "Bytes of data that are copied, not granted");

/* A request whose data is @in or @out, the other being NULL */
struct virtfs_zc {
	struct virtfs_conn *conn;
	struct virtfs_queue *queue;
	struct p9_client *client;
	struct p9_req_t *req;
	struct iov_iter *in, *out;
	unsigned int in_hdr_len;
	unsigned int wanted;	/* bytes of data */
	unsigned int len;	/* of these, what goes with this request */
	bool copy;		/* they go through pages of the pool */
	bool faulted;		/* the caller's pages have been asked for */
	unsigned int done;	/* bytes that the caller has got */
	unsigned int late;	/* bytes for it behind the reply's header */
};

/*
 * The kernel's own buffers are copied. A backend that is not trusted gets no
 * page that can hold what is not its business.
 */
static bool virtfs_zc_copies(const struct virtfs_zc *zc)
{
	struct virtfs_conn *conn = zc->conn;

	return conn->bounce || iov_iter_is_kvec(zc->in ?: zc->out) ||
	       (conn->persistent && zc->wanted <= READ_ONCE(copy_max) &&
		virtfs_pool_reserve(conn, PFN_UP(zc->wanted) + 2));
}

/*
 * The size in a Twrite's header is to count the data, which the client does
 * not do; the count, which is the header's end, can have become less.
 */
static void virtfs_zc_header(const struct virtfs_zc *zc)
{
	u8 *head = zc->req->tc.sdata;
	unsigned int size = zc->req->tc.size;

	put_unaligned_le32(zc->len, head + size - sizeof(u32));
	put_unaligned_le32(size + (zc->out ? zc->len : 0), head);
}

/* Its message is to have @inline_len bytes of data behind the header. */
static int virtfs_zc_seal(struct virtfs_zc *zc, struct virtfs_txn *txn,
			  unsigned int inline_len, unsigned int len)
{
	virtfs_zc_header(zc);
	virtfs_txn_write(txn, zc->req->tc.sdata,
			 zc->req->tc.size + inline_len);
	return virtfs_txn_seal(txn, zc->req->tc.size + len);
}

static struct virtfs_txn *virtfs_zc_new(const struct virtfs_zc *zc,
					const struct virtfs_room *room)
{
	return virtfs_txn_new(zc->conn, zc->client, zc->req, room);
}

/* Whether what there is of the data is worth to be sent */
static bool virtfs_zc_enough(const struct virtfs_zc *zc, unsigned int room)
{
	return zc->len == room || (zc->len && zc->faulted);
}

/* Return: a transaction, or an error; -EFAULT: wait for the caller's pages. */
static struct virtfs_txn *virtfs_zc_copied(struct virtfs_zc *zc)
{
	unsigned int size = zc->req->tc.size;
	struct virtfs_room room = {
		.req = size,
		.rsp = zc->in_hdr_len,
		.rsp_head = zc->in_hdr_len,
		.copy_out = zc->out ? zc->wanted : 0,
		.copy_in = zc->in ? zc->wanted : 0,
	};
	struct virtfs_txn *txn;
	struct iov_iter whole;
	int err;

	txn = virtfs_zc_new(zc, &room);
	if (IS_ERR(txn))
		return txn;
	err = virtfs_prepare(zc->queue, txn, &room);
	if (err)
		goto drop;
	zc->copy = true;
	zc->len = room.copy_out + room.copy_in;
	if (zc->out) {
		whole = *zc->out;
		zc->len = virtfs_txn_write_iter(txn, size, zc->out, zc->len);
	}
	err = -EFAULT;
	if (virtfs_zc_enough(zc, room.copy_out + room.copy_in))
		err = virtfs_zc_seal(zc, txn, 0, zc->out ? zc->len : 0);
	if (!err) {
		atomic_long_add(zc->len, &zc->conn->stats.copied);
		return txn;
	}
	if (zc->out)
		*zc->out = whole;
drop:
	virtfs_drop(zc->queue, txn);
	return ERR_PTR(err);
}

/* The same with the caller's own pages; -ENOSPC: they cannot be granted. */
static struct virtfs_txn *virtfs_zc_granted(struct virtfs_zc *zc)
{
	struct iov_iter *iter = zc->in ?: zc->out, whole = *iter, part = *iter;
	struct virtfs_room room = {
		.req = zc->req->tc.size,
		.rsp = zc->in_hdr_len,
	};
	struct virtfs_txn *txn;
	int err;

	iov_iter_truncate(&part, zc->wanted);
	room.data = iov_iter_npages(&part, zc->conn->max_segs);
	txn = virtfs_zc_new(zc, &room);
	if (IS_ERR(txn))
		return txn;
	zc->copy = false;
	err = virtfs_txn_add_data(txn, iter, zc->wanted, zc->in);
	if (err > 0) {
		zc->len = err;
		room.data = txn->nr_data;
		err = virtfs_prepare(zc->queue, txn, &room) ?:
		      virtfs_txn_grant(txn) ?:
		      virtfs_zc_seal(zc, txn, 0, 0);
	}
	if (!err) {
		atomic_long_add(zc->len, &zc->conn->stats.granted);
		return txn;
	}
	*iter = whole;
	virtfs_drop(zc->queue, txn);
	return ERR_PTR(err);
}

/* Data are copied where the caller's pages cannot be pinned or granted. */
static struct virtfs_txn *virtfs_zc_try(struct virtfs_zc *zc)
{
	struct virtfs_txn *txn = ERR_PTR(-ENOSPC);

	if (!virtfs_zc_copies(zc))
		txn = virtfs_zc_granted(zc);
	if (txn == ERR_PTR(-ENOSPC) || txn == ERR_PTR(-ENOMEM) ||
	    (txn == ERR_PTR(-EFAULT) && zc->faulted))
		txn = virtfs_zc_copied(zc);
	return txn;
}

/* A few bytes of a write, in the request's own buffer */
static struct virtfs_txn *virtfs_zc_inline(struct virtfs_zc *zc)
{
	struct p9_fcall *tc = &zc->req->tc;
	struct virtfs_room room = { .rsp = zc->in_hdr_len };
	struct virtfs_txn *txn;
	int err;

	zc->len = copy_from_iter(tc->sdata + tc->size,
				 min_t(size_t, zc->wanted,
				       tc->capacity - tc->size), zc->out);
	if (!zc->len)
		return ERR_PTR(-EFAULT);
	room.req = tc->size + zc->len;
	txn = virtfs_zc_new(zc, &room);
	if (IS_ERR(txn))
		return txn;
	err = virtfs_prepare(zc->queue, txn, &room) ?:
	      virtfs_zc_seal(zc, txn, zc->len, zc->len);
	if (!err)
		return txn;
	virtfs_drop(zc->queue, txn);
	return ERR_PTR(err);
}

static struct virtfs_txn *virtfs_zc_make(struct virtfs_zc *zc)
{
	struct virtfs_txn *txn = virtfs_zc_try(zc);

	if (txn != ERR_PTR(-EFAULT))
		return txn;
	zc->faulted = true;
	if (zc->out)
		fault_in_iov_iter_readable(zc->out, zc->wanted);
	else
		fault_in_iov_iter_writeable(zc->in, zc->wanted);
	txn = virtfs_zc_try(zc);
	if (txn == ERR_PTR(-EFAULT) && zc->out)
		txn = virtfs_zc_inline(zc);
	return txn;
}

/* Copy the reply's data, with what has to be waited for as late as can be. */
static void virtfs_zc_take(struct virtfs_zc *zc, struct virtfs_txn *txn)
{
	struct p9_fcall *rc = &zc->req->rc;
	unsigned int hdr = zc->in_hdr_len, len = rc->size - hdr;
	unsigned int kept = txn->buf[0]->kept ? txn->nr_buf : 0;

	pagefault_disable();
	zc->done = virtfs_txn_read_iter(txn, hdr, zc->in, len);
	pagefault_enable();
	if (zc->done < len && virtfs_pool_lend(zc->conn, kept)) {
		zc->done += virtfs_txn_read_iter(txn, hdr + zc->done, zc->in,
						 len - zc->done);
		virtfs_pool_unlend(zc->conn, kept);
	}
	zc->late = min_t(size_t, len - zc->done, rc->capacity - hdr);
	virtfs_txn_read(txn, hdr + zc->done, rc->sdata + hdr, zc->late);
}

/* The transaction has gone, the reply's beginning is still there. */
static int virtfs_zc_take_late(struct virtfs_zc *zc)
{
	u8 *head = zc->req->rc.sdata;

	zc->done += copy_to_iter(head + zc->in_hdr_len, zc->late, zc->in);
	if (!zc->done)
		return -EFAULT;
	put_unaligned_le32(zc->done, head + P9_HDRSZ);
	return 0;
}

/* What of a reply is not in its header yet. */
static int virtfs_zc_finish(struct virtfs_zc *zc, struct virtfs_txn *txn)
{
	struct p9_fcall *rc = &zc->req->rc;
	u8 type = rc->sdata[4];

	if (type == P9_RERROR || type == P9_RLERROR)
		return 0;
	if (zc->out && rc->size >= VIRTFS_RWRITE_SIZE &&
	    get_unaligned_le32(rc->sdata + P9_HDRSZ) > zc->len) {
		virtfs_conn_violated(zc->conn, "has written more than it got");
		return -EIO;
	}
	if (zc->in && zc->copy && rc->size > zc->in_hdr_len)
		virtfs_zc_take(zc, txn);
	return 0;
}

static int virtfs_zc_wait(struct virtfs_zc *zc, struct virtfs_txn *txn)
{
	struct p9_req_t *req = zc->req;
	int err;

	err = wait_event_killable(req->wq,
				  READ_ONCE(req->status) >= REQ_STATUS_RCVD);
	/* What is copied, nobody can do later. Granted pages need nobody. */
	if (err && (!zc->copy || !zc->in ||
		    virtfs_queue_give_up(zc->queue, txn)))
		return err;
	smp_rmb(); /* the reply is read after its status, see p9_client_cb() */
	if (READ_ONCE(req->status) != REQ_STATUS_RCVD)
		return 0;
	return virtfs_zc_finish(zc, txn);
}

static int virtfs_zc_send(struct virtfs_zc *zc)
{
	struct virtfs_txn *txn = virtfs_zc_make(zc);
	int err;

	if (IS_ERR(txn)) {
		p9_req_put(zc->client, zc->req);
		return PTR_ERR(txn);
	}
	err = virtfs_queue_push(zc->queue, txn);
	if (err)
		p9_req_put(zc->client, zc->req);
	else
		err = virtfs_zc_wait(zc, txn);
	virtfs_txn_put(txn);
	return err ?: zc->late ? virtfs_zc_take_late(zc) : 0;
}

/*
 * On an error other than -ERESTARTSYS the client forgets the request; if it
 * was not sent, there is nobody to drop the reference of the transport. How
 * much data there are is the end of the message: that of a write which is one
 * of several, is told otherwise as that of all of them.
 */
int virtfs_zc_request(struct p9_client *client, struct p9_req_t *req,
		      struct iov_iter *uidata, struct iov_iter *uodata,
		      int inlen, int outlen, int in_hdr_len)
{
	struct virtfs_zc zc = {
		.conn = virtfs_enter(client->trans, client),
		.client = client,
		.req = req,
		.in = uidata,
		.out = uodata,
		.wanted = get_unaligned_le32(req->tc.sdata + req->tc.size -
					     sizeof(u32)),
		.in_hdr_len = min_t(unsigned int, in_hdr_len,
				    VIRTFS_SMALL_REPLY),
	};
	int err;

	if (!zc.conn) {
		p9_req_put(client, req);
		return -EIO;
	}
	zc.queue = virtfs_pick(zc.conn, req);
	err = virtfs_zc_send(&zc);
	virtfs_leave(zc.conn);
	return err;
}
