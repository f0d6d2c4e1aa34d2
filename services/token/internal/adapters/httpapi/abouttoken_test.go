package httpapi

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/app"
)

func about(form, authorization string) (app.TokenRequest, error) {
	return parseWith(parseAboutToken, form, authorization)
}

func TestEveryParameterOfARequestAboutATokenIsRead(t *testing.T) {
	got, err := about("token=t.o.k&token_type_hint=access_token&client_id=app&client_secret=s&resource=ignored", "")
	require.NoError(t, err)
	require.Equal(t, app.TokenRequest{
		Caller: app.Caller{Credentials: clientauth.Credentials{Method: clientauth.Post, ClientID: "app", Secret: "s"}},
		Token:  "t.o.k",
	}, got, "RFC 7009 2.1, RFC 7662 2.1")
	_, err = about("token=a&token=b&client_id=app", "")
	var wire *oauth.Error
	require.ErrorAs(t, err, &wire)
	require.Equal(t, oauth.InvalidRequest, wire.Code)
}

// Whatever an attacker sends becomes a request that names an application, or an
// error that the edge has an answer to.
func FuzzRequestAboutAToken(f *testing.F) {
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("app:secret"))
	f.Add("token=x&client_id=app", "")
	f.Add("token=a.b.c&token_type_hint=refresh_token", basic)
	f.Add("token=%00&client_id=%ff", "")
	f.Add("token=x&token=y", "Bearer x")
	f.Fuzz(func(t *testing.T, form, authorization string) {
		request, err := about(form, authorization)
		if err != nil {
			if _, wire := errors.AsType[*oauth.Error](err); !wire {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}

		if request.Credentials.ClientID == "" {
			t.Fatal("a request without a client passed")
		}

		if !utf8.ValidString(request.Token) || strings.ContainsRune(request.Token, 0) {
			t.Fatalf("no database would take %q", request.Token)
		}
	})
}
