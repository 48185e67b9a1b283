/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "boot/devcontainer_parts.h"

/* How it works: one pass over "${…}", shortest match, as the CLI's regular expression has it. The body is cut at every ':',
 * so that a default ends at the next colon. */

#define VALUE_MAX (1u << 20)

void devcontainer_id(const char *workspace, const char *file, char ret[static 53])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	auto(buf) struct buf b = BUF_INIT(1 << 16);
	struct hash *h = hash_new();
	uint8_t raw[32];

	buf_adds(&b, "{\"" DC_LABEL_FILE "\":");
	json_quote(&b, file);
	buf_adds(&b, ",\"" DC_LABEL_FOLDER "\":");
	json_quote(&b, workspace);
	buf_addc(&b, '}');
	hash_add(h, buf_str(&b), b.len);
	hash_raw(h, raw);
	for (unsigned i = 0; i < 52; i++) {
		unsigned bit = i * 5, byte = 31 - bit / 8, v = raw[byte];

		if (byte > 0)
			v |= (unsigned)raw[byte - 1] << 8;
		ret[51 - i] = digits[(v >> (bit % 8)) & 31];
	}
	ret[52] = '\0';
}

/* Value of NAME in a list of "NAME=value", borrowed. */
static const char *pair_value(const char *pair, const char *name)
{
	size_t n = strlen(name);

	return strncmp(pair, name, n) == 0 && pair[n] == '=' ? pair + n + 1 : NULL;
}

static const char *local_env(const struct dc_vars *v, const char *name)
{
	for (size_t i = 0; v->env && i < v->env->n; i++) {
		const char *value = pair_value(v->env->v[i], name);

		if (value)
			return value;
	}
	return getenv(name);
}

static const char *container_env(const struct dc_vars *v, const char *name)
{
	json_each(e, v->container_env) {
		const char *value = e->valuestring ? pair_value(e->valuestring, name) : NULL;

		if (value)
			return value;
	}
	return NULL;
}

/* Value of the variable, borrowed; NULL: it stays as it is written. */
static const char *var_value(const struct dc_vars *v, const char *kind, const char *arg, const char *def)
{
	const char *value;

	if (streq(kind, "localEnv") || streq(kind, "env")) {
		value = arg ? local_env(v, arg) : NULL;
		return !arg ? NULL : value ? value : def ? def : "";
	}
	if (streq(kind, "containerEnv")) {
		value = arg && v->container_env ? container_env(v, arg) : NULL;
		return !arg || !v->container_env ? NULL : value ? value : def ? def : "";
	}
	if (streq(kind, "localWorkspaceFolder"))
		return v->workspace;
	if (streq(kind, "localWorkspaceFolderBasename"))
		return path_basename(v->workspace);
	if (streq(kind, "containerWorkspaceFolder"))
		return v->workspace_folder;
	if (streq(kind, "containerWorkspaceFolderBasename"))
		return v->workspace_folder ? path_basename(v->workspace_folder) : NULL;
	return streq(kind, "devcontainerId") ? v->id : NULL;
}

/* body: what stands between the braces. */
static bool subst_one(const struct dc_vars *v, struct buf *out, struct str body)
{
	struct strv fields = { 0 };
	struct str rest = body, field;
	const char *value;

	while (str_split(&rest, ':', &field))
		strv_take(&fields, xstrndup(field.p, field.len));
	value = fields.n ? var_value(v, fields.v[0], fields.n > 1 ? fields.v[1] : NULL, fields.n > 2 ? fields.v[2] : NULL) : NULL;
	if (value)
		buf_adds(out, value);
	strv_done(&fields);
	return value != NULL;
}

char *dc_subst(const struct dc_vars *v, const char *text)
{
	auto(buf) struct buf out = BUF_INIT(VALUE_MAX);

	while (*text) {
		const char *open = strstr(text, "${"), *close = open ? strchr(open, '}') : NULL;

		if (!close) {
			buf_adds(&out, text);
			break;
		}
		buf_add(&out, text, (size_t)(open - text));
		if (!subst_one(v, &out, (struct str){ open + 2, (size_t)(close - open - 2) }))
			buf_add(&out, open, (size_t)(close + 1 - open));
		text = close + 1;
	}
	return xstrdup(buf_str(&out));
}

static void subst_strings(const struct dc_vars *v, json *j)
{
	if (cJSON_IsString(j)) {
		autofree char *value = dc_subst(v, j->valuestring);

		cJSON_SetValuestring(j, value);
	}
	json_each(e, j)
		subst_strings(v, e);
}

json *dc_subst_json(const struct dc_vars *v, const json *j)
{
	json *copy = json_copy(j);

	subst_strings(v, copy);
	return copy;
}

/* ---- metadata ----------------------------------------------------------------------------------------------------- */

json *dc_pick(const json *raw)
{
	static const char *const keys[] = {
		"onCreateCommand", "updateContentCommand", "postCreateCommand", "postStartCommand", "postAttachCommand", "waitFor",
		"customizations", "mounts", "containerEnv", "containerUser", "init", "privileged", "capAdd", "securityOpt", "remoteUser",
		"userEnvProbe", "remoteEnv", "overrideCommand", "portsAttributes", "otherPortsAttributes", "forwardPorts", "shutdownAction",
		"updateRemoteUserUID", "hostRequirements",
	};
	json *o = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const json *value = json_get(raw, keys[i]);

		if (value)
			json_set(o, keys[i], json_copy(value));
	}
	return o;
}

json *dc_metadata(const char *label)
{
	json *list = json_array(), *j = label ? json_parse(label, strlen(label), NULL) : NULL;

	if (cJSON_IsArray(j)) {
		json_free(list);
		return j;
	}
	if (cJSON_IsObject(j))
		json_add(list, steal(&j));
	json_free(j);
	return list;
}

const json *dc_last(const json *entries, const char *key)
{
	const json *last = NULL;

	json_each(e, entries) {
		const json *value = json_get(e, key);

		if (value && !cJSON_IsNull(value))
			last = value;
	}
	return last;
}
