/* SPDX-License-Identifier: MIT */
/* Services for reverse calls: each method, what they refuse, and that nothing leaves the
 * directories. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "apps_std.h"
#include "fake-session.h"

static struct {
	struct qda qda;
	char root[64];
	char first[80], second[80];
	char *dirs[3];
	struct apps_std *services;
	unsigned int fds;
} fx;

static void write_file(const char *dir, const char *name, const void *bytes, size_t size)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void link_file(const char *target, const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(symlink(target, path), 0);
}

/* root/secret.txt, root/first/{a.so,empty}, root/second/{a.so,b.so,sub/c.so} and links */
static int setup(void **state)
{
	char outside[96], sub[96];

	memset(&fx, 0, sizeof(fx));
	fx.fds = count_fds();
	snprintf(fx.root, sizeof(fx.root), "%s/qda-apps-std-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(fx.root));
	snprintf(fx.first, sizeof(fx.first), "%s/first", fx.root);
	snprintf(fx.second, sizeof(fx.second), "%s/second", fx.root);
	snprintf(sub, sizeof(sub), "%s/sub", fx.second);
	snprintf(outside, sizeof(outside), "%s/secret.txt", fx.root);
	assert_int_equal(mkdir(fx.first, 0755) | mkdir(fx.second, 0755) | mkdir(sub, 0755), 0);
	write_file(fx.root, "secret.txt", "secret", 6);
	write_file(fx.first, "a.so", "0123456789", 10);
	write_file(fx.first, "empty", "", 0);
	write_file(fx.second, "a.so", "other", 5);
	write_file(fx.second, "b.so", "second", 6);
	write_file(sub, "c.so", "sub", 3);
	link_file(outside, fx.first, "absolute-link");
	link_file("../secret.txt", fx.first, "relative-link");
	link_file("../first", fx.first, "dir-link");
	link_file("a.so", fx.first, "inner-link");
	fx.dirs[0] = fx.first;
	fx.dirs[1] = fx.second;
	assert_int_equal(apps_std_new(&fx.qda, fx.dirs, &fx.services), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	fx.services = apps_std_free(fx.services);
	assert_int_equal(count_fds(), fx.fds);
	snprintf(command, sizeof(command), "rm -r '%s'", fx.root);
	return system(command);
}

/* ---- calls as a DSP makes them ---- */

static uint32_t call(uint32_t handle, uint32_t sc, struct reverse_buf *bufs)
{
	/* Each in memory of its own size, so that a sanitizer sees an access beyond. */
	struct reverse_buf own[REVERSE_MAX_BUFS] = {{NULL, 0}};
	uint32_t status;

	for (unsigned int i = 0; i < FASTRPC_BUFS(sc); i++) {
		own[i].length = bufs[i].length;
		own[i].data = bufs[i].length ? malloc(bufs[i].length) : NULL;
		if (bufs[i].length)
			memcpy(own[i].data, bufs[i].data, bufs[i].length);
	}
	status = apps_std_invoke(fx.services, handle, sc, own);
	for (unsigned int i = 0; i < FASTRPC_BUFS(sc); i++) {
		if (i >= FASTRPC_INBUFS(sc) && bufs[i].length)
			memcpy(bufs[i].data, own[i].data, bufs[i].length);
		free(own[i].data);
	}
	return status;
}

#define STD(method, in, out) APPS_STD_HANDLE, FASTRPC_SCALARS(method, in, out, 0, 0)
#define BUF(x)                  \
	{                       \
		&(x), sizeof(x) \
	}
#define TEXT(s)                                                 \
	{                                                       \
		(void *)(uintptr_t)(s), (uint32_t)strlen(s) + 1 \
	}
#define LEN(s) ((uint32_t)strlen(s) + 1)

static uint32_t open_mode(const char *name, const char *mode, uint32_t *file)
{
	uint32_t in[] = {LEN(name), LEN(mode)};

	return call(STD(APPS_STD_FOPEN, 3, 1),
		    (struct reverse_buf[]){BUF(in), TEXT(name), TEXT(mode), BUF(*file)});
}

static uint32_t open_name(const char *name, uint32_t *file)
{
	return open_mode(name, "r", file);
}

static uint32_t must_open(const char *name)
{
	uint32_t file = 0;

	assert_int_equal(open_name(name, &file), AEE_SUCCESS);
	return file;
}

static uint32_t open_env(const char *variable, const char *name, uint32_t *file)
{
	uint32_t in[] = {LEN(variable), 2, LEN(name), 3};

	return call(STD(APPS_STD_FOPEN_WITH_ENV, 5, 1),
		    (struct reverse_buf[]){BUF(in), TEXT(variable), TEXT(";"), TEXT(name),
					   TEXT("rb"), BUF(*file)});
}

static uint32_t simple(uint32_t method, uint32_t file)
{
	return call(STD(method, 1, 0), (struct reverse_buf[]){BUF(file)});
}

static uint32_t query(uint32_t method, uint32_t file, uint32_t *ret)
{
	return call(STD(method, 1, 1), (struct reverse_buf[]){BUF(file), BUF(*ret)});
}

static uint32_t seek(uint32_t file, int32_t offset, uint32_t whence)
{
	uint32_t in[] = {file, (uint32_t)offset, whence};

	return call(STD(APPS_STD_FSEEK, 1, 0), (struct reverse_buf[]){BUF(in)});
}

static uint32_t read_file(uint32_t file, void *bytes, uint32_t size, uint32_t *ret_n,
			  uint32_t *ret_eof)
{
	uint32_t in[] = {file, size}, out[2] = {77, 77};
	uint32_t status = call(STD(APPS_STD_FREAD, 1, 2),
			       (struct reverse_buf[]){BUF(in), BUF(out), {bytes, size}});

	*ret_n = out[0];
	*ret_eof = out[1];
	return status;
}

static uint32_t position(uint32_t file)
{
	uint32_t at = 77;

	assert_int_equal(query(APPS_STD_FTELL, file, &at), AEE_SUCCESS);
	return at;
}

static bool exists(const char *path)
{
	uint32_t in = LEN(path);
	uint8_t out = 77;

	assert_int_equal(call(STD(APPS_STD_FILE_EXISTS, 2, 1),
			      (struct reverse_buf[]){BUF(in), TEXT(path), BUF(out)}),
			 AEE_SUCCESS);
	assert_in_range(out, 0, 1);
	return out;
}

static void check_content(uint32_t file, const char *content)
{
	char bytes[32] = "";
	uint32_t n, eof;

	assert_int_equal(read_file(file, bytes, sizeof(bytes), &n, &eof), AEE_SUCCESS);
	assert_int_equal(n, strlen(content));
	assert_memory_equal(bytes, content, n);
}

/* ---- remotectl ---- */

static uint32_t remotectl_open(const char *name, uint32_t out[2], char dlerror[32])
{
	uint32_t in[] = {LEN(name), 32};

	return call(APPS_REMOTECTL_HANDLE, FASTRPC_SCALARS(APPS_REMOTECTL_OPEN, 2, 2, 0, 0),
		    (struct reverse_buf[]){BUF(in), TEXT(name), {out, 8}, {dlerror, 32}});
}

static void remotectl_knows_apps_std(void **state)
{
	uint32_t out[2] = {77, 77};
	char dlerror[32] = "";

	assert_int_equal(remotectl_open("apps_std", out, dlerror), AEE_SUCCESS);
	assert_int_equal(out[0], APPS_STD_HANDLE);
	assert_int_equal(out[1], AEE_SUCCESS);
}

static void remotectl_refuses_others(void **state)
{
	uint32_t out[2] = {77, 77};
	char dlerror[32] = "";

	assert_int_equal(remotectl_open("apps_mem", out, dlerror), AEE_SUCCESS);
	assert_int_equal(out[1], AEE_ENOSUCHMOD);
	assert_string_equal(dlerror, "no such service");
}

static void remotectl_closes(void **state)
{
	uint32_t in[] = {APPS_STD_HANDLE, 0}, error = 77;
	struct reverse_buf bufs[] = {BUF(in), BUF(error), {NULL, 0}};
	const uint32_t sc = FASTRPC_SCALARS(APPS_REMOTECTL_CLOSE, 1, 2, 0, 0);

	assert_int_equal(call(APPS_REMOTECTL_HANDLE, sc, bufs), AEE_SUCCESS);
	assert_int_equal(error, AEE_SUCCESS);
	in[0] = 99;
	assert_int_equal(call(APPS_REMOTECTL_HANDLE, sc, bufs), AEE_SUCCESS);
	assert_int_equal(error, AEE_ENOSUCHHANDLE);
}

/* ---- files ---- */

static void reads_a_file_to_its_end(void **state)
{
	uint32_t file = must_open("a.so"), n, eof, value = 77;
	char bytes[8];

	assert_int_equal(read_file(file, bytes, 6, &n, &eof), AEE_SUCCESS);
	assert_int_equal(n, 6);
	assert_int_equal(eof, 0);
	assert_memory_equal(bytes, "012345", 6);
	assert_int_equal(position(file), 6);
	assert_int_equal(query(APPS_STD_FEOF, file, &value), AEE_SUCCESS);
	assert_int_equal(value, 0);
	assert_int_equal(read_file(file, bytes, 8, &n, &eof), AEE_SUCCESS);
	assert_int_equal(n, 4);
	assert_int_equal(eof, 1);
	assert_memory_equal(bytes, "6789", 4);
	assert_int_equal(query(APPS_STD_FEOF, file, &value), AEE_SUCCESS);
	assert_int_equal(value, 1);
	assert_int_equal(query(APPS_STD_FERROR, file, &value), AEE_SUCCESS);
	assert_int_equal(value, 0);
	assert_int_equal(simple(APPS_STD_FCLOSE, file), AEE_SUCCESS);
}

static void reads_an_empty_file(void **state)
{
	uint32_t n, eof;
	char byte;

	assert_int_equal(read_file(must_open("empty"), &byte, 1, &n, &eof), AEE_SUCCESS);
	assert_int_equal(n, 0);
	assert_int_equal(eof, 1);
}

static void reading_nothing_is_fine(void **state)
{
	uint32_t n, eof;

	assert_int_equal(read_file(must_open("a.so"), NULL, 0, &n, &eof), AEE_SUCCESS);
	assert_int_equal(n, 0);
	assert_int_equal(eof, 0);
}

static void reading_beyond_the_room_is_refused(void **state)
{
	uint32_t in[] = {must_open("a.so"), 5}, out[2];
	char bytes[4];

	assert_int_equal(call(STD(APPS_STD_FREAD, 1, 2),
			      (struct reverse_buf[]){BUF(in), BUF(out), BUF(bytes)}),
			 AEE_EBADPARM);
}

static void seeks_from_all_three(void **state)
{
	uint32_t file = must_open("a.so");

	assert_int_equal(seek(file, 4, 0), AEE_SUCCESS);
	assert_int_equal(position(file), 4);
	assert_int_equal(seek(file, -1, 1), AEE_SUCCESS);
	assert_int_equal(position(file), 3);
	assert_int_equal(seek(file, -2, 2), AEE_SUCCESS);
	check_content(file, "89");
	assert_int_equal(simple(APPS_STD_REWIND, file), AEE_SUCCESS);
	assert_int_equal(position(file), 0);
	check_content(file, "0123456789");
}

static void seeking_ends_the_end_of_file(void **state)
{
	uint32_t file = must_open("a.so"), value = 77;

	check_content(file, "0123456789");
	assert_int_equal(seek(file, 0, 0), AEE_SUCCESS);
	assert_int_equal(query(APPS_STD_FEOF, file, &value), AEE_SUCCESS);
	assert_int_equal(value, 0);
	check_content(file, "0123456789");
	assert_int_equal(simple(APPS_STD_REWIND, file), AEE_SUCCESS);
	assert_int_equal(query(APPS_STD_FEOF, file, &value), AEE_SUCCESS);
	assert_int_equal(value, 0);
}

static void seeking_out_of_the_file_is_refused(void **state)
{
	uint32_t file = must_open("a.so");

	assert_int_equal(seek(file, 5, 0), AEE_SUCCESS);
	assert_int_equal(seek(file, -1, 0), AEE_EBADPARM);
	assert_int_equal(seek(file, -6, 1), AEE_EBADPARM);
	assert_int_equal(seek(file, INT32_MIN, 1), AEE_EBADPARM);
	assert_int_equal(seek(file, INT32_MAX, 1), AEE_EBADPARM);
	assert_int_equal(seek(file, 1, 2), AEE_EBADPARM);
	assert_int_equal(seek(file, -11, 2), AEE_EBADPARM);
	assert_int_equal(seek(file, 0, 3), AEE_EBADPARM);
	assert_int_equal(position(file), 5);
	assert_int_equal(seek(file, 0, 2), AEE_SUCCESS);
	assert_int_equal(position(file), 10);
}

static void tells_the_length(void **state)
{
	uint32_t file = must_open("a.so");
	uint64_t length = 77;

	assert_int_equal(call(STD(APPS_STD_FLEN, 1, 1),
			      (struct reverse_buf[]){BUF(file), BUF(length)}),
			 AEE_SUCCESS);
	assert_int_equal(length, 10);
}

static void two_opens_have_two_positions(void **state)
{
	uint32_t a = must_open("a.so"), b = must_open("a.so");

	assert_int_not_equal(a, b);
	assert_int_equal(seek(a, 7, 0), AEE_SUCCESS);
	assert_int_equal(position(b), 0);
	check_content(a, "789");
}

static void stale_and_forged_handles_are_refused(void **state)
{
	uint32_t file = must_open("a.so"), again, value;
	uint32_t forged[] = {0, 1, 0xffffffff, file + 1, file ^ 0x100};
	char byte;

	assert_int_equal(simple(APPS_STD_FCLOSE, file), AEE_SUCCESS);
	assert_int_equal(simple(APPS_STD_FCLOSE, file), AEE_EBADFD);
	again = must_open("a.so");
	assert_int_not_equal(again, file);
	assert_int_equal(simple(APPS_STD_FCLOSE, file), AEE_EBADFD);
	assert_int_equal(read_file(file, &byte, 1, &value, &value), AEE_EBADFD);
	assert_int_equal(seek(file, 0, 0), AEE_EBADFD);
	assert_int_equal(simple(APPS_STD_REWIND, file), AEE_EBADFD);
	assert_int_equal(query(APPS_STD_FTELL, file, &value), AEE_EBADFD);
	assert_int_equal(query(APPS_STD_FEOF, file, &value), AEE_EBADFD);
	assert_int_equal(query(APPS_STD_FERROR, file, &value), AEE_EBADFD);
	assert_int_equal(call(STD(APPS_STD_FLEN, 1, 1),
			      (struct reverse_buf[]){BUF(file), {(uint64_t[1]){0}, 8}}),
			 AEE_EBADFD);
	for (unsigned int i = 0; i < ARRAY_SIZE(forged); i++)
		assert_int_equal(simple(APPS_STD_REWIND, forged[i]),
				 forged[i] == again ? AEE_SUCCESS : AEE_EBADFD);
}

static void at_most_256_files(void **state)
{
	uint32_t files[256], more = 77;

	for (unsigned int i = 0; i < 256; i++)
		files[i] = must_open("a.so");
	assert_int_equal(open_name("a.so", &more), AEE_EFILE);
	assert_int_equal(more, 77);
	assert_int_equal(simple(APPS_STD_FCLOSE, files[100]), AEE_SUCCESS);
	files[100] = must_open("b.so");
	check_content(files[100], "second");
	check_content(files[255], "0123456789");
	assert_int_equal(open_name("a.so", &more), AEE_EFILE);
	/* teardown() checks that the session's end closes them all */
}

/* ---- where files come from ---- */

static void directories_are_searched_in_order(void **state)
{
	check_content(must_open("a.so"), "0123456789");
	check_content(must_open("b.so"), "second");
	check_content(must_open("sub/c.so"), "sub");
	check_content(must_open("inner-link"), "0123456789");
}

static void env_opens_on_the_path(void **state)
{
	uint32_t file = 0;

	assert_int_equal(open_env("ADSP_LIBRARY_PATH", "b.so", &file), AEE_SUCCESS);
	check_content(file, "second");
	assert_int_equal(open_env("DSP_LIBRARY_PATH", "a.so", &file), AEE_SUCCESS);
	check_content(file, "0123456789");
	assert_int_equal(open_env("HOME", "a.so", &file), AEE_ENOSUCH);
	assert_int_equal(open_env("DSP_LIBRARY_PATH", "none.so", &file), AEE_ENOSUCHFILE);
	assert_int_equal(open_env("DSP_LIBRARY_PATH", "../secret.txt", &file), AEE_EBADPERMS);
}

static void absolute_names_must_be_below_a_directory(void **state)
{
	char path[256];
	uint32_t file;

	snprintf(path, sizeof(path), "%s/b.so", fx.second);
	check_content(must_open(path), "second");
	snprintf(path, sizeof(path), "%s//sub/c.so", fx.second);
	check_content(must_open(path), "sub");
	snprintf(path, sizeof(path), "%s/secret.txt", fx.root);
	assert_int_equal(open_name(path, &file), AEE_ENOSUCHFILE);
	snprintf(path, sizeof(path), "%s/../secret.txt", fx.first);
	assert_int_equal(open_name(path, &file), AEE_EBADPERMS);
	/* A name that only begins like a directory's */
	snprintf(path, sizeof(path), "%s-more/a.so", fx.first);
	assert_int_equal(open_name(path, &file), AEE_ENOSUCHFILE);
	snprintf(path, sizeof(path), "%sa.so", fx.first);
	assert_int_equal(open_name(path, &file), AEE_ENOSUCHFILE);
	assert_int_equal(open_name("/etc/passwd", &file), AEE_ENOSUCHFILE);
}

static void nothing_leaves_the_directories(void **state)
{
	static const char *const names[] = {
		"../secret.txt",
		"sub/../../secret.txt",
		"absolute-link",
		"relative-link",
		"dir-link/a.so",
		"./../secret.txt",
		"..",
		".",
		"sub",
	};
	uint32_t file = 77;

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_not_equal(open_name(names[i], &file), AEE_SUCCESS);
		assert_false(exists(names[i]));
	}
	assert_int_equal(file, 77);
	assert_int_equal(open_name("relative-link", &file), AEE_EBADPERMS);
	assert_int_equal(open_name("", &file), AEE_ENOSUCHFILE);
}

static void only_reading_is_allowed(void **state)
{
	static const char *const modes[] = {"w", "a", "r+", "rb+", "r+b", "wb", "", "R", "rw"};
	uint32_t file = 77;

	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++)
		assert_int_equal(open_mode("a.so", modes[i], &file), AEE_EBADPERMS);
	assert_int_equal(file, 77);
	assert_int_equal(open_mode("a.so", "rb", &file), AEE_SUCCESS);
}

