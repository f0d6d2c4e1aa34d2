{{/* Annotations of a hook's object: it is deleted after success, and kept for inspection after a failure. */}}
{{- define "platform.hook" -}}
helm.sh/hook: {{ .hooks }}
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/*
A Job that runs platform, with the hook annotations of its event: (dict "ctx" $ "component" "migrate" "role"
"owner" "name" … "hooks" "pre-install,pre-upgrade" "args" (list …) "volumes" … "mounts" …). It has its own
ServiceAccount and NetworkPolicy, because before an installation nothing else of the release exists.
*/}}
{{- define "platform.job" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "platform.metadata" . | nindent 2 }}
  annotations:
    {{- include "platform.hook" (dict "hooks" .hooks "weight" -10) | nindent 4 }}
automountServiceAccountToken: false
{{- with .ctx.Values.networkPolicy }}
{{- if .enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "platform.metadata" $ | nindent 2 }}
  annotations:
    {{- include "platform.hook" (dict "hooks" $.hooks "weight" -10) | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "platform.selector" $ | nindent 6 }}
  policyTypes: [Ingress, Egress]
  egress:
    {{- include "platform.egressDNS" $.ctx | nindent 4 }}
    {{- include "platform.egress" (dict "peer" .postgres) | nindent 4 }}
{{- end }}
{{- end }}
---
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "platform.metadata" . | nindent 2 }}
  annotations:
    {{- include "platform.hook" (dict "hooks" .hooks "weight" 0) | nindent 4 }}
    helm.sh/hook-output-log-policy: hook-failed
spec:
  backoffLimit: 3
  activeDeadlineSeconds: {{ .ctx.Values.migrate.deadlineSeconds }}
  template:
    metadata:
      labels:
        {{- include "platform.podLabels" . | nindent 8 }}
    spec:
      {{- include "platform.pod" .ctx | nindent 6 }}
      serviceAccountName: {{ .name }}
      restartPolicy: Never
      containers:
        - name: {{ .component }}
          image: {{ include "platform.image" (dict "ctx" .ctx "image" "platform") | quote }}
          imagePullPolicy: {{ .ctx.Values.image.pullPolicy }}
          args:
            {{- toYaml .args | nindent 12 }}
          env:
            - name: PLATFORM_PUBLIC_URL
              value: {{ .ctx.Values.publicUrl | quote }}
            {{- include "platform.databaseEnv" . | nindent 12 }}
            {{- include "platform.settings" .ctx.Values.config | replace "\n" "\n            " }}
          resources:
            {{- toYaml .ctx.Values.migrate.resources | nindent 12 }}
          securityContext:
            {{- include "platform.containerSecurity" . | nindent 12 }}
          volumeMounts:
            - {name: secrets, mountPath: /var/run/secrets/platform, readOnly: true}
            {{- include "platform.caMount" .ctx | replace "\n" "\n            " }}
            {{- with .mounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        - name: secrets
          projected:
            defaultMode: 0440
            sources:
              {{- include "platform.databaseSource" . | nindent 14 }}
        {{- include "platform.caVolume" .ctx | replace "\n" "\n        " }}
        {{- with .volumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
{{- end -}}
