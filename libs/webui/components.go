package webui

// Field is an input with its label, hint and error: {{template "field" .Data.Email}}. Its id is
// "f-" plus Name, to which the error summary links.
type Field struct {
	Name         string
	Label        string
	Type         string // "text" when empty
	Value        string // never set for passwords
	Hint         string
	Error        string // why the value was refused; marks the field invalid
	ErrorAbove   bool   // only the summary shows Error: for forms with one field
	Placeholder  string // shows the form of a value; never replaces the hint
	Autocomplete string // WHATWG autofill detail, for password managers
	InputMode    string // "email", "numeric", …
	Autocapital  string // autocapitalize: "none", "characters"
	MaxLength    int    // 0: no limit
	Required     bool
	Autofocus    bool
	ReadOnly     bool
	Code         bool // monospaced and spaced out: for codes that are copied by hand
}

// ID returns the input's id attribute.
func (f Field) ID() string { return "f-" + f.Name }

// Describedby returns the ids of those of hint and error that exist.
func (f Field) Describedby() string {
	switch {
	case f.Hint != "" && f.Error != "":
		return f.ID() + "-error " + f.ID() + "-hint"
	case f.Error != "":
		return f.ID() + "-error"
	case f.Hint != "":
		return f.ID() + "-hint"
	default:
		return ""
	}
}

// Notice is a boxed remark: {{template "notice" .Data.Notice}}.
type Notice struct {
	Kind NoticeKind
	Text string
}

// NoticeKind determines a notice's colour and icon.
type NoticeKind string

// Notice kinds.
const (
	Info    NoticeKind = "info"
	Success NoticeKind = "success"
	Warning NoticeKind = "warning"
)

// ScopeLine is one scope on a consent page: {{template "scopes" .Data.Scopes}}.
type ScopeLine struct {
	Name string
	Text string // empty: its name is shown
}
