/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/num.h"
#include "boot/devcontainer_flags.h"

/* How it works: one row per `docker run` flag says which member of the create body it becomes; what needs more than a plain
 * value has a function (devcontainer_flags.c). */

enum kind { SET_BOOL, SET_STR, SET_INT, SET_BYTES, ADD_STR, SET_PAIR, CALL, IGNORED };

struct flag {
	const char *name;
	char letter;			/* 0: none */
	enum kind kind;
	const char *key;		/* "Host.X": HostConfig.X, else a member of the body */
	int (*fn)(struct dc_create *x, const char *value, struct err *err);
};

/* ---- the table ---------------------------------------------------------------------------------------------------- */

static const struct flag flags[] = {
	{ "add-host", 0, CALL, NULL, flag_add_host },
	{ "attach", 'a', IGNORED, NULL, NULL },
	{ "cap-add", 0, ADD_STR, "Host.CapAdd", NULL },
	{ "cap-drop", 0, ADD_STR, "Host.CapDrop", NULL },
	{ "cgroup-parent", 0, SET_STR, "Host.CgroupParent", NULL },
	{ "cgroupns", 0, SET_STR, "Host.CgroupnsMode", NULL },
	{ "cpu-shares", 'c', SET_INT, "Host.CpuShares", NULL },
	{ "cpus", 0, CALL, NULL, flag_set_cpus },
	{ "cpuset-cpus", 0, SET_STR, "Host.CpusetCpus", NULL },
	{ "device", 0, CALL, NULL, flag_add_device },
	{ "device-cgroup-rule", 0, ADD_STR, "Host.DeviceCgroupRules", NULL },
	{ "dns", 0, ADD_STR, "Host.Dns", NULL },
	{ "dns-option", 0, ADD_STR, "Host.DnsOptions", NULL },
	{ "dns-search", 0, ADD_STR, "Host.DnsSearch", NULL },
	{ "domainname", 0, SET_STR, "Domainname", NULL },
	{ "entrypoint", 0, CALL, NULL, flag_set_entrypoint },
	{ "env", 'e', CALL, NULL, flag_add_env },
	{ "env-file", 0, CALL, NULL, flag_add_env_file },
	{ "expose", 0, CALL, NULL, flag_add_expose },
	{ "gpus", 0, CALL, NULL, flag_add_gpus },
	{ "group-add", 0, ADD_STR, "Host.GroupAdd", NULL },
	{ "hostname", 'h', SET_STR, "Hostname", NULL },
	{ "init", 0, SET_BOOL, "Host.Init", NULL },
	{ "interactive", 'i', SET_BOOL, "OpenStdin", NULL },
	{ "ip", 0, CALL, NULL, flag_set_ip },
	{ "ipc", 0, SET_STR, "Host.IpcMode", NULL },
	{ "label", 'l', CALL, NULL, flag_add_label },
	{ "label-file", 0, CALL, NULL, flag_add_label_file },
	{ "log-driver", 0, CALL, NULL, flag_set_log_driver },
	{ "log-opt", 0, CALL, NULL, flag_add_log_opt },
	{ "memory", 'm', SET_BYTES, "Host.Memory", NULL },
	{ "memory-swap", 0, SET_BYTES, "Host.MemorySwap", NULL },
	{ "mount", 0, CALL, NULL, dc_add_mount },
	{ "name", 0, CALL, NULL, flag_set_name },
	{ "net", 0, CALL, NULL, flag_set_network },
	{ "net-alias", 0, CALL, NULL, flag_add_alias },
	{ "network", 0, CALL, NULL, flag_set_network },
	{ "network-alias", 0, CALL, NULL, flag_add_alias },
	{ "oom-score-adj", 0, SET_INT, "Host.OomScoreAdj", NULL },
	{ "pid", 0, SET_STR, "Host.PidMode", NULL },
	{ "pids-limit", 0, SET_INT, "Host.PidsLimit", NULL },
	{ "privileged", 0, SET_BOOL, "Host.Privileged", NULL },
	{ "publish", 'p', CALL, NULL, dc_publish },
	{ "publish-all", 'P', SET_BOOL, "Host.PublishAllPorts", NULL },
	{ "read-only", 0, SET_BOOL, "Host.ReadonlyRootfs", NULL },
	{ "restart", 0, CALL, NULL, flag_set_restart },
	{ "rm", 0, SET_BOOL, "Host.AutoRemove", NULL },
	{ "runtime", 0, SET_STR, "Host.Runtime", NULL },
	{ "security-opt", 0, CALL, NULL, flag_add_security },
	{ "shm-size", 0, SET_BYTES, "Host.ShmSize", NULL },
	{ "stop-signal", 0, SET_STR, "StopSignal", NULL },
	{ "stop-timeout", 0, SET_INT, "StopTimeout", NULL },
	{ "sysctl", 0, SET_PAIR, "Host.Sysctls", NULL },
	{ "tmpfs", 0, CALL, NULL, flag_add_tmpfs },
	{ "tty", 't', SET_BOOL, "Tty", NULL },
	{ "ulimit", 0, CALL, NULL, flag_add_ulimit },
	{ "user", 'u', SET_STR, "User", NULL },
	{ "userns", 0, SET_STR, "Host.UsernsMode", NULL },
	{ "uts", 0, SET_STR, "Host.UTSMode", NULL },
	{ "volume", 'v', CALL, NULL, flag_add_volume },
	{ "workdir", 'w', SET_STR, "WorkingDir", NULL },
};

