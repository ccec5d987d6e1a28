/* SPDX-License-Identifier: MIT */
/* Search path: the directories of a DSP's files, the process shell, confined opening. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <yaml.h>

#include "internal.h"
#include "path.h"

#define MODEL_FILE "/sys/firmware/devicetree/base/model"
#define CONF_FILE_MAX (1024 * 1024)

/* A growing NULL-terminated array of directories without repetitions. */
struct dirs {
	char **items;
	size_t n;
};

char **qda_path_free(char **dirs)
{
	for (size_t i = 0; dirs && dirs[i]; i++)
		free(dirs[i]);
	free(dirs);
	return NULL;
}

/* Add @dir, which this takes over; NULL stands for a failed allocation. */
static int dirs_add(struct dirs *dirs, char *dir)
{
	char **items;

	if (!dir)
		return -ENOMEM;
	for (size_t i = 0; i < dirs->n; i++) {
		if (!strcmp(dirs->items[i], dir)) {
			free(dir);
			return 0;
		}
	}
	items = reallocarray(dirs->items, dirs->n + 2, sizeof(*items));
	if (!items) {
		free(dir);
		return -ENOMEM;
	}
	items[dirs->n++] = dir;
	items[dirs->n] = NULL;
	dirs->items = items;
	return 0;
}

/* Add the directories of a ';'-separated path; empty ones mean nothing. */
static int dirs_add_path(struct dirs *dirs, const char *path)
{
	int r = 0;

	while (!r && *path) {
		size_t length = strcspn(path, ";");

		if (length)
			r = dirs_add(dirs, strndup(path, length));
		path += length + (path[length] == ';');
	}
	return r;
}

/* ---- the machine's directory -------------------------------------------- */

/* Open a regular file whatever the name leads to, without waiting for anything. */
static int open_regular(int dirfd, const char *name)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	return steal_fd(&fd);
}

/* The value under @key of a mapping, or NULL if it is no mapping or has no such key. */
static yaml_node_t *yaml_lookup(yaml_document_t *document, const yaml_node_t *node, const char *key)
{
	if (!node || node->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = yaml_document_get_node(document, pair->key);

		if (name && name->type == YAML_SCALAR_NODE &&
		    name->data.scalar.length == strlen(key) &&
		    !memcmp(name->data.scalar.value, key, strlen(key)))
			return yaml_document_get_node(document, pair->value);
	}
	return NULL;
}

/* Add what the document says about the machine. */
static int add_document(struct dirs *dirs, yaml_document_t *document, const char *conf,
			const char *model)
{
	const yaml_node_t *node = yaml_document_get_root_node(document);
	char *dir;

	node = yaml_lookup(document, node, "machines");
	node = yaml_lookup(document, node, model);
	node = yaml_lookup(document, node, "DSP_LIBRARY_PATH");
	if (!node || node->type != YAML_SCALAR_NODE || !node->data.scalar.length)
		return 0;
	if (asprintf(&dir, "%s/%s", conf, (const char *)node->data.scalar.value) < 0)
		return -ENOMEM;
	return dirs_add(dirs, dir);
}

static int add_conf_file(const struct qda *qda, struct dirs *dirs, int dirfd, const char *name,
			 const char *conf, const char *model)
{
	int fd = open_regular(dirfd, name), r;
	yaml_document_t document;
	yaml_parser_t parser;
	struct stat st;
	FILE *file;

	if (fd < 0) {
		qda_log(qda, LOG_WARNING, "%s/conf.d/%s: %s", conf, name, qda_strerror(fd));
		return 0;
	}
	if (fstat(fd, &st) < 0 || st.st_size > CONF_FILE_MAX) {
		qda_log(qda, LOG_WARNING, "%s/conf.d/%s: larger than %d bytes, not read", conf,
			name, CONF_FILE_MAX);
		close(fd);
		return 0;
	}
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	if (!yaml_parser_initialize(&parser)) {
		fclose(file);
		return -ENOMEM;
	}
	yaml_parser_set_input_file(&parser, file);
	if (yaml_parser_load(&parser, &document)) {
		r = add_document(dirs, &document, conf, model);
		yaml_document_delete(&document);
	} else if (parser.error == YAML_MEMORY_ERROR) {
		r = -ENOMEM;
	} else {
		qda_log(qda, LOG_WARNING, "%s/conf.d/%s:%zu: %s", conf, name,
			parser.problem_mark.line + 1,
			parser.problem ? parser.problem : "not a YAML file");
		r = 0;
	}
	yaml_parser_delete(&parser);
	fclose(file);
	return r;
}

static int is_yaml(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 &&
	       !strcmp(entry->d_name + length - 5, ".yaml");
}

/* Not alphasort(): the order must not depend on the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_machine(const struct qda *qda, struct dirs *dirs, const char *conf,
		       const char *model)
{
	_cleanup_close_ int dirfd = -1;
	_cleanup_free_ char *path = NULL;
	struct dirent **entries;
	int n, r = 0;

	if (asprintf(&path, "%s/conf.d", conf) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return 0;
	n = scandirat(dirfd, ".", &entries, is_yaml, by_name);
	if (n < 0)
		return errno == ENOMEM ? -ENOMEM : 0;
	for (int i = 0; i < n; i++) {
		if (!r)
			r = add_conf_file(qda, dirs, dirfd, entries[i]->d_name, conf, model);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* The machine's name as the device tree gives it; "" where there is none. */
