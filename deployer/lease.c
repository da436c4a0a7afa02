/* SPDX-License-Identifier: Apache-2.0 */
#include "lease.h"

#include "system.h"

#include <airgap/digest.h>
#include <airgap/fs.h>
#include <airgap/log.h>
#include <airgap/proc.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LEASE_NAME     "airgap-deployer"
#define LEASE_SECONDS  60
#define RENEW_SECONDS  15
#define WATCH_SECONDS  20       /* a run-out lease must stay unrenewed so long */
#define TRIES          5

struct lease {
	struct session *session;
	char *holder, *since;
	json_t *last;           /* the object as last written; the renewing thread's, or nobody's when it has ended */
	pthread_t thread;
	bool renewing, stop;
	atomic_bool lost;
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

/* This boot and this process namespace: a process id means something only within both. */
static void place_id(char out[80])
{
	auto_buf struct buf text = BUF_INIT(64);
	struct err ignored;
	char ns[40] = "";
	ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof(ns) - 1);

	if (n <= 0 || fs_load("/proc/sys/kernel/random/boot_id", 64, &text, &ignored) < 0)
		snprintf(out, 80, "unknown");
	else
		snprintf(out, 80, "%.36s+%.30s", buf_str(&text), ns);
}

char *lease_holder_name(void)
{
	char place[80], host[64] = "host";
	uint8_t r[4];

	place_id(place);
	gethostname(host, sizeof(host) - 1);
	random_bytes(r, sizeof(r));
	return xasprintf("%s/%s/%ld/%02x%02x%02x%02x", host, place, (long)getpid(), r[0], r[1], r[2], r[3]);
}

