/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver that Linux has, drivers/misc/fastrpc.c, on a simulated DSP: sessions,
 * calls with memory of all kinds, faults of the IOMMU, crashes of the DSP.
 *
 * timeout: 600
 * modules: qda_sim fastrpc
 * known-report: WARNING: \S+ at fastrpc_mmap\+ -- it wants a lock that mmap() does not take
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <linux/dma-heap.h>
#include <pthread.h>
#include <sys/mman.h>

#include "fds.h"
#include "programs/qda-sim-skel.h"
#include "programs/qda-sim-rpc.h"

#define CALCULATOR "file:///libcalculator_skel.so?calculator_skel_handle_invoke&_modver=1.0"
#define CALCULATOR_SUM QDA_SIM_SC(2, 2, 1, 0)
#define RESET_BY_PEER 104 /* the session's process on the DSP has ended */
#define MIB 1048576UL

static struct {
	pid_t daemon;
	unsigned int fds;
	int session;
	uint32_t module;
} fx;

/* ---- fixtures ----------------------------------------------------------- */

static int boot(void **state)
{
	if (sim_write("cdsp", "compatible", "qcom,fastrpc") < 0)
		return -1;
	fx.daemon = daemon_start("cdsp", "--restart");
	return wait_fastrpc("cdsp") ? 0 : -1;
}

static int halt(void **state)
{
	daemon_stop(fx.daemon);
	return sim_write("cdsp", "compatible", "qcom,qda");
}

static int setup(void **state)
{
	fx.fds = count_fds();
	fx.session = rpc_session(FASTRPC_CDSP);
	return fx.session < 0 ? -1 : rpc_open(fx.session, QDA_SIM_URI, &fx.module);
}

static int teardown(void **state)
{
	close(fx.session);
	return count_fds() == fx.fds ? 0 : -1;
}

/* Memory of the driver's, by its descriptor and mapped here. */
static uint8_t *buffer_alloc(size_t size, int *ret_fd)
{
	struct fastrpc_alloc_dma_buf alloc = {.size = size};
	void *data;

	assert_int_equal(call(fx.session, FASTRPC_IOCTL_ALLOC_DMA_BUFF, &alloc), 0);
	data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, alloc.fd, 0);
	assert_ptr_not_equal(data, MAP_FAILED);
	*ret_fd = alloc.fd;
	return data;
}

static uint8_t *heap_alloc(size_t size, int *ret_fd)
{
	struct dma_heap_allocation_data alloc = {.len = size, .fd_flags = O_RDWR | O_CLOEXEC};
	int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);
	void *data;

	assert_true(heap >= 0);
	assert_int_equal(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &alloc), 0);
	close(heap);
	data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, (int)alloc.fd, 0);
	assert_ptr_not_equal(data, MAP_FAILED);
	*ret_fd = (int)alloc.fd;
	return data;
}

static void buffer_free(uint8_t *data, size_t size, int fd)
{
	munmap(data, size);
	close(fd);
}

static void fill(uint8_t *data, size_t size, uint8_t first)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(first + i * 7 + i / 4096);
}

static int remote_call(uint32_t sc, const struct fastrpc_invoke_args *args)
{
	return rpc_invoke(fx.session, fx.module, sc, args);
}

/* ---- calls -------------------------------------------------------------- */

static void calculator_sums(void **state)
{
	static const int32_t numbers[] = {1, -2, 3000000, INT32_MAX};
	uint32_t handle = 0, count = 4;
	int64_t sum = 0;
	const struct fastrpc_invoke_args args[] = {
		rpc_arg(&count, sizeof(count)),
		rpc_arg(numbers, sizeof(numbers)),
		rpc_arg(&sum, sizeof(sum)),
	};

	assert_int_equal(rpc_open(fx.session, CALCULATOR, &handle), 0);
	assert_int_equal(rpc_invoke(fx.session, handle, CALCULATOR_SUM, args), 0);
	assert_int_equal(sum, 1LL - 2 + 3000000 + INT32_MAX);
}

static void calculator_sums_a_buffer_of_the_driver(void **state)
{
	uint32_t handle = 0, count = 102400;
	size_t size = count * sizeof(int32_t);
	int64_t sum = 0, expected = 0;
	int fd;
	int32_t *numbers = (int32_t *)buffer_alloc(size, &fd);
	const struct fastrpc_invoke_args args[] = {
		rpc_arg(&count, sizeof(count)),
		rpc_buffer(numbers, size, fd),
		rpc_arg(&sum, sizeof(sum)),
	};

	for (uint32_t i = 0; i < count; i++) {
		numbers[i] = (int32_t)(i * 2654435761U);
		expected += numbers[i];
	}
	assert_int_equal(rpc_open(fx.session, CALCULATOR, &handle), 0);
	assert_int_equal(rpc_invoke(fx.session, handle, CALCULATOR_SUM, args), 0);
	assert_int_equal(sum, expected);
	buffer_free((uint8_t *)numbers, size, fd);
}

