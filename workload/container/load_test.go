package container_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

// packed writes a directory as a tar file.
func packed(t *testing.T, dir string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// asOCI is an image as an OCI layout in a tar file; with several, one index has all.
func asOCI(t *testing.T, images ...v1.Image) []byte {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, img := range images {
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: config.OS, Architecture: config.Architecture}}})
	}
	dir := t.TempDir()
	if _, err := layout.Write(dir, index); err != nil {
		t.Fatal(err)
	}
	return packed(t, dir)
}

// asDocker is an image as `docker save` writes it, by a name.
func asDocker(t *testing.T, ref string, img v1.Image) []byte {
	t.Helper()
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := tarball.WriteToFile(file, tag, img); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func archive(data []byte) container.Entries {
	return container.ReadTar(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
}

func quietly(fairlead.Progress) {}

func TestArchivesOfEveryKindAreLoadedByTheDigestOfTheirConfiguration(t *testing.T) {
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	withEngines(t, func(t *testing.T, e *container.Engine, real *enginetest.Engine) {
		for kind, make := range map[string]func(img v1.Image) []byte{
			"OCI":            func(img v1.Image) []byte { return asOCI(t, img) },
			"OCI of several": func(img v1.Image) []byte { return asOCI(t, image(t, other, 1, 10), img) },
			"Docker":         func(img v1.Image) []byte { return asDocker(t, "redis:latest", img) },
			"packed Docker":  func(img v1.Image) []byte { return zipped(t, asDocker(t, "redis:latest", img)) },
		} {
			img := image(t, runtime.GOARCH, 3, 1000)
			want, err := img.ConfigName()
			if err != nil {
				t.Fatal(err)
			}
			id, err := e.Load(t.Context(), archive(make(img)), quietly)
			if err != nil || string(id) != want.String() {
				t.Fatalf("%s: %s, %v, want %s", kind, id, err, want)
			}
		}
		if _, err := e.Image(t.Context(), "redis:latest"); fairlead.CodeOf(err) != fairlead.NotFound {
			t.Errorf("an archive gave its image a name of the engine's user: %v", err)
		}
	})
}

func TestAnImageThatIsSavedAndRemovedIsLoadedAgainAsTheSame(t *testing.T) {
	withEngines(t, func(t *testing.T, e *container.Engine, real *enginetest.Engine) {
		id, err := e.Load(t.Context(), archive(asOCI(t, image(t, runtime.GOARCH, 2, 1000))), quietly)
		if err != nil {
			t.Fatal(err)
		}
		var saved bytes.Buffer
		w := tar.NewWriter(&saved)
		err = e.Save(t.Context(), id)(func(f container.Entry) error {
			if f.Link != "" {
				return w.WriteHeader(&tar.Header{Name: f.Name, Typeflag: tar.TypeLink, Linkname: f.Link, Mode: 0o444})
			}
			if err := w.WriteHeader(&tar.Header{Name: f.Name, Size: f.Size, Mode: 0o444}); err != nil {
				return err
			}
			_, err := io.Copy(w, f.Content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := e.Untag(t.Context(), string(id)); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Image(t.Context(), string(id)); fairlead.CodeOf(err) != fairlead.NotFound {
			t.Fatalf("it is there still: %v", err)
		}
		if again, err := e.Load(t.Context(), archive(saved.Bytes()), quietly); err != nil || again != id {
			t.Errorf("%s, %v; it was %s", again, err, id)
		}
	})
}

func tarOf(t *testing.T, files map[string]string, change func(h *tar.Header)) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, content := range files {
		h := &tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644, Typeflag: tar.TypeReg}
		if change != nil {
			change(h)
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte(content)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsNoArchiveOfOneImageIsRefusedBeforeAnEngineSeesIt(t *testing.T) {
	e := &container.Engine{} // nothing listens: it is not asked
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	img := image(t, runtime.GOARCH, 1, 10)
	whole, named := asOCI(t, img), fairlead.DigestOf([]byte("another"))
	for _, c := range []struct {
		what string
		data []byte
		says string
	}{
		{"nothing", nil, "neither a manifest.json"},
		{"text", []byte(strings.Repeat("hello ", 200)), "no tar file"},
		{"a cut archive", whole[:len(whole)/2], ""},
		{"bad gzip", []byte{0x1f, 0x8b, 0, 0, 0}, "gzip"},
		{"a tar of other things", tarOf(t, map[string]string{"a": "b"}, nil), "neither a manifest.json"},
		{"a name that leads out", tarOf(t, map[string]string{"../manifest.json": "[]"}, nil), "leads out"},
		{"a device", tarOf(t, map[string]string{"a": ""}, func(h *tar.Header) { h.Typeflag = tar.TypeChar }), "neither a file nor a directory"},
		{"a link out", tarOf(t, map[string]string{"a": ""}, func(h *tar.Header) { h.Typeflag, h.Linkname = tar.TypeSymlink, "../../etc/passwd" }), "leads out"},
		{"no images", tarOf(t, map[string]string{"manifest.json": "[]"}, nil), "0 images"},
		{"two images as Docker saves them", tarOf(t, map[string]string{"manifest.json": `[{"Config":"c.json"},{"Config":"c.json"}]`, "c.json": "{}"}, nil), "2 images"},
		{"a file that is there twice", tarOf(t, map[string]string{"a": "one", "./a": "two"}, nil), "twice"},
		{"a blob that is not what its name says", tarOf(t, map[string]string{
			"index.json": fmt.Sprintf(`{"manifests":[{"digest":%q}]}`, named), "blobs/sha256/" + named.Hex(): "{}",
		}, nil), "not what its name says"},
		{"wrong JSON", tarOf(t, map[string]string{"manifest.json": "{"}, nil), "manifest.json"},
		{"a configuration that is not there", tarOf(t, map[string]string{"manifest.json": `[{"Config":"c.json"}]`}, nil), "is not in it"},
		{"a layer that is not there", tarOf(t, map[string]string{"manifest.json": `[{"Config":"c.json","Layers":["l"]}]`, "c.json": `{"rootfs":{"diff_ids":["` + string(named) + `"]}}`}, nil), "is not in it"},
		{"a layer that the configuration does not know", tarOf(t, map[string]string{"manifest.json": `[{"Config":"c.json","Layers":["l"]}]`, "c.json": "{}", "l": ""}, nil), "its configuration names 0"},
		{"a layer that the configuration has no digest of", tarOf(t, map[string]string{"manifest.json": `[{"Config":"c.json","Layers":["l"]}]`, "c.json": `{"rootfs":{"diff_ids":["x"]}}`, "l": ""}, nil), "does not say"},
		{"one layer under two digests", tarOf(t, map[string]string{"manifest.json": `[{"Config":"c.json","Layers":["l","./l"]}]`, "c.json": `{"rootfs":{"diff_ids":["` + string(named) + `","` + string(fairlead.DigestOf(nil)) + `"]}}`, "l": ""}, nil), "does not say"},
		{"links in a circle", tarOf(t, map[string]string{"manifest.json": "l", "l": "manifest.json"}, func(h *tar.Header) {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, map[string]string{"manifest.json": "l", "l": "manifest.json"}[h.Name], 0
		}), "neither a manifest.json"},
		{"a layer that is a link to itself", tarOf(t, map[string]string{"manifest.json": `[{"Config":"c.json","Layers":["l"]}]`, "c.json": `{"rootfs":{"diff_ids":["` + string(named) + `"]}}`, "l": ""}, func(h *tar.Header) {
			if h.Name == "l" {
				h.Typeflag, h.Linkname = tar.TypeLink, "l"
			}
		}), "is not in it"},
		{"an index in a circle", tarOf(t, map[string]string{"index.json": `{"manifests":[{"digest":"sha256:x"}]}`}, nil), "no digest"},
		{"an image of another machine", asOCI(t, image(t, other, 1, 10)), "this machine is"},
		{"two images", asOCI(t, img, image(t, runtime.GOARCH, 1, 10)), "2 images"},
	} {
		_, err := e.Load(t.Context(), archive(c.data), quietly)
		if fairlead.CodeOf(err) != fairlead.Invalid || !strings.Contains(err.Error(), c.says) || fairlead.HintOf(err) == "" {
			t.Errorf("%s: %v (hint %q)", c.what, err, fairlead.HintOf(err))
		}
	}
}
