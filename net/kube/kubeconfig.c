/* SPDX-License-Identifier: Apache-2.0 */
#include "net/kube/kubeconfig.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"
#include "net/kube/lockfile.h"

#define CONFIG_MAX	((size_t)1 << 20)
#define SECRET_MAX	((size_t)256 << 10)	/* a CA bundle, a token */
#define LOCK_WAIT_MS	5000

/* The three lists, and the member of their entries that holds the data. */
static const struct sort {
	const char *list, *member;
} sorts[] = { { "clusters", "cluster" }, { "users", "user" }, { "contexts", "context" } };

static json *entry_find(const json *config, const char *list, const char *name)
{
	if (!name)
		return NULL;
	json_each(e, json_get(config, list))
		if (streq(json_str(e, "name", NULL), name))
			return e;
	return NULL;
}

/* ---- parsing --------------------------------------------------------------------------------------------------------- */

/* As yaml_to_json, but a name or token of digits stays the text it is. */
static json *config_value(const struct yaml *y)
{
	json *j;

	if (y->type == YAML_MAP) {
		j = json_object();
		yaml_each(e, y)
			json_set(j, e->key, streq(e->key, "extensions") ? yaml_to_json(e) : config_value(e));
		return j;
	}
	if (y->type == YAML_SEQ) {
		j = json_array();
		yaml_each(e, y)
			json_add(j, config_value(e));
		return j;
	}
	if (y->type == YAML_INT || y->type == YAML_FLOAT)
		return cJSON_CreateString(y->text);
	return yaml_to_json(y);
}

static int config_check(const char *file, const json *config, struct err *err)
{
	const char *kind = json_str(config, "kind", "Config");

	if (!cJSON_IsObject(config) || !streq(kind, "Config"))
		return err_set(err, -EINVAL, "%s is not a kubeconfig", file);
	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++) {
		const json *list = json_get(config, sorts[i].list);

		if (list && !cJSON_IsNull(list) && !cJSON_IsArray(list))
			return err_set(err, -EINVAL, "%s is not a kubeconfig: its %s are not a list", file, sorts[i].list);
		json_each(e, list)
			if (!json_str(e, "name", NULL))
				return err_set(err, -EINVAL, "%s is not a kubeconfig: one of its %s has no name", file,
					       sorts[i].list);
	}
	return 0;
}

static json *config_read(const char *file, const void *p, size_t n, struct err *err)
{
	const char *text = p;
	struct yaml_doc doc = { 0 };
	autojson json *j = NULL;
	size_t blank = 0;

	while (blank < n && memchr(" \t\r\n", text[blank], 4))
		blank++;
	if (blank < n && text[blank] == '{' && n <= CONFIG_MAX)		/* JSON; else YAML that begins with a brace */
		j = json_parse(p, n, NULL);
	if (!j) {
		if (yaml_parse(file, p, n, 0, &doc, err) < 0)
			return NULL;
		j = doc.root && doc.root->type != YAML_NULL ? config_value(doc.root) : json_object();
		yaml_doc_done(&doc);
	}
	return config_check(file, j, err) < 0 ? NULL : steal(&j);
}

static void path_resolve(json *o, const char *key, const char *dir)
{
	const char *path = json_str(o, key, NULL);
	autofree char *absolute = path && *path ? path_join(dir, path) : NULL;

	json_set_str(o, key, absolute);
}

json *kubeconfig_parse(const char *file, const void *p, size_t n, struct err *err)
{
	autofree char *absolute = path_absolute(file), *dir = path_dirname(absolute);
	json *config = config_read(file, p, n, err);

	json_each(e, json_get(config, "clusters"))
		path_resolve(json_get(e, "cluster"), "certificate-authority", dir);
	json_each(e, json_get(config, "users")) {
		json *user = json_get(e, "user");

		path_resolve(user, "client-certificate", dir);
		path_resolve(user, "client-key", dir);
		path_resolve(user, "tokenFile", dir);
		if (strchr(json_str(user, "exec.command", ""), '/'))	/* else it is looked for in PATH */
			path_resolve(json_get(user, "exec"), "command", dir);
	}
	return config;
}

/* ---- several files --------------------------------------------------------------------------------------------------- */

static void config_merge(json *into, const json *from, bool make_current);

static json *file_parse(const char *file, struct err *err)
{
	auto(buf) struct buf b = BUF_INIT(CONFIG_MAX);
	json *config = NULL;

	if (file_read(file, &b, err) == 0)
		config = kubeconfig_parse(file, buf_str(&b), b.len, err);
	if (b.data)
		explicit_bzero(b.data, b.len);
	return config;
}

