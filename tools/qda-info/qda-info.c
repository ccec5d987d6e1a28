/* SPDX-License-Identifier: MIT */
/* qda-info: which DSPs there are, whether they work, and if one does not, why. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <qda.h>

#include "common.h"
#include "diagnose.h"
#include "dsp.h"
#include "json.h"
#include "log.h"
#include "qda-info.h"
#include "tool.h"

#define DEFAULT_SOFT "soft:cdsp"

/* A DSP that does not answer is to be reported, not waited for. */
#define TIMEOUT_MS 10000

enum {
	OPTION_CHECK = 256,
	OPTION_ATTRIBUTES,
	OPTION_SIGNED,
	OPTION_SHELL,
	OPTION_WATCH,
	OPTION_STRERROR,
	OPTION_JSON,
	OPTION_VERSION,
};

static const struct option_row rows[] = {
	{'d', "device", "NAME", "the same as an operand NAME; may be repeated"},
	{OPTION_CHECK, "check", NULL, "create and close a session on each DSP"},
	{OPTION_ATTRIBUTES, "attributes", NULL, "ask each DSP for its attributes, in a session"},
	{OPTION_SIGNED, "signed", NULL, "sessions are signed processes"},
	{OPTION_SHELL, "shell", "FILE", "shell of the processes instead of a search for it"},
	{'L', "search-path", "DIRS", "directories of shells, separated by ';'"},
	{OPTION_WATCH, "watch", NULL, "then follow DSPs that come and go, until interrupted"},
	{OPTION_STRERROR, "strerror", "CODE", "explain a DSP's status (decimal or 0x...)"},
	{OPTION_JSON, "json", NULL, "print JSON; with --watch one object a line"},
	{'v', "verbose", NULL, "print the library's log to stderr; twice for more"},
	{'h', "help", NULL, "print this help"},
	{OPTION_VERSION, "version", NULL, "print the version"},
	{0},
};

/* DSP attributes by number, from 1, named as in FastRPC's list. */
static const char *const attribute_names[MAX_ATTRIBUTE] = {
	"unsigned_pd", "hvx_64b",   "hvx_128b",    "vtcm_page", "vtcm_count",
	"arch",        "hmx_depth", "hmx_spatial", "async",     "status_notification",
};

struct info {
	struct qda *qda;
	const char **names; /* of -d, and operands */
	size_t n_names;
	const char *search_path, *code;
	struct qda_session_params params;
	bool check, attributes, json, watch;
	int verbosity;
};

static void print_help(void)
{
	printf("Usage: qda-info [OPTIONS] [NAME...]\n"
	       "List the DSPs, and say what keeps one from working and what to do about it.\n\n"
	       "NAME    only this DSP: cdsp, /dev/accel/accel0, soft:cdsp, ...\n\n");
	options_help(rows);
	printf("\nExit status: 0 listed, even if problems were reported; 1 with --check: a "
	       "problem\n"
	       "was reported, or else: a NAME does not exist; 2 usage; 3 the tool itself failed.\n"
	       "No DSP at all is a problem, except if only soft:NAME was asked for.\n");
}

/* ---- looking ------------------------------------------------------------ */

static void report_clear(struct report *report)
{
	free(report->name);
	free(report->node);
	free(report->version);
	free(report->cause);
	free(report->cure);
	*report = (struct report){.name = NULL};
}

static void try_session(const struct info *info, struct report *report, struct qda_device *device)
{
	_cleanup_free_ char *line = NULL;
	struct qda_session *session;
	int r;

	log_forget();
	r = qda_session_create(device, &info->params, &session);
	if (r < 0) {
		line = log_cause();
		diagnose_session(report, "create a session", r, line ? line : "");
		return;
	}
	report->checked = true;
	report->has_attributes = info->attributes;
	for (uint32_t i = 0; info->attributes && i < MAX_ATTRIBUTE; i++) {
		struct attribute *attribute = &report->attributes[i];

		r = qda_session_get_attribute(session, i + 1, &attribute->value);
		attribute->error = r;
		if (r < 0 && r != -EOPNOTSUPP)
			diagnose_session(report, "ask for attributes", r, "");
	}
	qda_session_close(session);
}

