/* SPDX-License-Identifier: MIT */
/*
 * libdmabuf: memory that processes and devices share by file descriptor: from
 * dma-heaps, charged to the process it is for, and from the BARs of PCI devices,
 * revocable.
 *
 * Objects. A buffer (struct dmabuf) is a file descriptor with a size. A heap
 * (struct dmabuf_heap) allocates buffers, and says to a charge target (struct
 * dmabuf_charge) whose memory that is. A pool (struct dmabuf_pool) keeps buffers
 * for the next allocation. A device (struct dmabuf_vfio) exports ranges of its
 * BARs as buffers and takes them back; leases (struct dmabuf_leases) keep account
 * of who has which range.
 *
 * Memory without a heap. The heaps "udmabuf" and "memfd" work where there is no
 * /dev/dma_heap; they are used only when they are named. A memfd is no dma-buf:
 * it can be mapped and passed on, and no driver takes it.
 *
 * Errors. Functions return 0, a non-negative result, or a negative errno.
 * Out-parameters (ret_...) come last and are untouched on failure.
 *
 * Threads. Buffers, heaps, charge targets, pools and devices may be used from any
 * number of threads at once. Dropping the last reference while another thread
 * uses it is the caller's error. Leases belong to one thread at a time. No
 * function starts a thread.
 *
 * Fork. A child may use what it inherited, but for a pool and leases, which are
 * the parent's. All file descriptors are O_CLOEXEC.
 */
#ifndef DMABUF_H
#define DMABUF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dmabuf;
struct dmabuf_heap;
struct dmabuf_charge;
struct dmabuf_pool;
struct dmabuf_vfio;
struct dmabuf_leases;
struct dmabuf_lease;

/* ---- buffers ------------------------------------------------------------ */

/**
 * dmabuf_import - use a buffer that came as a file descriptor
 * @fd: a dma-buf of any exporter, or a memfd; it stays the caller's
 * @ret_buffer: the buffer, with one reference
 *
 * Return: 0; -EBADF if @fd is closed; -EINVAL if it is no dma-buf and no memfd;
 * -EMFILE; -ENOMEM.
 */
int dmabuf_import(int fd, struct dmabuf **ret_buffer);

/** dmabuf_export - get a new file descriptor of the buffer. Return: it, O_CLOEXEC; -EMFILE. */
int dmabuf_export(const struct dmabuf *buffer);

/** dmabuf_fd - the buffer's own file descriptor. Return: it, valid as long as the buffer. */
int dmabuf_fd(const struct dmabuf *buffer);

/** dmabuf_size - size of the buffer. Return: bytes. */
uint64_t dmabuf_size(const struct dmabuf *buffer);

/** dmabuf_ref - take another reference. Return: @buffer. */
struct dmabuf *dmabuf_ref(struct dmabuf *buffer);

/** dmabuf_unref - drop a reference; the last one unmaps and closes. NULL is accepted. Return: NULL.
 */
struct dmabuf *dmabuf_unref(struct dmabuf *buffer);

/** What the CPU does with a buffer. */
#define DMABUF_READ 0x1U
#define DMABUF_WRITE 0x2U

/**
 * dmabuf_map - map the whole buffer
 * @buffer: the buffer
 * @access: DMABUF_READ, DMABUF_WRITE or both
 * @ret_address: where it is mapped
 *
 * The first call maps, others count and give the same address. A buffer that is
 * mapped for reading and asked for to write is mapped a second time, at another
 * address that stays as long.
 *
 * Return: 0; -EINVAL for other @access; -EACCES if the descriptor was opened for
 * reading only; -EPERM for a buffer of a protected heap, which no CPU may map;
 * -EOPNOTSUPP if the exporter has no mmap, as those of protected memory, too, where
 * the buffer was imported; -ENODEV if it is revoked; -ENOMEM.
 */
int dmabuf_map(struct dmabuf *buffer, uint32_t access, void **ret_address);

/**
 * dmabuf_unmap - undo one dmabuf_map(); the last call unmaps
 *
 * Return: 0; -EINVAL if it is not mapped.
 */
int dmabuf_unmap(struct dmabuf *buffer);

/**
 * dmabuf_map_range - make a mapping of one's own
 * @buffer: the buffer
 * @offset: bytes, a multiple of the page size
 * @length: bytes
 * @access: DMABUF_READ, DMABUF_WRITE or both
 * @address: exactly where, or NULL for anywhere. What is mapped there already is
 *	left alone and makes the call fail.
 * @ret_address: where it is mapped; undone by munmap()
 *
 * Return: 0; -EINVAL for an unaligned offset or address, or a range that is not in
 * the buffer; -EEXIST if @address is not free; or as dmabuf_map().
 */
