/* SPDX-License-Identifier: MIT */
/* Heaps: which are found, what they are, which is taken, and why one cannot be used. */
#include "fixture.h"

#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>

/* The directory of heaps of a test, whose nodes the script opens. */
static char directory[] = "/tmp/dmabuf-test-XXXXXX";
static char paths[16][64];
static size_t n_paths;

static int setup(void **state)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	setenv("DMABUF_HEAP_PATH", directory, 1);
	n_paths = 0;
	return fixture_setup(state);
}

static int teardown(void **state)
{
	while (n_paths)
		unlink(paths[--n_paths]);
	rmdir(directory);
	unsetenv("DMABUF_HEAP_PATH");
	return fixture_teardown(state);
}

static const char *path_of(const char *name)
{
	snprintf(paths[n_paths], sizeof(paths[0]), "%s/%s", directory, name);
	return paths[n_paths++];
}

/* A file in the directory, which the script may open as a node. */
static const char *node(const char *name)
{
	const char *path = path_of(name);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	return path;
}

/* What passes for a node without the script: a link to a device elsewhere. */
static const char *device(const char *name)
{
	const char *path = path_of(name);

	assert_int_equal(symlink("/dev/null", path), 0);
	return path;
}

static const struct dmabuf_heap_info *info_of(const struct dmabuf_heap_info *heaps, size_t count,
					      const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(heaps[i].name, name) == 0)
			return &heaps[i];
	fail_msg("%s is not listed", name);
	return NULL;
}

/* ---- the list ----------------------------------------------------------- */

static void list_is_sorted_and_ends_with_memfd(void **state)
{
	static const char *const names[] = {"linux,cma", "cma@80000000", "system"};
	struct dmabuf_heap_info *heaps;
	size_t count;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		device(names[i]);
	assert_int_equal(dmabuf_heap_list(&heaps, &count), 0);
	assert_true(count == 4 || (count == 5 && strcmp(heaps[3].name, "udmabuf") == 0));
	assert_string_equal(heaps[0].name, "cma@80000000");
	assert_string_equal(heaps[1].name, "linux,cma");
	assert_string_equal(heaps[2].name, "system");
	assert_string_equal(heaps[count - 1].name, "memfd");
	assert_null(heaps[count - 1].path);
	assert_int_equal(heaps[count - 1].properties, DMABUF_HEAP_SYSTEM | DMABUF_HEAP_NO_DEVICE);
	assert_int_equal(heaps[count - 1].error, 0);
	free(heaps);
}

static void listed_heap_has_path_and_properties(void **state)
{
	const struct dmabuf_heap_info *heap;
	struct dmabuf_heap_info *heaps;
	const char *path = node("linux,cma");
	size_t count;

	uapimock_expect_open(path, 0);
	assert_int_equal(dmabuf_heap_list(&heaps, &count), 0);
	heap = info_of(heaps, count, "linux,cma");
	assert_string_equal(heap->path, path);
	assert_int_equal(heap->properties, DMABUF_HEAP_CONTIGUOUS);
	assert_int_equal(heap->error, 0);
	assert_null(heap->alias);
	assert_null(heap->reason);
	free(heaps);
}

static void link_is_listed_as_an_alias(void **state)
{
	const struct dmabuf_heap_info *heap;
	struct dmabuf_heap_info *heaps;
	const char *link = path_of("vidbuf_cached");
	size_t count;

	node("system");
	assert_int_equal(symlink("system", link), 0);
	assert_int_equal(dmabuf_heap_list(&heaps, &count), 0);
	heap = info_of(heaps, count, "vidbuf_cached");
	assert_string_equal(heap->alias, "system");
	assert_int_equal(heap->properties, DMABUF_HEAP_SYSTEM);
	free(heaps);
}

static void heap_that_may_not_be_opened_is_listed_with_a_reason(void **state)
{
	const struct dmabuf_heap_info *heap;
	struct dmabuf_heap_info *heaps;
	size_t count;

	uapimock_expect_open(node("system"), EACCES);
	assert_int_equal(dmabuf_heap_list(&heaps, &count), 0);
	heap = info_of(heaps, count, "system");
	assert_int_equal(heap->error, -EACCES);
	assert_non_null(strstr(heap->reason, "mode 0600"));
	free(heaps);
}

static void file_that_is_no_node_is_listed_as_unusable(void **state)
{
	const struct dmabuf_heap_info *heap;
	struct dmabuf_heap_info *heaps;
	size_t count;

	node("README");
	assert_int_equal(dmabuf_heap_list(&heaps, &count), 0);
	heap = info_of(heaps, count, "README");
	assert_int_equal(heap->error, -ENODEV);
	assert_non_null(strstr(heap->reason, "no dma-heap"));
	free(heaps);
}

