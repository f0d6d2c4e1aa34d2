package httpapi

import (
	"github.com/gin-gonic/gin"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/webui"
)

// wayOn adds a way to continue to the page of a flow that is over: to the application if it
// registered a page for starting a sign-in, to the device's code, or to the account. If
// nothing is known of the flow it links to the account, which can always be opened.
func (h *signInPages) wayOn(c *gin.Context, message *webui.Message, key string, texts webui.Texts) {
	way := h.app.WayOn(c.Request.Context(), c.Param("flow"))
	if key == "flow.finished" && (way.Kind == grants.KindDevice || way.Kind == grants.KindAccount) {
		message.Lead = texts.T("flow.finished.here")
	}

	switch {
	case way.Kind == grants.KindDevice:
		message.Text = texts.T("flow.device.do")
		message.Link = &webui.Link{Href: oauth.DevicePath, Label: texts.T("flow.device.link")}
	case way.Kind == grants.KindAccount:
		message.Text = texts.T("flow.account.do")
		message.Link = &webui.Link{Href: accountPath, Label: texts.T("flow.account.link")}
	case way.Begin != "":
		message.Text = texts.T(key+".do_at", way.Application)
		message.Link = &webui.Link{Href: way.Begin, Label: texts.T("flow.begin", way.Application)}
	case way.Application != "":
		message.Text = texts.T(key+".do_at", way.Application)
		message.Link = &webui.Link{Href: accountPath, Label: texts.T("flow.account.link")}
	default:
		message.Link = &webui.Link{Href: accountPath, Label: texts.T("flow.account.link")}
	}
}
