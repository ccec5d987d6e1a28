// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DRM driver: what is done when a program opens a DSP's node and when the
 * last reference to that open file goes.
 */
#include <linux/slab.h>

#include <drm/drm_accel.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem_shmem_helper.h>
#include <drm/drm_ioctl.h>

#include "qda_drv.h"

struct qda_session *qda_session_get(struct qda_session *session)
{
	kref_get(&session->ref);
	return session;
}

static void qda_session_free(struct kref *ref)
{
	struct qda_session *session = container_of(ref, struct qda_session, ref);
	struct drm_device *drm = &session->qdev->drm;

	qda_mm_release_cb(session);
	mutex_destroy(&session->lock);
	kfree(session);
	drm_dev_put(drm);
}

void qda_session_put(struct qda_session *session)
{
	kref_put(&session->ref, qda_session_free);
}

static int qda_drm_open(struct drm_device *drm, struct drm_file *file)
{
	struct qda_device *qdev = to_qda_device(drm);
	struct qda_session *session;

	session = kzalloc_obj(*session);
	if (!session)
		return -ENOMEM;
	kref_init(&session->ref);
	mutex_init(&session->lock);
	session->pd = QDA_PD_USER;
	INIT_LIST_HEAD(&session->maps);
	hash_init(session->by_key);
	INIT_LIST_HEAD(&session->remote_maps);
	INIT_LIST_HEAD(&session->handles);
	INIT_LIST_HEAD(&session->kept);
	INIT_LIST_HEAD(&session->orphan);
	spin_lock_init(&session->idle_lock);
	for (unsigned int i = 0; i < QDA_PAYLOAD_ORDERS; i++)
		INIT_LIST_HEAD(&session->idle[i]);
	session->qdev = qdev;
	drm_dev_get(drm);
	scoped_guard(mutex, &qdev->lock)
		list_add(&session->node, &qdev->sessions);
	file->driver_priv = session;
	return 0;
}

static void qda_drm_postclose(struct drm_device *drm, struct drm_file *file)
{
	qda_session_put(file->driver_priv);
}

/*
 * The process on the DSP ends before drm_release() takes its buffers away, which
 * is earlier than postclose.
 */
static int qda_release(struct inode *inode, struct file *filp)
{
	struct drm_file *file = filp->private_data;

	qda_fastrpc_release(file->driver_priv);
	return drm_release(inode, filp);
}

static const struct drm_ioctl_desc qda_ioctls[] = {
	DRM_IOCTL_DEF_DRV(QDA_QUERY, qda_ioctl_query, 0),
	DRM_IOCTL_DEF_DRV(QDA_GEM_CREATE, qda_ioctl_gem_create, 0),
	DRM_IOCTL_DEF_DRV(QDA_GEM_MMAP_OFFSET, qda_ioctl_gem_mmap_offset, 0),
	DRM_IOCTL_DEF_DRV(QDA_REMOTE_SESSION_CREATE, qda_ioctl_session_create, 0),
	DRM_IOCTL_DEF_DRV(QDA_REMOTE_MAP, qda_ioctl_map, 0),
	DRM_IOCTL_DEF_DRV(QDA_REMOTE_MUNMAP, qda_ioctl_munmap, 0),
	DRM_IOCTL_DEF_DRV(QDA_REMOTE_INVOKE, qda_ioctl_invoke, 0),
};

/* As DRM_ACCEL_FOPS, but for release. */
static const struct file_operations qda_fops = {
	.owner = THIS_MODULE,
	.open = accel_open,
	.release = qda_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = drm_gem_mmap,
	.fop_flags = FOP_UNSIGNED_OFFSET,
};

/*
 * Versions of the interface:
 *
 * 1.0	as posted
 * 1.1	arguments by GEM handle and offset (QDA_INVOKE_ARG_GEM)
 */
const struct drm_driver qda_drm_driver = {
	.driver_features = DRIVER_COMPUTE_ACCEL | DRIVER_GEM,
	.open = qda_drm_open,
	.postclose = qda_drm_postclose,
	.gem_create_object = qda_gem_create_object,
	.gem_prime_import = drm_gem_shmem_prime_import_no_map,
	.ioctls = qda_ioctls,
	.num_ioctls = ARRAY_SIZE(qda_ioctls),
	.fops = &qda_fops,
	.name = "qda",
	.desc = "Qualcomm DSP Accelerator Driver",
	.major = 1,
	.minor = 1,
};
