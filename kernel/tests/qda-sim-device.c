/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The character device of a simulated DSP, with this program as the DSP and Linux's
 * drivers/misc/fastrpc.c as its driver: boot and crash, messages, memory.
 *
 * timeout: 300
 * modules: qda_sim fastrpc
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <linux/qda_sim.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "fds.h"
#include "programs/qda-sim-rpc.h"

#define DEVICE "/dev/qda-sim/cdsp"
#define PAGE 4096UL
#define IOVA(address) ((address)&0xffffffffU)
#define SID(address) ((uint32_t)((address) >> 32))
#define STATUS 0x77

/* As it is on the wire. */
struct message {
	int32_t client_id;
	int32_t tid;
	uint64_t ctx;
	uint32_t handle;
	uint32_t sc;
	uint64_t addr;
	uint64_t size;
};

struct reply {
	uint64_t ctx;
	int32_t retval;
	int32_t pad;
};

#define HANDLE_INIT 1
#define SC_RELEASE 0x01010000U
#define SC_CREATE_ATTR 0x07040000U

static struct {
	unsigned int fds;
	int root;
} fx;

/* ---- fixtures ----------------------------------------------------------- */

static int open_device(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int boot(void **state)
{
	fx.fds = count_fds();
	if (sim_write("cdsp", "compatible", "qcom,fastrpc") < 0)
		return -1;
	fx.root = open_device();
	return ioctl(fx.root, QDA_SIM_IOC_BOOT) == 0 && wait_fastrpc("cdsp") ? 0 : -1;
}

static int halt(void **state)
{
	close(fx.root);
	if (sim_write("cdsp", "compatible", "qcom,qda") < 0)
		return -1;
	return count_fds() == fx.fds && wait_node(FASTRPC_CDSP, false) ? 0 : -1;
}

static struct message take(int fd)
{
	struct message msg;

	assert_int_equal(read(fd, &msg, sizeof(msg)), sizeof(msg));
	return msg;
}

static void reply(int fd, uint64_t ctx, int32_t retval)
{
	const struct reply rsp = {.ctx = ctx, .retval = retval};

	assert_int_equal(write(fd, &rsp, sizeof(rsp)), sizeof(rsp));
}

static uint8_t *map(int fd, uint64_t addr, size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    (off_t)QDA_SIM_MMAP_OFFSET(SID(addr), IOVA(addr)));
}

/* ---- an application, in a thread of its own ----------------------------- */

struct application {
	pthread_t thread;
	int session; /* out: the result of rpc_session() */
	uint32_t sc; /* of a call then, if not 0 */
	struct fastrpc_invoke_args args[4];
	int result; /* of that call */
};

static void *run(void *arg)
{
	struct application *app = arg;

	app->session = rpc_session(FASTRPC_CDSP);
	if (app->session >= 0 && app->sc)
		app->result = rpc_invoke(app->session, 0x100, app->sc, app->args);
	return NULL;
}

static void start(struct application *app)
{
	assert_int_equal(pthread_create(&app->thread, NULL, run, app), 0);
}

static void *close_session(void *arg)
{
	close(((struct application *)arg)->session);
	return NULL;
}

/* Close the application's session: the driver has the process released. */
static void finish(struct application *app)
{
	struct message msg;

	pthread_join(app->thread, NULL);
	if (app->session < 0)
		return;
	assert_int_equal(pthread_create(&app->thread, NULL, close_session, app), 0);
	msg = take(fx.root);
	assert_int_equal(msg.sc, SC_RELEASE);
	reply(fx.root, msg.ctx, 0);
	pthread_join(app->thread, NULL);
}

/* The application's session is created. Return: its stream id. */
static uint32_t create(void)
{
	struct message msg = take(fx.root);

	assert_int_equal(msg.sc, SC_CREATE_ATTR);
	reply(fx.root, msg.ctx, 0);
	return SID(msg.addr);
}

/* ---- boot and crash ----------------------------------------------------- */