/* The last file first: those before it go over it. */
static json *files_merge(const struct strv *files, struct err *err)
{
	json *all = json_object();

	for (size_t i = files->n; i-- > 0;) {
		autojson json *one = file_exists(files->v[i]) ? file_parse(files->v[i], err) : NULL;

		if (!one && file_exists(files->v[i])) {
			json_free(all);
			return NULL;
		}
		if (one)
			config_merge(all, one, *json_str(one, "current-context", "") != '\0');
	}
	return all;
}

json *kubeconfig_load(const char *file, struct err *err)
{
	const char *list = getenv("KUBECONFIG");
	struct str rest = str_from(file ? "" : list ? list : ""), field;
	auto(strv) struct strv files = { 0 };
	bool any = false;

	if (file)
		strv_add(&files, file);
	while (str_split(&rest, ':', &field))
		if (field.len)
			strv_addf(&files, "%.*s", STR_ARG(field));
	if (!files.n)
		strv_take(&files, kubeconfig_path());
	for (size_t i = 0; i < files.n; i++)
		any |= file_exists(files.v[i]);
	if (!any) {
		err_set(err, -ENOPKG, "there is no kubeconfig %s", files.v[0]);
		return NULL;
	}
	return files.n == 1 ? file_parse(files.v[0], err) : files_merge(&files, err);
}

/* ---- endpoint -------------------------------------------------------------------------------------------------------- */

/* PEM text from KEY-data (base64) or the file KEY; nothing set where there is neither. */
static int pem_read(const json *o, const char *key, const char *name, char **ret, struct err *err)
{
	autofree char *data_key = xasprintf("%s-data", key);
	const char *data = json_str(o, data_key, ""), *file = json_str(o, key, "");
	struct buf b = BUF_INIT(SECRET_MAX);
	int r = 0;

	if (*data)
		r = base64_decode(&b, data, strlen(data)) < 0 ? -EINVAL : 0;
	else if (*file)
		r = file_read(file, &b, err);
	else
		return 0;
	if (r == -EINVAL && *data)
		r = err_set(err, -EINVAL, "%s of \"%s\" is not base64", data_key, name);
	else if (r < 0)
		r = err_wrap(err, r, "%s of \"%s\"", key, name);
	else if (!buf_ok(&b) || !strstr(buf_str(&b), "-----BEGIN "))
		r = err_set(err, -EINVAL, "%s of \"%s\" is not in PEM form", *data ? data_key : key, name);
	*ret = buf_steal(&b);
	if (r < 0)
		free_secret(steal(ret));
	return r;
}

