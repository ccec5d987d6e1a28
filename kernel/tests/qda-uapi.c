/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ioctls of the QDA driver on a DSP that the test plays: what arrives there, what comes back,
 * and that nothing else does.
 *
 * timeout: 900
 * modules: qda_sim qda virtio-gpu
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <linux/dma-heap.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "fds.h"
#include "pass-fd.h"
#include "programs/qda.h"

#define SC FASTRPC_SCALARS
#define MODULE 0x100U /* a handle above those that are fixed */

static struct {
	struct dsp dsp;
	int fd; /* an open file of the DSP, without a process */
	unsigned int fds;
} fx;

static int boot(void **state)
{
	fx.fds = count_fds();
	if (!dsp_boot(&fx.dsp, "cdsp"))
		return -1;
	fx.fd = node_open("cdsp");
	return fx.fd >= 0 ? 0 : -1;
}

static int halt(void **state)
{
	close(fx.fd);
	dsp_halt(&fx.dsp);
	return count_fds() == fx.fds ? 0 : -1;
}

static int start(void **state)
{
	if (boot(state) < 0)
		return -1;
	return session_create(fx.fd, UNSIGNED) == 0 ? 0 : -1;
}

static int64_t hold_user(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	return msg->client_id ? HOLD : dsp_default(dsp, msg, payload);
}

static int64_t hold_user_and_release(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	return FASTRPC_METHOD(msg->sc) == FASTRPC_INIT_RELEASE ? HOLD
							       : hold_user(dsp, msg, payload);
}

static int64_t hold_all(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	return HOLD;
}

/* ---- a call in another thread ------------------------------------------- */

struct caller {
	pthread_t thread;
	int fd;
	uint32_t sc;
	struct drm_qda_fastrpc_invoke_args *args;
	long result;
};

static void *caller_main(void *arg)
{
	struct caller *caller = arg;

	caller->result = invoke(caller->fd, MODULE, caller->sc, caller->args);
	return NULL;
}

static void caller_start(struct caller *caller, uint32_t sc,
			 struct drm_qda_fastrpc_invoke_args *args)
{
	*caller = (struct caller){.fd = fx.fd, .sc = sc, .args = args};
	assert_int_equal(pthread_create(&caller->thread, NULL, caller_main, caller), 0);
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	signals++;
}

static void catch_signals(int flags)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};

	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	signals = 0;
}

/* A signal that finds the thread before the call is no interruption: send them until it ends. */
static long caller_interrupt(struct caller *caller)
{
	struct timespec limit;

	for (int i = 0; i < 6000; i++) {
		pthread_kill(caller->thread, SIGUSR1);
		clock_gettime(CLOCK_REALTIME, &limit);
		limit.tv_nsec += 10000000;
		if (limit.tv_nsec >= 1000000000) {
			limit.tv_nsec -= 1000000000;
			limit.tv_sec++;
		}
		if (!pthread_timedjoin_np(caller->thread, NULL, &limit))
			return caller->result;
	}
	fail_msg("the call goes on despite signals");
	return 0;
}

/* ---- the node ----------------------------------------------------------- */

static void version_announces_arguments_by_handle(void **state)
{
	char name[16] = "";
	struct drm_version version = {.name = name, .name_len = sizeof(name)};

	assert_int_equal(call(fx.fd, DRM_IOCTL_VERSION, &version), 0);
	assert_string_equal(name, "qda");
	assert_int_equal(version.version_major, 1);
	assert_true(version.version_minor >= 1);
}

static void several_dsps_have_a_node_each(void **state)
{
	struct dsp adsp;
	int fd;

	assert_true(dsp_boot(&adsp, "adsp"));
	fd = node_open("adsp");
	assert_true(fd >= 0);
	assert_int_equal(session_create(fd, UNSIGNED), 0);
	assert_int_equal(dsp_count(&adsp), 1);
	assert_int_equal(dsp_count(&fx.dsp), 0);
	close(fd);
	assert_int_equal(dsp_count(&adsp), 2);
	dsp_halt(&adsp);
}

static void address_has_the_stream_id_where_the_soc_wants_it(void **state)
{
	struct dsp dsp;
	struct fastrpc_msg msg;
	int fd;

	assert_int_equal(sim_write("cdsp1", "compatible", "qcom,kaanapali-qda"), 0);
	assert_true(dsp_boot_shift(&dsp, "cdsp1", 56));
	fd = node_open("cdsp1");
	assert_true(fd >= 0);
	assert_int_equal(session_create(fd, UNSIGNED), 0);
	assert_int_equal(invoke(fd, MODULE, 0, NULL), 0);
	msg = dsp_wait(&dsp, 2);
	assert_in_range(msg.addr >> 56, 1, CONTEXT_BANKS);
	/* Of a compute DSP there addresses have 34 bits. */
	assert_int_equal((msg.addr & ((1ULL << 56) - 1)) >> 34, 0);
	assert_true(dsp_reaches(&dsp, msg.addr));
	close(fd);
	dsp_halt(&dsp);
	assert_int_equal(sim_write("cdsp1", "compatible", "qcom,qda"), 0);

	/* The SoCs before have it at bit 32. */
	assert_int_equal(session_create(fx.fd, UNSIGNED), 0);
	assert_in_range(dsp_wait(&fx.dsp, 1).addr >> 32, 1, CONTEXT_BANKS);
}

static void gem_create_refuses_bad_sizes_and_padding(void **state)
{
	struct drm_qda_gem_create padded = {.size = PAGE, .pad = 1};
	uint32_t handle = 0;

	assert_int_equal(gem_create(fx.fd, 0, &handle), -EINVAL);
	assert_int_equal(gem_create(fx.fd, UINT64_MAX, &handle), -EINVAL);
	assert_int_equal(gem_create(fx.fd, UINT64_MAX - PAGE, &handle), -EINVAL);
	assert_int_equal(gem_create(fx.fd, 1ULL << 32, &handle), -EINVAL);
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_GEM_CREATE, &padded), -EINVAL);
	assert_int_equal(gem_create(fx.fd, 1, &handle), 0);
	assert_int_equal(gem_close(fx.fd, handle), 0);
}

static void mmap_offset_refuses_unknown_imported_and_padding(void **state)
{
	struct drm_qda_gem_mmap_offset offset = {.handle = 4711};
	struct dma_heap_allocation_data data = {.len = PAGE, .fd_flags = O_RDWR | O_CLOEXEC};
	int heap = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);
	uint32_t handle;

	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_GEM_MMAP_OFFSET, &offset), -ENOENT);
	assert_int_equal(gem_create(fx.fd, PAGE, &handle), 0);
	offset = (struct drm_qda_gem_mmap_offset){.handle = handle, .pad = 1};
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_GEM_MMAP_OFFSET, &offset), -EINVAL);
	offset.pad = 0;
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_GEM_MMAP_OFFSET, &offset), 0);

	assert_int_equal(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data), 0);
	assert_int_equal(prime_import(fx.fd, (int)data.fd, &handle), 0);
	offset = (struct drm_qda_gem_mmap_offset){.handle = handle};
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_GEM_MMAP_OFFSET, &offset), -EINVAL);
	close((int)data.fd);
	close(heap);
}

static void commands_that_are_none_are_einval(void **state)
{
	uint64_t data[8] = {0};

	assert_int_equal(call(fx.fd, DRM_IOWR(DRM_COMMAND_BASE + 0x03, uint64_t[2]), data),
			 -EINVAL);
	assert_int_equal(call(fx.fd, DRM_IOWR(DRM_COMMAND_BASE + 0x08, uint64_t[2]), data),
			 -EINVAL);
}

/* ---- the process -------------------------------------------------------- */

static struct {
	struct fastrpc_init_create request;
	char name[32];
	char file[128];
	struct fastrpc_phy_page page;
	uint64_t file_addr;
	int64_t answer;
} created;

static int64_t look_at_create(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	struct fastrpc_phy_page *pages = payload_pages(payload, 4);

	if (FASTRPC_METHOD(msg->sc) != FASTRPC_INIT_CREATE &&
	    FASTRPC_METHOD(msg->sc) != FASTRPC_INIT_CREATE_ATTR)
		return dsp_default(dsp, msg, payload);
	memcpy(&created.request, payload_inline(msg, payload, 0), sizeof(created.request));
	snprintf(created.name, sizeof(created.name), "%s", (char *)payload_inline(msg, payload, 1));
	created.file_addr = pages[2].addr + (payload_args(payload)[2].buf.pv & (PAGE - 1));
	if (created.request.filelen <= sizeof(created.file)) {
		char *file = dsp_memory(dsp, created.file_addr & ~(PAGE - 1), PAGE);

		memcpy(created.file, file + (created.file_addr & (PAGE - 1)),
		       created.request.filelen);
		munmap(file, PAGE);
	}
	memcpy(&created.page, payload_inline(msg, payload, 3), sizeof(created.page));
	return created.answer;
}

static void create_tells_the_dsp_what_to_start(void **state)
{
	struct fastrpc_msg msg;

	fx.dsp.handler = look_at_create;
	created.answer = 0;
	prctl(PR_SET_NAME, "fifteen-letters");
	assert_int_equal(session_create(fx.fd, UNSIGNED), 0);
	msg = dsp_wait(&fx.dsp, 1);
	assert_int_equal(msg.handle, 1);
	assert_int_equal(msg.sc, SC(FASTRPC_INIT_CREATE_ATTR, 4, 0, 0, 0));
	assert_int_equal(msg.client_id, 0);
	assert_int_equal(msg.tid, getpid());
	assert_string_equal(created.name, "fifteen-letters");
	assert_int_equal(created.request.namelen, 16);
	assert_int_equal(created.request.filelen, 100);
	assert_int_equal(created.request.pageslen, 1);
	assert_int_equal(created.request.attrs, UNSIGNED);
	assert_true(created.request.client_id > 0);
	assert_string_equal(created.file, "shell");
}

static void create_without_attributes_is_the_other_method(void **state)
{
	assert_int_equal(session_create(fx.fd, 0), 0);
	assert_int_equal(dsp_wait(&fx.dsp, 1).sc, SC(FASTRPC_INIT_CREATE, 4, 0, 0, 0));
}

/* a.5, 3: what is named by an address is user memory. */
static void create_reads_the_file_from_user_memory_only(void **state)
{
	static const uint64_t bad[] = {0xffff888000000000, 0xffffffff81000000, UINT64_MAX - 50, 0,
				       0x7ffffffffff0};
	struct drm_qda_init_create create = {.filelen = 100, .attrs = UNSIGNED};

	for (int fd = -1; fd <= 0; fd++) {
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			create.filefd = fd;
			create.file = bad[i];
			assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE, &create),
					 -EFAULT);
		}
	}
	assert_int_equal(dsp_count(&fx.dsp), 0);
	/* Nothing of that is in the way of a good one. */
	assert_int_equal(session_create(fx.fd, UNSIGNED), 0);
}