static void tells_which_files_exist(void **state)
{
	char path[256];

	assert_true(exists("a.so"));
	assert_true(exists("sub/c.so"));
	snprintf(path, sizeof(path), "%s/b.so", fx.second);
	assert_true(exists(path));
	assert_false(exists("none.so"));
	assert_false(exists("../secret.txt"));
	assert_false(exists("/etc/passwd"));
}

/* ---- environment ---- */

static uint32_t get_env(const char *name, char *value, uint32_t room, uint32_t *ret_needed)
{
	uint32_t in[] = {LEN(name), room};

	return call(STD(APPS_STD_GETENV, 2, 2),
		    (struct reverse_buf[]){BUF(in), TEXT(name), BUF(*ret_needed), {value, room}});
}

static void getenv_gives_the_path(void **state)
{
	char expected[200], value[200];
	uint32_t needed = 0;

	snprintf(expected, sizeof(expected), "%s;%s", fx.first, fx.second);
	assert_int_equal(get_env("ADSP_LIBRARY_PATH", value, sizeof(value), &needed), AEE_SUCCESS);
	assert_string_equal(value, expected);
	assert_int_equal(needed, strlen(expected) + 1);
	assert_int_equal(get_env("DSP_LIBRARY_PATH", value, needed, &needed), AEE_SUCCESS);
	assert_string_equal(value, expected);
	/* Cut at every length, and terminated. */
	for (uint32_t room = 1; room < needed; room++) {
		memset(value, 'x', sizeof(value));
		assert_int_equal(get_env("DSP_LIBRARY_PATH", value, room, &needed), AEE_SUCCESS);
		assert_int_equal(strlen(value), room - 1);
		assert_memory_equal(value, expected, room - 1);
	}
	assert_int_equal(get_env("DSP_LIBRARY_PATH", NULL, 0, &needed), AEE_SUCCESS);
	assert_int_equal(needed, strlen(expected) + 1);
}

