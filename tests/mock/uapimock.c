/* SPDX-License-Identifier: MIT */
/* libuapimock: the script, and the functions that take the place of libc's. */

/* Here open() and open64() are two functions, not one with a redirect. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE

#include <fcntl.h>
#include <limits.h>
#include <linux/dma-buf.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include <cmocka.h>
#include <drm.h>
#include <drm/qda_accel.h>

#include "common.h"
#include "uapimock.h"

_Static_assert(sizeof(long) == 8, "the raw system calls below are those of 64-bit Linux");

#define EXPORT __attribute__((visibility("default")))
#define MAX_FDS 4096
#define MAX_FAILURES 8
#define MISMATCH ENOTRECOVERABLE

enum kind { KIND_OPEN, KIND_IOCTL, KIND_MMAP, KIND_CLOSE };

/* What a mock file descriptor and its duplicates stand for. */
struct object {
	struct object *next;
	bool has_size;
	uint64_t size;
};

enum op_kind { OP_IN, OP_IN_VIA, OP_OUT, OP_OUT_VIA, OP_OUT_FD, OP_RETURN_FD, OP_CHECK };

/* One refinement of an expected ioctl. */
struct op {
	struct op *next;
	enum op_kind kind;
	size_t offset;
	size_t size;
	int fd;
	int (*fn)(void *argument, void *data);
	void *data;
	unsigned char bytes[];
};

/* An expected call of any kind, and what it answers. */
struct uapimock_ioctl {
	struct uapimock_ioctl *next;
	enum kind kind;
	unsigned int number; /* position in the script, from 1 */
	struct object *object;
	int fd;
	char *path; /* and the name of a driver */
	unsigned long request;
	uint64_t offset;
	size_t length;
	struct op *ops;
	int error;
	int value;
	unsigned int min, max, count; /* calls: needed, possible, seen */
	bool unordered;
	bool blocks;
	bool passed; /* a later one has been matched */
	bool is_version;
	int version[3];
};

struct mapping {
	struct mapping *next;
	void *address;
	size_t length;
};

enum { RELEASED = 1, ENDED = 2 };

struct blocked {
	struct blocked *next;
	unsigned long request;
	atomic_uint released; /* futex: 0, RELEASED or ENDED */
};

/* The lock is for everything below but what is atomic. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool active;
static struct uapimock_ioctl *script;
static unsigned int script_length;
static struct object *objects;
static struct mapping *mappings;
static atomic_uint n_mappings;
static struct blocked *blocked;
static unsigned int n_busy; /* ioctls that use the script without the lock */
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static char failures[MAX_FAILURES][900];
static unsigned int n_failures;

/* By file descriptor: what it stands for, and whether the code under test has it. */
static struct object *_Atomic fd_object[MAX_FDS];
static atomic_bool fd_open[MAX_FDS];

/* The thread may be cancelled asynchronously, as ioctl() allows; not under the lock. */
static int script_lock(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_mutex_lock(&lock);
	return state;
}

static void script_unlock(int state)
{
	pthread_mutex_unlock(&lock);
	pthread_setcancelstate(state, NULL);
}

static struct object *object_of(int fd)
{
	return fd >= 0 && fd < MAX_FDS ? atomic_load(&fd_object[fd]) : NULL;
}

/* ---- messages ----------------------------------------------------------- */

static const struct {
	unsigned long request;
	const char *name;
} request_names[] = {
#define NAME(request)             \
	{                         \
		request, #request \
	}
	NAME(DRM_IOCTL_VERSION),
	NAME(DRM_IOCTL_GET_CAP),
	NAME(DRM_IOCTL_GEM_CLOSE),
	NAME(DRM_IOCTL_PRIME_HANDLE_TO_FD),
	NAME(DRM_IOCTL_PRIME_FD_TO_HANDLE),
	NAME(DRM_IOCTL_QDA_QUERY),
	NAME(DRM_IOCTL_QDA_GEM_CREATE),
	NAME(DRM_IOCTL_QDA_GEM_MMAP_OFFSET),
	NAME(DRM_IOCTL_QDA_REMOTE_SESSION_CREATE),
	NAME(DRM_IOCTL_QDA_REMOTE_MAP),
	NAME(DRM_IOCTL_QDA_REMOTE_MUNMAP),
	NAME(DRM_IOCTL_QDA_REMOTE_INVOKE),
	NAME(DMA_BUF_IOCTL_SYNC),
#undef NAME
};

static void __attribute__((format(printf, 1, 2))) record(const char *format, ...)
{
	va_list ap;

	if (n_failures < MAX_FAILURES) {
		va_start(ap, format);
		vsnprintf(failures[n_failures], sizeof(failures[0]), format, ap);
		va_end(ap);
	}
	n_failures++;
}

