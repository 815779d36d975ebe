package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead"
)

// The limits of what one entry may hold.
const (
	MaxBody = 8 << 20 // bytes of an entry's body
	MaxName = 1 << 10 // bytes of a kind, a key or a stream's name
)

// body is an entry as it is committed to: everything but its position, which
// the tree gives. Its fields and their order are fixed for ever; a new field
// needs omitempty, so that old bodies stay what they are.
type body struct {
	Time      time.Time       `json:"time"`
	Kind      string          `json:"kind"`
	Site      fairlead.Site   `json:"site"`
	Principal fairlead.Sealed `json:"principal"`
	Data      json.RawMessage `json:"data,omitempty"`
	Rows      []fairlead.Row  `json:"rows,omitempty"`
}

// Encode returns the body of e and e as it will be read back: time in UTC, JSON
// compact, deletions as absent values. e itself is not changed. The error has
// code invalid and says what no store may take: an unnamed kind or row, a zero
// time, a principal that is neither sealed nor one of the system's own, text that
// is not UTF-8, JSON that does not parse, or a body over MaxBody.
func Encode(e fairlead.Entry) ([]byte, fairlead.Entry, error) {
	if err := checkNames(e); err != nil {
		return nil, e, invalid(e, err)
	}
	e.Time = e.Time.UTC().Round(0)
	var err error
	if e.Data, err = compact(e.Data); err != nil {
		return nil, e, invalid(e, fmt.Errorf("its data: %w", err))
	}
	e.Rows = append([]fairlead.Row(nil), e.Rows...) // ours, and nil where there is none
	for i, r := range e.Rows {
		if e.Rows[i].Value, err = compact(r.Value); err != nil {
			return nil, e, invalid(e, fmt.Errorf("row %s %q: %w", r.Kind, r.Key, err))
		}
	}
	data, err := json.Marshal(body{e.Time, e.Kind, e.Site, e.Principal, e.Data, e.Rows})
	switch {
	case err != nil:
		return nil, e, invalid(e, err)
	case len(data) > MaxBody:
		return nil, e, invalid(e, fmt.Errorf("%d bytes are over the limit of %d", len(data), MaxBody))
	case !utf8.Valid(data):
		return nil, e, invalid(e, errors.New("it is not UTF-8"))
	}
	return data, e, nil
}

// Decode is the reverse of Encode. It sets Seq to seq, and refuses unknown
// fields and trailing data with code corrupt.
func Decode(seq uint64, data []byte) (fairlead.Entry, error) {
	var b body
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(&b)
	if err == nil {
		if _, end := d.Token(); end != io.EOF {
			err = errors.New("data follows the body")
		}
	}
	if err != nil {
		return fairlead.Entry{}, fairlead.Errorf(fairlead.Corrupt, fmt.Sprintf("read entry %d", seq), "%w", err)
	}
	for i := range b.Rows {
		b.Rows[i].Value = absent(b.Rows[i].Value)
	}
	return fairlead.Entry{
		Seq: seq, Time: b.Time, Kind: b.Kind, Site: b.Site,
		Principal: b.Principal, Data: absent(b.Data), Rows: b.Rows,
	}, nil
}

// DecodeHead reads the beginning of a body, up to who acted: it returns the entry
// without its data and rows. The rest is not looked at and may be cut off, so that
// many entries can be looked through at the price of their beginnings.
func DecodeHead(seq uint64, data []byte) (fairlead.Entry, error) {
	e := fairlead.Entry{Seq: seq}
	d := json.NewDecoder(bytes.NewReader(data))
	fields := map[string]any{"time": &e.Time, "kind": &e.Kind, "site": &e.Site, "principal": &e.Principal}
	_, err := d.Token() // the brace
	for err == nil && len(fields) > 0 {
		var name json.Token
		if name, err = d.Token(); err != nil {
			break
		}
		field, _ := name.(string)
		into, known := fields[field]
		if !known {
			err = fmt.Errorf("%v stands where time, kind, site and principal do", name)
			break
		}
		delete(fields, field)
		err = d.Decode(into)
	}
	if err != nil {
		return fairlead.Entry{}, fairlead.Errorf(fairlead.Corrupt, fmt.Sprintf("read entry %d", seq), "%w", err)
	}
	return e, nil
}

// compact returns JSON without needless space, or nil where it is null or absent.
func compact(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	data, err := json.Marshal(raw)
	return absent(data), err
}

func absent(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return raw
}

func checkNames(e fairlead.Entry) error {
	if e.Time.IsZero() {
		return errors.New("it has no time")
	}
	if err := CheckName("the entry's kind", e.Kind); err != nil {
		return err
	}
	if !strings.HasPrefix(string(e.Principal), systemPrefix) {
		if _, err := ParseSealed(e.Principal); err != nil {
			return errors.New("its principal is neither sealed nor one of the system's own")
		}
	}
	if !utf8.ValidString(string(e.Principal) + e.Site.App + e.Site.Env) {
		return errors.New("its principal or site is not UTF-8")
	}
	for _, r := range e.Rows {
		if err := CheckName("a row's kind", r.Kind); err != nil {
			return err
		}
		if err := CheckName("a row's key", r.Key); err != nil {
			return err
		}
	}
	return nil
}

// CheckName returns an error unless name can be stored and read back as it is:
// 1 to MaxName bytes of UTF-8 without NUL. what names it in the error.
func CheckName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s is empty", what)
	case len(name) > MaxName:
		return fmt.Errorf("%s is longer than %d bytes", what, MaxName)
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return fmt.Errorf("%s is not plain UTF-8 text", what)
	}
	return nil
}

func invalid(e fairlead.Entry, err error) error {
	return fairlead.Errorf(fairlead.Invalid, "record entry "+e.Kind, "%w", err)
}
