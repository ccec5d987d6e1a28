/* SPDX-License-Identifier: MIT */
/*
 * libuapimock: scripted expectations for open, ioctl, mmap, munmap, dup and
 * close, for use from cmocka tests. A test says which calls it expects in which
 * order, with the exact request number and bytes, and what they answer. Calls
 * on file descriptors that the script did not make go to the kernel.
 *
 * Link the test with the library; its open(), ioctl(), ... take the place of
 * libc's for everything in the process. What libc does inside (fopen()) and raw
 * syscall()s are not seen. A path that the script names is never opened for
 * real; a duplicate of a mock file descriptor is one of the same object. For
 * 64-bit Linux.
 *
 *	uapimock_begin();
 *	int fd = uapimock_expect_open("/dev/accel/accel0", 0);
 *	uapimock_expect_ioctl(fd, DRM_IOCTL_QDA_QUERY)
 *		answers out bytes ...
 *	... code under test ...
 *	uapimock_end();	// fails the test unless all happened
 *
 * Threads: calls may come from any thread; they are matched under one lock. A
 * mismatch makes the call fail with ENOTRECOVERABLE, and uapimock_end() fails
 * the cmocka test with what was expected and what came. Each test begins with
 * uapimock_begin() and ends with uapimock_end().
 */
#ifndef UAPIMOCK_H
#define UAPIMOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uapimock_ioctl;

/** uapimock_begin - start a script; forgets an earlier one. */
void uapimock_begin(void);

/**
 * uapimock_end - end the script
 *
 * Fails the running cmocka test if a call did not match, an expected one did
 * not come, or a mock file descriptor is still open. To be called from the
 * test's own thread.
 */
void uapimock_end(void);

/** uapimock_ok - whether all went as scripted so far; for waits in tests. */
bool uapimock_ok(void);

/**
 * uapimock_expect_open - open() or openat() of a path
 * @path: exact path
 * @error: 0, or the errno to answer
 *
 * Return: the mock file descriptor that the call will give (a real, reserved
 * number: /dev/null underneath), or -1 if @error.
 */
int uapimock_expect_open(const char *path, int error);

/**
 * uapimock_expect_ioctl - an ioctl
 * @fd: a mock file descriptor
 * @request: exact request number
 *
 * Unless told more the argument's content is not looked at and the answer is 0.
 *
 * Return: the expectation, to be refined until the next call of this library.
 */
struct uapimock_ioctl *uapimock_expect_ioctl(int fd, unsigned long request);

/** uapimock_in - the argument must be these @size bytes when the call comes. */
struct uapimock_ioctl *uapimock_in(struct uapimock_ioctl *expectation, const void *bytes,
				   size_t size);

/** uapimock_in_at - bytes [@offset, @offset + @size) of the argument must be @bytes. */
struct uapimock_ioctl *uapimock_in_at(struct uapimock_ioctl *expectation, size_t offset,
				      const void *bytes, size_t size);

/**
 * uapimock_in_via - memory that the argument points to must be @bytes
 * @offset: where in the argument the 64-bit user pointer is
 */
struct uapimock_ioctl *uapimock_in_via(struct uapimock_ioctl *expectation, size_t offset,
				       const void *bytes, size_t size);

/** uapimock_out - these @size bytes are stored into the argument. */
struct uapimock_ioctl *uapimock_out(struct uapimock_ioctl *expectation, const void *bytes,
				    size_t size);

/** uapimock_out_at - the same at an offset. */
struct uapimock_ioctl *uapimock_out_at(struct uapimock_ioctl *expectation, size_t offset,
				       const void *bytes, size_t size);

/**
 * uapimock_out_via - @size bytes are stored into memory that the argument points to
 * @offset: where in the argument the 64-bit user pointer is
 */
struct uapimock_ioctl *uapimock_out_via(struct uapimock_ioctl *expectation, size_t offset,
					const void *bytes, size_t size);

/**
 * uapimock_check - a function that looks at the call and may change the argument
 * @fn: gets the argument; returns 0 to go on, or the errno to answer. It runs
 *	when the call has matched: before it blocks and before bytes are stored.
 */
struct uapimock_ioctl *uapimock_check(struct uapimock_ioctl *expectation,
				      int (*fn)(void *argument, void *data), void *data);

/**
 * uapimock_out_fd - a new mock file descriptor is stored as s32 at @offset
 *
 * Not if the call fails. When the expectation holds for more than one call the
 * later ones get duplicates. Return: the file descriptor of the first.
 */
int uapimock_out_fd(struct uapimock_ioctl *expectation, size_t offset);

/**
 * uapimock_returns_fd - ioctl() returns a new mock file descriptor
 *
 * Otherwise as uapimock_out_fd().
 */
int uapimock_returns_fd(struct uapimock_ioctl *expectation);

/** uapimock_returns - ioctl() returns @value (0 or what the driver answers) instead of 0. */
struct uapimock_ioctl *uapimock_returns(struct uapimock_ioctl *expectation, int value);

/** uapimock_fails - ioctl() returns -1 with this errno; out bytes are still stored. */
struct uapimock_ioctl *uapimock_fails(struct uapimock_ioctl *expectation, int error);

/** uapimock_times - the expectation holds for @count calls in a row; 0: any number, none included.
 */
struct uapimock_ioctl *uapimock_times(struct uapimock_ioctl *expectation, unsigned int count);

/**
 * uapimock_unordered - may come at any time, whatever stands before it
 *
 * For calls of threads the test does not drive, such as a listener.
 */
struct uapimock_ioctl *uapimock_unordered(struct uapimock_ioctl *expectation);

/** uapimock_blocks - the call does not return before uapimock_release(), or a signal (EINTR). */
struct uapimock_ioctl *uapimock_blocks(struct uapimock_ioctl *expectation);

/** uapimock_release - let all blocked calls of this request return. */
void uapimock_release(unsigned long request);

/**
 * uapimock_wait_blocked - wait until so many calls of this request are blocked
 *
 * Return: false if that did not happen within ten seconds.
 */
bool uapimock_wait_blocked(unsigned long request, unsigned int count);

/**
 * uapimock_expect_version - DRM_IOCTL_VERSION, answered as the kernel does
 * @fd: a mock file descriptor
 * @name: the driver's name
 *
 * Holds for one call or more in a row: libdrm's drmGetVersion() makes two, the
 * first to learn the lengths.
 *
 * Return: as uapimock_expect_ioctl().
 */
struct uapimock_ioctl *uapimock_expect_version(int fd, const char *name, int major, int minor,
					       int patch);

/**
 * uapimock_expect_mmap - mmap() of a mock file descriptor
 * @fd: the file descriptor
 * @offset: exact offset
 * @length: exact length
 * @error: 0 for anonymous zeroed memory, or the errno to answer
 *
 * munmap() of it is counted; uapimock_end() fails if it is still mapped. It has
 * to be unmapped as a whole.
 */
void uapimock_expect_mmap(int fd, uint64_t offset, size_t length, int error);

/** uapimock_expect_close - the script demands close(@fd) at this point. Else any time will do. */
void uapimock_expect_close(int fd);

/** uapimock_fd_size - size that fstat() and lseek(SEEK_END) report for a mock file descriptor. */
void uapimock_fd_size(int fd, uint64_t size);

#ifdef __cplusplus
}
#endif

#endif
