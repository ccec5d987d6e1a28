/* SPDX-License-Identifier: MIT */
/* The software DSP's engine, message by message: memory, control messages, static services. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "softdsp.h"

#define ADDRESS ((1ULL << 56) + 0x10000)
#define SIZE 65536UL

static struct softdsp dsp;
static uint8_t *memory;
static int faults, logs;

static int fault(void *data, uint64_t address, uint64_t size, int attempt)
{
	faults++;
	return -EFAULT;
}

static void log_line(void *data, int level, const char *text)
{
	logs++;
}

static const struct softdsp_ops ops = {.fault = fault, .log = log_line};

static int setup(void **state)
{
	memory = aligned_alloc(4096, SIZE);
	memset(memory, 0, SIZE);
	softdsp_init(&dsp, &ops, NULL);
	dsp.listener_wait = 0;
	dsp.created = true;
	faults = logs = 0;
	return softdsp_memory_add(&dsp, ADDRESS, SIZE, memory);
}

static int teardown(void **state)
{
	softdsp_finish(&dsp);
	free(memory);
	return 0;
}

/* One argument: @length bytes at @offset of the session's memory. */
struct arg {
	size_t offset;
	uint64_t length;
};

static struct fastrpc_msg message(uint32_t handle, uint32_t sc, const struct arg *args)
{
	uint32_t n = FASTRPC_LENGTH(sc);
	union fastrpc_remote_arg *rpra = (void *)memory;
	struct fastrpc_invoke_buf *list = (void *)&rpra[n];
	struct fastrpc_phy_page *pages = (void *)&list[n];

	for (uint32_t i = 0; i < n; i++) {
		uint64_t at = ADDRESS + args[i].offset;

		rpra[i].buf.pv = args[i].offset & 4095;
		rpra[i].buf.len = args[i].length;
		list[i].num = args[i].length != 0;
		list[i].pgidx = i;
		pages[i].addr = at & ~4095ULL;
		pages[i].size = ALIGN_UP(at + args[i].length, 4096UL) - pages[i].addr;
	}
	return (struct fastrpc_msg){
		.client_id = handle == FASTRPC_HANDLE_INIT ? 0 : 1,
		.ctx = 1 << FASTRPC_CTX_ID_SHIFT | FASTRPC_PD_USER,
		.handle = handle,
		.sc = sc,
		.addr = n ? ADDRESS : 0,
		.size = n ? 4096 : 0,
	};
}

static int32_t send(const struct fastrpc_msg *msg)
{
	bool release;
	int32_t status = softdsp_handle(&dsp, msg, &release);

	assert_false(release);
	return status;
}

#define assert_status(status, aee) assert_int_equal((uint32_t)(status), AEE_DSP_OFFSET + (aee))

static void test_create_starts_one_process_only(void **state)
{
	const struct arg args[] = {{8192, 24}, {8300, 5}, {0, 0}, {8400, 16}};
	struct fastrpc_init_create create = {.client_id = 1, .namelen = 5, .pageslen = 1};
	struct fastrpc_msg msg =
		message(FASTRPC_HANDLE_INIT, FASTRPC_SCALARS(FASTRPC_INIT_CREATE_ATTR, 4, 0, 0, 0),
			args);

	dsp.created = false;
	memcpy(memory + 8192, &create, sizeof(create));
	assert_int_equal(send(&msg), 0);
	assert_status(send(&msg), AEE_EALREADY);
}

static void test_create_with_lengths_that_disagree_is_refused(void **state)
{
	const struct arg args[] = {{8192, 24}, {8300, 5}, {0, 0}, {8400, 16}};
	struct fastrpc_init_create create = {.client_id = 1, .namelen = 6, .pageslen = 1};
	struct fastrpc_msg msg = message(FASTRPC_HANDLE_INIT,
					 FASTRPC_SCALARS(FASTRPC_INIT_CREATE, 4, 0, 0, 0), args);

	dsp.created = false;
	memcpy(memory + 8192, &create, sizeof(create));
	assert_status(send(&msg), AEE_EBADPARM);
	assert_false(dsp.created);
}