/* A token goes into a header line: one line of printable text. */
bool kubeconfig_is_token(const char *s)
{
	for (const char *p = s; *p; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return *s != '\0';
}

static int token_read(const json *user, const char *name, char **ret, struct err *err)
{
	const char *token = json_str(user, "token", ""), *file = json_str(user, "tokenFile", "");
	auto(buf) struct buf b = BUF_INIT(SECRET_MAX);
	struct str text = str_from(token);

	if (*file) {
		int r = file_read(file, &b, err);

		if (r == 0)
			text = str_trim(str_from(buf_str(&b)));
		else if (!*token)
			return err_wrap(err, r, "tokenFile of \"%s\"", name);
	}
	if (!text.len && !*file)
		return 0;
	*ret = xstrndup(text.p, text.len);
	if (b.data)
		explicit_bzero(b.data, b.len);
	if (kubeconfig_is_token(*ret))
		return 0;
	free_secret(steal(ret));
	return err_set(err, -EINVAL, "the token of \"%s\" is not one line of printable characters", name);
}

static int user_refuse(const json *user, const char *name, struct err *err)
{
	static const char other[] = "use a token or a client certificate";

	if (json_is(user, "auth-provider") || json_is(user, "username"))
		return err_set(err, -EINVAL, "user \"%s\" signs in by %s, which Kubernetes has dropped; %s", name,
			       json_is(user, "username") ? "name and password" : "auth-provider", other);
	if (json_is(user, "as"))
		return err_set(err, -EINVAL, "user \"%s\" acts as another one (as), which is not handled yet", name);
	return 0;
}

static int user_read(const json *user, const char *name, struct http_endpoint *e, struct err *err)
{
	int r = user_refuse(user, name, err);

	if (r == 0)
		r = pem_read(user, "client-certificate", name, &e->cert_pem, err);
	if (r == 0)
		r = pem_read(user, "client-key", name, &e->key_pem, err);
	if (r == 0 && !e->cert_pem != !e->key_pem)
		r = err_set(err, -EINVAL, "user \"%s\" has a client %s without its %s", name,
			    e->cert_pem ? "certificate" : "key", e->cert_pem ? "key" : "certificate");
	if (r == 0)
		r = token_read(user, name, &e->bearer, err);
	return r;
}

static int cluster_read(const json *cluster, const char *name, struct http_endpoint *e, struct err *err)
{
	const char *server = json_str(cluster, "server", "");
	size_t n = strlen(server);

	if (!str_starts(server, "https://") && !str_starts(server, "http://"))
		return err_set(err, -EINVAL, "the server of cluster \"%s\" is not an http or https URL: \"%s\"", name,
			       server);
	while (n && server[n - 1] == '/')
		n--;
	e->base = xstrndup(server, n);
	e->server_name = xstrdup(json_str(cluster, "tls-server-name", NULL));
	e->insecure = json_bool(cluster, "insecure-skip-tls-verify", false);
	e->proxy = xstrdup(json_str(cluster, "proxy-url", NULL));
	return pem_read(cluster, "certificate-authority", name, &e->ca_pem, err);
}

static int missing(const json *config, const char *list, const char *what, const char *name, struct err *err)
{
	auto(strv) struct strv names = { 0 };
	autofree char *joined = NULL;
	const char *near;

	json_each(e, json_get(config, list))
		strv_add(&names, json_str(e, "name", ""));
	near = str_nearest(name, (const char *const *)names.v, names.n);
	if (near)
		return err_set(err, -EINVAL, "the kubeconfig has no %s \"%s\"; did you mean \"%s\"?", what, name, near);
	joined = strv_join(&names, ", ");
	return err_set(err, -EINVAL, "the kubeconfig has no %s \"%s\"%s%.300s", what, name, names.n ? "; it has " : "", joined);
}

int kubeconfig_unknown(const json *config, const char *context, struct err *err)
{
	return missing(config, "contexts", "context", context, err);
}

void kubeconfig_user(const json *config, const char *context, struct kubeconfig_user *ret)
{
	const json *entry = entry_find(config, "contexts", context ? context : json_str(config, "current-context", ""));

	ret->name = json_str(entry, "context.user", "");
	ret->user = json_get(entry_find(config, "users", ret->name), "user");
	ret->cluster = json_get(entry_find(config, "clusters", json_str(entry, "context.cluster", "")), "cluster");
}

int kubeconfig_endpoint_exec(const json *config, const char *context, struct http_endpoint *ret, struct err *err)
{
	const char *name = context ? context : json_str(config, "current-context", "");
	const json *entry = entry_find(config, "contexts", name), *cluster, *user;
	const char *cluster_name = json_str(entry, "context.cluster", ""), *user_name = json_str(entry, "context.user", "");
	struct http_endpoint e = { 0 };
	int r;

	if (!*name)
		return err_set(err, -EINVAL, "the kubeconfig has no current context");
	if (!entry)
		return missing(config, "contexts", "context", name, err);
	cluster = entry_find(config, "clusters", cluster_name);
	user = entry_find(config, "users", user_name);
	if (!cluster)
		return missing(config, "clusters", "cluster", cluster_name, err);
	if (!user && *user_name)
		return missing(config, "users", "user", user_name, err);
	r = cluster_read(json_get(cluster, "cluster"), cluster_name, &e, err);
	if (r == 0)
		r = user_read(json_get(user, "user"), user_name, &e, err);
	if (r < 0)
		http_endpoint_done(&e);
	else
		*ret = e;
	return r;
}

int kubeconfig_endpoint(const json *config, const char *context, struct http_endpoint *ret, struct err *err)
{
	struct kubeconfig_user u;

	kubeconfig_user(config, context, &u);
	if (json_is(u.user, "exec"))
		return err_set(err, -EINVAL, "user \"%s\" signs in through the program %s (exec), which is not run here; use a token or a client "
			       "certificate", u.name, json_str(u.user, "exec.command", "?"));
	return kubeconfig_endpoint_exec(config, context, ret, err);
}

/* ---- making and changing --------------------------------------------------------------------------------------------- */

static json *config_new(void)
{
	json *config = json_object();

	json_set_str(config, "apiVersion", "v1");
	json_set_str(config, "kind", "Config");
	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
		json_set(config, sorts[i].list, json_array());
	return config;
}

static void entry_put(json *config, const struct sort *sort, const char *name, json *data)
{
	json *list = json_get(config, sort->list), *entry = entry_find(config, sort->list, name);

	if (!cJSON_IsArray(list))
		list = json_set(config, sort->list, json_array());
	if (!entry) {
		entry = json_add(list, json_object());
		json_set_str(entry, "name", name);
	}
	json_set(entry, sort->member, data);
}

json *kubeconfig_rename(const json *config, const char *cluster, const char *user, const char *context, const char *server,
			struct err *err)
{
	const char *const names[] = { cluster, user, context };
	json *ret = config_new();

	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++) {
		const json *data = json_get(entry_find(config, sorts[i].list, "default"), sorts[i].member);

		if (!data) {
			(void)missing(config, sorts[i].list, sorts[i].member, "default", err);
			json_free(ret);
			return NULL;
		}
		entry_put(ret, &sorts[i], names[i], json_copy(data));
	}
	json_set_str(json_get(ret, "clusters[0].cluster"), "server", server);
	json_set_str(json_get(ret, "contexts[0].context"), "cluster", cluster);
	json_set_str(json_get(ret, "contexts[0].context"), "user", user);
	json_set_str(ret, "current-context", context);
	return ret;
}