int dmabuf_map_range(struct dmabuf *buffer, uint64_t offset, uint64_t length, uint32_t access,
		     void *address, void **ret_address);

/**
 * dmabuf_begin_access - make what devices wrote visible to the CPU
 * @buffer: the buffer
 * @access: DMABUF_READ, DMABUF_WRITE or both, as in dmabuf_end_access()
 *
 * Waits for fences of devices. Does nothing for a memfd.
 *
 * Return: 0; -EINVAL for other @access; or the exporter's error.
 */
int dmabuf_begin_access(struct dmabuf *buffer, uint32_t access);

/** dmabuf_end_access - make what the CPU wrote visible to devices. Return: as
 * dmabuf_begin_access(). */
int dmabuf_end_access(struct dmabuf *buffer, uint32_t access);

/** Bytes of the longest name, its end included. */
#define DMABUF_NAME_SIZE 32

/**
 * dmabuf_set_name - name the buffer in /proc and debugfs
 * @buffer: the buffer; nothing is done to a memfd, which keeps the name that it was made with
 * @name: cut to 31 bytes
 *
 * Return: 0; -EOPNOTSUPP if the kernel cannot name it; -ENOMEM.
 */
int dmabuf_set_name(struct dmabuf *buffer, const char *name);

/** What the kernel says about a buffer; dmabuf_info(). */
struct dmabuf_info {
	uint64_t size;               /**< bytes */
	uint64_t inode;              /**< the same for all descriptors of a buffer */
	uint64_t references;         /**< of the kernel's file; 0 if it does not say */
	char name[DMABUF_NAME_SIZE]; /**< "" if it has none */
	char exporter[64];           /**< "system" of a heap, "vfio-pci", ...; "memfd" */
};

/**
 * dmabuf_info - ask what a descriptor is
 * @fd: any file descriptor
 * @ret_info: what /proc says
 *
 * Return: 0; -EBADF; -EINVAL if it is no dma-buf and no memfd.
 */
int dmabuf_info(int fd, struct dmabuf_info *ret_info);

/**
 * dmabuf_export_sync_file - get what a user of the buffer has to wait for
 * @buffer: the buffer
 * @access: DMABUF_READ for what a reader waits for, DMABUF_WRITE for a writer
 *
 * Return: a new sync_file, the caller's, O_CLOEXEC; -EINVAL for other @access;
 * -EOPNOTSUPP before Linux 6.0 and for a memfd; -EMFILE; -ENOMEM.
 */
int dmabuf_export_sync_file(struct dmabuf *buffer, uint32_t access);

/**
 * dmabuf_import_sync_file - have later users wait for a sync_file
 * @buffer: the buffer
 * @access: what the work behind it does: DMABUF_READ, DMABUF_WRITE or both
 * @sync_file: the sync_file; it stays the caller's
 *
 * Return: 0; -EINVAL if it is none, or for other @access; -EOPNOTSUPP as above.
 */
int dmabuf_import_sync_file(struct dmabuf *buffer, uint32_t access, int sync_file);

/** Most buffers, and most bytes beside them, in one message. */
#define DMABUF_MESSAGE_BUFFERS 16U
#define DMABUF_MESSAGE_SIZE 4096U

/**
 * dmabuf_send - send buffers over a Unix socket
 * @socket: connected; SOCK_STREAM or SOCK_SEQPACKET
 * @buffers: @count buffers
 * @count: at most DMABUF_MESSAGE_BUFFERS
 * @data: @size bytes for the other side, which this library does not look into
 * @size: at most DMABUF_MESSAGE_SIZE
 *
 * Waits as long as the socket does; once a part of a message is in a stream, until the rest
 * is. SIGPIPE is not raised.
 *
 * Return: 0; -E2BIG; -EPIPE if the other side is gone; -EAGAIN if nothing was sent
 * and the socket does not block.
 */
int dmabuf_send(int socket, struct dmabuf *const *buffers, size_t count, const void *data,
		size_t size);

/**
 * dmabuf_receive - receive what dmabuf_send() sent
 * @socket: connected
 * @buffers: room for *@count buffers
 * @count: in: room; out: how many there are
 * @data: room for *@size bytes
 * @size: in: room; out: bytes
 *
 * Every descriptor that came is in a buffer or closed. The sizes of buffers are the
 * kernel's and not the sender's. Nothing is taken from a socket that does not block
 * before the whole message is there, so a slow sender keeps nobody waiting. Until then a
 * stream is ready to be read all the same: watch it with EPOLLET. A failed call may have
 * written to @data.
 *
 * Return: 0; -ENODATA if the other side has closed; -EBADMSG for what is no such
 * message or has other descriptors in it than buffers, after which a stream is of no
 * more use; -EMSGSIZE if there is no room for it, and it is lost; -EAGAIN if the socket
 * does not block and no message is there, or has a timeout and it is over; -EMFILE;
 * -ENOMEM.
 */
