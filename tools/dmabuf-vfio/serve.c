/* SPDX-License-Identifier: MIT */
/* dmabuf-vfio serve: vends ranges of BARs over a Unix socket, to whom the policy file says. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "common.h"
#include "file.h"
#include "json.h"
#include "protocol.h"
#include "tool.h"
#include "vfio-tool.h"

#define MAX_CLIENTS 64
#define MAX_CLIENTS_OF_USER 16 /* so that one user does not keep the others out */
#define MAX_GRANTS 1024
#define MAX_GRANTS_OF_USER 256 /* and of a client; epoll watches a process 500 times */
#define MAX_FDS 4096           /* more than all of these take */

/* Of Linux 6.5. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

struct server;

/* What epoll watches; @ready may free it. */
struct source {
	void (*ready)(struct server *server, struct source *source);
};

struct client {
	struct source source; /* first */
	int socket;
	int pidfd; /* -1 if its process is not visible here */
	struct peer peer;
	uint64_t list_below; /* LIST: grants with lower numbers are still to be sent; 0: none is */
};

struct grant {
	struct grant *next;
	uint64_t number; /* the next one's is lower */
	struct dmabuf_lease *lease;
	struct client *client;
	const struct policy_line *line;
};

struct bar {
	struct source source; /* first */
	struct dmabuf_leases *leases;
};

struct server {
	struct policy policy;
	struct dmabuf_vfio *device;
	struct bar bars[DMABUF_VFIO_BARS];
	struct client *clients[MAX_CLIENTS];
	struct grant *grants;
	uint64_t last_number;
	int epoll, listener, signals;
	int spare; /* a descriptor to give up when there are no more */
	struct source listener_source, signals_source;
	bool json, stop;
};

/* ---- telling ------------------------------------------------------------ */

/* One line about @line and the client, or about the client alone. */
static void tell(const struct server *server, const char *event, const struct client *client,
		 const struct policy_line *line, const char *reason)
{
	struct json json = {.file = stdout};

	if (server->json) {
		json_open(&json, NULL, '{');
		json_text(&json, "event", event);
		if (line)
			json_text(&json, "name", line->name);
		json_signed(&json, "pid", client->peer.pid);
		json_unsigned(&json, "uid", client->peer.uid);
		if (*reason)
			json_text(&json, "reason", reason);
		json_close(&json, '}');
		putchar('\n');
	} else {
		printf("%s%s%s: process %d of user %u%s%s\n", event, line ? " " : "",
		       line ? line->name : "", client->peer.pid, client->peer.uid,
		       *reason ? ": " : "", reason);
	}
	fflush(stdout);
}

static void tell_start(const struct server *server, const char *path)
{
	const char *device = dmabuf_vfio_description(server->device);
	struct json json = {.file = stdout};

	if (server->json) {
		json_open(&json, NULL, '{');
		json_text(&json, "event", "serving");
		json_text(&json, "device", device);
		json_text(&json, "socket", path);
		json_close(&json, '}');
		putchar('\n');
	} else {
		printf("serving %s at %s\n", device, path);
	}
	fflush(stdout);
}

/* ---- clients ------------------------------------------------------------ */

static void drop_client(struct server *server, struct client *client, const char *reason);

static struct vend_reply make_reply(enum vend_operation operation, int status)
{
	return (struct vend_reply){
		.version = VEND_VERSION,
		.operation = operation,
		.status = status,
	};
}

/* A client that does not take its replies is not waited for. Return: whether it was sent. */
static bool answer(struct server *server, struct client *client, const struct vend_reply *reply,
		   struct dmabuf *buffer)
{
	int r = dmabuf_send(client->socket, &buffer, buffer != NULL, reply, sizeof(*reply));

	if (r < 0)
		drop_client(server, client, r == -EAGAIN ? "it does not take its replies" : "");
	return r == 0;
}

static void refuse(struct server *server, struct client *client, enum vend_operation operation,
		   int status, const char *format, ...) __attribute__((format(printf, 5, 6)));
static void refuse(struct server *server, struct client *client, enum vend_operation operation,
		   int status, const char *format, ...)
{
	struct vend_reply reply = make_reply(operation, status);
	va_list args;

	va_start(args, format);
	vsnprintf(reply.text, sizeof(reply.text), format, args);
	va_end(args);
	tell(server, "refused", client, NULL, reply.text);
	answer(server, client, &reply, NULL);
}

