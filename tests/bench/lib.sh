# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the benches share: a figure is one JSON line.

figure() { # NAME VALUE UNIT GOAL [RATIOS [least|REASON]]: VALUE is good up to GOAL, or (least) from GOAL on
	awk -v n="$1" -v v="$2" -v u="$3" -v g="$4" -v r="${5:-}" -v how="${6:-}" 'BEGIN {
		pass = v != "" && (how == "least" ? v + 0 >= g + 0 : v + 0 <= g + 0)
		printf "{\"name\": \"%s\", \"value\": %s, \"unit\": \"%s\", \"goal\": %s, \"pass\": %s, \"ratios\": {%s}%s}\n",
			n, v == "" ? "null" : v, u, g, pass ? "true" : "false", r,
			v == "" && how != "" ? ", \"reason\": \"" how "\"" : "" }'
}
least() { sort -n | head -n 1; }
