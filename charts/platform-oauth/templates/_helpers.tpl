{{/* Prefix of all objects' names, short enough to append "-authorize" and "-migrate". */}}
{{- define "platform.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The labels that select a component's pods; they never change. (dict "ctx" $ "component" "token") */}}
{{- define "platform.selector" -}}
app.kubernetes.io/name: {{ .ctx.Chart.Name }}
app.kubernetes.io/instance: {{ .ctx.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* All labels of a component's objects, or of the release's if no component is given. */}}
{{- define "platform.labels" -}}
app.kubernetes.io/name: {{ .ctx.Chart.Name }}
app.kubernetes.io/instance: {{ .ctx.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/version: {{ .ctx.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .ctx.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .ctx.Chart.Name .ctx.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* An image by name: (dict "ctx" $ "image" "token") */}}
{{- define "platform.image" -}}
{{- $image := .ctx.Values.image -}}
{{- $digest := index $image.digests .image | default "" -}}
{{- if $digest -}}
{{- printf "%s/%s@%s" $image.repository .image $digest -}}
{{- else -}}
{{- printf "%s/%s:%s" $image.repository .image ($image.tag | default .ctx.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Host of the public URL, without a port. */}}
{{- define "platform.host" -}}
{{- regexReplaceAll ":[0-9]+$" (urlParse .Values.publicUrl).host "" -}}
{{- end -}}

{{/* The restricted Pod Security Standard, of pods … */}}
{{- define "platform.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ int64 . }}
runAsGroup: {{ int64 . }}
fsGroup: {{ int64 . }}
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* … and of containers. */}}
{{- define "platform.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Labels of pods, without the chart's version, which would restart them needlessly. */}}
{{- define "platform.podLabels" -}}
{{ include "platform.selector" . }}
app.kubernetes.io/version: {{ .ctx.Chart.AppVersion | quote }}
{{- end -}}

{{/* The start of every pod's spec. Pods don't call the API server, and must not get PLATFORM_OAUTH_TOKEN_PORT and the like. */}}
{{- define "platform.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "platform.podSecurity" . | nindent 2 }}
{{- end -}}

{{/*
A map of settings as environment variables, sorted by name. Numbers are floats here and must not be written as 1e+06.
This template and the two for caConfigMap begin with a line break unless they are empty, so they leave no blank line.
*/}}
{{- define "platform.settings" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ ternary (int64 $value) $value (kindIs "float64" $value) | quote }}
{{- end }}
{{- end -}}

{{/* The database URL, from the Secret of a login role: (dict "ctx" $ "role" "token") */}}
{{- define "platform.databaseEnv" -}}
- name: PLATFORM_DATABASE_URL_FILE
  value: /var/run/secrets/platform/database-url
{{- if .ctx.Values.database.directUrlKey }}
- name: PLATFORM_DATABASE_DIRECT_URL_FILE
  value: /var/run/secrets/platform/database-direct-url
{{- end }}
{{- end -}}

{{- define "platform.databaseSource" -}}
- secret:
    name: {{ .ctx.Values.database.secretPrefix }}{{ .role }}
    items:
      - {key: {{ .ctx.Values.database.urlKey }}, path: database-url}
      {{- with .ctx.Values.database.directUrlKey }}
      - {key: {{ . }}, path: database-direct-url}
      {{- end }}
{{- end -}}

{{/* The volume of private certificate authorities. */}}
{{- define "platform.caVolume" -}}
{{- with .Values.caConfigMap.name }}
- name: ca
  configMap:
    name: {{ . }}
    items:
      - {key: {{ $.Values.caConfigMap.key }}, path: ca.crt}
{{- end }}
{{- end -}}

{{- define "platform.caMount" -}}
{{- if .Values.caConfigMap.name }}
- {name: ca, mountPath: /etc/platform/ca, readOnly: true}
{{- end }}
{{- end -}}

{{/* Peers and ports of one egress rule: (dict "peer" .Values.networkPolicy.vault) */}}
{{- define "platform.egress" -}}
- ports:
    {{- range .peer.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- with .peer.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "platform.egressDNS" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
  {{- with .Values.networkPolicy.dns }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