static void read_model(char *model, size_t size)
{
	_cleanup_close_ int fd = open(MODEL_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, model, size - 1);

	model[MAX(n, 0)] = '\0';
}

/* ---- the path ----------------------------------------------------------- */

int qda_path_build_for(const struct qda *qda, const char *dsp, const char *conf, const char *model,
		       char ***ret_dirs)
{
	static const char builtin[] = "/usr/lib/rfsa/adsp;/usr/lib/dsp;/vendor/dsp";
	struct dirs dirs = {NULL, 0};
	char *vendor;
	int r;

	r = dirs_add_path(&dirs, qda_get_search_path(qda));
	if (!r && *model)
		r = add_machine(qda, &dirs, conf, model);
	if (!r)
		r = dirs_add_path(&dirs, builtin);
	if (!r) {
		if (asprintf(&vendor, "/vendor/dsp/%s", dsp) < 0)
			vendor = NULL;
		r = dirs_add(&dirs, vendor);
	}
	if (r < 0) {
		qda_path_free(dirs.items);
		return r;
	}
	*ret_dirs = dirs.items;
	return 0;
}

int qda_path_build(const struct qda *qda, const char *dsp, char ***ret_dirs)
{
	char model[256];

	read_model(model, sizeof(model));
	return qda_path_build_for(qda, dsp, QDA_QCOM_CONF, model, ret_dirs);
}

int qda_domain_number(const char *dsp)
{
	static const char *const names[] = {"adsp",  "mdsp",  "sdsp", "cdsp",
					    "cdsp1", "gdsp0", "gdsp1"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(dsp, names[i]))
			return (int)i;
	return -EINVAL;
}

/* Flags of what is read in the end; without O_NONBLOCK a fifo would hold us. */
#define READ_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

int qda_open_by_components(int dirfd, const char *name)
{
	_cleanup_close_ int at = -1;

	if (*name == '/')
		return -EXDEV;
	if (!*name)
		return -ENOENT;
	while (*name) {
		size_t length = strcspn(name, "/");
		bool last = !name[length + strspn(name + length, "/")];
		char component[NAME_MAX + 1];
		int fd;

		if (length > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(component, name, length);
		component[length] = '\0';
		name += length + strspn(name + length, "/");
		if (!strcmp(component, ".."))
			return -EXDEV;
		fd = openat(at < 0 ? dirfd : at, component,
			    O_NOFOLLOW | (last ? READ_FLAGS : O_PATH | O_DIRECTORY | O_CLOEXEC));
		if (fd < 0)
			return -errno;
		if (at >= 0)
			close(at);
		at = fd;
	}
	return steal_fd(&at);
}

int qda_open_beneath(const char *dir, const char *name)
{
	const struct open_how how = {.flags = READ_FLAGS,
				     .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	_cleanup_close_ int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = -1;
	unsigned int tries = 16;
	struct stat st;

	if (dirfd < 0)
		return -errno;
	/* EAGAIN: something was renamed meanwhile, and ".." could not be judged. */
	do
		fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && --tries);
	/* Sandboxes that do not know the call say EPERM. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
		fd = qda_open_by_components(dirfd, name);
		if (fd < 0)
			return fd;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	return steal_fd(&fd);
}

/* ---- the process shell -------------------------------------------------- */

/* Say in one line where @name was looked for, and what was in the way. */
static void log_not_found(const struct qda *qda, const char *name, char *const *dirs)
{
	char *places = NULL;
	size_t size;
	FILE *text = open_memstream(&places, &size);

	if (!text)
		return;
	for (size_t i = 0; dirs[i]; i++) {
		int fd = qda_open_beneath(dirs[i], name);

		if (fd >= 0)
			close(fd);
		fprintf(text, "%s%s", i ? ", " : "", dirs[i]);
		if (fd < 0 && fd != -ENOENT)
			fprintf(text, " (%s)", qda_strerror(fd));
		else if (access(dirs[i], F_OK) < 0)
			fprintf(text, " (no such directory)");
	}
	if (!fclose(text))
		qda_log(qda, LOG_ERR, "%s not found in %s", name, places);
	free(places);
}

int qda_shell_open(const struct qda *qda, const char *dsp, bool is_unsigned, const char *shell,
		   char *const *dirs)
{
	int domain = qda_domain_number(dsp), fd;
	char name[64];

	if (shell) {
		fd = open_regular(AT_FDCWD, shell);
		if (fd < 0)
			qda_log(qda, LOG_ERR, "process shell %s: %s", shell, qda_strerror(fd));
		return fd;
	}
	if (domain < 0 || !strcmp(dsp, "mdsp")) {
		qda_log(qda, LOG_ERR, "there is no process shell for %s", dsp);
		return -ENOENT;
	}
	snprintf(name, sizeof(name), "fastrpc_shell_%s%d", is_unsigned ? "unsigned_" : "", domain);
	for (size_t i = 0; dirs[i]; i++) {
		fd = qda_open_beneath(dirs[i], name);
		if (fd >= 0) {
			qda_log(qda, LOG_DEBUG, "process shell %s/%s", dirs[i], name);
			return fd;
		}
	}
	if (qda->log_fn)
		log_not_found(qda, name, dirs);
	return -ENOENT;
}