static void create_takes_the_file_from_a_buffer(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, PAGE);
	struct drm_qda_init_create create = {.filelen = 64,
					     .filefd = buffer.fd,
					     .attrs = UNSIGNED,
					     .siglen = 7};

	fx.dsp.handler = look_at_create;
	created.answer = 0;
	strcpy(buffer.data, "a shell in a buffer");
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE, &create), 0);
	assert_string_equal(created.file, "a shell in a buffer");
	assert_int_equal(created.request.siglen, 7);
	buffer_free(fx.fd, &buffer);
}

static void create_refuses_bad_files(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, PAGE);
	const struct drm_qda_init_create bad[] = {
		{.filelen = 0, .filefd = buffer.fd, .attrs = UNSIGNED},
		{.filelen = (4 << 20) + 1, .filefd = -1, .file = address(bad), .attrs = UNSIGNED},
		{.filelen = UINT32_MAX, .filefd = -1, .file = address(bad), .attrs = UNSIGNED},
		{.filelen = PAGE + 1, .filefd = buffer.fd, .attrs = UNSIGNED},
		{.filelen = 1, .filefd = 1000, .attrs = UNSIGNED},
		{.filelen = 1, .filefd = fx.fd, .attrs = UNSIGNED},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct drm_qda_init_create create = bad[i];

		assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE, &create),
				 -EINVAL);
	}
	assert_int_equal(dsp_count(&fx.dsp), 0);
	buffer_free(fx.fd, &buffer);
}

/* a.5, 14 */
static void initial_memory_has_room_for_the_file(void **state)
{
	static const uint32_t lengths[][2] = {{100, 2 << 20},
					      {512 << 10, 2 << 20},
					      {(512 << 10) + 1, 3 << 20},
					      {4 << 20, 16 << 20}};
	struct drm_qda_init_create create = {.filefd = -1, .attrs = UNSIGNED};
	char *file = calloc(1, 4 << 20);

	fx.dsp.handler = look_at_create;
	created.answer = 0;
	create.file = address(file);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		int fd = node_open("cdsp");

		create.filelen = lengths[i][0];
		assert_int_equal(call(fd, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE, &create), 0);
		assert_int_equal(created.page.size, lengths[i][1]);
		assert_true(dsp_reaches(&fx.dsp, created.page.addr));
		assert_true(dsp_reaches(&fx.dsp, created.page.addr + created.page.size - 1));
		close(fd);
	}
	free(file);
}

/* a.5, 13 */
static void initial_memory_lasts_as_long_as_the_process(void **state)
{
	struct fastrpc_phy_page page;
	int fd = node_open("cdsp");

	fx.dsp.handler = look_at_create;
	created.answer = 0;
	assert_int_equal(session_create(fd, UNSIGNED), 0);
	page = created.page;
	assert_true(dsp_reaches(&fx.dsp, page.addr));
	assert_int_equal(session_create(fd, UNSIGNED), -EEXIST);
	assert_int_equal(dsp_count(&fx.dsp), 1);
	assert_true(dsp_reaches(&fx.dsp, page.addr));
	close(fd);
	assert_false(dsp_reaches(&fx.dsp, page.addr));
}

static void create_can_be_tried_again_after_a_refusal(void **state)
{
	fx.dsp.handler = look_at_create;
	created.answer = (int32_t)0x80000414;
	assert_int_equal(session_create(fx.fd, UNSIGNED), (int32_t)0x80000414);
	assert_false(dsp_reaches(&fx.dsp, created.page.addr));
	assert_int_equal(invoke(fx.fd, MODULE, 0, NULL), -ENOTCONN);
	created.answer = 5;
	assert_int_equal(session_create(fx.fd, UNSIGNED), 5);
	created.answer = 0;
	assert_int_equal(session_create(fx.fd, UNSIGNED), 0);
	assert_int_equal(invoke(fx.fd, MODULE, 0, NULL), 0);
}

static void trusted_processes_need_cap_sys_admin(void **state)
{
	/* signed, system, privileged, caller level, system unsigned */
	static const uint32_t trusted[] = {0, 0x28, 0x48, 0x2008, 0x8008, 0x20008, 0x60};

	assert_int_equal(seteuid(65534), 0);
	for (size_t i = 0; i < sizeof(trusted) / sizeof(trusted[0]); i++)
		assert_int_equal(session_create(fx.fd, trusted[i]), -EPERM);
	assert_int_equal(dsp_count(&fx.dsp), 0);
	assert_int_equal(session_create(fx.fd, UNSIGNED | 0x4 | 0x10 | 0x80 | 0x200 | 0x400), 0);
	assert_int_equal(seteuid(0), 0);
	for (size_t i = 0; i < sizeof(trusted) / sizeof(trusted[0]); i++) {
		int fd = node_open("cdsp");

		assert_int_equal(session_create(fd, trusted[i]), 0);
		close(fd);
	}
}

static void sessions_beyond_the_banks_are_ebusy(void **state)
{
	int fds[CONTEXT_BANKS + 1];
	struct buffer buffer;
	uint32_t handle;

	for (int i = 0; i <= CONTEXT_BANKS; i++)
		fds[i] = node_open("cdsp");
	for (int i = 0; i < CONTEXT_BANKS; i++)
		assert_int_equal(session_create(fds[i], UNSIGNED), 0);
	/* It can be asked who it is, and that is all. */
	assert_true(fds[CONTEXT_BANKS] >= 0);
	assert_int_equal(session_create(fds[CONTEXT_BANKS], UNSIGNED), -EBUSY);
	assert_int_equal(gem_create(fds[CONTEXT_BANKS], PAGE, &handle), -EBUSY);
	buffer = buffer_new(fds[0], PAGE);
	assert_int_equal(prime_import(fds[CONTEXT_BANKS], buffer.fd, &handle), -EBUSY);
	buffer_free(fds[0], &buffer);
	close(fds[3]);
	assert_int_equal(session_create(fds[CONTEXT_BANKS], UNSIGNED), 0);
	assert_int_equal(invoke(fds[CONTEXT_BANKS], MODULE, 0, NULL), 0);
	fds[3] = fds[CONTEXT_BANKS];
	for (int i = 0; i < CONTEXT_BANKS; i++) {
		assert_int_equal(invoke(fds[i], MODULE, 0, NULL), 0);
		close(fds[i]);
	}
}

/* ---- calls -------------------------------------------------------------- */

/* a.5, 1 */
static void every_message_travels_in_the_pd_of_its_session(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, PAGE);
	struct drm_qda_mem_map map = {.request = QDA_MAP_REQUEST_ATTR,
				      .fd = buffer.fd,
				      .size = PAGE};
	struct drm_qda_mem_unmap unmap = {.request = QDA_MUNMAP_REQUEST_ATTR, .fd = buffer.fd};
	int client_id;

	assert_int_equal(invoke(fx.fd, MODULE, SC(2, 0, 0, 0, 0), NULL), 0);
	assert_int_equal(invoke(fx.fd, 0, 0, NULL), 0);
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MAP, &map), 0);
	unmap.vaddr = map.vaddrout;
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), 0);
	buffer_free(fx.fd, &buffer);
	close(fx.fd);
	fx.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(dsp_count(&fx.dsp), 6);
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(FASTRPC_CTX_PD(fx.dsp.msgs[i].ctx), FASTRPC_PD_USER);
	/* Those of the program carry its number, those of the kernel 0. */
	client_id = fx.dsp.msgs[1].client_id;
	assert_true(client_id > 0);
	assert_int_equal(fx.dsp.msgs[2].client_id, client_id);
	assert_int_equal(fx.dsp.msgs[0].client_id, 0);
	for (unsigned int i = 3; i < 6; i++)
		assert_int_equal(fx.dsp.msgs[i].client_id, 0);
	assert_int_equal(fx.dsp.msgs[5].sc, SC(FASTRPC_INIT_RELEASE, 1, 0, 0, 0));
}

/* a.5, 2 */
static void control_handle_is_refused(void **state)
{
	int32_t client_id = 1;
	struct drm_qda_fastrpc_invoke_args arg = plain(&client_id, sizeof(client_id));

	for (uint32_t method = 0; method < 32; method++)
		assert_int_equal(invoke(fx.fd, 1, SC(method, 1, 0, 0, 0), &arg), -EPERM);
	assert_int_equal(dsp_count(&fx.dsp), 1);
}

static void invoke_without_a_process_is_enotconn(void **state)
{
	struct drm_qda_mem_map map = {.request = QDA_MAP_REQUEST_ATTR, .fd = 1, .size = PAGE};
	struct drm_qda_mem_unmap unmap = {.request = QDA_MUNMAP_REQUEST_ATTR};

	assert_int_equal(invoke(fx.fd, MODULE, 0, NULL), -ENOTCONN);
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MAP, &map), -ENOTCONN);
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), -ENOTCONN);
	assert_int_equal(dsp_count(&fx.dsp), 0);
}

/* Answers with a copy of what came in, and a number. */
static int64_t echo(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	uint32_t in = FASTRPC_INBUFS(msg->sc), out = FASTRPC_OUTBUFS(msg->sc);

	if (!msg->client_id)
		return dsp_default(dsp, msg, payload);
	for (uint32_t i = 0; i < in && i < out; i++)
		if (payload_args(payload)[in + i].buf.len)
			memcpy(payload_inline(msg, payload, in + i),
			       payload_inline(msg, payload, i),
			       payload_args(payload)[in + i].buf.len);
	return msg->handle == MODULE ? 0 : (int64_t)msg->handle;
}

static void inline_arguments_go_and_come(void **state)
{
	char in[3][3000], out[3][3000] = {{0}};
	struct drm_qda_fastrpc_invoke_args args[6];

	fx.dsp.handler = echo;
	for (int i = 0; i < 3; i++) {
		memset(in[i], 'a' + i, sizeof(in[i]));
		args[i] = plain(in[i], (size_t)i * 1500);
		args[3 + i] = plain(out[i], (size_t)i * 1500);
		args[i].fd = i == 1 ? 0 : -1; /* both mean memory */
	}
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 3, 3, 0, 0), args), 0);
	assert_int_equal(out[0][0], 0);
	assert_memory_equal(out[1], in[1], 1500);
	assert_int_equal(out[1][1500], 0);
	assert_memory_equal(out[2], in[2], 3000);
}