static const struct flag *flag_by_name(struct str name)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (str_eq(name, flags[i].name))
			return &flags[i];
	return NULL;
}

static const struct flag *flag_by_letter(char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].letter && flags[i].letter == letter)
			return &flags[i];
	return NULL;
}

static int unknown_flag(const char *arg, struct err *err)
{
	const char *names[ARRAY_SIZE(flags)], *near;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		names[i] = flags[i].name;
	near = str_starts(arg, "--") ? str_nearest(arg + 2, names, ARRAY_SIZE(flags)) : NULL;
	if (near)
		return err_set(err, -EINVAL, "\"%s\" is not a flag that can be honoured; did you mean \"--%s\"?", arg, near);
	return err_set(err, -EINVAL, "\"%s\" is not a flag that can be honoured", arg);
}

/* Docker's sizes: a number and b, k, m or g (powers of 1024), also with a "b" or "ib" after it; -1 is "no limit". */
static int size_parse(const char *value, int64_t *ret)
{
	static const char units[] = "bkmgt";
	size_t digits = strspn(value, "0123456789");
	autofree char *number = xstrndup(value, digits);
	const char *unit = value[digits] ? strchr(units, value[digits] | 0x20) : units, *tail = value[digits] ? value + digits + 1 : "";
	uint64_t v = 0, scale;

	if (streq(value, "-1")) {
		*ret = -1;
		return 0;
	}
	if (!unit || (*tail && strcasecmp(tail, "b") != 0 && strcasecmp(tail, "ib") != 0))
		return -EINVAL;
	scale = 1ull << (10 * (unit - units));
	if (num_u64(number, (uint64_t)INT64_MAX / scale, &v) < 0)
		return -EINVAL;
	*ret = (int64_t)(v * scale);
	return 0;
}

static int set_number(json *o, const struct flag *f, const char *key, const char *value, struct err *err)
{
	bool negative = value[0] == '-';
	uint64_t n = 0;
	int64_t v = 0;
	int r;

	if (f->kind == SET_BYTES) {
		r = size_parse(value, &v);
	} else {
		r = num_u64(value + negative, INT64_MAX, &n);
		v = negative ? -(int64_t)n : (int64_t)n;
	}
	if (r < 0)
		return err_set(err, -EINVAL, "--%s: \"%s\" is not a %s", f->name, value, f->kind == SET_BYTES ? "size" : "number");
	json_set_int(o, key, v);
	return 0;
}

