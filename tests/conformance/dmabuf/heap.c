/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite of libdmabuf's heaps: what a program may expect of any heap,
 * of the kernel or in memory, and of charges, through the public header alone.
 *
 * The cases of charges make cgroups below their own one, which has to have the memory
 * controller to give; they are skipped elsewhere.
 */
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <dmabuf.h>

#include "common.h"
#include "read-only.h"
#include "runner.h"

#define MIB UINT64_C(0x100000)
#define SIZE (4 * MIB) /* of what is charged; far above what a process needs */
#define LIMIT_MS 20000
#define NOBODY 65534
#define PATH_SIZE 512

struct conf {
	struct dmabuf_heap *heap;
	uint32_t charging;
	uint64_t page;
	/* Of cases with charges: a cgroup for the client, below one for the case. */
	char base[PATH_SIZE], client[PATH_SIZE];
	pid_t pid; /* a process in it that does nothing */
};

#define CONF_DMABUF 0x1U    /* needs a dma-buf, no memfd */
#define CONF_READ_ONLY 0x2U /* needs DMABUF_ALLOC_READ_ONLY */
#define CONF_CHARGE 0x4U    /* needs cgroups, and a way to charge others */
#define CONF_NO_CHARGE 0x8U /* needs a heap that has no such way */
#define CONF_MEMORY 0x10U   /* needs a heap that CPUs may map */

static const char *heap_name = "memfd";
static uint32_t heap_properties, heap_charging;
static char own_cgroup[PATH_SIZE]; /* "" without one that has the memory controller */

static bool is_memfd(void)
{
	return heap_properties & DMABUF_HEAP_NO_DEVICE;
}

static bool is_udmabuf(void)
{
	return strcmp(heap_name, "udmabuf") == 0;
}

/* ---- cgroups ------------------------------------------------------------ */

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[PATH_SIZE + 64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		conf_fail(__FILE__, __LINE__, "%s: cannot write '%s': %m", path, text);
	close(fd);
}

static bool read_file(const char *directory, const char *name, char *text, size_t size)
{
	char path[PATH_SIZE + 64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	text[MAX(n, 0)] = '\0';
	return n >= 0;
}

/* Bytes that a cgroup and those below it use; of @key in memory.stat, or of all if NULL. */
static int64_t cgroup_memory(const char *cgroup, const char *key)
{
	char text[8192], line[64];
	const char *found;

	if (!key)
		return read_file(cgroup, "memory.current", text, sizeof(text)) ? atoll(text) : -1;
	if (!read_file(cgroup, "memory.stat", text, sizeof(text)))
		return -1;
	snprintf(line, sizeof(line), "\n%s ", key);
	found = strstr(text, line);
	return found ? atoll(found + strlen(line)) : -1;
}

/* The kernel gathers its counters of each CPU a little later. */
static void await_memory(const char *cgroup, const char *key, int64_t least, int64_t most)
{
	int64_t bytes = -1;

	for (int waited = 0; waited < LIMIT_MS; waited += 10) {
		bytes = cgroup_memory(cgroup, key);
		if (bytes >= least && bytes <= most)
			return;
		poll(NULL, 0, 10);
	}
	conf_fail(__FILE__, __LINE__, "%s has %lld bytes%s%s, not %lld to %lld", cgroup,
		  (long long)bytes, key ? " of " : "", key ? key : "", (long long)least,
		  (long long)most);
}

/* The client's cgroup is charged for @bytes, by whatever way, or for none. */
static void check_charged(struct conf *c, enum dmabuf_charged how, uint64_t bytes)
{
	/* What the process there, and a child that was there, need and leave. */
	await_memory(c->client, NULL, (int64_t)bytes, (int64_t)(bytes + SIZE / 2));
	if (how == DMABUF_CHARGED_KERNEL)
		await_memory(c->client, "dmabuf", (int64_t)bytes, (int64_t)bytes);
}

static void make_cgroup(char *path, const char *parent, const char *name)
{
	/* The paths are far shorter. */
	if (snprintf(path, PATH_SIZE, "%s/%s", parent, name) >= PATH_SIZE ||
	    mkdir(path, 0755) == -1)
		conf_fail(__FILE__, __LINE__, "%s: cannot make it: %m", path);
}

static void remove_cgroup(const char *path)
{
	/* Processes leave it a little after their end. */
	for (int waited = 0; rmdir(path) == -1; waited++) {
		if (errno != EBUSY || waited >= LIMIT_MS)
			conf_fail(__FILE__, __LINE__, "%s: cannot remove it: %m", path);
		poll(NULL, 0, 1);
	}
}

/* A process in @cgroup that does nothing. */
static pid_t idle_in(const char *cgroup)
{
	pid_t pid = fork();
	char text[16];

	CHECK(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	snprintf(text, sizeof(text), "%d", pid);
	write_file(cgroup, "cgroup.procs", text);
	return pid;
}

static void end_process(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	CHECK_EQ(waitpid(*pid, NULL, 0), *pid);
	*pid = 0;
}

static void open_client(struct conf *c)
{
	char name[64];

	snprintf(name, sizeof(name), "dmabuf-conformance-%d", getpid());
	make_cgroup(c->base, own_cgroup, name);
	write_file(c->base, "cgroup.subtree_control", "+memory");
	make_cgroup(c->client, c->base, "client");
	c->pid = idle_in(c->client);
}

static void close_client(struct conf *c)
{
	end_process(&c->pid);
	if (c->client[0])
		remove_cgroup(c->client);
	remove_cgroup(c->base);
}

static bool file_has_word(const char *directory, const char *name, const char *word)
{
	char text[512], *rest = text, *next;

	if (!read_file(directory, name, text, sizeof(text)))
		return false;
	while ((next = strsep(&rest, " \n")))
		if (strcmp(next, word) == 0)
			return true;
	return false;
}

/* Where cgroups with a memory controller can be made, if anywhere. */
static void find_own_cgroup(void)
{
	char link[64], path[PATH_SIZE], enable[PATH_SIZE + 32];
	struct dmabuf_charge *charge;
	char text[4096];
	const char *own;
	int fd;
	ssize_t n;

	if (!read_file("/proc/self", "cgroup", text, sizeof(text)))
		return;
	own = strstr(text, "0::/");
	if (!own || (own != text && own[-1] != '\n') || dmabuf_charge_cgroup("/", &charge) < 0)
		return;
	dmabuf_charge_unref(charge);
	/* The library knows where it is mounted; this takes the usual place. */
	snprintf(path, sizeof(path), "/sys/fs/cgroup%.*s", (int)strcspn(own + 3, "\n"), own + 3);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || dmabuf_charge_cgroup_fd(fd, &charge) < 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	dmabuf_charge_unref(charge);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	close(fd);
	if (n <= 0)
		return;
	path[n] = '\0';
	snprintf(enable, sizeof(enable), "%s/cgroup.subtree_control", path);
	fd = open(enable, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "+memory", 7) == 7 &&
		    file_has_word(path, "cgroup.subtree_control", "memory"))
			snprintf(own_cgroup, sizeof(own_cgroup), "%s", path);
		close(fd);
	}
}

