/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp: the system calls that the agent makes once it serves. Another one fails with ENOSYS, as on a kernel without it, which
 * libraries know how to live with. With AGENT_SECCOMP_TRAP in the environment, as tests have it, it is logged by its number.
 * x86_64 and aarch64. */
#pragma once

#include <stdbool.h>

/* For this process, for good, after PR_SET_NO_NEW_PRIVS. False: not in force. */
bool seccomp_install(void);
/* Not under sanitizers, which need more, nor on other machines. */
bool seccomp_is_meant(void);
