/* SPDX-License-Identifier: MIT */
/* Services for reverse calls: apps_remotectl and the reading part of apps_std. */
#include <string.h>
#include <sys/stat.h>

#include "apps_std.h"
#include "internal.h"

/* A file's handle: its place in the table, and how often the place was given. */
#define INDEX_BITS 8
#define GENERATION_MAX 0x7fffffU
_Static_assert(APPS_STD_MAX_FILES == 1 << INDEX_BITS, "an index fits its bits");

/* Numbers of fseek. */
enum whence { WHENCE_SET = 0, WHENCE_CUR = 1, WHENCE_END = 2 };

struct file {
	int fd; /* -1: free */
	uint32_t generation;
	uint64_t position; /* at most the file's size when it was set */
	bool eof;
	bool error;
};

struct apps_std {
	const struct qda *qda;
	char *const *dirs;
	struct file files[APPS_STD_MAX_FILES];
};

/* A call whose number and size of arguments are checked. */
struct call {
	struct apps_std *services;
	const struct reverse_buf *in;  /* behind primIn */
	const struct reverse_buf *out; /* behind primROut */
	unsigned int n_out;
	const uint8_t *prim_in;
	uint8_t *prim_out;
};

static uint32_t in_u32(const struct call *call, unsigned int index)
{
	uint32_t value;

	memcpy(&value, call->prim_in + index * sizeof(value), sizeof(value));
	return value;
}

static void out_u32(const struct call *call, unsigned int index, uint32_t value)
{
	memcpy(call->prim_out + index * sizeof(value), &value, sizeof(value));
}

/* The string in in buffer @index, whose length is value @index of primIn from @first on. */
static const char *in_string(const struct call *call, unsigned int first, unsigned int index)
{
	const struct reverse_buf *buf = &call->in[index];
	uint32_t length = in_u32(call, first + index);

	/* Exactly one NUL, at the end: nothing is hidden behind it. */
	if (!length || length > buf->length || strnlen(buf->data, length) != length - 1)
		return NULL;
	return buf->data;
}

/* Store as much of a text as there is room for, NUL-terminated. */
static void out_text(const struct reverse_buf *buf, const char *text)
{
	size_t size = MIN(strlen(text) + 1, (size_t)buf->length);

	if (size) {
		memcpy(buf->data, text, size);
		((char *)buf->data)[size - 1] = '\0';
	}
}

static uint32_t status_of(int error)
{
	switch (error) {
	case 0:
		return AEE_SUCCESS;
	case -ENOENT:
	case -ENOTDIR:
		return AEE_ENOSUCHFILE;
	case -EXDEV:
	case -ELOOP:
	case -EACCES:
	case -EPERM:
		return AEE_EBADPERMS;
	case -EINVAL:
	case -ENAMETOOLONG:
		return AEE_EBADPARM;
	case -ENOMEM:
		return AEE_ENOMEMORY;
	default:
		return AEE_EFILE;
	}
}

static bool is_path_variable(const char *name)
{
	return !strcmp(name, "ADSP_LIBRARY_PATH") || !strcmp(name, "DSP_LIBRARY_PATH");
}

/* The part of @name below @dir, or NULL. */
static const char *below(const char *dir, const char *name)
{
	size_t length = strlen(dir);

	while (length && dir[length - 1] == '/')
		length--;
	if (strncmp(name, dir, length) != 0 || name[length] != '/')
		return NULL;
	name += length;
	return name + strspn(name, "/");
}

/* Open @name in the first directory that has it. Return: an fd or a negative errno. */
static int open_on_path(const struct apps_std *services, const char *name)
{
	int error = -ENOENT;

	for (char *const *dir = services->dirs; *dir; dir++) {
		const char *rest = name[0] == '/' ? below(*dir, name) : name;
		int fd;

		if (!rest)
			continue;
		fd = qda_open_beneath(*dir, rest);
		if (fd >= 0)
			return fd;
		/* That a file may not be read says more than that others do not exist. */
		if (error == -ENOENT && fd != -ENOTDIR)
			error = fd;
	}
	return error;
}

static struct file *find_file(const struct call *call, unsigned int index)
{
	uint32_t handle = in_u32(call, index);
	struct file *file = &call->services->files[handle % APPS_STD_MAX_FILES];

	return file->fd >= 0 && file->generation == handle >> INDEX_BITS ? file : NULL;
}

