/* SPDX-License-Identifier: Apache-2.0 */
/* figures: what the benches measure with: latencies in a histogram (1/16 apart), and what a process has used. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define HISTOGRAM_SLOTS (32 * 16)

struct histogram {
	uint64_t slot[HISTOGRAM_SLOTS], n, max_us;
};

void histogram_add(struct histogram *h, uint64_t us);
uint64_t histogram_at(const struct histogram *h, double share);	/* microseconds that this share stayed below; 0 without any */

uint64_t now_ns(void);
/* Milliseconds of CPU, user and system, that a process had; 0 when there is none. */
uint64_t process_cpu_ms(pid_t pid);

/* key=value among a tool's arguments, or what else holds. Ends the program when the number is none, or above max. */
uint64_t option_number(int argc, char **argv, const char *key, uint64_t otherwise, uint64_t max);
const char *option_text(int argc, char **argv, const char *key, const char *otherwise);
