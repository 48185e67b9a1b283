/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/devcontainer_flags.h"

#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"

/* The docker command line does some of this on the client's side, so we do too (seccomp files, relative paths, environment files). */

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

json *flag_child(json *o, const char *key, json *(*make)(void))
{
	json *have = json_get(o, key);

	return have ? have : json_set(o, key, make());
}

void dc_add_unique(json *o, const char *list, const char *value)
{
	json *array = flag_child(o, list, json_array);

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
const char *flag_pair(const char *text, char sep, char **ret_key)
{
	const char *at = strchr(text, sep);

	*ret_key = at ? xstrndup(text, (size_t)(at - text)) : xstrdup(text);
	return at ? at + 1 : NULL;
}

/* ---- functions of single flags ------------------------------------------------------------------------------------ */

int flag_add_env(struct dc_create *x, const char *value, struct err *err)
{
	const char *own = strchr(value, '=') ? NULL : getenv(value);
	autofree char *pair = own ? xasprintf("%s=%s", value, own) : NULL;

	if (pair || strchr(value, '='))
		dc_set_env(x, pair ? pair : value);
	return 0;
}

int flag_add_label(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *key = NULL;
	const char *text = flag_pair(value, '=', &key);

	json_set_str(flag_child(x->config, "Labels", json_object), key, text ? text : "");
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

int flag_add_env_file(struct dc_create *x, const char *value, struct err *err)
{
	return each_line(x, value, flag_add_env, err);
}

int flag_add_label_file(struct dc_create *x, const char *value, struct err *err)
{
	return each_line(x, value, flag_add_label, err);
}

int flag_set_name(struct dc_create *x, const char *value, struct err *err)
{
	free(x->name);
	x->name = xstrdup(value);
	return 0;
}

int flag_set_entrypoint(struct dc_create *x, const char *value, struct err *err)
{
	return 0; /* the keep-alive script replaces it, as with the CLI */
}

int flag_set_network(struct dc_create *x, const char *value, struct err *err)
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

int flag_add_alias(struct dc_create *x, const char *value, struct err *err)
{
	dc_add_unique(endpoint(x), "Aliases", value);
	return 0;
}

int flag_set_ip(struct dc_create *x, const char *value, struct err *err)
{
	json_set_str(flag_child(endpoint(x), "IPAMConfig", json_object), "IPv4Address", value);
	return 0;
}

int flag_add_host(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *name = NULL, *entry = NULL;
	const char *ip = flag_pair(value, strchr(value, '=') ? '=' : ':', &name);

	if (!ip || !*ip)
		return err_set(err, -EINVAL, "\"%s\" is not NAME:ADDRESS", value);
	entry = xasprintf("%s:%s", name, ip);
	dc_add_unique(x->host, "ExtraHosts", entry);
	return 0;
}

int flag_add_device(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *on_host = NULL, *inside = NULL;
	const char *rest = flag_pair(value, ':', &on_host), *mode = rest ? flag_pair(rest, ':', &inside) : NULL;
	json *d = json_object();

	if (inside && inside[0] != '/') {	/* "/dev/x:rw" */
		mode = rest;
		free(steal(&inside));
	}
	json_set_str(d, "PathOnHost", on_host);
	json_set_str(d, "PathInContainer", inside ? inside : on_host);
	json_set_str(d, "CgroupPermissions", mode ? mode : "rwm");
	json_add(flag_child(x->host, "Devices", json_array), d);
	return 0;
}

int flag_add_ulimit(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *name = NULL, *soft = NULL;
	const char *limits = flag_pair(value, '=', &name), *hard = limits ? flag_pair(limits, ':', &soft) : NULL;
	uint64_t s = 0, h = 0;
	json *u;

	if (!soft || num_u64(soft, INT64_MAX, &s) < 0 || num_u64(hard ? hard : soft, INT64_MAX, &h) < 0)
		return err_set(err, -EINVAL, "\"%s\" is not NAME=SOFT[:HARD]", value);
	u = json_add(flag_child(x->host, "Ulimits", json_array), json_object());
	json_set_str(u, "Name", name);
	json_set_int(u, "Soft", (int64_t)s);
	json_set_int(u, "Hard", (int64_t)h);
	return 0;
}

/* "1.5" → 1500000000 */
int flag_set_cpus(struct dc_create *x, const char *value, struct err *err)
{
	char *end = NULL;
	double v = strtod(value, &end);

	if (end == value || *end || !(v > 0 && v < 1e6))
		return err_set(err, -EINVAL, "\"%s\" is not a number of CPUs", value);
	json_set_int(x->host, "NanoCpus", (int64_t)(v * 1e9 + 0.5));
	return 0;
}

int flag_add_gpus(struct dc_create *x, const char *value, struct err *err)
{
	uint64_t n = 0;
	bool all = streq(value, "all");
	json *d, *caps;

	if (!all && num_u64(value, 1024, &n) < 0)
		return err_set(err, -EINVAL, "\"%s\" is neither \"all\" nor a number", value);
	d = json_add(flag_child(x->host, "DeviceRequests", json_array), json_object());
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

int flag_add_security(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *key = NULL, *opt = NULL;
	const char *arg = flag_pair(value, strchr(value, '=') ? '=' : ':', &key);

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

int flag_add_expose(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *key = strchr(value, '/') ? xstrdup(value) : xasprintf("%s/tcp", value);

	json_set(flag_child(x->config, "ExposedPorts", json_object), key, json_object());
	return 0;
}

int dc_publish(struct dc_create *x, const char *spec, struct err *err)
{
	autofree char *all = NULL, *proto = NULL;
	const char *tail = flag_pair(spec, '/', &all);
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
	json_set(flag_child(x->config, "ExposedPorts", json_object), proto, json_object());
	bindings = flag_child(x->host, "PortBindings", json_object);
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
int flag_add_volume(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *source = NULL, *absolute = NULL, *bind = NULL;
	const char *rest = flag_pair(value, ':', &source);

	if (!rest) {
		json_set(flag_child(x->config, "Volumes", json_object), value, json_object());
		return 0;
	}
	if (!*rest || *rest == ':')
		return err_set(err, -EINVAL, "\"%s\" has no path in the container", value);
	absolute = source[0] == '.' ? path_absolute(source) : xstrdup(source);
	bind = xasprintf("%s:%s", absolute, rest);
	dc_add_unique(x->host, "Binds", bind);
	return 0;
}

int flag_add_tmpfs(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *path = NULL;
	const char *options = flag_pair(value, ':', &path);

	json_set_str(flag_child(x->host, "Tmpfs", json_object), path, options ? options : "");
	return 0;
}

int flag_set_restart(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *name = NULL;
	const char *count = flag_pair(value, ':', &name);
	json *policy = json_set(x->host, "RestartPolicy", json_object());
	uint64_t n = 0;

	if (count && num_u64(count, INT32_MAX, &n) < 0)
		return err_set(err, -EINVAL, "\"%s\" is not a restart policy", value);
	json_set_str(policy, "Name", name);
	if (count)
		json_set_int(policy, "MaximumRetryCount", (int64_t)n);
	return 0;
}

int flag_set_log_driver(struct dc_create *x, const char *value, struct err *err)
{
	json_set_str(flag_child(x->host, "LogConfig", json_object), "Type", value);
	return 0;
}

int flag_add_log_opt(struct dc_create *x, const char *value, struct err *err)
{
	autofree char *key = NULL;
	const char *text = flag_pair(value, '=', &key);

	json_set_str(flag_child(flag_child(x->host, "LogConfig", json_object), "Config", json_object), key, text ? text : "");
	return 0;
}
