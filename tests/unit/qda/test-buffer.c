/* SPDX-License-Identifier: MIT */
/* Buffers and arenas above the transport. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../fds.h"
#include "fake-transport.h"

static struct qda_buffer *new_buffer(size_t size)
{
	struct qda_buffer *buffer = NULL;

	assert_int_equal(qda_buffer_alloc(fake.session, size, &buffer), 0);
	return buffer;
}

static void test_size_is_rounded_up_to_pages(void **state)
{
	static const size_t sizes[][2] = {{1, 4096}, {4096, 4096}, {4097, 8192}, {65536, 65536}};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct qda_buffer *buffer = new_buffer(sizes[i][0]);

		assert_int_equal(qda_buffer_size(buffer), ALIGN_UP(sizes[i][1], page));
		assert_non_null(qda_buffer_data(buffer));
		assert_null(qda_buffer_free(buffer));
	}
}

static void test_alloc_refuses_impossible_sizes(void **state)
{
	struct qda_buffer *buffer = (void *)1;

	assert_int_equal(qda_buffer_alloc(fake.session, 0, &buffer), -EINVAL);
	assert_int_equal(qda_buffer_alloc(fake.session, SIZE_MAX, &buffer), -ENOMEM);
	assert_int_equal(qda_buffer_alloc(fake.session, SIZE_MAX - 4095, &buffer), -ENOMEM);
	assert_int_equal(qda_buffer_alloc(fake.session, PTRDIFF_MAX, &buffer), -ENOMEM);
	assert_ptr_equal(buffer, (void *)1);
	assert_int_equal(fake_count(FAKE_ALLOC), 0);
}

static void test_alloc_passes_on_the_transports_error(void **state)
{
	struct qda_buffer *buffer = (void *)1;

	fake.error[FAKE_ALLOC] = -ENOSPC;
	assert_int_equal(qda_buffer_alloc(fake.session, 1, &buffer), -ENOSPC);
	assert_ptr_equal(buffer, (void *)1);
	assert_int_equal(fake.session->refs, 1);
}

static void test_import_passes_on_the_transports_error(void **state)
{
	struct qda_buffer *buffer = (void *)1;

	fake.error[FAKE_IMPORT] = -EBADF;
	assert_int_equal(qda_buffer_import(fake.session, -1, &buffer), -EBADF);
	assert_ptr_equal(buffer, (void *)1);
	assert_int_equal(fake.session->refs, 1);
}

static void test_import_leaves_the_callers_fd(void **state)
{
	int fd = memfd_create("caller", MFD_CLOEXEC);
	struct qda_buffer *buffer;

	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(qda_buffer_import(fake.session, fd, &buffer), 0);
	memcpy(qda_buffer_data(buffer), "seen", 5);
	qda_buffer_free(buffer);
	char text[5];
	assert_int_equal(pread(fd, text, 5, 0), 5);
	assert_string_equal(text, "seen");
	close(fd);
}

static void test_free_releases_once_and_closes_all(void **state)
{
	unsigned int before = count_fds();
	struct qda_buffer *a = new_buffer(1), *b = new_buffer(1), *c = new_buffer(1);

	/* Out of the list's middle, end and start. */
	qda_buffer_free(b);
	qda_buffer_free(a);
	qda_buffer_free(c);
	assert_null(qda_buffer_free(NULL));
	assert_int_equal(fake_count(FAKE_RELEASE), 3);
	assert_null(fake.session->buffers);
	assert_int_equal(fake.session->refs, 1);
	assert_int_equal(count_fds(), before);
}

