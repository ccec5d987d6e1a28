// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated Qualcomm DSPs: what is there without hardware
 *
 * An overlay adds the nodes of the DSPs and of their context banks to the device
 * tree, whose platform device is the IOMMU as well. A DSP comes up when a program
 * boots it by its character device (qda_sim_cdev.c): then its rpmsg device is
 * registered, to which a FastRPC driver binds.
 */

#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "qda_sim_priv.h"

/* What the build makes of qda_sim.dtso. */
extern u8 __dtbo_qda_sim_begin[], __dtbo_qda_sim_end[];

static char *compatible;
module_param(compatible, charp, 0444);
MODULE_PARM_DESC(compatible,
		 "What the DSPs are, by which drivers find them (qcom,qda)");

static dev_t qda_sim_devt;
static int qda_sim_overlay;

/* ---- the class and its attributes ------------------------------------------------ */

static char *qda_sim_devnode(const struct device *dev, umode_t *mode)
{
	return kasprintf(GFP_KERNEL, "qda-sim/%s", dev_name(dev));
}

static const struct class qda_sim_class = {
	.name = "qda-sim",
	.devnode = qda_sim_devnode,
};

static int qda_sim_set_compatible(struct qda_sim_dsp *dsp, const char *text)
{
	int err;

	guard(mutex)(&dsp->state_lock);
	if (dsp->root)
		return -EBUSY;
	if (dsp->has_compatible) {
		of_changeset_revert(&dsp->compatible);
		of_changeset_destroy(&dsp->compatible);
		dsp->has_compatible = false;
	}
	of_changeset_init(&dsp->compatible);
	err = of_changeset_update_prop_string(&dsp->compatible, dsp->np,
					      "compatible", text);
	if (!err)
		err = of_changeset_apply(&dsp->compatible);
	if (err)
		of_changeset_destroy(&dsp->compatible);
	dsp->has_compatible = !err;
	return err;
}

static ssize_t compatible_show(struct device *dev, struct device_attribute *attr,
			       char *buf)
{
	struct qda_sim_dsp *dsp = to_qda_sim_dsp(dev);
	const char *text;
	int err;

	guard(mutex)(&dsp->state_lock);
	err = of_property_read_string(dsp->np, "compatible", &text);
	return err ?: sysfs_emit(buf, "%s\n", text);
}

static ssize_t compatible_store(struct device *dev, struct device_attribute *attr,
				const char *buf, size_t count)
{
	char *text __free(kfree) = kstrndup(buf, count, GFP_KERNEL);
	int err;

	if (!text)
		return -ENOMEM;
	err = qda_sim_set_compatible(to_qda_sim_dsp(dev), strim(text));
	return err ?: count;
}
static DEVICE_ATTR_RW(compatible);

static ssize_t running_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	struct qda_sim_dsp *dsp = to_qda_sim_dsp(dev);

	guard(mutex)(&dsp->state_lock);
	return sysfs_emit(buf, "%d\n", !!dsp->root);
}
static DEVICE_ATTR_RO(running);

static ssize_t faults_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%lld\n",
			  atomic64_read(&to_qda_sim_dsp(dev)->faults));
}
static DEVICE_ATTR_RO(faults);

static ssize_t crash_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t count)
{
	struct qda_sim_dsp *dsp = to_qda_sim_dsp(dev);
	bool is_crash;
	int err;

	err = kstrtobool(buf, &is_crash);
	if (err)
		return err;
	guard(mutex)(&dsp->state_lock);
	if (is_crash)
		qda_sim_crash(dsp);
	return count;
}
static DEVICE_ATTR_WO(crash);

static struct attribute *qda_sim_attrs[] = {
	&dev_attr_compatible.attr,
	&dev_attr_crash.attr,
	&dev_attr_faults.attr,
	&dev_attr_running.attr,
	NULL
};
ATTRIBUTE_GROUPS(qda_sim);

/* ---- DSPs ------------------------------------------------------------------------ */

static void qda_sim_dsp_release(struct device *dev)
{
	struct qda_sim_dsp *dsp = to_qda_sim_dsp(dev);

	of_node_put(dsp->np);
	mutex_destroy(&dsp->state_lock);
	kfree(dsp);
}

/* The DSP's number: the upper part of the stream ids of its context banks. */
static int qda_sim_dsp_index(struct device_node *np, unsigned int *index)
{
	struct device_node *cb __free(device_node) =
		of_get_compatible_child(np, "qcom,fastrpc-compute-cb");
	struct of_phandle_args args;
	int err;

	err = of_parse_phandle_with_args(cb, "iommus", "#iommu-cells", 0, &args);
	if (err)
		return err;
	of_node_put(args.np);
	*index = args.args[0] >> 8;
	return *index < QDA_SIM_DSPS ? 0 : -EINVAL;
}

