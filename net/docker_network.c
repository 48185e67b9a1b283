/* SPDX-License-Identifier: Apache-2.0 */
/* Networks and volumes. */
#include <errno.h>

#include "base/mem.h"
#include "net/docker_internal.h"

/* A call on /KIND/NAME…; name is escaped. */
static int object_call(struct docker *d, const char *method, const char *kind, const char *name, const char *suffix,
		       json *body, json **ret, struct err *err)
{
	struct buf b = BUF_INIT(8192);
	int r;

	buf_addf(&b, "/%s/", kind);
	http_escape(&b, name);
	buf_adds(&b, suffix);
	r = docker_call(d, method, buf_str(&b), body, 0, ret, err);
	buf_done(&b);
	return r;
}

static int object_remove(struct docker *d, const char *kind, const char *name, struct err *err)
{
	struct err local = { 0 };
	int r = object_call(d, "DELETE", kind, name, "", NULL, NULL, &local);

	return docker_result(r == -ENOENT ? 0 : r, &local, err);
}

static int object_list(struct docker *d, const char *kind, const struct strv *labels, json **ret, struct err *err)
{
	struct buf b = BUF_INIT(64u << 10);
	int r;

	buf_addf(&b, "/%s", kind);
	docker_label_filter(&b, labels);
	r = docker_call(d, "GET", buf_str(&b), NULL, 0, ret, err);
	buf_done(&b);
	return r;
}

/* Engines tell some harmless ends only by words, under several status codes. */
static bool says(int code, const struct err *err, const char *words)
{
	return code < 0 && code != -ECANCELED && code != -ETIMEDOUT && strstr(err->msg, words);
}

/* ---- networks ---- */

int docker_network_create(struct docker *d, json *config, char **ret_id, struct err *err)
{
	autojson json *answer = NULL;
	int r;

	if (d->minor < 44)
		json_set_bool(config, "CheckDuplicate", true);	/* later engines always check */
	r = docker_call(d, "POST", "/networks/create", config, 0, &answer, err);
	if (r == 0 && ret_id)
		*ret_id = xstrdup(json_str(answer, "Id", ""));
	return r;
}

int docker_network_inspect(struct docker *d, const char *name, json **ret, struct err *err)
{
	return object_call(d, "GET", "networks", name, "", NULL, ret, err);
}

int docker_network_connect(struct docker *d, const char *network, const char *container, json *endpoint, struct err *err)
{
	json *body = json_object();
	struct err local = { 0 };
	int r;

	json_set_str(body, "Container", container);
	if (endpoint)
		json_set(body, "EndpointConfig", endpoint);
	r = object_call(d, "POST", "networks", network, "/connect", body, NULL, &local);
	if (says(r, &local, "already exists in network") || says(r, &local, "already connected"))
		return 0;
	return docker_result(r, &local, err);
}

int docker_network_disconnect(struct docker *d, const char *network, const char *container, struct err *err)
{
	json *body = json_object();
	struct err local = { 0 };
	int r;

	json_set_str(body, "Container", container);
	json_set_bool(body, "Force", true);
	r = object_call(d, "POST", "networks", network, "/disconnect", body, NULL, &local);
	if (r == -ENOENT || says(r, &local, "is not connected"))
		return 0;
	return docker_result(r, &local, err);
}

int docker_network_remove(struct docker *d, const char *name, struct err *err)
{
	return object_remove(d, "networks", name, err);
}

int docker_network_list(struct docker *d, const struct strv *labels, json **ret, struct err *err)
{
	return object_list(d, "networks", labels, ret, err);
}

/* ---- volumes ---- */

int docker_volume_create(struct docker *d, const char *name, json *labels, struct err *err)
{
	json *body = json_object();
	struct err local = { 0 };
	int r;

	json_set_str(body, "Name", name);
	if (labels)
		json_set(body, "Labels", labels);
	r = docker_call(d, "POST", "/volumes/create", body, 0, NULL, &local);
	return docker_result(r == -EEXIST ? 0 : r, &local, err);
}

int docker_volume_remove(struct docker *d, const char *name, struct err *err)
{
	return object_remove(d, "volumes", name, err);
}

int docker_volume_list(struct docker *d, const struct strv *labels, json **ret, struct err *err)
{
	autojson json *answer = NULL;
	int r = object_list(d, "volumes", labels, &answer, err);

	if (r == 0)
		*ret = json_is(answer, "Volumes") ? json_copy(json_get(answer, "Volumes")) : json_array();
	return r;
}
