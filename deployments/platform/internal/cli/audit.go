package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/admin"
	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/config"
)

// auditFlags are the flags of `audit`.
type auditFlags struct {
	user, client, reference, since string
	limit                          int
	follow, json                   bool
}

func (a *app) audit() *cobra.Command {
	var flags auditFlags
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Print the audit trail",
		Long: `Print the newest rows of the audit trail, oldest first: sign-ins, failures,
decisions and operators' changes. --follow keeps printing new rows until it is
interrupted; with JSON output, it prints one object per line.`,
		Example: "  platform audit --since 24h --user ada@acme.test\n  platform audit --follow --json | jq .kind",
		Args:    a.noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.runAudit(cmd.Context(), flags) },
	}

	cmd.Flags().StringVar(&flags.user, "user", "",
		"only rows about this person, by id or e-mail address (an address also finds failed sign-ins)")
	cmd.Flags().StringVar(&flags.client, "app", "", "only rows about this application, by client id")
	cmd.Flags().StringVar(&flags.reference, "reference", "", "only the row with this reference from an error page")
	cmd.Flags().StringVar(&flags.since, "since", "",
		"only rows since then: a duration such as 24h, or a time such as 2026-03-01T09:00:00Z")
	cmd.Flags().IntVar(&flags.limit, "limit", 100, "maximum number of rows, before following")
	cmd.Flags().BoolVar(&flags.follow, "follow", false, "keep printing new rows")
	cmd.Flags().BoolVar(&flags.json, "json", false, "same as --output json")
	cmd.AddCommand(a.auditExport(), a.auditVerify(), a.auditKinds())

	return cmd
}

func (a *app) runAudit(ctx context.Context, flags auditFlags) error {
	if flags.json {
		a.output = "json"
	}

	if err := checkLimit(flags.limit); err != nil {
		return err
	}

	return a.operate(ctx, func(ctx context.Context, o *operation) (err error) {
		filter := audit.Filter{
			User:      flags.user,
			Client:    flags.client,
			Reference: flags.reference,
			Limit:     flags.limit,
		}
		if filter.Since, err = moment("--since", flags.since, o.deps.Now()); err != nil {
			return err
		}

		if err := a.aboutPerson(ctx, o, flags.user, &filter); err != nil {
			return err
		}

		records, err := sqlstore.Read(ctx, o.db, filter)
		if err != nil {
			return err
		}

		if !flags.follow {
			return a.printTrail(records)
		}

		return a.follow(ctx, o, filter, records)
	})
}

// aboutPerson restricts the filter to rows about a person. For an address, this includes
// failures that name it by its pseudonym, even if no account has the address. Events
// outlive what they describe, so an id doesn't have to exist any more.
func (a *app) aboutPerson(ctx context.Context, o *operation, user string, filter *audit.Filter) error {
	if !strings.Contains(user, "@") {
		return nil
	}

	keys, err := a.pseudonymKeys()
	if err != nil {
		return err
	}

	for _, key := range keys {
		filter.Accounts = append(filter.Accounts, audit.Pseudonym(key, user))
	}

	if len(keys) == 0 {
		fmt.Fprintln(a.streams.Err,
			"failed sign-ins are left out, because they name an address by a keyed pseudonym: set "+encryptionVariable+
				" to the services' value to see them")
	}

	filter.User, err = o.userID(ctx, user)
	var missing *admin.NotFoundError
	if errors.As(err, &missing) && len(keys) > 0 {
		filter.User, err = "", nil
	}

	return err
}

// pseudonymKeys derives the keys of pseudonyms from the encryption keys, including old
// ones. It returns none if no encryption keys are set here.
func (a *app) pseudonymKeys() ([][]byte, error) {
	defaults := map[string]string{}
	found, err := a.encryptionKeys(defaults, nil, rand.Reader)
	if err != nil || found.path != "" { // there is no key yet
		return nil, err
	}

	var cfg struct{ Encryption config.Encryption }
	if err := config.Load(&cfg, config.LoadOptions{Environ: a.environ, Defaults: defaults}); err != nil {
		return nil, err
	}

	var keys [][]byte
	for _, key := range cfg.Encryption.Keys {
		one := config.Encryption{Keys: []config.EncryptionKey{key}}
		keys = append(keys, one.Derive(audit.PseudonymLabel))
	}

	return keys, nil
}

// moment parses a flag's time, which is a duration back from now or a point in time.
func moment(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, nil
	}

	return time.Time{}, usageError{fmt.Errorf("%s %q is neither a duration such as 24h nor a time such as 2026-03-01T09:00:00Z", flag, s)}
}

