/* SPDX-License-Identifier: MIT */
/*
 * Enumeration, opening by DSP name and hot-plug in an umockdev testbed. umockdev
 * plays sysfs and udev, libuapimock the nodes.
 */
#include "helpers.h"

#include <dlfcn.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <umockdev.h>

#include <drm.h>
#include <drm/qda_accel.h>
#include <uapimock.h>

static UMockdevTestbed *testbed;
static struct qda *qda;

/*
 * umockdev calls libc past libuapimock. So the library's own calls, which the
 * linker turns to these, go to libuapimock directly; libudev's go to umockdev.
 */
int __wrap_open64(const char *path, int flags);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_close(int fd);

static void *uapimock_symbol(const char *name)
{
	static void *library;

	if (!library)
		library = dlopen(UAPIMOCK_SONAME, RTLD_LAZY | RTLD_NOLOAD);
	return dlsym(library, name);
}

int __wrap_open64(const char *path, int flags)
{
	return ((int (*)(const char *, int, ...))uapimock_symbol("open64"))(path, flags);
}

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
	int (*function)(int, unsigned long, ...) =
		(int (*)(int, unsigned long, ...))uapimock_symbol("ioctl");

	return function(fd, request, argument);
}

int __wrap_close(int fd)
{
	return ((int (*)(int))uapimock_symbol("close"))(fd);
}

/* The testbed's threads open descriptors of their own while they start. */
static void settle(void)
{
	unsigned int before = 0, now;

	for (int same = 0; same < 20; before = now) {
		usleep(1000);
		now = count_fds();
		same = now == before ? same + 1 : 0;
	}
}

static int setup(void **state)
{
	testbed = umockdev_testbed_new();
	settle();
	qda = new_context("");
	uapimock_begin();
	return 0;
}

static int teardown(void **state)
{
	qda_unref(qda);
	g_object_unref(testbed);
	return 0;
}

/*
 * Node @index of @driver, or of no driver. umockdev sends the event "add" for it.
 *
 * Return: its syspath, to be freed.
 */
static char *add_node(unsigned int index, const char *driver)
{
	char parent_name[32], name[32], node[64], link[96];
	char *parent, *syspath;

	snprintf(parent_name, sizeof(parent_name), "fastrpc%u", index);
	snprintf(name, sizeof(name), "accel%u", index);
	snprintf(node, sizeof(node), "/dev/accel/accel%u", index);
	parent = umockdev_testbed_add_device(testbed, "rpmsg", parent_name, NULL, NULL, NULL);
	assert_non_null(parent);
	if (driver) {
		snprintf(link, sizeof(link), "../../bus/rpmsg/drivers/%s", driver);
		umockdev_testbed_set_attribute_link(testbed, parent, "driver", link);
	}
	syspath = umockdev_testbed_add_device(testbed, "accel", name, parent, NULL, "DEVNAME", node,
					      NULL);
	assert_non_null(syspath);
	g_free(parent);
	return syspath;
}

static void add_node_once(unsigned int index, const char *driver)
{
	g_free(add_node(index, driver));
}

static const char *node_path(unsigned int index)
{
	static char path[64];

	snprintf(path, sizeof(path), "/dev/accel/accel%u", index);
	return path;
}

static int script_version(unsigned int index, const char *driver)
{
	int fd = uapimock_expect_open(node_path(index), 0);

	uapimock_expect_version(fd, driver, 1, 2, 3);
	return fd;
}

static void script_node(unsigned int index, const char *dsp)
{
	int fd = script_version(index, "qda");
	struct drm_qda_query query = {.dsp_name = ""};

	memcpy(query.dsp_name, dsp, strlen(dsp));
	uapimock_out(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), &query, sizeof(query));
	uapimock_expect_close(fd);
}

/* ---- enumeration -------------------------------------------------------- */

static void test_no_nodes(void **state)
{
	struct qda_device_list *list;
	int before = count_fds();

	assert_int_equal(qda_enumerate(qda, &list), 0);
	assert_null(qda_device_list_get(list, 0));
	qda_device_list_free(list);
	assert_int_equal(count_fds(), before);
	uapimock_end();
}