static void out_argument_that_the_dsp_leaves_alone_is_zeros(void **state)
{
	char in[2000], out[2000], zeros[2000] = {0};
	struct drm_qda_fastrpc_invoke_args args[2] = {plain(in, sizeof(in)),
						      plain(out, sizeof(out))};

	memset(in, 'x', sizeof(in));
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 2, 0, 0, 0),
				(struct drm_qda_fastrpc_invoke_args[]){args[0], args[0]}),
			 0);
	memset(out, 'y', sizeof(out));
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 1, 0, 0), args), 0);
	assert_memory_equal(out, zeros, sizeof(out));
}

static void large_inline_argument_goes_and_comes(void **state)
{
	size_t size = (3 << 20) + 5;
	char *in = malloc(size), *out = calloc(1, size);
	struct drm_qda_fastrpc_invoke_args args[2] = {plain(in, size), plain(out, size)};

	fx.dsp.handler = echo;
	for (size_t i = 0; i < size; i++)
		in[i] = (char)(i * 7 + i / 4096);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 1, 0, 0), args), 0);
	assert_memory_equal(in, out, size);
	free(in);
	free(out);
}

static void status_of_the_dsp_is_what_ioctl_returns(void **state)
{
	fx.dsp.handler = echo;
	assert_int_equal(invoke(fx.fd, 14, 0, NULL), 14);
	assert_int_equal(invoke(fx.fd, 0x7fffffff, 0, NULL), 0x7fffffff);
	assert_int_equal(invoke(fx.fd, 0x80000414, 0, NULL), (int32_t)0x80000414);
	assert_int_equal(invoke(fx.fd, (uint32_t)-4096, 0, NULL), -4096);
}

static void status_like_an_errno_is_eproto(void **state)
{
	static const int32_t statuses[] = {-1, -4, -11, -512, -513, -514, -516, -4095};

	fx.dsp.handler = echo;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		assert_int_equal(invoke(fx.fd, (uint32_t)statuses[i], 0, NULL), -EPROTO);
	assert_int_equal(dsp_count(&fx.dsp), 1 + sizeof(statuses) / sizeof(statuses[0]));
}

static int64_t refuse_with_eperm(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	return -EPERM;
}

static void status_like_an_errno_of_a_control_message_is_eproto(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, PAGE);
	struct drm_qda_mem_map map = {.request = QDA_MAP_REQUEST_ATTR,
				      .fd = buffer.fd,
				      .size = PAGE};
	struct drm_qda_mem_unmap unmap = {.request = QDA_MUNMAP_REQUEST_ATTR, .fd = buffer.fd};
	int other = node_open("cdsp");

	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MAP, &map), 0);
	unmap.vaddr = map.vaddrout;
	fx.dsp.handler = refuse_with_eperm;
	assert_int_equal(session_create(other, UNSIGNED), -EPROTO);
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MAP, &map), -EPROTO);
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), -EPROTO);
	fx.dsp.handler = NULL;
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), 0);
	close(other);
	buffer_free(fx.fd, &buffer);
}

/* a.5, 5 */
static void fd_below_minus_1_is_einval(void **state)
{
	char data[16] = "";
	struct drm_qda_fastrpc_invoke_args arg = plain(data, sizeof(data));

	for (int fd = -2; fd > -5; fd--) {
		arg.fd = fd;
		assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), -EINVAL);
		assert_int_equal(invoke(fx.fd, MODULE, SC(3, 0, 1, 0, 0), &arg), -EINVAL);
		assert_int_equal(invoke(fx.fd, MODULE, SC(3, 0, 0, 1, 0), &arg), -EINVAL);
	}
	arg.fd = INT32_MIN;
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), -EINVAL);
	/* Without a length nothing of it is read. */
	arg.length = 0;
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
	assert_int_equal(dsp_count(&fx.dsp), 2);
}

static void bad_user_memory_is_efault(void **state)
{
	char *hole =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct drm_qda_fastrpc_invoke_args arg = plain(hole + PAGE - 8, 16);
	const struct drm_qda_fastrpc_invoke_args kernel = plain((void *)0xffff888000000000, 16);

	munmap(hole + PAGE, PAGE);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), -EFAULT);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), (void *)(hole + PAGE - 8)),
			 -EFAULT);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), NULL), -EFAULT);
	arg = kernel;
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), -EFAULT);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 0, 1, 0, 0), &arg), -EFAULT);
	arg = plain((void *)(uintptr_t)-16, 64);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 0, 1, 0, 0), &arg), -EFAULT);
	assert_int_equal(dsp_count(&fx.dsp), 1);
	/* What cannot be written is found when it is: the call has been made. */
	arg = plain(hole + PAGE - 8, 16);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 0, 1, 0, 0), &arg), -EFAULT);
	assert_int_equal(dsp_count(&fx.dsp), 2);
	munmap(hole, PAGE);
}

static void more_inline_than_256_mib_is_e2big(void **state)
{
	struct drm_qda_fastrpc_invoke_args args[2] = {plain((void *)PAGE, (256 << 20) + 1UL),
						      plain((void *)(1UL << 32), 200 << 20)};

	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 0, 1, 0, 0), args), -E2BIG);
	args[0].length = 200 << 20;
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 0, 2, 0, 0), args), -E2BIG);
	args[0].length = UINT64_MAX;
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 0, 1, 0, 0), args), -E2BIG);
}

/* a.5, 17: 16 arguments, in front of whose data the poll word has a line of 128 to itself. */
static uint64_t first_inline;

static int64_t look_where_inline_starts(struct dsp *dsp, const struct fastrpc_msg *msg,
					void *payload)
{
	if (msg->client_id)
		first_inline =
			(uint64_t)((char *)payload_inline(msg, payload, 0) - (char *)payload);
	return dsp_default(dsp, msg, payload);
}

static void poll_word_has_its_place(void **state)
{
	struct drm_qda_fastrpc_invoke_args args[16] = {{0}};
	char byte = 0;

	fx.dsp.handler = look_where_inline_starts;
	args[0] = plain(&byte, 1);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 16, 0, 0, 0), args), 0);
	assert_int_equal(first_inline, 1152);
}

static void overlapping_arguments_share_their_memory(void **state)
{
	char data[64] = "overlap";
	struct drm_qda_fastrpc_invoke_args args[3] = {plain(data, 32), plain(data, 32),
						      plain(data + 16, 48)};

	/* The second is the first's memory: what comes out is what went in, not zeros. */
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 2, 0, 0), args), 0);
	assert_string_equal(data, "overlap");
}

/* ---- ids and answers ---------------------------------------------------- */

/* a.5, 9 */
static void ids_go_round_in_eight_bits(void **state)
{
	bool seen[256] = {false};
	uint64_t last_seq = 0;

	for (int i = 0; i < 300; i++)
		assert_int_equal(invoke(fx.fd, MODULE, 0, NULL), 0);
	for (unsigned int i = 0; i < fx.dsp.n_msgs; i++) {
		uint64_t ctx = fx.dsp.msgs[i].ctx;

		assert_int_equal(ctx & 0xf0, 0);
		assert_true(FASTRPC_CTX_ID(ctx) != 0);
		assert_true(ctx >> FASTRPC_CTX_SEQ_SHIFT > last_seq);
		last_seq = ctx >> FASTRPC_CTX_SEQ_SHIFT;
		/* None again before all were used. */
		if (i < 200)
			assert_false(seen[FASTRPC_CTX_ID(ctx)]);
		seen[FASTRPC_CTX_ID(ctx)] = true;
	}
}

#define OWN_CALLS 16    /* that a session may have in any case, with 14 banks */
#define SHARED_CALLS 16 /* that are for who comes first */

static void callers_start(struct caller *callers, int n, int fd)
{
	unsigned int before = dsp_count(&fx.dsp);

	for (int i = 0; i < n; i++) {
		callers[i] = (struct caller){.fd = fd};
		assert_int_equal(pthread_create(&callers[i].thread, NULL, caller_main, &callers[i]),
				 0);
	}
	dsp_wait(&fx.dsp, before + (unsigned int)n);
}

static void session_at_its_limit_is_ebusy_and_keeps_nobody_else_from_calls(void **state)
{
	struct caller callers[2 * OWN_CALLS + SHARED_CALLS];
	struct buffer buffer = buffer_new(fx.fd, PAGE);
	struct drm_qda_mem_map map = {.request = QDA_MAP_REQUEST_ATTR,
				      .fd = buffer.fd,
				      .size = PAGE};
	int other = node_open("cdsp");
	unsigned int first;

	assert_int_equal(session_create(other, UNSIGNED), 0);
	first = dsp_count(&fx.dsp);
	fx.dsp.handler = hold_user;
	callers_start(callers, OWN_CALLS + SHARED_CALLS, fx.fd);
	assert_int_equal(invoke(fx.fd, MODULE, 0, NULL), -EBUSY);
	callers_start(callers + OWN_CALLS + SHARED_CALLS, OWN_CALLS, other);
	assert_int_equal(invoke(other, MODULE, 0, NULL), -EBUSY);
	/* What the kernel sends for it has an id, too. */
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MAP, &map), 0);
	for (unsigned int i = first; i < dsp_count(&fx.dsp); i++)
		if (fx.dsp.msgs[i].client_id)
			assert_true(dsp_answer(&fx.dsp, fx.dsp.msgs[i].ctx, 0));
	for (int i = 0; i < 2 * OWN_CALLS + SHARED_CALLS; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].result, 0);
	}
	/* They are not used up: the other one gets the shared ones now. */
	first = dsp_count(&fx.dsp);
	callers_start(callers, OWN_CALLS + SHARED_CALLS, other);
	for (unsigned int i = first; i < first + OWN_CALLS + SHARED_CALLS; i++)
		assert_true(dsp_answer(&fx.dsp, fx.dsp.msgs[i].ctx, 0));
	for (int i = 0; i < OWN_CALLS + SHARED_CALLS; i++)
		pthread_join(callers[i].thread, NULL);
	close(other);
	buffer_free(fx.fd, &buffer);
}

static void interrupted_calls_count_until_they_are_answered(void **state)
{
	struct caller caller;
	unsigned int first = dsp_count(&fx.dsp);

	catch_signals(0);
	fx.dsp.handler = hold_user;
	for (unsigned int i = 0; i < OWN_CALLS + SHARED_CALLS; i++) {
		caller_start(&caller, 0, NULL);
		dsp_wait(&fx.dsp, first + i + 1);
		assert_int_equal(caller_interrupt(&caller), -EINTR);
	}
	assert_int_equal(invoke(fx.fd, MODULE, 0, NULL), -EBUSY);
	assert_true(dsp_answer(&fx.dsp, fx.dsp.msgs[first].ctx, 0));
	fx.dsp.handler = NULL;
	assert_int_equal(invoke(fx.fd, MODULE, 0, NULL), 0);
}