static void test_calls_before_create_are_refused(void **state)
{
	struct fastrpc_msg msg = message(0x100, 0, NULL);

	dsp.created = false;
	assert_status(send(&msg), AEE_EBADSTATE);
}

static void test_control_messages_of_a_user_are_refused(void **state)
{
	const struct arg arg = {8192, 4};
	struct fastrpc_msg msg = message(FASTRPC_HANDLE_INIT,
					 FASTRPC_SCALARS(FASTRPC_INIT_RELEASE, 1, 0, 0, 0), &arg);

	msg.client_id = 1;
	assert_status(send(&msg), AEE_EBADPERMS);
}

static void test_another_protection_domain_is_refused(void **state)
{
	struct fastrpc_msg msg = message(0x100, 0, NULL);

	msg.ctx = (msg.ctx & ~0xfULL) | FASTRPC_PD_ROOT;
	assert_status(send(&msg), AEE_EBADPERMS);
}

static void test_release_is_answered_and_reported(void **state)
{
	const struct arg arg = {8192, 4};
	struct fastrpc_msg msg = message(FASTRPC_HANDLE_INIT,
					 FASTRPC_SCALARS(FASTRPC_INIT_RELEASE, 1, 0, 0, 0), &arg);
	bool release = false;

	assert_int_equal(softdsp_handle(&dsp, &msg, &release), 0);
	assert_true(release);
}

static void test_attach_and_static_processes_are_not_supported(void **state)
{
	const struct arg args[] = {{8192, 4}, {8300, 4}, {8400, 16}};
	struct fastrpc_msg msg = message(FASTRPC_HANDLE_INIT,
					 FASTRPC_SCALARS(FASTRPC_INIT_ATTACH, 1, 0, 0, 0), args);

	assert_status(send(&msg), AEE_EUNSUPPORTED);
	msg = message(FASTRPC_HANDLE_INIT, FASTRPC_SCALARS(FASTRPC_INIT_CREATE_STATIC, 3, 0, 0, 0),
		      args);
	assert_status(send(&msg), AEE_EUNSUPPORTED);
}

static void test_attributes_say_unsigned_processes_work(void **state)
{
	const struct arg args[] = {{8192, 4}, {12288, 255 * 4}};
	struct fastrpc_msg msg =
		message(FASTRPC_HANDLE_UTILITIES, FASTRPC_SCALARS(0, 1, 1, 0, 0), args);
	uint32_t count = 255, first;

	memcpy(memory + 8192, &count, 4);
	assert_int_equal(send(&msg), 0);
	memcpy(&first, memory + 12288, 4);
	assert_int_equal(first, 1);
}

static void test_attributes_fit_the_room_they_get(void **state)
{
	const struct arg args[] = {{8192, 4}, {12288, 8}};
	struct fastrpc_msg msg =
		message(FASTRPC_HANDLE_UTILITIES, FASTRPC_SCALARS(0, 1, 1, 0, 0), args);
	uint32_t count = 255;

	memcpy(memory + 8192, &count, 4);
	assert_status(send(&msg), AEE_EBADPARM);
	count = 256;
	memcpy(memory + 8192, &count, 4);
	assert_status(send(&msg), AEE_EBADPARM);
}

static void test_unknown_handles_are_told_apart(void **state)
{
	struct fastrpc_msg msg = message(0x100, 0, NULL);

	assert_status(send(&msg), AEE_ENOSUCHHANDLE);
	msg.handle = 0xffffffff;
	assert_status(send(&msg), AEE_ENOSUCHHANDLE);
	msg.handle = 5;
	assert_status(send(&msg), AEE_ENOSUCHHANDLE);
}

static void test_a_payload_outside_the_memory_is_refused(void **state)
{
	const struct arg arg = {8192, 4};
	struct fastrpc_msg msg = message(0x100, FASTRPC_SCALARS(2, 1, 0, 0, 0), &arg);

	msg.addr = ADDRESS + SIZE;
	assert_status(send(&msg), AEE_EBADPARM);
	msg.addr = ADDRESS + SIZE - 4096;
	msg.size = 8192;
	assert_status(send(&msg), AEE_EBADPARM);
	msg.addr = 0;
	assert_status(send(&msg), AEE_EBADPARM);
	assert_int_equal(faults, 3);
}