static void test_nodes_with_all_they_say(void **state)
{
	const struct qda_device_info *info;
	struct qda_device_list *list;
	int before = count_fds(), major, minor, patch;
	char *syspath = add_node(0, "qda");

	add_node_once(1, "qda");
	script_node(0, "adsp");
	script_node(1, "cdsp");
	assert_int_equal(qda_enumerate(qda, &list), 2);
	info = qda_device_list_get(list, 0);
	assert_string_equal(qda_device_info_node(info), "/dev/accel/accel0");
	assert_string_equal(qda_device_info_dsp(info), "adsp");
	assert_string_equal(qda_device_info_syspath(info), syspath);
	assert_int_equal(qda_device_info_error(info), 0);
	assert_int_equal(qda_device_info_version(info, &major, &minor, &patch), 0);
	assert_int_equal(major, 1);
	assert_int_equal(minor, 2);
	assert_int_equal(patch, 3);
	assert_string_equal(qda_device_info_dsp(qda_device_list_get(list, 1)), "cdsp");
	assert_null(qda_device_list_get(list, 2));
	qda_device_list_free(list);
	g_free(syspath);
	assert_int_equal(count_fds(), before);
	uapimock_end();
}

/* A file where the testbed has /dev/accel/accel0. */
static void make_node_file(mode_t mode)
{
	char *root = umockdev_testbed_get_root_dir(testbed);
	char *dir = g_build_filename(root, "dev/accel", NULL);
	char *file = g_build_filename(dir, "accel0", NULL);

	assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
	assert_true(g_file_set_contents(file, "", 0, NULL));
	assert_return_code(chmod(file, mode), errno);
	g_free(file);
	g_free(dir);
	g_free(root);
}

static void test_owner_and_permissions(void **state)
{
	struct qda_device_list *list;
	uint32_t mode = 0, uid = 1, gid = 1;

	add_node_once(0, "qda");
	script_node(0, "cdsp");
	make_node_file(0640);
	assert_int_equal(qda_enumerate(qda, &list), 1);
	assert_int_equal(qda_device_info_access(qda_device_list_get(list, 0), &mode, &uid, &gid),
			 0);
	assert_int_equal(mode, 0640);
	assert_int_equal(uid, getuid());
	qda_device_list_free(list);
	uapimock_end();
}

static void test_node_that_is_not_there(void **state)
{
	const struct qda_device_info *info;
	struct qda_device_list *list;
	uint32_t mode = 7, uid = 7, gid = 7;
	int major = 7;

	add_node_once(0, "qda");
	uapimock_expect_open(node_path(0), ENOENT);
	assert_int_equal(qda_enumerate(qda, &list), 1);
	info = qda_device_list_get(list, 0);
	assert_int_equal(qda_device_info_error(info), -ENOENT);
	assert_string_equal(qda_device_info_dsp(info), "");
	assert_int_equal(qda_device_info_access(info, &mode, &uid, &gid), -ENOENT);
	assert_int_equal(qda_device_info_version(info, &major, &major, &major), -ENOENT);
	assert_int_equal(mode, 7);
	assert_int_equal(major, 7);
	qda_device_list_free(list);
	uapimock_end();
}

static void test_node_without_permission_is_listed(void **state)
{
	struct qda_device_list *list;

	add_node_once(0, "qda");
	add_node_once(1, "qda");
	uapimock_expect_open(node_path(0), EACCES);
	script_node(1, "cdsp");
	assert_int_equal(qda_enumerate(qda, &list), 2);
	assert_int_equal(qda_device_info_error(qda_device_list_get(list, 0)), -EACCES);
	assert_int_equal(qda_device_info_error(qda_device_list_get(list, 1)), 0);
	assert_non_null(strstr(logged, "/dev/accel/accel0: permission denied"));
	qda_device_list_free(list);
	uapimock_end();
}

static void test_node_that_does_not_answer_is_listed(void **state)
{
	struct qda_device_list *list;
	int fd;

	add_node_once(0, "qda");
	fd = script_version(0, "qda");
	uapimock_fails(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), ENODEV);
	assert_int_equal(qda_enumerate(qda, &list), 1);
	assert_int_equal(qda_device_info_error(qda_device_list_get(list, 0)), -ENODEV);
	qda_device_list_free(list);
	uapimock_end();
}

static void test_other_drivers_are_not_listed(void **state)
{
	struct qda_device_list *list;

	add_node_once(0, "intel_vpu");
	add_node_once(1, "amdxdna");
	script_version(0, "intel_vpu");
	uapimock_expect_open(node_path(1), EACCES);
	assert_int_equal(qda_enumerate(qda, &list), 0);
	assert_null(qda_device_list_get(list, 0));
	qda_device_list_free(list);
	uapimock_end();
}

