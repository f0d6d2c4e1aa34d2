package httpapi

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed messages/*.json
var messageFiles embed.FS

// frame is what all pages share: their templates and texts, the browser's cookies, and the
// answers to forms that can't be taken.
type frame struct {
	journal *app.Journal
	ui      *webui.UI
	jar     cookie.Jar
	random  io.Reader
	texts   *webui.Catalogue
	pages   map[string]*webui.Page
}

// newFrame reads the texts and templates of all pages.
func newFrame(o Options) (*frame, error) {
	f := &frame{
		journal: o.Journal,
		ui:      o.UI,
		jar:     o.Jar,
		random:  o.Random,
		pages:   map[string]*webui.Page{},
	}

	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return nil, fmt.Errorf("session pages: %w", err)
	}

	if f.texts, err = f.ui.Catalogue(messages); err != nil {
		return nil, err
	}

	for _, name := range []string{
		"email", "password", "sso", "no_tenant", "tenant", "account", "consent", "logout", "me",
		"new_password", "entrance",
	} {
		if f.pages[name], err = f.ui.Page(templateFiles, "templates/"+name+".html"); err != nil {
			return nil, err
		}
	}

	return f, nil
}

// asset serves the stylesheet, the icon and the form_post script for all pages of the
// platform.
func (f *frame) asset(c *gin.Context) {
	if !f.ui.ServeAsset(c.Writer, c.Request, c.Param("file")) {
		httpkit.JSON(c, http.StatusNotFound, gin.H{"detail": "Not Found"})
	}
}

// browser reads the cookies, of which only hashes are passed on, and the origin of the
// request.
func (f *frame) browser(c *gin.Context) app.Browser {
	r := c.Request
	return app.Browser{
		Hash:         cookie.Hash(f.jar.Browser(r)),
		SessionHash:  cookie.Hash(f.jar.Session(r)),
		AccountsHash: cookie.Hash(f.jar.Accounts(r)),
		Device:       f.jar.Device(r),
		UserAgent:    domain.CleanUserAgent(r.UserAgent()),
		Address:      httpkit.ClientAddr(c),
		Reference:    httpkit.Reference(c),
	}
}

// setCookies sets the cookies of a new session.
func (f *frame) setCookies(c *gin.Context, fresh *app.NewCookie) {
	if fresh == nil {
		return
	}

	if fresh.Value != "" {
		f.jar.SetSession(c.Writer, fresh.Value, fresh.Lifetime)
	}

	if fresh.Browser != "" {
		f.jar.SetBrowser(c.Writer, fresh.Browser)
	}

	if fresh.Accounts != "" {
		f.jar.SetAccounts(c.Writer, fresh.Accounts, fresh.Lifetime)
	}

	if fresh.Device != "" {
		f.jar.SetDevice(c.Writer, fresh.Device)
	}
}

// leave removes the session cookie and replaces the browser's other cookies.
func (f *frame) leave(c *gin.Context, fresh *app.NewCookie) {
	f.clear(c)
	f.setCookies(c, fresh)
}

// clear removes the session cookie if there is one, even if its session is long gone.
func (f *frame) clear(c *gin.Context) {
	if f.jar.Session(c.Request) != "" {
		f.jar.ClearSession(c.Writer)
	}
}

// ownBrowser returns the browser cookie and sets one if there is none, since forms are
// bound to it.
func (f *frame) ownBrowser(c *gin.Context) (string, error) {
	if browser := f.jar.Browser(c.Request); browser != "" {
		return browser, nil
	}

	browser, err := oauth.NewSecret(f.random)
	if err != nil {
		return "", err
	}

	f.jar.SetBrowser(c.Writer, browser)
	return browser, nil
}

// stale answers a form that doesn't match what its page would show now, either because
// another tab moved on or because another site made it. It does nothing but show the page
// again.
func (f *frame) stale(c *gin.Context, reason, page string) {
	f.journal.Refused(c.Request.Context(), f.browser(c), reason)
	httpkit.SeeOther(c, page)
}

// refused answers a form that was sent too soon after others, or that another request overtook. It
// reports whether it did.
func (f *frame) refused(c *gin.Context, err error) bool {
	if blocked := (*limits.Error)(nil); errors.As(err, &blocked) && httpkit.WantsHTML(c.Request) {
		httpkit.Limited(c, blocked)
		f.blocked(c, blocked.RetryAfter())
		return true
	}

	if errors.Is(err, app.ErrRenewed) {
		httpkit.SeeOther(c, ownPage(c))
		return true
	}

	return false
}

// blocked tells the person when to try again, in words and by Retry-After (RFC 6585 4).
func (f *frame) blocked(c *gin.Context, wait time.Duration) {
	texts := f.texts.For(c.Request, "")
	c.Header("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	f.ui.Message(c.Writer, c.Request, http.StatusTooManyRequests, webui.Message{
		Title:     texts.T("limited.title"),
		Lead:      texts.T("limited.what"),
		Text:      texts.T("limited.do", texts.In(wait)),
		Reference: httpkit.Reference(c),
		Link:      &webui.Link{Href: ownPage(c), Label: texts.T("limited.link")},
	}, webui.PageOptions{Texts: texts})
}

// ownPage returns the page that a refused form came from.
func ownPage(c *gin.Context) string {
	if flow := c.Param("flow"); flow != "" {
		return flowPath(flow)
	}
	return accountPasswordPath
}