/* ---- buffers ------------------------------------------------------------ */

static struct dmabuf *make(struct conf *c, uint64_t size)
{
	struct dmabuf *buffer;

	CHECK_OK(dmabuf_alloc(c->heap, size, NULL, NULL, 0, &buffer));
	return buffer;
}

static char *map(struct dmabuf *buffer, uint32_t access)
{
	void *memory;

	CHECK_OK(dmabuf_map(buffer, access, &memory));
	return memory;
}

static void fill(struct dmabuf *buffer, char byte)
{
	char *memory = map(buffer, DMABUF_WRITE);

	CHECK_OK(dmabuf_begin_access(buffer, DMABUF_WRITE));
	memset(memory, byte, dmabuf_size(buffer));
	CHECK_OK(dmabuf_end_access(buffer, DMABUF_WRITE));
	CHECK_OK(dmabuf_unmap(buffer));
}

static void check_filled(struct dmabuf *buffer, char byte)
{
	const char *memory = map(buffer, DMABUF_READ);

	CHECK_OK(dmabuf_begin_access(buffer, DMABUF_READ));
	for (uint64_t i = 0; i < dmabuf_size(buffer); i++)
		if (memory[i] != byte)
			conf_fail(__FILE__, __LINE__, "byte %llu is %d", (unsigned long long)i,
				  memory[i]);
	CHECK_OK(dmabuf_end_access(buffer, DMABUF_READ));
	CHECK_OK(dmabuf_unmap(buffer));
}

static void heap_tells_about_itself(struct conf *c)
{
	struct dmabuf_heap_info *heaps;
	bool listed = false;
	size_t count;

	CHECK(dmabuf_heap_name(c->heap)[0]);
	CHECK(dmabuf_heap_properties(c->heap));
	CHECK_OK(dmabuf_heap_list(&heaps, &count));
	for (size_t i = 0; i < count; i++)
		if (strcmp(heaps[i].name, dmabuf_heap_name(c->heap)) == 0) {
			CHECK_EQ(heaps[i].error, 0);
			CHECK_EQ(heaps[i].properties, dmabuf_heap_properties(c->heap));
			listed = true;
		}
	CHECK(listed);
	free(heaps);
}

static void heap_can_be_explained(struct conf *c)
{
	char text[256];

	CHECK_OK(dmabuf_heap_explain(heap_name, text, sizeof(text)));
	CHECK(text[0]);
}

static void heap_is_found_by_its_name(struct conf *c)
{
	const char *const names[] = {"no-such-heap", heap_name, NULL};
	struct dmabuf_heap *heap;

	CHECK_OK(dmabuf_heap_find(names, heap_properties, 0, &heap));
	CHECK(!strcmp(dmabuf_heap_name(heap), dmabuf_heap_name(c->heap)));
	dmabuf_heap_unref(heap);
	CHECK_ERROR(dmabuf_heap_find(names, 0, heap_properties, &heap), -ENOENT);
}

static void size_is_rounded_up_to_pages(struct conf *c)
{
	struct dmabuf *one = make(c, 1), *two = make(c, c->page + 1);
	struct dmabuf_info info;

	CHECK_EQ(dmabuf_size(one), c->page);
	CHECK_EQ(dmabuf_size(two), 2 * c->page);
	CHECK_OK(dmabuf_info(dmabuf_fd(two), &info));
	CHECK_EQ(info.size, 2 * c->page);
	dmabuf_unref(one);
	dmabuf_unref(two);
}

