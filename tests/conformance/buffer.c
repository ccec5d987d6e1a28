/* SPDX-License-Identifier: MIT */
/* Cases: buffers, their file descriptors and DSP mappings, and arenas. */
#include <fcntl.h>
#include <sys/mman.h>

#include "conformance.h"

#define PAGE 4096UL
#define COOKIE 700 /* no file descriptor of the suite has this number */

static struct qda_buffer *buffer_of(struct conf *c, size_t size)
{
	struct qda_buffer *buffer;

	CHECK_OK(qda_buffer_alloc(c->session, size, &buffer));
	return buffer;
}

static int hap_sum(struct conf *c, int32_t cookie, uint32_t size, uint64_t *ret_sum)
{
	const int32_t request[] = {cookie, (int32_t)size};
	const struct qda_arg args[] = {plain(request, sizeof(request)),
				       plain(ret_sum, sizeof(*ret_sum))};

	return qda_invoke(c->module, QDA_SCALARS(CONF_HAP_SUM, 1, 1, 0, 0), args, NULL);
}

static void buffer_sizes_are_whole_pages(struct conf *c)
{
	static const size_t sizes[][2] = {{1, PAGE},          {PAGE - 1, PAGE},
					  {PAGE, PAGE},       {PAGE + 1, 2 * PAGE},
					  {1 << 20, 1 << 20}, {(8 << 20) + 3, (8 << 20) + PAGE}};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct qda_buffer *buffer = buffer_of(c, sizes[i][0]);

		CHECK_EQ(qda_buffer_size(buffer), sizes[i][1]);
		CHECK(qda_buffer_data(buffer));
		CHECK_EQ((uintptr_t)qda_buffer_data(buffer) % PAGE, 0);
		CHECK(!qda_buffer_free(buffer));
	}
	CHECK(!qda_buffer_free(NULL));
}

static void buffer_is_zeroed(struct conf *c)
{
	for (int i = 0; i < 3; i++) {
		struct qda_buffer *buffer = buffer_of(c, 64 * 1024);
		uint8_t *data = qda_buffer_data(buffer);

		for (size_t k = 0; k < qda_buffer_size(buffer); k++)
			CHECK_EQ(data[k], 0);
		memset(data, 0xff, qda_buffer_size(buffer));
		qda_buffer_free(buffer);
	}
}

static void buffer_of_size_0_is_einval(struct conf *c)
{
	struct qda_buffer *buffer = NULL;

	CHECK_ERROR(qda_buffer_alloc(c->session, 0, &buffer), -EINVAL);
	CHECK(!buffer);
}

static void buffer_of_absurd_size_fails(struct conf *c)
{
	struct qda_buffer *buffer = NULL;

	CHECK(qda_buffer_alloc(c->session, SIZE_MAX, &buffer) < 0);
	CHECK(qda_buffer_alloc(c->session, SIZE_MAX / 2, &buffer) < 0);
	CHECK(!buffer);
	check_alive(c->module);
}

static void buffers_many_at_once(struct conf *c)
{
	struct qda_buffer *buffers[100];
	uint64_t sum;

	for (size_t i = 0; i < ARRAY_SIZE(buffers); i++) {
		buffers[i] = buffer_of(c, PAGE);
		memset(qda_buffer_data(buffers[i]), (int)i, PAGE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(buffers); i++) {
		const struct qda_arg args[] = {range(buffers[i], 0, PAGE),
					       plain(&sum, sizeof(sum))};

		CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_SUM, 1, 1, 0, 0), args, NULL));
		CHECK_EQ(sum, i * PAGE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(buffers); i += 2)
		qda_buffer_free(buffers[i]);
	for (size_t i = 1; i < ARRAY_SIZE(buffers); i += 2)
		qda_buffer_free(buffers[i]);
}

static void export_shows_the_same_memory(struct conf *c)
{
	struct qda_buffer *buffer = buffer_of(c, 3 * PAGE);
	int fd = CHECK_OK(qda_buffer_export(buffer));
	uint8_t *mapped;

	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 3 * PAGE);
	mapped = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(mapped != MAP_FAILED);
	fill_pattern(qda_buffer_data(buffer), 3 * PAGE, 1);
	check_pattern(mapped, 3 * PAGE, 1);
	mapped[5] = 0x42;
	CHECK_EQ(((uint8_t *)qda_buffer_data(buffer))[5], 0x42);
	/* The memory lives on without the buffer. */
	qda_buffer_free(buffer);
	CHECK_EQ(mapped[5], 0x42);
	munmap(mapped, 3 * PAGE);
	close(fd);
}

