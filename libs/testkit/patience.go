package testkit

import "time"

// Patience is how long a test waits for something that takes a moment. It is far longer than
// any machine needs: a test fails because something doesn't happen, never because the machine
// is busy.
const Patience = 2 * time.Minute