static void test_export_is_a_new_cloexec_fd_of_the_same_memory(void **state)
{
	struct qda_buffer *buffer = new_buffer(1);
	struct stat a, b;
	int fd = qda_buffer_export(buffer);

	assert_true(fd > 2);
	assert_int_not_equal(fd, buffer->fd);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstat(buffer->fd, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	qda_buffer_free(buffer);
	assert_int_equal(close(fd), 0);
}

static void test_cpu_access_names_direction_and_edge(void **state)
{
	struct qda_buffer *buffer = new_buffer(1);

	assert_int_equal(qda_buffer_begin_cpu(buffer, QDA_CPU_READ), 0);
	assert_int_equal(fake.sync, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	assert_int_equal(qda_buffer_end_cpu(buffer, QDA_CPU_WRITE), 0);
	assert_int_equal(fake.sync, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	assert_int_equal(qda_buffer_begin_cpu(buffer, QDA_CPU_READ | QDA_CPU_WRITE), 0);
	assert_int_equal(fake.sync, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
	fake.error[FAKE_SYNC] = -EIO;
	assert_int_equal(qda_buffer_end_cpu(buffer, QDA_CPU_READ), -EIO);
	qda_buffer_free(buffer);
}

static void test_cpu_access_refuses_other_flags(void **state)
{
	struct qda_buffer *buffer = new_buffer(1);

	assert_int_equal(qda_buffer_begin_cpu(buffer, 0), -EINVAL);
	assert_int_equal(qda_buffer_begin_cpu(buffer, 4), -EINVAL);
	assert_int_equal(qda_buffer_end_cpu(buffer, QDA_CPU_READ | 8), -EINVAL);
	assert_int_equal(fake_count(FAKE_SYNC), 0);
	qda_buffer_free(buffer);
}

static void test_data_of_an_ended_process_stays_in_reach(void **state)
{
	struct qda_buffer *buffer = new_buffer(1), *other;
	int fd;

	qda_session_end(fake.session, -ECONNRESET);
	assert_int_equal(qda_buffer_begin_cpu(buffer, QDA_CPU_READ), 0);
	fd = qda_buffer_export(buffer);
	assert_true(fd > 2);
	close(fd);
	assert_int_equal(qda_buffer_alloc(fake.session, 1, &other), -ECONNRESET);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, QDA_COOKIE_AUTO, NULL, NULL),
			 -ECONNRESET);
	qda_buffer_free(buffer);
	assert_int_equal(fake_count(FAKE_RELEASE), 1);
}

static void test_map_passes_range_flags_and_cookie(void **state)
{
	struct qda_buffer *buffer = new_buffer(16384);
	uint64_t address = 0;
	int32_t cookie = 0;

	assert_int_equal(qda_buffer_map_dsp(buffer, 4096, 8000, QDA_MAP_FD_DELAYED, 42, &cookie,
					    &address),
			 0);
	assert_int_equal(fake.map_offset, 4096);
	assert_int_equal(fake.map_size, 8000);
	assert_int_equal(fake.map_flags, 3);
	assert_int_equal(fake.map_cookie, 42);
	assert_int_equal(cookie, 42);
	assert_int_equal(address, 0x12345000);
	assert_int_equal(qda_buffer_unmap_dsp(buffer), 0);

	assert_int_equal(qda_buffer_map_dsp(buffer, 4096, 0, QDA_MAP_FD_NOMAP, QDA_COOKIE_AUTO,
					    &cookie, NULL),
			 0);
	assert_int_equal(fake.map_size, 12288);
	assert_int_equal(cookie, 77);
	qda_buffer_free(buffer);
}

static void test_map_refuses_bad_ranges_flags_and_cookies(void **state)
{
	static const struct {
		size_t offset, size;
		uint32_t flags;
		int32_t cookie;
	} bad[] = {
		{1, 1, QDA_MAP_FD, 5},
		{4096, 0, QDA_MAP_FD, 5},
		{0, 4097, QDA_MAP_FD, 5},
		{SIZE_MAX - 4095, 4096, QDA_MAP_FD, 5},
		{0, SIZE_MAX, QDA_MAP_FD, 5},
		{0, 0, 4, 5},
		{0, 0, 15, 5},
		{0, 0, 0x1000, 5},
		{0, 0, QDA_MAP_FD, 0},
		{0, 0, QDA_MAP_FD, -2},
		{0, 0, QDA_MAP_FD, INT32_MIN},
	};
	struct qda_buffer *buffer = new_buffer(4096);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(qda_buffer_map_dsp(buffer, bad[i].offset, bad[i].size,
						    bad[i].flags, bad[i].cookie, NULL, NULL),
				 -EINVAL);
	assert_int_equal(fake_count(FAKE_MAP), 0);
	qda_buffer_free(buffer);
}

static void test_buffer_is_mapped_once_at_a_time(void **state)
{
	struct qda_buffer *buffer = new_buffer(4096);

	assert_int_equal(qda_buffer_unmap_dsp(buffer), -ENOENT);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 5, NULL, NULL), 0);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 6, NULL, NULL), -EALREADY);
	assert_int_equal(qda_buffer_unmap_dsp(buffer), 0);
	assert_int_equal(qda_buffer_unmap_dsp(buffer), -ENOENT);
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 6, NULL, NULL), 0);
	qda_buffer_free(buffer);
}

