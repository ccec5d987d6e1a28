/* SPDX-License-Identifier: MIT */
/*
 * Skels: fetched from the application through reverse calls, loaded into this
 * process, opened and closed through remotectl, and called by remote handle.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "softdsp.h"

#define LIBRARY_MAX (256UL << 20)
#define READ_CHUNK (32UL << 10) /* with its message it fits a slot's payload */
#define NAME_MAX_LENGTH 255

__thread struct softdsp_place softdsp_place;

/* Interfaces without a handle export IFACE_skel_invoke(). */
typedef AEEResult (*skel_invoke_fn)(uint32_t sc, remote_arg *args);

struct softdsp_skel {
	struct softdsp_skel *next;
	unsigned int users;
	int fd; /* the library; open as long as it is loaded, for its path names it */
	void *dl;
	char name[NAME_MAX_LENGTH + 1];
};

struct softdsp_module {
	unsigned int users; /* the table and each call, under module_lock */
	struct softdsp_skel *skel;
	qda_skel_handle_invoke_fn handle_invoke;
	skel_invoke_fn invoke;
	remote_handle64 handle;
};

/* What the caller of remotectl gets to read when loading fails. */
struct dlerror {
	char text[512];
};

static int fail(struct dlerror *error, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct dlerror *error, int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(error->text, sizeof(error->text), format, ap);
	va_end(ap);
	return status;
}

/* ---- the application's files -------------------------------------------- */

static struct reverse_buf buf_of(const void *data, size_t length)
{
	return (struct reverse_buf){(void *)(uintptr_t)data, (uint32_t)length};
}

static struct reverse_buf string_of(const char *text)
{
	return buf_of(text, strlen(text) + 1);
}

/* The remote handle of the application's apps_std; load_lock is held. */
static int open_apps_std(struct softdsp *dsp, uint32_t *ret_handle)
{
	static const char name[] = "apps_std";
	uint32_t in[2] = {sizeof(name), 0};
	int32_t out[2] = {0};
	const struct reverse_buf bufs[] = {
		buf_of(in, sizeof(in)),
		string_of(name),
		buf_of(out, sizeof(out)),
		buf_of(NULL, 0),
	};
	int status;

	if (!dsp->apps_std) {
		status = softdsp_reverse(dsp, APPS_REMOTECTL_HANDLE,
					 FASTRPC_SCALARS(APPS_REMOTECTL_OPEN, 2, 2, 0, 0), bufs);
		if (!status)
			status = out[1];
		if (status)
			return status;
		dsp->apps_std = (uint32_t)out[0];
	}
	*ret_handle = dsp->apps_std;
	return 0;
}

static int remote_open(struct softdsp *dsp, uint32_t apps_std, const char *name, int32_t *ret_file)
{
	static const char env[] = "ADSP_LIBRARY_PATH", delim[] = ";", mode[] = "r";
	uint32_t in[4] = {sizeof(env), sizeof(delim), (uint32_t)strlen(name) + 1, sizeof(mode)};
	const struct reverse_buf bufs[] = {
		buf_of(in, sizeof(in)), string_of(env),  string_of(delim),
		string_of(name),        string_of(mode), buf_of(ret_file, sizeof(*ret_file)),
	};

	return softdsp_reverse(dsp, apps_std, FASTRPC_SCALARS(APPS_STD_FOPEN_WITH_ENV, 5, 1, 0, 0),
			       bufs);
}

static void remote_close(struct softdsp *dsp, uint32_t apps_std, int32_t file)
{
	const struct reverse_buf buf = buf_of(&file, sizeof(file));

	softdsp_reverse(dsp, apps_std, FASTRPC_SCALARS(APPS_STD_FCLOSE, 1, 0, 0, 0), &buf);
}

static int remote_length(struct softdsp *dsp, uint32_t apps_std, int32_t file, uint64_t *ret_length)
{
	const struct reverse_buf bufs[] = {
		buf_of(&file, sizeof(file)),
		buf_of(ret_length, sizeof(*ret_length)),
	};

	return softdsp_reverse(dsp, apps_std, FASTRPC_SCALARS(APPS_STD_FLEN, 1, 1, 0, 0), bufs);
}

