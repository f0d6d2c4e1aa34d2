package chromium

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit/apt"
)

// startPatience bounds how long a browser may take to start on a busy machine.
const startPatience = 60 * time.Second

// Option changes how [Start] starts the browser.
type Option func(*settings)

type settings struct {
	width, height int
	flags         []chromedp.ExecAllocatorOption
}

// WindowSize sets the size of the window in CSS pixels. The default is 1280×800.
func WindowSize(width, height int) Option {
	return func(s *settings) { s.width, s.height = width, height }
}

// Flag sets a command line flag, named without its dashes. The value is a string or
// a bool.
func Flag(name string, value any) Option {
	return func(s *settings) { s.flags = append(s.flags, chromedp.Flag(name, value)) }
}

// Start starts a headless browser with a fresh profile and returns the context of its
// first tab for [chromedp.Run]. The browser ends with the test. Calling
// [chromedp.NewContext] with that context opens another tab of the same profile.
func Start(t testing.TB, options ...Option) context.Context {
	t.Helper()
	path, err := binary()
	require.NoError(t, err, "this test needs Chromium")
	with := settings{width: 1280, height: 800}
	for _, option := range options {
		option(&with)
	}

	// chromedp removes a profile that it made itself once the browser has ended.
	allocator, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), with.allocator(path)...)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		_ = chromedp.Cancel(tab) // asks the browser to close, and waits for it
		closeTab()
	})
	require.NoError(t, chromedp.Do(tab), "start Chromium")

	return tab
}

func (s settings) allocator(path string) []chromedp.ExecAllocatorOption {
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.Headless,
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.WindowSize(s.width, s.height),
		chromedp.WSURLReadTimeout(startPatience),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-default-apps", true),
		chromedp.Flag("disable-extensions", true),
		// /dev/shm is small in containers.
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("password-store", "basic"),
		chromedp.Flag("use-mock-keychain", true),
	}
	if os.Geteuid() == 0 {
		// Chromium's sandbox doesn't run as root; for other users it stays on.
		options = append(options, chromedp.NoSandbox)
	}

	return append(options, s.flags...)
}

// binary finds the browser, and installs the package if there is none.
func binary() (string, error) {
	if path := find(); path != "" {
		return path, nil
	}
	if err := apt.Install("Chromium", "chromium"); err != nil {
		return "", err
	}
	if path := find(); path != "" {
		return path, nil
	}

	return "", errors.New("the package chromium is installed, but there is no program chromium in PATH")
}

func find() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
