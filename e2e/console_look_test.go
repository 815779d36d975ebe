package e2e

import (
	"context"
	"net/http"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// screen is the size of a device in CSS pixels.
type screen struct {
	name          string
	width, height int64
	scale         float64
}

var (
	desktop = screen{"desktop", 1280, 800, 1}
	phone   = screen{"phone", 360, 740, 1.5}
)

// size makes the tab as large as a device.
func (b *tab) size(s screen) {
	b.Helper()
	b.call("resize to "+s.name, func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: s.width, Height: s.height, DeviceScaleFactor: s.scale, Mobile: s.name == phone.name})
		return err
	})
}

// scheme asks for light or dark.
func (b *tab) scheme(name string) {
	b.Helper()
	b.call("prefer "+name, func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	})
}

// scripts turns JavaScript on or off. It is turned off on an empty page: Chromium breaks
// off what runs, so that a live page stops in the midst of an update, with an error.
func (b *tab) scripts(on bool) {
	b.Helper()
	if !on {
		b.open("about:blank")
	}
	b.call("turn scripts on or off", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	})
}

// uncached has everything that a page needs come anew.
func (b *tab) uncached() {
	b.Helper()
	b.call("turn the cache off", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
		return err
	})
}

// picture is the whole page as PNG, at most some screens high; of a page behind a dialog
// it is one screen.
func (b *tab) picture(s screen) []byte {
	b.Helper()
	height := min(ask[float64](b, `Math.ceil(document.documentElement.getBoundingClientRect().height)`), 2.5*float64(s.height))
	if b.says(`!!document.querySelector("dialog[open]")`) {
		height = float64(s.height)
	}
	beyond := true
	var shot page.CaptureScreenshotResult
	b.call("take a picture", func(ctx context.Context) (err error) {
		shot, err = chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
			CaptureBeyondViewport: &beyond,
			Clip:                  &page.Viewport{Width: float64(s.width), Height: max(height, float64(s.height)), Scale: 1},
		})
		return err
	})
	return shot.Data
}

// cookie is the session's, which scripts cannot read.
func (b *tab) cookie() *http.Cookie {
	b.Helper()
	var found *http.Cookie
	b.call("read the cookies", func(ctx context.Context) error {
		all, err := chromedp.Call(ctx, network.GetCookies, network.GetCookiesParams{})
		for _, c := range all.Cookies {
			if !c.HTTPOnly || c.SameSite != network.CookieSameSiteStrict {
				b.Errorf("the cookie %s is sent with too much", c.Name)
			}
			found = &http.Cookie{Name: c.Name, Value: c.Value}
		}
		return err
	})
	if found == nil {
		b.Fatal("there is no cookie")
	}
	return found
}

// setCookie gives the browser a cookie.
func (b *tab) setCookie(c *http.Cookie) {
	b.Helper()
	b.call("set a cookie", func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: b.server})
		return err
	})
}