static int flag_apply(struct dc_create *x, const struct flag *f, const char *value, struct err *err)
{
	bool in_host = f->key && str_starts(f->key, "Host.");
	const char *key = in_host ? f->key + 5 : f->key, *text;
	json *o = in_host ? x->host : x->config;
	autofree char *name = NULL;
	int r = 0;

	switch (f->kind) {
	case SET_BOOL:
		if (value && !streq(value, "true") && !streq(value, "false"))
			return err_set(err, -EINVAL, "--%s: \"%s\" is neither true nor false", f->name, value);
		json_set_bool(o, key, !streq(value, "false"));
		break;
	case SET_STR:
		json_set_str(o, key, value);
		break;
	case SET_INT:
	case SET_BYTES:
		return set_number(o, f, key, value, err);
	case ADD_STR:
		dc_add_unique(o, key, value);
		break;
	case SET_PAIR:
		text = flag_pair(value, '=', &name);
		json_set_str(flag_child(o, key, json_object), name, text ? text : "");
		break;
	case CALL:
		r = f->fn(x, value, err);
		return r < 0 ? err_wrap(err, -EINVAL, "--%s", f->name) : 0;
	case IGNORED:
		break;
	}
	return 0;
}

/* "-it", "-p80:80", "-e A=b": *value is what follows in the same word, or NULL when the next word is it. */
static int letters_apply(struct dc_create *x, const char *arg, const char *next, bool *ret_used_next, struct err *err)
{
	for (const char *p = arg + 1; *p; p++) {
		const struct flag *f = flag_by_letter(*p);
		const char *value = p[1] == '=' ? p + 2 : p[1] ? p + 1 : next;

		if (!f && *p == 'd')
			continue;
		if (!f)
			return unknown_flag(arg, err);
		if (f->kind == SET_BOOL) {
			(void)flag_apply(x, f, NULL, NULL);
			continue;
		}
		if (!value)
			return err_set(err, -EINVAL, "\"%s\" needs a value", arg);
		*ret_used_next = !p[1];
		return flag_apply(x, f, value, err);
	}
	return 0;
}

static int arg_apply(struct dc_create *x, const char *arg, const char *next, bool *ret_used_next, struct err *err)
{
	const char *equals = strchr(arg, '='), *value = equals ? equals + 1 : next;
	const struct flag *f;

	if (arg[0] != '-' || !arg[1])
		return err_set(err, -EINVAL, "\"%s\" is not a flag", arg);
	if (arg[1] != '-')
		return letters_apply(x, arg, next, ret_used_next, err);
	f = flag_by_name((struct str){ arg + 2, equals ? (size_t)(equals - arg - 2) : strlen(arg + 2) });
	if (!f && (streq(arg, "--detach") || str_starts(arg, "--sig-proxy")))
		return 0;
	if (!f)
		return unknown_flag(arg, err);
	if (f->kind == SET_BOOL)
		return flag_apply(x, f, equals ? value : NULL, err);
	if (!value)
		return err_set(err, -EINVAL, "\"%s\" needs a value", arg);
	*ret_used_next = !equals;
	return flag_apply(x, f, value, err);
}

int dc_run_args(struct dc_create *x, const json *args, const struct yaml *at, const char *file, struct err *err)
{
	const struct yaml *place = at ? at->child : NULL;

	for (const json *e = args ? args->child : NULL; e;) {
		const char *next = e->next ? e->next->valuestring : NULL;
		bool used_next = false;
		int r = arg_apply(x, e->valuestring ? e->valuestring : "", next, &used_next, err);

		if (r < 0 && place)
			return err_wrap(err, r, "%s:%u:%u: runArgs", file, place->line, place->column);
		if (r < 0)
			return err_wrap(err, r, "%s: runArgs", file);
		for (int skip = used_next ? 2 : 1; skip && e; skip--) {
			e = e->next;
			place = place ? place->next : NULL;
		}
	}
	return 0;
}