static void describe_grant(const struct grant *grant, struct vend_reply *reply)
{
	struct dmabuf_range range;

	dmabuf_lease_range(grant->lease, &range);
	strcpy(reply->name, grant->line->name);
	reply->offset = range.offset;
	reply->length = range.length;
	reply->bar = grant->line->bar;
	reply->flags = grant->line->flags;
	reply->attr = grant->line->attr;
	reply->pid = (uint32_t)grant->client->peer.pid;
	reply->uid = grant->client->peer.uid;
}

/* Take a grant out of the list. Return: it, for who asks to free. */
static struct grant *take_grant(struct server *server, struct grant *grant)
{
	struct grant **at = &server->grants;

	while (*at != grant)
		at = &(*at)->next;
	*at = grant->next;
	return grant;
}

/* End one lease. Return: whether the device revoked it. */
static bool end_grant(struct server *server, struct grant *grant, const char *reason)
{
	int r = dmabuf_lease_revoke(grant->lease);

	if (r < 0) {
		tool_error("cannot revoke %s: %s", grant->line->name, dmabuf_strerror(r));
		return false;
	}
	tell(server, "revoked", grant->client, grant->line, reason);
	free(take_grant(server, grant));
	return true;
}

static void free_client(struct client *client)
{
	close_cleanup(&client->socket);
	close_cleanup(&client->pidfd);
	free(client->peer.groups);
	free(client);
}

/* With all leases, also if the device does not revoke one: then nobody gets that range again. */
static void drop_client(struct server *server, struct client *client, const char *reason)
{
	struct grant *next;

	for (struct grant *grant = server->grants; grant; grant = next) {
		next = grant->next;
		if (grant->client == client && !end_grant(server, grant, "it has gone"))
			free(take_grant(server, grant));
	}
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		if (server->clients[i] == client)
			server->clients[i] = NULL;
	if (*reason)
		tell(server, "dropped", client, NULL, reason);
	free_client(client);
}

/* ---- requests ----------------------------------------------------------- */

/* Return: the end of what is in the way of a range anywhere, or 0. */
static uint64_t collision(const struct server *server, uint32_t bar, uint64_t offset,
			  uint64_t length)
{
	struct dmabuf_range range;

	/* Also with what has a place of its own and is not leased now. */
	for (size_t i = 0; i < server->policy.count; i++) {
		const struct policy_line *line = &server->policy.lines[i];

		if (line->bar == bar && line->offset != DMABUF_LEASE_ANYWHERE &&
		    line->offset < offset + length && offset < line->offset + line->length)
			return line->offset + line->length;
	}
	for (const struct grant *grant = server->grants; grant; grant = grant->next) {
		dmabuf_lease_range(grant->lease, &range);
		if (grant->line->bar == bar && range.offset < offset + length &&
		    offset < range.offset + range.length)
			return range.offset + range.length;
	}
	return 0;
}

/* A place for a range anywhere; past the end of the BAR if there is none. */
static uint64_t find_range(const struct server *server, const struct policy_line *line)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), offset = 0, end;
	uint64_t length = ALIGN_UP(line->length, page);

	while ((end = collision(server, line->bar, offset, length)))
		offset = ALIGN_UP(end, page);
	return offset;
}

/* Return: 0 and the lease; a negative errno. */
static int lease_for(struct server *server, const struct client *client,
		     const struct policy_line *line, struct dmabuf_lease **ret_lease)
{
	struct dmabuf_lease_request request = {
		.offset = line->offset,
		.length = line->length,
		.attr = line->attr,
		.flags = line->flags,
		.name = line->name,
		.pidfd = client->pidfd,
	};
	struct dmabuf_vfio_region region;

	if (request.offset == DMABUF_LEASE_ANYWHERE) {
		dmabuf_vfio_region(server->device, line->bar, &region);
		request.offset = find_range(server, line);
		if (request.offset > region.size - line->length)
			return -ENOSPC;
	}
	return dmabuf_lease_grant(server->bars[line->bar].leases, &request, ret_lease);
}