/* a.5, 7 and 18 */
static void interrupted_call_is_made_once_and_kept(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, PAGE);
	struct drm_qda_fastrpc_invoke_args arg = by_gem(&buffer, 0, 64);
	struct caller caller;
	struct fastrpc_msg old, msg;
	struct fastrpc_phy_page page;
	char *payload;

	for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
		unsigned int n = dsp_count(&fx.dsp);

		catch_signals(flags);
		fx.dsp.handler = hold_user;
		caller_start(&caller, SC(3, 1, 0, 0, 0), &arg);
		old = dsp_wait(&fx.dsp, n + 1);
		assert_int_equal(caller_interrupt(&caller), -EINTR);
		assert_true(signals > 0);
		assert_int_equal(dsp_count(&fx.dsp), n + 1);
	}
	/* The DSP still has it: its payload and its buffer stay, whatever the program does. */
	payload = dsp_memory(&fx.dsp, old.addr, PAGE);
	page = payload_pages(payload, 1)[0];
	munmap(payload, PAGE);
	munmap(buffer.data, PAGE);
	close(buffer.fd);
	assert_int_equal(gem_close(fx.fd, buffer.handle), 0);
	assert_true(dsp_reaches(&fx.dsp, page.addr));
	assert_true(dsp_reaches(&fx.dsp, old.addr));

	/* The late answer is not that of the next call. */
	caller_start(&caller, 0, NULL);
	msg = dsp_wait(&fx.dsp, 4);
	assert_true(FASTRPC_CTX_ID(msg.ctx) != FASTRPC_CTX_ID(old.ctx));
	assert_true(dsp_answer(&fx.dsp, old.ctx, 1));
	assert_true(dsp_answer(&fx.dsp, fx.dsp.msgs[1].ctx, 1));
	assert_true(dsp_answer(&fx.dsp, msg.ctx, 2));
	pthread_join(caller.thread, NULL);
	assert_int_equal(caller.result, 2);
	for (int i = 0; i < 1000 && dsp_reaches(&fx.dsp, page.addr); i++)
		usleep(10000);
	assert_false(dsp_reaches(&fx.dsp, page.addr));
}

static void id_of_an_interrupted_call_is_not_given_out(void **state)
{
	struct caller caller;
	struct fastrpc_msg old;

	catch_signals(0);
	fx.dsp.handler = hold_user;
	caller_start(&caller, 0, NULL);
	old = dsp_wait(&fx.dsp, 2);
	assert_int_equal(caller_interrupt(&caller), -EINTR);
	fx.dsp.handler = NULL;
	for (int i = 0; i < 600; i++)
		assert_int_equal(invoke(fx.fd, MODULE, 0, NULL), 0);
	for (unsigned int i = 2; i < fx.dsp.n_msgs; i++)
		assert_true(FASTRPC_CTX_ID(fx.dsp.msgs[i].ctx) != FASTRPC_CTX_ID(old.ctx));
}

/* a.5, 8 */
static void second_stale_and_foreign_answers_change_nothing(void **state)
{
	struct caller caller;
	struct fastrpc_msg msg;
	uint64_t short_answer = 0;

	fx.dsp.handler = hold_user;
	caller_start(&caller, 0, NULL);
	msg = dsp_wait(&fx.dsp, 2);
	/* Another sequence, PD, id; a notice; nothing at all. */
	dsp_answer(&fx.dsp, msg.ctx + (1ULL << 16), 3);
	dsp_answer(&fx.dsp, msg.ctx - (1ULL << 16), 3);
	dsp_answer(&fx.dsp, msg.ctx ^ 1, 3);
	dsp_answer(&fx.dsp, msg.ctx | 0xf0, 3);
	for (uint64_t id = 0; id < 256; id++)
		if (id != FASTRPC_CTX_ID(msg.ctx))
			dsp_answer(&fx.dsp, (msg.ctx & ~0xff00ULL) | id << 8, 3);
	dsp_answer(&fx.dsp, FASTRPC_CTX_PD_EXIT, 3);
	dsp_answer(&fx.dsp, 0, 3);
	dsp_answer(&fx.dsp, UINT64_MAX, 3);
	short_answer = msg.ctx;
	assert_int_equal(write(fx.dsp.fd, &short_answer, 8), 8);
	assert_int_equal(write(fx.dsp.fd, &short_answer, 1), 1);
	assert_true(dsp_answer(&fx.dsp, msg.ctx, 4));
	for (int i = 0; i < 10; i++)
		dsp_answer(&fx.dsp, msg.ctx, 5);
	pthread_join(caller.thread, NULL);
	assert_int_equal(caller.result, 4);
	fx.dsp.handler = NULL;
	assert_int_equal(invoke(fx.fd, MODULE, 0, NULL), 0);
}

static void answer_without_padding_is_taken(void **state)
{
	struct caller caller;
	struct {
		uint64_t ctx;
		uint32_t retval;
	} __attribute__((packed)) rsp = {.retval = 6};

	fx.dsp.handler = hold_user;
	caller_start(&caller, 0, NULL);
	rsp.ctx = dsp_wait(&fx.dsp, 2).ctx;
	assert_int_equal(write(fx.dsp.fd, &rsp, 12), 12);
	pthread_join(caller.thread, NULL);
	assert_int_equal(caller.result, 6);
}

/* a.5, 11 */
static int64_t lie_about_lengths(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	if (msg->client_id) {
		uint32_t n = FASTRPC_LENGTH(msg->sc);

		memset(payload_inline(msg, payload, 0), 'd', 16);
		for (uint32_t i = 0; i < n; i++) {
			payload_args(payload)[i].buf.len = UINT32_MAX;
			payload_args(payload)[i].buf.pv = 0xffff888000000000;
			payload_pages(payload, n)[i].addr = UINT64_MAX;
			payload_pages(payload, n)[i].size = UINT64_MAX;
		}
		memset(payload_fd_list(payload, n), 0xff, FASTRPC_TAIL_SIZE);
	}
	return dsp_default(dsp, msg, payload);
}

static void lengths_that_the_dsp_writes_are_not_read(void **state)
{
	char out[4096];
	struct drm_qda_fastrpc_invoke_args arg = plain(out, 16);

	fx.dsp.handler = lie_about_lengths;
	memset(out, 'p', sizeof(out));
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 0, 1, 0, 0), &arg), 0);
	assert_int_equal(out[0], 'd');
	assert_int_equal(out[15], 'd');
	for (size_t i = 16; i < sizeof(out); i++)
		assert_int_equal(out[i], 'p');
}

/* ---- buffers as arguments ----------------------------------------------- */

static struct fastrpc_phy_page seen_page;
static union fastrpc_remote_arg seen_arg;

static int64_t look_at_argument(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	if (msg->client_id) {
		seen_page = payload_pages(payload, FASTRPC_LENGTH(msg->sc))[0];
		seen_arg = payload_args(payload)[0];
	}
	return dsp_default(dsp, msg, payload);
}

static void check_seen(const struct dsp *dsp, const struct buffer *buffer, size_t offset,
		       size_t size)
{
	char *memory;

	assert_int_equal(seen_arg.buf.len, size);
	assert_int_equal(seen_arg.buf.pv & (PAGE - 1), offset & (PAGE - 1));
	assert_int_equal(seen_page.addr & (PAGE - 1), 0);
	assert_int_equal(seen_page.size, ((offset & (PAGE - 1)) + size + PAGE - 1) & ~(PAGE - 1));
	memory = dsp_memory(dsp, seen_page.addr, seen_page.size);
	assert_memory_equal(memory + (offset & (PAGE - 1)), buffer->data + offset, size);
	munmap(memory, seen_page.size);
}

static void argument_by_fd_or_handle_is_that_range(void **state)
{
	static const size_t ranges[][2] = {{0, 1},           {5, 10},       {PAGE - 1, 2},
					   {PAGE, PAGE},     {0, 8 * PAGE}, {3 * PAGE + 7, 5000},
					   {8 * PAGE - 1, 1}};
	struct buffer buffer = buffer_new(fx.fd, 8 * PAGE);
	struct drm_qda_fastrpc_invoke_args arg;

	fx.dsp.handler = look_at_argument;
	for (size_t i = 0; i < buffer.size; i++)
		buffer.data[i] = (char)(i * 31 + i / PAGE);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		arg = by_fd(&buffer, ranges[i][0], ranges[i][1]);
		assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
		check_seen(&fx.dsp, &buffer, ranges[i][0], ranges[i][1]);
		arg = by_gem(&buffer, ranges[i][0], ranges[i][1]);
		assert_int_equal(invoke(fx.fd, MODULE, SC(3, 0, 1, 0, 0), &arg), 0);
		check_seen(&fx.dsp, &buffer, ranges[i][0], ranges[i][1]);
	}
	buffer_free(fx.fd, &buffer);
}

/* a.5, 6 */
static void pointer_outside_its_buffer_is_einval(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, 2 * PAGE), other = buffer_new(fx.fd, 2 * PAGE);
	char *anonymous = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct drm_qda_fastrpc_invoke_args arg;
	const uint64_t bad[][2] = {
		{address(buffer.data) - 1, 1},
		{address(buffer.data), 2 * PAGE + 1},
		{address(buffer.data) + PAGE, PAGE + 1},
		{address(buffer.data) + 2 * PAGE - 1, 2},
		{address(buffer.data), UINT64_MAX},
		{address(buffer.data) + 1, UINT64_MAX},
		{address(other.data), 1},
		{address(anonymous), 1},
		{0, 1},
		{8, 8},
		{0xffff888000000000, 1},
		{UINT64_MAX, 1},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		arg = (struct drm_qda_fastrpc_invoke_args){.ptr = bad[i][0],
							   .length = bad[i][1],
							   .fd = buffer.fd};
		assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), -EINVAL);
	}
	assert_int_equal(dsp_count(&fx.dsp), 1);
	/* The same through a mapping of the DMA-BUF. */
	munmap(buffer.data, buffer.size);
	buffer.data = mmap(NULL, buffer.size, PROT_READ, MAP_SHARED, buffer.fd, 0);
	assert_true(buffer.data != MAP_FAILED);
	arg = by_fd(&buffer, PAGE, PAGE);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
	arg = by_fd(&buffer, PAGE, PAGE + 1);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), -EINVAL);
	munmap(anonymous, PAGE);
	buffer_free(fx.fd, &other);
	buffer_free(fx.fd, &buffer);
}

