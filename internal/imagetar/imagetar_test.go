package imagetar_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/internal/imagetar"
)

// unpack returns the files of a tar by name.
func unpack(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for archive := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := archive.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheArchiveHoldsOneLayerWhoseDigestItsConfigurationSays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app")
	if err := os.WriteFile(file, []byte("program"), 0o700); err != nil {
		t.Fatal(err)
	}
	image := imagetar.Image{Files: map[string]string{"srv/app": file}, Entrypoint: []string{"/srv/app"}, WorkDir: "/srv", Port: 80, Labels: map[string]string{"a": "b"}}
	var first, second bytes.Buffer
	if err := imagetar.Write(&first, image); err != nil {
		t.Fatal(err)
	}
	if err := imagetar.Write(&second, image); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("the same image was written otherwise: %v", err)
	}
	files := unpack(t, first.Bytes())
	var manifest []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil || len(manifest) != 1 || len(manifest[0].Layers) != 1 {
		t.Fatalf("the manifest is %s: %v", files["manifest.json"], err)
	}
	var config struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
		Config struct{ Entrypoint []string }
	}
	text := files[manifest[0].Config]
	if err := json.Unmarshal(text, &config); err != nil || manifest[0].Config != fmt.Sprintf("%x.json", sha256.Sum256(text)) {
		t.Fatalf("the configuration %s is %s: %v", manifest[0].Config, text, err)
	}
	layer := files[manifest[0].Layers[0]]
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(layer)); len(config.RootFS.DiffIDs) != 1 || config.RootFS.DiffIDs[0] != want {
		t.Errorf("the configuration says %q, the layer is %s", config.RootFS.DiffIDs, want)
	}
	if inside := unpack(t, layer); string(inside["srv/app"]) != "program" {
		t.Errorf("the layer holds %q", inside)
	}
}
