/* SPDX-License-Identifier: Apache-2.0 */
/* devcontainer_flags: `docker run` flags that are more than one plain value. Each sets its part of the create body. */
#pragma once

#include "boot/devcontainer_parts.h"

/* Member of o, made when it is not there; borrowed. */
json *flag_child(json *o, const char *key, json *(*make)(void));
/* Cuts "key<sep>value": the value, or NULL without a separator. Caller frees *ret_key. */
const char *flag_pair(const char *text, char sep, char **ret_key);

int flag_add_env(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_add_label(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_add_env_file(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_add_label_file(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_set_name(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_set_entrypoint(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_set_network(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_add_alias(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_set_ip(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_add_host(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_add_device(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_add_ulimit(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_set_cpus(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_add_gpus(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_add_security(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_add_expose(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_add_volume(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_add_tmpfs(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_set_restart(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_set_log_driver(struct dc_create *x, const char *value, struct err *err) must_check;
int flag_add_log_opt(struct dc_create *x, const char *value, struct err *err) must_check;
