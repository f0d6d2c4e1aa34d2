{{/*
Which service serves which path: x-service in api/openapi.yaml, with exact paths first, as an ingress needs them. A
test compares this list with the document and with `platform up`.
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
