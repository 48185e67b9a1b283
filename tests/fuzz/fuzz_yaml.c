/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read can be written and read again (but for keys longer than YAML allows on one line). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (unsigned flags = 0; flags <= (YAML_JSONC | YAML_DUP_OK); flags++) {
		auto(yaml_doc) struct yaml_doc doc = { 0 };
		struct err err = { 0 };

		if (yaml_parse("f", data, size, flags, &doc, &err) == 0) {
			autojson json *j = yaml_to_json(doc.root);
			auto(buf) struct buf b = BUF_INIT(1 << 22);

			yaml_emit(&b, j);
			yaml_doc_done(&doc);
			if (size < 150 && b.len < 1 << 20)
				assert(yaml_parse("f", b.data, b.len, 0, &doc, &err) == 0);
		}
	}
	return 0;
}
