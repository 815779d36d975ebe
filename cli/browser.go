package cli

import (
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/fairlead/fairlead/internal/atomicfile"
)

// openBrowser shows a link in the person's browser, if there is a screen and it is the
// person who runs this. Whether it succeeds is for the person to see: the link is printed
// anyway.
//
// The link is a secret, and arguments of processes are not: the browser gets the name of
// a file that only its owner can read, and which leads on.
func openBrowser(getenv func(string) string, link string) {
	opener := browserOpener(runtime.GOOS, getenv, os.Getuid(), os.Geteuid())
	if opener == "" {
		return
	}
	program, err := exec.LookPath(opener)
	if err != nil {
		return
	}
	file, err := leadingOn(getenv, link)
	if err != nil {
		return
	}
	cmd := exec.Command(program, file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C in the terminal is not for it
	if cmd.Start() == nil {
		_ = cmd.Process.Release() // it outlives this command
	}
}

// browserOpener names the program that opens a page for the person at this terminal, or
// "" where that would be nobody, another person, or a browser in the terminal itself.
func browserOpener(system string, getenv func(string) string, uid, euid int) string {
	switch {
	case euid == 0 || uid != euid || getenv("SSH_CONNECTION") != "":
		return ""
	case system == "darwin":
		return "open"
	case getenv("DISPLAY") == "" && getenv("WAYLAND_DISPLAY") == "":
		return ""
	}
	return "xdg-open"
}

// leadingOn writes a page that leads to a link, and which only this user can read. The
// next one takes its place; when it was used the link in it is worthless.
func leadingOn(getenv func(string) string, link string) (string, error) {
	dir := getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(dir) {
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return "", fmt.Errorf("there is no place for the page that leads to the console")
		}
		dir = filepath.Join(home, ".cache")
	}
	dir = filepath.Join(dir, "fairlead")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make %s: %w", dir, err)
	}
	file := filepath.Join(dir, "console.html")
	page := fmt.Sprintf("<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">"+
		"<meta http-equiv=\"refresh\" content=\"0; url=%[1]s\"><title>Fairlead</title><a href=\"%[1]s\">To the console</a>\n", html.EscapeString(link))
	return file, atomicfile.Write(file, []byte(page), 0o600)
}
