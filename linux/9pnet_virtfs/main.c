// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: the transport "virtfs" of Linux's 9P client
 */
#include <linux/module.h>
#include <net/9p/9p.h>
#include <net/9p/client.h>
#include <net/9p/transport.h>
#include <xen/xen.h>

#include "virtfs.h"

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
	p9_debug(P9_DEBUG_TRANS, "'%s' is %s, msize %u\n", tag,
		 dev_name(&dev->xdev->dev), client->msize);
	client->trans = dev;
	client->status = Connected;
	return 0;
}

static void virtfs_close(struct p9_client *client)
{
	struct virtfs_dev *dev = client->trans;

	if (!dev)
		return;
	p9_debug(P9_DEBUG_TRANS, "%s\n", dev_name(&dev->xdev->dev));
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
