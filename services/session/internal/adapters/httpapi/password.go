package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/webui"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

// newPassword holds the data of the page that changes the password.
type newPassword struct {
	Action, CSRF, Username, Back string
	Fields                       []webui.Field
	Others                       bool
	Holders                      []string // applications that lose their access if Others is checked
}

func (a *api) passwordForm(c *gin.Context) {
	if me := a.me(c); me != nil {
		a.newPasswordPage(c, me, http.StatusOK, domain.PasswordFine, true)
	}
}

// wrongField maps each problem to the field it belongs to.
var wrongField = map[domain.PasswordProblem]string{
	domain.PasswordShort:    "new_password",
	domain.PasswordLong:     "new_password",
	domain.PasswordEmail:    "new_password",
	domain.PasswordRepeated: "repeat_password",
	domain.PasswordCurrent:  "current_password",
	domain.PasswordStale:    "current_password",
}

var problemWords = map[domain.PasswordProblem]string{
	domain.PasswordShort:    "new_password.short",
	domain.PasswordLong:     "new_password.long",
	domain.PasswordEmail:    "new_password.email",
	domain.PasswordRepeated: "new_password.repeated",
	domain.PasswordCurrent:  "new_password.current_wrong",
	domain.PasswordStale:    "new_password.stale",
}

func (a *api) newPasswordPage(c *gin.Context, me *app.Me, status int, problem domain.PasswordProblem, others bool) {
	csrf, err := a.accountCSRF(c, me.Session)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	holders, err := a.App.Holders(c.Request.Context(), me)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	t := a.texts.For(c.Request, "")
	fields := []webui.Field{
		{Name: "current_password", Label: t.T("new_password.current"), Autocomplete: "current-password"},
		{
			Name:         "new_password",
			Label:        t.T("new_password.new"),
			Hint:         t.T("new_password.hint"),
			Autocomplete: "new-password",
		},
		{Name: "repeat_password", Label: t.T("new_password.repeat"), Autocomplete: "new-password"},
	}

	view := webui.View{Title: t.T("new_password.title")}
	for i := range fields {
		f := &fields[i]
		f.Type, f.Required, f.Autofocus = "password", true, i == 0 && problem == domain.PasswordFine
		if f.Name == wrongField[problem] {
			f.Error, f.Autofocus = t.T(problemWords[problem]), true
			view.Invalid = append(view.Invalid, *f)
		}
	}

	view.Data = &newPassword{
		Action:   accountPasswordPath,
		CSRF:     csrf,
		Username: me.User.Email,
		Back:     accountPath,
		Fields:   fields,
		Others:   others,
		Holders:  holders,
	}

	a.UI.Render(c.Writer, c.Request, status, a.pages["new_password"], view,
		webui.PageOptions{Texts: t, Theme: a.ownTheme(me)})
}

// changePassword answers a refused form with the empty form, never with what was typed.
func (a *api) changePassword(c *gin.Context) {
	me, form := a.accountForm(c, accountPasswordPath)
	if me == nil {
		return
	}

	change := app.PasswordChange{
		Current:   form.Get("current_password"),
		New:       form.Get("new_password"),
		Repeated:  form.Get("repeat_password"),
		EndOthers: form.Get("sign_out_others") == "yes",
	}

	problem, fresh, err := a.App.ChangePassword(c.Request.Context(), me, change)
	switch {
	case err != nil:
		a.fail(c, err)
	case problem != domain.PasswordFine:
		a.newPasswordPage(c, me, http.StatusUnprocessableEntity, problem, change.EndOthers)
	default:
		a.setCookies(c, fresh)
		a.done(c, nil, "password")
	}
}
