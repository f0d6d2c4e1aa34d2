package webui

import "time"

// Ago says in words how long before now something happened, in the largest unit that fits. It
// needs no time zone, which a page without script can't know.
func (t Texts) Ago(at, now time.Time) string {
	since := now.Sub(at)
	for _, unit := range []struct {
		key    string
		length time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if n := int(since / unit.length); n > 1 {
			return t.T("ago."+unit.key+"s", n)
		} else if n == 1 {
			return t.T("ago." + unit.key)
		}
	}

	return t.T("ago.now")
}

// In says how long to wait, rounded up to whole minutes, or to seconds below one minute.
func (t Texts) In(wait time.Duration) string {
	unit, length := "minute", time.Minute
	if wait < time.Minute {
		unit, length = "second", time.Second
	}

	n := max(1, int((wait+length-1)/length))
	if n == 1 {
		return t.T("in." + unit)
	}
	return t.T("in."+unit+"s", n)
}
