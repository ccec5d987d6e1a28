/* SPDX-License-Identifier: MIT */
/* Opening a device by node and by "soft:NAME": what is sent, and every way it can fail. */
#include "helpers.h"

#include <sys/stat.h>

#include <drm.h>
#include <drm/qda_accel.h>
#include <uapimock.h>

#define NODE "/dev/accel/accel0"

static struct qda *qda;

static int setup(void **state)
{
	qda = new_context("");
	uapimock_begin();
	return 0;
}

static int teardown(void **state)
{
	qda_unref(qda);
	return 0;
}

static int script_node(const char *driver)
{
	int fd = uapimock_expect_open(NODE, 0);

	uapimock_expect_version(fd, driver, 1, 0, 0);
	return fd;
}

static void script_name(int fd, const char *name)
{
	struct drm_qda_query query = {.dsp_name = ""};

	memcpy(query.dsp_name, name, strnlen(name, sizeof(query.dsp_name)));
	uapimock_out(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), &query, sizeof(query));
}

/* Opening the node, whose QUERY gives @name, returns @expected. */
static void assert_open_of_name(const char *name, int expected)
{
	struct qda_device *device = NULL;
	int fd = script_node("qda");

	script_name(fd, name);
	uapimock_expect_close(fd);
	assert_int_equal(qda_device_open(qda, NODE, &device), expected);
	if (!expected)
		assert_int_equal(strncmp(qda_device_dsp(device), name, 16), 0);
	else
		assert_null(device);
	qda_device_unref(device);
	uapimock_end();
}

static void test_open_by_node(void **state)
{
	struct qda_device *device;
	int before = count_fds(), fd = script_node("qda");

	script_name(fd, "cdsp");
	uapimock_expect_close(fd);
	assert_int_equal(qda_device_open(qda, NODE, &device), 0);
	assert_string_equal(qda_device_dsp(device), "cdsp");
	assert_string_equal(qda_device_node(device), NODE);
	assert_string_equal(qda_device_transport(device), "accel");
	assert_int_equal(count_fds(), before);
	assert_ptr_equal(qda_device_ref(device), device);
	assert_null(qda_device_unref(device));
	assert_string_equal(qda_device_dsp(device), "cdsp");
	assert_null(qda_device_unref(device));
	uapimock_end();
}

static void test_version_tells_whether_arguments_go_by_handle(void **state)
{
	static const struct {
		int major, minor;
		bool gem_args;
	} versions[] = {{0, 0, false}, {1, 0, false}, {1, 1, true}, {1, 2, true}, {2, 1, false}};

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct qda_device *device;
		int fd = uapimock_expect_open(NODE, 0);

		uapimock_expect_version(fd, "qda", versions[i].major, versions[i].minor, 0);
		script_name(fd, "cdsp");
		assert_int_equal(qda_device_open(qda, NODE, &device), 0);
		assert_int_equal(device->gem_args, versions[i].gem_args);
		qda_device_unref(device);
	}
	uapimock_end();
}

static void test_device_keeps_its_context(void **state)
{
	struct qda_device *device;
	struct qda *own = new_context("");

	assert_int_equal(qda_device_open(own, "soft:cdsp", &device), 0);
	qda_unref(own);
	assert_ptr_equal(device->qda, own);
	assert_int_equal(atomic_load(&own->refs), 1);
	qda_device_unref(device);
	uapimock_end();
}

static void test_interrupted_queries_are_repeated(void **state)
{
	struct qda_device *device;
	int fd;

	assert_int_equal(uapimock_expect_open(NODE, EINTR), -1);
	fd = uapimock_expect_open(NODE, 0);
	uapimock_fails(uapimock_expect_ioctl(fd, DRM_IOCTL_VERSION), EINTR);
	uapimock_expect_version(fd, "qda", 1, 0, 0);
	uapimock_fails(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), EINTR);
	uapimock_fails(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), EAGAIN);
	script_name(fd, "adsp");
	assert_int_equal(qda_device_open(qda, NODE, &device), 0);
	qda_device_unref(device);
	uapimock_end();
}

static void test_missing_node(void **state)
{
	struct qda_device *device = NULL;

	assert_int_equal(qda_device_open(qda, "/dev/accel/accel-none", &device), -ENOENT);
	assert_null(device);
	assert_non_null(strstr(logged, "/dev/accel/accel-none"));
	uapimock_end();
}

static void test_node_without_permission(void **state)
{
	struct qda_device *device = NULL;

	uapimock_expect_open(NODE, EACCES);
	assert_int_equal(qda_device_open(qda, NODE, &device), -EACCES);
	assert_null(device);
	assert_non_null(strstr(logged, NODE ": permission denied"));
	uapimock_end();
}

