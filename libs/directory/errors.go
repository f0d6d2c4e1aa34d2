package directory

import "errors"

// ErrNotFound is what every look-up answers for something that does not exist
// or is not for the caller to see.
var ErrNotFound = errors.New("directory: not found")