static void impossible_sizes_are_refused(struct conf *c)
{
	struct dmabuf *buffer = NULL;

	CHECK_ERROR(dmabuf_alloc(c->heap, 0, NULL, NULL, 0, &buffer), -EINVAL);
	CHECK_ERROR(dmabuf_alloc(c->heap, UINT64_MAX, NULL, NULL, 0, &buffer), -EINVAL);
	CHECK_ERROR(dmabuf_alloc(c->heap, UINT64_C(1) << 62, NULL, NULL, 0, &buffer), -ENOMEM);
	CHECK(!buffer);
}

static void unknown_flags_are_refused(struct conf *c)
{
	struct dmabuf *buffer = NULL;

	CHECK_ERROR(dmabuf_alloc(c->heap, 1, NULL, NULL, 1U << 31, &buffer), -EINVAL);
	CHECK(!buffer);
}

static void descriptor_is_closed_on_exec(struct conf *c)
{
	struct dmabuf *buffer = make(c, 1);
	int fd = dmabuf_export(buffer);

	CHECK_EQ(fcntl(dmabuf_fd(buffer), F_GETFD), FD_CLOEXEC);
	CHECK_OK(fd);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	dmabuf_unref(buffer);
}

static void new_memory_is_zero(struct conf *c)
{
	struct dmabuf *buffer = make(c, MIB);

	check_filled(buffer, 0);
	fill(buffer, 'x');
	dmabuf_unref(buffer);
	buffer = make(c, MIB);
	check_filled(buffer, 0);
	dmabuf_unref(buffer);
}

static void what_is_written_is_read_by_another_descriptor(struct conf *c)
{
	struct dmabuf *buffer = make(c, 3 * c->page), *imported;

	CHECK_OK(dmabuf_import(dmabuf_fd(buffer), &imported));
	CHECK_EQ(dmabuf_size(imported), 3 * c->page);
	CHECK_EQ(dmabuf_charged(imported), DMABUF_CHARGED_NOT);
	fill(buffer, 'w');
	dmabuf_unref(buffer);
	check_filled(imported, 'w');
	dmabuf_unref(imported);
}

