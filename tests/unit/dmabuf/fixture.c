/* SPDX-License-Identifier: MIT */
/* Buffers on memfds and on scripted descriptors, and the count of descriptors around a test. */
#include "fixture.h"

static unsigned int fds;

int fixture_setup(void **state)
{
	fds = count_fds();
	uapimock_begin();
	return 0;
}

int fixture_teardown(void **state)
{
	uapimock_end();
	if (count_fds() != fds) {
		print_error("%u file descriptors instead of %u\n", count_fds(), fds);
		return -1;
	}
	return 0;
}

int memfd(uint64_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

struct dmabuf *memfd_buffer(uint64_t size)
{
	struct dmabuf *buffer;

	assert_int_equal(dmabuf_adopt_fd(memfd(size), &buffer), 0);
	return buffer;
}

struct dmabuf *scripted_buffer(uint64_t size)
{
	struct dmabuf *buffer;
	int fd = uapimock_expect_open("/dev/scripted", 0);

	assert_int_equal(open("/dev/scripted", O_RDWR | O_CLOEXEC), fd);
	assert_int_equal(dmabuf_take_fd(fd, size, &buffer), 0);
	return buffer;
}
