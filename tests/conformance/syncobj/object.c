/* SPDX-License-Identifier: MIT */
/* Cases: devices, and objects as file descriptors. */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../../unit/pass-fd.h"
#include "conformance.h"

static void device_tells_about_itself(struct conf *c)
{
	int backend = syncobj_device_backend(c->device);
	struct syncobj *s = make(c);

	if (!strchr(conf_device, '/') || strchr(conf_device, ':'))
		CHECK_EQ(backend, conf_is_soft()                       ? SYNCOBJ_BACKEND_SOFT
				  : !strncmp(conf_device, "device", 6) ? SYNCOBJ_BACKEND_DEVICE
								       : SYNCOBJ_BACKEND_DRM);
	CHECK(c->features & SYNCOBJ_FEATURE_TIMELINE);
	CHECK(syncobj_device_path(c->device)[0]);
	CHECK(syncobj_device_description(c->device)[0]);
	CHECK(syncobj_device_of(s) == c->device);
	if (conf_is_soft())
		CHECK(!strcmp(syncobj_device_path(c->device), "soft"));
	syncobj_unref(s);
}

static void bad_device_names_are_refused(struct conf *c)
{
	static const struct {
		const char *name;
		int error;
	} names[] = {
		{"bogus", -EINVAL},
		{"soft:x", -EINVAL},
		{"device:/nonexistent/node", -ENOENT},
		{"drm:/nonexistent/node", -ENOENT},
		{"/nonexistent/node", -ENOENT},
		{"device:/dev/null", -ENODEV},
		{"drm:/dev/null", -ENODEV},
		{"/dev/null", -ENODEV},
	};
	struct syncobj_device *device = c->device;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		CHECK_ERROR(syncobj_device_open(names[i].name, &device), names[i].error);
	CHECK(device == c->device);
}

static void only_nodes_are_devices(struct conf *c)
{
	struct syncobj_device *device = c->device;
	int fds[3], null = open("/dev/null", O_RDWR | O_CLOEXEC);

	CHECK_ERROR(syncobj_device_open_fd(-1, &device), -EBADF);
	CHECK_ERROR(syncobj_device_open_fd(null, &device), -ENODEV);
	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	CHECK_ERROR(syncobj_device_open_fd(fds[0], &device), -ENODEV);
	fds[2] = eventfd(0, EFD_CLOEXEC);
	CHECK_ERROR(syncobj_device_open_fd(fds[2], &device), -ENODEV);
	CHECK(device == c->device);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	CHECK_ERROR(syncobj_device_open_fd(fds[0], &device), -EBADF);
	close(null);
}

static void node_may_be_open_for_reading_only(struct conf *c)
{
	int fd = open(syncobj_device_path(c->device), O_RDONLY | O_CLOEXEC);
	struct conf other = {0};
	struct syncobj *s, *theirs;

	CHECK(fd >= 0);
	CHECK_OK(syncobj_device_open_fd(fd, &other.device));
	close(fd); /* it was the caller's */
	CHECK_EQ(syncobj_device_backend(other.device), syncobj_device_backend(c->device));
	CHECK_EQ(syncobj_device_features(other.device), c->features);
	s = make_at(&other, 5);
	theirs = again(c, s);
	CHECK_EQ(query_one(theirs), 5);
	syncobj_unref(theirs);
	syncobj_unref(s);
	syncobj_device_unref(other.device);
}

static void object_keeps_its_device(struct conf *c)
{
	struct conf other = open_second();
	struct syncobj *s = make(&other);

	CHECK(syncobj_device_ref(other.device) == other.device);
	CHECK(!syncobj_device_unref(other.device));
	CHECK(!syncobj_device_unref(other.device));
	CHECK_OK(signal_one(s, 4));
	CHECK_EQ(query_one(s), 4);
	CHECK(!syncobj_unref(s));
}

static void nothing_may_be_unreferenced(struct conf *c)
{
	CHECK(!syncobj_unref(NULL));
	CHECK(!syncobj_device_unref(NULL));
	CHECK(!syncobj_waiter_free(NULL));
}

