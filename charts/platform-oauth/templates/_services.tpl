{{/*
How the services differ, as in their Config structs: which ones log in to Vault, which ones have the encryption keys,
and which ones fetch URLs from an application's registration.
*/}}
{{- define "platform.services" -}}
authorize: {signs: false, encrypts: true, fetches: false}
token: {signs: true, encrypts: true, fetches: true}
device: {signs: false, encrypts: true, fetches: true}
session: {signs: true, encrypts: true, fetches: true}
keys: {signs: true, encrypts: false, fetches: false}
{{- end -}}

{{/* The defaults merged with the service's overrides, as YAML: (dict "ctx" $ "component" "token") */}}
{{- define "platform.values" -}}
{{- $own := index .ctx.Values.services .component | default dict -}}
{{- mergeOverwrite (deepCopy .ctx.Values.defaults) (deepCopy $own) | toYaml -}}
{{- end -}}

{{/*
The environment is in the pod template and not in a ConfigMap, so that pods of the previous version keep their
settings, and don't fail at a setting that only the new version knows.
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
{{- with $vault.authMount }}
- name: PLATFORM_VAULT_AUTH_MOUNT
  value: {{ . | quote }}
{{- end }}
{{- if eq $vault.auth "kubernetes" }}
- name: PLATFORM_VAULT_ROLE
  value: {{ $vault.rolePrefix }}{{ .component }}
- name: PLATFORM_VAULT_JWT_FILE
  value: /var/run/secrets/vault/token
{{- else if eq $vault.auth "approle" }}
- name: PLATFORM_VAULT_ROLE
  valueFrom: {secretKeyRef: {name: {{ $vault.secretPrefix }}{{ .component }}, key: role-id}}
- name: PLATFORM_VAULT_SECRET_ID_FILE
  value: /var/run/secrets/vault/secret-id
{{- else }}
- name: PLATFORM_VAULT_TOKEN_FILE
  value: /var/run/secrets/vault/token
{{- end }}
- name: PLATFORM_VAULT_TRANSIT_MOUNT
  value: {{ $vault.transitMount | quote }}
- name: PLATFORM_VAULT_KEY_PREFIX
  value: {{ $vault.keyPrefix | quote }}
{{- end -}}

{{/* Mounts and volumes of a service: its database URL, the encryption keys and its Vault credentials. */}}
{{- define "platform.mounts" -}}
- {name: secrets, mountPath: /var/run/secrets/platform, readOnly: true}
{{- if .is.signs }}
- {name: vault, mountPath: /var/run/secrets/vault, readOnly: true}
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
{{- if .is.signs }}
{{- with .ctx.Values.vault }}
- name: vault
  projected:
    defaultMode: 0440
    sources:
      {{- if eq .auth "kubernetes" }}
      - serviceAccountToken: {path: token, audience: {{ .audience | quote }}, expirationSeconds: 3600}
      {{- else }}
      {{- $key := ternary "secret-id" "token" (eq .auth "approle") }}
      - secret:
          name: {{ .secretPrefix }}{{ $.component }}
          items:
            - {key: {{ $key }}, path: {{ $key }}}
      {{- end }}
{{- end }}
{{- end }}
{{- include "platform.caVolume" .ctx }}
{{- end -}}
