/* SPDX-License-Identifier: MIT */
/* dmabuf-vfio attach, revoke and list --socket: the clients of serve. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common.h"
#include "json.h"
#include "protocol.h"
#include "tool.h"
#include "vfio-tool.h"

/* Whether it can be the name of a range, and would not be cut; a message was printed if not. */
static bool check_name(const struct vfio_tool *tool)
{
	if (strlen(tool->operands[0]) < POLICY_NAME_SIZE)
		return true;
	tool_error("'%s' is longer than a range's name may be, %d bytes", tool->operands[0],
		   POLICY_NAME_SIZE - 1);
	return false;
}

/* ---- talking ------------------------------------------------------------ */

/* Return: a connected socket, or -1; a message was printed. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		tool_error("%s: longer than a socket's path may be", path);
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1) {
		tool_error("%s: %s", path,
			   errno == ECONNREFUSED || errno == ENOENT
				   ? "nobody serves there; start dmabuf-vfio serve"
				   : strerror(errno));
		close_cleanup(&fd);
		return -1;
	}
	return fd;
}

/* Receive a reply, with a buffer if @ret_buffer is not NULL. Return: 0; a negative errno. */
static int receive_reply(int socket, struct vend_reply *reply, struct dmabuf **ret_buffer)
{
	size_t count = ret_buffer ? 1 : 0, size = sizeof(*reply);
	struct dmabuf *buffer = NULL;
	int r;

	r = dmabuf_receive(socket, &buffer, &count, reply, &size);
	if (r < 0)
		return r;
	if (size != sizeof(*reply) || reply->version != VEND_VERSION) {
		dmabuf_unref(count ? buffer : NULL);
		return -EBADMSG;
	}
	reply->name[sizeof(reply->name) - 1] = reply->text[sizeof(reply->text) - 1] = '\0';
	make_printable(reply->name);
	make_printable(reply->text);
	if (ret_buffer)
		*ret_buffer = count ? buffer : NULL;
	return 0;
}

/* Send a request and receive the first reply. Return: EXIT_*; a message was printed. */
static int ask(const struct vfio_tool *tool, int socket, enum vend_operation operation,
	       struct vend_reply *reply, struct dmabuf **ret_buffer)
{
	struct vend_request request = {
		.version = VEND_VERSION,
		.operation = operation,
		.pid = tool->pid,
	};
	int r;

	if (operation != VEND_LIST)
		snprintf(request.name, sizeof(request.name), "%s", tool->operands[0]);
	r = dmabuf_send(socket, NULL, 0, &request, sizeof(request));
	if (r == 0)
		r = receive_reply(socket, reply, ret_buffer);
	if (r == -ENODATA || r == -EPIPE) {
		tool_error("%s: closed without an answer; what serve prints says why",
			   tool->socket);
		return EXIT_FAILED;
	}
	if (r < 0) {
		tool_error("%s: %s", tool->socket, dmabuf_strerror(r));
		return EXIT_FAILED;
	}
	if (reply->status < 0) {
		tool_error("refused: %s",
			   *reply->text ? reply->text : dmabuf_strerror(reply->status));
		return EXIT_REFUSED;
	}
	return EXIT_FINE;
}

/* ---- attach ------------------------------------------------------------- */

static int read_word(const volatile char *address, unsigned int width, uint64_t *ret_value)
{
	uint64_t value64 = 0;
	uint32_t value32;
	uint16_t value16;
	uint8_t value8;
	int r;

	switch (width) {
	case 1:
		r = dmabuf_guard_read8(address, &value8);
		*ret_value = r == 0 ? value8 : 0;
		return r;
	case 2:
		r = dmabuf_guard_read16(address, &value16);
		*ret_value = r == 0 ? value16 : 0;
		return r;
	case 4:
		r = dmabuf_guard_read32(address, &value32);
		*ret_value = r == 0 ? value32 : 0;
		return r;
	default:
		r = dmabuf_guard_read64(address, &value64);
		*ret_value = value64;
		return r;
	}
}

static int write_word(volatile char *address, unsigned int width, uint64_t value)
{
	switch (width) {
	case 1:
		return dmabuf_guard_write8(address, (uint8_t)value);
	case 2:
		return dmabuf_guard_write16(address, (uint16_t)value);
	case 4:
		return dmabuf_guard_write32(address, (uint32_t)value);
	default:
		return dmabuf_guard_write64(address, value);
	}
}

