/* SPDX-License-Identifier: MIT */
/* dmabuf-vfio list and export: devices, what they can do, and a buffer for a command. */
#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "common.h"
#include "json.h"
#include "policy.h"
#include "tool.h"
#include "vfio-tool.h"

#define MAX_RANGES 64

/* ---- opening ------------------------------------------------------------ */

/* What to do about it, for who runs a command. */
static const char *open_hint(int error)
{
	switch (error) {
	case -EINVAL:
		return "not an address such as 0000:03:00.0, a node /dev/vfio/devices/vfioN, a "
		       "group and address /dev/vfio/7:0000:03:00.0, or soft:SIZE,...";
	case -ENODEV:
		return "there is no such device; dmabuf-vfio list shows those of VFIO drivers";
	case -ENOTCONN:
		return "it has no VFIO driver; write vfio-pci to its driver_override in /sys and "
		       "its address to /sys/bus/pci/drivers_probe";
	case -EBUSY:
		return "somebody else has it, or a device of its group has another driver";
	case -EACCES:
		return "no permission for its node in /dev/vfio, or for /dev/iommu";
	case -EPERM:
		return "the machine cannot keep interrupts apart; see allow_unsafe_interrupts of "
		       "vfio_iommu_type1";
	case -EOPNOTSUPP:
		return "the kernel has neither /dev/iommu nor type 1 containers for it";
	default:
		return dmabuf_strerror(error);
	}
}

int tool_open_device(const char *name, struct dmabuf_vfio **ret_device)
{
	int r = dmabuf_vfio_open(name, ret_device);

	if (r == 0)
		return EXIT_FINE;
	tool_error("%s: %s", name, open_hint(r));
	return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
}

const char *access_text(uint32_t flags, uint32_t attr)
{
	static const char *const texts[] = {
		"",
		", read-only",
		", shared",
		", read-only, shared",
		", write-combining",
		", read-only, write-combining",
		", shared, write-combining",
		", read-only, shared, write-combining",
	};

	return texts[(flags & DMABUF_VFIO_READ_ONLY ? 1 : 0) |
		     (flags & DMABUF_LEASE_SHARED ? 2 : 0) | (attr == DMABUF_VFIO_ATTR_WC ? 4 : 0)];
}

/* ---- list --------------------------------------------------------------- */

static const struct {
	uint32_t feature;
	const char *name;
} features[] = {
	{DMABUF_VFIO_EXPORT, "export"}, {DMABUF_VFIO_MMAP, "mmap"},
	{DMABUF_VFIO_REVOKE, "revoke"}, {DMABUF_VFIO_WRITE_COMBINE, "write-combining"},
	{DMABUF_VFIO_RESET, "reset"},
};

static void print_features(struct json *json, bool is_json, uint32_t present)
{
	if (is_json)
		json_open(json, "features", '[');
	else
		printf("  features:%s", present ? "" : " none");
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		if (!(present & features[i].feature))
			continue;
		if (is_json)
			json_text(json, NULL, features[i].name);
		else
			printf(" %s", features[i].name);
	}
	if (is_json)
		json_close(json, ']');
	else
		putchar('\n');
}

static void print_region(struct json *json, bool is_json, uint32_t bar,
			 const struct dmabuf_vfio_region *region)
{
	bool can_read = region->access & DMABUF_READ, can_write = region->access & DMABUF_WRITE;

	if (!is_json) {
		printf("  BAR %u: 0x%" PRIx64 " bytes, %s%s%s\n", bar, region->size,
		       can_read ? "r" : "-", can_write ? "w" : "-",
		       region->can_map ? "" : ", cannot be exported");
		return;
	}
	json_open(json, NULL, '{');
	json_unsigned(json, "bar", bar);
	json_unsigned(json, "size", region->size);
	json_bool(json, "read", can_read);
	json_bool(json, "write", can_write);
	json_bool(json, "exportable", region->can_map);
	json_close(json, '}');
}