static bool is_owner(const struct client *client)
{
	return client->peer.uid == 0 || client->peer.uid == geteuid();
}

/* Each takes descriptors of this process. */
static bool may_have_another(const struct server *server, const struct client *client)
{
	unsigned int all = 0, of_client = 0, of_user = 0;

	for (const struct grant *grant = server->grants; grant; grant = grant->next) {
		all++;
		of_client += grant->client == client;
		of_user += grant->client->peer.uid == client->peer.uid;
	}
	return all < MAX_GRANTS && of_client < MAX_GRANTS_OF_USER &&
	       (of_user < MAX_GRANTS_OF_USER || is_owner(client));
}

static void grant_request(struct server *server, struct client *client, const char *name)
{
	const struct policy_line *line = policy_find(&server->policy, name);
	struct vend_reply reply = make_reply(VEND_ATTACH, 0);
	struct grant *grant;
	int r;

	/* The same answer for both, so that names cannot be found out. */
	if (!line || !policy_allows(line, &client->peer)) {
		refuse(server, client, VEND_ATTACH, -EACCES,
		       "the policy grants this user no range '%s'", name);
		return;
	}
	if (!may_have_another(server, client)) {
		refuse(server, client, VEND_ATTACH, -EUSERS,
		       "%s: %d ranges are as many as one may have", name, MAX_GRANTS_OF_USER);
		return;
	}
	grant = calloc(1, sizeof(*grant));
	r = grant ? lease_for(server, client, line, &grant->lease) : -ENOMEM;
	if (r < 0) {
		free(grant);
		refuse(server, client, VEND_ATTACH, r, "%s: %s", name, dmabuf_strerror(r));
		return;
	}
	grant->client = client;
	grant->line = line;
	grant->number = ++server->last_number;
	grant->next = server->grants;
	server->grants = grant;
	describe_grant(grant, &reply);
	tell(server, "granted", client, line, "");
	answer(server, client, &reply, dmabuf_lease_buffer(grant->lease));
}

static void say_revoked(struct server *server, const struct grant *grant)
{
	struct vend_reply reply = make_reply(VEND_REVOKED, 0);

	describe_grant(grant, &reply);
	/* Whoever does not take it is dropped at its next request. */
	dmabuf_send(grant->client->socket, NULL, 0, &reply, sizeof(reply));
}

static void revoke_request(struct server *server, struct client *client, const char *name,
			   uint32_t pid)
{
	struct vend_reply reply = make_reply(VEND_REVOKE, 0);
	struct grant *next;

	for (struct grant *grant = server->grants; grant; grant = next) {
		next = grant->next;
		if (strcmp(grant->line->name, name) != 0 ||
		    (pid && (uint32_t)grant->client->peer.pid != pid))
			continue;
		say_revoked(server, grant);
		if (end_grant(server, grant, "on request"))
			reply.count++;
		else
			reply.status = -EIO;
	}
	if (!reply.count && !reply.status) {
		refuse(server, client, VEND_REVOKE, -ENOENT, "nobody has '%s'", name);
		return;
	}
	answer(server, client, &reply, NULL);
}

static void wait_for(struct server *server, struct client *client, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = &client->source};

	epoll_ctl(server->epoll, EPOLL_CTL_MOD, client->socket, &event);
}

/* Return: whether it went; if not, the rest waits for the client, or the client is gone. */
static bool send_listed(struct server *server, struct client *client,
			const struct vend_reply *reply)
{
	int r = dmabuf_send(client->socket, NULL, 0, reply, sizeof(*reply));

	if (r == -EAGAIN)
		wait_for(server, client, EPOLLOUT);
	else if (r < 0)
		drop_client(server, client, "");
	return r == 0;
}

/* A list may be longer than what a socket holds. */
static void continue_list(struct server *server, struct client *client)
{
	struct vend_reply reply;

	for (const struct grant *grant = server->grants; grant; grant = grant->next) {
		if (grant->number >= client->list_below)
			continue;
		reply = make_reply(VEND_LIST, 0);
		describe_grant(grant, &reply);
		if (!send_listed(server, client, &reply))
			return;
		client->list_below = grant->number;
	}
	reply = make_reply(VEND_LIST, 0);
	if (!send_listed(server, client, &reply))
		return;
	client->list_below = 0;
	wait_for(server, client, EPOLLIN);
}