static void export_gives_a_new_descriptor_each_time(struct conf *c)
{
	struct qda_buffer *buffer = buffer_of(c, PAGE);
	int a = CHECK_OK(qda_buffer_export(buffer));
	int b = CHECK_OK(qda_buffer_export(buffer));

	CHECK(a != b);
	CHECK_EQ(close(a), 0);
	CHECK_EQ(close(b), 0);
	qda_buffer_free(buffer);
}

static void import_of_an_own_export(struct conf *c)
{
	struct qda_buffer *buffer = buffer_of(c, 2 * PAGE), *imported;
	int fd = CHECK_OK(qda_buffer_export(buffer));
	uint64_t sum;
	struct qda_arg args[2];

	CHECK_OK(qda_buffer_import(c->session, fd, &imported));
	close(fd);
	CHECK_EQ(qda_buffer_size(imported), 2 * PAGE);
	memset(qda_buffer_data(buffer), 3, 2 * PAGE);
	CHECK_OK(qda_buffer_begin_cpu(imported, QDA_CPU_READ));
	CHECK_EQ(((uint8_t *)qda_buffer_data(imported))[PAGE], 3);
	CHECK_OK(qda_buffer_end_cpu(imported, QDA_CPU_READ));
	qda_buffer_free(buffer);
	args[0] = range(imported, 0, 2 * PAGE);
	args[1] = plain(&sum, sizeof(sum));
	CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_SUM, 1, 1, 0, 0), args, NULL));
	CHECK_EQ(sum, 6 * PAGE);
	qda_buffer_free(imported);
}

static void import_shares_memory_between_sessions(struct conf *c)
{
	struct qda_session *other = conf_session(c->device);
	struct qda_module *module = conf_open(other, "libconf_skel.so");
	struct qda_buffer *buffer = buffer_of(c, PAGE), *imported;
	const uint32_t value = 9;
	struct qda_arg args[2];
	int fd = CHECK_OK(qda_buffer_export(buffer));

	CHECK_OK(qda_buffer_import(other, fd, &imported));
	close(fd);
	args[0] = plain(&value, sizeof(value));
	args[1] = range(imported, 0, PAGE);
	CHECK_OK(qda_invoke(module, QDA_SCALARS(CONF_FILL, 1, 1, 0, 0), args, NULL));
	CHECK_EQ(((uint8_t *)qda_buffer_data(buffer))[PAGE - 1], 9);
	qda_buffer_free(imported);
	qda_module_close(module);
	qda_session_close(other);
	CHECK_EQ(((uint8_t *)qda_buffer_data(buffer))[0], 9);
	qda_buffer_free(buffer);
}

static void import_of_a_memfd_seals_it(struct conf *c)
{
	int fd = memfd_create("conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct qda_buffer *buffer;
	uint64_t sum;
	struct qda_arg args[2];

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
	CHECK_OK(qda_buffer_import(c->session, fd, &buffer));
	CHECK(fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK);
	CHECK_EQ(ftruncate(fd, 0), -1);
	CHECK_EQ(pwrite(fd, "\1\2", 2, 0), 2);
	args[0] = range(buffer, 0, 2 * PAGE);
	args[1] = plain(&sum, sizeof(sum));
	CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_SUM, 1, 1, 0, 0), args, NULL));
	CHECK_EQ(sum, 3);
	qda_buffer_free(buffer);
	CHECK_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
}

static void import_of_a_memfd_that_can_shrink_is_eperm(struct conf *c)
{
	int fd = memfd_create("conf", MFD_CLOEXEC); /* takes no seals */
	struct qda_buffer *buffer = NULL;

	CHECK_EQ(ftruncate(fd, PAGE), 0);
	CHECK_ERROR(qda_buffer_import(c->session, fd, &buffer), -EPERM);
	CHECK(!buffer);
	close(fd);
}

