/* SPDX-License-Identifier: Apache-2.0 */
/* What goes through the API server into a pod: commands and connections. */
#include "kubectl_call.h"

#include <airgap/fs.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define OPEN_SECONDS 20
#define EXEC_OUTPUT  (1u << 20)
#define SAID_MAX     4096u

int kubectl_exec(struct kubectl *k, const char *ns, const char *pod, const char *container, const struct strv *argv,
		 unsigned seconds, struct buf *out, int *status, struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "exec");

	kubectl_call_namespace(&c, ns);
	strv_push(&c.args, pod);
	if (container)
		strv_pushf(&c.args, "--container=%s", container);
	strv_push(&c.args, "--");
	for (size_t i = 0; i < argv->n; i++)
		strv_push(&c.args, argv->items[i]);
	c.timeout = seconds;
	c.confidential = true;
	c.out.max = EXEC_OUTPUT;
	if (kubectl_call_run(&c, k, NULL, e) < 0)
		return err_wrap(e, "kubectl exec %s", pod);
	/* The program's status comes with these words, on a line of their own; without them it was not run. */
	if (c.status != 0 && !kubectl_call_says(&c, "command terminated with exit code"))
		return kubectl_call_failed(&c, "exec", e);
	*status = c.status;
	if (!out)
		return 0;

	char *words = strstr(c.proc.tail, "command terminated with exit code");

	if (words)
		*words = '\0';
	return buf_add(out, c.out.ptr, c.out.len, e) < 0 ? -1 : buf_add(out, c.proc.tail, strlen(c.proc.tail), e);
}

/* "Forwarding from 127.0.0.1:40123 -> 8008" */
static bool find_port(const char *said, unsigned *port)
{
	static const char start[] = "Forwarding from 127.0.0.1:";
	const char *at = strstr(said, start), *digits = at ? at + strlen(start) : "";
	auto_free char *number = xstrndup(digits, strspn(digits, "0123456789"));
	uint64_t v;

	if (!u64_parse(number, &v) || v > 65535 || !strchr(digits, '\n'))
		return false;
	*port = (unsigned)v;
	return true;
}

static void one_line(char *text)
{
	for (; *text; text++)
		if (*text == '\n')
			*text = text[1] ? ' ' : '\0';
}

/* Until it says that it listens; its last words when it ends instead. */
static int await_port(struct kubectl_forward *f, struct err *e)
{
	char said[SAID_MAX] = "";
	size_t n = 0;
	time_t end = time(NULL) + OPEN_SECONDS;

	while (n < sizeof(said) - 1 && time(NULL) < end && !proc_interrupted) {
		struct pollfd p = { .fd = f->fd, .events = POLLIN };

		if (poll(&p, 1, 500) <= 0)
			continue;

		ssize_t got = read(f->fd, said + n, sizeof(said) - 1 - n);

		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
		said[n] = '\0';
		if (find_port(said, &f->port))
			return 0;
	}
	one_line(said);
	return err_set(e, proc_interrupted ? ERR_DEADLINE : ERR_NETWORK, "kubectl port-forward: %s",
		       proc_interrupted ? "interrupted" : *said ? said : "it does not listen");
}

int kubectl_forward_open(struct kubectl *k, const char *ns, const char *service, unsigned port, struct kubectl_forward *out,
			 struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "port-forward");
	auto_strv struct strv env = { 0 };
	auto_forward struct kubectl_forward f = { .fd = -1 };

	kubectl_call_namespace(&c, ns);
	kubectl_call_env(k, &env);
	strv_push(&c.args, "--address=127.0.0.1");
	strv_pushf(&c.args, "service/%s", service);
	strv_pushf(&c.args, ":%u", port);
	c.proc = (struct proc){ .argv = c.args.items, .env = env.items, .exe_fd = k->fd };
	if (proc_start(&c.proc, &f.fd, &f.pid, e) < 0)
		return -1;
	fcntl(f.fd, F_SETFL, O_NONBLOCK);
	if (await_port(&f, e) < 0)
		return err_wrap(e, "service '%s' in namespace '%s'", service, ns);
	*out = f;
	f = (struct kubectl_forward){ .fd = -1 };
	return 0;
}

void kubectl_forward_close(struct kubectl_forward *f)
{
	if (f->pid > 0) {
		proc_stop(f->pid);
		close(f->fd);
	}
	*f = (struct kubectl_forward){ .fd = -1 };
}

bool kubectl_forward_alive(struct kubectl_forward *f)
{
	char drop[1024];
	ssize_t n = 1;

	while (f->pid > 0 && (n = read(f->fd, drop, sizeof(drop))) > 0)
		;
	return f->pid > 0 && n < 0 && (errno == EAGAIN || errno == EINTR);
}
