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
 *
 * Where the toolstack asks for an end (Closing, not online) and the device is
 * mounted, that waits for umount. To remove the device's nodes does not wait.
 *
 * It happens in xenwatch, see virtfs_backend_changed(). That is everybody's, so
 * who would have to wait for the device's lock leaves it to a work.
 */
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/iopoll.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "virtfs.h"

/* How long the backend may take to let go of a connection */
#define VIRTFS_CLOSE_US		(5 * USEC_PER_SEC)
#define VIRTFS_CLOSE_POLL_US	(10 * USEC_PER_MSEC)
/* As of blkfront: 0 where the backend is not to be trusted */
#define VIRTFS_NODE_TRUSTED	"trusted"

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

static bool trusted = true;
module_param(trusted, bool, 0444);
MODULE_PARM_DESC(trusted,
		 "Whether backends may see the rest of pages that hold data");

/* The backend is Closed. What was is freed; what comes next? */
static void virtfs_closed(struct virtfs_dev *dev)
{
	struct xenbus_device *xdev = dev->xdev;

	virtfs_down(dev);
	virtfs_conn_free(dev);
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
static void virtfs_read_features(struct virtfs_conn *conn)
{
	const unsigned int max_table = XEN_VIRTFSIF_SEGMENTS_PER_PAGE;
	struct xenbus_device *xdev = conn->dev->xdev;
	const char *backend = xdev->otherend;
	unsigned int order, queues, segs, slots;

	order = xenbus_read_unsigned(backend, XEN_VIRTFSIF_NODE_MAX_RING_ORDER,
				     0);
	conn->ring_order = min3(order, max_ring_order,
				(unsigned int)XENBUS_MAX_RING_GRANT_ORDER);

	queues = xenbus_read_unsigned(backend, XEN_VIRTFSIF_NODE_MAX_QUEUES, 1);
	queues = min3(queues, max_queues, num_online_cpus());
	conn->nr_queues = clamp(queues, 1U, VIRTFS_MAX_QUEUES);

	segs = xenbus_read_unsigned(backend, XEN_VIRTFSIF_NODE_MAX_INDIRECT, 0);
	conn->max_indirect = indirect ? min(segs, max_table) : 0;
	conn->persistent = persistent &&
		xenbus_read_unsigned(backend, XEN_VIRTFSIF_NODE_PERSISTENT, 0);
	conn->bounce = !trusted ||
		!xenbus_read_unsigned(xdev->nodename, VIRTFS_NODE_TRUSTED, 1);

	/* Both headers have a slot; the data begins anywhere in a page. */
	slots = XEN_VIRTFSIF_RING_SLOTS(conn->ring_order);
	conn->max_segs = max(conn->max_indirect, min(slots - 2, max_table));
	conn->max_msize = (conn->max_segs - 1) * XEN_PAGE_SIZE;
}

static int virtfs_start_queues(struct virtfs_conn *conn)
{
	unsigned int i, count = conn->nr_queues;
	int err = 0;

	for (i = 0; i < count && !err; i++)
		err = virtfs_queue_start(conn->queues + i, conn);
	/* Those behind the failed one are not to be stopped. */
	conn->nr_queues = i;
	return err;
}

static int virtfs_write_queue(struct xenbus_transaction xbt,
			      const struct virtfs_queue *queue,
			      const char *folder)
{
	unsigned int i, order = queue->conn->ring_order;
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

static int virtfs_write_nodes(struct virtfs_conn *conn,
			      struct xenbus_transaction xbt)
{
	const char *path = conn->dev->xdev->nodename;
	unsigned int i;
	char *folder;
	int err = 0;

	/* An earlier connection, of another form, can have left these. */
	xenbus_rm(xbt, path, XEN_VIRTFSIF_NODE_RING_ORDER);
	xenbus_rm(xbt, path, XEN_VIRTFSIF_NODE_NUM_QUEUES);
	if (conn->ring_order)
		err = xenbus_printf(xbt, path, XEN_VIRTFSIF_NODE_RING_ORDER,
				    "%u", conn->ring_order);
	if (err || conn->nr_queues == 1)
		return err ?: virtfs_write_queue(xbt, conn->queues, path);

	err = xenbus_printf(xbt, path, XEN_VIRTFSIF_NODE_NUM_QUEUES, "%u",
			    conn->nr_queues);
	for (i = 0; i < conn->nr_queues && !err; i++) {
		folder = kasprintf(GFP_KERNEL, "%s/%s%u", path,
				   XEN_VIRTFSIF_NODE_QUEUE, i);
		if (!folder)
			return -ENOMEM;
		err = virtfs_write_queue(xbt, conn->queues + i, folder);
		kfree(folder);
	}
	return err;
}

static int virtfs_publish(struct virtfs_conn *conn)
{
	struct xenbus_transaction xbt;
	int err;

	do {
		err = xenbus_transaction_start(&xbt);
		if (err)
			break;
		err = virtfs_write_nodes(conn, xbt);
		if (err) {
			xenbus_transaction_end(xbt, 1);
			break;
		}
		err = xenbus_transaction_end(xbt, 0);
	} while (err == -EAGAIN);
	if (err)
		xenbus_dev_fatal(conn->dev->xdev, err, "writing to xenstore");
	return err;
}

static int virtfs_connect(struct virtfs_dev *dev)
{
	struct virtfs_conn *conn = virtfs_conn_new(dev);

	if (conn)
		virtfs_read_features(conn);
	if (!conn || !virtfs_pool_fill(conn)) {
		xenbus_dev_fatal(dev->xdev, -ENOMEM, "making a connection");
		return -ENOMEM;
	}
	return virtfs_start_queues(conn) ?: virtfs_publish(conn);
}

/* The backend is in InitWait. */
static void virtfs_setup(struct virtfs_dev *dev)
{
	int err = virtfs_read_tag(dev);

	/* It has come back. */
	if (dev->state == VIRTFS_CLOSED)
		xenbus_switch_state(dev->xdev, XenbusStateInitialising);
	if (err)
		xenbus_dev_fatal(dev->xdev, err, "reading the tag");
	else
		err = virtfs_connect(dev);
	if (err) {
		virtfs_conn_free(dev);
		virtfs_set_state(dev, VIRTFS_CLOSED);
		xenbus_frontend_closed(dev->xdev);
		return;
	}
	virtfs_set_state(dev, VIRTFS_SETUP);
	xenbus_switch_state(dev->xdev, XenbusStateInitialised);
}

/* The backend is Connected. For udev, the device is there from now on. */
static void virtfs_up(struct virtfs_dev *dev)
{
	struct virtfs_conn *conn = dev->conn;

	dev_info(&dev->xdev->dev,
		 "'%s': %u ring(s) of %u page(s), %u indirect segments%s%s\n",
		 dev->tag, conn->nr_queues, 1 << conn->ring_order,
		 conn->max_indirect, conn->persistent ? ", persistent" : "",
		 conn->bounce ? ", not trusted" : "");
	dev->again = true;
	virtfs_set_state(dev, VIRTFS_UP);
	xenbus_switch_state(dev->xdev, XenbusStateConnected);
	if (!dev->announced)
		kobject_uevent(&dev->xdev->dev.kobj, KOBJ_CHANGE);
	dev->announced = true;
}

/* Someone wants the device to end; if it is a toolstack, that can wait. */
static void virtfs_closing(struct virtfs_dev *dev)
{
	if (virtfs_is_mounted(dev) &&
	    !xenbus_read_unsigned(dev->xdev->otherend, "online", 1)) {
		dev_notice(&dev->xdev->dev, "'%s' is mounted, not detached\n",
			   dev->tag);
		return;
	}
	virtfs_down(dev);
	xenbus_frontend_closed(dev->xdev);
}

/* The backend's nodes are gone, and so is its domain perhaps. */
static void virtfs_vanished(struct virtfs_dev *dev)
{
	if (xenbus_exists(XBT_NIL, dev->xdev->otherend, "state"))
		return;
	virtfs_down(dev);
	virtfs_conn_free(dev);
	virtfs_set_state(dev, VIRTFS_CLOSED);
}

static void virtfs_follow(struct virtfs_dev *dev, enum xenbus_state backend)
{
	switch (backend) {
	case XenbusStateInitialising:
	case XenbusStateInitWait:
		if (dev->state == VIRTFS_UP)
			virtfs_down(dev); /* it has died, and is there again */
		else if (backend == XenbusStateInitWait &&
			 (dev->state == VIRTFS_IDLE ||
			  dev->state == VIRTFS_CLOSED))
			virtfs_setup(dev);
		break;
	case XenbusStateConnected:
		if (dev->state == VIRTFS_SETUP)
			virtfs_up(dev);
		break;
	case XenbusStateClosing:
		virtfs_closing(dev);
		break;
	case XenbusStateClosed:
		/* If not, it has yet to see that we are Initialising again. */
		if (dev->state != VIRTFS_IDLE ||
		    dev->xdev->state == XenbusStateClosed)
			virtfs_closed(dev);
		break;
	case XenbusStateUnknown:
		virtfs_vanished(dev);
		break;
	default:
		break;
	}
}

/* Under the device's lock. */
static void virtfs_look(struct virtfs_dev *dev)
{
	/* Someone may wait for this device in order to free memory. */
	unsigned int flags = memalloc_noio_save();

	if (!dev->removed)
		virtfs_follow(dev, virtfs_otherend_state(dev->xdev));
	memalloc_noio_restore(flags);
}

static void virtfs_work(struct work_struct *work)
{
	struct virtfs_dev *dev = container_of(work, struct virtfs_dev, work);

	mutex_lock(&dev->lock);
	virtfs_look(dev);
	mutex_unlock(&dev->lock);
}

/*
 * Here, where nobody has to be waited for: in this thread Linux 7 compares our
 * state in xenstore with the one that it remembers, and takes a difference for
 * another device.
 */
static void virtfs_backend_changed(struct xenbus_device *xdev,
				   enum xenbus_state backend)
{
	struct virtfs_dev *dev = dev_get_drvdata(&xdev->dev);

	if (!mutex_trylock(&dev->lock)) {
		queue_work(virtfs_wq, &dev->work);
		return;
	}
	virtfs_look(dev);
	mutex_unlock(&dev->lock);
}

/* Driver */

static int virtfs_probe(struct xenbus_device *xdev,
			const struct xenbus_device_id *id)
{
	struct virtfs_dev *dev = virtfs_dev_new(xdev);

	if (!dev)
		return -ENOMEM;
	INIT_WORK(&dev->work, virtfs_work);
	/* Linux remembers the state of a device that had a driver before. */
	dev->again = xdev->state != XenbusStateInitialising;
	dev_set_drvdata(&xdev->dev, dev);
	virtfs_read_tag(dev);
	virtfs_debugfs_add(dev);
	return 0;
}

/*
 * The backend is not watched any more, so its end has to be polled for; but
 * not where it cannot see ours.
 */
static void virtfs_await_end(struct xenbus_device *xdev)
{
	enum xenbus_state backend;

	if (xenbus_exists(XBT_NIL, xdev->nodename, "state"))
		read_poll_timeout(virtfs_otherend_state, backend,
				  backend == XenbusStateClosed ||
				  backend == XenbusStateUnknown,
				  VIRTFS_CLOSE_POLL_US, VIRTFS_CLOSE_US, false,
				  xdev);
}

static void virtfs_remove(struct xenbus_device *xdev)
{
	struct virtfs_dev *dev = dev_get_drvdata(&xdev->dev);

	mutex_lock(&dev->lock);
	dev->removed = true;
	virtfs_down(dev);
	if (dev->state == VIRTFS_DOWN)
		virtfs_await_end(xdev);
	virtfs_conn_free(dev);
	virtfs_set_state(dev, VIRTFS_CLOSED);
	mutex_unlock(&dev->lock);
	cancel_work_sync(&dev->work);
	debugfs_remove(dev->debugfs);
	virtfs_dev_gone(dev);
}

/*
 * Another backend, perhaps on another host, which knows nothing of us. All
 * tasks are frozen, some of them in the middle of a request.
 */
static int virtfs_resume(struct xenbus_device *xdev)
{
	struct virtfs_dev *dev = dev_get_drvdata(&xdev->dev);

	mutex_lock(&dev->lock);
	virtfs_conn_end(dev);
	virtfs_conn_free(dev);
	dev->again = false;
	virtfs_set_state(dev, VIRTFS_IDLE);
	mutex_unlock(&dev->lock);
	return 0;
}

static ssize_t mount_tag_show(struct device *device,
			      struct device_attribute *attr, char *to)
{
	return virtfs_dev_tag(dev_get_drvdata(device), to);
}
static DEVICE_ATTR_RO(mount_tag);

static struct attribute *virtfs_attrs[] = {
	&dev_attr_mount_tag.attr,
	NULL
};
ATTRIBUTE_GROUPS(virtfs);

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
	.driver.dev_groups = virtfs_groups,
};