static void getenv_gives_nothing_else(void **state)
{
	char value[100];
	uint32_t needed = 77;

	assert_non_null(getenv("PATH"));
	assert_int_equal(get_env("PATH", value, sizeof(value), &needed), AEE_ENOSUCH);
	assert_int_equal(get_env("", value, sizeof(value), &needed), AEE_ENOSUCH);
	assert_int_equal(needed, 77);
}

static uint32_t search_paths(const char *variable, char paths[][80], const uint32_t *rooms,
			     uint32_t n, uint32_t out[2])
{
	uint32_t in[] = {LEN(variable), 2, n};
	struct reverse_buf bufs[16] = {
		BUF(in), TEXT(variable), TEXT(";"), {(void *)(uintptr_t)rooms, n * 4}, {out, 8}};

	for (uint32_t i = 0; i < n; i++)
		bufs[5 + i] = (struct reverse_buf){paths[i], rooms[i]};
	return call(STD(APPS_STD_GET_SEARCH_PATHS_WITH_ENV, 4, 1 + n), bufs);
}

static void search_paths_are_listed(void **state)
{
	char paths[3][80] = {"", "", ""};
	uint32_t out[2] = {0};

	/* First how many, then which. */
	assert_int_equal(search_paths("ADSP_LIBRARY_PATH", NULL, NULL, 0, out), AEE_SUCCESS);
	assert_int_equal(out[0], 2);
	assert_int_equal(out[1], strlen(fx.second) + 1);
	assert_int_equal(search_paths("ADSP_LIBRARY_PATH", paths, (uint32_t[]){80, 80, 80}, 3, out),
			 AEE_SUCCESS);
	assert_string_equal(paths[0], fx.first);
	assert_string_equal(paths[1], fx.second);
	assert_string_equal(paths[2], "");
	/* Half a path is none. */
	paths[0][0] = paths[1][0] = '\0';
	assert_int_equal(search_paths("ADSP_LIBRARY_PATH", paths, (uint32_t[]){80, 5}, 2, out),
			 AEE_SUCCESS);
	assert_string_equal(paths[0], fx.first);
	assert_string_equal(paths[1], "");
	assert_int_equal(search_paths("PATH", NULL, NULL, 0, out), AEE_ENOSUCH);
}