static int list_device(struct json *json, bool is_json, const char *name)
{
	struct dmabuf_vfio_region region;
	struct dmabuf_vfio *device;
	int r = tool_open_device(name, &device);

	if (r != EXIT_FINE)
		return r;
	if (is_json) {
		json_open(json, NULL, '{');
		json_text(json, "device", name);
		json_text(json, "description", dmabuf_vfio_description(device));
	} else {
		printf("%s\n", dmabuf_vfio_description(device));
	}
	print_features(json, is_json, dmabuf_vfio_features(device));
	if (is_json)
		json_open(json, "bars", '[');
	for (uint32_t bar = 0; bar < DMABUF_VFIO_BARS; bar++)
		if (dmabuf_vfio_region(device, bar, &region) == 0 && region.size)
			print_region(json, is_json, bar, &region);
	if (is_json) {
		json_close(json, ']');
		json_close(json, '}');
	}
	dmabuf_vfio_unref(device);
	return EXIT_FINE;
}

/* The last part of where a link of the directory leads; "" if there is none. */
static void link_name(int dir, const char *path, char name[NAME_MAX + 1])
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, path, target, sizeof(target) - 1);
	const char *slash;

	target[n > 0 ? n : 0] = '\0';
	slash = strrchr(target, '/');
	snprintf(name, NAME_MAX + 1, "%.*s", NAME_MAX, slash ? slash + 1 : target);
}

