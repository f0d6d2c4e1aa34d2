// Package probe asks a running platform what an application asks: where its
// endpoints are, which keys it has, and for a token that those keys verify. It
// goes the way a client goes, through the ingress and its certificate, and needs
// neither the database nor Vault. It is for the first minute after a deployment,
// and no monitoring: it signs nobody in.
package probe