static void bad_ranges_and_handles_of_objects_are_refused(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, 2 * PAGE);
	struct drm_qda_fastrpc_invoke_args arg = by_gem(&buffer, 0, PAGE);
	static const uint64_t bad[][2] = {{0, 2 * PAGE + 1}, {2 * PAGE, 1},
					  {UINT64_MAX, 1},   {1, UINT64_MAX},
					  {PAGE, PAGE + 1},  {UINT64_MAX, PAGE + 1}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		arg.ptr = bad[i][0];
		arg.length = bad[i][1];
		assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), -EINVAL);
	}
	arg = by_gem(&buffer, 0, PAGE);
	arg.attr |= 1;
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), -EINVAL);
	arg.attr = QDA_INVOKE_ARG_GEM;
	/* A handle argument is known by its fd. */
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 0, 0, 1, 0), &arg), -EINVAL);
	arg.fd = 4711;
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), -ENOENT);
	arg.fd = 0;
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), -ENOENT);
	arg.fd = -1;
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), -ENOENT);
	assert_int_equal(dsp_count(&fx.dsp), 1);
	buffer_free(fx.fd, &buffer);
}

static void attr_without_the_bit_is_not_read(void **state)
{
	char byte = 0;
	struct drm_qda_fastrpc_invoke_args arg = plain(&byte, 1);

	arg.attr = 0x7fffffff;
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
}

/* a.5, 4 */
static void argument_by_fd_leaves_no_handle_and_no_mapping(void **state)
{
	struct dma_heap_allocation_data data = {.len = PAGE, .fd_flags = O_RDWR | O_CLOEXEC};
	int heap = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);
	uint32_t before, after;
	struct buffer buffer = {.size = PAGE};
	struct drm_qda_fastrpc_invoke_args arg;

	assert_int_equal(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data), 0);
	buffer.fd = (int)data.fd;
	buffer.data = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, buffer.fd, 0);
	assert_true(buffer.data != MAP_FAILED);
	assert_int_equal(gem_create(fx.fd, PAGE, &before), 0);
	fx.dsp.handler = look_at_argument;
	arg = by_fd(&buffer, 0, PAGE);
	for (int i = 0; i < 20; i++)
		assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
	assert_false(dsp_reaches(&fx.dsp, seen_page.addr));
	assert_int_equal(gem_create(fx.fd, PAGE, &after), 0);
	assert_int_equal(after, before + 1);
	buffer_free(fx.fd, &buffer);
	close(heap);
}

static void bad_fds_are_refused(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, PAGE);
	struct drm_qda_fastrpc_invoke_args arg = by_fd(&buffer, 0, 8);
	uint32_t sc[] = {SC(3, 1, 0, 0, 0), SC(3, 0, 1, 0, 0), SC(3, 0, 0, 1, 0),
			 SC(3, 0, 0, 0, 1)};

	for (size_t i = 0; i < 4; i++) {
		arg.ptr = i < 2 ? address(buffer.data) : 0;
		arg.fd = 1000;
		assert_int_equal(invoke(fx.fd, MODULE, sc[i], &arg), -EBADF);
		arg.fd = fx.fd;
		assert_int_equal(invoke(fx.fd, MODULE, sc[i], &arg), -EINVAL);
	}
	buffer_free(fx.fd, &buffer);
}

static int32_t given_back;

static void give_back(const struct fastrpc_msg *msg, void *payload)
{
	uint64_t *list = payload_fd_list(payload, FASTRPC_LENGTH(msg->sc));

	list[0] = 4711;
	list[1] = (uint64_t)given_back;
}

/* Method 4 names a number in its fd list. */
static int64_t look_at_handle(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	if (msg->client_id && FASTRPC_METHOD(msg->sc) == 4)
		give_back(msg, payload);
	else
		look_at_argument(dsp, msg, payload);
	return dsp_default(dsp, msg, payload);
}

/* a.5, 12 */
static void handle_argument_stays_until_the_dsp_gives_it_back(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, 3 * PAGE);
	struct drm_qda_fastrpc_invoke_args arg = {.fd = buffer.fd, .ptr = 100, .length = 50};

	fx.dsp.handler = look_at_handle;
	given_back = buffer.fd;
	for (int i = 0; i < 2; i++)
		assert_int_equal(invoke(fx.fd, MODULE, SC(3, 0, 0, 1, 0), &arg), 0);
	assert_int_equal(seen_arg.dma.fd, buffer.fd);
	assert_int_equal(seen_arg.dma.offset, 100);
	assert_int_equal(seen_arg.dma.len, 50);
	assert_int_equal(seen_page.size, 3 * PAGE);
	assert_int_equal(gem_close(fx.fd, buffer.handle), 0);
	buffer.handle = 0;
	assert_true(dsp_reaches(&fx.dsp, seen_page.addr));
	/* As often as it was passed. */
	assert_int_equal(invoke(fx.fd, MODULE, SC(4, 0, 0, 0, 0), NULL), 0);
	assert_true(dsp_reaches(&fx.dsp, seen_page.addr));
	assert_int_equal(invoke(fx.fd, MODULE, SC(4, 0, 0, 0, 0), NULL), 0);
	assert_false(dsp_reaches(&fx.dsp, seen_page.addr));
	buffer_free(fx.fd, &buffer);
}

static void bad_handle_arguments_are_refused(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, 3 * PAGE);
	struct drm_qda_fastrpc_invoke_args arg = {.fd = buffer.fd, .ptr = 3 * PAGE, .length = 50};

	assert_int_equal(invoke(fx.fd, MODULE, SC(4, 0, 0, 0, 1), &arg), -EINVAL);
	arg.ptr = UINT64_MAX;
	assert_int_equal(invoke(fx.fd, MODULE, SC(4, 0, 0, 0, 1), &arg), -EINVAL);
	arg.ptr = 0;
	arg.length = (1ULL << 32) + 1;
	assert_int_equal(invoke(fx.fd, MODULE, SC(4, 0, 0, 0, 1), &arg), -EINVAL);
	arg = (struct drm_qda_fastrpc_invoke_args){.fd = 0, .length = 50};
	assert_int_equal(invoke(fx.fd, MODULE, SC(4, 0, 0, 0, 1), &arg), -EINVAL);
	buffer_free(fx.fd, &buffer);
}

/* A bad argument behind it: the DSP never heard of the buffer. */
static void handle_argument_of_a_call_that_is_not_made_does_not_stay(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, PAGE);
	struct drm_qda_fastrpc_invoke_args args[2] = {by_gem(&buffer, 0, PAGE)};

	fx.dsp.handler = look_at_argument;
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), args), 0);
	for (int i = 0; i < 2; i++)
		args[i] = (struct drm_qda_fastrpc_invoke_args){.fd = buffer.fd, .length = 50};
	args[1].fd = 1000;
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 0, 0, 2, 0), args), -EBADF);
	assert_int_equal(gem_close(fx.fd, buffer.handle), 0);
	buffer.handle = 0;
	assert_false(dsp_reaches(&fx.dsp, seen_page.addr));
	buffer_free(fx.fd, &buffer);
}

static int64_t hold_and_give_back(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	if (!msg->client_id)
		return dsp_default(dsp, msg, payload);
	look_at_argument(dsp, msg, payload);
	give_back(msg, payload);
	return HOLD;
}

static void handle_is_given_back_by_an_interrupted_call_too(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, PAGE);
	struct drm_qda_fastrpc_invoke_args arg = {.fd = buffer.fd, .length = 50};
	struct caller caller;
	struct fastrpc_msg msg;

	catch_signals(0);
	fx.dsp.handler = hold_and_give_back;
	given_back = buffer.fd;
	caller_start(&caller, SC(3, 0, 0, 1, 0), &arg);
	msg = dsp_wait(&fx.dsp, 2);
	assert_int_equal(caller_interrupt(&caller), -EINTR);
	assert_int_equal(gem_close(fx.fd, buffer.handle), 0);
	buffer.handle = 0;
	assert_true(dsp_reaches(&fx.dsp, seen_page.addr));
	assert_true(dsp_answer(&fx.dsp, msg.ctx, 0));
	for (int i = 0; i < 1000 && dsp_reaches(&fx.dsp, seen_page.addr); i++)
		usleep(10000);
	assert_false(dsp_reaches(&fx.dsp, seen_page.addr));
	buffer_free(fx.fd, &buffer);
}

/* ---- mappings ----------------------------------------------------------- */

static struct {
	struct fastrpc_init_mem_map map;
	struct fastrpc_init_mmap mmap;
	struct fastrpc_phy_page page;
	struct fastrpc_init_mem_unmap unmap;
	struct fastrpc_init_munmap munmap;
	int64_t answer;
} mapped;

static int64_t look_at_map(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	void *first;

	if (msg->client_id)
		return 0;
	first = payload_inline(msg, payload, 0);
	switch (FASTRPC_METHOD(msg->sc)) {
	case FASTRPC_INIT_MEM_MAP:
		memcpy(&mapped.map, first, sizeof(mapped.map));
		memcpy(&mapped.page, payload_inline(msg, payload, 1), sizeof(mapped.page));
		break;
	case FASTRPC_INIT_MMAP:
		memcpy(&mapped.mmap, first, sizeof(mapped.mmap));
		memcpy(&mapped.page, payload_inline(msg, payload, 1), sizeof(mapped.page));
		break;
	case FASTRPC_INIT_MEM_UNMAP:
		memcpy(&mapped.unmap, first, sizeof(mapped.unmap));
		break;
	case FASTRPC_INIT_MUNMAP:
		memcpy(&mapped.munmap, first, sizeof(mapped.munmap));
		break;
	}
	dsp_default(dsp, msg, payload);
	return mapped.answer;
}

/* a.5, 15 */
static void map_is_of_the_range_and_lasts_until_unmap(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, 4 * PAGE);
	struct drm_qda_mem_map map = {
		.request = QDA_MAP_REQUEST_ATTR,
		.fd = buffer.fd,
		.flags = 2,
		.offset = 2 * PAGE,
		.size = PAGE,
		.vaddrin = 0x1234000,
	};
	struct drm_qda_mem_unmap unmap = {.request = QDA_MUNMAP_REQUEST_ATTR, .fd = buffer.fd};
	char *memory;

	fx.dsp.handler = look_at_map;
	mapped.answer = 0;
	buffer.data[2 * PAGE] = 'm';
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MAP, &map), 0);
	assert_int_equal(map.vaddrout, MAP_ADDRESS);
	assert_int_equal(mapped.map.fd, buffer.fd);
	assert_int_equal(mapped.map.flags, 2);
	assert_int_equal(mapped.map.vaddrin, 0x1234000);
	assert_int_equal(mapped.page.size, PAGE);
	memory = dsp_memory(&fx.dsp, mapped.page.addr, PAGE);
	assert_int_equal(memory[0], 'm');

	/* The program lets go of it; the DSP has not. */
	assert_int_equal(gem_close(fx.fd, buffer.handle), 0);
	buffer.handle = 0;
	munmap(buffer.data, buffer.size);
	close(buffer.fd);
	assert_int_equal(memory[0], 'm');
	munmap(memory, PAGE);

	/* Only what was mapped is unmapped. */
	unmap.vaddr = map.vaddrout + PAGE;
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), -ENOENT);
	unmap.vaddr = map.vaddrout;
	unmap.fd = buffer.fd + 1;
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), -ENOENT);
	unmap.fd = buffer.fd;
	unmap.request = QDA_MUNMAP_REQUEST_LEGACY;
	unmap.vaddrout = map.vaddrout;
	unmap.size = PAGE;
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), -ENOENT);
	assert_int_equal(dsp_count(&fx.dsp), 2);
	/* The DSP refuses: it still has it. */
	unmap.request = QDA_MUNMAP_REQUEST_ATTR;
	mapped.answer = 9;
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), 9);
	assert_true(dsp_reaches(&fx.dsp, mapped.page.addr));
	mapped.answer = 0;
	unmap.size = UINT64_MAX; /* that of the mapping counts */
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), 0);
	assert_int_equal(mapped.unmap.len, PAGE);
	assert_int_equal(mapped.unmap.vaddrin, MAP_ADDRESS);
	assert_false(dsp_reaches(&fx.dsp, mapped.page.addr));
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), -ENOENT);
}

