package signing

// unavailableError is an error that goes away by itself: the edge answers 503
// where it sees Unavailable.
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

// Unwrap gives the cause, for errors.Is.
func (e *unavailableError) Unwrap() error { return e.cause }

// Unavailable marks the error for the edge.
func (*unavailableError) Unavailable() bool { return true }
