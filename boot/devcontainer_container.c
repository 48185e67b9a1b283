/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/file.h"
#include "base/mem.h"
#include "boot/devcontainer_parts.h"

/* How it works: what the devcontainer CLI would pass to `docker run`, in its order (later ones win): ports, workspace, mounts,
 * environment, user, runArgs, then the flags of merged properties, labels, and the keep-alive script as command. */

static int apply_flag(struct dc_create *x, const char *flag, const char *value, const char *file, struct err *err)
{
	autojson json *args = json_array();

	json_add_str(args, flag);
	json_add_str(args, value);
	return dc_run_args(x, args, NULL, file, err);
}

/* Every string of a property's lists, over all entries. */
static int apply_each(struct dc_create *x, const json *entries, const char *key, const char *flag, const char *file, struct err *err)
{
	int r = 0;

	json_each(entry, entries)
		json_each(e, json_get(entry, key))
			if (r == 0 && e->valuestring)
				r = apply_flag(x, flag, e->valuestring, file, err);
	return r;
}

static bool any_true(const json *entries, const char *key)
{
	json_each(e, entries)
		if (json_bool(e, key, false))
			return true;
	return false;
}

/* A scalar as text; caller owns. */
static char *scalar_text(const json *j)
{
	return j->valuestring ? xstrdup(j->valuestring) : json_text(j);
}

/* A number is published on loopback only. */
static int add_app_port(struct dc_create *x, const json *port, struct err *err)
{
	autofree char *text = port->valuestring ? xstrdup(port->valuestring)
						: xasprintf("127.0.0.1:%d:%d", port->valueint, port->valueint);
	int r = dc_publish(x, text, err);

	return r < 0 ? err_wrap(err, r, "appPort") : 0;
}

static int add_app_ports(struct dc_create *x, const json *ports, struct err *err)
{
	int r = 0;

	if (ports && !cJSON_IsArray(ports))
		return add_app_port(x, ports, err);
	for (const json *p = ports ? ports->child : NULL; p && r == 0; p = p->next)
		r = add_app_port(x, p, err);
	return r;
}

static void csv_quote(struct buf *b, const char *key, const char *value)
{
	buf_addf(b, "%s\"%s=", b->len ? "," : "", key);
	for (; *value; value++)
		buf_addf(b, *value == '"' ? "\"%c" : "%c", *value);
	buf_addc(b, '"');
}

static int add_mount_parts(struct dc_create *x, const char *type, const char *source, const char *target, struct err *err)
{
	auto(buf) struct buf b = BUF_INIT(1 << 16);

	csv_quote(&b, "type", type);
	if (source)
		csv_quote(&b, "source", source);
	csv_quote(&b, "target", target);
	return dc_add_mount(x, buf_str(&b), err);
}

static int add_workspace(struct dc_create *x, const struct devcontainer *dc, const struct dc_vars *v, struct err *err)
{
	const char *own = json_str(dc->raw, "workspaceMount", NULL);
	autofree char *text = own ? dc_subst(v, own) : NULL, *target = NULL;
	int r;

	if (own) {
		r = *text ? dc_add_mount(x, text, err) : 0;
		return r < 0 ? err_wrap(err, r, "workspaceMount") : 0;
	}
	target = xasprintf("/workspaces/%s", path_basename(dc->mount_source));
	return add_mount_parts(x, "bind", dc->mount_source, target, err);
}

static int add_mounts(struct dc_create *x, const json *entries, struct err *err)
{
	int r = 0;

	json_each(entry, entries) {
		json_each(m, json_get(entry, "mounts")) {
			if (r == 0 && m->valuestring)
				r = dc_add_mount(x, m->valuestring, err);
			else if (r == 0)
				r = add_mount_parts(x, json_str(m, "type", "volume"), json_str(m, "source", NULL),
						    json_str(m, "target", ""), err);
		}
	}
	return r < 0 ? err_wrap(err, r, "mounts") : 0;
}

static void add_container_env(struct dc_create *x, const json *entries)
{
	json_each(entry, entries) {
		json_each(e, json_get(entry, "containerEnv")) {
			autofree char *value = scalar_text(e), *pair = xasprintf("%s=%s", e->string, value);

			dc_set_env(x, pair);
		}
	}
}

/* What the CLI runs as PID 1's script: entrypoints of features, then given arguments, else it stays and lets SIGTERM work. */
static char *keep_alive(const json *entries)
{
	auto(buf) struct buf b = BUF_INIT(1 << 20);

	buf_adds(&b, "echo Container started\ntrap \"exit 0\" 15\n");
	json_each(entry, entries)
		if (json_str(entry, "entrypoint", NULL))
			buf_addf(&b, "%s\n", json_str(entry, "entrypoint", NULL));
	if (str_ends(buf_str(&b), " 15\n"))
		buf_addc(&b, '\n');
	buf_adds(&b, "exec \"$@\"\nwhile sleep 1 & wait $!; do :; done");
	return xstrdup(buf_str(&b));
}

static void set_command(struct dc_create *x, const json *entries, const json *image)
{
	json *entry = json_array(), *cmd = json_array();
	autofree char *script = keep_alive(entries);
	const json *override = dc_last(entries, "overrideCommand");

	json_add_str(entry, "/bin/sh");
	json_add_str(cmd, "-c");
	json_add_str(cmd, script);
	json_add_str(cmd, "-");
	if (override && !cJSON_IsTrue(override)) {
		json_each(e, json_get(image, "Config.Entrypoint"))
			json_add_str(cmd, e->valuestring);
		json_each(e, json_get(image, "Config.Cmd"))
			json_add_str(cmd, e->valuestring);
	}
	json_set(x->config, "Entrypoint", entry);
	json_set(x->config, "Cmd", cmd);
}

