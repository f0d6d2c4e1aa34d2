package webui

import (
	"net/http"
	"strconv"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
)

type errorData struct {
	Do          string
	Code        string
	Description string
	Missing     []string
	Reference   string
}

// ErrorPage writes a problem as a page: what happened, what to do, and the reference under
// which the log has the cause. It can be used as httpkit's Options.ErrorPage.
func (u *UI) ErrorPage(w http.ResponseWriter, r *http.Request, p httpkit.Problem) {
	texts := u.texts.For(r, "")
	key := errorKey(texts, p)
	data := errorData{
		Do:          texts.T(key + ".do"),
		Code:        string(p.Code),
		Description: p.Description,
		Missing:     p.Missing,
		Reference:   p.Reference,
	}

	view := View{Title: texts.T(key + ".title"), Lead: texts.T(key + ".what"), Data: data}
	u.Render(w, r, p.Status, u.errors, view, PageOptions{Texts: texts})
}

// errorKey prefers a text for the code, then one for the status, then one for the status's
// class.
func errorKey(texts Texts, p httpkit.Problem) string {
	for _, key := range []string{"error." + string(p.Code), "error." + strconv.Itoa(p.Status)} {
		if texts.Has(key + ".title") {
			return key
		}
	}

	if p.Status >= http.StatusInternalServerError {
		return "error.500"
	}
	return "error.400"
}