static void list_without_a_directory_has_memfd(void **state)
{
	struct dmabuf_heap_info *heaps;
	size_t count;

	setenv("DMABUF_HEAP_PATH", "/no/such/directory", 1);
	assert_int_equal(dmabuf_heap_list(&heaps, &count), 0);
	assert_true(count >= 1);
	assert_string_equal(heaps[count - 1].name, "memfd");
	free(heaps);
}

/* ---- names -------------------------------------------------------------- */

static void names_tell_properties(void **state)
{
	static const struct {
		const char *name;
		uint32_t properties;
	} names[] = {
		{"system", DMABUF_HEAP_SYSTEM},
		{"system-uncached", DMABUF_HEAP_UNCACHED},
		{"system_cc_shared", DMABUF_HEAP_CC_SHARED},
		{"default_cma_region", DMABUF_HEAP_CONTIGUOUS},
		{"linux,cma", DMABUF_HEAP_CONTIGUOUS},
		{"linux,cma@60000000", DMABUF_HEAP_CONTIGUOUS},
		{"reserved", DMABUF_HEAP_CONTIGUOUS},
		{"default-pool", DMABUF_HEAP_CONTIGUOUS},
		{"cma@80000000", DMABUF_HEAP_CONTIGUOUS},
		{"camera,contiguous", DMABUF_HEAP_CONTIGUOUS},
		{"protected,secure-video", DMABUF_HEAP_PROTECTED},
		{"restricted_mtk", DMABUF_HEAP_PROTECTED},
		{"protected,contiguous", DMABUF_HEAP_PROTECTED | DMABUF_HEAP_CONTIGUOUS},
		{"reserved_other", DMABUF_HEAP_UNKNOWN},
		{"plasma", DMABUF_HEAP_UNKNOWN},
		{"unprotected", DMABUF_HEAP_UNKNOWN},
	};
	struct dmabuf_heap *heap;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/%s", directory, names[i].name);
		uapimock_expect_open(path, 0);
		assert_int_equal(dmabuf_heap_open(names[i].name, &heap), 0);
		assert_string_equal(dmabuf_heap_name(heap), names[i].name);
		assert_int_equal(dmabuf_heap_properties(heap), names[i].properties);
		dmabuf_heap_unref(heap);
	}
}

static void link_opens_the_heap_behind_it(void **state)
{
	const char *link = path_of("vidbuf_cached");
	struct dmabuf_heap *heap;

	node("system");
	assert_int_equal(symlink("system", link), 0);
	uapimock_expect_open(link, 0);
	assert_int_equal(dmabuf_heap_open("vidbuf_cached", &heap), 0);
	assert_string_equal(dmabuf_heap_name(heap), "system");
	assert_int_equal(dmabuf_heap_properties(heap), DMABUF_HEAP_SYSTEM);
	dmabuf_heap_unref(heap);
}

static void path_opens_a_heap(void **state)
{
	struct dmabuf_heap *heap;
	const char *path = node("system");

	uapimock_expect_open(path, 0);
	assert_int_equal(dmabuf_heap_open(path, &heap), 0);
	assert_string_equal(dmabuf_heap_name(heap), "system");
	dmabuf_heap_unref(heap);
}

static void heaps_in_memory_need_no_node(void **state)
{
	struct dmabuf_heap *heap;

	assert_int_equal(dmabuf_heap_open("memfd", &heap), 0);
	assert_string_equal(dmabuf_heap_name(heap), "memfd");
	assert_int_equal(dmabuf_heap_properties(heap), DMABUF_HEAP_SYSTEM | DMABUF_HEAP_NO_DEVICE);
	assert_ptr_equal(dmabuf_heap_ref(heap), heap);
	dmabuf_heap_unref(heap);
	assert_null(dmabuf_heap_unref(heap));
	assert_null(dmabuf_heap_unref(NULL));
	uapimock_expect_open("/dev/udmabuf", 0);
	assert_int_equal(dmabuf_heap_open("udmabuf", &heap), 0);
	assert_string_equal(dmabuf_heap_name(heap), "udmabuf");
	assert_int_equal(dmabuf_heap_properties(heap), DMABUF_HEAP_SYSTEM);
	dmabuf_heap_unref(heap);
}

static void bad_names_are_einval(void **state)
{
	static const char *const names[] = {NULL, "", ".", ".."};
	struct dmabuf_heap *heap = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(dmabuf_heap_open(names[i], &heap), -EINVAL);
	assert_null(heap);
}

