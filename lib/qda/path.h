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

#endif
