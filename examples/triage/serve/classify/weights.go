package classify

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
)

// weightUnit is how many stored steps make a weight of 1.
const weightUnit = 1000

// weightsFile is the form of model/weights.json.
type weightsFile struct {
	Format  int      `json:"format"`  // 1
	Classes []string `json:"classes"` // the categories
	Buckets int      `json:"buckets"` // features
	Weights string   `json:"weights"` // base64 of little-endian int16 thousandths, a row of classes per bucket
}

// Load reads a model from a file. A file that is truncated, of another format or
// of the wrong size is an error.
func Load(file string) (*Model, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	model, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", file, err)
	}
	return model, nil
}

func decode(data []byte) (*Model, error) {
	var file weightsFile
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return nil, err
	}
	n := len(file.Classes)
	if file.Format != 1 || file.Buckets != buckets {
		return nil, fmt.Errorf("format %d with %d buckets: want 1 with %d", file.Format, file.Buckets, buckets)
	}
	if n < 2 || n > maxClasses {
		return nil, fmt.Errorf("%d classes, want 2 to %d", n, maxClasses)
	}
	raw, err := base64.StdEncoding.DecodeString(file.Weights)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	if len(raw) != 2*n*buckets {
		return nil, fmt.Errorf("weights are %d bytes, want %d", len(raw), 2*n*buckets)
	}
	model := &Model{classes: file.Classes, weights: make([]int16, n*buckets)}
	for i := range model.weights {
		model.weights[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	return model, nil
}

// Encode returns the content of m's weights file.
func (m *Model) Encode() ([]byte, error) {
	raw := make([]byte, 0, 2*len(m.weights))
	for _, w := range m.weights {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(w))
	}
	data, err := json.Marshal(weightsFile{
		Format: 1, Classes: m.classes, Buckets: buckets,
		Weights: base64.StdEncoding.EncodeToString(raw),
	})
	return append(data, '\n'), err
}