static void set_labels(struct dc_create *x, const struct devcontainer *dc, const json *entries_raw)
{
	json *labels = json_get(x->config, "Labels");
	autofree char *metadata = json_text(entries_raw);

	if (!labels)
		labels = json_set(x->config, "Labels", json_object());
	json_set_str(labels, DC_LABEL_FOLDER, dc->workspace);
	json_set_str(labels, DC_LABEL_FILE, dc->file);
	json_set_str(labels, DC_LABEL_METADATA, metadata);
}

static void set_podman(struct dc_create *x, const json *entries)
{
	const json *user = dc_last(entries, "remoteUser");

	dc_add_unique(x->host, "SecurityOpt", "label=disable");
	if (user && user->valuestring && !streq(user->valuestring, "root"))
		json_set_str(x->host, "UsernsMode", "keep-id");
}

static void set_network(struct dc_create *x)
{
	if (x->network && x->endpoint) {
		json *all = json_set(json_set(x->config, "NetworkingConfig", json_object()), "EndpointsConfig", json_object());

		json_set(all, x->network, steal(&x->endpoint));
	}
}

int dc_container(const struct devcontainer *dc, const struct dc_vars *v, const json *image, const char *image_ref, bool podman,
		 struct dc_create *ret, struct err *err)
{
	autojson json *raw = dc_metadata(json_str(image, "Config.Labels['" DC_LABEL_METADATA "']", NULL)), *entries = NULL;
	autojson json *ports = dc_subst_json(v, json_get(dc->raw, "appPort")), *args = dc_subst_json(v, json_get(dc->raw, "runArgs"));
	const json *user;
	int r;

	json_add(raw, dc_pick(dc->raw));
	entries = dc_subst_json(v, raw);
	user = dc_last(entries, "containerUser");
	json_set_str(ret->config, "Image", image_ref);
	r = add_app_ports(ret, ports, err);
	if (r == 0)
		r = add_workspace(ret, dc, v, err);
	if (r == 0)
		r = add_mounts(ret, entries, err);
	if (r < 0)
		return err_wrap(err, r, "%s", dc->file);
	add_container_env(ret, entries);
	json_set_str(ret->config, "User", user ? user->valuestring : NULL);
	if (podman)
		set_podman(ret, entries);
	r = dc_run_args(ret, args, yaml_get(dc->doc.root, "runArgs"), dc->file, err);
	if (r == 0)
		r = apply_each(ret, entries, "capAdd", "--cap-add", dc->file, err);
	if (r == 0)
		r = apply_each(ret, entries, "securityOpt", "--security-opt", dc->file, err);
	if (any_true(entries, "init"))
		json_set_bool(ret->host, "Init", true);
	if (any_true(entries, "privileged"))
		json_set_bool(ret->host, "Privileged", true);
	set_labels(ret, dc, raw);
	set_command(ret, entries, image);
	set_network(ret);
	return r;
}

/* ---- proxies ------------------------------------------------------------------------------------------------------ */

void dc_add_proxies(struct dc_create *x, const json *docker_config, const char *host)
{
	static const char *const keys[][3] = {
		{ "httpProxy", "HTTP_PROXY", "http_proxy" },   { "httpsProxy", "HTTPS_PROXY", "https_proxy" },
		{ "ftpProxy", "FTP_PROXY", "ftp_proxy" },      { "noProxy", "NO_PROXY", "no_proxy" },
		{ "allProxy", "ALL_PROXY", "all_proxy" },
	};
	const json *all = json_get(docker_config, "proxies"), *of = NULL;

	json_each(e, all)
		if (streq(e->string, host) || (!of && streq(e->string, "default")))
			of = e;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *value = json_str(of, keys[i][0], NULL);

		for (int k = 1; value && k <= 2; k++) {
			autofree char *pair = xasprintf("%s=%s", keys[i][k], value), *name = xasprintf("%s=", keys[i][k]);
			bool have = false;

			json_each(e, json_get(x->config, "Env"))
				have = have || str_starts(e->valuestring, name);
			if (!have)
				dc_set_env(x, pair);
		}
	}
}

/* ---- ourselves ---------------------------------------------------------------------------------------------------- */

/* 64 hex digits between slashes; NULL. */
static const char *find_id(const char *path, size_t len)
{
	struct str rest = { path, len }, part;

	while (str_split(&rest, '/', &part))
		if (part.len == 64 && strspn(part.p, "0123456789abcdef") == 64)
			return part.p;
	return NULL;
}

/* The engine mounts hostname, hosts and resolv.conf out of the container's own folder, which is named by its id. */
char *dc_own_id(const char *mountinfo)
{
	static const char *const files[] = { "/etc/hostname", "/etc/hosts", "/etc/resolv.conf" };
	struct str rest = str_from(mountinfo), line, field;

	while (str_split(&rest, '\n', &line)) {
		struct str root = { "", 0 };

		for (int i = 0; i < 5 && str_split(&line, ' ', &field); i++) {
			const char *id;

			if (i == 3)
				root = field;
			if (i != 4)
				continue;
			for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
				id = str_eq(field, files[k]) ? find_id(root.p, root.len) : NULL;
				if (id)
					return xstrndup(id, 64);
			}
		}
	}
	return NULL;
}
