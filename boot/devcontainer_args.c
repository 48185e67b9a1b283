/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "boot/devcontainer_parts.h"

/* How it works: one row per `docker run` flag says which member of the create body it becomes; what needs more than a plain
 * value has a function. The docker command line does some of this on the client's side, so we do too (seccomp files, relative paths). */

enum kind { SET_BOOL, SET_STR, SET_INT, SET_BYTES, ADD_STR, SET_PAIR, CALL, IGNORED };

struct flag {
	const char *name;
	char letter;			/* 0: none */
	enum kind kind;
	const char *key;		/* "Host.X": HostConfig.X, else a member of the body */
	int (*fn)(struct dc_create *x, const char *value, struct err *err);
};

void dc_create_init(struct dc_create *x)
{
	*x = (struct dc_create){ .config = json_object() };
	x->host = json_set(x->config, "HostConfig", json_object());
}

void dc_create_done(struct dc_create *x)
{
	json_free(x->config);
	json_free(x->endpoint);
	free(x->name);
	free(x->network);
	*x = (struct dc_create){ 0 };
}

static json *child(json *o, const char *key, json *(*make)(void))
{
	json *have = json_get(o, key);

	return have ? have : json_set(o, key, make());
}

void dc_add_unique(json *o, const char *list, const char *value)
{
	json *array = child(o, list, json_array);

	json_each(e, array)
		if (streq(e->valuestring, value))
			return;
	json_add_str(array, value);
}

void dc_set_env(struct dc_create *x, const char *pair)
{
	json *old = json_get(x->config, "Env"), *list = json_array();
	size_t name = strcspn(pair, "=") + 1;

	json_each(e, old)
		if (strncmp(e->valuestring, pair, name) != 0)
			json_add_str(list, e->valuestring);
	json_add_str(list, pair);
	json_set(x->config, "Env", list);
}

/* Cuts "key=value"; value NULL without one. Caller frees *ret_key. */
static const char *pair_split(const char *text, char sep, char **ret_key)
{
	const char *at = strchr(text, sep);

	*ret_key = at ? xstrndup(text, (size_t)(at - text)) : xstrdup(text);
	return at ? at + 1 : NULL;
}

/* ---- functions of single flags ------------------------------------------------------------------------------------ */

static int add_env(struct dc_create *x, const char *value, struct err *err)
{
	const char *own = strchr(value, '=') ? NULL : getenv(value);
	autofree char *pair = own ? xasprintf("%s=%s", value, own) : NULL;

	if (pair || strchr(value, '='))
		dc_set_env(x, pair ? pair : value);
	return 0;
}

static int add_label(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *key = NULL;
	const char *text = pair_split(value, '=', &key);

	json_set_str(child(x->config, "Labels", json_object), key, text ? text : "");
	return 0;
}

/* Lines of a file but empty ones and comments. */
static int each_line(struct dc_create *x, const char *path, int (*fn)(struct dc_create *, const char *, struct err *), struct err *err)
{
	auto(buf) struct buf text = BUF_INIT(1 << 20);
	struct str rest, line;
	int r = file_read(path, &text, err);

	for (rest = (struct str){ buf_str(&text), text.len }; r == 0 && str_split(&rest, '\n', &line);) {
		autofree char *s = NULL;

		line = str_trim(line);
		if (!line.len || line.p[0] == '#')
			continue;
		s = xstrndup(line.p, line.len);
		r = fn(x, s, err);
	}
	return r;
}

static int add_env_file(struct dc_create *x, const char *value, struct err *err)
{
	return each_line(x, value, add_env, err);
}

static int add_label_file(struct dc_create *x, const char *value, struct err *err)
{
	return each_line(x, value, add_label, err);
}

static int set_name(struct dc_create *x, const char *value, struct err *err)
{
	free(x->name);
	x->name = xstrdup(value);
	return 0;
}

static int set_entrypoint(struct dc_create *x, const char *value, struct err *err)
{
	return 0; /* the keep-alive script replaces it, as with the CLI */
}

static int set_network(struct dc_create *x, const char *value, struct err *err)
{
	free(x->network);
	x->network = xstrdup(value);
	json_set_str(x->host, "NetworkMode", value);
	return 0;
}

static json *endpoint(struct dc_create *x)
{
	if (!x->endpoint)
		x->endpoint = json_object();
	return x->endpoint;
}