static void check_copy(size_t size)
{
	uint8_t *in = malloc(size), *out = calloc(size, 1);
	const struct fastrpc_invoke_args args[] = {rpc_arg(in, size), rpc_arg(out, size)};

	fill(in, size, 1);
	assert_int_equal(remote_call(QDA_SIM_COPY, args), 0);
	assert_memory_equal(in, out, size);
	free(in);
	free(out);
}

static void inline_memory_of_all_sizes_is_copied(void **state)
{
	static const size_t sizes[] = {1, 127, 128, 129, 4095, 4096, 4097, 65536, MIB + 1};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		check_copy(sizes[i]);
}

static void check_buffer(uint8_t *(*alloc)(size_t, int *))
{
	int in_fd, out_fd;
	uint8_t *in = alloc(MIB, &in_fd), *out = alloc(MIB, &out_fd);
	const struct fastrpc_invoke_args args[] = {
		rpc_buffer(in + 5000, MIB - 5000, in_fd),
		rpc_buffer(out + 5000, MIB - 5000, out_fd),
	};

	fill(in, MIB, 3);
	memset(out, 0xee, MIB);
	assert_int_equal(remote_call(QDA_SIM_COPY, args), 0);
	assert_memory_equal(in + 5000, out + 5000, MIB - 5000);
	assert_int_equal(out[4999], 0xee);
	buffer_free(in, MIB, in_fd);
	buffer_free(out, MIB, out_fd);
}

static void dsp_writes_into_a_buffer_of_the_driver(void **state)
{
	check_buffer(buffer_alloc);
}

static void dsp_writes_into_a_buffer_of_a_heap(void **state)
{
	check_buffer(heap_alloc);
}

static void handle_argument_is_found_by_its_number(void **state)
{
	int fd;
	uint8_t *data = buffer_alloc(8192, &fd);
	const struct fastrpc_invoke_args arg = {.ptr = 4096, .length = 4096, .fd = fd};

	data[4096] = 41;
	assert_int_equal(remote_call(QDA_SIM_COUNT, &arg), 0);
	assert_int_equal(data[4096], 42);
	/* The DSP named it in the fd list, so it was unmapped, and is mapped anew. */
	assert_int_equal(remote_call(QDA_SIM_COUNT, &arg), 0);
	assert_int_equal(data[4096], 43);
	buffer_free(data, 8192, fd);
}

static void buffer_is_mapped_and_unmapped(void **state)
{
	int fd;
	uint8_t *data = heap_alloc(65536, &fd);
	struct fastrpc_mem_map map = {.fd = fd, .length = 65536, .flags = FASTRPC_MAP_FD};
	struct fastrpc_mem_unmap unmap = {.fd = fd, .length = 65536};

	assert_int_equal(call(fx.session, FASTRPC_IOCTL_MEM_MAP, &map), 0);
	assert_int_not_equal(map.vaddrout, 0);
	unmap.vaddr = map.vaddrout;
	assert_int_equal(call(fx.session, FASTRPC_IOCTL_MEM_UNMAP, &unmap), 0);
	assert_int_equal(call(fx.session, FASTRPC_IOCTL_MEM_UNMAP, &unmap), -EINVAL);
	buffer_free(data, 65536, fd);
}

static void attributes_of_the_dsp_are_told(void **state)
{
	struct fastrpc_ioctl_capability capability = {.attribute_id = 6};

	assert_int_equal(call(fx.session, FASTRPC_IOCTL_GET_DSP_INFO, &capability), 0);
	assert_int_equal(capability.capability, 0x68);
}

static void status_of_the_dsp_arrives_as_it_is(void **state)
{
	assert_int_equal(remote_call(QDA_SIM_SC(11, 0, 0, 0), NULL), 0x14);
	assert_int_equal(rpc_invoke(fx.session, 0x999, QDA_SIM_NOTHING, NULL),
			 (int)(0x80000400U + 0x46));
}

/* ---- sessions ----------------------------------------------------------- */