static void part_is_mapped_at_a_fixed_address(struct conf *c)
{
	struct dmabuf *buffer = make(c, 4 * c->page);
	char *whole = map(buffer, DMABUF_WRITE);
	void *place, *part;

	place = mmap(NULL, 2 * c->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(place != MAP_FAILED);
	CHECK_ERROR(dmabuf_map_range(buffer, 2 * c->page, 2 * c->page, DMABUF_READ, place, &part),
		    -EEXIST);
	munmap(place, 2 * c->page);
	CHECK_OK(dmabuf_map_range(buffer, 2 * c->page, 2 * c->page, DMABUF_READ, place, &part));
	CHECK(part == place);
	whole[2 * c->page] = 'p';
	CHECK_EQ(*(volatile char *)part, 'p');
	munmap(part, 2 * c->page);
	CHECK_OK(dmabuf_unmap(buffer));
	dmabuf_unref(buffer);
}

static void what_is_outside_is_not_mapped(struct conf *c)
{
	struct dmabuf *buffer = make(c, 2 * c->page);
	void *part;

	CHECK_ERROR(dmabuf_map_range(buffer, c->page, 2 * c->page, DMABUF_READ, NULL, &part),
		    -EINVAL);
	CHECK_ERROR(dmabuf_map_range(buffer, 1, c->page, DMABUF_READ, NULL, &part), -EINVAL);
	dmabuf_unref(buffer);
}

static void read_only_buffer_is_not_mapped_for_writing(struct conf *c)
{
	struct dmabuf *buffer;
	void *memory;

	CHECK_OK(dmabuf_alloc(c->heap, 1, NULL, NULL, DMABUF_ALLOC_READ_ONLY, &buffer));
	CHECK_ERROR(dmabuf_map(buffer, DMABUF_WRITE, &memory), -EACCES);
	CHECK_OK(dmabuf_map(buffer, DMABUF_READ, &memory));
	dmabuf_unref(buffer);
}

static void read_only_buffer_is_not_opened_again_to_write(struct conf *c)
{
	struct dmabuf *buffer;

	CHECK_OK(dmabuf_alloc(c->heap, 1, NULL, NULL, DMABUF_ALLOC_READ_ONLY, &buffer));
	check_not_opened_to_write(buffer);
	dmabuf_unref(buffer);
}

static void name_is_what_was_asked_for(struct conf *c)
{
	struct dmabuf_info info;
	struct dmabuf *buffer;

	CHECK_OK(dmabuf_alloc(c->heap, 1, "frame 1", NULL, 0, &buffer));
	CHECK_OK(dmabuf_info(dmabuf_fd(buffer), &info));
	CHECK(!strcmp(info.name, "frame 1"));
	dmabuf_unref(buffer);
	buffer = make(c, 1);
	CHECK_OK(dmabuf_info(dmabuf_fd(buffer), &info));
	CHECK(!strcmp(info.name, dmabuf_heap_name(c->heap)));
	dmabuf_unref(buffer);
}

static void long_name_is_cut(struct conf *c)
{
	struct dmabuf_info info;
	struct dmabuf *buffer;
	char name[300] = "";

	memset(name, 'n', sizeof(name) - 1);
	CHECK_OK(dmabuf_alloc(c->heap, 1, name, NULL, 0, &buffer));
	CHECK_OK(dmabuf_info(dmabuf_fd(buffer), &info));
	CHECK_EQ(strlen(info.name), DMABUF_NAME_SIZE - 1);
	CHECK(!strncmp(info.name, name, DMABUF_NAME_SIZE - 1));
	dmabuf_unref(buffer);
}

static void name_can_be_changed(struct conf *c)
{
	struct dmabuf *buffer = make(c, 1);
	struct dmabuf_info info;

	CHECK_OK(dmabuf_set_name(buffer, "0123456789012345678901234567890123456789"));
	CHECK_OK(dmabuf_info(dmabuf_fd(buffer), &info));
	CHECK(!strcmp(info.name, "0123456789012345678901234567890"));
	dmabuf_unref(buffer);
}

static void exporter_is_told(struct conf *c)
{
	struct dmabuf *buffer = make(c, 1);
	struct dmabuf_info info;

	CHECK_OK(dmabuf_info(dmabuf_fd(buffer), &info));
	if (is_memfd() || is_udmabuf())
		CHECK(!strcmp(info.exporter, heap_name));
	else
		CHECK(info.exporter[0]);
	dmabuf_unref(buffer);
}

static void references_are_counted(struct conf *c)
{
	struct dmabuf *buffer = make(c, 1);
	struct dmabuf_info one, two, three;
	int fd;

	CHECK_OK(dmabuf_info(dmabuf_fd(buffer), &one));
	map(buffer, DMABUF_READ);
	CHECK_OK(dmabuf_info(dmabuf_fd(buffer), &two));
	fd = CHECK_OK(dmabuf_export(buffer));
	CHECK_OK(dmabuf_info(fd, &three));
	CHECK_EQ(one.references, 1);
	CHECK_EQ(two.references, 2);
	CHECK_EQ(three.references, 3);
	CHECK_EQ(three.inode, one.inode);
	close(fd);
	dmabuf_unref(buffer);
}

static void idle_buffer_has_nothing_to_wait_for(struct conf *c)
{
	struct dmabuf *buffer = make(c, 1), *other = make(c, 1);
	struct pollfd fence = {.events = POLLIN};

	fence.fd = dmabuf_export_sync_file(buffer, DMABUF_WRITE);
	CHECK_OK(fence.fd);
	CHECK_EQ(poll(&fence, 1, 0), 1);
	CHECK_OK(dmabuf_import_sync_file(other, DMABUF_READ | DMABUF_WRITE, fence.fd));
	CHECK_OK(dmabuf_begin_access(other, DMABUF_WRITE));
	CHECK_OK(dmabuf_end_access(other, DMABUF_WRITE));
	close(fence.fd);
	CHECK_ERROR(dmabuf_import_sync_file(other, DMABUF_READ, dmabuf_fd(other)), -EINVAL);
	dmabuf_unref(buffer);
	dmabuf_unref(other);
}

static void client_of_messages(int socket)
{
	struct dmabuf *buffers[2];
	char text[8];
	size_t count = 2, size = sizeof(text);

	CHECK_OK(dmabuf_receive(socket, buffers, &count, text, &size));
	CHECK_EQ(count, 2);
	CHECK_EQ(size, 5);
	check_filled(buffers[0], 'a');
	fill(buffers[1], 'b');
	CHECK_OK(dmabuf_send(socket, NULL, 0, text, size));
}

static void buffers_pass_to_another_process(struct conf *c)
{
	struct dmabuf *buffers[] = {make(c, 1), make(c, 2 * c->page)};
	char text[8];
	size_t count = 0, size = sizeof(text);
	int sockets[2], status;
	pid_t pid;

	fill(buffers[0], 'a');
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		client_of_messages(sockets[1]);
		_exit(0);
	}
	CHECK_OK(dmabuf_send(sockets[0], buffers, 2, "hello", 5));
	CHECK_OK(dmabuf_receive(sockets[0], NULL, &count, text, &size));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	check_filled(buffers[1], 'b');
	for (size_t i = 0; i < 2; i++) {
		close(sockets[i]);
		dmabuf_unref(buffers[i]);
	}
}

static void child_uses_what_it_inherited(struct conf *c)
{
	struct dmabuf *buffer = make(c, 1), *other;
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		fill(buffer, 'c');
		other = make(c, 1);
		check_filled(other, 0);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	check_filled(buffer, 'c');
	dmabuf_unref(buffer);
}

static void *allocate_often(void *data)
{
	struct conf *c = data;

	for (unsigned int i = 0; i < 50; i++) {
		struct dmabuf *buffer = make(c, (i % 7 + 1) * c->page);

		fill(buffer, (char)i);
		check_filled(buffer, (char)i);
		dmabuf_unref(buffer);
	}
	return NULL;
}

