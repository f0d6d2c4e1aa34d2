package token_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestActorsAreNested(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		p, assistant := w.person(t), w.person(t)
		subject := w.signedIn(t, p, "keeper", forAPI).str("access_token")
		got, _ := w.exchanged(t, "edge", subject, form{"audience": downstream})
		_, claims := w.exchanged(t, "next", got.str("access_token"), form{"audience": deep})
		require.Equal(t, map[string]any{"sub": "next", "act": map[string]any{"sub": "edge"}},
			claims["act"], "RFC 8693 4.1")
		require.Equal(t, p.user.ID, claims["sub"])

		own := w.post(t, credentials.with(client("edge"))).str("access_token")
		_, claims = w.exchanged(t, "edge", subject, form{"actor_token": own, "actor_token_type": accessType})
		require.Equal(t, map[string]any{"sub": "edge"}, claims["act"],
			"an application's own token names the application")
		helper := w.signedIn(t, assistant, "edge", nil)
		for kind, token := range map[string]string{
			accessType: helper.str("access_token"),
			idType:     helper.str("id_token"),
		} {
			_, claims = w.exchanged(t, "edge", subject, form{"actor_token": token, "actor_token_type": kind})
			require.Equal(t, map[string]any{"sub": assistant.user.ID, "client_id": "edge"}, claims["act"])
			require.Equal(t, p.user.ID, claims["sub"], "the subject stays who they are")
		}

		w.exec(t, `UPDATE sessions SET ended_at = $2 WHERE id = $1`, assistant.session, database.At(w.clock.Now()))
		requireError(t,
			w.post(t,
				exchange("edge", subject,
					form{"actor_token": helper.str("access_token"), "actor_token_type": accessType})), 400,
			oauth.InvalidRequest)

		token := w.signedIn(t, p, "front", nil).str("access_token")
		for range 8 {
			got, _ := w.exchanged(t, "front", token, nil)
			token = got.str("access_token")
		}

		requireError(t, w.post(t, exchange("front", token, nil)), 400, oauth.InvalidRequest) // the chain ends somewhere
	})
}

func TestMayActIsHonoured(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newExchangers(t, db)
		claims := w.verified(t, w.signedIn(t, w.person(t), "keeper", forAPI).str("access_token"), "at+jwt", "ES256")
		for name, tt := range map[string]struct {
			mayAct any
			ok     bool
		}{
			"names the application (RFC 8693 4.4)":  {map[string]any{"sub": "edge"}, true},
			"names it, and us":                      {map[string]any{"sub": "edge", "iss": issuer}, true},
			"names it by client_id":                 {map[string]any{"client_id": "edge"}, true},
			"names another actor":                   {map[string]any{"sub": "next"}, false},
			"names it at another issuer":            {map[string]any{"sub": "edge", "iss": "https://evil.test"}, false},
			"names it, but another application too": {map[string]any{"sub": "edge", "client_id": "next"}, false},
			"names no actor":                        {map[string]any{}, false},
			"is a list":                             {[]any{map[string]any{"sub": "edge"}}, false},
			"is null":                               {nil, true},
		} {
			t.Run(name, func(t *testing.T) {
				claims["may_act"] = tt.mayAct
				form := exchange("edge", w.signed(t, "at+jwt", claims), form{"audience": downstream})
				if !tt.ok {
					requireError(t, w.post(t, form), 400, oauth.InvalidRequest)
					return
				}

				got := w.post(t, form)
				require.Equal(t, http.StatusOK, got.status, got.raw)
				require.Equal(t, tt.mayAct, w.verified(t, got.str("access_token"), "at+jwt", "ES256")["may_act"],
					"the next exchange is bound by it too")
			})
		}
	})
}