static int qda_sim_dsp_add(struct qda_sim *sim, struct device_node *np)
{
	struct qda_sim_dsp *dsp;
	unsigned int index;
	int err;

	err = qda_sim_dsp_index(np, &index);
	if (err)
		return err;
	if (sim->dsps[index])
		return -EEXIST;
	dsp = kzalloc_obj(*dsp);
	if (!dsp)
		return -ENOMEM;
	dsp->sim = sim;
	dsp->np = of_node_get(np);
	dsp->index = index;
	mutex_init(&dsp->state_lock);
	spin_lock_init(&dsp->lock);
	spin_lock_init(&dsp->recv_lock);
	INIT_LIST_HEAD(&dsp->files);
	INIT_WORK(&dsp->boot_work, qda_sim_boot_work);
	device_initialize(&dsp->dev);
	dsp->dev.class = &qda_sim_class;
	dsp->dev.parent = sim->dev;
	dsp->dev.devt = MKDEV(MAJOR(qda_sim_devt), index);
	dsp->dev.groups = qda_sim_groups;
	dsp->dev.release = qda_sim_dsp_release;

	err = of_property_read_string(np, "label", &dsp->label);
	if (!err)
		err = dev_set_name(&dsp->dev, "%s", dsp->label);
	if (err)
		goto err_put;
	sim->dsps[index] = dsp;
	cdev_init(&dsp->cdev, &qda_sim_fops);
	dsp->cdev.owner = THIS_MODULE;
	err = cdev_device_add(&dsp->cdev, &dsp->dev);
	if (err)
		goto err_put;
	return 0;

err_put:
	sim->dsps[index] = NULL;
	put_device(&dsp->dev);
	return err;
}

/* No file is open: each keeps the module. */
static void qda_sim_dsps_remove(struct qda_sim *sim)
{
	for (int i = 0; i < QDA_SIM_DSPS; i++) {
		struct qda_sim_dsp *dsp = sim->dsps[i];

		if (!dsp)
			continue;
		cdev_device_del(&dsp->cdev, &dsp->dev);
		if (dsp->has_compatible) {
			of_changeset_revert(&dsp->compatible);
			of_changeset_destroy(&dsp->compatible);
		}
		sim->dsps[i] = NULL;
		put_device(&dsp->dev);
	}
}

/* ---- the platform device --------------------------------------------------------- */

static int qda_sim_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct qda_sim *sim;
	int err;

	sim = devm_kzalloc(dev, sizeof(*sim), GFP_KERNEL);
	if (!sim)
		return -ENOMEM;
	sim->dev = dev;
	platform_set_drvdata(pdev, sim);
	err = qda_sim_iommu_register(sim);
	if (err)
		return dev_err_probe(dev, err, "no IOMMU\n");

	for_each_child_of_node_scoped(dev->of_node, np) {
		err = qda_sim_dsp_add(sim, np);
		if (err) {
			dev_err_probe(dev, err, "%pOF\n", np);
			qda_sim_dsps_remove(sim);
			qda_sim_iommu_unregister(sim);
			return err;
		}
	}
	return 0;
}

static void qda_sim_remove(struct platform_device *pdev)
{
	struct qda_sim *sim = platform_get_drvdata(pdev);

	qda_sim_dsps_remove(sim);
	qda_sim_iommu_unregister(sim);
}

static const struct of_device_id qda_sim_match[] = {
	{ .compatible = "linux,qda-sim" },
	{ }
};

static struct platform_driver qda_sim_driver = {
	.probe = qda_sim_probe,
	.remove = qda_sim_remove,
	.driver = {
		.name = "qda-sim",
		.of_match_table = qda_sim_match,
		.suppress_bind_attrs = true,
	},
};

/* Not by the probe: it is called while the device tree changes. */
static int __init qda_sim_set_compatibles(struct device *dev, void *data)
{
	struct qda_sim *sim = dev_get_drvdata(dev);

	for (int i = 0; i < QDA_SIM_DSPS; i++) {
		int err = 0;

		if (sim->dsps[i])
			err = qda_sim_set_compatible(sim->dsps[i], data);
		if (err)
			return err;
	}
	return 0;
}

static int __init qda_sim_init(void)
{
	int err;

	err = class_register(&qda_sim_class);
	if (err)
		return err;
	err = alloc_chrdev_region(&qda_sim_devt, 0, QDA_SIM_DSPS, "qda-sim");
	if (err)
		goto err_class;
	err = platform_driver_register(&qda_sim_driver);
	if (err)
		goto err_region;
	/* The kernel makes the platform device of what is new below the root. */
	err = of_overlay_fdt_apply(__dtbo_qda_sim_begin,
				   __dtbo_qda_sim_end - __dtbo_qda_sim_begin,
				   &qda_sim_overlay, NULL);
	if (!err && compatible)
		err = driver_for_each_device(&qda_sim_driver.driver, NULL,
					     compatible, qda_sim_set_compatibles);
	if (err)
		goto err_overlay;
	return 0;

err_overlay:
	platform_driver_unregister(&qda_sim_driver);
	/* It may be there in part. */
	if (qda_sim_overlay)
		of_overlay_remove(&qda_sim_overlay);
err_region:
	unregister_chrdev_region(qda_sim_devt, QDA_SIM_DSPS);
err_class:
	class_unregister(&qda_sim_class);
	return err;
}
module_init(qda_sim_init);

static void __exit qda_sim_exit(void)
{
	/* First: it undoes what it has changed in the nodes of the overlay. */
	platform_driver_unregister(&qda_sim_driver);
	of_overlay_remove(&qda_sim_overlay);
	unregister_chrdev_region(qda_sim_devt, QDA_SIM_DSPS);
	class_unregister(&qda_sim_class);
}
module_exit(qda_sim_exit);

MODULE_DESCRIPTION("Simulated Qualcomm DSPs");
MODULE_LICENSE("GPL");
