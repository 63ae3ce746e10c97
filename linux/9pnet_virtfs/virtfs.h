/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 9P over the Xen device type "virtfs": what the files of this module know of
 * each other.
 *
 *   main.c    the transport, for the 9P client
 *   request.c its requests
 *   zc.c      those with data of somebody else
 *   xenbus.c  the handshake with the backend
 *   device.c  a device as mounts see it
 *   conn.c    a connection, and who uses it
 *   queue.c   a ring with its event channel, the transactions in flight
 *   txn.c     one transaction: its segments, from request to reply
 *   layout.c  what a transaction needs
 *   pool.c    pages that stay granted
 *   debugfs.c what can be looked at
 *
 * A connection is what lies between the frontend's states Initialised and
 * Closed. Queues, pool and transactions belong to it: they live for as long
 * as the backend may touch them or a task uses them, whatever happens to the
 * mount that used them, and to the device.
 */
#ifndef _9PNET_VIRTFS_H
#define _9PNET_VIRTFS_H

#include <linux/bitmap.h>
#include <linux/cpumask.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <xen/grant_table.h>
#include <xen/page.h>

#include "compat.h"
#include "hw/xen/io/virtfs.h"

#define VIRTFS_MAX_QUEUES	4U
/* Room for the reply to any request whose reply has no data in it */
#define VIRTFS_SMALL_REPLY	1024U
/* Requests in flight in one queue; the 9P servers we know take 128 in all. */
#define VIRTFS_MAX_TXNS		128U
/*
 * Pages that a pool keeps, at most this part of the memory. Beyond them they
 * come and go with their request.
 */
#define VIRTFS_POOL_SHARE	256UL
#define VIRTFS_POOL_LEAST	64UL
#define VIRTFS_POOL_PAGES	1024UL
/* Pages that each connection has from its beginning, see virtfs_pool_get() */
#define VIRTFS_POOL_RESERVE	16U
/* What one page of descriptors can say, less one page for the header. */
#define VIRTFS_MAX_MSIZE \
	((XEN_VIRTFSIF_SEGMENTS_PER_PAGE - 1) * XEN_VIRTFSIF_PAGE_SIZE)

enum virtfs_state {
	VIRTFS_IDLE,		/* waits for the backend to be in InitWait */
	VIRTFS_SETUP,		/* has told the backend of its rings */
	VIRTFS_UP,		/* can be mounted, or is */
	VIRTFS_DOWN,		/* over; the backend may still hold pages */
	VIRTFS_CLOSED,		/* waits for nothing: of no use any more */
};

/* A page of the pool, granted for writing. */
struct virtfs_page {
	struct list_head list;
	void *va;
	grant_ref_t gref;
	bool kept;		/* until the connection ends */
	bool ended;		/* it is not granted any more */
};

struct virtfs_pool {
	struct mutex line;	/* of those that wait for pages */
	wait_queue_head_t returned;

	spinlock_t lock;	/* of all below */
	struct list_head free;
	unsigned int nr_free;
	unsigned int kept;	/* free or not */
	unsigned int lent;	/* of these, see virtfs_pool_lend() */
	unsigned int max_kept;
	/* All pages that are granted, the caller's and those kept included */
	unsigned int granted;
	unsigned int max_granted;
};

struct virtfs_txn;

struct virtfs_queue {
	struct virtfs_conn *conn;
	void *pages;		/* of the ring */
	grant_ref_t grefs[XENBUS_MAX_RING_GRANTS];
	evtchn_port_t evtchn;
	int irq;
	struct cpumask cpus;	/* whose requests go here */

	struct mutex turn;	/* whose request is the next for the ring */
	wait_queue_head_t room;

	spinlock_t lock;	/* of all below */
	struct xen_virtfsif_front_ring ring;
	bool broken;
	unsigned int reserved;	/* slots, for requests that are being made */
	unsigned int reserved_ids;
	DECLARE_BITMAP(ids, VIRTFS_MAX_TXNS);
	struct virtfs_txn *txns[VIRTFS_MAX_TXNS];
};

/* What happened in a connection, for debugfs */
struct virtfs_stats {
	atomic_long_t requests;
	atomic_long_t copied;		/* bytes of data, and granted ones */
	atomic_long_t granted;
	atomic_long_t shortened;	/* requests, for want of pages */
	atomic_long_t waited;		/* for pages or grants */
};

struct virtfs_conn {
	struct kref ref;	/* of the device and of each virtfs_enter() */
	struct virtfs_dev *dev;
	domid_t domid;
	struct p9_client *client;	/* the one mount; under the gate */

	unsigned int ring_order;
	unsigned int max_indirect;	/* segments; 0: no indirect slots */
	bool persistent;
	bool bounce;			/* the backend sees no page but ours */
	unsigned int max_segs;		/* in one direction of a transaction */
	unsigned int max_msize;
	unsigned int nr_queues;
	struct virtfs_queue queues[VIRTFS_MAX_QUEUES];
	struct virtfs_pool pool;
	struct virtfs_stats stats;
	struct work_struct fail_work;
	struct work_struct reap_work;
	struct work_struct free_work;
	struct llist_head dead;
};

