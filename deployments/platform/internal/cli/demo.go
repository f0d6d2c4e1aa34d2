package cli

import (
	"context"
	"net/http"
	"os"
	"strings"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/demo"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/together"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/webui"
)

// demoNotice tells a person what to click and type.
type demoNotice struct {
	URL           string `json:"url"`
	Email         string `json:"email"`
	Password      string `json:"password"`
	ServiceClient string `json:"service_client_id"`
	ServiceSecret string `json:"service_client_secret"`
}

// demo loads the demo set and puts the demo application before the platform's
// handler.
func (a *app) demo(ctx context.Context, p together.Config, deps servicekit.Deps, next http.Handler) (http.Handler, *demoNotice, error) {
	if err := os.MkdirAll(p.Signing.DataDir, 0o700); err != nil {
		return nil, nil, err
	}
	credentials, err := demo.LoadCredentials(p.Signing.DataDir, deps.Random)
	if err != nil {
		return nil, nil, err
	}
	set := manifest.New("the demo set", demo.Set(p.Server.Origin(), credentials))
	if _, err := applyFile(ctx, deps.DB, set, p.Server, manifest.ApplyOptions{}, deps); err != nil {
		return nil, nil, err
	}
	ui, err := webui.New()
	if err != nil {
		return nil, nil, err
	}
	app, err := demo.New(demo.Options{
		Origin: p.Server.Origin(), Issuer: p.Server.Issuer(), Credentials: credentials, UI: ui,
		Logger: deps.Logger, Now: deps.Now, Random: deps.Random,
	})
	if err != nil {
		return nil, nil, err
	}
	return before(app.Handler(), next), &demoNotice{
		URL: p.Server.Origin() + demo.Path, Email: demo.Email, Password: credentials.Password,
		ServiceClient: demo.ServiceClient, ServiceSecret: credentials.ServiceSecret,
	}, nil
}

// before sends /demo and what is below it to the demo, all else to the platform.
func before(app, platform http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == demo.Path || strings.HasPrefix(r.URL.Path, demo.Path+"/") {
			app.ServeHTTP(w, r)
			return
		}
		platform.ServeHTTP(w, r)
	})
}