/* Read up to @size bytes; *ret_read is 0 at the end of the file. */
static int remote_read(struct softdsp *dsp, uint32_t apps_std, int32_t file, void *data,
		       size_t size, size_t *ret_read)
{
	uint32_t in[2] = {(uint32_t)file, (uint32_t)size};
	int32_t out[2] = {0}; /* bytes read, end of file */
	const struct reverse_buf bufs[] = {
		buf_of(in, sizeof(in)),
		buf_of(out, sizeof(out)),
		buf_of(data, size),
	};
	int status;

	status = softdsp_reverse(dsp, apps_std, FASTRPC_SCALARS(APPS_STD_FREAD, 1, 2, 0, 0), bufs);
	if (status)
		return status;
	if (out[0] < 0 || (size_t)out[0] > size)
		return DSP_STATUS(AEE_EFILE);
	*ret_read = (size_t)out[0];
	return 0;
}

/* Copy a file of the application into memory of our own. */
static int fetch(struct softdsp *dsp, const char *name, int *ret_fd, struct dlerror *error)
{
	_cleanup_close_ int fd = -1;
	uint64_t length = 0, done = 0;
	uint32_t apps_std;
	uint8_t *data;
	int32_t file;
	int status;

	status = open_apps_std(dsp, &apps_std);
	if (status == DSP_STATUS(AEE_EBADSTATE))
		return fail(error, status, "%s: the application runs no reverse-RPC listener",
			    name);
	if (status)
		return fail(error, status, "%s: the application's file service said 0x%x", name,
			    (unsigned int)status);
	status = remote_open(dsp, apps_std, name, &file);
	if (status)
		return fail(error, DSP_STATUS(AEE_ENOSUCHFILE),
			    "%s: cannot open it on the application's search path", name);

	status = remote_length(dsp, apps_std, file, &length);
	if (!status && (!length || length > LIBRARY_MAX))
		status = DSP_STATUS(AEE_EBADSIZE);
	if (status)
		goto out;
	fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)length) == -1) {
		status = DSP_STATUS(AEE_ENOMEMORY);
		goto out;
	}
	data = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED) {
		status = DSP_STATUS(AEE_ENOMEMORY);
		goto out;
	}
	while (!status && done < length) {
		size_t n = 0;

		status = remote_read(dsp, apps_std, file, data + done,
				     MIN(length - done, READ_CHUNK), &n);
		if (!status && !n)
			status = DSP_STATUS(AEE_EFILE);
		done += n;
	}
	munmap(data, length);
out:
	remote_close(dsp, apps_std, file);
	if (status)
		return fail(error, status, "%s: cannot read it from the application", name);
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* ---- loading ------------------------------------------------------------ */

#define DL_PATH_MAX 32

static void dl_path(char *path, int fd)
{
	snprintf(path, DL_PATH_MAX, "/proc/self/fd/%d", fd);
}

/* dlerror() names the library by a path that means nothing to the caller. */
static void dl_text(struct dlerror *error, const char *name, const char *path)
{
	const char *text = dlerror();
	const char *at;

	if (!text)
		text = "unknown error";
	at = strstr(text, path);
	if (at)
		snprintf(error->text, sizeof(error->text), "%.*s%s%s", (int)(at - text), text, name,
			 at + strlen(path));
	else
		snprintf(error->text, sizeof(error->text), "%s: %s", name, text);
}

static bool is_elf(int fd)
{
	char magic[4];

	return pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	       memcmp(magic, "\177ELF", 4) == 0;
}

/* load_lock is held. */
static int load(struct softdsp *dsp, const char *name, struct softdsp_skel **ret_skel,
		struct dlerror *error)
{
	struct softdsp_skel *skel;
	char path[DL_PATH_MAX];
	int status;