static void import_of_what_is_no_object_is_a_bad_fd(struct conf *c)
{
	struct syncobj *s = (struct syncobj *)c;
	int fds[8], pair[2];
	size_t n = 0;

	fds[n++] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[n++] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds[n++] = open("/dev/null", O_PATH | O_CLOEXEC);
	fds[n++] = eventfd(0, EFD_CLOEXEC);
	fds[n++] = memfd_create("other", MFD_CLOEXEC);
	CHECK_EQ(pipe2(pair, O_CLOEXEC), 0);
	fds[n++] = pair[0];
	fds[n++] = pair[1];
	fds[n++] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (size_t i = 0; i < n; i++) {
		CHECK(fds[i] >= 0);
		CHECK_ERROR(syncobj_import(c->device, fds[i], &s), -EBADF);
		close(fds[i]);
		CHECK_ERROR(syncobj_import(c->device, fds[i], &s), -EBADF);
	}
	CHECK_ERROR(syncobj_import(c->device, -1, &s), -EBADF);
	CHECK_ERROR(syncobj_import(c->device, INT32_MAX, &s), -EBADF);
	CHECK(s == (struct syncobj *)c);
}

static void import_of_sealed_garbage_is_a_bad_fd(struct conf *c)
{
	static const int seals[] = {
		0,
		F_SEAL_SHRINK,
		F_SEAL_SHRINK | F_SEAL_GROW,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_WRITE,
	};
	static const size_t sizes[] = {0, 1, 64, 4095, 4096, 8192, 65536};
	static const char *const names[] = {"syncobj", "syncobj_file", "libsyncobj", "x"};
	struct syncobj *s = (struct syncobj *)c;

	for (size_t v = 0; v < ARRAY_SIZE(seals) * ARRAY_SIZE(sizes) * ARRAY_SIZE(names); v++) {
		int fd =
			memfd_create(names[v % ARRAY_SIZE(names)], MFD_CLOEXEC | MFD_ALLOW_SEALING);
		size_t size = sizes[v / ARRAY_SIZE(names) % ARRAY_SIZE(sizes)];
		static char bytes[65536];

		memset(bytes, (int)(v * 37 + 1), sizeof(bytes));
		CHECK_EQ(write(fd, bytes, size), size);
		CHECK_EQ(fcntl(fd, F_ADD_SEALS, seals[v / ARRAY_SIZE(names) / ARRAY_SIZE(sizes)]),
			 0);
		CHECK_ERROR(syncobj_import(c->device, fd, &s), -EBADF);
		close(fd);
	}
	CHECK(s == (struct syncobj *)c);
}

static void import_of_another_kind_is_a_bad_fd(struct conf *c)
{
	struct conf soft = {0};
	struct syncobj *mine = make(c), *theirs, *s = mine;

	/* Of the kinds, soft alone is always there. */
	CHECK_OK(syncobj_device_open("soft", &soft.device));
	theirs = make(&soft);
	if (!conf_is_soft()) {
		CHECK_ERROR(syncobj_import(c->device, syncobj_fd(theirs), &s), -EBADF);
		CHECK_ERROR(syncobj_import(soft.device, syncobj_fd(mine), &s), -EBADF);
		CHECK_ERROR(syncobj_rebind(mine, soft.device), -EBADF);
		CHECK(syncobj_device_of(mine) == c->device);
		CHECK_OK(signal_one(mine, 3));
		CHECK_EQ(query_one(mine), 3);
	}
	CHECK(s == mine);
	syncobj_unref(theirs);
	syncobj_unref(mine);
	syncobj_device_unref(soft.device);
}

static void descriptors_are_closed_on_exec(struct conf *c)
{
	struct syncobj *s = make(c), *other = again(c, s);
	int fd = CHECK_OK(syncobj_export(s));

	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK(fcntl(syncobj_fd(s), F_GETFD) & FD_CLOEXEC);
	CHECK(fcntl(syncobj_fd(other), F_GETFD) & FD_CLOEXEC);
	close(fd);
	syncobj_unref(s);
	syncobj_unref(other);
}

