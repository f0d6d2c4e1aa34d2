package session

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
)

// uncollected inserts a code and an approved device code of a person's application,
// and a flow that has its consent.
func (w *world) uncollected(b *visitor, name, userID, clientID string) (code, device []byte, flow string) {
	w.t.Helper()
	ctx, now := w.t.Context(), w.clock.Now()
	code, device = oauth.HashSecret("code "+name), oauth.HashSecret("device "+name)
	require.NoError(w.t, grantstore.NewForAuthorize(w.db).Issue(ctx, &grants.AuthorizationCode{
		Hash:        code,
		ClientID:    clientID,
		RedirectURI: "https://rp.test/cb",
		Scope:       oauth.Scopes{"openid"},
		GrantID:     "gnt_code_" + name,
		UserID:      userID,
		TenantID:    "tnt_acme",
		SessionID:   b.session().ID,
		AuthTime:    b.session().AuthTime,
		ACR:         "1",
		AMR:         []string{"pwd"},
		CreatedAt:   now,
		ExpiresAt:   now.Add(time.Minute),
	}))

	devices := grantstore.NewForDevice(w.db)
	d := &grants.DeviceCode{
		Hash:      device,
		UserCode:  name,
		ClientID:  clientID,
		Scope:     oauth.Scopes{"openid"},
		Interval:  5 * time.Second,
		CreatedAt: now,
		ExpiresAt: now.Add(10 * time.Minute),
	}

	_, err := devices.InsertDeviceCode(ctx, d)
	require.NoError(w.t, err)
	d.Decision, d.DecidedAt, d.GrantID, d.UserID, d.TenantID = grants.DeviceApproved, now, "gnt_device_"+
		name, userID, "tnt_acme"
	d.SessionID, d.AuthTime, d.ACR, d.AMR = b.session().ID, b.session().AuthTime, "1", []string{"pwd"}
	require.NoError(w.t, devices.Decide(ctx, d, now))
	flow, _ = b.flow(client(clientID))
	require.NoError(w.t,
		grantstore.NewForSession(w.db).Decide(ctx, flow, grants.Consented, b.session().ID, "tnt_acme", now))

	return code, device, flow
}

// redeem tries both codes as the token service does.
func (w *world) redeem(b *visitor, name, userID, clientID string, code, device []byte) (ofCode, ofDevice error) {
	now, token := w.clock.Now(), grantstore.NewForToken(w.db)
	g := grants.Grant{
		ID:        "gnt_code_" + name,
		ClientID:  clientID,
		UserID:    userID,
		TenantID:  "tnt_acme",
		SessionID: b.session().ID,
		Scope:     oauth.Scopes{"openid"},
		AuthTime:  now,
		ACR:       "1",
		AMR:       []string{"pwd"},
		CreatedAt: now,
	}

	ofCode = token.Redeem(w.t.Context(), code, g, nil, now.Add(time.Hour), now)
	g.ID, g.SessionID, g.Offline = "gnt_device_"+name, "", true

	return ofCode, token.RedeemDevice(w.t.Context(), device, g, nil, now.Add(time.Hour), now)
}

func TestWithdrawingEndsWhatTheApplicationHasNotCollectedYet(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, _ := w.atHome("ada@acme.test")
		w.insertGrant("gnt_old", b.session().ID, true)
		_, err := w.db.Exec(t.Context(), "test", `UPDATE grants SET client_id = 'other' WHERE id = 'gnt_old'`)
		require.NoError(t, err)
		code, device, flow := w.uncollected(b, "BCDFGHJK", "usr_ada", "other")
		billingCode, billingDevice, billingFlow := w.uncollected(b, "BCDFGHJL", "usr_ada", "billing")
		bob, _ := w.atHome("bob@acme.test")
		bobCode, bobDevice, bobFlow := w.uncollected(bob, "BCDFGHJM", "usr_bob", "other")

		p := b.Get(accountURL).Submit("Withdraw: access of Other", nil)
		require.Contains(t, p.Text(), "access has ended")

		ofCode, ofDevice := w.redeem(b, "BCDFGHJK", "usr_ada", "other", code, device)
		require.ErrorIs(t, ofCode, grants.ErrExpired, "RFC 6749 4.1.2: the code is worth nothing any more")
		require.ErrorIs(t, ofDevice, grants.ErrExpired, "RFC 8628 3.5")
		require.Equal(t, grants.Denied, w.request(flow).Decision,
			"nor does a flow on its way to authorize end in a code")

		for _, other := range []struct {
			b            *visitor
			name, who    string
			client, flow string
			code, device []byte
		}{
			{b, "BCDFGHJL", "usr_ada", "billing", billingFlow, billingCode, billingDevice},
			{bob, "BCDFGHJM", "usr_bob", "other", bobFlow, bobCode, bobDevice},
		} {
			ofCode, ofDevice = w.redeem(other.b, other.name, other.who, other.client, other.code, other.device)
			require.NoError(t, errors.Join(ofCode, ofDevice), "another application's and another person's stay")
			require.Equal(t, grants.Consented, w.request(other.flow).Decision)
		}
	})
}