static void import_of_an_empty_memfd_is_einval(struct conf *c)
{
	int fd = memfd_create("conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct qda_buffer *buffer = NULL;

	CHECK_ERROR(qda_buffer_import(c->session, fd, &buffer), -EINVAL);
	CHECK(!buffer);
	close(fd);
}

static void import_of_bad_descriptors_fails(struct conf *c)
{
	struct qda_buffer *buffer = NULL;
	int fds[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);

	CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
	CHECK_ERROR(qda_buffer_import(c->session, -1, &buffer), -EBADF);
	CHECK_ERROR(qda_buffer_import(c->session, 1000, &buffer), -EBADF);
	CHECK_ERROR(qda_buffer_import(c->session, fds[0], &buffer), -EINVAL);
	CHECK_ERROR(qda_buffer_import(c->session, null, &buffer), -EINVAL);
	CHECK(!buffer);
	close(fds[0]);
	close(fds[1]);
	close(null);
}

static void cpu_access_takes_read_and_write(struct conf *c)
{
	struct qda_buffer *buffer = buffer_of(c, PAGE);

	for (uint32_t flags = QDA_CPU_READ; flags <= (QDA_CPU_READ | QDA_CPU_WRITE); flags++) {
		CHECK_OK(qda_buffer_begin_cpu(buffer, flags));
		CHECK_OK(qda_buffer_end_cpu(buffer, flags));
	}
	CHECK_ERROR(qda_buffer_begin_cpu(buffer, 0), -EINVAL);
	CHECK_ERROR(qda_buffer_begin_cpu(buffer, 4), -EINVAL);
	CHECK_ERROR(qda_buffer_end_cpu(buffer, 0), -EINVAL);
	CHECK_ERROR(qda_buffer_end_cpu(buffer, 5), -EINVAL);
	qda_buffer_free(buffer);
}

static void map_with_cookie_is_found_by_the_skel(struct conf *c)
{
	struct qda_buffer *buffer = buffer_of(c, 2 * PAGE);
	const int32_t fill[] = {COOKIE, (int32_t)PAGE, 5};
	const struct qda_arg arg = plain(fill, sizeof(fill));
	uint64_t sum = 0, address = 0;
	int32_t cookie = 0;

	memset(qda_buffer_data(buffer), 2, 2 * PAGE);
	CHECK_ERROR(hap_sum(c, COOKIE, 1, &sum), -EREMOTEIO);
	CHECK_OK(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, COOKIE, &cookie, &address));
	CHECK_EQ(cookie, COOKIE);
	CHECK(address);
	CHECK_OK(hap_sum(c, COOKIE, 2 * PAGE, &sum));
	CHECK_EQ(sum, 4 * PAGE);
	CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_HAP_FILL, 1, 0, 0, 0), &arg, NULL));
	CHECK_EQ(((uint8_t *)qda_buffer_data(buffer))[PAGE - 1], 5);
	CHECK_EQ(((uint8_t *)qda_buffer_data(buffer))[PAGE], 2);
	CHECK_OK(qda_buffer_unmap_dsp(buffer));
	CHECK_ERROR(hap_sum(c, COOKIE, 1, &sum), -EREMOTEIO);
	qda_buffer_free(buffer);
}

static void map_chooses_a_cookie(struct conf *c)
{
	struct qda_buffer *a = buffer_of(c, PAGE), *b = buffer_of(c, PAGE);
	int32_t cookie_a = 0, cookie_b = 0;
	uint64_t sum;

	memset(qda_buffer_data(a), 1, PAGE);
	memset(qda_buffer_data(b), 2, PAGE);
	CHECK_OK(qda_buffer_map_dsp(a, 0, 0, QDA_MAP_FD, QDA_COOKIE_AUTO, &cookie_a, NULL));
	CHECK_OK(qda_buffer_map_dsp(b, 0, 0, QDA_MAP_STATIC, QDA_COOKIE_AUTO, &cookie_b, NULL));
	CHECK(cookie_a > 0 && cookie_b > 0 && cookie_a != cookie_b);
	CHECK_OK(hap_sum(c, cookie_a, PAGE, &sum));
	CHECK_EQ(sum, PAGE);
	CHECK_OK(hap_sum(c, cookie_b, PAGE, &sum));
	CHECK_EQ(sum, 2 * PAGE);
	qda_buffer_free(a);
	qda_buffer_free(b);
}

