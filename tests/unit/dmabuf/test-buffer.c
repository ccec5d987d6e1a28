/* SPDX-License-Identifier: MIT */
/* Buffers: descriptors, mappings, access, names, fences, and what /proc says. */
#include "fixture.h"

#include <linux/dma-buf.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- descriptors -------------------------------------------------------- */

static void imported_memfd_has_its_size_and_a_descriptor_of_its_own(void **state)
{
	struct dmabuf *buffer;
	int fd = memfd(3 * PAGE);

	assert_int_equal(dmabuf_import(fd, &buffer), 0);
	close(fd);
	assert_int_equal(dmabuf_size(buffer), 3 * PAGE);
	assert_int_not_equal(dmabuf_fd(buffer), fd);
	assert_int_equal(fcntl(dmabuf_fd(buffer), F_GETFD), FD_CLOEXEC);
	assert_null(dmabuf_unref(buffer));
}

static void import_leaves_the_file_position_alone(void **state)
{
	struct dmabuf *buffer;
	int fd = memfd(PAGE);

	assert_int_equal(dmabuf_import(fd, &buffer), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	dmabuf_unref(buffer);
	close(fd);
}

static void import_of_a_closed_descriptor_is_ebadf(void **state)
{
	struct dmabuf *buffer = NULL;

	assert_int_equal(dmabuf_import(-1, &buffer), -EBADF);
	assert_int_equal(dmabuf_import(1000, &buffer), -EBADF);
	assert_null(buffer);
}

static void import_of_a_path_descriptor_is_ebadf(void **state)
{
	struct dmabuf *buffer = NULL;
	int fd = open("/dev/null", O_PATH | O_CLOEXEC);

	assert_int_equal(dmabuf_import(fd, &buffer), -EBADF);
	close(fd);
}

static void import_of_another_file_is_einval(void **state)
{
	struct dmabuf *buffer = NULL;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int sockets[2];

	assert_int_equal(pipe2(sockets, O_CLOEXEC), 0);
	assert_int_equal(dmabuf_import(null, &buffer), -EINVAL);
	assert_int_equal(dmabuf_import(file, &buffer), -EINVAL);
	assert_int_equal(dmabuf_import(sockets[0], &buffer), -EINVAL);
	assert_null(buffer);
	close(null);
	close(file);
	close(sockets[0]);
	close(sockets[1]);
}

static void import_of_a_linked_file_in_a_tmpfs_is_einval(void **state)
{
	char path[] = "/dev/shm/dmabuf-test-XXXXXX";
	struct dmabuf *buffer = NULL;
	int fd = mkstemp(path);

	if (fd == -1)
		skip(); /* no tmpfs there */
	assert_int_equal(dmabuf_import(fd, &buffer), -EINVAL);
	unlink(path);
	close(fd);
}

static void import_without_a_free_descriptor_is_emfile(void **state)
{
	struct rlimit saved, none;
	struct dmabuf *buffer = NULL;
	int fd = memfd(PAGE);
	int r;

	getrlimit(RLIMIT_NOFILE, &saved);
	none = (struct rlimit){.rlim_cur = 1, .rlim_max = saved.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	r = dmabuf_import(fd, &buffer);
	setrlimit(RLIMIT_NOFILE, &saved);
	assert_int_equal(r, -EMFILE);
	close(fd);
}

static void export_gives_a_new_cloexec_descriptor_of_the_same_file(void **state)
{
	struct dmabuf *buffer = memfd_buffer(PAGE);
	struct stat a, b;
	int fd = dmabuf_export(buffer);

	assert_int_not_equal(fd, dmabuf_fd(buffer));
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	fstat(fd, &a);
	fstat(dmabuf_fd(buffer), &b);
	assert_true(a.st_ino == b.st_ino);
	dmabuf_unref(buffer);
	assert_int_not_equal(fcntl(fd, F_GETFD), -1);
	close(fd);
}

static void last_reference_closes(void **state)
{
	struct dmabuf *buffer = memfd_buffer(PAGE);
	int fd = dmabuf_fd(buffer);

	assert_ptr_equal(dmabuf_ref(buffer), buffer);
	dmabuf_unref(buffer);
	assert_int_not_equal(fcntl(fd, F_GETFD), -1);
	dmabuf_unref(buffer);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_null(dmabuf_unref(NULL));
}

/* ---- mappings ----------------------------------------------------------- */

static bool is_mapped(const void *address)
{
	unsigned char page;

	return mincore((void *)(uintptr_t)address, PAGE, &page) == 0;
}

static void map_counts_and_the_last_unmap_unmaps(void **state)
{
	struct dmabuf *buffer = memfd_buffer(PAGE);
	void *first, *second;

	assert_int_equal(dmabuf_map(buffer, DMABUF_READ | DMABUF_WRITE, &first), 0);
	assert_int_equal(dmabuf_map(buffer, DMABUF_READ, &second), 0);
	assert_ptr_equal(first, second);
	assert_int_equal(dmabuf_unmap(buffer), 0);
	assert_true(is_mapped(first));
	assert_int_equal(dmabuf_unmap(buffer), 0);
	assert_false(is_mapped(first));
	assert_int_equal(dmabuf_unmap(buffer), -EINVAL);
	dmabuf_unref(buffer);
}

static void map_for_writing_beside_one_for_reading_is_another_one(void **state)
{
	struct dmabuf *buffer = memfd_buffer(PAGE);
	void *read, *write, *again;

	assert_int_equal(dmabuf_map(buffer, DMABUF_READ, &read), 0);
	assert_int_equal(dmabuf_map(buffer, DMABUF_WRITE, &write), 0);
	assert_ptr_not_equal(read, write);
	*(char *)write = 'x';
	assert_int_equal(*(char *)read, 'x');
	assert_int_equal(dmabuf_map(buffer, DMABUF_READ, &again), 0);
	assert_ptr_equal(again, read);
	dmabuf_unmap(buffer);
	dmabuf_unmap(buffer);
	assert_true(is_mapped(read));
	assert_true(is_mapped(write));
	dmabuf_unmap(buffer);
	assert_false(is_mapped(read));
	assert_false(is_mapped(write));
	dmabuf_unref(buffer);
}

static void last_reference_unmaps(void **state)
{
	struct dmabuf *buffer = memfd_buffer(PAGE);
	void *address;

	assert_int_equal(dmabuf_map(buffer, DMABUF_READ, &address), 0);
	dmabuf_unref(buffer);
	assert_false(is_mapped(address));
}

static void map_refuses_other_access(void **state)
{
	struct dmabuf *buffer = memfd_buffer(PAGE);
	void *address = NULL;

	assert_int_equal(dmabuf_map(buffer, 0, &address), -EINVAL);
	assert_int_equal(dmabuf_map(buffer, 4 | DMABUF_READ, &address), -EINVAL);
	assert_int_equal(dmabuf_map_range(buffer, 0, PAGE, 0, NULL, &address), -EINVAL);
	assert_null(address);
	dmabuf_unref(buffer);
}

static void map_of_an_empty_buffer_is_einval(void **state)
{
	struct dmabuf *buffer = memfd_buffer(0);
	void *address;

	assert_int_equal(dmabuf_map(buffer, DMABUF_READ, &address), -EINVAL);
	dmabuf_unref(buffer);
}

static void read_only_descriptor_maps_for_reading_only(void **state)
{
	struct dmabuf *buffer;
	char path[32];
	void *address;
	int writable = memfd(PAGE), fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", writable);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(dmabuf_adopt_fd(fd, &buffer), 0);
	assert_int_equal(dmabuf_map(buffer, DMABUF_WRITE, &address), -EACCES);
	assert_int_equal(dmabuf_map(buffer, DMABUF_READ, &address), 0);
	assert_int_equal(dmabuf_unmap(buffer), 0);
	dmabuf_unref(buffer);
	close(writable);
}

static void exporter_without_mmap_is_eopnotsupp(void **state)
{
	struct dmabuf *buffer = scripted_buffer(PAGE);
	void *address;

	uapimock_expect_mmap(dmabuf_fd(buffer), 0, PAGE, EINVAL);
	assert_int_equal(dmabuf_map(buffer, DMABUF_READ, &address), -EOPNOTSUPP);
	dmabuf_unref(buffer);
}

static void errors_of_mmap_are_told(void **state)
{
	static const int errors[] = {EPERM, ENODEV, ENOMEM, EACCES};
	struct dmabuf *buffer = scripted_buffer(PAGE);
	void *address = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		uapimock_expect_mmap(dmabuf_fd(buffer), 0, PAGE, errors[i]);
		assert_int_equal(dmabuf_map(buffer, DMABUF_WRITE, &address), -errors[i]);
	}
	assert_null(address);
	assert_int_equal(dmabuf_unmap(buffer), -EINVAL);
	dmabuf_unref(buffer);
}

static void truncated_memfd_is_enodev(void **state)
{
	struct dmabuf *buffer = memfd_buffer(2 * PAGE);
	void *address;

	assert_int_equal(ftruncate(dmabuf_fd(buffer), 0), 0);
	assert_int_equal(dmabuf_map(buffer, DMABUF_READ, &address), -ENODEV);
	assert_int_equal(dmabuf_map_range(buffer, 0, PAGE, DMABUF_READ, NULL, &address), -ENODEV);
	dmabuf_unref(buffer);
}

static void map_range_maps_that_part(void **state)
{
	struct dmabuf *buffer = memfd_buffer(4 * PAGE);
	char *whole;
	void *part;

	assert_int_equal(dmabuf_map(buffer, DMABUF_WRITE, (void **)&whole), 0);
	whole[2 * PAGE] = 'p';
	assert_int_equal(dmabuf_map_range(buffer, 2 * PAGE, 2 * PAGE, DMABUF_READ, NULL, &part), 0);
	assert_int_equal(*(char *)part, 'p');
	dmabuf_unmap(buffer);
	assert_true(is_mapped(part));
	munmap(part, 2 * PAGE);
	dmabuf_unref(buffer);
}

static void map_range_takes_no_address_that_is_in_use(void **state)
{
	struct dmabuf *buffer = memfd_buffer(PAGE);
	void *used = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *address = NULL;

	*(char *)used = 'u';
	assert_int_equal(dmabuf_map_range(buffer, 0, PAGE, DMABUF_WRITE, used, &address), -EEXIST);
	assert_null(address);
	assert_int_equal(*(char *)used, 'u');
	munmap(used, PAGE);
	assert_int_equal(dmabuf_map_range(buffer, 0, PAGE, DMABUF_WRITE, used, &address), 0);
	assert_ptr_equal(address, used);
	munmap(used, PAGE);
	dmabuf_unref(buffer);
}

static void map_range_refuses_what_is_unaligned_or_outside(void **state)
{
	struct dmabuf *buffer = memfd_buffer(2 * PAGE);
	void *address = NULL;

	assert_int_equal(dmabuf_map_range(buffer, 1, 1, DMABUF_READ, NULL, &address), -EINVAL);
	assert_int_equal(dmabuf_map_range(buffer, 0, 0, DMABUF_READ, NULL, &address), -EINVAL);
	assert_int_equal(dmabuf_map_range(buffer, 0, PAGE, DMABUF_READ, (void *)1, &address),
			 -EINVAL);
	assert_int_equal(dmabuf_map_range(buffer, PAGE, PAGE + 1, DMABUF_READ, NULL, &address),
			 -EINVAL);
	assert_int_equal(dmabuf_map_range(buffer, 2 * PAGE, 1, DMABUF_READ, NULL, &address),
			 -EINVAL);
	assert_int_equal(dmabuf_map_range(buffer, 0 - (uint64_t)PAGE, 2 * PAGE, DMABUF_READ, NULL,
					  &address),
			 -EINVAL);
	assert_null(address);
	dmabuf_unref(buffer);
}

/* ---- access, names, fences ---------------------------------------------- */

static struct uapimock_ioctl *expect_sync(struct dmabuf *buffer, uint64_t flags)
{
	struct uapimock_ioctl *e = uapimock_expect_ioctl(dmabuf_fd(buffer), 0x40086200);

	return uapimock_in(e, &flags, sizeof(flags));
}

static void access_sends_direction_and_begin_or_end(void **state)
{
	struct dmabuf *buffer = scripted_buffer(PAGE);

	expect_sync(buffer, 1);
	expect_sync(buffer, 2 | 4);
	expect_sync(buffer, 3);
	expect_sync(buffer, 3 | 4);
	assert_int_equal(dmabuf_begin_access(buffer, DMABUF_READ), 0);
	assert_int_equal(dmabuf_end_access(buffer, DMABUF_WRITE), 0);
	assert_int_equal(dmabuf_begin_access(buffer, DMABUF_READ | DMABUF_WRITE), 0);
	assert_int_equal(dmabuf_end_access(buffer, DMABUF_READ | DMABUF_WRITE), 0);
	dmabuf_unref(buffer);
}

static void interrupted_access_is_sent_again(void **state)
{
	struct dmabuf *buffer = scripted_buffer(PAGE);

	uapimock_fails(uapimock_times(expect_sync(buffer, 1), 2), EINTR);
	uapimock_fails(expect_sync(buffer, 1), EAGAIN);
	expect_sync(buffer, 1);
	assert_int_equal(dmabuf_begin_access(buffer, DMABUF_READ), 0);
	dmabuf_unref(buffer);
}

static void error_of_access_is_told(void **state)
{
	struct dmabuf *buffer = scripted_buffer(PAGE);

	uapimock_fails(expect_sync(buffer, 1), EIO);
	assert_int_equal(dmabuf_begin_access(buffer, DMABUF_READ), -EIO);
	dmabuf_unref(buffer);
}

static void access_of_a_memfd_is_nothing(void **state)
{
	struct dmabuf *buffer = memfd_buffer(PAGE);

	assert_int_equal(dmabuf_begin_access(buffer, DMABUF_READ), 0);
	assert_int_equal(dmabuf_end_access(buffer, DMABUF_READ), 0);
	assert_int_equal(dmabuf_begin_access(buffer, 0), -EINVAL);
	assert_int_equal(dmabuf_end_access(buffer, 4), -EINVAL);
	dmabuf_unref(buffer);
}

static int check_name(void *argument, void *expected)
{
	return strcmp(argument, expected) == 0 ? 0 : EPROTO;
}

static void name_that_is_refused_is_cut_to_31_bytes(void **state)
{
	static char whole[] = "0123456789012345678901234567890123456789";
	static char sent[] = "0123456789012345678901234567890";
	struct dmabuf *buffer = scripted_buffer(PAGE);

	uapimock_fails(uapimock_check(uapimock_expect_ioctl(dmabuf_fd(buffer), 0x40086201),
				      check_name, whole),
		       EINVAL);
	uapimock_check(uapimock_expect_ioctl(dmabuf_fd(buffer), 0x40086201), check_name, sent);
	assert_int_equal(dmabuf_set_name(buffer, whole), 0);
	dmabuf_unref(buffer);
}

static void kernel_without_names_is_eopnotsupp(void **state)
{
	struct dmabuf *buffer = scripted_buffer(PAGE);

	uapimock_fails(uapimock_expect_ioctl(dmabuf_fd(buffer), DMA_BUF_SET_NAME_B), ENOTTY);
	assert_int_equal(dmabuf_set_name(buffer, "name"), -EOPNOTSUPP);
	dmabuf_unref(buffer);
}

static void export_of_a_sync_file_sends_the_access_and_gives_the_fd(void **state)
{
	const struct {
		uint32_t flags;
		int32_t fd;
	} in = {2, -1};
	struct dmabuf *buffer = scripted_buffer(PAGE);
	struct uapimock_ioctl *e = uapimock_expect_ioctl(dmabuf_fd(buffer), 0xC0086202);
	int fd;

	uapimock_in(e, &in, sizeof(in));
	fd = uapimock_out_fd(e, 4);
	assert_int_equal(dmabuf_export_sync_file(buffer, DMABUF_WRITE), fd);
	close(fd);
	dmabuf_unref(buffer);
}

static void import_of_a_sync_file_sends_both(void **state)
{
	const struct {
		uint32_t flags;
		int32_t fd;
	} in = {3, 77};
	struct dmabuf *buffer = scripted_buffer(PAGE);
	struct uapimock_ioctl *e = uapimock_expect_ioctl(dmabuf_fd(buffer), 0x40086203);

	uapimock_in(e, &in, sizeof(in));
	assert_int_equal(dmabuf_import_sync_file(buffer, DMABUF_READ | DMABUF_WRITE, 77), 0);
	uapimock_fails(uapimock_expect_ioctl(dmabuf_fd(buffer), 0x40086203), EINVAL);
	assert_int_equal(dmabuf_import_sync_file(buffer, DMABUF_READ, 77), -EINVAL);
	dmabuf_unref(buffer);
}

static void kernel_without_sync_files_and_memfd_are_eopnotsupp(void **state)
{
	struct dmabuf *buffer = scripted_buffer(PAGE);

	uapimock_fails(uapimock_expect_ioctl(dmabuf_fd(buffer), 0xC0086202), ENOTTY);
	assert_int_equal(dmabuf_export_sync_file(buffer, DMABUF_READ), -EOPNOTSUPP);
	uapimock_fails(uapimock_expect_ioctl(dmabuf_fd(buffer), 0x40086203), ENOTTY);
	assert_int_equal(dmabuf_import_sync_file(buffer, DMABUF_READ, 5), -EOPNOTSUPP);
	dmabuf_unref(buffer);
	buffer = memfd_buffer(PAGE);
	assert_int_equal(dmabuf_export_sync_file(buffer, DMABUF_READ), -EOPNOTSUPP);
	assert_int_equal(dmabuf_import_sync_file(buffer, DMABUF_READ, 5), -EOPNOTSUPP);
	assert_int_equal(dmabuf_export_sync_file(buffer, 0), -EINVAL);
	assert_int_equal(dmabuf_import_sync_file(buffer, 8, 5), -EINVAL);
	dmabuf_unref(buffer);
}

/* ---- what /proc says ---------------------------------------------------- */

static void info_of_a_memfd(void **state)
{
	struct dmabuf_info info;
	struct stat st;
	int fd = memfd(5 * PAGE);

	fstat(fd, &st);
	assert_int_equal(dmabuf_info(fd, &info), 0);
	assert_int_equal(info.size, 5 * PAGE);
	assert_true(info.inode == st.st_ino);
	assert_int_equal(info.references, 0);
	assert_string_equal(info.name, "test");
	assert_string_equal(info.exporter, "memfd");
	close(fd);
}

static void info_cuts_the_name_of_a_memfd(void **state)
{
	struct dmabuf_info info;
	int fd = memfd_create("0123456789012345678901234567890123456789", MFD_CLOEXEC);

	assert_int_equal(dmabuf_info(fd, &info), 0);
	assert_string_equal(info.name, "0123456789012345678901234567890");
	close(fd);
}

static void info_of_other_descriptors_fails(void **state)
{
	struct dmabuf_info info;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_int_equal(dmabuf_info(fd, &info), -EINVAL);
	assert_int_equal(dmabuf_info(-1, &info), -EBADF);
	close(fd);
}

static void fdinfo_is_read(void **state)
{
	char text[] = "pos:\t0\nflags:\t02000002\nmnt_id:\t14\nino:\t99\nsize:\t8192\n"
		      "count:\t3\nexp_name:\tsystem\nname:\tframe 1\n";
	struct dmabuf_info info = {0};

	dmabuf_parse_fdinfo(text, &info);
	assert_int_equal(info.references, 3);
	assert_string_equal(info.exporter, "system");
	assert_string_equal(info.name, "frame 1");
}

static void fdinfo_of_a_buffer_without_a_name(void **state)
{
	char text[] = "size:\t8192\ncount:\t1\nexp_name:\tvfio-pci\n";
	struct dmabuf_info info = {0};

	dmabuf_parse_fdinfo(text, &info);
	assert_int_equal(info.references, 1);
	assert_string_equal(info.exporter, "vfio-pci");
	assert_string_equal(info.name, "");
}

static void name_cannot_pass_for_other_lines_of_fdinfo(void **state)
{
	char text[] = "count:\t2\nexp_name:\tsystem\nname:\tx\ncount:\t77\nexp_name:\ty\n";
	char alone[] = "name:\tx\ncount:\t77\n";
	struct dmabuf_info info = {0};

	dmabuf_parse_fdinfo(text, &info);
	assert_int_equal(info.references, 2);
	assert_string_equal(info.exporter, "system");
	assert_string_equal(info.name, "x\ncount:\t77\nexp_name:\ty");
	info = (struct dmabuf_info){0};
	dmabuf_parse_fdinfo(alone, &info);
	assert_int_equal(info.references, 0);
}

static void every_error_has_a_text(void **state)
{
	for (int error = -200; error <= 10; error++)
		assert_true(strlen(dmabuf_strerror(error)) > 0);
	assert_string_equal(dmabuf_strerror(INT32_MIN), "unknown error");
	assert_string_not_equal(dmabuf_strerror(-EDQUOT), strerror(EDQUOT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_script(imported_memfd_has_its_size_and_a_descriptor_of_its_own),
		with_script(import_leaves_the_file_position_alone),
		with_script(import_of_a_closed_descriptor_is_ebadf),
		with_script(import_of_a_path_descriptor_is_ebadf),
		with_script(import_of_another_file_is_einval),
		with_script(import_of_a_linked_file_in_a_tmpfs_is_einval),
		with_script(import_without_a_free_descriptor_is_emfile),
		with_script(export_gives_a_new_cloexec_descriptor_of_the_same_file),
		with_script(last_reference_closes),
		with_script(map_counts_and_the_last_unmap_unmaps),
		with_script(map_for_writing_beside_one_for_reading_is_another_one),
		with_script(last_reference_unmaps),
		with_script(map_refuses_other_access),
		with_script(map_of_an_empty_buffer_is_einval),
		with_script(read_only_descriptor_maps_for_reading_only),
		with_script(exporter_without_mmap_is_eopnotsupp),
		with_script(errors_of_mmap_are_told),
		with_script(truncated_memfd_is_enodev),
		with_script(map_range_maps_that_part),
		with_script(map_range_takes_no_address_that_is_in_use),
		with_script(map_range_refuses_what_is_unaligned_or_outside),
		with_script(access_sends_direction_and_begin_or_end),
		with_script(interrupted_access_is_sent_again),
		with_script(error_of_access_is_told),
		with_script(access_of_a_memfd_is_nothing),
		with_script(name_that_is_refused_is_cut_to_31_bytes),
		with_script(kernel_without_names_is_eopnotsupp),
		with_script(export_of_a_sync_file_sends_the_access_and_gives_the_fd),
		with_script(import_of_a_sync_file_sends_both),
		with_script(kernel_without_sync_files_and_memfd_are_eopnotsupp),
		with_script(info_of_a_memfd),
		with_script(info_cuts_the_name_of_a_memfd),
		with_script(info_of_other_descriptors_fails),
		with_script(fdinfo_is_read),
		with_script(fdinfo_of_a_buffer_without_a_name),
		with_script(name_cannot_pass_for_other_lines_of_fdinfo),
		cmocka_unit_test(every_error_has_a_text),
	};

	return cmocka_run_group_tests_name("dmabuf-buffer", tests, NULL, NULL);
}
