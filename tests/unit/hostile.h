/*
 * hostile - asserts that a parser refuses something, in time and within memory.
 *
 *	static int bomb(void *arg, struct err *e) { … return json_parse_it(…); }
 *	assert_refused(bomb, NULL, ERR_LIMIT);          // within 2 s and 64 MiB, in a process of its own
 *
 * Under a sanitizer the time is ten times that and memory is not looked at. A code of ERR_NONE expects success.
 */
#pragma once

#include "unit.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HOSTILE_SLOW 10
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HOSTILE_SLOW 10
#endif
#endif
#ifndef HOSTILE_SLOW
#define HOSTILE_SLOW 1
#endif

#define HOSTILE_SECONDS (2 * HOSTILE_SLOW)
#define HOSTILE_KIB     (64 << 10)

typedef int (*hostile_fn)(void *arg, struct err *e);

static inline void hostile_child(hostile_fn fn, void *arg)
{
	struct err e = { 0 };

	_exit(fn(arg, &e) < 0 ? (int)e.code : 0);
}

static inline void assert_refused(hostile_fn fn, void *arg, enum err_code want)
{
	struct rusage used;
	int status;

	fflush(stdout);

	pid_t pid = fork();

	if (pid == 0)
		hostile_child(fn, arg);
	assert_int_equal(wait4(pid, &status, 0, &used), pid);
	if (!WIFEXITED(status))
		fail_msg("ended by signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), want);

	long ms = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
		  (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;

	if (ms > HOSTILE_SECONDS * 1000)
		fail_msg("took %ld ms", ms);
	if (HOSTILE_SLOW == 1 && used.ru_maxrss > HOSTILE_KIB)
		fail_msg("took %ld KiB", used.ru_maxrss);
}

/* `text` n times, in a buffer of its own size. */
static inline char *repeated(const char *text, size_t n)
{
	size_t len = strlen(text);
	char *s = xmalloc(len * n + 1);

	for (size_t i = 0; i < n; i++)
		memcpy(s + i * len, text, len);
	s[len * n] = '\0';
	return s;
}