// eventView is a row of the trail as commands show it.
type eventView struct {
	ID        string            `json:"id"`
	At        time.Time         `json:"at"`
	Kind      audit.Kind        `json:"kind"`
	Service   string            `json:"service"`
	UserID    string            `json:"user_id,omitempty"`
	Account   string            `json:"account,omitempty"`
	ClientID  string            `json:"client_id,omitempty"`
	TenantID  string            `json:"tenant_id,omitempty"`
	SessionID string            `json:"session_id,omitempty"`
	GrantID   string            `json:"grant_id,omitempty"`
	Address   string            `json:"address,omitempty"`
	Reference string            `json:"reference,omitempty"`
	Detail    map[string]string `json:"detail,omitempty"`
}

func viewEvent(r audit.Record) eventView {
	return eventView{
		ID:        r.ID,
		At:        r.At,
		Kind:      r.Kind,
		Service:   r.Service,
		UserID:    r.UserID,
		Account:   r.Account,
		ClientID:  r.ClientID,
		TenantID:  r.TenantID,
		SessionID: r.SessionID,
		GrantID:   r.GrantID,
		Address:   r.Address,
		Reference: r.Reference,
		Detail:    r.Detail,
	}
}

func (a *app) printTrail(records []audit.Record) error {
	if a.output == "json" {
		views := make([]eventView, len(records))
		for i, r := range records {
			views[i] = viewEvent(r)
		}
		return a.printJSON(views)
	}

	a.trailHead()

	for _, r := range records {
		a.trailLine(r)
	}

	return nil
}

// The trail's columns have fixed widths, because with --follow the rows to come aren't
// known.
const trailFormat = "%-20s  %-27s  %-9s  %s\n"

func (a *app) trailHead() { fmt.Fprintf(a.streams.Out, trailFormat, "AT", "KIND", "SERVICE", "ABOUT") }

func (a *app) trailLine(r audit.Record) {
	var about []string
	add := func(name, value string) {
		if value != "" {
			about = append(about, name+"="+printable(value))
		}
	}

	add("user", r.UserID)
	add("account", r.Account)
	add("app", r.ClientID)
	add("tenant", r.TenantID)
	add("session", r.SessionID)
	add("grant", r.GrantID)
	add("address", r.Address)
	add("reference", r.Reference)

	for _, name := range slices.Sorted(maps.Keys(r.Detail)) {
		add(name, r.Detail[name])
	}

	fmt.Fprintf(a.streams.Out, trailFormat, r.At.Format(time.RFC3339), printable(string(r.Kind)), printable(r.Service),
		strings.Join(about, " "))
}

const (
	followEvery = time.Second
	// followBack is how late a row may appear, because the replicas' clocks differ and a
	// transaction takes a while from its row's time to its end.
	followBack = 30 * time.Second
	followPage = 1000
)

// follower prints each row once, in the order in which it sees them.
type follower struct {
	floor string          // rows up to this one aren't read again
	seen  map[string]bool // rows after it that were printed
}

func (a *app) follow(ctx context.Context, o *operation, filter audit.Filter, records []audit.Record) error {
	f := follower{floor: "-", seen: map[string]bool{}} // sorts before every id
	if len(records) == filter.Limit {
		f.floor = records[0].ID // older rows may exist, but weren't asked for
	}

	if a.output != "json" {
		a.trailHead()
	}

	filter.Limit = followPage
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()

	for {
		if err := a.printNew(&f, records, o.deps.Now().Add(-followBack)); err != nil {
			return err
		}

		select {
		case <-ctx.Done():
			return nil // a follower runs until it is interrupted
		case <-ticker.C:
		}

		var err error
		if records, err = f.read(ctx, o, filter); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// read returns everything after the floor.
func (f *follower) read(ctx context.Context, o *operation, filter audit.Filter) (all []audit.Record, err error) {
	filter.AfterID = f.floor
	for {
		page, err := sqlstore.Read(ctx, o.db, filter)
		if err != nil {
			return nil, err
		}

		all = append(all, page...)
		if len(page) < filter.Limit {
			return all, nil
		}

		filter.AfterID = page[len(page)-1].ID
	}
}

func (a *app) printNew(f *follower, records []audit.Record, settled time.Time) error {
	for _, r := range records {
		if f.seen[r.ID] {
			continue
		}

		f.seen[r.ID] = true
		if a.output != "json" {
			a.trailLine(r)
		} else if err := json.NewEncoder(a.streams.Out).Encode(viewEvent(r)); err != nil {
			return err
		}
	}

	for _, r := range records {
		if r.At.Before(settled) && r.ID > f.floor {
			f.floor = r.ID
		}
	}

	maps.DeleteFunc(f.seen, func(id string, _ bool) bool { return id <= f.floor })
	return nil
}
