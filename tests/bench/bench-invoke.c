/* SPDX-License-Identifier: MIT */
/*
 * Makes N calls with four arguments on the accel transport, against an ioctl()
 * of its own that answers at once. Run under callgrind by callgrind.py: the difference
 * between two N is what a call costs, free of start-up.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <drm/qda_accel.h>
#include <qda.h>

#define REPLACES_LIBC __attribute__((visibility("default")))
#define NODE "/dev/accel/accel0"
#define NODE_SIZE (64UL << 20)
#define MODULE_HANDLE 0x100
#define REMOTECTL1 8
#define ARG_SIZE 64

static int node = -1;

int open(const char *path, int flags, ...) REPLACES_LIBC;
int ioctl(int fd, unsigned long request, ...) REPLACES_LIBC;

int open(const char *path, int flags, ...)
{
	va_list ap;
	unsigned int mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, unsigned int) : 0;
	va_end(ap);
	if (strcmp(path, NODE) != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	node = memfd_create("node", MFD_CLOEXEC);
	if (node >= 0 && ftruncate(node, NODE_SIZE) == -1)
		return -1;
	return node;
}

static void answer_text(char *to, __kernel_size_t *size, const char *text)
{
	if (to && *size >= strlen(text))
		memcpy(to, text, strlen(text));
	*size = strlen(text);
}

/* Opening the module is the one call whose answer matters. */
static int answer_invoke(const struct drm_qda_invoke_args *call)
{
	const struct drm_qda_fastrpc_invoke_args *args = (void *)(uintptr_t)call->args;
	const int32_t opened[] = {MODULE_HANDLE, 0};

	if (call->handle == REMOTECTL1 && call->sc == QDA_SCALARS(2, 2, 2, 0, 0))
		memcpy((void *)(uintptr_t)args[2].ptr, opened, sizeof(opened));
	return 0;
}

static int answer(unsigned long request, void *arg)
{
	static __u32 handles;
	struct drm_version *version = arg;
	struct drm_qda_gem_mmap_offset *offset = arg;
	struct drm_prime_handle *prime = arg;

	switch (request) {
	case DRM_IOCTL_VERSION:
		answer_text(version->name, &version->name_len, "qda");
		answer_text(version->date, &version->date_len, "20260512");
		answer_text(version->desc, &version->desc_len, "mock");
		version->version_major = 1;
		return 0;
	case DRM_IOCTL_QDA_QUERY:
		strcpy(arg, "cdsp");
		return 0;
	case DRM_IOCTL_QDA_GEM_CREATE:
		((struct drm_qda_gem_create *)arg)->handle = ++handles;
		return 0;
	case DRM_IOCTL_QDA_GEM_MMAP_OFFSET:
		offset->offset = (__u64)offset->handle << 20;
		return 0;
	case DRM_IOCTL_PRIME_HANDLE_TO_FD:
		prime->fd = fcntl(node, F_DUPFD_CLOEXEC, 3);
		return 0;
	default:
		return 0;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == DRM_IOCTL_QDA_REMOTE_INVOKE)
		return answer_invoke(arg);
	return answer(request, arg);
}

struct bench {
	struct qda_session *session;
	struct qda_module *module;
	struct qda_arg args[4]; /* 2 in, 2 out */
};

static const uint32_t sc = QDA_SCALARS(2, 2, 2, 0, 0);

static int raw_calls(const struct bench *bench, long n)
{
	struct drm_qda_fastrpc_invoke_args args[4];
	struct drm_qda_invoke_args call = {.handle = MODULE_HANDLE,
					   .sc = sc,
					   .args = (uintptr_t)args};

	for (int i = 0; i < 4; i++)
		args[i] = (struct drm_qda_fastrpc_invoke_args){.ptr = (uintptr_t)bench->args[i].ptr,
							       .length = ARG_SIZE,
							       .fd = -1};
	for (long i = 0; i < n; i++)
		if (ioctl(node, DRM_IOCTL_QDA_REMOTE_INVOKE, &call) != 0)
			return 1;
	return 0;
}

static int library_calls(const struct bench *bench, long n)
{
	for (long i = 0; i < n; i++)
		if (qda_invoke(bench->module, sc, bench->args, NULL) != 0)
			return 1;
	return 0;
}

static int start(struct bench *bench, const char *program)
{
	struct qda_session_params params = {.size = sizeof(params),
					    .flags = QDA_SESSION_NO_LISTENER,
					    .shell = program};
	struct qda_device *device;
	struct qda *qda;
	int r;

	r = qda_new(&qda);
	if (r < 0)
		return r;
	r = qda_device_open(qda, NODE, &device);
	qda_unref(qda);
	if (r < 0)
		return r;
	r = qda_session_create(device, &params, &bench->session);
	qda_device_unref(device);
	if (r < 0)
		return r;
	return qda_module_open(bench->session, "libbench_skel.so", NULL, NULL, 0, &bench->module);
}

int main(int argc, char **argv)
{
	static char memory[4][ARG_SIZE];
	struct qda_buffer *buffer = NULL;
	struct bench bench = {0};
	const char *mode;
	int r;
	long n;

	if (argc != 3) {
		fprintf(stderr, "Usage: bench-invoke raw|plain|buffer CALLS\n");
		return 2;
	}
	mode = argv[1];
	n = strtol(argv[2], NULL, 10);
	r = start(&bench, "/proc/self/exe");
	if (r == 0)
		r = qda_buffer_alloc(bench.session, 4096, &buffer);
	if (r < 0) {
		fprintf(stderr, "bench-invoke: %s\n", qda_strerror(r));
		return 1;
	}
	for (size_t i = 0; i < 4; i++) {
		bench.args[i] = (struct qda_arg){.ptr = memory[i], .length = ARG_SIZE};
		if (!strcmp(mode, "buffer"))
			bench.args[i] = (struct qda_arg){.buffer = buffer,
							 .offset = i * ARG_SIZE,
							 .length = ARG_SIZE};
	}
	if (!strcmp(mode, "raw"))
		r = raw_calls(&bench, n);
	else
		r = library_calls(&bench, n);
	qda_buffer_free(buffer);
	qda_module_close(bench.module);
	qda_session_close(bench.session);
	return r;
}