static void test_node_that_says_it_is_qda(void **state)
{
	struct qda_device_list *list;
	int fd;

	add_node_once(0, NULL);
	add_node_once(1, "qda-simulated");
	script_node(0, "cdsp");
	fd = script_version(1, "qda");
	uapimock_fails(uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY), EIO);
	assert_int_equal(qda_enumerate(qda, &list), 2);
	assert_string_equal(qda_device_info_dsp(qda_device_list_get(list, 0)), "cdsp");
	assert_int_equal(qda_device_info_error(qda_device_list_get(list, 1)), -EIO);
	qda_device_list_free(list);
	uapimock_end();
}

/* ---- opening by name ---------------------------------------------------- */

static void test_open_by_dsp_name(void **state)
{
	struct qda_device *device;
	int before = count_fds();

	add_node_once(0, "qda");
	add_node_once(1, "qda");
	script_node(0, "adsp");
	script_node(1, "cdsp");
	assert_int_equal(qda_device_open(qda, "cdsp", &device), 0);
	assert_string_equal(qda_device_node(device), "/dev/accel/accel1");
	assert_string_equal(qda_device_dsp(device), "cdsp");
	assert_string_equal(qda_device_transport(device), "accel");
	qda_device_unref(device);
	assert_int_equal(count_fds(), before);
	uapimock_end();
}

static void test_open_of_a_dsp_that_is_not_there(void **state)
{
	struct qda_device *device = NULL;

	add_node_once(0, "qda");
	script_node(0, "cdsp1");
	assert_int_equal(qda_device_open(qda, "cdsp", &device), -ENODEV);
	assert_null(device);
	assert_non_null(strstr(logged, "no DSP cdsp"));
	uapimock_end();
}

static void test_open_says_why_a_dsp_could_not_be_asked(void **state)
{
	struct qda_device *device = NULL;

	add_node_once(0, "qda");
	add_node_once(1, "qda");
	uapimock_expect_open(node_path(0), EACCES);
	script_node(1, "adsp");
	assert_int_equal(qda_device_open(qda, "cdsp", &device), -EACCES);
	assert_null(device);
	uapimock_end();
}

/* ---- hot-plug ----------------------------------------------------------- */

/* The next event, after waiting for one; or -EAGAIN. */
static int receive(struct qda_monitor *monitor, int *ret_action,
		   const struct qda_device_info **ret_info)
{
	struct pollfd fd = {.fd = qda_monitor_fd(monitor), .events = POLLIN};

	assert_int_equal(poll(&fd, 1, 10000), 1);
	return qda_monitor_receive(monitor, ret_action, ret_info);
}

static void test_nothing_waits(void **state)
{
	const struct qda_device_info *info = NULL;
	struct qda_monitor *monitor;
	int before = count_fds(), action = 7;

	assert_int_equal(qda_monitor_new(qda, &monitor), 0);
	assert_int_equal(qda_monitor_receive(monitor, &action, &info), -EAGAIN);
	assert_int_equal(action, 7);
	assert_null(info);
	assert_null(qda_monitor_free(monitor));
	assert_int_equal(count_fds(), before);
	uapimock_end();
}

static void test_device_comes_and_goes(void **state)
{
	const struct qda_device_info *info;
	struct qda_monitor *monitor;
	int action;
	char *syspath;

	assert_int_equal(qda_monitor_new(qda, &monitor), 0);
	script_node(0, "cdsp");
	syspath = add_node(0, "qda");
	assert_int_equal(receive(monitor, &action, &info), 0);
	assert_int_equal(action, QDA_MONITOR_ADD);
	assert_string_equal(qda_device_info_dsp(info), "cdsp");
	assert_string_equal(qda_device_info_node(info), "/dev/accel/accel0");
	umockdev_testbed_uevent(testbed, syspath, "remove");
	umockdev_testbed_remove_device(testbed, syspath);
	assert_int_equal(receive(monitor, &action, &info), 0);
	assert_int_equal(action, QDA_MONITOR_REMOVE);
	assert_string_equal(qda_device_info_dsp(info), "cdsp");
	assert_string_equal(qda_device_info_syspath(info), syspath);
	assert_int_equal(qda_monitor_receive(monitor, &action, &info), -EAGAIN);
	qda_monitor_free(monitor);
	g_free(syspath);
	uapimock_end();
}

static void test_removal_of_a_device_that_was_there_before(void **state)
{
	const struct qda_device_info *info;
	struct qda_monitor *monitor;
	int action;
	char *syspath = add_node(3, "qda");

	script_node(3, "adsp");
	assert_int_equal(qda_monitor_new(qda, &monitor), 0);
	umockdev_testbed_uevent(testbed, syspath, "remove");
	assert_int_equal(receive(monitor, &action, &info), 0);
	assert_int_equal(action, QDA_MONITOR_REMOVE);
	assert_string_equal(qda_device_info_dsp(info), "adsp");
	qda_monitor_free(monitor);
	g_free(syspath);
	uapimock_end();
}