static void test_map_refused_by_the_dsp(void **state)
{
	struct qda_buffer *buffer = new_buffer(4096);
	int32_t cookie = 9;
	uint64_t address = 9;

	fake.status = 0x80000402;
	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 5, &cookie, &address),
			 -EREMOTEIO);
	assert_int_equal(cookie, 9);
	assert_int_equal(address, 9);
	fake.status = 0;
	assert_int_equal(qda_buffer_unmap_dsp(buffer), -ENOENT);
	qda_buffer_free(buffer);
	assert_int_equal(fake_count(FAKE_UNMAP), 0);
}

static void test_unmap_refused_by_the_dsp_keeps_the_mapping(void **state)
{
	struct qda_buffer *buffer = new_buffer(4096);

	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 5, NULL, NULL), 0);
	fake.status = 0x80000448;
	assert_int_equal(qda_buffer_unmap_dsp(buffer), -EREMOTEIO);
	fake.status = 0;
	assert_int_equal(qda_buffer_unmap_dsp(buffer), 0);
	qda_buffer_free(buffer);
}

static void test_free_unmaps_first(void **state)
{
	static const enum fake_event expected[] = {FAKE_OPEN, FAKE_ALLOC, FAKE_MAP, FAKE_UNMAP,
						   FAKE_RELEASE};
	struct qda_buffer *buffer = new_buffer(4096);

	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 5, NULL, NULL), 0);
	qda_buffer_free(buffer);
	assert_int_equal(fake.n_events, ARRAY_SIZE(expected));
	assert_memory_equal(fake.events, expected, sizeof(expected));
}

static void test_free_on_an_ended_session_does_not_unmap(void **state)
{
	struct qda_buffer *buffer = new_buffer(4096);

	assert_int_equal(qda_buffer_map_dsp(buffer, 0, 0, QDA_MAP_FD, 5, NULL, NULL), 0);
	qda_session_end(fake.session, -ECONNRESET);
	qda_buffer_free(buffer);
	assert_int_equal(fake_count(FAKE_UNMAP), 0);
	assert_int_equal(fake_count(FAKE_RELEASE), 1);
}

/* ---- arenas ------------------------------------------------------------- */

static void test_arena_hands_out_aligned_pieces_of_one_buffer(void **state)
{
	struct qda_arena *arena;
	struct qda_arg a, b, c;

	assert_int_equal(qda_arena_new(fake.session, 4096, &arena), 0);
	assert_int_equal(qda_arena_alloc(arena, 3, 1, &a), 0);
	assert_int_equal(qda_arena_alloc(arena, 8, 8, &b), 0);
	assert_int_equal(qda_arena_alloc(arena, 1, 128, &c), 0);
	assert_int_equal(a.offset, 0);
	assert_int_equal(b.offset, 8);
	assert_int_equal(c.offset, 128);
	assert_int_equal(b.length, 8);
	assert_ptr_equal(a.buffer, c.buffer);
	assert_ptr_equal(b.ptr, (char *)qda_buffer_data(b.buffer) + 8);
	assert_int_equal(fake_count(FAKE_ALLOC), 1);
	assert_null(qda_arena_free(arena));
	assert_null(qda_arena_free(NULL));
	assert_int_equal(fake_count(FAKE_RELEASE), 1);
}

