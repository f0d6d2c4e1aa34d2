package signing

// unavailableError is a temporary error. The edge answers 503 because of its Unavailable
// method.
type unavailableError struct {
	what  string
	cause error
}

func (e *unavailableError) Error() string {
	if e.cause != nil {
		return e.what + ": " + e.cause.Error()
	}
	return e.what
}

// Unwrap returns the cause, for errors.Is.
func (e *unavailableError) Unwrap() error { return e.cause }

// Unavailable makes the edge answer 503.
func (*unavailableError) Unavailable() bool { return true }
