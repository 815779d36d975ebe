package compose

import (
	"encoding/json"
	"strings"
)

// entryPointOf reads the entry point that a Dockerfile's last stage declares. known is
// false where it cannot be told: a base image may have one, and a shell's line is not
// taken apart.
func entryPointOf(dockerfile string) (known bool, entry []string) {
	data, err := bounded(dockerfile)
	if err != nil {
		return false, nil
	}
	text := strings.ReplaceAll(string(data), "\\\n", " ")
	for line := range strings.Lines(text) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch strings.ToUpper(instruction) {
		case "FROM":
			name, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			known, entry = strings.EqualFold(name, "scratch"), nil
		case "ENTRYPOINT":
			entry = nil
			known = json.Unmarshal([]byte(rest), &entry) == nil
		}
	}
	return known, entry
}
