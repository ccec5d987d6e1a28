/* SPDX-License-Identifier: MIT */
/* Calls the calculator from C, once with arguments packed by hand and once by the library. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qda.h>

#define METHOD_SUM 2
#define METHOD_MAX 3

/* What calculator.idl says, for qda_call(). */
static const struct qda_param sum_params[] = {
	{.name = "vec", .mode = QDA_IN, .kind = QDA_KIND_SEQUENCE, .align = 4, .size = 4},
	{.name = "res", .mode = QDA_ROUT, .kind = QDA_KIND_FIXED, .align = 8, .size = 8},
};

static const struct qda_method sum_method = {.name = "sum",
					     .number = METHOD_SUM,
					     .n_params = 2,
					     .params = sum_params};

static const struct qda_param max_params[] = {
	{.name = "vec", .mode = QDA_IN, .kind = QDA_KIND_SEQUENCE, .align = 4, .size = 4},
	{.name = "res", .mode = QDA_ROUT, .kind = QDA_KIND_FIXED, .align = 4, .size = 4},
};

static const struct qda_method max_method = {.name = "max",
					     .number = METHOD_MAX,
					     .n_params = 2,
					     .params = max_params};

/* Says what failed, why, and what to do about it. */
static int report(const char *what, int r, uint32_t status)
{
	const char *hint;

	if (r == -EREMOTEIO) {
		const char *name = qda_status_name(status);

		fprintf(stderr, "calculator: %s: %s (%s, 0x%" PRIx32 ")\n", what,
			qda_status_text(status), name ? name : "no name", status);
		hint = qda_status_hint(status);
	} else {
		fprintf(stderr, "calculator: %s: %s\n", what, qda_strerror(r));
		hint = qda_error_hint(r);
	}
	if (hint)
		fprintf(stderr, "calculator: hint: %s\n", hint);
	return r;
}

/*
 * Both methods have the same arguments but for the result's size: the fixed-size
 * in values, the elements, the fixed-size out values.
 */
static int call_raw(struct qda_module *module, uint32_t method, int32_t *vec, uint32_t count,
		    void *res, size_t res_size)
{
	struct qda_arg args[] = {
		{.ptr = &count, .length = sizeof(count)},
		{.ptr = vec, .length = count * sizeof(*vec)},
		{.ptr = res, .length = res_size},
	};
	uint32_t status = 0;
	int r;

	r = qda_invoke(module, QDA_SCALARS(method, 2, 1, 0, 0), args, &status);
	if (r < 0)
		return report(method == METHOD_SUM ? "sum (raw)" : "max (raw)", r, status);
	return 0;
}

static int call_typed(struct qda_module *module, const struct qda_method *method, int32_t *vec,
		      uint32_t count, void *res)
{
	const struct qda_value values[] = {
		{.data = vec, .count = count},
		{.data = res},
	};
	uint32_t status = 0;
	int r;

	r = qda_call(module, method, values, NULL, QDA_NO_TIMEOUT, &status);
	if (r < 0)
		return report(method->name, r, status);
	return 0;
}

static int calculate(struct qda_module *module, int32_t *vec, uint32_t count)
{
	int64_t sum;
	int32_t max;
	int r;

	r = call_raw(module, METHOD_SUM, vec, count, &sum, sizeof(sum));
	if (r < 0)
		return r;
	printf("sum (raw): %" PRId64 "\n", sum);

	r = call_raw(module, METHOD_MAX, vec, count, &max, sizeof(max));
	if (r < 0)
		return r;
	printf("max (raw): %" PRId32 "\n", max);

	r = call_typed(module, &sum_method, vec, count, &sum);
	if (r < 0)
		return r;
	printf("sum (typed): %" PRId64 "\n", sum);

	r = call_typed(module, &max_method, vec, count, &max);
	if (r < 0)
		return r;
	printf("max (typed): %" PRId32 "\n", max);
	return 0;
}

static int run(const char *name, int32_t *vec, uint32_t count)
{
	struct qda *qda = NULL;
	struct qda_device *device = NULL;
	struct qda_session *session = NULL;
	struct qda_module *module = NULL;
	char dlerror[256] = "";
	uint32_t status = 0;
	int r;

	r = qda_new(&qda);
	if (r < 0)
		return report("new context", r, 0);

	r = qda_device_open(qda, name, &device);
	if (r < 0) {
		report(name, r, 0);
		goto out;
	}
	r = qda_session_create(device, NULL, &session);
	if (r < 0) {
		report("new session", r, 0);
		goto out;
	}
	r = qda_module_open(session, "libcalculator_skel.so", &status, dlerror, sizeof(dlerror),
			    &module);
	if (r < 0) {
		report("libcalculator_skel.so", r, status);
		if (r == -EREMOTEIO && dlerror[0])
			fprintf(stderr, "calculator: the DSP says: %s\n", dlerror);
		goto out;
	}
	r = calculate(module, vec, count);
	if (r < 0 && qda_session_end_reason(session))
		fprintf(stderr, "calculator: the session ended: %s\n",
			qda_session_end_reason(session));
out:
	qda_module_close(module);
	qda_session_close(session);
	qda_device_unref(device);
	qda_unref(qda);
	return r;
}

/* 32-bit numbers from a file, separated by white space. */
static int read_numbers(const char *path, int32_t **ret_vec, uint32_t *ret_count)
{
	int32_t *vec = NULL, *more;
	int64_t number;
	uint32_t count = 0;
	size_t room = 0;
	FILE *file;
	int r;

	file = fopen(path, "re");
	if (!file)
		return -errno;
	while ((r = fscanf(file, "%" SCNd64, &number)) == 1) {
		if (number < INT32_MIN || number > INT32_MAX) {
			r = -EINVAL;
			goto err;
		}
		if (count == room) {
			room = room ? 2 * room : 256;
			more = realloc(vec, room * sizeof(*vec));
			if (!more) {
				r = -ENOMEM;
				goto err;
			}
			vec = more;
		}
		vec[count++] = (int32_t)number;
	}
	if (r != EOF || ferror(file)) {
		r = r == EOF ? -EIO : -EINVAL;
		goto err;
	}
	fclose(file);
	*ret_vec = vec;
	*ret_count = count;
	return 0;
err:
	free(vec);
	fclose(file);
	return r;
}

int main(int argc, char **argv)
{
	const char *name = "soft:cdsp";
	int32_t *vec = NULL;
	uint32_t count = 0;
	int opt, r;

	while ((opt = getopt(argc, argv, "d:")) != -1) {
		if (opt != 'd')
			goto usage;
		name = optarg;
	}
	if (optind + 1 != argc)
		goto usage;

	r = read_numbers(argv[optind], &vec, &count);
	if (r < 0) {
		fprintf(stderr, "calculator: %s: %s\n", argv[optind],
			r == -EINVAL ? "not a list of 32-bit numbers" : strerror(-r));
		return EXIT_FAILURE;
	}
	r = run(name, vec, count);
	free(vec);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

usage:
	fputs("usage: calculator [-d DSP] FILE\n"
	      "Sum and maximum of the numbers in FILE. DSP: soft:cdsp, cdsp, /dev/accel/accel0, "
	      "...\n",
	      stderr);
	return 2;
}