/* Whether all that is asked for is in the range and aligned; a message was printed if not. */
static bool check_accesses(const struct vfio_tool *tool, const struct vend_reply *reply)
{
	for (size_t i = 0; i < tool->n_accesses; i++) {
		const struct access *access = &tool->accesses[i];
		uint64_t count = access->write ? 1 : access->count;

		if (access->offset % tool->width) {
			tool_error("offset 0x%" PRIx64 " is not a multiple of %u; --width changes "
				   "that",
				   access->offset, tool->width);
			return false;
		}
		if (access->offset > reply->length ||
		    count > (reply->length - access->offset) / tool->width) {
			tool_error("offset 0x%" PRIx64 ": %s has 0x%" PRIx64 " bytes",
				   access->offset, reply->name, reply->length);
			return false;
		}
		if (access->write && reply->flags & DMABUF_VFIO_READ_ONLY) {
			tool_error("%s is read-only: the policy grants no writing", reply->name);
			return false;
		}
	}
	return true;
}

static void print_word(const struct vfio_tool *tool, struct json *json, uint64_t offset,
		       uint64_t value)
{
	if (!tool->json) {
		printf("0x%08" PRIx64 ": 0x%0*" PRIx64 "\n", offset, (int)tool->width * 2, value);
		return;
	}
	json_open(json, NULL, '{');
	json_unsigned(json, "offset", offset);
	json_unsigned(json, "value", value);
	json_close(json, '}');
}

/* Return: 0; -ENODEV. */
static int do_accesses(const struct vfio_tool *tool, struct json *json, volatile char *base)
{
	uint64_t value;
	int r = 0;

	for (size_t i = 0; r == 0 && i < tool->n_accesses; i++) {
		const struct access *access = &tool->accesses[i];

		if (access->write) {
			r = write_word(base + access->offset, tool->width, access->value);
			continue;
		}
		for (uint64_t n = 0; r == 0 && n < access->count; n++) {
			uint64_t offset = access->offset + n * tool->width;

			r = read_word(base + offset, tool->width, &value);
			if (r == 0)
				print_word(tool, json, offset, value);
		}
	}
	return r;
}

/* Until it is revoked, or the server or this program is told to end. */
static bool wait_for_revoke(int socket)
{
	struct vend_reply reply;
	int r;

	fflush(stdout);
	do
		r = receive_reply(socket, &reply, NULL);
	while (r == 0 && reply.operation != VEND_REVOKED);
	return r == 0 || r == -ENODATA;
}

static void print_lease(const struct vfio_tool *tool, struct json *json,
			const struct vend_reply *reply)
{
	if (!tool->json) {
		printf("%s: BAR %u, 0x%" PRIx64 "+0x%" PRIx64 "%s\n", reply->name, reply->bar,
		       reply->offset, reply->length, access_text(reply->flags, reply->attr));
		return;
	}
	json_text(json, "name", reply->name);
	json_unsigned(json, "bar", reply->bar);
	json_unsigned(json, "offset", reply->offset);
	json_unsigned(json, "length", reply->length);
	json_bool(json, "read_only", reply->flags & DMABUF_VFIO_READ_ONLY);
	json_bool(json, "write_combining", reply->attr == DMABUF_VFIO_ATTR_WC);
	json_bool(json, "shared", reply->flags & DMABUF_LEASE_SHARED);
}

/* Return: EXIT_*. */
static int use_buffer(const struct vfio_tool *tool, int socket, const struct vend_reply *reply,
		      struct dmabuf *buffer)
{
	uint32_t wanted =
		reply->flags & DMABUF_VFIO_READ_ONLY ? DMABUF_READ : DMABUF_READ | DMABUF_WRITE;
	struct json json = {.file = stdout};
	/* A memfd has nothing left when it is revoked; a dma-buf keeps its size. */
	bool revoked = dmabuf_size(buffer) == 0;
	void *base;
	int r;