static int add_alias(struct dc_create *x, const char *value, struct err *err)
{
	dc_add_unique(endpoint(x), "Aliases", value);
	return 0;
}

static int set_ip(struct dc_create *x, const char *value, struct err *err)
{
	json_set_str(child(endpoint(x), "IPAMConfig", json_object), "IPv4Address", value);
	return 0;
}

static int add_host(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *name = NULL, *entry = NULL;
	const char *ip = pair_split(value, strchr(value, '=') ? '=' : ':', &name);

	if (!ip || !*ip)
		return err_set(err, -EINVAL, "\"%s\" is not NAME:ADDRESS", value);
	entry = xasprintf("%s:%s", name, ip);
	dc_add_unique(x->host, "ExtraHosts", entry);
	return 0;
}

static int add_device(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *on_host = NULL, *inside = NULL;
	const char *rest = pair_split(value, ':', &on_host), *mode = rest ? pair_split(rest, ':', &inside) : NULL;
	json *d = json_object();

	if (inside && inside[0] != '/') {	/* "/dev/x:rw" */
		mode = rest;
		free(steal(&inside));
	}
	json_set_str(d, "PathOnHost", on_host);
	json_set_str(d, "PathInContainer", inside ? inside : on_host);
	json_set_str(d, "CgroupPermissions", mode ? mode : "rwm");
	json_add(child(x->host, "Devices", json_array), d);
	return 0;
}

static int add_ulimit(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *name = NULL, *soft = NULL;
	const char *limits = pair_split(value, '=', &name), *hard = limits ? pair_split(limits, ':', &soft) : NULL;
	uint64_t s = 0, h = 0;
	json *u;

	if (!soft || num_u64(soft, INT64_MAX, &s) < 0 || num_u64(hard ? hard : soft, INT64_MAX, &h) < 0)
		return err_set(err, -EINVAL, "\"%s\" is not NAME=SOFT[:HARD]", value);
	u = json_add(child(x->host, "Ulimits", json_array), json_object());
	json_set_str(u, "Name", name);
	json_set_int(u, "Soft", (int64_t)s);
	json_set_int(u, "Hard", (int64_t)h);
	return 0;
}

/* "1.5" → 1500000000 */
static int set_cpus(struct dc_create *x, const char *value, struct err *err)
{
	char *end = NULL;
	double v = strtod(value, &end);

	if (end == value || *end || !(v > 0 && v < 1e6))
		return err_set(err, -EINVAL, "\"%s\" is not a number of CPUs", value);
	json_set_int(x->host, "NanoCpus", (int64_t)(v * 1e9 + 0.5));
	return 0;
}

static int add_gpus(struct dc_create *x, const char *value, struct err *err)
{
	uint64_t n = 0;
	bool all = streq(value, "all");
	json *d, *caps;

	if (!all && num_u64(value, 1024, &n) < 0)
		return err_set(err, -EINVAL, "\"%s\" is neither \"all\" nor a number", value);
	d = json_add(child(x->host, "DeviceRequests", json_array), json_object());
	json_set_int(d, "Count", all ? -1 : (int64_t)n);
	caps = json_set(d, "Capabilities", json_array());
	json_add_str(json_add(caps, json_array()), "gpu");
	return 0;
}

static int add_security_seccomp(struct dc_create *x, const char *path, struct err *err)
{
	auto(buf) struct buf text = BUF_INIT(1 << 20);
	autojson json *profile = NULL;
	autofree char *compact = NULL, *opt = NULL;
	int r = file_read(path, &text, err);

	if (r < 0)
		return r;
	profile = json_parse(text.data, text.len, err);
	if (!profile)
		return err_wrap(err, -EINVAL, "%s", path);
	compact = json_text(profile);
	opt = xasprintf("seccomp=%s", compact);
	dc_add_unique(x->host, "SecurityOpt", opt);
	return 0;
}

static int add_security(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *key = NULL, *opt = NULL;
	const char *arg = pair_split(value, strchr(value, '=') ? '=' : ':', &key);

	if (streq(key, "systempaths") && streq(arg, "unconfined")) {
		json_set(x->host, "MaskedPaths", json_array());
		json_set(x->host, "ReadonlyPaths", json_array());
		return 0;
	}
	if (streq(key, "seccomp") && arg && !streq(arg, "unconfined") && !streq(arg, "builtin"))
		return add_security_seccomp(x, arg, err);
	opt = arg ? xasprintf("%s=%s", key, arg) : xstrdup(value);
	dc_add_unique(x->host, "SecurityOpt", opt);
	return 0;
}

