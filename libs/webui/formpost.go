package webui

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

type formPost struct {
	Action template.URL
	Params []param
}

type param struct{ Name, Value string }

// FormPost answers with a page whose form posts params to the redirect URI (OAuth 2.0 Form Post
// Response Mode 2), by one external script, or by its button if scripts don't run. The URI must
// be a registered one. FormPost panics on a URI that registration would refuse, so that it
// never becomes a form's action.
func (u *UI) FormPost(w http.ResponseWriter, r *http.Request, redirectURI string, params url.Values) {
	if err := oauth.ValidateUndottedRedirectURI(redirectURI); err != nil {
		panic(fmt.Errorf("webui: form post: the redirect URI %w", err))
	}

	data := formPost{Action: template.URL(redirectURI)} //nolint:gosec // checked above; private schemes are legitimate
	for name, values := range params {
		for _, value := range values {
			data.Params = append(data.Params, param{Name: name, Value: value})
		}
	}

	slices.SortStableFunc(data.Params, func(a, b param) int { return cmp.Compare(a.Name, b.Name) })
	texts := u.texts.For(r, "")
	opts := PageOptions{Texts: texts, Script: "form_post.js", LeadsAway: true}
	u.Render(w, r, http.StatusOK, u.post,
		View{Title: texts.T("form_post.title"), Lead: texts.T("form_post.lead"), Data: data}, opts)
}
