{{/*
What tells the services apart, as their Config structs have it: who logs in to Vault, who holds the encryption keys,
and who fetches what an application's registration names.
*/}}
{{- define "platform.services" -}}
authorize: {signs: false, encrypts: true, fetches: false}
token: {signs: true, encrypts: true, fetches: true}
device: {signs: false, encrypts: true, fetches: true}
session: {signs: true, encrypts: true, fetches: true}
keys: {signs: true, encrypts: false, fetches: false}
{{- end -}}

{{/* The defaults with what `services` overrides, as YAML: (dict "ctx" $ "component" "token") */}}
{{- define "platform.values" -}}
{{- $own := index .ctx.Values.services .component | default dict -}}
{{- mergeOverwrite (deepCopy .ctx.Values.defaults) (deepCopy $own) | toYaml -}}
{{- end -}}

{{/*
The environment stands in the pod template and not in a ConfigMap: pods of the last version then keep their settings
while they live, and a setting that only the new version knows stops none of them.
*/}}
{{- define "platform.env" -}}
{{- $v := .ctx.Values -}}
- name: PLATFORM_PUBLIC_URL
  value: {{ $v.publicUrl | quote }}
- name: PLATFORM_LISTEN
  value: ":8080"
- name: PLATFORM_ADMIN_LISTEN
  value: ":9090"
{{- with $v.trustedProxies }}
- name: PLATFORM_TRUSTED_PROXIES
  value: {{ join "," . | quote }}
{{- end }}
- name: PLATFORM_HTTP_DRAIN_DELAY
  value: {{ .own.drain.delaySeconds }}s
- name: PLATFORM_HTTP_DRAIN_TIMEOUT
  value: {{ .own.drain.timeoutSeconds }}s
{{ include "platform.databaseEnv" . }}
{{- if .is.encrypts }}
- name: PLATFORM_ENCRYPTION_KEYS_FILE
  value: /var/run/secrets/platform/encryption-keys
{{- end }}
{{- if .is.signs }}
{{ include "platform.vaultEnv" . }}
{{- end }}
{{- include "platform.settings" (merge dict .own.config $v.config (dict "PLATFORM_LOG_FORMAT" "json")) }}
{{- with $v.telemetry.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- $about := printf "service.instance.id=$(POD_NAME),k8s.pod.name=$(POD_NAME),k8s.namespace.name=%s" .ctx.Release.Namespace }}
{{- include "platform.settings" (merge dict $v.telemetry.env (dict "OTEL_RESOURCE_ATTRIBUTES" $about)) }}
- name: GOMEMLIMIT
  valueFrom: {resourceFieldRef: {resource: limits.memory}}
{{- end -}}

{{- define "platform.vaultEnv" -}}
{{- $vault := .ctx.Values.vault -}}
- name: PLATFORM_SIGNING_BACKEND
  value: vault
- name: VAULT_ADDR
  value: {{ $vault.address | quote }}
{{- with $vault.namespace }}
- name: VAULT_NAMESPACE
  value: {{ . | quote }}
{{- end }}
{{- if .ctx.Values.caConfigMap.name }}
- name: VAULT_CACERT
  value: /etc/platform/ca/ca.crt
{{- end }}
- name: PLATFORM_VAULT_AUTH
  value: {{ $vault.auth }}
{{- if eq $vault.auth "kubernetes" }}
- name: PLATFORM_VAULT_ROLE
  value: {{ $vault.rolePrefix }}{{ .component }}
{{- else }}
- name: VAULT_TOKEN
  valueFrom: {secretKeyRef: {name: {{ required "vault.tokenSecret.name is missing: vault.auth is token" $vault.tokenSecret.name }}, key: {{ $vault.tokenSecret.key }}}}
{{- end }}
- name: PLATFORM_VAULT_TRANSIT_MOUNT
  value: {{ $vault.transitMount | quote }}
- name: PLATFORM_VAULT_KEY_PREFIX
  value: {{ $vault.keyPrefix | quote }}
{{- end -}}

{{/* What a service's container mounts, and the volumes: its database URL, the encryption keys, its token for Vault. */}}
{{- define "platform.mounts" -}}
- {name: secrets, mountPath: /var/run/secrets/platform, readOnly: true}
{{- if and .is.signs (eq .ctx.Values.vault.auth "kubernetes") }}
- {name: vault-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}
{{- include "platform.caMount" .ctx }}
{{- end -}}

{{- define "platform.volumes" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- include "platform.databaseSource" . | nindent 6 }}
      {{- if .is.encrypts }}
      - secret:
          name: {{ .ctx.Values.encryption.secretName }}
          items:
            - {key: {{ .ctx.Values.encryption.key }}, path: encryption-keys}
      {{- end }}
{{- if and .is.signs (eq .ctx.Values.vault.auth "kubernetes") }}
- name: vault-token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {path: token, audience: {{ .ctx.Values.vault.audience | quote }}, expirationSeconds: 3600}
{{- end }}
{{- include "platform.caVolume" .ctx }}
{{- end -}}
