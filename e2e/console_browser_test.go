package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// chromium is the browser that all tests of the console share; each tab has cookies and
// storage of its own.
var chromium struct {
	begin sync.Once
	ctx   context.Context
	end   func()
	err   error
}

// inBrowser skips a test that needs a browser unless `make browser` runs it, and returns
// the browser. Where there is none, the test fails.
func inBrowser(t testing.TB) context.Context {
	t.Helper()
	if os.Getenv("FAIRLEAD_BROWSER") == "" {
		t.Skip("make browser runs it")
	}
	chromium.begin.Do(func() { chromium.ctx, chromium.end, chromium.err = startChromium() })
	if chromium.err != nil {
		t.Fatal(chromium.err)
	}
	return chromium.ctx
}

// endBrowser ends the browser if there is one.
func endBrowser() {
	if chromium.end != nil {
		chromium.end()
	}
}

// startChromium starts a browser with an empty profile that calls nobody by itself.
func startChromium() (context.Context, func(), error) {
	program, err := exec.LookPath(cmp.Or(os.Getenv("FAIRLEAD_CHROMIUM"), "/usr/bin/chromium"))
	if err != nil {
		return nil, nil, fmt.Errorf("there is no browser: %w; apt-get install chromium, or name one in FAIRLEAD_CHROMIUM", err)
	}
	profile, err := os.MkdirTemp("", "flbrowser")
	if err != nil {
		return nil, nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.UserDataDir(profile),
		chromedp.Flag("headless", "new"), chromedp.Flag("no-sandbox", os.Getuid() == 0), // its own sandbox refuses root
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("font-render-hinting", "none"), chromedp.Flag("lang", "en-US"))
	allocated, endProcess := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, endFirst := chromedp.NewContext(allocated)
	end := func() {
		endFirst()
		endProcess()
		for deadline := time.Now().Add(10 * time.Second); os.RemoveAll(profile) != nil && time.Now().Before(deadline); {
			time.Sleep(50 * time.Millisecond) // a child of the browser still writes
		}
	}
	if err := chromedp.Do(ctx); err != nil {
		end()
		return nil, nil, fmt.Errorf("start %s: %w", program, err)
	}
	return ctx, end, nil
}
