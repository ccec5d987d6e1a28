// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channel to the DSP, and the driver of it: a device of ours lives from the
 * moment the channel is there to the moment it goes, as it does when the DSP
 * restarts.
 */
#include <linux/module.h>
#include <linux/of.h>
#include <linux/rpmsg.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>

#include "qda_drv.h"

static const char * const qda_names[] = {
	"adsp", "mdsp", "sdsp", "cdsp", "cdsp1", "cdsp2", "cdsp3", "gdsp0", "gdsp1",
};

/**
 * qda_rpmsg_send() - send a message to the DSP
 * @qdev: the DSP; the caller is inside drm_dev_enter()
 * @msg: the message
 *
 * Return: 0 or a negative errno.
 */
int qda_rpmsg_send(struct qda_device *qdev, const struct qda_msg *msg)
{
	return rpmsg_send(qdev->rpdev->ept, msg, sizeof(*msg));
}

static int qda_rpmsg_callback(struct rpmsg_device *rpdev, void *data, int len, void *priv,
			      u32 addr)
{
	struct qda_device *qdev = dev_get_drvdata(&rpdev->dev);

	/* A message may come before probe is through, and cannot be an answer. */
	if (qdev)
		qda_fastrpc_reply(qdev, data, len);
	return 0;
}

static void qda_rpmsg_destroy_wq(struct drm_device *drm, void *wq)
{
	destroy_workqueue(wq);
}

static int qda_rpmsg_probe(struct rpmsg_device *rpdev)
{
	struct device *dev = &rpdev->dev;
	struct qda_device *qdev;
	const char *label;
	int ret;

	ret = of_property_read_string(dev->of_node, "label", &label);
	if (ret)
		return dev_err_probe(dev, ret, "the node has no label to tell which DSP it is\n");
	ret = match_string(qda_names, ARRAY_SIZE(qda_names), label);
	if (ret < 0)
		return dev_err_probe(dev, ret, "unknown DSP \"%s\"\n", label);

	qdev = devm_drm_dev_alloc(dev, &qda_drm_driver, struct qda_device, drm);
	if (IS_ERR(qdev))
		return PTR_ERR(qdev);
	strscpy(qdev->name, label);
	qdev->rpdev = rpdev;
	qdev->soc = device_get_match_data(dev);
	INIT_LIST_HEAD(&qdev->sessions);
	INIT_LIST_HEAD(&qdev->orphans);
	spin_lock_init(&qdev->call_lock);
	init_waitqueue_head(&qdev->id_wait);
	ret = drmm_mutex_init(&qdev->drm, &qdev->lock);
	if (ret)
		return ret;
	qdev->wq = alloc_workqueue("qda-%s", WQ_UNBOUND, 0, qdev->name);
	if (!qdev->wq)
		return -ENOMEM;
	ret = drmm_add_action_or_reset(&qdev->drm, qda_rpmsg_destroy_wq, qdev->wq);
	if (ret)
		return ret;

	ret = qda_cb_populate(qdev);
	if (ret)
		return ret;
	qda_fastrpc_share_ids(qdev);
	dev_set_drvdata(dev, qdev);
	ret = drm_dev_register(&qdev->drm, 0);
	if (ret) {
		dev_set_drvdata(dev, NULL);
		qda_cb_depopulate(qdev);
	}
	return ret;
}

static void qda_rpmsg_remove(struct rpmsg_device *rpdev)
{
	struct qda_device *qdev = dev_get_drvdata(&rpdev->dev);

	/* First those who wait, as drm_dev_unplug() waits for some of them. */
	qda_fastrpc_abort(qdev);
	drm_dev_unplug(&qdev->drm);
	flush_workqueue(qdev->wq);
	qda_mm_revoke(qdev);
	qda_fastrpc_forget_orphans(qdev);
	qda_cb_depopulate(qdev);
}

static const struct qda_soc qda_soc_default = {
	.sid_shift = 32,
	.dma_bits = 32,
	.dma_bits_cdsp = 32,
};

static const struct qda_soc qda_soc_kaanapali = {
	.sid_shift = 56,
	.dma_bits = 32,
	.dma_bits_cdsp = 34,
};

static const struct of_device_id qda_rpmsg_of_match[] = {
	{ .compatible = "qcom,kaanapali-qda", .data = &qda_soc_kaanapali },
	{ .compatible = "qcom,qda", .data = &qda_soc_default },
	{ }
};
MODULE_DEVICE_TABLE(of, qda_rpmsg_of_match);

static struct rpmsg_driver qda_rpmsg_driver = {
	.probe = qda_rpmsg_probe,
	.remove = qda_rpmsg_remove,
	.callback = qda_rpmsg_callback,
	.drv = {
		.name = "qda",
		/* To be unbound from a DSP that runs would leave its processes alone. */
		.suppress_bind_attrs = true,
		.of_match_table = qda_rpmsg_of_match,
	},
};
module_rpmsg_driver(qda_rpmsg_driver);

MODULE_DESCRIPTION("Qualcomm DSP Accelerator Driver");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
