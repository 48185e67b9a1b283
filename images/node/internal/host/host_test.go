// SPDX-License-Identifier: Apache-2.0

package host

import "testing"

func TestCgroupOf(t *testing.T) {
	all := func(string, string) bool { return true }
	own := func(_, path string) bool { return path == "" }
	usual := func(controller, _ string) bool { return controller != "hugetlb" }
	for _, c := range []struct {
		what, self string
		mounted    func(string, string) bool
		want       string
	}{
		{"own group when the whole tree is mounted", "9:name=systemd:/x\n4:memory:/docker/1\n1:cpu:/docker/1\n0::/", all, "/docker/1"},
		{"root when the container's group is what is mounted", "4:memory:/docker/1\n1:cpu:/docker/1", own, "/"},
		{"controllers that are not mounted do not matter", "9:hugetlb:/\n4:memory:/docker/1", usual, "/docker/1"},
		{"root in a cgroup namespace", "4:memory:/\n1:cpu:/", all, "/"},
		{"root when controllers disagree", "4:memory:/docker/1\n1:cpu:/other", all, "/"},
		{"root on cgroup v2", "0::/", all, "/"},
		{"root when nothing is known", "", all, "/"},
	} {
		if got := cgroupOf(c.self, c.mounted); got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
}

func TestHasSysResource(t *testing.T) {
	for status, want := range map[string]bool{
		"CapEff:\t0\nCapBnd:\t000001ffffffffff": true,
		"CapBnd:\t000001fffeffffff":             false,
		"":                                      true,
	} {
		if got := hasSysResource(status); got != want {
			t.Errorf("%q: got %v", status, got)
		}
	}
}