static void test_a_payload_without_room_for_its_metadata_is_refused(void **state)
{
	static struct arg args[255];
	struct fastrpc_msg msg = message(0x100, FASTRPC_SCALARS(2, 255, 0, 0, 0), args);

	assert_status(send(&msg), AEE_EBADPARM);
	assert_int_equal(faults, 0);
}

static void test_an_argument_outside_the_memory_is_refused(void **state)
{
	const struct arg arg = {SIZE - 4, 8};
	struct fastrpc_msg msg = message(0x100, FASTRPC_SCALARS(2, 1, 0, 0, 0), &arg);

	assert_status(send(&msg), AEE_EBADPARM);
	assert_int_equal(logs, 1);
}

static void test_an_argument_longer_than_its_page_is_refused(void **state)
{
	const struct arg arg = {8192, 4};
	struct fastrpc_msg msg = message(0x100, FASTRPC_SCALARS(2, 1, 0, 0, 0), &arg);
	union fastrpc_remote_arg *rpra = (void *)memory;

	rpra[0].buf.len = 4097;
	assert_status(send(&msg), AEE_EBADPARM);
	rpra[0].buf.len = UINT64_MAX;
	assert_status(send(&msg), AEE_EBADPARM);
}

static void test_a_page_index_beyond_the_pages_is_refused(void **state)
{
	const struct arg arg = {8192, 4};
	struct fastrpc_msg msg = message(0x100, FASTRPC_SCALARS(2, 1, 0, 0, 0), &arg);
	struct fastrpc_invoke_buf *list = (void *)(memory + 16);

	list[0].pgidx = 1;
	assert_status(send(&msg), AEE_EBADPARM);
}

static void test_mem_map_makes_a_cookie_known_once(void **state)
{
	const struct arg args[] = {{8192, 32}, {8300, 16}, {0, 0}, {8400, 8}};
	struct fastrpc_init_mem_map map = {.client_id = 1, .fd = 77, .num = 16};
	const struct fastrpc_phy_page page = {ADDRESS + 16384, 8192};
	struct fastrpc_init_mem_unmap unmap = {.client_id = 1, .fd = 77, .len = 8192};
	struct fastrpc_msg msg = message(FASTRPC_HANDLE_INIT,
					 FASTRPC_SCALARS(FASTRPC_INIT_MEM_MAP, 3, 1, 0, 0), args);
	const struct arg unmap_arg = {8192, 24};
	struct softdsp_cookie cookie;
	uint64_t address;

	memcpy(memory + 8192, &map, sizeof(map));
	memcpy(memory + 8300, &page, sizeof(page));
	assert_int_equal(send(&msg), 0);
	memcpy(&address, memory + 8400, 8);
	assert_ptr_equal((void *)(uintptr_t)address, memory + 16384);
	assert_status(send(&msg), AEE_EALREADY);

	assert_int_equal(softdsp_cookie_get(&dsp, 77, 0, 0, NULL, &cookie), 0);
	assert_ptr_equal(cookie.data, memory + 16384);
	assert_int_equal(cookie.size, 8192);
	assert_int_equal(softdsp_cookie_put(&dsp, 77), 0);

	unmap.vaddrin = address;
	memcpy(memory + 8192, &unmap, sizeof(unmap));
	msg = message(FASTRPC_HANDLE_INIT, FASTRPC_SCALARS(FASTRPC_INIT_MEM_UNMAP, 1, 0, 0, 0),
		      &unmap_arg);
	assert_int_equal(send(&msg), 0);
	assert_status(send(&msg), AEE_ENOSUCHMAP);
	assert_int_equal(softdsp_cookie_get(&dsp, 77, 0, 0, NULL, &cookie), -ENOENT);
}