int dmabuf_receive(int socket, struct dmabuf **buffers, size_t *count, void *data, size_t *size);

/* ---- heaps -------------------------------------------------------------- */

/** What a heap's memory is; an unknown heap has DMABUF_HEAP_UNKNOWN alone. */
#define DMABUF_HEAP_CONTIGUOUS 0x1U /**< physically contiguous */
#define DMABUF_HEAP_PROTECTED 0x2U  /**< out of reach of CPUs */
#define DMABUF_HEAP_UNCACHED 0x4U   /**< CPU mappings are not cached */
#define DMABUF_HEAP_CC_SHARED 0x8U  /**< decrypted, for devices of a confidential VM */
#define DMABUF_HEAP_SYSTEM 0x10U    /**< pages from anywhere, cached */
#define DMABUF_HEAP_UNKNOWN 0x20U
#define DMABUF_HEAP_NO_DEVICE 0x40U /**< no dma-buf: the heap "memfd" */

/** One heap of this machine; dmabuf_heap_list(). */
struct dmabuf_heap_info {
	const char *name;    /**< as dmabuf_heap_open() takes it */
	const char *path;    /**< of the node; NULL for "memfd" */
	const char *alias;   /**< name of the heap that a symbolic link leads to, or NULL */
	uint32_t properties; /**< DMABUF_HEAP_* */
	int error;           /**< 0, or the negative errno that opening it gave */
	const char *reason;  /**< why it cannot be used and what to do, or NULL */
};

/**
 * dmabuf_heap_list - look which heaps there are
 * @ret_heaps: an array, sorted by name, in one block of memory that free() releases
 * @ret_count: its length
 *
 * Looks into /dev/dma_heap, or the environment's DMABUF_HEAP_PATH (not with raised
 * privileges), and for /dev/udmabuf. The heap "memfd" is always there and last.
 *
 * Return: 0; -ENOMEM.
 */
int dmabuf_heap_list(struct dmabuf_heap_info **ret_heaps, size_t *ret_count);

/**
 * dmabuf_heap_open - open a heap
 * @name: a name in /dev/dma_heap, commas and all, a path, "udmabuf" or "memfd"
 * @ret_heap: the heap, with one reference
 *
 * Return: 0; -ENOENT if there is no such heap; -EACCES if one may not open it;
 * -ENODEV if @name is something else; -EINVAL for NULL, "", "." and ".."; -EMFILE;
 * -ENOMEM.
 */
int dmabuf_heap_open(const char *name, struct dmabuf_heap **ret_heap);

/**
 * dmabuf_heap_find - open the first heap that will do
 * @names: names in order of preference, the last one NULL; NULL for any. The names
 *	that the kernel has changed over time stand for each other: default_cma_region,
 *	linux,cma, reserved and default-pool.
 * @required: DMABUF_HEAP_* that it must have
 * @refused: DMABUF_HEAP_* that it must not have
 * @ret_heap: the heap, with one reference
 *
 * Without @names, "udmabuf" and "memfd" are not taken.
 *
 * Return: 0; -ENOENT if there is none; -EACCES if there is one and it may not be
 * opened; -ENOMEM.
 */
int dmabuf_heap_find(const char *const *names, uint32_t required, uint32_t refused,
		     struct dmabuf_heap **ret_heap);

/**
 * dmabuf_heap_explain - say why a heap cannot be used, and what to do about it
 * @name: as for dmabuf_heap_open()
 * @text: room for the text, such as "/dev/dma_heap/system: owned by root:video, mode
 *	0660: add the user to the group video"
 * @size: bytes there
 *
 * Return: 0 if it can be used; the negative errno of dmabuf_heap_open() otherwise.
 */
int dmabuf_heap_explain(const char *name, char *text, size_t size);

/** dmabuf_heap_ref - take another reference. Return: @heap. */
struct dmabuf_heap *dmabuf_heap_ref(struct dmabuf_heap *heap);

/** dmabuf_heap_unref - drop a reference. NULL is accepted. Return: NULL. */
struct dmabuf_heap *dmabuf_heap_unref(struct dmabuf_heap *heap);

/** dmabuf_heap_name - name of the heap, that behind a symbolic link. Return: text, the heap's. */
const char *dmabuf_heap_name(const struct dmabuf_heap *heap);

/** dmabuf_heap_properties - what its memory is. Return: DMABUF_HEAP_*. */
uint32_t dmabuf_heap_properties(const struct dmabuf_heap *heap);

/** How a heap can charge; dmabuf_heap_charging(). */
#define DMABUF_CHARGING_PIDFD 0x1U  /**< the kernel charges the process of a pidfd */
#define DMABUF_CHARGING_CGROUP 0x2U /**< the kernel charges the cgroup of a descriptor */
#define DMABUF_CHARGING_CALLER 0x4U /**< the kernel charges who allocates */

