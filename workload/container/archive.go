package container

import (
	"archive/tar"
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/fairlead/fairlead"
)

// Entry is a file of an archive of an image.
type Entry struct {
	Name    string // clean and relative
	Size    int64
	Link    string // target of a link, relative to the archive's top; then there is no content
	Content io.Reader
}

// Entries reads an archive from its beginning: it calls each with every file, whose
// content can be read until each returns.
type Entries func(each func(Entry) error) error

// The limits of archives.
const (
	maxEntries  = 20_000
	maxUnpacked = 40 << 30
	maxJSON     = 4 << 20 // of one manifest or configuration
	maxAllJSON  = 64 << 20
)

// refuseArchive is the error of an archive that is not what it must be.
func refuseArchive(format string, args ...any) error {
	return fairlead.Errorf(fairlead.Invalid, "read the archive", format, args...).
		WithHint("make it with: docker save IMAGE -o FILE; or as an OCI archive, with: skopeo copy ... oci-archive:FILE")
}

// ReadTar reads an archive in a tar file, which may be packed by gzip.
func ReadTar(open func() (io.ReadCloser, error)) Entries {
	return func(each func(Entry) error) error {
		file, err := open()
		if err != nil {
			return err
		}
		defer file.Close()
		buffered := bufio.NewReaderSize(file, 1<<16)
		var plain io.Reader = buffered
		if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
			if plain, err = gzip.NewReader(buffered); err != nil {
				return refuseArchive("it begins as gzip and is none: %w", err)
			}
		}
		return readTar(tar.NewReader(io.LimitReader(plain, maxUnpacked+1)), each)
	}
}

func readTar(files *tar.Reader, each func(Entry) error) error {
	for count := 0; ; count++ {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return refuseArchive("it is no tar file: %w", err)
		}
		if count == maxEntries {
			return refuseArchive("it has more than %d files", maxEntries)
		}
		e := Entry{Name: path.Clean(header.Name), Size: header.Size, Content: files}
		if !local(e.Name) {
			return refuseArchive("the name %.80q leads out of it", header.Name)
		}
		switch header.Typeflag {
		case tar.TypeDir:
			continue
		case tar.TypeReg:
		case tar.TypeSymlink, tar.TypeLink:
			e.Link = path.Clean(header.Linkname)
			if header.Typeflag == tar.TypeSymlink {
				e.Link = path.Join(path.Dir(e.Name), header.Linkname)
			}
			if !local(e.Link) {
				return refuseArchive("the link %.80q leads out of it", header.Name)
			}
		default:
			return refuseArchive("%.80q is neither a file nor a directory", header.Name)
		}
		if err := each(e); err != nil {
			return err
		}
	}
}

func local(name string) bool {
	return name != "" && !strings.HasPrefix(name, "/") && name != ".." && !strings.HasPrefix(name, "../")
}

// shape is the one image that an archive holds.
type shape struct {
	config []byte
	layers []string                   // files of the archive, bottom first
	ids    map[string]fairlead.Digest // of each layer's tar stream, as the configuration has it
	bytes  int64                      // of the layers
}

// id is the digest of the image's configuration, by which an engine knows it.
func (s shape) id() fairlead.Digest { return fairlead.DigestOf(s.config) }

// contents are the files of an archive, and those that may be JSON whole.
type contents struct {
	sizes map[string]int64
	links map[string]string
	small map[string][]byte
}

// inspect finds out which image an archive holds.
func inspect(entries Entries) (shape, error) {
	c := contents{sizes: map[string]int64{}, links: map[string]string{}, small: map[string][]byte{}}
	total := 0
	err := entries(func(e Entry) error {
		if _, twice := c.sizes[e.Name]; twice {
			return refuseArchive("%.80q is in it twice", e.Name)
		}
		c.sizes[e.Name] = e.Size
		if e.Link != "" {
			c.links[e.Name] = e.Link
			return nil
		}
		if e.Size > maxJSON || total > maxAllJSON {
			return nil
		}
		data, err := io.ReadAll(e.Content)
		if err != nil {
			return refuseArchive("%.80q is cut off: %w", e.Name, err)
		}
		total += len(data)
		c.small[e.Name] = data
		return nil
	})
	if err != nil {
		return shape{}, err
	}
	switch {
	case c.small["manifest.json"] != nil:
		return c.saved()
	case c.small["index.json"] != nil:
		return c.layout()
	}
	return shape{}, refuseArchive("it has neither a manifest.json, as Docker writes, nor an index.json, as OCI has it")
}

// savedImage is an image in the manifest.json that Docker saves.
type savedImage struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

// saved reads what `docker save` wrote.
func (c contents) saved() (shape, error) {
	var images []savedImage
	if err := json.Unmarshal(c.small["manifest.json"], &images); err != nil {
		return shape{}, refuseArchive("its manifest.json: %w", err)
	}
	if len(images) != 1 {
		return shape{}, refuseArchive("it holds %d images; a release runs one", len(images))
	}
	config := c.small[c.follow(images[0].Config)]
	if config == nil {
		return shape{}, refuseArchive("the image's configuration %.80q is not in it", images[0].Config)
	}
	return c.shape(config, images[0].Layers)
}

// descriptor is what is read of an OCI descriptor; see
// https://github.com/opencontainers/image-spec/blob/main/descriptor.md.
type descriptor struct {
	MediaType string          `json:"mediaType"`
	Digest    fairlead.Digest `json:"digest"`
	Platform  *struct {
		OS   string `json:"os"`
		Arch string `json:"architecture"`
	} `json:"platform"`
}