static void test_a_cookie_in_use_outlives_its_unmap(void **state)
{
	struct softdsp_cookie cookie;

	assert_int_equal(softdsp_cookie_map(&dsp, 5, ADDRESS, 4096, memory), 0);
	assert_int_equal(softdsp_cookie_get(&dsp, 5, 0, 0, NULL, &cookie), 0);
	assert_int_equal(softdsp_cookie_unmap(&dsp, 5, (uintptr_t)memory), 0);
	assert_int_equal(softdsp_cookie_put(&dsp, 5), 0);
	assert_int_equal(softdsp_cookie_put(&dsp, 5), -ENOENT);
}

static void test_mmap_gives_the_address_and_munmap_checks_it(void **state)
{
	const struct arg args[] = {{8192, 24}, {8300, 16}, {8400, 8}};
	const struct fastrpc_phy_page page = {ADDRESS + 4096, 4096};
	struct fastrpc_init_munmap unmap = {.client_id = 1, .size = 4096};
	struct fastrpc_msg msg =
		message(FASTRPC_HANDLE_INIT, FASTRPC_SCALARS(FASTRPC_INIT_MMAP, 2, 1, 0, 0), args);

	memcpy(memory + 8300, &page, sizeof(page));
	assert_int_equal(send(&msg), 0);
	memcpy(&unmap.vaddr, memory + 8400, 8);
	assert_ptr_equal((void *)(uintptr_t)unmap.vaddr, memory + 4096);
	msg = message(FASTRPC_HANDLE_INIT, FASTRPC_SCALARS(FASTRPC_INIT_MUNMAP, 1, 0, 0, 0), args);
	memcpy(memory + 8192, &unmap, sizeof(unmap));
	assert_int_equal(send(&msg), 0);
	unmap.vaddr += SIZE;
	memcpy(memory + 8192, &unmap, sizeof(unmap));
	assert_status(send(&msg), AEE_ENOSUCHMAP);
}

static void test_remotectl_without_a_listener_says_so(void **state)
{
	static const char uri[] = "file:///libx_skel.so?x_skel_handle_invoke";
	const uint32_t in[2] = {sizeof(uri), 256};
	const struct arg args[] = {{8192, 8}, {8300, sizeof(uri)}, {8400, 8}, {12288, 256}};
	struct fastrpc_msg msg = message(FASTRPC_HANDLE_REMOTECTL1,
					 FASTRPC_SCALARS(REMOTECTL1_OPEN1, 2, 2, 0, 0), args);
	int32_t out[2];

	memcpy(memory + 8192, in, sizeof(in));
	memcpy(memory + 8300, uri, sizeof(uri));
	assert_int_equal(send(&msg), 0);
	memcpy(out, memory + 8400, sizeof(out));
	assert_status(out[1], AEE_EBADSTATE);
	assert_non_null(strstr((char *)memory + 12288, "no reverse-RPC listener"));
}

static void check_bad_uri(const char *uri, const char *text)
{
	const struct arg args[] = {{8192, 8}, {8300, strlen(uri) + 1}, {8240, 8}, {12288, 256}};
	struct fastrpc_msg msg = message(FASTRPC_HANDLE_REMOTECTL,
					 FASTRPC_SCALARS(REMOTECTL_OPEN, 2, 2, 0, 0), args);
	int32_t out[2];

	memcpy(memory + 8300, uri, strlen(uri) + 1);
	assert_int_equal(send(&msg), 0);
	memcpy(out, memory + 8240, sizeof(out));
	assert_status(out[1], AEE_EBADPARM);
	assert_non_null(strstr((char *)memory + 12288, text));
}

static void test_remotectl_checks_the_uri(void **state)
{
	check_bad_uri("http://libx.so?sym", "not a file:/// URI");
	check_bad_uri("file:///libx.so", "names no symbol");
	check_bad_uri("file:///?sym", "library name is bad");
	check_bad_uri("file:///libx.so?&_dom=cdsp", "symbol is bad");
}