static int add_expose(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *key = strchr(value, '/') ? xstrdup(value) : xasprintf("%s/tcp", value);

	json_set(child(x->config, "ExposedPorts", json_object), key, json_object());
	return 0;
}

int dc_publish(struct dc_create *x, const char *spec, struct err *err)
{
	autofree char *all = NULL, *proto = NULL;
	const char *tail = pair_split(spec, '/', &all);
	char *inside = strrchr(all, ':'), *outside = NULL, *ip = NULL;
	json *bindings, *b;
	uint16_t port = 0;

	if (inside) {
		*inside++ = '\0';
		outside = strrchr(all, ':');
		ip = outside ? all : NULL;
		if (outside)
			*outside++ = '\0';
		else
			outside = all;
	} else {
		inside = all;
	}
	if (num_u16(inside, &port) < 0 || !port || (outside && *outside && num_u16(outside, &port) < 0))
		return err_set(err, -EINVAL, "\"%s\" is not [[ADDRESS:]HOST_PORT:]PORT[/PROTOCOL]", spec);
	proto = xasprintf("%s/%s", inside, tail ? tail : "tcp");
	json_set(child(x->config, "ExposedPorts", json_object), proto, json_object());
	bindings = child(x->host, "PortBindings", json_object);
	b = json_object();
	json_set_str(b, "HostIp", ip ? ip : "");
	json_set_str(b, "HostPort", outside ? outside : "");
	for (json *list = bindings->child; list; list = list->next)
		if (streq(list->string, proto))
			return json_add(list, b), 0;
	json_add(json_set(bindings, proto, json_array()), b);
	return 0;
}

/* -v: NAME:DST, PATH:DST[:OPTIONS], or DST alone (an anonymous volume). A relative path is one of this machine. */
static int add_volume(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *source = NULL, *absolute = NULL, *bind = NULL;
	const char *rest = pair_split(value, ':', &source);

	if (!rest) {
		json_set(child(x->config, "Volumes", json_object), value, json_object());
		return 0;
	}
	if (!*rest || *rest == ':')
		return err_set(err, -EINVAL, "\"%s\" has no path in the container", value);
	absolute = source[0] == '.' ? path_absolute(source) : xstrdup(source);
	bind = xasprintf("%s:%s", absolute, rest);
	dc_add_unique(x->host, "Binds", bind);
	return 0;
}

static int add_tmpfs(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *path = NULL;
	const char *options = pair_split(value, ':', &path);

	json_set_str(child(x->host, "Tmpfs", json_object), path, options ? options : "");
	return 0;
}

static int set_restart(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *name = NULL;
	const char *count = pair_split(value, ':', &name);
	json *policy = json_set(x->host, "RestartPolicy", json_object());
	uint64_t n = 0;

	if (count && num_u64(count, INT32_MAX, &n) < 0)
		return err_set(err, -EINVAL, "\"%s\" is not a restart policy", value);
	json_set_str(policy, "Name", name);
	if (count)
		json_set_int(policy, "MaximumRetryCount", (int64_t)n);
	return 0;
}

static int set_log_driver(struct dc_create *x, const char *value, struct err *err)
{
	json_set_str(child(x->host, "LogConfig", json_object), "Type", value);
	return 0;
}

static int add_log_opt(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *key = NULL;
	const char *text = pair_split(value, '=', &key);

	json_set_str(child(child(x->host, "LogConfig", json_object), "Config", json_object), key, text ? text : "");
	return 0;
}

/* ---- the table ---------------------------------------------------------------------------------------------------- */

