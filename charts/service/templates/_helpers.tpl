{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{- define "service.name" -}}
{{ .Values.name | default .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What never changes in a release: also the selector. */}}
{{- define "service.selector" -}}
app.kubernetes.io/name: {{ include "service.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "service.labels" -}}
{{ include "service.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: firestream
{{- end }}

{{- define "service.portName" -}}
{{ .name | default (printf "port-%d" (int .port)) }}
{{- end }}

{{/* A scalar as text; helm reads all numbers as floats, and would write large ones with an exponent. */}}
{{- define "service.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{/* The number in the container of the first TCP port; empty when there is none. */}}
{{- define "service.probePort" -}}
{{- range .Values.ports }}
{{- if eq (.protocol | default "TCP") "TCP" }}
{{- int (.targetPort | default .port) }}
{{- break }}
{{- end }}
{{- end }}
{{- end }}

{{/* The readiness probe: the one given, or a connection to the first TCP port. */}}
{{- define "service.probe" -}}
{{- $probe := omit .Values.probe "enabled" }}
{{- $port := include "service.probePort" . }}
{{- $own := or (hasKey $probe "httpGet") (hasKey $probe "tcpSocket") (hasKey $probe "exec") (hasKey $probe "grpc") }}
{{- if and .Values.probe.enabled (or $own $port) }}
{{- if not $own }}
{{- $probe = set $probe "tcpSocket" (dict "port" (int $port)) }}
{{- end }}
{{- toYaml $probe }}
{{- end }}
{{- end }}
