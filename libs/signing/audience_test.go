package signing_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// RFC 7519 4.1.3.
func TestASingleAudienceIsAString(t *testing.T) {
	one, err := json.Marshal(signing.Audience{"a"})
	require.NoError(t, err)
	require.JSONEq(t, `"a"`, string(one))

	two, err := json.Marshal(signing.Audience{"a", "b"})
	require.NoError(t, err)
	require.JSONEq(t, `["a","b"]`, string(two))
}

func TestAudiencesAreReadInEitherForm(t *testing.T) {
	for text, want := range map[string]signing.Audience{
		`"a"`:       {"a"},
		`["a"]`:     {"a"},
		`["a","b"]`: {"a", "b"},
		`[]`:        {},
		`""`:        {""},
		`null`:      nil,
	} {
		var got struct {
			Audience signing.Audience `json:"aud"`
		}
		require.NoError(t, json.Unmarshal([]byte(`{"aud":`+text+`}`), &got), text)
		require.Equal(t, want, got.Audience, text)
	}

	for _, text := range []string{`{}`, `1`, `true`, `[1]`, `["a",{}]`} {
		var got signing.Audience
		require.Error(t, json.Unmarshal([]byte(text), &got), text)
	}
}

func TestOneAudienceAmongOthersIsNotTheSoleOne(t *testing.T) {
	two := signing.Audience{"a", "b"}
	require.True(t, two.Has("b"))
	require.False(t, two.Has("c"))
	require.Empty(t, two.Sole())
	require.Empty(t, signing.Audience(nil).Sole())
	require.Equal(t, "a", signing.Audience{"a"}.Sole())
}