static void map_with_a_taken_cookie_is_ebusy(struct conf *c)
{
	struct qda_buffer *a = buffer_of(c, PAGE), *b = buffer_of(c, PAGE);
	int32_t cookie = 77;

	CHECK_OK(qda_buffer_map_dsp(a, 0, 0, QDA_MAP_FD, COOKIE, NULL, NULL));
	CHECK_ERROR(qda_buffer_map_dsp(b, 0, 0, QDA_MAP_FD, COOKIE, &cookie, NULL), -EBUSY);
	CHECK_EQ(cookie, 77);
	CHECK_OK(qda_buffer_unmap_dsp(a));
	CHECK_OK(qda_buffer_map_dsp(b, 0, 0, QDA_MAP_FD, COOKIE, &cookie, NULL));
	CHECK_EQ(cookie, COOKIE);
	qda_buffer_free(a);
	qda_buffer_free(b);
}

static void map_twice_is_ealready(struct conf *c)
{
	struct qda_buffer *buffer = buffer_of(c, PAGE);

	CHECK_OK(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, COOKIE, NULL, NULL));
	CHECK_ERROR(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, COOKIE + 1, NULL, NULL),
		    -EALREADY);
	qda_buffer_free(buffer);
}

static void unmap_twice_is_enoent(struct conf *c)
{
	struct qda_buffer *buffer = buffer_of(c, PAGE);

	CHECK_ERROR(qda_buffer_unmap_dsp(buffer), -ENOENT);
	CHECK_OK(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, COOKIE, NULL, NULL));
	CHECK_OK(qda_buffer_unmap_dsp(buffer));
	CHECK_ERROR(qda_buffer_unmap_dsp(buffer), -ENOENT);
	qda_buffer_free(buffer);
}

static void map_of_a_part_shows_that_part(struct conf *c)
{
	struct qda_buffer *buffer = buffer_of(c, 4 * PAGE);
	uint8_t *data = qda_buffer_data(buffer);
	uint64_t sum;

	memset(data, 1, 4 * PAGE);
	memset(data + 2 * PAGE, 7, PAGE);
	CHECK_OK(qda_buffer_map_dsp(buffer, 2 * PAGE, PAGE, QDA_MAP_FD, COOKIE, NULL, NULL));
	CHECK_OK(hap_sum(c, COOKIE, PAGE, &sum));
	CHECK_EQ(sum, 7 * PAGE);
	CHECK_OK(qda_buffer_unmap_dsp(buffer));
	CHECK_OK(qda_buffer_map_dsp(buffer, 3 * PAGE, 0, QDA_MAP_FD, COOKIE, NULL, NULL));
	CHECK_OK(hap_sum(c, COOKIE, PAGE, &sum));
	CHECK_EQ(sum, PAGE);
	qda_buffer_free(buffer);
}

static void map_of_bad_ranges_flags_and_cookies_is_einval(struct conf *c)
{
	struct qda_buffer *buffer = buffer_of(c, 2 * PAGE);
	static const struct {
		size_t offset, size;
		uint32_t flags;
		int32_t cookie;
	} bad[] = {
		{1, PAGE, QDA_MAP_FD, COOKIE},
		{2 * PAGE, 0, QDA_MAP_FD, COOKIE},
		{2 * PAGE, PAGE, QDA_MAP_FD, COOKIE},
		{0, 3 * PAGE, QDA_MAP_FD, COOKIE},
		{PAGE, 2 * PAGE, QDA_MAP_FD, COOKIE},
		{PAGE, SIZE_MAX, QDA_MAP_FD, COOKIE},
		{0, 0, 5, COOKIE},
		{0, 0, 0x1000, COOKIE},
		{0, 0, QDA_MAP_FD, 0},
		{0, 0, QDA_MAP_FD, -2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int r = qda_buffer_map_dsp(buffer, bad[i].offset, bad[i].size, bad[i].flags,
					   bad[i].cookie, NULL, NULL);

		if (r != -EINVAL)
			conf_fail(__FILE__, __LINE__, "bad mapping %zu gives %d", i, r);
	}
	CHECK_OK(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, COOKIE, NULL, NULL));
	qda_buffer_free(buffer);
}

