/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp: the system calls that the agent makes once it serves. Another one fails with EPERM and is logged by its number, as it
 * is a bug of ours or the work of an intruder. x86_64 and aarch64. */
#pragma once

#include <stdbool.h>

/* For this process, for good, after PR_SET_NO_NEW_PRIVS. False: not in force. */
bool seccomp_install(void);
/* Not under sanitizers, which need more, nor on other machines. */
bool seccomp_is_meant(void);