static void test_remotectl_with_short_arguments_is_refused(void **state)
{
	const struct arg args[] = {{8192, 4}, {8300, 8}, {8400, 8}, {12288, 16}};
	const struct arg no_name[] = {{8192, 8}, {0, 0}, {8400, 8}, {12288, 16}};
	struct fastrpc_msg msg = message(FASTRPC_HANDLE_REMOTECTL1,
					 FASTRPC_SCALARS(REMOTECTL1_OPEN1, 2, 2, 0, 0), args);

	assert_status(send(&msg), AEE_EBADPARM);
	msg = message(FASTRPC_HANDLE_REMOTECTL1, FASTRPC_SCALARS(REMOTECTL1_OPEN1, 2, 2, 0, 0),
		      no_name);
	assert_status(send(&msg), AEE_EBADPARM);
}

static void test_closing_an_unknown_module_says_so(void **state)
{
	const struct arg args[] = {{8192, 8}, {8400, 4}, {12288, 64}};
	struct fastrpc_msg msg = message(FASTRPC_HANDLE_REMOTECTL1,
					 FASTRPC_SCALARS(REMOTECTL1_CLOSE1, 1, 2, 0, 0), args);
	uint32_t handle = 0x123;
	int32_t status;

	memcpy(memory + 8192, &handle, 4);
	assert_int_equal(send(&msg), 0);
	memcpy(&status, memory + 8400, 4);
	assert_status(status, AEE_ENOSUCHHANDLE);
	assert_non_null(strstr((char *)memory + 12288, "0x123"));
}

static void test_regions_do_not_overlap(void **state)
{
	uint8_t other[4096];

	assert_int_equal(softdsp_memory_add(&dsp, ADDRESS + 4096, 4096, other), -EEXIST);
	assert_int_equal(softdsp_memory_add(&dsp, ADDRESS - 4096, 8192, other), -EEXIST);
	assert_int_equal(softdsp_memory_add(&dsp, ADDRESS, 0, other), -EINVAL);
	assert_int_equal(softdsp_memory_add(&dsp, UINT64_MAX - 10, 4096, other), -EINVAL);
	assert_int_equal(softdsp_memory_add(&dsp, ADDRESS + SIZE, 4096, other), 0);
	assert_ptr_equal(softdsp_memory_find(&dsp, ADDRESS + SIZE + 8, 8), other + 8);
}

static void test_a_removed_region_is_gone(void **state)
{
	struct softdsp_region region;

	assert_int_equal(softdsp_memory_remove(&dsp, ADDRESS + 4096, &region), -ENOENT);
	assert_int_equal(softdsp_memory_remove(&dsp, ADDRESS, &region), 0);
	assert_ptr_equal(region.data, memory);
	assert_null(softdsp_memory_find(&dsp, ADDRESS, 1));
}

/* A call of no module whose only argument is a handle; its fd list. */
static const uint64_t *call_with_handle(int32_t fd)
{
	uint32_t sc = FASTRPC_SCALARS(2, 0, 0, 1, 0);
	const struct arg arg = {8192, 0};
	struct fastrpc_msg msg = message(0x100, sc, &arg);
	union fastrpc_remote_arg *rpra = (void *)memory;
	struct fastrpc_invoke_buf *list = (void *)&rpra[1];
	struct fastrpc_phy_page *pages = (void *)&list[1];

	memset(&pages[1], 0, FASTRPC_TAIL_SIZE);
	rpra->dma.fd = fd;
	rpra->dma.offset = 0;
	rpra->dma.len = 4096;
	pages->addr = ADDRESS + 8192;
	pages->size = 4096;
	assert_status(send(&msg), AEE_ENOSUCHHANDLE);
	return (void *)&pages[1];
}

static void test_fd_list_names_handle_arguments_not_in_use(void **state)
{
	const uint64_t *fds = call_with_handle(7);

	assert_int_equal(fds[0], 7);
	assert_int_equal(fds[1], 0);
}

