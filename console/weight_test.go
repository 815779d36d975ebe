package console

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

// most is how many bytes a page may have in all, as they are before any compression.
const most = 100_000

// longName is as long as names are in practice.
const longName = "customer-support-eu"

// longRollout is one of a day: as many samples as a course has, ten signals, adaptive
// steps, guards, gates, and a story of many sentences.
func longRollout() (client.Rollout, client.Course) {
	weights := []fairlead.Weight{100, 200, 400, 800, 1600, 3200, 5000, 7500, 9500}
	r, report := aRollout(nil), aReport()
	r.App, r.From, r.To, r.Strategy, r.Weights, r.Step, r.Weight = longName, 1203, 1204, "adaptive", weights, 6, weights[5]
	r.Started, r.FirstTraffic, r.StepBegan = courseStart.Add(-time.Minute), courseStart, courseStart.Add(200*6*time.Minute)
	r.Stable, r.Canary = client.Arm{Requests: 1_402_340_112, Failed: 6_212_401}, client.Arm{Requests: 322_101_408, Failed: 1_433_020}
	c := simulate(240, 220, func(i int) fairlead.Weight { return weights[min(5, i/40)] }, simulated{0.006, 900, 0.2}, simulated{0.005, 820, 0.2})
	report.Signals, c.EachSecs = nil, 360
	for n := range 10 {
		s := aReport().Signals[n%2]
		s.Name = fmt.Sprintf("quality of answers %d", n)
		s.Stable, s.Canary = client.SignalArm{AtRisk: 1_402_340_112, Hit: 6_212_401, Rate: 0.0044}, client.SignalArm{AtRisk: 322_101_408, Hit: 1_433_020, Rate: 0.0044}
		report.Signals = append(report.Signals, s)
	}
	for i := range c.Samples {
		s := &c.Samples[i]
		s.From, s.At = courseStart.Add(time.Duration(i)*6*time.Minute), courseStart.Add(time.Duration(i+1)*6*time.Minute)
		step := float64(i % 40)
		s.Harm, s.Safety, s.Signals = math.Exp(-0.5+0.8*math.Sin(float64(i)/17)), math.Exp(step*0.08+0.3*math.Sin(step/5)), map[string]client.SignalSample{"restarts": {Harm: 1.2}}
		for n, signal := range report.Signals {
			s.Signals[signal.Name] = client.SignalSample{Harm: s.Harm * (1 + float64(n)/10), Safety: s.Safety * math.Exp(math.Sin(float64(i*(n+2))/90))}
		}
	}
	for i := range 6 {
		at := float64(i) * 40 * 360
		c.Marks = append(c.Marks, mark(at, "stepped", fmt.Sprintf("step %d of 9: %v of the traffic goes to %s@1204", i+1, weights[i], longName)),
			mark(at+40*360-1, "advanced", fmt.Sprintf("step %d is proven safe", i+1)), mark(at+9000, "paused", "paused"), mark(at+9900, "resumed", "resumed"))
	}
	for i := range 60 {
		r.Story = append(r.Story, fmt.Sprintf("step %d of 9 is proven safe: 16 %% of the traffic goes to %s@1204", i, longName))
		r.Told = append(r.Told, courseStart.Add(time.Duration(i)*24*time.Minute))
	}
	for i := range 2 {
		r.Guards = append(r.Guards, client.Guard{Name: fmt.Sprintf("cost of an answer %d", i), Text: "0.0123, where at most 0.02 is good", Bad: i})
		r.Gates = append(r.Gates, r.Gates[0])
	}
	r.Evidence, _ = json.Marshal(report)
	return r, c
}

// aLongRollout are the API's answers about it, with more instances than a page lists.
func aLongRollout() map[string]any {
	r, c := longRollout()
	answers := answersOf(r)
	answers["/v1/rollouts/"+r.ID+"/course"] = c
	site := client.Site{App: r.App, Env: r.Env, Stable: r.From, Rollout: &r}
	for i := range 30 {
		in := workload.Status{ID: fmt.Sprintf("%s-1204-%02d", longName, i), Release: r.To - i%2, State: workload.Ready, Started: noon, ReadySince: noon, Restarts: i % 3}
		if i%3 > 0 {
			in.LastExit = "exit status 137: killed for want of memory"
		}
		for n := range 14 {
			in.Protections = append(in.Protections, workload.Protection{Name: fmt.Sprintf("protection %d", n), Enforced: n > 1, Detail: "what it allows"})
		}
		site.Instances = append(site.Instances, in)
	}
	answers["/v1/apps/"+r.App] = client.App{Name: r.App, Newest: r.To, Sites: []client.Site{site}}
	return answers
}

// aLargeFleet has so many sites, each busy.
func aLargeFleet(sites int) []client.App {
	var apps []client.App
	for i := range sites {
		app := aFleet()[1+i%2]
		app.Name = fmt.Sprintf("%s-%03d", longName, i)
		app.Sites[0].App, app.Sites[0].Env = app.Name, "production-europe"
		app.Sites[0].Traffic = &client.Traffic{PerSecond: 120_400, Failed: 0.048, P99: 311}
		apps = append(apps, app)
	}
	return apps
}

