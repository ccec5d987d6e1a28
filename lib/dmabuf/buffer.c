/* SPDX-License-Identifier: MIT */
/* Buffers: descriptors with a size, their mappings, names, fences and what /proc says. */
#include <linux/dma-buf.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "internal.h"
#include "proc.h"

/* ---- descriptors -------------------------------------------------------- */

/* Sealing is of memfds, and of files in a tmpfs, which are still linked. */
static bool is_memfd(int fd, uint64_t *ret_size)
{
	struct stat st;

	if (fcntl(fd, F_GET_SEALS) == -1 || fstat(fd, &st) == -1 || st.st_nlink != 0)
		return false;
	*ret_size = (uint64_t)st.st_size;
	return true;
}

static bool is_dmabuf(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == DMA_BUF_MAGIC;
}

int dmabuf_take_fd(int fd, uint64_t size, struct dmabuf **ret_buffer)
{
	struct dmabuf *buffer = buffer_new(fd, size, fcntl(fd, F_GET_SEALS) != -1);

	if (!buffer)
		return -ENOMEM;
	*ret_buffer = buffer;
	return 0;
}

int dmabuf_adopt_fd(int fd, struct dmabuf **ret_buffer)
{
	struct dmabuf *buffer;
	uint64_t size = 0;
	bool memfd = is_memfd(fd, &size);
	off_t end = memfd ? (off_t)size : is_dmabuf(fd) ? lseek(fd, 0, SEEK_END) : -1;

	/* lseek() fails for what names a dma-buf's path only. */
	if (end < 0) {
		close(fd);
		return -EINVAL;
	}
	buffer = buffer_new(fd, (uint64_t)end, memfd);
	if (!buffer)
		return -ENOMEM;
	*ret_buffer = buffer;
	return 0;
}

/* What the library may work with: not one that is closed or names a path only. */
static int check_fd(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags == -1 || flags & O_PATH ? -EBADF : 0;
}

DMABUF_EXPORT int dmabuf_import(int fd, struct dmabuf **ret_buffer)
{
	int own, r;

	r = check_fd(fd);
	if (r < 0)
		return r;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return own == -1 ? -errno : dmabuf_adopt_fd(own, ret_buffer);
}

DMABUF_EXPORT int dmabuf_export(const struct dmabuf *buffer)
{
	int fd = fcntl(buffer->fd, F_DUPFD_CLOEXEC, 0);

	return fd == -1 ? -errno : fd;
}

DMABUF_EXPORT int dmabuf_fd(const struct dmabuf *buffer)
{
	return buffer->fd;
}

DMABUF_EXPORT uint64_t dmabuf_size(const struct dmabuf *buffer)
{
	return buffer->size;
}

DMABUF_EXPORT struct dmabuf *dmabuf_ref(struct dmabuf *buffer)
{
	atomic_fetch_add_explicit(&buffer->refs, 1, memory_order_relaxed);
	return buffer;
}

static void unmap_all(struct dmabuf *buffer)
{
	if (buffer->read_only)
		munmap(buffer->read_only, buffer->size);
	if (buffer->writable)
		munmap(buffer->writable, buffer->size);
	buffer->read_only = buffer->writable = NULL;
}

DMABUF_EXPORT struct dmabuf *dmabuf_unref(struct dmabuf *buffer)
{
	if (!buffer || atomic_fetch_sub_explicit(&buffer->refs, 1, memory_order_acq_rel) != 1)
		return NULL;
	unmap_all(buffer);
	close(buffer->fd);
	if (buffer->charge)
		dmabuf_charge_unref(buffer->charge);
	free(buffer);
	return NULL;
}

/* ---- mappings ----------------------------------------------------------- */

/* One for all buffers: the kernel maps for one thread of a process at a time, too. */
static pthread_mutex_t mappings_lock = PTHREAD_MUTEX_INITIALIZER;

