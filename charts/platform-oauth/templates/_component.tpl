{{/*
All objects of one service: (dict "ctx" $ "component" "token"). Its parts get the same, with the merged values as own,
the entry in platform.services as is, and the name.
*/}}
{{- define "platform.component" -}}
{{- $is := index (include "platform.services" .ctx | fromYaml) .component -}}
{{- $name := printf "%s-%s" (include "platform.fullname" .ctx) .component -}}
{{- $it := merge (dict "own" (include "platform.values" . | fromYaml) "is" $is "name" $name "role" .component) . -}}
{{- range list "serviceaccount" "service" "deployment" "pdb" "hpa" "networkpolicy" "servicemonitor" }}
{{- with include (printf "platform.component.%s" .) $it | trim }}
---
{{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "platform.metadata" -}}
name: {{ .name }}
namespace: {{ .ctx.Release.Namespace }}
labels:
  {{- include "platform.labels" . | nindent 2 }}
{{- end -}}

{{- define "platform.component.serviceaccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "platform.metadata" . | nindent 2 }}
  {{- with .own.serviceAccountAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{- define "platform.component.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "platform.metadata" . | nindent 2 }}
spec:
  type: ClusterIP
  selector:
    {{- include "platform.selector" . | nindent 4 }}
  ports:
    - {name: http, port: 80, targetPort: http, protocol: TCP, appProtocol: http}
    {{- if .ctx.Values.serviceMonitor.enabled }}
    - {name: admin, port: 9090, targetPort: admin, protocol: TCP, appProtocol: http}
    {{- end }}
{{- end -}}

{{- define "platform.component.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "platform.metadata" . | nindent 2 }}
spec:
  {{- if not .own.autoscaling.enabled }}
  replicas: {{ .own.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 0, maxSurge: 25%}
  selector:
    matchLabels:
      {{- include "platform.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "platform.podLabels" . | nindent 8 }}
        {{- with .own.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .own.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "platform.pod" .ctx | nindent 6 }}
      serviceAccountName: {{ .name }}
      # The drain delay, the requests in flight, the background tasks (10 s), the last traces (5 s), and a margin.
      terminationGracePeriodSeconds: {{ add .own.drain.delaySeconds .own.drain.timeoutSeconds 20 }}
      {{- with .own.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      topologySpreadConstraints:
        {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
        - topologyKey: {{ . }}
          maxSkew: 1
          whenUnsatisfiable: ScheduleAnyway
          matchLabelKeys: [pod-template-hash]
          labelSelector:
            matchLabels:
              {{- include "platform.selector" $ | nindent 14 }}
        {{- end }}
      {{- range $key := list "nodeSelector" "tolerations" "affinity" }}
      {{- with index $.own $key }}
      {{ $key }}:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ include "platform.image" (dict "ctx" .ctx "image" .component) | quote }}
          imagePullPolicy: {{ .ctx.Values.image.pullPolicy }}
          env:
            {{- include "platform.env" . | nindent 12 }}
          ports:
            - {name: http, containerPort: 8080, protocol: TCP}
            - {name: admin, containerPort: 9090, protocol: TCP}
          # On its first start, a service waits up to half a minute for the database.
          startupProbe:
            httpGet: {path: /livez, port: admin}
            periodSeconds: 1
            failureThreshold: 60
          livenessProbe:
            httpGet: {path: /livez, port: admin}
            periodSeconds: 10
            timeoutSeconds: 3
          readinessProbe:
            httpGet: {path: /readyz, port: admin}
            periodSeconds: 5
            timeoutSeconds: 3
          resources:
            {{- toYaml .own.resources | nindent 12 }}
          securityContext:
            {{- include "platform.containerSecurity" . | nindent 12 }}
          volumeMounts:
            {{- include "platform.mounts" . | nindent 12 }}
      volumes:
        {{- include "platform.volumes" . | nindent 8 }}
{{- end -}}

{{- define "platform.component.pdb" -}}
{{- if .own.podDisruptionBudget.enabled }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "platform.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ .own.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "platform.selector" . | nindent 6 }}
{{- end }}
{{- end -}}

{{- define "platform.component.hpa" -}}
{{- with .own.autoscaling }}
{{- if .enabled }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "platform.metadata" $ | nindent 2 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $.name }}}
  minReplicas: {{ .minReplicas }}
  maxReplicas: {{ .maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ .cpu }}}
    {{- if .metric }}
    - type: Pods
      pods:
        metric: {name: {{ .metric }}}
        target: {type: AverageValue, averageValue: {{ .metricTarget | quote }}}
    {{- end }}
  behavior:
    # Scale up at once, because a new pod is ready in seconds, and scale down slowly.
    scaleUp:
      stabilizationWindowSeconds: 0
      policies:
        - {type: Percent, value: 100, periodSeconds: 15}
        - {type: Pods, value: 4, periodSeconds: 15}
      selectPolicy: Max
    scaleDown:
      stabilizationWindowSeconds: 300
      policies:
        - {type: Percent, value: 25, periodSeconds: 60}
{{- end }}
{{- end }}
{{- end -}}

{{- define "platform.component.networkpolicy" -}}
{{- with .ctx.Values.networkPolicy }}
{{- if .enabled }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "platform.metadata" $ | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "platform.selector" $ | nindent 6 }}
  policyTypes: [Ingress, Egress]
  # The services never call each other, so no pod of the release is let in.
  ingress:
    {{- if .ingressController }}
    - ports:
        - {protocol: TCP, port: http}
      from:
        {{- toYaml .ingressController | nindent 8 }}
    {{- end }}
    {{- if .monitoring }}
    - ports:
        - {protocol: TCP, port: admin}
      from:
        {{- toYaml .monitoring | nindent 8 }}
    {{- end }}
  egress:
    {{- include "platform.egressDNS" $.ctx | nindent 4 }}
    {{- include "platform.egress" (dict "peer" .postgres) | nindent 4 }}
    {{- if $.is.signs }}
    {{- include "platform.egress" (dict "peer" .vault) | nindent 4 }}
    {{- end }}
    {{- if $.is.fetches }}
    {{- include "platform.egress" (dict "peer" .outbound) | nindent 4 }}
    {{- end }}
    {{- if $.ctx.Values.telemetry.otlpEndpoint }}
    {{- include "platform.egress" (dict "peer" .collector) | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "platform.component.servicemonitor" -}}
{{- with .ctx.Values.serviceMonitor }}
{{- if .enabled }}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "platform.metadata" $ | nindent 2 }}
    {{- with .labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "platform.selector" $ | nindent 6 }}
  targetLabels: [app.kubernetes.io/component]
  endpoints:
    - {port: admin, path: /metrics, interval: {{ .interval }}}
{{- end }}
{{- end }}
{{- end -}}
