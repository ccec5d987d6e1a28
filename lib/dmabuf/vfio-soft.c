/* SPDX-License-Identifier: MIT */
/*
 * A VFIO device in user space. Each export is a memfd of its own. A revoke truncates
 * it: mappings raise SIGBUS wherever they are, as those of a BAR do.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "vfio.h"

#define NAME_SIZE 48

struct vfio_soft {
	pthread_mutex_t lock;
	pid_t owner;          /* a child that closes its copy leaves the buffers alone */
	char name[NAME_SIZE]; /* of the memfds: how they are known again */
	int *fds;             /* of those that were not revoked, opened to write */
	size_t count, room;
};

/* Return: whether @fd has been exported by this device. */
static bool is_ours(const struct vfio_soft *soft, int fd)
{
	char path[32], link[NAME_SIZE + 32], expected[NAME_SIZE + 32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return false;
	link[n] = '\0';
	snprintf(expected, sizeof(expected), "/memfd:%s (deleted)", soft->name);
	return strcmp(link, expected) == 0;
}

static int keep(struct vfio_soft *soft, int fd)
{
	if (soft->count == soft->room) {
		size_t room = soft->room ? 2 * soft->room : 8;
		int *fds = realloc(soft->fds, room * sizeof(*fds));

		if (!fds)
			return -ENOMEM;
		soft->fds = fds;
		soft->room = room;
	}
	soft->fds[soft->count++] = fd;
	return 0;
}

static int soft_export(struct dmabuf_vfio *device, uint32_t bar, const struct dmabuf_range *ranges,
		       size_t count, uint64_t size, uint32_t attr, uint32_t flags)
{
	struct vfio_soft *soft = device->soft;
	/*
	 * Who has it can neither make it larger again once it is revoked, nor add a seal
	 * against that, nor open it again to write.
	 */
	int seals = F_SEAL_GROW | F_SEAL_SEAL |
		    (flags & DMABUF_VFIO_READ_ONLY ? F_SEAL_FUTURE_WRITE : 0);
	_cleanup_close_ int own = -1, fd = -1;
	int r;

	own = memfd_create(soft->name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (own == -1)
		return -errno;
	if (ftruncate(own, (off_t)size) == -1 || fcntl(own, F_ADD_SEALS, seals) == -1)
		return errno == EFBIG ? -ENOMEM : -errno;
	if (flags & DMABUF_VFIO_READ_ONLY) {
		fd = memfd_open_read_only(own);
		if (fd < 0)
			return fd;
	} else {
		fd = fcntl(own, F_DUPFD_CLOEXEC, 0);
		if (fd == -1)
			return -errno;
	}
	pthread_mutex_lock(&soft->lock);
	r = keep(soft, own);
	pthread_mutex_unlock(&soft->lock);
	if (r < 0)
		return r;
	steal_fd(&own);
	return steal_fd(&fd);
}

static int revoke_locked(struct vfio_soft *soft, const struct stat *st)
{
	struct stat own;

	for (size_t i = 0; i < soft->count; i++) {
		if (fstat(soft->fds[i], &own) == -1 || own.st_ino != st->st_ino ||
		    own.st_dev != st->st_dev)
			continue;
		if (ftruncate(soft->fds[i], 0) == -1)
			return -errno;
		close(soft->fds[i]);
		soft->fds[i] = soft->fds[--soft->count];
		return 0;
	}
	return -EBADFD;
}

static int soft_revoke(struct dmabuf_vfio *device, int fd)
{
	struct vfio_soft *soft = device->soft;
	struct stat st;
	int r;

	if (!is_ours(soft, fd))
		return -ENODEV;
	if (fstat(fd, &st) == -1)
		return -errno;
	pthread_mutex_lock(&soft->lock);
	r = revoke_locked(soft, &st);
	pthread_mutex_unlock(&soft->lock);
	return r;
}

static int soft_reset(struct dmabuf_vfio *device)
{
	struct vfio_soft *soft = device->soft;
	struct stat st;
	int r = 0;

	pthread_mutex_lock(&soft->lock);
	for (size_t i = 0; i < soft->count; i++)
		if (fstat(soft->fds[i], &st) == -1 ||
		    (fallocate(soft->fds[i], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			       st.st_size) == -1 &&
		     errno != EPERM)) /* sealed against writing: it is as it was made */
			r = -errno;
	pthread_mutex_unlock(&soft->lock);
	return r;
}

static void soft_close(struct dmabuf_vfio *device)
{
	struct vfio_soft *soft = device->soft;
	bool is_owner = getpid() == soft->owner;

	for (size_t i = 0; i < soft->count; i++) {
		int r = is_owner ? ftruncate(soft->fds[i], 0) : 0;

		(void)r; /* cannot fail: it is open to write and has no seal against it */
		close(soft->fds[i]);
	}
	pthread_mutex_destroy(&soft->lock);
	free(soft->fds);
	free(soft);
}

static const struct vfio_ops soft_ops = {
	.export = soft_export,
	.revoke = soft_revoke,
	.reset = soft_reset,
	.close = soft_close,
};

/* "4M" and what follows it. Return: 0; -EINVAL. */
static int parse_size(const char **text, uint64_t *ret_size)
{
	static const char suffixes[] = "KMG";
	uint64_t size = 0;
	const char *t = *text, *suffix;

	if (*t < '0' || *t > '9')
		return -EINVAL;
	for (; *t >= '0' && *t <= '9'; t++) {
		size = size * 10 + (uint64_t)(*t - '0');
		if (size > INT64_MAX >> 31)
			return -EINVAL;
	}
	suffix = *t ? strchr(suffixes, *t) : NULL;
	if (suffix) {
		size <<= 10 * (suffix - suffixes + 1);
		t++;
	}
	*text = t;
	*ret_size = size;
	return size % page_size() ? -EINVAL : 0;
}

static int parse_sizes(struct dmabuf_vfio *device, const char *text)
{
	int r;

	for (size_t i = 0; i < DMABUF_VFIO_BARS; i++) {
		struct dmabuf_vfio_region *region = &device->regions[i];

		r = parse_size(&text, &region->size);
		if (r < 0)
			return r;
		if (region->size) {
			region->access = DMABUF_READ | DMABUF_WRITE;
			region->can_map = 1;
		}
		if (!*text)
			return 0;
		if (*text++ != ',')
			return -EINVAL;
	}
	return -EINVAL;
}

int vfio_soft_open(struct dmabuf_vfio *device, const char *sizes)
{
	struct vfio_soft *soft;
	uint64_t id;
	int r;

	r = parse_sizes(device, sizes);
	if (r < 0)
		return r;
	if (asprintf(&device->description, "soft:%s, in user space", sizes) == -1) {
		device->description = NULL;
		return -ENOMEM;
	}
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	soft = calloc(1, sizeof(*soft));
	if (!soft)
		return -ENOMEM;
	pthread_mutex_init(&soft->lock, NULL);
	soft->owner = getpid();
	snprintf(soft->name, sizeof(soft->name), "vfio-soft-%016" PRIx64, id);
	device->soft = soft;
	device->ops = &soft_ops;
	device->features = DMABUF_VFIO_EXPORT | DMABUF_VFIO_MMAP | DMABUF_VFIO_REVOKE |
			   DMABUF_VFIO_WRITE_COMBINE | DMABUF_VFIO_RESET;
	return 0;
}
