/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/fs.h>
#include <airgap/gitrepo.h>
#include <airgap/proc.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err e;
static char *work;

/* The real git makes what is read. */
static void sh(const char *script)
{
	auto_strv struct strv argv = { 0 };

	strv_push(&argv, "sh");
	strv_push(&argv, "-ec");
	strv_push(&argv, script);

	struct proc p = { .argv = argv.items, .dir = work };

	assert_ok(proc_check(&p, NULL, ERR_BUG, &e), e);
}

static int set_up(void **state)
{
	(void)state;
	if (fs_temp_dir(NULL, "airgap-gitrepo-", &work, &e) < 0)
		return -1;
	setenv("HOME", work, 1);
	sh("git config --global user.email a@a; git config --global user.name a; git config --global init.defaultBranch main;"
	   "git init -q a; cd a; mkdir c; echo x >c/Chart.yaml; head -c 3000000 /dev/urandom >big; git add .; git commit -qm one;"
	   "git tag -a v1 -m v1; git branch v1; echo y >c/Chart.yaml; git commit -qam two; git tag v2");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cleanup_temp_dir(&work);
	return 0;
}

static char *at(const char *name)
{
	return fs_join(work, name);
}

static void list(struct gitrepo_refs *out)
{
	auto_free char *path = at("a");
	const struct gitrepo_remote from = { .url = path };

	assert_ok(gitrepo_list(&from, out, &e), e);
}

TEST(lists_branches_and_tags_with_the_commits_behind)
{
	auto_gitrepo_refs struct gitrepo_refs refs = { 0 };
	const struct gitrepo_ref *main_branch, *v1, *v2;

	list(&refs);
	assert_int_equal(refs.n, 4);
	assert_string_equal(refs.head, "refs/heads/main");
	main_branch = gitrepo_find(&refs, NULL, &e);
	v1 = gitrepo_find(&refs, "refs/tags/v1", &e);
	v2 = gitrepo_find(&refs, "v2", &e);
	assert_non_null(main_branch);
	assert_non_null(v1);
	assert_non_null(v2);
	assert_string_equal(v2->commit, main_branch->commit);
	assert_string_not_equal(v1->oid, v1->commit);
	/* A branch and a tag on one commit are one answer. */
	assert_ptr_equal(gitrepo_find(&refs, "v1", &e), v1);
}

TEST(refuses_names_that_are_none_or_two)
{
	struct gitrepo_ref items[] = {
		{ (char[]){ "refs/heads/x" }, (char[]){ "1" }, (char[]){ "1" } },
		{ (char[]){ "refs/tags/x" }, (char[]){ "2" }, (char[]){ "2" } },
	};
	const struct gitrepo_refs refs = { .items = items, .n = 2 }, none = { 0 };

	assert_null(gitrepo_find(&refs, "x", &e));
	assert_int_equal(e.code, ERR_USAGE);
	assert_non_null(strstr(e.msg, "refs/heads/x or refs/tags/x"));
	assert_null(gitrepo_find(&refs, "y", &e));
	assert_null(gitrepo_find(&refs, NULL, &e));
	assert_null(gitrepo_find(&none, "main", &e));
	assert_ptr_equal(gitrepo_find(&refs, "refs/tags/x", &e), &items[1]);
}

TEST(an_oid_is_forty_digits)
{
	assert_true(gitrepo_is_oid("0123456789abcdef0123456789abcdef01234567"));
	assert_false(gitrepo_is_oid("0123456789ABCDEF0123456789abcdef01234567"));
	assert_false(gitrepo_is_oid("0123456789abcdef0123456789abcdef0123456"));
	assert_false(gitrepo_is_oid(""));
}

TEST(fetches_once_and_exports)
{
	auto_gitrepo_refs struct gitrepo_refs refs = { 0 };
	auto_free char *from_path = at("a"), *copy = at("copy"), *out = at("out"), *file = at("out/Chart.yaml");
	const struct gitrepo_remote from = { .url = from_path }, nowhere = { .url = "/nowhere" };
	auto_strv struct strv oids = { 0 };
	auto_buf struct buf text = BUF_INIT(100);

	list(&refs);
	strv_push(&oids, gitrepo_find(&refs, "v1", &e)->commit);
	assert_ok(gitrepo_fetch(&from, copy, &oids, &e), e);
	assert_ok(gitrepo_fetch(&nowhere, copy, &oids, &e), e);         /* it is here: nobody is asked */
	assert_int_equal(mkdir(out, 0700), 0);
	assert_ok(gitrepo_export(copy, oids.items[0], "c", out, &e), e);
	assert_ok(fs_load(file, 100, &text, &e), e);
	assert_string_equal(buf_str(&text), "x\n");
	assert_err(gitrepo_export(copy, oids.items[0], "big", out, &e), e, ERR_USAGE);
	strv_push(&oids, "0123456789abcdef0123456789abcdef01234567");
	assert_err(gitrepo_fetch(&from, copy, &oids, &e), e, ERR_NETWORK);
	assert_non_null(strstr(e.msg, "commit 0123456789abcdef0123456789abcdef01234567 is gone"));
}

