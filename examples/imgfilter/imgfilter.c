/* SPDX-License-Identifier: MIT */
/*
 * Filters a PGM image on a DSP. The file is read straight into a buffer that
 * the DSP sees and the result is written straight out of another: no pixel is
 * copied for the call.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <qda.h>

#define METHOD_SOBEL_PGM 3

/* What imgfilter.idl says, for qda_call(). */
static const struct qda_param sobel_pgm_params[] = {
	{.name = "pgm", .mode = QDA_IN, .kind = QDA_KIND_SEQUENCE, .align = 1, .size = 1},
	{.name = "edges", .mode = QDA_ROUT, .kind = QDA_KIND_SEQUENCE, .align = 1, .size = 1},
};

static const struct qda_method sobel_pgm_method = {.name = "sobel_pgm",
						   .number = METHOD_SOBEL_PGM,
						   .n_params = 2,
						   .params = sobel_pgm_params};

/* Says what failed, why, and what to do about it. */
static int report(const char *what, int r, uint32_t status)
{
	const char *hint;

	if (r == -EREMOTEIO) {
		const char *name = qda_status_name(status);

		fprintf(stderr, "imgfilter: %s: %s (%s, 0x%" PRIx32 ")\n", what,
			qda_status_text(status), name ? name : "no name", status);
		hint = qda_status_hint(status);
	} else {
		fprintf(stderr, "imgfilter: %s: %s\n", what, qda_strerror(r));
		hint = qda_error_hint(r);
	}
	if (hint)
		fprintf(stderr, "imgfilter: hint: %s\n", hint);
	return r;
}

/* The DSP's lines, among them why it refused an image. */
static void log_line(void *data, int priority, const char *message)
{
	(void)data;
	(void)priority;
	fprintf(stderr, "imgfilter: %s\n", message);
}

static int open_input(const char *path, size_t *ret_size)
{
	struct stat st;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fstat(fd, &st) < 0 ? -errno : 0;
	if (!r && (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > UINT32_MAX))
		r = -EINVAL;
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_size = (size_t)st.st_size;
	return fd;
}

static int read_all(int fd, char *data, size_t size)
{
	while (size) {
		ssize_t n = read(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_output(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "we");
	int r = 0;

	if (!file)
		return -errno;
	if (fwrite(data, 1, size, file) != size)
		r = -errno;
	if (fclose(file) && !r)
		r = -errno;
	return r;
}

static int filter(struct qda_module *module, struct qda_buffer *pgm, struct qda_buffer *edges,
		  size_t size)
{
	const struct qda_value values[] = {
		{.buffer = pgm, .count = size},
		{.buffer = edges, .count = size},
	};
	uint32_t status = 0;
	int r;

	r = qda_call(module, &sobel_pgm_method, values, NULL, QDA_NO_TIMEOUT, &status);
	return r < 0 ? report("sobel_pgm", r, status) : 0;
}

static int run(struct qda_session *session, int fd, size_t size, const char *output)
{
	struct qda_module *module = NULL;
	struct qda_buffer *pgm = NULL, *edges = NULL;
	char dlerror[256] = "";
	uint32_t status = 0;
	int r;

	r = qda_module_open(session, "libimgfilter_skel.so", &status, dlerror, sizeof(dlerror),
			    &module);
	if (r < 0) {
		report("libimgfilter_skel.so", r, status);
		if (r == -EREMOTEIO && dlerror[0])
			fprintf(stderr, "imgfilter: the DSP says: %s\n", dlerror);
		return r;
	}

	r = qda_buffer_alloc(session, size, &pgm);
	if (!r)
		r = qda_buffer_alloc(session, size, &edges);
	if (r < 0) {
		report("new buffer", r, 0);
		goto out;
	}
	r = read_all(fd, qda_buffer_data(pgm), size);
	if (r < 0) {
		fprintf(stderr, "imgfilter: input: %s\n", strerror(-r));
		goto out;
	}
	r = filter(module, pgm, edges, size);
	if (r < 0)
		goto out;
	r = write_output(output, qda_buffer_data(edges), size);
	if (r < 0)
		fprintf(stderr, "imgfilter: %s: %s\n", output, strerror(-r));
	else
		printf("%s: %zu bytes\n", output, size);
out:
	qda_buffer_free(edges);
	qda_buffer_free(pgm);
	qda_module_close(module);
	return r;
}

static int connect_and_run(const char *name, int fd, size_t size, const char *output)
{
	struct qda *qda = NULL;
	struct qda_device *device = NULL;
	struct qda_session *session = NULL;
	int r;

	r = qda_new(&qda);
	if (r < 0)
		return report("new context", r, 0);
	qda_set_log_fn(qda, log_line, NULL);

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
	r = run(session, fd, size, output);
	if (r < 0 && qda_session_end_reason(session))
		fprintf(stderr, "imgfilter: the session ended: %s\n",
			qda_session_end_reason(session));
out:
	qda_session_close(session);
	qda_device_unref(device);
	qda_unref(qda);
	return r;
}

int main(int argc, char **argv)
{
	const char *name = "soft:cdsp";
	size_t size = 0;
	int fd, opt, r;

	while ((opt = getopt(argc, argv, "d:")) != -1) {
		if (opt != 'd')
			goto usage;
		name = optarg;
	}
	if (optind + 2 != argc)
		goto usage;

	fd = open_input(argv[optind], &size);
	if (fd < 0) {
		fprintf(stderr, "imgfilter: %s: %s\n", argv[optind],
			fd == -EINVAL ? "not a file with an image" : strerror(-fd));
		return EXIT_FAILURE;
	}
	r = connect_and_run(name, fd, size, argv[optind + 1]);
	close(fd);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

usage:
	fputs("usage: imgfilter [-d DSP] INPUT.pgm OUTPUT.pgm\n"
	      "Sobel filter over an 8-bit PGM. DSP: soft:cdsp, cdsp, /dev/accel/accel0, ...\n",
	      stderr);
	return 2;
}