static void test_node_of_another_driver(void **state)
{
	static const char *const drivers[] = {"ivpu", "qd", "qdax", "qda2", ""};
	struct qda_device *device = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		uapimock_begin();
		uapimock_expect_close(script_node(drivers[i]));
		assert_int_equal(qda_device_open(qda, NODE, &device), -ENODEV);
		assert_null(device);
		uapimock_end();
	}
}

static void test_file_that_is_no_drm_node(void **state)
{
	struct qda_device *device = NULL;
	int before = count_fds();

	assert_int_equal(qda_device_open(qda, "/dev/null", &device), -ENODEV);
	assert_int_equal(qda_device_open(qda, "/tmp", &device), -EISDIR);
	assert_null(device);
	assert_int_equal(count_fds(), before);
	uapimock_end();
}

/* Opening the node, whose VERSION fails with @error, returns @expected. */
static void assert_open_without_version(int error, int expected)
{
	struct qda_device *device = NULL;
	int fd;

	uapimock_begin();
	fd = uapimock_expect_open(NODE, 0);
	uapimock_fails(uapimock_expect_ioctl(fd, DRM_IOCTL_VERSION), error);
	uapimock_expect_close(fd);
	assert_int_equal(qda_device_open(qda, NODE, &device), expected);
	assert_null(device);
	uapimock_end();
}

static void test_version_is_not_known(void **state)
{
	assert_open_without_version(ENOTTY, -ENODEV);
	assert_open_without_version(EINVAL, -ENODEV);
}

static void test_version_fails(void **state)
{
	assert_open_without_version(EIO, -EIO);
	assert_open_without_version(ENODEV, -ENODEV);
}

static void test_query_fails(void **state)
{
	static const int errors[] = {ENODEV, EIO, ENOTTY, EINVAL, EPERM};
	struct qda_device *device = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		int fd;

		uapimock_begin();
		fd = script_node("qda");
		uapimock_fails(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), errors[i]);
		uapimock_expect_close(fd);
		assert_int_equal(qda_device_open(qda, NODE, &device), -errors[i]);
		assert_null(device);
		uapimock_end();
	}
}

static void test_name_that_fills_its_field(void **state)
{
	assert_open_of_name("abcdefghijklmnop", 0);
}

static void test_empty_name(void **state)
{
	assert_open_of_name("", -EPROTO);
}

static void test_name_with_a_path(void **state)
{
	assert_open_of_name("../../etc", -EPROTO);
}

static void test_name_with_control_characters(void **state)
{
	assert_open_of_name("cdsp\n", -EPROTO);
}

static void test_soft_device(void **state)
{
	static const char *const names[] = {"cdsp", "my_dsp-7", "a", "abcdefghijklmnop"};
	struct qda_device *device;

	assert_int_equal(qda_set_softdsp(qda, "/opt/softdsp"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char name[32];

		snprintf(name, sizeof(name), "soft:%s", names[i]);
		assert_int_equal(qda_device_open(qda, name, &device), 0);
		assert_string_equal(qda_device_dsp(device), names[i]);
		assert_string_equal(qda_device_transport(device), "soft");
		assert_string_equal(qda_device_node(device), "/opt/softdsp");
		qda_device_unref(device);
	}
	uapimock_end();
}

static void test_malformed_names(void **state)
{
	static const char *const names[] = {
		"",         "soft:",     "soft:abcdefghijklmnopq", "soft:CDSP",
		"soft:a/b", "soft:a b",  "abcdefghijklmnopq",      "c dsp",
		"CDSP",     "hard:cdsp", "dev/accel/accel0",       "cdsp\n",
	};
	struct qda_device *device = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(qda_device_open(qda, names[i], &device), -EINVAL);
	assert_null(device);
	uapimock_end();
}

static void test_unref_of_null(void **state)
{
	assert_null(qda_device_unref(NULL));
	assert_null(qda_device_list_free(NULL));
	assert_null(qda_monitor_free(NULL));
	uapimock_end();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open_by_node),
		TEST(test_version_tells_whether_arguments_go_by_handle),
		TEST(test_device_keeps_its_context),
		TEST(test_interrupted_queries_are_repeated),
		TEST(test_missing_node),
		TEST(test_node_without_permission),
		TEST(test_node_of_another_driver),
		TEST(test_file_that_is_no_drm_node),
		TEST(test_version_is_not_known),
		TEST(test_version_fails),
		TEST(test_query_fails),
		TEST(test_name_that_fills_its_field),
		TEST(test_empty_name),
		TEST(test_name_with_a_path),
		TEST(test_name_with_control_characters),
		TEST(test_soft_device),
		TEST(test_malformed_names),
		TEST(test_unref_of_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