static void exports_and_duplicates_are_the_same_object(struct conf *c)
{
	struct syncobj *s = make(c), *other[3];
	int fds[] = {
		CHECK_OK(syncobj_export(s)),
		fcntl(syncobj_fd(s), F_DUPFD_CLOEXEC, 0),
		CHECK_OK(syncobj_export(s)),
	};

	for (size_t i = 0; i < 3; i++) {
		CHECK(fds[i] != syncobj_fd(s));
		CHECK_OK(syncobj_import(c->device, fds[i], &other[i]));
		close(fds[i]); /* it was the caller's */
	}
	CHECK_OK(signal_one(other[1], 5));
	CHECK_EQ(query_one(s), 5);
	CHECK_OK(signal_one(s, 8));
	for (size_t i = 0; i < 3; i++)
		CHECK_EQ(query_one(other[i]), 8);
	CHECK_OK(reset_one(other[2]));
	CHECK_EQ(query_one(s), 0);
	CHECK_OK(signal_one(other[0], 1));
	syncobj_unref(s);
	CHECK_EQ(query_one(other[2]), 1);
	drop(other, 3);
}

static void object_is_kept_by_its_references(struct conf *c)
{
	struct syncobj *s = make(c);

	CHECK(syncobj_ref(s) == s);
	CHECK(!syncobj_unref(s));
	CHECK_OK(signal_one(s, 2));
	CHECK_EQ(query_one(s), 2);
	syncobj_unref(s);
}

static void object_is_shared_between_devices(struct conf *c)
{
	struct conf other = open_second();
	struct syncobj *s = make(c), *theirs = again(&other, s);

	CHECK_OK(signal_one(s, 5));
	CHECK_EQ(query_one(theirs), 5);
	CHECK_OK(signal_one(theirs, 6));
	CHECK_ERROR(poll_one(s, 6, 0), 0);
	syncobj_unref(theirs);
	syncobj_unref(s);
	syncobj_device_unref(other.device);
}

static void identify_tells_kinds_apart(struct conf *c)
{
	struct syncobj *s = make(c);
	int fd = memfd_create("syncobj", MFD_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int event = eventfd(0, EFD_CLOEXEC);

	CHECK_EQ(syncobj_identify(syncobj_fd(s)),
		 conf_is_soft() ? SYNCOBJ_KIND_SOFT : SYNCOBJ_KIND_DRM);
	CHECK_EQ(syncobj_identify(fd), SYNCOBJ_KIND_NONE);
	CHECK_EQ(syncobj_identify(null), SYNCOBJ_KIND_NONE);
	CHECK_EQ(syncobj_identify(event), SYNCOBJ_KIND_NONE);
	close(fd);
	close(null);
	close(event);
	CHECK_ERROR(syncobj_identify(fd), -EBADF);
	CHECK_ERROR(syncobj_identify(-1), -EBADF);
	syncobj_unref(s);
}

static void rebind_moves_an_object(struct conf *c)
{
	struct conf other = open_second();
	struct syncobj *s[] = {make_at(c, 3), make_at(&other, 3)};

	CHECK_ERROR(syncobj_wait(s, NULL, 2, 0, 0, 0, NULL), -EXDEV);
	CHECK_OK(syncobj_rebind(s[0], other.device));
	CHECK(syncobj_device_of(s[0]) == other.device);
	CHECK_ERROR(syncobj_wait(s, NULL, 2, 0, SYNCOBJ_WAIT_ALL, 0, NULL), 0);
	CHECK_EQ(query_one(s[0]), 3);
	CHECK_OK(syncobj_rebind(s[0], other.device)); /* where it is already */
	CHECK_OK(syncobj_rebind(s[0], c->device));
	CHECK_OK(syncobj_rebind(s[0], other.device));
	syncobj_device_unref(other.device);
	CHECK_OK(signal_one(s[0], 9));
	CHECK_EQ(query_one(s[0]), 9);
	drop(s, 2);
}

static void nothing_is_taken_without_descriptors(struct conf *c)
{
	struct syncobj *s = make(c), *none = s;
	struct syncobj_waiter *waiter = NULL;
	int fds = count_fds(), lowest = CHECK_OK(syncobj_export(s));
	struct rlimit limit, low;

	close(lowest);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){.rlim_cur = (rlim_t)lowest, .rlim_max = limit.rlim_max};
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	CHECK_ERROR(syncobj_create(c->device, 0, &none), -EMFILE);
	CHECK_ERROR(syncobj_import(c->device, syncobj_fd(s), &none), -EMFILE);
	CHECK_ERROR(syncobj_export(s), -EMFILE);
	CHECK_ERROR(syncobj_waiter_new(s, 5, 0, &waiter), -EMFILE);
	CHECK(none == s && !waiter);
	CHECK_OK(signal_one(s, 5));
	CHECK_EQ(query_one(s), 5);
	if (c->features & (SYNCOBJ_FEATURE_SYNC_FILE | SYNCOBJ_FEATURE_SIGNALED_SYNC_FILE))
		CHECK_ERROR(syncobj_export_sync_file(s, 5), -EMFILE);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(count_fds(), fds);
	syncobj_unref(s);
}

