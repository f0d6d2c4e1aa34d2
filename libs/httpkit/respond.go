package httpkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// JSON ends a request with v as JSON. Cache-Control is up to the caller: call NoStore first for
// anything that isn't public.
func JSON(c *gin.Context, status int, v any) {
	if err := WriteJSON(c.Writer, status, v); err != nil && !c.Writer.Written() {
		Fail(c, err)
	}
}

// WriteJSON writes v without escaping <, > and &, which have no meaning in an application/json
// response, and without a final newline. If v can't be encoded, it writes nothing.
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

// NoStore forbids caches to store the response (RFC 6749 5.1).
func NoStore(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
}

// Reference returns the reference of a failure of this request, as on an error page and in the
// log line.
func Reference(c *gin.Context) string { return exchangeOf(c).ref() }

// SeeOther redirects with 303 and no body, so that the browser follows with GET whatever method
// it used (RFC 9110 15.4.4). The response isn't cached, since the URL may carry a code. url is
// sent as it is, except that characters not allowed in a URL are percent-encoded. The caller
// must make sure that redirecting there is safe.
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
