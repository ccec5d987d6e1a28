/* SPDX-License-Identifier: MIT */
/* The context: environment, search path, log. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "fake-transport.h"

static int setup(void **state)
{
	unsetenv("DSP_LIBRARY_PATH");
	unsetenv("ADSP_LIBRARY_PATH");
	unsetenv("QDA_SOFTDSP");
	unsetenv("QDA_LOG");
	return 0;
}

static struct qda *new_context(void)
{
	struct qda *qda = NULL;

	assert_int_equal(qda_new(&qda), 0);
	return qda;
}

static void test_search_path_is_empty_by_default(void **state)
{
	struct qda *qda = new_context();

	assert_string_equal(qda_get_search_path(qda), "");
	assert_null(qda_unref(qda));
}

static void test_search_path_from_environment(void **state)
{
	struct qda *qda;

	setenv("ADSP_LIBRARY_PATH", "/old", 1);
	qda = new_context();
	assert_string_equal(qda_get_search_path(qda), "/old");
	qda_unref(qda);

	setenv("DSP_LIBRARY_PATH", "/a;/b", 1);
	qda = new_context();
	assert_string_equal(qda_get_search_path(qda), "/a;/b");
	qda_unref(qda);
}

static void test_search_path_set_and_restored(void **state)
{
	struct qda *qda;

	setenv("DSP_LIBRARY_PATH", "/env", 1);
	qda = new_context();
	assert_int_equal(qda_set_search_path(qda, "/mine"), 0);
	assert_string_equal(qda_get_search_path(qda), "/mine");
	assert_int_equal(qda_set_search_path(qda, ""), 0);
	assert_string_equal(qda_get_search_path(qda), "");
	assert_int_equal(qda_set_search_path(qda, NULL), 0);
	assert_string_equal(qda_get_search_path(qda), "/env");
	qda_unref(qda);
}

static void test_environment_is_read_once(void **state)
{
	struct qda *qda;

	setenv("DSP_LIBRARY_PATH", "/before", 1);
	qda = new_context();
	setenv("DSP_LIBRARY_PATH", "/after", 1);
	assert_string_equal(qda_get_search_path(qda), "/before");
	qda_unref(qda);
}

static void test_softdsp_set_before_environment_before_default(void **state)
{
	struct qda *qda = new_context();

	assert_non_null(strstr(qda_softdsp_path(qda), "/qda-softdsp"));
	qda_unref(qda);

	setenv("QDA_SOFTDSP", "/env/softdsp", 1);
	qda = new_context();
	assert_string_equal(qda_softdsp_path(qda), "/env/softdsp");
	assert_int_equal(qda_set_softdsp(qda, "/set/softdsp"), 0);
	assert_string_equal(qda_softdsp_path(qda), "/set/softdsp");
	assert_int_equal(qda_set_softdsp(qda, NULL), 0);
	assert_string_equal(qda_softdsp_path(qda), "/env/softdsp");
	qda_unref(qda);
}

static void test_softdsp_must_be_absolute(void **state)
{
	struct qda *qda = new_context();

	assert_int_equal(qda_set_softdsp(qda, "bin/softdsp"), -EINVAL);
	assert_int_equal(qda_set_softdsp(qda, ""), -EINVAL);
	qda_unref(qda);
}

struct lines {
	unsigned int n;
	int priority;
	char last[2048];
};

static void log_line(void *data, int priority, const char *message)
{
	struct lines *lines = data;

	lines->n++;
	lines->priority = priority;
	snprintf(lines->last, sizeof(lines->last), "%s", message);
}

static void test_log_delivers_up_to_the_priority(void **state)
{
	struct qda *qda = new_context();
	struct lines lines = {0};

	qda_log(qda, LOG_ERR, "no callback yet");
	qda_set_log_fn(qda, log_line, &lines);
	qda_log(qda, LOG_ERR, "number %d", 1);
	assert_int_equal(lines.n, 1);
	assert_int_equal(lines.priority, LOG_ERR);
	assert_string_equal(lines.last, "number 1");
	qda_log(qda, LOG_WARNING, "dropped");
	assert_int_equal(lines.n, 1);
	qda_set_log_priority(qda, LOG_DEBUG);
	qda_log(qda, LOG_DEBUG, "now");
	assert_int_equal(lines.n, 2);
	qda_unref(qda);
}

static void test_log_cuts_long_lines(void **state)
{
	struct qda *qda = new_context();
	struct lines lines = {0};
	char text[4096];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	qda_set_log_fn(qda, log_line, &lines);
	qda_log(qda, LOG_ERR, "%s", text);
	assert_int_equal(lines.n, 1);
	assert_int_equal(lines.last[0], 'x');
	assert_true(strlen(lines.last) < sizeof(text) - 1);
	qda_unref(qda);
}

static void test_log_level_from_environment(void **state)
{
	static const struct {
		const char *text;
		int priority;
	} cases[] = {
		{"debug", LOG_DEBUG}, {"INFO", LOG_INFO}, {"warning", LOG_WARNING},
		{"7", LOG_DEBUG},     {"4", LOG_WARNING}, {"99", LOG_DEBUG},
		{"0", LOG_ERR},       {"-1", LOG_ERR},    {"loud", LOG_ERR},
		{"", LOG_ERR},        {"5x", LOG_ERR},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct qda *qda;

		setenv("QDA_LOG", cases[i].text, 1);
		qda = new_context();
		assert_int_equal(qda->log_priority, cases[i].priority);
		qda_unref(qda);
	}
}

static void test_references_keep_the_context(void **state)
{
	struct qda *qda = new_context();

	assert_ptr_equal(qda_ref(qda), qda);
	assert_null(qda_unref(qda));
	assert_string_equal(qda_get_search_path(qda), "");
	assert_null(qda_unref(qda));
	assert_null(qda_unref(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_search_path_is_empty_by_default, setup),
		cmocka_unit_test_setup(test_search_path_from_environment, setup),
		cmocka_unit_test_setup(test_search_path_set_and_restored, setup),
		cmocka_unit_test_setup(test_environment_is_read_once, setup),
		cmocka_unit_test_setup(test_softdsp_set_before_environment_before_default, setup),
		cmocka_unit_test_setup(test_softdsp_must_be_absolute, setup),
		cmocka_unit_test_setup(test_log_delivers_up_to_the_priority, setup),
		cmocka_unit_test_setup(test_log_cuts_long_lines, setup),
		cmocka_unit_test_setup(test_log_level_from_environment, setup),
		cmocka_unit_test_setup(test_references_keep_the_context, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
