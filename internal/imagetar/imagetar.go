// Package imagetar writes container images that hold a few files of this machine, as
// archives of Docker's form (image-spec v1.2: manifest.json, a configuration, layers),
// which Docker and Podman load. No engine and no registry is needed.
package imagetar

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Image is what an archive holds: one layer of files upon nothing.
type Image struct {
	Files      map[string]string // path in the image, relative and clean -> file of this machine
	Entrypoint []string
	Env        []string
	WorkDir    string
	User       string
	Labels     map[string]string
	Port       int // that it says it listens on; 0 for none
}

// config is an image's configuration, as far as it is written.
type config struct {
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Created      time.Time `json:"created"`
	Config       settings  `json:"config"`
	RootFS       rootFS    `json:"rootfs"`
	History      []history `json:"history"`
}

type settings struct {
	User         string              `json:"User,omitempty"`
	Entrypoint   []string            `json:"Entrypoint,omitempty"`
	Env          []string            `json:"Env,omitempty"`
	WorkingDir   string              `json:"WorkingDir,omitempty"`
	Labels       map[string]string   `json:"Labels,omitempty"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	CreatedBy string `json:"created_by"`
}

// Write writes image to w. The same files make the same image, whenever.
func Write(w io.Writer, image Image) error {
	size, digest, err := measure(image)
	if err != nil {
		return err
	}
	c := config{Architecture: runtime.GOARCH, OS: "linux", Created: time.Unix(0, 0).UTC(),
		Config:  settings{User: image.User, Entrypoint: image.Entrypoint, Env: image.Env, WorkingDir: image.WorkDir, Labels: image.Labels},
		RootFS:  rootFS{"layers", []string{"sha256:" + digest}},
		History: []history{{"fairlead"}}}
	if image.Port != 0 {
		c.Config.ExposedPorts = map[string]struct{}{fmt.Sprintf("%d/tcp", image.Port): {}}
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	name, layer := fmt.Sprintf("%x.json", sha256.Sum256(text)), digest+"/layer.tar"
	manifest, err := json.Marshal([]map[string]any{{"Config": name, "RepoTags": nil, "Layers": []string{layer}}})
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	for _, file := range []struct {
		name string
		data []byte
	}{{name, text}, {"manifest.json", manifest}} {
		if err := put(archive, file.name, 0o644, int64(len(file.data)), bytes.NewReader(file.data)); err != nil {
			return err
		}
	}
	if err := archive.WriteHeader(header(layer, 0o644, size)); err != nil {
		return err
	}
	if err := write(archive, image); err != nil {
		return err
	}
	return archive.Close()
}

// measure returns the size and the SHA-256 of an image's layer.
func measure(image Image) (size int64, digest string, err error) {
	hash := sha256.New()
	counted := &counting{to: hash}
	if err := write(counted, image); err != nil {
		return 0, "", err
	}
	return counted.n, hex.EncodeToString(hash.Sum(nil)), nil
}

type counting struct {
	to io.Writer
	n  int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}

// write writes the layer: the files' directories, and the files.
func write(w io.Writer, image Image) error {
	layer := tar.NewWriter(w)
	for _, dir := range directories(image) {
		h := header(dir+"/", 0o755, 0)
		h.Typeflag = tar.TypeDir
		if err := layer.WriteHeader(h); err != nil {
			return err
		}
	}
	var names []string
	for name := range image.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := add(layer, name, image.Files[name]); err != nil {
			return err
		}
	}
	return layer.Close()
}

// directories are those above the files, the outer ones first, and /tmp, on which
// engines mount.
func directories(image Image) []string {
	all := []string{"tmp"}
	for name := range image.Files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			all = append(all, dir)
		}
	}
	if dir := strings.Trim(image.WorkDir, "/"); dir != "" {
		all = append(all, dir)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func add(layer *tar.Writer, name, from string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	return put(layer, name, mode, info.Size(), file)
}

func put(to *tar.Writer, name string, mode, size int64, from io.Reader) error {
	if err := to.WriteHeader(header(name, mode, size)); err != nil {
		return err
	}
	_, err := io.CopyN(to, from, size)
	return err
}

func header(name string, mode, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
}
