/* SPDX-License-Identifier: MIT */
/* The search path, the machine's YAML files, confined opening and the process shell. */
#include "helpers.h"

#include <ftw.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "path.h"

#define MODEL "Acme Board, rev 2"

static char root[64]; /* a temporary directory of the test's own */
static struct qda *qda;
static int fds_before;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	snprintf(root, sizeof(root), "/tmp/qda-path-XXXXXX");
	assert_non_null(mkdtemp(root));
	qda = new_context("");
	fds_before = count_fds();
	return 0;
}

static int teardown(void **state)
{
	qda_unref(qda);
	assert_int_equal(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	assert_int_equal(count_fds(), fds_before);
	return 0;
}

/* A path below the test's directory; a few of them are valid at once. */
static const char *at(const char *name)
{
	static char paths[8][256];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
	return path;
}

static void make_dir(const char *name)
{
	assert_return_code(mkdir(at(name), 0755), errno);
}

static void make_bytes(const char *name, const void *bytes, size_t size)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_return_code(fd, errno);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void make_file(const char *name, const char *text)
{
	make_bytes(name, text, strlen(text));
}

static void make_link(const char *name, const char *target)
{
	assert_return_code(symlink(target, at(name)), errno);
}

static void make_conf_dir(void)
{
	make_dir("conf");
	make_dir("conf/conf.d");
}

static char **build(const char *dsp, const char *model)
{
	char **dirs;

	assert_int_equal(qda_path_build_for(qda, dsp, at("conf"), model, &dirs), 0);
	return dirs;
}

/* The machine's directories are exactly these, between the context's and the built-in ones. */
static void assert_machine(const char *model, const char *const *expected)
{
	char **dirs = build("cdsp", model);
	size_t i = 0;

	for (; *expected; expected++, i++) {
		char path[256];

		snprintf(path, sizeof(path), "%s/%s", at("conf"), *expected);
		assert_string_equal(dirs[i], path);
	}
	assert_string_equal(dirs[i], "/usr/lib/rfsa/adsp");
	qda_path_free(dirs);
}

static void assert_no_machine(const char *model)
{
	static const char *const none[] = {NULL};

	assert_machine(model, none);
}

/* ---- the path ----------------------------------------------------------- */

static void test_order_of_directories(void **state)
{
	static const char *const last[] = {"/usr/lib/rfsa/adsp", "/usr/lib/dsp", "/vendor/dsp",
					   "/vendor/dsp/cdsp1"};
	char **dirs;

	make_conf_dir();
	make_file("conf/conf.d/a.yaml",
		  "machines:\n  \"" MODEL "\":\n    DSP_LIBRARY_PATH: acme/board\n");
	assert_int_equal(qda_set_search_path(qda, "/one;/two"), 0);
	dirs = build("cdsp1", MODEL);
	assert_string_equal(dirs[0], "/one");
	assert_string_equal(dirs[1], "/two");
	assert_string_equal(dirs[2], at("conf/acme/board"));
	for (size_t i = 0; i < ARRAY_SIZE(last); i++)
		assert_string_equal(dirs[3 + i], last[i]);
	assert_null(dirs[7]);
	assert_null(qda_path_free(dirs));
}

static void test_empty_and_repeated_directories(void **state)
{
	char **dirs;

	assert_int_equal(qda_set_search_path(qda, ";;/one;;/usr/lib/dsp;/one;"), 0);
	dirs = build("adsp", "");
	assert_string_equal(dirs[0], "/one");
	assert_string_equal(dirs[1], "/usr/lib/dsp");
	assert_string_equal(dirs[2], "/usr/lib/rfsa/adsp");
	assert_string_equal(dirs[3], "/vendor/dsp");
	assert_string_equal(dirs[4], "/vendor/dsp/adsp");
	assert_null(dirs[5]);
	qda_path_free(dirs);
}

static void test_dsp_library_path_is_searched(void **state)
{
	struct qda *own;
	char **dirs;

	setenv("DSP_LIBRARY_PATH", "/from/env", 1);
	assert_int_equal(qda_new(&own), 0);
	unsetenv("DSP_LIBRARY_PATH");
	assert_int_equal(qda_path_build(own, "cdsp", &dirs), 0);
	assert_string_equal(dirs[0], "/from/env");
	qda_path_free(dirs);
	qda_unref(own);
}

static void test_free_of_null(void **state)
{
	assert_null(qda_path_free(NULL));
}

static void test_domain_numbers(void **state)
{
	static const char *const names[] = {"adsp",  "mdsp",  "sdsp", "cdsp",
					    "cdsp1", "gdsp0", "gdsp1"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(qda_domain_number(names[i]), i);
	assert_int_equal(qda_domain_number("cdsp2"), -EINVAL);
	assert_int_equal(qda_domain_number(""), -EINVAL);
	assert_int_equal(qda_domain_number("CDSP"), -EINVAL);
}

/* ---- YAML --------------------------------------------------------------- */

static void test_yaml_of_other_machines(void **state)
{
	make_conf_dir();
	make_file("conf/conf.d/a.yaml", "machines:\n  Other:\n    DSP_LIBRARY_PATH: other\n");
	assert_no_machine(MODEL);
	assert_string_equal(logged, "");
}

static void test_yaml_files_in_sorted_order(void **state)
{
	static const char *const expected[] = {"first", "second", "third", NULL};

	make_conf_dir();
	make_file("conf/conf.d/b.yaml", "machines: {M: {DSP_LIBRARY_PATH: third}}\n");
	make_file("conf/conf.d/B.yaml", "machines: {M: {DSP_LIBRARY_PATH: second}}\n");
	make_file("conf/conf.d/00.yaml", "machines: {M: {DSP_LIBRARY_PATH: first}}\n");
	make_file("conf/conf.d/a.yml", "machines: {M: {DSP_LIBRARY_PATH: wrong-ending}}\n");
	make_file("conf/conf.d/.h.yaml", "machines: {M: {DSP_LIBRARY_PATH: hidden}}\n");
	make_file("conf/conf.d/.yaml", "machines: {M: {DSP_LIBRARY_PATH: hidden}}\n");
	assert_machine("M", expected);
}

static void test_yaml_by_anchor(void **state)
{
	static const char *const expected[] = {"shared", NULL};

	make_conf_dir();
	make_file("conf/conf.d/a.yaml", "machines:\n  A: &a {DSP_LIBRARY_PATH: shared}\n  B: *a\n");
	assert_machine("B", expected);
}

static void test_no_conf_directory(void **state)
{
	assert_no_machine(MODEL);
	assert_string_equal(logged, "");
}

static void test_malformed_yaml_is_logged_and_passed_over(void **state)
{
	static const char *const expected[] = {"good", NULL};

	make_conf_dir();
	make_file("conf/conf.d/a.yaml", "machines:\n  M: [unclosed\n");
	make_file("conf/conf.d/b.yaml", "machines: {M: {DSP_LIBRARY_PATH: good}}\n");
	assert_machine("M", expected);
	assert_non_null(strstr(logged, "4 "));
	assert_non_null(strstr(logged, "conf.d/a.yaml:"));
	assert_null(strstr(logged, "b.yaml"));
}

static void test_yaml_of_unexpected_shape(void **state)
{
	static const char *const texts[] = {
		"",
		"---\n",
		"just text\n",
		"- machines\n",
		"machines\n",
		"machines:\n",
		"machines: M\n",
		"machines: [M]\n",
		"machines: {M: text}\n",
		"machines: {M: [a]}\n",
		"machines: {M: {}}\n",
		"machines: {M: {DSP_LIBRARY_PATH: }}\n",
		"machines: {M: {DSP_LIBRARY_PATH: [a]}}\n",
		"machines: {M: {DSP_LIBRARY_PATH: {a: b}}}\n",
		"machines: {[M]: {DSP_LIBRARY_PATH: a}}\n",
		"machines: {Mx: {DSP_LIBRARY_PATH: a}}\n",
		"{M: {DSP_LIBRARY_PATH: a}}\n",
		"&a {machines: *a}\n",
	};

	make_conf_dir();
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		make_file("conf/conf.d/a.yaml", texts[i]);
		assert_no_machine("M");
	}
}

static void test_broken_yaml_bytes(void **state)
{
	const char good[] = "machines:\n  M: &a {DSP_LIBRARY_PATH: \"x\\n\"}\n  N: *a\n";
	char bytes[sizeof(good)];
	unsigned int random = 12345;

	make_conf_dir();
	/* Cut short everywhere, then with bytes changed by a fixed sequence. */
	for (size_t size = 0; size < sizeof(good); size++) {
		make_bytes("conf/conf.d/a.yaml", good, size);
		qda_path_free(build("cdsp", "M"));
	}
	for (int i = 0; i < 500; i++) {
		memcpy(bytes, good, sizeof(good));
		for (int n = 0; n < 3; n++) {
			random = random * 1103515245 + 12345;
			bytes[(random >> 8) % (sizeof(good) - 1)] = (char)(random >> 24);
		}
		make_bytes("conf/conf.d/a.yaml", bytes, sizeof(good) - 1);
		qda_path_free(build("cdsp", "M"));
	}
}

static void test_yaml_that_is_no_file(void **state)
{
	static const char *const expected[] = {"good", NULL};

	make_conf_dir();
	make_dir("conf/conf.d/a.yaml");
	assert_return_code(mkfifo(at("conf/conf.d/b.yaml"), 0644), errno);
	make_link("conf/conf.d/c.yaml", "nowhere");
	make_file("conf/conf.d/d.yaml", "machines: {M: {DSP_LIBRARY_PATH: good}}\n");
	assert_machine("M", expected);
	assert_non_null(strstr(logged, "a.yaml"));
	assert_non_null(strstr(logged, "b.yaml"));
	assert_non_null(strstr(logged, "c.yaml"));
}

static void test_huge_yaml_is_not_read(void **state)
{
	make_conf_dir();
	make_file("conf/conf.d/a.yaml", "machines: {M: {DSP_LIBRARY_PATH: huge}}\n");
	assert_return_code(truncate(at("conf/conf.d/a.yaml"), 2 * 1024 * 1024), errno);
	assert_no_machine("M");
	assert_non_null(strstr(logged, "larger than"));
}

/* ---- opening below a directory ------------------------------------------ */

static int open_in(const char *dir, const char *name)
{
	int fd = qda_open_beneath(at(dir), name);

	if (fd >= 0) {
		int flags = fcntl(fd, F_GETFD);

		assert_int_equal(flags, FD_CLOEXEC);
		assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
		close(fd);
		return 0;
	}
	return fd;
}

static void make_tree(void)
{
	make_dir("in");
	make_dir("in/sub");
	make_file("in/file", "in");
	make_file("in/sub/file", "in");
	make_file("out", "out");
}

static void test_open_below(void **state)
{
	make_tree();
	assert_int_equal(open_in("in", "file"), 0);
	assert_int_equal(open_in("in", "sub/file"), 0);
	assert_int_equal(open_in("in", "./sub/../file"), 0);
	assert_int_equal(open_in("in", "none"), -ENOENT);
	assert_int_equal(open_in("in", ""), -ENOENT);
	assert_int_equal(open_in("none", "file"), -ENOENT);
	assert_int_equal(open_in("out", "file"), -ENOTDIR);
}

static void test_dot_dot_does_not_escape(void **state)
{
	make_tree();
	assert_int_equal(open_in("in", "../out"), -EXDEV);
	assert_int_equal(open_in("in", "sub/../../out"), -EXDEV);
	assert_int_equal(open_in("in", "../in/file"), -EXDEV);
	assert_int_equal(open_in("in", ".."), -EXDEV);
}

static void test_absolute_name_does_not_escape(void **state)
{
	make_tree();
	assert_int_equal(open_in("in", at("out")), -EXDEV);
	assert_int_equal(open_in("in", "/etc/passwd"), -EXDEV);
}

static void test_symbolic_links_do_not_escape(void **state)
{
	make_tree();
	make_link("in/absolute", at("out"));
	make_link("in/relative", "../out");
	make_link("in/dir", "..");
	make_link("in/back", at("in/file"));
	make_link("in/magic", "/proc/self/root/etc/passwd");
	assert_int_equal(open_in("in", "absolute"), -EXDEV);
	assert_int_equal(open_in("in", "relative"), -EXDEV);
	assert_int_equal(open_in("in", "dir/out"), -EXDEV);
	assert_int_equal(open_in("in", "back"), -EXDEV);
	assert_int_equal(open_in("in", "magic"), -EXDEV);
}

static void test_symbolic_links_inside_are_followed(void **state)
{
	make_tree();
	make_link("in/link", "sub/file");
	make_link("in/sub/up", "../file");
	make_link("in/loop", "loop");
	assert_int_equal(open_in("in", "link"), 0);
	assert_int_equal(open_in("in", "sub/up"), 0);
	assert_int_equal(open_in("in", "loop"), -ELOOP);
}

static void test_only_regular_files(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	make_tree();
	assert_return_code(fd, errno);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/in/socket", root);
	assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
	close(fd);
	assert_return_code(mkfifo(at("in/fifo"), 0644), errno);
	assert_int_equal(open_in("in", "fifo"), -EINVAL);
	assert_int_equal(open_in("in", "sub"), -EISDIR);
	assert_int_equal(open_in("in", "."), -EISDIR);
	assert_int_equal(open_in("in", "socket"), -ENXIO);
	assert_int_equal(qda_open_beneath("/dev", "null"), -EINVAL);
}

static int open_by_components(const char *name)
{
	int dirfd = open(at("in"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = qda_open_by_components(dirfd, name);

	close(dirfd);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static void test_open_by_components_follows_nothing(void **state)
{
	make_tree();
	make_link("in/link", "file");
	make_link("in/dir", "sub");
	assert_int_equal(open_by_components("file"), 0);
	assert_int_equal(open_by_components("sub//file"), 0);
	assert_int_equal(open_by_components("./sub/./file"), 0);
	assert_int_equal(open_by_components("none"), -ENOENT);
	assert_int_equal(open_by_components(""), -ENOENT);
	assert_int_equal(open_by_components("file/none"), -ENOTDIR);
	assert_int_equal(open_by_components("../out"), -EXDEV);
	assert_int_equal(open_by_components("sub/../file"), -EXDEV);
	assert_int_equal(open_by_components(at("out")), -EXDEV);
	assert_int_equal(open_by_components("link"), -ELOOP);
	assert_int_equal(open_by_components("dir/file"), -ENOTDIR);
}

/* ---- the process shell -------------------------------------------------- */

static int open_shell(const char *dsp, bool is_unsigned, const char *shell, char *text)
{
	char *dirs[] = {strdup(at("one")), strdup(at("two")), NULL};
	int fd = qda_shell_open(qda, dsp, is_unsigned, shell, dirs);

	free(dirs[0]);
	free(dirs[1]);
	if (fd < 0)
		return fd;
	memset(text, 0, 16);
	assert_true(read(fd, text, 15) >= 0);
	close(fd);
	return 0;
}

static void test_shell_by_domain_and_kind(void **state)
{
	char text[16];

	make_dir("one");
	make_dir("two");
	make_file("one/fastrpc_shell_3", "signed");
	make_file("two/fastrpc_shell_unsigned_3", "unsigned");
	make_file("two/fastrpc_shell_0", "adsp");
	assert_int_equal(open_shell("cdsp", false, NULL, text), 0);
	assert_string_equal(text, "signed");
	assert_int_equal(open_shell("cdsp", true, NULL, text), 0);
	assert_string_equal(text, "unsigned");
	assert_int_equal(open_shell("adsp", false, NULL, text), 0);
	assert_string_equal(text, "adsp");
}

static void test_shell_of_the_first_directory(void **state)
{
	char text[16];

	make_dir("one");
	make_dir("two");
	make_file("one/fastrpc_shell_3", "first");
	make_file("two/fastrpc_shell_3", "second");
	assert_int_equal(open_shell("cdsp", false, NULL, text), 0);
	assert_string_equal(text, "first");
}

static void test_missing_shell_is_logged_with_all_directories(void **state)
{
	char text[16];

	make_dir("one");
	assert_int_equal(open_shell("cdsp", true, NULL, text), -ENOENT);
	assert_non_null(strstr(logged, "3 fastrpc_shell_unsigned_3 not found in "));
	assert_non_null(strstr(logged, at("one")));
	assert_non_null(strstr(logged, at("two")));
	assert_non_null(strstr(logged, "two (no such directory)"));
	assert_ptr_equal(strchr(logged, '\n'), logged + strlen(logged) - 1);
}

static void test_shell_that_is_no_file(void **state)
{
	char text[16];

	make_dir("one");
	make_dir("one/fastrpc_shell_3");
	assert_int_equal(open_shell("cdsp", false, NULL, text), -ENOENT);
	assert_non_null(strstr(logged, "one ("));
}

static void test_modem_has_no_shell(void **state)
{
	char text[16];

	make_dir("one");
	make_file("one/fastrpc_shell_1", "modem");
	assert_int_equal(open_shell("mdsp", false, NULL, text), -ENOENT);
	assert_int_equal(open_shell("other", false, NULL, text), -ENOENT);
	assert_non_null(strstr(logged, "no process shell for mdsp"));
}

static void test_given_shell(void **state)
{
	char text[16];

	make_dir("one");
	make_file("one/fastrpc_shell_3", "searched");
	make_file("mine", "mine");
	assert_int_equal(open_shell("cdsp", false, at("mine"), text), 0);
	assert_string_equal(text, "mine");
	assert_int_equal(open_shell("cdsp", false, at("none"), text), -ENOENT);
	assert_non_null(strstr(logged, at("none")));
	assert_int_equal(open_shell("cdsp", false, root, text), -EISDIR);
	assert_return_code(mkfifo(at("fifo"), 0644), errno);
	assert_int_equal(open_shell("cdsp", false, at("fifo"), text), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order_of_directories),
		TEST(test_empty_and_repeated_directories),
		TEST(test_dsp_library_path_is_searched),
		TEST(test_free_of_null),
		TEST(test_domain_numbers),
		TEST(test_yaml_of_other_machines),
		TEST(test_yaml_files_in_sorted_order),
		TEST(test_yaml_by_anchor),
		TEST(test_no_conf_directory),
		TEST(test_malformed_yaml_is_logged_and_passed_over),
		TEST(test_yaml_of_unexpected_shape),
		TEST(test_broken_yaml_bytes),
		TEST(test_yaml_that_is_no_file),
		TEST(test_huge_yaml_is_not_read),
		TEST(test_open_below),
		TEST(test_dot_dot_does_not_escape),
		TEST(test_absolute_name_does_not_escape),
		TEST(test_symbolic_links_do_not_escape),
		TEST(test_symbolic_links_inside_are_followed),
		TEST(test_only_regular_files),
		TEST(test_open_by_components_follows_nothing),
		TEST(test_shell_by_domain_and_kind),
		TEST(test_shell_of_the_first_directory),
		TEST(test_missing_shell_is_logged_with_all_directories),
		TEST(test_shell_that_is_no_file),
		TEST(test_modem_has_no_shell),
		TEST(test_given_shell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
