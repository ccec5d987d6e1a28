// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rpmsg channel of a simulated DSP
 */

#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/of.h>
#include <linux/rpmsg.h>
#include <linux/slab.h>

#include "rpmsg_internal.h"

#include "qda_sim_priv.h"

/**
 * struct qda_sim_channel - a channel and its endpoint
 * @rpdev: the rpmsg device, whose release frees this
 * @ept: the endpoint of the driver that is bound
 * @dsp: the DSP
 */
struct qda_sim_channel {
	struct rpmsg_device rpdev;
	struct rpmsg_endpoint ept;
	struct qda_sim_dsp *dsp;
};

static int qda_sim_ept_send(struct rpmsg_endpoint *ept, const void *data, int len)
{
	struct qda_sim_channel *channel =
		container_of(ept, struct qda_sim_channel, ept);

	return qda_sim_deliver(channel->dsp, data, len, GFP_KERNEL);
}

static int qda_sim_ept_trysend(struct rpmsg_endpoint *ept, const void *data,
			       int len)
{
	struct qda_sim_channel *channel =
		container_of(ept, struct qda_sim_channel, ept);

	return qda_sim_deliver(channel->dsp, data, len, GFP_ATOMIC);
}

static ssize_t qda_sim_ept_get_mtu(struct rpmsg_endpoint *ept)
{
	return QDA_SIM_MSG_MAX;
}

static void qda_sim_ept_destroy(struct rpmsg_endpoint *ept)
{
	struct qda_sim_channel *channel =
		container_of(ept, struct qda_sim_channel, ept);

	guard(spinlock_irqsave)(&channel->dsp->recv_lock);
	channel->dsp->ept = NULL;
}

static const struct rpmsg_endpoint_ops qda_sim_ept_ops = {
	.destroy_ept = qda_sim_ept_destroy,
	.send = qda_sim_ept_send,
	.trysend = qda_sim_ept_trysend,
	.get_mtu = qda_sim_ept_get_mtu,
};

static struct rpmsg_endpoint *
qda_sim_create_ept(struct rpmsg_device *rpdev, rpmsg_rx_cb_t cb, void *priv,
		   struct rpmsg_channel_info chinfo)
{
	struct qda_sim_channel *channel =
		container_of(rpdev, struct qda_sim_channel, rpdev);
	struct rpmsg_endpoint *ept = &channel->ept;

	guard(spinlock_irqsave)(&channel->dsp->recv_lock);
	/* There is nothing behind further ones. */
	if (channel->dsp->ept)
		return NULL;
	ept->rpdev = rpdev;
	ept->addr = RPMSG_ADDR_ANY;
	ept->priv = priv;
	ept->ops = &qda_sim_ept_ops;
	ept->cb = cb;
	channel->dsp->ept = ept;
	return ept;
}

static const struct rpmsg_device_ops qda_sim_rpmsg_ops = {
	.create_ept = qda_sim_create_ept,
};

static void qda_sim_channel_release(struct device *dev)
{
	struct rpmsg_device *rpdev = container_of(dev, struct rpmsg_device, dev);
	struct qda_sim_channel *channel =
		container_of(rpdev, struct qda_sim_channel, rpdev);

	of_node_put(dev->of_node);
	kfree(channel);
}

/**
 * qda_sim_channel_register - have the channel, and a driver bound to it
 * @dsp: the DSP
 *
 * Context: Process context, without locks: the driver's probe may wait for answers
 * of the DSP.
 *
 * Return: the channel, or an error pointer.
 */
struct qda_sim_channel *qda_sim_channel_register(struct qda_sim_dsp *dsp)
{
	struct qda_sim_channel *channel = kzalloc_obj(*channel);
	struct rpmsg_device *rpdev;
	int err;

	if (!channel)
		return ERR_PTR(-ENOMEM);
	channel->dsp = dsp;
	mutex_init(&channel->ept.cb_lock);
	rpdev = &channel->rpdev;
	rpdev->ops = &qda_sim_rpmsg_ops;
	rpdev->src = RPMSG_ADDR_ANY;
	rpdev->dst = RPMSG_ADDR_ANY;
	rpdev->little_endian = true;
	rpdev->dev.parent = &dsp->dev;
	rpdev->dev.of_node = of_node_get(dsp->np);
	rpdev->dev.release = qda_sim_channel_release;
	strscpy(rpdev->id.name, "fastrpcglink-apps-dsp");

	/* It puts the device if it fails. */
	err = rpmsg_register_device(rpdev);
	return err ? ERR_PTR(err) : channel;
}

/**
 * qda_sim_channel_unregister - take the channel from its driver
 * @channel: the channel
 */
void qda_sim_channel_unregister(struct qda_sim_channel *channel)
{
	device_unregister(&channel->rpdev.dev);
}

/**
 * qda_sim_channel_receive - give the driver a message from the DSP
 * @dsp: the DSP
 * @data: the message
 * @len: its bytes
 *
 * Return: 0, or -EPIPE if no driver is bound. What the driver thinks of the message
 * is not for the DSP.
 */
int qda_sim_channel_receive(struct qda_sim_dsp *dsp, void *data, int len)
{
	struct rpmsg_endpoint *ept;

	guard(spinlock_irqsave)(&dsp->recv_lock);
	ept = dsp->ept;
	if (!ept)
		return -EPIPE;
	ept->cb(ept->rpdev, data, len, ept->priv, RPMSG_ADDR_ANY);
	return 0;
}