/* ---- malformed calls ---- */

static void other_methods_are_unsupported(void **state)
{
	/* freopen, fwrite, setenv, fremove, mkdir, rmdir, and stat by method 31 */
	static const uint32_t others[] = {1, 5, 17, 24, 29, 30, 31};
	uint32_t in[] = {31, 0, 0, 0};
	struct reverse_buf bufs[] = {BUF(in)};

	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(call(STD(others[i], 1, 0), bufs), AEE_EUNSUPPORTED);
	assert_int_equal(call(APPS_REMOTECTL_HANDLE, FASTRPC_SCALARS(2, 1, 0, 0, 0), bufs),
			 AEE_EUNSUPPORTED);
	assert_int_equal(call(99, FASTRPC_SCALARS(0, 1, 0, 0, 0), bufs), AEE_EINVHANDLE);
}

static void wrong_shapes_are_refused(void **state)
{
	uint32_t in[4] = {0}, out[4] = {0};

	for (uint32_t method = 0; method < 31; method++) {
		for (uint32_t n_in = 0; n_in < 6; n_in++) {
			for (uint32_t n_out = 0; n_out < 4; n_out++) {
				/* Nothing, and 3 bytes everywhere: too little for every method. */
				struct reverse_buf none[10] = {{NULL, 0}}, short_bufs[10];

				for (unsigned int i = 0; i < 10; i++)
					short_bufs[i] =
						(struct reverse_buf){i < n_in ? in : out, 3};
				assert_int_not_equal(call(STD(method, n_in, n_out), none),
						     AEE_SUCCESS);
				assert_int_not_equal(call(STD(method, n_in, n_out), short_bufs),
						     AEE_SUCCESS);
				assert_int_not_equal(
					call(APPS_REMOTECTL_HANDLE,
					     FASTRPC_SCALARS(method, n_in, n_out, 0, 0), none),
					AEE_SUCCESS);
			}
		}
	}
}

