/* SPDX-License-Identifier: GPL-2.0-only */
/* Who may be charged under the policy of the test dma-heap-selinux. */
#include "fds.h"
#include "heap.h"
#include "tap.h"

/* From now on this is what the process is. */
static void become(const char *type)
{
	char context[64];
	int fd = open("/proc/thread-self/attr/current", O_WRONLY | O_CLOEXEC);
	int length = snprintf(context, sizeof(context), "u:r:%s", type);

	if (fd == -1 || write(fd, context, (size_t)length) != length)
		die(context);
	close(fd);
}

/* 0, or a negative errno. */
static int try(int heap, int charge)
{
	int fd = heap_alloc(heap, 4 * KIB, charge);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* The exit status of dmabuf-heap, 4 if it could not charge the process. */
static int try_tool(pid_t pid)
{
	char command[96];

	snprintf(command, sizeof(command), "dmabuf-heap alloc --heap system --charge %d 4K >&2",
		 pid);
	return WEXITSTATUS(system(command));
}

static void set_enforcing(const char *value)
{
	if (cgroup_write("/sys/fs/selinux", "enforce", value))
		die("enforce");
}

int main(void)
{
	pid_t client = spawn_process(become, "client_t");
	pid_t stranger = spawn_process(become, "stranger_t");
	int to_client = pidfd_of(client, 0), to_stranger = pidfd_of(stranger, 0);
	int heap = heap_open();
	unsigned int before = count_fds();
	bool good = true;

	if (heap == -1 || to_client == -1 || to_stranger == -1)
		die(heap_path());
	printf("1..10\n");
	fflush(stdout);
	become("allocator_t");
	good &= result(try(heap, 0) == 0, "who names nobody is not asked about");
	good &= result(try(heap, to_client) == 0, "the allocator may charge its client");
	good &= result(try(heap, to_stranger) == -EACCES, "it may not charge a stranger");
	good &= result(try(heap, SELF_PROCESS) == -EACCES,
		       "nor itself, if the policy does not say so");
	good &= result(try_tool(client) == 0, "dmabuf-heap charges the client");
	good &= result(try_tool(stranger) == 4, "and says that it may not charge the stranger");
	set_enforcing("0");
	good &= result(try(heap, to_stranger) == 0, "it may when nothing is enforced");
	set_enforcing("1");
	become("owner_t");
	good &= result(try(heap, SELF_PROCESS) == 0, "who may charge itself does");
	good &= result(try(heap, to_client) == -EACCES, "but not another one's client");
	good &= result(count_fds() == before, "no file descriptor is left");
	end_process(client);
	end_process(stranger);
	return !good;
}
