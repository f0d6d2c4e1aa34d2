package cli

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/demo"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/together"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/webui"
)

// demoNotice tells a person what to open and what to type.
type demoNotice struct {
	URL           string `json:"url"`
	Email         string `json:"email"`
	Password      string `json:"password"`
	ServiceClient string `json:"service_client_id"`
	ServiceSecret string `json:"service_client_secret"`
}

// String returns the text that `up` and `demo` print.
func (d *demoNotice) String() string {
	return fmt.Sprintf("  demo      %s\n  sign in   %s with the password %s\n  service   %s with the secret %s\n",
		d.URL, d.Email, d.Password, d.ServiceClient, d.ServiceSecret)
}

// withDemo loads the demo set and routes the demo's paths to the demo application, in front
// of the platform's handler.
func (a *app) withDemo(
	ctx context.Context, p together.Config, deps servicekit.Deps, next http.Handler,
) (http.Handler, *demoNotice, error) {
	app, notice, err := newDemo(ctx, p.Server.Origin(), p.Server, p.Signing.DataDir, deps)
	if err != nil {
		return nil, nil, err
	}
	return before(app, next), notice, nil
}

// newDemo applies the demo set, so that the printed credentials work whatever was changed
// since, and returns the demo application for origin.
func newDemo(
	ctx context.Context, origin string, platform config.Server, dataDir string, deps servicekit.Deps,
) (http.Handler, *demoNotice, error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, nil, err
	}

	credentials, err := demo.LoadCredentials(dataDir, deps.Random)
	if err != nil {
		return nil, nil, err
	}

	set := manifest.New("the demo set", demo.Set(origin, credentials))
	if _, err := applyFile(ctx, deps.DB, set, platform, manifest.ApplyOptions{Overrule: true}, deps); err != nil {
		return nil, nil, err
	}

	ui, err := webui.New()
	if err != nil {
		return nil, nil, err
	}

	app, err := demo.New(demo.Options{
		Origin:      origin,
		Issuer:      platform.Issuer(),
		Credentials: credentials,
		UI:          ui,
		Logger:      deps.Logger,
		Now:         deps.Now,
		Random:      deps.Random,
	})
	if err != nil {
		return nil, nil, err
	}

	return app.Handler(), &demoNotice{
		URL:           origin + demo.Path,
		Email:         demo.Email,
		Password:      credentials.Password,
		ServiceClient: demo.ServiceClient,
		ServiceSecret: credentials.ServiceSecret,
	}, nil
}

// before sends /demo and everything below it to the demo, and all other requests to the
// platform.
func before(app, platform http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == demo.Path || strings.HasPrefix(r.URL.Path, demo.Path+"/") {
			app.ServeHTTP(w, r)
			return
		}
		platform.ServeHTTP(w, r)
	})
}
