package tour

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
)

// Report is what a tour found. Its JSON is the answer of `fairlead tour --output json`.
type Report struct {
	Releases []Result     `json:"releases"`
	Requests uint64       `json:"requests"`
	Lost     uint64       `json:"lost_requests"`
	Ledger   LedgerReport `json:"ledger"`
	OK       bool         `json:"ok"`
	Console  string       `json:"console,omitempty"` // link that opened the console while the tour went on

	reasons []string // of the first losses
}

// Result is what became of one release.
type Result struct {
	Release  string  `json:"release"`
	Expected string  `json:"expected"`
	Outcome  string  `json:"outcome"`
	Seconds  float64 `json:"seconds_to_verdict"` // from its first traffic, or from its deployment when it took none
	Requests uint64  `json:"canary_requests"`    // that it answered before it was decided
	Failures uint64  `json:"canary_failures"`    // of those, with 5xx

	number int
	first  bool // nothing was there before it
	reason string
}

// LedgerReport is what the checks of the ledger said.
type LedgerReport struct {
	Entries  uint64 `json:"entries"`
	Verified bool   `json:"verified"`
	Replayed bool   `json:"replayed"`
}

func newResult(s stage, r client.Rollout, number int) Result {
	began := r.Started
	if !r.FirstTraffic.IsZero() {
		began = r.FirstTraffic
	}
	seconds := 0.0
	if !r.Decided.IsZero() {
		seconds = math.Round(10*r.Decided.Sub(began).Seconds()) / 10
	}
	return Result{Release: s.version.Name, Expected: string(s.expected), Outcome: string(r.Outcome), Seconds: seconds, number: number, first: r.From == 0, reason: r.Reason}
}

// expected reports whether a release ended as it must. One that failed must not
// have answered a request.
func (r Result) expected() bool {
	return r.Outcome == r.Expected && (r.Expected != string(client.Failed) || r.Requests == 0)
}

// problem says what is not as it must be, or "".
func (r Report) problem() string {
	for _, result := range r.Releases {
		if result.Outcome != result.Expected {
			return fmt.Sprintf("%s must end %s and ended %s", result.Release, result.Expected, result.Outcome)
		}
		if !result.expected() {
			return fmt.Sprintf("%s must take no request and took %d", result.Release, result.Requests)
		}
	}
	switch {
	case len(r.Releases) != len(stages()):
		return "not every release was tried"
	case r.Lost > 0:
		return fmt.Sprintf("%d of %d requests were lost", r.Lost, r.Requests)
	case !r.Ledger.Verified:
		return "the ledger was not verified"
	case !r.Ledger.Replayed:
		return "the decisions were not replayed"
	}
	return ""
}

// print writes the report to standard output.
func (r Report) print(o Options) error {
	if o.JSON {
		if r.Releases == nil {
			r.Releases = []Result{}
		}
		return json.NewEncoder(o.Out).Encode(r)
	}
	return r.table(o.Out)
}

func (r Report) table(w io.Writer) error {
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 4, 3, ' ', 0)
	fmt.Fprintln(tw, "RELEASE\tEXPECTED\tOUTCOME\tAFTER\tREQUESTS IT TOOK\tFAILED\t")
	for _, result := range r.Releases {
		sign := "ok"
		if !result.expected() {
			sign = "NOT AS EXPECTED"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%.1f s\t%s\t%s\t%s\n", result.Release, progress.Words(result.Expected), progress.Words(result.Outcome), result.Seconds,
			progress.Count(result.Requests), progress.Count(result.Failures), sign)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nrequests   %s in all, %s lost by Fairlead\n", progress.Count(r.Requests), progress.Count(r.Lost))
	for _, reason := range r.reasons {
		fmt.Fprintf(w, "           %s\n", progress.Clean(reason))
	}
	if r.Ledger.Entries > 0 {
		fmt.Fprintf(w, "ledger     %s entries, %s, decisions %s\n", progress.Count(r.Ledger.Entries),
			either(r.Ledger.Verified, "verified", "NOT verified"), either(r.Ledger.Replayed, "replayed and equal", "NOT replayed"))
	}
	if r.OK {
		_, err := fmt.Fprintln(w, "\nEverything ended as it should.")
		return err
	}
	return nil
}

func either(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}
