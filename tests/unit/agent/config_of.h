/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration with these networks, for tests of what is pure. */
#pragma once

#include <stdlib.h>

#include "agent/config.h"
#include "base/mem.h"

static inline struct config config_of(const char *pods, const char *services, const char *dns)
{
	autofree char *text = xasprintf("{\"kubeconfig\":\"/k\",\"pod_cidr\":\"%s\",\"service_cidr\":\"%s\",\"dns\":\"%s\"}", pods, services, dns);
	struct config c;

	if (config_parse(text, strlen(text), &c, NULL))
		abort();
	return c;
}

static inline struct config config_dual(void)
{
	return config_of("10.42.0.0/16,fd42::/56", "10.43.0.0/16,fd43::/112", "10.43.0.10");
}