static void look_at_access(struct report *report)
{
	struct stat st;

	if (stat(report->node, &st) == -1)
		return;
	report->has_access = true;
	report->mode = st.st_mode & 0777;
	report->uid = st.st_uid;
	report->gid = st.st_gid;
}

static void look_at_device(const struct info *info, struct report *report,
			   struct qda_device *device)
{
	report->transport = qda_device_transport(device);
	if (!report->node) {
		report->node = text("%s", qda_device_node(device));
		look_at_access(report);
	}
	if (!strcmp(report->transport, "soft") && access(report->node, X_OK) == -1)
		diagnose_program(report, -errno);
	else if (info->check || info->attributes)
		try_session(info, report, device);
}

static void look_at_node(const struct info *info, struct report *report,
			 const struct qda_device_info *node)
{
	int error = qda_device_info_error(node), major, minor, patch;
	const char *dsp = qda_device_info_dsp(node);
	struct qda_device *device;

	report->name = text("%s", *dsp ? dsp : "?");
	report->node = text("%s", qda_device_info_node(node));
	report->transport = "accel";
	report->has_access =
		!qda_device_info_access(node, &report->mode, &report->uid, &report->gid);
	if (!qda_device_info_version(node, &major, &minor, &patch))
		report->version = text("%d.%d.%d", major, minor, patch);
	if (!error && !info->check && !info->attributes)
		return;
	/* By its node: names need not be unique. */
	if (!error)
		error = qda_device_open(info->qda, report->node, &device);
	if (error) {
		diagnose_node(report, error);
		return;
	}
	look_at_device(info, report, device);
	qda_device_unref(device);
}

/* What -d could have named; the caller's. */
static char *known_names(const struct qda_device_list *list)
{
	const struct qda_device_info *node;
	char *names = text("%s", DEFAULT_SOFT);

	for (size_t i = 0; (node = qda_device_list_get(list, i)); i++) {
		char *more = text("%s, %s", qda_device_info_dsp(node), names);

		free(names);
		names = more;
	}
	return names;
}

/* Why opening @name, which is not in the list, gave @error. */
static void diagnose_name(struct report *report, const char *name,
			  const struct qda_device_list *list, int error)
{
	const struct qda_device_info *node;
	_cleanup_free_ char *names = NULL;
	bool none = !qda_device_list_get(list, 0);

	if (*name == '/' && !(none && error == -ENOENT)) {
		report->node = text("%s", name);
		look_at_access(report);
		diagnose_node(report, error);
		return;
	}
	if (none) {
		diagnose_no_device(report);
		return;
	}
	/* One that could not be asked for its name may be the one. */
	for (size_t i = 0; (node = qda_device_list_get(list, i)); i++) {
		error = qda_device_info_error(node);
		if (!error)
			continue;
		report->node = text("%s", qda_device_info_node(node));
		look_at_access(report);
		diagnose_node(report, error);
		return;
	}
	names = known_names(list);
	report->cause = text("there is no such DSP");
	report->cure = text("use one of %s", names);
}

/* Return: 0, or -EINVAL for a name that cannot be one; printed. */
static int look_at_name(const struct info *info, struct report *report, const char *name,
			const struct qda_device_list *list)
{
	const struct qda_device_info *node;
	struct qda_device *device;
	int r;

	for (size_t i = 0; *name && (node = qda_device_list_get(list, i)); i++) {
		if (!strcmp(qda_device_info_node(node), name) ||
		    !strcmp(qda_device_info_dsp(node), name)) {
			look_at_node(info, report, node);
			report->missing = qda_device_info_error(node) == -ENOENT;
			return 0;
		}
	}
	report->name = text("%s", name);
	report->transport = "accel";
	r = qda_device_open(info->qda, name, &device);
	if (r == -EINVAL) {
		tool_error("%s: not the name of a device; it is " DEVICE_NAMES, name);
		return r;
	}
	if (r < 0) {
		report->missing = r == -ENODEV || r == -ENOENT;
		diagnose_name(report, name, list, r);
		return 0;
	}
	look_at_device(info, report, device);
	qda_device_unref(device);
	return 0;
}

/* ---- printing ----------------------------------------------------------- */

#define NODE_WIDTH 18