/**
 * dmabuf_heap_charging - how the heap can charge
 * @heap: the heap
 * @ret_charging: DMABUF_CHARGING_*
 *
 * The kernel charges who allocates if its parameter dma_heap.mem_accounting is on, and
 * always for "udmabuf" and "memfd".
 *
 * The first call tries, with an allocation of one page that a kernel without
 * charging makes, and one that is charged to the caller's own cgroup. Both are released
 * at once; the answer is kept.
 *
 * Return: 0; -ENOMEM, -EMFILE, ... if it could not be tried, and then it is not kept.
 */
int dmabuf_heap_charging(struct dmabuf_heap *heap, uint32_t *ret_charging);

/* ---- charge targets ----------------------------------------------------- */

/**
 * dmabuf_charge_self - charge this process
 * @ret_charge: the target, with one reference
 *
 * Return: 0; -ENOMEM; -EMFILE.
 */
int dmabuf_charge_self(struct dmabuf_charge **ret_charge);

/**
 * dmabuf_charge_pidfd - charge the process of a pidfd
 * @pidfd: the pidfd, also of a thread (PIDFD_THREAD), whose process is charged then;
 *	it stays the caller's
 * @ret_charge: the target, with one reference
 *
 * Return: 0; -EBADF if it is none; -ESRCH if the process is gone; -EMFILE; -ENOMEM.
 */
int dmabuf_charge_pidfd(int pidfd, struct dmabuf_charge **ret_charge);

/**
 * dmabuf_charge_pid - charge the process that has this number now
 * @pid: the number
 * @ret_charge: the target, with one reference; it stays that process when the number is
 *	used again
 *
 * Return: 0; -EINVAL for a number below 1; -ESRCH; -EMFILE; -ENOMEM.
 */
int dmabuf_charge_pid(pid_t pid, struct dmabuf_charge **ret_charge);

/**
 * dmabuf_charge_cgroup_fd - charge a cgroup
 * @fd: a directory of cgroup2; it stays the caller's
 * @ret_charge: the target, with one reference
 *
 * Return: 0; -EBADF if @fd is closed; -EINVAL if it is no such directory; -EMFILE;
 * -ENOMEM.
 */
int dmabuf_charge_cgroup_fd(int fd, struct dmabuf_charge **ret_charge);

/**
 * dmabuf_charge_cgroup - charge a cgroup
 * @path: its directory, or its path below the mount point of cgroup2
 * @ret_charge: the target, with one reference
 *
 * Return: 0; -ENOENT, -EACCES, ... from opening it; -EINVAL; -EMFILE; -ENOMEM.
 */
int dmabuf_charge_cgroup(const char *path, struct dmabuf_charge **ret_charge);

/** dmabuf_charge_ref - take another reference. Return: @charge. */
struct dmabuf_charge *dmabuf_charge_ref(struct dmabuf_charge *charge);

/** dmabuf_charge_unref - drop a reference. NULL is accepted. Return: NULL. */
struct dmabuf_charge *dmabuf_charge_unref(struct dmabuf_charge *charge);

/* ---- allocation --------------------------------------------------------- */

/** Fail with the reason if the charge cannot be made as asked; else allocate anyway. */
#define DMABUF_ALLOC_STRICT 0x1U
/** The descriptor may be mapped for reading only. */
#define DMABUF_ALLOC_READ_ONLY 0x2U

/**
 * dmabuf_alloc - allocate a buffer
 * @heap: where from
 * @size: bytes, rounded up to pages
 * @name: its name, cut to 31 bytes, or NULL for the heap's; one that cannot be set is no
 *	error
 * @charge: whom to charge, or NULL for what the heap does by itself
 * @flags: DMABUF_ALLOC_*
 * @ret_buffer: the buffer, with one reference
 *
 * To charge, this takes the first of these that can: the kernel, told the target; for
 * this process, the kernel's own accounting of who allocates; a short-lived child in the
 * target's cgroup that allocates there and is charged in one of these two ways. The child
 * needs write permission on the cgroup's cgroup.procs, and the memory controller in it.
 * dmabuf_charged() says which it was.
 *
 * The heaps "udmabuf" and "memfd" have memory of files, for which the kernel always
 * charges who makes it. Without a target a memfd's pages are made, and charged, when they
 * are touched.
 *
 * Return: 0; -EINVAL for @size 0 or other flags; -EOPNOTSUPP for DMABUF_ALLOC_READ_ONLY
 * with "udmabuf"; -EFBIG for more than that takes (its parameter size_limit_mb); -ENOMEM,
 * also for more than the machine has; -EMFILE. With a charge target: -ESRCH if it is
 * gone; -EPERM if the kernel's policy forbids it; -EDQUOT if a limit of its cgroup is in the way.
 * In strict mode: -EOPNOTSUPP if there is no way to charge it here, -EACCES if there is one and the
 * caller may not, -EAGAIN if there may be no more processes.
 */
