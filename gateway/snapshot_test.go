package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway"
	"github.com/fairlead/fairlead/internal/disk/crashdisk"
)

// put writes a file of a disk as it is.
func put(t *testing.T, d *crashdisk.Disk, path, text string) {
	t.Helper()
	file, err := d.Open(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = file.WriteAt([]byte(text), 0)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAWrongRouteHoldsUpNoOtherAndItsSiteKeepsTheOneThatItHas(t *testing.T) {
	named := func(app, prefix string, release int) gateway.Route {
		r := route(backend(release, instanceOf(app+"-i", "127.0.0.1:1")))
		r.Site.App, r.PathPrefix = app, prefix
		return r
	}
	c := open(t, crashdisk.New(), "boot", dawn)
	first, refused := gateway.NewSnapshot([]gateway.Route{named("a", "/a", 1), named("b", "/b", 1), named("c", "/c", 1)})
	if len(refused) > 0 || first.Format != 1 {
		t.Fatal(refused, first.Format)
	}
	first.Order = fairlead.Order{Term: 1, Seq: 1}
	if err := c.Apply(dawn, &first); err != nil {
		t.Fatal(err)
	}
	second, refused := gateway.NewSnapshot([]gateway.Route{named("a", "/a", 2), named("b", "no path", 2), named("d", "/a", 2)})
	if len(refused) != 2 || refused[0].Site.App != "b" || refused[1].Site.App != "d" || !strings.Contains(refused[0].Error(), "no path") {
		t.Fatalf("refused %v", refused)
	}
	second.Order = fairlead.Order{Term: 1, Seq: 2}
	if err := c.Apply(dawn, &second); err != nil {
		t.Fatal(err)
	}
	for app, want := range map[string]int{"a": 2, "b": 1, "c": 0, "d": 0} {
		got := 0
		if x := c.Admit(fairlead.Site{App: app, Env: "production"}, "u", dawn); x != nil {
			got = x.Release()
			x.End(dawn)
		}
		if got != want {
			t.Errorf("%s is on release %d, want %d", app, got, want)
		}
	}
}

func TestAKeptRouteStaysOnItsFallbackWeight(t *testing.T) {
	d := crashdisk.New()
	c := open(t, d, "boot", dawn)
	if err := c.Apply(dawn, halves(1)); err != nil {
		t.Fatal(err)
	}
	later := dawn.Add(time.Minute)
	c.Expire(later)
	keep := &gateway.Snapshot{Format: 2, Order: fairlead.Order{Term: 1, Seq: 2}, Keep: []fairlead.Site{site}}
	if err := c.Apply(later, keep); err != nil {
		t.Fatal(err)
	}
	if s := c.Status(); len(s.Expired) != 1 || s.Applied.Seq != 2 {
		t.Errorf("%+v", s)
	}
	d.Kill()
	if x := open(t, d, "boot-2", later).Admit(site, "u", later); x == nil {
		t.Error("the kept route is not on disk")
	}
}

func TestASnapshotThatCannotBeReadIsPutAsideAndTheControlPlaneCanGiveAnother(t *testing.T) {
	for name, text := range map[string]string{
		"cut":          `{"format":1,"order":{"term":1,"seq":7},"routes":[`,
		"a later one":  `{"format":99,"order":{"term":1,"seq":7},"routes":[]}`,
		"a wrong one":  `{"format":1,"order":{"term":1,"seq":7},"routes":[{}]}`,
		"not JSON":     "\x00\x00\x00",
		"two of them":  `{"format":1} {}`,
		"another type": `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			d := crashdisk.New()
			c := open(t, d, "boot", dawn)
			if err := errors.Join(c.Apply(dawn, halves(7)), c.Close()); err != nil {
				t.Fatal(err)
			}
			put(t, d, "/gateway/snapshot.json", text)
			c = open(t, d, "boot-2", dawn)
			events := c.Events(0)
			if last := events[len(events)-1]; last.Kind != "stateLost" || !strings.Contains(last.Text, "snapshot.json.unreadable") {
				t.Errorf("the journal says %+v", events)
			}
			if c.Admit(site, "u", dawn) != nil {
				t.Error("it serves a snapshot that it cannot read")
			}
			if strings.Contains(text, `"seq":7},"routes":[]`) && c.Apply(dawn, halves(7)) == nil {
				t.Error("it takes the same order twice")
			}
			if err := c.Apply(dawn, halves(8)); err != nil {
				t.Fatal(err)
			}
			if c.Admit(site, "u", dawn) == nil {
				t.Error("it does not serve the next snapshot")
			}
		})
	}
}

func TestAGatewayWithoutItsRoutesSaysSoToClients(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "snapshot.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := start(t, dir)
	if a := g.get("/"); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("got %+v", a)
	}
	g.apply()
	if a := g.get("/"); a.status != http.StatusNotFound {
		t.Errorf("with routes again: %+v", a)
	}
}

func TestFieldsOfANewerControlPlaneArePassedOver(t *testing.T) {
	dir := t.TempDir()
	g := start(t, dir)
	g.apply(route(backend(1, app(t, "a", says("here")))))
	g.stop()
	file := filepath.Join(dir, "snapshot.json")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	fields["mood"] = "sunny"
	fields["routes"].([]any)[0].(map[string]any)["colour"] = "green"
	if data, err = json.Marshal(fields); err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if a := start(t, dir).get("/"); a.body != "here" {
		t.Errorf("got %+v", a)
	}
}

// A gateway that passed over the limits would count no hit of them, and the judge would
// take that for safety.
func TestOnlyASnapshotThatLimitsTheFirstByteNeedsTheFormatOfThat(t *testing.T) {
	r := route(backend(1))
	r.Split = split(5000, 1, backend(2))
	r.Split.Mirror = &fairlead.Mirror{Share: 10, Methods: []string{"GET"}} // a gateway without mirroring sends no pairs
	s, _ := gateway.NewSnapshot([]gateway.Route{r})
	if s.Format != 1 {
		t.Errorf("without: format %d", s.Format)
	}
	r.Split.First = [3]float64{1, 2, 3}
	s, _ = gateway.NewSnapshot([]gateway.Route{r, route(backend(1))}) // the second is in the way, which is format 2
	if s.Format != 3 || s.Validate() != nil {
		t.Errorf("with: format %d, %v", s.Format, s.Validate())
	}
	if s.Format = 2; s.Validate() == nil {
		t.Error("an older format is taken")
	}
}

func TestAFormatThatIsNotKnownIsRefusedWhole(t *testing.T) {
	g := start(t, t.TempDir())
	err := g.client.Apply(context.Background(), gateway.Snapshot{Format: 4, Order: fairlead.Order{Term: 1, Seq: 1}})
	if fairlead.CodeOf(err) != fairlead.Invalid || !strings.Contains(err.Error(), "format 4") {
		t.Errorf("got %v", err)
	}
}

func TestAPathOfAsManyCharactersAsAnAppFileAllowsIsUsable(t *testing.T) {
	r := route(backend(1))
	r.PathPrefix = "/" + strings.Repeat("\U00010000", 1023)
	if _, refused := gateway.NewSnapshot([]gateway.Route{r}); len(refused) > 0 {
		t.Error(refused)
	}
}
