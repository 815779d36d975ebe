package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/store/sqlite"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/device"
	"github.com/fairlead/fairlead/workload/room"
)

// rack is a machine with GPUs that a test makes, what runs on it, and who holds what.
type rack struct {
	*devices
	t     *testing.T
	root  string
	store *sqlite.Store
	run   map[string]workload.Status // what the runtime has
	fails error                      // the next start
}

func newRack(t *testing.T, gpus int) *rack {
	t.Helper()
	store, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	r := &rack{t: t, root: t.TempDir(), store: store, run: map[string]workload.Status{}}
	for i := range gpus {
		r.gpu(i)
	}
	r.begin()
	return r
}

// begin opens what the store and the machine have, as a start of the control plane does.
func (r *rack) begin() {
	r.t.Helper()
	r.devices = &devices{
		store: r.store, now: time.Now, log: slog.New(slog.DiscardHandler), finder: device.Finder{Root: r.root},
		list: func(context.Context) (all []workload.Status, err error) {
			for _, s := range r.run {
				all = append(all, s)
			}
			return all, nil
		},
	}
	if err := errors.Join(r.open(r.t.Context()), r.settle(r.t.Context())); err != nil {
		r.t.Fatal(err)
	}
}

func address(i int) string { return fmt.Sprintf("0000:c%d:00.0", i) }

// gpu makes an AMD GPU of 64 GiB, whose id is its address.
func (r *rack) gpu(i int) {
	r.t.Helper()
	at := filepath.Join(r.root, "sys/bus/pci/devices", address(i))
	render := fmt.Sprintf("renderD%d", 128+i)
	err := errors.Join(os.MkdirAll(filepath.Join(at, "drm", render), 0o755), os.MkdirAll(filepath.Join(r.root, "dev/dri"), 0o755),
		os.Symlink("../../../../bus/pci/drivers/amdgpu", filepath.Join(at, "driver")))
	for name, text := range map[string]string{"vendor": "0x1002", "device": "0x740f", "class": "0x038000", "mem_info_vram_total": "68719476736", "mem_info_vram_used": "1073741824", "gpu_busy_percent": "40"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(at, name), []byte(text+"\n"), 0o644))
	}
	if err != nil {
		r.t.Fatal(err)
	}
	for _, node := range []string{"dri/" + render, "kfd"} {
		path := filepath.Join(r.root, "dev", node)
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil && !errors.Is(err, unix.EEXIST) {
			r.t.Skipf("no device file can be made here: %v", err)
		}
	}
}

// Start, Stop and List are the runtime's.
func (r *rack) Start(_ context.Context, _ fairlead.Order, spec workload.Spec, _ workload.Secrets) error {
	if r.fails != nil {
		return r.fails
	}
	r.run[spec.ID] = workload.Status{ID: spec.ID, Site: spec.Site, Release: spec.Release, State: workload.Ready}
	return nil
}

func (r *rack) Stop(_ context.Context, _ fairlead.Order, id string, _ time.Duration) error {
	s := r.run[id]
	s.State = workload.Exited
	r.run[id] = s
	return nil
}

// rackRuntime is the rack as the fleet has it; what a test does not use is nil.
type rackRuntime struct {
	workload.Runtime
	rack *rack
}

func (r rackRuntime) Start(ctx context.Context, o fairlead.Order, spec workload.Spec, s workload.Secrets) error {
	return r.rack.Start(ctx, o, spec, s)
}
func (r rackRuntime) Stop(ctx context.Context, o fairlead.Order, id string, g time.Duration) error {
	return r.rack.Stop(ctx, o, id, g)
}
func (r rackRuntime) List(ctx context.Context) ([]workload.Status, error) { return r.rack.list(ctx) }

func (r *rack) fleet() fleet { return fleet{Runtime: rackRuntime{rack: r}, devices: r.devices} }

// start starts an instance of a release that asks for GPUs.
func (r *rack) start(id string, release int, ask fairlead.GPU) error {
	place := rollout.Place{Site: fairlead.Site{App: "triage", Env: "production"}, Release: release}
	return r.fleet().startWithDevices(r.t.Context(), fairlead.Order{}, place,
		workload.Spec{ID: id, Site: place.Site, Release: release, Resources: fairlead.Resources{GPU: &ask}}, nil)
}

