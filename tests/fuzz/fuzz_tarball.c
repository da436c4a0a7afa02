/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives: no name that leaves its folder reaches a callback, and what was read packs again into the same members.
 */
#include <airgap/fs.h>
#include <airgap/tarball.h>

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct tarball_limits small = { 1 << 20, 1 << 18, 500, TARBALL_GZIP };

struct pass {
	struct tarball_pack *pack;
	size_t count;
};

static int on_member(void *ctx, const struct tarball_member *m, struct err *e)
{
	struct pass *pass = ctx;

	if (m->name[0] == '/' || !m->name[0] || strstr(m->name, "//") || strchr(m->name, '\\'))
		abort();
	for (const char *at = m->name; (at = strstr(at, "..")); at += 2)
		if ((at == m->name || at[-1] == '/') && (!at[2] || at[2] == '/'))
			abort();
	pass->count++;
	return pass->pack ? tarball_pack_add(pass->pack, m->name, m->bytes, m->size, e) : 0;
}

/* What was taken is written again, and read again. */
static void pack_again(const struct pass *first)
{
	auto_buf struct buf out = BUF_INIT(4 << 20);
	struct sink to = { buf_sink_write, &out };
	struct pass second = { 0 };
	struct err e = { 0 };

	if (tarball_pack_write(first->pack, 0, &to, &e) < 0)
		abort();

	struct mem_source mem = { buf_str(&out), out.len, 0 };
	struct source from = source_mem(&mem);

	if (tarball_each(&from, &small, on_member, &second, &e) < 0 || second.count != first->count)
		abort();
}

static void try_member(const uint8_t *p, size_t n)
{
	auto_fd int fd = memfd_create("fuzz", MFD_CLOEXEC);
	auto_buf struct buf out = BUF_INIT(1 << 16);
	struct sink to = { buf_sink_write, &out };
	struct err e = { 0 };

	if (fd >= 0 && fs_write_all(fd, p, n, &e) == 0 && tarball_member(fd, "a/b", 1 << 15, &to, &e) == 0 && out.len > 1 << 15)
		abort();
}

static int on_entry(void *ctx, const struct tarball_entry *m, const struct source *content, struct err *e)
{
	char piece[4096];
	size_t *left = ctx;
	ssize_t got;

	if (m->clean && (m->name[0] == '/' || !m->name[0] || strncmp(m->name, "../", 3) == 0 || strstr(m->name, "/../")))
		abort();
	while (m->kind == TARBALL_FILE && *left && (got = content->read(content->ctx, piece, sizeof(piece), e)) != 0) {
		if (got < 0)
			return -1;
		*left -= MIN((size_t)got, *left);
	}
	return *left == 0;
}

static void try_walk(const uint8_t *p, size_t n)
{
	auto_fd int fd = memfd_create("fuzz", MFD_CLOEXEC);
	size_t left = 1 << 20;
	struct err e = { 0 };

	if (fd >= 0 && fs_write_all(fd, p, n, &e) == 0 && tarball_walk(fd, 100, on_entry, &left, &e) < 0 && e.code == ERR_NONE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	auto_tarball_pack struct tarball_pack *pack = tarball_pack_new();
	struct pass pass = { .pack = pack };
	struct mem_source mem = { p, n, 0 };
	struct source from = source_mem(&mem);
	struct err e = { 0 };

	if (tarball_each(&from, &small, on_member, &pass, &e) == 0)
		pack_again(&pass);
	try_member(p, n);
	try_walk(p, n);
	return 0;
}
