package app_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
)

// refused fails the test unless err is an error of the protocol with a code.
func refused(t *testing.T, err error, code oauth.Code) {
	t.Helper()
	var wire *oauth.Error
	require.ErrorAs(t, err, &wire)
	require.Equal(t, code, wire.Code)
}

func TestACodeSurvivesASignerThatIsAway(t *testing.T) {
	for name, signatures := range map[string]int{"from the start": 0, "after the access token": 1} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.backend.signs = signatures

			_, err := w.issuer.Issue(t.Context(), request(oauth.GrantAuthorizationCode))
			refused(t, err, oauth.TemporarilyUnavailable)
			require.Empty(t, w.codes.redeemed)
			require.Empty(t, w.codes.grants, "nothing is revoked")
			require.Empty(t, w.trail.events)

			w.backend.signs = -1
			answer, err := w.issuer.Issue(t.Context(), request(oauth.GrantAuthorizationCode))
			require.NoError(t, err)
			require.NotEmpty(t, answer.IDToken)
			require.Len(t, w.codes.redeemed, 1)
			require.Equal(t, []oauth.Code{oauth.TemporarilyUnavailable, ""}, w.outcomes.codes)
		})
	}
}

func TestSignedTokensAreWithheldIfTheRedemptionFails(t *testing.T) {
	w := newWorld(t)
	w.codes.redeem = errDisk

	answer, err := w.issuer.Issue(t.Context(), request(oauth.GrantAuthorizationCode))
	require.ErrorIs(t, err, errDisk)
	require.Nil(t, answer)
	require.Empty(t, w.codes.grants, "a fault is no replay")
	require.Empty(t, w.trail.events)
	require.Equal(t, []oauth.Code{oauth.ServerError}, w.outcomes.codes)
}

func TestLosingTheRaceForACodeIsAReplay(t *testing.T) {
	w := newWorld(t)
	w.codes.redeem = grants.ErrConsumed // between the look-up and the redemption

	for range 2 {
		answer, err := w.issuer.Issue(t.Context(), request(oauth.GrantAuthorizationCode))
		refused(t, err, oauth.InvalidGrant)
		require.Nil(t, answer)
	}

	require.Equal(t, []string{grantID, grantID}, w.codes.grants)
	require.Equal(t, []audit.Kind{audit.CodeReplayed}, w.trail.kinds(), "recorded by the request that ended the grant")
}

func TestAReplayThatCannotBeRevokedIsNotAnsweredAsOne(t *testing.T) {
	w := newWorld(t)
	w.codes.redeem, w.codes.fault = grants.ErrConsumed, errDisk

	_, err := w.issuer.Issue(t.Context(), request(oauth.GrantAuthorizationCode))
	require.ErrorIs(t, err, errDisk, "invalid_grant would hide that the stolen tokens live on")
	require.Empty(t, w.trail.events)
}

func TestACodeThatEndsBeforeItsRedemptionRevokesNothing(t *testing.T) {
	for _, end := range []error{grants.ErrExpired, grants.ErrNotFound, grants.ErrRevoked} {
		w := newWorld(t)
		w.codes.redeem = end

		_, err := w.issuer.Issue(t.Context(), request(oauth.GrantAuthorizationCode))
		refused(t, err, oauth.InvalidGrant)
		require.Empty(t, w.codes.grants, end)
	}
}

func TestATrailThatFailsWithholdsNoTokens(t *testing.T) {
	w := newWorld(t)
	w.trail.fault = errDisk

	answer, err := w.issuer.Issue(t.Context(), request(oauth.GrantAuthorizationCode))
	require.NoError(t, err)
	require.NotEmpty(t, answer.AccessToken)
	require.NotEmpty(t, answer.RefreshToken)
	require.Contains(t, w.logs.String(), "level=ERROR")
	require.Contains(t, w.logs.String(), string(audit.GrantCreated))
	require.Contains(t, w.logs.String(), errDisk.Error())
}

func TestADeviceThatLosesTheRaceForItsCodeRevokesNothing(t *testing.T) {
	for end, code := range map[error]oauth.Code{
		grants.ErrConsumed: oauth.InvalidGrant,
		grants.ErrNotFound: oauth.InvalidGrant,
		grants.ErrRevoked:  oauth.InvalidGrant,
		grants.ErrExpired:  oauth.ExpiredToken,
	} {
		w := newWorld(t)
		w.devices.redeem = end

		answer, err := w.issuer.Issue(t.Context(), request(oauth.GrantDeviceCode))
		refused(t, err, code)
		require.Nil(t, answer)
		require.Empty(t, w.codes.grants)
		require.Empty(t, w.trail.events)
	}
}

// otherReplica rotates the token first, and stores successor.
func otherReplica(t *testing.T, successor string) func(*refreshTokens) {
	t.Helper()
	seal, err := domain.SealSuccessor("refresh token", grantID, successor, rand.Reader)
	require.NoError(t, err)
	return func(r *refreshTokens) { r.token.RotatedAt, r.token.SuccessorSeal = start, seal }
}

func TestLosingTheRaceForARotationReturnsTheWinnersSuccessor(t *testing.T) {
	w := newWorld(t)
	w.refresh.beforeRotate = otherReplica(t, "the winner's")

	answer, err := w.issuer.Issue(t.Context(), request(oauth.GrantRefreshToken))
	require.NoError(t, err)
	require.Equal(t, "the winner's", answer.RefreshToken)
	require.Equal(t, 1, w.refresh.repeated)
	require.Empty(t, w.refresh.grants)
}

func TestLosingTheRaceAfterTheGraceIsReuse(t *testing.T) {
	w := newWorld(t)
	late := otherReplica(t, "the winner's")
	w.refresh.beforeRotate = func(r *refreshTokens) {
		late(r)
		r.token.RotatedAt = start.Add(-time.Minute)
	}

	answer, err := w.issuer.Issue(t.Context(), request(oauth.GrantRefreshToken))
	refused(t, err, oauth.InvalidGrant)
	require.Nil(t, answer)
	require.Equal(t, []string{grantID}, w.refresh.grants)
	require.Equal(t, []audit.Kind{audit.RefreshReused, audit.FamilyRevoked}, w.trail.kinds())
}

func TestARepeatWhoseSuccessorIsUsedMeanwhileRevokesTheFamily(t *testing.T) {
	w := newWorld(t)
	otherReplica(t, "the winner's")(w.refresh)
	w.refresh.repeat = func(r *refreshTokens) error {
		r.used = true
		return grants.ErrConsumed
	}

	answer, err := w.issuer.Issue(t.Context(), request(oauth.GrantRefreshToken))
	refused(t, err, oauth.InvalidGrant)
	require.Nil(t, answer, "the access token that was already signed is withheld")
	require.Equal(t, []string{grantID}, w.refresh.grants)
}

func TestReuseThatCannotBeRevokedIsNotAnsweredAsReuse(t *testing.T) {
	w := newWorld(t)
	otherReplica(t, "the winner's")(w.refresh)
	w.refresh.used, w.refresh.fault = true, errDisk

	_, err := w.issuer.Issue(t.Context(), request(oauth.GrantRefreshToken))
	require.ErrorIs(t, err, errDisk)
	require.Empty(t, w.trail.events)
}
