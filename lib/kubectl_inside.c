/* SPDX-License-Identifier: Apache-2.0 */
#include "kubectl_call.h"

/* "pods,services,deployments.apps": every kind of object that can stand in a namespace. */
static int kinds_of(struct kubectl *k, char **out, struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "api-resources");
	auto_strv struct strv kinds = { 0 };

	strv_push(&c.args, "--namespaced=true");
	strv_push(&c.args, "--verbs=list");
	strv_push(&c.args, "--output=name");
	if (kubectl_call_run(&c, k, NULL, e) < 0)
		return err_wrap(e, "kubectl api-resources");
	if (c.status != 0)
		return kubectl_call_failed(&c, "api-resources", e);
	strv_split(&kinds, buf_str(&c.out), '\n');
	*out = strv_join(&kinds, ",");
	return 0;
}

int kubectl_inside(struct kubectl *k, const char *ns, struct strv *out, struct err *e)
{
	auto_call struct kubectl_call c = kubectl_call_begin(k, "get");
	auto_free char *kinds = NULL;

	if (kinds_of(k, &kinds, e) < 0)
		return -1;
	strv_push(&c.args, kinds);
	strv_push(&c.args, "--output=name");
	strv_push(&c.args, "--ignore-not-found");
	kubectl_call_namespace(&c, ns);
	if (kubectl_call_run(&c, k, NULL, e) < 0)
		return err_wrap(e, "kubectl get");
	if (c.status != 0)
		return kubectl_call_failed(&c, "get", e);
	strv_split(out, buf_str(&c.out), '\n');
	return 0;
}
