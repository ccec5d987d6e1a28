/* SPDX-License-Identifier: MIT */
/* Cases: opening devices. */
#include "conformance.h"

static void device_tells_name_and_transport(struct conf *c)
{
	const char *transport = qda_device_transport(c->device);

	CHECK(!strcmp(transport, conf_is_soft() ? "soft" : "accel"));
	CHECK(qda_device_dsp(c->device)[0]);
	CHECK(qda_device_node(c->device)[0] == '/');
}

static void device_opens_again_by_its_dsp_name(struct conf *c)
{
	struct qda_device *again;
	char name[64];

	snprintf(name, sizeof(name), "%s%s", conf_is_soft() ? "soft:" : "",
		 qda_device_dsp(c->device));
	CHECK_OK(qda_device_open(c->qda, name, &again));
	CHECK(!strcmp(qda_device_dsp(again), qda_device_dsp(c->device)));
	qda_device_unref(again);
}

static void device_unknown_dsp_is_enodev(struct conf *c)
{
	struct qda_device *device = c->device;

	CHECK_ERROR(qda_device_open(c->qda, "gdsp1", &device), -ENODEV);
	CHECK(device == c->device);
}

static void device_missing_node_is_enoent(struct conf *c)
{
	struct qda_device *device = c->device;

	CHECK_ERROR(qda_device_open(c->qda, "/dev/accel/accel250", &device), -ENOENT);
	CHECK(device == c->device);
}

static void device_foreign_node_is_enodev(struct conf *c)
{
	struct qda_device *device;

	CHECK_ERROR(qda_device_open(c->qda, "/dev/null", &device), -ENODEV);
}

static void device_malformed_names_are_einval(struct conf *c)
{
	static const char *const names[] = {
		"",
		"soft:",
		"soft:a/b",
		"a name much longer than any DSP has or will ever have",
	};
	struct qda_device *device;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		CHECK_ERROR(qda_device_open(c->qda, names[i], &device), -EINVAL);
}

static void device_lives_as_long_as_its_session(struct conf *c)
{
	struct qda_device *device;
	struct qda_session *session;
	struct qda_module *module;

	CHECK_OK(qda_device_open(c->qda, conf_device, &device));
	session = conf_session(device);
	qda_device_unref(device);
	CHECK(qda_session_device(session) == device);
	CHECK(qda_device_dsp(qda_session_device(session))[0]);
	module = conf_open(session, "libconf_skel.so");
	check_alive(module);
	qda_module_close(module);
	qda_session_close(session);
}

static void device_refs_count(struct conf *c)
{
	CHECK(qda_device_ref(c->device) == c->device);
	CHECK(!qda_device_unref(c->device));
	CHECK(qda_device_dsp(c->device)[0]);
	CHECK(!qda_device_unref(NULL));
	CHECK(qda_ref(c->qda) == c->qda);
	CHECK(!qda_unref(c->qda));
	CHECK(!qda_unref(NULL));
}

static void softdsp_missing_program_is_enoent(struct conf *c)
{
	struct qda_session *session = NULL;
	struct qda_device *device;

	CHECK_OK(qda_set_softdsp(c->qda, "/nonexistent/qda-softdsp"));
	CHECK_OK(qda_device_open(c->qda, "soft:cdsp", &device));
	CHECK_ERROR(qda_session_create(device, NULL, &session), -ENOENT);
	CHECK(!session);
	qda_device_unref(device);
}

static void softdsp_program_that_is_none_fails(struct conf *c)
{
	struct qda_session *session = NULL;
	struct qda_device *device;

	CHECK_OK(qda_set_softdsp(c->qda, "/bin/true"));
	CHECK_OK(qda_device_open(c->qda, "soft:cdsp", &device));
	CHECK(qda_session_create(device, NULL, &session) < 0);
	CHECK(!session);
	qda_device_unref(device);
}

static void softdsp_relative_program_is_einval(struct conf *c)
{
	CHECK_ERROR(qda_set_softdsp(c->qda, "bin/qda-softdsp"), -EINVAL);
}

const struct conf_case device_cases[] = {
	CASE(device_tells_name_and_transport, CONF_BARE),
	CASE(device_opens_again_by_its_dsp_name, CONF_BARE),
	CASE(device_unknown_dsp_is_enodev, CONF_BARE),
	CASE(device_missing_node_is_enoent, CONF_BARE),
	CASE(device_foreign_node_is_enodev, CONF_BARE),
	CASE(device_malformed_names_are_einval, CONF_BARE),
	CASE(device_lives_as_long_as_its_session, CONF_BARE),
	CASE(device_refs_count, CONF_BARE),
	CASE(softdsp_missing_program_is_enoent, CONF_BARE | CONF_SOFT_ONLY),
	CASE(softdsp_program_that_is_none_fails, CONF_BARE | CONF_SOFT_ONLY),
	CASE(softdsp_relative_program_is_einval, CONF_BARE | CONF_SOFT_ONLY),
	{0},
};