static const char *describe_request(unsigned long request, char *text, size_t size)
{
	static const char *const directions[] = {"none", "write", "read", "read and write"};
	const char *name = "";

	for (size_t i = 0; i < ARRAY_SIZE(request_names); i++)
		if (request_names[i].request == request)
			name = request_names[i].name;
	snprintf(text, size, "%s%s%#lx (%s, '%c' %#lx, %lu bytes)", name, *name ? " " : "", request,
		 directions[_IOC_DIR(request) & 3],
		 _IOC_TYPE(request) >= ' ' && _IOC_TYPE(request) < 127 ? (char)_IOC_TYPE(request)
								       : '?',
		 (unsigned long)_IOC_NR(request), (unsigned long)_IOC_SIZE(request));
	return text;
}

static const char *describe(const struct uapimock_ioctl *e, char *text, size_t size)
{
	char request[160];

	switch (e->kind) {
	case KIND_OPEN:
		snprintf(text, size, "open(\"%s\")", e->path);
		break;
	case KIND_IOCTL:
		snprintf(text, size, "ioctl(%d, %s)", e->fd,
			 describe_request(e->request, request, sizeof(request)));
		break;
	case KIND_MMAP:
		snprintf(text, size, "mmap(%d, offset %#llx, %zu bytes)", e->fd,
			 (unsigned long long)e->offset, e->length);
		break;
	case KIND_CLOSE:
		snprintf(text, size, "close(%d)", e->fd);
		break;
	}
	return text;
}

static struct uapimock_ioctl *next_needed(void)
{
	struct uapimock_ioctl *e = script;

	while (e && (e->unordered || e->passed || e->count >= e->min))
		e = e->next;
	return e;
}

/* A call came that nothing in the script allows now. */
static void record_unexpected(const char *call)
{
	struct uapimock_ioctl *needed = next_needed();
	char text[400];

	if (needed)
		record("unexpected %s; expected now: call %u of the script, %s", call,
		       needed->number, describe(needed, text, sizeof(text)));
	else
		record("unexpected %s; the script has no more calls", call);
}

static void hex(char *text, size_t size, const unsigned char *bytes, size_t n)
{
	size_t used = 0;

	for (size_t i = 0; i < n && used + 4 < size; i++)
		used += (size_t)snprintf(text + used, size - used, i ? " %02x" : "%02x", bytes[i]);
}

/* ---- objects and file descriptors --------------------------------------- */

static void fd_assign(int fd, struct object *object, bool is_open)
{
	if (fd < 0 || fd >= MAX_FDS)
		return;
	atomic_store(&fd_open[fd], is_open);
	atomic_store(&fd_object[fd], object);
}

/* A number that nothing else can get, until the script gives it out. */
static int fd_reserve(void)
{
	struct object *object = calloc(1, sizeof(*object));
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);

	if (!object || fd < 0 || fd >= MAX_FDS) {
		free(object);
		if (fd >= 0)
			syscall(SYS_close, fd);
		record("no file descriptor left to reserve");
		return -1;
	}
	object->next = objects;
	objects = object;
	fd_assign(fd, object, false);
	return fd;
}

static void fd_release(int fd)
{
	fd_assign(fd, NULL, false);
	syscall(SYS_close, fd);
}

/* ---- the script --------------------------------------------------------- */

static void script_clear(void)
{
	struct uapimock_ioctl *e;
	struct object *object;
	struct mapping *mapping;
	struct op *op;

	atomic_store(&active, false);
	for (int fd = 0; fd < MAX_FDS; fd++)
		if (object_of(fd))
			fd_release(fd);
	while ((mapping = mappings)) {
		mappings = mapping->next;
		syscall(SYS_munmap, mapping->address, mapping->length);
		free(mapping);
	}
	atomic_store(&n_mappings, 0);
	while ((e = script)) {
		script = e->next;
		while ((op = e->ops)) {
			e->ops = op->next;
			free(op);
		}
		free(e->path);
		free(e);
	}
	while ((object = objects)) {
		objects = object->next;
		free(object);
	}
	script_length = 0;
}