// aLargeApp has so many environments, and releases with their rollouts.
func aLargeApp(environments, releases int) map[string]any {
	app := client.App{Name: longName, Newest: releases}
	var all []client.Release
	for i := range environments {
		site := aLargeFleet(2)[i%2].Sites[0]
		site.App, site.Env, site.Host = longName, fmt.Sprintf("region-%d", i), "europe.customers.example"
		app.Sites = append(app.Sites, site)
	}
	for i := range releases {
		r := aRelease(nil)
		r.App, r.Number = longName, releases-i
		all = append(all, r)
	}
	answers := answersAbout(aRelease(nil), aDifference())
	answers["/v1/apps/"+longName], answers["/v1/apps/"+longName+"/releases"] = app, all
	return answers
}

// aLargeRelease differs in hundreds of files and settings from the one before.
func aLargeRelease() map[string]any {
	var files []client.FileChange
	var listed []client.ReleaseFile
	var values []client.ValueChange
	for i := range 300 {
		path := fmt.Sprintf("prompt/%s/%03d.txt", longName, i)
		files = append(files, client.FileChange{Path: path, Change: client.Added, Bytes: [2]int64{0, 60 << 10}, Diff: "@@ -0,0 +1,900 @@\n" + strings.Repeat("+<say> & \"ask\"\n", 900)})
		listed = append(listed, client.ReleaseFile{Path: path, Bytes: 1, Digest: fairlead.DigestOf([]byte{byte(i)})})
		values = append(values, client.ValueChange{Name: fmt.Sprintf("env.X%03d", i), Change: client.Changed, Before: strings.Repeat("a", 2000), After: strings.Repeat("b", 2000)})
	}
	d := aDifference(client.PartChange{Part: "prompt", Files: files}, client.PartChange{Part: "artifact", Files: files}, client.PartChange{Part: "settings", Values: values})
	return answersAbout(aRelease(nil), d, listed...)
}

var linked = regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`)

// weigh returns the bytes of a page and of all that it links.
func weigh(t *testing.T, page string, asset func(path string) string) (all int, parts []string) {
	t.Helper()
	all, parts = len(page), []string{fmt.Sprintf("page %d", len(page))}
	for _, link := range linked.FindAllStringSubmatch(page, -1) {
		text := asset(link[1])
		all += len(text)
		parts = append(parts, fmt.Sprintf("%s %d", strings.TrimPrefix(link[1], "/assets/"), len(text)))
	}
	return all, parts
}

func TestEveryPageIsLightWhateverItShows(t *testing.T) {
	over, _ := longRollout()
	over.Phase, over.Outcome, over.Weight, over.Decided = "ended", client.Promoted, 10000, noon
	ended := aLongRollout()
	ended["/v1/rollouts/"+over.ID] = over
	for name, c := range map[string]struct {
		path    string
		answers map[string]any
	}{
		"a rollout of a day, live":  {"/rollouts/ro-3", aLongRollout()},
		"a rollout of a day, ended": {"/rollouts/ro-3", ended},
		"a fleet of 300":            {"/", map[string]any{"/v1/version": about, "/v1/apps": aLargeFleet(300)}},
		"an app of many releases":   {"/apps/" + longName, aLargeApp(12, listedReleases)},
		"a release that differs":    {releaseAt, aLargeRelease()},
		"one file's difference":     {releaseAt + "?file=prompt%2Fprompt%2F" + longName + "%2F007.txt", aLargeRelease()},
		"a file":                    {releaseAt + "/file?path=x", aLargeFile()},
		"nothing":                   {"/nowhere", map[string]any{"/v1/version": about}},
	} {
		t.Run(name, func(t *testing.T) {
			server := openConsole(t, c.answers)
			code, page := get(t, server, c.path)
			if code != http.StatusOK && name != "nothing" {
				t.Fatalf("status %d: %s", code, page)
			}
			all, parts := weigh(t, page, func(path string) string { _, text := get(t, server, path); return text })
			if t.Logf("%d bytes: %s", all, strings.Join(parts, ", ")); all > most {
				t.Errorf("%d bytes, more than %d", all, most)
			}
		})
	}
}

// aLargeFile is a text as long as is shown.
func aLargeFile() map[string]any {
	answers := answersAbout(aRelease(nil), aDifference())
	answers["/v1"+releaseAt+"/file"] = client.ReleaseFile{Path: "x", Text: strings.Repeat("<say> & \"ask\"\n", 60<<10/14), Kinds: []string{"prompt"}}
	return answers
}

func TestTheLedgersPagesAreLightWhateverTheyShow(t *testing.T) {
	w := newLedgerWorld(t, fairlead.Operator)
	text, _ := json.Marshal(map[string]string{"text": strings.Repeat("<the longest reason & more> ", 10), "note": strings.Repeat("<note> & ", 400)})
	for range entriesShown + 60 {
		w.write(fairlead.Entry{Kind: "rollout.rolledBack", Principal: "system:rollout", Site: fairlead.Site{App: longName, Env: "production-europe"}, Data: text})
	}
	for _, path := range []string{"/ledger", "/ledger?app=" + longName, "/ledger/17"} {
		all, parts := weigh(t, w.page(path), w.page)
		if t.Logf("%s: %d bytes: %s", path, all, strings.Join(parts, ", ")); all > most {
			t.Errorf("%s: %d bytes, more than %d", path, all, most)
		}
	}
}
