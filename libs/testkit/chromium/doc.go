// Package chromium starts a real Chromium for tests.
//
// It is a module of its own because of what it requires: chromedp and the protocol it
// speaks are for tests of the whole system only. Packages of libs test themselves with
// testkit, so testkit stays in their module; if this package were part of it, every
// go.mod of the workspace would list chromedp.
package chromium
