// A service that has a key and no secret (RFC 7523 2.2): jose reads the key, and
// both libraries sign with it.
import { importJWK } from 'jose'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { done, refused, settings } from './talk.mjs'

const { issuer, client_id, private_jwk, resource } = settings
const jwk = JSON.parse(private_jwk)
const key = { key: await importJWK(jwk, 'ES256'), kid: jwk.kid }
const insecure = { [oauth.allowInsecureRequests]: true } // the tests' platform has no TLS

const as = await oauth.processDiscoveryResponse(new URL(issuer), await oauth.discoveryRequest(new URL(issuer), insecure))
if (!as.token_endpoint_auth_methods_supported.includes('private_key_jwt')) throw new Error('private_key_jwt is not announced')
const app = { client_id }
let assertion
const auth = oauth.PrivateKeyJwt(key)
const kept = (...args) => auth(...args)?.then?.(() => { assertion = args[2].get('client_assertion') }) ?? auth(...args)
const own = await oauth.processClientCredentialsResponse(as, app,
  await oauth.clientCredentialsGrantRequest(as, app, kept, { scope: 'api:read', resource }, insecure))
const told = await oauth.processIntrospectionResponse(as, app, await oauth.introspectionRequest(as, app, auth, own.access_token, insecure))
const again = (as, app, body) => {
  body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
  body.set('client_assertion', assertion)
}
const reused = await refused((async () => oauth.processClientCredentialsResponse(as, app,
  await oauth.clientCredentialsGrantRequest(as, app, again, { scope: 'api:read' }, insecure)))())

const config = await client.discovery(new URL(issuer), client_id, undefined, client.PrivateKeyJwt(key), { execute: [client.allowInsecureRequests] })
const other = await client.clientCredentialsGrant(config, { scope: 'api:read', resource })
const exchanged = await client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
  subject_token: other.access_token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token', audience: resource,
})

done({
  'oauth4webapi': told.sub, 'openid-client': (await client.tokenIntrospection(config, other.access_token)).sub,
  active: told.active, reused, exchanged: exchanged.issued_token_type,
})