bool buffer_is_mapped(const struct dmabuf *buffer)
{
	bool is_mapped;

	pthread_mutex_lock(&mappings_lock);
	is_mapped = buffer->mapped;
	pthread_mutex_unlock(&mappings_lock);
	return is_mapped;
}

/* No page of what a memfd has lost can be reached: it was revoked by its owner. */
static bool is_truncated(const struct dmabuf *buffer)
{
	struct stat st;

	return buffer->memfd && fstat(buffer->fd, &st) == 0 && (uint64_t)st.st_size < buffer->size;
}

/* Offset and length are in the buffer, so that EINVAL means that the exporter has no mmap. */
static int map(const struct dmabuf *buffer, uint64_t offset, uint64_t length, uint32_t access,
	       void *address, void **ret_address)
{
	int prot = access & DMABUF_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
	int flags = MAP_SHARED | (address ? MAP_FIXED_NOREPLACE : 0);
	void *mapped;

	/* Exporters of such memory have no mmap, and the kernel has one error for all without. */
	if (buffer->protected)
		return -EPERM;
	if (is_truncated(buffer))
		return -ENODEV;
	mapped = mmap(address, length, prot, flags, buffer->fd, (off_t)offset);
	if (mapped == MAP_FAILED)
		return errno == EINVAL ? -EOPNOTSUPP : -errno;
	if (address && mapped != address) { /* before Linux 4.17 */
		munmap(mapped, length);
		return -EEXIST;
	}
	*ret_address = mapped;
	return 0;
}

DMABUF_EXPORT int dmabuf_map(struct dmabuf *buffer, uint32_t access, void **ret_address)
{
	void **mapping;
	int r = 0;

	if (!valid_access(access) || buffer->size == 0)
		return -EINVAL;
	pthread_mutex_lock(&mappings_lock);
	mapping = access & DMABUF_WRITE || (buffer->writable && !buffer->read_only)
			  ? &buffer->writable
			  : &buffer->read_only;
	if (!*mapping)
		r = map(buffer, 0, buffer->size, access, NULL, mapping);
	if (r == 0) {
		buffer->mapped++;
		*ret_address = *mapping;
	}
	pthread_mutex_unlock(&mappings_lock);
	return r;
}

DMABUF_EXPORT int dmabuf_unmap(struct dmabuf *buffer)
{
	int r = 0;

	pthread_mutex_lock(&mappings_lock);
	if (buffer->mapped == 0)
		r = -EINVAL;
	else if (--buffer->mapped == 0)
		unmap_all(buffer);
	pthread_mutex_unlock(&mappings_lock);
	return r;
}

DMABUF_EXPORT int dmabuf_map_range(struct dmabuf *buffer, uint64_t offset, uint64_t length,
				   uint32_t access, void *address, void **ret_address)
{
	uint64_t page = page_size();

	if (!valid_access(access) || offset % page || (uintptr_t)address % page || length == 0 ||
	    offset > buffer->size || length > buffer->size - offset)
		return -EINVAL;
	return map(buffer, offset, length, access, address, ret_address);
}

/* ---- access, names, fences ---------------------------------------------- */

/* -EOPNOTSUPP where the kernel does not know it. */
static int buffer_ioctl(const struct dmabuf *buffer, unsigned long request, void *arg)
{
	int r = ioctl_restart(buffer->fd, request, arg);

	return r == -ENOTTY ? -EOPNOTSUPP : r;
}

static int sync_access(const struct dmabuf *buffer, uint32_t access, uint64_t end)
{
	struct dma_buf_sync args = {.flags = access | end};

	if (!valid_access(access))
		return -EINVAL;
	if (buffer->memfd)
		return 0;
	return buffer_ioctl(buffer, DMA_BUF_IOCTL_SYNC, &args);
}

DMABUF_EXPORT int dmabuf_begin_access(struct dmabuf *buffer, uint32_t access)
{
	return sync_access(buffer, access, DMA_BUF_SYNC_START);
}

