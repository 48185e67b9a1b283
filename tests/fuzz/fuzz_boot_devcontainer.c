/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/devcontainer_parts.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* runArgs, mounts, metadata and variables of a foreign file, without touching anything. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dc_vars v = { .workspace = "/w", .workspace_folder = "/workspaces/w", .id = "0" };
	struct devcontainer dc = { .file = "f", .workspace = "/w", .workspace_folder = "/workspaces/w", .mount_source = "/w" };
	struct dc_create x;
	autojson json *image = json_object();

	if (memmem(data, size, "-file", 5) || memmem(data, size, "seccomp", 7) ||	/* those read files */
	    yaml_parse("f", data, size, YAML_JSONC | YAML_DUP_OK, &dc.doc, NULL) < 0)
		return 0;
	dc.raw = yaml_to_json(dc.doc.root);
	dc_create_init(&x);
	if (dc_check(&dc.doc, NULL) == 0)
		(void)!dc_container(&dc, &v, image, "i", false, &x, NULL);
	dc_create_done(&x);
	json_free(dc.raw);
	yaml_doc_done(&dc.doc);
	return 0;
}
