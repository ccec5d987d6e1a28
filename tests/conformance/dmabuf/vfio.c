/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite of libdmabuf's VFIO part: what a program may expect of any
 * device, in user space or of the kernel, through the public header alone.
 *
 * It writes to the first BAR that has 16 pages to write, so that has to be memory.
 */
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dmabuf.h>

#include "common.h"
#include "read-only.h"
#include "runner.h"

#define PAGES 16 /* of the BAR are used */
#define ROUNDS 100

struct conf {
	struct dmabuf_vfio *device;
	uint32_t features;
	uint32_t bar;
	uint64_t page, size;
};

static const char *device_name = "soft:4M,64K";
static uint32_t device_features;

static bool is_soft(void)
{
	return strncmp(device_name, "soft:", 5) == 0;
}

/* ---- helpers ------------------------------------------------------------ */

static struct conf open_conf(void)
{
	struct conf c = {.page = (uint64_t)sysconf(_SC_PAGESIZE)};
	struct dmabuf_vfio_region region;

	CHECK_OK(dmabuf_vfio_open(device_name, &c.device));
	c.features = dmabuf_vfio_features(c.device);
	for (c.bar = 0; c.bar < DMABUF_VFIO_BARS; c.bar++) {
		CHECK_OK(dmabuf_vfio_region(c.device, c.bar, &region));
		if (region.can_map && region.access == (DMABUF_READ | DMABUF_WRITE) &&
		    region.size >= PAGES * c.page)
			break;
	}
	CHECK(c.bar < DMABUF_VFIO_BARS);
	c.size = region.size;
	CHECK_OK(dmabuf_guard_init());
	return c;
}

static int export_pages(struct conf *c, uint64_t first, uint64_t pages, uint32_t flags,
			struct dmabuf **ret_buffer)
{
	const struct dmabuf_range range = {first * c->page, pages * c->page};

	return dmabuf_vfio_export(c->device, c->bar, &range, 1, DMABUF_VFIO_ATTR_UC, flags,
				  "conformance", ret_buffer);
}

static struct dmabuf *make(struct conf *c, uint64_t first, uint64_t pages)
{
	struct dmabuf *buffer;

	CHECK_OK(export_pages(c, first, pages, 0, &buffer));
	return buffer;
}

static volatile uint32_t *map(struct dmabuf *buffer)
{
	void *address;

	CHECK_OK(dmabuf_map(buffer, DMABUF_READ | DMABUF_WRITE, &address));
	return address;
}

/* The words of a mapping: they hold what is written, or cannot be reached. */
static void check_works(volatile uint32_t *words, uint32_t value)
{
	uint32_t got;

	CHECK_OK(dmabuf_guard_write32(words, value));
	CHECK_OK(dmabuf_guard_read32(words, &got));
	CHECK_EQ(got, value);
}

static void check_dead(volatile uint32_t *words)
{
	uint32_t got = 123;

	CHECK_ERROR(dmabuf_guard_read32(words, &got), -ENODEV);
	CHECK_ERROR(dmabuf_guard_write32(words, 1), -ENODEV);
	CHECK_EQ(got, 123);
}

/* Run @fn in a child. */
static pid_t run_child(void (*fn)(struct conf *c, void *arg), struct conf *c, void *arg)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		fn(c, arg);
		_exit(0);
	}
	return pid;
}

static void check_child(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (status)
		conf_fail(__FILE__, __LINE__, "the child ended with wait status 0x%x", status);
}

/* ---- device and export -------------------------------------------------- */