struct virtfs_dev {
	struct list_head list;
	struct kref ref;
	char *tag;
	struct xenbus_device *xdev;
	struct dentry *debugfs;

	struct mutex lock;	/* of all changes of state */
	enum virtfs_state state;
	bool again;		/* a new connection is to follow this one */
	bool removed;		/* xenbus has let go of it */
	bool announced;		/* to udev */
	wait_queue_head_t changed;
	struct delayed_work work;	/* sees what the backend's state is */

	spinlock_t gate;	/* of the connection, see virtfs_enter() */
	struct virtfs_conn *conn;
};

/* Segments of a transaction that can share an indirect slot. */
struct virtfs_run {
	u16 flags;
	u16 first;
	u16 count;
	struct virtfs_page *table;	/* of descriptors; NULL: direct */
};

#define VIRTFS_MAX_RUNS	4

/*
 * A transaction. The ring has a reference to it for as long as its slots are
 * there, a zero-copy caller another. Its pages go with the last.
 */
struct virtfs_txn {
	refcount_t ref;
	struct llist_node dead;
	struct virtfs_conn *conn;
	struct p9_client *client;

	/* Under the queue's lock, when it is on a queue: */
	struct p9_req_t *req;	/* NULL once it has been answered or given up */
	bool flushed;		/* Tflush is on its way */
	bool given_up;		/* nobody is left to take its data */
	int status;
	u16 id;
	u16 answered;		/* slots */

	/*
	 * Pages of the pool: request and response, or their headers, then those
	 * for descriptors
	 */
	struct virtfs_page **buf;
	unsigned int nr_buf;
	unsigned int tables_at;
	unsigned int rsp_at;	/* offset of the response */
	unsigned int rsp_len;
	unsigned int rc_len;	/* how much of it the client gets in req->rc */

	/* Pages of the caller, granted by the first segments */
	struct page **data;
	unsigned int max_data;
	unsigned int nr_data;
	unsigned int nr_charged;
	unsigned int nr_granted;
	unsigned int data_len;
	bool busy;		/* the backend kept what it was done with */
	bool data_in;		/* for the backend to write */
	bool data_user;

	u16 max_slots;		/* that it has reserved */
	u16 nr_slots;
	u16 nr_runs;
	unsigned int nr_segs;
	struct virtfs_run run[VIRTFS_MAX_RUNS];
	struct xen_virtfsif_segment seg[];
};

/* What a transaction has room for. */
struct virtfs_room {
	unsigned int req;	/* the request, or its header */
	unsigned int rsp;	/* the response, or its header */
	unsigned int rsp_head;	/* how much of that lies before data, if any */
	unsigned int copy_out;	/* data behind the request: can be less */
	unsigned int copy_in;	/* data behind the response: can be less */
	unsigned int data;	/* pages of the caller */
};

/* Where the parts of a transaction are in pages of the pool */
struct virtfs_layout {
	unsigned int rsp_at;
	unsigned int tables_at;
	unsigned int pages;
};

/* request.c */
struct virtfs_queue *virtfs_pick(struct virtfs_conn *conn,
				 const struct p9_req_t *req);
int virtfs_prepare(struct virtfs_queue *queue, struct virtfs_txn *txn,
		   struct virtfs_room *room);
void virtfs_drop(struct virtfs_queue *queue, struct virtfs_txn *txn);
int virtfs_request(struct p9_client *client, struct p9_req_t *req);

/* zc.c */
int virtfs_zc_request(struct p9_client *client, struct p9_req_t *req,
		      struct iov_iter *uidata, struct iov_iter *uodata,
		      int inlen, int outlen, int in_hdr_len);

/* xenbus.c */
extern struct xenbus_driver virtfs_driver;
extern struct workqueue_struct *virtfs_wq;

/* device.c */
struct virtfs_dev *virtfs_dev_new(struct xenbus_device *xdev);
void virtfs_dev_get(struct virtfs_dev *dev);
void virtfs_dev_put(struct virtfs_dev *dev);
void virtfs_dev_gone(struct virtfs_dev *dev);
void virtfs_dev_name(struct virtfs_dev *dev, char *tag);
ssize_t virtfs_dev_tag(struct virtfs_dev *dev, char *to);
void virtfs_set_state(struct virtfs_dev *dev, enum virtfs_state state);
bool virtfs_is_mounted(struct virtfs_dev *dev);
void virtfs_down(struct virtfs_dev *dev);
struct virtfs_dev *virtfs_dev_claim(struct p9_client *client, const char *tag);
void virtfs_dev_release(struct virtfs_dev *dev, struct p9_client *client);