int dmabuf_alloc(struct dmabuf_heap *heap, uint64_t size, const char *name,
		 struct dmabuf_charge *charge, uint32_t flags, struct dmabuf **ret_buffer);

/** Who was charged, and how; dmabuf_charged(). */
enum dmabuf_charged {
	DMABUF_CHARGED_NOT = 0,    /**< nobody */
	DMABUF_CHARGED_KERNEL = 1, /**< the target, by the kernel */
	DMABUF_CHARGED_HELPER = 2, /**< the target's cgroup, by a child in it */
	DMABUF_CHARGED_CALLER = 3, /**< this process, by the kernel's accounting */
};

/**
 * dmabuf_charged - ask who was charged for a buffer
 * @buffer: one of dmabuf_alloc() or of a pool; others give DMABUF_CHARGED_NOT
 *
 * Return: enum dmabuf_charged.
 */
enum dmabuf_charged dmabuf_charged(const struct dmabuf *buffer);

/* ---- pools -------------------------------------------------------------- */

/** What a pool holds and has done; dmabuf_pool_stats(). */
struct dmabuf_pool_stats {
	uint64_t bytes;     /**< kept now */
	uint64_t buffers;   /**< kept now */
	uint64_t reused;    /**< allocations that one of those served */
	uint64_t allocated; /**< allocations that the heap served */
	uint64_t trimmed;   /**< buffers that were given back for the cap or on request */
};

/**
 * dmabuf_pool_new - make a pool
 * @heap: where buffers come from; the pool holds a reference
 * @max_bytes: most bytes to keep; the buffers that were not used for longest go first
 * @ret_pool: the pool
 *
 * Sizes are rounded up to classes, at most an eighth above what was asked for, so
 * that buffers fit again.
 *
 * Return: 0; -ENOMEM.
 */
int dmabuf_pool_new(struct dmabuf_heap *heap, uint64_t max_bytes, struct dmabuf_pool **ret_pool);

/** dmabuf_pool_free - give everything it keeps back. NULL is accepted. Return: NULL. */
struct dmabuf_pool *dmabuf_pool_free(struct dmabuf_pool *pool);

/**
 * dmabuf_pool_alloc - take a buffer of the pool, or allocate one
 * @pool, @size, @charge, @flags: as in dmabuf_alloc()
 * @ret_buffer: the buffer, with one reference; its size is that of the class
 *
 * A buffer that was charged to somebody is used again for the same target only. One that was
 * not is used for anybody, and filled with zeroes before another target gets it; for the same
 * target it keeps what was in it.
 *
 * Return: as dmabuf_alloc().
 */
int dmabuf_pool_alloc(struct dmabuf_pool *pool, uint64_t size, struct dmabuf_charge *charge,
		      uint32_t flags, struct dmabuf **ret_buffer);

/**
 * dmabuf_pool_release - give a buffer to the pool
 * @pool: the pool it came from
 * @buffer: the buffer, whose reference becomes the pool's
 *
 * The caller says with it that nobody else uses the buffer. It is let go instead of kept if
 * there are other references here, or, of a dma-buf, descriptors or mappings anywhere.
 *
 * Return: 0; -EINVAL if it is not of this pool, and it stays the caller's.
 */
int dmabuf_pool_release(struct dmabuf_pool *pool, struct dmabuf *buffer);

/** dmabuf_pool_trim - give back until at most @keep_bytes are kept. Return: bytes given back. */
uint64_t dmabuf_pool_trim(struct dmabuf_pool *pool, uint64_t keep_bytes);

/** dmabuf_pool_stats - look what it does. */
void dmabuf_pool_stats(struct dmabuf_pool *pool, struct dmabuf_pool_stats *ret_stats);

/* ---- PCI devices of VFIO ------------------------------------------------ */

/** What a device can do; dmabuf_vfio_features(). */
#define DMABUF_VFIO_EXPORT 0x1U        /**< dmabuf_vfio_export() */
#define DMABUF_VFIO_MMAP 0x2U          /**< what was exported can be mapped, for sure */
#define DMABUF_VFIO_REVOKE 0x4U        /**< dmabuf_vfio_revoke() */
#define DMABUF_VFIO_WRITE_COMBINE 0x8U /**< DMABUF_VFIO_ATTR_WC */
#define DMABUF_VFIO_RESET 0x10U        /**< dmabuf_vfio_reset() */