/* The device's own node; "" if it has none. */
static void node_name(int dir, char name[NAME_MAX + 1])
{
	int fd = openat(dir, "vfio-dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *nodes = fd >= 0 ? fdopendir(fd) : NULL;

	*name = '\0';
	if (!nodes) {
		close_cleanup(&fd);
		return;
	}
	for (const struct dirent *entry; (entry = readdir(nodes));)
		if (strstr(entry->d_name, "vfio"))
			strcpy(name, entry->d_name);
	closedir(nodes);
}

static void list_address(struct json *json, bool is_json, int devices, const char *address)
{
	char driver[NAME_MAX + 1], node[NAME_MAX + 1], group[NAME_MAX + 1];
	_cleanup_close_ int dir = openat(devices, address, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return;
	link_name(dir, "driver", driver);
	node_name(dir, node);
	link_name(dir, "iommu_group", group);
	if (!*node && !strstr(driver, "vfio"))
		return;
	if (!is_json) {
		printf("%s  driver %s%s%s%s%s\n", address, driver,
		       *node ? ", node /dev/vfio/devices/" : "", node, *group ? ", group " : "",
		       group);
		return;
	}
	json_open(json, NULL, '{');
	json_text(json, "address", address);
	json_text(json, "driver", driver);
	json_text(json, "node", *node ? node : NULL);
	json_text(json, "group", *group ? group : NULL);
	json_close(json, '}');
}

static int list_addresses(struct json *json, bool is_json)
{
	const char *sysfs = secure_getenv("DMABUF_SYSFS");
	_cleanup_free_ char *path = NULL;
	struct dirent **entries;
	int n, dir;

	path = format_text("%s/bus/pci/devices", sysfs && *sysfs ? sysfs : "/sys");
	n = path ? scandir(path, &entries, NULL, alphasort) : -1;
	if (n < 0 && errno == ENOENT)
		return EXIT_FINE; /* no PCI */
	if (n < 0) {
		tool_error("%s: %s", path ? path : "list", strerror(errno));
		return EXIT_FAILED;
	}
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < n; i++) {
		if (dir >= 0 && entries[i]->d_name[0] != '.')
			list_address(json, is_json, dir, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	close_cleanup(&dir);
	return EXIT_FINE;
}

int tool_list(struct vfio_tool *tool)
{
	struct json json = {.file = stdout};
	int status = EXIT_FINE;

	if (tool->socket)
		return tool_list_leases(tool);
	if (tool->json)
		json_open(&json, NULL, '[');
	if (!tool->n_operands)
		status = list_addresses(&json, tool->json);
	for (size_t i = 0; i < tool->n_operands; i++) {
		int r = list_device(&json, tool->json, tool->operands[i]);

		status = status ? status : r;
	}
	if (tool->json) {
		json_close(&json, ']');
		putchar('\n');
	}
	return status;
}

/* ---- export ------------------------------------------------------------- */

/* "0+4K,8K+4K". Return: how many, or 0; a message was printed. */
static size_t parse_ranges(char *text, struct dmabuf_range *ranges)
{
	size_t count = 0;
	char *word;

	while ((word = strsep(&text, ","))) {
		if (count == MAX_RANGES) {
			tool_error("more than %d ranges", MAX_RANGES);
			return 0;
		}
		if (parse_range(word, false, &ranges[count].offset, &ranges[count].length) < 0) {
			tool_error("range '%s' is not OFFSET+LENGTH, such as 64K+4K", word);
			return 0;
		}
		count++;
	}
	return count;
}

static void print_export(const struct vfio_tool *tool, struct dmabuf *buffer, uint32_t bar,
			 uint32_t flags, uint32_t attr)
{
	struct json json = {.file = stdout};
	struct dmabuf_info info = {0};

	dmabuf_info(dmabuf_fd(buffer), &info);
	if (!tool->json) {
		printf("descriptor %d: %" PRIu64 " bytes of BAR %u%s, exporter %s\n",
		       dmabuf_fd(buffer), dmabuf_size(buffer), bar, access_text(flags, attr),
		       info.exporter);
		return;
	}
	json_open(&json, NULL, '{');
	json_signed(&json, "fd", dmabuf_fd(buffer));
	json_unsigned(&json, "size", dmabuf_size(buffer));
	json_unsigned(&json, "bar", bar);
	json_bool(&json, "read_only", tool->read_only);
	json_bool(&json, "write_combining", tool->write_combining);
	json_text(&json, "exporter", info.exporter);
	json_close(&json, '}');
	putchar('\n');
}

/* With the descriptor, whose number is in its environment. Return: its exit status. */
static int run_command(char **command, const struct dmabuf *buffer)
{
	char number[16];
	int status;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", dmabuf_fd(buffer));
	fflush(stdout);
	pid = fork();
	if (pid == -1) {
		tool_error("%s: %s", command[0], strerror(errno));
		return EXIT_FAILED;
	}
	if (pid == 0) {
		fcntl(dmabuf_fd(buffer), F_SETFD, 0);
		setenv("DMABUF_FD", number, 1);
		execvp(command[0], command);
		tool_error("%s: %s", command[0], strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return EXIT_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int export_and_run(const struct vfio_tool *tool, struct dmabuf_vfio *device, uint32_t bar,
			  const struct dmabuf_range *ranges, size_t count)
{
	uint32_t attr = tool->write_combining ? DMABUF_VFIO_ATTR_WC : DMABUF_VFIO_ATTR_UC;
	uint32_t flags = tool->read_only ? DMABUF_VFIO_READ_ONLY : 0;
	struct dmabuf *buffer;
	int r, status = EXIT_FINE;

	r = dmabuf_vfio_export(device, bar, ranges, count, attr, flags, tool->name, &buffer);
	if (r == -EINVAL) {
		tool_error("a range is not in BAR %u, or not of whole pages of %ld bytes", bar,
			   sysconf(_SC_PAGESIZE));
		return EXIT_USAGE;
	}
	if (r == -EOPNOTSUPP) {
		tool_error("%s: %s", dmabuf_vfio_description(device),
			   dmabuf_vfio_features(device) & DMABUF_VFIO_EXPORT
				   ? "no write-combining mappings"
				   : "the kernel or the driver cannot export BARs; Linux 6.19 can");
		return EXIT_FAILED;
	}
	if (r < 0) {
		tool_error("%s: BAR %u: %s", dmabuf_vfio_description(device), bar,
			   r == -ENODEV ? "is absent, or cannot be exported" : dmabuf_strerror(r));
		return EXIT_FAILED;
	}
	print_export(tool, buffer, bar, flags, attr);
	if (tool->command)
		status = run_command(tool->command, buffer);
	/* What the command has passed on is taken back. */
	r = dmabuf_vfio_revoke(device, buffer);
	if (r < 0 && r != -EOPNOTSUPP)
		tool_error("cannot revoke: %s", dmabuf_strerror(r));
	dmabuf_unref(buffer);
	return status;
}

int tool_export(struct vfio_tool *tool)
{
	struct dmabuf_range ranges[MAX_RANGES];
	const char *bar = tool->operands[1];
	struct dmabuf_vfio *device;
	size_t count;
	int r;

	if (bar[0] < '0' || bar[0] >= '0' + (int)DMABUF_VFIO_BARS || bar[1]) {
		tool_error("BAR '%s' is not 0 to %u", bar, DMABUF_VFIO_BARS - 1);
		return EXIT_USAGE;
	}
	count = parse_ranges(tool->operands[2], ranges);
	if (!count)
		return EXIT_USAGE;
	r = tool_open_device(tool->operands[0], &device);
	if (r != EXIT_FINE)
		return r;
	r = export_and_run(tool, device, (uint32_t)(bar[0] - '0'), ranges, count);
	dmabuf_vfio_unref(device);
	return r;
}