static void dsp_is_there_while_its_root_process_is(void **state)
{
	assert_int_equal(boot(state), 0);
	assert_int_equal(sim_number("cdsp", "running"), 1);
	assert_int_equal(sim_number("adsp", "running"), 0);
	close(fx.root);
	assert_int_equal(sim_number("cdsp", "running"), 0);
	assert_int_equal(access(FASTRPC_CDSP, F_OK), -1);
	assert_int_equal(sim_write("cdsp", "compatible", "qcom,qda"), 0);
}

static void two_dsps_are_there_at_once(void **state)
{
	int other = open("/dev/qda-sim/adsp", O_RDWR | O_CLOEXEC);

	assert_true(other >= 0);
	assert_int_equal(sim_write("adsp", "compatible", "qcom,fastrpc"), 0);
	assert_int_equal(ioctl(other, QDA_SIM_IOC_BOOT), 0);
	assert_true(wait_node("/dev/fastrpc-adsp-secure", true));
	assert_int_equal(access(FASTRPC_CDSP, F_OK), 0);
	close(other);
	assert_int_equal(access("/dev/fastrpc-adsp-secure", F_OK), -1);
	assert_int_equal(access(FASTRPC_CDSP, F_OK), 0);
	assert_int_equal(sim_write("adsp", "compatible", "qcom,qda"), 0);
}