/**
 * dmabuf_vfio_open - open a PCI device that a VFIO driver has
 * @name: its address ("0000:00:03.0", "00:03.0"), its node ("/dev/vfio/devices/vfio0"), its
 *	group and its address ("/dev/vfio/7:0000:00:03.0"), or "soft:SIZE,SIZE,..." for a
 *	device in user space whose BARs 0, 1, ... have these sizes (K, M, G; 0 for none)
 * @ret_device: the device, with one reference
 *
 * An address takes the device's own node and iommufd where the kernel has both, else its group
 * and a type 1 container. Nothing is mapped for the device's DMA. The device is not taken from
 * another driver. It is looked up in /sys, or the environment's DMABUF_SYSFS (not with raised
 * privileges).
 *
 * What a soft device exports is memory of its own for each buffer: mappings, other processes and
 * revoking are real, but two buffers of the same range do not show the same bytes. The device
 * keeps a descriptor of each until it is revoked. Its buffers end with dmabuf_vfio_unref(), but
 * not with a process that just exits.
 *
 * Nothing is exported to find out the features, and no feature is taken for another one that has
 * its number on another kernel. Whether exports can be mapped is not to be asked without one: it
 * is taken for granted where the kernel can revoke, as both came together. Where it cannot,
 * dmabuf_map() tells.
 *
 * Return: 0; -EINVAL for a malformed name; -ENODEV if there is no such device; -ENOTCONN if it
 * has no VFIO driver; -EBUSY if somebody else has it, or its group is not viable; -EACCES;
 * -EPERM if the machine cannot keep the device's interrupts apart and VFIO was not told to
 * allow that; -EOPNOTSUPP if the kernel has neither way; -EMFILE; -ENOMEM.
 */
int dmabuf_vfio_open(const char *name, struct dmabuf_vfio **ret_device);

/** dmabuf_vfio_ref - take another reference. Return: @device. */
struct dmabuf_vfio *dmabuf_vfio_ref(struct dmabuf_vfio *device);

/**
 * dmabuf_vfio_unref - drop a reference; the last one closes the device
 *
 * All buffers that were exported end with it: their mappings raise SIGBUS. NULL is accepted.
 *
 * Return: NULL.
 */
struct dmabuf_vfio *dmabuf_vfio_unref(struct dmabuf_vfio *device);

/** dmabuf_vfio_features - what the device and the kernel can do. Return: DMABUF_VFIO_*. */
uint32_t dmabuf_vfio_features(const struct dmabuf_vfio *device);

/** dmabuf_vfio_description - say to people what it is. Return: text, the device's. */
const char *dmabuf_vfio_description(const struct dmabuf_vfio *device);

/** dmabuf_vfio_device_fd - the descriptor for VFIO's other ioctls. Return: it, or -EOPNOTSUPP. */
int dmabuf_vfio_device_fd(const struct dmabuf_vfio *device);

/** One BAR; dmabuf_vfio_region(). */
struct dmabuf_vfio_region {
	uint64_t size;   /**< bytes; 0 for a BAR that the device does not have */
	uint32_t access; /**< DMABUF_READ, DMABUF_WRITE */
	int can_map;     /**< whether it is memory that can be mapped and exported */
};

/** Most BARs of a device. */
#define DMABUF_VFIO_BARS 6U

/**
 * dmabuf_vfio_region - ask about a BAR
 * @device: the device
 * @bar: 0 to 5
 * @ret_region: what it is
 *
 * Return: 0; -EINVAL for another number; -ENODEV if the device is gone.
 */
int dmabuf_vfio_region(struct dmabuf_vfio *device, uint32_t bar,
		       struct dmabuf_vfio_region *ret_region);

/**
 * dmabuf_vfio_reset - reset the device
 *
 * Mappings of its buffers raise SIGBUS meanwhile and work again afterwards.
 *
 * Return: 0; -EOPNOTSUPP if it cannot be reset; -ENODEV.
 */
int dmabuf_vfio_reset(struct dmabuf_vfio *device);

/** Bytes of a BAR. */
struct dmabuf_range {
	uint64_t offset; /**< a multiple of the page size */
	uint64_t length; /**< a multiple of the page size, not 0 */
};

/** CPU mappings are not cached; VFIO's default. */
#define DMABUF_VFIO_ATTR_UC 0U
/** CPU mappings combine writes. */
#define DMABUF_VFIO_ATTR_WC 1U

/** The descriptor may be mapped for reading only. Devices are not bound by it. */
#define DMABUF_VFIO_READ_ONLY 0x1U

