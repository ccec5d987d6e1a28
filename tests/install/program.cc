// SPDX-License-Identifier: MIT
// A C++ program against the installed library: asks the software DSP for an attribute.
#include <cstdio>

#include <qda.h>

int main(int argc, char **argv)
{
	struct qda *qda = nullptr;
	struct qda_device *device = nullptr;
	struct qda_session *session = nullptr;
	uint32_t unsigned_processes = 0;
	int r = qda_new(&qda);

	(void)argv;
	if (r == 0)
		r = qda_device_open(qda, argc > 1 ? argv[1] : "soft:cdsp", &device);
	if (r == 0)
		r = qda_session_create(device, nullptr, &session);
	if (r == 0)
		r = qda_session_get_attribute(session, 1, &unsigned_processes);
	if (r == 0)
		std::printf("%s: unsigned processes: %u\n", qda_device_dsp(device),
			    static_cast<unsigned int>(unsigned_processes));
	else
		std::fprintf(stderr, "%s\n", qda_strerror(r));
	qda_session_close(session);
	qda_device_unref(device);
	qda_unref(qda);
	return r < 0 ? 1 : 0;
}
