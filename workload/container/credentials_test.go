package container_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
)

// configured is a Docker configuration in a directory, and its environment.
func configured(t *testing.T, config string) func(string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(name string) string {
		if name == "DOCKER_CONFIG" {
			return dir
		}
		return ""
	}
}

func TestTheDockerConfigurationOpensItsRegistriesAndNoOthers(t *testing.T) {
	const config = `{"auths": {"https://index.docker.io/v1/": {"auth": "YWRhOmxvdmVsYWNl"}, "registry.example:5000": {"username": "bob", "password": "b"}, "token.example": {"identitytoken": "t"}}}`
	for image, some := range map[string]bool{
		"redis:7": true, "docker.io/team/x": true, "registry.example:5000/x:1": true, "token.example/x": true,
		"registry.example/x": false, "other.example/x": false,
	} {
		c, err := container.Login(t.Context(), configured(t, config), image)
		if err != nil || (c != container.Credentials{}) != some {
			t.Errorf("%s: %v, %v, want some: %t", image, c, err, some)
		}
	}
	if _, err := container.Login(t.Context(), configured(t, "{"), "redis"); fairlead.CodeOf(err) != fairlead.Invalid {
		t.Errorf("a configuration that is none: %v", err)
	}
	if c, err := container.Login(t.Context(), func(string) string { return "/nonexistent" }, "redis"); err != nil || c != (container.Credentials{}) {
		t.Errorf("none: %v, %v", c, err)
	}
}

func TestACredentialHelperIsAskedWithoutAShell(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\nread key\ncase \"$key\" in registry.example) echo '{\"Username\":\"ada\",\"Secret\":\"lovelace\"}';; *) echo 'credentials not found in native keychain'; exit 1;; esac\n"
	if err := os.WriteFile(filepath.Join(bin, "docker-credential-test"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	getenv := configured(t, `{"credHelpers": {"registry.example": "test", "other.example": "test", "evil.example": "../test", "none.example": "missing"}}`)
	if c, err := container.Login(t.Context(), getenv, "registry.example/x:1"); err != nil || c == (container.Credentials{}) {
		t.Errorf("%v, %v", c, err)
	}
	if c, err := container.Login(t.Context(), getenv, "other.example/x:1"); err != nil || c != (container.Credentials{}) {
		t.Errorf("one that the helper does not know: %v, %v", c, err)
	}
	for image, code := range map[string]fairlead.Code{"evil.example/x": fairlead.Invalid, "none.example/x": fairlead.Unavailable} {
		if _, err := container.Login(t.Context(), getenv, image); fairlead.CodeOf(err) != code {
			t.Errorf("%s: %v", image, err)
		}
	}
}

func TestCredentialsOfASecretAreReadAndNeverPrinted(t *testing.T) {
	for _, secret := range []string{"ada:lovelace", `{"auths": {"registry.example": {"auth": "YWRhOmxvdmVsYWNl"}}}`} {
		c, err := container.ReadCredentials([]byte(secret), "registry.example/x")
		if err != nil || c == (container.Credentials{}) {
			t.Fatalf("%v, %v", c, err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, c); strings.Contains(text, "lovelace") || strings.Contains(text, "YWRh") {
				t.Errorf("%s prints %s", verb, text)
			}
		}
	}
	for _, secret := range []string{"", "ada", ":x", "ada:", "{", `{"auths": {"registry.example": {"auth": "lovelace"}}}`, `{"auths": {}}`} {
		_, err := container.ReadCredentials([]byte(secret), "registry.example/x")
		if err == nil || strings.Contains(err.Error(), "lovelace") {
			t.Errorf("%q: %v", secret, err)
		}
	}
}
