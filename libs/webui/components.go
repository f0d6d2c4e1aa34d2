package webui

// Field is an input with its label, hint and error: {{template "field" .Data.Email}}.
// Its id is "f-" plus Name, which is where the error summary links to.
type Field struct {
	Name         string
	Label        string
	Type         string // "text" when empty
	Value        string // never set for passwords
	Hint         string
	Error        string // why the value was refused; marks the field invalid
	ErrorAbove   bool   // only the summary shows Error: for forms of one field
	Placeholder  string // shows the form of a value, never what the hint must say
	Autocomplete string // WHATWG autofill detail, for password managers
	InputMode    string // "email", "numeric", …
	Autocapital  string // autocapitalize: "none", "characters"
	MaxLength    int    // 0: no limit
	Required     bool
	Autofocus    bool
	ReadOnly     bool
	Code         bool // monospaced and spaced out: for codes that are copied by hand
}

// ID is the input's id attribute.
func (f Field) ID() string { return "f-" + f.Name }

// Describedby lists the ids of the hint and the error that exist.
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

// NoticeKind decides a notice's colour and sign.
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
	Text string // empty: shown by its name
}