static void device_tells_about_itself(struct conf *c)
{
	struct dmabuf_vfio_region region;
	int fd = dmabuf_vfio_device_fd(c->device);

	CHECK(dmabuf_vfio_description(c->device)[0]);
	CHECK(c->features & DMABUF_VFIO_EXPORT);
	if (c->features & DMABUF_VFIO_REVOKE)
		CHECK(c->features & DMABUF_VFIO_MMAP);
	if (is_soft()) {
		CHECK_EQ(c->features, DMABUF_VFIO_EXPORT | DMABUF_VFIO_MMAP | DMABUF_VFIO_REVOKE |
					      DMABUF_VFIO_WRITE_COMBINE | DMABUF_VFIO_RESET);
		CHECK_ERROR(fd, -EOPNOTSUPP);
	} else {
		CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	CHECK_ERROR(dmabuf_vfio_region(c->device, DMABUF_VFIO_BARS, &region), -EINVAL);
	CHECK(dmabuf_vfio_ref(c->device) == c->device);
	CHECK(!dmabuf_vfio_unref(c->device));
	CHECK(!dmabuf_vfio_unref(NULL));
}

static void device_names_that_are_none_are_refused(struct conf *c)
{
	static const struct {
		const char *name;
		int error;
	} names[] = {
		{"", -EINVAL},
		{"soft:", -EINVAL},
		{"soft:1", -EINVAL},
		{"03:00", -EINVAL},
		{"ffff:ff:1f.7", -ENODEV},
		{"/dev/vfio/devices/none", -ENODEV},
		{"/dev/vfio/none:ffff:ff:1f.7", -ENODEV},
	};
	struct dmabuf_vfio *device = c->device;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		CHECK_ERROR(dmabuf_vfio_open(names[i].name, &device), names[i].error);
	CHECK(device == c->device);
}

static void buffer_has_the_size_of_its_range(struct conf *c)
{
	struct dmabuf *buffer = make(c, 1, 3);
	volatile uint32_t *words = map(buffer);

	CHECK_EQ(dmabuf_size(buffer), 3 * c->page);
	CHECK(fcntl(dmabuf_fd(buffer), F_GETFD) & FD_CLOEXEC);
	for (uint64_t page = 0; page < 3; page++)
		check_works(words + page * c->page / 4, (uint32_t)(0x1000 + page));
	CHECK_OK(dmabuf_unmap(buffer));
	dmabuf_unref(buffer);
}

static void whole_bar_is_a_buffer(struct conf *c)
{
	struct dmabuf *buffer = make(c, 0, c->size / c->page);
	volatile uint32_t *words = map(buffer);

	check_works(words, 1);
	check_works(words + c->size / 4 - 1, 2);
	CHECK_OK(dmabuf_unmap(buffer));
	dmabuf_unref(buffer);
}

/* Out of order, with a hole, and one page twice. */
static void ranges_follow_each_other(struct conf *c)
{
	const struct dmabuf_range ranges[] = {
		{6 * c->page, 2 * c->page},
		{1 * c->page, 1 * c->page},
		{7 * c->page, 1 * c->page},
	};
	struct dmabuf *buffer, *whole = make(c, 0, 8);
	volatile uint32_t *words, *bar = map(whole);
	uint64_t page = c->page / 4;

	CHECK_OK(dmabuf_vfio_export(c->device, c->bar, ranges, 3, 0, 0, NULL, &buffer));
	CHECK_EQ(dmabuf_size(buffer), 4 * c->page);
	words = map(buffer);
	for (uint32_t i = 0; i < 4; i++)
		CHECK_OK(dmabuf_guard_write32(words + i * page, i + 10));
	for (uint32_t i = 0; i < 4; i++)
		CHECK(words[i * page] == i + 10 || (!is_soft() && i == 1));
	if (!is_soft()) {
		CHECK_EQ(bar[6 * page], 10);
		CHECK_EQ(bar[1 * page], 12);
		CHECK_EQ(bar[7 * page], 13);
		CHECK_EQ(words[1 * page], 13);
	}
	dmabuf_unref(buffer);
	dmabuf_unref(whole);
}

static void bad_ranges_are_refused(struct conf *c)
{
	const struct dmabuf_range bad[] = {
		{0, 0},
		{1, c->page},
		{0, c->page - 1},
		{c->size, c->page},
		{0, c->size + c->page},
		{c->size - c->page, 2 * c->page},
		{UINT64_MAX - c->page + 1, c->page},
	};
	struct dmabuf *buffer = (struct dmabuf *)c;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_ERROR(dmabuf_vfio_export(c->device, c->bar, &bad[i], 1, 0, 0, NULL, &buffer),
			    -EINVAL);
	CHECK_ERROR(dmabuf_vfio_export(c->device, c->bar, bad, 0, 0, 0, NULL, &buffer), -EINVAL);
	CHECK(buffer == (struct dmabuf *)c);
}

static void bad_arguments_are_refused(struct conf *c)
{
	const struct dmabuf_range range = {0, c->page};
	struct dmabuf_vfio_region region;
	struct dmabuf *buffer = (struct dmabuf *)c;

	CHECK_ERROR(dmabuf_vfio_export(c->device, 6, &range, 1, 0, 0, NULL, &buffer), -EINVAL);
	CHECK_ERROR(dmabuf_vfio_export(c->device, c->bar, &range, 1, 2, 0, NULL, &buffer), -EINVAL);
	CHECK_ERROR(dmabuf_vfio_export(c->device, c->bar, &range, 1, 0, 2, NULL, &buffer), -EINVAL);
	for (uint32_t bar = 0; bar < DMABUF_VFIO_BARS; bar++) {
		CHECK_OK(dmabuf_vfio_region(c->device, bar, &region));
		if (!region.can_map)
			CHECK_ERROR(dmabuf_vfio_export(c->device, bar, &range, 1, 0, 0, NULL,
						       &buffer),
				    -ENODEV);
	}
	CHECK(buffer == (struct dmabuf *)c);
}

static void buffer_for_reading_cannot_be_written(struct conf *c)
{
	struct dmabuf *buffer;
	void *address = c;
	uint32_t value;

	CHECK_OK(export_pages(c, 0, 1, DMABUF_VFIO_READ_ONLY, &buffer));
	CHECK_ERROR(dmabuf_map(buffer, DMABUF_WRITE, &address), -EACCES);
	CHECK_ERROR(dmabuf_map(buffer, DMABUF_READ | DMABUF_WRITE, &address), -EACCES);
	CHECK(address == c);
	CHECK_OK(dmabuf_map(buffer, DMABUF_READ, &address));
	CHECK_OK(dmabuf_guard_read32(address, &value));
	dmabuf_unref(buffer);
}

static void buffer_for_reading_is_not_opened_again_to_write(struct conf *c)
{
	struct dmabuf *buffer;

	CHECK_OK(export_pages(c, 0, 1, DMABUF_VFIO_READ_ONLY, &buffer));
	check_not_opened_to_write(buffer);
	dmabuf_unref(buffer);
}

static void write_combining_mappings_hold_what_is_written(struct conf *c)
{
	const struct dmabuf_range range = {0, c->page};
	struct dmabuf *buffer;

	CHECK_OK(dmabuf_vfio_export(c->device, c->bar, &range, 1, DMABUF_VFIO_ATTR_WC, 0, NULL,
				    &buffer));
	check_works(map(buffer), 77);
	dmabuf_unref(buffer);
}

/* ---- mappings ----------------------------------------------------------- */

static void mapping_outlives_the_buffer(struct conf *c)
{
	struct dmabuf *buffer = make(c, 0, 2);
	void *address;

	CHECK_OK(dmabuf_map_range(buffer, c->page, c->page, DMABUF_READ | DMABUF_WRITE, NULL,
				  &address));
	dmabuf_unref(buffer);
	check_works(address, 5);
	CHECK_EQ(munmap(address, c->page), 0);
}

static void mappings_of_one_buffer_show_the_same(struct conf *c)
{
	struct dmabuf *buffer = make(c, 0, 2), *other;
	volatile uint32_t *words = map(buffer), *second;
	void *address;

	CHECK_OK(dmabuf_import(dmabuf_fd(buffer), &other));
	second = map(other);
	CHECK(second != words);
	CHECK_OK(dmabuf_map_range(buffer, c->page, c->page, DMABUF_READ, NULL, &address));
	check_works(second + c->page / 4, 31);
	CHECK_EQ(words[c->page / 4], 31);
	CHECK_EQ(*(volatile uint32_t *)address, 31);
	CHECK_EQ(munmap(address, c->page), 0);
	dmabuf_unref(other);
	dmabuf_unref(buffer);
}

static struct dmabuf *receive(int socket)
{
	struct dmabuf *buffers[DMABUF_MESSAGE_BUFFERS];
	size_t count = ARRAY_SIZE(buffers), size = 1;
	char byte;

	CHECK_OK(dmabuf_receive(socket, buffers, &count, &byte, &size));
	CHECK_EQ(count, 1);
	return buffers[0];
}

static void send_buffer(int socket, struct dmabuf *buffer)
{
	CHECK_OK(dmabuf_send(socket, &buffer, 1, "x", 1));
}

/* The child writes, and says so; and goes on until it is revoked, and says so. */
static void use_received(struct conf *c, void *arg)
{
	int socket = *(const int *)arg;
	struct dmabuf *buffer = receive(socket);
	volatile uint32_t *words = map(buffer);
	uint32_t value;

	CHECK_EQ(dmabuf_size(buffer), 2 * c->page);
	CHECK_EQ(words[0], 100);
	words[1] = 101;
	CHECK_EQ(write(socket, "w", 1), 1);
	while (dmabuf_guard_read32(words, &value) == 0)
		CHECK_EQ(value, 100);
	check_dead(words + c->page / 4);
	CHECK_EQ(write(socket, "d", 1), 1);
	dmabuf_unref(buffer);
	close(socket);
}

static void buffer_works_in_another_process_until_it_is_revoked(struct conf *c)
{
	struct dmabuf *buffer = make(c, 2, 2);
	volatile uint32_t *words = map(buffer);
	int pair[2];
	pid_t child;
	char byte;

	words[0] = 100;
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	child = run_child(use_received, c, &pair[1]);
	close(pair[1]);
	send_buffer(pair[0], buffer);
	CHECK_EQ(read(pair[0], &byte, 1), 1);
	CHECK_EQ(words[1], 101);
	CHECK_OK(dmabuf_vfio_revoke(c->device, buffer));
	CHECK_EQ(read(pair[0], &byte, 1), 1);
	CHECK_EQ(byte, 'd');
	close(pair[0]);
	check_child(child);
	check_dead(words);
	dmabuf_unref(buffer);
}

/* ---- revoke ------------------------------------------------------------- */

static void revoke_ends_every_mapping(struct conf *c)
{
	struct dmabuf *buffer = make(c, 0, 2), *other;
	volatile uint32_t *words = map(buffer), *second;
	void *third;

	CHECK_OK(dmabuf_import(dmabuf_fd(buffer), &other));
	second = map(other);
	CHECK_OK(dmabuf_map_range(buffer, c->page, c->page, DMABUF_READ | DMABUF_WRITE, NULL,
				  &third));
	check_works(words, 1);
	check_works(second + c->page / 4, 2);
	CHECK_OK(dmabuf_vfio_revoke(c->device, buffer));
	check_dead(words);
	check_dead(words + c->page / 4);
	check_dead(second);
	check_dead(third);
	CHECK_EQ(munmap(third, c->page), 0);
	dmabuf_unref(other);
	dmabuf_unref(buffer);
}

static void revoked_buffer_cannot_be_mapped(struct conf *c)
{
	struct dmabuf *buffer = make(c, 0, 1);
	void *address = c;

	CHECK_OK(dmabuf_vfio_revoke(c->device, buffer));
	CHECK_ERROR(dmabuf_map(buffer, DMABUF_READ, &address), -ENODEV);
	CHECK_ERROR(dmabuf_map_range(buffer, 0, c->page, DMABUF_READ, NULL, &address), -ENODEV);
	CHECK(address == c);
	dmabuf_unref(buffer);
}

static void revoke_is_for_ever(struct conf *c)
{
	struct dmabuf *buffer = make(c, 0, 1), *other;

	CHECK_OK(dmabuf_import(dmabuf_fd(buffer), &other));
	CHECK_OK(dmabuf_vfio_revoke(c->device, other));
	CHECK_ERROR(dmabuf_vfio_revoke(c->device, buffer), -EBADFD);
	CHECK_ERROR(dmabuf_vfio_revoke(c->device, other), -EBADFD);
	dmabuf_unref(other);
	dmabuf_unref(buffer);
}

static void revoked_memory_cannot_be_brought_back(struct conf *c)
{
	struct dmabuf *buffer = make(c, 0, 1);
	volatile uint32_t *words = map(buffer);

	CHECK_OK(dmabuf_vfio_revoke(c->device, buffer));
	CHECK_EQ(ftruncate(dmabuf_fd(buffer), (off_t)c->page), -1);
	check_dead(words);
	dmabuf_unref(buffer);
}

static void buffer_for_reading_is_revoked_too(struct conf *c)
{
	struct dmabuf *buffer;
	void *address;
	uint32_t value;

	CHECK_OK(export_pages(c, 0, 1, DMABUF_VFIO_READ_ONLY, &buffer));
	CHECK_OK(dmabuf_map(buffer, DMABUF_READ, &address));
	CHECK_OK(dmabuf_vfio_revoke(c->device, buffer));
	CHECK_ERROR(dmabuf_guard_read32(address, &value), -ENODEV);
	CHECK_ERROR(dmabuf_vfio_revoke(c->device, buffer), -EBADFD);
	dmabuf_unref(buffer);
}

static void other_buffers_of_the_range_go_on(struct conf *c)
{
	struct dmabuf *buffer = make(c, 0, 2), *other = make(c, 1, 2);
	volatile uint32_t *words = map(buffer), *others = map(other);

	check_works(words, 1);
	CHECK_OK(dmabuf_vfio_revoke(c->device, buffer));
	check_dead(words);
	check_works(others, 2);
	check_works(others + c->page / 4, 3);
	dmabuf_unref(other);
	dmabuf_unref(buffer);
}

static void range_can_be_exported_again(struct conf *c)
{
	struct dmabuf *buffer = make(c, 0, 2), *again;
	volatile uint32_t *words = map(buffer);

	CHECK_OK(dmabuf_vfio_revoke(c->device, buffer));
	again = make(c, 0, 2);
	check_works(map(again), 8);
	check_dead(words);
	CHECK_OK(dmabuf_vfio_revoke(c->device, again));
	dmabuf_unref(again);
	dmabuf_unref(buffer);
}

static void holder_cannot_keep_it_from_being_revoked(struct conf *c)
{
	struct dmabuf *buffer = make(c, 0, 1);
	volatile uint32_t *words = map(buffer);

	CHECK_EQ(fcntl(dmabuf_fd(buffer), F_ADD_SEALS, F_SEAL_SHRINK), -1);
	CHECK_OK(dmabuf_vfio_revoke(c->device, buffer));
	check_dead(words);
	dmabuf_unref(buffer);
}

static void buffer_of_another_device_is_not_revoked(struct conf *c)
{
	const struct dmabuf_range range = {0, c->page};
	struct dmabuf_vfio *other;
	struct dmabuf *mine = make(c, 0, 1), *theirs;

	CHECK_OK(dmabuf_vfio_open("soft:1M", &other));
	CHECK_OK(dmabuf_vfio_export(other, 0, &range, 1, 0, 0, NULL, &theirs));
	CHECK_ERROR(dmabuf_vfio_revoke(c->device, theirs), -ENODEV);
	CHECK_ERROR(dmabuf_vfio_revoke(other, mine), -ENODEV);
	check_works(map(theirs), 1);
	check_works(map(mine), 2);
	dmabuf_unref(theirs);
	dmabuf_unref(mine);
	dmabuf_vfio_unref(other);
}

static void buffer_of_no_device_is_not_revoked(struct conf *c)
{
	int fd = memfd_create("other", MFD_CLOEXEC);
	struct dmabuf *buffer;

	CHECK_EQ(ftruncate(fd, (off_t)c->page), 0);
	CHECK_OK(dmabuf_import(fd, &buffer));
	CHECK_ERROR(dmabuf_vfio_revoke(c->device, buffer), -ENODEV);
	check_works(map(buffer), 1);
	dmabuf_unref(buffer);
	close(fd);
}

struct race {
	pthread_barrier_t barrier;
	volatile uint32_t *words;
	atomic_bool stop;
};

static void *touch_until_revoked(void *arg)
{
	struct race *race = arg;
	uint32_t value;

	for (;;) {
		pthread_barrier_wait(&race->barrier);
		if (race->stop)
			return NULL;
		while (dmabuf_guard_read32(race->words, &value) == 0 &&
		       dmabuf_guard_write32(race->words + 1, 1) == 0)
			;
		check_dead(race->words);
		pthread_barrier_wait(&race->barrier);
	}
}

static void threads_touch_while_it_is_revoked(struct conf *c)
{
	struct race race = {.stop = false};
	pthread_t threads[2];

	CHECK_EQ(pthread_barrier_init(&race.barrier, NULL, 1 + ARRAY_SIZE(threads)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, touch_until_revoked, &race), 0);
	for (int round = 0; round < ROUNDS; round++) {
		struct dmabuf *buffer = make(c, 0, 1);

		race.words = map(buffer);
		pthread_barrier_wait(&race.barrier);
		CHECK_OK(dmabuf_vfio_revoke(c->device, buffer));
		pthread_barrier_wait(&race.barrier);
		dmabuf_unref(buffer);
	}
	race.stop = true;
	pthread_barrier_wait(&race.barrier);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	pthread_barrier_destroy(&race.barrier);
}

/* ---- the end of the device ---------------------------------------------- */

static void buffers_end_with_the_device(struct conf *c)
{
	struct dmabuf *buffer = make(c, 0, 1), *unmapped = make(c, 1, 1);
	volatile uint32_t *words = map(buffer);
	void *address = c;

	check_works(words, 1);
	c->device = dmabuf_vfio_unref(c->device);
	check_dead(words);
	CHECK_ERROR(dmabuf_map(unmapped, DMABUF_READ, &address), -ENODEV);
	CHECK(address == c);
	dmabuf_unref(buffer);
	dmabuf_unref(unmapped);
}

static void device_can_be_opened_again(struct conf *c)
{
	struct dmabuf *buffer;

	c->device = dmabuf_vfio_unref(c->device);
	*c = open_conf();
	buffer = make(c, 0, 1);
	check_works(map(buffer), 1);
	dmabuf_unref(buffer);
}

static void drop_device(struct conf *c, void *arg)
{
	dmabuf_vfio_unref(c->device);
}

static void device_that_a_child_drops_goes_on(struct conf *c)
{
	struct dmabuf *buffer = make(c, 0, 1);
	volatile uint32_t *words = map(buffer);

	check_child(run_child(drop_device, c, NULL));
	check_works(words, 4);
	dmabuf_unref(buffer);
}

static void mappings_work_again_after_a_reset(struct conf *c)
{
	struct dmabuf *buffer = make(c, 0, 1), *read_only;
	volatile uint32_t *words = map(buffer);

	check_works(words, 1);
	CHECK_OK(export_pages(c, 1, 1, DMABUF_VFIO_READ_ONLY, &read_only));
	CHECK_OK(dmabuf_vfio_reset(c->device));
	check_works(words, 2);
	dmabuf_unref(read_only);
	dmabuf_unref(buffer);
}

/* ---- leases ------------------------------------------------------------- */

static void leases_vend_and_take_back(struct conf *c)
{
	struct dmabuf_lease_request request = {
		.offset = DMABUF_LEASE_ANYWHERE,
		.length = c->page,
		.name = "frame",
		.pidfd = -1,
	};
	struct dmabuf_lease *first, *second, *third;
	struct dmabuf *buffers[2];
	volatile uint32_t *words[2];
	struct dmabuf_leases *leases;

	CHECK_OK(dmabuf_leases_new(c->device, c->bar, DMABUF_LEASES_EXCLUSIVE, &leases));
	CHECK_OK(dmabuf_leases_reserve(leases, 0, c->page));
	CHECK_OK(dmabuf_lease_grant(leases, &request, &first));
	CHECK_OK(dmabuf_lease_grant(leases, &request, &second));
	buffers[0] = dmabuf_ref(dmabuf_lease_buffer(first));
	buffers[1] = dmabuf_ref(dmabuf_lease_buffer(second));
	for (size_t i = 0; i < 2; i++) {
		words[i] = map(buffers[i]);
		check_works(words[i], (uint32_t)i);
	}
	request.offset = c->page;
	CHECK_ERROR(dmabuf_lease_grant(leases, &request, &third), -EBUSY);
	CHECK_OK(dmabuf_lease_revoke(first));
	check_dead(words[0]);
	check_works(words[1], 3);
	CHECK_OK(dmabuf_lease_grant(leases, &request, &third));
	CHECK(!dmabuf_leases_free(leases));
	check_dead(words[1]);
	dmabuf_unref(buffers[0]);
	dmabuf_unref(buffers[1]);
}

/* ---- the suite ---------------------------------------------------------- */

static const struct conf_case cases[] = {
	CASE(device_tells_about_itself, 0),
	CASE(device_names_that_are_none_are_refused, 0),
	CASE(buffer_has_the_size_of_its_range, DMABUF_VFIO_MMAP),
	CASE(whole_bar_is_a_buffer, DMABUF_VFIO_MMAP),
	CASE(ranges_follow_each_other, DMABUF_VFIO_MMAP),
	CASE(bad_ranges_are_refused, 0),
	CASE(bad_arguments_are_refused, 0),
	CASE(buffer_for_reading_cannot_be_written, DMABUF_VFIO_MMAP),
	CASE(buffer_for_reading_is_not_opened_again_to_write, 0),
	CASE(write_combining_mappings_hold_what_is_written, DMABUF_VFIO_WRITE_COMBINE),
	CASE(mapping_outlives_the_buffer, DMABUF_VFIO_MMAP),
	CASE(mappings_of_one_buffer_show_the_same, DMABUF_VFIO_MMAP),
	CASE(buffer_works_in_another_process_until_it_is_revoked, DMABUF_VFIO_REVOKE),
	CASE(revoke_ends_every_mapping, DMABUF_VFIO_REVOKE),
	CASE(revoked_buffer_cannot_be_mapped, DMABUF_VFIO_REVOKE),
	CASE(revoke_is_for_ever, DMABUF_VFIO_REVOKE),
	CASE(revoked_memory_cannot_be_brought_back, DMABUF_VFIO_REVOKE),
	CASE(buffer_for_reading_is_revoked_too, DMABUF_VFIO_REVOKE),
	CASE(other_buffers_of_the_range_go_on, DMABUF_VFIO_REVOKE),
	CASE(range_can_be_exported_again, DMABUF_VFIO_REVOKE),
	CASE(holder_cannot_keep_it_from_being_revoked, DMABUF_VFIO_REVOKE),
	CASE(buffer_of_another_device_is_not_revoked, DMABUF_VFIO_REVOKE),
	CASE(buffer_of_no_device_is_not_revoked, DMABUF_VFIO_REVOKE),
	CASE(threads_touch_while_it_is_revoked, DMABUF_VFIO_REVOKE),
	CASE(buffers_end_with_the_device, DMABUF_VFIO_MMAP),
	CASE(device_can_be_opened_again, DMABUF_VFIO_MMAP),
	CASE(device_that_a_child_drops_goes_on, DMABUF_VFIO_MMAP),
	CASE(mappings_work_again_after_a_reset, DMABUF_VFIO_MMAP | DMABUF_VFIO_RESET),
	CASE(leases_vend_and_take_back, DMABUF_VFIO_REVOKE),
	{NULL, NULL, 0, 0},
};

static const char *missing(const struct conf_case *test)
{
	uint32_t lacks = test->flags & ~device_features;

	if (!(device_features & DMABUF_VFIO_EXPORT))
		return "cannot export";
	if (lacks & DMABUF_VFIO_REVOKE)
		return "cannot revoke";
	if (lacks & DMABUF_VFIO_MMAP)
		return "exports cannot be mapped";
	if (lacks & DMABUF_VFIO_WRITE_COMBINE)
		return "no write-combining";
	return lacks ? "cannot be reset" : NULL;
}

static void run(const struct conf_case *test)
{
	struct conf c = open_conf();

	test->run(&c);
	CHECK(!dmabuf_vfio_unref(c.device));
}

static const struct conf_case *const groups[] = {cases};

const struct conf_suite conf_suite = {
	.groups = groups,
	.group_count = 1,
	.missing = missing,
	.run = run,
	.strerror = dmabuf_strerror,
};

/* So that who reads the result knows what the skipped cases lacked. */
static void print_device(const struct dmabuf_vfio *device)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} features[] = {
		{DMABUF_VFIO_EXPORT, "export"}, {DMABUF_VFIO_MMAP, "mmap"},
		{DMABUF_VFIO_REVOKE, "revoke"}, {DMABUF_VFIO_WRITE_COMBINE, "write-combining"},
		{DMABUF_VFIO_RESET, "reset"},
	};

	fprintf(stderr, "# %s\n# has:", dmabuf_vfio_description(device));
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (device_features & features[i].bit)
			fprintf(stderr, " %s", features[i].name);
	fprintf(stderr, "%s\n", is_soft() ? "; no kernel was asked" : "");
}

static void usage(FILE *out)
{
	fprintf(out, "Usage: dmabuf-vfio-conformance [--vfio NAME] [--list] [CASE...]\n"
		     "Runs the cases whose names match the patterns, or all. Output is TAP.\n"
		     "  --vfio NAME  the device, whose first large BAR is memory (soft:4M,64K)\n"
		     "  --list       print the names of the cases\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"vfio", required_argument, NULL, 'v'},
		{"list", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct dmabuf_vfio *device;
	bool list = false;
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'v':
			device_name = optarg;
			break;
		case 'l':
			list = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (!list) {
		r = dmabuf_vfio_open(device_name, &device);
		if (r < 0 && (is_soft() || r == -EINVAL)) {
			printf("Bail out! %s: %s\n", device_name, dmabuf_strerror(r));
			return 1;
		}
		if (r < 0) {
			printf("1..0 # SKIP %s: %s\n", device_name, dmabuf_strerror(r));
			return 0;
		}
		device_features = dmabuf_vfio_features(device);
		print_device(device);
		dmabuf_vfio_unref(device);
	}
	return conf_run(argv + optind, list);
}
