package httpkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// JSON ends a request with v as JSON. Cache-Control is the caller's: NoStore first
// for anything that is not public.
func JSON(c *gin.Context, status int, v any) {
	if err := WriteJSON(c.Writer, status, v); err != nil && !c.Writer.Written() {
		Fail(c, err)
	}
}

// WriteJSON writes v without escaping <, > and &, which mean nothing in an
// application/json answer, and without a newline at the end. Nothing is written
// when v cannot be encoded.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)

	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}

	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err := w.Write(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
	return err
}

// NoStore forbids every cache to keep the answer (RFC 6749 5.1).
func NoStore(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
}

// Reference is what a failure of this request is found by: the same that an error
// page shows and the log line carries.
func Reference(c *gin.Context) string { return exchangeOf(c).ref() }

// SeeOther redirects with 303, so that the browser follows with GET whatever it
// sent (RFC 9110 15.4.4), and without a body. The answer is not cached: the
// address may carry a code. url is sent as it is, save that what no URL may hold
// is percent-encoded; the caller has decided that it is safe to go there.
func SeeOther(c *gin.Context, url string) {
	NoStore(c)
	c.Writer.Header().Set("Location", escapeLocation(url))
	c.Writer.WriteHeader(http.StatusSeeOther)
	c.Writer.WriteHeaderNow()
}

// escapeLocation percent-encodes control characters, spaces and bytes beyond ASCII.
func escapeLocation(s string) string {
	bad := func(b byte) bool { return b <= ' ' || b >= 0x7f }
	n := 0
	for i := range len(s) {
		if bad(s[i]) {
			n++
		}
	}

	if n == 0 {
		return s
	}

	var out strings.Builder
	out.Grow(len(s) + 2*n)

	for i := range len(s) {
		if bad(s[i]) {
			fmt.Fprintf(&out, "%%%02X", s[i])
		} else {
			out.WriteByte(s[i])
		}
	}

	return out.String()
}
