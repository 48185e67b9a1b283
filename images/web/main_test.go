// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t *testing.T, accept string) *httptest.ResponseRecorder {
	t.Helper()
	env := map[string]string{"SERVICE_NAME": "web", "POD_NAMESPACE": "default", "POD_NAME": "web-1", "NODE_NAME": "<n>"}
	r := httptest.NewRequest(http.MethodGet, "/path", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	handler(facts(func(k string) string { return env[k] })).ServeHTTP(w, r)
	return w
}

func TestText(t *testing.T) {
	body := get(t, "*/*").Body.String()
	for _, line := range []string{"Service: web\n", "Pod: web-1\n", "Node: <n>\n", "Namespace: default\n", "Request: GET /path\n"} {
		if !strings.Contains(body, line) {
			t.Errorf("lacks %q: %s", line, body)
		}
	}
}

func TestHTMLIsEscaped(t *testing.T) {
	w := get(t, "text/html,*/*")
	if body := w.Body.String(); !strings.Contains(body, "<h1>web</h1>") || !strings.Contains(body, "&lt;n&gt;") {
		t.Errorf("unexpected page: %s", body)
	}
}
