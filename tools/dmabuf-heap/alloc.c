/* SPDX-License-Identifier: MIT */
/* dmabuf-heap alloc: a buffer, who was charged for it, and a command that inherits it. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "heap-tool.h"
#include "json.h"
#include "tool.h"

/* ---- what can go wrong -------------------------------------------------- */

/* Return: EXIT_FAILED */
static int no_heap(const struct heap_tool *tool, int error)
{
	char text[512];

	/* The first one that was asked for is the one that was wanted. */
	if (tool->n_heaps == 1 || (tool->n_heaps && error != -ENOENT)) {
		if (dmabuf_heap_explain(tool->heaps[0], text, sizeof(text)) < 0) {
			tool_error_line(text);
			return EXIT_FAILED;
		}
	}
	if (error == -ENOENT)
		tool_error("there is no such heap; dmabuf-heap list shows those there are, and "
			   "udmabuf and memfd are taken if they are named by --heap");
	else
		tool_error("no heap can be opened: %s; dmabuf-heap list says why",
			   dmabuf_strerror(error));
	return EXIT_FAILED;
}

/* Return: EXIT_* */
static int no_target(const char *charge, int error)
{
	const char *cure = "";

	if (error == -ENOENT || error == -EINVAL)
		cure = "; TARGET is self, the number of a process, or a cgroup";
	tool_error("--charge %s: %s%s", charge, dmabuf_strerror(error), cure);
	return EXIT_CHARGE;
}

/* Return: EXIT_* */
static int not_allocated(const struct heap_tool *tool, const struct dmabuf_heap *heap, int error)
{
	const char *name = dmabuf_heap_name(heap);

	if (error == -EFBIG) {
		tool_error(
			"%s: more than its limit; raise the parameter size_limit_mb of the module "
			"udmabuf",
			name);
		return EXIT_FAILED;
	}
	if (error == -EOPNOTSUPP && tool->read_only && strcmp(name, "udmabuf") == 0) {
		tool_error("udmabuf: it makes no read-only buffers; leave out --read-only");
		return EXIT_FAILED;
	}
	switch (tool->charge ? error : 0) {
	case -EOPNOTSUPP:
		tool_error(
			"%s cannot be charged for memory of %s here: it needs a kernel that knows "
			"charge_pid_fd, or dma_heap.mem_accounting=1 on its command line, and the "
			"memory controller in the cgroup; or leave out --strict",
			tool->charge, name);
		return EXIT_CHARGE;
	case -EACCES:
		tool_error(
			"%s may not be charged: that takes write permission on the cgroup.procs of "
			"its cgroup; or leave out --strict",
			tool->charge);
		return EXIT_CHARGE;
	case -EPERM:
		tool_error("%s may not be charged: a policy of the kernel forbids it (SELinux: "
			   "dma_heap charge_to)",
			   tool->charge);
		return EXIT_CHARGE;
	case -EDQUOT:
		tool_error("%s cannot be charged for so much: memory.max of its cgroup or of one "
			   "above is in the way",
			   tool->charge);
		return EXIT_CHARGE;
	case -ESRCH:
		tool_error("%s cannot be charged: it is gone", tool->charge);
		return EXIT_CHARGE;
	}
	tool_error("%s: %s", name, dmabuf_strerror(error));
	return EXIT_FAILED;
}

/* ---- what was done ------------------------------------------------------ */

static const char *charged_word(enum dmabuf_charged charged)
{
	switch (charged) {
	case DMABUF_CHARGED_KERNEL:
		return "kernel";
	case DMABUF_CHARGED_HELPER:
		return "helper";
	case DMABUF_CHARGED_CALLER:
		return "caller";
	default:
		return NULL;
	}
}

static void print_charged(const struct heap_tool *tool, enum dmabuf_charged charged)
{
	const char *target = tool->charge ? tool->charge : "";

	switch (charged) {
	case DMABUF_CHARGED_KERNEL:
		printf("charged: %s, by the kernel\n", target);
		break;
	case DMABUF_CHARGED_HELPER:
		printf("charged: %s, by a process that allocated in its cgroup\n", target);
		break;
	case DMABUF_CHARGED_CALLER:
		printf("charged: this process%s%s\n",
		       *target && strcmp(target, "self") ? ", not " : "",
		       *target && strcmp(target, "self") ? target : "");
		break;
	default:
		printf("charged: nobody\n");
	}
}

static void print_difference(const char *when, const struct counters *from,
			     const struct counters *to)
{
	printf("%s:", when);
	for (int i = 0; i < COUNTERS; i++)
		if (to->bytes[i] >= 0)
			printf(" %s %" PRId64 " (%+" PRId64 ")", counter_names[i], to->bytes[i],
			       to->bytes[i] - from->bytes[i]);
	putchar('\n');
}

static void json_counters(struct json *json, const char *key, const struct counters *counters)
{
	json_open(json, key, '{');
	for (int i = 0; i < COUNTERS; i++)
		if (counters->bytes[i] >= 0)
			json_signed(json, counter_names[i], counters->bytes[i]);
		else
			json_text(json, counter_names[i], NULL);
	json_close(json, '}');
}

/* What is known before the command runs. */
static void print_buffer(const struct heap_tool *tool, const struct dmabuf_heap *heap,
			 const struct dmabuf *buffer, const struct watch *watch)
{
	struct dmabuf_info info = {0};

	dmabuf_info(dmabuf_fd(buffer), &info);
	make_printable(info.name);
	printf("%" PRIu64 " bytes of %s, named %s\n", dmabuf_size(buffer), dmabuf_heap_name(heap),
	       info.name[0] ? info.name : "nothing");
	print_charged(tool, dmabuf_charged(buffer));
	if (tool->watch)
		print_difference("allocated", &watch->before, &watch->during);
}

