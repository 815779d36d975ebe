package console

import (
	"net/url"
	"strconv"
	"strings"
)

// ledgerPath is where the ledger's list stands.
const ledgerPath = "/ledger"

// pathOf returns the page of something by name, each part of it escaped.
func pathOf(parts ...string) string {
	var path strings.Builder
	for _, p := range parts {
		path.WriteByte('/')
		path.WriteString(url.PathEscape(p))
	}
	return path.String()
}

func appPath(app string) string { return pathOf("apps", app) }

func releasePath(app string, number int) string {
	return pathOf("apps", app, "releases", strconv.Itoa(number))
}

func filePath(app string, number int, path string) string {
	return releasePath(app, number) + "/file?" + url.Values{"path": {path}}.Encode()
}

func rolloutPath(id string) string { return pathOf("rollouts", id) }

func entryPath(seq uint64) string { return ledgerPath + "/" + strconv.FormatUint(seq, 10) }

// fleetCrumbs are the pages above an app's, appCrumbs those above a page of it.
func fleetCrumbs() []crumb { return []crumb{{"Fleet", "/"}} }

func appCrumbs(app string) []crumb { return append(fleetCrumbs(), crumb{app, appPath(app)}) }