static void blocked_wake(struct blocked *b, unsigned int how)
{
	atomic_store(&b->released, how);
	syscall(SYS_futex, &b->released, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Make the calls return that still use the script. */
static void drain(void)
{
	for (struct blocked *b = blocked; b; b = b->next)
		blocked_wake(b, ENDED);
	while (n_busy)
		pthread_cond_wait(&idle, &lock);
}

EXPORT void uapimock_begin(void)
{
	int state = script_lock();

	drain();
	script_clear();
	n_failures = 0;
	atomic_store(&active, true);
	script_unlock(state);
}

static void record_leftovers(void)
{
	char text[400];

	for (struct uapimock_ioctl *e = script; e; e = e->next)
		if (e->count < e->min)
			record("call %u of the script did not come: %s%s", e->number,
			       describe(e, text, sizeof(text)), e->count ? " (often enough)" : "");
	for (struct blocked *b = blocked; b; b = b->next)
		record("still blocked: ioctl %s", describe_request(b->request, text, sizeof(text)));
	for (int fd = 0; fd < MAX_FDS; fd++)
		if (object_of(fd) && atomic_load(&fd_open[fd]))
			record("file descriptor %d is still open", fd);
	for (struct mapping *m = mappings; m; m = m->next)
		record("%zu bytes are still mapped at %p", m->length, m->address);
}

EXPORT void uapimock_end(void)
{
	unsigned int failed;
	int state = script_lock();

	if (atomic_load(&active))
		record_leftovers();
	else
		record("uapimock_end() without uapimock_begin()");
	drain();
	script_clear();
	failed = n_failures;
	script_unlock(state);

	if (!failed)
		return;
	for (unsigned int i = 0; i < MIN(failed, MAX_FAILURES); i++)
		print_error("uapimock: %s\n", failures[i]);
	fail_msg("uapimock: %u difference%s from the script", failed, failed == 1 ? "" : "s");
}

EXPORT bool uapimock_ok(void)
{
	int state = script_lock();
	bool ok = !n_failures;

	script_unlock(state);
	return ok;
}

static void *must(void *memory)
{
	if (!memory) {
		fprintf(stderr, "uapimock: out of memory\n");
		abort();
	}
	return memory;
}

static struct uapimock_ioctl *script_add(enum kind kind)
{
	struct uapimock_ioctl *e = must(calloc(1, sizeof(*e))), **end = &script;

	while (*end)
		end = &(*end)->next;
	*end = e;
	e->kind = kind;
	e->number = ++script_length;
	e->fd = -1;
	e->min = e->max = 1;
	return e;
}

static struct uapimock_ioctl *script_add_fd(enum kind kind, int fd, const char *caller)
{
	struct uapimock_ioctl *e = script_add(kind);

	e->fd = fd;
	e->object = object_of(fd);
	if (!e->object)
		record("%s: %d is not a mock file descriptor", caller, fd);
	return e;
}

EXPORT int uapimock_expect_open(const char *path, int error)
{
	int state = script_lock();
	struct uapimock_ioctl *e = script_add(KIND_OPEN);
	int fd;

	e->path = must(strdup(path));
	e->error = error;
	if (!error) {
		e->fd = fd_reserve();
		e->object = object_of(e->fd);
	}
	fd = e->fd;
	script_unlock(state);
	return fd;
}

EXPORT struct uapimock_ioctl *uapimock_expect_ioctl(int fd, unsigned long request)
{
	int state = script_lock();
	struct uapimock_ioctl *e = script_add_fd(KIND_IOCTL, fd, __func__);

	e->request = request;
	script_unlock(state);
	return e;
}

EXPORT struct uapimock_ioctl *uapimock_expect_version(int fd, const char *name, int major,
						      int minor, int patch)
{
	struct uapimock_ioctl *e = uapimock_expect_ioctl(fd, DRM_IOCTL_VERSION);

	e->path = must(strdup(name));
	e->is_version = true;
	e->version[0] = major;
	e->version[1] = minor;
	e->version[2] = patch;
	e->max = UINT_MAX;
	return e;
}

static struct op *add_op(struct uapimock_ioctl *e, enum op_kind kind, size_t offset,
			 const void *bytes, size_t size)
{
	struct op *op = must(calloc(1, sizeof(*op) + size)), **end = &e->ops;
	bool via = kind == OP_IN_VIA || kind == OP_OUT_VIA;
	size_t last = offset + (via ? sizeof(uint64_t) : kind == OP_OUT_FD ? sizeof(int) : size);
	int state = script_lock();

	while (*end)
		end = &(*end)->next;
	*end = op;
	op->kind = kind;
	op->offset = offset;
	op->size = size;
	if (size)
		memcpy(op->bytes, bytes, size);
	if (_IOC_SIZE(e->request) && last > _IOC_SIZE(e->request))
		record("call %u of the script speaks of byte %zu of an argument of %lu bytes",
		       e->number, last - 1, (unsigned long)_IOC_SIZE(e->request));
	script_unlock(state);
	return op;
}

EXPORT struct uapimock_ioctl *uapimock_in_at(struct uapimock_ioctl *expectation, size_t offset,
					     const void *bytes, size_t size)
{
	add_op(expectation, OP_IN, offset, bytes, size);
	return expectation;
}

EXPORT struct uapimock_ioctl *uapimock_in(struct uapimock_ioctl *expectation, const void *bytes,
					  size_t size)
{
	return uapimock_in_at(expectation, 0, bytes, size);
}

EXPORT struct uapimock_ioctl *uapimock_in_via(struct uapimock_ioctl *expectation, size_t offset,
					      const void *bytes, size_t size)
{
	add_op(expectation, OP_IN_VIA, offset, bytes, size);
	return expectation;
}

EXPORT struct uapimock_ioctl *uapimock_out_at(struct uapimock_ioctl *expectation, size_t offset,
					      const void *bytes, size_t size)
{
	add_op(expectation, OP_OUT, offset, bytes, size);
	return expectation;
}

EXPORT struct uapimock_ioctl *uapimock_out(struct uapimock_ioctl *expectation, const void *bytes,
					   size_t size)
{
	return uapimock_out_at(expectation, 0, bytes, size);
}

EXPORT struct uapimock_ioctl *uapimock_out_via(struct uapimock_ioctl *expectation, size_t offset,
					       const void *bytes, size_t size)
{
	add_op(expectation, OP_OUT_VIA, offset, bytes, size);
	return expectation;
}

EXPORT struct uapimock_ioctl *uapimock_check(struct uapimock_ioctl *expectation,
					     int (*fn)(void *argument, void *data), void *data)
{
	struct op *op = add_op(expectation, OP_CHECK, 0, NULL, 0);

	op->fn = fn;
	op->data = data;
	return expectation;
}

static int add_fd_op(struct uapimock_ioctl *e, enum op_kind kind, size_t offset)
{
	struct op *op = add_op(e, kind, offset, NULL, 0);
	int state = script_lock();

	op->fd = fd_reserve();
	op->data = object_of(op->fd);
	script_unlock(state);
	return op->fd;
}

EXPORT int uapimock_out_fd(struct uapimock_ioctl *expectation, size_t offset)
{
	return add_fd_op(expectation, OP_OUT_FD, offset);
}

EXPORT int uapimock_returns_fd(struct uapimock_ioctl *expectation)
{
	return add_fd_op(expectation, OP_RETURN_FD, 0);
}

EXPORT struct uapimock_ioctl *uapimock_returns(struct uapimock_ioctl *expectation, int value)
{
	expectation->value = value;
	return expectation;
}

EXPORT struct uapimock_ioctl *uapimock_fails(struct uapimock_ioctl *expectation, int error)
{
	expectation->error = error;
	return expectation;
}

EXPORT struct uapimock_ioctl *uapimock_times(struct uapimock_ioctl *expectation, unsigned int count)
{
	expectation->min = count;
	expectation->max = count ? count : UINT_MAX;
	return expectation;
}

EXPORT struct uapimock_ioctl *uapimock_unordered(struct uapimock_ioctl *expectation)
{
	expectation->unordered = true;
	return expectation;
}

EXPORT struct uapimock_ioctl *uapimock_blocks(struct uapimock_ioctl *expectation)
{
	expectation->blocks = true;
	return expectation;
}

EXPORT void uapimock_release(unsigned long request)
{
	int state = script_lock();

	for (struct blocked *b = blocked; b; b = b->next)
		if (b->request == request)
			blocked_wake(b, RELEASED);
	script_unlock(state);
}

EXPORT bool uapimock_wait_blocked(unsigned long request, unsigned int count)
{
	const struct timespec tick = {.tv_nsec = 1000000};

	for (unsigned int i = 0; i < 10000; i++) {
		unsigned int n = 0;
		int state = script_lock();

		for (struct blocked *b = blocked; b; b = b->next)
			n += b->request == request && !atomic_load(&b->released);
		script_unlock(state);
		if (n >= count)
			return true;
		nanosleep(&tick, NULL);
	}
	return false;
}

EXPORT void uapimock_expect_mmap(int fd, uint64_t offset, size_t length, int error)
{
	int state = script_lock();
	struct uapimock_ioctl *e = script_add_fd(KIND_MMAP, fd, __func__);

	e->offset = offset;
	e->length = length;
	e->error = error;
	script_unlock(state);
}

EXPORT void uapimock_expect_close(int fd)
{
	int state = script_lock();

	script_add_fd(KIND_CLOSE, fd, __func__);
	script_unlock(state);
}

EXPORT void uapimock_fd_size(int fd, uint64_t size)
{
	int state = script_lock();
	struct object *object = object_of(fd);

	if (object) {
		object->has_size = true;
		object->size = size;
	} else {
		record("%s: %d is not a mock file descriptor", __func__, fd);
	}
	script_unlock(state);
}

/* ---- matching ----------------------------------------------------------- */

/* Both are calls; @call has the fields of its kind set. */
static bool same_call(const struct uapimock_ioctl *e, const struct uapimock_ioctl *call)
{
	if (e->kind != call->kind)
		return false;
	switch (e->kind) {
	case KIND_OPEN:
		return !strcmp(e->path, call->path);
	case KIND_IOCTL:
		return e->object == call->object && e->request == call->request;
	case KIND_MMAP:
		return e->object == call->object && e->offset == call->offset &&
		       e->length == call->length;
	case KIND_CLOSE:
		return e->object == call->object && e->fd == call->fd;
	}
	return false;
}

static void *pointer_at(const void *argument, size_t offset)
{
	uint64_t address;

	memcpy(&address, (const char *)argument + offset, sizeof(address));
	return (void *)(uintptr_t)address;
}

/* The bytes a refinement speaks of, or NULL. */
static unsigned char *op_memory(const struct op *op, void *argument)
{
	if (!argument)
		return NULL;
	if (op->kind == OP_IN_VIA || op->kind == OP_OUT_VIA)
		return pointer_at(argument, op->offset);
	return (unsigned char *)argument + op->offset;
}

/* The first refinement whose bytes are not those of the call. */
static const struct op *wrong_bytes(const struct uapimock_ioctl *e, void *argument)
{
	for (const struct op *op = e->ops; op; op = op->next) {
		const unsigned char *memory;

		if ((op->kind != OP_IN && op->kind != OP_IN_VIA) || !op->size)
			continue;
		memory = op_memory(op, argument);
		if (!memory || memcmp(memory, op->bytes, op->size) != 0)
			return op;
	}
	return NULL;
}

static void record_wrong_bytes(const struct uapimock_ioctl *e, void *argument)
{
	const struct op *op = wrong_bytes(e, argument);
	const unsigned char *memory = op_memory(op, argument);
	char text[400], expected[50], got[50], where[60] = "";
	size_t at = 0, n;

	describe(e, text, sizeof(text));
	if (!memory) {
		record("call %u of the script, %s: a NULL pointer instead of %zu bytes", e->number,
		       text, op->size);
		return;
	}
	while (memory[at] == op->bytes[at])
		at++;
	n = MIN(op->size - at, 16);
	hex(expected, sizeof(expected), op->bytes + at, n);
	hex(got, sizeof(got), memory + at, n);
	if (op->kind == OP_IN_VIA)
		snprintf(where, sizeof(where), " of the memory that offset %zu points to",
			 op->offset);
	else
		at += op->offset;
	record("call %u of the script, %s: bytes differ from byte %zu on%s: expected %s, got %s",
	       e->number, text, at, where, expected, got);
}

/*
 * Find what answers the call, or record why nothing does. An ordered expectation
 * may be used if all ordered ones before it have had the calls they need; then
 * those are over.
 */
static struct uapimock_ioctl *match(const struct uapimock_ioctl *call, void *argument)
{
	struct uapimock_ioctl *found = NULL, *near = NULL;
	bool in_order = true;
	char text[400];

	for (struct uapimock_ioctl *e = script; e; e = e->next) {
		bool eligible = e->count < e->max && !e->passed && (e->unordered || in_order);

		if (eligible && same_call(e, call)) {
			if (!wrong_bytes(e, argument)) {
				if (!found || (found->unordered && !e->unordered))
					found = e;
			} else if (!near) {
				near = e;
			}
		}
		if (!e->unordered && !e->passed && e->count < e->min)
			in_order = false;
	}
	if (!found) {
		if (near)
			record_wrong_bytes(near, argument);
		else
			record_unexpected(describe(call, text, sizeof(text)));
		return NULL;
	}
	found->count++;
	if (!found->unordered)
		for (struct uapimock_ioctl *e = script; e != found; e = e->next)
			e->passed |= !e->unordered;
	return found;
}

/* Whether the script names such a call at all; @pending: and still waits for it. */
static bool scripted(const struct uapimock_ioctl *call, bool pending)
{
	for (const struct uapimock_ioctl *e = script; e; e = e->next)
		if (same_call(e, call) && (!pending || e->count < e->min))
			return true;
	return false;
}

/* ---- what the calls do -------------------------------------------------- */

static int set_errno(int error)
{
	errno = error;
	return -1;
}

/* open() of a path; false if the kernel shall do it. */
static bool mock_open(int dirfd, const char *path, int *ret_result)
{
	const struct uapimock_ioctl call = {.kind = KIND_OPEN, .fd = -1, .path = (char *)path};
	struct uapimock_ioctl *e;
	int state;

	if (!atomic_load(&active) || !path || (path[0] != '/' && dirfd != AT_FDCWD))
		return false;
	state = script_lock();
	if (!scripted(&call, false)) {
		script_unlock(state);
		return false;
	}
	e = match(&call, NULL);
	if (!e) {
		*ret_result = set_errno(MISMATCH);
	} else if (e->error) {
		*ret_result = set_errno(e->error);
	} else {
		atomic_store(&fd_open[e->fd], true);
		*ret_result = e->fd;
	}
	script_unlock(state);
	return true;
}

/* The kernel's drm_copy_field(): as much as fits, and the full length. */
static void copy_field(char *to, __kernel_size_t *length, const char *from)
{
	size_t full = strlen(from);

	if (to)
		memcpy(to, from, MIN(full, *length));
	*length = full;
}

static void answer_version(const struct uapimock_ioctl *e, struct drm_version *version)
{
	version->version_major = e->version[0];
	version->version_minor = e->version[1];
	version->version_patchlevel = e->version[2];
	copy_field(version->name, &version->name_len, e->path);
	copy_field(version->date, &version->date_len, "0");
	copy_field(version->desc, &version->desc_len, "mock");
}

static void store_answer(const struct uapimock_ioctl *e, void *argument, int *value)
{
	*value = e->value;
	if (e->is_version && argument && !e->error)
		answer_version(e, argument);
	for (struct op *op = e->ops; op; op = op->next) {
		unsigned char *memory;

		if (op->kind == OP_IN || op->kind == OP_IN_VIA || op->kind == OP_CHECK)
			continue;
		memory =
			op->kind == OP_RETURN_FD ? (unsigned char *)value : op_memory(op, argument);
		if (!memory) {
			record("call %u of the script: a NULL pointer where bytes are to be stored",
			       e->number);
		} else if (op->kind != OP_OUT_FD && op->kind != OP_RETURN_FD) {
			memcpy(memory, op->bytes, op->size);
		} else if (!e->error) {
			int fd = op->fd;

			/* Given out before: another number for the same object. */
			if (e->count > 1) {
				fd = (int)syscall(SYS_fcntl, op->fd, F_DUPFD_CLOEXEC, 3);
				fd_assign(fd, op->data, true);
			} else {
				atomic_store(&fd_open[fd], true);
			}
			memcpy(memory, &fd, sizeof(fd));
		}
	}
}

/*
 * Wait for uapimock_release(). The time limit is there because a futex wait
 * without one is restarted after a handler with SA_RESTART.
 *
 * Return: 0 or an errno.
 */
static int wait_released(struct blocked *self)
{
	const struct timespec hour = {.tv_sec = 3600};
	unsigned int how;

	while (!(how = atomic_load(&self->released)))
		if (syscall(SYS_futex, &self->released, FUTEX_WAIT, 0, &hour, NULL, 0) < 0 &&
		    errno == EINTR)
			return EINTR;
	return how == RELEASED ? 0 : MISMATCH;
}

static void blocked_free(struct blocked *self)
{
	struct blocked **at = &blocked;

	while (*at != self)
		at = &(*at)->next;
	*at = self->next;
	free(self);
}

static void busy_end(void)
{
	if (!--n_busy)
		pthread_cond_broadcast(&idle);
}

/* The blocked call of a thread ends with the thread when that is cancelled. */
static void blocked_cancelled(void *data)
{
	int state = script_lock();

	blocked_free(data);
	busy_end();
	script_unlock(state);
}

static pthread_key_t blocked_key;
static pthread_once_t blocked_once = PTHREAD_ONCE_INIT;

static void blocked_init(void)
{
	pthread_key_create(&blocked_key, blocked_cancelled);
}

/* @state: whether the thread could be cancelled before. Return: 0 or an errno. */
static int block(unsigned long request, int state)
{
	struct blocked *self = must(calloc(1, sizeof(*self)));
	int error, ignored;

	self->request = request;
	pthread_once(&blocked_once, blocked_init);
	pthread_mutex_lock(&lock);
	self->next = blocked;
	blocked = self;
	pthread_setspecific(blocked_key, self);
	pthread_mutex_unlock(&lock);

	pthread_setcancelstate(state, &ignored);
	error = wait_released(self);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &ignored);

	pthread_mutex_lock(&lock);
	pthread_setspecific(blocked_key, NULL);
	blocked_free(self);
	pthread_mutex_unlock(&lock);
	return error;
}

/* What the expectation's functions say: 0 or an errno. */
static int run_checks(const struct uapimock_ioctl *e, void *argument)
{
	for (const struct op *op = e->ops; op; op = op->next) {
		int error = op->kind == OP_CHECK ? op->fn(argument, op->data) : 0;

		if (error)
			return error;
	}
	return 0;
}

static int mock_ioctl(int fd, struct object *object, unsigned long request, void *argument)
{
	const struct uapimock_ioctl call = {.kind = KIND_IOCTL,
					    .fd = fd,
					    .object = object,
					    .request = request};
	struct uapimock_ioctl *e = NULL;
	int state = script_lock(), error, value = 0;

	if (!atomic_load(&fd_open[fd]))
		record("ioctl on file descriptor %d before the script gave it out", fd);
	else
		e = match(&call, argument);
	if (!e) {
		script_unlock(state);
		return set_errno(MISMATCH);
	}
	n_busy++;
	pthread_mutex_unlock(&lock);

	/* Without the lock, but not to be cancelled: the checks may take locks of their own. */
	error = run_checks(e, argument);
	if (!error && e->blocks)
		error = block(request, state);
	pthread_mutex_lock(&lock);
	if (!error) {
		store_answer(e, argument, &value);
		error = e->error;
	}
	busy_end();
	script_unlock(state);
	return error ? set_errno(error) : value;
}

static void *mock_mmap(struct object *object, void *address, size_t length, int prot, int flags,
		       int fd, off_t offset)
{
	const struct uapimock_ioctl call = {.kind = KIND_MMAP,
					    .fd = fd,
					    .object = object,
					    .offset = (uint64_t)offset,
					    .length = length};
	struct mapping *mapping;
	int state = script_lock();
	struct uapimock_ioctl *e = match(&call, NULL);
	int error = e ? e->error : MISMATCH;
	long r;

	if (!error) {
		r = syscall(SYS_mmap, address, length, prot, flags | MAP_ANONYMOUS, -1, 0);
		if (r == -1) {
			error = errno;
		} else {
			mapping = must(calloc(1, sizeof(*mapping)));
			mapping->address = (void *)r;
			mapping->length = length;
			mapping->next = mappings;
			mappings = mapping;
			atomic_fetch_add(&n_mappings, 1);
		}
	}
	script_unlock(state);
	if (error) {
		errno = error;
		return MAP_FAILED;
	}
	return (void *)r;
}

/* munmap() of what mock_mmap() gave; false if it is something else. */
static bool mock_munmap(void *address, size_t length, int *ret_result)
{
	struct mapping *mapping, **at = &mappings;
	int state = script_lock();
	bool found;

	while (*at && (*at)->address != address)
		at = &(*at)->next;
	mapping = *at;
	found = mapping;
	if (mapping && ALIGN_UP(mapping->length, 4096UL) != ALIGN_UP(length, 4096UL)) {
		record("munmap(%p, %zu bytes) of a mapping of %zu bytes", address, length,
		       mapping->length);
		*ret_result = set_errno(MISMATCH);
	} else if (mapping) {
		*at = mapping->next;
		atomic_fetch_sub(&n_mappings, 1);
		free(mapping);
		*ret_result = (int)syscall(SYS_munmap, address, length);
	}
	script_unlock(state);
	return found;
}

static int mock_close(int fd, struct object *object)
{
	const struct uapimock_ioctl call = {.kind = KIND_CLOSE, .fd = fd, .object = object};
	int state = script_lock(), result = 0;

	if (!atomic_load(&fd_open[fd])) {
		record("close of file descriptor %d before the script gave it out", fd);
		result = set_errno(MISMATCH);
	} else {
		/* Closed in any case: the code under test will not try again. */
		if (scripted(&call, true))
			result = match(&call, NULL) ? 0 : set_errno(MISMATCH);
		fd_release(fd);
	}
	script_unlock(state);
	return result;
}

/* A duplicate has been made: it is of the same object. */
static int duplicated(int fd, int new_fd)
{
	struct object *object = object_of(fd);

	if (new_fd >= 0 && new_fd != fd)
		fd_assign(new_fd, object, object != NULL);
	return new_fd;
}

/* ---- in place of libc's ------------------------------------------------- */

/* The mode argument is there only with these flags. */
#define OPEN_MODE(flags, last)                                     \
	({                                                         \
		mode_t mode_ = 0;                                  \
		va_list ap_;                                       \
		if ((flags) & (O_CREAT | __O_TMPFILE)) {           \
			va_start(ap_, last);                       \
			mode_ = (mode_t)va_arg(ap_, unsigned int); \
			va_end(ap_);                               \
		}                                                  \
		mode_;                                             \
	})

static int do_open(int dirfd, const char *path, int flags, mode_t mode)
{
	int result;

	if (mock_open(dirfd, path, &result))
		return result;
	return (int)syscall(SYS_openat, dirfd, path, flags, mode);
}

EXPORT int open(const char *path, int flags, ...)
{
	return do_open(AT_FDCWD, path, flags, OPEN_MODE(flags, flags));
}

EXPORT int open64(const char *path, int flags, ...)
{
	return do_open(AT_FDCWD, path, flags, OPEN_MODE(flags, flags));
}

EXPORT int openat(int dirfd, const char *path, int flags, ...)
{
	return do_open(dirfd, path, flags, OPEN_MODE(flags, flags));
}

EXPORT int openat64(int dirfd, const char *path, int flags, ...)
{
	return do_open(dirfd, path, flags, OPEN_MODE(flags, flags));
}

/* What the fortified headers call when there is no mode. */
EXPORT int __open_2(const char *path, int flags);
EXPORT int __open64_2(const char *path, int flags);
EXPORT int __openat_2(int dirfd, const char *path, int flags);
EXPORT int __openat64_2(int dirfd, const char *path, int flags);

EXPORT int __open_2(const char *path, int flags)
{
	return do_open(AT_FDCWD, path, flags, 0);
}

EXPORT int __open64_2(const char *path, int flags)
{
	return do_open(AT_FDCWD, path, flags, 0);
}

EXPORT int __openat_2(int dirfd, const char *path, int flags)
{
	return do_open(dirfd, path, flags, 0);
}

EXPORT int __openat64_2(int dirfd, const char *path, int flags)
{
	return do_open(dirfd, path, flags, 0);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	struct object *object = object_of(fd);
	void *argument;
	va_list ap;

	va_start(ap, request);
	argument = va_arg(ap, void *);
	va_end(ap);
	if (object)
		return mock_ioctl(fd, object, request, argument);
	return (int)syscall(SYS_ioctl, fd, request, argument);
}

EXPORT void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	struct object *object = flags & MAP_ANONYMOUS ? NULL : object_of(fd);

	if (object)
		return mock_mmap(object, address, length, prot, flags, fd, offset);
	return (void *)syscall(SYS_mmap, address, length, prot, flags, fd, offset);
}

