/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <airgap/buf.h>
#include <airgap/log.h>

#include <errno.h>
#include <pthread.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int kept_stderr = -1;
static FILE *file;              /* stands in for stderr */

static void capture(void)
{
	file = tmpfile();
	fflush(stderr);
	kept_stderr = dup(STDERR_FILENO);
	dup2(fileno(file), STDERR_FILENO);
}

static char *captured(void)
{
	struct buf b = BUF_INIT(1 << 20);
	struct err e;

	dup2(kept_stderr, STDERR_FILENO);
	close(kept_stderr);
	lseek(fileno(file), 0, SEEK_SET);
	if (buf_read_fd(&b, fileno(file), &e) < 0)
		buf_clear(&b);
	fclose(file);
	return buf_take(&b);
}

TEST(prefixes_tell_the_level_and_the_level_decides)
{
	capture();
	log_setup(LOG_INFO, LOG_TEXT, true);
	log_error("a %d", 1);
	log_warn("b");
	log_info("c");
	log_debug("d");
	log_setup(LOG_DEBUG, LOG_TEXT, true);
	log_debug("e");
	log_setup(LOG_ERROR, LOG_TEXT, true);
	log_warn("f");
	auto_free char *text = captured();

	assert_string_equal(text, "error: a 1\nwarning: b\nc\ndebug: e\n");
	assert_true(log_wants(LOG_ERROR));
	assert_false(log_wants(LOG_WARN));
}

static const struct { const char *raw, *text, *json; } escapes[] = {
	{ "plain", "plain", "plain" },
	{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
	  "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80" },
	{ "a\x1b[31mb", "a\\x1b[31mb", "a\\u001b[31mb" },
	{ "a\nerror: b\r", "a\\nerror: b\\x0d", "a\\nerror: b\\u000d" },
	{ "\t\x01\x7f", "\\x09\\x01\\x7f", "\\u0009\\u0001\\u007f" },
	{ "\"q\" \\", "\"q\" \\", "\\\"q\\\" \\\\" },
	{ "\xc2\x9b" "1m", "\\u009b1m", "\\u009b1m" },                          /* CSI as one code point */
	{ "\xe2\x80\xae" "abc", "\\u202eabc", "\\u202eabc" },                   /* turns the text round */
	{ "\xff\xc3", "\\xff\\xc3", "\\ufffd\\ufffd" },
	{ "\xc0\xaf\xed\xa0\x80", "\\xc0\\xaf\\xed\\xa0\\x80", "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd" },
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" },
};

TEST(escapes_what_would_reach_the_terminal)
{
	for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
		capture();
		log_setup(LOG_INFO, LOG_TEXT, true);
		log_info("%s", escapes[i].raw);
		auto_free char *text = captured();
		auto_free char *want = xasprintf("%s\n", escapes[i].text);

		assert_string_equal(text, want);
	}
}

TEST(json_is_one_object_a_line)
{
	for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
		capture();
		log_setup(LOG_INFO, LOG_JSON, true);
		log_warn("%s", escapes[i].raw);
		auto_free char *text = captured();
		auto_free char *end = xasprintf("Z\",\"level\":\"warning\",\"message\":\"%s\"}\n", escapes[i].json);

		assert_true(str_starts(text, "{\"time\":\"2"));
		assert_true(str_ends(text, end));
		assert_int_equal(strlen(text), strlen("{\"time\":\"2026-01-02T03:04:05.678") + strlen(end));
	}
}

TEST(messages_of_any_length_come_out_whole)
{
	auto_free char *big = xcalloc(1, 100001);

	memset(big, 'x', 100000);
	capture();
	log_setup(LOG_INFO, LOG_TEXT, true);
	log_info("%s", big);
	auto_free char *text = captured();

	assert_int_equal(strlen(text), 100001);
}

TEST(logging_leaves_errno_alone)
{
	capture();
	log_setup(LOG_INFO, LOG_TEXT, true);
	errno = ENOENT;
	log_info("x");
	int after = errno;
	auto_free char *text = captured();

	assert_string_equal(text, "x\n");
	assert_int_equal(after, ENOENT);
}

TEST(items_are_lines_where_there_is_no_terminal)
{
	capture();
	log_setup(LOG_INFO, LOG_TEXT, true);
	progress_item("early");
	progress_begin("images", 100);
	progress_add(60);
	progress_item("web\x1b");
	progress_add(60);
	progress_end();
	progress_end();
	log_setup(LOG_INFO, LOG_TEXT, false);
	progress_begin("images", 100);
	progress_item("not asked for");
	progress_end();
	auto_free char *text = captured();

	assert_string_equal(text, "early\nimages: web\\x1b\n");
}