static int node_width(const struct report *reports, size_t n)
{
	size_t width = NODE_WIDTH;

	for (size_t i = 0; i < n; i++)
		if (reports[i].node)
			width = MAX(width, strlen(reports[i].node));
	return (int)MIN(width, 200U);
}

static const char *status_word(const struct report *report)
{
	if (report->cause)
		return "trouble";
	return report->checked ? "works" : "ready";
}

static void print_head(int width)
{
	printf("%-10s %-*s %-8s %-18s %s\n", "DSP", width, "NODE", "DRIVER", "ACCESS", "STATUS");
}

static void print_report(const struct report *report, int width)
{
	_cleanup_free_ char *user = NULL, *group = NULL, *permission = NULL;

	if (report->has_access) {
		user = user_name(report->uid);
		group = group_name(report->gid);
		permission = text("%04o %s:%s", report->mode, user, group);
	}
	printf("%-10s %-*s %-8s %-18s %s\n", report->name, width, report->node ? report->node : "-",
	       report->version ? report->version : "-", permission ? permission : "-",
	       status_word(report));
	for (size_t i = 0; report->has_attributes && i < MAX_ATTRIBUTE; i++) {
		const struct attribute *attribute = &report->attributes[i];

		if (attribute->error)
			printf("    %-20s - (%s)\n", attribute_names[i],
			       qda_strerror(attribute->error));
		else
			printf("    %-20s 0x%" PRIx32 "\n", attribute_names[i], attribute->value);
	}
}

/* One line to standard error, after what stands before it on standard output. */
static void print_problem(const struct report *report)
{
	if (!report->cause)
		return;
	fflush(stdout);
	/* A cause about a node begins with the node. */
	if (report->name && *report->name != '/' && *report->name != '?')
		tool_error("%s: %s; %s", report->name, report->cause, report->cure);
	else
		tool_error("%s; %s", report->cause, report->cure);
}

static void json_problem(struct json *json, const struct report *report)
{
	if (!report->cause) {
		json_text(json, "problem", NULL);
		return;
	}
	json_open(json, "problem", '{');
	json_text(json, "cause", report->cause);
	json_text(json, "cure", report->cure);
	json_close(json, '}');
}

/* The members of a report, inside an object that is open. */
static void json_members(struct json *json, const struct report *report)
{
	_cleanup_free_ char *user = NULL, *group = NULL, *mode = NULL;

	if (report->has_access) {
		user = user_name(report->uid);
		group = group_name(report->gid);
		mode = text("%04o", report->mode);
	}
	json_text(json, "name", report->name);
	json_text(json, "node", report->node);
	json_text(json, "transport", report->transport);
	json_text(json, "driver_version", report->version);
	json_text(json, "mode", mode);
	json_text(json, "owner", user);
	json_text(json, "group", group);
	json_text(json, "status", status_word(report));
	json_problem(json, report);
	if (!report->has_attributes)
		return;
	json_open(json, "attributes", '{');
	for (size_t i = 0; i < MAX_ATTRIBUTE; i++) {
		if (report->attributes[i].error)
			json_text(json, attribute_names[i], NULL);
		else
			json_unsigned(json, attribute_names[i], report->attributes[i].value);
	}
	json_close(json, '}');
}