static void threads_allocate_from_one_heap(struct conf *c)
{
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, allocate_often, c), 0);
	for (size_t i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void other_files_are_no_buffers(struct conf *c)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct dmabuf *buffer = NULL;
	struct dmabuf_info info;

	CHECK_ERROR(dmabuf_import(null, &buffer), -EINVAL);
	CHECK_ERROR(dmabuf_info(null, &info), -EINVAL);
	CHECK_ERROR(dmabuf_import(-1, &buffer), -EBADF);
	CHECK(!buffer);
	close(null);
}

/* ---- pools -------------------------------------------------------------- */

static struct dmabuf_pool *make_pool(struct conf *c)
{
	struct dmabuf_pool *pool;

	CHECK_OK(dmabuf_pool_new(c->heap, 16 * MIB, &pool));
	return pool;
}

static struct dmabuf *take(struct dmabuf_pool *pool, uint64_t size, struct dmabuf_charge *charge,
			   uint32_t flags)
{
	struct dmabuf *buffer;

	CHECK_OK(dmabuf_pool_alloc(pool, size, charge, flags, &buffer));
	return buffer;
}

static uint64_t reused(struct dmabuf_pool *pool)
{
	struct dmabuf_pool_stats stats;

	dmabuf_pool_stats(pool, &stats);
	return stats.reused;
}

static void pool_gives_a_buffer_again(struct conf *c)
{
	struct dmabuf_pool *pool = make_pool(c);
	struct dmabuf *buffer = take(pool, MIB, NULL, 0);

	fill(buffer, 'o');
	CHECK_OK(dmabuf_pool_release(pool, buffer));
	buffer = take(pool, MIB, NULL, 0);
	CHECK_EQ(reused(pool), 1);
	check_filled(buffer, 'o');
	CHECK_OK(dmabuf_pool_release(pool, buffer));
	CHECK_EQ(dmabuf_pool_trim(pool, 0), MIB);
	CHECK(!dmabuf_pool_free(pool));
}

/* Somebody has it who did not say so: another descriptor, a mapping, another process. */
static void pool_lets_go_of_what_others_have(struct conf *c)
{
	struct dmabuf_pool *pool = make_pool(c);
	struct dmabuf *buffer = take(pool, MIB, NULL, 0), *imported;
	int status;
	pid_t pid;
	void *part;

	CHECK_OK(dmabuf_map_range(buffer, 0, c->page, DMABUF_READ, NULL, &part));
	CHECK_OK(dmabuf_pool_release(pool, buffer));
	buffer = take(pool, MIB, NULL, 0);
	munmap(part, c->page);
	CHECK_OK(dmabuf_import(dmabuf_fd(buffer), &imported));
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	CHECK_OK(dmabuf_pool_release(pool, buffer));
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	dmabuf_unref(imported);
	buffer = take(pool, MIB, NULL, 0);
	CHECK_EQ(reused(pool), 0);
	CHECK_OK(dmabuf_pool_release(pool, buffer));
	dmabuf_unref(take(pool, MIB, NULL, 0));
	CHECK_EQ(reused(pool), 1);
	dmabuf_pool_free(pool);
}

/* ---- charges ------------------------------------------------------------ */

static struct dmabuf_charge *charge_pid(pid_t pid)
{
	struct dmabuf_charge *charge;

	CHECK_OK(dmabuf_charge_pid(pid, &charge));
	return charge;
}

static struct dmabuf_charge *charge_cgroup(const char *path)
{
	struct dmabuf_charge *charge;

	CHECK_OK(dmabuf_charge_cgroup(path, &charge));
	return charge;
}

static struct dmabuf *make_charged(struct conf *c, struct dmabuf_charge *charge)
{
	struct dmabuf *buffer;

	CHECK_OK(dmabuf_alloc(c->heap, SIZE, NULL, charge, DMABUF_ALLOC_STRICT, &buffer));
	CHECK(dmabuf_charged(buffer) != DMABUF_CHARGED_NOT);
	return buffer;
}

/* What is charged to the client is so until the buffer is gone, and the target is given back. */
static void check_charge(struct conf *c, struct dmabuf_charge *charge)
{
	struct dmabuf *buffer = make_charged(c, charge);
	enum dmabuf_charged how = dmabuf_charged(buffer);

	CHECK(how == DMABUF_CHARGED_KERNEL || how == DMABUF_CHARGED_HELPER);
	check_charged(c, how, SIZE);
	if (!(heap_properties & DMABUF_HEAP_PROTECTED))
		fill(buffer, 'c'); /* whoever touches it is not charged again */
	check_charged(c, how, SIZE);
	dmabuf_unref(buffer);
	check_charged(c, how, 0);
	dmabuf_charge_unref(charge);
}

static void process_is_charged(struct conf *c)
{
	check_charge(c, charge_pid(c->pid));
}

static void process_of_a_pidfd_is_charged(struct conf *c)
{
	struct dmabuf_charge *charge;
	int pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);

	CHECK(pidfd >= 0);
	CHECK_OK(dmabuf_charge_pidfd(pidfd, &charge));
	close(pidfd);
	check_charge(c, charge);
}