static void dsp_has_one_root_process(void **state)
{
	int other = open_device();

	assert_int_equal(ioctl(other, QDA_SIM_IOC_BOOT), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(ioctl(fx.root, QDA_SIM_IOC_BOOT), -1);
	assert_int_equal(errno, EBUSY);
	close(other);
}

static void compatible_changes_while_the_dsp_is_off_only(void **state)
{
	assert_int_equal(sim_write("cdsp", "compatible", "qcom,qda"), -EBUSY);
	assert_int_equal(sim_write("adsp", "compatible", "qcom,fastrpc"), 0);
	assert_int_equal(sim_write("adsp", "compatible", "qcom,qda"), 0);
}

static void all_fails_after_a_crash(void **state)
{
	struct pollfd pfd = {.fd = fx.root, .events = POLLIN};
	const struct qda_sim_serve serve = {.client_id = 1, .sid = 1};
	char byte = 0;

	assert_int_equal(sim_write("cdsp", "crash", "1"), 0);
	assert_int_equal(sim_number("cdsp", "running"), 0);
	assert_int_equal(access(FASTRPC_CDSP, F_OK), -1);
	assert_int_equal(poll(&pfd, 1, -1), 1);
	assert_true(pfd.revents & POLLHUP);
	assert_int_equal(read(fx.root, &byte, 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(write(fx.root, &byte, 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_ptr_equal(map(fx.root, 1ULL << 32, PAGE), MAP_FAILED);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(ioctl(fx.root, QDA_SIM_IOC_BOOT), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(ioctl(fx.root, QDA_SIM_IOC_SERVE, &serve), -1);
	assert_int_equal(errno, EPIPE);
}

/* ---- messages ----------------------------------------------------------- */

static void message_arrives_as_it_was_sent(void **state)
{
	struct application app = {0};
	struct message msg;

	start(&app);
	msg = take(fx.root);
	assert_int_equal(msg.client_id, 0);
	assert_int_equal(msg.handle, HANDLE_INIT);
	assert_int_equal(msg.sc, SC_CREATE_ATTR);
	assert_int_equal(msg.ctx & 0xf, 1);
	assert_int_equal(msg.addr % PAGE, 0);
	assert_in_range(SID(msg.addr), 1, 14);
	assert_int_equal(msg.size, PAGE);
	reply(fx.root, msg.ctx, 0);
	finish(&app);
	assert_true(app.session >= 0);
}

static void status_is_what_the_dsp_says(void **state)
{
	struct application app = {.sc = 0x02000000};
	struct message msg;

	start(&app);
	create();
	msg = take(fx.root);
	assert_int_equal(msg.client_id, 1);
	assert_int_equal(msg.handle, 0x100);
	reply(fx.root, msg.ctx, STATUS);
	finish(&app);
	assert_int_equal(app.result, STATUS);
}

static void unknown_and_repeated_replies_are_harmless(void **state)
{
	struct application app = {.sc = 0x02000000};
	struct message msg;

	reply(fx.root, 0, 1);
	reply(fx.root, UINT64_MAX, 1);
	reply(fx.root, 0xABCDABCD, 1);
	start(&app);
	create();
	msg = take(fx.root);
	reply(fx.root, msg.ctx ^ 0x10000, 1); /* another sequence number */
	reply(fx.root, msg.ctx, STATUS);
	finish(&app);
	assert_int_equal(app.result, STATUS);
	reply(fx.root, msg.ctx, 1);
}

static void process_gets_the_messages_of_its_session(void **state)
{
	struct application app = {.sc = 0x02000000};
	struct qda_sim_serve serve = {.client_id = 1};
	struct pollfd pfd = {.fd = fx.root, .events = POLLIN};
	int process = open_device();
	struct message msg;

	start(&app);
	serve.sid = create();
	/* Its call may be there already: then it went to the root process. */
	assert_int_equal(ioctl(process, QDA_SIM_IOC_SERVE, &serve), 0);
	if (poll(&pfd, 1, 0) == 1) {
		msg = take(fx.root);
		reply(fx.root, msg.ctx, STATUS);
	} else {
		msg = take(process);
		reply(process, msg.ctx, STATUS);
	}
	assert_int_equal(msg.client_id, 1);
	finish(&app);
	assert_int_equal(app.result, STATUS);
	close(process);
}

/* What a process leaves, taken or not, the root process answers. */
static void messages_of_a_process_that_ends_are_not_lost(void **state)
{
	struct application app = {.sc = 0x02000000};
	const struct qda_sim_serve serve = {.client_id = 1, .sid = 1};
	int process = open_device();
	struct message msg, again;

	assert_int_equal(ioctl(process, QDA_SIM_IOC_SERVE, &serve), 0);
	start(&app);
	create();
	msg = take(process);
	close(process);
	again = take(fx.root);
	assert_memory_equal(&msg, &again, sizeof(msg));
	reply(fx.root, again.ctx, STATUS);
	finish(&app);
	assert_int_equal(app.result, STATUS);
}

static void messages_that_were_answered_do_not_come_again(void **state)
{
	struct application app = {.sc = 0x02000000};
	const struct qda_sim_serve serve = {.client_id = 1, .sid = 1};
	int process = open_device();
	struct message msg;

	assert_int_equal(ioctl(process, QDA_SIM_IOC_SERVE, &serve), 0);
	start(&app);
	create();
	msg = take(process);
	reply(process, msg.ctx, STATUS);
	close(process);
	finish(&app); /* which takes the next message: that of the release */
	assert_int_equal(app.result, STATUS);
}

static void lengths_of_messages_are_checked(void **state)
{
	static const char data[QDA_SIM_MSG_MAX + 1];
	struct application app = {0};
	char small[39];
	struct message msg;

	assert_int_equal(write(fx.root, data, 0), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(write(fx.root, data, sizeof(data)), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(write(fx.root, data, QDA_SIM_MSG_MAX), QDA_SIM_MSG_MAX);
	/* The driver does not look at less than a reply. */
	assert_int_equal(write(fx.root, data, 1), 1);
	/* Not write(), whose null pointer the compiler would not let pass. */
	assert_int_equal(syscall(SYS_write, fx.root, NULL, 16), -1);
	assert_int_equal(errno, EFAULT);

	start(&app);
	assert_int_equal(poll(&(struct pollfd){.fd = fx.root, .events = POLLIN}, 1, -1), 1);
	assert_int_equal(read(fx.root, small, sizeof(small)), -1);
	assert_int_equal(errno, EMSGSIZE);
	msg = take(fx.root);
	reply(fx.root, msg.ctx, 0);
	finish(&app);
}

static void reading_without_messages_does_not_wait_if_asked(void **state)
{
	struct message msg;

	assert_int_equal(fcntl(fx.root, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(fx.root, &msg, sizeof(msg)), -1);
	assert_int_equal(errno, EAGAIN);
}

static void file_without_a_role_can_do_nothing(void **state)
{
	const struct reply rsp = {0};
	struct message msg;
	int fd = open_device();

	assert_int_equal(read(fd, &msg, sizeof(msg)), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(write(fd, &rsp, sizeof(rsp)), -1);
	assert_int_equal(errno, EINVAL);
	assert_ptr_equal(map(fd, 1ULL << 32, PAGE), MAP_FAILED);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ioctl(fd, _IO(0xCB, 0x2f)), -1);
	assert_int_equal(errno, ENOTTY);
	close(fd);
}

static void session_has_one_process(void **state)
{
	struct qda_sim_serve serve = {.client_id = 5, .sid = 1};
	int process = open_device(), other = open_device();

	assert_int_equal(ioctl(process, QDA_SIM_IOC_SERVE, &serve), 0);
	assert_int_equal(ioctl(other, QDA_SIM_IOC_SERVE, &serve), -1);
	assert_int_equal(errno, EBUSY);
	serve.client_id = 0;
	assert_int_equal(ioctl(other, QDA_SIM_IOC_SERVE, &serve), -1);
	assert_int_equal(errno, EINVAL);
	serve = (struct qda_sim_serve){.client_id = 6, .sid = QDA_SIM_SID_MAX + 1};
	assert_int_equal(ioctl(other, QDA_SIM_IOC_SERVE, &serve), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ioctl(other, QDA_SIM_IOC_SERVE, NULL), -1);
	assert_int_equal(errno, EFAULT);
	close(process);
	serve = (struct qda_sim_serve){.client_id = 5, .sid = 1};
	assert_int_equal(ioctl(other, QDA_SIM_IOC_SERVE, &serve), 0);
	close(other);
}

/* ---- memory ------------------------------------------------------------- */

static sigjmp_buf fault_jump;

static void faulted(int sig)
{
	siglongjmp(fault_jump, 1);
}

/* Whether the byte can be read, or written. */
static bool reaches(volatile uint8_t *byte, bool is_write)
{
	const struct sigaction action = {.sa_handler = faulted};
	struct sigaction old;
	bool is_there = true;

	sigaction(SIGBUS, &action, &old);
	if (sigsetjmp(fault_jump, 1))
		is_there = false;
	else if (is_write)
		*byte = 1;
	else
		(void)*byte;
	sigaction(SIGBUS, &old, NULL);
	return is_there;
}

static void payload_is_seen_and_changed_without_a_copy(void **state)
{
	char in[] = "to the DSP", out[] = "nothing yet";
	struct application app = {
		.sc = 0x02010100,
		.args = {rpc_arg(in, sizeof(in)), rpc_arg(out, sizeof(out))},
	};
	struct message msg;
	uint64_t *payload;
	uint8_t *data;

	start(&app);
	create();
	msg = take(fx.root);
	data = map(fx.root, msg.addr, msg.size);
	assert_ptr_not_equal(data, MAP_FAILED);
	payload = (uint64_t *)data;
	/* Two remote arguments, of which the lower bits of the address are ours, too. */
	assert_int_equal(payload[1], sizeof(in));
	assert_int_equal(payload[3], sizeof(out));
	assert_string_equal((char *)data + payload[0] % PAGE, "to the DSP");
	strcpy((char *)data + payload[2] % PAGE, "from it");
	reply(fx.root, msg.ctx, 0);
	munmap(data, msg.size);
	finish(&app);
	assert_int_equal(app.result, 0);
	assert_string_equal(out, "from it");
}

static void what_the_driver_unmaps_is_gone_at_once(void **state)
{
	long faults = sim_number("cdsp", "faults");
	char in[] = "x";
	struct application app = {.sc = 0x02010000, .args = {rpc_arg(in, 2)}};
	struct message msg;
	uint8_t *data;

	start(&app);
	create();
	msg = take(fx.root);
	data = map(fx.root, msg.addr, msg.size);
	assert_true(reaches(data, true));
	assert_int_equal(sim_number("cdsp", "faults"), faults);
	reply(fx.root, msg.ctx, 0);
	finish(&app);
	/* Nothing was mapped anew there yet. */
	assert_false(reaches(data, false));
	assert_false(reaches(data, true));
	assert_int_equal(sim_number("cdsp", "faults"), faults + 2);
	munmap(data, msg.size);
}

static void stream_ids_have_address_spaces_of_their_own(void **state)
{
	long faults = sim_number("cdsp", "faults");
	char in[] = "x";
	struct application app = {.sc = 0x02010000, .args = {rpc_arg(in, 2)}};
	struct message msg;
	uint8_t *data, *other;

	start(&app);
	create();
	msg = take(fx.root);
	data = map(fx.root, msg.addr, msg.size);
	other = map(fx.root, msg.addr + (1ULL << 32), msg.size);
	assert_ptr_not_equal(other, MAP_FAILED);
	assert_true(reaches(data, false));
	assert_false(reaches(other, false));
	assert_int_equal(sim_number("cdsp", "faults"), faults + 1);
	munmap(data, msg.size);
	munmap(other, msg.size);
	reply(fx.root, msg.ctx, 0);
	finish(&app);
}

static void process_reaches_its_own_stream_id_only(void **state)
{
	const struct qda_sim_serve serve = {.client_id = 1, .sid = 2};
	int process = open_device();
	uint8_t *data;

	assert_int_equal(ioctl(process, QDA_SIM_IOC_SERVE, &serve), 0);
	assert_ptr_equal(map(process, 1ULL << 32, PAGE), MAP_FAILED);
	assert_int_equal(errno, EACCES);
	data = map(process, 2ULL << 32, PAGE);
	assert_ptr_not_equal(data, MAP_FAILED);
	assert_false(reaches(data, false));
	munmap(data, PAGE);
	close(process);
}

static void mappings_are_checked(void **state)
{
	const off_t end = (off_t)QDA_SIM_MMAP_OFFSET(1, 1ULL << QDA_SIM_IOVA_BITS);

	assert_ptr_equal(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fx.root,
			      (off_t)QDA_SIM_MMAP_OFFSET(1, 0)),
			 MAP_FAILED);
	assert_int_equal(errno, EINVAL);
	assert_ptr_equal(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fx.root, end - (off_t)PAGE),
			 MAP_FAILED);
	assert_int_equal(errno, EINVAL);
	assert_ptr_equal(map(fx.root, (QDA_SIM_SID_MAX + 1ULL) << 32, PAGE), MAP_FAILED);
	assert_int_equal(errno, EINVAL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, boot, halt)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dsp_is_there_while_its_root_process_is),
		TEST(two_dsps_are_there_at_once),
		TEST(dsp_has_one_root_process),
		TEST(compatible_changes_while_the_dsp_is_off_only),
		TEST(all_fails_after_a_crash),
		TEST(message_arrives_as_it_was_sent),
		TEST(status_is_what_the_dsp_says),
		TEST(unknown_and_repeated_replies_are_harmless),
		TEST(process_gets_the_messages_of_its_session),
		TEST(messages_of_a_process_that_ends_are_not_lost),
		TEST(messages_that_were_answered_do_not_come_again),
		TEST(lengths_of_messages_are_checked),
		TEST(reading_without_messages_does_not_wait_if_asked),
		TEST(file_without_a_role_can_do_nothing),
		TEST(session_has_one_process),
		TEST(payload_is_seen_and_changed_without_a_copy),
		TEST(what_the_driver_unmaps_is_gone_at_once),
		TEST(stream_ids_have_address_spaces_of_their_own),
		TEST(process_reaches_its_own_stream_id_only),
		TEST(mappings_are_checked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("qda-sim-device", tests, NULL, NULL);
}