static void print_json(const struct report *reports, size_t n, const struct report *none)
{
	struct json json = {.file = stdout};

	json_open(&json, NULL, '{');
	json_open(&json, "devices", '[');
	for (size_t i = 0; i < n; i++) {
		json_open(&json, NULL, '{');
		json_members(&json, &reports[i]);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_problem(&json, none);
	json_close(&json, '}');
	putchar('\n');
}

static void print_table(const struct report *reports, size_t n, const struct report *none)
{
	int width = node_width(reports, n);

	print_head(width);
	for (size_t i = 0; i < n; i++)
		print_report(&reports[i], width);
	for (size_t i = 0; i < n; i++)
		print_problem(&reports[i]);
	print_problem(none);
}

/* ---- the list ----------------------------------------------------------- */

/* Return: EXIT_* */
static int list_devices(const struct info *info)
{
	struct report none = {.name = NULL}, *reports;
	struct qda_device_list *list;
	int found, status = EXIT_FINE;
	size_t n;

	found = qda_enumerate(info->qda, &list);
	if (found < 0) {
		tool_error("cannot list the devices: %s", qda_strerror(found));
		return EXIT_FAILED;
	}
	n = info->n_names ? info->n_names : (size_t)found + 1;
	reports = calloc(n, sizeof(*reports));
	if (!reports) {
		tool_error("out of memory");
		qda_device_list_free(list);
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < n && status != EXIT_USAGE; i++) {
		if (!info->n_names && i < (size_t)found)
			look_at_node(info, &reports[i], qda_device_list_get(list, i));
		else if (look_at_name(info, &reports[i],
				      info->n_names ? info->names[i] : DEFAULT_SOFT, list) < 0)
			status = EXIT_USAGE;
		else if (!info->n_names && !found)
			diagnose_no_device(&none);
	}
	if (status == EXIT_FINE) {
		for (size_t i = 0; i < n; i++)
			if (reports[i].missing || (info->check && (reports[i].cause || none.cause)))
				status = EXIT_TROUBLE;
		if (info->json)
			print_json(reports, n, &none);
		else
			print_table(reports, n, &none);
	}
	for (size_t i = 0; i < n; i++)
		report_clear(&reports[i]);
	report_clear(&none);
	free(reports);
	qda_device_list_free(list);
	return status;
}

/* ---- following ---------------------------------------------------------- */

/* Whether -d asked for it; one that cannot be asked for its name is always shown. */
static bool is_wanted(const struct info *info, const struct qda_device_info *node)
{
	const char *dsp = qda_device_info_dsp(node);

	for (size_t i = 0; i < info->n_names; i++)
		if (!*dsp || !strcmp(info->names[i], dsp) ||
		    !strcmp(info->names[i], qda_device_info_node(node)))
			return true;
	return !info->n_names;
}

static void print_event(const struct info *info, int action, const struct qda_device_info *node)
{
	bool added = action == QDA_MONITOR_ADD;
	const char *word = added ? "added" : "removed", *dsp = qda_device_info_dsp(node);
	struct json json = {.file = stdout};
	struct report report = {.transport = "accel"};

	if (added) {
		look_at_node(info, &report, node);
	} else {
		report.name = text("%s", *dsp ? dsp : "?");
		report.node = text("%s", qda_device_info_node(node));
	}
	if (info->json) {
		json_open(&json, NULL, '{');
		json_text(&json, "event", word);
		if (added) {
			json_members(&json, &report);
		} else {
			json_text(&json, "name", report.name);
			json_text(&json, "node", report.node);
		}
		json_close(&json, '}');
		putchar('\n');
	} else if (added) {
		printf("added: ");
		print_report(&report, NODE_WIDTH);
		print_problem(&report);
	} else {
		printf("removed: %-10s %s\n", report.name, report.node);
	}
	report_clear(&report);
}

/* Return: EXIT_* */
static int follow(const struct info *info, struct qda_monitor *monitor, int signal_fd)
{
	struct pollfd fds[] = {
		{.fd = qda_monitor_fd(monitor), .events = POLLIN},
		{.fd = signal_fd, .events = POLLIN},
	};
	const struct qda_device_info *node;
	int r, action;

	for (;;) {
		/* Whoever reads a pipe waits for whole lines. */
		if (fflush(stdout) == EOF)
			return EXIT_FAILED;
		r = poll(fds, ARRAY_SIZE(fds), -1);
		if (r == -1 && errno == EINTR)
			continue;
		if (r == -1) {
			tool_error("cannot wait for events: %s", strerror(errno));
			return EXIT_FAILED;
		}
		if (fds[1].revents)
			return EXIT_FINE;
		r = qda_monitor_receive(monitor, &action, &node);
		if (!r && is_wanted(info, node))
			print_event(info, action, node);
		if (r < 0 && r != -EAGAIN) {
			tool_error("cannot follow the devices: %s", qda_strerror(r));
			return EXIT_FAILED;
		}
	}
}

/* Return: EXIT_* */
static int list_and_follow(const struct info *info)
{
	_cleanup_close_ int signal_fd = -1;
	struct qda_monitor *monitor;
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	/* Before the list: what comes in between is then seen twice, not missed. */
	r = signal_fd < 0 ? -errno : qda_monitor_new(info->qda, &monitor);
	if (r < 0) {
		tool_error("cannot follow the devices: %s", qda_strerror(r));
		return EXIT_FAILED;
	}
	r = list_devices(info);
	if (r == EXIT_FINE || r == EXIT_TROUBLE)
		r = follow(info, monitor, signal_fd);
	qda_monitor_free(monitor);
	return r;
}

/* ---- statuses ----------------------------------------------------------- */

/* Programs print a status with and without a sign. */
static int parse_status(const char *code, uint32_t *ret_status)
{
	long long value;
	char *end;

	errno = 0;
	value = strtoll(code, &end, strncasecmp(code, "0x", 2) ? 10 : 16);
	if (errno || end == code || *end || value < INT32_MIN || value > UINT32_MAX)
		return -EINVAL;
	*ret_status = (uint32_t)value;
	return 0;
}

/* Return: EXIT_* */
static int explain_status(const struct info *info)
{
	struct json json = {.file = stdout};
	const char *name, *hint;
	uint32_t status;

	if (parse_status(info->code, &status) < 0) {
		tool_error("--strerror: %s is not a status of 32 bits (decimal or 0x...)",
			   info->code);
		return EXIT_USAGE;
	}
	name = qda_status_name(status);
	hint = qda_status_hint(status);
	if (info->json) {
		json_open(&json, NULL, '{');
		json_unsigned(&json, "status", status);
		json_text(&json, "name", name);
		json_text(&json, "text", qda_status_text(status));
		json_text(&json, "hint", hint);
		json_close(&json, '}');
		putchar('\n');
		return EXIT_FINE;
	}
	printf("%s (0x%" PRIx32 "): %s\n", name ? name : "status", status, qda_status_text(status));
	if (hint)
		printf("hint: %s\n", hint);
	return EXIT_FINE;
}

/* ---- options ------------------------------------------------------------ */

/* Return: EXIT_*, or -1 to go on. */
static int parse_options(struct info *info, int argc, char **argv)
{
	struct options options;
	int id;

	options_init(&options, "qda-info", rows, argc, argv);
	while ((id = options_next(&options)) != OPTION_END) {
		switch (id) {
		case 'd':
		case OPTION_OPERAND:
			info->names[info->n_names++] = optarg;
			break;
		case 'L':
			info->search_path = optarg;
			break;
		case 'v':
			info->verbosity++;
			break;
		case OPTION_CHECK:
			info->check = true;
			break;
		case OPTION_ATTRIBUTES:
			info->attributes = true;
			break;
		case OPTION_SIGNED:
			info->params.flags |= QDA_SESSION_SIGNED;
			break;
		case OPTION_SHELL:
			info->params.shell = optarg;
			break;
		case OPTION_WATCH:
			info->watch = true;
			break;
		case OPTION_STRERROR:
			info->code = optarg;
			break;
		case OPTION_JSON:
			info->json = true;
			break;
		case 'h':
			print_help();
			return EXIT_FINE;
		case OPTION_VERSION:
			printf("qda-info %s\n", QDA_VERSION);
			return EXIT_FINE;
		default:
			tool_error("try qda-info --help");
			return EXIT_USAGE;
		}
	}
	return -1;
}

/* Return: EXIT_* */
static int run(struct info *info)
{
	int r = qda_new(&info->qda);

	if (!r && info->search_path)
		r = qda_set_search_path(info->qda, info->search_path);
	if (r < 0) {
		tool_error("%s", qda_strerror(r));
		qda_unref(info->qda);
		return EXIT_FAILED;
	}
	log_init(info->qda, info->verbosity);
	r = info->watch ? list_and_follow(info) : list_devices(info);
	qda_unref(info->qda);
	return r;
}

int main(int argc, char **argv)
{
	struct info info = {.params = {.size = sizeof(info.params), .timeout_ms = TIMEOUT_MS}};
	int status;

	info.names = calloc((size_t)argc + 1, sizeof(*info.names));
	if (!info.names) {
		tool_error("out of memory");
		return EXIT_FAILED;
	}
	status = parse_options(&info, argc, argv);
	if (status == -1)
		status = info.code ? explain_status(&info) : run(&info);
	free(info.names);
	return close_stdout() < 0 ? EXIT_FAILED : status;
}
