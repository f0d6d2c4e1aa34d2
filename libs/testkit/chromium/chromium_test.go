package chromium_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit/chromium"
)

func TestChromiumOpensAPageInAWindowOfTheGivenSize(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, `<!doctype html><title>t</title><h1>Hello</h1>`)
	}))
	t.Cleanup(server.Close)
	tab := chromium.Start(t, chromium.WindowSize(640, 480))

	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(server.URL)))
	heading, err := chromedp.Run(tab, chromedp.Text("h1"))
	require.NoError(t, err)
	require.Equal(t, "Hello", heading)
	width, err := chromedp.Run(tab, chromedp.Evaluate[int](`window.innerWidth`))
	require.NoError(t, err)
	require.Equal(t, 640, width)
}

func TestChromiumStartsWithAFreshProfile(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("seen")
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1", MaxAge: 3600})
		_, _ = fmt.Fprintf(w, `<p>%t</p>`, err == nil)
	}))

	t.Cleanup(server.Close)

	for range 2 {
		tab := chromium.Start(t)
		require.NoError(t, chromedp.Do(tab, chromedp.Navigate(server.URL)))
		seen, err := chromedp.Run(tab, chromedp.Text("p"))
		require.NoError(t, err)
		require.Equal(t, "false", seen)
	}
}