static void pidfd_that_is_descriptor_0_is_charged(struct conf *c)
{
	struct dmabuf_charge *charge;
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 3);
	int pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);

	CHECK(pidfd >= 0);
	CHECK_EQ(dup2(pidfd, 0), 0);
	close(pidfd);
	CHECK_OK(dmabuf_charge_pidfd(0, &charge));
	check_charge(c, charge);
	if (saved >= 0) {
		dup2(saved, 0);
		close(saved);
	} else {
		close(0);
	}
}

static void cgroup_is_charged(struct conf *c)
{
	check_charge(c, charge_cgroup(c->client));
}

static void cgroup_of_a_descriptor_is_charged(struct conf *c)
{
	struct dmabuf_charge *charge;
	int fd = open(c->client, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_OK(dmabuf_charge_cgroup_fd(fd, &charge));
	close(fd);
	check_charge(c, charge);
}

static void cgroup_without_processes_is_charged(struct conf *c)
{
	end_process(&c->pid);
	check_charge(c, charge_cgroup(c->client));
}

/* In a child, as this process is in a cgroup that others use. */
static void caller_is_charged(struct conf *c)
{
	struct dmabuf_charge *charge;
	struct dmabuf *buffer;
	pid_t pid = fork();
	char text[16];
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		snprintf(text, sizeof(text), "%d", getpid());
		write_file(c->client, "cgroup.procs", text);
		CHECK_OK(dmabuf_charge_self(&charge));
		if (!(c->charging & (DMABUF_CHARGING_PIDFD | DMABUF_CHARGING_CALLER))) {
			CHECK_ERROR(dmabuf_alloc(c->heap, SIZE, NULL, charge, DMABUF_ALLOC_STRICT,
						 &buffer),
				    -EOPNOTSUPP);
			_exit(0);
		}
		buffer = make_charged(c, charge);
		check_charged(c, dmabuf_charged(buffer), SIZE);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	check_charged(c, DMABUF_CHARGED_NOT, 0);
}

static void charge_stays_when_the_target_ends(struct conf *c)
{
	struct dmabuf_charge *charge = charge_pid(c->pid);
	struct dmabuf *buffer = make_charged(c, charge);
	enum dmabuf_charged how = dmabuf_charged(buffer);

	end_process(&c->pid);
	check_charged(c, how, SIZE);
	CHECK_ERROR(dmabuf_alloc(c->heap, SIZE, NULL, charge, DMABUF_ALLOC_STRICT, &buffer),
		    -ESRCH);
	CHECK_ERROR(dmabuf_alloc(c->heap, SIZE, NULL, charge, 0, &buffer), -ESRCH);
	check_charged(c, how, SIZE);
	dmabuf_unref(buffer);
	check_charged(c, how, 0);
	dmabuf_charge_unref(charge);
}

static void charge_goes_with_the_last_descriptor(struct conf *c)
{
	struct dmabuf_charge *charge = charge_pid(c->pid);
	struct dmabuf *buffer = make_charged(c, charge);
	enum dmabuf_charged how = dmabuf_charged(buffer);
	int fd = CHECK_OK(dmabuf_export(buffer));

	dmabuf_unref(buffer);
	dmabuf_charge_unref(charge);
	check_charged(c, how, SIZE);
	close(fd);
	check_charged(c, how, 0);
}

static void cgroup_that_is_gone_is_esrch(struct conf *c)
{
	struct dmabuf_charge *charge = charge_cgroup(c->client);
	struct dmabuf *buffer = NULL;

	end_process(&c->pid);
	remove_cgroup(c->client);
	c->client[0] = '\0';
	CHECK_ERROR(dmabuf_alloc(c->heap, SIZE, NULL, charge, DMABUF_ALLOC_STRICT, &buffer),
		    -ESRCH);
	CHECK_ERROR(dmabuf_alloc(c->heap, SIZE, NULL, charge, 0, &buffer), -ESRCH);
	CHECK(!buffer);
	dmabuf_charge_unref(charge);
}

static void check_limit(struct conf *c, const char *limited, struct dmabuf_charge *charge)
{
	struct dmabuf *buffer = NULL;

	write_file(limited, "memory.max", "3145728");
	CHECK_ERROR(dmabuf_alloc(c->heap, SIZE, NULL, charge, DMABUF_ALLOC_STRICT, &buffer),
		    -EDQUOT);
	CHECK_ERROR(dmabuf_alloc(c->heap, SIZE, NULL, charge, 0, &buffer), -EDQUOT);
	CHECK(!buffer);
	/* Nobody who lives there has to die for it. */
	CHECK_EQ(waitpid(c->pid, NULL, WNOHANG), 0);
	write_file(limited, "memory.max", "max");
	check_charge(c, charge);
}

static void limit_of_the_cgroup_is_edquot(struct conf *c)
{
	check_limit(c, c->client, charge_cgroup(c->client));
}

static void limit_of_the_process_is_edquot(struct conf *c)
{
	check_limit(c, c->client, charge_pid(c->pid));
}

static void limit_of_an_ancestor_is_edquot(struct conf *c)
{
	check_limit(c, c->base, charge_pid(c->pid));
}

static void charge_within_the_limit_is_made(struct conf *c)
{
	write_file(c->client, "memory.max", "16777216");
	check_charge(c, charge_cgroup(c->client));
}

/* Whoever may not put a process into the cgroup may not charge it. */
static void unprivileged_caller_may_not_charge_a_cgroup(struct conf *c)
{
	struct dmabuf_charge *charge = charge_cgroup(c->client);
	struct dmabuf *buffer = NULL;
	int strict, best;

	CHECK_EQ(seteuid(NOBODY), 0);
	strict = dmabuf_alloc(c->heap, SIZE, NULL, charge, DMABUF_ALLOC_STRICT, &buffer);
	best = dmabuf_alloc(c->heap, SIZE, NULL, charge, 0, &buffer);
	CHECK_EQ(seteuid(0), 0);
	CHECK_ERROR(strict, -EACCES);
	CHECK_OK(best);
	CHECK(dmabuf_charged(buffer) == DMABUF_CHARGED_NOT ||
	      dmabuf_charged(buffer) == DMABUF_CHARGED_CALLER);
	check_charged(c, DMABUF_CHARGED_NOT, 0);
	dmabuf_unref(buffer);
	dmabuf_charge_unref(charge);
}

static void many_charges_are_all_taken_back(struct conf *c)
{
	struct dmabuf_charge *charge = charge_pid(c->pid);
	enum dmabuf_charged how = DMABUF_CHARGED_NOT;

	for (unsigned int i = 0; i < 50; i++) {
		struct dmabuf *buffer = make_charged(c, charge);

		how = dmabuf_charged(buffer);
		dmabuf_unref(buffer);
	}
	check_charged(c, how, 0);
	dmabuf_charge_unref(charge);
}

static void pool_keeps_charged_buffers_for_their_target(struct conf *c)
{
	struct dmabuf_charge *charge = charge_pid(c->pid), *again = charge_pid(c->pid);
	struct dmabuf_pool *pool = make_pool(c);
	struct dmabuf *buffer = take(pool, SIZE, charge, DMABUF_ALLOC_STRICT);
	enum dmabuf_charged how = dmabuf_charged(buffer);

	CHECK_OK(dmabuf_pool_release(pool, buffer));
	check_charged(c, how, SIZE);
	dmabuf_unref(take(pool, SIZE, NULL, 0));
	CHECK_EQ(reused(pool), 0);
	buffer = take(pool, SIZE, again, DMABUF_ALLOC_STRICT);
	CHECK_EQ(reused(pool), 1);
	CHECK_EQ(dmabuf_charged(buffer), how);
	check_charged(c, how, SIZE);
	CHECK_OK(dmabuf_pool_release(pool, buffer));
	dmabuf_pool_free(pool);
	check_charged(c, how, 0);
	dmabuf_charge_unref(charge);
	dmabuf_charge_unref(again);
}

static void charge_that_cannot_be_made_is_said(struct conf *c)
{
	struct dmabuf_charge *charge = charge_pid(getppid());
	struct dmabuf *buffer = NULL;

	CHECK_ERROR(dmabuf_alloc(c->heap, SIZE, NULL, charge, DMABUF_ALLOC_STRICT, &buffer),
		    -EOPNOTSUPP);
	CHECK(!buffer);
	CHECK_OK(dmabuf_alloc(c->heap, SIZE, NULL, charge, 0, &buffer));
	CHECK(dmabuf_charged(buffer) != DMABUF_CHARGED_KERNEL &&
	      dmabuf_charged(buffer) != DMABUF_CHARGED_HELPER);
	dmabuf_unref(buffer);
	dmabuf_charge_unref(charge);
}

/* ---- running the cases -------------------------------------------------- */

static const struct conf_case buffer_cases[] = {
	CASE(heap_tells_about_itself, 0),
	CASE(heap_can_be_explained, 0),
	CASE(heap_is_found_by_its_name, 0),
	CASE(size_is_rounded_up_to_pages, 0),
	CASE(impossible_sizes_are_refused, 0),
	CASE(unknown_flags_are_refused, 0),
	CASE(descriptor_is_closed_on_exec, 0),
	CASE(new_memory_is_zero, CONF_MEMORY),
	CASE(what_is_written_is_read_by_another_descriptor, CONF_MEMORY),
	CASE(part_is_mapped_at_a_fixed_address, CONF_MEMORY),
	CASE(what_is_outside_is_not_mapped, CONF_MEMORY),
	CASE(read_only_buffer_is_not_mapped_for_writing, CONF_MEMORY | CONF_READ_ONLY),
	CASE(read_only_buffer_is_not_opened_again_to_write, CONF_READ_ONLY),
	CASE(name_is_what_was_asked_for, 0),
	CASE(long_name_is_cut, 0),
	CASE(name_can_be_changed, CONF_DMABUF),
	CASE(exporter_is_told, 0),
	CASE(references_are_counted, CONF_DMABUF | CONF_MEMORY),
	CASE(idle_buffer_has_nothing_to_wait_for, CONF_DMABUF),
	CASE(buffers_pass_to_another_process, CONF_MEMORY),
	CASE(child_uses_what_it_inherited, CONF_MEMORY),
	CASE(threads_allocate_from_one_heap, CONF_MEMORY),
	CASE(other_files_are_no_buffers, 0),
	{0},
};

static const struct conf_case pool_cases[] = {
	CASE(pool_gives_a_buffer_again, CONF_MEMORY),
	CASE(pool_lets_go_of_what_others_have, CONF_DMABUF | CONF_MEMORY),
	{0},
};

static const struct conf_case charge_cases[] = {
	CASE(process_is_charged, CONF_CHARGE),
	CASE(process_of_a_pidfd_is_charged, CONF_CHARGE),
	CASE(pidfd_that_is_descriptor_0_is_charged, CONF_CHARGE),
	CASE(cgroup_is_charged, CONF_CHARGE),
	CASE(cgroup_of_a_descriptor_is_charged, CONF_CHARGE),
	CASE(cgroup_without_processes_is_charged, CONF_CHARGE),
	CASE(caller_is_charged, CONF_CHARGE),
	CASE(charge_stays_when_the_target_ends, CONF_CHARGE),
	CASE(charge_goes_with_the_last_descriptor, CONF_CHARGE),
	CASE(cgroup_that_is_gone_is_esrch, CONF_CHARGE),
	CASE(limit_of_the_cgroup_is_edquot, CONF_CHARGE),
	CASE(limit_of_the_process_is_edquot, CONF_CHARGE),
	CASE(limit_of_an_ancestor_is_edquot, CONF_CHARGE),
	CASE(charge_within_the_limit_is_made, CONF_CHARGE),
	CASE(unprivileged_caller_may_not_charge_a_cgroup, CONF_CHARGE),
	CASE(many_charges_are_all_taken_back, CONF_CHARGE),
	CASE(pool_keeps_charged_buffers_for_their_target, CONF_CHARGE),
	CASE(charge_that_cannot_be_made_is_said, CONF_NO_CHARGE),
	{0},
};

static void run_case(const struct conf_case *test)
{
	struct conf c = {.page = (uint64_t)sysconf(_SC_PAGESIZE)};

	CHECK_OK(dmabuf_heap_open(heap_name, &c.heap));
	CHECK_OK(dmabuf_heap_charging(c.heap, &c.charging));
	CHECK_EQ(c.charging, heap_charging);
	if (test->flags & CONF_CHARGE)
		open_client(&c);
	test->run(&c);
	if (test->flags & CONF_CHARGE)
		close_client(&c);
	CHECK(!dmabuf_heap_unref(c.heap));
}

static const char *missing(const struct conf_case *test)
{
	if ((test->flags & CONF_DMABUF) && is_memfd())
		return "a memfd is no dma-buf";
	if ((test->flags & CONF_READ_ONLY) && is_udmabuf())
		return "udmabuf makes no read-only buffers";
	if ((test->flags & CONF_MEMORY) && (heap_properties & DMABUF_HEAP_PROTECTED))
		return "no CPU may map the heap's memory";
	if ((test->flags & CONF_CHARGE) && !own_cgroup[0])
		return "no cgroups with the memory controller can be made here";
	if ((test->flags & CONF_CHARGE) && !heap_charging)
		return "the kernel charges nobody for this heap";
	if ((test->flags & CONF_NO_CHARGE) && heap_charging)
		return "the heap can charge others";
	return NULL;
}

static const struct conf_case *const groups[] = {buffer_cases, pool_cases, charge_cases};

const struct conf_suite conf_suite = {
	.groups = groups,
	.group_count = ARRAY_SIZE(groups),
	.missing = missing,
	.run = run_case,
	.strerror = dmabuf_strerror,
};

/* Return: an exit status if no case can run, or -1. */
static int probe_heap(void)
{
	struct dmabuf_heap *heap;
	char text[256];
	int r = dmabuf_heap_open(heap_name, &heap);

	if (r < 0) {
		dmabuf_heap_explain(heap_name, text, sizeof(text));
		printf(r == -EINVAL ? "Bail out! %s: %s\n" : "1..0 # SKIP %s: %s\n", heap_name,
		       text);
		return r == -EINVAL;
	}
	heap_properties = dmabuf_heap_properties(heap);
	r = dmabuf_heap_charging(heap, &heap_charging);
	dmabuf_heap_unref(heap);
	if (r < 0) {
		printf("Bail out! %s: %s\n", heap_name, dmabuf_strerror(r));
		return 1;
	}
	find_own_cgroup();
	fprintf(stderr, "# %s, properties 0x%x, charging 0x%x, cgroups in %s\n", heap_name,
		heap_properties, heap_charging, own_cgroup[0] ? own_cgroup : "none");
	return -1;
}

static void usage(FILE *out)
{
	fprintf(out, "Usage: dmabuf-heap-conformance [OPTION...] [CASE...]\n"
		     "Runs the cases whose names match the patterns, or all. Output is TAP.\n"
		     "  --heap NAME  memfd, udmabuf, or one of /dev/dma_heap (memfd)\n"
		     "  --list       print the names of the cases\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"heap", required_argument, NULL, 'H'},
		{"list", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool list = false;
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'H':
			heap_name = optarg;
			break;
		case 'l':
			list = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (!list) {
		r = probe_heap();
		if (r >= 0)
			return r;
	}
	return conf_run(argv + optind, list);
}