EXPORT void *mmap64(void *address, size_t length, int prot, int flags, int fd, off64_t offset)
{
	return mmap(address, length, prot, flags, fd, offset);
}

EXPORT int munmap(void *address, size_t length)
{
	int result;

	if (atomic_load(&n_mappings) && mock_munmap(address, length, &result))
		return result;
	return (int)syscall(SYS_munmap, address, length);
}

EXPORT int close(int fd)
{
	struct object *object = object_of(fd);

	return object ? mock_close(fd, object) : (int)syscall(SYS_close, fd);
}

EXPORT int dup(int fd)
{
	return duplicated(fd, (int)syscall(SYS_dup, fd));
}

EXPORT int dup3(int fd, int new_fd, int flags)
{
	return duplicated(fd, (int)syscall(SYS_dup3, fd, new_fd, flags));
}

EXPORT int dup2(int fd, int new_fd)
{
	/* dup3() refuses what dup2() answers with @fd, if that is open. */
	if (fd == new_fd)
		return syscall(SYS_fcntl, fd, F_GETFD) < 0 ? -1 : fd;
	return dup3(fd, new_fd, 0);
}

static int do_fcntl(int fd, int command, unsigned long argument)
{
	int r = (int)syscall(SYS_fcntl, fd, command, argument);

	return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? duplicated(fd, r) : r;
}

