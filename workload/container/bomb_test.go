package container_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// savedAs is what `docker save` would write of an image whose configuration names the
// layers by ids.
func savedAs(t *testing.T, layers [][]byte, ids ...fairlead.Digest) []byte {
	t.Helper()
	config, err := json.Marshal(map[string]any{
		"os": "linux", "architecture": runtime.GOARCH, "config": map[string]any{"Cmd": []string{"/app"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": ids},
	})
	if err != nil {
		t.Fatal(err)
	}
	files, names := map[string]string{"config.json": string(config)}, []string{}
	for n, layer := range layers {
		names = append(names, fmt.Sprintf("layer%d.tar", n))
		files[names[n]] = string(layer)
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "Layers": names}})
	if err != nil {
		t.Fatal(err)
	}
	files["manifest.json"] = string(manifest)
	return tarOf(t, files, nil)
}

// hole is a layer with one file that has a number of bytes and is one hole, in the old
// form of GNU tar: 1.5 KiB in all.
func hole(size uint64) []byte {
	block := make([]byte, 3*512)
	number := func(at int, n uint64) { // in the form for large ones
		block[at] = 0x80
		binary.BigEndian.PutUint64(block[at+4:], n)
	}
	copy(block, "hole")
	copy(block[100:], "0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00        S")
	copy(block[257:], "ustar  \x00")
	number(386, size) // what there is begins at its end,
	number(483, size)
	sum := 0
	for _, b := range block[:512] {
		sum += int(b)
	}
	copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
	return block
}

// zeros is a layer of one file of zeros, packed to a thousandth of it, and the digest of
// its tar stream.
func zeros(t *testing.T, size int64) ([]byte, fairlead.Digest) {
	t.Helper()
	var plain, b bytes.Buffer
	w := tar.NewWriter(&plain)
	if err := w.WriteHeader(&tar.Header{Name: "zeros", Size: size, Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	id := fairlead.DigestOf(plain.Bytes())
	packed := gzip.NewWriter(&b)
	if _, err := io.Copy(packed, &plain); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), id
}

func TestAnArchiveThatIsABombOrLiesTakesNothingOfTheEngine(t *testing.T) {
	honest, id := zeros(t, 1<<20)
	other, otherID := zeros(t, 2<<20)
	vast, rest := hole(100<<30), hole(40<<30-512<<10)
	together := savedAs(t, [][]byte{honest, rest}, id, fairlead.DigestOf(rest)) // too large, or, before, for this machine's disk
	withEngines(t, func(t *testing.T, e *container.Engine, real *enginetest.Engine) {
		for what, c := range map[string]struct {
			data []byte
			says string
		}{
			"a file of 100 GiB in 1.5 KiB":        {savedAs(t, [][]byte{vast}, fairlead.DigestOf(vast)), "larger than"},
			"a layer that is another":             {savedAs(t, [][]byte{other}, id), "not the one"},
			"a layer with more after its end":     {savedAs(t, [][]byte{append(bytes.Clone(honest), other...)}, id), "not the one"},
			"a layer packed by xz":                {savedAs(t, [][]byte{[]byte("\xfd7zXZ\x00 and so on")}, id), "xz"},
			"a layer that is no tar":              {savedAs(t, [][]byte{[]byte(strings.Repeat("no tar ", 200))}, id), "no tar"},
			"a layer that breaks off":             {savedAs(t, [][]byte{honest[:len(honest)/2]}, id), "tar"},
			"the same layers in another sequence": {savedAs(t, [][]byte{other, honest}, id, otherID), "not the one"},
		} {
			_, err := e.Load(t.Context(), archive(c.data), quietly)
			if fairlead.CodeOf(err) != fairlead.Invalid || !strings.Contains(err.Error(), c.says) || fairlead.HintOf(err) == "" {
				t.Errorf("%s: %v (hint %q)", what, err, fairlead.HintOf(err))
			}
		}
		if _, err := e.Load(t.Context(), archive(together), quietly); err == nil || fairlead.HintOf(err) == "" {
			t.Errorf("two layers that are too large together: %v", err)
		}
		if loaded, err := e.Load(t.Context(), archive(savedAs(t, [][]byte{honest, other}, id, otherID)), quietly); err != nil || !loaded.Valid() {
			t.Errorf("an honest one: %s, %v", loaded, err)
		}
		var images []struct{ ID string }
		if real.Ask(t, "GET", "/images/json", nil, &images); len(images) != 1 {
			t.Errorf("%d images are in the engine; one was loaded", len(images))
		}
	})
}

func TestAnArchiveThatWouldFillTheEnginesDiskIsRefusedBefore(t *testing.T) {
	layer, id := zeros(t, 100<<20)
	for _, name := range enginetest.Names {
		t.Run(name, func(t *testing.T) {
			e := connect(t, enginetest.StartOn(t, name, 64<<20))
			_, err := e.Load(t.Context(), archive(savedAs(t, [][]byte{layer}, id)), quietly)
			if fairlead.CodeOf(err) != fairlead.Unavailable || !strings.Contains(err.Error(), "disk is too full") || fairlead.HintOf(err) == "" {
				t.Errorf("%v (hint %q)", err, fairlead.HintOf(err))
			}
			small, smallID := zeros(t, 1<<20)
			if _, err := e.Load(t.Context(), archive(savedAs(t, [][]byte{small}, smallID)), quietly); err != nil {
				t.Errorf("a small one: %v", err)
			}
		})
	}
}
