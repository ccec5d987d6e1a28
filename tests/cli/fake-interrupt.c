/* SPDX-License-Identifier: MIT */
/* Preloaded: calls return as if a signal interrupted them, in sessions that allow it. */
#include <dlfcn.h>
#include <errno.h>

#include <qda.h>

#define FAKE __attribute__((visibility("default")))

FAKE int qda_session_create(struct qda_device *device, const struct qda_session_params *params,
			    struct qda_session **ret_session)
{
	int (*next)(struct qda_device *, const struct qda_session_params *, struct qda_session **) =
		dlsym(RTLD_NEXT, "qda_session_create");

	if (!(params->flags & QDA_SESSION_INTERRUPTIBLE))
		return -EINVAL;
	return next(device, params, ret_session);
}

FAKE int qda_call(struct qda_module *module, const struct qda_method *method,
		  const struct qda_value *values, struct qda_arena *arena, int timeout_ms,
		  uint32_t *ret_status)
{
	return -EINTR;
}