static void mapped_buffer_is_an_argument_too(struct conf *c)
{
	struct qda_buffer *buffer = buffer_of(c, PAGE);
	uint8_t *data = qda_buffer_data(buffer);
	struct qda_arg args[2];

	CHECK_OK(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, COOKIE, NULL, NULL));
	fill_pattern(data, 100, 3);
	args[0] = range(buffer, 0, 100);
	args[1] = range(buffer, 1000, 100);
	CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_ECHO, 1, 1, 0, 0), args, NULL));
	check_pattern(data + 1000, 100, 3);
	CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_HANDLE_COPY, 0, 0, 1, 1), args, NULL));
	check_pattern(data + 1000, 100, 3);
	qda_buffer_free(buffer);
}

static void freed_buffer_is_gone_at_the_dsp(struct conf *c)
{
	struct qda_buffer *buffer = buffer_of(c, PAGE);
	uint64_t sum;

	CHECK_OK(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, COOKIE, NULL, NULL));
	CHECK_OK(hap_sum(c, COOKIE, PAGE, &sum));
	qda_buffer_free(buffer);
	CHECK_ERROR(hap_sum(c, COOKIE, PAGE, &sum), -EREMOTEIO);
	buffer = buffer_of(c, PAGE);
	CHECK_OK(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, COOKIE, NULL, NULL));
	qda_buffer_free(buffer);
}

/* ---- arenas ------------------------------------------------------------- */

static void arena_arguments_make_a_call(struct conf *c)
{
	struct qda_arena *arena;
	struct qda_arg args[4];

	CHECK_OK(qda_arena_new(c->session, PAGE, &arena));
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(args); i++) {
			CHECK_OK(qda_arena_alloc(arena, 100 + i % 2, 8, &args[i]));
			CHECK(args[i].buffer && args[i].ptr);
			CHECK_EQ((uintptr_t)args[i].ptr % 8, 0);
		}
		fill_pattern(args[0].ptr, 100, 1);
		fill_pattern(args[1].ptr, 101, 2);
		CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_ECHO, 2, 2, 0, 0), args, NULL));
		check_pattern(args[2].ptr, 100, 1);
		check_pattern(args[3].ptr, 101, 2);
		qda_arena_reset(arena);
	}
	CHECK(!qda_arena_free(arena));
	CHECK(!qda_arena_free(NULL));
}

static void arena_full_is_enospc(struct conf *c)
{
	struct qda_arena *arena;
	struct qda_arg arg, first;

	CHECK_OK(qda_arena_new(c->session, 1, &arena));
	CHECK_OK(qda_arena_alloc(arena, PAGE, 1, &first));
	CHECK_ERROR(qda_arena_alloc(arena, 1, 1, &arg), -ENOSPC);
	CHECK_ERROR(qda_arena_alloc(arena, SIZE_MAX, 1, &arg), -ENOSPC);
	qda_arena_reset(arena);
	CHECK_OK(qda_arena_alloc(arena, 1, 1, &arg));
	CHECK(arg.ptr == first.ptr);
	CHECK_ERROR(qda_arena_alloc(arena, PAGE, 1, &arg), -ENOSPC);
	qda_arena_free(arena);
}

static void arena_alignment_is_kept_and_checked(struct conf *c)
{
	struct qda_arena *arena;
	struct qda_arg arg;

	CHECK_OK(qda_arena_new(c->session, 4 * PAGE, &arena));
	for (size_t align = 1; align <= PAGE; align *= 2) {
		CHECK_OK(qda_arena_alloc(arena, 1, align, &arg));
		CHECK_EQ((uintptr_t)arg.ptr % align, 0);
		CHECK_EQ(arg.offset % align, 0);
	}
	CHECK_ERROR(qda_arena_alloc(arena, 1, 0, &arg), -EINVAL);
	CHECK_ERROR(qda_arena_alloc(arena, 1, 3, &arg), -EINVAL);
	CHECK_ERROR(qda_arena_alloc(arena, 1, 2 * PAGE, &arg), -EINVAL);
	qda_arena_free(arena);
}

static void arena_of_nothing_gives_nothing(struct conf *c)
{
	struct qda_arena *arena = NULL;
	struct qda_arg arg;

	CHECK_ERROR(qda_arena_new(c->session, 0, &arena), -EINVAL);
	CHECK(!arena);
	CHECK_OK(qda_arena_new(c->session, PAGE, &arena));
	CHECK_OK(qda_arena_alloc(arena, 0, 8, &arg));
	CHECK_EQ(arg.length, 0);
	CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_NOTHING, 1, 0, 0, 0), &arg, NULL));
	qda_arena_free(arena);
}

