/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle of 1 TiB: the verdict on its head, the time it takes, the memory. No byte of its content exists. */
#include "made.h"

#include <airgap/bundle_read.h>

#include <fcntl.h>
#include <limits.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOW    INT64_C(1770000000)      /* 2026-02-02 */
#define FRAMES 262144

static struct made_keys keys;
static struct made huge;
static uint64_t hole;                   /* bytes of the frames of its one blob */

/* One stored blob of 1 TiB, nothing small, the end. huge.file has all but the blob's frames. */
static void make_huge(void)
{
	struct blob_record b = { .digest = digest_of("huge", 4), .size = UINT64_C(1) << 40, .at = USTAR_HEADER_MAX };
	struct frame_record f = { .digest = b.digest };
	uint8_t rec[BLOB_RECORD], end[END_FRAME];

	made_init(&huge);
	for (uint64_t i = 0; i < FRAMES; i++) {
		f.decoded = (uint32_t)blob_frame_decoded(b.size, i);
		f.bytes = (uint32_t)stored_size(f.decoded);
		hole += f.bytes;
		frame_record_put(rec, &f);
		buf_put(&huge.table, rec, FRAME_RECORD);
	}
	made_small(&huge);
	end_frame(end);
	made_frame(&huge, end, END_FRAME, ARCHIVE_END);

	uint64_t size[HEAD_PARTS] = { strlen(huge.json), BLOB_RECORD, huge.table.len };

	head_layout(&huge.head, size);
	b.frame = huge.head.first[HEAD_PARTS];
	blob_record_put(rec, &b);
	buf_put(&huge.blob_table, rec, sizeof(rec));
	made_assemble(&huge, keys.all, 1);
}

/* The file: head, hole, the rest. Reads within the hole fail: nobody has to. */
static int huge_read(void *ctx, void *p, size_t n, uint64_t at, struct err *e)
{
	uint64_t from = at < huge.head.bytes ? at : at - hole;

	(void)ctx;
	if ((at >= huge.head.bytes && at < huge.head.bytes + hole) || n > huge.file.len - from)
		return err_set(e, ERR_BUG, "read of byte %ju", (uintmax_t)at);
	memcpy(p, huge.file.ptr + from, n);
	return 0;
}

static double ms_since(const struct timespec *a)
{
	struct timespec b;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	return (double)(b.tv_sec - a->tv_sec) * 1e3 + (double)(b.tv_nsec - a->tv_nsec) / 1e6;
}

static int open_huge(double *ms, struct err *e)
{
	struct source_at src = { huge_read, NULL, huge.file.len + hole };
	struct bundle_options o = { .policy = &keys.policy, .now = NOW };
	struct timespec start;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);

	auto_bundle struct bundle *b = bundle_open_at(&src, &o, e);

	*ms = ms_since(&start);
	return b ? 0 : -1;
}

TEST(gives_a_verdict_in_50_ms)
{
	static const struct { const char *what; uint64_t byte; enum err_code code; } forged[] = {
		{ "statement", RECORD_AT + 300, ERR_SIGNATURE },
		{ "bundle.frames", RECORD_FRAME + (5 << 20), ERR_DIGEST },
	};
	struct err e;
	double ms;

	assert_ok(open_huge(&ms, &e), e);
	print_message("# a head of 1 TiB (%zu KiB): %.1f ms\n", (size_t)(huge.head.bytes >> 10), ms);
	assert_true(made_stride() > 1 || ms < 50);
	for (size_t i = 0; i < ARRAY_LEN(forged); i++) {
		huge.file.ptr[forged[i].byte] ^= 1;
		assert_err(open_huge(&ms, &e), e, forged[i].code);
		huge.file.ptr[forged[i].byte] ^= 1;
		print_message("# forged %s: %.2f ms\n", forged[i].what, ms);
		assert_true(made_stride() > 1 || ms < 50);
	}
}

/* ---- on disk, in a program that does nothing else ---- */

/* VmHWM: unlike ru_maxrss it forgets what was before exec. */
static unsigned long peak_kib(void)
{
	auto_buf struct buf text = BUF_INIT(65536);
	auto_fd int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	struct err e;
	const char *at;

	if (fd < 0 || buf_read_fd(&text, fd, &e) < 0 || !(at = strstr(buf_str(&text), "VmHWM:")))
		return ULONG_MAX;
	return strtoul(at + 6, NULL, 10);
}

static int open_alone(const char *path)
{
	struct bundle_options o = { .no_verdict = true, .now = NOW };
	struct err e;
	auto_bundle struct bundle *b = bundle_open(path, &o, &e);

	if (!b)
		fprintf(stderr, "%s\n", e.msg);
	printf("# 1 TiB opened with %lu KiB\n", peak_kib());
	return b && bundle_frames(b) > FRAMES && (made_stride() > 1 || peak_kib() < 64 << 10) ? 0 : 1;
}

TEST(opens_within_64_MiB)
{
	auto_free char *path = fs_join(keys.dir, "huge");
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint64_t head = huge.head.bytes;
	struct err e;
	int status = 0;

	assert_true(fd >= 0);
	if (ftruncate(fd, (off_t)(huge.file.len + hole)) < 0) {
		print_message("# no file of 1 TiB can be made here\n");
		skip();
	}
	assert_ok(fs_write_at(fd, huge.file.ptr, head, 0, &e), e);
	assert_ok(fs_write_at(fd, huge.file.ptr + head, huge.file.len - head, head + hole, &e), e);
	fflush(stdout);

	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "test_huge", "open", path, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int setup(void **state)
{
	(void)state;
	made_keys_init(&keys, SIGN_ED25519);
	make_huge();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	made_keys_release(&keys);
	made_release(&huge);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_a_verdict_in_50_ms),
		cmocka_unit_test(opens_within_64_MiB),
	};

	if (argc == 3 && str_eq(argv[1], "open"))
		return open_alone(argv[2]);
	return cmocka_run_group_tests(tests, setup, teardown);
}