static void legacy_map_and_unmap(void **state)
{
	static const uint32_t flags[] = {0, 6, 0x1000, 0x3000};
	struct buffer buffer = buffer_new(fx.fd, 4 * PAGE);
	struct drm_qda_mem_map map = {.request = QDA_MAP_REQUEST_LEGACY,
				      .fd = buffer.fd,
				      .size = 3 * PAGE,
				      .offset = 5 * PAGE /* not read */};
	struct drm_qda_mem_unmap unmap = {.request = QDA_MUNMAP_REQUEST_LEGACY, .size = 3 * PAGE};

	fx.dsp.handler = look_at_map;
	mapped.answer = 0;
	for (size_t i = 0; i < 4; i++) {
		map.flags = flags[i];
		assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MAP, &map), 0);
		assert_int_equal(mapped.mmap.flags, flags[i]);
		assert_int_equal(mapped.page.size, 3 * PAGE);
		unmap.vaddrout = map.vaddrout;
		unmap.size = PAGE;
		assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), -ENOENT);
		unmap.size = 3 * PAGE;
		assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), 0);
		assert_int_equal(mapped.munmap.vaddr, map.vaddrout);
		assert_int_equal(mapped.munmap.size, 3 * PAGE);
	}
	map.flags = 4; /* the heap of a static process */
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MAP, &map), -EINVAL);
	buffer_free(fx.fd, &buffer);
}

static void size_of_a_mapping_is_whole_pages_at_the_dsp(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, 4 * PAGE);
	struct drm_qda_mem_map map = {.request = QDA_MAP_REQUEST_ATTR,
				      .fd = buffer.fd,
				      .size = PAGE + 1};
	struct drm_qda_mem_unmap unmap = {.request = QDA_MUNMAP_REQUEST_ATTR, .fd = buffer.fd};

	fx.dsp.handler = look_at_map;
	mapped.answer = 0;
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MAP, &map), 0);
	assert_int_equal(mapped.page.size, 2 * PAGE);
	unmap.vaddr = map.vaddrout;
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), 0);
	assert_int_equal(mapped.unmap.len, 2 * PAGE);
	buffer_free(fx.fd, &buffer);
}

static void bad_mappings_are_refused(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, 4 * PAGE);
	const struct drm_qda_mem_map good = {.request = QDA_MAP_REQUEST_ATTR,
					     .fd = buffer.fd,
					     .size = PAGE};
	struct {
		struct drm_qda_mem_map map;
		long r;
	} bad[12];
	struct drm_qda_mem_unmap unmap = {.request = 3};
	size_t n = 0;

#define BAD(member, value, error)  \
	bad[n].map = good;         \
	bad[n].map.member = value; \
	bad[n++].r = error
	BAD(request, 0, -EINVAL);
	BAD(request, 3, -EINVAL);
	BAD(pad, 1, -EINVAL);
	BAD(size, 0, -EINVAL);
	BAD(size, 4 * PAGE + 1, -EINVAL);
	BAD(size, UINT64_MAX, -EINVAL);
	BAD(offset, 4 * PAGE, -EINVAL);
	BAD(offset, 1, -EINVAL);
	BAD(flags, 4, -EINVAL);
	BAD(attrs, 1, -EINVAL);
	BAD(fd, 0, -EINVAL);
	BAD(fd, 1000, -EBADF);
#undef BAD
	for (size_t i = 0; i < n; i++)
		assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MAP, &bad[i].map), bad[i].r);
	bad[0].map = good;
	bad[0].map.fd = fx.fd; /* no DMA-BUF */
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MAP, &bad[0].map), -EINVAL);
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap), -EINVAL);
	assert_int_equal(dsp_count(&fx.dsp), 1);

	/* The DSP refuses: nothing stays mapped. */
	fx.dsp.handler = look_at_map;
	mapped.answer = 0x1a;
	bad[0].map = good;
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MAP, &bad[0].map), 0x1a);
	buffer_free(fx.fd, &buffer);
	assert_false(dsp_reaches(&fx.dsp, mapped.page.addr));
}

/* ---- the end of things -------------------------------------------------- */

static struct {
	uint64_t addr;
	bool reached;
} at_release;

static int64_t look_at_release(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	look_at_argument(dsp, msg, payload);
	if (!msg->client_id && FASTRPC_METHOD(msg->sc) == FASTRPC_INIT_RELEASE)
		at_release.reached = dsp_reaches(dsp, at_release.addr);
	return dsp_default(dsp, msg, payload);
}

/* a.5, 19 */
static void process_ends_before_its_buffers_go(void **state)
{
	int fd = node_open("cdsp");
	struct buffer buffer;
	struct drm_qda_fastrpc_invoke_args arg;
	long faults = dsp_faults(&fx.dsp);

	fx.dsp.handler = look_at_release;
	assert_int_equal(session_create(fd, UNSIGNED), 0);
	buffer = buffer_new(fd, PAGE);
	arg = by_gem(&buffer, 0, PAGE);
	assert_int_equal(invoke(fd, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
	munmap(buffer.data, PAGE);
	close(buffer.fd);
	at_release.addr = seen_page.addr;
	at_release.reached = false;
	close(fd);
	assert_true(at_release.reached);
	assert_int_equal(dsp_faults(&fx.dsp), faults);
	assert_false(dsp_reaches(&fx.dsp, at_release.addr));
}

static struct {
	uint64_t addr;
	int32_t client_id;
} last_release;

static int64_t look_at_released_id(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	if (!msg->client_id && FASTRPC_METHOD(msg->sc) == FASTRPC_INIT_RELEASE) {
		char *id = payload_inline(msg, payload, 0);

		last_release.addr = msg->addr;
		if (id >= (char *)payload && id <= (char *)payload + msg->size - sizeof(int32_t))
			memcpy(&last_release.client_id, id, sizeof(int32_t));
	}
	return dsp_default(dsp, msg, payload);
}

#define WINDOW 8
static void release_is_not_what_the_process_wrote_there_before(void **state)
{
	uint64_t addr;
	char *memory;
	int fd;

	fx.dsp.handler = look_at_released_id;
	fd = node_open("cdsp");
	assert_int_equal(session_create(fd, UNSIGNED), 0);
	assert_int_equal(invoke(fd, MODULE, 0, NULL), 0);
	close(fd);
	addr = last_release.addr;

	/* That of the next session is near to where this one's was. */
	fd = node_open("cdsp");
	assert_int_equal(session_create(fd, UNSIGNED), 0);
	for (uint64_t page = addr - WINDOW * PAGE; page < addr + WINDOW * PAGE; page += PAGE) {
		if (!dsp_reaches(&fx.dsp, page))
			continue;
		memory = dsp_memory(&fx.dsp, page, PAGE);
		memset(memory, 3, PAGE);
		munmap(memory, PAGE);
	}
	assert_int_equal(invoke(fd, MODULE, 0, NULL), 0);
	memset(&last_release, 0, sizeof(last_release));
	close(fd);
	assert_in_range(last_release.addr, addr - WINDOW * PAGE, addr + (WINDOW - 1) * PAGE);
	assert_int_equal(last_release.client_id, fx.dsp.msgs[dsp_count(&fx.dsp) - 2].client_id);
}
#undef WINDOW

/* a.5, 20 */
static void killed_program_waits_for_the_end_of_its_process(void **state)
{
	fx.dsp.handler = hold_user_and_release;
	for (int i = 0; i < 3; i++) {
		unsigned int n = dsp_count(&fx.dsp);
		struct fastrpc_msg called, released;
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			int fd = node_open("cdsp");

			if (session_create(fd, UNSIGNED) == 0)
				invoke(fd, MODULE, 0, NULL);
			_exit(1);
		}
		assert_true(pid > 0);
		called = dsp_wait(&fx.dsp, n + 2);
		kill(pid, SIGKILL);
		released = dsp_wait(&fx.dsp, n + 3);
		assert_int_equal(released.sc, SC(FASTRPC_INIT_RELEASE, 1, 0, 0, 0));
		/* The signal does not end the wait for the answer, and takes nothing away before.
		 */
		usleep(300000);
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
		assert_true(dsp_reaches(&fx.dsp, called.addr));
		assert_true(dsp_answer(&fx.dsp, released.ctx, 0));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_false(dsp_reaches(&fx.dsp, called.addr));
	}
	/* All banks are free again, though the calls were never answered. */
	fx.dsp.handler = NULL;
	sessions_beyond_the_banks_are_ebusy(state);
}

struct control {
	pthread_t thread;
	int fd;
	unsigned long request;
	union {
		struct drm_qda_init_create create;
		struct drm_qda_mem_map map;
		struct drm_qda_mem_unmap unmap;
	} args;
	long result;
};

static void *control_main(void *arg)
{
	struct control *control = arg;

	control->result = call(control->fd, control->request, &control->args);
	return NULL;
}

/*
 * Have a DSP that is silent to create, map and unmap: by another file, whose end is
 * the caller's, and by that of the fixture.
 */
static void controls_start(struct control controls[3], const struct buffer *buffer)
{
	static char shell[100];
	struct drm_qda_mem_map map = {.request = QDA_MAP_REQUEST_ATTR,
				      .fd = buffer->fd,
				      .size = PAGE};
	unsigned int n;

	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MAP, &map), 0);
	controls[0].fd = node_open("cdsp");
	controls[0].request = DRM_IOCTL_QDA_REMOTE_SESSION_CREATE;
	controls[0].args.create = (struct drm_qda_init_create){.filelen = sizeof(shell),
							       .filefd = -1,
							       .attrs = UNSIGNED,
							       .file = address(shell)};
	controls[1].fd = fx.fd;
	controls[1].request = DRM_IOCTL_QDA_REMOTE_MAP;
	controls[1].args.map = map;
	controls[2].fd = fx.fd;
	controls[2].request = DRM_IOCTL_QDA_REMOTE_MUNMAP;
	controls[2].args.unmap = (struct drm_qda_mem_unmap){.request = QDA_MUNMAP_REQUEST_ATTR,
							    .fd = buffer->fd,
							    .vaddr = map.vaddrout,
							    .size = PAGE};
	n = dsp_count(&fx.dsp);
	fx.dsp.handler = hold_all;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&controls[i].thread, NULL, control_main,
						&controls[i]),
				 0);
	dsp_wait(&fx.dsp, n + 3);
}

