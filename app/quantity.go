package app

import "regexp"

const (
	cpuPattern    = `^([0-9]{1,6}m|[0-9]{1,4}(\.[0-9]{1,3})?)$`
	memoryPattern = `^[0-9]{1,15}(\.[0-9]{1,3})?(k|M|G|T|Ki|Mi|Gi|Ti)?$`
)

var (
	cpuForm    = regexp.MustCompile(cpuPattern)
	memoryForm = regexp.MustCompile(memoryPattern)
)

func clip(s string) string {
	const most = 80
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return s
}
