/* SPDX-License-Identifier: GPL-2.0-only */
/* The methods of the skel for tests of the path to the DSP. */
#ifndef QDA_SIM_SKEL_H
#define QDA_SIM_SKEL_H

#include <stdint.h>

#define QDA_SIM_URI "file:///libqda_sim_skel.so?qda_sim_skel_invoke&_modver=1.0&_dom=cdsp"

/* Method, in buffers, out buffers, in handles, out handles. */
#define QDA_SIM_SC(method, in, out, hin) \
	((uint32_t)(method) << 24 | (in) << 16 | (out) << 8 | (hin) << 4)

enum qda_sim_method {
	QDA_SIM_NOTHING = QDA_SIM_SC(2, 0, 0, 0),
	QDA_SIM_COPY = QDA_SIM_SC(3, 1, 1, 0),   /* in to out, of the same length */
	QDA_SIM_COPY2 = QDA_SIM_SC(4, 2, 2, 0),  /* both */
	QDA_SIM_TOUCH4 = QDA_SIM_SC(5, 4, 0, 0), /* gets them and does not look */
	QDA_SIM_PEEK = QDA_SIM_SC(6, 2, 1, 0),   /* in s64 distance from in buffer; out byte */
	QDA_SIM_POKE = QDA_SIM_SC(7, 2, 0, 0),   /* in s64 distance from in buffer */
	QDA_SIM_COUNT = QDA_SIM_SC(8, 0, 0, 1),  /* adds 1 to the handle's first byte */
	QDA_SIM_WAIT = QDA_SIM_SC(9, 0, 0, 0),   /* does not return */
	QDA_SIM_ABORT = QDA_SIM_SC(10, 0, 0, 0),
};

#endif
