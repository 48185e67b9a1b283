/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_host: doctor's checks of the machine itself, engine aside. */
#pragma once

#include "base/compiler.h"
#include "base/json.h"
#include "boot/run.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_BAD };

struct doctor {
	struct run *r;
	json *findings;			/* owned */
	unsigned count[DOCTOR_BAD + 1];
	char *data_root;		/* where the engine keeps its data, when that is a folder of this machine; owned */
	bool ours_running;		/* containers of this project exist: ports in use may be theirs */
};

/* fix: what to do, or NULL where nothing is to be done. */
void doctor_report(struct doctor *d, const char *check, enum doctor_level level, const char *fix, const char *fmt, ...)
	printf_like(5, 6);

void doctor_kernel(struct doctor *d);	/* overlay, bridge, packet filter */
void doctor_cgroups(struct doctor *d);
void doctor_limits(struct doctor *d);	/* inotify, open files */
void doctor_memory(struct doctor *d);
void doctor_disk(struct doctor *d);
void doctor_ports(struct doctor *d);	/* those that the config names */
void doctor_dns(struct doctor *d);
void doctor_forward(struct doctor *d);	/* loopback addresses, low ports, hosts file */