func (r *rack) mustStart(id string, release int, ask fairlead.GPU) {
	r.t.Helper()
	if err := r.start(id, release, ask); err != nil {
		r.t.Fatal(err)
	}
}

// has says who holds which device: "one=0000:c0:00.0".
func (r *rack) has() (all []string) {
	for _, h := range r.holdings() {
		for _, p := range h.Parts {
			all = append(all, h.Instance+"="+p.Device)
		}
	}
	return all
}

func (r *rack) want(why string, want ...string) {
	r.t.Helper()
	if got := r.has(); !slices.Equal(got, want) {
		r.t.Errorf("%s: held is %v, want %v", why, got, want)
	}
}

// entries counts the ledger's entries of a kind.
func (r *rack) entries(kind string) (n int) {
	r.t.Helper()
	all, err := r.store.Entries(r.t.Context(), 0, 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range all {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

var whole = fairlead.GPU{Count: 1}

func TestAnInstanceHoldsItsGPUUntilItHasEnded(t *testing.T) {
	r := newRack(t, 2)
	r.mustStart("one", 1, whole)
	r.mustStart("two", 2, whole) // as in a canary: both releases hold theirs
	r.want("two run", "one="+address(0), "two="+address(1))
	err := r.start("three", 2, whole)
	if fairlead.CodeOf(err) != fairlead.Conflict || !strings.Contains(err.Error(), "taken: 0000:c0:00.0 by triage@1 in production, 0000:c1:00.0 by triage@2 in production") {
		t.Errorf("a third gets %v", err)
	}
	if err := r.fleet().Stop(t.Context(), fairlead.Order{}, "one", 0); err != nil {
		t.Fatal(err)
	}
	r.want("one has ended", "two="+address(1))
	r.mustStart("three", 2, whole)
	r.want("its GPU is another's", "three="+address(0), "two="+address(1))
	if a, b := r.entries("device.assigned"), r.entries("device.released"); a != 3 || b != 1 {
		t.Errorf("the ledger has %d assignments and %d releases", a, b)
	}
}

func TestWhatRunsKeepsItsGPUOverARestartOfTheControlPlane(t *testing.T) {
	r := newRack(t, 3)
	r.mustStart("one", 1, whole)
	r.mustStart("two", 1, fairlead.GPU{Share: 50})
	r.mustStart("three", 1, fairlead.GPU{Memory: "16Gi"})
	before := r.has()
	r.begin()
	r.want("after a restart", before...)
	r.mustStart("one", 1, whole) // its intent was open and is driven again
	r.want("after a start that is repeated", before...)
	if n := r.entries("device.assigned"); n != 3 {
		t.Errorf("%d assignments are recorded", n)
	}
}

func TestAGPUOfWhatNeverRanIsFree(t *testing.T) {
	r := newRack(t, 1)
	r.fails = errors.New("no room for a process")
	if err := r.start("one", 1, whole); !errors.Is(err, r.fails) {
		t.Errorf("the start says %v", err)
	}
	r.want("after a start that failed")
	r.fails = nil
	if _, err := r.take(t.Context(), "two", rollout.Place{Site: fairlead.Site{App: "triage", Env: "production"}, Release: 1}, whole); err != nil {
		t.Fatal(err)
	}
	if err := r.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.want("while it starts", "two="+address(0))
	r.begin() // the control plane was killed before it started what it had recorded
	r.want("after it was killed")
	r.mustStart("three", 1, whole)
	s := r.run["three"]
	s.State = workload.CrashLoop
	r.run["three"] = s
	r.mustStart("four", 1, whole)
	r.want("after a crash loop", "four="+address(0))
}

func TestAGPUIsFreeOfAnInstanceThatCouldNotBeStartedAgainWithIt(t *testing.T) {
	r := newRack(t, 1)
	r.mustStart("one", 1, whole)
	seen := r.seen
	r.seen = device.Inventory{}
	if err := r.start("one", 1, whole); fairlead.CodeOf(err) != fairlead.Unavailable {
		t.Errorf("without its GPU it starts: %v", err)
	}
	r.seen = seen
	if err := r.fleet().Stop(t.Context(), fairlead.Order{}, "one", 0); err != nil {
		t.Fatal(err)
	}
	r.want("it has ended")
}

func TestAFailedGPUTakesItsInstancesOut(t *testing.T) {
	r := newRack(t, 2)
	r.mustStart("one", 1, whole)
	if err := os.Remove(filepath.Join(r.root, "dev/dri/renderD128")); err != nil {
		t.Fatal(err)
	}
	look := func() {
		t.Helper()
		if err := r.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	leaves := func() string {
		all, err := r.fleet().List(t.Context())
		if err != nil || len(all) == 0 {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(s workload.Status) bool { return s.ID == "one" })
		return all[i].Leave
	}
	look()
	if leaves() != "" || r.entries("device.failed") != 0 {
		t.Error("one look takes it out")
	}
	look()
	if want := "its GPU failed: there is no device file /dev/dri/renderD128"; leaves() != want || r.entries("device.failed") != 1 {
		t.Errorf("it leaves for %q, want %q", leaves(), want)
	}
	all, _ := r.fleet().List(t.Context())
	start, release := rollout.Converge(time.Now(), all[0].Site, rollout.Want{1: 1}, all, func(string) bool { return false })
	if len(start) != 1 || !slices.Equal(release, []string{"one"}) {
		t.Errorf("the loop starts %v and lets go of %v", start, release)
	}
	r.begin()
	if leaves() == "" {
		t.Error("a restart forgets the failure")
	}
	r.mustStart("two", 1, whole)
	r.want("the other takes its place", "one="+address(0), "two="+address(1))
	if err := unix.Mknod(filepath.Join(r.root, "dev/dri/renderD128"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		look()
	}
	if leaves() != "" || r.entries("device.recovered") != 1 {
		t.Errorf("after it came back one leaves for %q", leaves())
	}
}

func TestRoomIsAskedOfTheSameGPUs(t *testing.T) {
	r := newRack(t, 1)
	r.mustStart("one", 1, whole)
	site := fairlead.Site{App: "triage", Env: "production"}
	part := func(release int) room.Part {
		return room.Part{Site: site, Release: release, Count: 1, Each: room.Need{GPU: &whole}}
	}
	if fit, why := r.place()([]room.Part{part(1)}, part(2)); fit != 0 || !strings.Contains(why, "1 instance asks for 1 whole GPU") {
		t.Errorf("beside: %d fit, %q", fit, why)
	}
	if fit, why := r.place()(nil, part(2)); fit != 1 || why != "" {
		t.Errorf("in its place: %d fit, %q", fit, why)
	}
}

func TestTheUseOfGPUsIsAMetricAndAGuardsNumber(t *testing.T) {
	r := newRack(t, 2)
	r.mustStart("one", 1, whole)
	var page strings.Builder
	if err := r.Exposition(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`fairlead_gpu_busy_ratio{device="0000:c0:00.0",name="GPU 1002:740f",vendor="amd",app="triage",environment="production",release="1",instance="one"} 0.4`,
		`fairlead_gpu_memory_used_bytes{device="0000:c1:00.0",name="GPU 1002:740f",vendor="amd"} 1.073741824e+09`,
		`# TYPE fairlead_gpu_failed gauge`,
	} {
		if !strings.Contains(page.String(), want+"\n") {
			t.Errorf("the page lacks %s:\n%s", want, page.String())
		}
	}
	most := 0.9
	guard := fairlead.Guard{Metric: busyMetric, Max: &most}
	at := rollout.GuardPlace{Site: fairlead.Site{App: "triage", Env: "production"}, Release: 1}
	if v, err := (deviceGuards{devices: r.devices}).Look(t.Context(), guard, at); v != 0.4 || err != nil {
		t.Errorf("a guard sees %g, %v", v, err)
	}
	at.Release = 2
	if _, err := (deviceGuards{devices: r.devices}).Look(t.Context(), guard, at); err == nil {
		t.Error("a release without a GPU has a number")
	}
}