TEST(items_and_progress_are_json_events)
{
	capture();
	log_setup(LOG_INFO, LOG_JSON, true);
	progress_begin("images", 100);
	progress_add(40);
	progress_item("we\"b");
	progress_end();
	auto_free char *text = captured();

	assert_non_null(strstr(text, "\"event\":\"item\",\"what\":\"images\",\"item\":\"we\\\"b\"}\n"));
	assert_non_null(strstr(text, "\"event\":\"progress\",\"what\":\"images\",\"done\":40,\"total\":100,\"rate\":"));
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

TEST(the_bar_is_one_line_that_messages_do_not_break)
{
	int master, slave;
	char text[8192];
	struct winsize size = { .ws_row = 24, .ws_col = 100 };

	if (openpty(&master, &slave, NULL, NULL, &size) < 0)
		skip();
	fflush(stderr);
	kept_stderr = dup(STDERR_FILENO);
	dup2(slave, STDERR_FILENO);
	log_setup(LOG_INFO, LOG_TEXT, true);
	progress_begin("images", 4u << 20);
	progress_add(1u << 20);         /* too early for a bar */
	progress_start("gone");
	progress_start("web");
	progress_start("db");
	progress_stop("gone");
	progress_stop("none");
	sleep_ms(1100);
	for (int i = 0; i < 1000; i++)
		progress_add(1024);
	log_warn("careful");
	progress_item("no line of its own here");
	progress_end();
	log_info("after");
	dup2(kept_stderr, STDERR_FILENO);
	close(kept_stderr);

	text[0] = '\0';
	for (size_t len = 0; !strstr(text, "after\r\n");) {
		ssize_t n = read(master, text + len, sizeof(text) - 1 - len);

		assert_true(n > 0);
		len += (size_t)n;
		text[len] = '\0';
	}
	close(master);
	close(slave);

	char *bar = strstr(text, "\r\033[Kimages: ");
	char *message = strstr(text, "\r\033[Kwarning: careful\r\n\r\033[Kimages: ");

	if (!bar || !message)
		fail_msg("%s", text);
	assert_ptr_equal(bar, text);
	assert_true(message > bar);
	assert_true(str_ends(text, "\r\033[Kafter\r\n"));
	assert_non_null(strstr(text, "of 4.0 MiB, "));
	assert_non_null(strstr(text, ": web and 1 more"));
	assert_null(strstr(text, "no line of its own"));
	assert_true(strlen(text) < 300);        /* a thousand additions, one or two bars */
}

static void *log_many(void *name)
{
	for (int i = 0; i < 200; i++) {
		log_info("%s %d", (const char *)name, i);
		progress_add(1);
		progress_item("%s", (const char *)name);
	}
	return NULL;
}

TEST(threads_never_share_a_line)
{
	static char names[][8] = { "aaaaaaa", "bbbbbbb", "ccccccc", "ddddddd" };
	pthread_t threads[ARRAY_LEN(names)];
	size_t lines = 0;

	capture();
	log_setup(LOG_INFO, LOG_TEXT, true);
	progress_begin("w", 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		pthread_create(&threads[i], NULL, log_many, names[i]);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		pthread_join(threads[i], NULL);
	progress_end();
	auto_free char *text = captured();

	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (str_starts(line, "w: "))
			line += 3;
		if (strspn(line, (char[]){ line[0], '\0' }) != 7)
			fail_msg("'%s'", line);
		lines++;
	}
	assert_int_equal(lines, 2 * 200 * ARRAY_LEN(names));
}

TEST(sizes_read_well)
{
	static const struct { uint64_t n; const char *want; } cases[] = {
		{ 0, "0 B" }, { 1023, "1023 B" }, { 1024, "1.0 KiB" }, { 1536, "1.5 KiB" }, { 1048575, "1.0 MiB" },
		{ UINT64_C(4509715661), "4.2 GiB" }, { UINT64_C(1) << 40, "1.0 TiB" }, { UINT64_MAX, "16.0 EiB" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[16];

		assert_string_equal(log_size(out, cases[i].n), cases[i].want);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_tell_the_level_and_the_level_decides),
		cmocka_unit_test(escapes_what_would_reach_the_terminal),
		cmocka_unit_test(json_is_one_object_a_line),
		cmocka_unit_test(messages_of_any_length_come_out_whole),
		cmocka_unit_test(logging_leaves_errno_alone),
		cmocka_unit_test(items_are_lines_where_there_is_no_terminal),
		cmocka_unit_test(items_and_progress_are_json_events),
		cmocka_unit_test(the_bar_is_one_line_that_messages_do_not_break),
		cmocka_unit_test(threads_never_share_a_line),
		cmocka_unit_test(sizes_read_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