/**
 * dmabuf_vfio_export - make a buffer of parts of a BAR
 * @device: the device
 * @bar: 0 to 5
 * @ranges: @count ranges, which follow each other in the buffer; they may overlap
 * @count: at least 1
 * @attr: DMABUF_VFIO_ATTR_*
 * @flags: DMABUF_VFIO_READ_ONLY or 0
 * @name: its name, or NULL
 * @ret_buffer: the buffer, with one reference. It does not keep the device open.
 *
 * Return: 0; -EINVAL for an unaligned, empty or outside range, @count 0, or other @attr or
 * @flags; -EOPNOTSUPP without DMABUF_VFIO_EXPORT, or for DMABUF_VFIO_ATTR_WC without
 * DMABUF_VFIO_WRITE_COMBINE; -ENODEV if the BAR cannot be exported or the device is gone;
 * -EMFILE; -ENOMEM.
 */
int dmabuf_vfio_export(struct dmabuf_vfio *device, uint32_t bar, const struct dmabuf_range *ranges,
		       size_t count, uint32_t attr, uint32_t flags, const char *name,
		       struct dmabuf **ret_buffer);

/**
 * dmabuf_vfio_revoke - take a buffer away from all who have it, for good
 * @device: the device that exported it
 * @buffer: the buffer, or another one of the same descriptor
 *
 * When it returns, no mapping and no importing device reaches the BAR by it. It may wait for
 * those devices. Other buffers of the same range are not concerned.
 *
 * Return: 0; -ENODEV if it is not of this device; -EBADFD if it was revoked before; -EOPNOTSUPP
 * without DMABUF_VFIO_REVOKE.
 */
int dmabuf_vfio_revoke(struct dmabuf_vfio *device, struct dmabuf *buffer);

/* ---- leases ------------------------------------------------------------- */

/** Anywhere in the BAR. */
#define DMABUF_LEASE_ANYWHERE UINT64_MAX

/** What leases of a BAR may do; dmabuf_leases_new(). */
#define DMABUF_LEASES_EXCLUSIVE 0U /**< no two leases have a page in common */
#define DMABUF_LEASES_SHARED 1U    /**< those may that both ask for it */

/** What is asked for; dmabuf_lease_grant(). */
struct dmabuf_lease_request {
	uint64_t offset;  /**< bytes from the begin of the BAR; DMABUF_LEASE_ANYWHERE: nobody's */
	uint64_t length;  /**< bytes */
	uint32_t attr;    /**< DMABUF_VFIO_ATTR_* */
	uint32_t flags;   /**< DMABUF_VFIO_READ_ONLY, DMABUF_LEASE_SHARED */
	const char *name; /**< of the buffer, or NULL */
	int pidfd; /**< of the client, whose end ends the lease, or -1; it stays the caller's */
};

/** Other leases that have this flag may have the same pages. */
#define DMABUF_LEASE_SHARED 0x2U

/**
 * dmabuf_leases_new - keep account of a BAR
 * @device: the device; the leases hold a reference. It has to be able to revoke.
 * @bar: 0 to 5
 * @policy: DMABUF_LEASES_*
 * @ret_leases: the account
 *
 * Return: 0; -EINVAL for another BAR or policy; -ENODEV if it cannot be exported; -EOPNOTSUPP
 * without DMABUF_VFIO_REVOKE; -EMFILE; -ENOMEM.
 */
int dmabuf_leases_new(struct dmabuf_vfio *device, uint32_t bar, uint32_t policy,
		      struct dmabuf_leases **ret_leases);

/** dmabuf_leases_free - revoke all and free. NULL is accepted. Return: NULL. */
struct dmabuf_leases *dmabuf_leases_free(struct dmabuf_leases *leases);

/**
 * dmabuf_leases_reserve - keep a range from being leased, such as that of the owner's registers
 * @leases: the account
 * @offset, @length: bytes, rounded to whole pages outwards
 *
 * Return: 0; -EINVAL if it is not in the BAR; -EBUSY if a lease has a page of it; -ENOMEM.
 */
int dmabuf_leases_reserve(struct dmabuf_leases *leases, uint64_t offset, uint64_t length);

/**
 * dmabuf_lease_grant - lease a range
 * @leases: the account
 * @request: what is asked for; the length is rounded up to pages
 * @ret_lease: the lease, owned by @leases until dmabuf_lease_revoke()
 *
 * Return: 0; -EINVAL for an unaligned offset, an empty or outside range, or other flags; -EBUSY
 * if the range is leased or reserved; -ENOSPC if there is none such anywhere; -ESRCH if the
 * client is gone; -EBADF for another descriptor; -EUSERS for more leases of a client than the
 * kernel watches it for, 500 if the account is watched by epoll; or as dmabuf_vfio_export().
 */
int dmabuf_lease_grant(struct dmabuf_leases *leases, const struct dmabuf_lease_request *request,
		       struct dmabuf_lease **ret_lease);

/** dmabuf_lease_buffer - what to send to the client. Return: the buffer, the lease's. */
struct dmabuf *dmabuf_lease_buffer(const struct dmabuf_lease *lease);

