package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// entry shows one entry of the ledger, and proves that it stands there. It stays as it
// was loaded: an entry does not change.
func entry(ctx context.Context, v visit) (view, error) {
	seq, err := strconv.ParseUint(v.path("seq"), 10, 62)
	if err != nil {
		return view{}, fairlead.Errorf(fairlead.NotFound, "", "%q is no position in the ledger", v.path("seq")).WithHint("positions are numbers from 0 on; see which there are in the ledger")
	}
	proven, err := v.api.Proven(ctx, seq)
	if err != nil {
		return view{}, err
	}
	p := newProvenPage(proven)
	return view{
		Title:  fmt.Sprintf("Entry %d", seq),
		Crumbs: []crumb{{"Ledger", ledgerPath}},
		Still:  true,
		Styles: []string{"ledger.css"},
		Parts: []part{
			{ID: "entry", Template: "entry-words", Data: p},
			{ID: "proof", Template: "entry-proof", Data: p},
			{ID: "content", Template: "entry-content", Data: p},
		},
	}, nil
}

// provenPage is an entry with its proof for showing.
type provenPage struct {
	client.Proven
	Word        entryKind
	Who         actor
	RolloutPath string // page of the rollout that it concerns, or ""
	ReleasePath string
	Newer       string // page of the next entry, or "" where this is the newest
	Older       string
	File        string // the proof for download
	Data        string // as formatted JSON
	DataLines   int
	Tree        proofTree
}

// folded is from how many lines on data is shown on demand.
const folded = 24

// Long says whether the data is folded.
func (p provenPage) Long() bool { return p.DataLines > folded }

// Sealed says whether personal texts are sealed in the data.
func (p provenPage) Sealed() bool { return strings.Contains(p.Data, "sealed:v1:") }

// Sum is where the path leads: to the signed root, where the proof holds.
func (p provenPage) Sum() string {
	if len(p.Path) == 0 {
		return p.Leaf
	}
	return p.Path[len(p.Path)-1].Sum
}

func newProvenPage(proven client.Proven) provenPage {
	seq := proven.Entry.Seq
	p := provenPage{
		Proven: proven, Word: kindOf(proven.Entry.Kind), Who: actorOf(proven.Entry.Principal),
		File: fmt.Sprintf("/ledger/files/entry-%d.json", seq), Tree: treeOf(proven.Path),
	}
	if proven.Rollout != "" {
		p.RolloutPath = rolloutPath(proven.Rollout)
	}
	if app, number, ok := cutRelease(proven.Release); ok {
		p.ReleasePath = releasePath(app, number)
	}
	if seq > 0 {
		p.Older = entryPath(seq - 1)
	}
	if seq+1 < proven.Size {
		p.Newer = entryPath(seq + 1)
	}
	p.Data, p.DataLines = pretty(proven.Entry.Data)
	return p
}

// cutRelease takes a release's name apart.
func cutRelease(name string) (app string, number int, ok bool) {
	at := strings.LastIndexByte(name, '@')
	if at < 1 {
		return "", 0, false
	}
	number, err := strconv.Atoi(name[at+1:])
	return name[:at], number, err == nil && number > 0
}

// mostShown bounds how much of an entry's data a page holds, in bytes; its download has
// all of it.
const mostShown = 32 << 10

// pretty formats JSON for reading.
func pretty(data json.RawMessage) (text string, lines int) {
	if len(data) == 0 {
		return "", 0
	}
	var out bytes.Buffer
	if json.Indent(&out, data, "", "  ") != nil {
		return string(data), 1
	}
	text = out.String()
	if len(text) > mostShown {
		text = strings.ToValidUTF8(text[:mostShown], "") + "\n… the rest is in the download"
	}
	lines = strings.Count(text, "\n") + 1
	parts := strings.Split(text, "\n")
	for i, line := range parts {
		parts[i] = visible(line)
	}
	return strings.Join(parts, "\n"), lines
}
