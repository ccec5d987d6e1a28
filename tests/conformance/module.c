/* SPDX-License-Identifier: MIT */
/* Cases: opening and closing modules, and everything that can be wrong with one. */
#include <dirent.h>
#include <sys/stat.h>

#include "conformance.h"

#define URI(lib, iface) "file:///" lib "?" iface "_skel_handle_invoke&_modver=1.0&_dom=cdsp"

static void module_opens_by_library_name(struct conf *c)
{
	CHECK(strstr(qda_module_uri(c->module), "file:///libconf_skel.so?conf_skel_handle_invoke"));
	check_alive(c->module);
}

static void module_opens_by_uri(struct conf *c)
{
	struct qda_module *module = conf_open(c->session, URI("libconf_skel.so", "conf"));

	CHECK(!strcmp(qda_module_uri(module), URI("libconf_skel.so", "conf")));
	check_alive(module);
	qda_module_close(module);
}

static void module_name_with_slash_is_einval(struct conf *c)
{
	struct qda_module *module = NULL;

	CHECK_ERROR(qda_module_open(c->session, "lib/libconf_skel.so", NULL, NULL, 0, &module),
		    -EINVAL);
	CHECK_ERROR(qda_module_open(c->session, "", NULL, NULL, 0, &module), -EINVAL);
	CHECK(!module);
}

/* Opening fails, the reason is told, and the session goes on. */
static void check_refused(struct conf *c, const char *name, const char *wanted_text)
{
	struct qda_module *module = NULL;
	char text[512] = "";
	uint32_t status = 0;

	CHECK_ERROR(qda_module_open(c->session, name, &status, text, sizeof(text), &module),
		    -EREMOTEIO);
	CHECK(!module);
	CHECK(status);
	CHECK(memchr(text, '\0', sizeof(text)));
	if (!text[0] || (wanted_text && !strstr(text, wanted_text)))
		conf_fail(__FILE__, __LINE__, "the text on %s is \"%s\"", name, text);
	check_alive(c->module);
}

static void module_missing_library_is_refused(struct conf *c)
{
	check_refused(c, "libmissing_skel.so", "libmissing_skel.so");
}

static void module_that_is_no_elf_is_refused(struct conf *c)
{
	check_refused(c, "libtext_skel.so", "libtext_skel.so");
}

static void module_that_is_empty_is_refused(struct conf *c)
{
	check_refused(c, "libempty_skel.so", NULL);
}

static void module_without_the_symbol_is_refused(struct conf *c)
{
	check_refused(c, "libnosym_skel.so", "nosym_skel_handle_invoke");
}

static void module_with_undefined_symbol_is_refused(struct conf *c)
{
	check_refused(c, "libneeds_skel.so", "function_that_nobody_has");
}

static void module_that_crashes_while_loading_ends_the_session(struct conf *c)
{
	struct qda_session *session = conf_session(c->device);
	struct qda_module *module = NULL;
	int r = qda_module_open(session, "libctor_skel.so", NULL, NULL, 0, &module);

	CHECK(r == -ECONNRESET || r == -EREMOTEIO);
	CHECK(!module);
	qda_session_close(session);
	check_alive(c->module);
}

static void module_text_fits_the_callers_room(struct conf *c)
{
	struct qda_module *module = NULL;
	char text[9];

	memset(text, '#', sizeof(text));
	CHECK_ERROR(qda_module_open(c->session, "libmissing_skel.so", NULL, text, 8, &module),
		    -EREMOTEIO);
	CHECK(memchr(text, '\0', 8));
	CHECK_EQ(text[8], '#');
}

/* Shells that are beside the suite's skels, if there are any. */
static void copy_shells(const char *dir)
{
	struct dirent *entry;
	DIR *skels = opendir(conf_skels);

	CHECK(skels);
	while ((entry = readdir(skels)))
		if (!strncmp(entry->d_name, "fastrpc_shell", 13))
			copy_skel(entry->d_name, dir, entry->d_name);
	closedir(skels);
}

static void module_outside_the_search_path_is_refused(struct conf *c)
{
	char uri[1024], link[512], target[512];
	const char *dir = conf_tmpdir();
	struct qda *qda = conf_context();
	struct qda_device *device;
	struct conf inner = {.qda = qda};

	/* The search path is a directory of its own, with one skel and links out of it. */
	copy_shells(dir);
	copy_skel("libconf_skel.so", dir, "libconf_skel.so");
	snprintf(link, sizeof(link), "%s/liblink_skel.so", dir);
	snprintf(target, sizeof(target), "%s/libcrash_skel.so", conf_skels);
	CHECK_EQ(symlink(target, link), 0);
	snprintf(link, sizeof(link), "%s/libinside_skel.so", dir);
	CHECK_EQ(symlink("libconf_skel.so", link), 0);
	CHECK_OK(qda_set_search_path(qda, dir));
	CHECK_OK(qda_device_open(qda, conf_device, &device));
	inner.device = device;
	inner.session = conf_session(device);
	inner.module = conf_open(inner.session, "libconf_skel.so");

	check_refused(&inner, URI("liblink_skel.so", "crash"), NULL);
	snprintf(uri, sizeof(uri), URI("..%s/libcrash_skel.so", "crash"), conf_skels);
	check_refused(&inner, uri, NULL);
	snprintf(uri, sizeof(uri), URI("../../../../../../../..%s/libcrash_skel.so", "crash"),
		 conf_skels);
	check_refused(&inner, uri, NULL);
	snprintf(uri, sizeof(uri), URI("%s/libcrash_skel.so", "crash"), conf_skels);
	check_refused(&inner, uri, NULL);
	check_refused(&inner, "libcrash_skel.so", NULL);

	qda_module_close(conf_open(inner.session, URI("libinside_skel.so", "conf")));
	qda_module_close(inner.module);
	qda_session_close(inner.session);
	qda_device_unref(device);
	qda_unref(qda);
}