	for (skel = dsp->skels; skel; skel = skel->next) {
		if (!strcmp(skel->name, name)) {
			skel->users++;
			*ret_skel = skel;
			return 0;
		}
	}

	skel = calloc(1, sizeof(*skel));
	if (!skel)
		return fail(error, DSP_STATUS(AEE_ENOMEMORY), "%s: out of memory", name);
	skel->users = 1;
	strcpy(skel->name, name);
	skel->fd = dsp->ops->library ? dsp->ops->library(dsp->data, name) : -ENOENT;
	status = skel->fd < 0 ? fetch(dsp, name, &skel->fd, error) : 0;
	if (status)
		goto fail_free;
	if (!is_elf(skel->fd)) {
		status = fail(error, DSP_STATUS(AEE_EBADELF), "%s: not an ELF file", name);
		goto fail_close;
	}
	dl_path(path, skel->fd);
	softdsp_place = (struct softdsp_place){skel->name, SOFTDSP_LOADING};
	skel->dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	softdsp_place.name = NULL;
	if (!skel->dl) {
		dl_text(error, name, path);
		status = DSP_STATUS(AEE_EUNABLETOLOAD);
		goto fail_close;
	}
	skel->next = dsp->skels;
	dsp->skels = skel;
	*ret_skel = skel;
	return 0;

fail_close:
	close(skel->fd);
fail_free:
	free(skel);
	return status;
}

static void unload(struct softdsp *dsp, struct softdsp_skel *skel)
{
	struct softdsp_skel **at;
	char path[DL_PATH_MAX];
	void *kept;

	if (--skel->users)
		return;
	for (at = &dsp->skels; *at != skel; at = &(*at)->next)
		;
	*at = skel->next;
	dlclose(skel->dl);
	/*
	 * Some libraries cannot be unloaded. The loader then goes on to find them by
	 * their path, so its number must not become another library's.
	 */
	dl_path(path, skel->fd);
	kept = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
	if (kept)
		dlclose(kept);
	else
		close(skel->fd);
	free(skel);
}

/* file:///LIBRARY?SYMBOL&... */
static int parse_uri(const char *uri, char *ret_library, char *ret_symbol, struct dlerror *error)
{
	static const char scheme[] = "file:///";
	const char *query, *end;

	if (strncmp(uri, scheme, strlen(scheme)) != 0)
		return fail(error, DSP_STATUS(AEE_EBADPARM), "%s: not a file:/// URI", uri);
	uri += strlen(scheme);
	query = strchr(uri, '?');
	if (!query)
		return fail(error, DSP_STATUS(AEE_EBADPARM), "%s: the URI names no symbol", uri);
	end = query + 1 + strcspn(query + 1, "&");
	if (query == uri || query - uri > NAME_MAX_LENGTH)
		return fail(error, DSP_STATUS(AEE_EBADPARM), "the URI's library name is bad");
	if (end == query + 1 || end - query - 1 > NAME_MAX_LENGTH)
		return fail(error, DSP_STATUS(AEE_EBADPARM), "%s: the URI's symbol is bad", uri);
	memcpy(ret_library, uri, (size_t)(query - uri));
	ret_library[query - uri] = '\0';
	memcpy(ret_symbol, query + 1, (size_t)(end - query - 1));
	ret_symbol[end - query - 1] = '\0';
	return 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text);

	return length >= strlen(end) && !strcmp(text + length - strlen(end), end);
}

static int call_skel(const struct softdsp_module *module, uint32_t sc, remote_arg *args)
{
	const struct softdsp_place outer = softdsp_place;
	int status;

	softdsp_place.name = module->skel->name;
	softdsp_place.method = FASTRPC_METHOD(sc);
	status = module->handle_invoke ? module->handle_invoke(module->handle, sc, args)
				       : module->invoke(sc, args);
	softdsp_place = outer;
	return status;
}