EXPORT int fcntl(int fd, int command, ...)
{
	unsigned long argument;
	va_list ap;

	va_start(ap, command);
	argument = va_arg(ap, unsigned long);
	va_end(ap);
	return do_fcntl(fd, command, argument);
}

EXPORT int fcntl64(int fd, int command, ...)
{
	unsigned long argument;
	va_list ap;

	va_start(ap, command);
	argument = va_arg(ap, unsigned long);
	va_end(ap);
	return do_fcntl(fd, command, argument);
}

/* The size the script gave the file descriptor. */
static bool mock_size(int fd, uint64_t *ret_size)
{
	struct object *object = object_of(fd);
	bool has_size = false;
	int state;

	if (!object)
		return false;
	state = script_lock();
	object = object_of(fd);
	if (object) {
		has_size = object->has_size;
		*ret_size = object->size;
	}
	script_unlock(state);
	return has_size;
}

EXPORT off_t lseek(int fd, off_t offset, int whence)
{
	uint64_t size;

	if (!mock_size(fd, &size))
		return syscall(SYS_lseek, fd, offset, whence);
	/* As a dma-buf does it: only the two ends. */
	if (offset || (whence != SEEK_END && whence != SEEK_SET))
		return set_errno(EINVAL);
	return whence == SEEK_END ? (off_t)size : 0;
}

EXPORT off64_t lseek64(int fd, off64_t offset, int whence)
{
	return lseek(fd, offset, whence);
}

EXPORT int fstat(int fd, struct stat *st)
{
	uint64_t size;
	int r = fstatat(fd, "", st, AT_EMPTY_PATH);

	if (!r && mock_size(fd, &size))
		st->st_size = (off_t)size;
	return r;
}

EXPORT int fstat64(int fd, struct stat64 *st)
{
	return fstat(fd, (struct stat *)st);
}