static void missing_heap_is_enoent(void **state)
{
	struct dmabuf_heap *heap = NULL;

	assert_int_equal(dmabuf_heap_open("system", &heap), -ENOENT);
	assert_int_equal(dmabuf_heap_open("/dev/null/system", &heap), -ENOENT);
	setenv("DMABUF_HEAP_PATH", "/no/such/directory", 1);
	assert_int_equal(dmabuf_heap_open("system", &heap), -ENOENT);
	assert_null(heap);
}

static void errors_of_open_are_told(void **state)
{
	static const int errors[][2] = {{EACCES, -EACCES}, {EPERM, -EACCES},  {EMFILE, -EMFILE},
					{ENFILE, -ENFILE}, {ENOMEM, -ENOMEM}, {ENXIO, -ENXIO}};
	const char *path = node("system");
	struct dmabuf_heap *heap = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		uapimock_expect_open(path, errors[i][0]);
		assert_int_equal(dmabuf_heap_open("system", &heap), errors[i][1]);
	}
	assert_null(heap);
}

static void other_files_are_enodev(void **state)
{
	struct dmabuf_heap *heap = NULL;
	char outside[64];

	node("system");
	assert_int_equal(dmabuf_heap_open("system", &heap), -ENODEV);
	assert_int_equal(dmabuf_heap_open("/dev/null", &heap), -ENODEV);
	assert_int_equal(dmabuf_heap_open("/tmp", &heap), -ENODEV);
	snprintf(outside, sizeof(outside), "%s/../../dev/null", directory);
	assert_int_equal(dmabuf_heap_open(outside, &heap), -ENODEV);
	assert_null(heap);
}

/* ---- the best one ------------------------------------------------------- */

static void assert_found(const char *const *names, uint32_t required, uint32_t refused,
			 const char *expected)
{
	struct dmabuf_heap *heap;

	assert_int_equal(dmabuf_heap_find(names, required, refused, &heap), 0);
	assert_string_equal(dmabuf_heap_name(heap), expected);
	dmabuf_heap_unref(heap);
}

static void first_name_that_is_there_is_taken(void **state)
{
	static const char *const names[] = {"camera", "system-uncached", "system", NULL};

	uapimock_expect_open(node("system-uncached"), 0);
	assert_found(names, 0, 0, "system-uncached");
}

static void old_and_new_names_of_the_cma_area_stand_for_each_other(void **state)
{
	static const char *const names[][2] = {{"default_cma_region", NULL},
					       {"linux,cma", NULL},
					       {"reserved", NULL},
					       {"default-pool", NULL}};

	for (size_t there = 0; there < ARRAY_SIZE(names); there++) {
		const char *path = device(names[there][0]);

		for (size_t asked = 0; asked < ARRAY_SIZE(names); asked++)
			assert_found(names[asked], 0, 0, names[there][0]);
		unlink(path);
	}
}

static void properties_choose_among_names(void **state)
{
	static const char *const names[] = {"system", "linux,cma", NULL};
	const char *system = node("system"), *cma = node("linux,cma");

	uapimock_expect_open(system, 0);
	uapimock_expect_open(cma, 0);
	assert_found(names, DMABUF_HEAP_CONTIGUOUS, 0, "linux,cma");
	uapimock_expect_open(system, 0);
	uapimock_expect_open(cma, 0);
	assert_found(names, 0, DMABUF_HEAP_SYSTEM, "linux,cma");
}

static void any_heap_is_plain_memory_first(void **state)
{
	device("default_cma_region");
	device("system");
	assert_found(NULL, 0, 0, "system");
	assert_found(NULL, DMABUF_HEAP_CONTIGUOUS, 0, "default_cma_region");
}

static void heaps_in_memory_are_taken_only_by_name(void **state)
{
	static const char *const names[] = {"system", "memfd", NULL};
	struct dmabuf_heap *heap = NULL;

	assert_int_equal(dmabuf_heap_find(NULL, 0, 0, &heap), -ENOENT);
	assert_null(heap);
	assert_found(names, 0, 0, "memfd");
	assert_int_equal(dmabuf_heap_find(names, 0, DMABUF_HEAP_NO_DEVICE, &heap), -ENOENT);
	assert_null(heap);
}

static void heap_that_may_not_be_opened_is_told_if_there_is_no_other(void **state)
{
	static const char *const names[] = {"system", "linux,cma", "memfd", NULL};
	const char *path = node("system");
	struct dmabuf_heap *heap = NULL;

	uapimock_expect_open(path, EACCES);
	assert_found(names, 0, 0, "memfd");
	uapimock_expect_open(path, EACCES);
	assert_int_equal(dmabuf_heap_find(names, 0, DMABUF_HEAP_NO_DEVICE, &heap), -EACCES);
	assert_null(heap);
}