static void serve_request(struct server *server, struct client *client,
			  struct vend_request *request)
{
	request->name[sizeof(request->name) - 1] = '\0';
	make_printable(request->name);
	if (request->version != VEND_VERSION || request->zero) {
		drop_client(server, client, "another version of the protocol");
	} else if (request->operation == VEND_ATTACH) {
		grant_request(server, client, request->name);
	} else if (request->operation != VEND_REVOKE && request->operation != VEND_LIST) {
		drop_client(server, client, "an unknown request");
	} else if (!is_owner(client)) {
		refuse(server, client, (enum vend_operation)request->operation, -EPERM,
		       "only root and the user who serves may do that");
	} else if (request->operation == VEND_REVOKE) {
		revoke_request(server, client, request->name, request->pid);
	} else {
		client->list_below = UINT64_MAX;
		continue_list(server, client);
	}
}

static void client_ready(struct server *server, struct source *source)
{
	struct client *client = (struct client *)source;
	struct dmabuf *buffers[DMABUF_MESSAGE_BUFFERS];
	size_t count = ARRAY_SIZE(buffers), size;
	struct vend_request request;
	int r;

	if (client->list_below) {
		continue_list(server, client);
		return;
	}
	size = sizeof(request);
	r = dmabuf_receive(client->socket, buffers, &count, &request, &size);
	if (r == -EAGAIN)
		return;
	if (r < 0) {
		drop_client(server, client, r == -ENODATA ? "" : dmabuf_strerror(r));
		return;
	}
	for (size_t i = 0; i < count; i++)
		dmabuf_unref(buffers[i]);
	if (count || size != sizeof(request))
		drop_client(server, client, "a message that is no request");
	else
		serve_request(server, client, &request);
}

/* ---- who connects ------------------------------------------------------- */

/* The supplementary groups and @gid. Return: 0; a negative errno. */
static int find_groups(int socket, gid_t gid, struct peer *peer)
{
	socklen_t length = 0;
	gid_t *groups, none;

	/* Says how much it is. */
	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, &none, &length) == -1 && errno != ERANGE)
		return -errno;
	groups = malloc(length + sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &length) == -1) {
		int error = -errno;

		free(groups);
		return error;
	}
	peer->n_groups = length / sizeof(*groups);
	groups[peer->n_groups++] = gid;
	peer->groups = groups;
	return 0;
}

/* The kernel's pidfd of who connected; before Linux 6.5 one by its number. */
static int find_pidfd(int socket, pid_t pid)
{
	socklen_t length = sizeof(int);
	int fd;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &length) == 0)
		return fd;
	if (errno != ENOPROTOOPT)
		return -errno;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return fd == -1 ? -errno : fd;
}

static int identify(struct client *client)
{
	socklen_t length = sizeof(struct ucred);
	struct ucred cred;
	int r;

	if (getsockopt(client->socket, SOL_SOCKET, SO_PEERCRED, &cred, &length) == -1)
		return -errno;
	client->peer.pid = cred.pid;
	client->peer.uid = cred.uid;
	r = find_groups(client->socket, cred.gid, &client->peer);
	if (r < 0 || cred.pid == 0)
		return r;
	r = find_pidfd(client->socket, cred.pid);
	if (r < 0)
		return r;
	client->pidfd = r;
	return 0;
}

static int watch(struct server *server, int fd, struct source *source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

	return epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) == -1 ? -errno : 0;
}

/* A place for a client of this user. Return: NULL if there is none. */
static struct client **find_place(struct server *server, uid_t uid)
{
	struct client **place = NULL;
	unsigned int of_user = 0;

	for (size_t i = 0; i < MAX_CLIENTS; i++) {
		if (!server->clients[i])
			place = place ? place : &server->clients[i];
		else
			of_user += server->clients[i]->peer.uid == uid;
	}
	return of_user < MAX_CLIENTS_OF_USER || uid == 0 || uid == geteuid() ? place : NULL;
}