static void module_search_path_is_tried_in_order(struct conf *c)
{
	const char *dir = conf_tmpdir();
	struct qda *qda = conf_context();
	struct qda_device *device;
	struct qda_session *session;
	char path[2048];

	snprintf(path, sizeof(path), "/nonexistent;%s;%s", dir, conf_skels);
	copy_skel("libqaicstyle_skel.so", dir, "libother_skel.so");
	CHECK_OK(qda_set_search_path(qda, path));
	CHECK(!strcmp(qda_get_search_path(qda), path));
	CHECK_OK(qda_device_open(qda, conf_device, &device));
	session = conf_session(device);
	qda_module_close(conf_open(session, "libconf_skel.so"));
	qda_module_close(conf_open(session, URI("libother_skel.so", "qaicstyle")));
	qda_session_close(session);
	qda_device_unref(device);
	qda_unref(qda);
}

static void module_opens_several_times(struct conf *c)
{
	struct qda_module *modules[5];

	for (size_t i = 0; i < ARRAY_SIZE(modules); i++) {
		modules[i] = conf_open(c->session, "libconf_skel.so");
		CHECK_EQ(call_out(modules[i], CONF_OPENED), 2 + i);
		CHECK(qda_module_handle(modules[i]) != qda_module_handle(c->module));
		for (size_t k = 0; k < i; k++)
			CHECK(qda_module_handle(modules[i]) != qda_module_handle(modules[k]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++)
		CHECK(!qda_module_close(modules[i]));
	CHECK_EQ(call_out(c->module, CONF_OPENED), 1);
}

static void module_instances_have_handles_of_their_own(struct conf *c)
{
	struct qda_module *other = conf_open(c->session, "libconf_skel.so");
	struct conf_report *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
	struct qda_arg arg;

	arg = plain(a, sizeof(*a));
	CHECK_OK(qda_invoke(c->module, QDA_SCALARS(CONF_REPORT, 0, 1, 0, 0), &arg, NULL));
	arg = plain(b, sizeof(*b));
	CHECK_OK(qda_invoke(other, QDA_SCALARS(CONF_REPORT, 0, 1, 0, 0), &arg, NULL));
	CHECK(a->handle && b->handle && a->handle != b->handle);
	qda_module_close(other);
	free(a);
	free(b);
}

static void module_two_libraries_live_in_one_session(struct conf *c)
{
	struct qda_module *crash = conf_open(c->session, "libcrash_skel.so");

	CHECK_OK(qda_invoke(crash, QDA_SCALARS(CRASH_NOTHING, 0, 0, 0, 0), NULL, NULL));
	check_alive(c->module);
	qda_module_close(crash);
	check_alive(c->module);
}

static void module_closed_handle_is_unknown(struct conf *c)
{
	struct qda_module *other = conf_open(c->session, "libconf_skel.so");
	uint32_t handle = qda_module_handle(other);
	uint32_t status = 0;

	qda_module_close(other);
	CHECK_ERROR(qda_session_invoke(c->session, handle, QDA_SCALARS(CONF_NOTHING, 0, 0, 0, 0),
				       NULL, QDA_NO_TIMEOUT, &status),
		    -EREMOTEIO);
	CHECK(status);
	check_alive(c->module);
}

static void module_close_takes_null(struct conf *c)
{
	CHECK(!qda_module_close(NULL));
}

static void module_of_generated_style_runs(struct conf *c)
{
	struct qda_module *module = conf_open(c->session, "libqaicstyle_skel.so");
	static const int32_t vec[] = {5, -3, 1 << 30, 1 << 30, 1 << 30, 7};
	uint32_t prim_in = ARRAY_SIZE(vec);
	int64_t sum = 0;
	int32_t max = 0;
	struct qda_arg args[] = {plain(&prim_in, sizeof(prim_in)), plain(vec, sizeof(vec)),
				 plain(&sum, sizeof(sum))};

	CHECK_OK(qda_invoke(module, 0x02020100, args, NULL));
	CHECK_EQ(sum, 9 + 3LL * (1 << 30));
	args[2] = plain(&max, sizeof(max));
	CHECK_OK(qda_invoke(module, 0x03020100, args, NULL));
	CHECK_EQ(max, 1 << 30);
	qda_module_close(module);
}

const struct conf_case module_cases[] = {
	CASE(module_opens_by_library_name, 0),
	CASE(module_opens_by_uri, 0),
	CASE(module_name_with_slash_is_einval, 0),
	CASE(module_missing_library_is_refused, 0),
	CASE(module_that_is_no_elf_is_refused, 0),
	CASE(module_that_is_empty_is_refused, 0),
	CASE(module_without_the_symbol_is_refused, 0),
	CASE(module_with_undefined_symbol_is_refused, 0),
	CASE(module_that_crashes_while_loading_ends_the_session, 0),
	CASE(module_text_fits_the_callers_room, 0),
	CASE(module_outside_the_search_path_is_refused, CONF_BARE),
	CASE(module_search_path_is_tried_in_order, CONF_BARE),
	CASE(module_opens_several_times, 0),
	CASE(module_instances_have_handles_of_their_own, 0),
	CASE(module_two_libraries_live_in_one_session, 0),
	CASE(module_closed_handle_is_unknown, 0),
	CASE(module_close_takes_null, 0),
	CASE(module_of_generated_style_runs, 0),
	{0},
};
