package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestALinkIsOfTheAddressByWhichTheServerIsReached(t *testing.T) {
	const link = "http://fairlead.localhost:8090/login?code=c0de"
	for _, c := range []struct{ link, remote, want string }{
		{link, "", link},
		{link, "https://fairlead.example", "https://fairlead.example/login?code=c0de"},
		{link, "http://10.0.0.5:8090/", "http://10.0.0.5:8090/login?code=c0de"},
		{link, "http://127.0.0.1:9000", "http://fairlead.localhost:9000/login?code=c0de"},
		{link, "http://localhost:9000", "http://fairlead.localhost:9000/login?code=c0de"},
		{link, "http://[::1]:9000", "http://fairlead.localhost:9000/login?code=c0de"},
	} {
		if got, err := reachable(c.link, c.remote); got != c.want || err != nil {
			t.Errorf("by %q: %q, %v", c.remote, got, err)
		}
	}
	for _, wrong := range []string{"", "javascript:alert(1)", "file:///etc/passwd", "/login", "http:///login", "http://a\x1b[2J/"} {
		if got, err := reachable(wrong, ""); err == nil {
			t.Errorf("%q is taken as %q", wrong, got)
		}
	}
}

func TestABrowserIsOpenedForThePersonAtTheScreenOnly(t *testing.T) {
	const me, root = 1000, 0
	for _, c := range []struct {
		name, system, env string
		uid, euid         int
		want              string
	}{
		{"a desktop", "linux", "DISPLAY", me, me, "xdg-open"},
		{"a desktop of the newer kind", "linux", "WAYLAND_DISPLAY", me, me, "xdg-open"},
		{"a Mac", "darwin", "", me, me, "open"},
		{"no screen", "linux", "", me, me, ""},
		{"a shell from elsewhere", "linux", "DISPLAY SSH_CONNECTION", me, me, ""},
		{"a shell from elsewhere on a Mac", "darwin", "SSH_CONNECTION", me, me, ""},
		{"root", "linux", "DISPLAY", root, root, ""},
		{"root's rights", "linux", "DISPLAY", me, root, ""},
		{"another's rights", "linux", "DISPLAY", me, me + 1, ""},
	} {
		getenv := func(name string) string {
			for _, set := range strings.Fields(c.env) {
				if set == name {
					return "set"
				}
			}
			return ""
		}
		if got := browserOpener(c.system, getenv, c.uid, c.euid); got != c.want {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}

func TestThePageThatLeadsOnIsItsUsersAlone(t *testing.T) {
	home := t.TempDir()
	getenv := func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": home}[name] }
	const link = `http://fairlead.localhost:1/login?code=c0de&to=%22><script>`
	file, err := leadingOn(getenv, link)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if dir, err := os.Stat(filepath.Dir(file)); err != nil || dir.Mode().Perm() != 0o700 {
		t.Errorf("its directory's mode is %v, %v", dir.Mode(), err)
	}
	page, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(page), "<script>") || !strings.Contains(string(page), "url=http://fairlead.localhost:1/login?code=c0de&amp;to=") {
		t.Errorf("it is %s, %v", page, err)
	}
	if _, err := leadingOn(func(string) string { return "" }, link); err == nil {
		t.Error("without a home there is a place for it")
	}
}