static void fourteen_sessions_and_no_more(void **state)
{
	int sessions[13];

	for (size_t i = 0; i < 13; i++) {
		sessions[i] = rpc_session(FASTRPC_CDSP);
		assert_true(sessions[i] >= 0);
	}
	assert_int_equal(rpc_session(FASTRPC_CDSP), -EBUSY);
	assert_int_equal(remote_call(QDA_SIM_NOTHING, NULL), 0);
	for (size_t i = 0; i < 13; i++)
		close(sessions[i]);
	sessions[0] = rpc_session(FASTRPC_CDSP);
	assert_true(sessions[0] >= 0);
	close(sessions[0]);
}

/* A skel that looks beyond its memory: the IOMMU has nothing there. */
static void check_fault(uint32_t sc, const struct fastrpc_invoke_args *args)
{
	long faults = sim_number("cdsp", "faults");
	int other = rpc_session(FASTRPC_CDSP);
	uint32_t module;

	assert_true(other >= 0);
	assert_int_equal(rpc_open(other, QDA_SIM_URI, &module), 0);
	assert_int_equal(remote_call(sc, args), RESET_BY_PEER);
	assert_int_equal(sim_number("cdsp", "faults"), faults + 1);
	/* That was the end of this session, and of no other. */
	assert_int_equal(remote_call(QDA_SIM_NOTHING, NULL), RESET_BY_PEER);
	assert_int_equal(rpc_invoke(other, module, QDA_SIM_NOTHING, NULL), 0);
	close(other);
}

static void reading_beyond_a_buffer_is_a_fault(void **state)
{
	int64_t distance = 1L << 30;
	uint8_t buf[16] = {0}, byte;
	const struct fastrpc_invoke_args args[] = {
		rpc_arg(&distance, sizeof(distance)),
		rpc_arg(buf, sizeof(buf)),
		rpc_arg(&byte, 1),
	};

	distance = -distance;
	check_fault(QDA_SIM_PEEK, args);
}

static void writing_beyond_a_buffer_is_a_fault(void **state)
{
	int64_t distance = -(1L << 30);
	uint8_t buf[16] = {0};
	const struct fastrpc_invoke_args args[] = {
		rpc_arg(&distance, sizeof(distance)),
		rpc_arg(buf, sizeof(buf)),
	};

	check_fault(QDA_SIM_POKE, args);
}

static void crash_of_a_skel_ends_its_session_only(void **state)
{
	int other = rpc_session(FASTRPC_CDSP);
	uint32_t module;

	assert_true(other >= 0);
	assert_int_equal(rpc_open(other, QDA_SIM_URI, &module), 0);
	assert_int_equal(remote_call(QDA_SIM_ABORT, NULL), RESET_BY_PEER);
	assert_int_equal(remote_call(QDA_SIM_NOTHING, NULL), RESET_BY_PEER);
	assert_int_equal(rpc_invoke(other, module, QDA_SIM_NOTHING, NULL), 0);
	close(other);
}

static void *wait_for_ever(void *arg)
{
	int *result = arg;

	*result = remote_call(QDA_SIM_WAIT, NULL);
	return NULL;
}

/* A skel that crashes in another thread takes all calls with it. */
static void calls_in_flight_end_with_their_session(void **state)
{
	int results[4];
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_for_ever, &results[i]), 0);
	assert_int_equal(remote_call(QDA_SIM_ABORT, NULL), RESET_BY_PEER);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(results[i], RESET_BY_PEER);
	}
}

/* No session is open: the driver uses the devices of context banks that are gone. */
static void dsp_comes_back_after_a_crash(void **state)
{
	int session;

	assert_int_equal(sim_write("cdsp", "crash", "1"), 0);
	/* The daemon boots it again. */
	assert_true(wait_fastrpc("cdsp"));
	session = rpc_session(FASTRPC_CDSP);
	assert_true(session >= 0);
	close(session);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calculator_sums),
		TEST(calculator_sums_a_buffer_of_the_driver),
		TEST(inline_memory_of_all_sizes_is_copied),
		TEST(dsp_writes_into_a_buffer_of_the_driver),
		TEST(dsp_writes_into_a_buffer_of_a_heap),
		TEST(handle_argument_is_found_by_its_number),
		TEST(buffer_is_mapped_and_unmapped),
		TEST(attributes_of_the_dsp_are_told),
		TEST(status_of_the_dsp_arrives_as_it_is),
		TEST(fourteen_sessions_and_no_more),
		TEST(reading_beyond_a_buffer_is_a_fault),
		TEST(writing_beyond_a_buffer_is_a_fault),
		TEST(crash_of_a_skel_ends_its_session_only),
		TEST(calls_in_flight_end_with_their_session),
		cmocka_unit_test(dsp_comes_back_after_a_crash),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("qda-sim-fastrpc", tests, boot, halt);
}
