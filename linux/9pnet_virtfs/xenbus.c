// SPDX-License-Identifier: GPL-2.0
/*
 * 9P over Xen virtfs: devices, and their handshake with the backend
 *
 *   IDLE --InitWait--> SETUP --Connected--> UP --an end--> DOWN --Closed--> IDLE
 *
 * The end of a session is one of: umount, the backend's Closing, its death,
 * its nonsense, unbinding the driver. It is always the same: who waits gets
 * EIO, the frontend is Closed, and once the backend is Closed too, and has
 * let go of all pages, the frontend starts again.
 */
#include <linux/cpumask.h>
#include <linux/iopoll.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "virtfs.h"

/* How long the backend may take to let go of a connection */
#define VIRTFS_CLOSE_US		(5 * USEC_PER_SEC)
#define VIRTFS_CLOSE_POLL_US	(10 * USEC_PER_MSEC)

static unsigned int max_queues = VIRTFS_MAX_QUEUES;
module_param(max_queues, uint, 0644);
MODULE_PARM_DESC(max_queues, "Rings of a device; never more than processors");

static unsigned int max_ring_order = 2;
module_param(max_ring_order, uint, 0644);
MODULE_PARM_DESC(max_ring_order, "Largest ring, log2 of its pages");

static bool indirect = true;
module_param(indirect, bool, 0644);
MODULE_PARM_DESC(indirect, "Use indirect segments where the backend can");

static bool persistent = true;
module_param(persistent, bool, 0644);
MODULE_PARM_DESC(persistent, "Use persistent grants where the backend can");

static void virtfs_fail_work(struct work_struct *work)
{
	struct virtfs_dev *dev = container_of(work, struct virtfs_dev,
					      fail_work);

	mutex_lock(&dev->lock);
	virtfs_down(dev);
	mutex_unlock(&dev->lock);
}

/* The backend is Closed. What was is freed; what comes next? */
static void virtfs_closed(struct virtfs_dev *dev)
{
	struct xenbus_device *xdev = dev->xdev;

	virtfs_down(dev);
	virtfs_free_connection(dev);
	if (dev->again && xenbus_read_unsigned(xdev->otherend, "online", 1)) {
		dev->again = false;
		virtfs_set_state(dev, VIRTFS_IDLE);
		xenbus_switch_state(xdev, XenbusStateInitialising);
		return;
	}
	virtfs_set_state(dev, VIRTFS_CLOSED);
}

/* Handshake */

static int virtfs_read_tag(struct virtfs_dev *dev)
{
	char *tag = xenbus_read(XBT_NIL, dev->xdev->nodename,
				XEN_VIRTFSIF_NODE_TAG, NULL);

	if (IS_ERR(tag))
		return PTR_ERR(tag);
	virtfs_dev_name(dev, tag);
	return 0;
}

/* What the backend offers, and we can use. */
static void virtfs_read_features(struct virtfs_dev *dev)
{
	const unsigned int max_table = XEN_VIRTFSIF_SEGMENTS_PER_PAGE;
	const char *backend = dev->xdev->otherend;
	unsigned int order, queues, segs, slots;

	order = xenbus_read_unsigned(backend, XEN_VIRTFSIF_NODE_MAX_RING_ORDER,
				     0);
	dev->ring_order = min3(order, max_ring_order,
			       (unsigned int)XENBUS_MAX_RING_GRANT_ORDER);

	queues = xenbus_read_unsigned(backend, XEN_VIRTFSIF_NODE_MAX_QUEUES, 1);
	queues = min3(queues, max_queues, num_online_cpus());
	dev->nr_queues = clamp(queues, 1U, VIRTFS_MAX_QUEUES);

	segs = xenbus_read_unsigned(backend, XEN_VIRTFSIF_NODE_MAX_INDIRECT, 0);
	dev->max_indirect = indirect ? min(segs, max_table) : 0;
	dev->persistent = persistent &&
		xenbus_read_unsigned(backend, XEN_VIRTFSIF_NODE_PERSISTENT, 0);

	/* Both headers have a slot; the data begins anywhere in a page. */
	slots = XEN_VIRTFSIF_RING_SLOTS(dev->ring_order);
	dev->max_segs = max(dev->max_indirect, min(slots - 2, max_table));
	dev->max_msize = (dev->max_segs - 1) * XEN_PAGE_SIZE;
}