static uint32_t open_file(const struct call *call, const char *name, const char *mode)
{
	struct apps_std *services = call->services;
	struct file *file = services->files;
	int fd;

	if (!name || !mode)
		return AEE_EBADPARM;
	if (strcmp(mode, "r") != 0 && strcmp(mode, "rb") != 0)
		return AEE_EBADPERMS;
	while (file < services->files + APPS_STD_MAX_FILES && file->fd >= 0)
		file++;
	if (file == services->files + APPS_STD_MAX_FILES)
		return AEE_EFILE;
	fd = open_on_path(services, name);
	if (fd < 0) {
		qda_log(services->qda, LOG_INFO, "the DSP asked for file \"%s\": %s", name,
			strerror(-fd));
		return status_of(fd);
	}
	*file = (struct file){
		.fd = fd,
		.generation = file->generation < GENERATION_MAX ? file->generation + 1 : 1,
	};
	out_u32(call, 0, file->generation << INDEX_BITS | (uint32_t)(file - services->files));
	return AEE_SUCCESS;
}

/* in string name, in string mode, rout long file */
static uint32_t call_fopen(const struct call *call)
{
	return open_file(call, in_string(call, 0, 0), in_string(call, 0, 1));
}

/* in string variable, in string delimiter, in string name, in string mode, rout long file */
static uint32_t call_fopen_with_env(const struct call *call)
{
	const char *variable = in_string(call, 0, 0);

	if (!variable || !in_string(call, 0, 1))
		return AEE_EBADPARM;
	if (!is_path_variable(variable))
		return AEE_ENOSUCH;
	return open_file(call, in_string(call, 0, 2), in_string(call, 0, 3));
}

/* in long file */
static uint32_t call_fclose(const struct call *call)
{
	struct file *file = find_file(call, 0);

	if (!file)
		return AEE_EBADFD;
	close(file->fd);
	file->fd = -1;
	return AEE_SUCCESS;
}