/* conn.c */
void virtfs_conn_violated(struct virtfs_conn *conn, const char *how);
struct virtfs_conn *virtfs_conn_new(struct virtfs_dev *dev);
void virtfs_conn_end(struct virtfs_dev *dev);
void virtfs_conn_free(struct virtfs_dev *dev);
struct virtfs_conn *virtfs_enter(struct virtfs_dev *dev,
				 const struct p9_client *client);
void virtfs_leave(struct virtfs_conn *conn);

/* debugfs.c */
void virtfs_debugfs_init(void);
void virtfs_debugfs_exit(void);
void virtfs_debugfs_add(struct virtfs_dev *dev);

/* queue.c */
void virtfs_queue_init(struct virtfs_queue *queue, struct virtfs_conn *conn);
int virtfs_queue_start(struct virtfs_queue *queue);
void virtfs_queue_fail(struct virtfs_queue *queue);
void virtfs_queue_stop(struct virtfs_queue *queue);
int virtfs_queue_reserve(struct virtfs_queue *queue, unsigned int slots);
void virtfs_queue_unreserve(struct virtfs_queue *queue, unsigned int slots);
int virtfs_queue_push(struct virtfs_queue *queue, struct virtfs_txn *txn);
bool virtfs_queue_has_tag(struct virtfs_queue *queue, u16 tag);
bool virtfs_queue_flush(struct virtfs_queue *queue, struct p9_req_t *req);
bool virtfs_queue_forget(struct virtfs_queue *queue, struct p9_req_t *req);
bool virtfs_queue_give_up(struct virtfs_queue *queue, struct virtfs_txn *txn);

/* layout.c */
bool virtfs_is_indirect(const struct virtfs_conn *conn, unsigned int count);
struct virtfs_layout virtfs_layout(const struct virtfs_conn *conn,
				   const struct virtfs_room *room);
struct virtfs_layout virtfs_shorten(const struct virtfs_conn *conn,
				    struct virtfs_room *room,
				    unsigned int pages);
unsigned int virtfs_least_pages(const struct virtfs_conn *conn,
				const struct virtfs_room *room);
unsigned int virtfs_most_slots(const struct virtfs_conn *conn,
			       const struct virtfs_room *room);

/* txn.c */
struct virtfs_txn *virtfs_txn_new(struct virtfs_conn *conn,
				  struct p9_client *client,
				  struct p9_req_t *req,
				  const struct virtfs_room *room);
int virtfs_txn_add_data(struct virtfs_txn *txn, struct iov_iter *iter,
			unsigned int len, bool in);
int virtfs_txn_get_pages(struct virtfs_txn *txn, struct virtfs_room *room);
int virtfs_txn_grant(struct virtfs_txn *txn);
int virtfs_txn_seal(struct virtfs_txn *txn, unsigned int req_len);
void virtfs_txn_put(struct virtfs_txn *txn);
void virtfs_txn_put_atomic(struct virtfs_txn *txn);
bool virtfs_txn_revoke(struct virtfs_txn *txn);
int virtfs_txn_complete(struct virtfs_txn *txn);
void virtfs_txn_fail(struct virtfs_txn *txn, int err);
void virtfs_txn_write(struct virtfs_txn *txn, const void *from,
		      unsigned int len);
unsigned int virtfs_txn_write_iter(struct virtfs_txn *txn, unsigned int at,
				   struct iov_iter *from, unsigned int len);
unsigned int virtfs_txn_read_iter(struct virtfs_txn *txn, unsigned int at,
				  struct iov_iter *to, unsigned int len);
void virtfs_txn_read(const struct virtfs_txn *txn, unsigned int at, void *to,
		     unsigned int len);
void virtfs_txn_reap(struct work_struct *work);

/* pool.c */
void virtfs_pool_init(struct virtfs_conn *conn);
bool virtfs_pool_fill(struct virtfs_conn *conn);
void virtfs_pool_fini(struct virtfs_conn *conn);
bool virtfs_pool_charge(struct virtfs_pool *pool, unsigned int count);
void virtfs_pool_uncharge(struct virtfs_pool *pool, unsigned int count);
bool virtfs_pool_reserve(struct virtfs_conn *conn, unsigned int count);
int virtfs_pool_get(struct virtfs_conn *conn, struct p9_client *client,
		    struct virtfs_page **pages, unsigned int least,
		    unsigned int most);
int virtfs_pool_wait(struct virtfs_conn *conn, struct p9_client *client);
bool virtfs_pool_lend(struct virtfs_conn *conn, unsigned int count);
void virtfs_pool_unlend(struct virtfs_conn *conn, unsigned int count);
bool virtfs_pool_end(struct virtfs_conn *conn, struct virtfs_page *page);
void virtfs_pool_put(struct virtfs_conn *conn, struct virtfs_page **pages,
		     unsigned int count);

#endif
