/* SPDX-License-Identifier: MIT */
/* The search path with its surroundings given, as the tests need it. */
#ifndef QDA_PATH_H
#define QDA_PATH_H

struct qda;

/*
 * qda_path_build() for the machine @model ("" for none), described by the YAML
 * files in @conf/conf.d.
 */
int qda_path_build_for(const struct qda *qda, const char *dsp, const char *conf, const char *model,
		       char ***ret_dirs);

/*
 * What qda_open_beneath() does where openat2() is missing, under valgrind above
 * all: stricter, for no symbolic link and no ".." is followed at all. Return: an
 * fd of whatever it is, or a negative errno.
 */
int qda_open_by_components(int dirfd, const char *name);

#endif