/* There are no more descriptors, and who waits to be accepted would be an event for ever. */
static void turn_away(struct server *server)
{
	struct client client = {.socket = -1};
	socklen_t length = sizeof(struct ucred);
	struct ucred cred = {0};

	close_cleanup(&server->spare);
	client.socket = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
	if (client.socket >= 0) {
		getsockopt(client.socket, SOL_SOCKET, SO_PEERCRED, &cred, &length);
		client.peer.pid = cred.pid;
		client.peer.uid = cred.uid;
		tell(server, "dropped", &client, NULL, dmabuf_strerror(-EMFILE));
	}
	close_cleanup(&client.socket);
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void new_client(struct server *server, struct source *source)
{
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client, **place;
	int r;

	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(server);
		return;
	}
	client = calloc(1, sizeof(*client));
	if (!client) {
		close(fd);
		return;
	}
	client->source.ready = client_ready;
	client->socket = fd;
	client->pidfd = -1;
	r = identify(client);
	place = r == 0 ? find_place(server, client->peer.uid) : NULL;
	if (r == 0 && place)
		r = watch(server, fd, &client->source);
	if (r < 0 || !place) {
		tell(server, "dropped", client, NULL,
		     place || r < 0 ? dmabuf_strerror(r) : "there are too many clients");
		free_client(client);
		return;
	}
	*place = client;
}

/* ---- other events ------------------------------------------------------- */

static void client_ended(struct dmabuf_lease *lease, void *data)
{
	struct server *server = data;
	struct grant *grant = server->grants;

	while (grant && grant->lease != lease)
		grant = grant->next;
	if (!grant) /* of a client that was dropped when the device could not revoke */
		return;
	tell(server, "revoked", grant->client, grant->line, "its process has ended");
	free(take_grant(server, grant));
}

static void leases_ready(struct server *server, struct source *source)
{
	struct bar *bar = (struct bar *)source;
	int r = dmabuf_leases_dispatch(bar->leases, client_ended, server);

	if (r < 0)
		tool_error("cannot revoke what a client had that has ended: %s",
			   dmabuf_strerror(r));
}

static void signal_ready(struct server *server, struct source *source)
{
	struct signalfd_siginfo info;

	if (read(server->signals, &info, sizeof(info)) == sizeof(info))
		server->stop = true;
}

/* ---- setting up --------------------------------------------------------- */

static int read_policy(struct server *server, const char *path)
{
	_cleanup_free_ uint8_t *text = NULL;
	char problem[256];
	size_t size;
	int r;

	r = read_file(path, POLICY_MAX, &text, &size);
	if (r == -EFBIG) {
		tool_error("%s: more than %d bytes", path, POLICY_MAX);
		return EXIT_FAILED;
	}
	if (r < 0) {
		tool_error("%s: %s", path, strerror(-r));
		return EXIT_FAILED;
	}
	r = policy_parse((const char *)text, size, &server->policy, problem, sizeof(problem));
	if (r < 0) {
		tool_error("%s: %s", path, r == -EINVAL ? problem : dmabuf_strerror(r));
		return EXIT_USAGE;
	}
	if (!server->policy.count) {
		tool_error("%s: no range in it; see dmabuf-vfio(1)", path);
		return EXIT_USAGE;
	}
	return EXIT_FINE;
}

/* Leases of the line's BAR, which has to have the range. */
static int prepare_line(struct server *server, const char *path, const struct policy_line *line)
{
	struct bar *bar = &server->bars[line->bar];
	struct dmabuf_vfio_region region;
	int r = 0;

	dmabuf_vfio_region(server->device, line->bar, &region);
	if (!bar->leases) {
		r = dmabuf_leases_new(server->device, line->bar, DMABUF_LEASES_SHARED,
				      &bar->leases);
		if (r == 0) {
			bar->source.ready = leases_ready;
			r = watch(server, dmabuf_leases_fd(bar->leases), &bar->source);
		}
	}
	if (r < 0) {
		tool_error("%s: line %u: BAR %u cannot be vended: %s", path, line->number,
			   line->bar, dmabuf_strerror(r));
		return EXIT_FAILED;
	}
	if (line->length > region.size ||
	    (line->offset != DMABUF_LEASE_ANYWHERE && line->offset > region.size - line->length)) {
		tool_error("%s: line %u: BAR %u has no such range: it has %llu bytes", path,
			   line->number, line->bar, (unsigned long long)region.size);
		return EXIT_USAGE;
	}
	if (line->offset != DMABUF_LEASE_ANYWHERE && !line->reserved &&
	    line->offset % (uint64_t)sysconf(_SC_PAGESIZE)) {
		tool_error("%s: line %u: the offset is not a multiple of the page size, %ld", path,
			   line->number, sysconf(_SC_PAGESIZE));
		return EXIT_USAGE;
	}
	if (line->reserved)
		r = dmabuf_leases_reserve(bar->leases, line->offset, line->length);
	if (r < 0) {
		tool_error("%s: line %u: %s", path, line->number, dmabuf_strerror(r));
		return EXIT_FAILED;
	}
	return EXIT_FINE;
}

