{{/*
Which service answers which path: x-service of api/openapi.yaml, in the order that matters at an ingress, exact paths
first. A test compares this list with the document and with the process that holds all five.
*/}}
{{- define "platform.routes" -}}
- {path: /.well-known/oauth-authorization-server/api/v1/platform/oauth, service: keys}
- {path: /account, service: session}
- {path: /account/applications, service: session}
- {path: /account/password, service: session}
- {path: /account/sessions, service: session}
- {path: /api/v1/platform/.well-known/jwks.json, service: keys}
- {path: /api/v1/platform/oauth/.well-known/openid-configuration, service: keys}
- {path: /api/v1/platform/oauth/authorize, service: authorize}
- {path: /api/v1/platform/oauth/device/authorize, service: device}
- {path: /api/v1/platform/oauth/device/verify, service: device}
- {path: /api/v1/platform/oauth/introspect, service: token}
- {path: /api/v1/platform/oauth/logout, service: session}
- {path: /api/v1/platform/oauth/revoke, service: token}
- {path: /api/v1/platform/oauth/token, service: token}
- {path: /api/v1/platform/oauth/userinfo, service: token}
- {path: /device, service: device}
- {path: /auth/assets/, prefix: true, service: session}
- {path: /auth/flows/, prefix: true, service: session}
- {path: /auth/tenants/, prefix: true, service: session}
{{- end -}}