static void test_arena_is_full_at_its_end(void **state)
{
	struct qda_arg arg = {.length = 7};
	struct qda_arena *arena;

	assert_int_equal(qda_arena_new(fake.session, 4096, &arena), 0);
	assert_int_equal(qda_arena_alloc(arena, 4097, 1, &arg), -ENOSPC);
	assert_int_equal(qda_arena_alloc(arena, SIZE_MAX, 1, &arg), -ENOSPC);
	assert_int_equal(arg.length, 7);
	assert_int_equal(qda_arena_alloc(arena, 4095, 1, &arg), 0);
	assert_int_equal(qda_arena_alloc(arena, 1, 2, &arg), -ENOSPC);
	assert_int_equal(qda_arena_alloc(arena, 1, 4096, &arg), -ENOSPC);
	assert_int_equal(qda_arena_alloc(arena, 1, 1, &arg), 0);
	assert_int_equal(qda_arena_alloc(arena, 1, 1, &arg), -ENOSPC);
	qda_arena_free(arena);
}

static void test_arena_size_zero_gives_an_empty_argument(void **state)
{
	struct qda_arg arg = {.length = 7};
	struct qda_arena *arena;

	assert_int_equal(qda_arena_new(fake.session, 4096, &arena), 0);
	assert_int_equal(qda_arena_alloc(arena, 4096, 1, &arg), 0);
	assert_int_equal(qda_arena_alloc(arena, 0, 8, &arg), 0);
	assert_int_equal(arg.length, 0);
	assert_int_equal(qda_session_invoke(fake.session, 5, QDA_SCALARS(0, 1, 0, 0, 0), &arg,
					    QDA_NO_TIMEOUT, NULL),
			 0);
	qda_arena_free(arena);
}

static void test_arena_refuses_bad_alignment(void **state)
{
	struct qda_arena *arena;
	struct qda_arg arg;

	assert_int_equal(qda_arena_new(fake.session, 65536, &arena), 0);
	assert_int_equal(qda_arena_alloc(arena, 1, 0, &arg), -EINVAL);
	assert_int_equal(qda_arena_alloc(arena, 1, 3, &arg), -EINVAL);
	assert_int_equal(qda_arena_alloc(arena, 1, (size_t)sysconf(_SC_PAGESIZE) * 2, &arg),
			 -EINVAL);
	qda_arena_free(arena);
}

static void test_arena_reset_starts_over(void **state)
{
	struct qda_arena *arena;
	struct qda_arg a, b;

	assert_int_equal(qda_arena_new(fake.session, 4096, &arena), 0);
	assert_int_equal(qda_arena_alloc(arena, 4096, 1, &a), 0);
	qda_arena_reset(arena);
	assert_int_equal(qda_arena_alloc(arena, 4096, 1, &b), 0);
	assert_ptr_equal(a.ptr, b.ptr);
	qda_arena_free(arena);
}

static void test_arena_passes_on_the_buffers_error(void **state)
{
	struct qda_arena *arena;

	assert_int_equal(qda_arena_new(fake.session, 0, &arena), -EINVAL);
	fake.error[FAKE_ALLOC] = -ENOMEM;
	assert_int_equal(qda_arena_new(fake.session, 1, &arena), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fake_test(test_size_is_rounded_up_to_pages),
		fake_test(test_alloc_refuses_impossible_sizes),
		fake_test(test_alloc_passes_on_the_transports_error),
		fake_test(test_import_passes_on_the_transports_error),
		fake_test(test_import_leaves_the_callers_fd),
		fake_test(test_free_releases_once_and_closes_all),
		fake_test(test_export_is_a_new_cloexec_fd_of_the_same_memory),
		fake_test(test_cpu_access_names_direction_and_edge),
		fake_test(test_cpu_access_refuses_other_flags),
		fake_test(test_data_of_an_ended_process_stays_in_reach),
		fake_test(test_map_passes_range_flags_and_cookie),
		fake_test(test_map_refuses_bad_ranges_flags_and_cookies),
		fake_test(test_buffer_is_mapped_once_at_a_time),
		fake_test(test_map_refused_by_the_dsp),
		fake_test(test_unmap_refused_by_the_dsp_keeps_the_mapping),
		fake_test(test_free_unmaps_first),
		fake_test(test_free_on_an_ended_session_does_not_unmap),
		fake_test(test_arena_hands_out_aligned_pieces_of_one_buffer),
		fake_test(test_arena_is_full_at_its_end),
		fake_test(test_arena_size_zero_gives_an_empty_argument),
		fake_test(test_arena_refuses_bad_alignment),
		fake_test(test_arena_reset_starts_over),
		fake_test(test_arena_passes_on_the_buffers_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