static void unanswered_control_messages_time_out(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, PAGE);
	struct control controls[3];
	unsigned int n;

	controls_start(controls, &buffer);
	for (int i = 0; i < 3; i++) {
		pthread_join(controls[i].thread, NULL);
		assert_int_equal(controls[i].result, -ETIMEDOUT);
	}
	/* Whether there is a process is not known: no second one, no calls, but an end. */
	assert_int_equal(session_create(controls[0].fd, UNSIGNED), -ENOTCONN);
	assert_int_equal(invoke(controls[0].fd, MODULE, 0, NULL), -ENOTCONN);
	/* Nor is it of the mappings: what the DSP may reach stays, what it may not is not used. */
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &controls[2].args), -ENOENT);
	fx.dsp.handler = NULL;
	assert_int_equal(invoke(fx.fd, MODULE, 0, NULL), 0);
	n = dsp_count(&fx.dsp);
	close(controls[0].fd);
	assert_int_equal(dsp_wait(&fx.dsp, n + 1).sc, SC(FASTRPC_INIT_RELEASE, 1, 0, 0, 0));
	buffer_free(fx.fd, &buffer);
}

static void *close_main(void *arg)
{
	close(*(int *)arg);
	return NULL;
}

static void process_without_an_end_keeps_its_memory(void **state)
{
	struct buffer buffer;
	struct drm_qda_fastrpc_invoke_args arg;
	int fd = node_open("cdsp"), other = node_open("cdsp");
	pthread_t thread;
	uint64_t addr;

	assert_int_equal(session_create(fd, UNSIGNED), 0);
	buffer = buffer_new(fd, PAGE);
	arg = by_gem(&buffer, 0, PAGE);
	fx.dsp.handler = look_at_argument;
	assert_int_equal(invoke(fd, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
	addr = seen_page.addr;
	munmap(buffer.data, PAGE);
	close(buffer.fd);
	/* Another one, which the end of the DSP will be that of. */
	assert_int_equal(session_create(other, UNSIGNED), 0);
	fx.dsp.handler = hold_all;
	assert_int_equal(pthread_create(&thread, NULL, close_main, &other), 0);
	close(fd); /* takes the 10 s of a message of the kernel's, as that of the thread */
	pthread_join(thread, NULL);
	assert_true(dsp_reaches(&fx.dsp, addr));
	/* The late answer ends it. */
	for (unsigned int i = 3; i < 5; i++) {
		struct fastrpc_msg msg = dsp_wait(&fx.dsp, i + 1);

		if (msg.addr >> 32 == addr >> 32)
			assert_true(dsp_answer(&fx.dsp, msg.ctx, 0));
	}
	for (int i = 0; i < 1000 && dsp_reaches(&fx.dsp, addr); i++)
		usleep(10000);
	assert_false(dsp_reaches(&fx.dsp, addr));
}

static void refused_release_is_the_end_too(void **state)
{
	struct buffer buffer;
	struct drm_qda_fastrpc_invoke_args arg;
	int fd = node_open("cdsp");

	fx.dsp.handler = look_at_argument;
	assert_int_equal(session_create(fd, UNSIGNED), 0);
	buffer = buffer_new(fd, PAGE);
	arg = by_gem(&buffer, 0, PAGE);
	assert_int_equal(invoke(fd, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
	munmap(buffer.data, PAGE);
	close(buffer.fd);
	fx.dsp.handler = refuse_with_eperm;
	close(fd);
	assert_false(dsp_reaches(&fx.dsp, seen_page.addr));
	fx.dsp.handler = NULL;
	sessions_beyond_the_banks_are_ebusy(state);
}

/* An interrupted call, one that waits, and a close() that does: all end, and nothing of them stays.
 */
static void dsp_goes_while_a_file_is_closed(void **state)
{
	struct buffer buffer;
	struct drm_qda_fastrpc_invoke_args arg;
	struct caller caller;
	pthread_t thread;
	int fd = node_open("cdsp");

	assert_int_equal(session_create(fd, UNSIGNED), 0);
	buffer = buffer_new(fd, PAGE);
	arg = by_gem(&buffer, 0, PAGE);
	catch_signals(0);
	fx.dsp.handler = hold_all;
	caller = (struct caller){.fd = fd, .sc = SC(3, 1, 0, 0, 0), .args = &arg};
	assert_int_equal(pthread_create(&caller.thread, NULL, caller_main, &caller), 0);
	dsp_wait(&fx.dsp, 2);
	assert_int_equal(caller_interrupt(&caller), -EINTR);
	munmap(buffer.data, PAGE);
	close(buffer.fd);
	assert_int_equal(pthread_create(&thread, NULL, close_main, &fd), 0);
	assert_int_equal(dsp_wait(&fx.dsp, 3).sc, SC(FASTRPC_INIT_RELEASE, 1, 0, 0, 0));
	dsp_crash(&fx.dsp);
	pthread_join(thread, NULL);
}

/* a.5, 10 */
static void all_who_wait_get_epipe_when_the_dsp_goes(void **state)
{
	static struct caller callers[20];
	struct buffer buffer = buffer_new(fx.fd, PAGE);
	struct drm_qda_fastrpc_invoke_args arg = by_gem(&buffer, 0, PAGE);
	struct drm_qda_gem_mmap_offset offset = {.handle = buffer.handle};
	struct drm_qda_query query;
	uint32_t handle;
	int fd;

	fx.dsp.handler = hold_user;
	for (int i = 0; i < 20; i++)
		caller_start(&callers[i], SC(3, 1, 0, 0, 0), &arg);
	dsp_wait(&fx.dsp, 21);
	buffer.data[0] = 's';
	dsp_crash(&fx.dsp);
	for (int i = 0; i < 20; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].result, -EPIPE);
	}
	/* The file is of no more use, the memory is. */
	assert_int_equal(invoke(fx.fd, MODULE, 0, NULL), -ENODEV);
	assert_int_equal(gem_create(fx.fd, PAGE, &handle), -ENODEV);
	assert_int_equal(prime_import(fx.fd, buffer.fd, &handle), -ENODEV);
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_QUERY, &query), -ENODEV);
	assert_int_equal(call(fx.fd, DRM_IOCTL_QDA_GEM_MMAP_OFFSET, &offset), -ENODEV);
	assert_int_equal(buffer.data[0], 's');
	assert_int_equal(((char *)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, buffer.fd, 0))[0], 's');
	pthread_join(fx.dsp.thread, NULL);
	close(fx.dsp.fd);

	/* Another start, while the old file is open. */
	assert_true(dsp_boot(&fx.dsp, "cdsp"));
	fd = node_open("cdsp");
	assert_true(fd >= 0);
	assert_int_equal(session_create(fd, UNSIGNED), 0);
	assert_int_equal(invoke(fd, MODULE, 0, NULL), 0);
	close(fd);
	munmap(buffer.data, PAGE);
	close(buffer.fd);
}

static void control_that_waits_gets_epipe_when_the_dsp_goes(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, PAGE);
	struct control controls[3];

	controls_start(controls, &buffer);
	dsp_crash(&fx.dsp);
	for (int i = 0; i < 3; i++) {
		pthread_join(controls[i].thread, NULL);
		assert_int_equal(controls[i].result, -EPIPE);
		/* From then on none gets that far. */
		assert_int_equal(call(controls[i].fd, controls[i].request, &controls[i].args),
				 -ENODEV);
	}
	close(controls[0].fd);
	buffer_free(fx.fd, &buffer);
}

static void killed_program_leaves_control_messages(void **state)
{
	int status;
	pid_t pid;

	fx.dsp.handler = hold_all;
	pid = fork();
	if (pid == 0) {
		session_create(node_open("cdsp"), UNSIGNED);
		_exit(1);
	}
	dsp_wait(&fx.dsp, 1);
	fx.dsp.handler = NULL;
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	/* It may have been started: it is ended. */
	assert_int_equal(dsp_wait(&fx.dsp, 2).sc, SC(FASTRPC_INIT_RELEASE, 1, 0, 0, 0));
}

/* ---- who shares what ---------------------------------------------------- */

