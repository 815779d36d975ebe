package secretive

import "testing"

func TestSecretsAreToldByNameAndByForm(t *testing.T) {
	for setting, secret := range map[[2]string]bool{
		{"API_TOKEN", "abcdefgh"}: true, {"PASSWORD", "hunter2"}: true, {"DATABASE_URL", "postgres://ada:pw@db/x"}: true,
		{"NOTE", "hf_abcdefghijklmnopqrstuvwxyz"}: true, {"PUBLIC_KEY", "abcdefgh"}: false, {"MAX_TOKEN", "4096"}: false,
		{"USE_TOKEN", "true"}: false, {"KEY", "/etc/key"}: false, {"VERSION", "3.12"}: false, {"INDEX", "https://pypi.example/simple"}: false, {"TOKEN", ""}: false,
	} {
		if got := Setting(setting[0], setting[1]); got != secret {
			t.Errorf("%q: %v", setting, got)
		}
	}
	if got := Remove("with sk-abcdefghijklmnopqrst at https://ada:pw@host/x", "GONE"); got != "with GONE at GONEhost/x" {
		t.Errorf("what is left is %q", got)
	}
}