/* Methods 0 and 1 of the module's interface, where it has a handle. */
static int open_handle(struct softdsp_module *module, const char *uri)
{
	uint32_t length = (uint32_t)strlen(uri) + 1;
	remote_arg args[3] = {
		{.buf = {&length, sizeof(length)}},
		{.buf = {(void *)(uintptr_t)uri, length}},
		{.h64 = 0},
	};
	int status;

	if (!module->handle_invoke)
		return 0;
	status = call_skel(module, FASTRPC_SC_HANDLE_OPEN, args);
	if (!status)
		module->handle = args[2].h64;
	return status;
}

static int close_handle(struct softdsp_module *module)
{
	remote_arg arg = {.h64 = module->handle};

	return module->handle_invoke ? call_skel(module, FASTRPC_SC_HANDLE_CLOSE, &arg) : 0;
}

static int table_add(struct softdsp *dsp, struct softdsp_module *module, uint32_t *ret_handle)
{
	int status = DSP_STATUS(AEE_ENOMEMORY);

	pthread_mutex_lock(&dsp->module_lock);
	for (uint32_t i = 0; i < SOFTDSP_MODULES; i++) {
		if (!dsp->modules[i]) {
			dsp->modules[i] = module;
			*ret_handle = SOFTDSP_MODULE_HANDLE + i;
			status = 0;
			break;
		}
	}
	pthread_mutex_unlock(&dsp->module_lock);
	return status;
}

static int module_open(struct softdsp *dsp, const char *uri, uint32_t *ret_handle,
		       struct dlerror *error)
{
	char library[NAME_MAX_LENGTH + 1], symbol[NAME_MAX_LENGTH + 1];
	struct softdsp_module *module;
	void *entry;
	int status;

	status = parse_uri(uri, library, symbol, error);
	if (status)
		return status;
	module = calloc(1, sizeof(*module));
	if (!module)
		return fail(error, DSP_STATUS(AEE_ENOMEMORY), "%s: out of memory", library);
	module->users = 1;

	pthread_mutex_lock(&dsp->load_lock);
	status = load(dsp, library, &module->skel, error);
	pthread_mutex_unlock(&dsp->load_lock);
	if (status)
		goto fail_free;

	entry = dlsym(module->skel->dl, symbol);
	if (!entry) {
		status = fail(error, DSP_STATUS(AEE_ENOSUCHSYMBOL), "%s: it does not export %s",
			      library, symbol);
		goto fail_unload;
	}
	if (ends_with(symbol, "_skel_invoke"))
		module->invoke = (skel_invoke_fn)(uintptr_t)entry;
	else
		module->handle_invoke = (qda_skel_handle_invoke_fn)(uintptr_t)entry;
	status = open_handle(module, uri);
	if (status) {
		fail(error, status, "%s: its open method returned 0x%x", library,
		     (unsigned int)status);
		goto fail_unload;
	}
	status = table_add(dsp, module, ret_handle);
	if (status) {
		fail(error, status, "%s: %d modules are open", library, SOFTDSP_MODULES);
		close_handle(module);
		goto fail_unload;
	}
	return 0;

fail_unload:
	pthread_mutex_lock(&dsp->load_lock);
	unload(dsp, module->skel);
	pthread_mutex_unlock(&dsp->load_lock);
fail_free:
	free(module);
	return status;
}

static struct softdsp_module *module_get(struct softdsp *dsp, uint32_t handle, bool remove)
{
	struct softdsp_module *module = NULL;
	uint32_t i = handle - SOFTDSP_MODULE_HANDLE;

	if (i >= SOFTDSP_MODULES)
		return NULL;
	pthread_mutex_lock(&dsp->module_lock);
	module = dsp->modules[i];
	if (module && remove)
		dsp->modules[i] = NULL; /* the table's reference becomes the caller's */
	else if (module)
		module->users++;
	pthread_mutex_unlock(&dsp->module_lock);
	return module;
}

/* Whoever drops the last reference closes: the close method runs after every call has returned. */
static int module_put(struct softdsp *dsp, struct softdsp_module *module)
{
	unsigned int users;
	int status;

	pthread_mutex_lock(&dsp->module_lock);
	users = --module->users;
	pthread_mutex_unlock(&dsp->module_lock);
	if (users)
		return 0;
	status = close_handle(module);
	pthread_mutex_lock(&dsp->load_lock);
	unload(dsp, module->skel);
	pthread_mutex_unlock(&dsp->load_lock);
	free(module);
	return status;
}