	if (!revoked && dmabuf_size(buffer) < reply->length) {
		tool_error("%s: the buffer that came is smaller than the range", tool->socket);
		return EXIT_FAILED;
	}
	if (!check_accesses(tool, reply))
		return EXIT_USAGE;
	r = revoked ? -ENODEV : dmabuf_map(buffer, wanted, &base);
	if (r < 0 && r != -ENODEV) {
		tool_error("%s cannot be mapped: %s", reply->name, dmabuf_strerror(r));
		return EXIT_FAILED;
	}
	if (tool->json)
		json_open(&json, NULL, '{');
	print_lease(tool, &json, reply);
	if (tool->json)
		json_open(&json, "reads", '[');
	revoked = r < 0 || do_accesses(tool, &json, base) < 0;
	if (tool->json)
		json_close(&json, ']');
	if (!revoked && tool->wait)
		revoked = wait_for_revoke(socket);
	if (tool->json) {
		json_bool(&json, "revoked", revoked);
		json_close(&json, '}');
		putchar('\n');
	} else if (revoked) {
		printf("%s: revoked\n", reply->name);
	}
	return revoked ? EXIT_REVOKED : EXIT_FINE;
}

/* Whether each value to write is one of a word; a message was printed if not. */
static bool check_values(const struct vfio_tool *tool)
{
	for (size_t i = 0; i < tool->n_accesses; i++) {
		uint64_t value = tool->accesses[i].value;

		if (tool->width < sizeof(value) && value >> (8 * tool->width)) {
			tool_error("value 0x%" PRIx64
				   " is more than %u bytes hold; --width changes "
				   "that",
				   value, tool->width);
			return false;
		}
	}
	return true;
}

int tool_attach(struct vfio_tool *tool)
{
	_cleanup_close_ int socket = -1;
	struct dmabuf *buffer = NULL;
	struct vend_reply reply;
	int r;

	if (!check_name(tool) || !check_values(tool))
		return EXIT_USAGE;
	r = dmabuf_guard_init();
	if (r < 0) {
		tool_error("%s", dmabuf_strerror(r));
		return EXIT_FAILED;
	}
	socket = connect_to(tool->socket);
	if (socket < 0)
		return EXIT_FAILED;
	r = ask(tool, socket, VEND_ATTACH, &reply, &buffer);
	if (r == EXIT_FINE && !buffer) {
		tool_error("%s: an answer without a buffer", tool->socket);
		r = EXIT_FAILED;
	}
	if (r == EXIT_FINE)
		r = use_buffer(tool, socket, &reply, buffer);
	dmabuf_unref(buffer);
	return r;
}

/* ---- revoke and list ---------------------------------------------------- */

int tool_revoke(struct vfio_tool *tool)
{
	_cleanup_close_ int socket = -1;
	struct json json = {.file = stdout};
	struct vend_reply reply;
	int r;

	if (!check_name(tool))
		return EXIT_USAGE;
	socket = connect_to(tool->socket);
	if (socket < 0)
		return EXIT_FAILED;
	r = ask(tool, socket, VEND_REVOKE, &reply, NULL);
	if (r != EXIT_FINE)
		return r;
	if (tool->json) {
		json_open(&json, NULL, '{');
		json_unsigned(&json, "revoked", reply.count);
		json_close(&json, '}');
		putchar('\n');
	} else {
		printf("%s: %u revoked\n", tool->operands[0], reply.count);
	}
	return EXIT_FINE;
}

int tool_list_leases(struct vfio_tool *tool)
{
	_cleanup_close_ int socket = connect_to(tool->socket);
	struct json json = {.file = stdout};
	struct vend_reply reply;
	int r;

	if (socket < 0)
		return EXIT_FAILED;
	r = ask(tool, socket, VEND_LIST, &reply, NULL);
	if (r != EXIT_FINE)
		return r;
	if (tool->json)
		json_open(&json, NULL, '[');
	while (*reply.name) {
		if (tool->json) {
			json_open(&json, NULL, '{');
			print_lease(tool, &json, &reply);
			json_unsigned(&json, "pid", reply.pid);
			json_unsigned(&json, "uid", reply.uid);
			json_close(&json, '}');
		} else {
			printf("process %u of user %u has ", reply.pid, reply.uid);
			print_lease(tool, &json, &reply);
		}
		r = receive_reply(socket, &reply, NULL);
		if (r < 0) {
			tool_error("%s: %s", tool->socket, dmabuf_strerror(r));
			return EXIT_FAILED;
		}
	}
	if (tool->json) {
		json_close(&json, ']');
		putchar('\n');
	}
	return EXIT_FINE;
}
