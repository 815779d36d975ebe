package console

import (
	"strings"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/figures"
)

// armRow is what one release showed, for the table.
type armRow struct {
	Arm, Name        string
	Requests, Failed uint64
	Why              string // its failures by class
	P50, P99, First  string
}

// Arms are both releases, the new one first.
func (p rolloutPage) Arms() []armRow {
	report, _ := p.Report()
	newest := course{p.Rollout, p.course}.newest()
	rows := []armRow{armOf("new", p.Name(), p.Canary, report.Canary, newest.Canary)}
	if p.From > 0 && p.From != p.To {
		rows = append(rows, armOf("old", p.Old(), p.Stable, report.Stable, newest.Stable))
	}
	return rows
}

func armOf(which, name string, a client.Arm, failed client.FailedBy, sample client.ArmSample) armRow {
	row := armRow{Arm: which, Name: name, Requests: a.Requests, Failed: a.Failed, P50: "-", P99: "-", First: "-"}
	if l := sample.Latency; l != nil {
		row.P50, row.P99 = figures.Millis(l[0].Estimate), figures.Millis(l[2].Estimate)
	}
	if f := sample.First; f != nil {
		row.First = figures.Millis(f[0].Estimate)
	}
	var why []string
	for _, class := range []struct{ name, words string }{
		{"5xx", "answered 5xx"}, {"timeout", "timed out"}, {"reset", "broke off"}, {"declared", "declared by the app"},
	} {
		if n := failed.Failed[class.name]; n > 0 {
			why = append(why, figures.Count(n)+" "+class.words)
		}
	}
	row.Why = strings.Join(why, ", ")
	return row
}