/** dmabuf_lease_range - which part of the BAR it is. */
void dmabuf_lease_range(const struct dmabuf_lease *lease, struct dmabuf_range *ret_range);

/**
 * dmabuf_lease_revoke - end a lease
 * @lease: the lease, which is gone when this returns 0
 *
 * A buffer that was revoked before is no error.
 *
 * Return: 0; or as dmabuf_vfio_revoke(), and the range stays taken.
 */
int dmabuf_lease_revoke(struct dmabuf_lease *lease);

/** dmabuf_leases_fd - what an event loop watches for input, for clients that end. Return: it, the
 * account's. */
int dmabuf_leases_fd(const struct dmabuf_leases *leases);

/**
 * dmabuf_leases_dispatch - end the leases of clients that have ended
 * @leases: the account
 * @ended: called for each before it is gone, or NULL
 * @data: passed on
 *
 * @ended may end other leases, not this one. A lease that cannot be revoked stays, and is not
 * tried here again.
 *
 * Return: how many; or the first error of revoking, after having tried all.
 */
int dmabuf_leases_dispatch(struct dmabuf_leases *leases,
			   void (*ended)(struct dmabuf_lease *lease, void *data), void *data);

/* ---- guarded access ----------------------------------------------------- */

/*
 * Reads and writes of a mapping that may be revoked at any time. Where a plain access
 * would raise SIGBUS these return -ENODEV. Each access is one instruction of its width;
 * the address is aligned to it.
 *
 * The first dmabuf_guard_init() installs a handler of SIGBUS for the process. Faults
 * anywhere but in these functions go to the handler that was there before, with its
 * flags and mask, or end the process as they did. That handler may use guarded access
 * too: SIGBUS is not blocked while it runs, but a fault of its own ends the process
 * unless it has SA_NODEFER. An application that installs its own handler later calls
 * dmabuf_guard_handle() first in it.
 *
 * A thread that blocks SIGBUS has no guarded access: the kernel ends the process.
 */

/**
 * dmabuf_guard_init - make guarded access work; any number of times, from any thread
 *
 * Return: 0, or the negative errno of sigaction().
 */
int dmabuf_guard_init(void);

/**
 * dmabuf_guard_handle - what a handler of SIGBUS of the application's calls first
 * @signal, @info, @context: what it got
 *
 * Async-signal-safe.
 *
 * Return: 1 if the fault was one of guarded access, and the handler returns at once; else 0.
 */
int dmabuf_guard_handle(int signal, void *info, void *context);

/** dmabuf_guard_read8 - read 1 byte at an address aligned to that. Return: 0; -ENODEV. */
int dmabuf_guard_read8(const volatile void *address, uint8_t *ret_value);

/** dmabuf_guard_read16 - read 2 bytes at an address aligned to that. Return: 0; -ENODEV. */
int dmabuf_guard_read16(const volatile void *address, uint16_t *ret_value);

/** dmabuf_guard_read32 - read 4 bytes at an address aligned to that. Return: 0; -ENODEV. */
int dmabuf_guard_read32(const volatile void *address, uint32_t *ret_value);

/** dmabuf_guard_read64 - read 8 bytes at an address aligned to that. Return: 0; -ENODEV. */
int dmabuf_guard_read64(const volatile void *address, uint64_t *ret_value);

/** dmabuf_guard_write8 - write 1 byte at an address aligned to that. Return: 0; -ENODEV. */
int dmabuf_guard_write8(volatile void *address, uint8_t value);

/** dmabuf_guard_write16 - write 2 bytes at an address aligned to that. Return: 0; -ENODEV. */
int dmabuf_guard_write16(volatile void *address, uint16_t value);

/** dmabuf_guard_write32 - write 4 bytes at an address aligned to that. Return: 0; -ENODEV. */
int dmabuf_guard_write32(volatile void *address, uint32_t value);

/** dmabuf_guard_write64 - write 8 bytes at an address aligned to that. Return: 0; -ENODEV. */
int dmabuf_guard_write64(volatile void *address, uint64_t value);

/**
 * dmabuf_guard_copy - copy, where either side may be such a mapping
 * @to: where to
 * @from: where from; the two do not overlap
 * @size: bytes
 *
 * In words of 8 bytes where both sides are aligned to it, else in bytes.
 *
 * Return: 0; -ENODEV, and then an unknown part has been copied.
 */
int dmabuf_guard_copy(volatile void *to, const volatile void *from, size_t size);

/* ---- texts -------------------------------------------------------------- */

/**
 * dmabuf_strerror - what a negative errno of this library means
 * @error: the negative errno, or 0
 *
 * Return: static text, never NULL.
 */
const char *dmabuf_strerror(int error);

#ifdef __cplusplus
}
#endif

#endif