static void strings_must_be_what_their_length_says(void **state)
{
	uint32_t file = 77;
	struct {
		uint32_t length;
		struct reverse_buf name;
	} bad[] = {
		{0, {NULL, 0}},              /* none */
		{6, TEXT("a.so")},           /* longer than the buffer */
		{4, TEXT("a.so")},           /* no end within the length */
		{6, {(void *)"a.so\0x", 6}}, /* something behind the end */
		{0xffffffff, TEXT("a.so")},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		uint32_t in[] = {bad[i].length, 2};

		assert_int_equal(call(STD(APPS_STD_FOPEN, 3, 1),
				      (struct reverse_buf[]){BUF(in), bad[i].name, TEXT("r"),
							     BUF(file)}),
				 AEE_EBADPARM);
	}
	assert_int_equal(file, 77);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(remotectl_knows_apps_std),
		TEST(remotectl_refuses_others),
		TEST(remotectl_closes),
		TEST(reads_a_file_to_its_end),
		TEST(reads_an_empty_file),
		TEST(reading_nothing_is_fine),
		TEST(reading_beyond_the_room_is_refused),
		TEST(seeks_from_all_three),
		TEST(seeking_ends_the_end_of_file),
		TEST(seeking_out_of_the_file_is_refused),
		TEST(tells_the_length),
		TEST(two_opens_have_two_positions),
		TEST(stale_and_forged_handles_are_refused),
		TEST(at_most_256_files),
		TEST(directories_are_searched_in_order),
		TEST(env_opens_on_the_path),
		TEST(absolute_names_must_be_below_a_directory),
		TEST(nothing_leaves_the_directories),
		TEST(only_reading_is_allowed),
		TEST(tells_which_files_exist),
		TEST(getenv_gives_the_path),
		TEST(getenv_gives_nothing_else),
		TEST(search_paths_are_listed),
		TEST(other_methods_are_unsupported),
		TEST(wrong_shapes_are_refused),
		TEST(strings_must_be_what_their_length_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