static void test_restart_gives_the_new_name(void **state)
{
	const struct qda_device_info *info;
	struct qda_monitor *monitor;
	int action;
	char *syspath = add_node(0, "qda");

	script_node(0, "adsp");
	assert_int_equal(qda_monitor_new(qda, &monitor), 0);
	/* The same node for another DSP, without a removal that was seen. */
	script_node(0, "cdsp");
	umockdev_testbed_uevent(testbed, syspath, "add");
	assert_int_equal(receive(monitor, &action, &info), 0);
	assert_string_equal(qda_device_info_dsp(info), "cdsp");
	umockdev_testbed_uevent(testbed, syspath, "remove");
	assert_int_equal(receive(monitor, &action, &info), 0);
	assert_string_equal(qda_device_info_dsp(info), "cdsp");
	/* It is gone: once more is nobody's. */
	umockdev_testbed_uevent(testbed, syspath, "remove");
	assert_int_equal(receive(monitor, &action, &info), -EAGAIN);
	qda_monitor_free(monitor);
	g_free(syspath);
	uapimock_end();
}

static void test_added_device_that_cannot_be_opened(void **state)
{
	const struct qda_device_info *info;
	struct qda_monitor *monitor;
	int action;
	char *syspath;

	assert_int_equal(qda_monitor_new(qda, &monitor), 0);
	uapimock_expect_open(node_path(0), EACCES);
	syspath = add_node(0, "qda");
	assert_int_equal(receive(monitor, &action, &info), 0);
	assert_int_equal(action, QDA_MONITOR_ADD);
	assert_int_equal(qda_device_info_error(info), -EACCES);
	qda_monitor_free(monitor);
	g_free(syspath);
	uapimock_end();
}

static void test_events_of_others_are_swallowed(void **state)
{
	const struct qda_device_info *info = NULL;
	struct qda_monitor *monitor;
	int action = 7;
	char *other, *syspath;

	assert_int_equal(qda_monitor_new(qda, &monitor), 0);
	script_version(0, "intel_vpu");
	other = add_node(0, "intel_vpu");
	assert_int_equal(receive(monitor, &action, &info), -EAGAIN);
	umockdev_testbed_uevent(testbed, other, "change");
	umockdev_testbed_uevent(testbed, other, "remove");
	assert_int_equal(receive(monitor, &action, &info), -EAGAIN);
	assert_int_equal(action, 7);
	assert_null(info);

	/* And do not stand in the way of ours. */
	script_node(1, "cdsp");
	umockdev_testbed_uevent(testbed, other, "change");
	syspath = add_node(1, "qda");
	assert_int_equal(receive(monitor, &action, &info), 0);
	assert_string_equal(qda_device_info_dsp(info), "cdsp");
	qda_monitor_free(monitor);
	g_free(other);
	g_free(syspath);
	uapimock_end();
}

static void test_monitor_keeps_its_context(void **state)
{
	struct qda *own = new_context("");
	struct qda_monitor *monitor;

	assert_int_equal(qda_monitor_new(own, &monitor), 0);
	assert_int_equal(atomic_load(&own->refs), 2);
	qda_unref(own);
	qda_monitor_free(monitor);
	uapimock_end();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_nodes),
		TEST(test_nodes_with_all_they_say),
		TEST(test_owner_and_permissions),
		TEST(test_node_that_is_not_there),
		TEST(test_node_without_permission_is_listed),
		TEST(test_node_that_does_not_answer_is_listed),
		TEST(test_other_drivers_are_not_listed),
		TEST(test_node_that_says_it_is_qda),
		TEST(test_open_by_dsp_name),
		TEST(test_open_of_a_dsp_that_is_not_there),
		TEST(test_open_says_why_a_dsp_could_not_be_asked),
		TEST(test_nothing_waits),
		TEST(test_device_comes_and_goes),
		TEST(test_removal_of_a_device_that_was_there_before),
		TEST(test_restart_gives_the_new_name),
		TEST(test_added_device_that_cannot_be_opened),
		TEST(test_events_of_others_are_swallowed),
		TEST(test_monitor_keeps_its_context),
	};

	bool preloaded;

	testbed = umockdev_testbed_new();
	preloaded = umockdev_in_mock_environment();
	g_object_unref(testbed);
	if (!preloaded) {
		printf("skipped: libumockdev-preload is not loaded\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
