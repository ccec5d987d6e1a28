/* SPDX-License-Identifier: MIT */
/* Times as the command line tools take them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common.h"
#include "tool.h"

static void assert_time(const char *text, int64_t nsec)
{
	int64_t got = -1;

	assert_int_equal(parse_time(text, &got), 0);
	assert_int_equal(got, nsec);
}

static void assert_no_time(const char *text, int error)
{
	int64_t untouched = -1;

	assert_int_equal(parse_time(text, &untouched), error);
	assert_int_equal(untouched, -1);
}

static void a_number_alone_is_seconds(void **state)
{
	assert_time("0", 0);
	assert_time("2", 2000000000);
	assert_time("0.25", 250000000);
}

static void units_scale(void **state)
{
	assert_time("7ns", 7);
	assert_time("7us", 7000);
	assert_time("7ms", 7000000);
	assert_time("7s", 7000000000);
	assert_time("7m", 420000000000);
	assert_time("007ms", 7000000);
}

static void decimals_are_exact(void **state)
{
	assert_time("16.667ms", 16667000);
	assert_time("1.000000001", 1000000001);
	assert_time("0.1m", 6000000000);
	assert_time("0.00000000005m", 3);
}

static void less_than_a_nanosecond_is_rounded_up(void **state)
{
	assert_time("0.1ns", 1);
	assert_time("1.0ns", 1);
	assert_time("1.000000000000000000000000000001s", 1000000001);
	assert_time("0.99999999999999999999ns", 1);
	assert_time("0.00000000000000000000", 0);
}

static void the_longest_is_int64_max(void **state)
{
	assert_time("9223372036854775807ns", INT64_MAX);
	assert_time("9223372036.854775807", INT64_MAX);
	assert_no_time("9223372036854775808ns", -ERANGE);
	assert_no_time("9223372036854775807.1ns", -ERANGE);
	assert_no_time("9223372036.8547758071", -ERANGE);
	assert_no_time("153722868m", -ERANGE);
	assert_no_time("99999999999999999999", -ERANGE);
}

static void what_is_no_time_is_einval(void **state)
{
	static const char *const texts[] = {"",    "s",     "-1",  "+1",  ".5",  "5.",
					    "5.s", "1 s",   " 1",  "1s ", "1h",  "1e3",
					    "0x1", "1.2.3", "inf", "1MS", "1sms"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_no_time(texts[i], -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_alone_is_seconds),
		cmocka_unit_test(units_scale),
		cmocka_unit_test(decimals_are_exact),
		cmocka_unit_test(less_than_a_nanosecond_is_rounded_up),
		cmocka_unit_test(the_longest_is_int64_max),
		cmocka_unit_test(what_is_no_time_is_einval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
