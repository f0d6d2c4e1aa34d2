// An application as its developer writes it with openid-client.
import * as client from 'openid-client'
import { approve, done, refused, settings, signIn } from './talk.mjs'

const { issuer, client_id, client_secret, redirect_uri, resource } = settings
const config = await client.discovery(new URL(issuer), client_id, client_secret, client.ClientSecretBasic(client_secret), {
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks], // the tests' platform has no TLS
})

// authorization code and PKCE
const verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const nonce = client.randomNonce()
const callback = await signIn(client.buildAuthorizationUrl(config, {
  redirect_uri, state, nonce, resource, scope: 'openid profile email offline_access',
  code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
}))
const tokens = await client.authorizationCodeGrant(config, callback, {
  pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
})
const subject = tokens.claims().sub
const user = await client.fetchUserInfo(config, tokens.access_token, subject)

// refresh, introspection, revocation
const second = await client.refreshTokenGrant(config, tokens.refresh_token)
const before = await client.tokenIntrospection(config, second.access_token)
await client.tokenRevocation(config, second.refresh_token)
const after = await client.tokenIntrospection(config, second.access_token)

// client credentials
const own = await client.clientCredentialsGrant(config, { scope: 'api:read', resource })
const introspected = await client.tokenIntrospection(config, own.access_token)

// device
const device = await client.initiateDeviceAuthorization(config, { scope: 'openid profile' })
await approve(device.verification_uri_complete)
const onDevice = await client.pollDeviceAuthorizationGrant(config, { ...device, interval: 1 })

// token exchange (RFC 8693)
const exchanged = await client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
  subject_token: onDevice.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', audience: resource,
  scope: 'openid',
})

done({
  subject, name: user.name,
  rotated: second.refresh_token !== tokens.refresh_token, refreshed_subject: second.claims().sub,
  active_before: before.active, active_after: after.active,
  after_revocation: await refused(client.refreshTokenGrant(config, second.refresh_token)),
  own_subject: introspected.sub, device_subject: onDevice.claims().sub, issued_token_type: exchanged.issued_token_type,
  logout: String(client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: settings.post_logout_redirect_uri })),
})
