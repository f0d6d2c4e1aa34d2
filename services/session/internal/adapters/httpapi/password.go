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

func (h *accountPages) passwordForm(c *gin.Context) {
	if me := h.me(c); me != nil {
		h.newPasswordPage(c, me, http.StatusOK, domain.PasswordFine, true)
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

func (h *accountPages) newPasswordPage(
	c *gin.Context, me *app.Me, status int, problem domain.PasswordProblem, others bool,
) {
	csrf, err := h.accountCSRF(c, me.Session)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	holders, err := h.app.Holders(c.Request.Context(), me)
	if err != nil {
		httpkit.Fail(c, err)
		return
	}

	t := h.texts.For(c.Request, "")
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

	h.ui.Render(c.Writer, c.Request, status, h.pages["new_password"], view,
		webui.PageOptions{Texts: t, Theme: h.ownTheme(me)})
}

// changePassword answers a refused form with the empty form, never with what was typed.
func (h *accountPages) changePassword(c *gin.Context) {
	me, form := h.accountForm(c, accountPasswordPath)
	if me == nil {
		return
	}

	change := app.PasswordChange{
		Current:   form.Get("current_password"),
		New:       form.Get("new_password"),
		Repeated:  form.Get("repeat_password"),
		EndOthers: form.Get("sign_out_others") == "yes",
	}

	problem, fresh, err := h.app.ChangePassword(c.Request.Context(), me, change)
	if err != nil {
		if !h.refused(c, err) {
			httpkit.Fail(c, err)
		}
		return
	}

	if problem != domain.PasswordFine {
		h.newPasswordPage(c, me, http.StatusUnprocessableEntity, problem, change.EndOthers)
		return
	}

	h.setCookies(c, fresh)
	h.done(c, nil, "password")
}