static int virtfs_start_queues(struct virtfs_dev *dev)
{
	unsigned int i;
	int err = 0;

	dev->queues = kcalloc(dev->nr_queues, sizeof(*dev->queues),
			      GFP_KERNEL);
	if (!dev->queues) {
		dev->nr_queues = 0;
		xenbus_dev_fatal(dev->xdev, -ENOMEM, "making queues");
		return -ENOMEM;
	}
	for (i = 0; i < dev->nr_queues && !err; i++)
		err = virtfs_queue_start(dev->queues + i, dev);
	/* Those behind the failed one are not to be stopped. */
	dev->nr_queues = i;
	return err;
}

static int virtfs_write_queue(struct xenbus_transaction xbt,
			      const struct virtfs_queue *queue,
			      const char *folder)
{
	unsigned int i, order = queue->dev->ring_order;
	char name[sizeof(XEN_VIRTFSIF_NODE_RING_REF) + 10];
	int err = 0;

	if (!order)
		err = xenbus_printf(xbt, folder, XEN_VIRTFSIF_NODE_RING_REF,
				    "%u", queue->grefs[0]);
	for (i = 0; order && i < 1 << order && !err; i++) {
		snprintf(name, sizeof(name), "%s%u",
			 XEN_VIRTFSIF_NODE_RING_REF, i);
		err = xenbus_printf(xbt, folder, name, "%u", queue->grefs[i]);
	}
	return err ?: xenbus_printf(xbt, folder, XEN_VIRTFSIF_NODE_EVTCHN,
				    "%u", queue->evtchn);
}

static int virtfs_write_nodes(struct virtfs_dev *dev,
			      struct xenbus_transaction xbt)
{
	const char *path = dev->xdev->nodename;
	unsigned int i;
	char *folder;
	int err = 0;

	/* An earlier connection, of another form, can have left these. */
	xenbus_rm(xbt, path, XEN_VIRTFSIF_NODE_RING_ORDER);
	xenbus_rm(xbt, path, XEN_VIRTFSIF_NODE_NUM_QUEUES);
	if (dev->ring_order)
		err = xenbus_printf(xbt, path, XEN_VIRTFSIF_NODE_RING_ORDER,
				    "%u", dev->ring_order);
	if (err || dev->nr_queues == 1)
		return err ?: virtfs_write_queue(xbt, dev->queues, path);

	err = xenbus_printf(xbt, path, XEN_VIRTFSIF_NODE_NUM_QUEUES, "%u",
			    dev->nr_queues);
	for (i = 0; i < dev->nr_queues && !err; i++) {
		folder = kasprintf(GFP_KERNEL, "%s/%s%u", path,
				   XEN_VIRTFSIF_NODE_QUEUE, i);
		if (!folder)
			return -ENOMEM;
		err = virtfs_write_queue(xbt, dev->queues + i, folder);
		kfree(folder);
	}
	return err;
}

static int virtfs_publish(struct virtfs_dev *dev)
{
	struct xenbus_transaction xbt;
	int err;

	do {
		err = xenbus_transaction_start(&xbt);
		if (err)
			break;
		err = virtfs_write_nodes(dev, xbt);
		if (err) {
			xenbus_transaction_end(xbt, 1);
			break;
		}
		err = xenbus_transaction_end(xbt, 0);
	} while (err == -EAGAIN);
	if (err)
		xenbus_dev_fatal(dev->xdev, err, "writing to xenstore");
	return err;
}

/* The backend is in InitWait. */
static void virtfs_setup(struct virtfs_dev *dev)
{
	int err = virtfs_read_tag(dev);

	if (err) {
		xenbus_dev_fatal(dev->xdev, err, "reading the tag");
		goto fail;
	}
	virtfs_read_features(dev);
	if (virtfs_start_queues(dev) || virtfs_publish(dev))
		goto fail;
	virtfs_set_state(dev, VIRTFS_SETUP);
	xenbus_switch_state(dev->xdev, XenbusStateInitialised);
	return;

fail:
	virtfs_free_connection(dev);
	virtfs_set_state(dev, VIRTFS_CLOSED);
	xenbus_frontend_closed(dev->xdev);
}