char *kubeconfig_text(const json *config)
{
	struct buf b = BUF_INIT(CONFIG_MAX);

	yaml_emit(&b, config);
	if (!buf_ok(&b)) {
		buf_done(&b);
		return NULL;
	}
	return buf_steal(&b);
}

/* What file holds, as it is written there; *ret NULL when it does not exist. */
static int file_load(const char *file, json **ret, struct err *err)
{
	auto(buf) struct buf b = BUF_INIT(CONFIG_MAX);
	int r = file_read(file, &b, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	*ret = config_read(file, buf_str(&b), b.len, err);
	return *ret ? 0 : -EINVAL;
}

static int file_save(const char *file, const json *config, struct err *err)
{
	autofree char *text = kubeconfig_text(config);
	struct stat st;
	mode_t mode = stat(file, &st) == 0 ? st.st_mode & 07777 : 0600;

	if (!text)
		return err_set(err, -EFBIG, "%s would become larger than %zu bytes", file, CONFIG_MAX);
	return file_write(file, text, strlen(text), mode, err);
}

static void config_merge(json *into, const json *from, bool make_current)
{
	const char *current = json_str(from, "current-context", json_str(from, "contexts[0].name", NULL));

	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
		json_each(e, json_get(from, sorts[i].list)) {
			const json *data = json_get(e, sorts[i].member);

			entry_put(into, &sorts[i], json_str(e, "name", ""), data ? json_copy(data) : json_object());
		}
	if (make_current || !*json_str(into, "current-context", ""))
		json_set_str(into, "current-context", current);
}

int kubeconfig_merge(const char *file, const json *config, bool make_current, struct err *err)
{
	autofree char *dir = path_dirname(file);
	auto(lockfile) struct lockfile lock = { .fd = -1 };
	autojson json *old = NULL;
	int r = file_mkdirs(dir, 0700, err);

	if (r == 0)
		r = lockfile_take(file, loop_deadline(LOCK_WAIT_MS), &lock, err);
	if (r == 0)
		r = file_load(file, &old, err);
	if (r < 0)
		return r;
	if (!old || !old->child) {
		json_free(old);
		old = config_new();
	}
	config_merge(old, config, make_current);
	return file_save(file, old, err);
}

static bool entry_drop(json *config, const char *list, const char *name)
{
	json *left;

	if (!entry_find(config, list, name))
		return false;
	left = json_array();
	json_each(e, json_get(config, list))
		if (!streq(json_str(e, "name", NULL), name))
			json_add(left, json_copy(e));
	json_set(config, list, left);
	return true;
}

int kubeconfig_remove(const char *file, const char *cluster, const char *user, const char *context, struct err *err)
{
	const char *const names[] = { cluster, user, context };
	auto(lockfile) struct lockfile lock = { .fd = -1 };
	autojson json *config = NULL;
	bool changed = false;
	int r;

	if (!file_exists(file))
		return 0;
	r = lockfile_take(file, loop_deadline(LOCK_WAIT_MS), &lock, err);
	if (r == 0)
		r = file_load(file, &config, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
		changed |= entry_drop(config, sorts[i].list, names[i]);
	if (context && streq(json_str(config, "current-context", ""), context)) {
		json_set_str(config, "current-context", "");
		changed = true;
	}
	return changed ? file_save(file, config, err) : 0;
}

char *kubeconfig_path(void)
{
	const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");
	struct str rest = str_from(list ? list : ""), file;

	while (str_split(&rest, ':', &file))
		if (file.len)
			return xstrndup(file.p, file.len);
	return xasprintf("%s/.kube/config", home && *home ? home : "/root");
}