static const struct flag flags[] = {
	{ "add-host", 0, CALL, NULL, add_host },
	{ "attach", 'a', IGNORED, NULL, NULL },
	{ "cap-add", 0, ADD_STR, "Host.CapAdd", NULL },
	{ "cap-drop", 0, ADD_STR, "Host.CapDrop", NULL },
	{ "cgroup-parent", 0, SET_STR, "Host.CgroupParent", NULL },
	{ "cgroupns", 0, SET_STR, "Host.CgroupnsMode", NULL },
	{ "cpu-shares", 'c', SET_INT, "Host.CpuShares", NULL },
	{ "cpus", 0, CALL, NULL, set_cpus },
	{ "cpuset-cpus", 0, SET_STR, "Host.CpusetCpus", NULL },
	{ "device", 0, CALL, NULL, add_device },
	{ "device-cgroup-rule", 0, ADD_STR, "Host.DeviceCgroupRules", NULL },
	{ "dns", 0, ADD_STR, "Host.Dns", NULL },
	{ "dns-option", 0, ADD_STR, "Host.DnsOptions", NULL },
	{ "dns-search", 0, ADD_STR, "Host.DnsSearch", NULL },
	{ "domainname", 0, SET_STR, "Domainname", NULL },
	{ "entrypoint", 0, CALL, NULL, set_entrypoint },
	{ "env", 'e', CALL, NULL, add_env },
	{ "env-file", 0, CALL, NULL, add_env_file },
	{ "expose", 0, CALL, NULL, add_expose },
	{ "gpus", 0, CALL, NULL, add_gpus },
	{ "group-add", 0, ADD_STR, "Host.GroupAdd", NULL },
	{ "hostname", 'h', SET_STR, "Hostname", NULL },
	{ "init", 0, SET_BOOL, "Host.Init", NULL },
	{ "interactive", 'i', SET_BOOL, "OpenStdin", NULL },
	{ "ip", 0, CALL, NULL, set_ip },
	{ "ipc", 0, SET_STR, "Host.IpcMode", NULL },
	{ "label", 'l', CALL, NULL, add_label },
	{ "label-file", 0, CALL, NULL, add_label_file },
	{ "log-driver", 0, CALL, NULL, set_log_driver },
	{ "log-opt", 0, CALL, NULL, add_log_opt },
	{ "memory", 'm', SET_BYTES, "Host.Memory", NULL },
	{ "memory-swap", 0, SET_BYTES, "Host.MemorySwap", NULL },
	{ "mount", 0, CALL, NULL, dc_add_mount },
	{ "name", 0, CALL, NULL, set_name },
	{ "net", 0, CALL, NULL, set_network },
	{ "net-alias", 0, CALL, NULL, add_alias },
	{ "network", 0, CALL, NULL, set_network },
	{ "network-alias", 0, CALL, NULL, add_alias },
	{ "oom-score-adj", 0, SET_INT, "Host.OomScoreAdj", NULL },
	{ "pid", 0, SET_STR, "Host.PidMode", NULL },
	{ "pids-limit", 0, SET_INT, "Host.PidsLimit", NULL },
	{ "privileged", 0, SET_BOOL, "Host.Privileged", NULL },
	{ "publish", 'p', CALL, NULL, dc_publish },
	{ "publish-all", 'P', SET_BOOL, "Host.PublishAllPorts", NULL },
	{ "read-only", 0, SET_BOOL, "Host.ReadonlyRootfs", NULL },
	{ "restart", 0, CALL, NULL, set_restart },
	{ "rm", 0, SET_BOOL, "Host.AutoRemove", NULL },
	{ "runtime", 0, SET_STR, "Host.Runtime", NULL },
	{ "security-opt", 0, CALL, NULL, add_security },
	{ "shm-size", 0, SET_BYTES, "Host.ShmSize", NULL },
	{ "stop-signal", 0, SET_STR, "StopSignal", NULL },
	{ "stop-timeout", 0, SET_INT, "StopTimeout", NULL },
	{ "sysctl", 0, SET_PAIR, "Host.Sysctls", NULL },
	{ "tmpfs", 0, CALL, NULL, add_tmpfs },
	{ "tty", 't', SET_BOOL, "Tty", NULL },
	{ "ulimit", 0, CALL, NULL, add_ulimit },
	{ "user", 'u', SET_STR, "User", NULL },
	{ "userns", 0, SET_STR, "Host.UsernsMode", NULL },
	{ "uts", 0, SET_STR, "Host.UTSMode", NULL },
	{ "volume", 'v', CALL, NULL, add_volume },
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
		text = pair_split(value, '=', &name);
		json_set_str(child(o, key, json_object), name, text ? text : "");
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