static void create_and_drop_many(struct conf *c)
{
	for (int i = 0; i < 3000; i++) {
		struct syncobj *s = make_at(c, (uint64_t)i);
		struct syncobj *other = again(c, s);

		CHECK_EQ(query_one(other), i);
		syncobj_unref(s);
		syncobj_unref(other);
	}
}

/* ---- between programs --------------------------------------------------- */

int conf_peer(int socket)
{
	struct conf c = open_second(); /* the first is the other program's second */
	struct syncobj *s, *own = make_at(&c, 12);
	int fd = receive_fd(socket);

	CHECK_OK(fd);
	CHECK_OK(syncobj_import(c.device, fd, &s));
	close(fd);
	CHECK_ERROR(syncobj_wait_signaled(s, 7, LIMIT_NS), 0);
	CHECK_EQ(query_one(s), 7);
	CHECK_OK(send_fd(socket, syncobj_fd(own)));
	CHECK_OK(signal_one(s, 9));
	CHECK_ERROR(syncobj_wait_signaled(own, 13, LIMIT_NS), 0);
	syncobj_unref(s);
	syncobj_unref(own);
	syncobj_device_unref(c.device);
	return 0;
}

static void object_passed_to_another_program(struct conf *c)
{
	struct syncobj *s = make(c), *theirs;
	char number[16];
	int pair[2], fd;
	pid_t pid;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	snprintf(number, sizeof(number), "%d", pair[1]);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		fcntl(pair[1], F_SETFD, 0);
		execl(conf_program(), "syncobj-conformance", "--device",
		      conf_second ? conf_second : conf_device, "--peer", number, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	CHECK_OK(send_fd(pair[0], syncobj_fd(s)));
	CHECK_OK(signal_one(s, 7));
	fd = receive_fd(pair[0]);
	CHECK_OK(fd);
	CHECK_OK(syncobj_import(c->device, fd, &theirs));
	close(fd);
	CHECK_EQ(query_one(theirs), 12);
	CHECK_ERROR(syncobj_wait_signaled(s, 9, LIMIT_NS), 0);
	CHECK_OK(signal_one(theirs, 13));
	check_child(pid);
	close(pair[0]);
	CHECK_EQ(query_one(theirs), 13);
	syncobj_unref(s);
	syncobj_unref(theirs);
}

static void every_error_has_a_text(struct conf *c)
{
	for (int error = -4096; error <= 1; error++)
		CHECK(syncobj_strerror(error) && syncobj_strerror(error)[0]);
	CHECK(syncobj_strerror(INT32_MIN));
}

const struct conf_case object_cases[] = {
	CASE(device_tells_about_itself, 0),
	CASE(bad_device_names_are_refused, 0),
	CASE(only_nodes_are_devices, 0),
	CASE(node_may_be_open_for_reading_only, CONF_NODE),
	CASE(object_keeps_its_device, CONF_SECOND),
	CASE(nothing_may_be_unreferenced, 0),
	CASE(import_of_what_is_no_object_is_a_bad_fd, 0),
	CASE(import_of_sealed_garbage_is_a_bad_fd, 0),
	CASE(import_of_another_kind_is_a_bad_fd, 0),
	CASE(descriptors_are_closed_on_exec, 0),
	CASE(exports_and_duplicates_are_the_same_object, 0),
	CASE(object_is_kept_by_its_references, 0),
	CASE(object_is_shared_between_devices, CONF_SHARED),
	CASE(identify_tells_kinds_apart, 0),
	CASE(rebind_moves_an_object, CONF_SHARED),
	CASE(nothing_is_taken_without_descriptors, 0),
	CASE(create_and_drop_many, 0),
	CASE(object_passed_to_another_program, CONF_SHARED),
	CASE(every_error_has_a_text, 0),
	{NULL, NULL, 0, 0},
};
