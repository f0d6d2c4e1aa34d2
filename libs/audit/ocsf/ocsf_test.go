package ocsf

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
)

func record(kind audit.Kind) audit.Record {
	return audit.Record{
		ID:      "aud_1",
		At:      time.Date(2026, 3, 1, 12, 0, 0, 5_000_000, time.UTC),
		Service: "session",
		Event:   audit.Event{Kind: kind},
	}
}

// Each event has what the schema requires of its class and of all events, even if its row
// has only a kind.
func TestEveryKindHasAClassAndWhatItRequires(t *testing.T) {
	require.Len(t, meanings, len(audit.Kinds()))

	for _, info := range audit.Kinds() {
		require.Contains(t, meanings, info.Kind)
		text, err := json.Marshal(FromRecord(record(info.Kind)))
		require.NoError(t, err)
		var e map[string]any
		require.NoError(t, json.Unmarshal(text, &e))

		for _, name := range []string{
			"activity_id", "category_uid", "class_uid", "type_uid", "severity_id", "time", "metadata",
		} {
			require.Contains(t, e, name, info.Kind)
		}

		required := map[float64][]string{
			accountChange:    {"user"},
			authentication:   {"user", "service"},
			authorizeSession: {"user", "privileges"},
			entityManagement: {"entity"},
			apiActivity:      {"actor", "api", "src_endpoint"},
		}[e["class_uid"].(float64)]

		require.NotEmpty(t, required)

		for _, name := range required {
			require.NotEmpty(t, e[name], "%s: %s", info.Kind, name)
		}

		require.Equal(t, e["class_uid"].(float64)*100+e["activity_id"].(float64), e["type_uid"])

		if e["activity_id"] == float64(other) {
			require.Equal(t, string(info.Kind), e["activity_name"])
		}
	}
}

func TestAFailureNamesThePseudonymAndNothingIsLost(t *testing.T) {
	r := record(audit.SignInFailed)
	r.Account, r.Address, r.Reference, r.ClientID = "acc_x", "192.0.2.1", "ref", "web"
	r.Detail = map[string]string{"error": "denied"}
	r.Link = audit.Link{Chain: "2026-03-01.x", Seq: 7, Hash: []byte{0xab}}
	text, err := json.Marshal(FromRecord(r))
	require.NoError(t, err)
	require.JSONEq(t,
		`{"activity_id": 1, "category_uid": 3, "class_uid": 3002, "type_uid": 300201, "severity_id": 2, "status_id": 2,
		"status_detail": "denied", "time": 1772366400005, "user": {"name": "acc_x"}, "service": {"name": "session"}, "src_endpoint": {"ip": "192.0.2.1"},
		"metadata": {"version": "1.3.0", "product": {"name": "platform", "vendor_name": "platform-oauth"}, "uid": "aud_1", "event_code": "session.sign_in_failed",
			"log_name": "audit", "log_provider": "session", "correlation_uid": "ref", "sequence": 7},
		"unmapped": {"client_id": "web", "chain": "2026-03-01.x", "hash": "ab", "detail.error": "denied"}}`, string(
			text))

	unknownKind := FromRecord(record("later.version"))
	require.Equal(t, apiActivity, unknownKind.ClassUID)
}