static void print_json(const struct heap_tool *tool, const struct dmabuf_heap *heap,
		       const struct dmabuf *buffer, const struct watch *watch)
{
	struct json json = {.file = stdout};
	struct dmabuf_info info = {0};

	dmabuf_info(dmabuf_fd(buffer), &info);
	json_open(&json, NULL, '{');
	json_text(&json, "heap", dmabuf_heap_name(heap));
	json_bits(&json, "properties", property_bits, dmabuf_heap_properties(heap));
	json_unsigned(&json, "size", dmabuf_size(buffer));
	json_text(&json, "name", info.name);
	json_text(&json, "exporter", info.exporter);
	json_text(&json, "target", tool->charge);
	json_text(&json, "charged", charged_word(dmabuf_charged(buffer)));
	if (tool->watch) {
		json_counters(&json, "before", &watch->before);
		json_counters(&json, "allocated", &watch->during);
	}
	json_close(&json, '}');
	putchar('\n');
}

/* ---- the command -------------------------------------------------------- */

/* Return: an exit status, or not at all. */
static int exec_command(char **command, const struct dmabuf *buffer)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", dmabuf_fd(buffer));
	fcntl(dmabuf_fd(buffer), F_SETFD, 0);
	setenv("DMABUF_FD", number, 1);
	execvp(command[0], command);
	tool_error("%s: %s", command[0], strerror(errno));
	return errno == ENOENT ? EXIT_NO_COMMAND : EXIT_CANNOT_RUN;
}

/* In a child, as there is something to do afterwards. Return: its exit status. */
static int run_command(char **command, const struct dmabuf *buffer)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid == -1) {
		tool_error("%s: %s", command[0], strerror(errno));
		return EXIT_FAILED;
	}
	if (pid == 0)
		_exit(exec_command(command, buffer));
	signal(SIGINT, SIG_IGN); /* the command's affair */
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return EXIT_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- all of it ---------------------------------------------------------- */

bool is_pid(const char *text, pid_t *ret_pid)
{
	uint64_t pid;

	if (text[strspn(text, "0123456789")] || parse_size(text, INT32_MAX, &pid) < 0)
		return false;
	*ret_pid = (pid_t)pid;
	return true;
}

/* Return: 0, or a negative errno. */
static int make_target(const char *text, struct dmabuf_charge **ret_charge)
{
	pid_t pid;

	if (strcmp(text, "self") == 0)
		return dmabuf_charge_self(ret_charge);
	if (is_pid(text, &pid))
		return dmabuf_charge_pid(pid, ret_charge);
	return dmabuf_charge_cgroup(text, ret_charge);
}

/* With a buffer. Its reference is used up. Return: the exit status. */
static int use_buffer(const struct heap_tool *tool, const struct dmabuf_heap *heap,
		      struct dmabuf *buffer, struct watch *watch)
{
	bool counts = dmabuf_charged(buffer) != DMABUF_CHARGED_NOT;
	int status = EXIT_FINE;

	if (tool->watch)
		watch_look(watch, &watch->during, counts ? (int64_t)dmabuf_size(buffer) : 0);
	if (tool->json)
		print_json(tool, heap, buffer, watch);
	else
		print_buffer(tool, heap, buffer, watch);
	if (fflush(stdout) == EOF)
		status = EXIT_FAILED; /* main() says so */
	else if (tool->command)
		status = tool->watch ? run_command(tool->command, buffer)
				     : exec_command(tool->command, buffer);
	dmabuf_unref(buffer);
	if (tool->watch && !tool->json) {
		watch_look(watch, &watch->after, INT64_MIN);
		print_difference("released", &watch->before, &watch->after);
	}
	return status;
}

int tool_alloc(const struct heap_tool *tool)
{
	struct dmabuf_charge *charge = NULL;
	struct watch watch = {.cgroup = -1};
	struct dmabuf_heap *heap;
	struct dmabuf *buffer;
	uint64_t size;
	int r, status;
	uint32_t flags = (tool->strict ? DMABUF_ALLOC_STRICT : 0) |
			 (tool->read_only ? DMABUF_ALLOC_READ_ONLY : 0);

	if (parse_size(tool->operands[0], INT64_MAX, &size) < 0 || size == 0) {
		tool_error("'%s' is no size, such as 4096, 64K or 8M", tool->operands[0]);
		return EXIT_USAGE;
	}
	r = dmabuf_heap_find(tool->n_heaps ? tool->heaps : NULL, tool->required, 0, &heap);
	if (r < 0)
		return no_heap(tool, r);
	r = tool->charge ? make_target(tool->charge, &charge) : 0;
	status = r < 0 ? no_target(tool->charge, r) : EXIT_FINE;
	if (status == EXIT_FINE && tool->watch)
		status = watch_begin(&watch, tool->charge);
	if (status == EXIT_FINE) {
		r = dmabuf_alloc(heap, size, tool->name, charge, flags, &buffer);
		status = r < 0 ? not_allocated(tool, heap, r)
			       : use_buffer(tool, heap, buffer, &watch);
	}
	watch_end(&watch);
	dmabuf_charge_unref(charge);
	dmabuf_heap_unref(heap);
	return status;
}
