// An application, and the API that it calls, as their developers write them with
// oauth4webapi.
import * as oauth from 'oauth4webapi'
import { approve, done, refused, settings, signIn } from './talk.mjs'

const { issuer, client_id, client_secret, redirect_uri, resource } = settings
const insecure = { [oauth.allowInsecureRequests]: true } // the tests' platform has no TLS
const client = { client_id }
const auth = oauth.ClientSecretPost(client_secret)

// RFC 8414's place, where OpenID Connect's says the same
const discover = async (algorithm) =>
  oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), { algorithm, ...insecure }))
const as = await discover('oauth2')
if (JSON.stringify(as) !== JSON.stringify(await discover('oidc'))) throw new Error('two documents differ')

// authorization code and PKCE
const verifier = oauth.generateRandomCodeVerifier()
const state = oauth.generateRandomState()
const nonce = oauth.generateRandomNonce()
const url = new URL(as.authorization_endpoint)
url.search = new URLSearchParams({
  client_id, redirect_uri, state, nonce, response_type: 'code', scope: 'openid profile email offline_access api:read', resource,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
})
const parameters = oauth.validateAuthResponse(as, client, await signIn(url), state)
const answer = await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, redirect_uri, verifier, insecure)
const tokens = await oauth.processAuthorizationCodeResponse(as, client, answer, { expectedNonce: nonce, requireIdToken: true })
await oauth.validateApplicationLevelSignature(as, answer, insecure)
const subject = oauth.getValidatedIdTokenClaims(tokens).sub
const user = await oauth.processUserInfoResponse(as, client, subject, await oauth.userInfoRequest(as, client, tokens.access_token, insecure))

// the API verifies the token by itself (RFC 9068)
const atAPI = (token, audience) =>
  oauth.validateJwtAccessToken(as, new Request(audience, { headers: { authorization: `Bearer ${token}` } }), audience, {
    signingAlgorithms: ['ES256'], ...insecure,
  })
if ((await atAPI(tokens.access_token, resource)).sub !== subject) throw new Error('the API sees another person')

// refresh, introspection, revocation
const refresh = async (token) =>
  oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, auth, token, insecure))
const introspect = async (token) =>
  oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, auth, token, insecure))
const second = await refresh(tokens.refresh_token)
const before = await introspect(second.access_token)
await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, second.refresh_token, insecure))
const after = await introspect(second.access_token)

// client credentials
const ownAnswer = await oauth.clientCredentialsGrantRequest(as, client, auth, { scope: 'api:read', resource }, insecure)
const own = await oauth.processClientCredentialsResponse(as, client, ownAnswer)
const ownClaims = await atAPI(own.access_token, resource)

// device
const device = await oauth.processDeviceAuthorizationResponse(as, client,
  await oauth.deviceAuthorizationRequest(as, client, auth, { scope: 'openid profile' }, insecure))
const poll = async () =>
  oauth.processDeviceCodeResponse(as, client, await oauth.deviceCodeGrantRequest(as, client, auth, device.device_code, insecure))
const pending = await refused(poll())
const impatient = await refused(poll())
if (pending !== 'authorization_pending' || impatient !== 'slow_down') throw new Error(`${pending}, then ${impatient}`)
await approve(device.verification_uri_complete)
const onDevice = await poll() // an approved code is never held back

// token exchange (RFC 8693)
const exchanged = await oauth.processGenericTokenEndpointResponse(as, client, await oauth.genericTokenEndpointRequest(as, client, auth,
  'urn:ietf:params:oauth:grant-type:token-exchange', {
    subject_token: onDevice.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', audience: resource,
    scope: 'openid',
  }, insecure))

done({
  subject, name: user.name,
  rotated: second.refresh_token !== tokens.refresh_token, refreshed_subject: oauth.getValidatedIdTokenClaims(second).sub,
  active_before: before.active, active_after: after.active, after_revocation: await refused(refresh(second.refresh_token)),
  own_subject: ownClaims.sub, device_subject: oauth.getValidatedIdTokenClaims(onDevice).sub,
  issued_token_type: exchanged.issued_token_type,
  logout: `${as.end_session_endpoint}?${new URLSearchParams({ id_token_hint: tokens.id_token, post_logout_redirect_uri: settings.post_logout_redirect_uri })}`,
})