DMABUF_EXPORT int dmabuf_end_access(struct dmabuf *buffer, uint32_t access)
{
	return sync_access(buffer, access, DMA_BUF_SYNC_END);
}

DMABUF_EXPORT int dmabuf_set_name(struct dmabuf *buffer, const char *name)
{
	char cut[DMABUF_NAME_SIZE];
	int r;

	if (buffer->memfd)
		return 0;
	r = buffer_ioctl(buffer, DMA_BUF_SET_NAME_B, (void *)(uintptr_t)name);
	if (r != -EINVAL) /* the kernel refuses what is too long */
		return r;
	snprintf(cut, sizeof(cut), "%s", name);
	return buffer_ioctl(buffer, DMA_BUF_SET_NAME_B, cut);
}

DMABUF_EXPORT int dmabuf_export_sync_file(struct dmabuf *buffer, uint32_t access)
{
	struct dma_buf_export_sync_file args = {.flags = access, .fd = -1};
	int r;

	if (!valid_access(access))
		return -EINVAL;
	if (buffer->memfd)
		return -EOPNOTSUPP;
	r = buffer_ioctl(buffer, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &args);
	return r < 0 ? r : args.fd;
}

DMABUF_EXPORT int dmabuf_import_sync_file(struct dmabuf *buffer, uint32_t access, int sync_file)
{
	struct dma_buf_import_sync_file args = {.flags = access, .fd = sync_file};

	if (!valid_access(access))
		return -EINVAL;
	if (buffer->memfd)
		return -EOPNOTSUPP;
	return buffer_ioctl(buffer, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &args);
}

/* ---- what /proc says ---------------------------------------------------- */

/* The name comes last, may hold anything, and is cut off first so that no line in it counts. */
void dmabuf_parse_fdinfo(char *text, struct dmabuf_info *info)
{
	char *value = proc_field(text, "name:\t");
	size_t length;

	if (value) {
		length = strlen(value);
		if (length && value[length - 1] == '\n')
			value[length - 1] = '\0';
		snprintf(info->name, sizeof(info->name), "%s", value);
		*value = '\0';
	}
	value = proc_field(text, "count:\t");
	if (value)
		info->references = strtoull(value, NULL, 10);
	value = proc_field(text, "exp_name:\t");
	if (value)
		snprintf(info->exporter, sizeof(info->exporter), "%.*s", (int)strcspn(value, "\n"),
			 value);
}

static void memfd_name(int fd, char *name, size_t size)
{
	static const char before[] = "/memfd:", after[] = " (deleted)";
	char path[32], link[300]; /* the kernel's longest is 249 bytes between the two */
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < (ssize_t)(sizeof(before) + sizeof(after) - 2) ||
	    memcmp(link, before, sizeof(before) - 1) != 0)
		return;
	link[n - (ssize_t)(sizeof(after) - 1)] = '\0';
	snprintf(name, size, "%.*s", (int)size - 1, link + sizeof(before) - 1);
}

DMABUF_EXPORT int dmabuf_info(int fd, struct dmabuf_info *ret_info)
{
	struct dmabuf_info info = {0};
	char path[40], text[1024];
	struct stat st;
	int r;

	r = check_fd(fd);
	if (r < 0)
		return r;
	if (is_memfd(fd, &info.size)) {
		memfd_name(fd, info.name, sizeof(info.name));
		snprintf(info.exporter, sizeof(info.exporter), "memfd");
	} else if (is_dmabuf(fd)) {
		info.size = (uint64_t)lseek(fd, 0, SEEK_END);
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		proc_read(AT_FDCWD, path, text, sizeof(text));
		dmabuf_parse_fdinfo(text, &info);
	} else {
		return -EINVAL;
	}
	if (fstat(fd, &st) == -1)
		return -errno;
	info.inode = st.st_ino;
	*ret_info = info;
	return 0;
}
