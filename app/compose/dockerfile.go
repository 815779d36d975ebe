package compose

import (
	"encoding/json"
	"strings"
)

// entryPointOf reads the entry point that a stage of a Dockerfile declares, the last one
// where target is nothing. known is false where it cannot be told: a base image may have
// one, and a shell's line is not taken apart.
func entryPointOf(dockerfile, target string) (known bool, entry []string) {
	data, err := bounded(dockerfile)
	if err != nil {
		return false, nil
	}
	stage := ""
	text := strings.ReplaceAll(string(data), "\\\n", " ")
	for line := range strings.Lines(text) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch strings.ToUpper(instruction) {
		case "FROM":
			if target != "" && strings.EqualFold(stage, target) {
				return known, entry
			}
			words := strings.Fields(rest)
			stage = ""
			if n := len(words); n > 2 && strings.EqualFold(words[n-2], "AS") {
				stage = words[n-1]
			}
			known, entry = len(words) > 0 && strings.EqualFold(words[0], "scratch"), nil
		case "ENTRYPOINT":
			entry = nil
			known = json.Unmarshal([]byte(rest), &entry) == nil
		}
	}
	return known, entry
}