static void test_fd_list_waits_for_who_uses_the_memory(void **state)
{
	const uint64_t *fds;

	/* As HAP_mmap_get() does in a call before. */
	assert_int_equal(softdsp_cookie_get(&dsp, 7, ADDRESS + 8192, 4096, memory + 8192, NULL), 0);
	fds = call_with_handle(7);
	assert_int_equal(fds[0], 0);
	assert_int_equal(softdsp_cookie_put(&dsp, 7), 0);
	fds = call_with_handle(8);
	/* Each as often as it was passed. */
	assert_int_equal(fds[0] + fds[1] + fds[2], 7 + 7 + 8);
	assert_int_equal(fds[3], 0);
}

static void test_fd_list_has_room_for_sixteen(void **state)
{
	const uint64_t *fds;

	for (int32_t fd = 100; fd < 120; fd++) {
		assert_int_equal(softdsp_cookie_get(&dsp, fd, ADDRESS, 4096, memory, NULL), 0);
		assert_int_equal(softdsp_cookie_put(&dsp, fd), 0);
	}
	fds = call_with_handle(7);
	for (size_t i = 0; i < FASTRPC_FDLIST; i++)
		assert_int_not_equal(fds[i], 0);
	fds = call_with_handle(7);
	assert_int_not_equal(fds[5], 0); /* 20 and twice the call's own, less 16 */
	assert_int_equal(fds[6], 0);
}

static int32_t listener(uint32_t sc, const struct arg *args)
{
	struct fastrpc_msg msg = message(FASTRPC_HANDLE_LISTENER1, sc, args);

	return send(&msg);
}

static void *call_application(void *arg)
{
	uint32_t in[2] = {1, 2};
	uint32_t out = 0;
	const struct reverse_buf bufs[] = {{in, sizeof(in)}, {&out, sizeof(out)}};
	int status = softdsp_reverse(&dsp, 42, FASTRPC_SCALARS(3, 1, 1, 0, 0), bufs);

	*(uint32_t *)arg = status ? (uint32_t)status : out;
	return NULL;
}

static void test_a_reverse_call_goes_through_the_listener(void **state)
{
	const struct arg args[] = {{8192, 16}, {8300, 8}, {8400, 16}, {12288, 64}};
	const struct arg rest_args[] = {{8192, 12}, {8240, 4}, {12288, 64}};
	struct reverse_next_in in = {.room = 4}; /* too small: the rest comes with get_in_bufs2 */
	struct reverse_get_in rest;
	struct reverse_next_out out;
	struct reverse_buf bufs[2];
	uint32_t result = 0, answer = 99;
	uint8_t packed[64];
	pthread_t caller;
	size_t out_size;

	dsp.listener_wait = 30;
	dsp.listening = true;
	pthread_create(&caller, NULL, call_application, &result);
	memcpy(memory + 8192, &in, sizeof(in));
	assert_int_equal(listener(FASTRPC_SCALARS(LISTENER1_NEXT2, 2, 2, 0, 0), args), 0);
	memcpy(&out, memory + 8400, sizeof(out));
	assert_int_equal(out.handle, 42);
	assert_int_equal(out.sc, FASTRPC_SCALARS(3, 1, 1, 0, 0));
	assert_true(out.size > 4 && out.size <= 64);

	rest = (struct reverse_get_in){.ctx = out.ctx, .offset = 0, .room = 64};
	memcpy(memory + 8192, &rest, sizeof(rest));
	assert_int_equal(listener(FASTRPC_SCALARS(LISTENER1_GET_IN_BUFS2, 1, 2, 0, 0), rest_args),
			 0);
	memcpy(packed, memory + 12288, sizeof(packed));
	assert_int_equal(reverse_in_parse(out.sc, packed, out.size, bufs, &out_size), 0);
	assert_int_equal(((uint32_t *)bufs[0].data)[1], 2);
	assert_int_equal(out_size, 12);

	/* A second caller gives next2 something to return with. */
	reverse_out_place(out.sc, bufs, memory + 8300);
	memcpy(bufs[1].data, &answer, sizeof(answer));
	in = (struct reverse_next_in){.prev_ctx = out.ctx, .prev_size = 12, .room = 64};
	memcpy(memory + 8192, &in, sizeof(in));
	{
		const struct arg next_args[] = {{8192, 16}, {8300, 12}, {8400, 16}, {12288, 64}};
		uint32_t second = 0;
		pthread_t other;

		pthread_create(&other, NULL, call_application, &second);
		assert_int_equal(listener(FASTRPC_SCALARS(LISTENER1_NEXT2, 2, 2, 0, 0), next_args),
				 0);
		pthread_join(caller, NULL);
		assert_int_equal(result, 99);

		/* A result other than 0 reaches the caller; a third call ends the wait. */
		memcpy(&out, memory + 8400, sizeof(out));
		in = (struct reverse_next_in){.prev_ctx = out.ctx,
					      .prev_result = AEE_EFAILED,
					      .room = 64};
		memcpy(memory + 8192, &in, sizeof(in));
		pthread_create(&caller, NULL, call_application, &result);
		assert_int_equal(listener(FASTRPC_SCALARS(LISTENER1_NEXT2, 2, 2, 0, 0), args), 0);
		pthread_join(other, NULL);
		assert_int_equal(second, AEE_EFAILED);
	}

	/* Out buffers of a wrong length are no result. */
	memcpy(&out, memory + 8400, sizeof(out));
	in = (struct reverse_next_in){.prev_ctx = out.ctx, .prev_size = 8, .room = 64};
	memcpy(memory + 8192, &in, sizeof(in));
	memset(memory + 8300, 0xff, 8);
	{
		static uint32_t last;
		pthread_t other;

		pthread_create(&other, NULL, call_application, &last);
		assert_int_equal(listener(FASTRPC_SCALARS(LISTENER1_NEXT2, 2, 2, 0, 0), args), 0);
		pthread_join(caller, NULL);
		assert_status(result, AEE_EBADPARM);
		/* It waits for a listener that does not come back, as in a process about to end. */
		pthread_detach(other);
	}
}