int softdsp_module_invoke(struct softdsp *dsp, uint32_t handle, uint32_t sc, remote_arg *args)
{
	struct softdsp_module *module = module_get(dsp, handle, false);
	int status;

	if (!module)
		return DSP_STATUS(AEE_ENOSUCHHANDLE);
	status = call_skel(module, sc, args);
	module_put(dsp, module);
	return status;
}

/* ---- remotectl ---------------------------------------------------------- */

static void store_dlerror(const struct dlerror *error, const remote_buf *buf)
{
	if (buf->nLen)
		snprintf(buf->pv, buf->nLen, "%s", error->text);
}

/* in {u32 name length, u32 dlerror length}, name; out {s32 handle, s32 status}, dlerror */
static int remotectl_open(struct softdsp *dsp, remote_arg *args)
{
	struct dlerror error = {""};
	uint32_t handle = 0;
	int32_t out[2];
	char uri[2 * NAME_MAX_LENGTH + 512];
	size_t length = args[1].buf.nLen;

	if (args[0].buf.nLen < 8 || args[2].buf.nLen < sizeof(out) || !length)
		return DSP_STATUS(AEE_EBADPARM);
	if (length > sizeof(uri)) {
		out[1] = fail(&error, DSP_STATUS(AEE_EBADPARM), "the URI is too long");
	} else {
		memcpy(uri, args[1].buf.pv, length);
		uri[length - 1] = '\0';
		out[1] = module_open(dsp, uri, &handle, &error);
	}
	out[0] = (int32_t)handle;
	memcpy(args[2].buf.pv, out, sizeof(out));
	store_dlerror(&error, &args[3].buf);
	return AEE_SUCCESS;
}

/* in {s32 handle, u32 dlerror length}; out {s32 status}, dlerror */
static int remotectl_close(struct softdsp *dsp, remote_arg *args)
{
	struct dlerror error = {""};
	struct softdsp_module *module;
	uint32_t handle;
	int32_t status;

	if (args[0].buf.nLen < 8 || args[1].buf.nLen < sizeof(status))
		return DSP_STATUS(AEE_EBADPARM);
	memcpy(&handle, args[0].buf.pv, sizeof(handle));
	module = module_get(dsp, handle, true);
	if (module)
		status = module_put(dsp, module);
	else
		status = fail(&error, DSP_STATUS(AEE_ENOSUCHHANDLE), "no module has handle 0x%x",
			      handle);
	memcpy(args[1].buf.pv, &status, sizeof(status));
	store_dlerror(&error, &args[2].buf);
	return AEE_SUCCESS;
}

int softdsp_remotectl(struct softdsp *dsp, uint32_t handle, uint32_t sc, remote_arg *args)
{
	/* The older interface has open and close only, under lower numbers. */
	uint32_t shift = handle == FASTRPC_HANDLE_REMOTECTL ? REMOTECTL1_OPEN1 - REMOTECTL_OPEN : 0;

	sc += shift << 24;
	switch (sc) {
	case FASTRPC_SCALARS(REMOTECTL1_OPEN1, 2, 2, 0, 0):
		return remotectl_open(dsp, args);
	case FASTRPC_SCALARS(REMOTECTL1_CLOSE1, 1, 2, 0, 0):
		return remotectl_close(dsp, args);
	case FASTRPC_SCALARS(REMOTECTL1_GROW_HEAP, 1, 0, 0, 0):
	case FASTRPC_SCALARS(REMOTECTL1_SET_PARAM, 2, 0, 0, 0):
		/* The host's heap and threads need no tuning. */
		return shift ? DSP_STATUS(AEE_EUNSUPPORTED) : AEE_SUCCESS;
	default:
		return DSP_STATUS(AEE_EUNSUPPORTED);
	}
}