bool lease_holder_is_dead(const char *holder)
{
	auto_strv struct strv part = { 0 };
	char place[80];
	uint64_t pid;

	place_id(place);
	strv_split(&part, holder, '/');
	if (part.n != 4 || strcmp(place, "unknown") == 0 || strcmp(part.items[1], place) != 0 ||
	    !u64_parse(part.items[2], &pid) || pid == 0 || pid > INT32_MAX)
		return false;
	return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static bool is_stale(const char *renewed)
{
	struct tm tm = { 0 };

	if (!renewed || !strptime(renewed, "%Y-%m-%dT%H:%M:%S", &tm))
		return true;
	return timegm(&tm) + LEASE_SECONDS < time(NULL);
}

/* version NULL: a new object. */
static json_t *lease_object(const struct lease *l, const char *holder, const char *version)
{
	char now[SYSTEM_TIME];
	json_t *o = json_pack("{s:s, s:s, s:{s:s, s:s, s:s*}, s:{s:s, s:i, s:s, s:s}}", "apiVersion", "coordination.k8s.io/v1",
			      "kind", "Lease", "metadata", "name", LEASE_NAME, "namespace", SYSTEM_NAMESPACE,
			      "resourceVersion", version, "spec", "holderIdentity", holder, "leaseDurationSeconds",
			      LEASE_SECONDS, "acquireTime", l->since, "renewTime", system_now(now));

	return o;
}

/* 0: the Lease says `next` and l->last is it. 1: somebody else was faster than what `live` says. */
static int change(struct lease *l, const json_t *live, const char *next, struct err *e)
{
	struct kubectl *k = &l->session->kubectl;
	auto_json json_t *o = lease_object(l, next, jdoc_text(live, "metadata", "resourceVersion", NULL));
	json_t *now = NULL;
	int r = live ? kubectl_replace(k, o, &now, e) : kubectl_create(k, o, &now, e);

	if (r == 0) {
		json_decref(l->last);
		l->last = now;
	}
	return r;
}

static int look(struct lease *l, json_t **out, struct err *e)
{
	return kubectl_get(&l->session->kubectl, "lease", SYSTEM_NAMESPACE, LEASE_NAME, out, e);
}

/* Run out by our clock. Is it by its holder's, too? 1: it was not renewed while we watched. */
static int watch(struct lease *l, const char *holder, const char *renewed, struct err *e)
{
	static const struct timespec second = { 1, 0 };
	auto_json json_t *live = NULL;

	log_info("the lease of %s has run out: waiting %d seconds whether it is renewed", holder, WATCH_SECONDS);
	for (int i = 0; i < WATCH_SECONDS; i++) {
		nanosleep(&second, NULL);
		if (proc_interrupted)
			return err_set(e, ERR_DEADLINE, "interrupted");
	}
	if (look(l, &live, e) < 0)
		return -1;
	return str_eq(jdoc_text(live, "spec", "renewTime", NULL), renewed);
}

static int try_take(struct lease *l, struct err *e)
{
	auto_json json_t *live = NULL;

	if (look(l, &live, e) < 0)
		return -1;

	const char *holder = jdoc_text(live, "spec", "holderIdentity", NULL);
	const char *renewed = jdoc_text(live, "spec", "renewTime", NULL);
	const char *since = jdoc_text(live, "spec", "acquireTime", NULL);

	if (holder && *holder && !lease_holder_is_dead(holder)) {
		int over = is_stale(renewed) ? watch(l, holder, renewed, e) : 0;

		if (over < 0)
			return -1;
		if (!over)
			return err_set(e, ERR_LOCKED, "cluster: another deployer is at work: %s since %s: wait for it; if it is gone, its "
				       "lease ends in %d seconds", holder, since ? since : "?", LEASE_SECONDS);
	}
	if (holder && *holder)
		log_info("taking over from %s, which ended without giving back its lease", holder);
	return change(l, live, l->holder, e);
}

/* A conflict is looked into: it may be our own last write that was answered too late. */
static void renew(struct lease *l)
{
	auto_json json_t *live = NULL;
	struct err e = { 0 };
	int r = change(l, l->last, l->holder, &e);

	if (r == 1)
		r = look(l, &live, &e);
	if (r == 1 && str_eq(jdoc_text(live, "spec", "holderIdentity", NULL), l->holder))
		r = change(l, live, l->holder, &e);
	else if (r == 1)
		l->lost = true;
	if (r < 0)
		log_debug("lease: %s", e.msg);
}

static void *renew_loop(void *arg)
{
	struct lease *l = arg;

	pthread_mutex_lock(&l->lock);
	while (!l->stop) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += RENEW_SECONDS;
		if (pthread_cond_timedwait(&l->wake, &l->lock, &until) != ETIMEDOUT || l->stop)
			continue;
		pthread_mutex_unlock(&l->lock);
		renew(l);
		pthread_mutex_lock(&l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

static void lease_free(struct lease *l)
{
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	json_decref(l->last);
	free(l->holder);
	free(l->since);
	free(l);
}

int lease_take(struct session *s, struct lease **out, struct err *e)
{
	struct lease *l = xcalloc(1, sizeof(*l));
	char now[SYSTEM_TIME];
	int r = 1;

	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->wake, NULL);
	l->session = s;
	l->holder = lease_holder_name();
	l->since = xstrdup(system_now(now));
	for (unsigned i = 0; i < TRIES && r > 0; i++)
		r = try_take(l, e);
	if (r > 0)
		r = err_set(e, ERR_LOCKED, "cluster: several deployers want its lease: try again");
	if (r < 0) {
		lease_free(l);
		return -1;
	}
	l->renewing = pthread_create(&l->thread, NULL, renew_loop, l) == 0;
	*out = l;
	return 0;
}

int lease_check(const struct lease *l, struct err *e)
{
	if (l && l->lost)
		return err_set(e, ERR_LOCKED, "cluster: another deployer took over the lease: this run stops here");
	return 0;
}

void lease_give(struct lease *l)
{
	struct err e = { 0 };
	int sig;

	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	if (l->renewing)
		pthread_join(l->thread, NULL);

	/* An interrupted run runs no program any more, but this one: nobody should have to wait for the lease to end. */
	sig = proc_interrupt_take();
	if (!l->lost && change(l, l->last, "", &e) < 0)
		log_debug("lease: %s", e.msg);
	proc_interrupt_give(sig);
	lease_free(l);
}