TEST(stops_at_the_ceiling_of_bytes)
{
	auto_gitrepo_refs struct gitrepo_refs refs = { 0 };
	auto_free char *from_path = at("a"), *copy = at("small");
	const struct gitrepo_remote from = { .url = from_path, .bytes_max = 1u << 20 };
	auto_strv struct strv oids = { 0 };

	list(&refs);
	strv_push(&oids, gitrepo_find(&refs, "v1", &e)->commit);
	assert_err(gitrepo_fetch(&from, copy, &oids, &e), e, ERR_LIMIT);
	assert_non_null(strstr(e.msg, "more than 1048576 bytes"));
}

/* Trees that git itself would not make. */
TEST(refuses_trees_that_would_leave_their_folder)
{
	static const char *const scripts[] = {
		/* a file called "..", ".git", "a<newline>b"; a folder called ".."; forty folders in each other */
		"t=$(printf '100644 blob %s\\t..\\0' $b | git mktree -z)", "t=$(printf '100644 blob %s\\t.GIT\\0' $b | git mktree -z)",
		"t=$(printf '100644 blob %s\\ta\\nb\\0' $b | git mktree -z)",
		"d=$(printf '100644 blob %s\\tx\\0' $b | git mktree -z); t=$(printf '040000 tree %s\\t..\\0' $d | git mktree -z)",
		"t=$(printf '100644 blob %s\\tx\\0' $b | git mktree -z); for i in $(seq 40); do t=$(printf '040000 tree %s\\td\\0' $t | git mktree -z); done",
	};
	auto_free char *dir = at("a"), *out = at("bad"), *name = at("oid"), *outside = at("bad/../x");

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		auto_free char *script = xasprintf("cd a; b=$(echo hi | git hash-object -w --stdin); %s; "
						   "printf %%s $(git commit-tree -m x $t) >../oid; rm -rf ../bad; mkdir ../bad", scripts[i]);
		auto_buf struct buf oid = BUF_INIT(GITREPO_OID);

		sh(script);
		assert_ok(fs_load(name, GITREPO_OID, &oid, &e), e);
		assert_int_equal(gitrepo_export(dir, buf_str(&oid), "", out, &e), -1);
		if (e.code != ERR_UNSAFE && e.code != ERR_LIMIT)
			fail_msg("%zu: %d: %s", i, e.code, e.msg);
		assert_int_equal(access(outside, F_OK), -1);
	}
}

/* The kernel takes the connection, and nobody ever answers. */
TEST(gives_up_a_server_that_is_silent)
{
	auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);
	auto_gitrepo_refs struct gitrepo_refs refs = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);

	auto_free char *url = xasprintf("http://127.0.0.1:%u/x.git", ntohs(sa.sin_port));
	const struct gitrepo_remote from = { .url = url, .stall = 1 };

	assert_err(gitrepo_list(&from, &refs, &e), e, ERR_DEADLINE);
	assert_string_equal(e.msg, "the server sent nothing for 1 seconds");
}

TEST(bundles_of_the_same_objects_are_the_same)
{
	auto_gitrepo_refs struct gitrepo_refs refs = { 0 };
	auto_free char *first = at("a"), *second = at("b"), *one = at("1.bundle"), *two = at("2.bundle");
	auto_strv struct strv names = { 0 };
	auto_buf struct buf x = BUF_INIT(8u << 20), y = BUF_INIT(8u << 20);

	sh("git clone -q --bare a b; cd b; git gc -q --aggressive");
	list(&refs);
	strv_pushf(&names, "HEAD=%s", gitrepo_find(&refs, "main", &e)->oid);
	strv_pushf(&names, "refs/tags/v1=%s", gitrepo_find(&refs, "refs/tags/v1", &e)->oid);
	assert_ok(gitrepo_bundle(first, &names, one, &e), e);
	assert_ok(gitrepo_bundle(second, &names, two, &e), e);
	assert_ok(fs_load(one, 8u << 20, &x, &e), e);
	assert_ok(fs_load(two, 8u << 20, &y, &e), e);
	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.ptr, y.ptr, x.len);
	sh("git clone -q 1.bundle c; cd c; git fsck --strict; test $(git cat-file -t v1) = tag");
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_branches_and_tags_with_the_commits_behind),
		cmocka_unit_test(refuses_names_that_are_none_or_two),
		cmocka_unit_test(an_oid_is_forty_digits),
		cmocka_unit_test(fetches_once_and_exports),
		cmocka_unit_test(stops_at_the_ceiling_of_bytes),
		cmocka_unit_test(refuses_trees_that_would_leave_their_folder),
		cmocka_unit_test(gives_up_a_server_that_is_silent),
		cmocka_unit_test(bundles_of_the_same_objects_are_the_same),
	};

	if (gitrepo_is_worker(argc, argv))
		return gitrepo_worker();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
