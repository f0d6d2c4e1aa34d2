package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Level is the severity of a finding.
type Level string

// Levels. A warning is for something that works but should be changed, or that couldn't be
// checked.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is one line of the report.
type Finding struct {
	Result  Level  `json:"result"`
	Check   string `json:"check"`
	Finding string `json:"finding"`
	Remedy  string `json:"remedy"`
}

// Patient is the platform to be examined. All fields are required except Service.
type Patient struct {
	// Service names the service whose environment this is. Its database login and Vault
	// token are judged by what that service needs. If empty, they are judged by what any
	// service may have.
	Service  string
	Server   config.Server
	Database config.Database
	Signing  config.Signing
	// Open opens the database.
	Open func(ctx context.Context) (*database.DB, error)
	Deps servicekit.Deps
}

// patience bounds each check of something that may not answer.
const patience = 10 * time.Second

// Examine runs the checks and returns the findings.
func Examine(ctx context.Context, p Patient) []Finding {
	e := &examination{Patient: p}
	e.openDatabase(ctx)
	if e.db != nil {
		defer func() { _ = e.db.Close() }()
	}

	e.signing(ctx)
	e.edge(ctx)
	return e.findings
}

type examination struct {
	Patient
	findings []Finding
	db       *database.DB  // nil: there is no database to check
	schedule []signing.Key // nil: unknown
	wanted   []signing.Algorithm
}

func (e *examination) ok(check, format string, args ...any) {
	e.findings = append(e.findings, Finding{Result: OK, Check: check, Finding: fmt.Sprintf(format, args...)})
}

func (e *examination) warn(check, remedy, format string, args ...any) {
	e.findings = append(e.findings, Finding{
		Result:  Warn,
		Check:   check,
		Finding: fmt.Sprintf(format, args...),
		Remedy:  remedy,
	})
}

func (e *examination) fail(check, remedy, format string, args ...any) {
	e.findings = append(e.findings, Finding{
		Result:  Fail,
		Check:   check,
		Finding: fmt.Sprintf(format, args...),
		Remedy:  remedy,
	})
}

// Clocks that differ make tokens that aren't valid yet, and codes that expire early.
const (
	skewWarned = 2 * time.Second
	skewFailed = 15 * time.Second
)

// clock compares another clock of the given precision with ours, at the middle of the
// request.
func (e *examination) clock(whose string, theirs, asked, answered time.Time, precision time.Duration) {
	skew := theirs.Add(precision / 2).Sub(asked.Add(answered.Sub(asked) / 2))
	off := max(0, skew.Abs()-precision/2-answered.Sub(asked)/2).Round(time.Millisecond)
	check, remedy := "clock."+whose, "synchronise this machine's clock and that of "+whose+" by NTP"
	switch {
	case off >= skewFailed:
		e.fail(check, remedy, "the clocks of %s and of this machine are %s apart", whose, off)
	case off >= skewWarned:
		e.warn(check, remedy, "the clocks of %s and of this machine are %s apart", whose, off)
	default:
		e.ok(check, "the clock of %s agrees with this machine's", whose)
	}
}