// RFC 6749 4.1.2 and 10.4.
func TestOfAWithdrawalAndARedemptionAtOnceNothingStaysAlive(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b, _ := w.atHome("ada@acme.test")
		const names = "BCDFGHJKLM"
		store := sqlstore.New(w.db)
		type pair struct{ code, device []byte }
		pairs := map[string]pair{}
		for _, letter := range names {
			name := "BBBBBBB" + string(letter)
			code, device, _ := w.uncollected(b, name, "usr_ada", "other")
			pairs[name] = pair{code, device}
		}

		done := make(chan struct{}, len(pairs))
		start := make(chan struct{})
		for name, p := range pairs {
			go func() {
				<-start
				_, _ = w.redeem(b, name, "usr_ada", "other", p.code, p.device)
				done <- struct{}{}
			}()
		}

		close(start)
		_, err := store.Withdraw(t.Context(), "usr_ada", "other", "tnt_acme", w.clock.Now())
		require.NoError(t, err)

		for range pairs {
			<-done
		}

		var alive int
		require.NoError(t,
			w.db.Get(t.Context(), "test", &alive,
				`SELECT count(*) FROM grants WHERE client_id = 'other' AND revoked_at IS NULL`))
		require.Zero(t, alive)
	})
}

// RFC 6585 4: what needs no credentials must not fill the store. Looking is free, and
// typing an address has a budget: a browser's first, then its address's.
func TestABrowserAndAnAddressStartSoManySignIns(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		count := func(table string) (n int) {
			require.NoError(t, w.db.Get(t.Context(), "test", &n, `SELECT count(*) FROM `+table))
			return n
		}

		for range mostFlows + 1 {
			require.Equal(t, "Sign in", w.newBrowser().Get(accountURL).H1())
		}

		require.Zero(t, w.flows())
		require.Zero(t, count("limits"))

		start := func(b *visitor) *formbrowser.Page {
			return b.Get(accountURL).Submit("Continue", url.Values{"email": {"ada@acme.test"}})
		}
		const share = 20
		busy := w.newBrowser()
		entrance := busy.Get(origin + "/auth/tenants/acme")

		for range share {
			require.Equal(t, "Sign in to Acme Corp", start(busy).H1())
		}

		for range mostFlows {
			refused := start(busy)
			require.Equal(t, http.StatusTooManyRequests, refused.Status)
			require.NotEmpty(t, refused.Header.Get("Retry-After"))
			require.Equal(t, "Too many attempts", refused.H1())
		}

		require.Equal(t, http.StatusTooManyRequests,
			entrance.Submit("Continue", url.Values{"email": {"ada@acme.test"}}).Status)
		require.Equal(t, share, w.flows())

		b := w.newBrowser()
		for range mostFlows - share { // what one browser was refused took nothing from the others
			b = w.newBrowser()
			require.Equal(t, "Sign in to Acme Corp", start(b).H1())
		}

		require.Equal(t, http.StatusTooManyRequests, start(w.newBrowser()).Status)
		require.Equal(t, mostFlows, w.flows())

		_, page := b.flow(nil)
		require.Equal(t, http.StatusSeeOther, b.signIn(page, "ada@acme.test").Status, "flows that were stored go on")
		require.Equal(t, http.StatusOK, b.Get(accountURL).Status, "and the signed in need none")
	})
}

// RFC 6749 4.1.2.1: the person is told of the error, and the operator finds it.
func TestTheTrailFindsTheReferenceOfEveryErrorPage(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		consumed, finished := b.flow(nil)
		require.NoError(t, w.requests.Consume(t.Context(), consumed, w.clock.Now()))
		_, expired := b.flow(func(r *grants.Flow) { r.ExpiresAt = w.clock.Now() })
		_, strange := w.newBrowser().flow(nil)
		for name, p := range map[string]*formbrowser.Page{
			"unknown":  b.Get(origin + "/auth/flows/req_unknown"),
			"finished": b.Get(finished),
			"expired":  b.Get(expired),
			"browser":  b.Get(strange),
			"logout":   b.Get(query("client_id", "billing", "post_logout_redirect_uri", "https://evil.test/")),
			"no page":  b.Get(origin + "/auth/tenants/nowhere"),
		} {
			require.GreaterOrEqual(t, p.Status, 400, name)
			shown := regexp.MustCompile(`Reference ([0-9a-f]{32})`).FindStringSubmatch(p.Text())
			require.NotNil(t, shown, "%s: %s", name, p.Text())
			found, err := auditstore.Read(t.Context(), w.db, audit.Filter{Reference: shown[1]})
			require.NoError(t, err)
			require.Len(t, found, 1, name)
			require.Equal(t, "192.0.2.1", found[0].Address)
		}
	})
}