/* a.5, 16 */
static void session_is_the_files_not_the_process_ids(void **state)
{
	int second = node_open("cdsp"), status;
	unsigned int n;
	pid_t pid;

	assert_int_equal(session_create(second, UNSIGNED), 0);
	assert_int_equal(invoke(fx.fd, MODULE, 0, NULL), 0);
	assert_int_equal(invoke(second, MODULE, 0, NULL), 0);
	n = dsp_count(&fx.dsp);
	/* Two files of one program are two sessions, in two address spaces. */
	assert_true(fx.dsp.msgs[n - 2].client_id != fx.dsp.msgs[n - 1].client_id);
	assert_true(fx.dsp.msgs[n - 2].addr >> 32 != fx.dsp.msgs[n - 1].addr >> 32);
	close(second);

	/* One file in two programs is one; its end is that of the last. */
	n = dsp_count(&fx.dsp);
	pid = fork();
	if (pid == 0)
		_exit(invoke(fx.fd, MODULE, 0, NULL) == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(invoke(fx.fd, MODULE, 0, NULL), 0);
	assert_int_equal(dsp_count(&fx.dsp), n + 2);
	assert_int_equal(fx.dsp.msgs[n].client_id, fx.dsp.msgs[n + 1].client_id);
	assert_int_equal(fx.dsp.msgs[n].addr >> 32, fx.dsp.msgs[n + 1].addr >> 32);
	assert_int_equal(fx.dsp.msgs[n].tid, pid);
}

static void file_and_buffer_can_be_passed_on(void **state)
{
	struct buffer buffer = buffer_new(fx.fd, PAGE);
	int sockets[2], status;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	pid = fork();
	if (pid == 0) {
		struct drm_qda_fastrpc_invoke_args arg;
		struct buffer copy = {.size = PAGE};
		int node;

		/* Not what it inherits, but what it is sent. */
		close(fx.fd);
		close(buffer.fd);
		close(sockets[0]);
		munmap(buffer.data, PAGE);
		node = receive_fd(sockets[1]);
		copy.fd = receive_fd(sockets[1]);
		copy.data = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, copy.fd, 0);
		if (copy.data == MAP_FAILED || copy.data[7] != 'p')
			_exit(2);
		arg = by_fd(&copy, 7, 1);
		_exit(invoke(node, MODULE, SC(3, 1, 0, 0, 0), &arg) == 0 ? 0 : 1);
	}
	buffer.data[7] = 'p';
	fx.dsp.handler = look_at_argument;
	assert_int_equal(send_fd(sockets[0], fx.fd), 0);
	assert_int_equal(send_fd(sockets[0], buffer.fd), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	check_seen(&fx.dsp, &buffer, 7, 1);
	close(sockets[0]);
	close(sockets[1]);
	buffer_free(fx.fd, &buffer);
}

static void session_reaches_its_own_memory_only(void **state)
{
	int other = node_open("cdsp");
	struct buffer mine = buffer_new(fx.fd, PAGE), theirs;
	struct drm_qda_fastrpc_invoke_args arg;
	uint64_t own_sid, address_there;
	long faults;
	uint32_t handle;

	fx.dsp.handler = look_at_argument;
	assert_int_equal(session_create(other, UNSIGNED), 0);
	theirs = buffer_new(other, 64 * PAGE);
	arg = by_gem(&mine, 0, 1);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
	own_sid = seen_page.addr >> 32 << 32;
	arg = by_gem(&theirs, 0, 1);
	assert_int_equal(invoke(other, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
	address_there = seen_page.addr & UINT32_MAX;
	assert_true(seen_page.addr >> 32 << 32 != own_sid);
	assert_true(dsp_reaches(&fx.dsp, seen_page.addr));

	/* With my stream id: a fault, or memory of mine that happens to be there. */
	memset(theirs.data, 'T', theirs.size);
	faults = dsp_faults(&fx.dsp);
	for (uint64_t page = 0; page < 64; page++) {
		char *memory = dsp_memory(&fx.dsp, own_sid | (address_there + page * PAGE), PAGE);

		if (dsp_reaches(&fx.dsp, own_sid | (address_there + page * PAGE)))
			assert_true(memory[0] != 'T');
		munmap(memory, PAGE);
	}
	assert_true(dsp_faults(&fx.dsp) > faults);

	/* A name of the other's object is nothing here. */
	arg = by_gem(&theirs, 0, 1);
	arg.fd = 1000;
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), -ENOENT);
	/* It is shared by passing its DMA-BUF on, and has an address for each of them. */
	assert_int_equal(prime_import(fx.fd, theirs.fd, &handle), 0);
	arg = by_fd(&theirs, 0, PAGE);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
	assert_int_equal(seen_page.addr >> 32 << 32, own_sid);
	check_seen(&fx.dsp, &theirs, 0, PAGE);
	gem_close(fx.fd, handle);
	buffer_free(other, &theirs);
	buffer_free(fx.fd, &mine);
	close(other);
}

static void imports(int dmabuf, size_t size)
{
	struct buffer buffer = {.fd = dmabuf, .size = size};
	struct drm_qda_fastrpc_invoke_args arg;
	uint32_t again;

	assert_int_equal(prime_import(fx.fd, dmabuf, &buffer.handle), 0);
	assert_int_equal(prime_import(fx.fd, dmabuf, &again), 0);
	assert_int_equal(again, buffer.handle);
	buffer.data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	assert_true(buffer.data != MAP_FAILED);
	for (size_t i = 0; i < size; i++)
		buffer.data[i] = (char)(i / 1000);
	fx.dsp.handler = look_at_argument;
	arg = by_gem(&buffer, 0, size);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
	check_seen(&fx.dsp, &buffer, 0, size);
	arg = by_fd(&buffer, PAGE + 3, PAGE);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
	check_seen(&fx.dsp, &buffer, PAGE + 3, PAGE);
	buffer_free(fx.fd, &buffer);
	assert_false(dsp_reaches(&fx.dsp, seen_page.addr));
}

static void imports_from_a_heap(void **state)
{
	struct dma_heap_allocation_data data = {.len = 300 * PAGE, .fd_flags = O_RDWR | O_CLOEXEC};
	int heap = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);

	assert_int_equal(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data), 0);
	close(heap);
	imports((int)data.fd, 300 * PAGE);
}

static void imports_from_a_gpu(void **state)
{
	int gpu = open("/dev/dri/card0", O_RDWR | O_CLOEXEC);
	struct drm_mode_create_dumb dumb = {.width = 64, .height = 64, .bpp = 32};
	int dmabuf;

	assert_true(gpu >= 0);
	assert_int_equal(ioctl(gpu, DRM_IOCTL_MODE_CREATE_DUMB, &dumb), 0);
	dmabuf = prime_export(gpu, dumb.handle);
	assert_true(dmabuf >= 0);
	imports(dmabuf, dumb.size);
	close(gpu);
}

/* The driver cannot tell where in the buffer that is. */
static void part_of_a_gpus_buffer_is_einval_by_fd(void **state)
{
	int gpu = open("/dev/dri/card0", O_RDWR | O_CLOEXEC);
	struct drm_mode_create_dumb dumb = {.width = 64, .height = 64, .bpp = 32};
	struct buffer buffer = {.size = PAGE};
	struct drm_qda_fastrpc_invoke_args arg;

	assert_true(gpu >= 0);
	assert_int_equal(ioctl(gpu, DRM_IOCTL_MODE_CREATE_DUMB, &dumb), 0);
	buffer.fd = prime_export(gpu, dumb.handle);
	assert_int_equal(prime_import(fx.fd, buffer.fd, &buffer.handle), 0);
	buffer.data = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, buffer.fd, PAGE);
	assert_true(buffer.data != MAP_FAILED);
	arg = by_fd(&buffer, 0, 1);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), -EINVAL);
	arg = by_gem(&buffer, PAGE, 1);
	assert_int_equal(invoke(fx.fd, MODULE, SC(3, 1, 0, 0, 0), &arg), 0);
	buffer_free(fx.fd, &buffer);
	close(gpu);
}

static void import_of_what_is_no_dmabuf_fails(void **state)
{
	uint32_t handle;

	assert_int_equal(prime_import(fx.fd, 1000, &handle), -EBADF);
	assert_int_equal(prime_import(fx.fd, fx.fd, &handle), -EINVAL);
}

#define BOOTED(fn) cmocka_unit_test_setup_teardown(fn, boot, halt)
#define STARTED(fn) cmocka_unit_test_setup_teardown(fn, start, halt)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOOTED(version_announces_arguments_by_handle),
		BOOTED(several_dsps_have_a_node_each),
		BOOTED(address_has_the_stream_id_where_the_soc_wants_it),
		BOOTED(gem_create_refuses_bad_sizes_and_padding),
		BOOTED(mmap_offset_refuses_unknown_imported_and_padding),
		BOOTED(commands_that_are_none_are_einval),
		BOOTED(create_tells_the_dsp_what_to_start),
		BOOTED(create_without_attributes_is_the_other_method),
		BOOTED(create_reads_the_file_from_user_memory_only),
		BOOTED(create_takes_the_file_from_a_buffer),
		BOOTED(create_refuses_bad_files),
		BOOTED(initial_memory_has_room_for_the_file),
		BOOTED(initial_memory_lasts_as_long_as_the_process),
		BOOTED(create_can_be_tried_again_after_a_refusal),
		BOOTED(trusted_processes_need_cap_sys_admin),
		BOOTED(sessions_beyond_the_banks_are_ebusy),
		STARTED(every_message_travels_in_the_pd_of_its_session),
		STARTED(control_handle_is_refused),
		BOOTED(invoke_without_a_process_is_enotconn),
		STARTED(inline_arguments_go_and_come),
		STARTED(out_argument_that_the_dsp_leaves_alone_is_zeros),
		STARTED(large_inline_argument_goes_and_comes),
		STARTED(status_of_the_dsp_is_what_ioctl_returns),
		STARTED(status_like_an_errno_is_eproto),
		STARTED(status_like_an_errno_of_a_control_message_is_eproto),
		STARTED(fd_below_minus_1_is_einval),
		STARTED(bad_user_memory_is_efault),
		STARTED(more_inline_than_256_mib_is_e2big),
		STARTED(poll_word_has_its_place),
		STARTED(overlapping_arguments_share_their_memory),
		STARTED(ids_go_round_in_eight_bits),
		STARTED(session_at_its_limit_is_ebusy_and_keeps_nobody_else_from_calls),
		STARTED(interrupted_calls_count_until_they_are_answered),
		STARTED(interrupted_call_is_made_once_and_kept),
		STARTED(id_of_an_interrupted_call_is_not_given_out),
		STARTED(second_stale_and_foreign_answers_change_nothing),
		STARTED(answer_without_padding_is_taken),
		STARTED(lengths_that_the_dsp_writes_are_not_read),
		STARTED(argument_by_fd_or_handle_is_that_range),
		STARTED(pointer_outside_its_buffer_is_einval),
		STARTED(bad_ranges_and_handles_of_objects_are_refused),
		STARTED(attr_without_the_bit_is_not_read),
		STARTED(argument_by_fd_leaves_no_handle_and_no_mapping),
		STARTED(bad_fds_are_refused),
		STARTED(handle_argument_stays_until_the_dsp_gives_it_back),
		STARTED(bad_handle_arguments_are_refused),
		STARTED(handle_argument_of_a_call_that_is_not_made_does_not_stay),
		STARTED(handle_is_given_back_by_an_interrupted_call_too),
		STARTED(map_is_of_the_range_and_lasts_until_unmap),
		STARTED(legacy_map_and_unmap),
		STARTED(size_of_a_mapping_is_whole_pages_at_the_dsp),
		STARTED(bad_mappings_are_refused),
		BOOTED(process_ends_before_its_buffers_go),
		BOOTED(release_is_not_what_the_process_wrote_there_before),
		BOOTED(killed_program_waits_for_the_end_of_its_process),
		STARTED(unanswered_control_messages_time_out),
		BOOTED(process_without_an_end_keeps_its_memory),
		BOOTED(refused_release_is_the_end_too),
		BOOTED(dsp_goes_while_a_file_is_closed),
		STARTED(all_who_wait_get_epipe_when_the_dsp_goes),
		STARTED(control_that_waits_gets_epipe_when_the_dsp_goes),
		BOOTED(killed_program_leaves_control_messages),
		STARTED(session_is_the_files_not_the_process_ids),
		STARTED(file_and_buffer_can_be_passed_on),
		STARTED(session_reaches_its_own_memory_only),
		STARTED(imports_from_a_heap),
		STARTED(imports_from_a_gpu),
		STARTED(part_of_a_gpus_buffer_is_einval_by_fd),
		BOOTED(import_of_what_is_no_dmabuf_fails),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("qda-uapi", tests, NULL, NULL);
}