/* ---- why not ------------------------------------------------------------ */

static void assert_explained(const char *name, int error, const char *part)
{
	char text[300];

	assert_int_equal(dmabuf_heap_explain(name, text, sizeof(text)), error);
	if (!strstr(text, part))
		fail_msg("'%s' does not speak of '%s'", text, part);
}

static void usable_heap_is_said_to_be(void **state)
{
	uapimock_expect_open(node("system"), 0);
	assert_explained("system", 0, "can be used");
	assert_explained("memfd", 0, "can be used");
}

static void missing_heap_is_explained(void **state)
{
	assert_explained("system", -ENOENT, "look which heaps there are");
	setenv("DMABUF_HEAP_PATH", "/no/such/directory", 1);
	assert_explained("system", -ENOENT, "CONFIG_DMABUF_HEAPS");
	uapimock_expect_open("/dev/udmabuf", ENOENT);
	assert_explained("udmabuf", -ENOENT, "load the module udmabuf");
}

static void group_that_may_open_the_heap_is_named(void **state)
{
	const char *path = node("system");
	const struct group *group = getgrnam("video");
	char part[64];

	if (geteuid() != 0 || !group)
		skip();
	assert_int_equal(chown(path, 0, group->gr_gid), 0);
	assert_int_equal(chmod(path, 0660), 0);
	uapimock_expect_open(path, EACCES);
	assert_explained("system", -EACCES,
			 "owned by root:video, mode 0660: add the user to the "
			 "group video");
	assert_int_equal(chown(path, 4242, 4343), 0);
	uapimock_expect_open(path, EACCES);
	snprintf(part, sizeof(part),
		 "owned by 4242:4343, mode 0660: add the user to the group "
		 "4343");
	assert_explained("system", -EACCES, part);
}

static void heap_of_the_owner_alone_needs_a_rule(void **state)
{
	const char *path = node("system");

	uapimock_expect_open(path, EACCES);
	assert_explained("system", -EACCES, "mode 0600: let a udev rule give it a group");
}

static void heap_that_all_may_open_is_forbidden_by_a_policy(void **state)
{
	const char *path = node("system");

	assert_int_equal(chmod(path, 0666), 0);
	uapimock_expect_open(path, EPERM);
	assert_explained("system", -EACCES, "forbidden by a policy");
}

static void other_files_are_explained(void **state)
{
	assert_explained("/dev/null", -ENODEV, "/dev/null: no dma-heap");
	assert_explained("", -EINVAL, "no name of a heap");
}

static void small_room_for_the_text_is_kept(void **state)
{
	char text[8] = "xxxxxxx";

	assert_int_equal(dmabuf_heap_explain("system", text, 5), -ENOENT);
	assert_int_equal(strlen(text), 4);
	assert_int_equal(text[5], 'x');
}

#define with_directory(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_directory(list_is_sorted_and_ends_with_memfd),
		with_directory(listed_heap_has_path_and_properties),
		with_directory(link_is_listed_as_an_alias),
		with_directory(heap_that_may_not_be_opened_is_listed_with_a_reason),
		with_directory(file_that_is_no_node_is_listed_as_unusable),
		with_directory(list_without_a_directory_has_memfd),
		with_directory(names_tell_properties),
		with_directory(link_opens_the_heap_behind_it),
		with_directory(path_opens_a_heap),
		with_directory(heaps_in_memory_need_no_node),
		with_directory(bad_names_are_einval),
		with_directory(missing_heap_is_enoent),
		with_directory(errors_of_open_are_told),
		with_directory(other_files_are_enodev),
		with_directory(first_name_that_is_there_is_taken),
		with_directory(old_and_new_names_of_the_cma_area_stand_for_each_other),
		with_directory(properties_choose_among_names),
		with_directory(any_heap_is_plain_memory_first),
		with_directory(heaps_in_memory_are_taken_only_by_name),
		with_directory(heap_that_may_not_be_opened_is_told_if_there_is_no_other),
		with_directory(usable_heap_is_said_to_be),
		with_directory(missing_heap_is_explained),
		with_directory(group_that_may_open_the_heap_is_named),
		with_directory(heap_of_the_owner_alone_needs_a_rule),
		with_directory(heap_that_all_may_open_is_forbidden_by_a_policy),
		with_directory(other_files_are_explained),
		with_directory(small_room_for_the_text_is_kept),
	};

	return cmocka_run_group_tests_name("dmabuf-heap", tests, NULL, NULL);
}
