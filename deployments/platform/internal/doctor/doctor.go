package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Level is how bad a finding is.
type Level string

// Levels. Warnings are for what works and should be otherwise, and for what could
// not be looked at.
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

// Patient is what is looked at. All fields are required but Service.
type Patient struct {
	// Service is whose environment this is: its database login and Vault token are
	// judged by what that service needs. Empty: by what any of them may have.
	Service  string
	Server   servicekit.Server
	Database servicekit.Database
	Signing  servicekit.Signing
	// Open opens the database.
	Open func(ctx context.Context) (*database.DB, error)
	Deps servicekit.Deps
}

// patience bounds each look at something that may not answer.
const patience = 10 * time.Second

// Examine makes the report.
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
	db       *database.DB  // nil: there is none to ask
	schedule []signing.Key // nil: not known
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

// Clocks that differ make tokens that are not valid yet, and codes that end early.
const (
	skewWarned = 2 * time.Second
	skewFailed = 15 * time.Second
)

// clock compares a clock, of a precision, with ours halfway through the request.
func (e *examination) clock(whose string, theirs, asked, answered time.Time, precision time.Duration) {
	skew := theirs.Add(precision / 2).Sub(asked.Add(answered.Sub(asked) / 2))
	off := max(0, skew.Abs()-precision/2-answered.Sub(asked)/2).Round(time.Millisecond)
	check, remedy := "clock."+whose, "let NTP keep the clocks of this machine and of that of "+whose
	switch {
	case off >= skewFailed:
		e.fail(check, remedy, "the clock of %s and this machine's are %s apart", whose, off)
	case off >= skewWarned:
		e.warn(check, remedy, "the clock of %s and this machine's are %s apart", whose, off)
	default:
		e.ok(check, "the clock of %s agrees with this machine's", whose)
	}
}
