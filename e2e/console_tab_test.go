package e2e

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a page may take for anything on a busy machine.
const patience = 60 * time.Second

// tab is a page in a browser of its own, as far as cookies and storage go. What goes
// wrong in it fails its test: an error or exception in the console, a breach of the
// content security policy, a dialog, a request to anybody but its server.
type tab struct {
	testing.TB
	ctx    context.Context
	server string // http://host:port, the only one that it may call

	mu       sync.Mutex
	wrong    []string
	excused  bool // the network is broken on purpose
	received map[network.RequestID]*received
	closing  sync.WaitGroup // of dialogs
}

// received is what came for one request.
type received struct {
	url     string
	decoded int64 // bytes of the body
	wire    int64 // bytes with headers, compressed as they came
}

// openTab opens an empty tab that may call server alone.
func openTab(t testing.TB, server string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(inBrowser(t), chromedp.WithNewBrowserContext())
	b := &tab{TB: t, ctx: ctx, server: server, received: map[network.RequestID]*received{}}
	t.Cleanup(func() {
		b.closing.Wait()
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, w := range b.wrong {
			t.Errorf("in the browser: %s", w)
		}
	})
	if err := chromedp.Listen(ctx, b.note); err != nil {
		t.Fatal(err)
	}
	b.call("watch the network", func(ctx context.Context) error {
		if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return err
	})
	b.size(desktop)
	return b
}

// note takes down what the browser tells. It must not call the browser.
func (b *tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.wrong = append(b.wrong, fmt.Sprintf("console: %s %s", e.Type, arguments(e.Args)))
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		b.wrong = append(b.wrong, "exception: "+text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && (!b.excused || e.Entry.Source != log.EntrySourceNetwork) {
			b.wrong = append(b.wrong, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *page.EventJavascriptDialogOpening:
		b.wrong = append(b.wrong, "dialog: "+e.Message)
		b.closing.Go(b.closeDialog)
	case *network.EventRequestWillBeSent:
		b.asked(e.RequestID, e.Request.URL)
	case *network.EventDataReceived:
		if r := b.received[e.RequestID]; r != nil {
			r.decoded += e.DataLength
		}
	case *network.EventLoadingFinished:
		if r := b.received[e.RequestID]; r != nil {
			r.wire = int64(e.EncodedDataLength)
		}
	}
}

func (b *tab) asked(id network.RequestID, asked string) {
	u, err := url.Parse(asked)
	if err != nil || u.Scheme != "data" && u.Scheme != "about" && u.Scheme+"://"+u.Host != b.server {
		b.wrong = append(b.wrong, "a request to "+asked)
	}
	b.received[id] = &received{url: asked}
}

// closeDialog lets the page go on; nothing can be done with it before.
func (b *tab) closeDialog() {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: false}); err != nil {
		b.Logf("close a dialog: %v", err) // it may have gone with its page
	}
}

func arguments(args []*runtime.RemoteObject) string {
	var out []string
	for _, a := range args {
		out = append(out, a.Description+" "+string(a.Value))
	}
	return strings.Join(out, " ")
}

// forgive lets what happened so far be, and returns it.
func (b *tab) forgive() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	wrong := b.wrong
	b.wrong = nil
	return wrong
}

// excuse says whether requests may fail from now on.
func (b *tab) excuse(yes bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.excused = yes
}

// weight returns the bytes of all bodies since the last call, and forgets them.
func (b *tab) weight() (decoded int64, parts []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.received {
		if strings.Contains(r.url, "/live/") || strings.HasPrefix(r.url, "data:") { // it never ends; it is in what holds it
			continue
		}
		decoded += r.decoded
		parts = append(parts, fmt.Sprintf("%s %d", strings.TrimPrefix(r.url, b.server), r.decoded))
	}
	b.received = map[network.RequestID]*received{}
	return decoded, parts
}

// call does something with the browser that must succeed.
func (b *tab) call(what string, do func(ctx context.Context) error) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := do(ctx); err != nil {
		b.Fatalf("%s: %v", what, err)
	}
}

// do runs steps that must succeed.
func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	b.call(what, func(ctx context.Context) error { return chromedp.Do(ctx, steps...) })
}

// open goes to a path, or to a whole address, and waits until it is loaded.
func (b *tab) open(path string) {
	b.Helper()
	at := path
	if strings.HasPrefix(path, "/") {
		at = b.server + path
	}
	b.do("open "+path, chromedp.Navigate(at))
}

// ask evaluates JavaScript in the page.
func ask[T any](b *tab, script string) T {
	b.Helper()
	var v T
	b.call(script, func(ctx context.Context) (err error) {
		v, err = chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
		return err
	})
	return v
}

// holds waits until JavaScript says yes.
func (b *tab) holds(what, script string) {
	b.Helper()
	deadline := time.Now().Add(patience)
	for !b.says(script) {
		if time.Now().After(deadline) {
			b.Fatalf("the page %s never %s: it shows\n%s", ask[string](b, `location.href`), what, b.text("body"))
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// says evaluates a condition; while a page is replaced by the next it is false.
func (b *tab) says(script string) bool {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script))
	return err == nil && yes
}

// text is what is shown of the first element that a selector names, or "".
func (b *tab) text(selector string) string {
	b.Helper()
	return ask[string](b, fmt.Sprintf(`(document.querySelector(%q)?.innerText ?? "").replaceAll("\u00a0", " ")`, selector))
}

// shows waits until an element shows a text.
func (b *tab) shows(selector, text string) {
	b.Helper()
	b.holds(fmt.Sprintf("shows %q in %s", text, selector), fmt.Sprintf(`!!document.querySelector(%q)?.innerText.replaceAll("\u00a0", " ").includes(%q)`, selector, text))
}

// click presses the mouse on the first element that a selector names.
func (b *tab) click(selector string) {
	b.Helper()
	b.holds("has "+selector, fmt.Sprintf(`!!document.querySelector(%q)`, selector))
	b.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// press presses keys, one after the other.
func (b *tab) press(keys string, options ...chromedp.KeyOption) {
	b.Helper()
	b.do(fmt.Sprintf("press %q", keys), chromedp.KeyEvent(keys, options...))
}
