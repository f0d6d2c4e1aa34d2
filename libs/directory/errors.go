package directory

import "errors"

// ErrNotFound is returned by every look-up for something that does not exist or that the caller
// may not see.
var ErrNotFound = errors.New("directory: not found")