static void test_get_in_bufs2_of_an_unknown_call_is_refused(void **state)
{
	const struct arg args[] = {{8192, 12}, {8300, 4}, {12288, 64}};

	assert_status(listener(FASTRPC_SCALARS(LISTENER1_GET_IN_BUFS2, 1, 2, 0, 0), args),
		      AEE_EBADPARM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_create_starts_one_process_only),
		TEST(test_create_with_lengths_that_disagree_is_refused),
		TEST(test_calls_before_create_are_refused),
		TEST(test_control_messages_of_a_user_are_refused),
		TEST(test_another_protection_domain_is_refused),
		TEST(test_release_is_answered_and_reported),
		TEST(test_attach_and_static_processes_are_not_supported),
		TEST(test_attributes_say_unsigned_processes_work),
		TEST(test_attributes_fit_the_room_they_get),
		TEST(test_unknown_handles_are_told_apart),
		TEST(test_a_payload_outside_the_memory_is_refused),
		TEST(test_a_payload_without_room_for_its_metadata_is_refused),
		TEST(test_an_argument_outside_the_memory_is_refused),
		TEST(test_an_argument_longer_than_its_page_is_refused),
		TEST(test_a_page_index_beyond_the_pages_is_refused),
		TEST(test_mem_map_makes_a_cookie_known_once),
		TEST(test_a_cookie_in_use_outlives_its_unmap),
		TEST(test_fd_list_names_handle_arguments_not_in_use),
		TEST(test_fd_list_waits_for_who_uses_the_memory),
		TEST(test_fd_list_has_room_for_sixteen),
		TEST(test_mmap_gives_the_address_and_munmap_checks_it),
		TEST(test_remotectl_without_a_listener_says_so),
		TEST(test_remotectl_checks_the_uri),
		TEST(test_remotectl_with_short_arguments_is_refused),
		TEST(test_closing_an_unknown_module_says_so),
		TEST(test_regions_do_not_overlap),
		TEST(test_a_removed_region_is_gone),
		TEST(test_get_in_bufs2_of_an_unknown_call_is_refused),
		/* The last one: it leaves a thread behind in the engine. */
		cmocka_unit_test_setup(test_a_reverse_call_goes_through_the_listener, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
