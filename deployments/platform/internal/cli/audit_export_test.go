package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
)

func (o office) cursor(err string) string {
	o.t.Helper()
	_, cursor, found := strings.Cut(err, "cursor: ")
	require.True(o.t, found, err)
	return strings.TrimSpace(cursor)
}

func TestTheTrailIsExportedAPageAtATimeAndGoesOn(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		const rows = 2300 // more than two pages
		began := time.Now().Add(-time.Hour).UTC()
		for i := range rows {
			at := began.Add(time.Duration(i) * time.Millisecond)
			o.exec(`INSERT INTO audit_events (id, at, kind, service) VALUES ($1, $2, 'session.signed_in', 'session')`,
				fmt.Sprintf("aud_%014x%05d", at.UnixMicro(), i), database.At(at))
		}

		first := o.run("audit", "export", "--since", "2h", "--until",
			began.Add(1500*time.Millisecond).Format(time.RFC3339Nano))
		require.Equal(t, exitDone, first.code, first.err)
		require.Len(t, lines(first.out), 1500)
		rest := o.run("audit", "export", "--after", o.cursor(first.err), "--format", "ocsf")
		require.Equal(t, exitDone, rest.code, rest.err)
		require.Len(t, lines(rest.out), rows-1500)

		ids := map[string]bool{}
		for _, line := range lines(first.out) {
			var row struct{ ID string }
			require.NoError(t, json.Unmarshal([]byte(line), &row))
			ids[row.ID] = true
		}

		for _, line := range lines(rest.out) {
			var event struct {
				ClassUID int `json:"class_uid"`
				Metadata struct{ UID string }
			}
			require.NoError(t, json.Unmarshal([]byte(line), &event))
			require.Equal(t, 3002, event.ClassUID)
			ids[event.Metadata.UID] = true
		}

		require.Len(t, ids, rows, "each once")
		again := o.run("audit", "export", "--after", o.cursor(rest.err))
		require.Empty(t, again.out)
		require.Equal(t, o.cursor(rest.err), o.cursor(again.err))

		require.Contains(t, o.wrong("audit", "export"), "--since")
		require.Contains(t, o.wrong("audit", "export", "--since", "1h", "--format", "xml"), "neither jsonl nor ocsf")
		require.Contains(t, o.wrong("audit", "export", "--since", "1h", "--until", "x"), `--until "x"`)
	})
}

func TestTheTrailIsVerified(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		o.done("tenant", "create", "one", "--name", "One")
		require.Contains(t, o.done("audit", "verify"), "1 rows in 1 chains, 0 sealed days, 1 days not sealed yet\n")
		o.exec(`UPDATE audit_events SET tenant_id = 'x'`)
		failed := o.run("audit", "verify")
		require.Equal(t, exitFailed, failed.code)
		require.Contains(t, failed.out, "operator: the row was changed (chain ")
		require.Contains(t, failed.err, "has 1 problems")
		failed = o.run("audit", "verify", "-o", "json")
		require.Equal(t, exitFailed, failed.code)
		var report verified
		require.NoError(t, json.NewDecoder(bytes.NewBufferString(failed.out)).Decode(&report))
		require.Len(t, report.Found, 1)
	})
}

func TestFailuresAreFoundByTheAddressWhereTheKeysAre(t *testing.T) {
	inEachOffice(t, func(t *testing.T, o office) {
		o.t = t
		const key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
		keys, err := config.ParseEncryptionKeys(key)
		require.NoError(t, err)
		derived := config.Encryption{Keys: keys}.Derive(audit.PseudonymLabel)
		o.exec(`INSERT INTO audit_events (id, at, kind, service, account) VALUES ('aud_1', $1, 'session.sign_in_failed', 'session', $2)`,
			database.At(time.Now()), audit.Pseudonym(derived, "nobody@acme.test"))

		without := o.run("audit", "--user", "nobody@acme.test")
		require.Equal(t, exitFailed, without.code)
		require.Contains(t, without.err, "set PLATFORM_ENCRYPTION_KEYS")
		other := "//////////////////////////////////////////8="
		with := *o.desk
		with.environ = append(with.environ, "PLATFORM_ENCRYPTION_KEYS="+other+","+key)
		require.Contains(t, with.done("audit", "--user", "Nobody@acme.test"), "session.sign_in_failed",
			"an old key finds what it named")
		require.NotContains(t, with.done("audit"), "nobody@")
	})
}

func TestKindsAreListed(t *testing.T) {
	out := newDesk(t).done("audit", "kinds")
	require.Regexp(t, `(?m)^session\.sign_in_blocked +counted +Too many wrong passwords`, out)
	require.Len(t, lines(out), len(audit.Kinds())+1)
}