static void handle_of_a_buffer_is_not_anothers_cookie(struct conf *c)
{
	struct qda_buffer *mapped, *buffer, *result;

	CHECK_OK(qda_buffer_alloc(c->session, 4096, &mapped));
	CHECK_OK(qda_buffer_alloc(c->session, 4096, &buffer));
	CHECK_OK(qda_buffer_alloc(c->session, 4096, &result));
	memset(qda_buffer_data(mapped), 'm', 4096);
	memset(qda_buffer_data(buffer), 'b', 4096);
	const struct qda_arg args[] = {range(buffer, 0, 16), range(result, 0, 16)};

	/* Whatever number the library gives the buffer, wanted cookies come near it. */
	for (int32_t cookie = 3; cookie < 64; cookie++) {
		if (qda_buffer_map_dsp(mapped, 0, 0, QDA_MAP_FD, cookie, NULL, NULL) < 0)
			continue;
		CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_HANDLE_COPY, 0, 0, 1, 1), args,
				    NULL));
		CHECK_EQ(*(char *)qda_buffer_data(result), 'b');
		CHECK_OK(qda_buffer_unmap_dsp(mapped));
	}
	qda_buffer_free(mapped);
	qda_buffer_free(buffer);
	qda_buffer_free(result);
}

static void handle_of_a_partly_mapped_buffer_is_the_whole(struct conf *c)
{
	struct qda_buffer *buffer, *result;

	CHECK_OK(qda_buffer_alloc(c->session, 8192, &buffer));
	CHECK_OK(qda_buffer_alloc(c->session, 4096, &result));
	memset(qda_buffer_data(buffer), '0', 4096);
	memset((char *)qda_buffer_data(buffer) + 4096, '1', 4096);
	const struct qda_arg args[] = {range(buffer, 16, 16), range(result, 0, 16)};

	CHECK_OK(qda_buffer_map_dsp(buffer, 4096, 4096, QDA_MAP_FD, QDA_COOKIE_AUTO, NULL, NULL));
	CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_HANDLE_COPY, 0, 0, 1, 1), args, NULL));
	CHECK_EQ(*(char *)qda_buffer_data(result), '0');
	qda_buffer_free(buffer);
	qda_buffer_free(result);
}

const struct conf_case buffer_cases[] = {
	CASE(buffer_sizes_are_whole_pages, 0),
	CASE(buffer_is_zeroed, 0),
	CASE(buffer_of_size_0_is_einval, 0),
	CASE(buffer_of_absurd_size_fails, 0),
	CASE(buffers_many_at_once, 0),
	CASE(export_shows_the_same_memory, 0),
	CASE(export_gives_a_new_descriptor_each_time, 0),
	CASE(import_of_an_own_export, 0),
	CASE(import_shares_memory_between_sessions, 0),
	CASE(handle_of_a_buffer_is_not_anothers_cookie, 0),
	CASE(handle_of_a_partly_mapped_buffer_is_the_whole, 0),
	CASE(import_of_a_memfd_seals_it, CONF_SOFT_ONLY),
	CASE(import_of_a_memfd_that_can_shrink_is_eperm, CONF_SOFT_ONLY),
	CASE(import_of_an_empty_memfd_is_einval, CONF_SOFT_ONLY),
	CASE(import_of_bad_descriptors_fails, 0),
	CASE(cpu_access_takes_read_and_write, 0),
	CASE(map_with_cookie_is_found_by_the_skel, 0),
	CASE(map_chooses_a_cookie, 0),
	CASE(map_with_a_taken_cookie_is_ebusy, 0),
	CASE(map_twice_is_ealready, 0),
	CASE(unmap_twice_is_enoent, 0),
	CASE(map_of_a_part_shows_that_part, 0),
	CASE(map_of_bad_ranges_flags_and_cookies_is_einval, 0),
	CASE(mapped_buffer_is_an_argument_too, 0),
	CASE(freed_buffer_is_gone_at_the_dsp, 0),
	CASE(arena_arguments_make_a_call, 0),
	CASE(arena_full_is_enospc, 0),
	CASE(arena_alignment_is_kept_and_checked, 0),
	CASE(arena_of_nothing_gives_nothing, 0),
	{0},
};