// document is what is read of an OCI index or manifest.
type document struct {
	Manifests []descriptor `json:"manifests"`
	Config    descriptor   `json:"config"`
	Layers    []descriptor `json:"layers"`
}

// layout reads an OCI image layout. Of several images the one for this machine
// counts.
func (c contents) layout() (shape, error) {
	data := c.small["index.json"]
	for range 4 { // an index may hold another
		var d document
		if err := json.Unmarshal(data, &d); err != nil {
			return shape{}, refuseArchive("an index or manifest of it: %w", err)
		}
		if len(d.Manifests) == 0 {
			return c.manifest(d)
		}
		chosen, err := choose(d.Manifests)
		if err != nil {
			return shape{}, err
		}
		if data, err = c.blob(chosen.Digest); err != nil {
			return shape{}, err
		}
	}
	return shape{}, refuseArchive("its indexes hold each other")
}

// choose returns the one manifest for this machine.
func choose(all []descriptor) (descriptor, error) {
	var fit []descriptor
	var others []string
	for _, d := range all {
		switch {
		case d.Platform == nil || d.Platform.OS+"/"+d.Platform.Arch == here():
			fit = append(fit, d)
		default:
			others = append(others, d.Platform.OS+"/"+d.Platform.Arch)
		}
	}
	switch len(fit) {
	case 1:
		return fit[0], nil
	case 0:
		return descriptor{}, fairlead.Errorf(fairlead.Invalid, "read the archive", "it holds images for %s, and this machine is %s", strings.Join(others, ", "), here()).
			WithHint("build it for this machine: docker buildx build --platform %s", here())
	}
	return descriptor{}, refuseArchive("it holds %d images; a release runs one", len(fit))
}

func (c contents) manifest(d document) (shape, error) {
	config, err := c.blob(d.Config.Digest)
	if err != nil {
		return shape{}, err
	}
	layers := make([]string, len(d.Layers))
	for i, layer := range d.Layers {
		if strings.HasSuffix(layer.MediaType, "zstd") {
			return shape{}, refuseArchive("a layer of it is packed by zstd, which engines of before 2021 cannot read")
		}
		layers[i] = blobName(layer.Digest)
	}
	return c.shape(config, layers)
}

func blobName(digest fairlead.Digest) string { return "blobs/sha256/" + digest.Hex() }

// blob returns a small blob, verified.
func (c contents) blob(digest fairlead.Digest) ([]byte, error) {
	if !digest.Valid() {
		return nil, refuseArchive("%.80q is no digest", digest)
	}
	data := c.small[blobName(digest)]
	if data == nil {
		return nil, refuseArchive("the blob %s is not in it, or too large for what it should be", digest)
	}
	if fairlead.DigestOf(data) != digest {
		return nil, refuseArchive("the blob %s is not what its name says", digest)
	}
	return data, nil
}

func (c contents) shape(config []byte, layers []string) (shape, error) {
	s := shape{config: config, ids: map[string]fairlead.Digest{}}
	var is struct {
		RootFS struct {
			DiffIDs []fairlead.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(config, &is); err != nil {
		return s, refuseArchive("the image's configuration: %w", err)
	}
	if len(layers) > maxLayers || len(layers) != len(is.RootFS.DiffIDs) {
		return s, refuseArchive("the image has %d layers, and its configuration names %d", len(layers), len(is.RootFS.DiffIDs))
	}
	for n, name := range layers {
		at := c.follow(name)
		size, there := c.sizes[at]
		if _, link := c.links[at]; !there || link {
			return s, refuseArchive("the layer %.80q is not in it", name)
		}
		id := is.RootFS.DiffIDs[n]
		if known, twice := s.ids[at]; !id.Valid() || twice && known != id {
			return s, refuseArchive("the image's configuration does not say what the layer %.80q is", name)
		}
		s.layers, s.ids[at] = append(s.layers, at), id
		s.bytes += size
	}
	return s, nil
}

// follow returns the file that a name stands for: Docker saves a layer once, and
// links to it.
func (c contents) follow(name string) string {
	name = path.Clean(name)
	for range 8 {
		to, link := c.links[name]
		if !link {
			return name
		}
		name = to
	}
	return name
}

// write writes the image as Docker of every age loads it: without names, for the
// engine's user may have given those to images of their own. check sees its layers.
func (s shape) write(w io.Writer, entries Entries, check *unpacked, tell func(done, total int64)) error {
	out := tar.NewWriter(w)
	put := func(name string, size int64, content io.Reader) error {
		if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o444, Size: size, Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err := io.CopyN(out, content, size)
		return err
	}
	wanted := map[string]bool{}
	for _, name := range s.layers {
		wanted[name] = true
	}
	var done int64
	err := entries(func(e Entry) error {
		if e.Link != "" || !wanted[e.Name] {
			return nil
		}
		layer, end := check.watch(e.Name, &counting{e.Content, func(n int) { done += int64(n); tell(done, s.bytes) }})
		err := put(e.Name, e.Size, layer)
		ended := end()
		return cmp.Or(err, ended)
	})
	if err != nil {
		return err
	}
	config := s.id().Hex() + ".json"
	if err := put(config, int64(len(s.config)), bytes.NewReader(s.config)); err != nil {
		return err
	}
	manifest, err := json.Marshal([]savedImage{{Config: config, Layers: s.layers}})
	if err != nil {
		return fmt.Errorf("encode the manifest: %w", err)
	}
	if err := put("manifest.json", int64(len(manifest)), bytes.NewReader(manifest)); err != nil {
		return err
	}
	return out.Close()
}

// counting tells of what is read.
type counting struct {
	io.Reader
	told func(n int)
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.told(n)
	return n, err
}
