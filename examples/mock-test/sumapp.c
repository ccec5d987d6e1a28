/* SPDX-License-Identifier: MIT */
/* The part of an application that talks to the DSP. */
#include <errno.h>
#include <stdio.h>

#include <qda.h>

#include "sumapp.h"

static const struct qda_param sum_params[] = {
	{.name = "vec", .mode = QDA_IN, .kind = QDA_KIND_SEQUENCE, .align = 4, .size = 4},
	{.name = "res", .mode = QDA_ROUT, .kind = QDA_KIND_FIXED, .align = 8, .size = 8},
};

static const struct qda_method sum_method = {.name = "sum",
					     .number = 2,
					     .n_params = 2,
					     .params = sum_params};

static int sum_on(struct qda_device *device, const int32_t *vec, uint32_t count, int64_t *ret_sum,
		  uint32_t *ret_status)
{
	struct qda_session *session = NULL;
	struct qda_module *module = NULL;
	int64_t sum = 0;
	const struct qda_value values[] = {
		{.data = (void *)(uintptr_t)vec, .count = count},
		{.data = &sum},
	};
	int r;

	r = qda_session_create(device, NULL, &session);
	if (r < 0)
		return r;
	r = qda_module_open(session, "libcalculator_skel.so", ret_status, NULL, 0, &module);
	if (!r)
		r = qda_call(module, &sum_method, values, NULL, QDA_NO_TIMEOUT, ret_status);
	if (!r)
		*ret_sum = sum;
	qda_module_close(module);
	qda_session_close(session);
	return r;
}

int sumapp_sum(const char *device_name, const int32_t *vec, uint32_t count, int64_t *ret_sum,
	       int *ret_on_dsp, char *message, size_t message_size)
{
	struct qda *qda = NULL;
	struct qda_device *device = NULL;
	uint32_t status = 0;
	int64_t sum = 0;
	int r;

	message[0] = '\0';
	r = qda_new(&qda);
	if (r < 0)
		return r;
	r = qda_device_open(qda, device_name, &device);
	if (r == -ENOENT || r == -ENODEV) {
		for (uint32_t i = 0; i < count; i++)
			sum += vec[i];
		*ret_sum = sum;
		*ret_on_dsp = 0;
		r = 0;
		goto out;
	}
	if (!r)
		r = sum_on(device, vec, count, ret_sum, &status);
	if (!r)
		*ret_on_dsp = 1;
	else
		snprintf(message, message_size, "%s: %s", device_name,
			 r == -EREMOTEIO ? qda_status_text(status) : qda_strerror(r));
out:
	qda_device_unref(device);
	qda_unref(qda);
	return r;
}
