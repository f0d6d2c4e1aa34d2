package api_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const platform = "/api/v1/platform"

// published is the platform's published reference: what existing clients were
// written against. It may be added to, never changed.
var published = []struct {
	method, path string
	// parameters are "in name", required ones with a star; all are strings,
	// optional ones also null.
	parameters []string
	body       string
	statuses   []string
}{
	{"get", "/.well-known/jwks.json", nil, "", []string{"200"}},
	{"get", "/oauth/.well-known/openid-configuration", nil, "", []string{"200"}},
	{"get", "/oauth/authorize", []string{
		"query response_type*", "query client_id*", "query redirect_uri*", "query scope*", "query state", "query nonce",
		"query code_challenge", "query code_challenge_method", "query prompt", "query login_hint",
	}, "", []string{"200", "422"}},
	{
		"post", "/oauth/device/authorize",
		[]string{"header authorization"},
		"Body_device_authorize_api_v1_platform_oauth_device_authorize_post",
		[]string{"200", "422"},
	},
	{"get", "/oauth/device/verify", []string{"query user_code*"}, "", []string{"200", "422"}},
	{"post", "/oauth/device/verify", nil, "", []string{"200"}},
	{
		"get", "/oauth/logout",
		[]string{"query id_token_hint", "query post_logout_redirect_uri", "query state", "query client_id"},
		"",
		[]string{"200", "422"},
	},
	{
		"post", "/oauth/token",
		[]string{"header authorization"},
		"Body_platform_token_api_v1_platform_oauth_token_post",
		[]string{"200", "422"},
	},
	{"get", "/oauth/userinfo", []string{"header authorization*"}, "", []string{"200", "422"}},
	{"post", "/oauth/userinfo", []string{"header authorization*"}, "", []string{"200", "422"}},
}

func TestPublishedOperationsAreAsPublished(t *testing.T) {
	t.Parallel()
	doc := load(t)
	for _, want := range published {
		where := want.method + " " + want.path
		op, ok := doc.Paths[platform+want.path][want.method]
		require.True(t, ok, where)

		for _, status := range want.statuses {
			require.Contains(t, op.Responses, status, where)
		}

		requirePublishedParameters(t, where, want.parameters, op.Parameters)

		if want.body != "" {
			require.True(t, op.RequestBody.Required, where)
			require.Len(t, op.RequestBody.Content, 1, where)
			require.Equal(t, "#/components/schemas/"+want.body,
				op.RequestBody.Content["application/x-www-form-urlencoded"].Schema.Ref, where)
		}
	}
}

// requirePublishedParameters checks that the published parameters come first, in
// their order, and that nothing we add is required.
func requirePublishedParameters(t *testing.T, where string, published []string, documented []parameter) {
	t.Helper()

	for i, p := range documented {
		if i >= len(published) {
			require.False(t, p.Required, "%s: %s is ours and must be optional", where, p.Name)
			continue
		}

		have := p.In + " " + p.Name
		if p.Required {
			have += "*"
			require.Equal(t, "string", p.Schema.Type, where)
		} else {
			require.Equal(t, []any{"string", "null"}, p.Schema.Type, where)
		}

		require.Equal(t, published[i], have, where)
	}

	require.GreaterOrEqual(t, len(documented), len(published), where)
}

func TestPublishedSchemasAreAsPublished(t *testing.T) {
	t.Parallel()
	schemas := load(t).Components.Schemas
	optional := []any{"string", "null"}

	token := schemas["Body_platform_token_api_v1_platform_oauth_token_post"]
	require.Equal(t, []string{"grant_type"}, token.Required)
	require.Equal(t, "string", token.Properties["grant_type"].Type)

	for name := range strings.FieldsSeq("client_id client_secret code device_code refresh_token redirect_uri code_verifier scope subject_token subject_token_type audience requested_token_type") {
		require.Equal(t, optional, token.Properties[name].Type, name)
	}

	device := schemas["Body_device_authorize_api_v1_platform_oauth_device_authorize_post"]
	require.Equal(t, []string{"client_id"}, device.Required)
	require.Equal(t, "string", device.Properties["client_id"].Type)
	require.Equal(t, "string", device.Properties["scope"].Type)
	require.Equal(t, "openid", device.Properties["scope"].Default)

	validation := schemas["HTTPValidationError"]
	require.Empty(t, validation.Required)
	require.Equal(t, "array", validation.Properties["detail"].Type)
	require.Equal(t, "#/components/schemas/ValidationError", validation.Properties["detail"].Items.Ref)

	item := schemas["ValidationError"]
	require.ElementsMatch(t, []string{"loc", "msg", "type"}, item.Required)
	require.Equal(t, "array", item.Properties["loc"].Type)
	require.Equal(t, []any{"string", "integer"}, item.Properties["loc"].Items.Type)
	require.Equal(t, "string", item.Properties["msg"].Type)
	require.Equal(t, "string", item.Properties["type"].Type)
}