/* in long file, rout sequence<octet> buf, rout long bytes, rout long eof */
static uint32_t call_fread(const struct call *call)
{
	struct file *file = find_file(call, 0);
	const struct reverse_buf *buf = &call->out[0];
	uint32_t done = 0;

	if (!file)
		return AEE_EBADFD;
	if (in_u32(call, 1) > buf->length || buf->length > INT32_MAX)
		return AEE_EBADPARM;
	while (done < in_u32(call, 1)) {
		ssize_t n = pread(file->fd, (uint8_t *)buf->data + done, in_u32(call, 1) - done,
				  (off_t)(file->position + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			file->error = true;
			return AEE_EFILE;
		}
		if (!n) {
			file->eof = true;
			break;
		}
		done += (uint32_t)n;
	}
	file->position += done;
	out_u32(call, 0, done);
	out_u32(call, 1, file->eof);
	return AEE_SUCCESS;
}

/* in long file, rout long position */
static uint32_t call_ftell(const struct call *call)
{
	struct file *file = find_file(call, 0);

	if (!file)
		return AEE_EBADFD;
	if (file->position > INT32_MAX)
		return AEE_EBADSIZE;
	out_u32(call, 0, (uint32_t)file->position);
	return AEE_SUCCESS;
}

static uint32_t file_size(struct file *file, uint64_t *ret_size)
{
	struct stat st;

	if (fstat(file->fd, &st)) {
		file->error = true;
		return AEE_EFILE;
	}
	*ret_size = (uint64_t)st.st_size;
	return AEE_SUCCESS;
}

/* in long file, in long offset, in long whence; the position stays within the file */
static uint32_t call_fseek(const struct call *call)
{
	struct file *file = find_file(call, 0);
	int64_t target = (int32_t)in_u32(call, 1);
	uint64_t size;
	uint32_t status;

	if (!file)
		return AEE_EBADFD;
	status = file_size(file, &size);
	if (status)
		return status;
	switch (in_u32(call, 2)) {
	case WHENCE_SET:
		break;
	case WHENCE_CUR:
		target += (int64_t)file->position;
		break;
	case WHENCE_END:
		target += (int64_t)size;
		break;
	default:
		return AEE_EBADPARM;
	}
	if (target < 0 || (uint64_t)target > size)
		return AEE_EBADPARM;
	file->position = (uint64_t)target;
	file->eof = false;
	return AEE_SUCCESS;
}

/* in long file, rout uint64 length */
static uint32_t call_flen(const struct call *call)
{
	struct file *file = find_file(call, 0);
	uint64_t size;
	uint32_t status;

	if (!file)
		return AEE_EBADFD;
	status = file_size(file, &size);
	if (!status)
		memcpy(call->prim_out, &size, sizeof(size));
	return status;
}

/* in long file */
static uint32_t call_rewind(const struct call *call)
{
	struct file *file = find_file(call, 0);

	if (!file)
		return AEE_EBADFD;
	file->position = 0;
	file->eof = false;
	file->error = false;
	return AEE_SUCCESS;
}

/* in long file, rout long eof */
static uint32_t call_feof(const struct call *call)
{
	struct file *file = find_file(call, 0);

	if (!file)
		return AEE_EBADFD;
	out_u32(call, 0, file->eof);
	return AEE_SUCCESS;
}

/* in long file, rout long error */
static uint32_t call_ferror(const struct call *call)
{
	struct file *file = find_file(call, 0);

	if (!file)
		return AEE_EBADFD;
	out_u32(call, 0, file->error);
	return AEE_SUCCESS;
}

/* in string name, rout sequence<char> value, rout long needed */
static uint32_t call_getenv(const struct call *call)
{
	const char *name = in_string(call, 0, 0);
	const struct reverse_buf *value = &call->out[0];
	size_t used = 0;

	if (!name || in_u32(call, 1) > value->length)
		return AEE_EBADPARM;
	if (!is_path_variable(name))
		return AEE_ENOSUCH;
	/* The directories joined by ';', as far as there is room. */
	for (char *const *dir = call->services->dirs; *dir; dir++) {
		if (used && used <= value->length)
			((char *)value->data)[used - 1] = ';';
		if (used < value->length)
			out_text(&(struct reverse_buf){(char *)value->data + used,
						       value->length - (uint32_t)used},
				 *dir);
		used += strlen(*dir) + 1;
	}
	if (!used) {
		out_text(value, "");
		used = 1;
	}
	if (value->length)
		((char *)value->data)[value->length - 1] = '\0';
	out_u32(call, 0, (uint32_t)used);
	return AEE_SUCCESS;
}

/*
 * in string variable, in string delimiter, rout sequence<string> paths, rout u32
 * n_paths, rout u16 longest. The room of each path is in one more in buffer, and
 * each path is an out buffer of its own.
 */
static uint32_t call_get_search_paths(const struct call *call)
{
	const char *variable = in_string(call, 0, 0);
	uint32_t room = in_u32(call, 2), n = 0;
	size_t longest = 0;
	uint16_t max;

	if (!variable || !in_string(call, 0, 1) || room != call->n_out ||
	    call->in[2].length < room * sizeof(uint32_t))
		return AEE_EBADPARM;
	if (!is_path_variable(variable))
		return AEE_ENOSUCH;
	for (char *const *dir = call->services->dirs; *dir; dir++, n++) {
		size_t size = strlen(*dir) + 1;

		longest = MAX(longest, size);
		/* Half a path is none. */
		if (n < room && size <= call->out[n].length)
			out_text(&call->out[n], *dir);
	}
	out_u32(call, 0, n);
	max = (uint16_t)MIN(longest, (size_t)UINT16_MAX);
	memcpy(call->prim_out + sizeof(uint32_t), &max, sizeof(max));
	return AEE_SUCCESS;
}

/* in string path, rout boolean exists */
static uint32_t call_file_exists(const struct call *call)
{
	const char *path = in_string(call, 0, 0);
	int fd;

	if (!path)
		return AEE_EBADPARM;
	fd = open_on_path(call->services, path);
	if (fd >= 0)
		close(fd);
	call->prim_out[0] = fd >= 0;
	return AEE_SUCCESS;
}

/* in string name, rout long handle, rout sequence<char> dlerror, rout long error */
static uint32_t call_open(const struct call *call)
{
	const char *name = in_string(call, 0, 0);

	if (!name || in_u32(call, 1) > call->out[0].length)
		return AEE_EBADPARM;
	if (!strcmp(name, "apps_std")) {
		out_u32(call, 0, APPS_STD_HANDLE);
		out_u32(call, 1, AEE_SUCCESS);
	} else {
		qda_log(call->services->qda, LOG_INFO, "the DSP asked for service \"%s\"", name);
		out_u32(call, 1, AEE_ENOSUCHMOD);
		out_text(&call->out[0], "no such service");
	}
	return AEE_SUCCESS;
}

/* in long handle, rout sequence<char> dlerror, rout long error */
static uint32_t call_close(const struct call *call)
{
	if (in_u32(call, 1) > call->out[0].length)
		return AEE_EBADPARM;
	out_u32(call, 0, in_u32(call, 0) == APPS_STD_HANDLE ? AEE_SUCCESS : AEE_ENOSUCHHANDLE);
	return AEE_SUCCESS;
}

#define ANY_NUMBER UINT32_MAX

static const struct method {
	uint32_t handle;
	uint32_t number;
	uint32_t in, out;           /* buffers, primIn and primROut included */
	uint32_t prim_in, prim_out; /* least bytes */
	uint32_t (*fn)(const struct call *call);
} methods[] = {
	{APPS_REMOTECTL_HANDLE, APPS_REMOTECTL_OPEN, 2, 2, 8, 8, call_open},
	{APPS_REMOTECTL_HANDLE, APPS_REMOTECTL_CLOSE, 1, 2, 8, 4, call_close},
	{APPS_STD_HANDLE, APPS_STD_FOPEN, 3, 1, 8, 4, call_fopen},
	{APPS_STD_HANDLE, APPS_STD_FCLOSE, 1, 0, 4, 0, call_fclose},
	{APPS_STD_HANDLE, APPS_STD_FREAD, 1, 2, 8, 8, call_fread},
	{APPS_STD_HANDLE, APPS_STD_FTELL, 1, 1, 4, 4, call_ftell},
	{APPS_STD_HANDLE, APPS_STD_FSEEK, 1, 0, 12, 0, call_fseek},
	{APPS_STD_HANDLE, APPS_STD_FLEN, 1, 1, 4, 8, call_flen},
	{APPS_STD_HANDLE, APPS_STD_REWIND, 1, 0, 4, 0, call_rewind},
	{APPS_STD_HANDLE, APPS_STD_FEOF, 1, 1, 4, 4, call_feof},
	{APPS_STD_HANDLE, APPS_STD_FERROR, 1, 1, 4, 4, call_ferror},
	{APPS_STD_HANDLE, APPS_STD_GETENV, 2, 2, 8, 4, call_getenv},
	{APPS_STD_HANDLE, APPS_STD_FOPEN_WITH_ENV, 5, 1, 16, 4, call_fopen_with_env},
	{APPS_STD_HANDLE, APPS_STD_GET_SEARCH_PATHS_WITH_ENV, 4, ANY_NUMBER, 12, 6,
	 call_get_search_paths},
	{APPS_STD_HANDLE, APPS_STD_FILE_EXISTS, 2, 1, 4, 1, call_file_exists},
};

uint32_t apps_std_invoke(struct apps_std *services, uint32_t handle, uint32_t sc,
			 const struct reverse_buf *bufs)
{
	const struct method *method = methods;
	uint32_t n_in = FASTRPC_INBUFS(sc), n_out = FASTRPC_OUTBUFS(sc);
	struct call call;

	if (handle != APPS_REMOTECTL_HANDLE && handle != APPS_STD_HANDLE)
		return AEE_EINVHANDLE;
	while (method < methods + ARRAY_SIZE(methods) &&
	       (method->handle != handle || method->number != FASTRPC_METHOD(sc)))
		method++;
	if (method == methods + ARRAY_SIZE(methods))
		return AEE_EUNSUPPORTED;
	if (n_in != method->in || (n_out != method->out && method->out != ANY_NUMBER) ||
	    (method->prim_out && !n_out) || bufs[0].length < method->prim_in ||
	    (n_out && bufs[n_in].length < method->prim_out))
		return AEE_EBADPARM;
	call = (struct call){
		.services = services,
		.in = bufs + 1,
		.out = bufs + n_in + 1,
		.n_out = n_out ? n_out - 1 : 0,
		.prim_in = bufs[0].data,
		.prim_out = n_out ? bufs[n_in].data : NULL,
	};
	return method->fn(&call);
}

int apps_std_new(const struct qda *qda, char *const *dirs, struct apps_std **ret_services)
{
	struct apps_std *services = calloc(1, sizeof(*services));

	if (!services)
		return -ENOMEM;
	services->qda = qda;
	services->dirs = dirs;
	for (unsigned int i = 0; i < APPS_STD_MAX_FILES; i++)
		services->files[i].fd = -1;
	*ret_services = services;
	return 0;
}

struct apps_std *apps_std_free(struct apps_std *services)
{
	if (!services)
		return NULL;
	for (unsigned int i = 0; i < APPS_STD_MAX_FILES; i++)
		if (services->files[i].fd >= 0)
			close(services->files[i].fd);
	free(services);
	return NULL;
}