/* The backend is Connected. */
static void virtfs_up(struct virtfs_dev *dev)
{
	dev_info(&dev->xdev->dev,
		 "'%s': %u ring(s) of %u page(s), %u indirect segments%s\n",
		 dev->tag, dev->nr_queues, 1 << dev->ring_order,
		 dev->max_indirect, dev->persistent ? ", persistent" : "");
	dev->again = true;
	virtfs_set_state(dev, VIRTFS_UP);
	xenbus_switch_state(dev->xdev, XenbusStateConnected);
}

static void virtfs_backend_changed(struct xenbus_device *xdev,
				   enum xenbus_state backend)
{
	struct virtfs_dev *dev = dev_get_drvdata(&xdev->dev);

	mutex_lock(&dev->lock);
	switch (backend) {
	case XenbusStateInitialising:
	case XenbusStateInitWait:
		if (dev->state == VIRTFS_UP)
			virtfs_down(dev); /* it has died, and is there again */
		else if (dev->state == VIRTFS_IDLE &&
			 backend == XenbusStateInitWait)
			virtfs_setup(dev);
		break;
	case XenbusStateConnected:
		if (dev->state == VIRTFS_SETUP)
			virtfs_up(dev);
		break;
	case XenbusStateClosing:
		virtfs_down(dev);
		xenbus_frontend_closed(xdev);
		break;
	case XenbusStateClosed:
		/* If not, it has yet to see that we are Initialising again. */
		if (dev->state != VIRTFS_IDLE ||
		    xdev->state == XenbusStateClosed)
			virtfs_closed(dev);
		break;
	default:
		break;
	}
	mutex_unlock(&dev->lock);
}

/* Driver */

static int virtfs_probe(struct xenbus_device *xdev,
			const struct xenbus_device_id *id)
{
	struct virtfs_dev *dev = virtfs_dev_new(xdev);

	if (!dev)
		return -ENOMEM;
	INIT_WORK(&dev->fail_work, virtfs_fail_work);
	/* Linux remembers the state of a device that had a driver before. */
	dev->again = xdev->state != XenbusStateInitialising;
	dev_set_drvdata(&xdev->dev, dev);
	virtfs_read_tag(dev);
	return 0;
}

/* The backend is not watched any more, so its end has to be polled for. */
static void virtfs_remove(struct xenbus_device *xdev)
{
	struct virtfs_dev *dev = dev_get_drvdata(&xdev->dev);
	enum xenbus_state backend;

	mutex_lock(&dev->lock);
	virtfs_down(dev);
	if (dev->state == VIRTFS_DOWN)
		read_poll_timeout(virtfs_otherend_state, backend,
				  backend == XenbusStateClosed ||
				  backend == XenbusStateUnknown,
				  VIRTFS_CLOSE_POLL_US, VIRTFS_CLOSE_US, false,
				  xdev);
	virtfs_free_connection(dev);
	virtfs_set_state(dev, VIRTFS_CLOSED);
	mutex_unlock(&dev->lock);
	cancel_work_sync(&dev->fail_work);
	cancel_work_sync(&dev->reap_work);
	virtfs_dev_put(dev);
}

/* Another backend, perhaps on another host, which knows nothing of us. */
static int virtfs_resume(struct xenbus_device *xdev)
{
	struct virtfs_dev *dev = dev_get_drvdata(&xdev->dev);

	mutex_lock(&dev->lock);
	virtfs_end_session(dev);
	virtfs_free_connection(dev);
	dev->again = false;
	virtfs_set_state(dev, VIRTFS_IDLE);
	mutex_unlock(&dev->lock);
	return 0;
}

static const struct xenbus_device_id virtfs_ids[] = {
	{ XEN_VIRTFSIF_TYPE },
	{ "" }
};

struct xenbus_driver virtfs_driver = {
	.ids = virtfs_ids,
	.not_essential = true,
	.probe = virtfs_probe,
	.remove = virtfs_remove,
	.resume = virtfs_resume,
	.otherend_changed = virtfs_backend_changed,
};