static int listen_at(struct server *server, const char *path, mode_t mode)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path)) {
		tool_error("%s: longer than a socket's path may be", path);
		return EXIT_USAGE;
	}
	strcpy(address.sun_path, path);
	server->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->listener == -1 ||
	    bind(server->listener, (struct sockaddr *)&address, sizeof(address)) == -1) {
		tool_error("%s: %s", path,
			   errno == EADDRINUSE ? "exists: another server is there, or remove it"
					       : strerror(errno));
		close_cleanup(&server->listener);
		server->listener = -1;
		return EXIT_FAILED;
	}
	if (chmod(path, mode) == -1 || listen(server->listener, 16) == -1) {
		tool_error("%s: %s", path, strerror(errno));
		return EXIT_FAILED;
	}
	return EXIT_FINE;
}

static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < MAX_FDS) {
		limit.rlim_cur = MIN(limit.rlim_max, MAX_FDS);
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int set_up(struct server *server, const struct vfio_tool *tool)
{
	sigset_t signals;
	int r;

	r = read_policy(server, tool->policy);
	if (r == EXIT_FINE)
		r = tool_open_device(tool->operands[0], &server->device);
	if (r != EXIT_FINE)
		return r;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	raise_limit();
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->signals = signalfd(-1, &signals, SFD_CLOEXEC);
	server->signals_source.ready = signal_ready;
	server->listener_source.ready = new_client;
	if (server->epoll == -1 || server->signals == -1 ||
	    watch(server, server->signals, &server->signals_source) < 0) {
		tool_error("%s", strerror(errno));
		return EXIT_FAILED;
	}
	for (size_t i = 0; r == EXIT_FINE && i < server->policy.count; i++)
		r = prepare_line(server, tool->policy, &server->policy.lines[i]);
	if (r == EXIT_FINE)
		r = listen_at(server, tool->socket, tool->mode);
	if (r == EXIT_FINE && watch(server, server->listener, &server->listener_source) < 0) {
		tool_error("%s", strerror(errno));
		r = EXIT_FAILED;
	}
	return r;
}

static void clean_up(struct server *server, const char *path)
{
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		if (server->clients[i])
			drop_client(server, server->clients[i], "");
	for (size_t i = 0; i < DMABUF_VFIO_BARS; i++)
		dmabuf_leases_free(server->bars[i].leases);
	if (server->listener >= 0)
		unlink(path);
	close_cleanup(&server->listener);
	close_cleanup(&server->signals);
	close_cleanup(&server->epoll);
	close_cleanup(&server->spare);
	dmabuf_vfio_unref(server->device);
	policy_finish(&server->policy);
}

int tool_serve(struct vfio_tool *tool)
{
	struct server server = {
		.epoll = -1, .listener = -1, .signals = -1, .spare = -1, .json = tool->json};
	struct epoll_event event;
	int r;

	signal(SIGPIPE, SIG_IGN); /* who reads what this prints may go */
	r = set_up(&server, tool);

	if (r == EXIT_FINE)
		tell_start(&server, tool->socket);
	/* One event at a time: serving it may free what the next one would point to. */
	while (r == EXIT_FINE && !server.stop) {
		int n = epoll_wait(server.epoll, &event, 1, -1);

		if (n == 1) {
			struct source *source = event.data.ptr;

			source->ready(&server, source);
		} else if (n == -1 && errno != EINTR) {
			tool_error("%s", strerror(errno));
			r = EXIT_FAILED;
		}
	}
	clean_up(&server, tool->socket);
	return r;
}
